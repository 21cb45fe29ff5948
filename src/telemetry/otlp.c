// SPDX-License-Identifier: GPL-3.0-or-later
//
// OTLP metrics over HTTP, in protobuf (https://opentelemetry.io/docs/specs/otlp/):
//
//     Request { ResourceMetrics 1 { Resource 1 { KeyValue 1 }, ScopeMetrics 2 { Metric 2 } } }
//     Metric { name 1, Gauge 5 | Sum 7 | Histogram 9 { points 1, temporality 2, is_monotonic 3 } }
//     point of a number { time 3 (ns), double 4 | int 6, KeyValue 7 }
//     point of a histogram { time 3, count 4, sum 5, KeyValue 9 }
//
// A sum that only grows is a counter where it is told whole, a sum of the step where differences are told; of a
// histogram count and totalAmount are kept. What else there is (exponential histograms, summaries) is dropped.
#include "telemetry/intake.h"
#include "telemetry/proto.h"

#include <stdio.h>
#include <stdlib.h>

#define VALUE_BYTES 32 // a number as text
#define OWN_TAGS    32 // numbers and flags among a point's attributes

enum { DELTA = 1, CUMULATIVE = 2 };

struct point {
    struct telemetry_sample sample;
    uint64_t count; // of a histogram
    bool has_value;
    struct tag_list tags;
    char texts[OWN_TAGS][VALUE_BYTES]; // of values that came as numbers
    size_t text_count;
};

static void point_free(struct point **p)
{
    free(*p);
}

struct metric {
    struct str name;
    struct tag_list shared; // of its resource
    uint64_t temporality;
    bool grows, histogram;
};

// --- attributes -----------------------------------------------------------------------------

static struct str spell(struct point *p, const struct proto_field *f)
{
    if (p->text_count == OWN_TAGS) {
        return STR("");
    }
    char *text = p->texts[p->text_count++];
    if (f->number == 2) {
        return f->value ? STR("true") : STR("false");
    }
    if (f->number == 3) {
        snprintf(text, VALUE_BYTES, "%lld", (long long)f->value);
    } else {
        snprintf(text, VALUE_BYTES, "%.9g", proto_double(f->value));
    }
    return str_of(text);
}

// KeyValue { key 1, AnyValue 2 { string 1 | bool 2 | int 3 | double 4 } }; lists and bytes are no tags.
static int read_attribute(struct str message, struct point *texts, struct tag_list *tags)
{
    struct proto p = proto_of(message);
    struct proto_field f, v;
    struct str key = STR(""), value = STR("");
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.kind != PROTO_BYTES) {
            return ERR_INVALID;
        }
        if (f.number == 1) {
            key = f.bytes;
        }
        struct proto any = proto_of(f.number == 2 ? f.bytes : STR(""));
        int rest = 0;
        while ((rest = proto_next(&any, &v)) > 0) {
            bool number = (v.number <= 3 && v.kind == PROTO_VARINT) ||
                          (v.number == 4 && v.kind == PROTO_FIXED64);
            value = v.number == 1 && v.kind == PROTO_BYTES ? v.bytes
                    : number && texts                      ? spell(texts, &v)
                                                           : value;
        }
        TRY(rest);
    }
    TRY(more);
    return tag_list_label(tags, key, value);
}

// Who sends; the rest of a resource would use up the tags of each series.
static bool is_identity(struct str key)
{
    static const char *const keys[] = {"service.name", "service.namespace",
                                       "service.instance.id", "host.name"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq_c(key, keys[i])) {
            return true;
        }
    }
    return false;
}

static int read_resource(struct str message, struct tag_list *ret)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        struct tag_list one = {0};
        if (f.number == 1 && f.kind == PROTO_BYTES) {
            TRY(read_attribute(f.bytes, NULL, &one));
        }
        if (one.count && is_identity(one.list[0].key)) {
            tag_list_set(ret, one.list[0].key, one.list[0].value);
        }
    }
    return more;
}

// --- points ---------------------------------------------------------------------------------

static int read_point(struct str message, const struct metric *m, struct point *ret)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    uint32_t attributes = m->histogram ? 9 : 7;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number == attributes && f.kind == PROTO_BYTES) {
            TRY(read_attribute(f.bytes, ret, &ret->tags));
        } else if (f.kind != PROTO_FIXED64) {
            continue;
        } else if (f.number == 3) {
            ret->sample.at_ms = (int64_t)(f.value / 1000000);
        } else if (f.number == (m->histogram ? 5 : 4)) {
            ret->sample.value = proto_double(f.value);
            ret->has_value = true;
        } else if (f.number == 4) {
            ret->count = f.value;
        } else if (f.number == 6 && !m->histogram) {
            ret->sample.value = (double)(int64_t)f.value;
            ret->has_value = true;
        }
    }
    return more;
}

static enum telemetry_dstype dstype_of(const struct metric *m)
{
    return !m->grows                      ? TELEMETRY_GAUGE
           : m->temporality == CUMULATIVE ? TELEMETRY_COUNTER
                                          : TELEMETRY_SUM;
}

static int store_point(struct batch *b, const struct metric *m, const struct point *p,
                       const char *statistic)
{
    static const char *const names[] = {"gauge", "rate", "counter", "sum"};
    struct telemetry_sample sample = p->sample;
    struct tag_list tags = p->tags;
    enum telemetry_dstype dstype = dstype_of(m);
    tag_list_set(&tags, STR("name"), m->name);
    tag_list_set(&tags, STR("atlas.dstype"), str_of(names[dstype]));
    if (statistic) {
        tag_list_set(&tags, STR("statistic"), str_of(statistic));
    }
    struct telemetry_tags sorted = tag_list_tags(&tags);
    int err = tags.over ? ERR_LIMIT
                        : telemetry_series_of(b->intake->store, &sorted, dstype,
                                              &sample.series);
    sample.series = err == ERR_LIMIT ? KNOWN_REFUSED : sample.series;
    TRY(err == ERR_LIMIT ? 0 : err);
    return batch_add_known(b, sample);
}

static int take_point(struct batch *b, const struct metric *m, struct str message)
{
    AUTO(point_free) struct point *p = malloc(sizeof *p); // large for a stack
    FAIL_IF(!p, ERR_NOMEM, "a point");
    *p = (struct point){.tags = m->shared};
    TRY(read_point(message, m, p));
    if (p->has_value) {
        TRY(store_point(b, m, p, m->histogram ? "totalAmount" : NULL));
    }
    if (m->histogram) {
        p->sample.value = (double)p->count;
        TRY(store_point(b, m, p, "count"));
    }
    return 0;
}

// What kind of sums it has stands behind its points, or in front of them.
static int read_kind(struct str data, struct metric *m)
{
    struct proto p = proto_of(data);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.kind == PROTO_VARINT && f.number == 2) {
            m->temporality = f.value;
        } else if (f.kind == PROTO_VARINT && f.number == 3) {
            m->grows = f.value != 0;
        }
    }
    m->grows = m->grows || m->histogram;
    return more;
}

static int take_data(struct batch *b, struct metric *m, struct str data)
{
    struct proto p = proto_of(data);
    struct proto_field f;
    int more = 0;
    TRY(read_kind(data, m));
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number == 1 && f.kind == PROTO_BYTES) {
            TRY(take_point(b, m, f.bytes));
        }
    }
    return more;
}

// --- messages -------------------------------------------------------------------------------

static int take_metric(struct batch *b, const struct tag_list *shared, struct str message)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    struct metric m = {.shared = *shared};
    struct str data = {0};
    uint32_t kind = 0;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.kind == PROTO_BYTES && f.number == 1) {
            m.name = f.bytes;
        } else if (f.kind == PROTO_BYTES && f.number >= 5 && f.number <= 11) {
            kind = f.number;
            data = f.bytes;
        }
    }
    TRY(more);
    if (m.name.len == 0 || !str_is_line(m.name)) {
        return ERR_INVALID;
    }
    if (kind != 5 && kind != 7 && kind != 9) {
        taken_drop(b->taken, kind != 0, "a kind of metric that is not read here");
        return 0;
    }
    m.histogram = kind == 9;
    return take_data(b, &m, data);
}

static int take_scope(struct batch *b, const struct tag_list *shared, struct str message)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number == 2 && f.kind == PROTO_BYTES) {
            TRY(take_metric(b, shared, f.bytes));
        }
    }
    return more;
}

static int take_resource(struct batch *b, struct str message)
{
    struct proto first = proto_of(message), p = first;
    struct proto_field f;
    struct tag_list shared = {0};
    int more = 0;
    while ((more = proto_next(&first, &f)) > 0) {
        if (f.number == 1 && f.kind == PROTO_BYTES) {
            TRY(read_resource(f.bytes, &shared));
        }
    }
    TRY(more);
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number == 2 && f.kind == PROTO_BYTES) {
            TRY(take_scope(b, &shared, f.bytes));
        }
    }
    return more;
}

int telemetry_take_otlp(struct telemetry_intake *in, struct str body,
                        struct telemetry_taken *ret)
{
    *ret = (struct telemetry_taken){0};
    AUTO(cstr_free) char *memory = calloc(1, sizeof(struct batch));
    struct batch *b = (void *)memory;
    FAIL_IF(!b, ERR_NOMEM, "a request");
    b->intake = in;
    b->taken = ret;
    struct proto p = proto_of(body);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number == 1 && f.kind == PROTO_BYTES) {
            more = take_resource(b, f.bytes);
        }
        if (more < 0) {
            break;
        }
    }
    TRY(batch_end(b));
    if (more == ERR_INVALID) {
        intake_count(in, malformed, 1);
        FAIL(ERR_INVALID, "the body is no ExportMetricsServiceRequest");
    }
    return more;
}

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        buf_char(out, (char)(v | 0x80));
    }
    buf_char(out, (char)v);
}

static void put_bytes(struct buf *out, unsigned field, struct str bytes)
{
    put_varint(out, field << 3 | PROTO_BYTES);
    put_varint(out, bytes.len);
    buf_str(out, bytes);
}

int telemetry_otlp_partial(const struct telemetry_taken *taken, struct buf *out)
{
    AUTO(buf_free) struct buf partial = {0};
    put_varint(&partial, 1 << 3 | PROTO_VARINT);
    put_varint(&partial, taken->dropped);
    put_bytes(&partial, 2, str_of(taken->reasons[0]));
    TRY(partial.err);
    put_bytes(out, 1, buf_view(&partial));
    return out->err;
}
