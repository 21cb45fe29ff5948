// SPDX-License-Identifier: GPL-3.0-or-later
//
// Help, man page and shell completion out of the table of commands.
#include "app/args.h"

#include <string.h>

static const char exits[] = "Exit: 0 done, 1 failed, 2 bad usage, 3 input refused (with "
                            "findings), 4 wants review.\n";

static void pad(struct buf *out, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++) {
        buf_char(out, ' ');
    }
}

void args_help_all(const struct args_command *commands, size_t count, struct buf *out)
{
    buf_cstr(out, "marquee: a streaming service, from the delivered file to the screen\n"
                  "\nUsage: marquee COMMAND [OPTION…]\n\n");
    size_t wide = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = commands[i].hidden ? 0 : strlen(commands[i].path);
        wide = len > wide ? len : wide;
    }
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (c->hidden) {
            continue;
        }
        buf_printf(out, "  %s", c->path);
        pad(out, strlen(c->path), wide + 2);
        buf_printf(out, "%s\n", c->summary);
    }
    buf_cstr(out,
             "\nmarquee COMMAND --help says more, marquee --version which one this is. ");
    buf_cstr(out, exits);
}

static void usage_line(const struct args_command *c, struct buf *out)
{
    buf_printf(out, "marquee %s%s%s%s", c->path, *c->operands ? " " : "", c->operands,
               c->option_count ? " [OPTION…]" : "");
}

static void help_one(const struct args_command *c, struct buf *out)
{
    buf_printf(out, "%s\n\nUsage: ", c->summary);
    usage_line(c, out);
    buf_char(out, '\n');
    if (c->about) {
        buf_printf(out, "\n%s\n", c->about);
    }
    if (c->option_count) {
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < c->option_count; i++) {
        const struct args_option *o = &c->options[i];
        size_t at = out->len;
        buf_printf(out, "  --%s%s%s", o->name, o->kind == ARGS_NONE ? "" : " ",
                   o->kind == ARGS_NONE ? "" : o->value);
        if (out->len - at > 26) {
            buf_char(out, '\n');
            at = out->len;
        }
        pad(out, out->len - at, 28);
        buf_printf(out, "%s%s\n", o->help, o->many ? " (may be repeated)" : "");
    }
    buf_char(out, '\n');
    buf_cstr(out, exits);
}

void args_help(const struct args_command *commands, size_t count, const char *path,
               struct buf *out)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i].path, path) == 0) {
            help_one(&commands[i], out);
            return;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (strncmp(c->path, path, len) == 0 && c->path[len] == ' ') {
            buf_cstr(out, "  ");
            usage_line(c, out);
            buf_printf(out, "\n      %s\n", c->summary);
        }
    }
    if (out->len == 0) {
        args_help_all(commands, count, out);
    }
}

// --- man page (man-pages(7)) ---------------------------------------------------------------------

// roff: a backslash is \e, a hyphen that is typed is \-, a line must not begin with a dot; not every
// formatter reads UTF-8.
static void roff(struct buf *out, const char *text)
{
    static const char ellipsis[] = "…";
    for (const char *p = text; *p; p++) {
        if (strncmp(p, ellipsis, sizeof ellipsis - 1) == 0) {
            buf_cstr(out, "...");
            p += sizeof ellipsis - 2;
        } else if (*p == '\\') {
            buf_cstr(out, "\\e");
        } else if (*p == '-') {
            buf_cstr(out, "\\-");
        } else {
            if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n')) {
                buf_cstr(out, "\\&");
            }
            buf_char(out, *p);
        }
    }
}

static void man_command(const struct args_command *c, struct buf *out)
{
    buf_cstr(out, ".SS ");
    roff(out, c->path);
    buf_cstr(out, "\n.B marquee ");
    roff(out, c->path);
    if (*c->operands) {
        buf_cstr(out, "\n.I ");
        roff(out, c->operands);
    }
    buf_cstr(out, "\n.PP\n");
    roff(out, c->summary);
    buf_cstr(out, ".\n");
    if (c->about) {
        buf_cstr(out, ".PP\n");
        roff(out, c->about);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < c->option_count; i++) {
        const struct args_option *o = &c->options[i];
        buf_cstr(out, ".TP\n\\fB\\-\\-");
        roff(out, o->name);
        buf_cstr(out, "\\fR");
        if (o->kind != ARGS_NONE) {
            buf_cstr(out, " \\fI");
            roff(out, o->value);
            buf_cstr(out, "\\fR");
        }
        buf_char(out, '\n');
        roff(out, o->help);
        buf_cstr(out, o->many ? ".\nMay be repeated.\n" : ".\n");
    }
}

void args_man(const struct args_command *commands, size_t count, struct buf *out)
{
    buf_printf(out, ".TH MARQUEE 1 \"\" \"marquee %s\" \"User Commands\"\n",
               MARQUEE_VERSION);
    buf_cstr(out, ".SH NAME\nmarquee \\- a streaming service, from the delivered file to "
                  "the screen\n.SH SYNOPSIS\n.B marquee\n.I COMMAND\n[OPTION...]\n"
                  ".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++) {
        if (!commands[i].hidden) {
            man_command(&commands[i], out);
        }
    }
    buf_cstr(out, ".SH EXIT STATUS\n"
                  ".TP\n0\ndone\n.TP\n1\nfailed\n.TP\n2\nbad usage\n"
                  ".TP\n3\ninput refused (with findings)\n.TP\n4\nwants review\n"
                  ".SH ENVIRONMENT\n.TP\nMARQUEE_DATA\n"
                  "The data folder where no \\-\\-data is given.\n"
                  ".TP\nMARQUEE_BASE_URL\n"
                  "How others reach the service, for links in mails.\n"
                  ".TP\nMARQUEE_SMTP, MARQUEE_SMTP_USER, MARQUEE_SMTP_PASSWORD\n"
                  "Where mail goes (smtp://HOST:25), and who sends it there.\n"
                  ".TP\nMARQUEE_MAIL_FROM\nThe address that mail is from.\n"
                  ".TP\nMARQUEE_METER\nWhere telemetry goes (udp://127.0.0.1:1234).\n");
}

// --- completion ----------------------------------------------------------------------------------

// Inside single quotes of a shell: a quote ends, escapes and begins them again.
static void quoted(struct buf *out, const char *text)
{
    buf_char(out, '\'');
    for (const char *p = text; *p; p++) {
        if (*p == '\'') {
            buf_cstr(out, "'\\''");
        } else {
            buf_char(out, *p);
        }
    }
    buf_char(out, '\'');
}

static void choices_spaced(struct buf *out, const char *choices)
{
    for (const char *p = choices; *p; p++) {
        buf_char(out, *p == '|' ? ' ' : *p);
    }
}

static void bash_values(const struct args_command *c, struct buf *out)
{
    for (size_t i = 0; i < c->option_count; i++) {
        const struct args_option *o = &c->options[i];
        if (o->kind == ARGS_NONE) {
            continue;
        }
        buf_printf(out, "      '%s --%s') ", c->path, o->name);
        if (o->kind == ARGS_FILE) {
            buf_cstr(out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
        } else if (o->kind == ARGS_DIR) {
            buf_cstr(out, "COMPREPLY=($(compgen -d -- \"$cur\"))");
        } else if (o->kind == ARGS_CHOICE) {
            buf_cstr(out, "COMPREPLY=($(compgen -W '");
            choices_spaced(out, o->value);
            buf_cstr(out, "' -- \"$cur\"))");
        } else {
            buf_cstr(out, "COMPREPLY=()");
        }
        buf_cstr(out, "; return;;\n");
    }
}

// " add list": the second words of commands that begin with `group`.
static void seconds(const struct args_command *commands, size_t count, struct str group,
                    struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        struct str rest = str_of(commands[i].path), first;
        str_next(&rest, ' ', &first);
        if (!commands[i].hidden && rest.data && str_eq(first, group)) {
            buf_printf(out, " " STR_FMT, STR_ARG(rest));
        }
    }
}

// Groups that are no command themselves ("user") complete to their second words.
static void bash_groups(const struct args_command *commands, size_t count,
                        struct buf *out)
{
    struct str last = {0};
    for (size_t i = 0; i < count; i++) {
        struct str rest = str_of(commands[i].path), group;
        str_next(&rest, ' ', &group);
        bool command = false;
        for (size_t k = 0; k < count; k++) {
            command = command || str_eq_c(group, commands[k].path);
        }
        if (rest.data && !command && !(last.data && str_eq(group, last))) {
            buf_printf(out, "    '" STR_FMT "') COMPREPLY=($(compgen -W '--help",
                       STR_ARG(group));
            seconds(commands, count, group, out);
            buf_cstr(out, "' -- \"$cur\"));;\n");
            last = group;
        }
    }
}

static void bash(const struct args_command *commands, size_t count, struct buf *out)
{
    buf_cstr(out, "_marquee() {\n"
                  "  local cur=${COMP_WORDS[COMP_CWORD]} path= i word\n"
                  "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "    word=${COMP_WORDS[i]}\n"
                  "    case \"$path${path:+ }$word\" in\n");
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (c->hidden) {
            continue;
        }
        const char *space = strchr(c->path, ' ');
        if (space) {
            buf_printf(out, "      '%.*s') path=$word;;\n", (int)(space - c->path),
                       c->path);
        }
        buf_printf(out, "      '%s') path=", c->path);
        quoted(out, c->path);
        buf_cstr(out, ";;\n");
    }
    buf_cstr(out, "    esac\n  done\n"
                  "  case \"$path ${COMP_WORDS[COMP_CWORD-1]}\" in\n");
    for (size_t i = 0; i < count; i++) {
        if (!commands[i].hidden) {
            bash_values(&commands[i], out);
        }
    }
    buf_cstr(out, "  esac\n  case \"$path\" in\n");
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (c->hidden) {
            continue;
        }
        buf_printf(out, "    '%s') COMPREPLY=($(compgen %s -W '--help", c->path,
                   c->operand_kind == ARGS_FILE  ? "-f"
                   : c->operand_kind == ARGS_DIR ? "-d"
                                                 : "");
        for (size_t o = 0; o < c->option_count; o++) {
            buf_printf(out, " --%s", c->options[o].name);
        }
        if (c->operand_kind == ARGS_CHOICE) {
            buf_char(out, ' ');
            choices_spaced(out, c->operands);
        }
        seconds(commands, count, str_of(c->path), out);
        buf_cstr(out, "' -- \"$cur\"));;\n");
    }
    bash_groups(commands, count, out);
    buf_cstr(out, "    *) COMPREPLY=($(compgen -W '--help --version");
    for (size_t i = 0; i < count; i++) {
        if (!commands[i].hidden) {
            struct str rest = str_of(commands[i].path), first;
            str_next(&rest, ' ', &first);
            buf_printf(out, " " STR_FMT, STR_ARG(first));
        }
    }
    buf_cstr(out, "' -- \"$cur\"));;\n  esac\n}\n"
                  "complete -o filenames -F _marquee marquee\n");
}

// zsh runs bash's words; descriptions come from its own _arguments.
static void zsh_option(const struct args_option *o, struct buf *out)
{
    AUTO(buf_free) struct buf spec = {0};
    buf_printf(&spec, "%s--%s[", o->many ? "*" : "", o->name);
    for (const char *p = o->help; *p; p++) {
        buf_char(&spec, *p == '[' || *p == ']' || *p == ':' ? ' ' : *p);
    }
    buf_char(&spec, ']');
    if (o->kind == ARGS_FILE) {
        buf_printf(&spec, ":%s:_files", o->value);
    } else if (o->kind == ARGS_DIR) {
        buf_printf(&spec, ":%s:_files -/", o->value);
    } else if (o->kind == ARGS_CHOICE) {
        buf_cstr(&spec, ":value:(");
        choices_spaced(&spec, o->value);
        buf_char(&spec, ')');
    } else if (o->kind != ARGS_NONE) {
        buf_printf(&spec, ":%s:", o->value);
    }
    buf_char(out, ' ');
    quoted(out, spec.data ? spec.data : "");
}

static void zsh(const struct args_command *commands, size_t count, struct buf *out)
{
    buf_cstr(out, "#compdef marquee\n_marquee() {\n"
                  "  local -a commands\n  commands=(\n");
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (!c->hidden) {
            AUTO(buf_free) struct buf line = {0};
            buf_printf(&line, "%s:%s", c->path, c->summary);
            buf_cstr(out, "    ");
            quoted(out, line.data ? line.data : "");
            buf_char(out, '\n');
        }
    }
    buf_cstr(out, "  )\n"
                  "  if ((CURRENT == 2)); then _describe command commands; return; fi\n"
                  "  local two=\"$words[2] $words[3]\"\n");
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (c->hidden) {
            continue;
        }
        bool pair = strchr(c->path, ' ') != NULL;
        buf_printf(out,
                   "  if [[ \"%s\" == '%s' ]]; then shift %d words; ((CURRENT -= %d)); ",
                   pair ? "$two" : "$words[2]", c->path, pair ? 2 : 1, pair ? 2 : 1);
        buf_cstr(out, "_arguments '--help'");
        for (size_t o = 0; o < c->option_count; o++) {
            zsh_option(&c->options[o], out);
        }
        if (c->operand_kind == ARGS_FILE) {
            buf_cstr(out, " '*:file:_files'");
        }
        buf_cstr(out, "; return; fi\n");
    }
    buf_cstr(out, "}\n_marquee \"$@\"\n");
}

static void fish_condition(const struct args_command *c, struct buf *out)
{
    struct str rest = str_of(c->path), word;
    buf_cstr(out, " -n '");
    for (const char *sep = ""; str_next(&rest, ' ', &word); sep = "; and ") {
        buf_printf(out, "%s__fish_seen_subcommand_from " STR_FMT, sep, STR_ARG(word));
    }
    buf_cstr(out, "'");
}

static void fish(const struct args_command *commands, size_t count, struct buf *out)
{
    buf_cstr(out, "complete -c marquee -f\n");
    for (size_t i = 0; i < count; i++) {
        const struct args_command *c = &commands[i];
        if (c->hidden) {
            continue;
        }
        const char *space = strchr(c->path, ' ');
        buf_cstr(out, "complete -c marquee -n __fish_use_subcommand -a ");
        AUTO(buf_free) struct buf first = {0};
        buf_str(&first, (struct str){c->path, space ? (size_t)(space - c->path)
                                                    : strlen(c->path)});
        quoted(out, first.data ? first.data : "");
        buf_cstr(out, " -d ");
        quoted(out, c->summary);
        buf_char(out, '\n');
        if (space) {
            buf_printf(
                out, "complete -c marquee -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                first.data, space + 1);
        }
        if (c->operand_kind == ARGS_FILE) {
            buf_cstr(out, "complete -c marquee -F");
            fish_condition(c, out);
            buf_char(out, '\n');
        }
        for (size_t o = 0; o < c->option_count; o++) {
            const struct args_option *option = &c->options[o];
            buf_printf(out, "complete -c marquee%s",
                       option->kind == ARGS_NONE                               ? ""
                       : option->kind == ARGS_FILE || option->kind == ARGS_DIR ? " -rF"
                                                                               : " -x");
            fish_condition(c, out);
            buf_printf(out, " -l %s -d ", option->name);
            quoted(out, option->help);
            if (option->kind == ARGS_CHOICE) {
                buf_cstr(out, " -a '");
                choices_spaced(out, option->value);
                buf_char(out, '\'');
            }
            buf_char(out, '\n');
        }
    }
}

int args_completion(const struct args_command *commands, size_t count, const char *shell,
                    struct buf *out)
{
    if (strcmp(shell, "bash") == 0) {
        bash(commands, count, out);
    } else if (strcmp(shell, "zsh") == 0) {
        zsh(commands, count, out);
    } else if (strcmp(shell, "fish") == 0) {
        fish(commands, count, out);
    } else {
        FAIL(ERR_INVALID, "completion is made for bash, zsh and fish, not '%s'", shell);
    }
    return out->err;
}
