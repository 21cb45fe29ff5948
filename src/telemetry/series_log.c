// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/forget.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLES_AT_ONCE 64
#define STATES_AT_ONCE  256
#define SAMPLE_BYTES    (2 * PACK_VARINT_MAX + 8)

// --- writing --------------------------------------------------------------------------------------

void series_log_series(struct telemetry *t, uint32_t series, enum telemetry_dstype dstype,
                       const struct telemetry_tags *tags)
{
    AUTO(buf_free) struct buf b = {0};
    pack_varint(&b, series);
    buf_char(&b, (char)dstype);
    pack_varint(&b, tags->count);
    for (size_t i = 0; i < tags->count; i++) {
        pack_varint(&b, tags->list[i].key.len);
        buf_str(&b, tags->list[i].key);
        pack_varint(&b, tags->list[i].value.len);
        buf_str(&b, tags->list[i].value);
    }
    journal_add(t->journal, SERIES_RECORD_SERIES, buf_view(&b));
}

void series_log_samples(struct telemetry *t, const struct telemetry_sample *samples,
                        uint64_t taken)
{
    uint8_t bytes[SAMPLES_AT_ONCE * SAMPLE_BYTES];
    size_t len = 0;
    int64_t series = 0, at_ms = 0;
    for (; taken; taken &= taken - 1) {
        const struct telemetry_sample *s = &samples[__builtin_ctzll(taken)];
        len += pack_varint_to(bytes + len, pack_zigzag((int64_t)s->series - series));
        len += pack_varint_to(bytes + len, pack_zigzag(s->at_ms - at_ms));
        uint64_t bits;
        memcpy(&bits, &s->value, sizeof bits);
        bits = htole64(bits);
        memcpy(bytes + len, &bits, sizeof bits);
        len += sizeof bits;
        series = s->series;
        at_ms = s->at_ms;
    }
    journal_add(t->journal, SERIES_RECORD_SAMPLES, (struct str){(char *)bytes, len});
}

void series_log_visible(struct telemetry *t, int64_t slot)
{
    AUTO(buf_free) struct buf b = {0};
    pack_varint(&b, (uint64_t)t->step_ms);
    pack_u64(&b, (uint64_t)slot);
    journal_add(t->journal, SERIES_RECORD_VISIBLE, buf_view(&b));
}

static void add_state(struct telemetry *t, uint32_t series, struct buf *out)
{
    const struct grid_state *s = head_state_locked(&t->head, series);
    if (s->last_ms == GRID_NEVER) {
        return;
    }
    pack_varint(out, series);
    pack_u64(out, (uint64_t)s->last_ms);
    pack_u64(out, (uint64_t)s->rated_ms);
    pack_double(out, s->last);
    pack_double(out, s->weighted);
}

static void add_row(const struct head_window *w, uint32_t series, struct buf *out)
{
    const double *row = head_row(w, series);
    uint32_t there = 0;
    for (int i = 0; row && i < HEAD_SLOTS; i++) {
        there |= (uint32_t)!isnan(row[i]) << i;
    }
    if (there == 0) {
        return;
    }
    pack_varint(out, series);
    pack_varint(out, (uint64_t)w->first);
    pack_u32(out, there);
    for (; there; there &= there - 1) {
        pack_double(out, row[__builtin_ctz(there)]);
    }
}

// Piece by piece: who appends in between has what it appends behind the piece, in the log as in memory.
int series_log_state(struct telemetry *t)
{
    AUTO(buf_free) struct buf states = {0}, rows = {0};
    uint32_t count = index_numbers(t->index);
    for (uint32_t at = 0; at < count; at += STATES_AT_ONCE) {
        buf_clear(&states);
        buf_clear(&rows);
        pack_varint(&states, (uint64_t)t->step_ms);
        pack_varint(&rows, (uint64_t)t->step_ms);
        size_t nothing = rows.len;
        pthread_mutex_lock(&t->head.lock);
        for (uint32_t s = at; s < MIN(at + STATES_AT_ONCE, count); s++) {
            add_state(t, s, &states);
            vec_for_each (w, &t->head.open) {
                add_row(*w, s, &rows);
            }
        }
        int err = states.err < 0 ? states.err : rows.err;
        if (err == 0 && states.len > nothing) {
            journal_add(t->journal, SERIES_RECORD_STATES, buf_view(&states));
        }
        if (err == 0 && rows.len > nothing) {
            journal_add(t->journal, SERIES_RECORD_ROWS, buf_view(&rows));
        }
        pthread_mutex_unlock(&t->head.lock);
        TRY(err);
        TRY(journal_flush_if_full(t->journal));
    }
    pthread_mutex_lock(&t->head.lock);
    if (t->head.visible > 0) {
        series_log_visible(t, t->head.visible);
    }
    pthread_mutex_unlock(&t->head.lock);
    return journal_check(t->journal);
}

// --- reading --------------------------------------------------------------------------------------
// A record whose checksum is right but that makes no sense was written by a program that is not this one:
// what of it cannot be is left out.

int series_read_tags(struct unpack *u, struct telemetry_tag ret[INDEX_TAGS_MAX],
                     size_t *ret_count)
{
    uint64_t count = unpack_varint(u);
    FAIL_IF(u->bad || count == 0 || count > INDEX_TAGS_MAX, ERR_CORRUPT, "tags");
    for (size_t i = 0; i < count; i++) {
        size_t len = unpack_varint(u);
        ret[i].key = (struct str){(const char *)unpack_bytes(u, len), len};
        len = unpack_varint(u);
        ret[i].value = (struct str){(const char *)unpack_bytes(u, len), len};
        FAIL_IF(ret[i].key.len == 0 || ret[i].key.len > SERIES_TEXT_MAX || len == 0 ||
                    len > SERIES_TEXT_MAX,
                ERR_CORRUPT, "tags");
    }
    FAIL_IF(u->bad, ERR_CORRUPT, "tags");
    *ret_count = count;
    return 0;
}

// Numbers that nothing describes any more.
int series_skip_to(struct telemetry *t, uint32_t number)
{
    index_lock_write(t->index);
    int err = index_skip_locked(t->index, number);
    index_unlock(t->index);
    while (err == 0 && t->head.series < number) {
        err = head_add_series_locked(&t->head, TELEMETRY_GAUGE);
    }
    return err;
}

int series_restore(struct telemetry *t, uint32_t number, uint8_t dstype,
                   const struct telemetry_tags *tags)
{
    uint32_t added;
    if (number < index_numbers(t->index) || number >= INDEX_NONE - 1 ||
        number - index_numbers(t->index) > t->config.max_series ||
        dstype > TELEMETRY_SUM) {
        return 0;
    }
    TRY(series_skip_to(t, number));
    index_lock_write(t->index);
    uint32_t before = index_find_locked(t->index, tags);
    index_unlock(t->index);
    if (before != INDEX_NONE) {
        forget_one(t, before); // it was, and then came again
    }
    index_lock_write(t->index);
    int err = index_add_locked(t->index, tags, dstype, &added);
    index_unlock(t->index);
    TRY(err);
    return head_add_series_locked(&t->head, dstype);
}

static int read_series(struct telemetry *t, struct unpack *u)
{
    struct telemetry_tag list[INDEX_TAGS_MAX];
    struct telemetry_tags tags = {.list = list};
    uint64_t number = unpack_varint(u);
    uint8_t dstype = unpack_u8(u);
    if (number >= INDEX_NONE || series_read_tags(u, list, &tags.count) < 0) {
        return 0;
    }
    return series_restore(t, (uint32_t)number, dstype, &tags);
}

static int read_samples(struct telemetry *t, struct unpack *u)
{
    const struct head_bounds all = {
        .oldest_ms = 1, .recent_ms = 1, .newest_ms = SERIES_LATEST_MS};
    uint64_t series = 0, at_ms = 0;
    while (unpack_left(u) > 0) {
        series += (uint64_t)pack_unzigzag(unpack_varint(u));
        at_ms += (uint64_t)pack_unzigzag(unpack_varint(u));
        struct telemetry_sample s = {
            .series = (uint32_t)MIN(series, (uint64_t)UINT32_MAX),
            .at_ms = (int64_t)at_ms,
            .value = unpack_double(u),
        };
        if (u->bad) {
            return 0;
        }
        TRY(head_take_locked(&t->head, &all, &s));
    }
    return 0;
}

static int read_states(struct telemetry *t, struct unpack *u)
{
    while (unpack_left(u) > 0) {
        uint64_t series = unpack_varint(u);
        struct grid_state s = {.last_ms = (int64_t)unpack_u64(u)};
        s.rated_ms = (int64_t)unpack_u64(u);
        s.last = unpack_double(u);
        s.weighted = unpack_double(u);
        if (u->bad || s.last_ms > SERIES_LATEST_MS || s.rated_ms > SERIES_LATEST_MS) {
            return 0;
        }
        if (series < t->head.series) {
            struct grid_state *at = head_state_locked(&t->head, (uint32_t)series);
            s.dstype = at->dstype;
            *at = s;
        }
    }
    return 0;
}

static int read_rows(struct telemetry *t, struct unpack *u)
{
    while (unpack_left(u) > 0) {
        uint64_t series = unpack_varint(u), first = unpack_varint(u);
        uint32_t there = unpack_u32(u);
        for (; there && !u->bad; there &= there - 1) {
            uint64_t slot = first + (unsigned)__builtin_ctz(there);
            double value = unpack_double(u);
            if (!u->bad && isfinite(value) && series < t->head.series && slot > 0 &&
                slot <= (uint64_t)(SERIES_LATEST_MS / t->step_ms)) {
                TRY(head_put_locked(&t->head, (uint32_t)series, (int64_t)slot, value));
            }
        }
    }
    return 0;
}

static int read_record(void *user, uint8_t type, struct str payload)
{
    struct telemetry *t = user;
    struct unpack u = unpack_of(payload.data, payload.len);
    if (type == SERIES_RECORD_SERIES) {
        return read_series(t, &u);
    }
    if (type == SERIES_RECORD_SAMPLES) {
        return read_samples(t, &u);
    }
    if (type >= SERIES_RECORD_VISIBLE && unpack_varint(&u) != (uint64_t)t->step_ms) {
        return 0;
    }
    if (type == SERIES_RECORD_STATES) {
        return read_states(t, &u);
    }
    if (type == SERIES_RECORD_ROWS) {
        return read_rows(t, &u);
    }
    if (type == SERIES_RECORD_VISIBLE) {
        int64_t slot = (int64_t)unpack_u64(&u);
        t->head.visible = u.bad ? t->head.visible : MAX(t->head.visible, slot);
    }
    return 0;
}

int series_log_open(struct telemetry *t)
{
    return journal_open(&t->journal, &(struct journal_config){
                                         .dir = t->dir,
                                         .on_record = read_record,
                                         .on_corrupt = series_corrupt,
                                         .user = t,
                                     });
}
