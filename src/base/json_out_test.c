// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// jansson reads what was written, and finds the same values.
static void is_read_by_a_strict_reader(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0};
    AUTO(json_free) json_t *read = NULL;
    struct json_out o = json_out_to(&text);
    json_out_object(&o);
    json_out_key(&o, "a \"quoted\\ key\n");
    json_out_array(&o);
    json_out_i64(&o, INT64_MIN);
    json_out_double(&o, 0.1);
    json_out_double(&o, NAN);
    json_out_double_quoted(&o, -INFINITY);
    json_out_str(&o, STR("\x01\xff z\xc3\xbc"));
    json_out_bool(&o, true);
    json_out_null(&o);
    json_out_object(&o);
    json_out_end(&o);
    json_out_end(&o);
    json_out_key(&o, "b");
    json_out_double(&o, 3);
    json_out_end(&o);
    assert_int_equal(text.err, 0);
    assert_int_equal(json_parse(&read, buf_view(&text), 4096), 0);
    json_t *list = json_object_get(read, "a \"quoted\\ key\n");
    assert_int_equal(json_array_size(list), 8);
    assert_true(json_integer_value(json_array_get(list, 0)) == INT64_MIN);
    assert_true(json_real_value(json_array_get(list, 1)) == 0.1);
    assert_true(json_is_null(json_array_get(list, 2)));
    assert_string_equal(json_string_value(json_array_get(list, 3)), "-Infinity");
    assert_string_equal(json_string_value(json_array_get(list, 4)),
                        " \xef\xbf\xbd z\xc3\xbc");
    assert_true(json_real_value(json_object_get(read, "b")) == 3.0);
}

static void numbers_come_back(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &seed, sizeof value);
        AUTO(buf_free) struct buf text = {0};
        struct json_out o = json_out_to(&text);
        json_out_double_bare(&o, value);
        if (isnan(value)) {
            assert_string_equal(text.data, "NaN");
        } else {
            assert_true(strtod(text.data, NULL) == value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_read_by_a_strict_reader),
        cmocka_unit_test(numbers_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
