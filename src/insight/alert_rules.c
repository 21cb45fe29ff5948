// SPDX-License-Identifier: GPL-3.0-or-later
//
// Alert rules as libcyaml loads them, and what a schema cannot see.
#include "insight/alert_rules.h"
#include "insight/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 10000, CHANNELS_MAX = 1000, LEVELS_MAX = 8 };
#define THRESHOLD(key, type, member) \
    CYAML_FIELD_FLOAT_PTR(key, CYAML_FLAG_POINTER | OPTIONAL, type, member)

static const cyaml_schema_value_t word = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 4000)};
static const cyaml_strval_t no_data[] = {
    {"keep", NO_DATA_KEEP}, {"resolve", NO_DATA_RESOLVE}, {"alert", NO_DATA_ALERT}};
static const cyaml_strval_t severities[] = {
    {"info", ALERT_INFO}, {"warning", ALERT_WARNING}, {"error", ALERT_ERROR}};

#define S struct alert_channel
static const cyaml_schema_field_t channel_fields[] = {
    TEXT("name", S, name, 0, 63),
    TEXT("mail", S, mail, OPTIONAL, 254),
    TEXT("webhook", S, webhook, OPTIONAL, 2000),
    TEXT("secret_file", S, secret_file, OPTIONAL, 4000),
    WORDS("exec", S, exec),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t channel_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct alert_channel, channel_fields)};

#define S struct alert_escalation
static const cyaml_schema_field_t escalation_fields[] = {
    CYAML_FIELD_INT("after_s", CYAML_FLAG_DEFAULT, S, after_s),
    WORDS("channels", S, channels), CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t escalation_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct alert_escalation, escalation_fields)};

#define S struct alert_rule
static const cyaml_schema_field_t rule_fields[] = {
    TEXT("name", S, name, 0, 63),
    TEXT("summary", S, summary, OPTIONAL, 500),
    TEXT("expr", S, expr, 0, 8000),
    THRESHOLD("above", S, above),
    THRESHOLD("below", S, below),
    THRESHOLD("resolve_at", S, resolve_at),
    NUMBER("for_s", S, for_s),
    NUMBER("resolve_for_s", S, resolve_for_s),
    NUMBER("no_data_s", S, no_data_s),
    NUMBER("group_wait_s", S, group_wait_s),
    CYAML_FIELD_ENUM("no_data", CYAML_FLAG_STRICT | OPTIONAL, S, no_data, no_data,
                     ARRAY_LEN(no_data)),
    CYAML_FIELD_ENUM("severity", CYAML_FLAG_STRICT | OPTIONAL, S, severity, severities,
                     ARRAY_LEN(severities)),
    WORDS("group_by", S, group_by),
    WORDS("inhibited_by", S, inhibited_by),
    WORDS("equal", S, equal),
    WORDS("channels", S, channels),
    CYAML_FIELD_SEQUENCE("escalate", CYAML_FLAG_POINTER | OPTIONAL, S, escalate,
                         &escalation_schema, 0, LEVELS_MAX),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t rule_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct alert_rule, rule_fields)};

#define S struct insight_alert_rules
static const cyaml_schema_field_t rules_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, S, schema),
    CYAML_FIELD_SEQUENCE("channels", CYAML_FLAG_POINTER | OPTIONAL, S, channels,
                         &channel_schema, 0, CHANNELS_MAX),
    CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER, S, rules, &rule_schema, 0,
                         RULES_MAX),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t rules_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct insight_alert_rules, rules_fields)};

void insight_alert_rules_free(struct insight_alert_rules **rules)
{
    yaml_data_free(&rules_schema, TAKE(*rules), 0);
}

const char *alert_severity_name(enum alert_severity severity)
{
    return severities[severity].str;
}

const struct alert_channel *alert_channel_of(const struct insight_alert_rules *rules,
                                             const char *name)
{
    for (size_t i = 0; i < rules->channels_count; i++) {
        if (strcmp(rules->channels[i].name, name) == 0) {
            return &rules->channels[i];
        }
    }
    return NULL;
}

const struct alert_rule *alert_rule_of(const struct insight_alert_rules *rules,
                                       const char *name)
{
    for (size_t i = 0; i < rules->rules_count; i++) {
        if (strcmp(rules->rules[i].name, name) == 0) {
            return &rules->rules[i];
        }
    }
    return NULL;
}

size_t insight_alert_rule_count(const struct insight_alert_rules *rules)
{
    return rules->rules_count;
}

// --- checks -------------------------------------------------------------------------------------------

struct reading {
    struct str text;
    const char *file;
    struct diag *diag;
};

static void complain(const struct reading *r, const char *list, size_t index,
                     const char *what)
{
    AUTO(cstr_free) char *path = NULL;
    int line =
        cstr_printf(&path, "%s/%zu", list, index) == 0 ? yaml_line_of(r->text, path) : 0;
    diag_add(r->diag, r->file, line, "%s", what);
}

static void check_channel(const struct reading *r,
                          const struct insight_alert_rules *rules, size_t i)
{
    const struct alert_channel *c = &rules->channels[i];
    if (alert_channel_of(rules, c->name) != c) {
        complain(r, "channels", i, "two channels have the same name");
    }
    if ((c->mail != NULL) + (c->webhook != NULL) + (c->exec_count > 0) != 1) {
        complain(r, "channels", i, "a channel is one of mail, webhook and exec");
    }
    if (c->mail && !bus_mail_address_is_safe(c->mail)) {
        complain(r, "channels", i, "mail is an address");
    }
    if (c->webhook && !bus_webhook_url_is_safe(c->webhook)) {
        complain(r, "channels", i, "a webhook is an http or https address");
    }
}

static bool channels_are_known(const struct insight_alert_rules *rules, char **names,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!alert_channel_of(rules, names[i])) {
            return false;
        }
    }
    return true;
}

// Nothing is above what is no number: such a rule would never fire, and nobody would know.
static bool is_finite(const double *threshold)
{
    return !threshold || isfinite(*threshold);
}

static void check_rule(const struct reading *r, const struct insight_alert_rules *rules,
                       size_t i)
{
    const struct alert_rule *a = &rules->rules[i];
    bool known = channels_are_known(rules, a->channels, a->channels_count);
    int64_t before_s = 0;
    if (alert_rule_of(rules, a->name) != a || strchr(a->name, '/')) {
        complain(r, "rules", i, "a rule's name is its own, without '/'");
    }
    for (size_t k = 0; k < a->escalate_count; k++) {
        known = known && channels_are_known(rules, a->escalate[k].channels,
                                            a->escalate[k].channels_count);
        if (a->escalate[k].after_s <= before_s) {
            complain(r, "rules", i, "each escalation comes after the one before it");
        }
        before_s = a->escalate[k].after_s;
    }
    for (size_t k = 0; k < a->inhibited_by_count; k++) {
        if (!alert_rule_of(rules, a->inhibited_by[k]) ||
            alert_rule_of(rules, a->inhibited_by[k]) == a) {
            complain(r, "rules", i, "inhibited_by names another rule of this file");
        }
    }
    if (!known) {
        complain(r, "rules", i, "there is no such channel");
    }
    if (a->summary && !str_is_line(str_of(a->summary))) {
        complain(r, "rules", i, "a summary is one line");
    }
    if (!is_finite(a->above) || !is_finite(a->below) || !is_finite(a->resolve_at)) {
        complain(r, "rules", i, "a threshold is a number");
    }
    if (a->above && a->below) {
        complain(r, "rules", i, "a rule is for above or for below");
    }
    if (a->resolve_at && !a->above && !a->below) {
        complain(r, "rules", i, "resolve_at needs above or below");
    }
    if ((a->resolve_at && a->above && !(*a->resolve_at <= *a->above)) ||
        (a->resolve_at && a->below && !(*a->resolve_at >= *a->below))) {
        complain(r, "rules", i, "resolve_at lies on the good side of the threshold");
    }
    if (a->for_s < 0 || a->resolve_for_s < 0 || a->no_data_s < 0 || a->group_wait_s < 0 ||
        MAX(MAX(a->for_s, a->resolve_for_s), MAX(a->no_data_s, a->group_wait_s)) >
            366 * 86400) {
        complain(r, "rules", i, "a time is out of range");
    }
}

int insight_alert_rules_parse(struct str yaml, const char *file,
                              struct insight_alert_rules **ret, struct diag *diag)
{
    void *loaded = NULL;
    struct reading r = {.text = yaml, .file = file, .diag = diag};
    TRY(yaml_load(yaml, file, &rules_schema, &loaded, NULL, diag));
    AUTO(insight_alert_rules_free) struct insight_alert_rules *rules = loaded;
    if (rules->schema != 1) {
        diag_add(diag, file, yaml_line_of(yaml, "schema"), "schema 1 is known");
    }
    for (size_t i = 0; i < rules->channels_count; i++) {
        check_channel(&r, rules, i);
    }
    for (size_t i = 0; i < rules->rules_count; i++) {
        struct alert_rule *a = &rules->rules[i];
        a->no_data_s = a->no_data_s ? a->no_data_s : 300;
        check_rule(&r, rules, i);
    }
    TRY(diag->items.len ? diag_fail(diag, ERR_INVALID) : 0);
    *ret = TAKE(rules);
    return 0;
}
