// SPDX-License-Identifier: GPL-3.0-or-later
//
// The verdict over a delivery, once a job, in one transaction: report, thumbnails, findings in the
// register, what the policy says with its reasons, and the request where it is not accepted.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

static bool same_place(const json_t *registered, const json_t *finding)
{
    static const char *const keys[] = {"kind",      "stream",    "start_frame",
                                       "end_frame", "start_pts", "end_pts"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *a = json_object_get(registered, keys[i]);
        const json_t *b = json_object_get(finding, keys[i]);
        if (!json_equal(a ? a : json_null(), b ? b : json_null())) {
            return false;
        }
    }
    return true;
}

// Waivers of the wish by kind, and of the register by place (an operator's, on the page).
struct waivers {
    struct ingest_waiver wished[WAIVERS_MAX];
    size_t wished_count;
    VEC(struct ingest_waiver) registered; // texts are borrowed from `list`
    json_t *list;
    const struct ingest_waiver **each;
};

static void waivers_clear(struct waivers *w)
{
    vec_free(&w->registered);
    json_free(&w->list);
    free(w->each);
}

static int registered_waiver(struct store_tx *tx, const char *subject, struct waivers *w)
{
    struct bus_finding_query query = {
        .subject = subject, .state = "waived", .limit = 1000};
    TRY(bus_findings_list(tx, &query, &w->list));
    for (size_t i = 0; i < json_array_size(w->list); i++) {
        const json_t *item = json_array_get(w->list, i);
        struct ingest_waiver waiver = {.kind = json_str_or(item, "kind", ""),
                                       .why = json_str_or(item, "waived_why", "")};
        if (clock_parse(str_of(json_str_or(item, "waived_until", "")),
                        &waiver.until_wall_us) < 0) {
            waiver.until_wall_us = 0;
        }
        TRY(vec_push(&w->registered, waiver));
    }
    return 0;
}

static int waivers_match(const json_t *findings, int64_t now, struct waivers *w)
{
    size_t count = json_array_size(findings);
    w->each = calloc(count + 1, sizeof *w->each);
    FAIL_IF(!w->each, ERR_NOMEM, "waivers");
    for (size_t i = 0; i < count; i++) {
        const json_t *finding = json_array_get(findings, i);
        const char *kind = json_str_or(finding, "kind", "");
        for (size_t k = 0; k < w->wished_count && !w->each[i]; k++) {
            bool fits = strcmp(w->wished[k].kind, kind) == 0;
            w->each[i] = fits && now < w->wished[k].until_wall_us ? &w->wished[k] : NULL;
        }
        for (size_t k = 0; k < w->registered.len && !w->each[i]; k++) {
            const struct ingest_waiver *r = &w->registered.data[k];
            bool fits =
                now < r->until_wall_us && same_place(json_array_get(w->list, k), finding);
            w->each[i] = fits ? r : NULL;
        }
    }
    return 0;
}

static int decide(struct store_tx *tx, const struct verdict *v, const json_t *findings,
                  enum ingest_verdict *ret, json_t **ret_why)
{
    char subject[SUBJECT_BYTES];
    subject_of("delivery", v->delivery->id, subject);
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL;
    TRY(ingest_policy_from_json(v->wish->policy, &policy));
    AUTO(waivers_clear) struct waivers w = {0};
    TRY(wish_waivers(v->wish, w.wished, WAIVERS_MAX, &w.wished_count));
    TRY(registered_waiver(tx, subject, &w));
    TRY(waivers_match(findings, clock_wall_us(), &w));
    return policy_decide_each(policy, &v->inspected->findings, v->inspected->duration_us,
                              w.each, ret, ret_why);
}

static int still_rows(struct store_tx *tx, const struct verdict *v, const char *owner)
{
    TRY(store_exec(tx, "DELETE FROM ingest_still WHERE delivery_id = ?", "s",
                   v->delivery->id));
    for (size_t i = 0; i < json_array_size(v->inspected->stills); i++) {
        const json_t *s = json_array_get(v->inspected->stills, i);
        const char *hex = json_string_value(json_array_get(s, 2));
        struct hash blob;
        TRY(hash_parse(str_of(hex), &blob));
        TRY(store_exec(tx, "INSERT INTO ingest_still VALUES (?,?,?,?)", "siis",
                       v->delivery->id, (int64_t)json_integer_value(json_array_get(s, 0)),
                       (int64_t)json_integer_value(json_array_get(s, 1)), hex));
        TRY(store_ref_add(tx, owner, &blob));
    }
    return 0;
}

// The report as a blob that lives with the delivery, also where no merge made one.
static int report_keep(struct store_tx *tx, const struct verdict *v, const char *owner,
                       char ret_hex[HASH_HEX_BYTES])
{
    struct hash blob = v->inspected->report_blob;
    if (!v->inspected->whole) {
        AUTO(buf_free) struct buf text = {0};
        json_write_canonical(&text, v->inspected->report_json);
        TRY(text.err);
        TRY(store_blob_put(store_blobs_of(v->store), text.data, text.len, &blob));
        TRY(store_blobs_sync(store_blobs_of(v->store)));
    } else {
        TRY(store_ref_add(tx, owner, &v->inspected->timeline_blob));
    }
    hash_hex(&blob, ret_hex);
    return store_ref_add(tx, owner, &blob);
}

static int verdict_row(struct store_tx *tx, const struct verdict *v,
                       enum ingest_verdict verdict, const json_t *why)
{
    AUTO(cstr_free) char *owner = NULL;
    AUTO(json_free) json_t *stills = NULL;
    TRY(cstr_printf(&owner, "ingest:%s", v->delivery->id));
    char report[HASH_HEX_BYTES], timeline[HASH_HEX_BYTES];
    TRY(report_keep(tx, v, owner, report));
    hash_hex(&v->inspected->timeline_blob, timeline);
    TRY(still_rows(tx, v, owner));
    TRY(json_made(json_pack("{s:I, s:i, s:i}", "every_us",
                            (json_int_t)v->inspected->still_every_us, "width",
                            v->inspected->still_width, "height",
                            v->inspected->still_height),
                  &stills));
    static const char *const states[] = {"inspected", "review", "refused"};
    return store_exec(tx,
                      "UPDATE ingest_delivery SET report = ?, timeline = ?, stills = ?, "
                      "verdict = ?, why = ?, state = ?, finished_us = ? WHERE id = ?",
                      "ssjsjsis", report, v->inspected->whole ? timeline : NULL, stills,
                      ingest_verdict_name(verdict), why, states[verdict],
                      verdict == INGEST_ACCEPT ? 0 : clock_wall_us(), v->delivery->id);
}

static int verdict_event(struct store_tx *tx, const struct verdict *v, const char *type,
                         enum ingest_verdict verdict)
{
    char subject[SUBJECT_BYTES];
    subject_of("delivery", v->delivery->id, subject);
    AUTO(json_free) json_t *data = NULL;
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:I}", "title_id", v->delivery->title_id,
                            "job_id", v->delivery->job_id, "verdict",
                            ingest_verdict_name(verdict), "findings",
                            (json_int_t)v->inspected->findings.items.len),
                  &data));
    return emit(tx, type, subject, "system", v->delivery->job_id, data);
}

// "inspect@2.1.1.1": whatever looks at a film decides what is found, so that the versions of all such
// steps are the detector's.
static int findings_register(struct store_tx *tx, const char *subject,
                             const struct findings *findings)
{
    AUTO(buf_free) struct buf detector = {0};
    buf_cstr(&detector, "inspect");
    char before = '@';
    for (size_t i = 0; i < ingest_step_type_count; i++) {
        const struct flow_step_type *type = &ingest_step_types[i];
        if (strcmp(type->name, "probe") == 0 ||
            str_starts(str_of(type->name), "inspect.")) {
            buf_printf(&detector, "%c%u", before, type->version);
            before = '.';
        }
    }
    TRY(detector.err);
    return bus_findings_put(tx, subject, detector.data, findings);
}

int verdict_apply(struct store_tx *tx, void *user)
{
    const struct verdict *v = user;
    char subject[SUBJECT_BYTES];
    subject_of("delivery", v->delivery->id, subject);
    TRY(findings_register(tx, subject, &v->inspected->findings));
    AUTO(json_free) json_t *findings = NULL, *why = NULL;
    TRY(findings_to_json(&v->inspected->findings, &findings));
    enum ingest_verdict verdict = INGEST_REFUSE;
    TRY(decide(tx, v, findings, &verdict, &why));
    TRY(verdict_row(tx, v, verdict, why));
    TRY(verdict_event(tx, v, "delivery.inspected.v1", verdict));
    if (verdict != INGEST_ACCEPT) {
        TRY(verdict_event(tx, v,
                          verdict == INGEST_REVIEW ? "delivery.review.v1"
                                                   : "delivery.refused.v1",
                          verdict));
    }
    return verdict == INGEST_ACCEPT
               ? 0
               : request_open(tx, v->delivery, ingest_verdict_name(verdict), findings,
                              why, v->config->base_url);
}

// --- a film that inspection passed and encoding could not -------------------------------------------------

int verdict_revoke_apply(struct store_tx *tx, void *user)
{
    const struct verdict *v = user;
    AUTO(json_free) json_t *why = json_array(), *findings = NULL, *report = NULL;
    TRY(findings_to_json(&v->inspected->findings, &findings));
    size_t last = json_array_size(findings) - 1;
    json_t *reason = NULL;
    TRY(json_made(json_pack("{s:I, s:s, s:n, s:n, s:s}", "finding", (json_int_t)last,
                            "verdict", "refuse", "rule", "waived", "text",
                            "Encoding it failed; the evidence says why."),
                  &reason));
    FAIL_IF(json_array_append_new(why, reason) != 0, ERR_NOMEM, "a verdict");
    struct hash blob;
    TRY(blob_json(store_blobs_of(v->store), &v->inspected->report_blob, &report));
    FAIL_IF(json_object_set(report, "findings", findings) != 0, ERR_NOMEM, "a report");
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *owner = NULL;
    json_write_canonical(&text, report);
    TRY(text.err);
    TRY(store_blob_put(store_blobs_of(v->store), text.data, text.len, &blob));
    TRY(store_blobs_sync(store_blobs_of(v->store)));
    TRY(cstr_printf(&owner, "ingest:%s", v->delivery->id));
    TRY(store_ref_add(tx, owner, &blob));
    char hex[HASH_HEX_BYTES], subject[SUBJECT_BYTES];
    hash_hex(&blob, hex);
    subject_of("delivery", v->delivery->id, subject);
    TRY(findings_register(tx, subject, &v->inspected->findings));
    TRY(store_exec(tx,
                   "UPDATE ingest_delivery SET report = ?, verdict = 'refuse', why = ?, "
                   "state = 'refused', finished_us = ? WHERE id = ?",
                   "sjis", hex, why, clock_wall_us(), v->delivery->id));
    TRY(verdict_event(tx, v, "delivery.refused.v1", INGEST_REFUSE));
    return request_open(tx, v->delivery, "refuse", findings, why, v->config->base_url);
}
