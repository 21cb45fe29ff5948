// SPDX-License-Identifier: GPL-3.0-or-later
//
// From encoded chunks to published tracks: what is joined here is proved to be whole first.
#include "media/package.h"

#include <libavutil/mathematics.h>
#include <libavutil/rational.h>
#include <stdlib.h>
#include <string.h>

static void track_clear(struct media_track *t)
{
    vec_free(&t->segments);
}

void media_package_free(struct media_package **package)
{
    struct media_package *p = *package;
    *package = NULL;
    if (p == NULL) {
        return;
    }
    vec_for_each (track, &p->tracks) {
        track_clear(track);
    }
    vec_free(&p->tracks);
    free(p);
}

int64_t package_us(int64_t value, int64_t timescale)
{
    return av_rescale(value, 1000000, timescale);
}

int64_t package_track_duration(const struct media_track *t)
{
    size_t count = t->segments.len;
    if (count == 0) {
        return 0;
    }
    return t->segments.data[count - 1].start + t->segments.data[count - 1].duration;
}

int package_shown_width(const struct media_rendition *r)
{
    return r->sar.num > 0 && r->sar.den > 0
               ? (int)av_rescale(r->width, r->sar.num, r->sar.den)
               : r->width;
}

int64_t package_target_s(const struct media_package *p)
{
    int64_t longest_us = 0;
    vec_for_each (track, &p->tracks) {
        if (track->rendition.kind == MEDIA_RENDITION_TEXT) {
            continue;
        }
        vec_for_each (s, &track->segments) {
            longest_us =
                MAX(longest_us, package_us(s->duration, track->rendition.timescale));
        }
    }
    return MAX((longest_us + 500000) / 1000000, 1);
}

const char *package_track_name(const struct media_track *t)
{
    return t->rendition.title[0] != '\0' ? t->rendition.title : t->rendition.language;
}

// --- rates --------------------------------------------------------------------------------

static int64_t bit_rate(int64_t bytes, int64_t duration, int64_t timescale)
{
    return av_rescale_rnd(bytes * 8, timescale, duration, AV_ROUND_UP);
}

// Peak segment bit rate (RFC 8216bis section 4.4.6.2): the highest of any run of segments that
// lasts between 0.5 and 1.5 target durations. Where no run does, of any segment.
static int64_t peak_rate(const struct media_track *t, int64_t target_s)
{
    int64_t scale = t->rendition.timescale, low = target_s * scale / 2;
    int64_t high = low * 3, peak = 0, single = 0;
    for (size_t i = 0; i < t->segments.len; i++) {
        int64_t bytes = 0, duration = 0;
        for (size_t k = i; k < t->segments.len && duration <= high; k++) {
            bytes += t->segments.data[k].bytes;
            duration += t->segments.data[k].duration;
            if (duration >= low && duration <= high) {
                peak = MAX(peak, bit_rate(bytes, duration, scale));
            }
        }
        single = MAX(single, bit_rate(t->segments.data[i].bytes,
                                      t->segments.data[i].duration, scale));
    }
    return peak > 0 ? peak : single;
}

static void set_rates(struct media_package *p)
{
    int64_t target_s = package_target_s(p);
    vec_for_each (track, &p->tracks) {
        int64_t bytes = 0, duration = package_track_duration(track);
        vec_for_each (s, &track->segments) {
            bytes += s->bytes;
        }
        if (duration > 0) {
            track->average_bps = bit_rate(bytes, duration, track->rendition.timescale);
            // The windows of the peak need not cover a long last segment evenly.
            track->peak_bps = MAX(peak_rate(track, target_s), track->average_bps);
        }
    }
}

// --- joining ------------------------------------------------------------------------------

struct joint { // what every chunk of one rendition must agree with
    const struct media_plan *plan;
    const struct media_timeline *timeline;
    struct media_track *track;
    struct hash init;
    bool has_first;
};

static int join_header(struct joint *j, const struct media_encoded *e)
{
    const char *id = j->track->rendition.id;
    FAIL_IF(strcmp(e->rendition, id) != 0, ERR_CORRUPT, "a part of %s where %s was due",
            e->rendition, id);
    if (!j->has_first) {
        j->init = e->init;
        j->has_first = true;
        return str_copy(j->track->codecs, sizeof j->track->codecs, str_of(e->codecs));
    }
    FAIL_IF(!hash_eq(&j->init, &e->init) || strcmp(j->track->codecs, e->codecs) != 0,
            ERR_CORRUPT, "%s: parts with different initialisation segments", id);
    return 0;
}

// Display time of a frame in the rendition's ticks.
static int frame_time(const struct joint *j, int64_t frame, int64_t *ret)
{
    AVRational from = {j->timeline->time_base.num, j->timeline->time_base.den};
    AVRational to = {1, (int)j->track->rendition.timescale};
    int64_t pts = j->timeline->pts[frame] - j->plan->origin_pts;
    *ret = av_rescale_q(pts, from, to);
    FAIL_IF(av_compare_ts(*ret, to, pts, from) != 0, ERR_CORRUPT,
            "%s: frame %lld lies between ticks", j->track->rendition.id,
            (long long)frame);
    return 0;
}

static int join_segments(struct joint *j, const struct media_encoded *e)
{
    const char *id = j->track->rendition.id;
    vec_for_each (s, &e->segments) {
        FAIL_IF(s->number != (int64_t)j->track->segments.len + 1, ERR_CORRUPT,
                "%s: segment %lld where %zu was due", id, (long long)s->number,
                j->track->segments.len + 1);
        FAIL_IF(s->start != package_track_duration(j->track), ERR_CORRUPT,
                "%s: segment %lld begins at %lld, the one before it ended at %lld", id,
                (long long)s->number, (long long)s->start,
                (long long)package_track_duration(j->track));
        FAIL_IF(s->duration <= 0 || s->frames <= 0 || s->bytes <= 0, ERR_CORRUPT,
                "%s: segment %lld is empty", id, (long long)s->number);
        j->track->frames += s->frames;
        TRY(vec_push(&j->track->segments, *s));
    }
    return 0;
}

// Each segment holds the planned frames and ends where the next one's first frame is shown.
static int prove_picture(const struct joint *j)
{
    const struct media_track *t = j->track;
    FAIL_IF(t->segments.len + 1 != j->plan->segments.len ||
                j->timeline->count != j->plan->frames || t->frames != j->plan->frames,
            ERR_CORRUPT, "%s: %zu segments with %lld of %lld frames", t->rendition.id,
            t->segments.len, (long long)t->frames, (long long)j->plan->frames);
    for (size_t i = 0; i < t->segments.len; i++) {
        const struct media_segment *s = &t->segments.data[i];
        int64_t start = 0, end = 0, first = j->plan->segments.data[i];
        TRY(frame_time(j, first, &start));
        TRY(frame_time(j, j->plan->segments.data[i + 1], &end));
        FAIL_IF(s->start != start || s->start + s->duration != end ||
                    s->frames != j->plan->segments.data[i + 1] - first,
                ERR_CORRUPT, "%s: segment %lld is not the planned one", t->rendition.id,
                (long long)s->number);
    }
    return 0;
}

static int prove_rate(const struct joint *j, const struct media_encoded *parts,
                      size_t count)
{
    int64_t bad = -1;
    double init = 0;
    TRY(media_vbv_check(&j->track->rendition, j->timeline, parts, count, &bad, &init));
    FAIL_IF(bad >= 0, ERR_CORRUPT, "%s: chunk %lld does not keep the peak rate",
            j->track->rendition.id, (long long)bad);
    return 0;
}

static int join_track(const struct media_plan *plan,
                      const struct media_timeline *timeline,
                      const struct media_rendition *rendition,
                      const struct media_encoded *parts, size_t count,
                      struct media_package *p)
{
    struct media_track track = {.rendition = *rendition};
    struct joint j = {.plan = plan, .timeline = timeline, .track = &track};
    int err = 0;
    for (size_t i = 0; i < count && err >= 0; i++) {
        err = join_header(&j, &parts[i]);
        err = err < 0 ? err : join_segments(&j, &parts[i]);
    }
    if (err >= 0 && rendition->kind == MEDIA_RENDITION_VIDEO) {
        err = prove_picture(&j);
        err = err < 0 ? err : prove_rate(&j, parts, count);
    }
    err = err < 0 ? err : vec_push(&p->tracks, track);
    if (err < 0) {
        track_clear(&track);
    }
    return err;
}

// The average rate; a usual one where time stamps were rounded to the container's ticks.
static struct rational frame_rate(const struct media_timeline *t)
{
    static const AVRational usual[] = {{24000, 1001}, {24, 1},       {25, 1},
                                       {30000, 1001}, {30, 1},       {48, 1},
                                       {50, 1},       {60000, 1001}, {60, 1}};
    int64_t ticks = t->pts[t->count] - t->pts[0];
    AVRational rate = {0, 1};
    if (ticks > 0) {
        av_reduce(&rate.num, &rate.den, t->count * t->time_base.den,
                  ticks * t->time_base.num, 1 << 20);
    }
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        double ratio = rate.num > 0 ? av_q2d(rate) / av_q2d(usual[i]) : 0;
        if (ratio > 0.9998 && ratio < 1.0002) {
            rate = usual[i];
        }
    }
    return (struct rational){rate.num, rate.den};
}

static void set_duration(struct media_package *p)
{
    vec_for_each (track, &p->tracks) {
        p->duration_us = MAX(p->duration_us, package_us(package_track_duration(track),
                                                        track->rendition.timescale));
    }
}

int media_package_join(const struct media_plan *plan,
                       const struct media_timeline *timeline,
                       const struct media_encoded *encoded, size_t encoded_count,
                       struct media_package **ret)
{
    AUTO(media_package_free) struct media_package *p = calloc(1, sizeof *p);
    FAIL_IF(p == NULL, ERR_NOMEM, "no memory for a package");
    size_t at = 0;
    vec_for_each (rendition, &plan->renditions) {
        if (rendition->kind == MEDIA_RENDITION_TEXT) {
            continue;
        }
        size_t parts = rendition->kind == MEDIA_RENDITION_VIDEO ? plan->chunks.len : 1;
        FAIL_IF(rendition->timescale <= 0 || rendition->timescale > INT32_MAX,
                ERR_INVALID, "%s has no timescale", rendition->id);
        FAIL_IF(parts > encoded_count - at, ERR_CORRUPT,
                "%s is not whole: parts are missing", rendition->id);
        TRY(join_track(plan, timeline, rendition, encoded + at, parts, p));
        at += parts;
    }
    FAIL_IF(at != encoded_count, ERR_CORRUPT, "%zu parts belong to no rendition",
            encoded_count - at);
    FAIL_IF(p->tracks.len == 0, ERR_CORRUPT, "a package without a track");
    p->frame_rate = frame_rate(timeline);
    set_duration(p);
    set_rates(p);
    *ret = TAKE(p);
    return 0;
}

int media_package_add_text(struct media_package *p,
                           const struct media_rendition *rendition, const char *path,
                           int64_t bytes)
{
    FAIL_IF(p->duration_us <= 0, ERR_INVALID, "captions of nothing");
    struct media_track track = {.rendition = *rendition};
    track.rendition.kind = MEDIA_RENDITION_TEXT;
    track.rendition.timescale = 1000000;
    TRY(str_copy(track.path, sizeof track.path, str_of(path)));
    FAIL_IF(!str_ends(str_of(path), ".vtt"), ERR_INVALID, "%s is not WebVTT", path);
    TRY(str_copy(track.codecs, sizeof track.codecs, STR("wvtt")));
    track.average_bps = bit_rate(MAX(bytes, 1), p->duration_us, 1000000);
    track.peak_bps = track.average_bps;
    struct media_segment whole = {
        .number = 1, .duration = p->duration_us, .bytes = MAX(bytes, 1), .frames = 1};
    int err = vec_push(&track.segments, whole);
    err = err < 0 ? err : vec_push(&p->tracks, track);
    if (err < 0) {
        track_clear(&track);
    }
    return err;
}

// --- choosing -----------------------------------------------------------------------------

void package_choice_clear(struct package_choice *c)
{
    vec_free(&c->video);
    vec_free(&c->audio);
    vec_free(&c->text);
}

static bool may_decode(const struct media_filter *f, const struct media_rendition *r)
{
    if (f == NULL || f->codecs == NULL) {
        return true;
    }
    for (size_t i = 0; i < f->codec_count; i++) {
        if (strcmp(f->codecs[i], r->codec) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_hdr(const struct media_rendition *r)
{
    return r->hdr[0] != '\0' && strcmp(r->hdr, "sdr") != 0;
}

int media_rendition_class(const struct media_rendition *r)
{
    int width = package_shown_width(r), longer = MAX(width, r->height);
    return MAX(MIN(width, r->height), (int)(((int64_t)longer * 9 + 8) / 16));
}

static int choose_video(const struct media_package *p, const struct media_filter *f,
                        struct package_choice *c)
{
    bool has_sdr = false;
    vec_for_each (t, &p->tracks) {
        has_sdr |= t->rendition.kind == MEDIA_RENDITION_VIDEO &&
                   may_decode(f, &t->rendition) && !is_hdr(&t->rendition);
    }
    int lowest = INT32_MAX;
    bool allows_hdr = f == NULL || f->hdr || !has_sdr;
    vec_for_each (t, &p->tracks) {
        if (t->rendition.kind == MEDIA_RENDITION_VIDEO && may_decode(f, &t->rendition) &&
            (allows_hdr || !is_hdr(&t->rendition))) {
            lowest = MIN(lowest, media_rendition_class(&t->rendition));
        }
    }
    int cap = f == NULL || f->max_height <= 0 ? INT32_MAX : MAX(f->max_height, lowest);
    vec_for_each (t, &p->tracks) {
        if (t->rendition.kind == MEDIA_RENDITION_VIDEO && may_decode(f, &t->rendition) &&
            (allows_hdr || !is_hdr(&t->rendition)) &&
            media_rendition_class(&t->rendition) <= cap) {
            TRY(vec_push(&c->video, t));
        }
    }
    return 0;
}

int package_choose(const struct media_package *p, const struct media_filter *f,
                   struct package_choice *ret)
{
    AUTO(package_choice_clear) struct package_choice c = {0};
    bool has_picture = false;
    TRY(choose_video(p, f, &c));
    vec_for_each (t, &p->tracks) {
        has_picture |= t->rendition.kind == MEDIA_RENDITION_VIDEO;
        if (t->rendition.kind == MEDIA_RENDITION_TEXT) {
            TRY(vec_push(&c.text, t));
        } else if (t->rendition.kind == MEDIA_RENDITION_AUDIO &&
                   may_decode(f, &t->rendition)) {
            TRY(vec_push(&c.audio, t));
        }
    }
    FAIL_IF(has_picture ? c.video.len == 0 : c.audio.len == 0, ERR_NOT_FOUND,
            "no rendition is in a codec of this device");
    *ret = c;
    c = (struct package_choice){0};
    return 0;
}

bool media_package_allows(const struct media_package *p, const struct media_filter *f,
                          const char *rendition_id)
{
    AUTO(package_choice_clear) struct package_choice c = {0};
    if (package_choose(p, f, &c) < 0) {
        return false;
    }
    const struct media_track **groups[] = {c.video.data, c.audio.data, c.text.data};
    const size_t counts[] = {c.video.len, c.audio.len, c.text.len};
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        for (size_t i = 0; i < counts[g]; i++) {
            if (strcmp(groups[g][i]->rendition.id, rendition_id) == 0) {
                return true;
            }
        }
    }
    return false;
}
