// SPDX-License-Identifier: GPL-3.0-or-later
//
// An entry is one text of canonical JSON that holds its own sequence and the hash of the text before; the
// row beside it holds that text's SHA-256 and copies of what is searched by. Nothing is hashed that was
// parsed and written again: the bytes that are kept are the bytes that count.
//
//     seq 1: {"actor":…,"previous":"000…","seq":1,…}        hash h1
//     seq 2: {"actor":…,"previous":h1,"seq":2,…}            hash h2
//     head:  2, h2          a row of its own: a chain that lost its end no longer fits
//
// Rows refuse UPDATE and DELETE by trigger; that hinders mistakes, the chain shows intent.
#include "insight/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MAX_BYTES (1u << 20)

static const char zeros[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

int insight_audit_head(struct store_tx *tx, struct insight_audit_head *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    struct insight_audit_head head = {0};
    TRY(store_query(tx, &r, "SELECT seq, hash FROM insight_audit_head WHERE id = 1", ""));
    int found = store_next(r);
    TRY(found);
    head.seq = found ? store_i64(r, 0) : 0;
    TRY(str_copy(head.hash, sizeof head.hash, str_of(found ? store_text(r, 1) : zeros)));
    *ret = head;
    return 0;
}

void insight_audit_head_text(const struct insight_audit_head *head,
                             char ret[INSIGHT_HEAD_BYTES])
{
    snprintf(ret, INSIGHT_HEAD_BYTES, "%lld:%s", (long long)head->seq, head->hash);
}

int insight_audit_head_parse(struct str text, struct insight_audit_head *ret)
{
    struct insight_audit_head head = {0};
    struct str rest = text, seq;
    struct hash hash;
    str_next(&rest, ':', &seq);
    if (str_to_i64(seq, 0, INT64_MAX, &head.seq) < 0 || hash_parse(rest, &hash) < 0) {
        FAIL(ERR_INVALID, "'" STR_FMT "' is no head of an audit trail: 17:5f3a…",
             STR_ARG(text));
    }
    hash_hex(&hash, head.hash);
    *ret = head;
    return 0;
}

static int entry_text(const struct insight_audit_entry *e, int64_t at_us,
                      const struct insight_audit_head *before, struct buf *out)
{
    AUTO(json_free) json_t *entry = NULL;
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(at_us, time);
    TRY(json_made(
        json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s?, s:O?, s:O?, s:O?, s:s}", "seq",
                  (json_int_t)(before->seq + 1), "time_us", (json_int_t)at_us, "time",
                  time, "actor", e->actor ? e->actor : "system", "what", e->what,
                  "subject", e->subject, "rule", e->rule, "window", e->window,
                  "parameters", e->parameters, "data", e->data, "previous", before->hash),
        &entry));
    json_write_canonical(out, entry);
    TRY(out->err);
    FAIL_IF(out->len > ENTRY_MAX_BYTES, ERR_LIMIT, "an audit entry over %u bytes",
            ENTRY_MAX_BYTES);
    return 0;
}

static void text_hash(struct str text, char ret[HASH_HEX_BYTES])
{
    struct hash hash;
    hash_of(text.data, text.len, &hash);
    hash_hex(&hash, ret);
}

int insight_audit_append(struct store_tx *tx, const struct insight_audit_entry *e,
                         int64_t *ret_seq)
{
    AUTO(buf_free) struct buf text = {0};
    struct insight_audit_head head;
    char hash[HASH_HEX_BYTES];
    int64_t at_us = e->at_us ? e->at_us : clock_wall_us();
    TRY(insight_audit_head(tx, &head));
    TRY(entry_text(e, at_us, &head, &text));
    text_hash(buf_view(&text), hash);
    TRY(store_exec(tx,
                   "INSERT INTO insight_audit (seq, time_us, what, subject, entry, hash)"
                   " VALUES (?, ?, ?, ?, ?, ?)",
                   "iissSs", head.seq + 1, at_us, e->what, e->subject, buf_view(&text),
                   hash));
    TRY(store_exec(tx,
                   "INSERT INTO insight_audit_head (id, seq, hash) VALUES (1, ?, ?)"
                   " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq,"
                   " hash = excluded.hash",
                   "is", head.seq + 1, hash));
    if (ret_seq) {
        *ret_seq = head.seq + 1;
    }
    return 0;
}

// --- verification -----------------------------------------------------------------------------------

struct chain {
    struct insight_audit_verdict *verdict;
    const struct insight_audit_head *noted;
    struct insight_audit_head last;
};

static int broken(struct chain *c, int64_t seq, const char *why)
{
    c->verdict->broken = seq;
    snprintf(c->verdict->why, sizeof c->verdict->why, "%s", why);
    return 1;
}

static bool copies_fit(const struct store_rows *r, const json_t *entry)
{
    return json_i64_or(entry, "time_us", -1) == store_i64(r, 1) &&
           strcmp(json_str_or(entry, "what", ""), store_text(r, 2)) == 0 &&
           strcmp(json_str_or(entry, "subject", ""), store_text(r, 3)) == 0;
}

// 1 where the chain ends here because it is broken.
static int check_entry(struct chain *c, const struct store_rows *r)
{
    AUTO(json_free) json_t *entry = NULL;
    char hash[HASH_HEX_BYTES];
    int64_t seq = store_i64(r, 0);
    const char *text = store_text(r, 4), *kept = store_text(r, 5);
    if (seq != c->last.seq + 1) {
        return broken(c, c->last.seq + 1, "this entry is gone");
    }
    text_hash(str_of(text), hash);
    if (strcmp(hash, kept) != 0) {
        return broken(c, seq, "its text is not the one that was hashed");
    }
    if (json_parse(&entry, str_of(text), ENTRY_MAX_BYTES) < 0) {
        return broken(c, seq, "its text is no JSON");
    }
    if (json_i64_or(entry, "seq", -1) != seq) {
        return broken(c, seq, "it stood at another place");
    }
    if (strcmp(json_str_or(entry, "previous", ""), c->last.hash) != 0) {
        c->verdict->entries =
            MAX(seq - 2, INT64_C(0)); // the one before may be the changed one
        return broken(c, seq,
                      "it does not follow the entry before it: one of the two "
                      "was changed");
    }
    if (!copies_fit(r, entry)) {
        return broken(c, seq, "what is searched by is not what its text says");
    }
    c->last.seq = seq;
    memcpy(c->last.hash, hash, sizeof hash);
    c->verdict->entries = seq;
    if (c->noted && c->noted->seq == seq && strcmp(c->noted->hash, hash) != 0) {
        c->verdict->entries = 0; // any of them may be made anew
        return broken(c, seq,
                      "it is not the entry whose hash was noted: the trail was "
                      "made anew");
    }
    return 0;
}

static int check_end(struct chain *c)
{
    const struct insight_audit_head *head = &c->verdict->head;
    if (c->last.seq < head->seq) {
        return broken(c, c->last.seq + 1,
                      "the trail ends before its head: entries are gone");
    }
    if (c->last.seq != head->seq || strcmp(c->last.hash, head->hash) != 0) {
        return broken(c, MAX(c->last.seq, INT64_C(1)), "the head is not the last entry");
    }
    if (c->noted && c->noted->seq > c->last.seq) {
        return broken(c, c->last.seq + 1,
                      "the trail ends before the head that was noted");
    }
    return 0;
}

int insight_audit_verify(struct store_tx *tx, const struct insight_audit_head *noted,
                         struct insight_audit_verdict *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    struct insight_audit_verdict verdict = {0};
    struct chain chain = {.verdict = &verdict, .noted = noted};
    memcpy(chain.last.hash, zeros, sizeof zeros);
    TRY(insight_audit_head(tx, &verdict.head));
    TRY(store_query(tx, &r,
                    "SELECT seq, time_us, what, subject, entry, hash FROM insight_audit"
                    " ORDER BY seq",
                    ""));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        if (check_entry(&chain, r)) {
            *ret = verdict;
            return 0;
        }
    }
    check_end(&chain);
    *ret = verdict;
    return 0;
}

// --- reading ----------------------------------------------------------------------------------------

static int to_item(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *entry = NULL;
    TRY(json_parse(&entry, str_of(store_text(r, 0)), ENTRY_MAX_BYTES));
    FAIL_IF(json_object_set_new(entry, "hash", json_string(store_text(r, 1))) != 0,
            ERR_NOMEM, "an audit entry");
    *ret = TAKE(entry);
    return 0;
}

int insight_audit_list(struct store_tx *tx, const char *subject, int64_t before,
                       int limit, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(cstr_free) char *end = NULL;
    size_t len = subject ? strlen(subject) : 0;
    if (len && subject[len - 1] == '/') {
        TRY(cstr_printf(&end, "%s\xff", subject)); // no text holds that byte
    }
    TRY(store_query(tx, &r,
                    "SELECT entry, hash FROM insight_audit WHERE seq < ?1 AND"
                    " (?2 IS NULL OR subject = ?2 OR"
                    "  (?3 IS NOT NULL AND subject >= ?2 AND subject < ?3))"
                    " ORDER BY seq DESC LIMIT ?4",
                    "issi", before ? before : INT64_MAX, len ? subject : NULL, end,
                    (int64_t)limit));
    return store_array(r, to_item, ret);
}
