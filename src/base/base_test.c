// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/base.h"

#include <setjmp.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static void utf8_follows_rfc3629(void **state)
{
    (void)state;
    assert_true(str_is_utf8(STR("grün 映画 🎬")));
    assert_false(str_is_utf8(STR("\xC0\x80")));         // overlong NUL
    assert_false(str_is_utf8(STR("\xED\xA0\x80")));     // a surrogate
    assert_false(str_is_utf8(STR("\xF4\x90\x80\x80"))); // over U+10FFFF
    assert_false(str_is_utf8(STR("\xE2\x82")));         // cut short
    assert_false(str_is_utf8(STR("a\0b")));
}

static void any_bytes_become_a_line(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *line; // NULL: they are one
    } cases[] = {
        {STR("grün 映画 🎬"), NULL},
        {STR("a\r\nBcc: b"), "a  Bcc: b"},
        {STR("a\0b\x1b[0m\x7f"), "a b [0m "},
        {STR("\xE9t\xE9"), "\uFFFDt\uFFFD"},
        {STR("\xC0\x80\xE2\x82"), "\uFFFD\uFFFD\uFFFD\uFFFD"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_free) struct buf line = {0};
        assert_int_equal(str_is_line(cases[i].bytes), cases[i].line == NULL);
        buf_line(&line, cases[i].bytes);
        assert_true(str_is_line(buf_view(&line)));
        assert_string_equal(line.data,
                            cases[i].line ? cases[i].line : cases[i].bytes.data);
    }
}

static void numbers_are_whole_or_refused(void **state)
{
    (void)state;
    int64_t n = 7;
    assert_int_equal(str_to_i64(STR("-42"), -100, 100, &n), 0);
    assert_int_equal(n, -42);
    assert_int_equal(str_to_i64(STR("12x"), 0, 100, &n), ERR_INVALID);
    assert_int_equal(str_to_i64(STR(" 12"), 0, 100, &n), ERR_INVALID);
    assert_int_equal(str_to_i64(STR(""), 0, 100, &n), ERR_INVALID);
    assert_int_equal(str_to_i64(STR("1\0x"), 0, 100, &n), ERR_INVALID);
    assert_int_equal(str_to_i64(STR("101"), 0, 100, &n), ERR_INVALID);
    assert_int_equal(str_to_i64(STR("99999999999999999999"), 0, INT64_MAX, &n),
                     ERR_INVALID);
    assert_int_equal(n, -42);
}

static void base64url_round_trips_and_has_one_spelling(void **state)
{
    (void)state;
    for (size_t len = 0; len < 67; len++) {
        uint8_t bytes[67];
        assert_int_equal(random_bytes(bytes, len), 0);
        AUTO(buf_free) struct buf text = {0}, back = {0};
        base64url_encode(&text, bytes, len);
        assert_int_equal(base64url_decode(&back, buf_view(&text)), 0);
        assert_int_equal(back.len, len);
        assert_true(len == 0 || memcmp(back.data, bytes, len) == 0);
    }
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(base64url_decode(&out, STR("QQ")), 0);
    assert_int_equal(base64url_decode(&out, STR("QR")), ERR_INVALID);
    assert_int_equal(base64url_decode(&out, STR("Q")), ERR_INVALID);
}

static void hmac_knows_rfc4231(void **state)
{
    (void)state;
    struct hash h;
    char hex[HASH_HEX_BYTES];
    hash_hmac("Jefe", 4, "what do ya want for nothing?", 28, &h);
    hash_hex(&h, hex);
    assert_string_equal(
        hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void json_is_strict(void **state)
{
    (void)state;
    json_t *j = NULL;
    assert_int_equal(json_parse(&j, STR("{\"a\":1,\"a\":2}"), 100), ERR_INVALID);
    assert_int_equal(json_parse(&j, STR("{} x"), 100), ERR_INVALID);
    assert_int_equal(json_parse(&j, STR("\"\\u0000\""), 100), ERR_INVALID);
    assert_int_equal(json_parse(&j, STR("[1,2,3]"), 3), ERR_LIMIT);
    assert_null(j);
    assert_int_equal(json_parse(&j, STR("{\"b\":1, \"a\":[true]}"), 100), 0);
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, j);
    assert_string_equal(text.data, "{\"a\":[true],\"b\":1}");
    json_free(&j);
}

static void yaml_values_have_lines(void **state)
{
    (void)state;
    struct str text = STR("a: 1\nvideo:\n  - {b: 2}\n  - b: 3\n    c: 4\n");
    assert_int_equal(yaml_line_of(text, "a"), 1);
    assert_int_equal(yaml_line_of(text, "video/0/b"), 3);
    assert_int_equal(yaml_line_of(text, "video/1/c"), 5);
    assert_int_equal(yaml_line_of(text, "video/1/nothing"), 4);
    assert_int_equal(yaml_line_of(text, "video/2"), 3);
    assert_int_equal(yaml_line_of(STR("a: ["), "a"), 0);
}

static void dates_parse_and_print(void **state)
{
    (void)state;
    int64_t us = 0;
    char text[CLOCK_RFC3339_BYTES];
    assert_int_equal(clock_parse(STR("2026-11-22T18:39:00.25Z"), &us), 0);
    clock_rfc3339(us, text);
    assert_string_equal(text, "2026-11-22T18:39:00.250000Z");
    assert_int_equal(clock_parse(STR("2026-12-31"), &us), 0);
    clock_rfc3339(us, text);
    assert_string_equal(text, "2026-12-31T00:00:00.000000Z");
    assert_int_equal(clock_parse(STR("2028-02-29"), &us), 0);
    assert_int_equal(clock_parse(STR("2026-02-29"), &us), ERR_INVALID);
    assert_int_equal(clock_parse(STR("2026-12-31T23:59:60Z"), &us), ERR_INVALID);
    assert_int_equal(clock_parse(STR("next week"), &us), ERR_INVALID);
    assert_int_equal(clock_parse(STR("2026-12-31T10:00:00"), &us), ERR_INVALID);
}

static void findings_round_trip(void **state)
{
    (void)state;
    AUTO(findings_free) struct findings list = {0}, back = {0};
    struct finding f = finding_about_file("black", FINDING_WARNING);
    f.stream = 0;
    f.start_frame = 24;
    f.end_frame = 48;
    f.time_base = (struct rational){1, 24};
    f.evidence = json_pack("{s:i}", "mean_luma", 16);
    assert_int_equal(findings_add(&list, &f), 0);
    AUTO(json_free) json_t *array = NULL, *again = NULL;
    assert_int_equal(findings_to_json(&list, &array), 0);
    assert_int_equal(findings_from_json(array, &back), 0);
    assert_int_equal(findings_to_json(&back, &again), 0);
    assert_true(json_equal(array, again));
    assert_true(json_is_null(json_object_get(json_array_get(array, 0), "start_pts")));
    AUTO(json_free)
    json_t *nowhere = json_pack("[{s:s, s:s, s:[I,i]}]", "kind", "black", "severity",
                                "error", "time_base", (json_int_t)1 << 32, 25);
    assert_int_equal(findings_from_json(nowhere, &back), ERR_INVALID);
    assert_int_equal(back.items.len, 1);
}

struct sample {
    char *name;
    int height;
};

static const cyaml_schema_field_t sample_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct sample, name, 0, 100),
    CYAML_FIELD_INT("height", CYAML_FLAG_DEFAULT, struct sample, height),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t sample_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sample, sample_fields),
};

static void yaml_mistakes_name_their_line(void **state)
{
    (void)state;
    AUTO(diag_free) struct diag diag = {0};
    void *data = NULL;
    int err = yaml_load(STR("name: a\nheight: tall\n"), "x.yaml", &sample_schema, &data,
                        NULL, &diag);
    assert_int_equal(err, ERR_INVALID);
    assert_int_equal(diag.items.len, 1);
    assert_int_equal(diag.items.data[0].line, 2);
    assert_non_null(strstr(diag.items.data[0].text, "tall"));
    assert_int_equal(yaml_load(STR("name: a\nheight: 9\n"), "x.yaml", &sample_schema,
                               &data, NULL, &diag),
                     0);
    assert_int_equal(((struct sample *)data)->height, 9);
    yaml_data_free(&sample_schema, data, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_follows_rfc3629),
        cmocka_unit_test(any_bytes_become_a_line),
        cmocka_unit_test(numbers_are_whole_or_refused),
        cmocka_unit_test(base64url_round_trips_and_has_one_spelling),
        cmocka_unit_test(hmac_knows_rfc4231),
        cmocka_unit_test(json_is_strict),
        cmocka_unit_test(yaml_values_have_lines),
        cmocka_unit_test(dates_parse_and_print),
        cmocka_unit_test(findings_round_trip),
        cmocka_unit_test(yaml_mistakes_name_their_line),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
