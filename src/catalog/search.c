// SPDX-License-Identifier: GPL-3.0-or-later
//
// Search over names, people, tags, synopses and credits: SQLite's FTS5, words as prefixes, accents
// ignored, names before people and tags before the rest. Where nothing is found, one slip a word is
// forgiven (slip.c).
#include "catalog/internal.h"

#include <string.h>

#define WORDS_MAX 8

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

struct str words_next(const char **p)
{
    while (**p && !is_word_byte(**p)) {
        ++*p;
    }
    const char *start = *p;
    while (is_word_byte(**p)) {
        ++*p;
    }
    return (struct str){start, (size_t)(*p - start)};
}

bool words_to_match(const char *text, struct buf *out)
{
    int words = 0;
    for (struct str w; words < WORDS_MAX && (w = words_next(&text)).len > 0; words++) {
        // Letters and digits alone, in quotes: none of FTS5's operators.
        buf_printf(out, "%s\"" STR_FMT "\"*", words ? " " : "", STR_ARG(w));
    }
    return words > 0;
}

int words_refresh(struct store_tx *tx, const char *id)
{
    TRY(store_exec(tx,
                   "DELETE FROM catalog_words WHERE rowid = (SELECT n FROM catalog_title "
                   "WHERE id = ?)",
                   "s", id));
    return store_exec(tx,
                      "INSERT INTO catalog_words (rowid, name, people, tags, synopsis, "
                      "credit)" WORDS_ROWS "WHERE t.id = ?",
                      "s", id);
}

static int search_titles(struct store_tx *tx, const struct catalog_viewer *viewer,
                         const char *match, int limit, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "WITH picked (n, score) AS (SELECT t.n, bm25(catalog_words, 10, 4, 4, 1, 1) "
        "FROM catalog_words JOIN catalog_title t ON t.n = catalog_words.rowid "
        "WHERE catalog_words MATCH ?6 AND" VISIBLE
        "ORDER BY 2, t.name, t.id LIMIT ?7) SELECT" CARD_COLUMNS CARD_FROM
        "JOIN picked ON picked.n = t.n ORDER BY picked.score, t.name, t.id",
        VIEWER_TYPES "si", VIEWER_ARGS(viewer), match, (int64_t)limit));
    return store_array(rows, card_json, ret);
}

// Replaces the titles, of which there are none, where a slip explains that.
static int search_forgiving(struct store_tx *tx, const struct catalog_viewer *viewer,
                            const char *text, int limit, json_t **titles)
{
    AUTO(buf_free) struct buf match = {0};
    json_t *found = NULL;
    int any = words_forgive(tx, text, &match);
    TRY(any);
    if (any > 0) {
        TRY(search_titles(tx, viewer, match.data, limit, &found));
        json_decref(*titles);
        *titles = found;
    }
    return 0;
}

// A LIKE pattern for words that begin with what was typed; '%', '_' and '\' mean themselves.
static int like_of(const char *text, const char *before, struct buf *out)
{
    buf_cstr(out, before);
    for (const char *p = text; *p; p++) {
        if (strchr("%_\\", *p)) {
            buf_char(out, '\\');
        }
        buf_char(out, *p);
    }
    buf_char(out, '%');
    return out->err;
}

static int text_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_string(store_text(r, 0)), ret);
}

static int search_names(struct store_tx *tx, const struct catalog_viewer *viewer,
                        const char *sql, const char *text, json_t **ret)
{
    AUTO(buf_free) struct buf first = {0}, later = {0};
    TRY(like_of(text, "", &first));
    TRY(like_of(text, "% ", &later));
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows, sql, VIEWER_TYPES "ss", VIEWER_ARGS(viewer), first.data,
                    later.data));
    return store_array(rows, text_json, ret);
}

// Names that fit, each once, and of those the ones that some title that is there bears.
#define NAMED(column, table)                                                           \
    "SELECT w.name FROM (SELECT DISTINCT " column " AS name FROM " table               \
    " WHERE " column " LIKE ?6 ESCAPE '\\' OR " column                                 \
    " LIKE ?7 ESCAPE '\\') w WHERE (?5 IS NULL OR 1) "                                 \
    "AND EXISTS (SELECT 1 FROM " table " k JOIN catalog_title t ON t.id = k.title_id " \
    "WHERE k." column " = w.name AND" VISIBLE ") ORDER BY 1 LIMIT 10"

int catalog_search(struct store_tx *tx, const struct catalog_viewer *viewer,
                   const char *text, int limit, json_t **ret)
{
    AUTO(buf_free) struct buf match = {0};
    FAIL_IF(!str_is_utf8(str_of(text)), ERR_INVALID, "a search is UTF-8");
    if (!words_to_match(text, &match)) {
        return json_made(json_pack("{s:[], s:[], s:[]}", "titles", "people", "tags"),
                         ret);
    }
    TRY(match.err);
    AUTO(json_free)
    json_t *titles = NULL, *names = NULL, *tags = NULL, *people = json_array();
    TRY(search_titles(tx, viewer, match.data, limit, &titles));
    if (json_array_size(titles) == 0) {
        TRY(search_forgiving(tx, viewer, text, limit, &titles));
    }
    TRY(search_names(tx, viewer, NAMED("name", "catalog_person"), text, &names));
    TRY(search_names(tx, viewer, NAMED("tag", "catalog_tag"), text, &tags));
    for (size_t i = 0; i < json_array_size(names); i++) {
        FAIL_IF(json_array_append_new(
                    people, json_pack("{s:O}", "name", json_array_get(names, i))) < 0,
                ERR_NOMEM, "a search");
    }
    return json_made(
        json_pack("{s:O, s:O, s:O}", "titles", titles, "people", people, "tags", tags),
        ret);
}

static int tag_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_pack("{s:s, s:I}", "tag", store_text(r, 0), "count",
                               (json_int_t)store_i64(r, 1)),
                     ret);
}

int catalog_tags(struct store_tx *tx, const struct catalog_viewer *viewer, int limit,
                 json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "SELECT g.tag, count(*) FROM (SELECT t.id FROM catalog_title t WHERE t.kind <> "
        "'episode' AND (?5 IS NULL OR 1) AND" VISIBLE
        ") v JOIN catalog_tag g ON g.title_id = v.id GROUP BY g.tag "
        "ORDER BY count(*) DESC, g.tag LIMIT ?6",
        VIEWER_TYPES "i", VIEWER_ARGS(viewer), (int64_t)limit));
    return store_array(rows, tag_json, ret);
}
