// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CATALOG_INTERNAL_H
#define CATALOG_INTERNAL_H

#include "catalog/catalog.h"

// What a viewer may see, as the first parameters of every query over `catalog_title t`:
// ?1 sees all, ?2 maturity, ?3 now, ?4 territory, ?5 language. VIEWER_TYPES and VIEWER_ARGS bind them.
#define IN_TERRITORY(title)                                                         \
    " (NOT EXISTS (SELECT 1 FROM catalog_territory c WHERE c.title_id = " title ")" \
    " OR EXISTS (SELECT 1 FROM catalog_territory c WHERE c.title_id = " title       \
    " AND c.territory IN ('*', ?4) AND c.from_us <= ?3 AND ?3 < c.until_us)) "
// What keeps a series from somebody keeps its episodes from them too. An episode of which no age is
// said has its series'; a title of which none is known is for those who may watch everything.
#define AGE(title)                                                                 \
    " coalesce(" title ".maturity, (SELECT r.maturity FROM catalog_title r WHERE " \
    "r.id = " title ".series_id)) "
#define AGE_FITS(title) " coalesce(" AGE(title) ", 18) <= ?2 "
#define VISIBLE                                                                          \
    " (?1 OR (t.withdrawn_us IS NULL AND" AGE_FITS("t") "AND" IN_TERRITORY(              \
        "t.id") "AND CASE t.kind WHEN 'series' THEN EXISTS (SELECT 1 FROM "              \
                "catalog_title e WHERE "                                                 \
                "e.series_id = t.id AND e.package IS NOT NULL AND e.withdrawn_us IS "    \
                "NULL "                                                                  \
                "AND" AGE_FITS(                                                          \
                    "e") ")"                                                             \
                         " WHEN 'episode' THEN t.package IS NOT NULL AND NOT EXISTS "    \
                         "(SELECT 1 FROM "                                               \
                         "catalog_title s WHERE s.id = t.series_id AND (s.withdrawn_us " \
                         "IS NOT NULL OR NOT" AGE_FITS("s") "OR NOT" IN_TERRITORY(       \
                             "s.id") "))"                                                \
                                     " ELSE t.package IS NOT NULL END)) "
#define VIEWER_TYPES "iiiss"
#define VIEWER_ARGS(v)                                                               \
    (int64_t)(v)->sees_all, (int64_t)(v)->maturity, clock_wall_us(), (v)->territory, \
        (v)->language

// Columns of a card, of `catalog_title t` joined with its texts x; card_json reads them. A series
// shows the art of its first published episode.
#define CARD_COLUMNS                                                                  \
    " t.id, t.kind, coalesce(x.name, t.name), t.year, t.duration_us,"                 \
    " coalesce(t.package, a.package), coalesce(t.poster, a.poster)," AGE(             \
        "t") ","                                                                      \
             " t.season, t.episode, t.series_id, t.max_height, coalesce(x.synopsis, " \
             "t.synopsis),"                                                           \
             " t.withdrawn_us, coalesce(t.published_us, a.published_us),"             \
             " (SELECT json_group_array(g.tag) FROM (SELECT tag FROM catalog_tag"     \
             " WHERE title_id = t.id ORDER BY position) g) "
#define CARD_FROM                                                                 \
    " FROM catalog_title t"                                                       \
    " LEFT JOIN catalog_text x ON x.title_id = t.id AND x.language = ?5"          \
    " LEFT JOIN catalog_title a ON a.n = (SELECT e.n FROM catalog_title e WHERE " \
    "t.kind = 'series' AND e.series_id = t.id AND e.package IS NOT NULL AND "     \
    "e.withdrawn_us IS NULL ORDER BY e.season, e.episode LIMIT 1) "
int card_json(const struct store_rows *, json_t **ret);

// Writes the words of a title anew, for search.
int words_refresh(struct store_tx *, const char *id);

// The rows of catalog_words, of `catalog_title t`.
#define WORDS_ROWS                                                                     \
    " SELECT t.n, t.name || ' ' || coalesce((SELECT group_concat(name, ' ') FROM "     \
    "catalog_text WHERE title_id = t.id), ''), coalesce((SELECT group_concat(name, ' " \
    "') "                                                                              \
    "FROM catalog_person WHERE title_id = t.id), ''), coalesce((SELECT "               \
    "group_concat(tag, "                                                               \
    "' ') FROM catalog_tag WHERE title_id = t.id), ''), coalesce(t.synopsis, ''), "    \
    "coalesce(t.credit, '') FROM catalog_title t "

// What a person typed, as an FTS5 query: every word, as a prefix. False when it holds no word.
bool words_to_match(const char *text, struct buf *out);
// The first word at or after *p, *p moved behind it; empty when there is none.
struct str words_next(const char **p);

// As words_to_match for a text that finds nothing: a word of four letters or more that no title has
// stands for those names, people and tags that are one slip away (a letter wrong, missing, too many,
// or two swapped). 1; 0 where that helps no word either.
int words_forgive(struct store_tx *, const char *text, struct buf *out);

#endif
