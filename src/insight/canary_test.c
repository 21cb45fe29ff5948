// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/insight.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define SAMPLE(...)                                         \
    ((struct insight_sample){(const double[]){__VA_ARGS__}, \
                             ARRAY_LEN(((double[]){__VA_ARGS__}))})

// The example in R's own help on wilcox.test (Hollander and Wolfe 1973, page 69): W = 35, p-value = 0.2544 two-sided.
static void the_textbook(void **state)
{
    (void)state;
    struct insight_rank_test t;
    assert_int_equal(insight_rank_test(SAMPLE(0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91,
                                              1.64, 0.73, 1.46),
                                       SAMPLE(1.15, 0.88, 0.90, 0.74, 1.21), 0.95, &t),
                     0);
    assert_true(t.exact && t.w == 35);
    assert_true(fabs(t.p - 0.2544122544122544) < 1e-12);
    assert_true(fabs(t.shift - 0.305) < 1e-9);
}

// All orders of 3 + 4 values, counted: the exact p is the share of those as far out.
static void exact_is_counted(void **state)
{
    (void)state;
    for (unsigned observed = 0; observed < 128; observed++) {
        if (__builtin_popcount(observed) != 3) {
            continue;
        }
        double x[3], y[4];
        size_t n = 0, m = 0;
        for (unsigned i = 0; i < 7; i++) {
            if (observed >> i & 1) {
                x[n++] = i;
            } else {
                y[m++] = i;
            }
        }
        struct insight_rank_test t;
        assert_int_equal(insight_rank_test((struct insight_sample){x, 3},
                                           (struct insight_sample){y, 4}, 0.9, &t),
                         0);
        unsigned far = 0;
        for (unsigned order = 0; order < 128; order++) {
            unsigned w = 0;
            for (unsigned i = 0; i < 7; i++) {
                for (unsigned k = 0; k < i; k++) {
                    w += (order >> i & 1) && !(order >> k & 1);
                }
            }
            if (__builtin_popcount(order) == 3) {
                far += fabs((double)w - 6) >= fabs(t.w - 6);
            }
        }
        assert_true(fabs(t.p - (double)far / 35) < 1e-12);
    }
}

static void swapped_is_mirrored(void **state)
{
    (void)state;
    struct insight_sample a = SAMPLE(1, 2, 2, 3, 7, 9, 4, 4, 4),
                          b = SAMPLE(2, 5, 5, 8, 12, 4, 6);
    struct insight_rank_test t, u;
    assert_int_equal(insight_rank_test(a, b, 0.95, &t), 0);
    assert_int_equal(insight_rank_test(b, a, 0.95, &u), 0);
    assert_true(!t.exact && fabs(t.p - u.p) < 1e-12 && t.w + u.w == 63);
    assert_true(fabs(t.shift + u.shift) < 2e-4 && fabs(t.effect + u.effect) < 1e-12);
    assert_true(t.low <= t.shift && t.shift <= t.high);
}

static void one_value_is_no_shift(void **state)
{
    (void)state;
    struct insight_rank_test t;
    assert_int_equal(insight_rank_test(SAMPLE(3, 3, 3), SAMPLE(3, 3), 0.95, &t), 0);
    assert_true(t.p == 1 && t.shift == 0 && t.effect == 0 && t.low == 0 && t.high == 0);
    assert_int_equal(insight_rank_test(SAMPLE(4, 4, 4), SAMPLE(3, 3), 0.95, &t), 0);
    assert_true(t.shift == 1 && t.effect == 1 && t.low == 1 && t.high == 1);
    assert_int_equal(insight_rank_test(SAMPLE(4, NAN), SAMPLE(3, 3), 0.95, &t),
                     ERR_INVALID);
    assert_int_equal(insight_rank_test((struct insight_sample){0}, SAMPLE(3), 0.95, &t),
                     ERR_INVALID);
}

static const char config_text[] =
    "schema: 1\n"
    "confidence: 0.98\n"
    "pass: 90\n"
    "marginal: 50\n"
    "metrics:\n"
    "  - {name: latency, group: speed, direction: increase, tolerance: 0.1}\n"
    "  - {name: requests, group: load, direction: either}\n"
    "  - {name: errors, group: errors, direction: increase, critical: true}\n"
    "  - {name: absent, group: load, direction: decrease}\n"
    "groups:\n"
    "  - {name: speed, weight: 60}\n";

// What becomes of metrics whose canary is `factor` times the baseline.
static json_t *judged(const char *yaml, const double factors[4])
{
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_canary_free) struct insight_canary_config *config = NULL;
    assert_int_equal(insight_canary_parse(str_of(yaml), "c.yaml", &config, &diag), 0);
    struct insight_canary_result results[4];
    for (size_t i = 0; i < 4; i++) {
        double base[40], canary[40];
        for (size_t k = 0; k < 40; k++) {
            base[k] = 100 + (double)(k * 7 % 20);
            canary[k] = factors[i] > 0 ? factors[i] * (base[k] + 0.25) : NAN;
        }
        assert_int_equal(insight_canary_compare(config, &config->metrics.data[i],
                                                (struct insight_sample){base, 40},
                                                (struct insight_sample){canary, 40},
                                                &results[i]),
                         0);
    }
    json_t *json = NULL;
    assert_int_equal(insight_canary_judge(config, results, &json), 0);
    return json;
}

static void expect(const double factors[4], const char *verdict, double score,
                   const char *const metrics[4])
{
    AUTO(json_free) json_t *json = judged(config_text, factors);
    assert_string_equal(json_str_or(json, "verdict", ""), verdict);
    double found = -1;
    assert_int_equal(json_get_double(json, "score", &found), 0);
    assert_true(fabs(found - score) < 1e-9);
    for (size_t i = 0; i < 4; i++) {
        const json_t *metric = json_array_get(json_object_get(json, "metrics"), i);
        assert_string_equal(json_str_or(metric, "verdict", ""), metrics[i]);
    }
}

static void verdicts(void **state)
{
    (void)state;
    const char *good[] = {"pass", "pass", "pass", "nodata"};
    expect((double[]){1, 1, 1, 0}, "pass", 100, good);
    // 5 % more is within the tolerated 10 %; less latency is no fault.
    expect((double[]){1.05, 1, 0.2, 0}, "pass", 100, good);
    const char *slow[] = {"high", "pass", "pass", "nodata"};
    expect((double[]){1.4, 1, 1, 0}, "fail", 40, slow);
    const char *idle[] = {"pass", "low", "pass", "nodata"};
    expect((double[]){1, 0.5, 1, 0}, "marginal", 80, idle);
    const char *broken[] = {"pass", "pass", "high", "nodata"};
    expect((double[]){1, 1, 3, 0}, "fail", 0, broken);
    const char *nothing[] = {"nodata", "nodata", "nodata", "nodata"};
    expect((double[]){0, 0, 0, 0}, "nodata", 0, nothing);
}

static void mistakes_have_their_line(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"schema: 2\nmetrics:\n  - {name: a}\n", "c.yaml:1"},
        {"schema: 1\nmetrics:\n  - {name: a}\n  - {name: a}\n", "c.yaml:4"},
        {"schema: 1\nmetrics:\n  - {name: a, tolerance: x}\n", "c.yaml:3"},
        {"schema: 1\nmetrics:\n  - {name: a, direction: up}\n", "c.yaml:3"},
        {"schema: 1\nmetrics:\n  - {name: a}\ngroups:\n  - {name: g, weight: 120}\n",
         "100"},
        {"schema: 1\n", "metrics"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO(diag_free) struct diag diag = {0};
        AUTO(insight_canary_free) struct insight_canary_config *config = NULL;
        assert_int_equal(
            insight_canary_parse(str_of(wrong[i][0]), "c.yaml", &config, &diag),
            ERR_INVALID);
        assert_true(diag.items.len > 0);
        assert_non_null(strstr(err_reason(), wrong[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_textbook),
        cmocka_unit_test(exact_is_counted),
        cmocka_unit_test(swapped_is_mirrored),
        cmocka_unit_test(one_value_is_no_shift),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(mistakes_have_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
