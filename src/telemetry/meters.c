// SPDX-License-Identifier: GPL-3.0-or-later
//
// The registry of meters. A line costs one hash of its id as it was sent and one look into `ids`; only an id
// that was never seen is split, mapped and sorted. Ids that differ in the order of their tags, or in
// characters that are mapped, are names of the same meter:
//
//     "hits,b=2,a=1" ─▶ ids ─┐
//     "hits,a=1,b=2" ─▶ ids ─┴▶ list[7] ─▶ series of hits, a=1, atlas.dstype=rate, b=2, statistic=count
//
// A meter whose time is over stays, marked, until there are many of these: the next line revives it.
#include "telemetry/intake.h"
#include "telemetry/percentile.h"

#include <stdio.h>
#include <stdlib.h>

#define LIFETIME_MS      INT64_C(900000)
#define TTL_LEAST_S      5
#define MAX_METERS       500000
#define MAX_AGES         1000
#define ALIASES          4 // names that a meter has, at most and on average
#define SWEEP_LEAST      64
#define CANONICAL_BYTES  (LINE_ID_MAX + 8)
#define PERCENTILE_BYTES 8 // "T00FA"

struct statistic {
    const char *name;
    enum telemetry_dstype dstype; // as its tag says
    bool single;                  // of its meter
};

static const struct statistic counted[METER_SERIES] = {{"count", TELEMETRY_RATE, true}};
static const struct statistic measured[METER_SERIES] = {{"gauge", TELEMETRY_GAUGE, true}};
static const struct statistic largest[METER_SERIES] = {{"max", TELEMETRY_GAUGE, true}};
static const struct statistic timed[METER_SERIES] = {
    {"count", TELEMETRY_RATE, false},
    {"totalTime", TELEMETRY_RATE, false},
    {"totalOfSquares", TELEMETRY_RATE, false},
    {"max", TELEMETRY_GAUGE, false}};
static const struct statistic summed[METER_SERIES] = {
    {"count", TELEMETRY_RATE, false},
    {"totalAmount", TELEMETRY_RATE, false},
    {"totalOfSquares", TELEMETRY_RATE, false},
    {"max", TELEMETRY_GAUGE, false}};

static const struct statistic *const statistics[LINE_TYPE_COUNT] = {
    [LINE_COUNTER] = counted,    [LINE_SUMMARY] = summed,      [LINE_SUMMARY_P] = summed,
    [LINE_TIMER] = timed,        [LINE_TIMER_P] = timed,       [LINE_MAX] = largest,
    [LINE_GAUGE] = measured,     [LINE_AGE] = measured,        [LINE_MONOTONE] = counted,
    [LINE_MONOTONE_U] = counted, [LINE_MONOTONE_AT] = counted,
};

int meters_open(struct meters *m, const struct telemetry_intake_config *c)
{
    m->store = c->store;
    m->max = c->max_meters ? c->max_meters : MAX_METERS;
    m->max_ages = c->max_age_gauges ? c->max_age_gauges : MAX_AGES;
    TRY(arena_new(&m->texts));
    for (size_t i = 0; c->common && i < c->common->count; i++) {
        const struct telemetry_tag *tag = &c->common->list[i];
        char *key = arena_dup(m->texts, tag->key),
             *value = arena_dup(m->texts, tag->value);
        FAIL_IF(!key || !value, ERR_NOMEM, "common tags");
        tag_list_set(&m->common, (struct str){key, tag->key.len},
                     (struct str){value, tag->value.len});
    }
    return id_table_new(&m->ids);
}

static void meter_release(struct intake_meter *meter)
{
    vec_free(&meter->buckets);
    free(meter->id);
    *meter = (struct intake_meter){.seen_ms = INT64_MIN};
}

void meters_close(struct meters *m)
{
    vec_for_each (meter, &m->list) {
        meter_release(meter);
    }
    vec_free(&m->list);
    vec_free(&m->unused);
    id_table_free(&m->ids);
    arena_free(&m->texts);
}

// --- series ---------------------------------------------------------------------------------

// Rates come as what a step counted, divided by its seconds, and are added up within the step.
static int series_of(struct meters *m, struct str id, const struct statistic *statistic,
                     const char *percentile, uint32_t *ret)
{
    struct tag_list tags = {0};
    struct line_tag parts[LINE_TAGS_MAX];
    struct str name;
    size_t count = 0;
    enum line_fault fault = line_id_split(id, &name, parts, &count);
    ASSERT(fault == LINE_GOOD && count <= LINE_TAGS_MAX);
    for (size_t i = 0; i < count; i++) {
        tag_list_set(&tags, parts[i].key, parts[i].value);
    }
    // A client that makes percentiles itself sends counters that say so.
    if (!statistic->single || !tag_list_has(&tags, "statistic")) {
        tag_list_set(&tags, STR("statistic"), str_of(statistic->name));
    }
    if (percentile) {
        tag_list_set(&tags, STR("percentile"), str_of(percentile));
    }
    bool rate = statistic->dstype == TELEMETRY_RATE;
    tag_list_set(&tags, STR("atlas.dstype"), rate ? STR("rate") : STR("gauge"));
    for (size_t i = 0; i < m->common.count; i++) {
        tag_list_set(&tags, m->common.list[i].key, m->common.list[i].value);
    }
    tag_list_set(&tags, STR("name"), name);
    FAIL_IF(tags.over, ERR_LIMIT, "too many tags");
    struct telemetry_tags sorted = tag_list_tags(&tags);
    return telemetry_series_of(m->store, &sorted, rate ? TELEMETRY_SUM : TELEMETRY_GAUGE,
                               ret);
}

// Every statistic of a meter, or none.
static int make_series(struct meters *m, struct intake_meter *meter)
{
    const struct statistic *list = statistics[meter->type];
    struct str id = {meter->id, meter->id_len};
    for (size_t i = 0; i < METER_SERIES && list[i].name; i++) {
        TRY(series_of(m, id, &list[i], NULL, &meter->series[i]));
    }
    return 0;
}

// --- ids ------------------------------------------------------------------------------------

// Mapped and sorted. ERR_INVALID: it is no id; ERR_LIMIT.
static int make_canonical(struct str id, char out[CANONICAL_BYTES], uint32_t *ret_len)
{
    char mapped[LINE_ID_MAX];
    struct line_tag parts[LINE_TAGS_MAX];
    struct str name;
    size_t count = 0;
    if (line_id_split(id, &name, parts, &count) != LINE_GOOD) {
        return ERR_INVALID;
    }
    if (count > LINE_TAGS_MAX) {
        return ERR_LIMIT;
    }
    line_map(id, mapped); // places stay: only the separators between parts are lost
    ptrdiff_t shift = mapped - id.data;
    struct tag_list tags = {0};
    for (size_t i = 0; i < count; i++) {
        tag_list_set(&tags, (struct str){parts[i].key.data + shift, parts[i].key.len},
                     (struct str){parts[i].value.data + shift, parts[i].value.len});
    }
    struct telemetry_tags sorted = tag_list_tags(&tags);
    memcpy(out, name.data + shift, name.len);
    size_t len = name.len;
    for (size_t i = 0; i < sorted.count; i++) {
        const struct telemetry_tag *tag = &sorted.list[i];
        out[len++] = ',';
        memcpy(out + len, tag->key.data, tag->key.len);
        len += tag->key.len;
        out[len++] = '=';
        memcpy(out + len, tag->value.data, tag->value.len);
        len += tag->value.len;
    }
    *ret_len = (uint32_t)len;
    return 0;
}

static int take_place(struct meters *m, uint32_t *ret)
{
    if (m->unused.len) {
        *ret = m->unused.data[--m->unused.len];
        return 0;
    }
    if (m->list.len >= m->max) {
        return ERR_LIMIT;
    }
    TRY(vec_push(&m->list, (struct intake_meter){.seen_ms = INT64_MIN}));
    *ret = (uint32_t)(m->list.len - 1);
    return 0;
}

static int make_meter(struct meters *m, enum line_type type, struct str canonical,
                      uint32_t *ret)
{
    uint32_t at = 0;
    if (type == LINE_AGE && m->ages >= m->max_ages) {
        return ERR_LIMIT;
    }
    TRY(take_place(m, &at));
    struct intake_meter *meter = &m->list.data[at];
    meter->type = (uint8_t)type;
    meter->ttl_ms = type == LINE_AGE ? INT64_MAX : LIFETIME_MS;
    meter->shown_ms = INT64_MIN;
    meter->id_len = (uint32_t)canonical.len;
    meter->id = malloc(canonical.len);
    int err = meter->id ? 0 : ERR_NOMEM;
    if (err == 0) {
        memcpy(meter->id, canonical.data, canonical.len);
        err = make_series(m, meter);
    }
    if (err == 0) {
        err = id_table_add(&m->ids, id_hash(&m->ids, type, canonical), canonical, at);
    }
    if (err < 0) {
        meter_release(meter);
        TRY(vec_push(&m->unused, at));
        return err;
    }
    m->ages += type == LINE_AGE;
    *ret = at;
    return 0;
}

// An id that was never seen: another name of a meter, or a new one.
static int learn(struct meters *m, const struct line *l, uint64_t hash, uint32_t *ret)
{
    char text[CANONICAL_BYTES];
    struct str canonical = {text, 0};
    uint32_t len = 0, at = ID_NONE;
    TRY(make_canonical(l->id, text, &len));
    canonical.len = len;
    bool alias = !str_eq(canonical, l->id);
    if (alias) {
        at = id_table_find(&m->ids, id_hash(&m->ids, l->type, canonical), canonical);
    }
    if (at == ID_NONE) {
        TRY(make_meter(m, l->type, canonical, &at));
    }
    if (alias && m->ids.count < (size_t)m->max * ALIASES) {
        TRY(id_table_add(&m->ids, hash, l->id, at));
    }
    *ret = at;
    return 0;
}

// --- values ---------------------------------------------------------------------------------

static int count_bucket(struct meters *m, struct intake_meter *meter, double amount)
{
    int64_t whole = amount < 0x1p63 ? (int64_t)amount : INT64_MAX;
    uint16_t bucket = (uint16_t)percentile_bucket(whole);
    size_t low = 0, high = meter->buckets.len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (meter->buckets.data[middle].bucket < bucket) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < meter->buckets.len && meter->buckets.data[low].bucket == bucket) {
        meter->buckets.data[low].count++;
        return 0;
    }
    static const struct statistic percentile = {"percentile", TELEMETRY_RATE, false};
    struct meter_bucket made = {.bucket = bucket, .count = 1};
    char tag[PERCENTILE_BYTES];
    snprintf(tag, sizeof tag, "%c%04X", meter->type == LINE_TIMER_P ? 'T' : 'D', bucket);
    struct str id = {meter->id, meter->id_len};
    TRY(series_of(m, id, &percentile, tag, &made.series));
    TRY(vec_push(&meter->buckets, made));
    struct meter_bucket *list = meter->buckets.data;
    memmove(&list[low + 1], &list[low], (meter->buckets.len - 1 - low) * sizeof *list);
    list[low] = made;
    return 0;
}

static enum line_fault take_amount(struct meters *m, struct intake_meter *meter,
                                   double amount, struct line_counts *counts)
{
    if (amount < 0) {
        return LINE_BAD_VALUE;
    }
    meter->count += 1;
    meter->total += amount;
    meter->squares += amount * amount;
    meter->max = MAX(meter->max, amount);
    meter->touched = true;
    bool timer = meter->type == LINE_TIMER_P;
    if ((timer || meter->type == LINE_SUMMARY_P) &&
        count_bucket(m, meter, timer ? amount * 1e9 : amount) < 0) {
        counts->over_limit++;
    }
    return LINE_GOOD;
}

// A smaller value is a restart: counting begins anew from there.
static enum line_fault take_monotone(struct intake_meter *meter, const struct line *l)
{
    bool timed_one = l->type == LINE_MONOTONE_AT;
    if (l->value < 0 || (timed_one && meter->has_base && l->option <= meter->at_ms)) {
        return LINE_BAD_VALUE;
    }
    if (meter->has_base) {
        meter->count += l->value > meter->base ? l->value - meter->base : 0;
        meter->touched = true;
    }
    meter->base = l->value;
    meter->at_ms = l->option;
    meter->has_base = true;
    return LINE_GOOD;
}

// Differences are taken modulo 2^64, so that a rollover is one of them; one of half the range and more is a
// restart.
static enum line_fault take_whole(struct intake_meter *meter, uint64_t whole)
{
    if (meter->has_base) {
        uint64_t more = whole - meter->base_whole;
        meter->count += more <= UINT64_MAX / 2 ? (double)more : 0;
        meter->touched = true;
    }
    meter->base_whole = whole;
    meter->has_base = true;
    return LINE_GOOD;
}

static enum line_fault apply(struct meters *m, struct intake_meter *meter,
                             const struct line *l, struct line_counts *counts)
{
    switch (l->type) {
    case LINE_COUNTER:
        if (l->value < 0) {
            return LINE_BAD_VALUE;
        }
        meter->count += l->value;
        meter->touched = true;
        return LINE_GOOD;
    case LINE_SUMMARY:
    case LINE_SUMMARY_P:
    case LINE_TIMER:
    case LINE_TIMER_P:
        return take_amount(m, meter, l->value, counts);
    case LINE_MAX:
        meter->max = meter->touched ? MAX(meter->max, l->value) : l->value;
        meter->touched = true;
        return LINE_GOOD;
    case LINE_GAUGE:
        meter->value = l->value;
        meter->ttl_ms = l->option < 0 ? LIFETIME_MS : MAX(l->option, TTL_LEAST_S) * 1000;
        meter->touched = true;
        return LINE_GOOD;
    case LINE_AGE:
        if (l->value < 0) {
            return LINE_BAD_VALUE;
        }
        meter->value = l->value > 0 ? l->value : (double)meter->seen_ms / 1000;
        meter->touched = true;
        return LINE_GOOD;
    case LINE_MONOTONE:
    case LINE_MONOTONE_AT:
        return take_monotone(meter, l);
    case LINE_MONOTONE_U:
        return take_whole(meter, l->whole);
    case LINE_TYPE_COUNT:
        break;
    }
    return LINE_MALFORMED;
}

static void note(struct line_counts *counts, enum line_fault fault)
{
    counts->malformed += fault == LINE_MALFORMED;
    counts->bad_value += fault == LINE_BAD_VALUE;
}

static bool is_over(const struct intake_meter *meter, int64_t now_ms)
{
    return now_ms - meter->seen_ms > meter->ttl_ms;
}

// As a new one, but for its series.
static void revive(struct meters *m, struct intake_meter *meter)
{
    vec_for_each (bucket, &meter->buckets) {
        bucket->count = 0;
    }
    meter->count = meter->total = meter->squares = meter->max = 0;
    meter->has_base = meter->touched = meter->expired = false;
    meter->shown_ms = INT64_MIN;
    m->expired--;
}

void meters_line(struct meters *m, struct str text, int64_t now_ms,
                 struct line_counts *counts)
{
    struct line l;
    counts->lines++;
    enum line_fault fault = line_read(text, &l);
    if (fault != LINE_GOOD) {
        note(counts, fault);
        return;
    }
    uint64_t hash = id_hash(&m->ids, l.type, l.id);
    uint32_t at = id_table_find(&m->ids, hash, l.id);
    if (at == ID_NONE) {
        int err = learn(m, &l, hash, &at);
        if (err < 0) {
            counts->malformed += err == ERR_INVALID;
            counts->over_limit += err != ERR_INVALID;
            return;
        }
    }
    struct intake_meter *meter = &m->list.data[at];
    if (meter->expired) {
        revive(m, meter);
    }
    meter->seen_ms = now_ms;
    note(counts, apply(m, meter, &l, counts));
}

// --- flush ----------------------------------------------------------------------------------

static int put(sample_list *out, uint32_t series, int64_t at_ms, double value)
{
    return vec_push(out, (struct telemetry_sample){series, at_ms, value});
}

// What stands still is said once a step.
static int flush_gauge(struct intake_meter *meter, int64_t at_ms, int64_t step_ms,
                       sample_list *out)
{
    double value =
        meter->type == LINE_AGE ? (double)at_ms / 1000 - meter->value : meter->value;
    bool shown = meter->shown_ms != INT64_MIN &&
                 (meter->shown_ms - 1) / step_ms == (at_ms - 1) / step_ms;
    if (shown && meter->shown <= value && meter->shown >= value) {
        return 0;
    }
    meter->shown = value;
    meter->shown_ms = at_ms;
    return put(out, meter->series[0], at_ms, value);
}

static int flush_counted(struct intake_meter *meter, int64_t at_ms, int64_t step_ms,
                         sample_list *out)
{
    double seconds = (double)step_ms / 1000;
    const struct statistic *list = statistics[meter->type];
    double values[METER_SERIES] = {meter->count / seconds, meter->total / seconds,
                                   meter->squares / seconds, meter->max};
    if (list == largest) {
        TRY(put(out, meter->series[0], at_ms, meter->max));
    }
    for (size_t i = 0; list != largest && i < METER_SERIES && list[i].name; i++) {
        TRY(put(out, meter->series[i], at_ms, values[i]));
    }
    vec_for_each (bucket, &meter->buckets) {
        if (bucket->count) {
            TRY(put(out, bucket->series, at_ms, (double)bucket->count / seconds));
            bucket->count = 0;
        }
    }
    meter->count = meter->total = meter->squares = meter->max = 0;
    meter->touched = false;
    return 0;
}

// Of timed samples the time is theirs, where the store still has that step open.
static int64_t time_of(const struct intake_meter *meter, int64_t at_ms, int64_t step_ms)
{
    return meter->type == LINE_MONOTONE_AT ? CLAMP(meter->at_ms, at_ms - step_ms, at_ms)
                                           : at_ms;
}

static bool is_kept(void *user, uint32_t at)
{
    struct meters *m = user;
    return !m->list.data[at].expired;
}

static int sweep(struct meters *m)
{
    TRY(vec_reserve(&m->unused, m->unused.len + m->expired));
    TRY(id_table_sweep(&m->ids, is_kept, m));
    for (uint32_t i = 0; i < m->list.len; i++) {
        if (m->list.data[i].expired) {
            meter_release(&m->list.data[i]);
            TRY(vec_push(&m->unused, i));
        }
    }
    m->expired = 0;
    return 0;
}

int meters_flush(struct meters *m, int64_t at_ms, int64_t step_ms, enum meters_flush how,
                 sample_list *out)
{
    vec_for_each (meter, &m->list) {
        if (meter->seen_ms == INT64_MIN || meter->expired) {
            continue;
        }
        bool gauge = meter->type == LINE_GAUGE || meter->type == LINE_AGE;
        bool over = is_over(meter, at_ms);
        if (gauge && !over) {
            TRY(flush_gauge(meter, at_ms, step_ms, out));
        } else if (!gauge && meter->touched && how == METERS_STEP_ENDS) {
            TRY(flush_counted(meter, time_of(meter, at_ms, step_ms), step_ms, out));
        } else if (over && (gauge || !meter->touched)) {
            meter->expired = true;
            m->expired++;
        }
    }
    return m->expired >= MAX(SWEEP_LEAST, m->list.len / 4) ? sweep(m) : 0;
}
