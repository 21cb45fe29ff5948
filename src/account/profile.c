// SPDX-License-Identifier: GPL-3.0-or-later
//
// Profiles: several people behind one sign-in, each with their own list, places and age.
#include "account/internal.h"

#define PROFILE_COLUMNS "id, name, avatar, language, maturity"

int profile_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_pack("{s:s, s:s, s:s?, s:s?, s:I}", "id", store_text(r, 0),
                               "name", store_text(r, 1), "avatar", store_text(r, 2),
                               "language", store_text(r, 3), "maturity",
                               (json_int_t)store_i64(r, 4)),
                     ret);
}

int account_profiles(struct store_tx *tx, const char *user_id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT " PROFILE_COLUMNS " FROM account_profile WHERE user_id = ? "
                    "ORDER BY id",
                    "s", user_id));
    return store_array(rows, profile_json, ret);
}

static int one(struct store_tx *tx, const char *user_id, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT " PROFILE_COLUMNS " FROM account_profile WHERE id = ? AND "
                    "user_id = ?",
                    "ss", id, user_id));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no such profile");
    return profile_json(rows, ret);
}

static int check_optional(const json_t *fields, const char *key)
{
    const json_t *value = json_object_get(fields, key);
    FAIL_IF(value && !json_is_null(value) && !json_is_string(value), ERR_INVALID,
            "'%s' is a text", key);
    return json_is_string(value) ? name_check(key, json_string_value(value)) : 0;
}

static int check_fields(const json_t *fields)
{
    FAIL_IF(!json_is_object(fields), ERR_INVALID, "a profile is an object");
    TRY(check_optional(fields, "name"));
    TRY(check_optional(fields, "avatar"));
    TRY(check_optional(fields, "language"));
    const json_t *maturity = json_object_get(fields, "maturity");
    FAIL_IF(maturity && (!json_is_integer(maturity) || json_integer_value(maturity) < 0 ||
                         json_integer_value(maturity) > 18),
            ERR_INVALID, "'maturity' is an age from 0 to 18");
    return 0;
}

int account_profile_add(struct store_tx *tx, const char *user_id, const json_t *fields,
                        json_t **ret)
{
    TRY(check_fields(fields));
    const char *name = NULL;
    TRY(json_get_str(fields, "name", &name));
    int64_t count = 0;
    TRY(store_get_i64(tx, &count,
                      "SELECT count(*) FROM account_profile WHERE user_id = ?", "s",
                      user_id));
    FAIL_IF(count >= ACCOUNT_PROFILES_MAX, ERR_CONFLICT, "there are %d profiles already",
            ACCOUNT_PROFILES_MAX);
    char id[UUID_BYTES];
    uuid_v7(id);
    TRY(store_exec(tx,
                   "INSERT INTO account_profile (id, user_id, name, avatar, language, "
                   "maturity) VALUES (?,?,?,?,?,?)",
                   "sssssi", id, user_id, name, json_str_or(fields, "avatar", NULL),
                   json_str_or(fields, "language", NULL),
                   json_i64_or(fields, "maturity", 18)));
    return one(tx, user_id, id, ret);
}

int account_profile_edit(struct store_tx *tx, const char *user_id, const char *profile_id,
                         const json_t *fields, json_t **ret)
{
    TRY(check_fields(fields));
    AUTO(json_free) json_t *now = NULL;
    TRY(one(tx, user_id, profile_id, &now));
    // What is not named stays.
    static const char *const keys[] = {"name", "avatar", "language", "maturity"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_t *value = json_object_get(fields, keys[i]);
        FAIL_IF(value && json_object_set(now, keys[i], value) < 0, ERR_NOMEM,
                "a profile");
    }
    const char *name = NULL;
    TRY(json_get_str(now, "name", &name));
    TRY(store_exec(tx,
                   "UPDATE account_profile SET name = ?, avatar = ?, language = ?, "
                   "maturity = ? WHERE id = ?",
                   "sssis", name, json_str_or(now, "avatar", NULL),
                   json_str_or(now, "language", NULL), json_i64_or(now, "maturity", 18),
                   profile_id));
    return one(tx, user_id, profile_id, ret);
}

int account_profile_remove(struct store_tx *tx, const char *user_id,
                           const char *profile_id)
{
    AUTO(json_free) json_t *found = NULL;
    TRY(one(tx, user_id, profile_id, &found));
    int64_t count = 0;
    TRY(store_get_i64(tx, &count,
                      "SELECT count(*) FROM account_profile WHERE user_id = ?", "s",
                      user_id));
    FAIL_IF(count == 1, ERR_CONFLICT, "the last profile stays");
    TRY(store_exec(tx,
                   "UPDATE account_session SET profile_id = NULL WHERE profile_id = ?",
                   "s", profile_id));
    return store_exec(tx, "DELETE FROM account_profile WHERE id = ?", "s", profile_id);
}
