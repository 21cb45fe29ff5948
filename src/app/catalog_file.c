// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/catalog_file.h"

#include <string.h>

struct person {
    char *name, *role;
};
struct season {
    int64_t number;
    char *name;
};
struct caption {
    char *file, *language;
};
struct entry {
    char *file, *slug, *kind, *name, *synopsis, *language, *series, *credit, *licence,
        *licence_url, *source_url;
    int64_t *year, *season, *episode, *maturity;
    char **tags;
    uint32_t tags_count;
    struct person *people;
    uint32_t people_count;
    struct season *seasons;
    uint32_t seasons_count;
    struct caption *captions;
    uint32_t captions_count;
};
struct document {
    int64_t schema;
    struct entry *titles;
    uint32_t titles_count;
};

#define TEXT(object, key, more) \
    CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | (more), object, key, 1, 4000)
#define NUMBER(key) \
    CYAML_FIELD_INT_PTR(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct entry, key)
#define LIST(key, schema)                                                              \
    CYAML_FIELD_SEQUENCE(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct entry, \
                         key, schema, 0, 1000)

static const cyaml_schema_field_t person_fields[] = {
    TEXT(struct person, name, 0), TEXT(struct person, role, 0), CYAML_FIELD_END};
static const cyaml_schema_value_t person_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct person, person_fields)};
static const cyaml_schema_field_t season_fields[] = {
    CYAML_FIELD_INT("number", CYAML_FLAG_DEFAULT, struct season, number),
    TEXT(struct season, name, 0), CYAML_FIELD_END};
static const cyaml_schema_value_t season_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct season, season_fields)};
static const cyaml_schema_field_t caption_fields[] = {
    TEXT(struct caption, file, 0), TEXT(struct caption, language, 0), CYAML_FIELD_END};
static const cyaml_schema_value_t caption_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct caption, caption_fields)};
static const cyaml_schema_value_t tag_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 100)};

static const cyaml_schema_field_t entry_fields[] = {
    TEXT(struct entry, file, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, slug, 0),
    TEXT(struct entry, kind, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, name, 0),
    TEXT(struct entry, synopsis, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, language, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, series, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, credit, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, licence, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, licence_url, CYAML_FLAG_OPTIONAL),
    TEXT(struct entry, source_url, CYAML_FLAG_OPTIONAL),
    NUMBER(year),
    NUMBER(season),
    NUMBER(episode),
    NUMBER(maturity),
    LIST(tags, &tag_schema),
    LIST(people, &person_schema),
    LIST(seasons, &season_schema),
    LIST(captions, &caption_schema),
    CYAML_FIELD_END};
static const cyaml_schema_value_t entry_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct entry, entry_fields)};
static const cyaml_schema_field_t document_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct document, schema),
    CYAML_FIELD_SEQUENCE("titles", CYAML_FLAG_POINTER, struct document, titles,
                         &entry_schema, 0, 10000),
    CYAML_FIELD_END};
static const cyaml_schema_value_t document_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, document_fields)};

static int set(json_t *object, const char *key, json_t *value)
{
    FAIL_IF(json_object_set_new(object, key, value) != 0, ERR_INVALID,
            "the text of %s is no UTF-8", key);
    return 0;
}

static int texts_to_json(const struct entry *e, json_t *title)
{
    const struct {
        const char *key;
        const char *text;
    } texts[] = {{"slug", e->slug},
                 {"kind", e->kind},
                 {"name", e->name},
                 {"synopsis", e->synopsis},
                 {"language", e->language},
                 {"series", e->series},
                 {"credit", e->credit},
                 {"licence", e->licence},
                 {"licence_url", e->licence_url},
                 {"source_url", e->source_url}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].text) {
            TRY(set(title, texts[i].key, json_string(texts[i].text)));
        }
    }
    return 0;
}

static int numbers_to_json(const struct entry *e, json_t *title)
{
    const struct {
        const char *key;
        const int64_t *number;
    } numbers[] = {{"year", e->year},
                   {"season", e->season},
                   {"episode", e->episode},
                   {"maturity", e->maturity}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (numbers[i].number) {
            TRY(set(title, numbers[i].key, json_integer(*numbers[i].number)));
        }
    }
    return 0;
}

static int append(json_t *list, json_t *value)
{
    FAIL_IF(json_array_append_new(list, value) != 0, ERR_INVALID, "a text is no UTF-8");
    return 0;
}

static int lists_to_json(const struct entry *e, json_t *title)
{
    AUTO(json_free)
    json_t *tags = json_array(), *people = json_array(), *seasons = json_array();
    for (uint32_t i = 0; i < e->tags_count; i++) {
        TRY(append(tags, json_string(e->tags[i])));
    }
    for (uint32_t i = 0; i < e->people_count; i++) {
        TRY(append(people, json_pack("{s:s, s:s}", "name", e->people[i].name, "role",
                                     e->people[i].role)));
    }
    for (uint32_t i = 0; i < e->seasons_count; i++) {
        TRY(append(seasons,
                   json_pack("{s:I, s:s}", "number", (json_int_t)e->seasons[i].number,
                             "name", e->seasons[i].name)));
    }
    if (e->tags_count) {
        TRY(set(title, "tags", json_incref(tags)));
    }
    if (e->people_count) {
        TRY(set(title, "people", json_incref(people)));
    }
    return e->seasons_count ? set(title, "seasons", json_incref(seasons)) : 0;
}

static int entry_to_json(const struct entry *e, json_t **ret)
{
    AUTO(json_free) json_t *title = json_object(), *captions = json_array();
    TRY(texts_to_json(e, title));
    TRY(numbers_to_json(e, title));
    TRY(lists_to_json(e, title));
    for (uint32_t i = 0; i < e->captions_count; i++) {
        TRY(append(captions, json_pack("{s:s, s:s}", "file", e->captions[i].file,
                                       "language", e->captions[i].language)));
    }
    return json_made(json_pack("{s:s?, s:O, s:O}", "file", e->file, "captions", captions,
                               "title", title),
                     ret);
}

static int document_to_json(const struct document *d, const char *path, json_t **ret,
                            struct diag *diag)
{
    if (d->schema != 1) {
        diag_add(diag, path, 0, "schema %lld is not known, 1 is", (long long)d->schema);
        return diag_fail(diag, ERR_INVALID);
    }
    AUTO(json_free) json_t *array = json_array();
    for (uint32_t i = 0; i < d->titles_count; i++) {
        json_t *item = NULL;
        TRY(entry_to_json(&d->titles[i], &item));
        TRY(append(array, item));
    }
    *ret = TAKE(array);
    return 0;
}

int catalog_file_load(const char *path, json_t **ret, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(fs_read_file(path, 1 << 20, &text));
    void *loaded = NULL;
    TRY(yaml_load(buf_view(&text), path, &document_schema, &loaded, NULL, diag));
    int err = document_to_json(loaded, path, ret, diag);
    yaml_data_free(&document_schema, loaded, 0);
    return err;
}

const json_t *catalog_file_find(const json_t *entries, const char *file_name)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *file = json_str_or(entry, "file", NULL);
        if (file && strcmp(file, file_name) == 0) {
            return entry;
        }
    }
    return NULL;
}
