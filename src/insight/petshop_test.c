// SPDX-License-Identifier: GPL-3.0-or-later
//
// Root causes in PetShop (Hardt et al. 2023): a shop of micro-services with 52 injected faults of latency and
// availability, their series and call graph. Where the data is not, SKIPPED.
#include "insight/insight.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { HEADER_LINES = 3, PARTS_MAX = 64, STEPS_MAX = 700, CALLS_MAX = 200 };

// A metrics.csv: three lines of names (part, metric, statistic), then rows of a time and values.
struct metrics {
    VEC(struct str) parts, kinds, statistics;
    struct insight_sheet sheet;
    struct buf text;
};

static void metrics_free(struct metrics *m)
{
    vec_free(&m->parts);
    vec_free(&m->kinds);
    vec_free(&m->statistics);
    insight_sheet_free(&m->sheet);
    buf_free(&m->text);
}

static void metrics_read(const char *path, struct metrics *m)
{
    assert_int_equal(fs_read_file(path, 1 << 26, &m->text), 0);
    struct str rest = buf_view(&m->text), line, field;
    for (int i = 0; i < HEADER_LINES; i++) {
        assert_true(str_next(&rest, '\n', &line));
        while (str_next(&line, ',', &field)) {
            assert_int_equal(vec_push(i == 0   ? &m->parts
                                      : i == 1 ? &m->kinds
                                               : &m->statistics,
                                      str_trim(field)),
                             0);
        }
    }
    if (str_starts(rest, "unix_timestamp")) {
        assert_true(str_next(&rest, '\n', &line));
    }
    assert_int_equal(insight_sheet_parse(rest, &m->sheet), 0);
    assert_int_equal(m->sheet.columns, m->parts.len);
}

static const double *metrics_find(const struct metrics *m, struct str part,
                                  const char *kind, const char *statistic)
{
    for (size_t i = 1; i < m->parts.len; i++) {
        if (str_eq(m->parts.data[i], part) && str_eq_c(m->kinds.data[i], kind) &&
            str_eq_c(m->statistics.data[i], statistic)) {
            return insight_sheet_column(&m->sheet, i);
        }
    }
    return NULL;
}

// The quiet time, then the incident, as one series a part.
struct scene {
    char names[PARTS_MAX][128];
    struct insight_part parts[PARTS_MAX];
    struct insight_call calls[CALLS_MAX];
    double calls_of[PARTS_MAX][STEPS_MAX], cost_of[PARTS_MAX][STEPS_MAX];
    struct insight_calls system;
};

static void graph_read(const char *folder, struct scene *s)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    assert_int_equal(cstr_printf(&path, "%s/graph.csv", folder), 0);
    assert_int_equal(fs_read_file(path, 1 << 24, &text), 0);
    struct str rest = buf_view(&text), line, field;
    assert_true(str_next(&rest, '\n', &line));
    str_next(&line, ',', &field); // the corner
    while (str_next(&line, ',', &field)) {
        assert_true(s->system.part_count < PARTS_MAX);
        char *name = s->names[s->system.part_count];
        assert_int_equal(str_copy(name, sizeof s->names[0], str_trim(field)), 0);
        s->parts[s->system.part_count++].name = name;
    }
    for (size_t row = 0; str_next(&rest, '\n', &line) && line.len > 0; row++) {
        str_next(&line, ',', &field);
        assert_true(str_eq_c(field, s->names[row]));
        for (size_t column = 0; str_next(&line, ',', &field); column++) {
            if (!str_starts(field, "0")) {
                assert_true(s->system.call_count < CALLS_MAX);
                s->calls[s->system.call_count++] = (struct insight_call){row, column};
            }
        }
    }
}

static void append(double *to, const double *from, size_t at, size_t count, bool loss)
{
    for (size_t i = 0; i < count; i++) {
        to[at + i] = !from ? NAN : loss ? (100 - from[i]) / 100 : from[i];
    }
}

static void scene_fill(struct scene *s, const struct metrics *m, const char *kind)
{
    bool loss = strcmp(kind, "availability") == 0;
    assert_true(s->system.length + m->sheet.rows <= STEPS_MAX);
    for (size_t i = 0; i < s->system.part_count; i++) {
        struct str name = str_of(s->names[i]);
        append(s->calls_of[i], metrics_find(m, name, "requests", "Sum"), s->system.length,
               m->sheet.rows, false);
        append(s->cost_of[i], metrics_find(m, name, kind, "Average"), s->system.length,
               m->sheet.rows, loss);
        s->parts[i].calls = s->calls_of[i];
        s->parts[i].cost = s->cost_of[i];
    }
    s->system.length += m->sheet.rows;
}

static size_t part_of(const struct scene *s, const char *name)
{
    for (size_t i = 0; i < s->system.part_count; i++) {
        if (strcmp(s->names[i], name) == 0) {
            return i;
        }
    }
    fail_msg("there is no part %s", name);
    return 0;
}

// The place of the true cause, from 0; PARTS_MAX where it is not in the list.
static size_t place_of_cause(const char *folder, const char *incident)
{
    AUTO(cstr_free) char *quiet_path = NULL, *path = NULL, *target_path = NULL;
    AUTO(metrics_free) struct metrics quiet = {0}, metrics = {0};
    AUTO(json_free) json_t *target = NULL;
    assert_int_equal(cstr_printf(&quiet_path, "%s/noissue/metrics.csv", folder), 0);
    assert_int_equal(cstr_printf(&path, "%s/%s/metrics.csv", folder, incident), 0);
    assert_int_equal(cstr_printf(&target_path, "%s/%s/target.json", folder, incident), 0);
    metrics_read(quiet_path, &quiet);
    metrics_read(path, &metrics);
    assert_int_equal(json_parse_file(&target, target_path, 1 << 20), 0);
    const json_t *what = json_object_get(target, "target");
    const char *kind = json_str_or(what, "metric", "");
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->system.parts = s->parts;
    s->system.calls = s->calls;
    graph_read(folder, s);
    scene_fill(s, &quiet, kind);
    struct insight_window window = {.since = s->system.length};
    scene_fill(s, &metrics, kind);
    window.end = s->system.length;
    // A row is of the five minutes that begin at its time: the first that holds the moment of the fault.
    const double *times = insight_sheet_column(&metrics.sheet, 0);
    double at = (double)json_i64_or(what, "timestamp", 0);
    size_t row = 0;
    while (row < metrics.sheet.rows && times[row] + 300 <= at) {
        row++;
    }
    window.changed = window.since + row;
    AUTO(insight_blames_free) struct insight_blames blames = {0};
    assert_int_equal(insight_blame(&s->system, part_of(s, json_str_or(what, "node", "")),
                                   &window, &blames),
                     0);
    size_t cause =
               part_of(s, json_str_or(json_object_get(target, "root_cause"), "node", "")),
           place = 0;
    while (place < blames.count && blames.list[place].part != cause) {
        place++;
    }
    place = place < blames.count ? place : PARTS_MAX;
    free(s);
    return place;
}

static void causes_are_found(void **state)
{
    (void)state;
    static const char *const scenarios[] = {"low_traffic", "high_traffic"};
    const char *shared = getenv("MARQUEE_SHARED");
    AUTO(cstr_free) char *root = NULL;
    assert_int_equal(cstr_printf(&root, "%s/data/telemetry/petshop/dataset",
                                 shared ? shared : "../shared"),
                     0);
    if (!fs_exists(root)) {
        print_message("SKIPPED: there is no %s\n", root);
        skip();
    }
    size_t faults = 0, first = 0, three = 0;
    for (size_t i = 0; i < 4; i++) {
        AUTO(cstr_free) char *folder = NULL;
        size_t good = 0, here = 0;
        assert_int_equal(cstr_printf(&folder, "%s/%s", root, scenarios[i / 2]), 0);
        for (int k = 0; k < 100; k++) {
            AUTO(cstr_free) char *incident = NULL, *path = NULL;
            assert_int_equal(
                cstr_printf(&incident, "%s/issue_%d", i % 2 ? "test" : "train", k), 0);
            assert_int_equal(cstr_printf(&path, "%s/%s", folder, incident), 0);
            if (!fs_exists(path)) {
                break;
            }
            size_t place = place_of_cause(folder, incident);
            here++;
            good += place == 0;
            three += place < 3;
        }
        print_message("%s %s: %zu of %zu first\n", scenarios[i / 2],
                      i % 2 ? "test" : "train", good, here);
        faults += here;
        first += good;
    }
    print_message("%zu faults: %zu first, %zu in the first three\n", faults, first,
                  three);
    assert_int_equal(faults, 52);
    assert_true(first >= 48 && three >= 51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(causes_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
