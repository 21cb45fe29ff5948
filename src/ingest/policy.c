// SPDX-License-Identifier: GPL-3.0-or-later
//
// Findings in, a verdict out, and for each finding the rule that decided it.
#include "ingest/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char policy_text[] =
#include "policy_text.h"
    ;

enum { RULES_MAX = 1000, POLICY_BYTES_MAX = 1 << 20 };

struct ingest_policy {
    VEC(struct policy_rule) rules;
};

// As libcyaml fills it in; checked and copied into policy_rule.
struct rule_yaml {
    char *kind;
    enum finding_severity severity;
    int64_t longer_than_ms;
    int64_t share_over_ppm;
    enum ingest_verdict verdict;
    char *why;
};
struct policy_yaml {
    int64_t schema;
    struct rule_yaml *rules;
    uint32_t rules_count;
};

static const cyaml_strval_t severities[] = {
    {"info", FINDING_INFO}, {"warning", FINDING_WARNING}, {"error", FINDING_ERROR}};
static const cyaml_strval_t verdicts[] = {
    {"accept", INGEST_ACCEPT}, {"review", INGEST_REVIEW}, {"refuse", INGEST_REFUSE}};

static const cyaml_schema_field_t rule_fields[] = {
    CYAML_FIELD_STRING_PTR("kind", CYAML_FLAG_POINTER, struct rule_yaml, kind, 1, 39),
    CYAML_FIELD_ENUM("severity", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
                     struct rule_yaml, severity, severities, ARRAY_LEN(severities)),
    CYAML_FIELD_INT("longer_than_ms", CYAML_FLAG_OPTIONAL, struct rule_yaml,
                    longer_than_ms),
    CYAML_FIELD_INT("share_over_ppm", CYAML_FLAG_OPTIONAL, struct rule_yaml,
                    share_over_ppm),
    CYAML_FIELD_ENUM("verdict", CYAML_FLAG_STRICT, struct rule_yaml, verdict, verdicts,
                     ARRAY_LEN(verdicts)),
    CYAML_FIELD_STRING_PTR("why", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct rule_yaml, why, 0, 500),
    CYAML_FIELD_END};
static const cyaml_schema_value_t rule_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct rule_yaml, rule_fields)};
static const cyaml_schema_field_t policy_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct policy_yaml, schema),
    CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER, struct policy_yaml, rules,
                         &rule_schema, 0, RULES_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t policy_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct policy_yaml, policy_fields)};

const char *ingest_verdict_name(enum ingest_verdict verdict)
{
    return verdicts[verdict].str;
}

int verdict_parse(struct str text, enum ingest_verdict *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        if (str_eq_c(text, verdicts[i].str)) {
            *ret = (enum ingest_verdict)verdicts[i].val;
            return 0;
        }
    }
    FAIL(ERR_INVALID, "'" STR_FMT "' is not a verdict", STR_ARG(text));
}

void ingest_policy_free(struct ingest_policy **policy)
{
    if (!*policy) {
        return;
    }
    vec_for_each (rule, &(*policy)->rules) {
        free(rule->why);
    }
    vec_free(&(*policy)->rules);
    free(*policy);
    *policy = NULL;
}

static int policy_new(struct ingest_policy **ret)
{
    *ret = calloc(1, sizeof **ret);
    FAIL_IF(!*ret, ERR_NOMEM, "a policy");
    return 0;
}

static int rule_add(struct ingest_policy *policy, const struct rule_yaml *from)
{
    struct policy_rule rule = {.severity = from->severity,
                               .longer_than_us = from->longer_than_ms * 1000,
                               .share_over_ppm = from->share_over_ppm,
                               .verdict = from->verdict};
    TRY(str_copy(rule.kind, sizeof rule.kind, str_of(from->kind)));
    TRY(cstr_dup(&rule.why, from->why ? from->why : ""));
    int err = vec_push(&policy->rules, rule);
    if (err < 0) {
        free(rule.why);
    }
    return err;
}

static int policy_take(const struct policy_yaml *loaded, const char *file,
                       struct ingest_policy *policy, struct diag *diag)
{
    if (loaded->schema != 1) {
        diag_add(diag, file, 0, "schema %lld is not known, 1 is",
                 (long long)loaded->schema);
    }
    for (uint32_t i = 0; i < loaded->rules_count; i++) {
        const struct rule_yaml *rule = &loaded->rules[i];
        if (rule->longer_than_ms < 0 || rule->longer_than_ms > INT64_MAX / 1000 ||
            rule->share_over_ppm < 0 || rule->share_over_ppm > 1000000) {
            diag_add(diag, file, 0, "rule %u (%s): a threshold is out of range", i + 1,
                     rule->kind);
            continue;
        }
        if (ingest_kind_check(rule->kind) < 0) {
            diag_add(diag, file, 0, "rule %u: %s", i + 1, err_reason());
            continue;
        }
        TRY(rule_add(policy, rule));
    }
    return diag->items.len > 0 ? diag_fail(diag, ERR_INVALID) : 0;
}

int ingest_policy_parse(struct str yaml, const char *file, struct ingest_policy **ret,
                        struct diag *diag)
{
    FAIL_IF(yaml.len > POLICY_BYTES_MAX, ERR_LIMIT, "%s: a policy over %d bytes", file,
            POLICY_BYTES_MAX);
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &policy_schema, &loaded, NULL, diag));
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL;
    int err = policy_new(&policy);
    if (err == 0) {
        err = policy_take(loaded, file, policy, diag);
    }
    yaml_data_free(&policy_schema, loaded, 0);
    TRY(err);
    *ret = TAKE(policy);
    return 0;
}

int ingest_policy_default(struct ingest_policy **ret)
{
    AUTO(diag_free) struct diag diag = {0};
    return ingest_policy_parse(str_of(policy_text), "conf/policy.yaml", ret, &diag);
}

int ingest_policy_to_json(const struct ingest_policy *policy, json_t **ret)
{
    AUTO(json_free) json_t *rules = json_array();
    FAIL_IF(!rules, ERR_NOMEM, "a policy");
    vec_for_each (rule, &policy->rules) {
        json_t *item = NULL;
        TRY(json_made(json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "kind", rule->kind,
                                "severity", finding_severity_name(rule->severity),
                                "longer_than_us", (json_int_t)rule->longer_than_us,
                                "share_over_ppm", (json_int_t)rule->share_over_ppm,
                                "verdict", ingest_verdict_name(rule->verdict), "why",
                                rule->why),
                      &item));
        FAIL_IF(json_array_append_new(rules, item) != 0, ERR_NOMEM, "a policy");
    }
    return json_made(json_pack("{s:i, s:O}", "schema", 1, "rules", rules), ret);
}

static int rule_from_json(const json_t *json, struct ingest_policy *policy)
{
    const char *kind = NULL, *severity = NULL, *verdict = NULL, *why = NULL;
    int64_t longer_us = 0;
    struct rule_yaml rule = {0};
    TRY(json_get_str(json, "kind", &kind));
    TRY(json_get_str(json, "severity", &severity));
    TRY(json_get_str(json, "verdict", &verdict));
    TRY(json_get_str(json, "why", &why));
    TRY(json_get_i64(json, "longer_than_us", 0, INT64_MAX, &longer_us));
    TRY(json_get_i64(json, "share_over_ppm", 0, 1000000, &rule.share_over_ppm));
    TRY(finding_severity_parse(str_of(severity), &rule.severity));
    TRY(verdict_parse(str_of(verdict), &rule.verdict));
    rule.longer_than_ms = longer_us / 1000;
    // rule_add only reads, but the struct is libcyaml's, which owns and so is not const
    AUTO(cstr_free) char *kind_copy = NULL;
    AUTO(cstr_free) char *why_copy = NULL;
    TRY(cstr_dup(&kind_copy, kind));
    TRY(cstr_dup(&why_copy, why));
    rule.kind = kind_copy;
    rule.why = why_copy;
    return rule_add(policy, &rule);
}

int ingest_policy_from_json(const json_t *json, struct ingest_policy **ret)
{
    json_t *rules = NULL;
    TRY(json_get_array(json, "rules", &rules));
    FAIL_IF(json_array_size(rules) > RULES_MAX, ERR_LIMIT, "a policy of over %d rules",
            RULES_MAX);
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL;
    TRY(policy_new(&policy));
    for (size_t i = 0; i < json_array_size(rules); i++) {
        TRY(rule_from_json(json_array_get(rules, i), policy));
    }
    *ret = TAKE(policy);
    return 0;
}

// 0 where a finding has no extent.
static int64_t extent_us(const struct finding *finding)
{
    if (finding->start_pts == FINDING_NONE || finding->end_pts == FINDING_NONE ||
        finding->end_pts <= finding->start_pts || finding->time_base.den <= 0 ||
        finding->time_base.num <= 0) {
        return 0;
    }
    __int128 us = ((__int128)finding->end_pts - finding->start_pts) *
                  finding->time_base.num * 1000000 / finding->time_base.den;
    return us > INT64_MAX ? INT64_MAX : (int64_t)us;
}

static bool kind_fits(const char *pattern, const char *kind)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*') {
        return strncmp(pattern, kind, len - 1) == 0;
    }
    return strcmp(pattern, kind) == 0;
}

static bool rule_fits(const struct policy_rule *rule, const struct finding *finding,
                      int64_t duration_us)
{
    if (!kind_fits(rule->kind, finding->kind) || finding->severity < rule->severity) {
        return false;
    }
    int64_t us = extent_us(finding);
    if (rule->longer_than_us > 0 && us <= rule->longer_than_us) {
        return false;
    }
    return rule->share_over_ppm == 0 ||
           (__int128)us * 1000000 > (__int128)duration_us * rule->share_over_ppm;
}

static const struct ingest_waiver *waiver_for(const struct finding *finding,
                                              const struct ingest_waiver *waivers,
                                              size_t count, int64_t now)
{
    for (size_t i = 0; i < count; i++) {
        if (kind_fits(waivers[i].kind, finding->kind) && now < waivers[i].until_wall_us) {
            return &waivers[i];
        }
    }
    return NULL;
}

static int why_add(json_t *why, size_t finding, enum ingest_verdict verdict,
                   int64_t rule_index, const char *text,
                   const struct ingest_waiver *waiver)
{
    char until[CLOCK_RFC3339_BYTES] = "";
    AUTO(json_free) json_t *waived = NULL;
    if (waiver) {
        clock_rfc3339(waiver->until_wall_us, until);
        TRY(json_made(json_pack("{s:s, s:s}", "why", waiver->why, "until", until),
                      &waived));
    }
    json_t *item = NULL;
    TRY(json_made(json_pack("{s:I, s:s, s:o, s:O?, s:s}", "finding", (json_int_t)finding,
                            "verdict", ingest_verdict_name(verdict), "rule",
                            rule_index < 0 ? json_null() : json_integer(rule_index),
                            "waived", waived, "text", text),
                  &item));
    if (!waiver) {
        json_object_set_new(item, "waived", json_null());
    }
    FAIL_IF(json_array_append_new(why, item) != 0, ERR_NOMEM, "a verdict's reasons");
    return 0;
}

static enum ingest_verdict verdict_of(const struct ingest_policy *policy,
                                      const struct finding *finding, int64_t duration_us,
                                      int64_t *ret_rule, const char **ret_text)
{
    for (size_t r = 0; r < policy->rules.len; r++) {
        const struct policy_rule *rule = &policy->rules.data[r];
        if (rule_fits(rule, finding, duration_us)) {
            *ret_rule = (int64_t)r;
            *ret_text = rule->why;
            return rule->verdict;
        }
    }
    *ret_rule = -1;
    *ret_text = "Viewers would see or hear this. Please export the film again.";
    return finding->severity == FINDING_ERROR ? INGEST_REFUSE : INGEST_ACCEPT;
}

int policy_decide_each(const struct ingest_policy *policy,
                       const struct findings *findings, int64_t duration_us,
                       const struct ingest_waiver *const *each, enum ingest_verdict *ret,
                       json_t **ret_why)
{
    AUTO(json_free) json_t *why = json_array();
    FAIL_IF(!why, ERR_NOMEM, "a verdict's reasons");
    enum ingest_verdict worst = INGEST_ACCEPT;
    for (size_t i = 0; i < findings->items.len; i++) {
        int64_t rule = -1;
        const char *text = NULL;
        enum ingest_verdict verdict =
            verdict_of(policy, &findings->items.data[i], duration_us, &rule, &text);
        if (verdict == INGEST_ACCEPT) {
            continue;
        }
        TRY(why_add(why, i, verdict, rule, text, each[i]));
        worst = each[i] ? worst : MAX(worst, verdict);
    }
    *ret = worst;
    if (ret_why) {
        *ret_why = TAKE(why);
    }
    return 0;
}

int ingest_policy_decide(const struct ingest_policy *policy,
                         const struct findings *findings, int64_t duration_us,
                         const struct ingest_waiver *waivers, size_t waiver_count,
                         int64_t now_wall_us, enum ingest_verdict *ret, json_t **ret_why)
{
    size_t count = findings->items.len;
    const struct ingest_waiver **each = calloc(count + 1, sizeof *each);
    FAIL_IF(!each, ERR_NOMEM, "%zu findings", count);
    for (size_t i = 0; i < count; i++) {
        each[i] =
            waiver_for(&findings->items.data[i], waivers, waiver_count, now_wall_us);
    }
    int err = policy_decide_each(policy, findings, duration_us, each, ret, ret_why);
    free(each);
    return err;
}
