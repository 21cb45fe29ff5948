// SPDX-License-Identifier: GPL-3.0-or-later
//
// All there is to say about one title.
#include "catalog/internal.h"

#include <string.h>

#define MORE_LIKE 12

static int person_json(const struct store_rows *r, json_t **ret)
{
    return json_made(
        json_pack("{s:s, s:s?}", "name", store_text(r, 0), "role", store_text(r, 1)),
        ret);
}

static int text_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_pack("{s:s, s:s?, s:s?}", "language", store_text(r, 0), "name",
                               store_text(r, 1), "synopsis", store_text(r, 2)),
                     ret);
}

static json_t *limit_json(int64_t wall_us)
{
    char text[CLOCK_RFC3339_BYTES];
    if (wall_us == INT64_MIN || wall_us == INT64_MAX) {
        return json_null();
    }
    clock_rfc3339(wall_us, text);
    return json_string(text);
}

static int territory_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_pack("{s:s, s:o, s:o}", "territory", store_text(r, 0), "from",
                               limit_json(store_i64(r, 1)), "until",
                               limit_json(store_i64(r, 2))),
                     ret);
}

static const struct {
    const char *member;
    const char *sql;
    store_item_f *make;
} parts[] = {
    {"people",
     "SELECT name, role FROM catalog_person WHERE title_id = ? ORDER BY position",
     person_json},
    {"texts",
     "SELECT language, name, synopsis FROM catalog_text WHERE title_id = ? ORDER BY "
     "language",
     text_json},
    {"territories",
     "SELECT territory, from_us, until_us FROM catalog_territory WHERE title_id = ? "
     "ORDER BY territory, from_us",
     territory_json},
};

static int add_parts(struct store_tx *tx, const char *id, json_t *detail)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO(store_rows_free) struct store_rows *rows = NULL;
        json_t *list = NULL;
        TRY(store_query(tx, &rows, parts[i].sql, "s", id));
        TRY(store_array(rows, parts[i].make, &list));
        FAIL_IF(json_object_set_new(detail, parts[i].member, list) < 0, ERR_NOMEM,
                "a title");
    }
    return 0;
}

static json_t *or_empty(json_t *value)
{
    return json_is_array(value) ? value : json_array();
}

static int add_words(struct store_tx *tx, const char *id, json_t *detail)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT credit, licence, licence_url, source_url, partner_id, slug, "
                    "language, package, audio, captions FROM catalog_title WHERE id = ?",
                    "s", id));
    int any = store_next(r);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no such title");
    json_t *audio = NULL, *captions = NULL;
    TRY(store_json(r, 8, &audio));
    int err = store_json(r, 9, &captions);
    if (err < 0) {
        json_decref(audio);
        return err;
    }
    AUTO(json_free)
    json_t *words = json_pack(
        "{s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:o}", "credit",
        store_text(r, 0), "licence", store_text(r, 1), "licence_url", store_text(r, 2),
        "source_url", store_text(r, 3), "partner", store_text(r, 4), "slug",
        store_text(r, 5), "language", store_text(r, 6), "package", store_text(r, 7),
        "audio", or_empty(audio), "captions", or_empty(captions));
    FAIL_IF(!words || json_object_update(detail, words) < 0, ERR_NOMEM, "a title");
    return 0;
}

static int season_name(struct store_tx *tx, const char *series, int64_t number,
                       char **ret)
{
    int err = store_get_text(tx, ret,
                             "SELECT name FROM catalog_season WHERE series_id = ? AND "
                             "number = ?",
                             "si", series, number);
    return err == ERR_NOT_FOUND ? cstr_printf(ret, "Season %lld", (long long)number)
                                : err;
}

// Episodes come in order, so that a season is a run of equal numbers.
static int add_seasons(struct store_tx *tx, const struct catalog_viewer *viewer,
                       const char *id, json_t *detail)
{
    AUTO(json_free) json_t *episodes = NULL, *seasons = json_array();
    const struct catalog_query query = {.series_id = id, .limit = 1000};
    TRY(catalog_list(tx, viewer, &query, &episodes));
    json_t *run = NULL;
    int64_t number = -1;
    for (size_t i = 0; i < json_array_size(episodes); i++) {
        json_t *card = json_array_get(episodes, i);
        int64_t season = json_i64_or(card, "season", 1);
        if (!run || season != number) {
            AUTO(cstr_free) char *name = NULL;
            TRY(season_name(tx, id, season, &name));
            run = json_array();
            number = season;
            json_t *item = json_pack("{s:I, s:s, s:o}", "number", (json_int_t)season,
                                     "name", name, "episodes", run);
            FAIL_IF(json_array_append_new(seasons, item) < 0, ERR_NOMEM, "seasons");
        }
        FAIL_IF(json_array_append(run, card) < 0, ERR_NOMEM, "seasons");
    }
    FAIL_IF(json_object_set(detail, "seasons", seasons) < 0, ERR_NOMEM, "seasons");
    return 0;
}

static int add_more_like(struct store_tx *tx, const struct catalog_viewer *viewer,
                         const char *id, json_t *detail)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "WITH mates (id, shared) AS (SELECT k.title_id, count(*) FROM catalog_tag mine "
        "JOIN catalog_tag k ON k.tag = mine.tag WHERE mine.title_id IN (?6, (SELECT "
        "o.series_id FROM catalog_title o WHERE o.id = ?6)) GROUP BY k.title_id "
        "ORDER BY 2 DESC, 1 LIMIT 500), "
        "picked (n, shared) AS (SELECT t.n, m.shared FROM mates m JOIN catalog_title t "
        "ON "
        "t.id = m.id WHERE" VISIBLE
        "AND t.kind <> 'episode' AND t.id <> ?6 AND t.id IS NOT (SELECT o.series_id FROM "
        "catalog_title o WHERE o.id = ?6) ORDER BY m.shared DESC, t.name LIMIT ?7) "
        "SELECT" CARD_COLUMNS CARD_FROM
        "JOIN picked ON picked.n = t.n ORDER BY picked.shared DESC, t.name",
        VIEWER_TYPES "si", VIEWER_ARGS(viewer), id, (int64_t)MORE_LIKE));
    json_t *cards = NULL;
    TRY(store_array(rows, card_json, &cards));
    FAIL_IF(json_object_set_new(detail, "more_like", cards) < 0, ERR_NOMEM, "a title");
    return 0;
}

int catalog_detail(struct store_tx *tx, const struct catalog_viewer *viewer,
                   const char *id, json_t **ret)
{
    AUTO(json_free) json_t *ids = json_pack("[s]", id);
    AUTO(json_free) json_t *cards = NULL;
    FAIL_IF(!ids, ERR_INVALID, "that is not an id");
    TRY(catalog_cards(tx, viewer, ids, &cards));
    FAIL_IF(json_array_size(cards) == 0, ERR_NOT_FOUND, "there is no such title");
    json_t *detail = json_array_get(cards, 0);
    TRY(add_words(tx, id, detail));
    TRY(add_parts(tx, id, detail));
    TRY(add_seasons(tx, viewer, id, detail));
    TRY(add_more_like(tx, viewer, id, detail));
    *ret = json_incref(detail);
    return 0;
}
