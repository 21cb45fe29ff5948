// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a profile keeps: a list, ratings, places in films.
#include "viewing/viewing.h"

// What was barely begun is not worth continuing.
#define BEGUN_US INT64_C(5000000)

static int id_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_string(store_text(r, 0)), ret);
}

int viewing_unfinished(struct store_tx *tx, const char *profile_id, int limit,
                       json_t **ret_ids)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT title_id FROM viewing_position WHERE profile_id = ? AND NOT "
                    "finished AND position_us >= ? ORDER BY seen_us DESC LIMIT ?",
                    "sii", profile_id, BEGUN_US, (int64_t)limit));
    return store_array(rows, id_json, ret_ids);
}

int viewing_finished(struct store_tx *tx, const char *profile_id, int limit,
                     json_t **ret_ids)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT title_id FROM viewing_position WHERE profile_id = ? AND "
                    "finished ORDER BY seen_us DESC LIMIT ?",
                    "si", profile_id, (int64_t)limit));
    return store_array(rows, id_json, ret_ids);
}

int viewing_listed(struct store_tx *tx, const char *profile_id, int limit,
                   json_t **ret_ids)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT title_id FROM viewing_list WHERE profile_id = ? ORDER BY "
                    "added_us DESC, title_id DESC LIMIT ?",
                    "si", profile_id, (int64_t)limit));
    return store_array(rows, id_json, ret_ids);
}

int viewing_list_add(struct store_tx *tx, const char *profile_id, const char *title_id)
{
    return store_exec(tx, "INSERT OR IGNORE INTO viewing_list VALUES (?,?,?)", "ssi",
                      profile_id, title_id, clock_wall_us());
}

int viewing_list_remove(struct store_tx *tx, const char *profile_id, const char *title_id)
{
    return store_exec(tx,
                      "DELETE FROM viewing_list WHERE profile_id = ? AND title_id = ?",
                      "ss", profile_id, title_id);
}

int viewing_rate(struct store_tx *tx, const char *profile_id, const char *title_id,
                 int value)
{
    FAIL_IF(value < -1 || value > 1, ERR_INVALID, "a rating is 1, -1 or 0");
    if (value == 0) {
        return store_exec(
            tx, "DELETE FROM viewing_rating WHERE profile_id = ? AND title_id = ?", "ss",
            profile_id, title_id);
    }
    return store_exec(tx, "INSERT OR REPLACE INTO viewing_rating VALUES (?,?,?,?)",
                      "ssii", profile_id, title_id, (int64_t)value, clock_wall_us());
}

static int decorate_one(const struct store_rows *r, json_t *card)
{
    bool shown = !store_is_null(r, 1) && !store_i64(r, 3);
    json_t *progress =
        shown ? json_pack("{s:I, s:I}", "position_us", (json_int_t)store_i64(r, 1),
                          "duration_us", (json_int_t)store_i64(r, 2))
              : json_null();
    FAIL_IF(json_object_set_new(card, "progress", progress) < 0 ||
                json_object_set_new(card, "in_list", json_boolean(store_i64(r, 4))) < 0 ||
                json_object_set_new(card, "rating", json_integer(store_i64(r, 5))) < 0,
            ERR_NOMEM, "a card");
    return 0;
}

// One query for all: the ids go in as one JSON array, the answers come in its order.
int viewing_decorate(struct store_tx *tx, const char *profile_id, json_t *cards)
{
    AUTO(json_free) json_t *ids = json_array();
    size_t i;
    json_t *card;
    json_array_foreach(cards, i, card)
    {
        FAIL_IF(json_array_append(ids, json_object_get(card, "id")) < 0, ERR_NOMEM,
                "cards");
    }
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "SELECT w.key, p.position_us, p.duration_us, p.finished, l.title_id IS NOT NULL, "
        "coalesce(r.value, 0) FROM json_each(?2) w "
        "LEFT JOIN viewing_position p ON p.profile_id = ?1 AND p.title_id = w.value "
        "LEFT JOIN viewing_list l ON l.profile_id = ?1 AND l.title_id = w.value "
        "LEFT JOIN viewing_rating r ON r.profile_id = ?1 AND r.title_id = w.value "
        "ORDER BY w.key",
        "sj", profile_id, ids));
    int any;
    while ((any = store_next(rows)) > 0) {
        TRY(decorate_one(rows, json_array_get(cards, (size_t)store_i64(rows, 0))));
    }
    return any;
}

int viewing_forget(struct store_tx *tx, const char *profile_id)
{
    static const char *const deletes[] = {
        "DELETE FROM viewing_position WHERE profile_id = ?",
        "DELETE FROM viewing_list WHERE profile_id = ?",
        "DELETE FROM viewing_rating WHERE profile_id = ?",
    };
    for (size_t i = 0; i < ARRAY_LEN(deletes); i++) {
        TRY(store_exec(tx, deletes[i], "s", profile_id));
    }
    return 0;
}

int viewing_forget_person(struct store_tx *tx, const char *user_id)
{
    AUTO(json_free) json_t *profiles = NULL;
    size_t i;
    json_t *profile;
    TRY(account_profiles(tx, user_id, &profiles));
    json_array_foreach(profiles, i, profile)
    {
        TRY(viewing_forget(tx, json_str_or(profile, "id", "")));
    }
    return 0;
}
