// SPDX-License-Identifier: GPL-3.0-or-later
//
// Titles as people write them. Each member of the metadata is a line of a table: its check and the
// one statement that stores it.
#include "catalog/internal.h"

#include <string.h>

#define LIST_MAX 200

// --- single columns -------------------------------------------------------------------------

struct column {
    const char *member;
    const char *sql;  // SET … = ?1 WHERE id = ?2
    int64_t min, max; // of a number, or of a text's bytes
    enum { NUMBER, LINE, TEXT } form;
};

#define SET(name) "UPDATE catalog_title SET " #name " = ?1 WHERE id = ?2"

static const struct column columns[] = {
    {"name", SET(name), 1, 255, LINE},
    {"synopsis", SET(synopsis), 0, 8000, TEXT},
    {"language", SET(language), 1, 35, LINE},
    {"credit", SET(credit), 0, 4000, TEXT},
    {"licence", SET(licence), 0, 500, LINE},
    {"licence_url", SET(licence_url), 0, 2000, LINE},
    {"source_url", SET(source_url), 0, 2000, LINE},
    {"slug", SET(slug), 1, 100, LINE},
    {"year", SET(year), 1850, 2200, NUMBER},
    {"season", SET(season), 0, 1000, NUMBER},
    {"episode", SET(episode), 0, 100000, NUMBER},
    {"maturity", SET(maturity), 0, 18, NUMBER},
};

static int set_column(struct store_tx *tx, const char *id, const struct column *c,
                      const json_t *value)
{
    if (json_is_null(value)) {
        FAIL_IF(strcmp(c->member, "name") == 0, ERR_INVALID, "a title has a name");
        return store_exec(tx, c->sql, "ss", NULL, id);
    }
    if (c->form != NUMBER) {
        FAIL_IF(!json_is_string(value), ERR_INVALID, "'%s' is a text", c->member);
        size_t len = json_string_length(value);
        FAIL_IF((int64_t)len < c->min || (int64_t)len > c->max, ERR_INVALID,
                "'%s' has %lld to %lld bytes", c->member, (long long)c->min,
                (long long)c->max);
        struct str text = {json_string_value(value), len};
        FAIL_IF(c->form == LINE &&
                    (!str_is_line(text) || str_trim(text).len < (size_t)c->min),
                ERR_INVALID, "'%s' is one line of text", c->member);
        return store_exec(tx, c->sql, "ss", json_string_value(value), id);
    }
    FAIL_IF(!json_is_integer(value) || json_integer_value(value) < c->min ||
                json_integer_value(value) > c->max,
            ERR_INVALID, "'%s' is a number from %lld to %lld", c->member,
            (long long)c->min, (long long)c->max);
    return store_exec(tx, c->sql, "is", (int64_t)json_integer_value(value), id);
}

// Links are shown to viewers: nothing but the web.
static int check_url(const char *member, const json_t *value)
{
    const char *s = json_string_value(value);
    FAIL_IF(s && *s && strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0,
            ERR_INVALID, "'%s' begins with https://", member);
    return 0;
}

// --- lists ------------------------------------------------------------------------------------

typedef int set_item_f(struct store_tx *, const char *id, size_t position,
                       const json_t *item);

struct list {
    const char *member;
    const char *clear; // the statement that empties it, ?1 the title
    set_item_f *set;
};

static int text_of(const json_t *item, const char *member, size_t max, const char **ret)
{
    FAIL_IF(!json_is_string(item) || json_string_length(item) == 0 ||
                json_string_length(item) > max,
            ERR_INVALID, "'%s' holds texts of 1 to %zu bytes", member, max);
    *ret = json_string_value(item);
    return 0;
}

// *ret is NULL where the item has none. What is no text is a mistake: a window without its end, because
// the end was written as a number, would be open for ever.
static int optional_text(const json_t *item, const char *key, size_t max,
                         const char **ret)
{
    const json_t *value = json_object_get(item, key);
    FAIL_IF(value && !json_is_null(value) && !json_is_string(value), ERR_INVALID,
            "'%s' is a text", key);
    FAIL_IF(json_string_length(value) > max, ERR_INVALID, "'%s' has at most %zu bytes",
            key, max);
    *ret = json_string_value(value);
    return 0;
}

static int set_tag(struct store_tx *tx, const char *id, size_t position,
                   const json_t *item)
{
    const char *tag = NULL;
    TRY(text_of(item, "tags", 60, &tag));
    return store_exec(tx, "INSERT OR IGNORE INTO catalog_tag VALUES (?,?,?)", "ssi", id,
                      tag, (int64_t)position);
}

static int set_person(struct store_tx *tx, const char *id, size_t position,
                      const json_t *item)
{
    const char *name = NULL, *role = NULL;
    TRY(text_of(json_object_get(item, "name"), "people", 200, &name));
    TRY(optional_text(item, "role", 200, &role));
    return store_exec(tx, "INSERT INTO catalog_person VALUES (?,?,?,?)", "siss", id,
                      (int64_t)position, name, role);
}

static int set_text(struct store_tx *tx, const char *id, size_t position,
                    const json_t *item)
{
    (void)position;
    const char *language = NULL, *name = NULL, *synopsis = NULL;
    TRY(text_of(json_object_get(item, "language"), "texts", 35, &language));
    TRY(optional_text(item, "name", 255, &name));
    TRY(optional_text(item, "synopsis", 8000, &synopsis));
    return store_exec(tx, "INSERT OR REPLACE INTO catalog_text VALUES (?,?,?,?)", "ssss",
                      id, language, name, synopsis);
}

static int set_territory(struct store_tx *tx, const char *id, size_t position,
                         const json_t *item)
{
    (void)position;
    const char *territory = NULL;
    TRY(text_of(json_object_get(item, "territory"), "territories", 3, &territory));
    const char *from = NULL, *until = NULL;
    TRY(optional_text(item, "from", 40, &from));
    TRY(optional_text(item, "until", 40, &until));
    int64_t from_us = INT64_MIN, until_us = INT64_MAX;
    TRY(from ? clock_parse(str_of(from), &from_us) : 0);
    TRY(until ? clock_parse(str_of(until), &until_us) : 0);
    FAIL_IF(from_us >= until_us, ERR_INVALID, "a window of '%s' ends before it begins",
            territory);
    return store_exec(tx, "INSERT OR REPLACE INTO catalog_territory VALUES (?,?,?,?)",
                      "ssii", id, territory, from_us, until_us);
}

static int set_season(struct store_tx *tx, const char *id, size_t position,
                      const json_t *item)
{
    (void)position;
    int64_t number = 0;
    const char *name = NULL;
    TRY(json_get_i64(item, "number", 0, 1000, &number));
    TRY(text_of(json_object_get(item, "name"), "seasons", 200, &name));
    return store_exec(tx, "INSERT OR REPLACE INTO catalog_season VALUES (?,?,?)", "sis",
                      id, number, name);
}

static const struct list lists[] = {
    {"tags", "DELETE FROM catalog_tag WHERE title_id = ?1", set_tag},
    {"people", "DELETE FROM catalog_person WHERE title_id = ?1", set_person},
    {"texts", "DELETE FROM catalog_text WHERE title_id = ?1", set_text},
    {"territories", "DELETE FROM catalog_territory WHERE title_id = ?1", set_territory},
    {"seasons", "DELETE FROM catalog_season WHERE series_id = ?1", set_season},
};

static int set_list(struct store_tx *tx, const char *id, const struct list *l,
                    const json_t *value)
{
    FAIL_IF(!json_is_array(value) && !json_is_null(value), ERR_INVALID, "'%s' is a list",
            l->member);
    FAIL_IF(json_array_size(value) > LIST_MAX, ERR_LIMIT, "'%s' has over %d items",
            l->member, LIST_MAX);
    TRY(store_exec(tx, l->clear, "s", id));
    for (size_t i = 0; i < json_array_size(value); i++) {
        TRY(l->set(tx, id, i, json_array_get(value, i)));
    }
    return 0;
}

// --- references -----------------------------------------------------------------------------

static int set_series(struct store_tx *tx, const char *id, const json_t *value)
{
    if (json_is_null(value)) {
        return store_exec(tx, "UPDATE catalog_title SET series_id = NULL WHERE id = ?",
                          "s", id);
    }
    const char *slug = NULL;
    TRY(text_of(value, "series", 100, &slug));
    TRY(store_exec(
        tx,
        "UPDATE catalog_title SET series_id = (SELECT s.id FROM catalog_title s "
        "WHERE s.kind = 'series' AND ?1 IN (s.slug, s.id)) WHERE id = ?2 AND "
        "EXISTS (SELECT 1 FROM catalog_title s WHERE s.kind = 'series' AND "
        "?1 IN (s.slug, s.id))",
        "ss", slug, id));
    FAIL_IF(store_changes(tx) == 0, ERR_NOT_FOUND, "there is no series '%s'", slug);
    return 0;
}

static int set_partner(struct store_tx *tx, const char *id, const json_t *value)
{
    AUTO(json_free) json_t *partner = NULL;
    if (!json_is_null(value)) {
        const char *name = NULL;
        TRY(text_of(value, "partner", 64, &name));
        TRY(account_partner(tx, name, &partner));
    }
    return store_exec(tx, "UPDATE catalog_title SET partner_id = ? WHERE id = ?", "ss",
                      partner ? json_str_or(partner, "id", NULL) : NULL, id);
}

static int set_kind(struct store_tx *tx, const char *id, const json_t *value)
{
    const char *kind = json_string_value(value);
    FAIL_IF(!kind || (strcmp(kind, "film") != 0 && strcmp(kind, "series") != 0 &&
                      strcmp(kind, "episode") != 0),
            ERR_INVALID, "'kind' is film, series or episode");
    return store_exec(tx, "UPDATE catalog_title SET kind = ? WHERE id = ?", "ss", kind,
                      id);
}

static int set_member(struct store_tx *tx, const char *id, const char *member,
                      const json_t *value)
{
    if (str_ends(str_of(member), "_url")) {
        TRY(check_url(member, value));
    }
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if (strcmp(columns[i].member, member) == 0) {
            return set_column(tx, id, &columns[i], value);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (strcmp(lists[i].member, member) == 0) {
            return set_list(tx, id, &lists[i], value);
        }
    }
    if (strcmp(member, "kind") == 0) {
        return set_kind(tx, id, value);
    }
    if (strcmp(member, "series") == 0) {
        return set_series(tx, id, value);
    }
    if (strcmp(member, "partner") == 0) {
        return set_partner(tx, id, value);
    }
    FAIL(ERR_INVALID, "a title has no '%s'", member);
}

// --- the whole ------------------------------------------------------------------------------

static int emit(struct store_tx *tx, const char *type, const char *id, const char *actor,
                const json_t *data)
{
    AUTO(cstr_free) char *subject = NULL;
    TRY(cstr_printf(&subject, "title/%s", id));
    const struct bus_event event = {
        .type = type, .subject = subject, .actor = actor, .data = data};
    return bus_emit(tx, &event, NULL);
}

static int apply(struct store_tx *tx, const char *id, const json_t *metadata)
{
    FAIL_IF(!json_is_object(metadata), ERR_INVALID, "a title's metadata is an object");
    const char *member;
    json_t *value;
    json_object_foreach((json_t *)metadata, member, value)
    {
        int err = set_member(tx, id, member, value);
        FAIL_IF(err == ERR_CONFLICT, ERR_EXISTS, "another title has this %s", member);
        TRY(err);
    }
    return words_refresh(tx, id);
}

int catalog_edit(struct store_tx *tx, const char *id, const json_t *metadata,
                 const char *actor)
{
    struct catalog_title found;
    TRY(catalog_title(tx, id, &found));
    TRY(apply(tx, id, metadata));
    return emit(tx, "title.edited.v1", id, actor, metadata);
}

static int add(struct store_tx *tx, const json_t *metadata, const char *actor,
               char ret_id[UUID_BYTES])
{
    const char *name = NULL;
    TRY(json_get_str(metadata, "name", &name));
    char id[UUID_BYTES];
    uuid_v7(id);
    TRY(store_exec(tx,
                   "INSERT INTO catalog_title (id, kind, name, created_us) VALUES "
                   "(?, 'film', ?, ?)",
                   "ssi", id, name, clock_wall_us()));
    TRY(apply(tx, id, metadata));
    TRY(emit(tx, "title.added.v1", id, actor, metadata));
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

int catalog_upsert(struct store_tx *tx, const json_t *metadata, const char *actor,
                   char ret_id[UUID_BYTES])
{
    const char *slug = json_str_or(metadata, "slug", NULL);
    char id[UUID_BYTES];
    int err = slug ? catalog_title_by_slug(tx, slug, id) : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) {
        return add(tx, metadata, actor, ret_id);
    }
    TRY(err);
    TRY(catalog_edit(tx, id, metadata, actor));
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

int catalog_publish(struct store_tx *tx, const char *title_id,
                    const struct catalog_publication *p)
{
    struct hash package;
    TRY(hash_parse(str_of(p->package), &package));
    AUTO(json_free) json_t *poster = NULL;
    if (p->poster_width > 0 && p->poster_height > 0) {
        TRY(json_made(json_pack("{s:i, s:i, s:s?}", "width", p->poster_width, "height",
                                p->poster_height, "color", p->poster_color),
                      &poster));
    }
    // The first publication's time stays: a redelivery does not make a film new.
    TRY(store_exec(
        tx,
        "UPDATE catalog_title SET package = ?1, duration_us = ?2, max_height = ?3, "
        "poster = ?4, audio = ?5, captions = ?6, published_us = "
        "coalesce(published_us, ?7) WHERE id = ?8",
        "siijjjis", p->package, p->duration_us, (int64_t)p->max_height, poster, p->audio,
        p->captions, clock_wall_us(), title_id));
    FAIL_IF(store_changes(tx) == 0, ERR_NOT_FOUND, "there is no title %s", title_id);
    return 0;
}

int catalog_package_is_played(struct store_tx *tx, const char *package)
{
    int64_t one = 0;
    int err = store_get_i64(
        tx, &one, "SELECT 1 FROM catalog_title WHERE package = ? LIMIT 1", "s", package);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

int catalog_withdraw(struct store_tx *tx, const char *id, const char *actor)
{
    struct catalog_title found;
    TRY(catalog_title(tx, id, &found));
    FAIL_IF(found.withdrawn, ERR_CONFLICT, "'%s' is withdrawn already", found.name);
    TRY(store_exec(tx, "UPDATE catalog_title SET withdrawn_us = ? WHERE id = ?", "is",
                   clock_wall_us(), id));
    return emit(tx, "title.withdrawn.v1", id, actor, NULL);
}

int catalog_restore(struct store_tx *tx, const char *id, const char *actor)
{
    struct catalog_title found;
    TRY(catalog_title(tx, id, &found));
    FAIL_IF(!found.withdrawn, ERR_CONFLICT, "'%s' is not withdrawn", found.name);
    TRY(store_exec(tx, "UPDATE catalog_title SET withdrawn_us = NULL WHERE id = ?", "s",
                   id));
    return emit(tx, "title.restored.v1", id, actor, NULL);
}
