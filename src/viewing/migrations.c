// SPDX-License-Identifier: GPL-3.0-or-later
#include "viewing/viewing.h"

// Profiles and titles are named, not referenced: what was watched stays when they go.
const struct store_migration viewing_migrations[] = {
    {"viewing", 1,
     "CREATE TABLE viewing_play ("
     "  id TEXT PRIMARY KEY,"
     "  user_id TEXT NOT NULL,"
     "  profile_id TEXT NOT NULL,"
     "  title_id TEXT NOT NULL,"
     "  package TEXT NOT NULL,"
     "  duration_us INTEGER NOT NULL,"
     "  device TEXT,"
     "  state TEXT NOT NULL,"
     "  started_us INTEGER NOT NULL,"
     "  beat_us INTEGER NOT NULL,"
     "  ended_us INTEGER) WITHOUT ROWID;"
     "CREATE INDEX viewing_play_user ON viewing_play (user_id, ended_us, beat_us);"
     "CREATE TABLE viewing_position ("
     "  profile_id TEXT NOT NULL,"
     "  title_id TEXT NOT NULL,"
     "  position_us INTEGER NOT NULL,"
     "  duration_us INTEGER NOT NULL,"
     "  finished INTEGER NOT NULL," // seen to its end at least once, and not begun again
     "  seen_us INTEGER NOT NULL,"
     "  PRIMARY KEY (profile_id, title_id)) WITHOUT ROWID;"
     "CREATE INDEX viewing_position_seen ON viewing_position (profile_id, finished, "
     "seen_us);"
     "CREATE TABLE viewing_list ("
     "  profile_id TEXT NOT NULL,"
     "  title_id TEXT NOT NULL,"
     "  added_us INTEGER NOT NULL,"
     "  PRIMARY KEY (profile_id, title_id)) WITHOUT ROWID;"
     "CREATE TABLE viewing_rating ("
     "  profile_id TEXT NOT NULL,"
     "  title_id TEXT NOT NULL,"
     "  value INTEGER NOT NULL CHECK (value IN (-1, 1)),"
     "  rated_us INTEGER NOT NULL,"
     "  PRIMARY KEY (profile_id, title_id)) WITHOUT ROWID;"
     "CREATE TABLE viewing_beacon ("
     "  play_id TEXT NOT NULL,"
     "  at_us INTEGER NOT NULL,"
     "  position_us INTEGER,"
     "  state TEXT NOT NULL,"
     "  qoe TEXT);"
     "CREATE INDEX viewing_beacon_play ON viewing_beacon (play_id, at_us);"},
};
const size_t viewing_migration_count = ARRAY_LEN(viewing_migrations);
