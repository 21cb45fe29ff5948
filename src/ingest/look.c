// SPDX-License-Identifier: GPL-3.0-or-later
//
// What pages and commands see: deliveries, requests, reports, films.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

// An absent time is null.
static json_t *time_json(int64_t wall_us)
{
    char text[CLOCK_RFC3339_BYTES];
    if (wall_us <= 0) {
        return json_null();
    }
    clock_rfc3339(wall_us, text);
    return json_string(text);
}

static const char *text_or_null(const struct store_rows *rows, int column)
{
    const char *text = store_text(rows, column);
    return text && *text ? text : NULL;
}

// --- deliveries -----------------------------------------------------------------------------------------

#define DELIVERY_COLUMNS                                                        \
    "id, title_id, file_name, bytes, source, state, verdict, partner, job_id, " \
    "received_us, finished_us, package, error, answers"

static int delivery_json(struct store_tx *tx, const struct store_rows *rows, json_t **ret)
{
    AUTO(cstr_free) char *title = NULL;
    TRY(title_name(tx, store_text(rows, 1), &title));
    return json_made(
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s?, s:s?, s:s, s:o, s:o, s:s?, "
                  "s:s?, s:s?}",
                  "id", store_text(rows, 0), "title_id", store_text(rows, 1), "title",
                  title, "file_name", store_text(rows, 2), "bytes",
                  (json_int_t)store_i64(rows, 3), "hash", store_text(rows, 4), "state",
                  store_text(rows, 5), "verdict", text_or_null(rows, 6), "partner",
                  text_or_null(rows, 7), "job_id", store_text(rows, 8), "received",
                  time_json(store_i64(rows, 9)), "finished",
                  time_json(store_i64(rows, 10)), "package", text_or_null(rows, 11),
                  "error", text_or_null(rows, 12), "answers", text_or_null(rows, 13)),
        ret);
}

static int check_limit(const struct ingest_query *query)
{
    FAIL_IF(query->limit < 1 || query->limit > 1000, ERR_INVALID, "a limit of %d",
            query->limit);
    return 0;
}

int ingest_deliveries(struct store_tx *tx, const struct ingest_query *query,
                      json_t **ret_array)
{
    TRY(check_limit(query));
    AUTO(json_free) json_t *array = json_array();
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT " DELIVERY_COLUMNS " FROM ingest_delivery WHERE "
                    "(?1 IS NULL OR partner = ?1) AND (?2 IS NULL OR title_id = ?2) AND "
                    "(?3 IS NULL OR state = ?3) AND (?4 IS NULL OR id < ?4) "
                    "ORDER BY id DESC LIMIT ?5",
                    "ssssi", query->partner, query->title_id, query->state, query->before,
                    (int64_t)query->limit));
    int more = 0;
    while ((more = store_next(rows)) > 0) {
        json_t *item = NULL;
        TRY(delivery_json(tx, rows, &item));
        FAIL_IF(json_array_append_new(array, item) != 0, ERR_NOMEM, "deliveries");
    }
    TRY(more);
    *ret_array = TAKE(array);
    return 0;
}

static int requests_where(struct store_tx *tx, const char *delivery_id,
                          const struct ingest_query *query, json_t **ret);

int ingest_delivery(struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT " DELIVERY_COLUMNS " FROM ingest_delivery WHERE id = ?", "s",
                    id));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no delivery %s", id);
    AUTO(json_free) json_t *json = NULL, *requests = NULL;
    TRY(delivery_json(tx, rows, &json));
    TRY(requests_where(tx, id, &(struct ingest_query){.limit = 100}, &requests));
    FAIL_IF(json_object_set(json, "requests", requests) != 0, ERR_NOMEM, "a delivery");
    *ret = TAKE(json);
    return 0;
}

// --- requests -------------------------------------------------------------------------------------------

enum { THUMBNAILS_MAX = 12 };

// A picture for each finding that has a frame: the page fetches them by their addresses.
static int thumbnails(const char *delivery_id, const json_t *findings, json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    for (size_t i = 0;
         i < json_array_size(findings) && json_array_size(list) < THUMBNAILS_MAX; i++) {
        const json_t *frame = json_object_get(json_array_get(findings, i), "start_frame");
        if (!json_is_integer(frame)) {
            continue;
        }
        AUTO(cstr_free) char *url = NULL;
        TRY(cstr_printf(&url, "/api/v1/deliveries/%s/frames/%lld.jpg", delivery_id,
                        (long long)json_integer_value(frame)));
        json_t *item = json_pack("{s:I, s:O, s:s}", "finding", (json_int_t)i, "frame",
                                 frame, "url", url);
        FAIL_IF(json_array_append_new(list, item) != 0, ERR_NOMEM, "thumbnails");
    }
    *ret = TAKE(list);
    return 0;
}

static int request_json(struct store_tx *tx, const struct store_rows *rows, json_t **ret)
{
    AUTO(json_free) json_t *findings = NULL, *pictures = NULL;
    AUTO(cstr_free) char *title = NULL;
    const char *asked = NULL;
    TRY(request_asked(tx, store_text(rows, 0), store_text(rows, 3), &asked));
    TRY(store_json(rows, 6, &findings));
    TRY(thumbnails(store_text(rows, 1), findings, &pictures));
    TRY(title_name(tx, store_text(rows, 2), &title));
    return json_made(
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:o, s:O, s:O, s:s?, s:s}", "id",
                  store_text(rows, 0), "delivery_id", store_text(rows, 1), "title_id",
                  store_text(rows, 2), "title", title, "partner", text_or_null(rows, 3),
                  "state", store_text(rows, 4), "verdict", store_text(rows, 5), "created",
                  time_json(store_i64(rows, 7)), "findings", findings, "thumbnails",
                  pictures, "answered_by", text_or_null(rows, 8), "asked", asked),
        ret);
}

static int requests_where(struct store_tx *tx, const char *delivery_id,
                          const struct ingest_query *query, json_t **ret)
{
    AUTO(json_free) json_t *array = json_array();
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "SELECT id, delivery_id, title_id, partner, state, verdict, findings, "
        "created_us, answered_by FROM ingest_request WHERE (?1 IS NULL OR delivery_id = "
        "?1) AND (?2 IS NULL OR partner = ?2) AND (?3 IS NULL OR title_id = ?3) AND (?4 "
        "IS NULL OR state = ?4) AND (?5 IS NULL OR id < ?5) ORDER BY id DESC LIMIT ?6",
        "sssssi", delivery_id, query->partner, query->title_id, query->state,
        query->before, (int64_t)query->limit));
    int more = 0;
    while ((more = store_next(rows)) > 0) {
        json_t *item = NULL;
        TRY(request_json(tx, rows, &item));
        FAIL_IF(json_array_append_new(array, item) != 0, ERR_NOMEM, "requests");
    }
    TRY(more);
    *ret = TAKE(array);
    return 0;
}

int ingest_requests(struct store_tx *tx, const struct ingest_query *query,
                    json_t **ret_array)
{
    TRY(check_limit(query));
    return requests_where(tx, NULL, query, ret_array);
}

int ingest_request(struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id, delivery_id, title_id, partner, state, verdict, "
                    "findings, created_us, answered_by FROM ingest_request WHERE id = ?",
                    "s", id));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no request %s", id);
    return request_json(tx, rows, ret);
}

// --- report and pictures -----------------------------------------------------------------------------------

static int report_extras(struct store_tx *tx, const char *id, json_t *report)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT verdict, why, stills, json_extract(spec, '$.waivers'), "
                    "(SELECT coalesce(max(grid) + 1, 0) FROM ingest_still WHERE "
                    "delivery_id = ?1) FROM ingest_delivery WHERE id = ?1",
                    "s", id));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no delivery %s", id);
    AUTO(json_free) json_t *why = NULL, *stills = NULL, *waivers = NULL;
    TRY(store_json(rows, 1, &why));
    TRY(store_json(rows, 2, &stills));
    TRY(store_json(rows, 3, &waivers));
    if (!json_is_object(stills)) {
        json_free(&stills);
        stills = json_pack("{s:i, s:i, s:i}", "every_us", 0, "width", 0, "height", 0);
    }
    json_object_set_new(stills, "count", json_integer(store_i64(rows, 4)));
    bool failed =
        json_object_set_new(report, "verdict", json_string(store_text(rows, 0))) != 0 ||
        json_object_set(report, "why", why) != 0 ||
        json_object_set(report, "stills", stills) != 0 ||
        json_object_set(report, "waivers", waivers) != 0;
    FAIL_IF(failed, ERR_NOMEM, "a report");
    return 0;
}

int ingest_report(struct store *store, const char *delivery_id, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    AUTO(cstr_free) char *hex = NULL;
    TRY(store_get_text(
        tx, &hex,
        "SELECT report FROM ingest_delivery WHERE id = ? AND verdict IS NOT NULL", "s",
        delivery_id));
    FAIL_IF(!hex, ERR_NOT_FOUND, "delivery %s has no report yet", delivery_id);
    struct hash blob;
    TRY(hash_parse(str_of(hex), &blob));
    AUTO(json_free) json_t *report = NULL;
    TRY(blob_json(store_blobs_of(store), &blob, &report));
    TRY(report_extras(tx, delivery_id, report));
    *ret = TAKE(report);
    return 0;
}

enum { JPEG_BYTES_MAX = 1 << 24 };

static int picture(struct store *store, const char *hex, struct buf *out)
{
    struct hash blob;
    TRY(hash_parse(str_of(hex), &blob));
    return blob_text(store_blobs_of(store), &blob, JPEG_BYTES_MAX, out);
}

int ingest_still(struct store *store, const char *delivery_id, int64_t index,
                 struct buf *out_jpeg)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *hex = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    TRY(store_get_text(tx, &hex,
                       "SELECT blob FROM ingest_still WHERE delivery_id = ? AND grid = ?",
                       "si", delivery_id, index));
    return picture(store, hex, out_jpeg);
}
