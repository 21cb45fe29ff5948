// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rows of this room.
#include "insight/internal.h"

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
};
const size_t insight_migration_count = ARRAY_LEN(insight_migrations);
