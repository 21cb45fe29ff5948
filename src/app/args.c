// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct given {
    const struct args_option *option;
    const char *value; // NULL for ARGS_NONE
};

struct args {
    const struct args_command *commands;
    size_t command_count;
    const struct args_command *command;
    VEC(struct given) given;
    VEC(const char *) operands;
};

static void args_clear(struct args *args)
{
    vec_free(&args->given);
    vec_free(&args->operands);
}

size_t args_times(const struct args *args, const char *option)
{
    size_t times = 0;
    for (size_t i = 0; i < args->given.len; i++) {
        times += strcmp(args->given.data[i].option->name, option) == 0;
    }
    return times;
}

const char *args_nth(const struct args *args, const char *option, size_t index)
{
    for (size_t i = 0; i < args->given.len; i++) {
        if (strcmp(args->given.data[i].option->name, option) == 0 && index-- == 0) {
            return args->given.data[i].value;
        }
    }
    return NULL;
}

bool args_has(const struct args *args, const char *option)
{
    return args_times(args, option) > 0;
}

const char *args_text(const struct args *args, const char *option, const char *otherwise)
{
    size_t times = args_times(args, option);
    return times ? args_nth(args, option, times - 1) : otherwise;
}

int64_t args_number(const struct args *args, const char *option, int64_t otherwise)
{
    const char *text = args_text(args, option, NULL);
    int64_t number = otherwise;
    if (text) {
        // the parser has accepted it already
        (void)str_to_i64(str_of(text), INT64_MIN, INT64_MAX, &number);
    }
    return number;
}

size_t args_operand_count(const struct args *args)
{
    return args->operands.len;
}

const char *args_operand(const struct args *args, size_t index)
{
    return args->operands.data[index];
}

const struct args_command *args_commands(const struct args *args, size_t *ret_count)
{
    *ret_count = args->command_count;
    return args->commands;
}

int args_wrong(const struct args *args, const char *fmt, ...)
{
    const char *path = args->command ? args->command->path : "";
    fprintf(stderr, "marquee%s%s: ", *path ? " " : "", path);
    va_list list;
    va_start(list, fmt);
    vfprintf(stderr, fmt, list);
    va_end(list);
    fprintf(stderr, "\nTry: marquee%s%s --help\n", *path ? " " : "", path);
    return ARGS_USAGE;
}

// --- parsing ------------------------------------------------------------------------------------

static const struct args_option *option_named(const struct args_command *command,
                                              struct str name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (str_eq_c(name, command->options[i].name)) {
            return &command->options[i];
        }
    }
    return NULL;
}

static bool choice_has(const char *choices, const char *value)
{
    struct str rest = str_of(choices), one;
    while (str_next(&rest, '|', &one)) {
        if (str_eq_c(one, value)) {
            return true;
        }
    }
    return false;
}

// 0, or ARGS_USAGE after saying what is wrong.
static int value_check(const struct args *args, const struct args_option *option,
                       const char *value)
{
    int64_t number = 0;
    switch (option->kind) {
    case ARGS_NUMBER:
        if (str_to_i64(str_of(value), option->min, option->max, &number) < 0) {
            return args_wrong(args, "--%s wants a number from %lld to %lld, not '%s'",
                              option->name, (long long)option->min,
                              (long long)option->max, value);
        }
        return 0;
    case ARGS_DATE:
        if (clock_parse(str_of(value), &number) < 0) {
            return args_wrong(args, "--%s wants a date as 2026-12-31, not '%s'",
                              option->name, value);
        }
        return 0;
    case ARGS_CHOICE:
        if (!choice_has(option->value, value)) {
            return args_wrong(args, "--%s is one of %s, not '%s'", option->name,
                              option->value, value);
        }
        return 0;
    case ARGS_FILE:
    case ARGS_DIR:
    case ARGS_TEXT:
        return *value || option->kind == ARGS_TEXT
                   ? 0
                   : args_wrong(args, "--%s wants a %s", option->name, option->value);
    case ARGS_NONE:
        return 0;
    }
    return 0;
}

// *at moves over the value where it is an argument of its own.
static int option_parse(struct args *args, int argc, char *const *argv, int *at)
{
    struct str text = str_of(argv[*at] + 2), name;
    const char *equals = strchr(text.data, '=');
    name = equals ? (struct str){text.data, (size_t)(equals - text.data)} : text;
    const struct args_option *option = option_named(args->command, name);
    if (!option) {
        return args_wrong(args, "there is no option --" STR_FMT, STR_ARG(name));
    }
    const char *value = equals ? equals + 1 : NULL;
    if (option->kind == ARGS_NONE && value) {
        return args_wrong(args, "--%s takes no value", option->name);
    }
    if (option->kind != ARGS_NONE && !value) {
        if (*at + 1 >= argc) {
            return args_wrong(args, "--%s wants a value: %s", option->name,
                              option->value);
        }
        value = argv[++*at];
    }
    if (value) {
        int code = value_check(args, option, value);
        if (code) {
            return code;
        }
    }
    return vec_push(&args->given, (struct given){option, value}) < 0 ? ARGS_FAILED : 0;
}

static int print(const struct buf *text)
{
    if (text->err) {
        return ARGS_FAILED;
    }
    fputs(text->data ? text->data : "", stdout);
    return ARGS_DONE;
}

static int help(const struct args *args, const char *path)
{
    AUTO(buf_free) struct buf out = {0};
    if (path) {
        args_help(args->commands, args->command_count, path, &out);
    } else {
        args_help_all(args->commands, args->command_count, &out);
    }
    return print(&out);
}

// How many words of argv name the command; 0 when none does.
static int words_of(const char *path, int argc, char *const *argv)
{
    struct str rest = str_of(path), word;
    int words = 0;
    while (str_next(&rest, ' ', &word)) {
        if (1 + words >= argc || !str_eq_c(word, argv[1 + words])) {
            return 0;
        }
        words++;
    }
    return words;
}

static int arguments_parse(struct args *args, int argc, char *const *argv, int at)
{
    bool options_end = false;
    for (; at < argc; at++) {
        const char *arg = argv[at];
        int code = 0;
        if (!options_end && strcmp(arg, "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(arg, "--", 2) == 0) {
            code = option_parse(args, argc, argv, &at);
        } else if (!options_end && arg[0] == '-' && arg[1] != 0) {
            code = args_wrong(args, "there is no option %s", arg);
        } else if (vec_push(&args->operands, arg) < 0) {
            code = ARGS_FAILED;
        }
        if (code) {
            return code;
        }
    }
    size_t count = args->operands.len;
    const struct args_command *command = args->command;
    if (count > command->operands_max) {
        return args_wrong(args, "'%s' is one too many: it takes %s",
                          args->operands.data[command->operands_max],
                          *command->operands ? command->operands : "none");
    }
    return count < command->operands_min
               ? args_wrong(args, "it wants %s, and none was given", command->operands)
               : 0;
}

static bool wants_help(int argc, char *const *argv, int from)
{
    for (int i = from; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

// A word that begins commands ("user") without being one: lists them.
static int group_or_unknown(const struct args *args, int argc, char *const *argv)
{
    size_t len = strlen(argv[1]);
    for (size_t i = 0; i < args->command_count; i++) {
        const char *path = args->commands[i].path;
        if (strncmp(path, argv[1], len) == 0 && path[len] == ' ') {
            if (argc == 2 || wants_help(argc, argv, 2)) {
                int code = help(args, argv[1]);
                return argc == 2 ? ARGS_USAGE : code;
            }
            return args_wrong(args, "'%s %s' is no command", argv[1], argv[2]);
        }
    }
    return args_wrong(args, "'%s' is no command", argv[1]);
}

int args_main(const struct args_command *commands, size_t count, int argc,
              char *const *argv)
{
    AUTO(args_clear)
    struct args args = {.commands = commands, .command_count = count};
    if (argc < 2) {
        (void)help(&args, NULL);
        return ARGS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return help(&args, argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("marquee %s\n", MARQUEE_VERSION);
        return ARGS_DONE;
    }
    // "findings waive" is not "findings" with an operand, whichever stands first in the table.
    int words = 0;
    for (size_t i = 0; i < count; i++) {
        int fit = words_of(commands[i].path, argc, argv);
        args.command = fit > words ? &commands[i] : args.command;
        words = MAX(fit, words);
    }
    if (!args.command) {
        return group_or_unknown(&args, argc, argv);
    }
    if (wants_help(argc, argv, 1 + words)) {
        return help(&args, args.command->path);
    }
    int code = arguments_parse(&args, argc, argv, 1 + words);
    return code ? code : args.command->run(&args);
}
