// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prometheus remote write 1.0 (https://prometheus.io/docs/specs/prw/remote_write_spec/): a snappy block of
//
//     WriteRequest { repeated TimeSeries 1 }     TimeSeries { repeated Label 1, repeated Sample 2 }
//     Label { string name 1, string value 2 }    Sample { double value 1, int64 timestamp 2 (ms) }
//
// A sender spells the labels of a series the same way each time, so the bytes of its label messages, which
// stand together at the front, are looked up as they are. Only what was never seen is read label by label.
#include "telemetry/intake.h"
#include "telemetry/proto.h"

#include <snappy-c.h>
#include <stdlib.h>

#define PLAIN_MAX  (64u << 20)
#define LABELS_MAX 65536 // bytes of a series' labels
#define STALE_NAN  UINT64_C(0x7ff0000000000002)

// One series: where its labels end, and its samples begin.
struct series_parts {
    struct str labels, rest;
};

static int split_series(struct str message, struct series_parts *ret)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    const char *end = p.at;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0 && f.number == 1 && f.kind == PROTO_BYTES) {
        end = p.at;
    }
    size_t len = (size_t)(end - message.data);
    ret->labels = (struct str){message.data, len};
    ret->rest = (struct str){end, message.len - len};
    return more < 0 || len == 0 || len > LABELS_MAX ? ERR_INVALID : 0;
}

static int read_label(struct str message, struct str *ret_name, struct str *ret_value)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    int more = 0;
    *ret_name = *ret_value = STR("");
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.kind == PROTO_BYTES && (f.number == 1 || f.number == 2)) {
            *(f.number == 1 ? ret_name : ret_value) = f.bytes;
        }
    }
    return more;
}

// Labels as tags. ERR_INVALID: no name, or no text.
static int read_labels(struct str labels, struct tag_list *ret)
{
    struct proto p = proto_of(labels);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        struct str name, value;
        TRY(read_label(f.bytes, &name, &value));
        TRY(tag_list_label(ret, name, value));
    }
    TRY(more);
    return tag_list_has(ret, "name") ? 0 : ERR_INVALID;
}

static int find_series(struct telemetry_intake *in, struct str labels, uint32_t *ret)
{
    pthread_rwlock_rdlock(&in->by_labels.lock);
    *ret = known_series_find(&in->by_labels, labels);
    pthread_rwlock_unlock(&in->by_labels.lock);
    if (*ret != ID_NONE) {
        return 0;
    }
    struct tag_list tags = {0};
    TRY(read_labels(labels, &tags));
    return known_series_learn(&in->by_labels, in->store, labels, &tags, ret);
}

static int read_sample(struct str message, struct telemetry_sample *ret, bool *ret_stale)
{
    struct proto p = proto_of(message);
    struct proto_field f;
    int more = 0;
    ret->value = 0; // what is not said is 0
    ret->at_ms = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number == 1 && f.kind == PROTO_FIXED64) {
            ret->value = proto_double(f.value);
            *ret_stale = f.value == STALE_NAN;
        } else if (f.number == 2 && f.kind == PROTO_VARINT) {
            ret->at_ms = (int64_t)f.value;
        }
    }
    return more;
}

static int take_series(struct batch *b, struct str message)
{
    struct series_parts parts;
    struct telemetry_sample sample = {0};
    TRY(split_series(message, &parts));
    TRY(find_series(b->intake, parts.labels, &sample.series));
    struct proto p = proto_of(parts.rest);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        bool stale = false;
        if (f.number == 1) {
            return ERR_INVALID; // labels behind samples: nobody sends this
        }
        if (f.number != 2 || f.kind != PROTO_BYTES) {
            continue; // exemplars, native histograms
        }
        TRY(read_sample(f.bytes, &sample, &stale));
        if (stale) {
            continue; // its series has ended: no value says that here
        }
        TRY(batch_add_known(b, sample));
    }
    return more;
}

static int take_request(struct batch *b, struct str body)
{
    struct proto p = proto_of(body);
    struct proto_field f;
    int more = 0;
    while ((more = proto_next(&p, &f)) > 0) {
        if (f.number != 1 || f.kind != PROTO_BYTES) {
            continue; // metadata
        }
        int err = take_series(b, f.bytes);
        if (err == ERR_INVALID) {
            intake_count(b->intake, malformed, 1);
            taken_drop(b->taken, 1, "a series that cannot be read");
        } else {
            TRY(err);
        }
    }
    TRY(batch_end(b));
    return more;
}

static int malformed(struct telemetry_intake *in, const char *why)
{
    intake_count(in, malformed, 1);
    return err_fail(ERR_INVALID, "%s", why);
}

int telemetry_take_write_request(struct telemetry_intake *in, struct str message,
                                 struct telemetry_taken *ret)
{
    *ret = (struct telemetry_taken){0};
    struct batch batch = {.intake = in, .taken = ret};
    int err = take_request(&batch, message);
    return err == ERR_INVALID ? malformed(in, "the body is no WriteRequest") : err;
}

int telemetry_take_remote_write(struct telemetry_intake *in, struct str body,
                                struct telemetry_taken *ret)
{
    *ret = (struct telemetry_taken){0};
    size_t len = 0;
    if (snappy_uncompressed_length(body.data, body.len, &len) != SNAPPY_OK) {
        return malformed(in, "the body is no snappy block");
    }
    FAIL_IF(len > PLAIN_MAX, ERR_LIMIT, "a request of %zu bytes is over %u", len,
            PLAIN_MAX);
    // A block cannot hold more than some 64 times its own bytes: what says so is not believed.
    if (len / 64 > body.len) {
        return malformed(in, "the body is no snappy block");
    }
    AUTO(cstr_free) char *plain = malloc(len + 1);
    FAIL_IF(!plain, ERR_NOMEM, "a request of %zu bytes", len);
    if (snappy_uncompress(body.data, body.len, plain, &len) != SNAPPY_OK) {
        return malformed(in, "the body is no snappy block");
    }
    return telemetry_take_write_request(in, (struct str){plain, len}, ret);
}
