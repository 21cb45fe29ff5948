// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rows of this room.
#include "insight/treatment.h"

const struct store_migration insight_migrations[] = {
    {"insight", 1,
     "CREATE TABLE insight_audit ("
     "  seq INTEGER PRIMARY KEY,"
     "  time_us INTEGER NOT NULL,"
     "  what TEXT NOT NULL,"
     "  subject TEXT NOT NULL,"
     "  entry TEXT NOT NULL,"
     "  hash TEXT NOT NULL);"
     "CREATE INDEX insight_audit_subject ON insight_audit (subject, seq);"
     "CREATE TABLE insight_audit_head ("
     "  id INTEGER PRIMARY KEY CHECK (id = 1),"
     "  seq INTEGER NOT NULL,"
     "  hash TEXT NOT NULL);"
     "CREATE TRIGGER insight_audit_stays BEFORE DELETE ON insight_audit"
     " BEGIN SELECT RAISE(ABORT, 'the audit trail is only appended to'); END;"
     "CREATE TRIGGER insight_audit_stands BEFORE UPDATE ON insight_audit"
     " BEGIN SELECT RAISE(ABORT, 'the audit trail is only appended to'); END;"},
    {"insight", 2,
     "CREATE TABLE insight_clock ("
     "  id INTEGER PRIMARY KEY CHECK (id = 1),"
     "  at INTEGER NOT NULL,"
     "  wall_us INTEGER NOT NULL,"
     "  boot_us INTEGER NOT NULL,"
     "  boot TEXT NOT NULL);"
     // *_at are on that clock; *_us are of the wall, for people.
     "CREATE TABLE insight_treatment ("
     "  id TEXT PRIMARY KEY,"
     "  cluster TEXT NOT NULL,"
     "  server TEXT NOT NULL,"
     "  action TEXT NOT NULL,"
     "  state TEXT NOT NULL,"
     "  guard TEXT,"
     "  step INTEGER NOT NULL DEFAULT 0,"
     "  journal INTEGER NOT NULL DEFAULT 0,"
     "  tries INTEGER NOT NULL DEFAULT 0,"
     "  outcome TEXT NOT NULL DEFAULT '',"
     "  removed INTEGER NOT NULL DEFAULT 0,"
     "  incarnation TEXT NOT NULL DEFAULT '',"
     "  approved_by TEXT,"
     "  approved_at INTEGER,"
     "  seen_at INTEGER NOT NULL,"
     "  began_at INTEGER,"
     "  entered_at INTEGER NOT NULL DEFAULT 0,"
     "  due_at INTEGER NOT NULL DEFAULT 0,"
     "  ended_at INTEGER,"
     "  created_us INTEGER NOT NULL,"
     "  began_us INTEGER,"
     "  ended_us INTEGER,"
     "  fence INTEGER NOT NULL DEFAULT 0,"
     "  lease_at INTEGER NOT NULL DEFAULT 0,"
     "  suspicion TEXT NOT NULL,"
     "  forensics TEXT,"
     "  error TEXT) WITHOUT ROWID;"
     "CREATE UNIQUE INDEX insight_treatment_open ON insight_treatment (cluster, server)"
     "  WHERE state IN " TREATMENT_OPEN ";"
     "CREATE INDEX insight_treatment_state ON insight_treatment (state, due_at);"
     "CREATE INDEX insight_treatment_began ON insight_treatment (began_at);"
     "CREATE INDEX insight_treatment_ended ON insight_treatment (cluster, ended_at);"},
    {"insight", 3,
     "CREATE TABLE insight_alert ("
     "  id TEXT PRIMARY KEY,"
     "  rule TEXT NOT NULL,"
     "  key TEXT NOT NULL," // its tags as canonical JSON
     "  state TEXT NOT NULL,"
     "  severity TEXT NOT NULL,"
     "  summary TEXT,"
     "  value REAL,"
     "  since_us INTEGER NOT NULL,"
     "  fired_us INTEGER NOT NULL,"
     "  good_us INTEGER NOT NULL,"
     "  data_us INTEGER NOT NULL,"
     "  resolved_us INTEGER,"
     "  acked_by TEXT,"
     "  acked_why TEXT,"
     "  told INTEGER NOT NULL DEFAULT 0," // levels of escalation
     "  told_end INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
     "CREATE UNIQUE INDEX insight_alert_open ON insight_alert (rule, key)"
     "  WHERE state <> 'resolved';"
     "CREATE INDEX insight_alert_end ON insight_alert (told_end, told)"
     "  WHERE state = 'resolved';"
     "CREATE TABLE insight_alert_rule ("
     "  rule TEXT PRIMARY KEY,"
     "  data_us INTEGER NOT NULL,"
     "  failing TEXT) WITHOUT ROWID;"
     "CREATE TABLE insight_silence ("
     "  id TEXT PRIMARY KEY,"
     "  rule TEXT,"
     "  tags TEXT NOT NULL,"
     "  until_us INTEGER NOT NULL,"
     "  why TEXT NOT NULL,"
     "  actor TEXT NOT NULL,"
     "  created_us INTEGER NOT NULL) WITHOUT ROWID;"},
    {"insight", 4,
     "CREATE TABLE insight_alert_related ("
     "  alert TEXT PRIMARY KEY,"
     "  fired INTEGER NOT NULL," // us: of which firing
     "  found TEXT,"             // JSON, or
     "  why TEXT) WITHOUT ROWID;"},
    {"insight", 5,
     "CREATE TABLE insight_plot ("
     "  treatment TEXT PRIMARY KEY,"
     "  plot TEXT NOT NULL) WITHOUT ROWID;"},
};
const size_t insight_migration_count = ARRAY_LEN(insight_migrations);
