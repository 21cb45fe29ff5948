// SPDX-License-Identifier: GPL-3.0-or-later
//
// telemetry token: who may send series from elsewhere.
#include "app/commands.h"
#include "app/telemetry_token.h"

#include <stdio.h>

static int token_add(struct store *store, const char *name,
                     char ret_token[TELEMETRY_TOKEN_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(telemetry_token_add(tx, name, ret_token));
    return store_commit(&tx);
}

static int telemetry_token_add_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *json = NULL;
    char token[TELEMETRY_TOKEN_BYTES];
    const char *name = args_operand(args, 0);
    int err = command_open(args, &store);
    err = err < 0 ? err : token_add(store, name, token);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(
            json_pack("{s:i, s:s, s:s}", "schema", 1, "name", name, "token", token),
            &json);
        if (err == 0) {
            return command_print(json);
        }
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    printf("%s\n", token);
    return ARGS_DONE;
}

static int token_remove(struct store *store, const char *name)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(telemetry_token_remove(tx, name));
    return store_commit(&tx);
}

static int telemetry_token_remove_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : token_remove(store, args_operand(args, 0));
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int token_list(struct store *store, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    return telemetry_token_list(tx, ret);
}

static int telemetry_token_list_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *list = NULL, *json = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : token_list(store, &list);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, "tokens", list), &json);
        if (err == 0) {
            return command_print(json);
        }
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *token = json_array_get(list, i);
        printf("%s  %s\n", json_str_or(token, "created", "-"),
               json_str_or(token, "name", "-"));
    }
    return ARGS_DONE;
}

static const struct args_command rows[] = {
    {.path = "telemetry token add",
     .summary = "Makes a token by which another machine may send series",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(command_data_json),
     .run = telemetry_token_add_run,
     .about =
         "It is shown once, and goes into Authorization: Bearer, or is the password of "
         "whatever user."},
    {.path = "telemetry token list",
     .summary = "Lists who has a token for series",
     .operands = "",
     COMMAND_OPTIONS(command_data_json),
     .run = telemetry_token_list_run},
    {.path = "telemetry token remove",
     .summary = "Takes a token back",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(command_data_alone),
     .run = telemetry_token_remove_run},
};
const struct command_family telemetry_commands = {rows, ARRAY_LEN(rows)};
