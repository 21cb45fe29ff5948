// SPDX-License-Identifier: GPL-3.0-or-later
//
// One film of `marquee ingest --json`.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"video", "audio", "text"};

static int rendition_json(const struct media_track *t, json_t **ret)
{
    bool video = t->rendition.kind == MEDIA_RENDITION_VIDEO;
    return json_made(
        json_pack(
            "{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:s}", "id", t->rendition.id,
            "kind", kinds[t->rendition.kind], "codec", t->rendition.codec, "width",
            video ? json_integer(t->rendition.width) : json_null(), "height",
            video ? json_integer(t->rendition.height) : json_null(), "frames",
            video ? json_integer(t->frames) : json_null(), "average_bps",
            (json_int_t)t->average_bps, "peak_bps", (json_int_t)t->peak_bps, "segments",
            (json_int_t)t->segments.len, "language", t->rendition.language),
        ret);
}

// Captions are no renditions of picture or sound; they stand in the manifests.
static int renditions_json(struct store *store, const char *package_hex, json_t **ret)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(json_free) json_t *package = NULL, *array = json_array();
    json_t *media_json = NULL;
    TRY(cstr_printf(&path, "%s/media/%s/package.json", store_dir(store), package_hex));
    FAIL_IF(!fs_exists(path), ERR_NOT_FOUND,
            "the folder of this film's package is gone (media/%s): `marquee deliveries "
            "again ID` links it anew",
            package_hex);
    TRY(json_parse_file(&package, path, 1 << 28));
    TRY(json_get_object(package, "media", &media_json));
    AUTO(media_package_free) struct media_package *media = NULL;
    TRY(media_package_from_json(media_json, &media));
    vec_for_each (track, &media->tracks) {
        json_t *item = NULL;
        if (track->rendition.kind == MEDIA_RENDITION_TEXT) {
            continue;
        }
        TRY(rendition_json(track, &item));
        FAIL_IF(json_array_append_new(array, item) != 0, ERR_NOMEM, "renditions");
    }
    *ret = TAKE(array);
    return 0;
}

static int step_add(json_t *by_type, const json_t *step)
{
    const char *type = json_str_or(step, "type", "?");
    json_t *sum = json_object_get(by_type, type);
    if (!sum) {
        sum = json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", type, "run", 0, "reused", 0,
                        "cpu_us", 0, "wall_us", 0);
        FAIL_IF(json_object_set_new(by_type, type, sum) != 0, ERR_NOMEM, "steps");
    }
    const char *counted =
        json_is_true(json_object_get(step, "reused")) ? "reused" : "run";
    json_object_set_new(sum, counted, json_integer(json_i64_or(sum, counted, 0) + 1));
    static const char *const times[] = {"cpu_us", "wall_us"};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        json_object_set_new(
            sum, times[i],
            json_integer(json_i64_or(sum, times[i], 0) + json_i64_or(step, times[i], 0)));
    }
    return 0;
}

// Steps of one type together, in the order of their first.
static int steps_json(const json_t *job, json_t **ret)
{
    AUTO(json_free) json_t *by_type = json_object(), *array = json_array();
    json_t *steps = NULL;
    TRY(json_get_array(job, "steps", &steps));
    for (size_t i = 0; i < json_array_size(steps); i++) {
        TRY(step_add(by_type, json_array_get(steps, i)));
    }
    const char *type = NULL;
    json_t *sum = NULL;
    json_object_foreach(by_type, type, sum)
    {
        FAIL_IF(json_array_append(array, sum) != 0, ERR_NOMEM, "steps");
    }
    *ret = TAKE(array);
    return 0;
}

static int64_t job_wall_us(const json_t *job)
{
    int64_t from = 0, to = clock_wall_us();
    const char *finished = json_str_or(job, "finished", NULL);
    if (clock_parse(str_of(json_str_or(job, "created", "")), &from) < 0 ||
        (finished && clock_parse(str_of(finished), &to) < 0)) {
        return 0;
    }
    return to - from;
}

// What the row says, unless this job has not come to its end.
static const char *film_state(const json_t *job, const char *row_state)
{
    const char *state = json_str_or(job, "state", "running");
    if (strcmp(state, "done") == 0) {
        return row_state;
    }
    return strcmp(state, "running") == 0 ? "running" : "failed";
}

static int playable(json_t *film, const char *package)
{
    AUTO(cstr_free) char *hls = NULL, *dash = NULL;
    TRY(cstr_printf(&hls, "media/%s/master.m3u8", package));
    TRY(cstr_printf(&dash, "media/%s/manifest.mpd", package));
    FAIL_IF(json_object_set_new(film, "hls", json_string(hls)) != 0 ||
                json_object_set_new(film, "dash", json_string(dash)) != 0,
            ERR_NOMEM, "a film");
    return 0;
}

static int film_findings(struct store *store, const char *delivery_id, json_t **ret,
                         json_t **ret_why)
{
    AUTO(json_free) json_t *report = NULL;
    int err = ingest_report(store, delivery_id, &report);
    if (err == ERR_NOT_FOUND) {
        *ret = json_array();
        *ret_why = json_array();
        return 0;
    }
    TRY(err);
    *ret = json_incref(json_object_get(report, "findings"));
    *ret_why = json_incref(json_object_get(report, "why"));
    return 0;
}

static int film_rows(struct store *store, const char *delivery_id, const char *job_id,
                     struct delivery *d, json_t **ret_job, char **ret_title,
                     char **ret_request, const char **ret_asked)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    TRY(delivery_load(tx, delivery_id, d));
    TRY(flow_job(tx, job_id, ret_job));
    TRY(title_name(tx, d->title_id, ret_title));
    int err = store_get_text(tx, ret_request,
                             "SELECT id FROM ingest_request WHERE delivery_id = ? AND "
                             "state = 'open' ORDER BY id DESC LIMIT 1",
                             "s", delivery_id);
    if (err < 0) {
        return err == ERR_NOT_FOUND ? 0 : err;
    }
    return request_asked(tx, *ret_request, d->partner, ret_asked);
}

int ingest_film(struct store *store, const char *delivery_id, const char *job_id,
                json_t **ret)
{
    AUTO(delivery_clear) struct delivery d = {0};
    AUTO(json_free)
    json_t *job = NULL, *findings = NULL, *why = NULL, *steps = NULL, *renditions = NULL,
           *film = NULL;
    AUTO(cstr_free) char *title = NULL, *request = NULL;
    const char *asked = NULL;
    TRY(film_rows(store, delivery_id, job_id, &d, &job, &title, &request, &asked));
    TRY(film_findings(store, delivery_id, &findings, &why));
    TRY(steps_json(job, &steps));
    const char *state = film_state(job, d.state);
    // A package that was superseded may have been collected since.
    bool published = strcmp(state, "published") == 0 && d.package;
    if (published) {
        TRY(renditions_json(store, d.package, &renditions));
    } else {
        renditions = json_array();
    }
    TRY(json_made(
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:O, s:O, s:O, s:n, s:n, s:s?, "
                  "s:O, s:I, s:s?, s:s?}",
                  "title_id", d.title_id, "delivery_id", d.id, "job_id", job_id, "title",
                  title, "file_name", d.file_name, "state", state, "request_id", request,
                  "findings", findings, "why", why, "renditions", renditions, "hls",
                  "dash", "package", published ? d.package : NULL, "steps", steps,
                  "wall_us", (json_int_t)job_wall_us(job), "error",
                  json_str_or(job, "error", NULL), "asked", asked),
        &film));
    if (published) {
        TRY(playable(film, d.package));
    }
    *ret = TAKE(film);
    return 0;
}
