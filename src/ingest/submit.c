// SPDX-License-Identifier: GPL-3.0-or-later
//
// A delivery and a wish become a job. The wish is stored with the delivery in one spelling, so that
// the same bytes with the same wish are seen to be nothing new.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

#define LANGUAGE_BYTES_MAX 15

static int waivers_json(const struct ingest_spec *spec, json_t **ret)
{
    FAIL_IF(spec->waiver_count > WAIVERS_MAX, ERR_LIMIT, "over %d waivers", WAIVERS_MAX);
    AUTO(json_free) json_t *array = json_array();
    FAIL_IF(!array, ERR_NOMEM, "waivers");
    for (size_t i = 0; i < spec->waiver_count; i++) {
        const struct ingest_waiver *w = &spec->waivers[i];
        FAIL_IF(!w->kind || !*w->kind, ERR_CONFLICT, "a waiver without a kind");
        FAIL_IF(!w->why || !*w->why, ERR_CONFLICT, "the waiver of %s gives no reason",
                w->kind);
        FAIL_IF(w->until_wall_us <= 0, ERR_CONFLICT, "the waiver of %s has no end",
                w->kind);
        json_t *item = NULL;
        TRY(json_made(json_pack("{s:s, s:s, s:I}", "kind", w->kind, "why", w->why,
                                "until_us", (json_int_t)w->until_wall_us),
                      &item));
        FAIL_IF(json_array_append_new(array, item) != 0, ERR_NOMEM, "waivers");
    }
    *ret = TAKE(array);
    return 0;
}

// What manifests call a language (BCP 47), and media has room for. Nothing said is "und".
static int language_check(const struct ingest_caption *c)
{
    const char *p = c->language;
    for (; (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
           (*p >= '0' && *p <= '9') || *p == '-';
         p++) {
    }
    FAIL_IF(*p || p - c->language > LANGUAGE_BYTES_MAX, ERR_INVALID,
            "captions %s: '%s' is no language's tag", c->file_name, c->language);
    return 0;
}

int ingest_captions_check(struct str file, const struct ingest_caption *caption)
{
    AUTO(buf_free) struct buf vtt = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(language_check(caption));
    int err = media_captions_convert(file, caption->file_name, &vtt, &diag);
    FAIL_IF(err < 0 && err != ERR_NOMEM, ERR_INVALID, "captions %s",
            err_reason()); // whose fault it is needs no telling apart
    return err;
}

static int captions_json(const struct ingest_spec *spec, json_t **ret)
{
    AUTO(json_free) json_t *array = json_array();
    FAIL_IF(!array, ERR_NOMEM, "captions");
    for (size_t i = 0; i < spec->caption_count; i++) {
        const struct ingest_caption *c = &spec->captions[i];
        char hex[HASH_HEX_BYTES];
        AUTO(buf_free) struct buf name = {0};
        TRY(language_check(c));
        hash_hex(&c->blob, hex);
        buf_line(&name, str_of(c->file_name));
        json_t *item = NULL;
        TRY(json_made(json_pack("{s:s, s:s, s:s}", "blob", hex, "file_name",
                                name.len ? name.data : "", "language", c->language),
                      &item));
        FAIL_IF(json_array_append_new(array, item) != 0, ERR_NOMEM, "captions");
    }
    *ret = TAKE(array);
    return 0;
}

static int policy_json(const struct ingest_spec *spec, json_t **ret)
{
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL;
    if (spec->policy) {
        TRY(ingest_policy_from_json(spec->policy, &policy));
    } else {
        TRY(ingest_policy_default(&policy));
    }
    return ingest_policy_to_json(policy, ret);
}

static int ladder_json(const struct ingest_spec *spec, json_t **ret)
{
    AUTO(media_ladder_free) struct media_ladder *ladder = NULL;
    if (spec->ladder) {
        TRY(media_ladder_from_json(spec->ladder, &ladder));
    } else {
        TRY(media_ladder_default(&ladder));
    }
    return media_ladder_to_json(ladder, ret);
}

// Captions are of the film and stay with a known delivery; the rest is wished anew each time.
static int wish_json(const struct ingest_spec *spec, const struct delivery *known,
                     json_t **ret)
{
    AUTO(json_free)
    json_t *waivers = NULL, *captions = NULL, *policy = NULL, *ladder = NULL;
    char hex[HASH_HEX_BYTES];
    hash_hex(&spec->source, hex);
    TRY(waivers_json(spec, &waivers));
    json_t *kept = json_object_get(known->spec, "captions");
    if (spec->caption_count == 0 && !spec->no_captions && kept) {
        captions = json_incref(kept);
    } else {
        TRY(captions_json(spec, &captions));
    }
    TRY(policy_json(spec, &policy));
    TRY(ladder_json(spec, &ladder));
    return json_made(json_pack("{s:s, s:O, s:O, s:O, s:O}", "source", hex, "waivers",
                               waivers, "captions", captions, "policy", policy, "ladder",
                               ladder),
                     ret);
}

// The request that is answered: its title, and that it is this partner's.
static int request_check(struct store_tx *tx, const struct ingest_spec *spec,
                         const char *partner, char ret_title[UUID_BYTES])
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT title_id, partner, state FROM ingest_request WHERE id = ?",
                    "s", spec->answers));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no request %s", spec->answers);
    const char *theirs = store_text(rows, 1);
    FAIL_IF(partner && strcmp(partner, theirs) != 0, ERR_NOT_FOUND,
            "there is no request %s", spec->answers); // what is another's is not there
    FAIL_IF(strcmp(store_text(rows, 2), "closed") == 0, ERR_CONFLICT,
            "request %s is closed already", spec->answers);
    FAIL_IF(spec->title_id && strcmp(spec->title_id, store_text(rows, 0)) != 0,
            ERR_CONFLICT, "request %s is about another title", spec->answers);
    return str_copy(ret_title, UUID_BYTES, str_of(store_text(rows, 0)));
}

// These bytes, from this partner, or from anybody where none is named. ERR_NOT_FOUND.
static int delivery_find(struct store_tx *tx, const struct ingest_spec *spec,
                         struct delivery *ret)
{
    char hex[HASH_HEX_BYTES];
    hash_hex(&spec->source, hex);
    AUTO(cstr_free) char *id = NULL;
    TRY(store_get_text(tx, &id,
                       "SELECT id FROM ingest_delivery WHERE source = ?1 AND (?2 IS NULL "
                       "OR partner = ?2) ORDER BY id DESC LIMIT 1",
                       "ss", hex, spec->partner));
    return delivery_load(tx, id, ret);
}

static bool job_is(struct store_tx *tx, const char *job, const char *state)
{
    AUTO(json_free) json_t *object = NULL;
    return flow_job(tx, job, &object) == 0 &&
           strcmp(json_str_or(object, "state", ""), state) == 0;
}

// Published, superseded and collected since: nothing is left to be played.
static bool is_collected(const struct delivery *d)
{
    return strcmp(d->state, "published") == 0 && !d->package;
}

// The same wish, and its job runs or came to an end that stands.
static bool stands(struct store_tx *tx, const struct delivery *d, const json_t *wish)
{
    return json_equal(d->spec, wish) &&
           (job_is(tx, d->job_id, "running") ||
            (job_is(tx, d->job_id, "done") && strcmp(d->state, "failed") != 0 &&
             !is_collected(d)));
}

static int job_submit(struct store_tx *tx, const char *delivery_id, const json_t *wish,
                      int64_t attempt, const char *actor, char ret_job[UUID_BYTES])
{
    char subject[SUBJECT_BYTES];
    subject_of("delivery", delivery_id, subject);
    AUTO(json_free) json_t *params = json_copy((json_t *)wish);
    FAIL_IF(!params ||
                json_object_set_new(params, "delivery", json_string(delivery_id)) != 0 ||
                json_object_set_new(params, "attempt", json_integer(attempt)) != 0,
            ERR_NOMEM, "a job");
    struct flow_job_spec job = {
        .workflow = "ingest", .subject = subject, .params = params, .actor = actor};
    return flow_submit(tx, &job, ret_job);
}

static int announce(struct store_tx *tx, const struct ingest_ticket *ticket,
                    const char *actor, int64_t attempt)
{
    char subject[SUBJECT_BYTES];
    subject_of("delivery", ticket->delivery_id, subject);
    AUTO(json_free) json_t *data = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:I}", "title_id", ticket->title_id, "job_id",
                            ticket->job_id, "attempt", (json_int_t)attempt),
                  &data));
    return emit(tx, "delivery.received.v1", subject, actor, ticket->job_id, data);
}

static int hold_blobs(struct store_tx *tx, const struct ingest_spec *spec,
                      const char *delivery_id)
{
    char owner[SUBJECT_BYTES];
    AUTO(cstr_free) char *text = NULL;
    TRY(cstr_printf(&text, "ingest:%s", delivery_id));
    TRY(str_copy(owner, sizeof owner, str_of(text)));
    TRY(store_ref_add(tx, owner, &spec->source));
    for (size_t i = 0; i < spec->caption_count; i++) {
        TRY(store_ref_add(tx, owner, &spec->captions[i].blob));
    }
    return 0;
}

static int submit_known(struct store_tx *tx, const struct ingest_spec *spec,
                        const json_t *wish, const struct delivery *d,
                        struct ingest_ticket *ret)
{
    struct ingest_ticket ticket = {.reused = true};
    TRY(str_copy(ticket.delivery_id, UUID_BYTES, str_of(d->id)));
    TRY(str_copy(ticket.title_id, UUID_BYTES, str_of(d->title_id)));
    TRY(str_copy(ticket.job_id, UUID_BYTES, str_of(d->job_id)));
    TRY(title_describe(tx, d->title_id, spec));
    if (!stands(tx, d, wish)) {
        ticket.reused = false;
        if (job_is(tx, d->job_id, "running")) {
            TRY(flow_cancel(tx, d->job_id, spec->actor));
        }
        TRY(hold_blobs(tx, spec, d->id));
        TRY(job_submit(tx, d->id, wish, d->attempt + 1, spec->actor, ticket.job_id));
        TRY(store_exec(tx,
                       "UPDATE ingest_delivery SET spec = ?, job_id = ?, attempt = "
                       "attempt + 1, state = 'received', verdict = NULL, why = NULL, "
                       "error = NULL, finished_us = NULL, answers = coalesce(?, answers) "
                       "WHERE id = ?",
                       "jsss", wish, ticket.job_id, spec->answers, d->id));
        TRY(announce(tx, &ticket, spec->actor, d->attempt + 1));
    }
    *ret = ticket;
    return 0;
}

static int submit_new(struct store_tx *tx, const struct ingest_spec *spec,
                      const json_t *wish, const char *title_id, const char *partner,
                      struct ingest_ticket *ret)
{
    struct ingest_ticket ticket = {0};
    uuid_v7(ticket.delivery_id);
    TRY(str_copy(ticket.title_id, UUID_BYTES, str_of(title_id)));
    char hex[HASH_HEX_BYTES];
    hash_hex(&spec->source, hex);
    TRY(hold_blobs(tx, spec, ticket.delivery_id));
    TRY(job_submit(tx, ticket.delivery_id, wish, 1, spec->actor, ticket.job_id));
    TRY(store_exec(tx,
                   "INSERT INTO ingest_delivery (id, source, bytes, partner, title_id, "
                   "file_name, state, answers, spec, attempt, job_id, received_us) "
                   "VALUES (?,?,?,?,?,?,'received',?,?,1,?,?)",
                   "ssissssjsi", ticket.delivery_id, hex, spec->bytes,
                   partner ? partner : "", title_id, spec->file_name, spec->answers, wish,
                   ticket.job_id, clock_wall_us()));
    TRY(announce(tx, &ticket, spec->actor, 1));
    *ret = ticket;
    return 0;
}

static int request_answer(struct store_tx *tx, const struct ingest_spec *spec,
                          const struct ingest_ticket *ticket)
{
    TRY(store_exec(tx,
                   "UPDATE ingest_request SET state = 'answered', answered_by = ? WHERE "
                   "id = ? AND answered_by IS NOT ?",
                   "sss", ticket->delivery_id, spec->answers, ticket->delivery_id));
    if (store_changes(tx) == 0) {
        return 0;
    }
    char subject[SUBJECT_BYTES];
    subject_of("request", spec->answers, subject);
    AUTO(json_free) json_t *data = NULL;
    TRY(json_made(json_pack("{s:s, s:s}", "delivery_id", ticket->delivery_id, "title_id",
                            ticket->title_id),
                  &data));
    return emit(tx, "request.answered.v1", subject, spec->actor, ticket->job_id, data);
}

// A name that is not the known title's is another film's, or a mistake: what viewers read is changed by
// who names the title.
static int same_name(struct store_tx *tx, const struct ingest_spec *spec,
                     const char *title_id)
{
    AUTO(cstr_free) char *name = NULL;
    if (!spec->title || spec->title_id || spec->answers) {
        return 0;
    }
    TRY(title_name(tx, title_id, &name));
    FAIL_IF(strcmp(name, spec->title) != 0, ERR_CONFLICT,
            "these bytes are \"%s\" already, title %s", name, title_id);
    return 0;
}

static int submit(struct store_tx *tx, const struct ingest_spec *spec,
                  struct ingest_ticket *ret)
{
    AUTO(json_free) json_t *wish = NULL;
    char title_id[UUID_BYTES] = "";
    if (spec->answers) {
        TRY(request_check(tx, spec, spec->partner, title_id));
    } else if (spec->title_id) {
        TRY(str_copy(title_id, sizeof title_id, str_of(spec->title_id)));
    }
    struct ingest_ticket ticket = {0};
    AUTO(delivery_clear) struct delivery known = {0};
    int err = delivery_find(tx, spec, &known);
    if (err < 0 && err != ERR_NOT_FOUND) {
        return err;
    }
    TRY(wish_json(spec, &known, &wish));
    if (err == 0) {
        TRY(same_name(tx, spec, known.title_id));
        FAIL_IF(*title_id && strcmp(title_id, known.title_id) != 0, ERR_CONFLICT,
                "these bytes were delivered for another title (%s)", known.title_id);
        TRY(submit_known(tx, spec, wish, &known, &ticket));
    } else {
        AUTO(cstr_free) char *partner = NULL;
        TRY(title_prepare(tx, spec, title_id, &partner));
        TRY(submit_new(tx, spec, wish, title_id, partner, &ticket));
    }
    if (spec->answers) {
        TRY(request_answer(tx, spec, &ticket));
    }
    *ret = ticket;
    return 0;
}

// With a file's name that rows, mails and pages can hold: systems let names be any bytes.
int ingest_submit(struct store_tx *tx, const struct ingest_spec *spec,
                  struct ingest_ticket *ret)
{
    AUTO(buf_free) struct buf name = {0};
    buf_line(&name, str_of(spec->file_name));
    TRY(name.err);
    struct ingest_spec lined = *spec;
    lined.file_name = name.len ? name.data : "";
    return submit(tx, &lined, ret);
}

int ingest_again(struct store_tx *tx, const char *delivery_id, const char *actor,
                 struct ingest_ticket *ret)
{
    AUTO(delivery_clear) struct delivery d = {0};
    TRY(delivery_load(tx, delivery_id, &d));
    struct ingest_ticket ticket = {0};
    TRY(str_copy(ticket.delivery_id, UUID_BYTES, str_of(d.id)));
    TRY(str_copy(ticket.title_id, UUID_BYTES, str_of(d.title_id)));
    if (job_is(tx, d.job_id, "running")) {
        TRY(str_copy(ticket.job_id, UUID_BYTES, str_of(d.job_id)));
        ticket.reused = true;
        *ret = ticket;
        return 0;
    }
    TRY(job_submit(tx, d.id, d.spec, d.attempt + 1, actor, ticket.job_id));
    TRY(store_exec(
        tx,
        "UPDATE ingest_delivery SET job_id = ?, attempt = attempt + 1, state = "
        "'received', verdict = NULL, why = NULL, error = NULL, finished_us = "
        "NULL WHERE id = ?",
        "ss", ticket.job_id, d.id));
    TRY(announce(tx, &ticket, actor, d.attempt + 1));
    *ret = ticket;
    return 0;
}
