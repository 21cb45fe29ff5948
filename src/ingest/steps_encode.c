// SPDX-License-Identifier: GPL-3.0-or-later
//
// plan, encode.video, encode.audio, assemble.
//
// What an encoding step is told is what decides its bytes, and no more: the chunk, its segments,
// the rendition. The plan as a whole is no input, so that a longer ladder reuses what is there.
#include "ingest/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 1 << 20 };

int step_plan(struct flow_step *step)
{
    json_t *ladder_json = NULL;
    TRY(json_get_object(flow_step_params(step), "ladder", &ladder_json));
    AUTO(media_ladder_free) struct media_ladder *ladder = NULL;
    TRY(media_ladder_from_json(ladder_json, &ladder));
    AUTO(media_report_free) struct media_report *report = NULL;
    TRY(step_report(step, "report", &report));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(step_timeline(step, "timeline", &timeline));
    AUTO(media_plan_free) struct media_plan *plan = NULL;
    TRY(media_plan_make(report, timeline, ladder, &plan));
    AUTO(json_free) json_t *json = NULL;
    TRY(media_plan_to_json(plan, &json));
    TRY(step_write_json(step, PART_MAIN, "plan.json", json));
    return flow_step_result(step, PART_MAIN, json_object());
}

// --- a plan of just this work --------------------------------------------------------------------

// Renditions in the order of the step's parts, through the plan's own reader.
static int plan_of_renditions(const json_t *renditions, double psnr_floor_db,
                              struct media_plan **ret)
{
    AUTO(json_free) json_t *json = NULL;
    TRY(json_made(
        json_pack("{s:i, s:O, s:[i,i], s:[{s:i,s:i,s:i,s:i,s:i}], s:[], s:i, s:f}",
                  "frames", 1, "renditions", renditions, "segments", 0, 1, "chunks",
                  "first_segment", 0, "end_segment", 1, "start_frame", 0, "end_frame", 1,
                  "start_rap", -1, "groups", "origin_pts", 0, "psnr_floor_db",
                  psnr_floor_db),
        &json));
    return media_plan_from_json(json, ret);
}

static int part_renditions(const struct flow_step *step, json_t **ret)
{
    AUTO(json_free) json_t *array = json_array();
    FAIL_IF(!array, ERR_NOMEM, "renditions");
    for (size_t i = 0; i < flow_step_part_count(step); i++) {
        json_t *one = NULL;
        TRY(json_get_object(flow_step_part_params(step, i), "rendition", &one));
        FAIL_IF(json_array_append(array, one) != 0, ERR_NOMEM, "renditions");
    }
    *ret = TAKE(array);
    return 0;
}

// The segments of the chunk at their places; those of other chunks are not known here.
static int chunk_place(const json_t *params, struct media_plan *plan,
                       struct media_chunk *ret)
{
    json_t *starts = NULL;
    struct media_chunk c = {0};
    int64_t segments = 0;
    TRY(json_get_i64(params, "frames", 1, INT64_MAX, &plan->frames));
    TRY(json_get_i64(params, "segment_count", 1, SEGMENTS_MAX, &segments));
    TRY(json_get_i64(params, "first_segment", 0, segments - 1, &c.first_segment));
    TRY(json_get_i64(params, "end_segment", c.first_segment + 1, segments,
                     &c.end_segment));
    TRY(json_get_i64(params, "start_frame", 0, plan->frames, &c.start_frame));
    TRY(json_get_i64(params, "end_frame", c.start_frame, plan->frames, &c.end_frame));
    TRY(json_get_i64(params, "start_rap", -1, INT64_MAX, &c.start_rap));
    TRY(json_get_array(params, "segments", &starts));
    FAIL_IF((int64_t)json_array_size(starts) != c.end_segment - c.first_segment + 1,
            ERR_INVALID, "a chunk with %zu segment starts", json_array_size(starts));
    TRY(vec_reserve(&plan->segments, (size_t)segments + 1));
    memset(plan->segments.data, 0, ((size_t)segments + 1) * sizeof(int64_t));
    plan->segments.len = (size_t)segments + 1;
    for (size_t i = 0; i < json_array_size(starts); i++) {
        plan->segments.data[(size_t)c.first_segment + i] =
            json_integer_value(json_array_get(starts, i));
    }
    plan->segments.data[segments] = plan->frames;
    plan->chunks.data[0] = c;
    *ret = c;
    return 0;
}

// --- what encoders write --------------------------------------------------------------------------

struct encode_sink {
    struct flow_step *step;
    json_t *files; // rendition → [{"path","hash","bytes"}]
};

static int encode_write(void *user, const char *rendition, const char *path,
                        const void *bytes, size_t len)
{
    struct encode_sink *sink = user;
    TRY(step_write(sink->step, rendition, path, bytes, len));
    json_t *list = json_object_get(sink->files, rendition);
    FAIL_IF(!list, ERR_INTERNAL, "an unexpected rendition %s", rendition);
    return file_add(list, path, bytes, len);
}

static void encode_progress(void *user, int64_t done, int64_t total)
{
    struct encode_sink *sink = user;
    flow_step_progress(sink->step, done, total);
}

static int encoded_result(struct flow_step *step, const struct media_encoded *encoded,
                          const json_t *files, const char *part)
{
    AUTO(json_free) json_t *json = NULL, *output = NULL;
    TRY(media_encoded_to_json(encoded, &json));
    TRY(json_made(
        json_pack("{s:[O], s:O}", "encoded", json, "files", json_object_get(files, part)),
        &output));
    TRY(step_write_json(step, part, "encoded.json", output));
    json_t *value = NULL;
    TRY(json_made(json_pack("{s:I, s:f}", "frames", (json_int_t)encoded->frames,
                            "psnr_min_db", encoded->psnr_min_db),
                  &value));
    return flow_step_result(step, part, value);
}

// Frames, bytes and the time of film that they are, by codec and, for pictures, height.
static void count_encoded(struct flow_step *step, const struct media_rendition *r,
                          const struct media_encoded *encoded)
{
    struct meter *m = flow_step_meter(step);
    char height[16];
    // As the rung is named, which is one of a few; a wide picture's own height may be any.
    int class = media_rendition_class(r);
    snprintf(height, sizeof height, "%d", class);
    const struct meter_tag picture[] = {{"codec", r->codec}, {"height", height}, {0}};
    const struct meter_tag sound[] = {{"codec", r->codec}, {0}};
    const struct meter_tag *tags = class > 0 ? picture : sound;
    int64_t bytes = 0, ticks = 0;
    vec_for_each (segment, &encoded->segments) {
        bytes += segment->bytes;
        ticks += segment->duration;
    }
    meter_counter_add(meter_counter_of(m, "marquee.encode.frames", tags),
                      (uint64_t)MAX(encoded->frames, INT64_C(0)));
    meter_counter_add(meter_counter_of(m, "marquee.encode.bytes", tags), (uint64_t)bytes);
    meter_timer_add_us(meter_timer_of(m, "marquee.encode.film", tags),
                       (int64_t)((double)ticks / (double)r->timescale * 1e6));
}

typedef int media_encode_f(const struct media_input *, const struct media_encode_config *,
                           struct media_encoded *);

static int encode(struct flow_step *step, struct media_encode_config *config,
                  media_encode_f *run)
{
    size_t count = flow_step_part_count(step);
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, "film", &blob));
    struct media_input input = blob_input(blob);
    AUTO(json_free) json_t *files = json_object();
    for (size_t i = 0; i < count; i++) {
        FAIL_IF(json_object_set_new(files, flow_step_part_name(step, i), json_array()) !=
                    0,
                ERR_NOMEM, "a step's files");
    }
    struct encode_sink sink = {step, files};
    int *indices = calloc(count, sizeof *indices);
    struct media_encoded *encoded = calloc(count, sizeof *encoded);
    int err = indices && encoded ? 0 : ERR_NOMEM;
    for (size_t i = 0; err == 0 && i < count; i++) {
        indices[i] = (int)i;
    }
    config->renditions = indices;
    config->rendition_count = count;
    config->write = encode_write;
    config->progress = encode_progress;
    config->user = &sink;
    if (err == 0) {
        err = run(&input, config, encoded);
    }
    for (size_t i = 0; err == 0 && i < count; i++) {
        err = encoded_result(step, &encoded[i], files, flow_step_part_name(step, i));
        count_encoded(step, &config->plan->renditions.data[i], &encoded[i]);
    }
    for (size_t i = 0; encoded && i < count; i++) {
        media_encoded_clear(&encoded[i]);
    }
    free(encoded);
    free(indices);
    return err;
}

static int encode_step(struct flow_step *step, media_encode_f *run)
{
    const json_t *params = flow_step_params(step);
    AUTO(json_free) json_t *renditions = NULL;
    TRY(part_renditions(step, &renditions));
    double floor_db = 0;
    TRY(json_get_double(params, "psnr_floor_db", &floor_db));
    AUTO(media_plan_free) struct media_plan *plan = NULL;
    TRY(plan_of_renditions(renditions, floor_db, &plan));
    struct media_encode_config config = {.plan = plan};
    TRY(json_get_double(params, "vbv_init", &config.vbv_init));
    TRY(json_get_i64(params, "origin_pts", INT64_MIN, INT64_MAX, &plan->origin_pts));
    TRY(chunk_place(params, plan, &config.chunk));
    AUTO(media_report_free) struct media_report *report = NULL;
    TRY(step_report(step, "report", &report));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(step_timeline(step, "timeline", &timeline));
    config.report = report;
    config.timeline = timeline;
    return encode(step, &config, run);
}

int step_encode_video(struct flow_step *step)
{
    return encode_step(step, media_encode_video);
}

int step_encode_audio(struct flow_step *step)
{
    return encode_step(step, media_encode_audio);
}

// --- assemble --------------------------------------------------------------------------------------

// One rendition's chunks in one list, and whether its buffer holds across their seams. A file
// that several chunks made (the initialisation) must be the same in all of them.
static int assemble_files(json_t *into, const json_t *from)
{
    for (size_t i = 0; i < json_array_size(from); i++) {
        json_t *file = json_array_get(from, i);
        const char *path = json_str_or(file, "path", "");
        bool known = false;
        for (size_t k = 0; k < json_array_size(into) && !known; k++) {
            const json_t *other = json_array_get(into, k);
            known = strcmp(json_str_or(other, "path", ""), path) == 0;
            FAIL_IF(known && !json_equal(other, file), ERR_CORRUPT,
                    "two chunks made %s differently", path);
        }
        FAIL_IF(!known && json_array_append(into, file) != 0, ERR_NOMEM, "files");
    }
    return 0;
}

static int assemble_chunk(struct flow_step *step, size_t index, json_t *encoded,
                          json_t *files, struct media_encoded *ret)
{
    AUTO(cstr_free) char *name = NULL;
    TRY(cstr_printf(&name, CHUNK_INPUT, index));
    AUTO(json_free) json_t *chunk = NULL;
    TRY(flow_step_input_json(step, name, &chunk));
    json_t *list = NULL, *more = NULL;
    TRY(json_get_array(chunk, "encoded", &list));
    TRY(json_get_array(chunk, "files", &more));
    FAIL_IF(json_array_append(encoded, json_array_get(list, 0)) != 0, ERR_NOMEM,
            "chunks");
    TRY(assemble_files(files, more));
    return media_encoded_from_json(json_array_get(list, 0), ret);
}

static int assemble(struct flow_step *step, struct media_encoded *chunks, size_t count,
                    json_t **ret_value)
{
    AUTO(json_free) json_t *encoded = json_array(), *files = json_array();
    FAIL_IF(!encoded || !files, ERR_NOMEM, "a track");
    for (size_t i = 0; i < count; i++) {
        TRY(assemble_chunk(step, i, encoded, files, &chunks[i]));
    }
    AUTO(json_free) json_t *renditions = NULL;
    TRY(part_renditions(step, &renditions));
    AUTO(media_plan_free) struct media_plan *plan = NULL;
    TRY(plan_of_renditions(renditions, 0, &plan));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(step_timeline(step, "timeline", &timeline));
    int64_t bad = -1;
    double init = 0;
    TRY(media_vbv_check(&plan->renditions.data[0], timeline, chunks, count, &bad, &init));
    AUTO(json_free) json_t *track = NULL;
    TRY(json_made(json_pack("{s:O, s:O}", "encoded", encoded, "files", files), &track));
    TRY(step_write_json(step, PART_MAIN, "track.json", track));
    return json_made(
        json_pack("{s:I, s:f}", "bad_chunk", (json_int_t)bad, "vbv_init", init),
        ret_value);
}

int step_assemble(struct flow_step *step)
{
    int64_t count = 0;
    TRY(json_get_i64(flow_step_params(step), "chunks", 1, 1 << 20, &count));
    struct media_encoded *chunks = calloc((size_t)count, sizeof *chunks);
    FAIL_IF(!chunks, ERR_NOMEM, "%lld chunks", (long long)count);
    json_t *value = NULL;
    int err = assemble(step, chunks, (size_t)count, &value);
    for (int64_t i = 0; i < count; i++) {
        media_encoded_clear(&chunks[i]);
    }
    free(chunks);
    TRY(err);
    return flow_step_result(step, PART_MAIN, value);
}
