// SPDX-License-Identifier: GPL-3.0-or-later
//
// What people see of alerts and do about them: acknowledge, silence.
#include "insight/alert_rules.h"

#include <stdlib.h>
#include <string.h>

static int note(struct store_tx *tx, const char *what, const char *subject,
                const char *actor, const json_t *data)
{
    AUTO(cstr_free) char *type = NULL;
    TRY(insight_audit_append(
        tx,
        &(struct insight_audit_entry){
            .actor = actor, .what = what, .subject = subject, .data = data},
        NULL));
    TRY(cstr_printf(&type, "%s.v1", what));
    return bus_emit(tx,
                    &(struct bus_event){
                        .type = type, .subject = subject, .actor = actor, .data = data},
                    NULL);
}

static int state_of(struct store_tx *tx, const char *id, char **ret)
{
    int err =
        store_get_text(tx, ret, "SELECT state FROM insight_alert WHERE id = ?", "s", id);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "there is no such alert");
    return err;
}

int insight_alert_ack(struct store_tx *tx, const char *id, const struct insight_ack *ack)
{
    char until[CLOCK_RFC3339_BYTES];
    AUTO(cstr_free) char *state = NULL, *subject = NULL;
    AUTO(json_free) json_t *data = NULL;
    FAIL_IF(!str_is_utf8(str_of(ack->why)) || strlen(ack->why) > 2000, ERR_INVALID,
            "a reason is a text of at most 2000 bytes");
    FAIL_IF(ack->until_us && ack->until_us <= clock_wall_us(), ERR_INVALID,
            "an acknowledgement ends in the future");
    TRY(state_of(tx, id, &state));
    FAIL_IF(strcmp(state, "firing") != 0 && strcmp(state, "no_data") != 0, ERR_CONFLICT,
            "this alert is %s: there is nothing to acknowledge", state);
    TRY(store_exec(tx,
                   "UPDATE insight_alert SET acked_by = ?, acked_why = ?, acked_until_us"
                   " = nullif(?, 0), state = 'acknowledged' WHERE id = ?",
                   "ssis", ack->actor, ack->why, ack->until_us, id));
    clock_rfc3339(ack->until_us, until);
    TRY(cstr_printf(&subject, "alert/%s", id));
    TRY(json_made(
        json_pack("{s:s, s:s?}", "why", ack->why, "until", ack->until_us ? until : NULL),
        &data));
    return note(tx, "alert.acknowledged", subject, ack->actor, data);
}

// It fires again, and is told as if it had just begun to.
int insight_alert_unack(struct store_tx *tx, const char *id, const char *actor)
{
    AUTO(cstr_free) char *state = NULL, *subject = NULL;
    TRY(state_of(tx, id, &state));
    FAIL_IF(strcmp(state, "acknowledged") != 0, ERR_CONFLICT,
            "this alert is %s: there is no acknowledgement to take back", state);
    TRY(store_exec(tx,
                   "UPDATE insight_alert SET acked_by = NULL, acked_why = NULL,"
                   " acked_until_us = NULL, state = 'firing', told = 0, told_us = 0,"
                   " round = round + 1 WHERE id = ?",
                   "s", id));
    TRY(cstr_printf(&subject, "alert/%s", id));
    return note(tx, "alert.unacknowledged", subject, actor, NULL);
}

int alerts_unack_late(struct store_tx *tx, int64_t now_us)
{
    for (;;) {
        AUTO(cstr_free) char *id = NULL;
        int err = store_get_text(tx, &id,
                                 "SELECT id FROM insight_alert WHERE state ="
                                 " 'acknowledged' AND acked_until_us <= ? LIMIT 1",
                                 "i", now_us);
        if (err == ERR_NOT_FOUND) {
            return 0;
        }
        TRY(err);
        TRY(insight_alert_unack(tx, id, NULL));
    }
}

int insight_silence_add(struct store_tx *tx, const struct insight_silence *s,
                        char ret_id[UUID_BYTES])
{
    AUTO(json_free) json_t *none = json_object(), *data = NULL;
    AUTO(cstr_free) char *subject = NULL;
    const json_t *tags = s->tags ? s->tags : none;
    char until[CLOCK_RFC3339_BYTES];
    const char *key;
    json_t *value;
    FAIL_IF(!s->why || !str_trim(str_of(s->why)).len || !str_is_utf8(str_of(s->why)),
            ERR_INVALID, "a silence has a reason");
    FAIL_IF(s->until_us <= clock_wall_us(), ERR_INVALID, "a silence ends in the future");
    FAIL_IF(!json_is_object(tags), ERR_INVALID, "tags are an object of texts");
    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        FAIL_IF(!json_is_string(value), ERR_INVALID, "the tag '%s' is a text", key);
    }
    uuid_v7(ret_id);
    TRY(store_exec(tx,
                   "INSERT INTO insight_silence (id, rule, tags, until_us, why, actor,"
                   " created_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   "ssjissi", ret_id, s->rule, tags, s->until_us, s->why, s->actor,
                   clock_wall_us()));
    clock_rfc3339(s->until_us, until);
    TRY(cstr_printf(&subject, "silence/%s", ret_id));
    TRY(json_made(json_pack("{s:s?, s:O, s:s, s:s}", "rule", s->rule, "tags", tags,
                            "until", until, "why", s->why),
                  &data));
    return note(tx, "silence.begun", subject, s->actor, data);
}

int insight_silence_end(struct store_tx *tx, const char *id, const char *actor)
{
    AUTO(cstr_free) char *subject = NULL;
    int64_t now_us = clock_wall_us();
    TRY(store_exec(
        tx, "UPDATE insight_silence SET until_us = ? WHERE id = ? AND until_us > ?",
        "isi", now_us, id, now_us));
    FAIL_IF(store_changes(tx) != 1, ERR_NOT_FOUND, "no such silence holds");
    TRY(cstr_printf(&subject, "silence/%s", id));
    return note(tx, "silence.ended", subject, actor, NULL);
}

static int to_silence(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *tags = NULL;
    char until[CLOCK_RFC3339_BYTES];
    TRY(store_json(r, 2, &tags));
    clock_rfc3339(store_i64(r, 3), until);
    return json_made(json_pack("{s:s, s:s?, s:O, s:s, s:s, s:s}", "id", store_text(r, 0),
                               "rule", store_text(r, 1), "tags", tags, "until", until,
                               "why", store_text(r, 4), "actor", store_text(r, 5)),
                     ret);
}

int insight_silences(struct store_tx *tx, int64_t now_us, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT id, rule, tags, until_us, why, actor FROM insight_silence"
                    " WHERE until_us > ? ORDER BY id DESC",
                    "i", now_us));
    return store_array(r, to_silence, ret);
}

// --- lists --------------------------------------------------------------------------------------------

#define COLUMNS                                                                  \
    "SELECT id, rule, key, state, severity, summary, value, since_us, fired_us," \
    " resolved_us, acked_by, acked_why, told, acked_until_us FROM insight_alert "

static void put_time(json_t *item, const char *key, int64_t us)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339(us, text);
    json_object_set_new(item, key, us ? json_string(text) : json_null());
}

static int to_alert(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *tags = NULL, *item = NULL;
    TRY(store_json(r, 2, &tags));
    TRY(json_made(
        json_pack("{s:s, s:s, s:O, s:s, s:s, s:s?, s:o, s:s?, s:s?, s:I}", "id",
                  store_text(r, 0), "rule", store_text(r, 1), "tags", tags, "state",
                  store_text(r, 3), "severity", store_text(r, 4), "summary",
                  store_text(r, 5), "value",
                  store_is_null(r, 6) ? json_null() : json_real(store_double(r, 6)),
                  "acknowledged_by", store_text(r, 10), "acknowledged_why",
                  store_text(r, 11), "told", (json_int_t)store_i64(r, 12)),
        &item));
    put_time(item, "since", store_i64(r, 7));
    put_time(item, "fired", store_i64(r, 8));
    put_time(item, "resolved", store_i64(r, 9));
    put_time(item, "acknowledged_until", store_i64(r, 13));
    *ret = TAKE(item);
    return 0;
}

bool alert_silence_fits(const json_t *silence, const char *rule, const json_t *tags)
{
    const char *of = json_str_or(silence, "rule", NULL), *key;
    json_t *value;
    if (of && strcmp(of, rule) != 0) {
        return false;
    }
    json_object_foreach(json_object_get(silence, "tags"), key, value)
    {
        if (!json_equal(json_object_get(tags, key), value)) {
            return false;
        }
    }
    return true;
}

static void mark_silenced(json_t *alert, const json_t *silences)
{
    bool silenced = false;
    for (size_t i = 0; i < json_array_size(silences); i++) {
        silenced = silenced || alert_silence_fits(json_array_get(silences, i),
                                                  json_str_or(alert, "rule", ""),
                                                  json_object_get(alert, "tags"));
    }
    json_object_set_new(alert, "silenced", json_boolean(silenced));
}

int insight_alerts(struct store_tx *tx, const char *state, int limit, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *alerts = NULL, *silences = NULL;
    TRY(store_query(tx, &r,
                    COLUMNS "WHERE (?1 IS NULL AND state <> 'resolved') OR state = ?1"
                            " ORDER BY id DESC LIMIT ?2",
                    "si", state, (int64_t)limit));
    TRY(store_array(r, to_alert, &alerts));
    TRY(insight_silences(tx, clock_wall_us(), &silences));
    for (size_t i = 0; i < json_array_size(alerts); i++) {
        mark_silenced(json_array_get(alerts, i), silences);
    }
    *ret = TAKE(alerts);
    return 0;
}

int insight_alert(struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *alert = NULL, *silences = NULL;
    TRY(store_query(tx, &r, COLUMNS "WHERE id = ?", "s", id));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such alert");
    TRY(to_alert(r, &alert));
    TRY(insight_silences(tx, clock_wall_us(), &silences));
    mark_silenced(alert, silences);
    *ret = TAKE(alert);
    return 0;
}
