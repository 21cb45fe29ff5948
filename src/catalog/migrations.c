// SPDX-License-Identifier: GPL-3.0-or-later
#include "catalog/internal.h"

const struct store_migration catalog_migrations[] = {
    {"catalog", 1,
     // n is what the search index calls a title: a rowid that stays.
     "CREATE TABLE catalog_title ("
     "  n INTEGER PRIMARY KEY,"
     "  id TEXT NOT NULL UNIQUE,"
     "  slug TEXT UNIQUE,"
     "  kind TEXT NOT NULL CHECK (kind IN ('film', 'series', 'episode')),"
     "  name TEXT NOT NULL,"
     "  year INTEGER,"
     "  synopsis TEXT,"
     "  language TEXT,"
     "  series_id TEXT REFERENCES catalog_title (id),"
     "  season INTEGER,"
     "  episode INTEGER,"
     "  maturity INTEGER NOT NULL DEFAULT 0,"
     "  credit TEXT,"
     "  licence TEXT,"
     "  licence_url TEXT,"
     "  source_url TEXT,"
     "  partner_id TEXT REFERENCES account_partner (id),"
     "  package TEXT,"
     "  duration_us INTEGER,"
     "  max_height INTEGER,"
     "  poster TEXT,"   // {"width","height","color"}
     "  audio TEXT,"    // [{"language","title"}]
     "  captions TEXT," // as audio
     "  published_us INTEGER,"
     "  withdrawn_us INTEGER,"
     "  created_us INTEGER NOT NULL);"
     "CREATE INDEX catalog_title_series ON catalog_title (series_id, season, episode);"
     "CREATE INDEX catalog_title_published ON catalog_title (published_us);"
     "CREATE INDEX catalog_title_name ON catalog_title (name COLLATE NOCASE, id);"
     "CREATE INDEX catalog_title_package ON catalog_title (package);"
     "CREATE TABLE catalog_season ("
     "  series_id TEXT NOT NULL REFERENCES catalog_title (id),"
     "  number INTEGER NOT NULL,"
     "  name TEXT NOT NULL,"
     "  PRIMARY KEY (series_id, number)) WITHOUT ROWID;"
     "CREATE TABLE catalog_tag ("
     "  title_id TEXT NOT NULL REFERENCES catalog_title (id),"
     "  tag TEXT NOT NULL,"
     "  position INTEGER NOT NULL,"
     "  PRIMARY KEY (title_id, tag)) WITHOUT ROWID;"
     "CREATE INDEX catalog_tag_tag ON catalog_tag (tag);"
     "CREATE TABLE catalog_person ("
     "  title_id TEXT NOT NULL REFERENCES catalog_title (id),"
     "  position INTEGER NOT NULL,"
     "  name TEXT NOT NULL,"
     "  role TEXT,"
     "  PRIMARY KEY (title_id, position)) WITHOUT ROWID;"
     "CREATE INDEX catalog_person_name ON catalog_person (name);"
     "CREATE TABLE catalog_text ("
     "  title_id TEXT NOT NULL REFERENCES catalog_title (id),"
     "  language TEXT NOT NULL,"
     "  name TEXT,"
     "  synopsis TEXT,"
     "  PRIMARY KEY (title_id, language)) WITHOUT ROWID;"
     "CREATE TABLE catalog_territory ("
     "  title_id TEXT NOT NULL REFERENCES catalog_title (id),"
     "  territory TEXT NOT NULL,"
     "  from_us INTEGER NOT NULL,"
     "  until_us INTEGER NOT NULL,"
     "  PRIMARY KEY (title_id, territory, from_us)) WITHOUT ROWID;"
     "CREATE VIRTUAL TABLE catalog_words USING fts5 ("
     "  name, people, tags, synopsis,"
     "  tokenize='unicode61 remove_diacritics 2', prefix='1 2 3');"},
    // Lists of the newest walk this and stop; an episode's series is found by its parent.
    {"catalog", 2,
     "DROP INDEX catalog_title_published;"
     "CREATE INDEX catalog_title_newest ON catalog_title "
     "  (coalesce(published_us, created_us) DESC, id DESC);"},
    // Of what stood as 0 nobody knows whether somebody said so: unrated, until it is said.
    {"catalog", 3,
     "ALTER TABLE catalog_title ADD COLUMN age INTEGER;"
     "UPDATE catalog_title SET age = nullif(maturity, 0);"
     "ALTER TABLE catalog_title DROP COLUMN maturity;"
     "ALTER TABLE catalog_title RENAME COLUMN age TO maturity;"
     "DROP TABLE catalog_words;"
     "CREATE VIRTUAL TABLE catalog_words USING fts5 ("
     "  name, people, tags, synopsis, credit,"
     "  tokenize='unicode61 remove_diacritics 2', prefix='1 2 3');"
     "INSERT INTO catalog_words (rowid, name, people, tags, synopsis, credit)" WORDS_ROWS
     ";"
     "CREATE VIRTUAL TABLE catalog_vocabulary USING fts5vocab (catalog_words, col);"},
};
const size_t catalog_migration_count = ARRAY_LEN(catalog_migrations);
