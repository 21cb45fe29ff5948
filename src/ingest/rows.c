// SPDX-License-Identifier: GPL-3.0-or-later
//
// The room's tables. A delivery is identified by its bytes and who delivered them; what was found
// in it and what became of it stands in its row, so that nothing depends on steps' intermediates.
#include "ingest/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct store_migration ingest_migrations[] = {
    {"ingest", 1,
     "CREATE TABLE ingest_delivery ("
     " id TEXT PRIMARY KEY, source TEXT NOT NULL, bytes INTEGER NOT NULL,"
     " partner TEXT NOT NULL, title_id TEXT NOT NULL, file_name TEXT NOT NULL,"
     " state TEXT NOT NULL, verdict TEXT, why TEXT, error TEXT, answers TEXT,"
     " spec TEXT NOT NULL, attempt INTEGER NOT NULL, job_id TEXT NOT NULL,"
     " report TEXT, timeline TEXT, probe TEXT, package TEXT,"
     " stills TEXT, received_us INTEGER NOT NULL, finished_us INTEGER,"
     " UNIQUE (source, partner)) STRICT;"
     "CREATE INDEX ingest_delivery_title ON ingest_delivery (title_id);"
     "CREATE TABLE ingest_still ("
     " delivery_id TEXT NOT NULL, grid INTEGER NOT NULL, frame INTEGER NOT NULL,"
     " blob TEXT NOT NULL, PRIMARY KEY (delivery_id, grid)) STRICT, WITHOUT ROWID;"
     // pictures of exact frames, once asked for
     "CREATE TABLE ingest_frame ("
     " delivery_id TEXT NOT NULL, frame INTEGER NOT NULL, width INTEGER NOT NULL,"
     " blob TEXT NOT NULL, PRIMARY KEY (delivery_id, frame, width)) STRICT, WITHOUT "
     "ROWID;"
     "CREATE TABLE ingest_request ("
     " id TEXT PRIMARY KEY, delivery_id TEXT NOT NULL, title_id TEXT NOT NULL,"
     " partner TEXT NOT NULL, state TEXT NOT NULL, verdict TEXT NOT NULL,"
     " findings TEXT NOT NULL, created_us INTEGER NOT NULL, answered_by TEXT) STRICT;"
     "CREATE INDEX ingest_request_title ON ingest_request (title_id);"
     // folders below DATA/media that may stay
     "CREATE TABLE ingest_package ("
     " hash TEXT NOT NULL, delivery_id TEXT NOT NULL, published_us INTEGER NOT NULL,"
     " PRIMARY KEY (hash, delivery_id)) STRICT, WITHOUT ROWID;"},
    {"ingest", 2,
     "ALTER TABLE ingest_package ADD COLUMN unused_us INTEGER;" // since no title plays it
     "CREATE INDEX ingest_package_unused ON ingest_package (unused_us)"
     " WHERE unused_us IS NOT NULL;"
     // when the last collection came to its end
     "CREATE TABLE ingest_collection (n INTEGER PRIMARY KEY CHECK (n = 1),"
     " at_us INTEGER NOT NULL) STRICT;"},
};
const size_t ingest_migration_count = ARRAY_LEN(ingest_migrations);

void subject_of(const char *kind, const char *id, char ret[SUBJECT_BYTES])
{
    snprintf(ret, SUBJECT_BYTES, "%s/%s", kind, id);
}

int emit(struct store_tx *tx, const char *type, const char *subject, const char *actor,
         const char *job, const json_t *data)
{
    struct bus_event event = {.type = type,
                              .subject = subject,
                              .actor = actor,
                              .correlation = job,
                              .data = data};
    return bus_emit(tx, &event, NULL);
}

void delivery_clear(struct delivery *d)
{
    free(d->partner);
    free(d->file_name);
    free(d->state);
    free(d->verdict);
    free(d->answers);
    free(d->report);
    free(d->timeline);
    free(d->probe);
    free(d->package);
    json_free(&d->spec);
    *d = (struct delivery){0};
}

static int dup_or_null(char **ret, const char *text)
{
    return text ? cstr_dup(ret, text) : 0;
}

static int delivery_read(struct store_rows *rows, struct delivery *ret)
{
    TRY(str_copy(ret->id, sizeof ret->id, str_of(store_text(rows, 0))));
    TRY(str_copy(ret->title_id, sizeof ret->title_id, str_of(store_text(rows, 1))));
    TRY(str_copy(ret->job_id, sizeof ret->job_id, str_of(store_text(rows, 2))));
    TRY(hash_parse(str_of(store_text(rows, 3)), &ret->source));
    const char *partner = store_text(rows, 4);
    TRY(dup_or_null(&ret->partner, partner && *partner ? partner : NULL));
    TRY(dup_or_null(&ret->file_name, store_text(rows, 5)));
    TRY(dup_or_null(&ret->state, store_text(rows, 6)));
    TRY(dup_or_null(&ret->verdict, store_text(rows, 7)));
    TRY(dup_or_null(&ret->answers, store_text(rows, 8)));
    TRY(dup_or_null(&ret->report, store_text(rows, 9)));
    TRY(dup_or_null(&ret->timeline, store_text(rows, 10)));
    TRY(dup_or_null(&ret->probe, store_text(rows, 11)));
    TRY(dup_or_null(&ret->package, store_text(rows, 12)));
    TRY(store_json(rows, 13, &ret->spec));
    ret->attempt = store_i64(rows, 14);
    ret->received_us = store_i64(rows, 15);
    ret->finished_us = store_i64(rows, 16);
    return 0;
}

int delivery_load(struct store_tx *tx, const char *id, struct delivery *ret)
{
    *ret = (struct delivery){0};
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "SELECT id, title_id, job_id, source, partner, file_name, state, verdict, "
        "answers, report, timeline, probe, package, spec, attempt, received_us, "
        "finished_us FROM ingest_delivery WHERE id = ?",
        "s", id));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no delivery %s", id);
    return delivery_read(rows, ret);
}

int wish_from_json(const json_t *params, struct wish *ret)
{
    const char *id = NULL, *source = NULL;
    json_t *waivers = NULL, *captions = NULL, *policy = NULL, *ladder = NULL;
    TRY(json_get_str(params, "delivery", &id));
    TRY(json_get_str(params, "source", &source));
    TRY(json_get_array(params, "waivers", &waivers));
    TRY(json_get_array(params, "captions", &captions));
    TRY(json_get_object(params, "policy", &policy));
    TRY(json_get_object(params, "ladder", &ladder));
    struct wish wish = {
        .waivers = waivers, .captions = captions, .policy = policy, .ladder = ladder};
    TRY(str_copy(wish.delivery_id, sizeof wish.delivery_id, str_of(id)));
    TRY(hash_parse(str_of(source), &wish.source));
    *ret = wish;
    return 0;
}

int wish_waivers(const struct wish *wish, struct ingest_waiver *ret, size_t room,
                 size_t *ret_count)
{
    size_t count = json_array_size(wish->waivers);
    FAIL_IF(count > room, ERR_LIMIT, "over %zu waivers", room);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(wish->waivers, i);
        TRY(json_get_str(item, "kind", &ret[i].kind));
        TRY(json_get_str(item, "why", &ret[i].why));
        TRY(json_get_i64(item, "until_us", 0, INT64_MAX, &ret[i].until_wall_us));
    }
    *ret_count = count;
    return 0;
}
