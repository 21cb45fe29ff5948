// SPDX-License-Identifier: GPL-3.0-or-later
//
// Events, as they happen and as they were. Whoever is no operator follows what is theirs alone.
#include "app/api.h"

#include <string.h>

#define REPLAY_PAGE 500
#define REPLAY_MAX  5000 // then the stream ends, and its client comes back for the rest

#define PARTNER_TOPIC "partner/"

// Whose delivery or request a subject is: their topic; "" of the house and of all other subjects.
static void partner_topic(struct store_tx *tx, const char *subject, struct buf *out)
{
    AUTO(json_free) json_t *object = NULL;
    struct str id = str_of(subject), kind;
    buf_clear(out);
    str_next(&id, '/', &kind);
    if (!id.data || !uuid_is_valid(id)) {
        return;
    }
    int err = str_eq_c(kind, "delivery")  ? ingest_delivery(tx, id.data, &object)
              : str_eq_c(kind, "request") ? ingest_request(tx, id.data, &object)
                                          : ERR_NOT_FOUND;
    const char *partner = err < 0 ? "" : json_str_or(object, "partner", "");
    if (*partner) {
        buf_printf(out, PARTNER_TOPIC "%s", partner);
    }
}

static bool is_of(struct store_tx *tx, const char *subject, const char *topic)
{
    AUTO(buf_free) struct buf theirs = {0};
    partner_topic(tx, subject, &theirs);
    return theirs.len && theirs.err == 0 && strcmp(theirs.data, topic) == 0;
}

static int replay(void *user, int64_t after, const char *prefix, struct buf *out)
{
    struct api *api = user;
    // All that is one partner's: looked for among everything.
    const char *partner = str_starts(str_of(prefix), PARTNER_TOPIC) ? prefix : NULL;
    prefix = partner ? NULL : prefix;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    // Where it begins is said at once: a stream may end before anything happened.
    buf_printf(out, "id: %lld\n\n", (long long)after);
    TRY(store_begin(api->store, STORE_READ, &tx));
    for (int sent = 0; sent < REPLAY_MAX;) {
        AUTO(json_free) json_t *events = NULL;
        TRY(bus_read(tx, after, prefix, REPLAY_PAGE, &events));
        TRY(account_people_name(tx, events));
        size_t i;
        json_t *event;
        json_array_foreach(events, i, event)
        {
            TRY(str_to_i64(str_of(json_str_or(event, "id", "")), 1, INT64_MAX, &after));
            if (!partner || is_of(tx, json_str_or(event, "subject", ""), partner)) {
                http_sse_format(out, after, NULL, event);
            }
        }
        sent += (int)json_array_size(events);
        if (json_array_size(events) < REPLAY_PAGE) {
            return 0;
        }
    }
    return 1;
}

// What a partner may follow: all their deliveries and requests, or one of them.
static int partner_follows(struct api *api, struct http_request *req,
                           const char **subject)
{
    const struct account_who *who = &api_caller(req)->who;
    FAIL_IF(who->role != ACCOUNT_PARTNER || !*who->partner_id, ERR_DENIED,
            "your role does not follow this");
    const char *topic =
        arena_printf(http_request_arena(req), PARTNER_TOPIC "%s", who->partner_id);
    FAIL_IF(!topic, ERR_NOMEM, "a topic");
    if (!*subject) {
        *subject = topic;
        return 0;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    FAIL_IF(!is_of(tx, *subject, topic), ERR_DENIED, "this is not yours to follow");
    return 0;
}

static int read_newest(struct api *api, int64_t *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    return bus_last_seq(tx, ret);
}

int api_events_follow(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const char *subject = http_request_query(req, "subject");
    subject = subject && *subject ? subject : NULL;
    if (!api_operates(req)) {
        TRY(partner_follows(api, req, &subject));
    }
    int64_t last_id = http_request_last_event_id(req);
    if (last_id < 0) {
        TRY(read_newest(api, &last_id));
    }
    const struct http_sse_config config = {
        .topic_prefix = subject, .last_id = last_id, .replay = replay, .user = api};
    return http_sse(res, &config);
}

int api_history_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *after_text = http_request_query(req, "after");
    int64_t after = 0;
    json_t *events = NULL;
    int limit = 0;
    TRY(after_text ? api_number(after_text, 0, INT64_MAX, &after) : 0);
    TRY(api_limit(req, 200, &limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(bus_read(tx, after, http_request_query(req, "subject"), limit, &events));
    return api_wrap_named(res, tx, "events", events);
}

// Under its subject, under `also` (may be NULL), and to the partner whose it is: to each stream once.
static void publish(struct api *api, const char *subject, const char *also, int64_t id,
                    const json_t *event)
{
    AUTO(buf_free) struct buf partner = {0};
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *named = json_deep_copy(event);
    const char *topics[4] = {subject};
    size_t count = 1;
    if (also) {
        topics[count++] = also;
    }
    if (named && store_begin(api->store, STORE_READ, &tx) == 0) {
        partner_topic(tx, subject, &partner);
        (void)account_people_name(tx, named); // an event without a name is an event still
    }
    if (partner.len && partner.err == 0) {
        topics[count++] = partner.data;
    }
    pthread_rwlock_rdlock(&api->links_lock);
    if (api->links.server) {
        http_sse_publish_any(api->links.server, topics, id, NULL, named ? named : event);
    }
    pthread_rwlock_unlock(&api->links_lock);
}

void api_publish_event(void *user, int64_t seq, const json_t *event)
{
    publish(user, json_str_or(event, "subject", ""), NULL, seq > 0 ? seq : -1, event);
}

// Under the subject of its job and under the job itself: whoever follows either sees it once.
void api_publish_progress(void *user, const struct flow_progress *p)
{
    AUTO(cstr_free) char *job = NULL;
    AUTO(json_free)
    json_t *event = json_pack(
        "{s:s, s:s, s:{s:s, s:s?, s:s?, s:I, s:o}}", "type", "progress.v1", "subject",
        p->subject, "data", "job", p->job, "step", p->step, "step_type", p->type,
        "done_ppm", (json_int_t)p->done_ppm, "remaining_us",
        p->remaining_us < 0 ? json_null() : json_integer(p->remaining_us));
    if (!event || cstr_printf(&job, "job/%s", p->job) < 0) {
        return;
    }
    publish(user, p->subject, job, -1, event);
}
