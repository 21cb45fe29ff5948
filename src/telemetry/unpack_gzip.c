// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bodies as gzip (RFC 1952), which senders that are not Prometheus' own pack. A megabyte of zeros fits into a
// thousand bytes, so what comes out has two limits: in all, and as a multiple of what came in, where metrics
// that were ever seen stay below thirty.
#include "telemetry/intake.h"

#define ZLIB_CONST
#include <zlib.h>

#define PLAIN_MAX   (16u << 20) // as much as a body that is not packed
#define RATIO_FREE  (1u << 20)  // up to here any ratio
#define RATIO_MAX   100
#define GROW_BYTES  (64u << 10)
#define WINDOW_GZIP (15 + 16)

struct inflater {
    z_stream z;
    size_t most;
    struct buf *out;
};

static int malformed(struct telemetry_intake *in)
{
    intake_count(in, malformed, 1);
    return err_fail(ERR_INVALID, "the body is no gzip");
}

// Z_OK: goes on. Z_STREAM_END: a member is over.
static int inflate_some(struct inflater *f, int *ret_code)
{
    struct buf *out = f->out;
    FAIL_IF(out->len >= f->most, ERR_LIMIT, "a body of over %zu bytes, unpacked",
            f->most);
    buf_reserve(out, GROW_BYTES);
    TRY(out->err);
    f->z.next_out = (Bytef *)out->data + out->len;
    f->z.avail_out = GROW_BYTES;
    *ret_code = inflate(&f->z, Z_NO_FLUSH);
    out->len += GROW_BYTES - f->z.avail_out;
    return 0;
}

// Members may follow each other.
static int inflate_all(struct telemetry_intake *in, struct inflater *f)
{
    for (;;) {
        int code = Z_OK;
        TRY(inflate_some(f, &code));
        if (code == Z_MEM_ERROR) {
            return err_fail(ERR_NOMEM, "unpacking a body");
        }
        if (code == Z_STREAM_END && f->z.avail_in == 0) {
            return 0;
        }
        // Nothing more comes: with room left, a stream that goes on has been cut off.
        bool cut = code != Z_STREAM_END && f->z.avail_in == 0 && f->z.avail_out > 0;
        if (cut || (code != Z_OK && code != Z_STREAM_END) ||
            (code == Z_STREAM_END && inflateReset(&f->z) != Z_OK)) {
            return malformed(in);
        }
    }
}

int telemetry_unpack_gzip(struct telemetry_intake *in, struct str packed, struct buf *ret)
{
    if (packed.len == 0 || packed.len > PLAIN_MAX) {
        return malformed(in);
    }
    AUTO(buf_free) struct buf out = {0};
    struct inflater f = {
        .most = MIN((size_t)PLAIN_MAX, RATIO_FREE + packed.len * RATIO_MAX), .out = &out};
    f.z.next_in = (const Bytef *)packed.data;
    f.z.avail_in = (uInt)packed.len;
    FAIL_IF(inflateInit2(&f.z, WINDOW_GZIP) != Z_OK, ERR_NOMEM, "unpacking a body");
    int err = inflate_all(in, &f);
    inflateEnd(&f.z);
    TRY(err);
    FAIL_IF(out.len > f.most, ERR_LIMIT, "a body of over %zu bytes, unpacked", f.most);
    *ret = out;
    out = (struct buf){0};
    return 0;
}
