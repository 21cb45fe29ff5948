// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who is told of which alerts. An alert that fires is due at level 0, and at level k once its k-th escalation's
// time after that is over and nobody has acknowledged it; `told` counts the levels that were told. Alerts of one rule
// with the same values of `group_by` that are due together are one notice. Silenced and inhibited ones are
// not told, and stay due; that one which was told is over is told through a silence, too. `told` and the notices are one transaction: never twice, never lost.
#include "insight/alert_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S_US       INT64_C(1000000)
#define LISTED_MAX 50 // alerts that a notice names; the rest are a number

struct due {
    const struct alert_rule *rule;
    char id[UUID_BYTES];
    json_t *tags;
    char *group; // rule, level and values of group_by: equal ones are one notice
    enum alert_state state;
    int64_t level, told, fired_us, told_us, round;
    double value;
    bool ended;
};

struct telling {
    struct store_tx *tx;
    const struct insight_alerts_config *config;
    int64_t now_us;
    json_t *silences; // those that hold
    json_t *firing;   // [{"rule","tags"}], who may inhibit
    VEC(struct due) due;
};

static void telling_clear(struct telling *t)
{
    vec_for_each (d, &t->due) {
        json_free(&d->tags);
        cstr_free(&d->group);
    }
    vec_free(&t->due);
    json_free(&t->silences);
    json_free(&t->firing);
}

static bool is_silenced(const struct telling *t, const struct due *d)
{
    for (size_t i = 0; i < json_array_size(t->silences); i++) {
        if (alert_silence_fits(json_array_get(t->silences, i), d->rule->name, d->tags)) {
            return true;
        }
    }
    return false;
}

static bool shares(const struct alert_rule *rule, const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < rule->equal_count; i++) {
        const json_t *x = json_object_get(a, rule->equal[i]);
        if (!x || !json_equal(x, json_object_get(b, rule->equal[i]))) {
            return false;
        }
    }
    return true;
}

static bool is_inhibited(const struct telling *t, const struct due *d)
{
    for (size_t i = 0; i < json_array_size(t->firing); i++) {
        const json_t *f = json_array_get(t->firing, i);
        for (size_t k = 0; k < d->rule->inhibited_by_count; k++) {
            if (strcmp(d->rule->inhibited_by[k], json_str_or(f, "rule", "")) == 0 &&
                shares(d->rule, d->tags, json_object_get(f, "tags"))) {
                return true;
            }
        }
    }
    return false;
}

// The level that is due now and was not told; -1: none.
static int64_t level_due(const struct due *d, int64_t now_us)
{
    if (d->ended) {
        return d->told - 1; // all who were told, as one
    }
    if (d->state == ALERT_ACKNOWLEDGED) {
        return -1;
    }
    if (d->told == 0) { // whoever is told first has his time before the next is
        return now_us >= d->fired_us + d->rule->group_wait_s * S_US ? 0 : -1;
    }
    int64_t level = -1;
    for (int64_t k = 0; k < (int64_t)d->rule->escalate_count; k++) {
        if (now_us >= d->told_us + d->rule->escalate[k].after_s * S_US) {
            level = k + 1;
        }
    }
    return level >= d->told ? level : -1;
}

static int group_of(const struct due *d, char **ret)
{
    AUTO(json_free) json_t *key = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(json_made(json_pack("[s, b, b, I, I]", d->rule->name, d->ended,
                            d->state == ALERT_NO_DATA, (json_int_t)d->level,
                            (json_int_t)d->told),
                  &key));
    for (size_t i = 0; i < d->rule->group_by_count; i++) {
        json_t *value = json_object_get(d->tags, d->rule->group_by[i]);
        FAIL_IF(json_array_append(key, value ? value : json_null()) != 0, ERR_NOMEM,
                "a notice");
    }
    json_write_canonical(&text, key);
    return buf_take(&text, ret);
}

static int take_row(struct telling *t, const struct store_rows *r)
{
    const struct alert_rule *rule = alert_rule_of(t->config->rules, store_text(r, 1));
    struct due d = {.rule = rule,
                    .fired_us = store_i64(r, 4),
                    .told = store_i64(r, 5),
                    .told_us = store_i64(r, 6) ? store_i64(r, 6) : store_i64(r, 4),
                    .round = store_i64(r, 7),
                    .value = store_is_null(r, 8) ? NAN : store_double(r, 8)};
    AUTO(json_free) json_t *tags = NULL;
    if (!rule) {
        return 0;
    }
    TRY(str_copy(d.id, sizeof d.id, str_of(store_text(r, 0))));
    TRY(alert_state_parse(store_text(r, 3), &d.state));
    TRY(json_parse(&tags, str_of(store_text(r, 2)), 1 << 16));
    d.tags = tags;
    d.ended = d.state == ALERT_RESOLVED;
    d.level = level_due(&d, t->now_us);
    if (d.level < 0 || (!d.ended && (is_silenced(t, &d) || is_inhibited(t, &d)))) {
        return 0;
    }
    TRY(group_of(&d, &d.group));
    TAKE(tags);
    int err = vec_push(&t->due, d);
    if (err < 0) {
        json_free(&d.tags);
        cstr_free(&d.group);
    }
    return err;
}

static int collect(struct telling *t)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        t->tx, &r,
        "SELECT id, rule, key, state, fired_us, told, told_us, round, value"
        " FROM insight_alert"
        " WHERE state IN ('firing', 'no_data', 'acknowledged')"
        " UNION ALL"
        " SELECT id, rule, key, state, fired_us, told, told_us, round, value"
        " FROM insight_alert WHERE state = 'resolved' AND told > 0 AND told_end = 0"
        " ORDER BY fired_us, id",
        ""));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        TRY(take_row(t, r));
    }
    return 0;
}

static int firing_item(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *tags = NULL;
    TRY(json_parse(&tags, str_of(store_text(r, 1)), 1 << 16));
    return json_made(json_pack("{s:s, s:O}", "rule", store_text(r, 0), "tags", tags),
                     ret);
}

static int read_firing(struct telling *t)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(t->tx, &r,
                    "SELECT rule, key FROM insight_alert"
                    " WHERE state IN ('firing', 'no_data', 'acknowledged')",
                    ""));
    return store_array(r, firing_item, &t->firing);
}

// --- a notice -------------------------------------------------------------------------------------------

static int describe(const struct telling *t, const struct due *first, size_t count,
                    json_t **ret)
{
    AUTO(json_free) json_t *alerts = json_array();
    FAIL_IF(!alerts, ERR_NOMEM, "a notice");
    for (const struct due *d = first;
         d < t->due.data + t->due.len && json_array_size(alerts) < LISTED_MAX; d++) {
        char since[CLOCK_RFC3339_BYTES];
        json_t *item = NULL;
        if (strcmp(d->group, first->group) != 0) {
            continue;
        }
        clock_rfc3339(d->fired_us, since);
        TRY(json_made(json_pack("{s:s, s:O, s:s, s:s, s:o}", "id", d->id, "tags", d->tags,
                                "state", alert_state_name(d->state), "fired", since,
                                "value",
                                isfinite(d->value) ? json_real(d->value) : json_null()),
                      &item));
        FAIL_IF(json_array_append_new(alerts, item) != 0, ERR_NOMEM, "a notice");
    }
    const struct alert_rule *rule = first->rule;
    return json_made(json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:O, s:s?}", "schema",
                               1, "rule", rule->name, "summary",
                               rule->summary ? rule->summary : rule->name, "severity",
                               alert_severity_name(rule->severity), "what",
                               first->ended ? "resolved" : "firing", "level",
                               (json_int_t)first->level, "count", (json_int_t)count,
                               "alerts", alerts, "url", t->config->base_url),
                     ret);
}

static void mail_alert(struct buf *text, const json_t *a)
{
    const json_t *value = json_object_get(a, "value");
    const char *state = json_str_or(a, "state", "");
    json_write_canonical(text, json_object_get(a, "tags"));
    buf_printf(text, "\n  since %s", json_str_or(a, "fired", ""));
    if (json_is_real(value) && strcmp(state, "no_data") != 0) {
        buf_printf(text, ", now %.6g", json_real_value(value));
    }
    buf_char(text, '\n');
    if (strcmp(state, "resolved") != 0) {
        buf_printf(text, "  marquee alerts ack %s\n", json_str_or(a, "id", ""));
    }
}

static int mail(struct telling *t, const struct alert_channel *c, const json_t *body,
                const char *dedupe)
{
    AUTO(buf_free) struct buf subject = {0}, text = {0};
    const json_t *alerts = json_object_get(body, "alerts");
    const char *state = json_str_or(json_array_get(alerts, 0), "state", "");
    const char *what =
        strcmp(state, "no_data") == 0 ? "no data" : json_str_or(body, "what", "");
    long long more =
        (long long)json_i64_or(body, "count", 0) - (long long)json_array_size(alerts);
    buf_printf(&subject, "[%s] %s", what, json_str_or(body, "summary", ""));
    buf_printf(&text, "%s: %lld of rule %s.\n\n", what,
               (long long)json_i64_or(body, "count", 0), json_str_or(body, "rule", ""));
    for (size_t i = 0; i < json_array_size(alerts); i++) {
        mail_alert(&text, json_array_get(alerts, i));
    }
    if (more > 0) {
        buf_printf(&text, "and %lld more\n", more);
    }
    if (t->config->base_url) {
        buf_printf(&text, "\n%s/desk/incidents\n", t->config->base_url);
    }
    TRY(subject.err);
    TRY(text.err);
    return bus_notice_mail(t->tx, &(struct bus_mail){.to = c->mail,
                                                     .subject = subject.data,
                                                     .text = text.data,
                                                     .dedupe = dedupe});
}

static int exec(struct telling *t, const struct alert_channel *c, const json_t *body,
                const char *dedupe)
{
    AUTO(json_free) json_t *argv = json_array();
    FAIL_IF(!argv, ERR_NOMEM, "a notice");
    for (size_t i = 0; i < c->exec_count; i++) {
        FAIL_IF(json_array_append_new(argv, json_string(c->exec[i])) != 0, ERR_NOMEM,
                "a notice");
    }
    return bus_notice_exec(
        t->tx, &(struct bus_exec){.argv = argv, .body = body, .dedupe = dedupe});
}

// Who hears of a level: of 0 the rule's own channels, of k those of its k-th escalation. The file may have
// fewer of them by now.
static struct alert_escalation level_of(const struct alert_rule *rule, int64_t level)
{
    if (level == 0) {
        return (struct alert_escalation){.channels = rule->channels,
                                         .channels_count = rule->channels_count};
    }
    return level <= (int64_t)rule->escalate_count ? rule->escalate[level - 1]
                                                  : (struct alert_escalation){0};
}

// A channel that two levels name is told by each.
static int tell_level(struct telling *t, const struct due *first, int64_t level,
                      const json_t *body)
{
    const struct alert_escalation who = level_of(first->rule, level);
    for (size_t i = 0; i < who.channels_count; i++) {
        const struct alert_channel *c =
            alert_channel_of(t->config->rules, who.channels[i]);
        AUTO(cstr_free) char *dedupe = NULL;
        TRY(cstr_printf(&dedupe, "alert/%s/%s/%lld/%lld/%s", first->id,
                        first->ended ? "end" : "fires", (long long)first->round,
                        (long long)level, c->name));
        if (c->mail) {
            TRY(mail(t, c, body, dedupe));
        } else if (c->webhook) {
            TRY(bus_notice_hook(t->tx, &(struct bus_hook){.url = c->webhook,
                                                          .secret_file = c->secret_file,
                                                          .body = body,
                                                          .dedupe = dedupe}));
        } else {
            TRY(exec(t, c, body, dedupe));
        }
    }
    return 0;
}

static int tell_group(struct telling *t, const struct due *first, size_t count)
{
    AUTO(json_free) json_t *body = NULL;
    TRY(describe(t, first, count, &body));
    for (int64_t level = first->ended ? 0 : first->told; level <= first->level; level++) {
        TRY(tell_level(t, first, level, body));
    }
    return 0;
}

static int mark(struct telling *t, const struct due *d)
{
    return store_exec(t->tx,
                      "UPDATE insight_alert SET told_us = CASE WHEN told THEN told_us"
                      " ELSE ? END, told = max(told, ?), told_end = ? WHERE id = ?",
                      "iiis", t->now_us, d->level + 1, (int64_t)d->ended, d->id);
}

// The first of its group speaks for all of it.
static bool is_first(const struct telling *t, size_t i, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t k = 0; k < t->due.len; k++) {
        bool same = strcmp(t->due.data[k].group, t->due.data[i].group) == 0;
        if (same && k < i) {
            return false;
        }
        *ret_count += same;
    }
    return true;
}

int alerts_tell(struct store_tx *tx, const struct insight_alerts_config *config,
                int64_t now_us)
{
    AUTO(telling_clear) struct telling t = {.tx = tx, .config = config, .now_us = now_us};
    TRY(insight_silences(tx, now_us, &t.silences));
    TRY(read_firing(&t));
    TRY(collect(&t));
    for (size_t i = 0; i < t.due.len; i++) {
        size_t count = 0;
        if (is_first(&t, i, &count)) {
            TRY(tell_group(&t, &t.due.data[i], count));
        }
        TRY(mark(&t, &t.due.data[i]));
    }
    return 0;
}
