// SPDX-License-Identifier: GPL-3.0-or-later
//
// What else changed when an alert fired, looked for once a firing, by itself, and kept beside the alert. What cannot be
// found is kept as its reason, so that nothing is tried for ever.
#include "insight/alert_rules.h"
#include "insight/signals.h"
#include "insight/spread.h"

enum { AT_ONCE = 4 };

struct firing {
    char id[UUID_BYTES];
    char *rule, *key;
    int64_t fired_us;
};
struct firings {
    VEC(struct firing) list;
};

static void firings_free(struct firings *f)
{
    vec_for_each (firing, &f->list) {
        cstr_free(&firing->rule);
        cstr_free(&firing->key);
    }
    vec_free(&f->list);
}

static int load(struct store *store, struct firings *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    TRY(store_query(tx, &r,
                    "SELECT id, rule, key, fired_us FROM insight_alert"
                    " WHERE state IN ('firing', 'acknowledged') AND fired_us > 0"
                    " AND NOT EXISTS (SELECT 1 FROM insight_alert_related"
                    " WHERE alert = insight_alert.id AND fired = insight_alert.fired_us)"
                    " ORDER BY fired_us LIMIT ?",
                    "i", (int64_t)AT_ONCE));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        struct firing f = {.fired_us = store_i64(r, 3)};
        TRY(str_copy(f.id, sizeof f.id, str_of(store_text(r, 0))));
        TRY(vec_push(&ret->list, f));
        struct firing *kept = &ret->list.data[ret->list.len - 1];
        TRY(cstr_dup(&kept->rule, store_text(r, 1)));
        TRY(cstr_dup(&kept->key, store_text(r, 2)));
    }
    return 0;
}

struct looking {
    struct telemetry *series;
    const struct insight_alert_rules *rules;
    const struct insight_callgraph *calls;
    int64_t now_us;
};

static int ask(const struct looking *l, const struct firing *f,
               struct insight_spread *spread, json_t **ret)
{
    AUTO(json_free) json_t *tags = NULL;
    struct insight_question q = {.at_ms = f->fired_us / 1000,
                                 .now_ms = l->now_us / 1000,
                                 .calls = l->calls,
                                 .spread = spread};
    TRY(json_parse(&tags, str_of(f->key), 1 << 16));
    q.tags = tags;
    const struct alert_rule *rule = alert_rule_of(l->rules, f->rule);
    FAIL_IF(!rule, ERR_NOT_FOUND, "the rule is gone");
    q.target = rule->expr;
    return insight_signals_ask(l->series, &q, ret);
}

struct outcome {
    json_t *found;
    char *why;
    struct insight_spread spread;
};

static void outcome_clear(struct outcome *o)
{
    json_free(&o->found);
    cstr_free(&o->why);
    spread_clear(&o->spread);
}

static int submit(struct store_tx *tx, const struct firing *f,
                  const struct insight_spread *spread)
{
    char job[UUID_BYTES];
    const struct spread_firing firing = {f->id, f->fired_us};
    return spread_submit(tx, spread, &firing, job);
}

static int tell(struct store_tx *tx, const struct firing *f)
{
    AUTO(cstr_free) char *subject = NULL;
    TRY(cstr_printf(&subject, "alert/%s", f->id));
    return bus_emit(
        tx, &(struct bus_event){.type = "alert.related.v1", .subject = subject}, NULL);
}

// With the job, where one is to look: whoever finds the row looks no more.
static int keep(struct store *store, const struct firing *f, const struct outcome *o)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(buf_free) struct buf text = {0};
    if (o->found) {
        json_write_canonical(&text, o->found);
        TRY(text.err);
    }
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(store_exec(tx,
                   "INSERT INTO insight_alert_related (alert, fired, found, why)"
                   " VALUES (?, ?, ?, ?) ON CONFLICT (alert) DO UPDATE SET"
                   " fired = excluded.fired, found = excluded.found, why = excluded.why",
                   "siss", f->id, f->fired_us, text.data, o->why));
    TRY(!o->found && !o->why ? submit(tx, f, &o->spread) : tell(tx, f));
    return store_commit(&tx);
}

int insight_alerts_relate(struct store *store, struct telemetry *series,
                          const struct insight_alert_rules *rules,
                          const struct insight_callgraph *calls, int64_t now_us)
{
    const struct looking l = {series, rules, calls, now_us};
    AUTO(firings_free) struct firings firings = {0};
    TRY(load(store, &firings));
    vec_for_each (f, &firings.list) {
        AUTO(outcome_clear)
        struct outcome o = {.spread.blobs = store_blobs_of(store)};
        if (ask(&l, f, &o.spread, &o.found) < 0) {
            TRY(cstr_dup(&o.why, err_reason()));
        }
        TRY(keep(store, f, &o));
    }
    return (int)firings.list.len;
}

int insight_alert_related(struct store_tx *tx, const char *alert, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *found = NULL;
    TRY(store_query(tx, &r,
                    "SELECT found, why FROM insight_alert_related WHERE alert = ?", "s",
                    alert));
    int there = store_next(r);
    TRY(there);
    FAIL_IF(!there, ERR_NOT_FOUND, "nothing was looked for beside this alert yet");
    if (store_text(r, 0)) {
        TRY(json_parse(&found, str_of(store_text(r, 0)), 1 << 24));
    }
    return json_made(json_pack("{s:O?, s:s?}", "found", found, "why", store_text(r, 1)),
                     ret);
}
