// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/insight.h"

#include <math.h>
#include <setjmp.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static void numbers_alone(void **state)
{
    (void)state;
    AUTO(insight_sheet_free) struct insight_sheet t = {0};
    assert_int_equal(insight_sheet_parse(STR("1\n2.5\r\n\n-3e2\nNaN\n"), &t), 0);
    assert_int_equal(t.rows, 4);
    assert_int_equal(t.columns, 1);
    assert_null(t.names);
    assert_null(t.times_ms);
    assert_true(t.values[1] == 2.5 && t.values[2] == -300 && isnan(t.values[3]));
}

static void times_and_names(void **state)
{
    (void)state;
    AUTO(insight_sheet_free) struct insight_sheet t = {0};
    struct str text = STR("timestamp,a,\"b, c\"\n"
                          "2014-07-01 00:30:00,1,\n"
                          "2014-07-01T02:30:15.250+02:00,2,4\n");
    assert_int_equal(insight_sheet_parse(text, &t), 0);
    assert_int_equal(t.rows, 2);
    assert_int_equal(t.columns, 2);
    assert_string_equal(t.names[1], "b, c");
    assert_true(t.times_ms[0] == 1404174600000);
    assert_true(t.times_ms[1] == 1404174615250);
    size_t column = 9;
    assert_int_equal(insight_sheet_find(&t, "b, c", &column), 0);
    assert_int_equal(column, 1);
    assert_true(isnan(insight_sheet_column(&t, 1)[0]) &&
                insight_sheet_column(&t, 1)[1] == 4);
    assert_int_equal(insight_sheet_find(&t, "d", &column), ERR_NOT_FOUND);

    AUTO(insight_sheet_free) struct insight_sheet pairs = {0};
    assert_int_equal(insight_sheet_parse(STR("0,5\n60,6"), &pairs), 0);
    assert_int_equal(pairs.columns, 1);
    assert_true(pairs.times_ms[1] == 60 && pairs.values[1] == 6);

    AUTO(insight_sheet_free) struct insight_sheet plain = {0};
    assert_int_equal(insight_sheet_parse(STR("x,y\n0,5\n60,6"), &plain), 0);
    assert_int_equal(plain.columns, 2);
    assert_null(plain.times_ms);
}

static void mistakes_have_their_line(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"", "no numbers"},           {"a,b\n", "no numbers"},
        {"1\n2\nx\n", "line 3"},      {"1,2,3\n1,2\n", "line 2"},
        {"t,a\n\"2014,1", "line 2"},  {"t,a\n2014-99-01,1", "line 2"},
        {"1\n1.0.0\n", "line 2"},     {"1\ninf\n", "line 2"},
        {"t,a\n\"1\"2,1\n", "quote"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct insight_sheet t = {0};
        assert_int_equal(insight_sheet_parse(str_of(wrong[i][0]), &t), ERR_INVALID);
        assert_non_null(strstr(err_reason(), wrong[i][1]));
        assert_null(t.values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_alone),
        cmocka_unit_test(times_and_names),
        cmocka_unit_test(mistakes_have_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
