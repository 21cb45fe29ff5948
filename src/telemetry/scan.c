// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading. A scan takes references to all that holds values in its span, oldest first, so that what was
// said later stands; then it goes through the series one by one, and never holds a lock while it works.
#include "telemetry/series_parts.h"

#include <math.h>
#include <stdlib.h>

#define SPAN_VALUES_MAX (1U << 24)

// Of the values that fell into one step of an answer.
struct gathered {
    double sum, min, max, count;
};

// A block, or a window of memory: all that has values of one stretch of time.
struct source {
    uint32_t tier;
    int64_t first, slots, window; // slots of its tier; where its window begins
    struct block *block;          // NULL: memory
    struct block_cursor *cursor;
    struct head_window *memory;
    pthread_mutex_t *lock; // of memory that is written to; NULL: it is frozen
};

struct scan {
    struct telemetry *store;
    const struct telemetry_span *span;
    int64_t first, last; // slots, both included
    int64_t ratio;       // slots of a step of the answer
    // By tier and window, what was said later behind what was said before.
    VEC(struct source) sources;
    bool plain; // every step of the answer is one slot of the first tier

    struct gathered *gathered; // by step, unless plain
    double *values;
    double rows[BLOCK_COLUMNS_MAX][CODEC_VALUES_MAX]; // of one window
};

static void scan_free(struct scan **sp)
{
    struct scan *s = TAKE(*sp);
    if (!s) {
        return;
    }
    vec_for_each (o, &s->sources) {
        block_cursor_free(&o->cursor);
        block_unref(&o->block);
        if (o->memory) {
            head_window_unref(o->memory);
        }
    }
    vec_free(&s->sources);
    free(s->gathered);
    free(s->values);
    free(s);
}

// --- what there is ----------------------------------------------------------------------------------

static int keep_memory(struct scan *s, const head_windows *from, pthread_mutex_t *lock)
{
    for (size_t i = 0; i < from->len; i++) {
        struct head_window *w = from->data[i];
        if (w->first <= s->last && w->first + HEAD_SLOTS > s->first) {
            TRY(vec_push(&s->sources, (struct source){.first = w->first,
                                                      .slots = HEAD_SLOTS,
                                                      .window = grid_window(
                                                          w->first, s->store->windows[0]),
                                                      .memory = w,
                                                      .lock = lock}));
            head_window_ref(w);
        }
    }
    return 0;
}

static int keep_blocks(struct scan *s)
{
    struct telemetry *t = s->store;
    for (size_t i = 0; i < t->blocks.len; i++) {
        const struct block_shape *b = block_shape(t->blocks.data[i]);
        int64_t ratio = b->step_ms / t->step_ms;
        if ((b->first - 1) * ratio < s->last &&
            (b->first + b->slots - 1) * ratio >= s->first) {
            TRY(vec_push(
                &s->sources,
                (struct source){.tier = b->tier,
                                .first = b->first,
                                .slots = b->slots,
                                .window = grid_window(b->first, t->windows[b->tier]),
                                .block = block_ref(t->blocks.data[i])}));
            s->plain = s->plain && b->tier == 0;
        }
    }
    return 0;
}

// Keeps the order within a window.
static void sort_sources(struct scan *s)
{
    for (size_t i = 1; i < s->sources.len; i++) {
        struct source o = s->sources.data[i];
        size_t k = i;
        for (; k > 0; k--) {
            const struct source *b = &s->sources.data[k - 1];
            if (b->tier < o.tier || (b->tier == o.tier && b->window <= o.window)) {
                break;
            }
            s->sources.data[k] = *b;
        }
        s->sources.data[k] = o;
    }
}

static int check_span(const struct telemetry *t, const struct telemetry_span *span)
{
    FAIL_IF(span->step_ms <= 0 || span->step_ms % t->step_ms != 0 ||
                span->start_ms <= 0 || span->start_ms % span->step_ms != 0,
            ERR_INVALID, "a span off the grid of %lld ms", (long long)t->step_ms);
    FAIL_IF(span->count == 0 || span->count > SPAN_VALUES_MAX ||
                span->step_ms > SERIES_LATEST_MS / (int64_t)span->count ||
                span->start_ms > SERIES_LATEST_MS,
            ERR_LIMIT, "a span of %zu values", span->count);
    return 0;
}

static int find_sources(struct scan *s)
{
    struct telemetry *t = s->store;
    int64_t now_slot = series_now(t) / t->step_ms;
    pthread_mutex_lock(&t->head.lock);
    s->last = MIN(s->last, MAX(t->head.visible, now_slot));
    int err = keep_blocks(s);
    err = err < 0 ? err : keep_memory(s, &t->head.frozen, NULL);
    err = err < 0 ? err : keep_memory(s, &t->head.open, &t->head.lock);
    pthread_mutex_unlock(&t->head.lock);
    TRY(err);
    sort_sources(s);
    vec_for_each (o, &s->sources) {
        if (o->block) {
            TRY(block_cursor_new(&o->cursor, o->block));
        }
    }
    return 0;
}

static int scan_new(struct telemetry *t, const struct telemetry_span *span,
                    struct scan **ret)
{
    TRY(check_span(t, span));
    AUTO(scan_free) struct scan *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a scan");
    s->store = t;
    s->span = span;
    s->ratio = span->step_ms / t->step_ms;
    int64_t start = span->start_ms / t->step_ms;
    s->first = MAX(start - s->ratio + 1, INT64_C(1));
    s->last = start + ((int64_t)span->count - 1) * s->ratio;
    s->plain = s->ratio == 1;
    TRY(find_sources(s));
    s->values = malloc(span->count * sizeof *s->values);
    s->gathered = s->plain ? NULL : malloc(span->count * sizeof *s->gathered);
    FAIL_IF(!s->values || (!s->plain && !s->gathered), ERR_NOMEM, "values of a span");
    *ret = TAKE(s);
    return 0;
}

// --- one series ---------------------------------------------------------------------------------------

static void lay_over(const double *row, double *onto, int64_t from, int64_t until)
{
    for (int64_t i = from; i <= until; i++) {
        onto[i] = isnan(row[i]) ? onto[i] : row[i];
    }
}

// The rows of a window from its sources; false: there are none.
static bool read_source(struct scan *s, const struct source *o, uint32_t series,
                        double *const *onto)
{
    if (o->memory) {
        bool any = false;
        if (o->lock) {
            pthread_mutex_lock(o->lock);
        }
        const double *row = head_row(o->memory, series);
        if (row) {
            int64_t until = MIN(o->slots - 1, s->last - o->first);
            lay_over(row, onto[0], MAX(s->first - o->first, INT64_C(0)), until);
            any = true;
        }
        if (o->lock) {
            pthread_mutex_unlock(o->lock);
        }
        return any;
    }
    if (block_cursor_seek(o->cursor, series) != series) {
        return false;
    }
    double row[CODEC_VALUES_MAX];
    bool any = false;
    int64_t from = 0, until = o->slots - 1;
    if (o->tier == 0) {
        from = MAX(s->first - o->first, INT64_C(0));
        until = MIN(until, s->last - o->first);
    }
    for (uint32_t c = 0; c < (o->tier == 0 ? 1 : BLOCK_COLUMNS_MAX); c++) {
        if (block_cursor_read(o->cursor, c, row)) {
            lay_over(row, onto[c], from, until);
            any = true;
        }
    }
    return any;
}

static void gather(struct gathered *g, const struct gathered *more)
{
    g->sum += more->sum;
    g->count += more->count;
    g->min = fmin(g->min, more->min);
    g->max = fmax(g->max, more->max);
}

static void gather_fine(struct scan *s, int64_t window)
{
    int64_t start = s->span->start_ms / s->store->step_ms;
    int64_t from = MAX(window, s->first);
    int64_t until = MIN(window + s->store->windows[0] - 1, s->last);
    for (int64_t slot = from; slot <= until; slot++) {
        double v = s->rows[0][slot - window];
        if (!isnan(v)) {
            int64_t step = (slot - start + s->ratio - 1) / s->ratio;
            gather(&s->gathered[step], &(struct gathered){v, v, v, 1});
        }
    }
}

// A slot of a coarser tier lies in several steps of the answer where those are shorter: each has its share.
static void gather_coarse(struct scan *s, uint32_t tier, int64_t window)
{
    int64_t start = s->span->start_ms / s->store->step_ms;
    int64_t ratio = s->store->tiers[tier].step_ms / s->store->step_ms;
    for (int64_t k = 0; k < s->store->windows[tier]; k++) {
        int64_t from = MAX((window + k - 1) * ratio + 1, s->first);
        int64_t until = MIN((window + k) * ratio, s->last);
        if (isnan(s->rows[3][k])) {
            continue;
        }
        while (from <= until) {
            int64_t step = (from - start + s->ratio - 1) / s->ratio;
            int64_t end = MIN(start + step * s->ratio, until);
            double share = (double)(end - from + 1) / (double)ratio;
            gather(&s->gathered[step],
                   &(struct gathered){s->rows[0][k] * share, s->rows[1][k], s->rows[2][k],
                                      s->rows[3][k] * share});
            from = end + 1;
        }
    }
}

// The sources of one window, of which `at` is the first; returns the first of the next.
static size_t read_window(struct scan *s, size_t at, uint32_t series)
{
    const struct source *o = &s->sources.data[at];
    uint32_t tier = o->tier;
    int64_t window = o->window, slots = s->store->windows[tier];
    bool any = false;
    for (uint32_t c = 0; c < (tier == 0 ? 1 : BLOCK_COLUMNS_MAX); c++) {
        for (int64_t i = 0; i < slots; i++) {
            s->rows[c][i] = NAN;
        }
    }
    for (; at < s->sources.len; at++) {
        o = &s->sources.data[at];
        if (o->tier != tier || o->window != window) {
            break;
        }
        int64_t shift = o->first - window;
        double *onto[BLOCK_COLUMNS_MAX] = {s->rows[0] + shift, s->rows[1] + shift,
                                           s->rows[2] + shift, s->rows[3] + shift};
        any = read_source(s, o, series, onto) || any;
    }
    if (any && tier == 0) {
        gather_fine(s, window);
    } else if (any) {
        gather_coarse(s, tier, window);
    }
    return at;
}

static double consolidate(const struct scan *s, size_t i, enum telemetry_dstype dstype)
{
    const struct gathered *g = &s->gathered[i];
    if (!(g->count > 0)) {
        return NAN;
    }
    switch (s->span->cf) {
    case TELEMETRY_CF_SUM:
        return g->sum;
    case TELEMETRY_CF_MIN:
        return g->min;
    case TELEMETRY_CF_MAX:
        return g->max;
    case TELEMETRY_CF_AVG:
        break;
    }
    int64_t end = s->span->start_ms / s->store->step_ms + (int64_t)i * s->ratio;
    int64_t over = MIN(end, s->last) - MAX(end - s->ratio, INT64_C(0));
    return dstype == TELEMETRY_GAUGE ? g->sum / g->count : g->sum / (double)over;
}

// The values of one series. False: it has none.
static bool read_plain(struct scan *s, uint32_t series)
{
    bool any = false;
    for (size_t i = 0; i < s->span->count; i++) {
        s->values[i] = NAN;
    }
    vec_for_each (o, &s->sources) {
        double *onto = s->values + (o->first - s->first);
        any = read_source(s, o, series, &onto) || any;
    }
    for (size_t i = 0; any && i < s->span->count; i++) {
        if (!isnan(s->values[i])) {
            return true;
        }
    }
    return false;
}

static bool read_gathered(struct scan *s, uint32_t series)
{
    enum telemetry_dstype dstype = index_dstype(s->store->index, series);
    for (size_t i = 0; i < s->span->count; i++) {
        s->gathered[i] = (struct gathered){.min = INFINITY, .max = -INFINITY};
    }
    for (size_t at = 0; at < s->sources.len;) {
        at = read_window(s, at, series);
    }
    bool any = false;
    for (size_t i = 0; i < s->span->count; i++) {
        s->values[i] = consolidate(s, i, dstype);
        any = any || !isnan(s->values[i]);
    }
    return any;
}

int telemetry_scan(struct telemetry *t, const struct telemetry_match *match,
                   const struct telemetry_span *span, telemetry_visit_f *visit,
                   void *user)
{
    AUTO(index_set_free) struct index_set set = {0};
    AUTO(scan_free) struct scan *s = NULL;
    TRY(index_match(t->index, match, &set));
    TRY(scan_new(t, span, &s));
    for (size_t w = 0; w < set.count; w++) {
        for (uint64_t bits = set.words[w]; bits; bits &= bits - 1) {
            uint32_t series = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
            if (!(s->plain ? read_plain(s, series) : read_gathered(s, series))) {
                continue;
            }
            struct telemetry_tag list[INDEX_TAGS_MAX];
            struct telemetry_view view = {.tags.list = list,
                                          .dstype = index_dstype(t->index, series),
                                          .values = s->values};
            index_tags(t->index, series, list, &view.tags.count);
            TRY(visit(user, &view));
        }
    }
    return 0;
}
