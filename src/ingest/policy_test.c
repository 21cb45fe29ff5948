// SPDX-License-Identifier: GPL-3.0-or-later
#include "ingest/ingest.h"

#include <setjmp.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static void found(struct findings *list, const char *kind, enum finding_severity severity,
                  int64_t ms)
{
    struct finding f = finding_about_file(kind, severity);
    f.time_base = (struct rational){1, 1000};
    f.start_pts = 500;
    f.end_pts = 500 + ms;
    assert_int_equal(findings_add(list, &f), 0);
}

static struct ingest_policy *policy_of(const char *yaml)
{
    struct ingest_policy *policy = NULL;
    AUTO(diag_free) struct diag diag = {0};
    assert_int_equal(ingest_policy_parse(str_of(yaml), "p.yaml", &policy, &diag), 0);
    return policy;
}

static const char rules[] =
    "schema: 1\n"
    "rules:\n"
    "  - {kind: black, longer_than_ms: 2000, verdict: refuse, why: Too dark.}\n"
    "  - {kind: black, share_over_ppm: 500000, verdict: review}\n"
    "  - {kind: loud*, severity: warning, verdict: review}\n"
    "  - {kind: not_media, verdict: accept}\n";

static enum ingest_verdict verdict_of(const struct ingest_policy *policy,
                                      const char *kind, enum finding_severity severity,
                                      int64_t ms, int64_t film_ms)
{
    AUTO(findings_free) struct findings list = {0};
    found(&list, kind, severity, ms);
    enum ingest_verdict verdict = INGEST_REFUSE;
    assert_int_equal(
        ingest_policy_decide(policy, &list, film_ms * 1000, NULL, 0, 0, &verdict, NULL),
        0);
    return verdict;
}

static void first_fitting_rule_decides(void **state)
{
    (void)state;
    AUTO(ingest_policy_free) struct ingest_policy *p = policy_of(rules);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 2001, 100000),
                     INGEST_REFUSE);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 2000, 100000),
                     INGEST_ACCEPT);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 2000, 3999), INGEST_REVIEW);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 2000, 4000), INGEST_ACCEPT);
    assert_int_equal(verdict_of(p, "loudness_high", FINDING_INFO, 1, 9), INGEST_ACCEPT);
    assert_int_equal(verdict_of(p, "loudness_high", FINDING_WARNING, 1, 9),
                     INGEST_REVIEW);
    assert_int_equal(verdict_of(p, "not_media", FINDING_ERROR, 1, 9), INGEST_ACCEPT);
    assert_int_equal(verdict_of(p, "other", FINDING_ERROR, 1, 9), INGEST_REFUSE);
    assert_int_equal(verdict_of(p, "other", FINDING_WARNING, 1, 9), INGEST_ACCEPT);
}

static void a_waiver_holds_until_it_ends(void **state)
{
    (void)state;
    AUTO(ingest_policy_free) struct ingest_policy *p = policy_of(rules);
    AUTO(findings_free) struct findings list = {0};
    found(&list, "black", FINDING_WARNING, 5000);
    struct ingest_waiver waiver = {
        .kind = "black", .why = "Night scene", .until_wall_us = 1000};
    enum ingest_verdict verdict = INGEST_REFUSE;
    AUTO(json_free) json_t *why = NULL;
    assert_int_equal(
        ingest_policy_decide(p, &list, 9000000, &waiver, 1, 999, &verdict, &why), 0);
    assert_int_equal(verdict, INGEST_ACCEPT);
    assert_int_equal(json_array_size(why), 1);
    const json_t *waived = json_object_get(json_array_get(why, 0), "waived");
    assert_string_equal(json_str_or(waived, "why", ""), "Night scene");
    assert_int_equal(
        ingest_policy_decide(p, &list, 9000000, &waiver, 1, 1000, &verdict, NULL), 0);
    assert_int_equal(verdict, INGEST_REFUSE);
}

static void json_round_trips(void **state)
{
    (void)state;
    AUTO(ingest_policy_free) struct ingest_policy *p = policy_of(rules), *back = NULL;
    AUTO(json_free) json_t *one = NULL, *two = NULL;
    assert_int_equal(ingest_policy_to_json(p, &one), 0);
    assert_int_equal(ingest_policy_from_json(one, &back), 0);
    assert_int_equal(ingest_policy_to_json(back, &two), 0);
    assert_true(json_equal(one, two));
    assert_int_equal(json_array_size(json_object_get(two, "rules")), 4);
}

static void mistakes_are_named_by_line(void **state)
{
    (void)state;
    struct ingest_policy *p = NULL;
    AUTO(diag_free) struct diag diag = {0};
    assert_int_equal(ingest_policy_parse(
                         STR("schema: 1\nrules:\n  - kind: black\n    verdict: maybe\n"),
                         "p.yaml", &p, &diag),
                     ERR_INVALID);
    assert_int_equal(diag.items.data[0].line, 4);
    assert_int_equal(
        ingest_policy_parse(STR("schema: 2\nrules: []\n"), "p.yaml", &p, &diag),
        ERR_INVALID);
    assert_null(p);
}

static void the_built_in_policy_loads(void **state)
{
    (void)state;
    AUTO(ingest_policy_free) struct ingest_policy *p = NULL;
    assert_int_equal(ingest_policy_default(&p), 0);
    assert_int_equal(verdict_of(p, "decode_error", FINDING_ERROR, 10, 1000),
                     INGEST_REFUSE);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 3000, 60000), INGEST_ACCEPT);
    // Black throughout is looked at by a person; what is over in five seconds (a small planet on
    // a dark sky) or a long fade is not.
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 5000, 5000), INGEST_ACCEPT);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 5001, 5001), INGEST_REVIEW);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 10000, 10000),
                     INGEST_REVIEW);
    assert_int_equal(verdict_of(p, "black", FINDING_WARNING, 9000, 10000), INGEST_ACCEPT);
}

static void a_partner_reads_words_not_kinds(void **state)
{
    (void)state;
    static const char *const errors[] = {
        "decode_error", "corrupt_frames",  "truncated",        "not_media", "ebml_crc",
        "vfr",          "unsupported_hdr", "unsupported_later"};
    AUTO(ingest_policy_free) struct ingest_policy *p = NULL;
    assert_int_equal(ingest_policy_default(&p), 0);
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        AUTO(findings_free) struct findings list = {0};
        AUTO(json_free) json_t *why = NULL;
        enum ingest_verdict verdict = INGEST_ACCEPT;
        found(&list, errors[i], FINDING_ERROR, 10);
        assert_int_equal(
            ingest_policy_decide(p, &list, 1000000, NULL, 0, 0, &verdict, &why), 0);
        assert_int_equal(verdict, INGEST_REFUSE);
        const json_t *reason = json_array_get(why, 0);
        assert_int_equal(json_is_integer(json_object_get(reason, "rule")),
                         strcmp(errors[i], "vfr") != 0);
        assert_non_null(strstr(json_str_or(reason, "text", ""), "Please "));
    }
    assert_string_equal(ingest_kind_words("black"), "Black picture");
    assert_string_equal(ingest_kind_words("of_tomorrow"), "of_tomorrow");
    assert_int_equal(ingest_kind_check("black"), 0);
    assert_int_equal(ingest_kind_check("ebml_*"), 0);
    assert_int_equal(ingest_kind_check("*"), 0);
    assert_int_equal(ingest_kind_check("silense"), ERR_INVALID);
    assert_non_null(strstr(err_reason(), "'silence'"));
    assert_int_equal(ingest_kind_check("zzz*"), ERR_INVALID);
    assert_int_equal(ingest_kind_check(""), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_fitting_rule_decides),
        cmocka_unit_test(a_waiver_holds_until_it_ends),
        cmocka_unit_test(json_round_trips),
        cmocka_unit_test(mistakes_are_named_by_line),
        cmocka_unit_test(the_built_in_policy_loads),
        cmocka_unit_test(a_partner_reads_words_not_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
