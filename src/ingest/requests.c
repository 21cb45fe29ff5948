// SPDX-License-Identifier: GPL-3.0-or-later
//
// A redelivery request: row, event and mail in the transaction of the verdict, so that none of them
// exists without the others.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

// "00:01:02.500" of a finding's start; empty where it has no place.
static void place_text(const json_t *finding, struct buf *out)
{
    const json_t *pts = json_object_get(finding, "start_pts");
    const json_t *tb = json_object_get(finding, "time_base");
    json_int_t den = json_integer_value(json_array_get(tb, 1));
    if (!json_is_integer(pts) || den <= 0) {
        return;
    }
    __int128 wide = (__int128)json_integer_value(pts) * 1000 *
                    json_integer_value(json_array_get(tb, 0)) / den;
    long long ms = (long long)wide;
    buf_printf(out, " at %02lld:%02lld:%02lld.%03lld", ms / 3600000, ms / 60000 % 60,
               ms / 1000 % 60, ms % 1000);
    const json_t *frame = json_object_get(finding, "start_frame");
    if (json_is_integer(frame)) {
        buf_printf(out, " (frame %lld)", (long long)json_integer_value(frame));
    }
}

enum { MAIL_FINDINGS_MAX = 30 };

static void mail_text(struct buf *out, const struct delivery *d, const char *title,
                      const char *verdict, const json_t *findings, const json_t *why,
                      const char *link)
{
    buf_printf(out, "The delivery \"%s\" for \"%s\" %s.\n\nWhat was found:\n\n",
               d->file_name, title,
               strcmp(verdict, "refuse") == 0 ? "was refused" : "needs a look");
    size_t named = 0;
    for (size_t i = 0; i < json_array_size(why) && named < MAIL_FINDINGS_MAX; i++) {
        const json_t *reason = json_array_get(why, i);
        if (!json_is_null(json_object_get(reason, "waived"))) {
            continue;
        }
        const json_t *finding =
            json_array_get(findings, (size_t)json_i64_or(reason, "finding", 0));
        buf_printf(out, "  - %s", ingest_kind_words(json_str_or(finding, "kind", "?")));
        place_text(finding, out);
        buf_printf(out, ": %s\n", json_str_or(reason, "text", ""));
        named++;
    }
    buf_printf(out, "\nPictures, times and how to deliver anew:\n%s\n", link);
}

// A title's name as a subject takes it, whatever an older release let in.
static int title_line(struct store_tx *tx, const char *title_id, char **ret)
{
    AUTO(cstr_free) char *name = NULL;
    AUTO(buf_free) struct buf line = {0};
    TRY(title_name(tx, title_id, &name));
    buf_line(&line, str_of(name));
    return buf_take(&line, ret);
}

static int request_mail(struct store_tx *tx, const struct delivery *d, const char *id,
                        const char *verdict, const json_t *findings, const json_t *why,
                        const char *base_url)
{
    AUTO(cstr_free)
    char *to = NULL, *title = NULL, *link = NULL, *dedupe = NULL, *subject = NULL;
    TRY(partner_mail(tx, d->partner, &to));
    if (!to) {
        return 0; // the house's own delivery: the page tells
    }
    TRY(title_line(tx, d->title_id, &title));
    TRY(cstr_printf(&link, "%s/desk/requests/%s", base_url ? base_url : "", id));
    TRY(cstr_printf(&dedupe, "request/%s", id));
    TRY(cstr_printf(&subject, "Redelivery requested: %s", title));
    AUTO(buf_free) struct buf text = {0};
    mail_text(&text, d, title, verdict, findings, why, link);
    TRY(text.err);
    struct bus_mail mail = {
        .to = to, .subject = subject, .text = text.data, .dedupe = dedupe};
    return bus_notice_mail(tx, &mail);
}

// Only what stands against the film, so that a request stays small.
static int findings_against(const json_t *findings, const json_t *why, json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    FAIL_IF(!list, ERR_NOMEM, "a request");
    for (size_t i = 0; i < json_array_size(why); i++) {
        const json_t *reason = json_array_get(why, i);
        if (!json_is_null(json_object_get(reason, "waived"))) {
            continue;
        }
        json_t *finding = json_copy(
            json_array_get(findings, (size_t)json_i64_or(reason, "finding", 0)));
        FAIL_IF(!finding ||
                    json_object_set_new(finding, "why",
                                        json_string(json_str_or(reason, "text", ""))) !=
                        0 ||
                    json_array_append_new(list, finding) != 0,
                ERR_NOMEM, "a request");
    }
    *ret = TAKE(list);
    return 0;
}

int request_open(struct store_tx *tx, const struct delivery *d, const char *verdict,
                 const json_t *findings, const json_t *why, const char *base_url)
{
    AUTO(json_free) json_t *against = NULL, *data = NULL;
    TRY(findings_against(findings, why, &against));
    // an older request about these same bytes says nothing new
    TRY(store_exec(tx,
                   "UPDATE ingest_request SET state = 'closed' WHERE delivery_id = ? AND "
                   "state = 'open'",
                   "s", d->id));
    char id[UUID_BYTES], subject[SUBJECT_BYTES];
    uuid_v7(id);
    subject_of("request", id, subject);
    TRY(store_exec(
        tx,
        "INSERT INTO ingest_request (id, delivery_id, title_id, partner, state, verdict, "
        "findings, created_us) VALUES (?,?,?,?,'open',?,?,?)",
        "sssssji", id, d->id, d->title_id, d->partner ? d->partner : "", verdict, against,
        clock_wall_us()));
    TRY(json_made(json_pack("{s:s, s:s, s:s?, s:s}", "delivery_id", d->id, "title_id",
                            d->title_id, "partner", d->partner, "verdict", verdict),
                  &data));
    TRY(emit(tx, "request.opened.v1", subject, "system", d->job_id, data));
    return request_mail(tx, d, id, verdict, findings, why, base_url);
}

int request_asked(struct store_tx *tx, const char *id, const char *partner,
                  const char **ret)
{
    AUTO(cstr_free) char *dedupe = NULL;
    if (!partner || !*partner) {
        *ret = "no_partner";
        return 0;
    }
    TRY(cstr_printf(&dedupe, "request/%s", id));
    int sent = bus_notice_is_sent(tx, dedupe);
    FAIL_IF(sent < 0 && sent != ERR_NOT_FOUND, sent, "%s", err_reason());
    *ret = sent == ERR_NOT_FOUND ? "no_address" : sent ? "mailed" : "mail_waits";
    return 0;
}

int request_close_answered(struct store_tx *tx, const struct delivery *d)
{
    return store_exec(tx,
                      "UPDATE ingest_request SET state = 'closed', answered_by = "
                      "coalesce(answered_by, ?) WHERE title_id = ? AND state <> 'closed'",
                      "ss", d->id, d->title_id);
}

int findings_close_replaced(struct store_tx *tx, const struct delivery *d)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    char by[SUBJECT_BYTES];
    subject_of("delivery", d->id, by);
    TRY(store_query(tx, &rows,
                    "SELECT id FROM ingest_delivery WHERE title_id = ? AND id <> ?", "ss",
                    d->title_id, d->id));
    int more = 0;
    while ((more = store_next(rows)) > 0) {
        char subject[SUBJECT_BYTES];
        subject_of("delivery", store_text(rows, 0), subject);
        TRY(bus_findings_supersede(tx, subject, by));
    }
    return more;
}
