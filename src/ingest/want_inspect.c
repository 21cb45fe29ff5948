// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first half of the workflow: what is in the film, and what is wrong with it. Whatever the
// film is to blame for ends in findings; <0 only for failures of the machine.
#include "ingest/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES_MAX = 1000, STILL_WIDTH = 240 };

struct probed {
    bool readable, sound;
    int64_t duration_us;
    int64_t look_cost; // of all ranges
    json_t *ranges;    // borrowed
    const struct flow_output *source, *timeline, *findings;
};

void inspected_clear(struct inspected *i)
{
    media_report_free(&i->report);
    findings_free(&i->findings);
    json_free(&i->report_json);
    json_free(&i->stills);
}

static struct flow_input input_of(const char *name, const struct hash *blob)
{
    struct flow_input input = {.blob = *blob};
    ASSERT(str_copy(input.name, sizeof input.name, str_of(name)) == 0);
    return input;
}

static int probed_read(const struct flow_result *result, struct probed *ret)
{
    struct probed p = {.source = flow_result_output(result, "source.json"),
                       .timeline = flow_result_output(result, "timeline.bin"),
                       .findings = flow_result_output(result, "findings.json")};
    TRY(json_get_bool(result->value, "readable", &p.readable));
    TRY(json_get_bool(result->value, "sound", &p.sound));
    TRY(json_get_i64(result->value, "duration_us", INT64_MIN, INT64_MAX, &p.duration_us));
    TRY(json_get_array(result->value, "ranges", &p.ranges));
    FAIL_IF(!p.findings, ERR_INTERNAL, "the probe left no findings");
    *ret = p;
    return 0;
}

static int findings_of(struct flow_run *run, const struct flow_output *output,
                       struct findings *out)
{
    AUTO(json_free) json_t *json = NULL;
    TRY(blob_json(store_blobs_of(flow_run_store(run)), &output->blob, &json));
    return findings_from_json(json, out);
}

// A report of what is known without pictures: streams and findings.
static int report_without_pictures(struct flow_run *run, const struct probed *probed,
                                   struct inspected *ret)
{
    AUTO(media_source_free) struct media_source *source = NULL;
    if (probed && probed->source) {
        AUTO(json_free) json_t *json = NULL;
        TRY(blob_json(store_blobs_of(flow_run_store(run)), &probed->source->blob, &json));
        TRY(media_source_from_json(json, &source));
    }
    findings_sort(&ret->findings);
    TRY(ingest_report_partial(source, &ret->findings, &ret->report_json));
    ret->duration_us = probed ? probed->duration_us : 0;
    return 1;
}

static int fault(struct flow_run *run, const struct probed *probed, const char *stage,
                 int err, struct inspected *ret)
{
    AUTO(cstr_free) char *reason = NULL;
    TRY(cstr_dup(&reason, err_reason()));
    if (probed) {
        TRY(findings_of(run, probed->findings, &ret->findings));
    }
    TRY(ingest_fault(&ret->findings, stage, err, reason));
    return report_without_pictures(run, probed, ret);
}

static int want_probe(struct flow_run *run, const struct wish *wish,
                      const struct flow_result **ret)
{
    AUTO(json_free) json_t *params = NULL;
    TRY(json_made(json_pack("{s:i}", "ranges", 0), &params));
    struct flow_input input = input_of("film", &wish->source);
    struct flow_step_spec spec = {.name = "probe",
                                  .type = "probe",
                                  .params = params,
                                  .inputs = &input,
                                  .input_count = 1,
                                  // What is no film is said before others are encoded.
                                  .urgency = 1,
                                  .cost = COST_PROBE};
    return flow_want(run, &spec, ret);
}

// One thumbnail a second, or some two hundred for a long film.
static int64_t still_every(int64_t duration_us)
{
    return CLAMP(duration_us / 200 / 1000 * 1000, INT64_C(1000000), INT64_C(10000000));
}

static int want_range(struct flow_run *run, const struct wish *wish,
                      const struct probed *probed, size_t index,
                      const struct flow_result **ret)
{
    const json_t *pair = json_array_get(probed->ranges, index);
    AUTO(json_free) json_t *params = NULL;
    AUTO(cstr_free) char *name = NULL;
    TRY(cstr_printf(&name, "inspect/r%03zu", index));
    TRY(json_made(json_pack("{s:I, s:I, s:I, s:i}", "start_rap",
                            json_integer_value(json_array_get(pair, 0)), "end_rap",
                            json_integer_value(json_array_get(pair, 1)), "still_every_us",
                            (json_int_t)still_every(probed->duration_us), "still_width",
                            STILL_WIDTH),
                  &params));
    struct flow_input inputs[] = {input_of("film", &wish->source),
                                  input_of("source", &probed->source->blob),
                                  input_of("timeline", &probed->timeline->blob)};
    int64_t ranges = (int64_t)json_array_size(probed->ranges);
    struct flow_step_spec spec = {.name = name,
                                  .type = "inspect.range",
                                  .params = params,
                                  .inputs = inputs,
                                  .input_count = ARRAY_LEN(inputs),
                                  .cost = MAX(probed->look_cost / ranges, 1)};
    return flow_want(run, &spec, ret);
}

static int want_sound(struct flow_run *run, const struct wish *wish,
                      const struct probed *probed, const struct flow_result **ret)
{
    struct flow_input inputs[] = {input_of("film", &wish->source),
                                  input_of("source", &probed->source->blob)};
    struct flow_step_spec spec = {.name = "inspect/sound",
                                  .type = "inspect.audio",
                                  .inputs = inputs,
                                  .input_count = ARRAY_LEN(inputs),
                                  .priority = 1,
                                  .cost = cost_of_listening(probed->duration_us)};
    return flow_want(run, &spec, ret);
}

static int want_merge(struct flow_run *run, const struct probed *probed,
                      const struct flow_result *const *ranges,
                      const struct flow_result *sound, const struct flow_result **ret)
{
    size_t count = json_array_size(probed->ranges);
    struct flow_input *inputs = calloc(count + 4, sizeof *inputs);
    AUTO(json_free) json_t *params = json_pack("{s:I}", "ranges", (json_int_t)count);
    int err = inputs && params ? 0 : ERR_NOMEM;
    size_t used = 0;
    for (size_t i = 0; err == 0 && i < count; i++) {
        const struct flow_output *out = flow_result_output(ranges[i], "range.bin");
        AUTO(cstr_free) char *name = NULL;
        err = out ? cstr_printf(&name, "range-%zu", i) : ERR_INTERNAL;
        if (err == 0) {
            inputs[used++] = input_of(name, &out->blob);
        }
    }
    const struct flow_output *audio =
        sound ? flow_result_output(sound, "audio.bin") : NULL;
    if (err == 0) {
        inputs[used++] = input_of("source", &probed->source->blob);
        inputs[used++] = input_of("timeline", &probed->timeline->blob);
        inputs[used++] = input_of("findings", &probed->findings->blob);
        if (audio) {
            inputs[used++] = input_of("audio", &audio->blob);
        }
        struct flow_step_spec spec = {.name = "inspect/merge",
                                      .type = "inspect.merge",
                                      .params = params,
                                      .inputs = inputs,
                                      .input_count = used,
                                      .cost = COST_MERGE};
        err = flow_want(run, &spec, ret);
    }
    free(inputs);
    return err;
}

// --- what came of it --------------------------------------------------------------------------------

static int stills_add(json_t *stills, const struct flow_result *range)
{
    json_t *pairs = NULL;
    TRY(json_get_array(range->value, "stills", &pairs));
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        int64_t grid = json_integer_value(json_array_get(pair, 0));
        AUTO(cstr_free) char *name = NULL;
        TRY(cstr_printf(&name, STILL_NAME, grid));
        const struct flow_output *output = flow_result_output(range, name);
        FAIL_IF(!output, ERR_INTERNAL, "%s is missing", name);
        char hex[HASH_HEX_BYTES];
        hash_hex(&output->blob, hex);
        json_t *item = json_pack("[I,I,s]", (json_int_t)grid,
                                 json_integer_value(json_array_get(pair, 1)), hex);
        FAIL_IF(json_array_append_new(stills, item) != 0, ERR_NOMEM, "stills");
    }
    return 0;
}

static int64_t pts_to_us(int64_t pts, struct rational tb)
{
    return tb.den > 0 ? (int64_t)((__int128)pts * tb.num * 1000000 / tb.den) : 0;
}

static void still_size(const struct media_stream *v, struct inspected *ret)
{
    bool turned = v->rotation == 90 || v->rotation == 270;
    double aspect = v->height > 0 ? (double)v->width / v->height : 1;
    if (v->sar.num > 0 && v->sar.den > 0) {
        aspect = aspect * v->sar.num / v->sar.den;
    }
    aspect = turned && aspect > 0 ? 1 / aspect : aspect;
    ret->still_width = STILL_WIDTH;
    ret->still_height = aspect > 0 ? (int)(STILL_WIDTH / aspect / 2 + 0.5) * 2 : 0;
}

static int merged_read(struct flow_run *run, const struct probed *probed,
                       const struct flow_result *const *ranges,
                       const struct flow_result *merge, struct inspected *ret)
{
    const struct flow_output *report = flow_result_output(merge, "report.json");
    const struct flow_output *timeline = flow_result_output(merge, "timeline.bin");
    FAIL_IF(!report || !timeline, ERR_INTERNAL, "the merge left no report");
    ret->report_blob = report->blob;
    ret->timeline_blob = timeline->blob;
    TRY(blob_report(store_blobs_of(flow_run_store(run)), &report->blob, &ret->report));
    AUTO(json_free) json_t *list = NULL;
    TRY(findings_to_json(&ret->report->findings, &list));
    TRY(findings_from_json(list, &ret->findings));
    ret->stills = json_array();
    for (size_t i = 0; i < json_array_size(probed->ranges); i++) {
        TRY(stills_add(ret->stills, ranges[i]));
    }
    const struct media_source *source = ret->report->source;
    const struct media_stream *video = &source->streams.data[source->video];
    still_size(video, ret);
    ret->still_every_us = still_every(probed->duration_us);
    ret->duration_us =
        pts_to_us(ret->report->end_pts - ret->report->start_pts, video->time_base);
    ret->whole = true;
    return 1;
}

// 1 all are done, 0 some run; <0 the first failure, *ret_stage says of what.
static int want_all(struct flow_run *run, const struct wish *wish,
                    const struct probed *probed, const struct flow_result **ranges,
                    const struct flow_result **ret_sound, const char **ret_stage)
{
    int all = 1;
    *ret_stage = "sound";
    if (probed->sound) {
        int got = want_sound(run, wish, probed, ret_sound);
        TRY(got);
        all = got;
    }
    *ret_stage = "pictures";
    for (size_t i = 0; i < json_array_size(probed->ranges); i++) {
        int got = want_range(run, wish, probed, i, &ranges[i]);
        TRY(got);
        all = all && got;
    }
    return all;
}

static int want_pictures(struct flow_run *run, const struct wish *wish,
                         const struct probed *probed, struct inspected *ret)
{
    const struct flow_result *ranges[RANGES_MAX], *sound = NULL, *merged = NULL;
    FAIL_IF(json_array_size(probed->ranges) > RANGES_MAX, ERR_INTERNAL, "%zu ranges",
            json_array_size(probed->ranges));
    const char *stage = "";
    int got = want_all(run, wish, probed, ranges, &sound, &stage);
    if (got < 0) {
        return fault(run, probed, stage, got, ret);
    }
    if (got == 0) {
        return 0;
    }
    got = want_merge(run, probed, ranges, sound, &merged);
    if (got < 0) {
        return fault(run, probed, "merge", got, ret);
    }
    return got == 0 ? 0 : merged_read(run, probed, ranges, merged, ret);
}

// What the probe saw tells how long the rest will take.
static int expect_all(struct flow_run *run, const struct wish *wish,
                      struct probed *probed)
{
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(json_free) json_t *json = NULL;
    FAIL_IF(!probed->source, ERR_INTERNAL, "the probe left no source");
    TRY(blob_json(store_blobs_of(flow_run_store(run)), &probed->source->blob, &json));
    TRY(media_source_from_json(json, &source));
    probed->look_cost = cost_of_look(source, probed->duration_us);
    return costs_expect(run, source, wish->ladder, probed->duration_us);
}

int want_inspection(struct flow_run *run, const struct wish *wish, struct inspected *ret)
{
    const struct flow_result *result = NULL;
    TRY(flow_expect(run, "encode.video",
                    -1)); // until the probe tells how long the film is
    int got = want_probe(run, wish, &result);
    if (got < 0) {
        return fault(run, NULL, "probe", got, ret);
    }
    if (got == 0) {
        return 0;
    }
    struct probed probed = {0};
    TRY(probed_read(result, &probed));
    if (json_array_size(probed.ranges) > 0) {
        TRY(expect_all(run, wish, &probed));
        return want_pictures(run, wish, &probed, ret);
    }
    TRY(findings_of(run, probed.findings, &ret->findings));
    bool named = false;
    for (size_t i = 0; i < ret->findings.items.len; i++) {
        named = named || ret->findings.items.data[i].severity == FINDING_ERROR;
    }
    if (!named) {
        struct finding none = finding_about_file("no_video", FINDING_ERROR);
        TRY(findings_add(&ret->findings, &none));
    }
    return report_without_pictures(run, &probed, ret);
}
