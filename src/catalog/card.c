// SPDX-License-Identifier: GPL-3.0-or-later
//
// Titles as cards, one at a time and in lists.
#include "catalog/internal.h"

#include <stdlib.h>
#include <string.h>

static int art_url(const char *package, const char *file, char **ret)
{
    return cstr_printf(ret, "/art/%s/%s", package, file);
}

static int poster_json(const struct store_rows *r, json_t **ret)
{
    const char *package = store_text(r, 5);
    AUTO(json_free) json_t *poster = NULL;
    TRY(store_json(r, 6, &poster));
    if (!package || !json_is_object(poster)) {
        return json_made(json_null(), ret);
    }
    AUTO(cstr_free) char *url = NULL;
    TRY(art_url(package, "poster.jpg", &url));
    FAIL_IF(json_object_set_new(poster, "url", json_string(url)) < 0, ERR_NOMEM,
            "a card");
    *ret = TAKE(poster);
    return 0;
}

// The name people give to a class of picture: as the player's menu has it (ui/src/watch/player/state.ts).
// What is near no usual class keeps its own number, so that whatever is published has a name.
static json_t *quality_json(const struct store_rows *r, int column)
{
    static const int usual[] = {144, 240, 360, 480, 540, 576, 720, 1080, 1440};
    int64_t lines = store_i64(r, column);
    if (lines <= 0) {
        return json_null();
    }
    if (lines >= 2160 * 97 / 100) {
        return json_string(lines >= 4320 * 97 / 100 ? "8K" : "4K");
    }
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        if (llabs(lines - usual[i]) * 100 <= usual[i] * 3) {
            lines = usual[i];
        }
    }
    return json_sprintf("%lldp", (long long)lines);
}

static json_t *number_or_null(const struct store_rows *r, int column)
{
    return store_is_null(r, column) ? json_null() : json_integer(store_i64(r, column));
}

static json_t *time_or_null(const struct store_rows *r, int column)
{
    char text[CLOCK_RFC3339_BYTES];
    if (store_is_null(r, column)) {
        return json_null();
    }
    clock_rfc3339(store_i64(r, column), text);
    return json_string(text);
}

int card_json(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *poster = NULL, *tags = NULL;
    AUTO(cstr_free) char *thumbnails = NULL;
    TRY(poster_json(r, &poster));
    TRY(store_json(r, 15, &tags));
    if (!store_is_null(r, 5)) {
        TRY(art_url(store_text(r, 5), "thumbs/thumbs.vtt", &thumbnails));
    }
    return json_made(
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:O, s:s?, s:o, s:O, s:o, s:o, s:s?, s:o, "
                  "s:s?, s:o, s:o}",
                  "id", store_text(r, 0), "kind", store_text(r, 1), "name",
                  store_text(r, 2), "year", number_or_null(r, 3), "duration_us",
                  number_or_null(r, 4), "poster", poster, "thumbnails", thumbnails,
                  "maturity", number_or_null(r, 7), "tags", tags, "season",
                  number_or_null(r, 8), "episode", number_or_null(r, 9), "series_id",
                  store_text(r, 10), "quality", quality_json(r, 11), "synopsis",
                  store_text(r, 12), "withdrawn", time_or_null(r, 13), "published",
                  time_or_null(r, 14)),
        ret);
}

int catalog_title(struct store_tx *tx, const char *id, struct catalog_title *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT id, kind, name, partner_id, package, series_id, duration_us, "
                    "withdrawn_us FROM catalog_title WHERE id = ?",
                    "s", id));
    int any = store_next(r);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no such title");
    struct catalog_title t = {.duration_us = store_i64(r, 6),
                              .withdrawn = !store_is_null(r, 7)};
    TRY(str_copy(t.id, sizeof t.id, str_of(store_text(r, 0))));
    TRY(str_copy(t.kind, sizeof t.kind, str_of(store_text(r, 1))));
    TRY(str_copy(t.name, sizeof t.name, str_of(store_text(r, 2))));
    TRY(str_copy(t.partner_id, sizeof t.partner_id, str_of(store_text(r, 3))));
    TRY(str_copy(t.package, sizeof t.package, str_of(store_text(r, 4))));
    TRY(str_copy(t.series_id, sizeof t.series_id, str_of(store_text(r, 5))));
    *ret = t;
    return 0;
}

int catalog_title_by_slug(struct store_tx *tx, const char *slug, char ret_id[UUID_BYTES])
{
    AUTO(cstr_free) char *id = NULL;
    int err =
        store_get_text(tx, &id, "SELECT id FROM catalog_title WHERE slug = ?", "s", slug);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "there is no title '%s'", slug);
    TRY(err);
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

// ?6 series, ?7 kind, ?8 tag, ?9 match, ?10 after, ?11 limit.
#define LIST_WHERE                                                                     \
    " WHERE" VISIBLE "AND CASE WHEN ?6 IS NOT NULL THEN t.series_id = ?6"              \
    " WHEN ?7 IS NOT NULL THEN t.kind = ?7"                                            \
    " WHEN ?9 IS NOT NULL THEN 1 ELSE t.kind <> 'episode' END"                         \
    " AND (?8 IS NULL OR EXISTS (SELECT 1 FROM catalog_tag k WHERE k.title_id = t.id"  \
    " AND k.tag = ?8))"                                                                \
    " AND (?9 IS NULL OR t.n IN (SELECT rowid FROM catalog_words WHERE catalog_words " \
    "MATCH ?9))"

// The page is picked first, along an index and over bare rows; cards are made of what was picked.
#define PICK   "WITH picked (n) AS (SELECT t.n FROM catalog_title t" LIST_WHERE
#define PICKED ") SELECT" CARD_COLUMNS CARD_FROM "JOIN picked ON picked.n = t.n ORDER BY "

#define NAME_ORDER "t.name COLLATE NOCASE, t.id"
static const char by_name[] =
    PICK " AND (?10 IS NULL OR (t.name COLLATE NOCASE, t.id) > (SELECT p.name COLLATE "
         "NOCASE, p.id FROM catalog_title p WHERE p.id = ?10))"
         " ORDER BY " NAME_ORDER " LIMIT ?11" PICKED NAME_ORDER;

// What was never published is newest to an operator: it is being worked on. The expression is that
// of the index catalog_title_newest.
#define NEWEST_ORDER "coalesce(t.published_us, t.created_us) DESC, t.id DESC"
static const char newest[] =
    PICK " AND (?10 IS NULL OR (coalesce(t.published_us, t.created_us), t.id) < (SELECT "
         "coalesce(p.published_us, p.created_us), p.id FROM catalog_title p WHERE p.id = "
         "?10)) ORDER BY " NEWEST_ORDER " LIMIT ?11" PICKED NEWEST_ORDER;

#define EPISODE_ORDER "t.season, t.episode, t.id"
static const char by_episode[] = PICK
    " AND (?10 IS NULL OR (t.season, t.episode, t.id) > (SELECT p.season, p.episode, "
    "p.id FROM catalog_title p WHERE p.id = ?10))"
    " ORDER BY " EPISODE_ORDER " LIMIT ?11" PICKED EPISODE_ORDER;

int catalog_list(struct store_tx *tx, const struct catalog_viewer *viewer,
                 const struct catalog_query *query, json_t **ret_cards)
{
    AUTO(buf_free) struct buf match = {0};
    bool has_text = query->text && *query->text;
    if (has_text && !words_to_match(query->text, &match)) {
        return json_made(json_array(), ret_cards); // nothing but punctuation
    }
    TRY(match.err);
    const char *sql = query->series_id                  ? by_episode
                      : query->order == CATALOG_BY_NAME ? by_name
                                                        : newest;
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows, sql, VIEWER_TYPES "sssssi", VIEWER_ARGS(viewer),
                    query->series_id, query->kind, query->tag,
                    has_text ? match.data : NULL, query->after, (int64_t)query->limit));
    return store_array(rows, card_json, ret_cards);
}

int catalog_cards(struct store_tx *tx, const struct catalog_viewer *viewer,
                  const json_t *id_array, json_t **ret_cards)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT" CARD_COLUMNS CARD_FROM
                    "JOIN json_each(?6) w ON w.value = t.id WHERE" VISIBLE
                    "ORDER BY w.key",
                    VIEWER_TYPES "j", VIEWER_ARGS(viewer), id_array));
    return store_array(rows, card_json, ret_cards);
}

int catalog_next(struct store_tx *tx, const struct catalog_viewer *viewer, const char *id,
                 char ret_id[UUID_BYTES])
{
    AUTO(cstr_free) char *next = NULL;
    int err = store_get_text(
        tx, &next,
        "SELECT t.id FROM catalog_title t JOIN catalog_title now ON now.id = ?6 AND "
        "now.series_id = t.series_id WHERE" VISIBLE
        "AND (?5 IS NULL OR 1) AND (t.season, t.episode) > (now.season, now.episode) "
        "ORDER BY t.season, t.episode LIMIT 1",
        VIEWER_TYPES "s", VIEWER_ARGS(viewer), id);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "no episode follows");
    TRY(err);
    return str_copy(ret_id, UUID_BYTES, str_of(next));
}
