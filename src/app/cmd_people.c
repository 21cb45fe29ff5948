// SPDX-License-Identifier: GPL-3.0-or-later
//
// user and partner. Passwords come through stdin only: a command line is read by everybody.
#include "account/account.h"
#include "app/commands.h"
#include "viewing/viewing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_BYTES_MAX = 1000 };

// One line, without its end.
static int password_line(struct buf *out)
{
    char chunk[256];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n < 0 && errno != EINTR) {
            return err_fail_errno("reading the password");
        }
        if (n == 0) {
            break;
        }
        buf_add(out, chunk, n > 0 ? (size_t)n : 0);
        TRY(out->err);
        if (n > 0 && memchr(chunk, '\n', (size_t)n)) {
            break;
        }
        FAIL_IF(out->len > PASSWORD_BYTES_MAX, ERR_LIMIT, "a password over %d bytes",
                PASSWORD_BYTES_MAX);
    }
    char *end = out->data ? strchr(out->data, '\n') : NULL;
    if (end) {
        *end = 0;
        out->len = (size_t)(end - out->data);
    }
    FAIL_IF(out->len == 0, ERR_INVALID, "the password is empty");
    return 0;
}

// Asked for at a terminal, where it is not shown.
static int password_ask(const char *what, struct buf *out)
{
    struct termios shown, hidden;
    FAIL_IF(tcgetattr(STDIN_FILENO, &shown) < 0, ERR_INVALID,
            "the password comes by --password-stdin, or is typed at a terminal");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG); // nobody ends it while nothing is shown
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fprintf(stderr, "%s: ", what);
    int err = password_line(out);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return err;
}

static int password_asked(char ret[ACCOUNT_PASSWORD_HASH_BYTES])
{
    AUTO(buf_free) struct buf once = {0}, again = {0};
    TRY(password_ask("New password", &once));
    TRY(password_ask("Again", &again));
    bool same = strcmp(once.data, again.data) == 0;
    int err = same ? account_password_hash(once.data, ret)
                   : err_fail(ERR_INVALID, "the two passwords differ");
    explicit_bzero(once.data, once.len);
    explicit_bzero(again.data, again.len);
    return err;
}

static int password_hashed(const struct args *args, char ret[ACCOUNT_PASSWORD_HASH_BYTES],
                           const char **ret_hash)
{
    AUTO(buf_free) struct buf password = {0};
    *ret_hash = NULL;
    if (!args_has(args, "password-stdin")) {
        return 0;
    }
    TRY(password_line(&password));
    int err = account_password_hash(password.data, ret);
    explicit_bzero(password.data, password.len);
    *ret_hash = ret;
    return err;
}

static int partner_id(struct store_tx *tx, const char *name, char ret[UUID_BYTES])
{
    AUTO(json_free) json_t *partner = NULL;
    TRY(account_partner(tx, name, &partner));
    return str_copy(ret, UUID_BYTES, str_of(json_str_or(partner, "id", "")));
}

static int user_add(const struct args *args, struct store *store, char ret_id[UUID_BYTES])
{
    char hash[ACCOUNT_PASSWORD_HASH_BYTES], partner[UUID_BYTES];
    struct account_user_spec spec = {.name = args_operand(args, 0),
                                     .plan = args_text(args, "plan", NULL)};
    TRY(account_role_parse(str_of(args_text(args, "role", "viewer")), &spec.role));
    TRY(password_hashed(args, hash, &spec.password_hash));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    if (args_has(args, "partner")) {
        TRY(partner_id(tx, args_text(args, "partner", ""), partner));
        spec.partner_id = partner;
    }
    TRY(account_user_add(tx, &spec, ret_id));
    return store_commit(&tx);
}

// Prints {"schema":1,"id"}, or the id.
static int print_id(const struct args *args, const char *id)
{
    AUTO(json_free) json_t *json = NULL;
    if (args_has(args, "json")) {
        return json_made(json_pack("{s:i, s:s}", "schema", 1, "id", id), &json) < 0
                   ? ARGS_FAILED
                   : command_print(json);
    }
    printf("%s\n", id);
    return ARGS_DONE;
}

static int user_add_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    char id[UUID_BYTES];
    int err = command_open(args, &store);
    err = err < 0 ? err : user_add(args, store, id);
    return err < 0 ? command_failed(args, err) : print_id(args, id);
}

static int user_password(const struct args *args, struct store *store)
{
    char hash[ACCOUNT_PASSWORD_HASH_BYTES], id[UUID_BYTES];
    const char *given = NULL;
    TRY(password_hashed(args, hash, &given));
    if (!given) {
        TRY(password_asked(hash));
        given = hash;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(account_user_find(tx, args_operand(args, 0), id));
    TRY(account_user_set_password(tx, id, given));
    return store_commit(&tx);
}

static int user_password_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : user_password(args, store);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int user_set(const struct args *args, struct store *store)
{
    char id[UUID_BYTES], partner[UUID_BYTES];
    struct account_user_change change = {.plan = args_text(args, "plan", NULL)};
    if (args_has(args, "role")) {
        TRY(account_role_parse(str_of(args_text(args, "role", "")), &change.role));
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    if (args_has(args, "partner")) {
        TRY(partner_id(tx, args_text(args, "partner", ""), partner));
        change.partner_id = partner;
    }
    TRY(account_user_find(tx, args_operand(args, 0), id));
    TRY(account_user_edit(tx, id, &change,
                          command_actor((char[COMMAND_ACTOR_BYTES]){0})));
    return store_commit(&tx);
}

static int user_set_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    if (!args_has(args, "role") && !args_has(args, "plan") &&
        !args_has(args, "partner")) {
        return args_wrong(args, "--role, --plan or --partner says what is to change");
    }
    int err = command_look(args, &store);
    err = err < 0 ? err : user_set(args, store);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int user_remove(const struct args *args, struct store *store)
{
    char id[UUID_BYTES];
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(account_user_find(tx, args_operand(args, 0), id));
    TRY(viewing_forget_person(tx, id));
    TRY(account_user_remove(tx, id, command_actor((char[COMMAND_ACTOR_BYTES]){0})));
    return store_commit(&tx);
}

static int user_remove_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : user_remove(args, store);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int user_link(const struct args *args, struct store *store,
                     char ret_token[ACCOUNT_TOKEN_BYTES])
{
    char id[UUID_BYTES];
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(account_user_find(tx, args_operand(args, 0), id));
    TRY(account_link_new(tx, id, ACCOUNT_LINK_LIFE_US, ret_token));
    return store_commit(&tx);
}

// Where the running service of the folder answers, as it wrote down itself; else where it would.
static void service_url(const char *data_dir, char ret[256])
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(json_free) json_t *mark = NULL;
    const char *url = "http://127.0.0.1:8080";
    if (cstr_printf(&path, "%s/serve.json", data_dir) == 0 && fs_exists(path) &&
        json_parse_file(&mark, path, 4096) == 0) {
        url = json_str_or(mark, "url", url);
    }
    if (str_copy(ret, 256, str_of(url)) < 0) {
        ret[0] = '\0';
    }
}

static int user_link_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    char token[ACCOUNT_TOKEN_BYTES];
    int err = command_look(args, &store);
    err = err < 0 ? err : user_link(args, store, token);
    if (err < 0) {
        return command_failed(args, err);
    }
    char url[256];
    service_url(store_dir(store), url);
    AUTO(cstr_free) char *link = NULL;
    AUTO(json_free) json_t *json = NULL;
    err = cstr_printf(&link, "%s/link/%s", args_text(args, "base-url", url), token);
    if (err < 0) {
        return command_failed(args, err);
    }
    if (args_has(args, "json")) {
        return json_made(json_pack("{s:i, s:s}", "schema", 1, "link", link), &json) < 0
                   ? ARGS_FAILED
                   : command_print(json);
    }
    printf("%s\n", link);
    return ARGS_DONE;
}

typedef int people_f(struct store_tx *, json_t **ret);

static int people_run(const struct args *args, const char *name, people_f *list,
                      const char *const keys[4])
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *items = NULL, *all = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_READ, &tx);
    err = err < 0 ? err : list(tx, &items);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, name, items), &all);
        if (err == 0) {
            return command_print(all);
        }
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        printf("%s  %-20s %-9s %s\n", json_str_or(item, keys[0], "-"),
               json_str_or(item, keys[1], "-"), json_str_or(item, keys[2], "-"),
               keys[3] ? json_str_or(item, keys[3], "-") : "");
    }
    return ARGS_DONE;
}

static int user_list_run(const struct args *args)
{
    static const char *const keys[4] = {"id", "name", "role", "plan"};
    return people_run(args, "users", account_users, keys);
}

static int partner_list_run(const struct args *args)
{
    static const char *const keys[4] = {"id", "name", "email", NULL};
    return people_run(args, "partners", account_partners, keys);
}

static int partner_add(const struct args *args, struct store *store,
                       char ret_id[UUID_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(account_partner_add(tx, args_operand(args, 0), args_text(args, "email", NULL),
                            ret_id));
    return store_commit(&tx);
}

static int partner_add_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    char id[UUID_BYTES];
    if (!args_has(args, "email")) {
        return args_wrong(args, "--email ADDRESS says where redelivery requests go");
    }
    int err = command_open(args, &store);
    err = err < 0 ? err : partner_add(args, store, id);
    return err < 0 ? command_failed(args, err) : print_id(args, id);
}

static const struct args_option user_add_options[] = {
    {.name = "role",
     .kind = ARGS_CHOICE,
     .value = "viewer|operator|admin|partner|agent",
     .help = "What they may do (viewer)"},
    {.name = "password-stdin",
     .kind = ARGS_NONE,
     .help = "The password is the first line of stdin"},
    {.name = "partner",
     .kind = ARGS_TEXT,
     .value = "P",
     .help = "The partner they deliver for (role partner)"},
    {.name = "plan", .kind = ARGS_TEXT, .value = "ID", .help = "Their plan"},
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option user_set_options[] = {
    {.name = "role",
     .kind = ARGS_CHOICE,
     .value = "viewer|operator|admin|partner|agent",
     .help = "What they may do from now on"},
    {.name = "partner",
     .kind = ARGS_TEXT,
     .value = "P",
     .help = "The partner they deliver for (role partner)"},
    {.name = "plan", .kind = ARGS_TEXT, .value = "ID", .help = "Their plan"},
    COMMAND_DATA,
};

static const struct args_option user_password_options[] = {
    {.name = "password-stdin",
     .kind = ARGS_NONE,
     .help = "The password is the first line of stdin"},
    COMMAND_DATA,
};

static const struct args_option user_link_options[] = {
    {.name = "base-url",
     .kind = ARGS_TEXT,
     .value = "URL",
     .help = "How the service is reached (http://127.0.0.1:8080)"},
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option partner_add_options[] = {
    {.name = "email",
     .kind = ARGS_TEXT,
     .value = "ADDRESS",
     .help = "Where redelivery requests go (needed)"},
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "user add",
     .summary = "Adds a person",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(user_add_options),
     .run = user_add_run},
    {.path = "user list",
     .summary = "Lists people",
     .operands = "",
     COMMAND_OPTIONS(command_data_json),
     .run = user_list_run},
    {.path = "user set",
     .summary = "Changes a person's role, plan or partner",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(user_set_options),
     .run = user_set_run,
     .about =
         "Another role or partner signs the person out everywhere; a plan holds from "
         "the next request on."},
    {.path = "user remove",
     .summary = "Removes a person and what their profiles kept",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(command_data_alone),
     .run = user_remove_run},
    {.path = "user password",
     .summary = "Sets a person's password; asks for it at a terminal",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(user_password_options),
     .run = user_password_run},
    {.path = "user link",
     .summary = "Prints a link that signs a person in, once",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(user_link_options),
     .run = user_link_run},
    {.path = "partner add",
     .summary = "Adds a partner who delivers films",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(partner_add_options),
     .run = partner_add_run},
    {.path = "partner list",
     .summary = "Lists partners",
     .operands = "",
     COMMAND_OPTIONS(command_data_json),
     .run = partner_list_run},
};
const struct command_family people_commands = {rows, ARRAY_LEN(rows)};
