// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/media.h"
#include "media/wire.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC      "mqtimeln"
#define VERSION    1
#define MAX_FRAMES 50000000 // two weeks at 40 frames a second
#define RAP_BYTES  24

void media_timeline_free(struct media_timeline **ptr)
{
    struct media_timeline *t = TAKE(*ptr);
    if (t) {
        free(t->pts);
        vec_free(&t->raps);
        free(t);
    }
}

int media_timeline_write(const struct media_timeline *t, struct buf *out)
{
    size_t start = out->len;
    wire_begin(out, MAGIC, VERSION);
    wire_u32(out, (uint32_t)t->time_base.num);
    wire_u32(out, (uint32_t)t->time_base.den);
    wire_i64(out, t->count);
    for (int64_t i = 0; i < t->count + 1; i++) {
        wire_i64(out, t->pts[i]);
    }
    wire_i64(out, (int64_t)t->raps.len);
    vec_for_each (rap, &t->raps) {
        wire_i64(out, rap->frame);
        wire_i64(out, rap->pts);
        wire_i64(out, rap->dts);
    }
    return wire_end(out, start);
}

static int read_raps(struct wire *wire, struct media_timeline *t)
{
    size_t n = wire_get_count(wire, RAP_BYTES, MAX_FRAMES);
    TRY(vec_reserve(&t->raps, n));
    int64_t before = -1;
    for (size_t i = 0; i < n; i++) {
        struct media_rap rap = {wire_get_i64(wire), wire_get_i64(wire),
                                wire_get_i64(wire)};
        TRY(wire->err);
        FAIL_IF(rap.frame <= before || rap.frame > t->count, ERR_CORRUPT,
                "a timeline's random-access points do not ascend");
        before = rap.frame;
        TRY(vec_push(&t->raps, rap));
    }
    return 0;
}

int media_timeline_read(struct str bytes, struct media_timeline **ret)
{
    struct wire wire;
    TRY(wire_open(bytes, MAGIC, VERSION, &wire));
    AUTO(media_timeline_free) struct media_timeline *t = calloc(1, sizeof *t);
    FAIL_IF(!t, ERR_NOMEM, "a timeline");
    t->time_base.num = (int32_t)wire_get_u32(&wire);
    t->time_base.den = (int32_t)wire_get_u32(&wire);
    t->count = (int64_t)wire_get_count(&wire, 8, MAX_FRAMES);
    TRY(wire.err);
    FAIL_IF(t->time_base.num <= 0 || t->time_base.den <= 0, ERR_CORRUPT,
            "a timeline has no time base");
    t->pts = calloc((size_t)t->count + 1, sizeof *t->pts);
    FAIL_IF(!t->pts, ERR_NOMEM, "a timeline");
    for (int64_t i = 0; i < t->count + 1; i++) {
        t->pts[i] = wire_get_i64(&wire);
        FAIL_IF(i && t->pts[i] <= t->pts[i - 1], ERR_CORRUPT,
                "a timeline's times do not ascend");
    }
    TRY(read_raps(&wire, t));
    TRY(wire_close(&wire));
    *ret = TAKE(t);
    return 0;
}
