// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is offered of a film: the rungs of the ladder that fit it, and which of them one worker
// encodes together.
//
// Size. The class C of a picture is the height of the smallest 16:9 box around it as shown (an
// upright one for an upright picture). A rung of height H below C scales both axes by H / C, so
// SAR is kept. A rung at C is the source itself; of the rungs above, the lowest is taken at the
// source's size where the ladder leaves more than 15 % below it unused. Sizes are even (4:2:0),
// so an odd source loses a line or column by scaling, never by an invented one; a side of one
// pixel becomes two, which 4:2:0 needs.
#include "media/plan.h"

#include <libavcodec/avcodec.h>
#include <libavutil/rational.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A worker's memory grows with the pictures that its encoders hold. Measured: docs/bench.md.
#define H264_GROUP_PIXELS 4000000 // 240p to 1080p together
#define AV1_GROUP_PIXELS  2073600 // 1080p alone, 720p and 480p together
#define AV1_GROUP_RUNGS   2
#define AV1_LEAST_SIDE    64 // SVT-AV1 takes no less

struct shown { // after rotation
    int width, height;
    struct rational sar;
    double class;
};

static struct shown shown_of(const struct media_stream *s)
{
    bool turned = s->rotation == 90 || s->rotation == 270;
    struct shown v = {
        turned ? s->height : s->width, turned ? s->width : s->height, {1, 1}, 0};
    if (s->sar.num > 0 && s->sar.den > 0) {
        // H.264 has 16 bits for each side of it (E.2.1).
        int num = 1, den = 1;
        av_reduce(&num, &den, turned ? s->sar.den : s->sar.num,
                  turned ? s->sar.num : s->sar.den, 65535);
        v.sar = num > 0 && den > 0 ? (struct rational){num, den} : v.sar;
    }
    double width = (double)v.width * v.sar.num / v.sar.den, height = v.height;
    v.class = fmax(fmin(width, height), fmax(width, height) * 9 / 16);
    return v;
}

static int even_below(int side)
{
    return MAX(side / 2 * 2, 2);
}

static int even_nearest(double side)
{
    return MAX((int)floor(side / 2 + 0.5) * 2, 2);
}

// Position of the rung that stands in for those above the source; -1 none.
static int64_t rung_above(const struct media_ladder *l, const char *codec, double class)
{
    int64_t above = -1;
    int below = 0;
    for (size_t i = 0; i < l->video.len; i++) {
        const struct media_video_rung *r = &l->video.data[i];
        if (strcmp(r->codec, codec) != 0) {
            continue;
        }
        if (r->height <= class + 0.5) {
            below = MAX(below, r->height);
            continue;
        }
        const struct media_video_rung *b = above < 0 ? NULL : &l->video.data[above];
        if (!b || r->height < b->height ||
            (r->height == b->height && r->max_bps < b->max_bps)) {
            above = (int64_t)i;
        }
    }
    return above >= 0 && class > below * 1.15 ? above : -1;
}

static int name_video(const struct media_plan *p, struct media_rendition *r)
{
    int height = MIN(r->width, r->height);
    snprintf(r->id, sizeof r->id, "%s-%d", r->codec, height);
    vec_for_each (o, &p->renditions) {
        if (strcmp(o->id, r->id) == 0) {
            snprintf(r->id, sizeof r->id, "%s-%d-%lldk", r->codec, height,
                     (long long)(r->max_bps / 1000));
        }
    }
    return 0;
}

static int offer_video(const struct media_report *report, const struct media_timeline *t,
                       const struct media_ladder *l, struct media_plan *p)
{
    const struct media_stream *s = &report->source->streams.data[report->source->video];
    struct shown v = shown_of(s);
    FAIL_IF(v.width <= 0 || v.height <= 0, ERR_UNSUPPORTED, "a picture of %d×%d",
            s->width, s->height);
    for (size_t i = 0; i < l->video.len; i++) {
        const struct media_video_rung *rung = &l->video.data[i];
        bool whole = rung->height >= v.class - 0.5;
        bool fits = rung->height <= v.class + 0.5;
        if (!fits && rung_above(l, rung->codec, v.class) != (int64_t)i) {
            continue;
        }
        double scale = rung->height / v.class;
        struct media_rendition r = {
            .kind = MEDIA_RENDITION_VIDEO,
            .stream = s->index,
            .is_default = true,
            .timescale = t->time_base.den,
            .width = whole ? even_below(v.width) : even_nearest(v.width * scale),
            .height = whole ? even_below(v.height) : even_nearest(v.height * scale),
            .sar = v.sar,
            .crf = rung->crf,
            .max_bps = rung->max_bps,
            .buffer_bits = rung->max_bps * rung->buffer_ms / 1000,
            .hdr = "sdr",
        };
        memcpy(r.codec, rung->codec, sizeof r.codec);
        memcpy(r.preset, rung->preset, sizeof r.preset);
        memcpy(r.language, s->language, sizeof r.language);
        memcpy(r.title, s->title, sizeof r.title);
        if (strcmp(r.codec, "av1") == 0 && MIN(r.width, r.height) < AV1_LEAST_SIDE) {
            continue;
        }
        TRY(name_video(p, &r));
        TRY(vec_push(&p->renditions, r));
    }
    FAIL_IF(p->renditions.len == 0, ERR_UNSUPPORTED,
            "no rung of the ladder fits a picture of %d×%d", v.width, v.height);
    return 0;
}

static bool can_hear(const struct media_stream *s)
{
    const AVCodecDescriptor *d = avcodec_descriptor_get_by_name(s->codec);
    return s->kind == MEDIA_AUDIO && s->channels > 0 && s->sample_rate > 0 && d &&
           avcodec_find_decoder(d->id);
}

// The sound that plays unasked: the first one marked so, or the first.
static int default_sound(const struct media_source *source)
{
    int first = -1;
    vec_for_each (s, &source->streams) {
        if (can_hear(s) && s->is_default) {
            return s->index;
        }
        if (can_hear(s) && first < 0) {
            first = s->index;
        }
    }
    return first;
}

static int offer_audio(const struct media_report *report, const struct media_ladder *l,
                       struct media_plan *p)
{
    int preferred = default_sound(report->source);
    vec_for_each (s, &report->source->streams) {
        if (!can_hear(s)) {
            continue;
        }
        for (size_t i = 0; i < l->audio.len; i++) {
            struct media_rendition r = {
                .kind = MEDIA_RENDITION_AUDIO,
                .stream = s->index,
                .is_default = s->index == preferred,
                .timescale = 48000,
                .bps = l->audio.data[i].bps,
                .sample_rate = 48000,
                .channels = MIN(s->channels, 2),
            };
            memcpy(r.codec, l->audio.data[i].codec, sizeof r.codec);
            memcpy(r.language, s->language, sizeof r.language);
            memcpy(r.title, s->title, sizeof r.title);
            snprintf(r.id, sizeof r.id, "%s-%lld-s%d", r.codec, (long long)(r.bps / 1000),
                     s->index);
            TRY(vec_push(&p->renditions, r));
        }
    }
    return 0;
}

// --- groups --------------------------------------------------------------------------------

static int64_t pixels_of(const struct media_plan *p, int at)
{
    return (int64_t)p->renditions.data[at].width * p->renditions.data[at].height;
}

static int group_add(struct media_plan *p, const char *codec, size_t number,
                     const int *members, size_t count)
{
    struct media_group g = {0};
    snprintf(g.name, sizeof g.name, "%s-%zu", codec, number);
    for (size_t i = 0; i < count; i++) {
        if (vec_push(&g.renditions, members[i]) < 0) {
            vec_free(&g.renditions);
            return ERR_NOMEM;
        }
    }
    int err = vec_push(&p->groups, g);
    if (err < 0) {
        vec_free(&g.renditions);
    }
    return err;
}

// From the smallest up, as many as the budget holds: one decode serves them all.
static int group_h264(struct media_plan *p, const int *rungs, size_t count)
{
    size_t number = 0;
    for (size_t from = 0, to; from < count; from = to) {
        int64_t sum = 0;
        for (to = from; to < count; to++) {
            sum += pixels_of(p, rungs[to]);
            if (to > from && sum > H264_GROUP_PIXELS) {
                break;
            }
        }
        TRY(group_add(p, "h264", number++, rungs + from, to - from));
    }
    return 0;
}

// The largest with the smallest that still fits beside it.
static int group_av1(struct media_plan *p, const int *rungs, size_t count)
{
    size_t number = 0, lo = 0;
    while (count > lo) {
        int pair[AV1_GROUP_RUNGS] = {rungs[--count]};
        size_t members = 1;
        if (count > lo &&
            pixels_of(p, pair[0]) + pixels_of(p, rungs[lo]) <= AV1_GROUP_PIXELS) {
            pair[members++] = rungs[lo++];
        }
        TRY(group_add(p, "av1", number++, pair, members));
    }
    return 0;
}

static int group_video(struct media_plan *p)
{
    static const struct {
        const char *codec;
        int (*make)(struct media_plan *, const int *, size_t);
    } kinds[] = {{"h264", group_h264}, {"av1", group_av1}};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        VEC(int) rungs = {0};
        int err = 0;
        for (size_t i = 0; i < p->renditions.len && err >= 0; i++) {
            if (strcmp(p->renditions.data[i].codec, kinds[k].codec) == 0) {
                err = vec_push(&rungs, (int)i);
            }
        }
        for (size_t i = 1; i < rungs.len; i++) { // by size, stable
            for (size_t j = i;
                 j > 0 && pixels_of(p, rungs.data[j]) < pixels_of(p, rungs.data[j - 1]);
                 j--) {
                int swap = rungs.data[j];
                rungs.data[j] = rungs.data[j - 1];
                rungs.data[j - 1] = swap;
            }
        }
        err = err < 0 ? err : kinds[k].make(p, rungs.data, rungs.len);
        vec_free(&rungs);
        TRY(err);
    }
    return 0;
}

int plan_offer(const struct media_report *report, const struct media_timeline *t,
               const struct media_ladder *l, struct media_plan *p)
{
    TRY(offer_video(report, t, l, p));
    TRY(offer_audio(report, l, p));
    return group_video(p);
}
