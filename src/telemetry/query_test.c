// SPDX-License-Identifier: GPL-3.0-or-later
//
// Questions are read: what Atlas' own tests ask, what nobody should ask, and that what is printed is read
// as the same.
#include "telemetry/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1420070400000) // 2015-01-01T00:00Z

static void refuses_what_nobody_should_ask(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf file = {0};
    assert_int_equal(
        fs_read_file(MARQUEE_SOURCE "/test/golden/malformed-graphs.tsv", 1 << 20, &file),
        0);
    struct str rest = buf_view(&file), line, uri;
    int refused = 0;
    while (str_next(&rest, '\n', &line)) {
        AUTO(arena_free) struct arena *a = NULL;
        const struct telemetry_graph *g;
        if (line.len == 0 || !str_next(&line, '\t', &uri)) {
            continue;
        }
        assert_int_equal(arena_new(&a), 0);
        if (telemetry_graph_parse(uri, NOW_MS, 60000, a, &g) >= 0) {
            fail_msg("it was read: %.*s", STR_ARG(uri));
        }
        if (!memmem(err_reason(), strlen(err_reason()), line.data, line.len)) {
            fail_msg("%.*s\n%s\nnot: %.*s", STR_ARG(uri), err_reason(), STR_ARG(line));
        }
        refused++;
    }
    assert_true(refused >= 100);
}

// What is printed is read as the same, and printed so again.
static void check_stable(struct str text)
{
    AUTO(arena_free) struct arena *a = NULL;
    AUTO(buf_free) struct buf once = {0}, twice = {0};
    const struct telemetry_expr *e, *again;
    assert_int_equal(arena_new(&a), 0);
    if (telemetry_stack_parse(text, a, &e) < 0) {
        fail_msg("%.*s\n%s", STR_ARG(text), err_reason());
    }
    assert_int_equal(telemetry_expr_print(e, &once), 0);
    if (telemetry_stack_parse(buf_view(&once), a, &again) < 0) {
        fail_msg("%.*s\n%s\n%s", STR_ARG(text), once.data, err_reason());
    }
    assert_int_equal(telemetry_expr_print(again, &twice), 0);
    assert_string_equal(once.data, twice.data);
}

static void prints_what_it_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"42", "42.0,:const"},
        {"name,sps,:eq", "name,sps,:eq,:sum"},
        {"name,a\\u002cb,:eq", "name,a\\u002cb,:eq,:sum"},
        {"name,Cpu,:contains", "name,.*Cpu,:re,:sum"},
        {"name,a.b,:ends", "name,.*a\\.b$,:re,:sum"},
        {":true,name,a,:eq,:and", "name,a,:eq,:sum"},
        {"name,(,a,b,),:in,:not,:max,:cf-sum", "name,(,a,b,),:in,:not,:max,:cf-sum"},
        {"name,a,:eq,(,k,),:by,:pct", "name,a,:eq,:sum,(,k,),:by,:pct"},
        {"name,a,:eq,:avg,(,k,),:by", "name,a,:eq,:avg,(,k,),:by"},
        {"name,a,:eq,:avg,(,k,),:by,1w,:offset,nf.app,x,:eq,:cq",
         "name,a,:eq,nf.app,x,:eq,:and,:avg,(,k,),:by,1w,:offset"},
        {"name,a,:eq,nf.app,x,:eq,:and,:node-avg,(,nf.zone,z,),:by",
         "name,a,:eq,nf.app,x,:eq,:and,:node-avg,(,nf.zone,z,),:by"},
        {"name,a,:eq,:dist-avg", "name,a,:eq,:dist-avg"},
        {"name,a,:eq,0.1,1,:sample-count", "name,a,:eq,0.1,1.0,:sample-count"},
        {"name,a,:eq,(,k,),:by,(,90,50,50,),:percentiles",
         "name,a,:eq,(,k,),:by,(,50.0,90.0,),:percentiles"},
        {"name,a,:eq,(,k,),:by,:stat-max,5,:gt,:filter",
         "name,a,:eq,:sum,(,k,),:by,:stat-max,5.0,:const,:gt,:filter"},
        {"name,a,:eq,(,k,),:by,max,3,:topk-others-sum",
         "name,a,:eq,:sum,(,k,),:by,max,3,:topk-others-sum"},
        {"name,a,:eq,:des-fast", "name,a,:eq,:des-fast"},
        {"1,f00,:color,40,:alpha", "1.0,:const,40ff0000,:color"},
        {"name,a,:eq,(,0h,1d,),:offset", "name,a,:eq,:sum,name,a,:eq,:sum,1d,:offset"},
        {"1,a,:legend,2,:freeze,3", "1.0,:const,a,:legend,2.0,:const,3.0,:const"},
        {"1,a,x,:s,hex,:decode,desc,:order,max,:sort",
         "1.0,:const,max,:sort,a,x,:s,hex,:decode,desc,:order"},
        {"/* a, comment */,1,:random,:add", "1.0,:const,:random,:add"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_free) struct arena *a = NULL;
        AUTO(buf_free) struct buf out = {0};
        const struct telemetry_expr *e;
        assert_int_equal(arena_new(&a), 0);
        if (telemetry_stack_parse(str_of(cases[i].text), a, &e) < 0) {
            fail_msg("%s\n%s", cases[i].text, err_reason());
        }
        assert_int_equal(telemetry_expr_print(e, &out), 0);
        assert_string_equal(out.data, cases[i].printed);
        check_stable(str_of(cases[i].text));
    }
}

// The span of a graph: which moments its values stand at.
static void counts_time_as_atlas(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        int64_t start_s, step_s, count;
    } cases[] = {
        // https://netflix.github.io/atlas-docs/api/graph/outputs/ shows these values.
        {"/?q=1&e=2012-01-01T09:00&s=e-5m&tz=UTC", 1325408160, 60, 5},
        {"/?q=1&e=2012-01-01T01:00&s=e-5m&tz=US/Pacific", 1325408160, 60, 5},
        {"/?q=1&e=2012-01-01T01:00-08:00&s=e-5m", 1325408160, 60, 5},
        {"/?q=1&e=1325408400&s=1325408100000", 1325408160, 60, 5},
        {"/?q=1&s=2012-01-01T08:55Z&e=s%2BPT5M", 1325408160, 60, 5},
        {"/?q=1&e=2012-01-01T09:00:59&s=e-5m&tz=UTC", 1325408160, 60, 5},
        {"/?q=1&e=2012-01-01T09:00&s=e-5m&step=7m", 1325407800 + 600, 600, 1},
        // A point a pixel: a day on 700 pixels needs steps of 3 minutes.
        {"/?q=1&e=2012-01-02&s=e-1d", 1325376000 + 180, 180, 480},
        {"/?q=1&e=2012-01-02&s=e-1d&w=1440", 1325376000 + 60, 60, 1440},
        {"/?q=1&e=2012-01-02&s=e-1d&w=4000", 1325376000 + 60, 60, 1440},
        {"/?q=1&e=2015-03-10&s=e-4d&step=1d", 1425600000 + 86400, 86400, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_free) struct arena *a = NULL;
        const struct telemetry_graph *g;
        assert_int_equal(arena_new(&a), 0);
        if (telemetry_graph_parse(str_of(cases[i].uri), NOW_MS, 60000, a, &g) < 0) {
            fail_msg("%s\n%s", cases[i].uri, err_reason());
        }
        print_message("%s\n", cases[i].uri);
        assert_int_equal(g->span.start_ms, cases[i].start_s * 1000);
        assert_int_equal(g->span.step_ms, cases[i].step_s * 1000);
        assert_int_equal(g->span.count, cases[i].count);
    }
}

// The question of each of Atlas' own tests.
static void prints_what_atlas_asks(struct str uri)
{
    AUTO(arena_free) struct arena *a = NULL;
    AUTO(buf_free) struct buf out = {0};
    const struct telemetry_graph *g;
    assert_int_equal(arena_new(&a), 0);
    assert_int_equal(telemetry_graph_parse(uri, NOW_MS, 60000, a, &g), 0);
    assert_int_equal(telemetry_expr_print(g->expr, &out), 0);
    check_stable(buf_view(&out));
}

static void reads_what_atlas_asks(void **state)
{
    (void)state;
    const char *shared = getenv("MARQUEE_SHARED");
    if (!shared) {
        print_message("SKIPPED: no MARQUEE_SHARED\n");
        skip();
    }
    AUTO(buf_free) struct buf path = {0}, file = {0};
    buf_printf(&path, "%s/data/telemetry/atlas/queries.txt", shared);
    assert_int_equal(fs_read_file(path.data, 1 << 20, &file), 0);
    struct str rest = buf_view(&file), line;
    int parsed = 0, failed = 0;
    while (str_next(&rest, '\n', &line)) {
        AUTO(arena_free) struct arena *a = NULL;
        const struct telemetry_graph *g;
        if (line.len == 0) {
            continue;
        }
        assert_int_equal(arena_new(&a), 0);
        if (telemetry_graph_parse(line, NOW_MS, 60000, a, &g) < 0) {
            print_error("%.*s\n  %s\n", STR_ARG(line), err_reason());
            failed++;
        } else {
            prints_what_atlas_asks(line);
            parsed++;
        }
    }
    assert_int_equal(failed, 0);
    assert_int_equal(parsed, 372);
}

// --- the real store ---------------------------------------------------------------------------

static int64_t later(void *user)
{
    (void)user;
    return NOW_MS;
}

static uint32_t series(struct telemetry *t, const char *k, const char *percentile)
{
    const struct telemetry_tag list[] = {{STR("key"), str_of(k)},
                                         {STR("name"), STR("a")},
                                         {STR("percentile"), str_of(percentile)}};
    const struct telemetry_tags tags = {list, percentile ? 3 : 2};
    uint32_t id = 0;
    assert_int_equal(telemetry_series_of(t, &tags, TELEMETRY_GAUGE, &id), 0);
    return id;
}

// Minute i has 10 + i in k=x, 2i in k=y, but for the gaps.
static void fill(struct telemetry *t, int64_t first_ms)
{
    uint32_t x = series(t, "x", NULL), y = series(t, "y", NULL);
    uint32_t low = series(t, "p", "T0050"), high = series(t, "p", "T0060");
    for (int i = 0; i < 20; i++) {
        int64_t at = first_ms + i * 60000;
        const struct telemetry_sample list[] = {
            {x, at, 10 + i}, {low, at, 3}, {high, at, 1}, {y, at, 2 * i}};
        size_t refused = 0, count = i % 5 == 4 ? 3 : 4; // y has no fourth of five
        assert_int_equal(telemetry_append(t, list, count, &refused), 0);
        assert_int_equal(refused, 0);
    }
    assert_int_equal(telemetry_settle(t, first_ms + 20 * 60000), 0);
}

static void expect_line(struct telemetry *t, const char *text, struct telemetry_span span,
                        const char *label, const double *want)
{
    AUTO(arena_free) struct arena *a = NULL;
    const struct telemetry_expr *e;
    struct telemetry_answer answer;
    assert_int_equal(arena_new(&a), 0);
    bool is_prom = strchr(text, '{') != NULL;
    int err = is_prom ? telemetry_promql_parse(str_of(text), a, &e)
                      : telemetry_stack_parse(str_of(text), a, &e);
    if (err < 0 || telemetry_evaluate(t, e, &span, a, &answer) < 0) {
        fail_msg("%s\n%s", text, err_reason());
    }
    for (size_t i = 0; i < answer.count; i++) {
        if (!str_eq_c(answer.lines[i].label, label)) {
            continue;
        }
        for (size_t k = 0; k < span.count; k++) {
            double v = answer.lines[i].values[k];
            if (!(isnan(v) && isnan(want[k])) && !(fabs(v - want[k]) < 1e-9)) {
                fail_msg("%s, %s at %zu: %g, not %g", text, label, k, v, want[k]);
            }
        }
        return;
    }
    fail_msg("%s: no %s among %zu, the first %.*s", text, label, answer.count,
             STR_ARG(answer.count ? answer.lines[0].label : STR("none")));
}

static void asks_the_store(void **state)
{
    (void)state;
    char dir[] = "/tmp/marquee-query-XXXXXX";
    struct telemetry *t = NULL;
    assert_non_null(mkdtemp(dir));
    const struct telemetry_config c = {.dir = dir, .now_ms = later};
    assert_int_equal(telemetry_open(&t, &c), 0);
    int64_t first = NOW_MS / 300000 * 300000 - 3000000 + 60000; // a coarse step begins
    const struct telemetry_span fine = {.start_ms = first, .step_ms = 60000, .count = 6};
    const struct telemetry_span coarse = {
        .start_ms = first + 240000, .step_ms = 300000, .count = 2};
    fill(t, first);
    const double nan = (double)NAN;
    const char *both = "name,a,:eq,key,(,x,y,),:in,:and";
    char text[128];
    snprintf(text, sizeof text, "%s,:sum", both);
    expect_line(t, text, fine, "sum(name=a and key in (x,y))",
                (double[]){10, 13, 16, 19, 14, 25});
    snprintf(text, sizeof text, "%s,(,key,),:by,$key,:legend", both);
    expect_line(t, text, fine, "y", (double[]){0, 2, 4, 6, nan, 10});
    snprintf(text, sizeof text, "%s,:count", both);
    expect_line(t, text, fine, "count(name=a and key in (x,y))",
                (double[]){2, 2, 2, 2, 1, 2});
    // A gauge's average is over the values that are there.
    snprintf(text, sizeof text, "%s,(,key,),:by,$key,:legend", both);
    expect_line(t, text, coarse, "x", (double[]){12, 17});
    expect_line(t, text, coarse, "y", (double[]){3, 13});
    snprintf(text, sizeof text, "%s,:max,:cf-min,m,:legend", both);
    expect_line(t, text, coarse, "m", (double[]){10, 15});
    snprintf(text, sizeof text, "%s,:sum,1m,:offset,s,:legend", both);
    expect_line(t, text, fine, "s", (double[]){nan, 10, 13, 16, 19, 14});
    // Three of four are in the lower bucket, whose end is the 75th; bounds are nanoseconds.
    expect_line(
        t, "name,a,:eq,key,p,:eq,:and,(,75,),:percentiles,p,:legend", fine, "p",
        (double[]){524287e-9, 524287e-9, 524287e-9, 524287e-9, 524287e-9, 524287e-9});
    expect_line(t, "name,a,:eq,key,p,:eq,:and,(,100,),:percentiles,p,:legend", fine, "p",
                (double[]){5592405e-9, 5592405e-9, 5592405e-9, 5592405e-9, 5592405e-9,
                           5592405e-9});
    expect_line(t, "sum by (name) ({name=\"a\",key=~\"x|y\"})", fine, "a",
                (double[]){10, 13, 16, 19, 20, 25});
    telemetry_close(&t);
    fs_remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_atlas_asks),
        cmocka_unit_test(refuses_what_nobody_should_ask),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(counts_time_as_atlas),
        cmocka_unit_test(asks_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
