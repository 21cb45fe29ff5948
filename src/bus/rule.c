// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rules over events. The cursor, the windows and what was done are rows, written with what is done. Time is
// that of the events, so that a service that was away finds what it would have found.
//
//     event ─ type, subject, where ─▶ hit of (rule, key) ─ count within the window ─▶ quiet? ─▶ action
#include "bus/internal.h"

#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 1000, WHERE_MAX = 32 };
#define S_US     INT64_C(1000000)
#define DETECTOR "rules@1"

struct rules_yaml {
    int64_t schema;
    struct bus_rule *rules;
    uint32_t rules_count;
};
struct bus_rules {
    struct bus_rules_config config;
    struct rules_yaml *yaml; // NULL: none came from a file
    VEC(const struct bus_rule *) list;
    json_t *with; // by rule: an object
};

#define TEXT(key, type, member, flags, longest) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, longest)
#define OPTIONAL CYAML_FLAG_OPTIONAL
static const cyaml_schema_field_t pair_fields[] = {
    TEXT("name", struct bus_rule_pair, name, 0, 200),
    TEXT("is", struct bus_rule_pair, is, 0, 4000), CYAML_FIELD_END};
static const cyaml_schema_value_t pair_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct bus_rule_pair, pair_fields)};
static const cyaml_schema_field_t rule_fields[] = {
    TEXT("name", struct bus_rule, name, 0, 63),
    TEXT("type", struct bus_rule, type, 0, 200),
    TEXT("subject", struct bus_rule, subject, OPTIONAL, 200),
    TEXT("key", struct bus_rule, key, OPTIONAL, 200),
    TEXT("action", struct bus_rule, action, 0, 63),
    CYAML_FIELD_SEQUENCE("where", CYAML_FLAG_POINTER | OPTIONAL, struct bus_rule, where,
                         &pair_schema, 0, WHERE_MAX),
    CYAML_FIELD_SEQUENCE("with", CYAML_FLAG_POINTER | OPTIONAL, struct bus_rule, with,
                         &pair_schema, 0, WHERE_MAX),
    CYAML_FIELD_INT("count", OPTIONAL, struct bus_rule, count),
    CYAML_FIELD_INT("within_s", OPTIONAL, struct bus_rule, within_s),
    CYAML_FIELD_INT("quiet_s", OPTIONAL, struct bus_rule, quiet_s),
    CYAML_FIELD_END};
static const cyaml_schema_value_t rule_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct bus_rule, rule_fields)};
static const cyaml_schema_field_t rules_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct rules_yaml, schema),
    CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER, struct rules_yaml, rules,
                         &rule_schema, 0, RULES_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t rules_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct rules_yaml, rules_fields)};

void bus_rules_free(struct bus_rules **rules)
{
    struct bus_rules *r = TAKE(*rules);
    if (r) {
        if (r->yaml) {
            yaml_data_free(&rules_schema, r->yaml, 0);
        }
        vec_free(&r->list);
        json_free(&r->with);
        free(r);
    }
}

static const struct bus_rule_action *action_of(const struct bus_rules *rules,
                                               const char *name)
{
    for (size_t i = 0; i < rules->config.action_count; i++) {
        if (strcmp(rules->config.actions[i].name, name) == 0) {
            return &rules->config.actions[i];
        }
    }
    return NULL;
}

static int with_of(const struct bus_rule *rule, json_t *list)
{
    json_t *with = json_object();
    FAIL_IF(!with || json_array_append_new(list, with) != 0, ERR_NOMEM, "a rule");
    for (uint32_t i = 0; i < rule->with_count; i++) {
        FAIL_IF(json_object_set_new(with, rule->with[i].name,
                                    json_string(rule->with[i].is)) != 0,
                ERR_INVALID, "what a rule says besides is text");
    }
    return 0;
}

// What is wrong with a rule; NULL: nothing.
static const char *mistake(const struct bus_rules *rules, size_t i)
{
    const struct bus_rule *rule = rules->list.data[i];
    const struct bus_rule_action *action = action_of(rules, rule->action);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(rules->list.data[k]->name, rule->name) == 0) {
            return "two rules have the same name";
        }
    }
    if (rule->count < 0 || rule->within_s < 0 || rule->quiet_s < 0 ||
        MAX(rule->within_s, rule->quiet_s) > 366 * 86400 || rule->count > 100000) {
        return "a number is out of range";
    }
    if (rule->count > 1 && !rule->within_s) {
        return "count needs within_s";
    }
    if (!action) {
        return "there is no such action";
    }
    return action->check(json_array_get(rules->with, i)) < 0 ? err_reason() : NULL;
}

static int check(struct bus_rules *rules, struct str yaml, const char *file,
                 struct diag *diag)
{
    if (rules->yaml->schema != 1) {
        diag_add(diag, file, yaml_line_of(yaml, "schema"), "schema 1 is known");
    }
    for (size_t i = 0; i < rules->list.len; i++) {
        AUTO(cstr_free) char *path = NULL;
        const char *what = mistake(rules, i);
        TRY(cstr_printf(&path, "rules/%zu", i));
        if (what) {
            diag_add(diag, file, yaml_line_of(yaml, path), "%s", what);
        }
    }
    return diag->items.len ? diag_fail(diag, ERR_INVALID) : 0;
}

static int take_in(struct bus_rules *rules, const struct bus_rule *rule)
{
    TRY(with_of(rule, rules->with));
    return vec_push(&rules->list, rule);
}

int bus_rules_new(struct bus_rules **ret, const struct bus_rules_config *config)
{
    AUTO(bus_rules_free) struct bus_rules *rules = calloc(1, sizeof *rules);
    FAIL_IF(!rules, ERR_NOMEM, "rules");
    rules->config = *config;
    rules->with = json_array();
    FAIL_IF(!rules->with, ERR_NOMEM, "rules");
    *ret = TAKE(rules);
    return 0;
}

int bus_rules_add(struct bus_rules *rules, const struct bus_rule *rule)
{
    TRY(take_in(rules, rule));
    const char *what = mistake(rules, rules->list.len - 1);
    FAIL_IF(what, ERR_INVALID, "rule %s: %s", rule->name, what);
    return 0;
}

int bus_rules_parse(struct str yaml, const char *file,
                    const struct bus_rules_config *config, struct bus_rules **ret,
                    struct diag *diag)
{
    AUTO(bus_rules_free) struct bus_rules *rules = NULL;
    void *loaded = NULL;
    TRY(bus_rules_new(&rules, config));
    TRY(yaml_load(yaml, file, &rules_schema, &loaded, NULL, diag));
    rules->yaml = loaded;
    for (size_t i = 0; i < rules->yaml->rules_count; i++) {
        TRY(take_in(rules, &rules->yaml->rules[i]));
    }
    TRY(check(rules, yaml, file, diag));
    *ret = TAKE(rules);
    return 0;
}

// --- one event ------------------------------------------------------------------------------------------

// "data.tags.cluster"; NULL where it leads nowhere.
static const json_t *value_at(const json_t *event, const char *path)
{
    struct str rest = str_of(path), name;
    while (event && str_next(&rest, '.', &name)) {
        event = json_object_getn(event, name.data, name.len);
    }
    return event;
}

static void write_value(const json_t *value, struct buf *out)
{
    if (json_is_string(value)) {
        buf_cstr(out, json_string_value(value));
    } else if (value) {
        json_write_canonical(out, value);
    }
}

int bus_event_text(const json_t *event, const char *path, struct buf *out)
{
    write_value(value_at(event, path), out);
    return out->err;
}

static bool type_fits(const char *pattern, const char *type)
{
    size_t len = strlen(pattern);
    return pattern[len - 1] == '*' ? strncmp(pattern, type, len - 1) == 0
                                   : strcmp(pattern, type) == 0;
}

static int fits(const struct bus_rule *rule, const json_t *event)
{
    if (!type_fits(rule->type, json_str_or(event, "type", "")) ||
        (rule->subject &&
         !str_starts(str_of(json_str_or(event, "subject", "")), rule->subject))) {
        return 0;
    }
    for (uint32_t i = 0; i < rule->where_count; i++) {
        AUTO(buf_free) struct buf text = {0};
        write_value(value_at(event, rule->where[i].name), &text);
        TRY(text.err);
        if (!str_eq_c(buf_view(&text), rule->where[i].is)) {
            return 0;
        }
    }
    return 1;
}

struct hit {
    const struct bus_rules *rules;
    size_t index;
    const json_t *event;
    int64_t seq, time_us;
    struct buf key;
};

static void hit_clear(struct hit *h)
{
    buf_free(&h->key);
}

// 1: enough of them within the window, and not too soon after the last time.
static int is_due(struct store_tx *tx, const struct hit *h, const struct bus_rule *rule)
{
    int64_t count = 0, quiet = 0;
    if (rule->count > 1) {
        int64_t since_us = h->time_us - rule->within_s * S_US;
        TRY(store_exec(tx,
                       "INSERT OR IGNORE INTO rule_hit (rule, key, seq, time_us)"
                       " VALUES (?, ?, ?, ?)",
                       "ssii", rule->name, h->key.data, h->seq, h->time_us));
        TRY(store_exec(tx, "DELETE FROM rule_hit WHERE rule = ? AND time_us <= ?", "si",
                       rule->name, since_us));
        TRY(store_get_i64(tx, &count,
                          "SELECT count(*) FROM rule_hit WHERE rule = ? AND key = ?",
                          "ss", rule->name, h->key.data));
        if (count < rule->count) {
            return 0;
        }
    }
    TRY(store_get_i64(tx, &quiet,
                      "SELECT count(*) FROM rule_acted WHERE rule = ? AND key = ? AND"
                      " time_us > ?",
                      "ssi", rule->name, h->key.data, h->time_us - rule->quiet_s * S_US));
    return rule->quiet_s == 0 || quiet == 0;
}

static int act(struct store_tx *tx, const struct hit *h, const struct bus_rule *rule)
{
    const struct bus_rule_action *action = action_of(h->rules, rule->action);
    AUTO(cstr_free) char *dedupe = NULL;
    TRY(cstr_printf(&dedupe, "rule/%s/%lld", rule->name, (long long)h->seq));
    TRY(action->act(tx, h->event, json_array_get(h->rules->with, h->index), dedupe,
                    h->rules->config.user));
    TRY(store_exec(tx, "DELETE FROM rule_hit WHERE rule = ? AND key = ?", "ss",
                   rule->name, h->key.data));
    return store_exec(tx,
                      "INSERT INTO rule_acted (rule, key, seq, time_us)"
                      " VALUES (?, ?, ?, ?) ON CONFLICT (rule, key) DO UPDATE SET"
                      " seq = excluded.seq, time_us = excluded.time_us",
                      "ssii", rule->name, h->key.data, h->seq, h->time_us);
}

static int apply(struct store_tx *tx, struct hit *h)
{
    const struct bus_rule *rule = h->rules->list.data[h->index];
    int wanted = fits(rule, h->event);
    TRY(wanted);
    if (!wanted) {
        return 0;
    }
    buf_clear(&h->key);
    buf_reserve(&h->key, 1);
    write_value(value_at(h->event, rule->key ? rule->key : "subject"), &h->key);
    TRY(h->key.err);
    int due = is_due(tx, h, rule);
    TRY(due);
    return due ? act(tx, h, rule) : 0;
}

static int note_failure(struct store_tx *tx, const struct bus_rule *rule, const char *why)
{
    AUTO(cstr_free) char *subject = NULL;
    char id[UUID_BYTES];
    struct finding f = finding_about_file("rule_failed", FINDING_ERROR);
    TRY(cstr_printf(&subject, "rule/%s", rule->name));
    TRY(json_made(json_pack("{s:s}", "why", why), &f.evidence));
    int err = bus_finding_add(tx, subject, DETECTOR, NULL, &f, id);
    json_free(&f.evidence);
    return err;
}

// One that fails undoes what it did, and nothing else.
static int apply_apart(struct store_tx *tx, struct hit *h)
{
    AUTO(cstr_free) char *why = NULL;
    TRY(store_exec(tx, "SAVEPOINT rule", ""));
    int err = apply(tx, h);
    if (err < 0) {
        TRY(cstr_dup(&why, err_reason()));
        TRY(store_exec(tx, "ROLLBACK TO rule", ""));
        TRY(note_failure(tx, h->rules->list.data[h->index], why));
    }
    return store_exec(tx, "RELEASE rule", "");
}

static int look(struct store *store, const struct bus_rules *rules, const json_t *event)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(hit_clear) struct hit h = {.rules = rules, .event = event};
    TRY(str_to_i64(str_of(json_str_or(event, "id", "")), 1, INT64_MAX, &h.seq));
    TRY(clock_parse(str_of(json_str_or(event, "time", "")), &h.time_us));
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(store_exec(tx, "UPDATE rule_cursor SET seq = ?1 WHERE id = 1 AND seq < ?1", "i",
                   h.seq));
    if (store_changes(tx) != 1) {
        return 0; // another process looked at it meanwhile
    }
    // What a rule's failure is told by must not set off the rule again.
    bool own = str_starts(str_of(json_str_or(event, "subject", "")), "rule/");
    for (h.index = 0; !own && h.index < rules->list.len; h.index++) {
        TRY(apply_apart(tx, &h));
    }
    return store_commit(&tx);
}

static int cursor(struct store *store, int64_t *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(store_exec(tx,
                   "INSERT OR IGNORE INTO rule_cursor (id, seq)"
                   " SELECT 1, coalesce(max(seq), 0) FROM event",
                   ""));
    TRY(store_get_i64(tx, ret, "SELECT seq FROM rule_cursor WHERE id = 1", ""));
    return store_commit(&tx);
}

static int read_events(struct store *store, int64_t after, int limit, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    return bus_read(tx, after, NULL, limit, ret);
}

int bus_rules_run(struct store *store, const struct bus_rules *rules, int limit)
{
    AUTO(json_free) json_t *events = NULL;
    int64_t after = 0;
    TRY(cursor(store, &after));
    TRY(read_events(store, after, limit, &events));
    for (size_t i = 0; i < json_array_size(events); i++) {
        TRY(look(store, rules, json_array_get(events, i)));
    }
    return (int)json_array_size(events);
}
