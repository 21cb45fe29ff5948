// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/series_parts.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLES_AT_ONCE 64
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
    pack_u64(&b, (uint64_t)slot);
    journal_add(t->journal, SERIES_RECORD_VISIBLE, buf_view(&b));
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
    }
    FAIL_IF(u->bad, ERR_CORRUPT, "tags");
    *ret_count = count;
    return 0;
}

// Numbers that nothing describes any more.
static int skip_to(struct telemetry *t, uint32_t number)
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
    TRY(skip_to(t, number));
    index_lock_write(t->index);
    int err = index_find_locked(t->index, tags) != INDEX_NONE
                  ? index_skip_locked(t->index, number + 1)
                  : index_add_locked(t->index, tags, dstype, &added);
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
