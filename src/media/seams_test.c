// SPDX-License-Identifier: GPL-3.0-or-later
//
// The bucket over the seams of chunks that were really encoded, under a cap that binds: named chunks
// are encoded again, as ingest does, until the proof holds; then a slow twin agrees.
#include "media/made_run.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the three above it.
#include <cmocka.h>

#define RUNG                                                            \
    "video:\n  - {codec: h264, height: 240, preset: veryfast, crf: 18," \
    " max_kbps: 300, buffer_ms: 1000}\n"
#define MANY_TRIES 60

static int drop_file(void *user, const char *rendition, const char *path,
                     const void *bytes, size_t len)
{
    (void)user, (void)rendition, (void)path, (void)bytes, (void)len;
    return 0;
}

static void encode_chunk(struct run *r, size_t chunk, double init,
                         struct media_encoded *ret)
{
    static const int first = 0;
    struct media_encode_config c = {.report = &r->file.report,
                                    .timeline = r->file.timeline,
                                    .plan = r->plan,
                                    .chunk = r->plan->chunks.data[chunk],
                                    .renditions = &first,
                                    .rendition_count = 1,
                                    .vbv_init = init,
                                    .write = drop_file};
    media_encoded_clear(ret);
    r->err = media_encode_video(&r->file.input, &c, ret);
    expect_success(r);
}

// How often a chunk had to be encoded again until the proof held. `chunks`: zeroed, one for each.
static int encode_until_proved(struct run *r, double init, struct media_encoded *chunks)
{
    size_t count = r->plan->chunks.len;
    for (size_t i = 0; i < count; i++) {
        encode_chunk(r, i, init, &chunks[i]);
    }
    for (int tries = 0; tries < MANY_TRIES; tries++) {
        int64_t bad = -1;
        double lower = 0;
        assert_int_equal(media_vbv_check(&r->plan->renditions.data[0], r->file.timeline,
                                         chunks, count, &bad, &lower),
                         0);
        if (bad < 0) {
            return tries;
        }
        assert_true(lower < chunks[bad].vbv_init);
        encode_chunk(r, (size_t)bad, lower, &chunks[bad]);
    }
    fail_msg("the bucket does not hold after %d encodes", MANY_TRIES);
    return -1;
}

// Bits drip in frame by frame: what H.264 Annex C.1 says, in floating point, from 90 %.
static void expect_no_underflow(const struct run *r, const struct media_encoded *chunks)
{
    const struct media_rendition *m = &r->plan->renditions.data[0];
    const struct media_timeline *t = r->file.timeline;
    double fill = 0.9 * (double)m->buffer_bits;
    int64_t frame = 0;
    for (size_t c = 0; c < r->plan->chunks.len; c++) {
        assert_true(hash_eq(&chunks[c].init, &chunks[0].init)); // one file for all
        vec_for_each (bytes, &chunks[c].frame_bytes) {
            fill -= 8.0 * *bytes;
            assert_true(fill >= 0);
            double seconds = (double)(t->pts[frame + 1] - t->pts[frame]) *
                             t->time_base.num / t->time_base.den;
            fill = MIN(fill + seconds * (double)m->max_bps, (double)m->buffer_bits);
            frame++;
        }
    }
    assert_int_equal(frame, t->count);
}

static void clear_chunks(struct media_encoded *chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        media_encoded_clear(&chunks[i]);
    }
}

static void a_cap_that_binds_holds_across_seams(void **state)
{
    (void)state;
    struct made_film m = {.width = 160,
                          .height = 96,
                          .format = AV_PIX_FMT_YUV420P,
                          .frames = 200,
                          .speed = 3,
                          .noise = 24};
    struct run r;
    run_new(&r, &m, RUNG NO_SOUND, 1000);
    run_plan(&r);
    struct media_encoded usual[16] = {0}, full[16] = {0};
    size_t count = r.plan->chunks.len;
    assert_in_range(count, 3, ARRAY_LEN(usual));
    int again = encode_until_proved(&r, MEDIA_VBV_INIT, usual);
    expect_no_underflow(&r, usual);
    // A chunk that counts on a full bucket leaves its successors less: the usual start saves encodes.
    int from_full = encode_until_proved(&r, 1, full);
    expect_no_underflow(&r, full);
    print_message("encoded again: %d of %zu chunks, from full buckets %d\n", again, count,
                  from_full);
    assert_true(from_full > 0 && again <= from_full);
    clear_chunks(usual, count);
    clear_chunks(full, count);
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cap_that_binds_holds_across_seams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
