// SPDX-License-Identifier: GPL-3.0-or-later
//
// probe, inspect.range, inspect.audio, inspect.merge. What is wrong with a film is a result of
// these steps, never their failure; they fail where the machine does, or where a decoder crashes.
#include "ingest/steps.h"

#include <inttypes.h>
#include <stdlib.h>

// A healthy probe reads a gigabyte in seconds; a decoder needs well under a second of CPU time for
// each second of film and megabyte of file.
static int64_t cpu_limit_s(int64_t bytes, int64_t duration_us)
{
    return 120 + bytes / (1 << 20) + 20 * (duration_us / 1000000);
}

static int ranges_json(const struct media_source *source,
                       const struct media_timeline *timeline, int wanted, json_t **ret)
{
    struct media_ranges ranges = {0};
    AUTO(json_free) json_t *array = json_array();
    int err = array ? media_ranges_plan(source, timeline, wanted, &ranges) : ERR_NOMEM;
    for (size_t i = 0; err == 0 && i < ranges.items.len; i++) {
        const struct media_range *r = &ranges.items.data[i];
        json_t *pair =
            json_pack("[I,I]", (json_int_t)r->start_rap, (json_int_t)r->end_rap);
        err = json_array_append_new(array, pair) == 0 ? 0 : ERR_NOMEM;
    }
    vec_free(&ranges.items);
    TRY(err);
    *ret = TAKE(array);
    return 0;
}

static bool has_sound(const struct media_source *source)
{
    for (size_t i = 0; i < source->streams.len; i++) {
        if (source->streams.data[i].kind == MEDIA_AUDIO) {
            return true;
        }
    }
    return false;
}

static int probe_value(const struct media_source *source,
                       const struct media_timeline *timeline, int wanted, json_t **ret)
{
    AUTO(json_free) json_t *ranges = json_array();
    bool pictures = source && timeline && source->video >= 0 && timeline->count > 0;
    if (pictures) {
        json_free(&ranges);
        TRY(ranges_json(source, timeline, wanted, &ranges));
    }
    return json_made(json_pack("{s:b, s:b, s:I, s:I, s:O}", "readable", source != NULL,
                               "sound", source && has_sound(source), "duration_us",
                               (json_int_t)(source ? source->duration_us : 0), "frames",
                               (json_int_t)(pictures ? timeline->count : 0), "ranges",
                               ranges),
                     ret);
}

static int probe_outputs(struct flow_step *step, const struct media_source *source,
                         const struct media_timeline *timeline,
                         const struct findings *findings)
{
    AUTO(json_free) json_t *list = NULL;
    TRY(findings_to_json(findings, &list));
    TRY(step_write_json(step, PART_MAIN, "findings.json", list));
    if (source) {
        AUTO(json_free) json_t *json = NULL;
        TRY(media_source_to_json(source, &json));
        TRY(step_write_json(step, PART_MAIN, "source.json", json));
    }
    if (timeline) {
        AUTO(buf_free) struct buf bytes = {0};
        TRY(media_timeline_write(timeline, &bytes));
        TRY(step_write(step, PART_MAIN, "timeline.bin", bytes.data, bytes.len));
    }
    return 0;
}

int step_probe(struct flow_step *step)
{
    int wanted = 0;
    TRY(json_get_int(flow_step_params(step), "ranges", 0, 1000, &wanted));
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, "film", &blob));
    struct media_input input = blob_input(blob);
    step_limit_cpu(cpu_limit_s(input.size, 0));
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    int err = media_probe(&input, &source, &timeline, &findings);
    if (err < 0) {
        TRY(ingest_fault(&findings, "probe", err, err_reason()));
    }
    TRY(probe_outputs(step, source, timeline, &findings));
    json_t *value = NULL;
    TRY(probe_value(source, timeline, wanted, &value));
    return flow_step_result(step, PART_MAIN, value);
}

struct range_sink {
    struct flow_step *step;
    json_t *stills; // [[grid, frame]…]
};

static int range_still(void *user, int64_t grid_index, int64_t frame, const void *jpeg,
                       size_t len)
{
    struct range_sink *sink = user;
    AUTO(cstr_free) char *name = NULL;
    TRY(cstr_printf(&name, STILL_NAME, grid_index));
    TRY(step_write(sink->step, PART_MAIN, name, jpeg, len));
    json_t *pair = json_pack("[I,I]", (json_int_t)grid_index, (json_int_t)frame);
    FAIL_IF(json_array_append_new(sink->stills, pair) != 0, ERR_NOMEM, "a still");
    return 0;
}

static void range_progress(void *user, int64_t done, int64_t total)
{
    struct range_sink *sink = user;
    flow_step_progress(sink->step, done, total);
}

int step_inspect_range(struct flow_step *step)
{
    const json_t *params = flow_step_params(step);
    struct media_inspect_config config = {.progress = range_progress,
                                          .still = range_still};
    TRY(json_get_i64(params, "start_rap", -1, INT64_MAX, &config.range.start_rap));
    TRY(json_get_i64(params, "end_rap", -1, INT64_MAX, &config.range.end_rap));
    TRY(json_get_i64(params, "still_every_us", 1, INT64_MAX, &config.still_every_us));
    TRY(json_get_int(params, "still_width", 16, 4096, &config.still_width));
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, "film", &blob));
    struct media_input input = blob_input(blob);
    AUTO(media_source_free) struct media_source *source = NULL;
    TRY(step_source(step, "source", &source));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(step_timeline(step, "timeline", &timeline));
    AUTO(json_free) json_t *stills = json_array();
    struct range_sink sink = {step, stills};
    config.source = source;
    config.timeline = timeline;
    config.user = &sink;
    step_limit_cpu(cpu_limit_s(input.size, source->duration_us));
    AUTO(buf_free) struct buf out = {0};
    TRY(media_inspect_video(&input, &config, &out));
    TRY(step_write(step, PART_MAIN, "range.bin", out.data, out.len));
    json_t *value = NULL;
    TRY(json_made(
        json_pack("{s:O, s:I}", "stills", stills, "cpu_us", (json_int_t)clock_cpu_us()),
        &value));
    return flow_step_result(step, PART_MAIN, value);
}

int step_inspect_audio(struct flow_step *step)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, "film", &blob));
    struct media_input input = blob_input(blob);
    AUTO(media_source_free) struct media_source *source = NULL;
    TRY(step_source(step, "source", &source));
    step_limit_cpu(cpu_limit_s(input.size, source->duration_us));
    AUTO(buf_free) struct buf out = {0};
    TRY(media_inspect_audio(&input, source, step_progress, step, &out));
    TRY(step_write(step, PART_MAIN, "audio.bin", out.data, out.len));
    return flow_step_result(step, PART_MAIN, json_object());
}

static int range_blobs(struct flow_step *step, struct buf *bytes, struct str *views,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(cstr_free) char *name = NULL;
        TRY(cstr_printf(&name, "range-%zu", i));
        TRY(step_read(step, name, &bytes[i]));
        views[i] = buf_view(&bytes[i]);
    }
    return 0;
}

static int merge(struct flow_step *step, const struct str *ranges, size_t count,
                 struct media_report **ret, struct media_timeline **ret_timeline)
{
    AUTO(media_source_free) struct media_source *source = NULL;
    TRY(step_source(step, "source", &source));
    AUTO(media_timeline_free) struct media_timeline *promised = NULL;
    TRY(step_timeline(step, "timeline", &promised));
    AUTO(buf_free) struct buf audio = {0};
    if (flow_step_has_input(step, "audio")) {
        TRY(step_read(step, "audio", &audio));
    }
    AUTO(json_free) json_t *json = NULL;
    TRY(flow_step_input_json(step, "findings", &json));
    AUTO(findings_free) struct findings findings = {0};
    TRY(findings_from_json(json, &findings));
    return media_inspect_merge(source, promised, ranges, count, buf_view(&audio),
                               &findings, ret, ret_timeline);
}

int step_inspect_merge(struct flow_step *step)
{
    int count = 0;
    TRY(json_get_int(flow_step_params(step), "ranges", 0, 1000, &count));
    size_t ranges = (size_t)count;
    struct buf *bytes = calloc(ranges + 1, sizeof *bytes);
    struct str *views = calloc(ranges + 1, sizeof *views);
    AUTO(media_report_free) struct media_report *report = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    int err = bytes && views ? range_blobs(step, bytes, views, ranges) : ERR_NOMEM;
    if (err == 0) {
        err = merge(step, views, ranges, &report, &timeline);
    }
    for (size_t i = 0; bytes && i < ranges; i++) {
        buf_free(&bytes[i]);
    }
    free(bytes);
    free(views);
    TRY(err);
    AUTO(json_free) json_t *json = NULL;
    TRY(media_report_to_json(report, &json));
    TRY(step_write_json(step, PART_MAIN, "report.json", json));
    AUTO(buf_free) struct buf out = {0};
    TRY(media_timeline_write(timeline, &out));
    TRY(step_write(step, PART_MAIN, "timeline.bin", out.data, out.len));
    json_t *value = NULL;
    TRY(json_made(json_pack("{s:I}", "frames", (json_int_t)report->frames), &value));
    return flow_step_result(step, PART_MAIN, value);
}
