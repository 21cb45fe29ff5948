// SPDX-License-Identifier: GPL-3.0-or-later
//
// One look at all rules. Each is read without a transaction, then written in one of its own, so that a rule
// that fails, or has too many lines, takes nothing from the others.
#include "insight/alert_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX    1000
#define DETECTOR     "alerts@1"
#define NO_LINES_KEY "{}"

struct row {
    char id[UUID_BYTES]; // "": not in the rows yet
    char *key;
    struct alert_facts facts;
    double value;
    bool seen;
};

struct look {
    const struct insight_alerts_config *config;
    const struct alert_rule *rule;
    struct store_tx *tx;
    int64_t now_us;
    VEC(struct row) rows;
    bool any_data;
};

static void look_clear(struct look *l)
{
    vec_for_each (row, &l->rows) {
        cstr_free(&row->key);
    }
    vec_free(&l->rows);
    store_rollback(&l->tx);
}

static int load(struct look *l)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(l->tx, &r,
                    "SELECT id, key, state, since_us, fired_us, good_us, data_us,"
                    " acked_by IS NOT NULL FROM insight_alert"
                    " WHERE rule = ? AND state <> 'resolved' ORDER BY key",
                    "s", l->rule->name));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        struct row row = {.facts = {.since_us = store_i64(r, 3),
                                    .fired_us = store_i64(r, 4),
                                    .good_us = store_i64(r, 5),
                                    .data_us = store_i64(r, 6),
                                    .acknowledged = store_i64(r, 7) != 0},
                          .value = NAN};
        TRY(alert_state_parse(store_text(r, 2), &row.facts.state));
        TRY(str_copy(row.id, sizeof row.id, str_of(store_text(r, 0))));
        TRY(vec_push(&l->rows, row));
        TRY(cstr_dup(&l->rows.data[l->rows.len - 1].key, store_text(r, 1)));
    }
    return 0;
}

static int emit(const struct look *l, const struct row *row, const char *type)
{
    AUTO(cstr_free) char *subject = NULL;
    AUTO(json_free) json_t *data = NULL, *tags = NULL;
    TRY(cstr_printf(&subject, "alert/%s", row->id));
    TRY(json_parse(&tags, str_of(row->key), 1 << 16));
    TRY(json_made(json_pack("{s:s, s:O, s:s, s:o}", "rule", l->rule->name, "tags", tags,
                            "severity", alert_severity_name(l->rule->severity), "value",
                            isfinite(row->value) ? json_real(row->value) : json_null()),
                  &data));
    return bus_emit(
        l->tx, &(struct bus_event){.type = type, .subject = subject, .data = data}, NULL);
}

static int emit_change(const struct look *l, const struct row *row,
                       enum alert_state before)
{
    static const char *const types[] = {[ALERT_FIRING] = "alert.firing.v1",
                                        [ALERT_NO_DATA] = "alert.no_data.v1",
                                        [ALERT_RESOLVED] = "alert.resolved.v1",
                                        [ALERT_ACKNOWLEDGED] = NULL};
    enum alert_state now = row->facts.state;
    return now != before && types[now] ? emit(l, row, types[now]) : 0;
}

static int insert(const struct look *l, struct row *row)
{
    const struct alert_facts *f = &row->facts;
    uuid_v7(row->id);
    return store_exec(
        l->tx,
        "INSERT INTO insight_alert (id, rule, key, state, severity, summary,"
        " since_us, fired_us, good_us, data_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ssssssiiii", row->id, l->rule->name, row->key, alert_state_name(f->state),
        alert_severity_name(l->rule->severity), l->rule->summary, f->since_us,
        f->fired_us, f->good_us, f->data_us);
}

static int update(const struct look *l, const struct row *row)
{
    const struct alert_facts *f = &row->facts;
    return store_exec(
        l->tx,
        "UPDATE insight_alert SET state = ?, since_us = ?, fired_us = ?, good_us = ?,"
        " data_us = ?, resolved_us = CASE WHEN ?1 = 'resolved' THEN ?6 END WHERE id = ?7",
        "siiiiis", alert_state_name(f->state), f->since_us, f->fired_us, f->good_us,
        f->data_us, l->now_us, row->id);
}

static int keep_value(const struct look *l, const struct row *row)
{
    return isfinite(row->value)
               ? store_exec(l->tx, "UPDATE insight_alert SET value = ? WHERE id = ?",
                            "ds", row->value, row->id)
               : 0;
}

static int step(const struct look *l, struct row *row, enum alert_verdict verdict)
{
    struct alert_facts before = row->facts;
    row->facts = alert_next(l->rule, before, verdict, l->now_us);
    if (row->facts.state == ALERT_NONE) {
        return row->id[0] ? store_exec(l->tx, "DELETE FROM insight_alert WHERE id = ?",
                                       "s", row->id)
                          : 0;
    }
    TRY(row->id[0] ? update(l, row) : insert(l, row));
    TRY(keep_value(l, row));
    return emit_change(l, row, before.state);
}

static struct row *find(struct look *l, const char *key)
{
    vec_for_each (row, &l->rows) {
        if (strcmp(row->key, key) == 0) {
            return row;
        }
    }
    return NULL;
}

static int line(struct look *l, const struct insight_line *line)
{
    AUTO(buf_free) struct buf key = {0};
    enum alert_verdict verdict = alert_judge(l->rule, line->value);
    json_write_canonical(&key, line->tags);
    TRY(key.err);
    l->any_data = l->any_data || verdict != VERDICT_NONE;
    struct row *row = find(l, key.data);
    if (row && row->seen) {
        return 0; // two lines with the same tags: the first counts
    }
    if (!row) {
        struct row fresh = {.facts.state = ALERT_NONE};
        TRY(vec_push(&l->rows, fresh));
        row = &l->rows.data[l->rows.len - 1];
        TRY(cstr_dup(&row->key, key.data));
    }
    row->seen = true;
    row->value = line->value;
    return step(l, row, verdict);
}

// --- no line at all -------------------------------------------------------------------------------------

static int last_data(const struct look *l, int64_t *ret_us)
{
    TRY(store_exec(l->tx,
                   "INSERT INTO insight_alert_rule (rule, data_us) VALUES (?1, ?2)"
                   " ON CONFLICT (rule) DO UPDATE SET data_us ="
                   " CASE WHEN ?3 THEN ?2 ELSE data_us END",
                   "sii", l->rule->name, l->now_us, (int64_t)l->any_data));
    return store_get_i64(l->tx, ret_us,
                         "SELECT data_us FROM insight_alert_rule WHERE rule = ?", "s",
                         l->rule->name);
}

// A rule that has had no line for a while, or never since it is looked at.
static int miss(struct look *l)
{
    int64_t data_us = 0;
    TRY(last_data(l, &data_us));
    if (l->rule->no_data != NO_DATA_ALERT || l->any_data || l->rows.len > 0 ||
        l->now_us - data_us < l->rule->no_data_s * INT64_C(1000000)) {
        return 0;
    }
    struct row row = {.value = NAN,
                      .facts = {.state = ALERT_NO_DATA,
                                .since_us = data_us,
                                .fired_us = l->now_us,
                                .data_us = data_us}};
    TRY(vec_push(&l->rows, row));
    struct row *kept = &l->rows.data[l->rows.len - 1];
    TRY(cstr_dup(&kept->key, NO_LINES_KEY));
    kept->seen = true;
    TRY(insert(l, kept));
    return emit_change(l, kept, ALERT_NONE);
}

// --- what is wrong with the rule ----------------------------------------------------------------------------

static int put_finding(const struct look *l, const char *kind, const char *why)
{
    AUTO(cstr_free) char *subject = NULL;
    AUTO(findings_free) struct findings list = {0};
    TRY(cstr_printf(&subject, "alert-rule/%s", l->rule->name));
    if (kind) {
        struct finding f = finding_about_file(kind, FINDING_ERROR);
        TRY(json_made(json_pack("{s:s}", "why", why), &f.evidence));
        TRY(findings_add(&list, &f));
    }
    return bus_findings_put(l->tx, subject, DETECTOR, &list);
}

// Written when it changes, not at each look.
static int note_failure(const struct look *l, const char *kind, const char *why)
{
    AUTO(cstr_free) char *before = NULL;
    int err = store_get_text(l->tx, &before,
                             "SELECT failing FROM insight_alert_rule WHERE rule = ?", "s",
                             l->rule->name);
    FAIL_IF(err < 0 && err != ERR_NOT_FOUND, err, "%s", err_reason());
    if ((!before && !kind) || (before && kind && strcmp(before, kind) == 0)) {
        return 0;
    }
    TRY(store_exec(l->tx,
                   "INSERT INTO insight_alert_rule (rule, data_us, failing)"
                   " VALUES (?1, ?2, ?3) ON CONFLICT (rule) DO UPDATE SET failing = ?3",
                   "sis", l->rule->name, l->now_us, kind));
    return put_finding(l, kind, why);
}

static int settle_failed(struct look *l, const char *why)
{
    TRY(store_begin(l->config->store, STORE_WRITE, &l->tx));
    TRY(note_failure(l, "alert_rule_failed", why));
    return store_commit(&l->tx);
}

static int settle(struct look *l, const struct insight_reading *read)
{
    size_t most = l->config->max_lines ? l->config->max_lines : LINES_MAX;
    TRY(store_begin(l->config->store, STORE_WRITE, &l->tx));
    TRY(load(l));
    for (size_t i = 0; i < MIN(read->count, most); i++) {
        TRY(line(l, &read->lines[i]));
    }
    TRY(miss(l));
    for (size_t i = 0; i < l->rows.len; i++) {
        struct row *row = &l->rows.data[i];
        bool back = strcmp(row->key, NO_LINES_KEY) == 0 && l->any_data;
        // Beyond the limit nothing is known of who is missing.
        if (!row->seen && (back || read->count <= most)) {
            TRY(step(l, row, back ? VERDICT_GOOD : VERDICT_NONE));
        }
    }
    TRY(note_failure(l, read->count > most ? "alert_rule_limit" : NULL,
                     "the rule gives more lines than are looked at"));
    return store_commit(&l->tx);
}

static int look_at(const struct insight_alerts_config *config,
                   const struct alert_rule *rule, int64_t now_us)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(look_clear) struct look l = {.config = config, .rule = rule, .now_us = now_us};
    struct insight_reading read = {0};
    TRY(arena_new(&arena));
    int err = config->read(config->user, rule->expr, now_us, arena, &read);
    if (err < 0) {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_dup(&why, err_reason()));
        return settle_failed(&l, why);
    }
    err = settle(&l, &read);
    json_free(&read.owner);
    return err;
}

// Rules that stand in the file no more: nobody can say whether their alerts hold.
static int resolve_unknown(const struct insight_alerts_config *config, int64_t now_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *names = json_array();
    FAIL_IF(!names, ERR_NOMEM, "alert rules");
    for (size_t i = 0; i < config->rules->rules_count; i++) {
        FAIL_IF(json_array_append_new(names, json_string(config->rules->rules[i].name)) !=
                    0,
                ERR_NOMEM, "alert rules");
    }
    TRY(store_begin(config->store, STORE_WRITE, &tx));
    TRY(store_exec(tx,
                   "UPDATE insight_alert SET state = 'resolved', resolved_us = ?"
                   " WHERE state <> 'resolved' AND rule NOT IN"
                   " (SELECT value FROM json_each(?))",
                   "ij", now_us, names));
    return store_commit(&tx);
}

int insight_alerts_evaluate(const struct insight_alerts_config *config, int64_t now_us)
{
    int worst = resolve_unknown(config, now_us);
    for (size_t i = 0; i < config->rules->rules_count; i++) {
        int err = look_at(config, &config->rules->rules[i], now_us);
        worst = err < 0 ? err : worst;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(config->store, STORE_WRITE, &tx));
    TRY(alerts_unack_late(tx, now_us));
    TRY(alerts_tell(tx, config, now_us));
    TRY(store_commit(&tx));
    return worst;
}
