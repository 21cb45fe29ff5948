// SPDX-License-Identifier: GPL-3.0-or-later
//
// The Numenta Anomaly Benchmark (Lavin and Ahmad 2015), scored as it is published: the earlier within a labelled window,
// the better; a miss and a false alarm cost; one threshold for the corpus; 0 is silence, 100 perfection. Where the
// data is not, SKIPPED.
#include "insight/insight.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { FILES_MAX = 64, WINDOWS_MAX = 8 };

struct window {
    size_t first, last;
};
struct recording {
    const char *name; // of the json
    struct insight_sheet sheet;
    struct window windows[WINDOWS_MAX];
    size_t window_count;
    double *scores;
};
struct corpus {
    json_t *json;
    struct recording files[FILES_MAX];
    size_t count;
};
struct profile {
    double miss, alarm;
};
static const struct profile standard = {1, 0.11}, few_alarms = {1, 0.22},
                            few_misses = {2, 0.11};

// --- scoring --------------------------------------------------------------------------------------

static double scaled_sigmoid(double x)
{
    return x > 3 ? -1 : 2 / (1 + exp(5 * x)) - 1;
}

// What a detection at some point is worth: to a window (from 0 over the corpus), or as a false alarm (-1).
struct point {
    double score, worth;
    int window;
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct point *)a)->score, y = ((const struct point *)b)->score;
    return (x < y) - (x > y);
}

static size_t points_of(const struct recording *f, int first_window, struct profile p,
                        struct point *ret)
{
    size_t n = f->sheet.rows, count = 0, next = 0;
    size_t probation = (size_t)(0.15 * (double)MIN(n, 5000));
    int current = -1;
    const struct window *before = NULL;
    for (size_t i = 0; i < n; i++) {
        if (next < f->window_count && i == f->windows[next].first) {
            current = (int)next++;
        }
        struct point point = {f->scores[i], -p.alarm, -1};
        if (current >= 0) {
            const struct window *w = &f->windows[current];
            double width = (double)(w->last - w->first + 1);
            point.worth =
                scaled_sigmoid(-(double)(w->last - i + 1) / width) / scaled_sigmoid(-1);
            point.window = first_window + current;
            before = i == w->last ? w : before;
            current = i == w->last ? -1 : current;
        } else if (before) {
            double past = (double)(i - before->last);
            point.worth =
                p.alarm * scaled_sigmoid(past / (double)(before->last - before->first));
        }
        if (i >= probation) {
            ret[count++] = point;
        }
    }
    return count;
}

// Of the files whose place leaves `half` over when divided by two; -1: all.
struct result {
    double best, threshold; // the threshold that is best, and its score
    double fixed;           // the score at the given one
};

static struct result sweep(const struct corpus *c, int half, struct profile p,
                           double threshold)
{
    static double gained[FILES_MAX * WINDOWS_MAX];
    size_t count = 0, all = 0;
    int windows = 0;
    for (size_t k = 0; k < c->count; k++) {
        all += c->files[k].sheet.rows;
    }
    struct point *points = calloc(all, sizeof *points);
    assert_non_null(points);
    for (size_t k = 0; k < c->count; k++) {
        if (half < 0 || (int)(k % 2) == half) {
            count += points_of(&c->files[k], windows, p, points + count);
            windows += (int)c->files[k].window_count;
        }
    }
    qsort(points, count, sizeof *points, compare);
    double sum = -p.miss * windows, span = (1 + p.miss) * windows;
    struct result r = {sum, INFINITY, sum};
    for (int w = 0; w < windows; w++) {
        gained[w] = -p.miss;
    }
    for (size_t i = 0; i < count; i++) {
        const struct point *at = &points[i];
        if (at->window < 0) {
            sum += at->worth;
        } else if (at->worth > gained[at->window]) {
            sum += at->worth - gained[at->window];
            gained[at->window] = at->worth;
        }
        bool last = i + 1 == count || points[i + 1].score < at->score;
        if (last && sum > r.best) {
            r.best = sum;
            r.threshold = at->score;
        }
        r.fixed = last && at->score >= threshold ? sum : r.fixed;
    }
    free(points);
    r.best = 100 * (r.best + p.miss * windows) / span;
    r.fixed = 100 * (r.fixed + p.miss * windows) / span;
    return r;
}

// --- the corpus -----------------------------------------------------------------------------------

static size_t row_at(const struct recording *f, const json_t *text)
{
    int64_t at = 0;
    assert_int_equal(insight_time_parse(str_of(json_string_value(text)), &at), 0);
    for (size_t i = 0; i < f->sheet.rows; i++) {
        if (f->sheet.times_ms[i] == at) {
            return i;
        }
    }
    fail_msg("%s: no row at %s", f->name, json_string_value(text));
    return 0;
}

static int corpus_make(void **state)
{
    const char *shared = getenv("MARQUEE_SHARED");
    AUTO(cstr_free) char *root = NULL, *labels = NULL;
    assert_int_equal(
        cstr_printf(&root, "%s/data/telemetry/NAB", shared ? shared : "../shared"), 0);
    if (!fs_exists(root)) {
        print_message("SKIPPED: there is no %s\n", root);
        return 0;
    }
    struct corpus *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_int_equal(cstr_printf(&labels, "%s/combined_windows.json", root), 0);
    assert_int_equal(json_parse_file(&c->json, labels, 1 << 20), 0);
    const char *name;
    json_t *windows;
    json_object_foreach(c->json, name, windows)
    {
        AUTO(cstr_free) char *path = NULL;
        AUTO(buf_free) struct buf text = {0};
        assert_int_equal(cstr_printf(&path, "%s/data/%s", root, name), 0);
        if (!fs_exists(path)) {
            continue;
        }
        assert_true(c->count < FILES_MAX);
        struct recording *f = &c->files[c->count++];
        f->name = name;
        assert_int_equal(fs_read_file(path, 1 << 24, &text), 0);
        assert_int_equal(insight_sheet_parse(buf_view(&text), &f->sheet), 0);
        f->scores = calloc(f->sheet.rows, sizeof *f->scores);
        assert_non_null(f->scores);
        f->window_count = json_array_size(windows);
        assert_true(f->window_count <= WINDOWS_MAX);
        for (size_t i = 0; i < f->window_count; i++) {
            const json_t *w = json_array_get(windows, i);
            f->windows[i].first = row_at(f, json_array_get(w, 0));
            f->windows[i].last = row_at(f, json_array_get(w, 1));
        }
    }
    *state = c;
    return 0;
}

static int corpus_free(void **state)
{
    struct corpus *c = *state;
    for (size_t i = 0; c && i < c->count; i++) {
        insight_sheet_free(&c->files[i].sheet);
        free(c->files[i].scores);
    }
    if (c) {
        json_decref(c->json);
    }
    free(c);
    return 0;
}

static struct corpus *needed(void **state)
{
    if (!*state) {
        print_message("SKIPPED: the recordings are not there\n");
        skip();
    }
    return *state;
}

// --- detectors -------------------------------------------------------------------------------------

static void silence_is_nothing(void **state)
{
    struct corpus *c = needed(state);
    assert_int_equal(c->count, 42); // of 58: two folders are not here
    for (size_t k = 0; k < c->count; k++) {
        for (size_t i = 0; i < c->files[k].sheet.rows; i++) {
            c->files[k].scores[i] = 0.5;
        }
    }
    assert_true(sweep(c, -1, standard, NAN).best == 0);
}

// Every window hit in its first row and nothing else: the sigmoid there is worth 1.
static void knowing_all_is_all(void **state)
{
    struct corpus *c = needed(state);
    for (size_t k = 0; k < c->count; k++) {
        struct recording *f = &c->files[k];
        memset(f->scores, 0, f->sheet.rows * sizeof *f->scores);
        for (size_t i = 0; i < f->window_count; i++) {
            f->scores[f->windows[i].first] = 1;
        }
    }
    assert_true(fabs(sweep(c, -1, standard, 1).fixed - 100) < 1e-9);
    assert_true(fabs(sweep(c, -1, few_misses, 1).fixed - 100) < 1e-9);
}

// Published: 11.0 on the whole corpus. On the files here, over 10 runs: about 12.
static void guessing_is_worth_a_ninth(void **state)
{
    struct corpus *c = needed(state);
    uint64_t seed = 42;
    double sum = 0;
    for (int run = 0; run < 10; run++) {
        for (size_t k = 0; k < c->count; k++) {
            for (size_t i = 0; i < c->files[k].sheet.rows; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                c->files[k].scores[i] = (double)(seed >> 11);
            }
        }
        sum += sweep(c, -1, standard, NAN).best;
    }
    print_message("random: %.1f\n", sum / 10);
    assert_true(sum / 10 > 9 && sum / 10 < 16);
}

static void ours_is_above_70(void **state)
{
    struct corpus *c = needed(state);
    for (size_t k = 0; k < c->count; k++) {
        struct recording *f = &c->files[k];
        AUTO(insight_watch_free) struct insight_watch *watch = NULL;
        size_t season = 0;
        assert_int_equal(insight_season_of(f->sheet.times_ms, f->sheet.rows, &season), 0);
        assert_int_equal(insight_watch_new(&watch, season), 0);
        for (size_t i = 0; i < f->sheet.rows; i++) {
            struct insight_anomaly a;
            insight_watch_next(watch, f->sheet.values[i], &a);
            f->scores[i] = a.score;
        }
    }
    struct result all = sweep(c, -1, standard, 1);
    struct result even = sweep(c, 0, standard, NAN), odd = sweep(c, 1, standard, NAN);
    print_message(
        "standard %.2f (at %.3f; %.2f at 1), few alarms %.2f, few misses %.2f\n",
        all.best, all.threshold, all.fixed, sweep(c, -1, few_alarms, 1).best,
        sweep(c, -1, few_misses, 1).best);
    print_message(
        "even %.2f, odd %.2f; odd at even's threshold %.2f, even at odd's %.2f\n",
        even.best, odd.best, sweep(c, 1, standard, even.threshold).fixed,
        sweep(c, 0, standard, odd.threshold).fixed);
    assert_true(all.best >= 70);
    assert_true(all.fixed >= 70); // as operators get it
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_nothing),
        cmocka_unit_test(knowing_all_is_all),
        cmocka_unit_test(guessing_is_worth_a_ninth),
        cmocka_unit_test(ours_is_above_70),
    };
    return cmocka_run_group_tests(tests, corpus_make, corpus_free);
}
