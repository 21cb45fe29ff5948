// SPDX-License-Identifier: GPL-3.0-or-later
//
// The workflow "ingest": called again whenever a step of its job ended. Everything it decided is in
// rows (the verdict) or follows from steps' results, so that a crash between two calls costs nothing.
#include "catalog/catalog.h"
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

struct publication {
    struct flow_run *run;
    const struct verdict *verdict;
    const struct packaged *packaged;
    const json_t *package;
};

static int publish_events(struct store_tx *tx, const struct delivery *d, const char *hex,
                          bool first)
{
    char delivery[SUBJECT_BYTES], title[SUBJECT_BYTES];
    subject_of("delivery", d->id, delivery);
    subject_of("title", d->title_id, title);
    AUTO(json_free) json_t *data = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:s}", "title_id", d->title_id,
                            "delivery_id", d->id, "job_id", d->job_id, "package", hex),
                  &data));
    TRY(emit(tx, "delivery.published.v1", delivery, "system", d->job_id, data));
    return first ? emit(tx, "title.published.v1", title, "system", d->job_id, data) : 0;
}

static int publish_apply(struct store_tx *tx, void *user)
{
    const struct publication *p = user;
    const struct delivery *d = p->verdict->delivery;
    char hex[HASH_HEX_BYTES];
    struct catalog_title before = {0};
    hash_hex(&p->packaged->package, hex);
    TRY(catalog_title(tx, d->title_id, &before));
    TRY(store_exec(tx,
                   "INSERT INTO ingest_package (hash, delivery_id, published_us) VALUES "
                   "(?,?,?) ON CONFLICT DO NOTHING",
                   "ssi", hex, d->id, clock_wall_us()));
    bool first = store_changes(tx) > 0;
    TRY(store_exec(tx,
                   "UPDATE ingest_delivery SET state = 'published', package = ?, "
                   "finished_us = ? WHERE id = ?",
                   "sis", hex, clock_wall_us(), d->id));
    TRY(title_publish(tx, p->run, d, p->packaged, p->package));
    TRY(package_mark(tx, hex));
    TRY(before.package[0] ? package_mark(tx, before.package)
                          : 0); // maybe nobody plays it now
    TRY(request_close_answered(tx, d));
    TRY(findings_close_replaced(tx, d));
    return publish_events(tx, d, hex, first);
}

static int publish(struct flow_run *run, const struct verdict *v,
                   const struct packaged *packaged)
{
    AUTO(json_free) json_t *package = NULL;
    TRY(blob_json(store_blobs_of(v->store), &packaged->package, &package));
    TRY(publish_folder(v->store, package, &packaged->package));
    struct publication p = {run, v, packaged, package};
    return flow_once(run, "publish", publish_apply, &p);
}

static int finish(struct flow_run *run, const struct delivery *d, const char *state)
{
    json_t *result = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:s}", "state", state, "delivery_id", d->id,
                            "title_id", d->title_id),
                  &result));
    return flow_finish(run, result);
}

// A failure while encoding that is the film's: refused after all.
static int revoke(struct flow_run *run, struct verdict *v, struct inspected *inspected,
                  int err)
{
    AUTO(cstr_free) char *reason = NULL;
    TRY(cstr_dup(&reason, err_reason()));
    TRY(ingest_fault(&inspected->findings, "encode", err, reason));
    TRY(flow_once(run, "revoke", verdict_revoke_apply, v));
    return finish(run, v->delivery, "refused");
}

static int advance_job(struct flow_run *run, const struct ingest_config *config,
                       const struct wish *wish, struct inspected *inspected)
{
    int got = want_inspection(run, wish, inspected);
    if (got <= 0) {
        return got;
    }
    AUTO(delivery_clear) struct delivery d = {0};
    TRY(delivery_load(flow_run_tx(run), wish->delivery_id, &d));
    struct verdict v = {.config = config,
                        .store = flow_run_store(run),
                        .wish = wish,
                        .inspected = inspected,
                        .delivery = &d};
    TRY(flow_once(run, "verdict", verdict_apply, &v));
    AUTO(cstr_free) char *state = NULL;
    TRY(store_get_text(flow_run_tx(run), &state,
                       "SELECT state FROM ingest_delivery WHERE id = ?", "s", d.id));
    if (strcmp(state, "inspected") != 0) {
        return finish(run, &d, state);
    }
    struct packaged packaged = {0};
    got = want_package(run, wish, inspected, &packaged);
    if (got < 0 && fault_is_films(got)) {
        return revoke(run, &v, inspected, got);
    }
    if (got <= 0) {
        return got;
    }
    TRY(publish(run, &v, &packaged));
    return finish(run, &d, "published");
}

static int advance(struct flow_run *run, void *user)
{
    struct wish wish = {0};
    TRY(wish_from_json(flow_run_params(run), &wish));
    AUTO(inspected_clear) struct inspected inspected = {0};
    int got = advance_job(run, user, &wish, &inspected);
    return got < 0 ? got : 0;
}

// The delivery says so too, unless a newer job has taken it over.
static int on_failed(struct store_tx *tx, const char *job, const json_t *params, int err,
                     const char *reason, void *user)
{
    (void)user;
    const char *id = NULL;
    TRY(json_get_str(params, "delivery", &id));
    TRY(store_exec(
        tx,
        "UPDATE ingest_delivery SET state = 'failed', error = ?, finished_us = "
        "? WHERE id = ? AND job_id = ?",
        "siss", reason, clock_wall_us(), id, job));
    if (store_changes(tx) == 0) {
        return 0;
    }
    char subject[SUBJECT_BYTES];
    subject_of("delivery", id, subject);
    AUTO(json_free) json_t *data = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:s}", "job_id", job, "error", err_name(err),
                            "reason", reason),
                  &data));
    return emit(tx, "delivery.failed.v1", subject, "system", job, data);
}

struct flow_workflow ingest_workflow(const struct ingest_config *config)
{
    return (struct flow_workflow){.name = "ingest",
                                  .advance = advance,
                                  .user = (void *)(uintptr_t)config,
                                  .on_failed = on_failed};
}
