// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the film is cut.
//
//     frames    |----------------------------------------------------------------|
//     raps      ^              ^        ^              ^         ^
//     shots     |      |    |           |     |        |   |         |
//     chunks    |                       |              |                         |   ~24 s
//     segments  |       |      |        |       |      |      |       |          |   ~4 s
//
// A chunk's start is the candidate (shot boundary, random-access point, the frame nearest the
// target) with the least of: distance from the target length, frames decoded before it for
// nothing, a shot cut in two. What remains is never under half of a chunk, so no chunk and no
// segment is a stub. Short films get shorter chunks, so that there is work for several workers.
// All lengths are times, not frame counts: the frame rate may vary. Integers only.
#include "media/plan.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

#define CHUNKS_WANTED      6 // of a short film
#define PREROLL_MAX_CHUNKS 3 // in chunk lengths; beyond it a chunk rather grows

struct cutter {
    const struct media_report *report;
    const struct media_timeline *t;
    int64_t segment_us, chunk_us;
    int64_t context;
};

static int64_t us_of(const struct cutter *c, int64_t frame)
{
    return av_rescale(c->t->pts[frame] - c->t->pts[0],
                      (int64_t)c->t->time_base.num * 1000000, c->t->time_base.den);
}

// The first frame at or after `us`.
static int64_t frame_at(const struct cutter *c, int64_t us)
{
    int64_t lo = 0, hi = c->t->count;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (us_of(c, mid) < us) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int64_t frame_nearest(const struct cutter *c, int64_t us)
{
    int64_t f = frame_at(c, us);
    return f > 0 && us - us_of(c, f - 1) <= us_of(c, f) - us ? f - 1 : f;
}

// Position of the first shot that starts at or after `frame`.
static size_t shot_at(const struct cutter *c, int64_t frame)
{
    size_t lo = 0, hi = c->report->shots.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->report->shots.data[mid].start_frame < frame) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static bool is_shot(const struct cutter *c, int64_t frame)
{
    size_t at = shot_at(c, frame);
    return at < c->report->shots.len && c->report->shots.data[at].start_frame == frame;
}

int64_t plan_context_frames(const struct media_report *r)
{
    return strcmp(r->scan, "tff") == 0 || strcmp(r->scan, "bff") == 0 ||
                   strcmp(r->scan, "mixed") == 0
               ? 1
               : 0;
}

int64_t plan_find_rap(const struct media_timeline *t, int64_t frame, int64_t context)
{
    int64_t lo = 0, hi = (int64_t)t->raps.len; // the first one that is too late
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (t->raps.data[mid].frame <= MAX(frame - context, 0)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo - 1;
}

static int64_t preroll_us(const struct cutter *c, int64_t frame)
{
    int64_t rap = plan_find_rap(c->t, frame, c->context);
    return us_of(c, frame) - (rap < 0 ? 0 : us_of(c, c->t->raps.data[rap].frame));
}

// In thousandths of a chunk.
static int64_t cost_of(const struct cutter *c, int64_t frame, int64_t target_us)
{
    int64_t off = llabs(us_of(c, frame) - target_us) * 1000 / c->chunk_us;
    int64_t wasted = preroll_us(c, frame) * 500 / c->chunk_us;
    return off + wasted + (is_shot(c, frame) ? 0 : 200);
}

struct choice {
    int64_t frame, cost;
};

static void consider(const struct cutter *c, int64_t frame, int64_t first, int64_t last,
                     int64_t target_us, struct choice *best)
{
    if (frame < first || frame > last ||
        preroll_us(c, frame) > PREROLL_MAX_CHUNKS * c->chunk_us) {
        return;
    }
    int64_t cost = cost_of(c, frame, target_us);
    if (best->frame < 0 || cost < best->cost ||
        (cost == best->cost && frame < best->frame)) {
        *best = (struct choice){frame, cost};
    }
}

// Where the chunk that starts at `start` ends.
static int64_t chunk_end(const struct cutter *c, int64_t start)
{
    int64_t from = us_of(c, start), total = us_of(c, c->t->count);
    int64_t left = total - from, target = from + c->chunk_us;
    if (left <= c->chunk_us * 3 / 2) {
        return c->t->count;
    }
    int64_t latest = MIN(from + c->chunk_us * 3 / 2, total - c->chunk_us / 2);
    int64_t first = frame_at(c, from + c->chunk_us / 2);
    int64_t last = frame_at(c, latest + 1) - 1;
    struct choice best = {-1, 0};
    consider(c, frame_nearest(c, target), first, last, target, &best);
    for (size_t i = shot_at(c, first); i < c->report->shots.len; i++) {
        if (c->report->shots.data[i].start_frame > last) {
            break;
        }
        consider(c, c->report->shots.data[i].start_frame, first, last, target, &best);
    }
    size_t rap = (size_t)(plan_find_rap(c->t, MAX(first - 1, 0), 0) + 1);
    for (; rap < c->t->raps.len && c->t->raps.data[rap].frame <= last; rap++) {
        consider(c, c->t->raps.data[rap].frame + c->context, first, last, target, &best);
    }
    if (best.frame > start) {
        return best.frame;
    }
    // No cheap start in reach (or one frame fills the window): up to the next one.
    for (; rap < c->t->raps.len; rap++) {
        int64_t frame = c->t->raps.data[rap].frame + c->context;
        if (frame > last &&
            us_of(c, MIN(frame, c->t->count)) <= total - c->chunk_us / 2) {
            return frame;
        }
    }
    int64_t next = MAX(last + 1, start + 1);
    bool cheap = next < c->t->count && us_of(c, next) <= total - c->chunk_us / 2 &&
                 preroll_us(c, next) <= PREROLL_MAX_CHUNKS * c->chunk_us;
    return cheap ? next : c->t->count;
}

// The shot start nearest to `ideal_us` that keeps what is between `prev` and it, and between it
// and `end`, sound; otherwise the frame nearest to it.
static int64_t segment_edge(const struct cutter *c, int64_t prev, int64_t end,
                            int64_t ideal_us)
{
    int64_t reach = c->segment_us / 4, half = c->segment_us / 2;
    int64_t best = -1;
    for (size_t i = shot_at(c, frame_at(c, ideal_us - reach)); i < c->report->shots.len;
         i++) {
        int64_t f = c->report->shots.data[i].start_frame;
        if (f >= end || us_of(c, f) > ideal_us + reach) {
            break;
        }
        int64_t length = us_of(c, f) - us_of(c, prev);
        bool sound = f > prev && length >= half && length <= 3 * half &&
                     us_of(c, end) - us_of(c, f) >= half;
        if (sound && (best < 0 ||
                      llabs(us_of(c, f) - ideal_us) < llabs(us_of(c, best) - ideal_us))) {
            best = f;
        }
    }
    return best >= 0 ? best : frame_nearest(c, ideal_us);
}

static int cut_chunk(const struct cutter *c, int64_t start, int64_t end,
                     struct media_plan *p)
{
    int64_t from = us_of(c, start), length = us_of(c, end) - from;
    int64_t count = MAX((length + c->segment_us / 2) / c->segment_us, 1);
    struct media_chunk chunk = {.first_segment = (int64_t)p->segments.len,
                                .start_frame = start,
                                .end_frame = end,
                                .start_rap = plan_find_rap(c->t, start, c->context)};
    int64_t prev = start;
    TRY(vec_push(&p->segments, start));
    for (int64_t i = 1; i < count; i++) {
        int64_t f = segment_edge(c, prev, end, from + av_rescale(length, i, count));
        // Long frames can leave stubs on either side: such an edge is left out.
        if (f > prev && f < end && us_of(c, f) - us_of(c, prev) >= c->segment_us / 2 &&
            us_of(c, end) - us_of(c, f) >= c->segment_us / 2) {
            TRY(vec_push(&p->segments, f));
            prev = f;
        }
    }
    chunk.end_segment = (int64_t)p->segments.len;
    return vec_push(&p->chunks, chunk);
}

int plan_cut(const struct media_report *r, const struct media_timeline *t,
             const struct media_ladder *l, struct media_plan *p)
{
    struct cutter c = {.report = r,
                       .t = t,
                       .segment_us = l->segment_us,
                       .context = plan_context_frames(r)};
    c.chunk_us =
        MAX(MIN(us_of(&c, t->count) / CHUNKS_WANTED, l->chunk_us), 2 * l->segment_us);
    for (int64_t start = 0; start < t->count;) {
        int64_t end = chunk_end(&c, start);
        TRY(cut_chunk(&c, start, end, p));
        start = end;
    }
    return vec_push(&p->segments, t->count);
}

static int check_timeline(const struct media_report *r, const struct media_timeline *t)
{
    FAIL_IF(r->source->video < 0 || (size_t)r->source->video >= r->source->streams.len,
            ERR_UNSUPPORTED, "the film has no picture");
    FAIL_IF(t->count <= 0, ERR_UNSUPPORTED, "the film has no frame");
    FAIL_IF(t->count != r->frames, ERR_CONFLICT,
            "the report counts %lld frames, the timeline %lld", (long long)r->frames,
            (long long)t->count);
    FAIL_IF(t->time_base.num <= 0 || t->time_base.den <= 0, ERR_CORRUPT,
            "a time base of %d/%d", t->time_base.num, t->time_base.den);
    for (int64_t i = 0; i < t->count; i++) {
        FAIL_IF(t->pts[i + 1] <= t->pts[i], ERR_CORRUPT,
                "frame %lld is not shown before the next one", (long long)i);
    }
    int64_t span = 0, ticks = 0;
    FAIL_IF(__builtin_sub_overflow(t->pts[t->count], t->pts[0], &span) ||
                MUL_OVERFLOWS(span, t->time_base.num, &ticks) ||
                ticks > INT64_MAX / 2000000,
            ERR_LIMIT, "the film is too long");
    return 0;
}

void media_plan_free(struct media_plan **ptr)
{
    struct media_plan *p = *ptr;
    *ptr = NULL;
    if (!p) {
        return;
    }
    vec_for_each (g, &p->groups) {
        vec_free(&g->renditions);
    }
    vec_free(&p->groups);
    vec_free(&p->renditions);
    vec_free(&p->segments);
    vec_free(&p->chunks);
    free(p);
}

int media_plan_make(const struct media_report *r, const struct media_timeline *t,
                    const struct media_ladder *l, struct media_plan **ret)
{
    TRY(check_timeline(r, t));
    AUTO(media_plan_free) struct media_plan *p = calloc(1, sizeof *p);
    FAIL_IF(!p, ERR_NOMEM, "a plan");
    p->frames = t->count;
    p->origin_pts = t->pts[0];
    p->psnr_floor_db = l->psnr_floor_db;
    TRY(plan_cut(r, t, l, p));
    TRY(plan_offer(r, t, l, p));
    *ret = TAKE(p);
    return 0;
}
