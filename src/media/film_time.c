// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time stamps against each other, against what the packets promised, and against the sound.
#include "media/film.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

#define LONG_GAP_MS      1000
#define VFR_PERCENT      2
#define MISMATCH_WARN_MS 500
#define MISMATCH_ERR_MS  5000
#define LEADING_MS       1000
#define EACH_MAX         300

int64_t film_frames_in_ms(const struct media_film *film, int64_t ms)
{
    struct rational tb = film->stream->time_base;
    AVRational one_ms = {1, 1000}, frame = {tb.num, tb.den};
    return MAX(av_rescale_q(ms, one_ms, frame) / film->step, 1);
}

static int64_t ms_between(const struct media_film *film, int64_t from_pts, int64_t to_pts)
{
    struct rational tb = film->stream->time_base;
    return av_rescale_q(to_pts - from_pts, (AVRational){tb.num, tb.den},
                        (AVRational){1, 1000});
}

int64_t film_ms_of(const struct media_film *film, int64_t start_frame, int64_t end_frame)
{
    return ms_between(film, film->pts[start_frame], film->pts[end_frame]);
}

int64_t film_frame_at(const struct media_film *film, int64_t pts)
{
    int64_t low = 0, high = film->count;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (film->pts[mid] < pts) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool film_has(const struct media_film *film, const char *kind)
{
    vec_for_each (f, &film->findings->items) {
        if (strcmp(f->kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

int film_add(struct media_film *film, const char *kind, enum finding_severity severity,
             int64_t start_frame, int64_t end_frame, json_t *evidence)
{
    struct finding f = finding_about_file(kind, severity);
    f.stream = film->stream->index;
    f.time_base = film->stream->time_base;
    if (film->count && start_frame != FINDING_NONE) {
        f.start_frame = CLAMP(start_frame, 0, film->count);
        f.end_frame = CLAMP(end_frame, 0, film->count);
        f.start_pts = film->pts[f.start_frame];
        f.end_pts = film->pts[f.end_frame];
    }
    f.evidence = evidence;
    return findings_add(film->findings, &f);
}

// --- gaps ---------------------------------------------------------------------------------------

// A hole that the packets did not announce, in a film whose frames otherwise keep their distance.
static bool was_promised(const struct media_film *film, int64_t after, int64_t before)
{
    const struct media_timeline *t = film->promised;
    int64_t low = 0, high = t->count;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (t->pts[mid] <= after) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < t->count && t->pts[low] < before;
}

static int detect_gaps(struct media_film *film)
{
    bool vfr = film->irregular * 100 > film->count * VFR_PERCENT;
    int told = 0;
    for (int64_t i = 1; i < film->count && told < EACH_MAX; i++) {
        int64_t distance = film->pts[i] - film->pts[i - 1];
        int64_t ms = ms_between(film, film->pts[i - 1], film->pts[i]);
        bool gap = vfr ? ms > LONG_GAP_MS && distance > 4 * film->step
                       : distance * 2 > film->step * 3 && distance > film->step + 2;
        if (!gap || was_promised(film, film->pts[i - 1], film->pts[i])) {
            continue;
        }
        told++;
        int64_t missing = (distance + film->step / 2) / film->step - 1;
        TRY(film_add(film, "timestamp_gap",
                     ms > LONG_GAP_MS && !vfr ? FINDING_ERROR : FINDING_WARNING, i - 1, i,
                     json_pack("{s:I, s:I}", "milliseconds", (json_int_t)ms,
                               "frames_missing", (json_int_t)missing)));
    }
    return 0;
}

// --- what was promised and did not come -----------------------------------------------------------

static int judge_missing(struct media_film *film, int64_t from, int64_t to)
{
    const struct media_timeline *t = film->promised;
    int64_t at = film_frame_at(film, t->pts[from]);
    int64_t ms = ms_between(film, t->pts[from], t->pts[to]);
    bool leading = at == 0;
    struct finding f = finding_about_file(leading ? "leading_frames" : "missing_frames",
                                          !leading          ? FINDING_ERROR
                                          : ms > LEADING_MS ? FINDING_WARNING
                                                            : FINDING_INFO);
    f.stream = film->stream->index;
    f.time_base = film->stream->time_base;
    f.start_frame = f.end_frame = at;
    f.start_pts = t->pts[from];
    f.end_pts = t->pts[to];
    f.evidence = json_pack("{s:I}", "frames", (json_int_t)(to - from));
    return findings_add(film->findings, &f);
}

static int detect_missing(struct media_film *film)
{
    const struct media_timeline *t = film->promised;
    int64_t matched = 0;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t at = film_frame_at(film, t->pts[i]);
        matched += at < film->count && film->pts[at] == t->pts[i];
    }
    if (matched * 2 <
        t->count) { // packets have no times of presentation: only numbers compare
        int64_t missing = t->count - film->count;
        return missing <= 0 ? 0
                            : film_add(film, "missing_frames",
                                       missing > 2 ? FINDING_ERROR : FINDING_WARNING,
                                       FINDING_NONE, FINDING_NONE,
                                       json_pack("{s:I}", "frames", (json_int_t)missing));
    }
    int64_t start = -1;
    int told = 0;
    for (int64_t i = 0; i <= t->count && told < EACH_MAX; i++) {
        int64_t at = i < t->count ? film_frame_at(film, t->pts[i]) : 0;
        bool missing = i < t->count && (at >= film->count || film->pts[at] != t->pts[i]);
        if (missing && start < 0) {
            start = i;
        } else if (!missing && start >= 0) {
            TRY(judge_missing(film, start, i));
            start = -1;
            told++;
        }
    }
    return 0;
}

// --- sound --------------------------------------------------------------------------------------

static int64_t to_ms(int64_t pts, const json_t *time_base)
{
    AVRational tb = {(int)json_integer_value(json_array_get(time_base, 0)),
                     (int)json_integer_value(json_array_get(time_base, 1))};
    return tb.num > 0 && tb.den > 0 ? av_rescale_q(pts, tb, (AVRational){1, 1000}) : 0;
}

static int detect_mismatch(struct media_film *film, const json_t *tracks)
{
    struct rational tb = film->stream->time_base;
    AVRational q = {tb.num, tb.den}, ms = {1, 1000};
    int64_t start = av_rescale_q(film->pts[0], q, ms);
    int64_t end = av_rescale_q(film->pts[film->count], q, ms);
    for (size_t i = 0; i < json_array_size(tracks); i++) {
        const json_t *t = json_array_get(tracks, i),
                     *base = json_object_get(t, "time_base");
        if (json_i64_or(t, "samples", 0) == 0) {
            continue;
        }
        int64_t from = to_ms(json_i64_or(t, "start_pts", 0), base) - start;
        int64_t to = to_ms(json_i64_or(t, "end_pts", 0), base) - end;
        int64_t worst = MAX(llabs(from), llabs(to));
        if (worst <= MISMATCH_WARN_MS) {
            continue;
        }
        struct finding f = finding_about_file(
            "length_mismatch", worst > MISMATCH_ERR_MS ? FINDING_ERROR : FINDING_WARNING);
        f.stream = (int)json_i64_or(t, "stream", -1);
        f.evidence = json_pack("{s:I, s:I}", "starts_later_ms", (json_int_t)from,
                               "ends_later_ms", (json_int_t)to);
        TRY(findings_add(film->findings, &f));
    }
    return 0;
}

int film_detect_time(struct media_film *film, const json_t *tracks)
{
    if (film->count == 0) {
        return 0;
    }
    if (film->disordered) {
        TRY(film_add(film, "non_monotonic", FINDING_ERROR, film->first_disorder,
                     film->first_disorder + 1,
                     json_pack("{s:I}", "frames", (json_int_t)film->disordered)));
    }
    if (film->untimed) {
        TRY(film_add(film, "missing_timestamps", FINDING_WARNING, 0, film->count,
                     json_pack("{s:I}", "frames", (json_int_t)film->untimed)));
    }
    TRY(detect_gaps(film));
    TRY(detect_missing(film));
    return detect_mismatch(film, tracks);
}
