// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the service did by itself and why.
#include "app/api.h"

int api_audit_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *entries = NULL;
    const char *before_text = http_request_query(req, "before");
    int64_t before = 0;
    int limit = 0;
    struct insight_audit_head head;
    char head_text[INSIGHT_HEAD_BYTES];
    TRY(before_text ? api_number(before_text, 1, INT64_MAX, &before) : 0);
    TRY(api_limit(req, 100, &limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_audit_list(tx, http_request_query(req, "subject"), before, limit,
                           &entries));
    TRY(insight_audit_head(tx, &head));
    insight_audit_head_text(&head, head_text);
    return http_json(res, 200,
                     json_pack("{s:O, s:s}", "audit", entries, "head", head_text));
}

int api_audit_verify(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *noted_text = http_request_query(req, "head");
    struct insight_audit_head noted;
    struct insight_audit_verdict v;
    char head[INSIGHT_HEAD_BYTES];
    if (noted_text) {
        TRY(insight_audit_head_parse(str_of(noted_text), &noted));
    }
    TRY(api_heavy_begin(api));
    int err = store_begin(api->store, STORE_READ, &tx);
    err = err < 0 ? err : insight_audit_verify(tx, noted_text ? &noted : NULL, &v);
    api_heavy_end(api);
    TRY(err);
    insight_audit_head_text(&v.head, head);
    return http_json(res, 200,
                     json_pack("{s:b, s:I, s:o, s:s?, s:s}", "whole", v.broken == 0,
                               "entries", (json_int_t)v.entries, "broken",
                               v.broken ? json_integer(v.broken) : json_null(), "why",
                               v.broken ? v.why : NULL, "head", head));
}
