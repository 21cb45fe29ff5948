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

struct scan {
    struct telemetry *store;
    const struct telemetry_span *span;
    int64_t first, last; // slots, both included
    int64_t ratio;       // slots of a step of the answer
    head_windows windows;
    size_t frozen; // how many of them are

    double *fine; // of the slots, where ratio > 1
    double *values;
};

static void scan_free(struct scan *s)
{
    vec_for_each (w, &s->windows) {
        head_window_unref(*w);
    }
    vec_free(&s->windows);
    free(s->fine);
    free(s->values);
}

static int keep_windows(struct scan *s, const head_windows *from)
{
    for (size_t i = 0; i < from->len; i++) {
        struct head_window *w = from->data[i];
        if (w->first <= s->last && w->first + HEAD_SLOTS > s->first) {
            TRY(vec_push(&s->windows, w));
            head_window_ref(w);
        }
    }
    return 0;
}

static int check_span(const struct telemetry *t, const struct telemetry_span *span)
{
    FAIL_IF(span->step_ms <= 0 || span->step_ms % t->step_ms != 0 ||
                span->start_ms <= 0 || span->start_ms % span->step_ms != 0,
            ERR_INVALID, "a span off the grid of %lld ms", (long long)t->step_ms);
    FAIL_IF(span->count == 0 || span->count > SPAN_VALUES_MAX ||
                span->step_ms / t->step_ms > (int64_t)SPAN_VALUES_MAX ||
                span->start_ms > SERIES_LATEST_MS,
            ERR_LIMIT, "a span of %zu values", span->count);
    return 0;
}

static int scan_open(struct scan *s)
{
    struct telemetry *t = s->store;
    TRY(check_span(t, s->span));
    s->ratio = s->span->step_ms / t->step_ms;
    int64_t start = s->span->start_ms / t->step_ms;
    s->first = MAX(start - s->ratio + 1, INT64_C(1));
    s->last = start + ((int64_t)s->span->count - 1) * s->ratio;
    int64_t now_slot = series_now(t) / t->step_ms;
    pthread_mutex_lock(&t->head.lock);
    int64_t visible = MAX(t->head.visible, now_slot);
    s->last = MIN(s->last, visible);
    int err = keep_windows(s, &t->head.frozen);
    s->frozen = s->windows.len;
    err = err < 0 ? err : keep_windows(s, &t->head.open);
    pthread_mutex_unlock(&t->head.lock);
    TRY(err);
    s->values = malloc(s->span->count * sizeof *s->values);
    FAIL_IF(!s->values, ERR_NOMEM, "values of a span");
    if (s->ratio > 1 && s->last >= s->first) {
        s->fine = malloc((size_t)(s->last - s->first + 1) * sizeof *s->fine);
        FAIL_IF(!s->fine, ERR_NOMEM, "values of a span");
    }
    return 0;
}

static void lay_over(const struct scan *s, const double *row, int64_t first,
                     int64_t count, double *onto)
{
    int64_t from = MAX(first, s->first), until = MIN(first + count - 1, s->last);
    for (int64_t slot = from; slot <= until; slot++) {
        double v = row[slot - first];
        if (!isnan(v)) {
            onto[slot - s->first] = v;
        }
    }
}

static void read_windows(const struct scan *s, uint32_t series, double *onto)
{
    for (size_t i = 0; i < s->frozen; i++) {
        const double *row = head_row(s->windows.data[i], series);
        if (row) {
            lay_over(s, row, s->windows.data[i]->first, HEAD_SLOTS, onto);
        }
    }
    if (s->frozen == s->windows.len) {
        return;
    }
    pthread_mutex_lock(&s->store->head.lock);
    for (size_t i = s->frozen; i < s->windows.len; i++) {
        const double *row = head_row(s->windows.data[i], series);
        if (row) {
            lay_over(s, row, s->windows.data[i]->first, HEAD_SLOTS, onto);
        }
    }
    pthread_mutex_unlock(&s->store->head.lock);
}

static double consolidate(const double *v, int64_t count, enum telemetry_consolidate cf,
                          enum telemetry_dstype dstype)
{
    struct gathered g = {.min = INFINITY, .max = -INFINITY};
    for (int64_t i = 0; i < count; i++) {
        if (!isnan(v[i])) {
            g.sum += v[i];
            g.count++;
            g.min = fmin(g.min, v[i]);
            g.max = fmax(g.max, v[i]);
        }
    }
    if (g.count == 0) {
        return NAN;
    }
    return cf == TELEMETRY_CF_SUM      ? g.sum
           : cf == TELEMETRY_CF_MIN    ? g.min
           : cf == TELEMETRY_CF_MAX    ? g.max
           : dstype == TELEMETRY_GAUGE ? g.sum / g.count
                                       : g.sum / (double)count;
}

// The values of one series. False: it has none.
static bool read_series(struct scan *s, uint32_t series)
{
    size_t slots = s->last >= s->first ? (size_t)(s->last - s->first + 1) : 0;
    double *onto = s->ratio > 1 ? s->fine : s->values;
    for (size_t i = 0; i < (s->ratio > 1 ? slots : s->span->count); i++) {
        onto[i] = NAN;
    }
    read_windows(s, series, onto);
    bool any = false;
    for (size_t i = 0; i < s->span->count; i++) {
        if (s->ratio > 1) {
            int64_t end = s->span->start_ms / s->store->step_ms + (int64_t)i * s->ratio;
            int64_t from = MAX(end - s->ratio + 1, s->first), until = MIN(end, s->last);
            s->values[i] =
                from <= until
                    ? consolidate(s->fine + (from - s->first), until - from + 1,
                                  s->span->cf, index_dstype(s->store->index, series))
                    : NAN;
        }
        any = any || !isnan(s->values[i]);
    }
    return any;
}

int telemetry_scan(struct telemetry *t, const struct telemetry_match *match,
                   const struct telemetry_span *span, telemetry_visit_f *visit,
                   void *user)
{
    AUTO(index_set_free) struct index_set set = {0};
    AUTO(scan_free) struct scan s = {.store = t, .span = span};
    TRY(index_match(t->index, match, &set));
    TRY(scan_open(&s));
    for (size_t w = 0; w < set.count; w++) {
        for (uint64_t bits = set.words[w]; bits; bits &= bits - 1) {
            uint32_t series = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
            if (!read_series(&s, series)) {
                continue;
            }
            struct telemetry_tag list[INDEX_TAGS_MAX];
            struct telemetry_view view = {.tags.list = list,
                                          .dstype = index_dstype(t->index, series),
                                          .values = s.values};
            index_tags(t->index, series, list, &view.tags.count);
            TRY(visit(user, &view));
        }
    }
    return 0;
}
