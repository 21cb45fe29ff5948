// SPDX-License-Identifier: GPL-3.0-or-later
//
// What steps are expected to take, so that a job can say how long it will go on before the first of
// its steps ever ran on this machine; flow corrects it by what it measures. The numbers are CPU times of
// the Sintel trailer (docs/bench.md) on one core of a server of 2020, for a million pixels of a frame.
#include "ingest/internal.h"

#include <string.h>

#define LOOK_US    3500  // decoding and all detectors
#define H264_US    20000 // x264 veryfast, scaling and verification
#define AV1_US     40000 // SVT-AV1 preset 10, likewise
#define PIXELS     1000000
#define USUAL_RATE 25.0 // frames a second where the file does not say

static int64_t cost_of(double megapixels, int64_t us)
{
    return MAX((int64_t)(megapixels * (double)us / 1000), INT64_C(1));
}

static double frames_of(const struct media_stream *v, int64_t duration_us)
{
    bool known = v->frame_rate.num > 0 && v->frame_rate.den > 0;
    double rate = known ? (double)v->frame_rate.num / v->frame_rate.den : USUAL_RATE;
    return rate * (double)MAX(duration_us, INT64_C(0)) / 1e6;
}

static const struct media_stream *picture_of(const struct media_source *source)
{
    return source->video < 0 ? NULL : &source->streams.data[source->video];
}

int64_t cost_of_look(const struct media_source *source, int64_t duration_us)
{
    const struct media_stream *v = picture_of(source);
    return v ? cost_of(frames_of(v, duration_us) * v->width * v->height / PIXELS, LOOK_US)
             : 1;
}

int64_t cost_of_listening(int64_t duration_us)
{
    return MAX(duration_us / 1000 / 150, INT64_C(1));
}

int64_t cost_of_sound(int64_t duration_us)
{
    return MAX(duration_us / 1000 / 10, INT64_C(1));
}

int64_t cost_of_pictures(const char *codec, int64_t frames, int64_t pixels)
{
    return cost_of((double)frames * (double)pixels / PIXELS,
                   strcmp(codec, "av1") == 0 ? AV1_US : H264_US);
}

// A rung is made at most as large as the source; those above it are left out, but for one.
static int64_t cost_of_rungs(const struct media_stream *v, const struct media_ladder *l,
                             int64_t duration_us, int64_t *ret_rungs)
{
    int64_t frames = (int64_t)frames_of(v, duration_us), cost = 0, rungs = 0;
    int64_t pixels = (int64_t)v->width * v->height;
    // Rungs are boxes of 16:9, upright for an upright film.
    double height =
        MAX((double)MIN(v->width, v->height), (double)MAX(v->width, v->height) * 9 / 16);
    vec_for_each (rung, &l->video) {
        double share = height > 0 ? rung->height / height : 1;
        if (share <= 1) {
            cost += cost_of_pictures(rung->codec, frames,
                                     (int64_t)((double)pixels * share * share));
            rungs++;
        }
    }
    *ret_rungs = MAX(rungs, INT64_C(1));
    return rungs ? cost : cost_of_pictures("h264", frames, pixels);
}

static int64_t sounds_of(const struct media_source *source)
{
    int64_t count = 0;
    vec_for_each (stream, &source->streams) {
        count += stream->kind == MEDIA_AUDIO;
    }
    return count;
}

int costs_expect(struct flow_run *run, const struct media_source *source,
                 const json_t *ladder, int64_t duration_us)
{
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    const struct media_stream *v = picture_of(source);
    TRY(media_ladder_from_json(ladder, &l));
    int64_t rungs = 0;
    int64_t pictures = v ? cost_of_rungs(v, l, duration_us, &rungs) : 0;
    TRY(flow_expect(run, "encode.video", pictures));
    TRY(flow_expect(run, "encode.audio", sounds_of(source) * cost_of_sound(duration_us)));
    TRY(flow_expect(run, "plan", COST_PLAN));
    TRY(flow_expect(run, "assemble", rungs * COST_ASSEMBLE));
    TRY(flow_expect(run, "stills", COST_STILLS));
    return flow_expect(run, "package", COST_PACKAGE);
}
