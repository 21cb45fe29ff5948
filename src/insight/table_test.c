// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/cluster.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static int parse(const char *text, struct insight_table *ret)
{
    return insight_table_parse(str_of(text), "points.csv", ret);
}

static void points_of_lines(void **state)
{
    (void)state;
    AUTO(insight_table_free) struct insight_table t = {0};
    assert_int_equal(parse("1,2.5,-3e2\r\n +4 ,\t.5,6.\n\n", &t), 0);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.dims, 3);
    const double values[] = {1, 2.5, -300, 4, 0.5, 6};
    assert_memory_equal(t.values, values, sizeof values);
}

// Whatever the C library reads, the table holds, bit for bit.
static void numbers_as_strtod_reads_them(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252;
    for (int i = 0; i < 200000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 2) { // of an everyday size
            value = (double)(int64_t)bits * 0x1p-50;
        }
        char text[40];
        if (!isfinite(value)) {
            continue;
        }
        static const int digits[] = {17, 16, 19, 15, 6, 21};
        snprintf(text, sizeof text, "%.*g", digits[i % 6], value);
        AUTO(insight_table_free) struct insight_table t = {0};
        double expected = strtod(text, NULL);
        if (!isfinite(expected)) {
            continue;
        }
        assert_int_equal(parse(text, &t), 0);
        assert_memory_equal(t.values, &expected, sizeof expected);
    }
    // On the middle between two doubles, and beside it.
    static const char *const hard[] = {
        "9007199254740993",
        "9007199254740992.9999999",
        "9007199254740993.0000001",
        "1.00000000000000011102230246251565404",
        "0.500000000000000166533453693773481063",
        "4503599627370497.5",
        "1e23",
        "8.5",
        "2.2250738585072011e-308",
        "5e-324",
        "0.000000000000000000000000000000000000000000000000000000000001",
        "0",
        "-0",
        "123456789012345678901234567890",
        "1e-400"};
    for (size_t i = 0; i < ARRAY_LEN(hard); i++) {
        AUTO(insight_table_free) struct insight_table t = {0};
        double expected = strtod(hard[i], NULL);
        assert_int_equal(parse(hard[i], &t), 0);
        assert_memory_equal(t.values, &expected, sizeof expected);
    }
}

static void mistakes_have_places(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"", "points.csv:1: there are no points"},
        {"\n \n", "points.csv:1: there are no points"},
        {"1,2\n3\n", "points.csv:2: 1 numbers, where the first line has 2"},
        {"1,2\n3,4,5\n", "points.csv:2: 3 numbers, where the first line has 2"},
        {"1,2\n\n3,4\n", "points.csv:2: a number is missing"},
        {"1,\n", "points.csv:1: a number is missing"},
        {"x,y\n1,2\n", "points.csv:1: 'x' is not a number"},
        {"1,2\n3,4x\n", "points.csv:2: '4x' is not a number"},
        {"1,2\n3,nan\n", "points.csv:2: 'nan' is not a number"},
        {"1,inf\n", "points.csv:1: 'inf' is not a number"},
        {"1,0x10\n", "points.csv:1: '0x10' is not a number"},
        {"1;2\n", "points.csv:1: '1;2' is not a number"},
        {"1,2e\n", "points.csv:1: '2e' is not a number"},
        {"1,.\n", "points.csv:1: '.' is not a number"},
        {"1,1e999\n", "points.csv:1: 1e999 is too large for a double"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct insight_table t = {.count = 77};
        assert_int_equal(parse(wrong[i].text, &t), ERR_INVALID);
        assert_string_equal(err_reason(), wrong[i].why);
        assert_int_equal(t.count, 77);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0};
    for (int i = 0; i <= INSIGHT_TABLE_MAX_DIMS; i++) {
        buf_cstr(&text, i ? ",1" : "1");
    }
    struct insight_table t;
    assert_int_equal(insight_table_parse(buf_view(&text), "p", &t), ERR_LIMIT);
    buf_clear(&text);
    for (int i = 0; i <= 400; i++) {
        buf_char(&text, '7');
    }
    assert_int_equal(insight_table_parse(buf_view(&text), "p", &t), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_of_lines),
        cmocka_unit_test(numbers_as_strtod_reads_them),
        cmocka_unit_test(mistakes_have_places),
        cmocka_unit_test(too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
