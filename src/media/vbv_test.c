// SPDX-License-Identifier: GPL-3.0-or-later
//
// The bucket against a twin that lets bits drip, and the kernels against plain C.
#include "media/media.h"
#include "media/scale.h"
#include "media/sse.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static uint64_t rng = 88172645463325252u;

static int64_t any(int64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (int64_t)(rng % (uint64_t)below);
}

// The bucket tick by tick, from its definition: max_bps bits a second flow in while it is not
// full. Returns the first frame that is not there in time, -1 for none.
static int64_t slow_bucket(const struct media_rendition *r,
                           const struct media_timeline *t, const int32_t *bytes)
{
    double fill = 0.9 * (double)r->buffer_bits;
    double a_tick = (double)r->max_bps * t->time_base.num / t->time_base.den;
    int64_t frame = 0;
    for (int64_t now = t->pts[0]; frame < t->count; now++) {
        if (now == t->pts[frame]) {
            fill -= 8.0 * bytes[frame];
            if (fill < 0) {
                return frame;
            }
            frame++;
        }
        fill = fmin(fill + a_tick, (double)r->buffer_bits);
    }
    return -1;
}

#define FRAMES 120
#define CHUNKS 4

static void the_bucket_is_the_slow_one(void **state)
{
    (void)state;
    struct media_rendition r = {.id = "x"};
    int proved = 0, broken = 0;
    for (int round = 0; round < 2000; round++) {
        int64_t pts[FRAMES + 1] = {any(100) - 50};
        int32_t bytes[FRAMES];
        r.max_bps = 1000 * (1 + any(5000));
        r.buffer_bits = r.max_bps * (1 + any(30)) / 10;
        double mean = (double)r.max_bps / 8 * 0.02 * (0.5 + (double)any(100) / 100);
        for (int i = 0; i < FRAMES; i++) {
            pts[i + 1] = pts[i] + 1 + any(40);
            bytes[i] = (int32_t)(mean * (double)any(200) / 100);
        }
        struct media_timeline t = {.time_base = {1, 1000}, .count = FRAMES, .pts = pts};
        struct media_encoded chunks[CHUNKS] = {0};
        for (int c = 0; c < CHUNKS; c++) {
            chunks[c].vbv_init = 0.6;
            for (int i = c * FRAMES / CHUNKS; i < (c + 1) * FRAMES / CHUNKS; i++) {
                assert_int_equal(vec_push(&chunks[c].frame_bytes, bytes[i]), 0);
            }
        }
        int64_t bad = 99, expected = slow_bucket(&r, &t, bytes);
        double init = 9;
        assert_int_equal(media_vbv_check(&r, &t, chunks, CHUNKS, &bad, &init), 0);
        assert_int_equal(bad, expected < 0 ? -1 : expected / (FRAMES / CHUNKS));
        assert_true(bad < 0 || (init > 0 && init < 0.6));
        proved += bad < 0;
        broken += bad >= 0;
        for (int c = 0; c < CHUNKS; c++) {
            media_encoded_clear(&chunks[c]);
        }
    }
    assert_true(proved > 200 && broken > 200);
}

static void asking_for_less_ends(void **state)
{
    (void)state;
    struct media_rendition r = {.id = "x", .max_bps = 1000, .buffer_bits = 1000};
    int64_t pts[] = {0, 1};
    struct media_timeline t = {.time_base = {1, 25}, .count = 1, .pts = pts};
    struct media_encoded e = {.vbv_init = MEDIA_VBV_INIT};
    assert_int_equal(vec_push(&e.frame_bytes, 5000), 0); // can never fit
    int err = 0, rounds = 0;
    for (; err == 0 && rounds < 100; rounds++) {
        int64_t bad = -1;
        double init = 1;
        err = media_vbv_check(&r, &t, &e, 1, &bad, &init);
        if (err == 0) {
            assert_int_equal(bad, 0);
            assert_true(init < e.vbv_init);
            e.vbv_init = init;
        }
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_true(rounds < 10);
    e.frame_bytes.len = 0;
    int64_t bad = 0;
    double init = 0;
    assert_int_equal(media_vbv_check(&r, &t, &e, 1, &bad, &init), ERR_CORRUPT);
    media_encoded_clear(&e);
}

static void the_fast_kernel_equals_the_truth(void **state)
{
    (void)state;
    enum { SIDE = 200, BYTES = SIDE * SIDE + 64 };
    uint8_t *a = malloc(BYTES), *b = malloc(BYTES);
    assert_non_null(a);
    assert_non_null(b);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < BYTES; i++) { // extremes now and then: no lane may overflow
            a[i] = round % 10 == 0 ? 0 : (uint8_t)any(256);
            b[i] = round % 10 == 0 ? 255 : (uint8_t)any(256);
        }
        int width = 1 + (int)any(SIDE), height = 1 + (int)any(SIDE);
        struct plane8 pa = {a + any(32), SIDE}, pb = {b + any(32), SIDE};
        assert_int_equal(sse_best()(pa, pb, width, height), sse_c(pa, pb, width, height));
    }
    free(a);
    free(b);
    // The widest row of the largest difference.
    a = calloc(65536, 1);
    b = malloc(65536);
    assert_non_null(a);
    assert_non_null(b);
    memset(b, 255, 65536);
    assert_int_equal(sse_best()((struct plane8){a, 0}, (struct plane8){b, 0}, 65536, 3),
                     3LL * 65536 * 255 * 255);
    free(a);
    free(b);
}

// ITU-R BT.709 and BT.601, limited range, of pure red, green and blue.
static void colours_follow_the_matrix(void **state)
{
    (void)state;
    static const struct {
        enum AVColorSpace matrix;
        uint8_t rgb[3], yuv[3];
    } cases[] = {
        {AVCOL_SPC_BT709, {255, 0, 0}, {63, 102, 240}},
        {AVCOL_SPC_BT709, {0, 255, 0}, {173, 42, 26}},
        {AVCOL_SPC_BT709, {0, 0, 255}, {32, 240, 118}},
        {AVCOL_SPC_SMPTE170M, {255, 0, 0}, {81, 90, 240}},
        {AVCOL_SPC_SMPTE170M, {0, 255, 0}, {145, 54, 34}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scaler *s = NULL;
        struct scale_color color = {AVCOL_PRI_BT709, AVCOL_TRC_BT709, cases[i].matrix};
        assert_int_equal(scaler_new(&s, 32, 32, &color), 0);
        AVFrame *from = av_frame_alloc(), *to = NULL;
        from->format = AV_PIX_FMT_RGB24;
        from->width = from->height = 64;
        assert_true(av_frame_get_buffer(from, 0) >= 0);
        for (int at = 0; at < 64 * 64; at++) {
            memcpy(from->data[0] + at / 64 * from->linesize[0] + at % 64 * 3,
                   cases[i].rgb, 3);
        }
        assert_int_equal(scaler_run(s, from, &to), 0);
        for (int p = 0; p < 3; p++) {
            assert_in_range(to->data[p][5 * to->linesize[p] + 5] + 1, cases[i].yuv[p],
                            cases[i].yuv[p] + 2);
        }
        av_frame_free(&from);
        av_frame_free(&to);
        scaler_free(&s);
    }
    struct media_stream ycgco = {.matrix = "ycgco", .pixel_format = "yuv444p"};
    struct scale_color c;
    assert_int_equal(scale_color_of(&ycgco, &c), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bucket_is_the_slow_one),
        cmocka_unit_test(asking_for_less_ends),
        cmocka_unit_test(the_fast_kernel_equals_the_truth),
        cmocka_unit_test(colours_follow_the_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
