// SPDX-License-Identifier: GPL-3.0-or-later
//
// captions, stills, package.
#include "ingest/steps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// --- captions -------------------------------------------------------------------------------------

static int captions_embedded(struct flow_step *step, int stream, struct buf *out)
{
    int64_t origin_pts = 0;
    int num = 0, den = 0;
    const json_t *params = flow_step_params(step);
    TRY(json_get_i64(params, "origin_pts", INT64_MIN, INT64_MAX, &origin_pts));
    TRY(json_get_int(params, "time_base_num", 1, INT32_MAX, &num));
    TRY(json_get_int(params, "time_base_den", 1, INT32_MAX, &den));
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, "film", &blob));
    struct media_input input = blob_input(blob);
    AUTO(media_report_free) struct media_report *report = NULL;
    TRY(step_report(step, "report", &report));
    return media_captions_extract(&input, report->source, stream, origin_pts,
                                  (struct rational){num, den}, out);
}

static int captions_loaded(struct flow_step *step, const char *file_name, struct buf *out)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(step_read(step, "captions", &text));
    AUTO(diag_free) struct diag diag = {0};
    int err = media_captions_convert(buf_view(&text), file_name, out, &diag);
    return err < 0 ? diag_fail(&diag, err) : 0;
}

int step_captions(struct flow_step *step)
{
    const json_t *params = flow_step_params(step);
    const char *path = NULL;
    TRY(json_get_str(params, "path", &path));
    AUTO(buf_free) struct buf out = {0};
    const char *file_name = json_str_or(params, "file_name", NULL);
    int stream = (int)json_i64_or(params, "stream", -1);
    int err = file_name ? captions_loaded(step, file_name, &out)
                        : captions_embedded(step, stream, &out);
    AUTO(json_free) json_t *files = json_array();
    if (err == 0) {
        TRY(step_write(step, PART_MAIN, path, out.data, out.len));
        TRY(file_add(files, path, out.data, out.len));
    } else if (err != ERR_NOT_FOUND) {
        return err;
    }
    // a stream without a cue is no track
    json_t *value = NULL;
    TRY(json_made(json_pack("{s:O}", "files", files), &value));
    return flow_step_result(step, PART_MAIN, value);
}

// --- stills ---------------------------------------------------------------------------------------

struct stills_sink {
    struct flow_step *step;
    json_t *files;
};

static int stills_write(void *user, const char *rendition, const char *path,
                        const void *bytes, size_t len)
{
    (void)rendition;
    struct stills_sink *sink = user;
    TRY(step_write(sink->step, PART_MAIN, path, bytes, len));
    return file_add(sink->files, path, bytes, len);
}

static int sprites(struct flow_step *step, struct stills_sink *sink, struct buf *jpegs,
                   struct str *views, size_t count, struct media_sprites *ret)
{
    const json_t *params = flow_step_params(step);
    struct media_sprites_config config = {.jpegs = views,
                                          .count = count,
                                          .columns = 10,
                                          .rows = 10,
                                          .write = stills_write,
                                          .user = sink};
    TRY(json_get_i64(params, "still_every_us", 1, INT64_MAX, &config.every_us));
    TRY(json_get_i64(params, "duration_us", 1, INT64_MAX, &config.duration_us));
    for (size_t i = 0; i < count; i++) {
        AUTO(cstr_free) char *name = NULL;
        TRY(cstr_printf(&name, STILL_NAME, (int64_t)i));
        if (flow_step_has_input(step, name)) {
            TRY(step_read(step, name, &jpegs[i]));
            views[i] = buf_view(&jpegs[i]);
        }
    }
    return media_sprites_make(&config, ret);
}

static int poster(struct flow_step *step, json_t *files, char ret_tint[MEDIA_TINT_BYTES])
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, "film", &blob));
    struct media_input input = blob_input(blob);
    AUTO(media_report_free) struct media_report *report = NULL;
    TRY(step_report(step, "report", &report));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(step_timeline(step, "timeline", &timeline));
    int width = 0;
    TRY(json_get_int(flow_step_params(step), "poster_width", 16, 8192, &width));
    AUTO(buf_free) struct buf jpeg = {0};
    TRY(media_still(&input, report, timeline, report->poster_frame, width, &jpeg));
    TRY(step_write(step, PART_MAIN, "poster.jpg", jpeg.data, jpeg.len));
    TRY(media_tint(buf_view(&jpeg), ret_tint));
    return file_add(files, "poster.jpg", jpeg.data, jpeg.len);
}

static int sprites_json(const struct media_sprites *s, json_t **ret)
{
    return json_made(json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "sheets", s->sheets,
                               "columns", s->columns, "rows", s->rows, "tile_width",
                               s->tile_width, "tile_height", s->tile_height, "every_us",
                               (json_int_t)s->every_us, "bytes", (json_int_t)s->bytes),
                     ret);
}

int step_stills(struct flow_step *step)
{
    int64_t count = 0;
    TRY(json_get_i64(flow_step_params(step), "stills", 0, 100000, &count));
    struct buf *jpegs = calloc((size_t)count + 1, sizeof *jpegs);
    struct str *views = calloc((size_t)count + 1, sizeof *views);
    AUTO(json_free) json_t *files = json_array();
    struct stills_sink sink = {step, files};
    struct media_sprites made = {0};
    int err = jpegs && views && files ? 0 : ERR_NOMEM;
    if (err == 0 && count > 0) {
        err = sprites(step, &sink, jpegs, views, (size_t)count, &made);
    }
    for (int64_t i = 0; jpegs && i < count; i++) {
        buf_free(&jpegs[i]);
    }
    free(jpegs);
    free(views);
    TRY(err);
    char tint[MEDIA_TINT_BYTES];
    TRY(poster(step, files, tint));
    AUTO(json_free) json_t *json = NULL;
    TRY(sprites_json(&made, &json));
    json_t *value = NULL;
    TRY(json_made(
        json_pack("{s:O, s:O, s:s}", "sprites", json, "files", files, "tint", tint),
        &value));
    return flow_step_result(step, PART_MAIN, value);
}

// --- package --------------------------------------------------------------------------------------

static int sprites_from_json(const json_t *j, struct media_sprites *ret)
{
    struct media_sprites s = {0};
    TRY(json_get_int(j, "sheets", 0, 1 << 20, &s.sheets));
    TRY(json_get_int(j, "columns", 0, 1000, &s.columns));
    TRY(json_get_int(j, "rows", 0, 1000, &s.rows));
    TRY(json_get_int(j, "tile_width", 0, 8192, &s.tile_width));
    TRY(json_get_int(j, "tile_height", 0, 8192, &s.tile_height));
    TRY(json_get_i64(j, "every_us", 0, INT64_MAX, &s.every_us));
    TRY(json_get_i64(j, "bytes", 0, INT64_MAX, &s.bytes));
    *ret = s;
    return 0;
}

static int files_append(json_t *files, const json_t *more)
{
    return json_array_extend(files, (json_t *)more) == 0
               ? 0
               : err_fail(ERR_NOMEM, "a package's files");
}

struct encodeds {
    VEC(struct media_encoded) items;
};

static void encodeds_clear(struct encodeds *list)
{
    vec_for_each (e, &list->items) {
        media_encoded_clear(e);
    }
    vec_free(&list->items);
}

// The chunks of every rendition, in the plan's order, and the files they lie in.
static int tracks_read(struct flow_step *step, const struct media_plan *plan,
                       struct encodeds *ret, json_t *files)
{
    for (size_t i = 0; i < plan->renditions.len; i++) {
        AUTO(cstr_free) char *name = NULL;
        TRY(cstr_printf(&name, TRACK_INPUT, plan->renditions.data[i].id));
        AUTO(json_free) json_t *track = NULL;
        TRY(flow_step_input_json(step, name, &track));
        json_t *list = NULL, *more = NULL;
        TRY(json_get_array(track, "encoded", &list));
        TRY(json_get_array(track, "files", &more));
        for (size_t k = 0; k < json_array_size(list); k++) {
            TRY(vec_push(&ret->items, (struct media_encoded){0}));
            TRY(media_encoded_from_json(json_array_get(list, k),
                                        &ret->items.data[ret->items.len - 1]));
        }
        TRY(files_append(files, more));
    }
    return 0;
}

static int64_t file_bytes(const json_t *files, const char *path)
{
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        if (strcmp(json_str_or(file, "path", ""), path) == 0) {
            return json_i64_or(file, "bytes", 0);
        }
    }
    return 0;
}

static int text_tracks(const json_t *captions, const json_t *files,
                       struct media_package *package)
{
    for (size_t i = 0; i < json_array_size(captions); i++) {
        const json_t *c = json_array_get(captions, i);
        struct media_rendition r = {
            .kind = MEDIA_RENDITION_TEXT, .codec = "wvtt", .stream = -1};
        const char *path = json_str_or(c, "path", "");
        TRY(str_copy(r.id, sizeof r.id, str_of(json_str_or(c, "id", ""))));
        TRY(str_copy(r.language, sizeof r.language,
                     str_of(json_str_or(c, "language", "und"))));
        TRY(str_copy(r.title, sizeof r.title, str_of(json_str_or(c, "title", ""))));
        r.is_default = json_is_true(json_object_get(c, "is_default"));
        TRY(media_package_add_text(package, &r, path, file_bytes(files, path)));
    }
    return 0;
}

static int manifest_add(struct flow_step *step, json_t *files, const char *path,
                        const struct buf *text)
{
    TRY(text->err);
    TRY(step_write(step, PART_MAIN, path, text->data, text->len));
    return file_add(files, path, text->data, text->len);
}

static int playlist_path(const struct media_track *track, char **ret)
{
    if (track->rendition.kind != MEDIA_RENDITION_TEXT) {
        return cstr_printf(ret, "%s/index.m3u8", track->rendition.id);
    }
    size_t stem = strlen(track->path) - strlen(".vtt");
    return cstr_printf(ret, "%.*s.m3u8", (int)stem, track->path);
}

static int manifests(struct flow_step *step, const struct media_package *package,
                     json_t *files)
{
    const struct media_filter all = {.hdr = true};
    AUTO(buf_free) struct buf master = {0}, dash = {0};
    TRY(media_hls_master(package, &all, &master));
    TRY(manifest_add(step, files, "master.m3u8", &master));
    TRY(media_dash(package, &all, &dash));
    TRY(manifest_add(step, files, "manifest.mpd", &dash));
    for (size_t i = 0; i < package->tracks.len; i++) {
        const struct media_track *track = &package->tracks.data[i];
        AUTO(cstr_free) char *path = NULL;
        AUTO(buf_free) struct buf text = {0};
        TRY(playlist_path(track, &path));
        TRY(media_hls_media(package, track, &text));
        TRY(manifest_add(step, files, path, &text));
    }
    return 0;
}

static int by_path(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    return strcmp(json_str_or(*x, "path", ""), json_str_or(*y, "path", ""));
}

static int files_sorted(const json_t *files, json_t **ret)
{
    size_t count = json_array_size(files);
    json_t **items = calloc(count + 1, sizeof *items);
    AUTO(json_free) json_t *sorted = json_array();
    if (!items || !sorted) {
        free(items);
        FAIL(ERR_NOMEM, "a package's files");
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = json_array_get(files, i);
    }
    qsort(items, count, sizeof *items, by_path);
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        err = json_array_append(sorted, items[i]) == 0 ? 0 : ERR_NOMEM;
    }
    free(items);
    TRY(err);
    *ret = TAKE(sorted);
    return 0;
}

static int package_write(struct flow_step *step, const struct media_package *package,
                         const json_t *files)
{
    AUTO(json_free) json_t *media = NULL, *sorted = NULL, *json = NULL;
    TRY(media_package_to_json(package, &media));
    TRY(files_sorted(files, &sorted));
    TRY(json_made(
        json_pack("{s:i, s:O, s:O}", "schema", 1, "media", media, "files", sorted),
        &json));
    TRY(step_write_json(step, PART_MAIN, "package.json", json));
    struct hash hash;
    char hex[HASH_HEX_BYTES];
    json_hash(json, &hash);
    hash_hex(&hash, hex);
    json_t *value = NULL;
    TRY(json_made(json_pack("{s:s, s:I}", "package", hex, "duration_us",
                            (json_int_t)package->duration_us),
                  &value));
    return flow_step_result(step, PART_MAIN, value);
}

int step_package(struct flow_step *step)
{
    const json_t *params = flow_step_params(step);
    json_t *captions = NULL, *made = NULL, *sprites_in = NULL;
    AUTO(json_free) json_t *plan_json = NULL;
    TRY(flow_step_input_json(step, "plan", &plan_json));
    TRY(json_get_array(params, "captions", &captions));
    TRY(json_get_array(params, "files", &made));
    TRY(json_get_object(params, "sprites", &sprites_in));
    AUTO(media_plan_free) struct media_plan *plan = NULL;
    TRY(media_plan_from_json(plan_json, &plan));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(step_timeline(step, "timeline", &timeline));
    AUTO(encodeds_clear) struct encodeds encoded = {0};
    AUTO(json_free) json_t *files = json_array();
    TRY(tracks_read(step, plan, &encoded, files));
    TRY(files_append(files, made));
    AUTO(media_package_free) struct media_package *package = NULL;
    TRY(media_package_join(plan, timeline, encoded.items.data, encoded.items.len,
                           &package));
    TRY(text_tracks(captions, files, package));
    TRY(sprites_from_json(sprites_in, &package->sprites));
    TRY(manifests(step, package, files));
    return package_write(step, package, files);
}
