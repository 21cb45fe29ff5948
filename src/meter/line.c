// SPDX-License-Identifier: Apache-2.0
//
// What a meter sends.
//
// A counter sends how many more there were since the last flush. A timer cannot: the protocol has one
// number a line, and a line for each time that something took would be as many lines as there are events.
// So it sends the four series that a receiver makes of those lines, under the tag `statistic` by which
// Atlas knows them, and for percentiles the counts of the buckets under `percentile`:
//
//     c:http.time,route=x,statistic=count:12            m:http.time,route=x,statistic=max:0.5
//     c:http.time,route=x,statistic=totalTime:1.75      c:http.time,route=x,percentile=T00A3,statistic=percentile:3
//     c:http.time,route=x,statistic=totalOfSquares:0.4
//
// A receiver gives `statistic=count` only to counters that name none, so these arrive as what its own
// timers become, exactly: count, sum, squares and maximum add up over any number of senders.
#include "meter/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char meter_letters[METER_TYPE_COUNT] = {
#define X(name, letter) [METER_##name] = letter,
    METER_TYPES(X)
#undef X
};

// --- numbers ----------------------------------------------------------------------------------------

void line_real(struct buf *out, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) {
        snprintf(text, sizeof text, "%.17g", value);
    }
    buf_cstr(out, text);
}

void line_seconds(struct buf *out, uint64_t ns)
{
    char text[32];
    int n =
        snprintf(text, sizeof text, "%llu.%09llu", (unsigned long long)(ns / 1000000000),
                 (unsigned long long)(ns % 1000000000));
    while (n > 0 && text[n - 1] == '0') {
        n--;
    }
    n -= n > 0 && text[n - 1] == '.';
    buf_add(out, text, (size_t)n);
}

// Buckets of spectator's histograms: bounds 1, 2, 3 and then, from each power of 4 on, steps of a third
// of it (rounded down): eleven of 1 from 4 on, then nine a power. An amount is in the first bucket whose
// bound is over it; the little that lies behind the last step of a power is counted with the next one, as
// spectator does.
unsigned meter_bucket(uint64_t amount)
{
    if (amount < 4) {
        return (unsigned)amount;
    }
    unsigned power = (63 - (unsigned)__builtin_clzll(amount)) / 2;
    uint64_t base = UINT64_C(1) << (2 * power);
    uint64_t steps = (amount - base) / (base / 3);
    uint64_t bucket = (power == 1 ? 4 : 15 + 9 * (power - 2)) + steps;
    return (unsigned)MIN(bucket, METER_BUCKETS - 1);
}

// --- lines of a meter ---------------------------------------------------------------------------------

void line_begin(struct buf *out, enum meter_type type)
{
    buf_char(out, meter_letters[type]);
    buf_char(out, ':');
}

static void begin(struct item *item, enum meter_type type, const char *more,
                  struct buf *out)
{
    line_begin(out, type);
    buf_add(out, item->id, item->id_bytes);
    buf_cstr(out, more);
    buf_char(out, ':');
}

static void end(struct buf *out)
{
    buf_char(out, '\n');
}

static void write_whole(struct item *item, enum meter_type type, const char *more,
                        uint64_t n, struct buf *out)
{
    begin(item, type, more, out);
    buf_printf(out, "%llu", (unsigned long long)n);
    end(out);
}

static bool is_timer(const struct item *item)
{
    return item->type == METER_TIMER || item->type == METER_PERCENTILE_TIMER;
}

static void write_amount(const struct item *item, uint64_t n, struct buf *out)
{
    if (is_timer(item)) {
        line_seconds(out, n);
    } else {
        buf_printf(out, "%llu", (unsigned long long)n);
    }
    end(out);
}

static void write_buckets(struct item *item, const struct folded *f, struct buf *out)
{
    for (unsigned i = 0; f->has_buckets && i < METER_BUCKETS; i++) {
        char more[64];
        if (f->buckets[i]) {
            snprintf(more, sizeof more, ",percentile=%c%04X,statistic=percentile",
                     is_timer(item) ? 'T' : 'D', i);
            write_whole(item, METER_COUNTER, more, f->buckets[i], out);
        }
    }
}

static void write_distribution(struct item *item, struct buf *out)
{
    struct folded f = {0};
    cells_fold_locked(item, &f);
    if (f.sums.count) {
        write_whole(item, METER_COUNTER, ",statistic=count", f.sums.count, out);
        begin(item, METER_COUNTER,
              is_timer(item) ? ",statistic=totalTime" : ",statistic=totalAmount", out);
        write_amount(item, f.sums.total, out);
        begin(item, METER_COUNTER, ",statistic=totalOfSquares", out);
        line_real(out, (double)f.sums.squares / (is_timer(item) ? 1e18 : 1));
        end(out);
    }
    if (f.has_max) {
        begin(item, METER_MAX, ",statistic=max", out);
        write_amount(item, f.max, out);
    }
    write_buckets(item, &f, out);
}

static void write_counter(struct item *item, struct buf *out)
{
    struct folded f = {0};
    cells_fold_locked(item, &f);
    if (f.sums.count) {
        write_whole(item, METER_COUNTER, "", f.sums.count, out);
    }
}

static double value_of(struct item *item)
{
    return meter_real_of(atomic_load_explicit(&item->value, memory_order_relaxed));
}

static void write_real(struct item *item, double v, struct buf *out)
{
    begin(item, item->type, "", out);
    line_real(out, v);
    end(out);
}

static void write_with_option(struct item *item, int64_t option, struct buf *out)
{
    buf_printf(out, "%c,%lld:", meter_letters[item->type], (long long)option);
    buf_add(out, item->id, item->id_bytes);
    buf_char(out, ':');
    line_real(out, value_of(item));
    end(out);
}

static void write_age(struct item *item, bool was_set, struct buf *out)
{
    int64_t now_us = clock_mono_us();
    bool is_due = item->told_age_us && now_us - item->told_age_us >= AGE_TOLD_AGAIN_US;
    if (was_set || is_due) {
        item->told_age_us = now_us;
        begin(item, METER_AGE, "", out);
        line_seconds(out,
                     atomic_load_explicit(&item->value, memory_order_relaxed) * 1000);
        end(out);
    }
}

static void write_set(struct item *item, struct buf *out)
{
    int ttl_s = atomic_load_explicit(&item->ttl_s, memory_order_relaxed);
    if (item->type == METER_GAUGE && ttl_s) {
        write_with_option(item, ttl_s, out);
    } else if (item->type == METER_MONOTONE_AT) {
        write_with_option(item, item->at_ms, out);
    } else if (item->type == METER_MONOTONE_UINT) {
        write_whole(item, item->type, "",
                    atomic_load_explicit(&item->value, memory_order_relaxed), out);
    } else {
        write_real(item, value_of(item), out);
    }
}

static void write_max(struct item *item, struct buf *out)
{
    double v = meter_real_of(atomic_exchange_explicit(
        &item->value, meter_bits_of(-INFINITY), memory_order_relaxed));
    if (isfinite(v)) {
        write_real(item, v, out);
    }
}

void item_write_locked(struct item *item, struct buf *out)
{
    switch (item->type) {
    case METER_COUNTER:
        write_counter(item, out);
        return;
    case METER_SUMMARY:
    case METER_PERCENTILE_SUMMARY:
    case METER_TIMER:
    case METER_PERCENTILE_TIMER:
        write_distribution(item, out);
        return;
    case METER_MAX:
        write_max(item, out);
        return;
    case METER_GAUGE:
    case METER_AGE:
    case METER_MONOTONE:
    case METER_MONOTONE_UINT:
    case METER_MONOTONE_AT:
    case METER_TYPE_COUNT:
        break;
    }
    // Set between this and the reading of its value: told now, and once more at the next flush.
    bool was_set = atomic_exchange_explicit(&item->is_set, false, memory_order_acquire);
    if (item->type == METER_AGE) {
        write_age(item, was_set, out);
    } else if (was_set) {
        write_set(item, out);
    }
}

// --- lines of others -------------------------------------------------------------------------------------

static bool is_word(struct str s, size_t max)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!meter_is_of_word(s.data[i])) {
            return false;
        }
    }
    return s.len > 0 && s.len <= max;
}

static bool is_id(struct str id)
{
    struct str rest = id, part, key;
    size_t tags = 0;
    if (id.len > ID_BYTES_MAX || !str_next(&rest, ',', &part) ||
        !is_word(part, NAME_BYTES_MAX)) {
        return false;
    }
    while (str_next(&rest, ',', &part)) {
        if (!str_next(&part, '=', &key) || !is_word(key, KEY_BYTES_MAX) || !part.data ||
            !is_word(part, VALUE_BYTES_MAX) || ++tags > TAGS_MAX) {
            return false;
        }
    }
    return true;
}

static bool is_head(struct str head)
{
    int64_t option = 0;
    struct str rest = head, letter;
    if (!str_next(&rest, ',', &letter) || letter.len != 1 ||
        !memchr(meter_letters, letter.data[0], sizeof meter_letters)) {
        return false;
    }
    bool takes = letter.data[0] == 'g' || letter.data[0] == 'X';
    bool needs = letter.data[0] == 'X';
    return rest.data ? takes && str_to_i64(rest, 0, INT64_MAX, &option) == 0 : !needs;
}

// Decimal alone: strtod would take "0x10", "inf" and "nan" as well.
static bool is_number(struct str s, char letter)
{
    double value = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && (letter == 'U' || !memchr("+-.eE", c, 5))) {
            return false;
        }
    }
    return s.len > 0 && s.len <= (letter == 'U' ? 20 : 40) &&
           str_to_double(s, -1e308, 1e308, &value) == 0;
}

bool line_is_good(struct str line)
{
    struct str rest = line, head, id;
    return line.len <= LINE_BYTES_MAX && str_next(&rest, ':', &head) && is_head(head) &&
           str_next(&rest, ':', &id) && is_id(id) && rest.data &&
           is_number(rest, head.data[0]);
}
