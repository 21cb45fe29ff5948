// SPDX-License-Identifier: GPL-3.0-or-later
//
// What this room asks of the catalog and of the partners' room.
#include "account/account.h"
#include "catalog/catalog.h"
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 255

// "Planet_Blupi - 01.mkv" → "Planet Blupi - 01". The file's name is one line of UTF-8; a title's is
// 1 to NAME_BYTES_MAX bytes of it.
static int name_from_file(const char *file_name, char **ret)
{
    struct str name = str_of(file_name);
    const char *dot = strrchr(file_name, '.');
    if (dot && dot != file_name) {
        name.len = (size_t)(dot - file_name);
    }
    while (name.len > NAME_BYTES_MAX || !str_is_utf8(name)) {
        name.len--; // not within a character
    }
    AUTO(buf_free) struct buf text = {0};
    for (size_t i = 0; i < name.len; i++) {
        buf_char(&text, (char)(name.data[i] == '_' ? ' ' : name.data[i]));
    }
    TRY(text.err);
    name = str_trim(buf_view(&text));
    return cstr_printf(ret, STR_FMT, STR_ARG(name.len ? name : STR("Untitled")));
}

// The metadata with the name that was asked for. NULL where nothing is said about the title.
static int described(const struct ingest_spec *spec, json_t **ret)
{
    *ret = NULL;
    if (!spec->metadata && !spec->title) {
        return 0;
    }
    AUTO(json_free)
    json_t *metadata =
        spec->metadata ? json_copy((json_t *)(uintptr_t)spec->metadata) : json_object();
    FAIL_IF(!metadata, ERR_NOMEM, "a title");
    if (spec->title && json_object_set_new(metadata, "name", json_string(spec->title))) {
        FAIL(ERR_INVALID, "a title's name is UTF-8");
    }
    *ret = TAKE(metadata);
    return 0;
}

static int title_new(struct store_tx *tx, const struct ingest_spec *spec,
                     char ret_id[UUID_BYTES])
{
    AUTO(json_free) json_t *metadata = NULL;
    TRY(described(spec, &metadata));
    metadata = metadata ? metadata : json_object();
    if (!json_object_get(metadata, "name")) {
        AUTO(cstr_free) char *name = NULL;
        TRY(name_from_file(spec->file_name, &name));
        json_object_set_new(metadata, "name", json_string(name));
    }
    if (spec->partner && !json_object_get(metadata, "partner")) {
        json_object_set_new(metadata, "partner", json_string(spec->partner));
    }
    return catalog_upsert(tx, metadata, spec->actor, ret_id);
}

int title_prepare(struct store_tx *tx, const struct ingest_spec *spec,
                  char title_id[UUID_BYTES], char **ret_partner)
{
    bool is_new = !*title_id;
    if (is_new) {
        TRY(title_new(tx, spec, title_id));
    }
    struct catalog_title title = {0};
    TRY(catalog_title(tx, title_id, &title));
    // What is another's is not there: neither its name nor that it exists is told.
    FAIL_IF(spec->partner && strcmp(title.partner_id, spec->partner) != 0, ERR_NOT_FOUND,
            "there is no title %s", title_id);
    if (!is_new) {
        TRY(title_describe(tx, title_id, spec));
    }
    return *title.partner_id ? cstr_dup(ret_partner, title.partner_id) : 0;
}

int title_describe(struct store_tx *tx, const char *title_id,
                   const struct ingest_spec *spec)
{
    AUTO(json_free) json_t *metadata = NULL;
    TRY(described(spec, &metadata));
    return metadata ? catalog_edit(tx, title_id, metadata, spec->actor) : 0;
}

int title_name(struct store_tx *tx, const char *title_id, char **ret)
{
    struct catalog_title title = {0};
    TRY(catalog_title(tx, title_id, &title));
    return cstr_dup(ret, title.name);
}

// --- publication ------------------------------------------------------------------------------------

static int tracks_of(const struct media_package *package, enum media_rendition_kind kind,
                     json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    VEC(int) streams = {0};
    for (size_t i = 0; i < package->tracks.len; i++) {
        const struct media_rendition *r = &package->tracks.data[i].rendition;
        bool known = r->kind != kind;
        for (size_t k = 0; k < streams.len && !known; k++) {
            known = kind == MEDIA_RENDITION_AUDIO && streams.data[k] == r->stream;
        }
        if (!known &&
            (vec_push(&streams, r->stream) < 0 ||
             json_array_append_new(list, json_pack("{s:s, s:s}", "language", r->language,
                                                   "title", r->title)) != 0)) {
            vec_free(&streams);
            return err_fail(ERR_NOMEM, "tracks");
        }
    }
    vec_free(&streams);
    *ret = TAKE(list);
    return 0;
}

// Size out of a JPEG's frame header (ITU-T T.81, B.2.2); zeros where there is none.
static void jpeg_size(struct str jpeg, int *ret_width, int *ret_height)
{
    const uint8_t *p = (const uint8_t *)jpeg.data;
    for (size_t at = 2; at + 9 < jpeg.len && p[at] == 0xFF;) {
        uint8_t marker = p[at + 1];
        size_t len = (size_t)p[at + 2] << 8 | p[at + 3];
        bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 &&
                     marker != 0xC8 && marker != 0xCC;
        if (frame) {
            *ret_height = p[at + 5] << 8 | p[at + 6];
            *ret_width = p[at + 7] << 8 | p[at + 8];
            return;
        }
        at += 2 + len;
    }
}

static int poster_size(struct flow_run *run, const json_t *package, int *ret_width,
                       int *ret_height)
{
    const json_t *files = json_object_get(package, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        if (strcmp(json_str_or(file, "path", ""), "poster.jpg") == 0) {
            struct hash blob;
            AUTO(buf_free) struct buf jpeg = {0};
            TRY(hash_parse(str_of(json_str_or(file, "hash", "")), &blob));
            TRY(blob_text(store_blobs_of(flow_run_store(run)), &blob, 1 << 26, &jpeg));
            jpeg_size(buf_view(&jpeg), ret_width, ret_height);
            return 0;
        }
    }
    return 0;
}

int title_publish(struct store_tx *tx, struct flow_run *run, const struct delivery *d,
                  const struct packaged *packaged, const json_t *package_json)
{
    char hex[HASH_HEX_BYTES];
    hash_hex(&packaged->package, hex);
    json_t *media_json = NULL;
    TRY(json_get_object(package_json, "media", &media_json));
    AUTO(media_package_free) struct media_package *package = NULL;
    TRY(media_package_from_json(media_json, &package));
    AUTO(json_free) json_t *audio = NULL, *captions = NULL;
    TRY(tracks_of(package, MEDIA_RENDITION_AUDIO, &audio));
    TRY(tracks_of(package, MEDIA_RENDITION_TEXT, &captions));
    struct catalog_publication publication = {.package = hex,
                                              .duration_us = package->duration_us,
                                              .poster_color = packaged->tint,
                                              .audio = audio,
                                              .captions = captions};
    vec_for_each (track, &package->tracks) {
        if (track->rendition.kind == MEDIA_RENDITION_VIDEO) {
            publication.max_height =
                MAX(publication.max_height, media_rendition_class(&track->rendition));
        }
    }
    TRY(poster_size(run, package_json, &publication.poster_width,
                    &publication.poster_height));
    return catalog_publish(tx, d->title_id, &publication);
}

int partner_mail(struct store_tx *tx, const char *partner, char **ret)
{
    *ret = NULL;
    if (!partner) {
        return 0;
    }
    AUTO(json_free) json_t *json = NULL;
    TRY(account_partner(tx, partner, &json));
    const char *email = json_str_or(json, "email", NULL);
    return email && *email ? cstr_dup(ret, email) : 0;
}
