// SPDX-License-Identifier: GPL-3.0-or-later
//
// The second half of the workflow: plan, every chunk × group, sound, captions, stills, the proof of
// the buffer across seams (a bad chunk is encoded once more from a lower level), and the package.
#include "ingest/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { POSTER_WIDTH = 1280, VBV_TRIES_MAX = 64 };

struct make {
    struct flow_run *run;
    const struct wish *wish;
    const struct inspected *inspected;
    struct media_plan *plan;
    json_t *renditions; // as the plan's JSON spells them
    struct hash plan_blob;
    // encoded.json of chunk × rendition, plan order; all zero while not there
    struct hash *chunks;
    struct hash *tracks; // of rendition
    json_t *captions;    // [{"id","language","title","path","is_default"}]
    json_t *tags;        // languages of captions so far, with or without a cue
    json_t *files;       // of captions and stills
    json_t *sprites;     // NULL while not there
    char tint[MEDIA_TINT_BYTES];
    int waiting; // steps that run
};

static void make_clear(struct make *m)
{
    media_plan_free(&m->plan);
    json_free(&m->renditions);
    json_free(&m->captions);
    json_free(&m->tags);
    json_free(&m->files);
    json_free(&m->sprites);
    free(m->chunks);
    free(m->tracks);
}

static struct flow_input input_of(const char *name, const struct hash *blob)
{
    struct flow_input input = {.blob = *blob};
    ASSERT(str_copy(input.name, sizeof input.name, str_of(name)) == 0);
    return input;
}

// 1 with *ret, 0 and counted as waiting.
static int want(struct make *m, const struct flow_step_spec *spec,
                const struct flow_result **ret)
{
    int got = flow_want(m->run, spec, ret);
    m->waiting += got == 0;
    return got;
}

static int want_plan(struct make *m)
{
    AUTO(json_free) json_t *params = NULL, *json = NULL;
    TRY(json_made(json_pack("{s:O}", "ladder", m->wish->ladder), &params));
    struct flow_input inputs[] = {input_of("report", &m->inspected->report_blob),
                                  input_of("timeline", &m->inspected->timeline_blob)};
    struct flow_step_spec spec = {.name = "plan",
                                  .type = "plan",
                                  .params = params,
                                  .inputs = inputs,
                                  .input_count = ARRAY_LEN(inputs),
                                  .cost = COST_PLAN};
    const struct flow_result *result = NULL;
    int got = want(m, &spec, &result);
    if (got <= 0) {
        return got;
    }
    const struct flow_output *output = flow_result_output(result, "plan.json");
    FAIL_IF(!output, ERR_INTERNAL, "the plan is missing");
    m->plan_blob = output->blob;
    TRY(blob_json(store_blobs_of(flow_run_store(m->run)), &output->blob, &json));
    TRY(media_plan_from_json(json, &m->plan));
    m->renditions = json_incref(json_object_get(json, "renditions"));
    size_t count = m->plan->renditions.len;
    m->tracks = calloc(count + 1, sizeof *m->tracks);
    m->chunks = calloc(count * m->plan->chunks.len + 1, sizeof *m->chunks);
    FAIL_IF(!m->tracks || !m->chunks, ERR_NOMEM, "a plan");
    return 1;
}

// --- encodes ------------------------------------------------------------------------------------------

static int chunk_params(const struct make *m, const struct media_chunk *c,
                        double vbv_init, json_t **ret)
{
    AUTO(json_free) json_t *starts = json_array();
    for (int64_t s = c->first_segment; s <= c->end_segment; s++) {
        FAIL_IF(json_array_append_new(starts, json_integer(m->plan->segments.data[s])) !=
                    0,
                ERR_NOMEM, "a chunk");
    }
    return json_made(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:f, s:f}", "frames",
                  (json_int_t)m->plan->frames, "segment_count",
                  (json_int_t)m->plan->segments.len - 1, "first_segment",
                  (json_int_t)c->first_segment, "end_segment", (json_int_t)c->end_segment,
                  "start_frame", (json_int_t)c->start_frame, "end_frame",
                  (json_int_t)c->end_frame, "start_rap", (json_int_t)c->start_rap,
                  "origin_pts", (json_int_t)m->plan->origin_pts, "segments", starts,
                  "psnr_floor_db", m->plan->psnr_floor_db, "vbv_init", vbv_init),
        ret);
}

static int part_params(const struct make *m, int rendition, json_t **ret)
{
    return json_made(
        json_pack("{s:O}", "rendition", json_array_get(m->renditions, (size_t)rendition)),
        ret);
}

// One step that makes some renditions of a chunk; where done, *ret_blobs[i] is what each left.
static int want_encode(struct make *m, const char *type, const char *name,
                       const json_t *params, const int *renditions, size_t count,
                       int priority, int64_t cost, struct hash *ret_blobs)
{
    struct flow_part *parts = calloc(count + 1, sizeof *parts);
    json_t **owned = calloc(count + 1, sizeof *owned);
    int err = parts && owned ? 0 : ERR_NOMEM;
    for (size_t i = 0; err == 0 && i < count; i++) {
        err = part_params(m, renditions[i], &owned[i]);
        parts[i].params = owned[i];
        ASSERT(str_copy(parts[i].name, sizeof parts[i].name,
                        str_of(m->plan->renditions.data[renditions[i]].id)) == 0);
    }
    struct flow_input inputs[] = {input_of("film", &m->wish->source),
                                  input_of("report", &m->inspected->report_blob),
                                  input_of("timeline", &m->inspected->timeline_blob)};
    struct flow_step_spec spec = {.name = name,
                                  .type = type,
                                  .params = params,
                                  .inputs = inputs,
                                  .input_count = ARRAY_LEN(inputs),
                                  .parts = parts,
                                  .part_count = count,
                                  .priority = priority,
                                  .cost = cost};
    const struct flow_result *results = NULL;
    int got = err == 0 ? want(m, &spec, &results) : err;
    for (size_t i = 0; got == 1 && i < count; i++) {
        const struct flow_output *out = flow_result_output(&results[i], "encoded.json");
        if (!out) {
            got = err_fail(ERR_INTERNAL, "%s left nothing of %s", name, parts[i].name);
            break;
        }
        ret_blobs[i] = out->blob;
    }
    for (size_t i = 0; owned && i < count; i++) {
        json_free(&owned[i]);
    }
    free(owned);
    free(parts);
    return got;
}

static int64_t encode_cost(const struct make *m, const struct media_chunk *c,
                           const int *renditions, size_t count)
{
    int64_t cost = 0;
    for (size_t i = 0; i < count; i++) {
        const struct media_rendition *r = &m->plan->renditions.data[renditions[i]];
        cost += cost_of_pictures(r->codec, c->end_frame - c->start_frame,
                                 (int64_t)r->width * r->height);
    }
    return cost;
}

static int want_chunk(struct make *m, size_t chunk, const struct media_group *g)
{
    const struct media_chunk *c = &m->plan->chunks.data[chunk];
    AUTO(json_free) json_t *params = NULL;
    AUTO(cstr_free) char *name = NULL;
    TRY(cstr_printf(&name, "encode/c%05zu/%s", chunk, g->name));
    TRY(chunk_params(m, c, MEDIA_VBV_INIT, &params));
    size_t count = g->renditions.len;
    struct hash *blobs = calloc(count + 1, sizeof *blobs);
    FAIL_IF(!blobs, ERR_NOMEM, "a chunk");
    int got = want_encode(m, "encode.video", name, params, g->renditions.data, count, 0,
                          encode_cost(m, c, g->renditions.data, count), blobs);
    for (size_t i = 0; got == 1 && i < count; i++) {
        size_t rendition = (size_t)g->renditions.data[i];
        m->chunks[rendition * m->plan->chunks.len + chunk] = blobs[i];
    }
    free(blobs);
    return got;
}

static int want_video(struct make *m)
{
    for (size_t c = 0; c < m->plan->chunks.len; c++) {
        vec_for_each (group, &m->plan->groups) {
            TRY(want_chunk(m, c, group));
        }
    }
    return 0;
}

// A stream's renditions of sound together; `first` is the first of them.
static int want_sound_stream(struct make *m, size_t first)
{
    const struct media_rendition *r = m->plan->renditions.data;
    int indices[64];
    struct hash blobs[64] = {0};
    size_t count = 0;
    for (size_t i = first; i < m->plan->renditions.len; i++) {
        if (r[i].kind == MEDIA_RENDITION_AUDIO && r[i].stream == r[first].stream) {
            FAIL_IF(count == ARRAY_LEN(indices), ERR_LIMIT, "over 64 rungs of sound");
            indices[count++] = (int)i;
        }
    }
    struct media_chunk whole = {.end_segment = (int64_t)m->plan->segments.len - 1,
                                .end_frame = m->plan->frames,
                                .start_rap = -1};
    AUTO(json_free) json_t *params = NULL;
    AUTO(cstr_free) char *name = NULL;
    TRY(cstr_printf(&name, "encode/sound/s%d", r[first].stream));
    TRY(chunk_params(m, &whole, MEDIA_VBV_INIT, &params));
    int got = want_encode(m, "encode.audio", name, params, indices, count, 1,
                          cost_of_sound(m->inspected->duration_us), blobs);
    for (size_t i = 0; got == 1 && i < count; i++) {
        m->tracks[indices[i]] = blobs[i];
    }
    return got;
}

static int want_sound(struct make *m)
{
    const struct media_rendition *r = m->plan->renditions.data;
    for (size_t i = 0; i < m->plan->renditions.len; i++) {
        bool first = r[i].kind == MEDIA_RENDITION_AUDIO;
        for (size_t k = 0; k < i && first; k++) {
            first = r[k].kind != MEDIA_RENDITION_AUDIO || r[k].stream != r[i].stream;
        }
        if (first) {
            TRY(want_sound_stream(m, i));
        }
    }
    return 0;
}

// --- the proof across seams -----------------------------------------------------------------------------

static bool hash_is_zero(const struct hash *h)
{
    static const struct hash zero;
    return hash_eq(h, &zero);
}

// One attempt: all chunks of a rendition in one list, checked. *ret_bad is -1 when proved.
static int want_assembly(struct make *m, size_t rendition, int attempt, int64_t *ret_bad,
                         double *ret_init)
{
    size_t count = m->plan->chunks.len;
    AUTO(cstr_free) char *name = NULL;
    AUTO(json_free) json_t *params = NULL, *part = NULL;
    TRY(cstr_printf(&name, "assemble/%s/%d", m->plan->renditions.data[rendition].id,
                    attempt));
    TRY(json_made(json_pack("{s:I}", "chunks", (json_int_t)count), &params));
    TRY(part_params(m, (int)rendition, &part));
    struct flow_input *inputs = calloc(count + 1, sizeof *inputs);
    FAIL_IF(!inputs, ERR_NOMEM, "an assembly");
    int err = 0;
    for (size_t c = 0; err == 0 && c < count; c++) {
        AUTO(cstr_free) char *input = NULL;
        err = cstr_printf(&input, CHUNK_INPUT, c);
        if (err == 0) {
            inputs[c] = input_of(input, &m->chunks[rendition * count + c]);
        }
    }
    inputs[count] = input_of("timeline", &m->inspected->timeline_blob);
    struct flow_part main_part = {.name = "main", .params = part};
    struct flow_step_spec spec = {.name = name,
                                  .type = "assemble",
                                  .params = params,
                                  .inputs = inputs,
                                  .input_count = count + 1,
                                  .parts = &main_part,
                                  .part_count = 1,
                                  .cost = COST_ASSEMBLE};
    const struct flow_result *result = NULL;
    int got = err == 0 ? want(m, &spec, &result) : err;
    free(inputs);
    if (got <= 0) {
        return got;
    }
    const struct flow_output *track = flow_result_output(result, "track.json");
    FAIL_IF(!track, ERR_INTERNAL, "%s left no track", name);
    m->tracks[rendition] = track->blob;
    TRY(json_get_double(result->value, "vbv_init", ret_init));
    TRY(json_get_i64(result->value, "bad_chunk", -1, (int64_t)count - 1, ret_bad));
    return 1;
}

static int want_again(struct make *m, size_t rendition, int64_t chunk, double init,
                      int attempt)
{
    const struct media_chunk *c = &m->plan->chunks.data[chunk];
    AUTO(cstr_free) char *name = NULL;
    AUTO(json_free) json_t *params = NULL;
    int index = (int)rendition;
    TRY(cstr_printf(&name, "encode/c%05" PRId64 "/%s/again-%d", chunk,
                    m->plan->renditions.data[rendition].id, attempt));
    TRY(chunk_params(m, c, init, &params));
    struct hash blob = {0};
    int got = want_encode(m, "encode.video", name, params, &index, 1, 2,
                          encode_cost(m, c, &index, 1), &blob);
    if (got == 1) {
        m->chunks[rendition * m->plan->chunks.len + (size_t)chunk] = blob;
    }
    return got;
}

// Until no chunk overdraws what its predecessors left in the buffer. 1 when proved.
static int want_track(struct make *m, size_t rendition)
{
    for (size_t c = 0; c < m->plan->chunks.len; c++) {
        if (hash_is_zero(&m->chunks[rendition * m->plan->chunks.len + c])) {
            return 0;
        }
    }
    for (int attempt = 0; attempt < VBV_TRIES_MAX; attempt++) {
        int64_t bad = -1;
        double init = 0;
        int got = want_assembly(m, rendition, attempt, &bad, &init);
        if (got <= 0 || bad < 0) {
            return got;
        }
        got = want_again(m, rendition, bad, init, attempt);
        if (got <= 0) {
            return got;
        }
    }
    FAIL(ERR_CORRUPT, "%s: the buffer does not hold after %d attempts",
         m->plan->renditions.data[rendition].id, VBV_TRIES_MAX);
}

// --- captions and stills -----------------------------------------------------------------------------------

// "captions/en.vtt", and "captions/en-2.vtt" for a second one.
static int caption_name(struct make *m, const char *language, char **ret_id,
                        char **ret_path)
{
    char tag[16] = "und";
    size_t len = strspn(language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-");
    if (len > 0 && len < sizeof tag && language[len] == 0) {
        TRY(str_copy(tag, sizeof tag, str_of(language)));
    }
    size_t same = 1;
    for (size_t i = 0; i < json_array_size(m->tags); i++) {
        same += strcmp(json_string_value(json_array_get(m->tags, i)), tag) == 0;
    }
    FAIL_IF(json_array_append_new(m->tags, json_string(tag)) != 0, ERR_NOMEM, "captions");
    AUTO(cstr_free) char *suffix = NULL;
    TRY(same > 1 ? cstr_printf(&suffix, "-%zu", same) : cstr_dup(&suffix, ""));
    TRY(cstr_printf(ret_id, "text-%s%s", tag, suffix));
    return cstr_printf(ret_path, "captions/%s%s.vtt", tag, suffix);
}

struct caption {
    const char *language, *title;
    bool is_default;
    json_t *params; // taken; "path" is added
    struct flow_input inputs[2];
    size_t input_count;
};

static int want_caption(struct make *m, const struct caption *c)
{
    AUTO(json_free) json_t *params = c->params;
    AUTO(cstr_free) char *id = NULL, *path = NULL, *name = NULL;
    TRY(caption_name(m, c->language, &id, &path));
    TRY(cstr_printf(&name, "captions/%s", id));
    FAIL_IF(json_object_set_new(params, "path", json_string(path)) != 0, ERR_NOMEM,
            "captions");
    struct flow_step_spec spec = {.name = name,
                                  .type = "captions",
                                  .params = params,
                                  .inputs = c->inputs,
                                  .input_count = c->input_count,
                                  .cost = COST_CAPTIONS};
    const struct flow_result *result = NULL;
    int got = want(m, &spec, &result);
    TRY(got);
    json_t *files = got == 1 ? json_object_get(result->value, "files") : NULL;
    if (got == 1 && json_array_size(files) == 0) {
        return 0; // no cue: no track
    }
    json_t *item = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:s, s:b}", "id", id, "language",
                            c->language, "title", c->title, "path", path, "is_default",
                            c->is_default),
                  &item));
    FAIL_IF(json_array_append_new(m->captions, item) != 0, ERR_NOMEM, "captions");
    if (got == 1 && json_array_extend(m->files, files) != 0) {
        FAIL(ERR_NOMEM, "captions");
    }
    return 0;
}

static int want_embedded(struct make *m, const struct media_source *source,
                         const struct media_stream *text)
{
    struct rational tb = source->streams.data[source->video].time_base;
    struct caption c = {.language = text->language,
                        .title = text->title,
                        .is_default = text->is_default,
                        .inputs = {input_of("film", &m->wish->source),
                                   input_of("report", &m->inspected->report_blob)},
                        .input_count = 2};
    TRY(json_made(json_pack("{s:i, s:I, s:i, s:i}", "stream", text->index, "origin_pts",
                            (json_int_t)m->plan->origin_pts, "time_base_num", tb.num,
                            "time_base_den", tb.den),
                  &c.params));
    return want_caption(m, &c);
}

static int want_captions(struct make *m)
{
    const struct media_source *source = m->inspected->report->source;
    for (size_t i = 0; i < source->streams.len; i++) {
        if (source->streams.data[i].kind == MEDIA_TEXT) {
            TRY(want_embedded(m, source, &source->streams.data[i]));
        }
    }
    for (size_t i = 0; i < json_array_size(m->wish->captions); i++) {
        const json_t *loaded = json_array_get(m->wish->captions, i);
        const char *hex = NULL, *file_name = NULL;
        struct hash blob = {0};
        struct caption c = {.title = "", .input_count = 1};
        TRY(json_get_str(loaded, "blob", &hex));
        TRY(json_get_str(loaded, "file_name", &file_name));
        TRY(json_get_str(loaded, "language", &c.language));
        TRY(hash_parse(str_of(hex), &blob));
        c.inputs[0] = input_of("captions", &blob);
        TRY(json_made(json_pack("{s:s}", "file_name", file_name), &c.params));
        TRY(want_caption(m, &c));
    }
    return 0;
}

static int64_t stills_count(const json_t *stills)
{
    int64_t most = -1;
    for (size_t i = 0; i < json_array_size(stills); i++) {
        json_int_t grid =
            json_integer_value(json_array_get(json_array_get(stills, i), 0));
        most = MAX(most, grid);
    }
    return most + 1;
}

static int want_stills(struct make *m)
{
    const struct inspected *in = m->inspected;
    size_t count = json_array_size(in->stills);
    struct flow_input *inputs = calloc(count + 3, sizeof *inputs);
    AUTO(json_free)
    json_t *params =
        json_pack("{s:I, s:I, s:I, s:i}", "stills", (json_int_t)stills_count(in->stills),
                  "still_every_us", (json_int_t)in->still_every_us, "duration_us",
                  (json_int_t)MAX(in->duration_us, 1), "poster_width", POSTER_WIDTH);
    int err = inputs && params ? 0 : ERR_NOMEM;
    for (size_t i = 0; err == 0 && i < count; i++) {
        const json_t *still = json_array_get(in->stills, i);
        struct hash blob = {0};
        AUTO(cstr_free) char *name = NULL;
        err = cstr_printf(&name, STILL_NAME,
                          (int64_t)json_integer_value(json_array_get(still, 0)));
        if (err == 0) {
            err = hash_parse(str_of(json_string_value(json_array_get(still, 2))), &blob);
            inputs[i] = input_of(name, &blob);
        }
    }
    const struct flow_result *result = NULL;
    int got = err;
    if (err == 0) {
        inputs[count] = input_of("film", &m->wish->source);
        inputs[count + 1] = input_of("report", &in->report_blob);
        inputs[count + 2] = input_of("timeline", &in->timeline_blob);
        struct flow_step_spec spec = {.name = "stills",
                                      .type = "stills",
                                      .params = params,
                                      .inputs = inputs,
                                      .input_count = count + 3,
                                      .cost = COST_STILLS};
        got = want(m, &spec, &result);
    }
    free(inputs);
    if (got != 1) {
        return got;
    }
    json_t *files = NULL, *sprites = NULL;
    const char *tint = NULL;
    TRY(json_get_array(result->value, "files", &files));
    TRY(json_get_str(result->value, "tint", &tint));
    TRY(str_copy(m->tint, sizeof m->tint, str_of(tint)));
    TRY(json_get_object(result->value, "sprites", &sprites));
    m->sprites = json_incref(sprites);
    FAIL_IF(json_array_extend(m->files, files) != 0, ERR_NOMEM, "stills");
    return 1;
}

// --- package ---------------------------------------------------------------------------------------------

static int want_join(struct make *m, struct packaged *ret)
{
    size_t count = m->plan->renditions.len;
    struct flow_input *inputs = calloc(count + 2, sizeof *inputs);
    AUTO(json_free)
    json_t *params = json_pack("{s:O, s:O, s:O}", "captions", m->captions, "files",
                               m->files, "sprites", m->sprites);
    int err = inputs && params ? 0 : ERR_NOMEM;
    for (size_t i = 0; err == 0 && i < count; i++) {
        AUTO(cstr_free) char *name = NULL;
        err = cstr_printf(&name, TRACK_INPUT, m->plan->renditions.data[i].id);
        if (err == 0) {
            inputs[i] = input_of(name, &m->tracks[i]);
        }
    }
    const struct flow_result *result = NULL;
    int got = err;
    if (err == 0) {
        inputs[count] = input_of("plan", &m->plan_blob);
        inputs[count + 1] = input_of("timeline", &m->inspected->timeline_blob);
        struct flow_step_spec spec = {.name = "package",
                                      .type = "package",
                                      .params = params,
                                      .inputs = inputs,
                                      .input_count = count + 2,
                                      .cost = COST_PACKAGE};
        got = want(m, &spec, &result);
    }
    free(inputs);
    if (got != 1) {
        return got;
    }
    const char *hex = NULL;
    TRY(json_get_str(result->value, "package", &hex));
    TRY(hash_parse(str_of(hex), &ret->package));
    TRY(json_get_i64(result->value, "duration_us", 0, INT64_MAX, &ret->duration_us));
    memcpy(ret->tint, m->tint, sizeof ret->tint);
    return 1;
}

static int64_t tracks_of(const struct make *m)
{
    int64_t count = 0;
    vec_for_each (r, &m->plan->renditions) {
        count += r->kind == MEDIA_RENDITION_VIDEO;
    }
    return count;
}

int want_package(struct flow_run *run, const struct wish *wish,
                 const struct inspected *inspected, struct packaged *ret)
{
    AUTO(make_clear)
    struct make m = {.run = run, .wish = wish, .inspected = inspected};
    m.captions = json_array();
    m.tags = json_array();
    m.files = json_array();
    int got = want_plan(&m);
    if (got <= 0) {
        return got;
    }
    TRY(flow_expect(run, "encode.video", 0)); // all of it is wanted below
    TRY(flow_expect(run, "encode.audio", 0));
    TRY(flow_expect(run, "assemble", COST_ASSEMBLE * tracks_of(&m)));
    TRY(want_video(&m));
    TRY(want_sound(&m));
    TRY(want_captions(&m));
    TRY(want_stills(&m));
    for (size_t i = 0; i < m.plan->renditions.len; i++) {
        if (m.plan->renditions.data[i].kind == MEDIA_RENDITION_VIDEO) {
            TRY(want_track(&m, i));
        }
    }
    return m.waiting > 0 ? 0 : want_join(&m, ret);
}
