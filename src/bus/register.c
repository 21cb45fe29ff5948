// SPDX-License-Identifier: GPL-3.0-or-later
//
// The findings register. A finding is the same finding when subject, kind, place and detector are the
// same; their hash is its identity, and a unique column of the table. What it says besides (severity,
// evidence) is that of the last time it was seen.
//
// A detector is written "name@version". A new version speaks for the old one: what it does not find
// any more is fixed, and what was waived of it stays waived where the new one finds it too.
#include "bus/internal.h"

#include <stdlib.h>
#include <string.h>

static int identity_of(const char *subject, const char *detector, const json_t *finding,
                       struct hash *ret)
{
    static const char *const place[] = {"kind",      "stream",    "start_frame",
                                        "end_frame", "start_pts", "end_pts",
                                        "time_base"};
    AUTO(json_free) json_t *id = NULL;
    TRY(json_made(json_pack("{s:s, s:s}", "subject", subject, "detector", detector),
                  &id));
    for (size_t i = 0; i < ARRAY_LEN(place); i++) {
        json_t *value = json_object_get(finding, place[i]);
        FAIL_IF(json_object_set(id, place[i], value ? value : json_null()) < 0, ERR_NOMEM,
                "an identity");
    }
    json_hash(id, ret);
    return 0;
}

struct seen {
    const char *subject;
    const char *detector;
    const char *owner;
    int64_t now_us;
    char *from, *end; // the detector in whatever version: from <= text < end
    int64_t waived;   // of other versions: nearly always none
};

static void seen_clear(struct seen *s)
{
    cstr_free(&s->from);
    cstr_free(&s->end);
}

// A moment that no earlier look at this subject had, so that "seen now" tells this look alone.
static int moment_of(struct store_tx *tx, const char *subject, int64_t *ret)
{
    int64_t last_us = 0;
    TRY(store_get_i64(
        tx, &last_us,
        "SELECT coalesce(max(seen_last_us), 0) FROM finding WHERE subject = ?", "s",
        subject));
    *ret = MAX(clock_wall_us(), last_us + 1);
    return 0;
}

static int seen_begin(struct store_tx *tx, struct seen *s)
{
    struct str version = str_of(s->detector), name;
    str_next(&version, '@', &name);
    FAIL_IF(!name.len || !version.len, ERR_INVALID,
            "a detector is name@version, not '%s'", s->detector);
    TRY(cstr_printf(&s->from, STR_FMT "@", STR_ARG(name)));
    TRY(bus_prefix_end(s->from, &s->end));
    TRY(store_get_i64(
        tx, &s->waived,
        "SELECT count(*) FROM finding WHERE subject = ? AND state = 'waived'"
        " AND detector >= ? AND detector < ? AND detector <> ?",
        "ssss", s->subject, s->from, s->end, s->detector));
    return moment_of(tx, s->subject, &s->now_us);
}

// The finding of an older version at the same place that somebody waived. ERR_NOT_FOUND.
static int waived_before(struct store_tx *tx, const struct seen *seen, const char *kind,
                         const json_t *finding, char **ret_id)
{
    return store_get_text(
        tx, ret_id,
        "SELECT id FROM finding WHERE subject = ?1 AND kind = ?2 AND state = 'waived'"
        " AND detector >= ?3 AND detector < ?4 AND detector <> ?5"
        " AND json_extract(finding, '$.stream') IS json_extract(?6, '$.stream')"
        " AND json_extract(finding, '$.start_frame') IS json_extract(?6, '$.start_frame')"
        " AND json_extract(finding, '$.end_frame') IS json_extract(?6, '$.end_frame')"
        " AND json_extract(finding, '$.start_pts') IS json_extract(?6, '$.start_pts')"
        " AND json_extract(finding, '$.end_pts') IS json_extract(?6, '$.end_pts')"
        " AND json_extract(finding, '$.time_base') IS json_extract(?6, '$.time_base')"
        " ORDER BY id DESC LIMIT 1",
        "sssssj", seen->subject, kind, seen->from, seen->end, seen->detector, finding);
}

// 1 when the new finding is waived as its older one was.
static int inherit_waiver(struct store_tx *tx, const struct seen *seen, const char *kind,
                          const json_t *finding, const char *id)
{
    AUTO(cstr_free) char *older = NULL;
    int err = waived_before(tx, seen, kind, finding, &older);
    if (err < 0) {
        return err == ERR_NOT_FOUND ? 0 : err;
    }
    TRY(store_exec(tx,
                   "UPDATE finding SET state = 'waived', (waived_until_us, waived_why) ="
                   " (SELECT waived_until_us, waived_why FROM finding WHERE id = ?)"
                   " WHERE id = ?",
                   "ss", older, id));
    return 1;
}

// 1 when the finding is new or open again, 0 when it was known.
static int put_one(struct store_tx *tx, const struct seen *seen, const struct finding *f,
                   char ret_id[UUID_BYTES])
{
    AUTO(json_free) json_t *finding = NULL;
    AUTO(cstr_free) char *kept = NULL;
    struct hash identity;
    char id[UUID_BYTES];
    TRY(finding_to_json(f, &finding));
    TRY(identity_of(seen->subject, seen->detector, finding, &identity));
    uuid_v7(id);
    int64_t known_open = 0;
    int err = store_get_i64(tx, &known_open,
                            "SELECT state NOT IN ('fixed', 'superseded') FROM finding"
                            " WHERE identity = ?",
                            "b", (const void *)identity.bytes, (size_t)HASH_BYTES);
    FAIL_IF(err < 0 && err != ERR_NOT_FOUND, err, "%s", err_reason());
    TRY(store_get_text(
        tx, &kept,
        "INSERT INTO finding (id, identity, subject, kind, detector, owner, state,"
        " finding, seen_first_us, seen_last_us)"
        " VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?, ?)"
        " ON CONFLICT (identity) DO UPDATE SET finding = excluded.finding,"
        " seen_last_us = excluded.seen_last_us,"
        " owner = coalesce(excluded.owner, owner),"
        " state = CASE WHEN state IN ('fixed', 'superseded') THEN 'open' ELSE state END"
        " RETURNING id",
        "sbssssjii", id, (const void *)identity.bytes, (size_t)HASH_BYTES, seen->subject,
        f->kind, seen->detector, seen->owner, finding, seen->now_us, seen->now_us));
    TRY(str_copy(ret_id, UUID_BYTES, str_of(kept)));
    if (err == ERR_NOT_FOUND && seen->waived) {
        int waived = inherit_waiver(tx, seen, f->kind, finding, kept);
        TRY(waived);
        return !waived;
    }
    return !known_open;
}

// What this detector, in whatever version, found earlier and no more.
static int fix_unseen(struct store_tx *tx, const struct seen *seen)
{
    return store_exec(tx,
                      "UPDATE finding SET state = 'fixed', waived_until_us = NULL,"
                      " waived_why = NULL WHERE subject = ? AND state != 'fixed' AND"
                      " seen_last_us != ? AND detector >= ? AND detector < ?",
                      "siss", seen->subject, seen->now_us, seen->from, seen->end);
}

static int emit(struct store_tx *tx, const char *type, const char *subject,
                const char *actor, json_t *data)
{
    AUTO(json_free) json_t *owned = data;
    FAIL_IF(!owned, ERR_NOMEM, "an event");
    return bus_emit(tx,
                    &(struct bus_event){
                        .type = type, .subject = subject, .actor = actor, .data = owned},
                    NULL);
}

int bus_findings_put(struct store_tx *tx, const char *subject, const char *detector,
                     const struct findings *list)
{
    AUTO(seen_clear) struct seen seen = {.subject = subject, .detector = detector};
    int64_t opened = 0;
    TRY(seen_begin(tx, &seen));
    vec_for_each (f, &list->items) {
        char id[UUID_BYTES];
        int fresh = put_one(tx, &seen, f, id);
        TRY(fresh);
        opened += fresh;
    }
    TRY(fix_unseen(tx, &seen));
    int64_t fixed = store_changes(tx);
    if (opened == 0 && fixed == 0) {
        return 0;
    }
    return emit(tx, "findings.changed.v1", subject, "system",
                json_pack("{s:s, s:I, s:I, s:I}", "detector", detector, "found",
                          (json_int_t)list->items.len, "opened", (json_int_t)opened,
                          "fixed", (json_int_t)fixed));
}

int bus_finding_add(struct store_tx *tx, const char *subject, const char *detector,
                    const char *owner, const struct finding *f, char ret_id[UUID_BYTES])
{
    AUTO(seen_clear)
    struct seen seen = {.subject = subject, .detector = detector, .owner = owner};
    TRY(seen_begin(tx, &seen));
    TRY(put_one(tx, &seen, f, ret_id));
    return emit(tx, "finding.reported.v1", subject, owner,
                json_pack("{s:s, s:s, s:s}", "id", ret_id, "kind", f->kind, "detector",
                          detector));
}

int bus_findings_supersede(struct store_tx *tx, const char *subject, const char *by)
{
    TRY(store_exec(tx,
                   "UPDATE finding SET state = 'superseded' WHERE subject = ? AND state ="
                   " 'open'",
                   "s", subject));
    int64_t count = store_changes(tx);
    return count == 0
               ? 0
               : emit(tx, "findings.superseded.v1", subject, "system",
                      json_pack("{s:s, s:I}", "by", by, "count", (json_int_t)count));
}

// --- reading -----------------------------------------------------------------------------------------

// A waiver that ran out is no waiver, without anybody writing that down.
#define STATE_NOW \
    "CASE WHEN state = 'waived' AND waived_until_us <= ? THEN 'open' ELSE state END"
#define COLUMNS                                \
    "id, subject, detector, owner, " STATE_NOW \
    ", waived_until_us, waived_why, finding, seen_first_us, seen_last_us"
#define FILTERS                                                     \
    " (? IS NULL OR kind = ?) AND (? IS NULL OR " STATE_NOW " = ?)" \
    " AND (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?"

static int set_time(json_t *object, const char *key, const struct store_rows *r,
                    int column)
{
    json_t *value = NULL;
    if (store_is_null(r, column)) {
        value = json_null();
    } else {
        char text[CLOCK_RFC3339_BYTES];
        clock_rfc3339(store_i64(r, column), text);
        value = json_string(text);
    }
    FAIL_IF(json_object_set_new(object, key, value) < 0, ERR_NOMEM, "a finding");
    return 0;
}

static int row_json(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *object = NULL;
    AUTO(json_free) json_t *finding = NULL;
    const char *state = store_text(r, 4);
    bool waived = strcmp(state, "waived") == 0;
    TRY(store_json(r, 7, &finding));
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s?}", "id", store_text(r, 0),
                            "subject", store_text(r, 1), "detector", store_text(r, 2),
                            "owner", store_text(r, 3), "state", state, "waived_why",
                            waived ? store_text(r, 6) : NULL),
                  &object));
    FAIL_IF(json_object_update(object, finding) < 0, ERR_NOMEM, "a finding");
    TRY(set_time(object, "waived_until", r, 5));
    if (!waived) {
        FAIL_IF(json_object_set_new(object, "waived_until", json_null()) < 0, ERR_NOMEM,
                "a finding");
    }
    TRY(set_time(object, "seen_first", r, 8));
    TRY(set_time(object, "seen_last", r, 9));
    return json_made(TAKE(object), ret);
}

static int open_query(struct store_tx *tx, const struct bus_finding_query *q,
                      struct store_rows **ret)
{
    int64_t now_us = clock_wall_us();
    if (!q->subject) {
        return store_query(tx, ret, "SELECT " COLUMNS " FROM finding WHERE" FILTERS,
                           "isssisssi", now_us, q->kind, q->kind, q->state, now_us,
                           q->state, q->before, q->before, (int64_t)q->limit);
    }
    AUTO(cstr_free) char *end = NULL;
    size_t len = strlen(q->subject);
    if (len && q->subject[len - 1] == '/') {
        TRY(bus_prefix_end(q->subject, &end));
    } else {
        TRY(cstr_dup(&end, q->subject));
    }
    return store_query(tx, ret,
                       "SELECT " COLUMNS
                       " FROM finding WHERE subject BETWEEN ? AND ? AND" FILTERS,
                       "isssssisssi", now_us, q->subject, end, q->kind, q->kind, q->state,
                       now_us, q->state, q->before, q->before, (int64_t)q->limit);
}

int bus_findings_list(struct store_tx *tx, const struct bus_finding_query *q,
                      json_t **ret)
{
    FAIL_IF(q->limit < 1 || q->limit > 1000, ERR_INVALID, "a limit between 1 and 1000");
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(open_query(tx, q, &r));
    return store_array(r, row_json, ret);
}

// --- waivers -----------------------------------------------------------------------------------------

static int subject_of(struct store_tx *tx, const char *id, char **ret)
{
    int err =
        store_get_text(tx, ret, "SELECT subject FROM finding WHERE id = ?", "s", id);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "there is no finding %s", id);
    return err;
}

int bus_finding_waive(struct store_tx *tx, const char *id, const char *why,
                      int64_t until_wall_us, const char *actor)
{
    AUTO(cstr_free) char *subject = NULL;
    char until[CLOCK_RFC3339_BYTES];
    FAIL_IF(!why || !str_trim(str_of(why)).len, ERR_INVALID, "a waiver needs a reason");
    FAIL_IF(until_wall_us <= clock_wall_us(), ERR_INVALID, "a waiver ends in the future");
    TRY(subject_of(tx, id, &subject));
    TRY(store_exec(
        tx,
        "UPDATE finding SET state = 'waived', waived_until_us = ?, waived_why = ?"
        " WHERE id = ? AND state NOT IN ('fixed', 'superseded')",
        "iss", until_wall_us, why, id));
    FAIL_IF(store_changes(tx) == 0, ERR_CONFLICT, "the finding is closed");
    clock_rfc3339(until_wall_us, until);
    return emit(tx, "finding.waived.v1", subject, actor,
                json_pack("{s:s, s:s, s:s}", "id", id, "why", why, "until", until));
}

int bus_finding_reopen(struct store_tx *tx, const char *id, const char *actor)
{
    AUTO(cstr_free) char *subject = NULL;
    TRY(subject_of(tx, id, &subject));
    TRY(store_exec(
        tx,
        "UPDATE finding SET state = 'open', waived_until_us = NULL, waived_why = NULL"
        " WHERE id = ? AND state = 'waived'",
        "s", id));
    FAIL_IF(store_changes(tx) == 0, ERR_CONFLICT, "the finding is not waived");
    return emit(tx, "finding.reopened.v1", subject, actor, json_pack("{s:s}", "id", id));
}
