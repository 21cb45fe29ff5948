// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/telemetry_token.h"
#include "base/token.h"

int telemetry_token_add(struct store_tx *tx, const char *name,
                        char ret_token[TELEMETRY_TOKEN_BYTES])
{
    struct token token;
    struct str n = str_of(name);
    FAIL_IF(n.len == 0 || n.len > 64 || !str_is_line(n), ERR_INVALID,
            "a name has 1 to 64 bytes of text");
    TRY(token_make(TELEMETRY_TOKEN_MARK, &token));
    int err = store_exec(tx,
                         "INSERT INTO app_telemetry_token (name, hash, created_us)"
                         " VALUES (?, ?, ?)",
                         "ssi", name, token.hash, clock_wall_us());
    FAIL_IF(err == ERR_CONFLICT, ERR_EXISTS, "there is a token for %s", name);
    TRY(err);
    return str_copy(ret_token, TELEMETRY_TOKEN_BYTES, str_of(token.text));
}

int telemetry_token_remove(struct store_tx *tx, const char *name)
{
    TRY(store_exec(tx, "DELETE FROM app_telemetry_token WHERE name = ?", "s", name));
    FAIL_IF(store_changes(tx) == 0, ERR_NOT_FOUND, "there is no token for %s", name);
    return 0;
}

static int token_item(const struct store_rows *r, json_t **ret)
{
    char created[CLOCK_RFC3339_BYTES];
    clock_rfc3339(store_i64(r, 1), created);
    return json_made(
        json_pack("{s:s, s:s}", "name", store_text(r, 0), "created", created), ret);
}

int telemetry_token_list(struct store_tx *tx, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows, "SELECT name, created_us FROM app_telemetry_token ORDER BY name", ""));
    return store_array(rows, token_item, ret);
}

int telemetry_token_find(struct store_tx *tx, const char *token, char **ret_name)
{
    char hash[HASH_HEX_BYTES];
    token_hash(token, hash);
    int err = store_get_text(
        tx, ret_name, "SELECT name FROM app_telemetry_token WHERE hash = ?", "s", hash);
    return err == ERR_NOT_FOUND ? err_fail(ERR_UNKNOWN_USER, "no such token") : err;
}
