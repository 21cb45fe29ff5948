// SPDX-License-Identifier: GPL-3.0-or-later
//
// Agents: programs on servers that ask for the attempts that are for their server, by a token that is for it
// alone. A token is shown once; rows hold its hash.
#include "base/token.h"
#include "insight/runbook_parts.h"

#include <string.h>

#define LEASE_US      (INSIGHT_LEASE_S * INT64_C(1000000))
#define OUT_BYTES_MAX (1u << 20)
#define ERR_BYTES_MAX (64u << 10)
#define SEEN_EVERY_US INT64_C(20000000)

// --- who may ask -----------------------------------------------------------------------------------------

int insight_agent_add(struct store_tx *tx, const char *server,
                      char ret_token[INSIGHT_AGENT_TOKEN_BYTES])
{
    struct token token;
    struct str n = str_of(server);
    FAIL_IF(n.len == 0 || n.len > RUN_TEXT_MAX || !str_is_line(n), ERR_INVALID,
            "a server's name is one line of at most %d bytes", RUN_TEXT_MAX);
    TRY(token_make(INSIGHT_AGENT_TOKEN_MARK, &token));
    int err = store_exec(
        tx, "INSERT INTO insight_agent (name, hash, created_us) VALUES (?, ?, ?)", "ssi",
        server, token.hash, clock_wall_us());
    FAIL_IF(err == ERR_CONFLICT, ERR_EXISTS, "there is an agent of %s", server);
    TRY(err);
    return str_copy(ret_token, INSIGHT_AGENT_TOKEN_BYTES, str_of(token.text));
}

int insight_agent_remove(struct store_tx *tx, const char *server)
{
    TRY(store_exec(tx, "DELETE FROM insight_agent WHERE name = ?", "s", server));
    FAIL_IF(store_changes(tx) == 0, ERR_NOT_FOUND, "there is no agent of %s", server);
    return 0;
}

static int to_item(const struct store_rows *r, json_t **ret)
{
    char created[CLOCK_RFC3339_BYTES], seen[CLOCK_RFC3339_BYTES];
    clock_rfc3339(store_i64(r, 1), created);
    clock_rfc3339(store_i64(r, 2), seen);
    return json_made(json_pack("{s:s, s:s, s:s?}", "server", store_text(r, 0), "created",
                               created, "seen", store_is_null(r, 2) ? NULL : seen),
                     ret);
}

int insight_agents(struct store_tx *tx, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r, "SELECT name, created_us, seen_us FROM insight_agent ORDER BY name", ""));
    return store_array(r, to_item, ret);
}

int insight_agent_find(struct store_tx *tx, const char *token, char **ret_server)
{
    char hash[HASH_HEX_BYTES];
    token_hash(token, hash);
    int err = store_get_text(tx, ret_server,
                             "SELECT name FROM insight_agent WHERE hash = ?", "s", hash);
    return err == ERR_NOT_FOUND ? err_fail(ERR_UNKNOWN_USER, "no such token") : err;
}

// --- attempts --------------------------------------------------------------------------------------------

static int lane_of(const char *server, char **ret)
{
    return cstr_printf(ret, "agent/%s", server);
}

int insight_agent_has_work(struct store_tx *tx, const char *server)
{
    AUTO(cstr_free) char *lane = NULL;
    int64_t due = 0;
    TRY(lane_of(server, &lane));
    // Seen lately, and nothing to take: nothing to write.
    TRY(store_get_i64(tx, &due,
                      "SELECT EXISTS (SELECT 1 FROM flow_step WHERE lane = ?1 AND"
                      "  ((state = 'waiting' AND not_before_us <= ?2) OR"
                      "   (state = 'running' AND lease_us < ?2))) OR"
                      " EXISTS (SELECT 1 FROM insight_agent WHERE name = ?3 AND"
                      "  (seen_us IS NULL OR seen_us < ?4))",
                      "sisi", lane, clock_wall_us(), server,
                      clock_wall_us() - SEEN_EVERY_US));
    return due != 0;
}

int insight_agent_take(struct store_tx *tx, const char *server, json_t **ret)
{
    AUTO(cstr_free) char *lane = NULL;
    AUTO(flow_taken_clear) struct flow_taken taken = {0};
    AUTO(json_free) json_t *order = NULL;
    TRY(lane_of(server, &lane));
    TRY(store_exec(tx, "UPDATE insight_agent SET seen_us = ? WHERE name = ?", "is",
                   clock_wall_us(), server));
    int found = flow_take(tx, lane, LEASE_US, &taken);
    TRY(found);
    if (!found) {
        return 0;
    }
    TRY(json_made(json_copy(json_object_get(taken.params, "order")), &order));
    json_object_del(order, "argv");
    json_object_del(order, "env");
    FAIL_IF(json_object_set(order, "attempt", json_object_get(taken.params, "attempt")) !=
                0,
            ERR_NOMEM, "an order");
    TRY(json_made(json_pack("{s:i, s:I, s:I, s:i, s:O}", "schema", 1, "step",
                            (json_int_t)taken.step, "fence", (json_int_t)taken.fence,
                            "lease_s", INSIGHT_LEASE_S, "order", order),
                  ret));
    return 1;
}

// The step that a body names, if it is of this server's lane: a token is for one server alone.
static int named(struct store_tx *tx, const char *server, const json_t *body,
                 struct flow_taken *ret)
{
    AUTO(cstr_free) char *lane = NULL;
    int64_t one = 0;
    TRY(json_get_i64(body, "step", 1, INT64_MAX, &ret->step));
    TRY(json_get_i64(body, "fence", 1, INT64_MAX, &ret->fence));
    TRY(lane_of(server, &lane));
    int err = store_get_i64(tx, &one, "SELECT 1 FROM flow_step WHERE id = ? AND lane = ?",
                            "is", ret->step, lane);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_FENCED, "the step is another's, or was ended");
    return err;
}

int insight_agent_keep(struct store_tx *tx, const char *server, const json_t *body)
{
    struct flow_taken taken = {0};
    TRY(named(tx, server, body, &taken));
    return flow_keep(tx, &taken, LEASE_US);
}

// --- what came of one ------------------------------------------------------------------------------------

struct given {
    struct flow_output outputs[2];
    size_t count;
};

static int put_text(struct store *store, const json_t *body, const char *name,
                    size_t most, struct given *g)
{
    AUTO(buf_free) struct buf bytes = {0};
    const char *text = json_str_or(body, name, "");
    if (!*text) {
        return 0;
    }
    TRY(base64url_decode(&bytes, str_of(text)));
    FAIL_IF(bytes.len > most, ERR_LIMIT, "%s of over %zu bytes", name, most);
    struct flow_output *output = &g->outputs[g->count];
    TRY(store_blob_put(store_blobs_of(store), bytes.data, bytes.len, &output->blob));
    output->name = name;
    output->size = (int64_t)bytes.len;
    g->count++;
    return 0;
}

static bool is_outcome(const char *text)
{
    static const char *const known[] = {"ok",   "failed",  "timeout", "malformed",
                                        "lost", "stopped", "busy",    "unknown"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i], text) == 0) {
            return true;
        }
    }
    return false;
}

// The answer is judged anew from the text itself: an agent's word for it is not taken.
static int checked_value(const json_t *body, json_t **ret)
{
    json_t *value = NULL;
    AUTO(json_free) json_t *copy = NULL, *answer = NULL;
    AUTO(buf_free) struct buf bytes = {0};
    TRY(json_get_object(body, "value", &value));
    const char *outcome = json_str_or(value, "outcome", "");
    FAIL_IF(!is_outcome(outcome), ERR_INVALID, "'%.40s' is no outcome", outcome);
    TRY(json_made(json_copy(value), &copy));
    json_object_del(copy, "answer");
    if (strcmp(outcome, "ok") == 0) {
        TRY(base64url_decode(&bytes, str_of(json_str_or(body, "stdout", ""))));
        TRY(insight_answer_parse(buf_view(&bytes), OUT_BYTES_MAX, &answer));
        FAIL_IF(json_object_set(copy, "answer", answer) != 0, ERR_NOMEM, "an answer");
    }
    AUTO(buf_free) struct buf whole = {0};
    json_write_canonical(&whole, copy);
    TRY(whole.err);
    FAIL_IF(whole.len > ANSWER_KEPT_MAX + 8192, ERR_LIMIT, "a value of %zu bytes",
            whole.len);
    *ret = TAKE(copy);
    return 0;
}

int insight_agent_give(struct store *store, const char *server, const json_t *body)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *value = NULL;
    struct flow_taken taken = {0};
    struct given g = {0};
    TRY(checked_value(body, &value));
    TRY(put_text(store, body, "stdout", OUT_BYTES_MAX, &g));
    TRY(put_text(store, body, "stderr", ERR_BYTES_MAX, &g));
    TRY(store_blobs_sync(store_blobs_of(store)));
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(named(tx, server, body, &taken));
    TRY(flow_give(store, tx, &taken, value, g.outputs, g.count));
    return store_commit(&tx);
}
