// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs as people see them.
#include "insight/runbook_parts.h"

#include <string.h>

#define SHOWN_BYTES (1u << 20)

static int add_time(const struct store_rows *r, int column, json_t *item, const char *key)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339(store_i64(r, column), text);
    json_t *value = store_is_null(r, column) ? json_null() : json_string(text);
    return json_object_set_new(item, key, value) == 0 ? 0 : err_fail(ERR_NOMEM, "a run");
}

static int to_item(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *item = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:b, s:s?, s:s, s:s?,"
                            " s:I, s:s?, s:s?, s:s?, s:s?}",
                            "id", store_text(r, 0), "runbook", store_text(r, 1), "target",
                            store_text(r, 2), "server", store_text(r, 3), "where",
                            store_is_null(r, 3) ? "here" : "agent", "subject",
                            store_text(r, 4), "state", store_text(r, 5), "dry_run",
                            store_i64(r, 6) != 0, "rule", store_text(r, 7), "actor",
                            store_text(r, 8), "approved_by", store_text(r, 9), "attempts",
                            (json_int_t)store_i64(r, 10), "status", store_text(r, 11),
                            "summary", store_text(r, 12), "error", store_text(r, 13),
                            "job", store_text(r, 14)),
                  &item));
    TRY(add_time(r, 15, item, "created"));
    TRY(add_time(r, 16, item, "began"));
    TRY(add_time(r, 17, item, "ended"));
    TRY(add_time(r, 18, item, "expires"));
    *ret = TAKE(item);
    return 0;
}

#define LISTED                                                                         \
    "SELECT id, runbook, target, server, subject, state, dry_run, rule, actor,"        \
    " approved_by, (SELECT count(*) FROM insight_run_attempt WHERE run = id), status," \
    " summary, error, job, created_us, began_us, ended_us, expires_us FROM insight_run "

int insight_runs(struct store_tx *tx, const struct insight_run_query *q, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    LISTED "WHERE (?1 IS NULL OR runbook = ?1) AND"
                           " (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR target = ?3)"
                           " AND (?4 IS NULL OR id < ?4) AND"
                           " (?5 IS NULL OR subject = ?5)"
                           " ORDER BY id DESC LIMIT ?6",
                    "sssssi", q->runbook, q->state, q->target, q->before, q->subject,
                    (int64_t)q->limit));
    return store_array(r, to_item, ret);
}

// --- one ------------------------------------------------------------------------------------------------

// Whatever bytes, as text that JSON takes; lines stay lines.
static int blob_text(struct store *store, const char *hex, json_t **ret)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    AUTO(buf_free) struct buf bytes = {0}, text = {0};
    struct hash hash;
    TRY(hash_parse(str_of(hex), &hash));
    int err = store_blob_open(store_blobs_of(store), &hash, &blob);
    if (err == ERR_NOT_FOUND) {
        return json_made(json_null(), ret);
    }
    TRY(err);
    size_t len = (size_t)MIN(store_blob_size(blob), (int64_t)SHOWN_BYTES);
    buf_reserve(&bytes, len + 1);
    TRY(bytes.err);
    int64_t got = store_blob_read(blob, 0, bytes.data, len);
    FAIL_IF(got < 0, (int)got, "%s", err_reason());
    struct str rest = {bytes.data, (size_t)got}, line;
    while (rest.len && str_next(&rest, '\n', &line)) {
        buf_line(&text, line);
        buf_char(&text, '\n');
    }
    TRY(text.err);
    return json_made(json_stringn(text.len ? text.data : "", text.len), ret);
}

struct reader {
    struct store *store;
    bool last; // texts are read, too
};

static int try_item(struct reader *reader, const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *item = NULL, *out = NULL, *err = NULL;
    TRY(store_json(r, 1, &item));
    json_object_del(item, "answer");
    FAIL_IF(json_object_set_new(item, "attempt", json_integer(store_i64(r, 0))) != 0,
            ERR_NOMEM, "a run");
    TRY(add_time(r, 4, item, "ended"));
    if (reader->last && !store_is_null(r, 2)) {
        TRY(blob_text(reader->store, store_text(r, 2), &out));
        json_object_set(item, "stdout", out);
    }
    if (reader->last && !store_is_null(r, 3)) {
        TRY(blob_text(reader->store, store_text(r, 3), &err));
        json_object_set(item, "stderr", err);
    }
    *ret = TAKE(item);
    return 0;
}

static int tries(struct store *store, struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *list = json_array();
    struct reader reader = {store, true};
    TRY(store_query(tx, &r,
                    "SELECT attempt, value, out_hash, err_hash, ended_us FROM"
                    " insight_run_attempt WHERE run = ? ORDER BY attempt DESC",
                    "s", id));
    int more;
    while ((more = store_next(r)) > 0) {
        json_t *item = NULL;
        TRY(try_item(&reader, r, &item));
        reader.last = false;
        FAIL_IF(json_array_insert_new(list, 0, item) != 0, ERR_NOMEM, "a run");
    }
    TRY(more);
    *ret = TAKE(list);
    return 0;
}

int insight_run(struct store *store, struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(json_free) json_t *item = NULL, *list = NULL, *answer = NULL;
    AUTO(run_row_clear) struct run_row row = {0};
    TRY(run_row_load(tx, id, &row));
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(tx, &r, LISTED "WHERE id = ?", "s", id));
        TRY(store_next(r));
        TRY(to_item(r, &item));
    }
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(tx, &r, "SELECT answer FROM insight_run WHERE id = ?", "s", id));
        TRY(store_next(r));
        TRY(store_json(r, 0, &answer));
    }
    TRY(tries(store, tx, id, &list));
    FAIL_IF(json_object_set(item, "answer", answer) != 0 ||
                json_object_set(item, "event", json_object_get(row.order, "event")) !=
                    0 ||
                json_object_set(item, "argv", json_object_get(row.order, "argv")) != 0 ||
                json_object_set(item, "tries", list) != 0,
            ERR_NOMEM, "a run");
    *ret = TAKE(item);
    return 0;
}
