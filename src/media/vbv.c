// SPDX-License-Identifier: GPL-3.0-or-later
//
// The leaky bucket of ITU-T H.264 Annex C.1, variable rate: bits arrive at max_bps until the bucket
// of buffer_bits is full; each picture is taken out at once at its decode time. Decode times are
// the display times in ascending order (mux.h), so the k-th picture decoded has the k-th duration.
//
// A player begins with the bucket as full as the first chunk assumed. Chunks were encoded apart,
// each on the assumption that it begins with `vbv_init`; where the chunks before it leave more,
// more is never worse. Where they leave less, or the encoder trespassed, the chunk is named
// with the fill it may count on, always less than what it was encoded with. A chunk that had the
// least already is past help (ERR_LIMIT), so asking again and again ends.
//
// Fill is kept in bits × ticks a second, an integer: rate × ticks is exact.
#include "media/media.h"

#define LEAST_INIT 0.05
#define INIT_STEP  0.1
#define FIRST_FILL 0.9 // a player starts to play with most of a bucket

struct bucket {
    __int128 size, fill, lowest; // bits × time_base.den
};

static void bucket_take(struct bucket *b, const struct media_rendition *r,
                        const struct media_timeline *t, int64_t frame, int32_t bytes)
{
    b->fill -= (__int128)bytes * 8 * t->time_base.den;
    b->lowest = MIN(b->lowest, b->fill);
    b->fill +=
        (__int128)r->max_bps * (t->pts[frame + 1] - t->pts[frame]) * t->time_base.num;
    b->fill = MIN(b->fill, b->size);
}

int media_vbv_check(const struct media_rendition *r, const struct media_timeline *t,
                    const struct media_encoded *chunks, size_t chunk_count,
                    int64_t *ret_bad_chunk, double *ret_init)
{
    FAIL_IF(r->buffer_bits <= 0 || r->max_bps <= 0, ERR_INVALID, "%s has no bucket",
            r->id);
    struct bucket b = {.size = (__int128)r->buffer_bits * t->time_base.den};
    b.fill = (__int128)((double)b.size * FIRST_FILL);
    int64_t frame = 0;
    for (size_t i = 0; i < chunk_count; i++) {
        const struct media_encoded *c = &chunks[i];
        FAIL_IF((int64_t)c->frame_bytes.len > t->count - frame, ERR_CORRUPT,
                "%s has more frames than the film", r->id);
        double start = (double)b.fill / (double)b.size;
        b.lowest = b.fill;
        vec_for_each (bytes, &c->frame_bytes) {
            bucket_take(&b, r, t, frame++, *bytes);
        }
        if (b.lowest < 0) {
            FAIL_IF(c->vbv_init <= LEAST_INIT, ERR_LIMIT,
                    "chunk %zu of %s does not fit %lld b/s", i, r->id,
                    (long long)r->max_bps);
            double short_by = -(double)b.lowest / (double)b.size;
            double lower = MIN(start, c->vbv_init) - MIN(short_by, 1) - INIT_STEP;
            *ret_bad_chunk = (int64_t)i;
            *ret_init = MAX(lower, LEAST_INIT);
            return 0;
        }
    }
    FAIL_IF(frame != t->count, ERR_CORRUPT, "%s has %lld frames of %lld", r->id,
            (long long)frame, (long long)t->count);
    *ret_bad_chunk = -1;
    *ret_init = 0;
    return 0;
}
