// SPDX-License-Identifier: GPL-3.0-or-later
//
// What operators and partners do: deliveries, redelivery requests, jobs, findings. A partner sees
// what is theirs alone; what is not theirs is not there.
#include "app/api.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *own_partner(struct http_request *req)
{
    const struct account_who *who = &api_caller(req)->who;
    return who->role == ACCOUNT_PARTNER ? who->partner_id : NULL;
}

static int check_owner(struct http_request *req, const json_t *object, const char *what)
{
    const char *partner = own_partner(req);
    FAIL_IF(partner && strcmp(json_str_or(object, "partner", ""), partner) != 0,
            ERR_NOT_FOUND, "there is no such %s", what);
    return 0;
}

static int read_query(struct http_request *req, struct ingest_query *ret)
{
    *ret = (struct ingest_query){.partner = own_partner(req),
                                 .title_id = http_request_query(req, "title_id"),
                                 .state = http_request_query(req, "state"),
                                 .before = http_request_query(req, "before")};
    return api_limit(req, 100, &ret->limit);
}

// Partners are told by name to who operates; they know their own.
static int name_partners(struct store_tx *tx, struct http_request *req, json_t *list)
{
    AUTO(json_free) json_t *partners = NULL, *names = json_object();
    size_t i;
    json_t *item;
    if (!api_operates(req)) {
        return 0;
    }
    TRY(account_partners(tx, &partners));
    json_array_foreach(partners, i, item)
    {
        FAIL_IF(json_object_set(names, json_str_or(item, "id", ""),
                                json_object_get(item, "name")) < 0,
                ERR_NOMEM, "partners");
    }
    json_array_foreach(list, i, item)
    {
        json_t *name = json_object_get(names, json_str_or(item, "partner", ""));
        FAIL_IF(name && json_object_set(item, "partner_name", name) < 0, ERR_NOMEM,
                "partners");
    }
    return 0;
}

static int answer_named(struct store_tx *tx, struct http_request *req,
                        struct http_response *res, json_t *object)
{
    AUTO(json_free) json_t *one = json_pack("[O]", object);
    TRY(name_partners(tx, req, one));
    return http_json(res, 200, json_incref(object));
}

// --- deliveries -----------------------------------------------------------------------------

// The upload's bytes, whose hash is known, as a blob. A second name of the file is moved in and the first stays until the
// delivery is committed: killed in between, the upload is still whole.
static int adopt_upload(struct api *api, const struct upload *u, const struct hash *hash)
{
    AUTO(cstr_free) char *second = NULL;
    TRY(cstr_printf(&second, "%s.delivered", u->path));
    FAIL_IF(unlink(second) < 0 && errno != ENOENT, ERR_IO, "an older delivery's file");
    if (link(u->path, second) < 0) {
        return err_fail_errno("the upload");
    }
    struct store_blobs *blobs = store_blobs_of(api->store);
    TRY(store_blob_adopt_known(blobs, second, hash, u->bytes));
    return store_blobs_sync(blobs);
}

static int submit(struct api *api, struct http_request *req, const json_t *body,
                  const struct upload *u, const struct hash *source,
                  struct ingest_ticket *ret)
{
    AUTO(json_free) json_t *partner = NULL, *said = json_object();
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *maturity = json_object_get(body, "maturity"); // checked by the catalog
    FAIL_IF(maturity && json_object_set(said, "maturity", maturity) < 0, ERR_NOMEM,
            "a delivery");
    const char *named = json_str_or(body, "partner", NULL);
    struct ingest_spec spec = {.source = *source,
                               .bytes = u->bytes,
                               .file_name = u->file_name,
                               .title_id = json_str_or(body, "title_id", NULL),
                               .title = json_str_or(body, "title", NULL),
                               .metadata = maturity ? said : NULL,
                               .answers = json_str_or(body, "answers", NULL),
                               .partner = own_partner(req),
                               .actor = api_actor(req)};
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    if (!spec.partner && named) {
        TRY(account_partner(tx, named, &partner));
        spec.partner = json_str_or(partner, "id", NULL);
    }
    TRY(ingest_submit(tx, &spec, ret));
    TRY(upload_forget(tx, u->id));
    return api_commit(api, &tx);
}

static int answer_ticket(struct http_response *res, const struct ingest_ticket *t)
{
    return http_json(res, 201,
                     json_pack("{s:s, s:s, s:s, s:b}", "delivery_id", t->delivery_id,
                               "job_id", t->job_id, "title_id", t->title_id, "reused",
                               (int)t->reused));
}

int api_deliveries_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    struct upload u;
    struct hash source;
    struct ingest_ticket ticket;
    int64_t offset = 0;
    const char *upload_id = NULL;
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "upload_id", &upload_id));
    TRY(upload_find(api, req, upload_id, &u));
    TRY(upload_offset(&u, &offset));
    FAIL_IF(offset != u.bytes, ERR_CONFLICT, "the upload is at %lld of %lld bytes",
            (long long)offset, (long long)u.bytes);
    TRY(api_heavy_begin(api));
    int err = upload_hash_advance(api->hashes, &u, api->check_us, &offset, &source);
    api_heavy_end(api);
    TRY(err);
    if (offset < u.bytes) { // asked again, it goes on from here
        return http_json(res, 202,
                         json_pack("{s:I, s:I}", "checked", (json_int_t)offset, "bytes",
                                   (json_int_t)u.bytes));
    }
    TRY(adopt_upload(api, &u, &source));
    TRY(submit(api, req, body, &u, &source, &ticket));
    upload_hash_forget(api->hashes, u.id);
    // The row is gone: a file that stays after a crash here costs space until it is swept.
    unlink(u.path);
    return answer_ticket(res, &ticket);
}

// "waits_behind" of what waits for its turn; null of all else.
static int add_waiting(struct store_tx *tx, const json_t *deliveries)
{
    AUTO(json_free) json_t *waiting = NULL;
    size_t i;
    json_t *d;
    TRY(flow_waiting(tx, &waiting));
    json_array_foreach(deliveries, i, d)
    {
        json_t *behind = json_object_get(waiting, json_str_or(d, "job_id", ""));
        json_t *value = behind ? json_incref(behind) : json_null();
        FAIL_IF(json_object_set_new(d, "waits_behind", value) < 0, ERR_NOMEM,
                "deliveries");
    }
    return 0;
}

int api_deliveries_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct ingest_query query;
    AUTO(json_free) json_t *list = NULL;
    TRY(read_query(req, &query));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(ingest_deliveries(tx, &query, &list));
    TRY(name_partners(tx, req, list));
    TRY(add_waiting(tx, list));
    return api_wrap(res, "deliveries", TAKE(list));
}

// The path's delivery, when the caller may see it.
static int find_delivery(struct api *api, struct http_request *req, const char **ret_id,
                         json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *delivery = NULL;
    TRY(api_id(req, ret_id));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(ingest_delivery(tx, *ret_id, &delivery));
    TRY(check_owner(req, delivery, "delivery"));
    *ret = TAKE(delivery);
    return 0;
}

int api_deliveries_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *delivery = NULL, *one = NULL;
    const char *id = NULL;
    TRY(find_delivery(api, req, &id, &delivery));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(json_made(json_pack("[O]", delivery), &one));
    TRY(add_waiting(tx, one));
    return answer_named(tx, req, res, delivery);
}

int api_deliveries_again(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct ingest_ticket ticket;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(ingest_again(tx, id, api_actor(req), &ticket));
    TRY(api_commit(api, &tx));
    return answer_ticket(res, &ticket);
}

int api_deliveries_report(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *delivery = NULL;
    json_t *report = NULL;
    const char *id = NULL;
    TRY(find_delivery(api, req, &id, &delivery));
    TRY(ingest_report(api->store, id, &report));
    return http_json(res, 200, report);
}

static int answer_picture(struct http_response *res, const struct buf *jpeg)
{
    TRY(jpeg->err);
    http_header(res, "Cache-Control",
                "private, max-age=86400"); // the same bytes for good
    http_body(res, "image/jpeg", buf_view(jpeg));
    return 0;
}

static int path_number(struct http_request *req, int64_t *ret)
{
    int err = api_number(http_request_param(req, "n"), 0, INT32_MAX, ret);
    FAIL_IF(err < 0, ERR_NOT_FOUND, "there is no such picture");
    return 0;
}

int api_deliveries_still(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *delivery = NULL;
    AUTO(buf_free) struct buf jpeg = {0};
    const char *id = NULL;
    int64_t n = 0;
    TRY(path_number(req, &n));
    TRY(find_delivery(api, req, &id, &delivery));
    TRY(ingest_still(api->store, id, n, &jpeg));
    return answer_picture(res, &jpeg);
}

int api_deliveries_frame(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *delivery = NULL;
    AUTO(buf_free) struct buf jpeg = {0};
    const char *id = NULL, *width_text = http_request_query(req, "width");
    int64_t n = 0, width = 1280;
    TRY(path_number(req, &n));
    TRY(width_text ? api_number(width_text, 16, 3840, &width) : 0);
    TRY(find_delivery(api, req, &id, &delivery));
    TRY(api_heavy_begin(api));
    int err = ingest_frame(api->store, id, n, (int)width, &jpeg);
    api_heavy_end(api);
    TRY(err);
    return answer_picture(res, &jpeg);
}

int api_deliveries_times(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *delivery = NULL;
    json_t *times = NULL;
    const char *id = NULL, *start_text = http_request_query(req, "start"),
               *end_text = http_request_query(req, "end");
    int64_t start = 0, end = 0;
    FAIL_IF(!start_text || !end_text, ERR_INVALID, "'start' and 'end' are frames");
    TRY(api_number(start_text, 0, INT64_MAX - 1000, &start));
    TRY(api_number(end_text, 0, INT64_MAX, &end));
    TRY(find_delivery(api, req, &id, &delivery));
    TRY(ingest_frame_times(api->store, id, start, end, &times));
    return http_json(res, 200, times);
}

// --- redelivery requests --------------------------------------------------------------------

int api_requests_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct ingest_query query;
    AUTO(json_free) json_t *list = NULL;
    TRY(read_query(req, &query));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(ingest_requests(tx, &query, &list));
    TRY(name_partners(tx, req, list));
    return api_wrap(res, "requests", TAKE(list));
}

int api_requests_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *request = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(ingest_request(tx, id, &request));
    TRY(check_owner(req, request, "request"));
    return answer_named(tx, req, res, request);
}

// --- jobs -----------------------------------------------------------------------------------

int api_jobs_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *list = NULL;
    int limit = 0;
    TRY(api_limit(req, 100, &limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(flow_jobs(tx, http_request_query(req, "subject"), limit, &list));
    return api_wrap(res, "jobs", list);
}

int api_jobs_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *job = NULL;
    json_t *graph = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(flow_job(tx, id, &job));
    TRY(ingest_graph(&graph));
    FAIL_IF(json_object_set_new(job, "graph", graph) < 0, ERR_NOMEM, "a job");
    return http_json(res, 200, TAKE(job));
}

int api_jobs_log(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(buf_free) struct buf text = {0};
    const char *id = NULL, *step = http_request_query(req, "step");
    const char *offset_text = http_request_query(req, "offset");
    int64_t offset = 0;
    TRY(api_id(req, &id));
    FAIL_IF(!step, ERR_INVALID, "'step' names a step of the job");
    TRY(offset_text ? api_number(offset_text, 0, INT64_MAX, &offset) : 0);
    TRY(flow_step_log_read(api->store, id, step, offset, &text));
    TRY(text.err);
    http_body(res, "text/plain; charset=utf-8", buf_view(&text));
    return 0;
}

int api_jobs_rerun(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, flow_rerun);
}

int api_jobs_cancel(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, flow_cancel);
}

// --- findings -------------------------------------------------------------------------------

// "subject_name" where the finding is about a title: nobody knows a film by its id.
static int name_titles(struct store_tx *tx, const json_t *findings)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f)
    {
        struct str id = str_of(json_str_or(f, "subject", "")), kind;
        struct catalog_title title;
        str_next(&id, '/', &kind);
        bool named =
            id.data && str_eq_c(kind, "title") && catalog_title(tx, id.data, &title) == 0;
        json_t *name = named ? json_string(title.name) : json_null();
        FAIL_IF(json_object_set_new(f, "subject_name", name) < 0, ERR_NOMEM, "findings");
    }
    return 0;
}

int api_findings_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct bus_finding_query query = {.subject = http_request_query(req, "subject"),
                                      .kind = http_request_query(req, "kind"),
                                      .state = http_request_query(req, "state"),
                                      .before = http_request_query(req, "before")};
    AUTO(json_free) json_t *list = NULL;
    TRY(api_limit(req, 100, &query.limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(bus_findings_list(tx, &query, &list));
    TRY(name_titles(tx, list));
    return api_wrap(res, "findings", TAKE(list));
}

int api_findings_waive(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL, *why = NULL, *until = NULL;
    int64_t until_us = 0;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "why", &why));
    TRY(json_get_str(body, "until", &until));
    TRY(clock_parse(str_of(until), &until_us));
    FAIL_IF(!*why, ERR_INVALID, "a waiver needs a reason");
    FAIL_IF(until_us <= clock_wall_us(), ERR_INVALID, "a waiver ends in the future");
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(bus_finding_waive(tx, id, why, until_us, api_actor(req)));
    TRY(api_commit(api, &tx));
    return api_done(res);
}

int api_findings_reopen(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, bus_finding_reopen);
}
