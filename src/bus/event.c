// SPDX-License-Identifier: GPL-3.0-or-later
//
// The event log: one table, appended to in the transaction of the state that changed. Writers are
// serial (BEGIN IMMEDIATE), so that the order of the sequence is the order of the commits and a
// reader that saw n has seen all below n.
#include "bus/internal.h"

#include <stdlib.h>
#include <string.h>

const struct store_migration bus_migrations[] = {
    {"bus", 1,
     "CREATE TABLE event ("
     "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
     "  type TEXT NOT NULL,"
     "  subject TEXT NOT NULL,"
     "  actor TEXT NOT NULL,"
     "  correlation TEXT,"
     "  causation INTEGER NOT NULL,"
     "  time_us INTEGER NOT NULL,"
     "  data TEXT NOT NULL);"
     "CREATE INDEX event_subject ON event (subject, seq);"},
    {"bus", 2,
     "CREATE TABLE finding ("
     "  id TEXT PRIMARY KEY,"
     "  identity BLOB NOT NULL UNIQUE,"
     "  subject TEXT NOT NULL,"
     "  kind TEXT NOT NULL,"
     "  detector TEXT NOT NULL,"
     "  owner TEXT,"
     "  state TEXT NOT NULL,"
     "  waived_until_us INTEGER,"
     "  waived_why TEXT,"
     "  finding TEXT NOT NULL,"
     "  seen_first_us INTEGER NOT NULL,"
     "  seen_last_us INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX finding_subject ON finding (subject, id);"
     "CREATE INDEX finding_state ON finding (state, id);"},
    {"bus", 3,
     "CREATE TABLE notice ("
     "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
     "  dedupe TEXT UNIQUE,"
     "  recipient TEXT NOT NULL,"
     "  subject TEXT NOT NULL,"
     "  body TEXT NOT NULL,"
     "  created_us INTEGER NOT NULL,"
     "  due_us INTEGER,"
     "  attempts INTEGER NOT NULL DEFAULT 0,"
     "  error TEXT,"
     "  sent_us INTEGER);"
     "CREATE INDEX notice_due ON notice (due_us) WHERE due_us IS NOT NULL;"},
    // A detector is name@version; what was written before that was insisted on is version 0.
    {"bus", 4,
     "UPDATE finding SET detector = detector || '@0' WHERE instr(detector, '@') = 0;"},
    // Of a webhook the recipient is its address, of a program its argument vector.
    {"bus", 5,
     "ALTER TABLE notice ADD COLUMN kind TEXT NOT NULL DEFAULT 'mail';"
     "ALTER TABLE notice ADD COLUMN secret_file TEXT;"},
    {"bus", 6,
     "CREATE TABLE rule_cursor ("
     "  id INTEGER PRIMARY KEY CHECK (id = 1),"
     "  seq INTEGER NOT NULL);"
     "CREATE TABLE rule_hit ("
     "  rule TEXT NOT NULL,"
     "  key TEXT NOT NULL,"
     "  seq INTEGER NOT NULL,"
     "  time_us INTEGER NOT NULL,"
     "  PRIMARY KEY (rule, key, seq)) WITHOUT ROWID;"
     "CREATE TABLE rule_acted ("
     "  rule TEXT NOT NULL,"
     "  key TEXT NOT NULL,"
     "  seq INTEGER NOT NULL,"
     "  time_us INTEGER NOT NULL,"
     "  PRIMARY KEY (rule, key)) WITHOUT ROWID;"},
};
const size_t bus_migration_count = ARRAY_LEN(bus_migrations);

int bus_emit(struct store_tx *tx, const struct bus_event *e, int64_t *ret_seq)
{
    AUTO(json_free) json_t *empty = e->data ? NULL : json_object();
    TRY(store_exec(
        tx,
        "INSERT INTO event (type, subject, actor, correlation, causation, time_us,"
        " data) VALUES (?, ?, ?, ?, ?, ?, ?)",
        "ssssiij", e->type, e->subject, e->actor ? e->actor : "system", e->correlation,
        e->causation, clock_wall_us(), e->data ? e->data : empty));
    return ret_seq ? store_get_i64(tx, ret_seq, "SELECT last_insert_rowid()", "") : 0;
}

int bus_prefix_end(const char *prefix, char **ret)
{
    // No text holds the byte 255 (RFC 3629), so that it is behind each that goes on.
    return cstr_printf(ret, "%s\xff", prefix);
}

static int to_cloud_event(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *data = NULL;
    char time[CLOCK_RFC3339_BYTES];
    AUTO(cstr_free) char *id = NULL;
    // As text: CloudEvents' integers have 32 bits.
    AUTO(cstr_free) char *cause = NULL;
    TRY(store_json(r, 7, &data));
    if (store_i64(r, 5)) {
        TRY(cstr_printf(&cause, "%lld", (long long)store_i64(r, 5)));
    }
    TRY(cstr_printf(&id, "%lld", (long long)store_i64(r, 0)));
    clock_rfc3339(store_i64(r, 6), time);
    return json_made(
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:s, s:s*, s:s*}",
                  "specversion", "1.0", "id", id, "source", "/marquee", "type",
                  store_text(r, 1), "subject", store_text(r, 2), "time", time,
                  "datacontenttype", "application/json", "data", data, "actor",
                  store_text(r, 3), "correlation", store_text(r, 4), "causation", cause),
        ret);
}

#define COLUMNS "seq, type, subject, actor, correlation, causation, time_us, data"

int bus_read(struct store_tx *tx, int64_t after, const char *subject, int limit,
             json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    if (!subject || !*subject) {
        TRY(store_query(
            tx, &r, "SELECT " COLUMNS " FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
            "ii", after, (int64_t)limit));
        return store_array(r, to_cloud_event, ret);
    }
    AUTO(cstr_free) char *end = NULL;
    TRY(bus_prefix_end(subject, &end));
    // Of one thing there are few events among many; of a kind there are many.
    const char *slash = strchr(subject, '/');
    const char *sql =
        slash && slash[1]
            ? "SELECT " COLUMNS " FROM event INDEXED BY event_subject"
              " WHERE subject >= ? AND subject < ? AND seq > ? ORDER BY seq LIMIT ?"
            : "SELECT " COLUMNS " FROM event NOT INDEXED"
              " WHERE subject >= ? AND subject < ? AND seq > ? ORDER BY seq LIMIT ?";
    TRY(store_query(tx, &r, sql, "ssii", subject, end, after, (int64_t)limit));
    return store_array(r, to_cloud_event, ret);
}

int bus_last_seq(struct store_tx *tx, int64_t *ret)
{
    return store_get_i64(tx, ret, "SELECT coalesce(max(seq), 0) FROM event", "");
}
