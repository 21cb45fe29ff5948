// SPDX-License-Identifier: GPL-3.0-or-later
//
// Faults planted before and behind the encoders, in films made of formulas: each is caught.
#include "media/verify.h"

#include "media/made_run.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the three above it.
#include <cmocka.h>

// Squares of distances in a plane: own source at (0, 0), the other at (10, 0), what came out at (x, y).
static bool is_displaced(double x, double y)
{
    return verify_is_displaced(x * x + y * y, (x - 10) * (x - 10) + y * y, 100);
}

static void displacement_needs_a_clear_winner(void **state)
{
    (void)state;
    for (double y = 0; y < 100; y += 10) { // whatever coding did besides
        assert_true(is_displaced(10, y));
        assert_true(is_displaced(6.5, y));
        assert_false(is_displaced(5.5, y)); // skipped blocks
        assert_false(is_displaced(0, y));
        assert_false(is_displaced(-10, y));
    }
}

// --- faults --------------------------------------------------------------------------------

enum fault {
    SWAP,
    SWAP_FAR,
    REPEAT,
    GREEN,
    GREEN_LUMA,
    DROP_PACKET,
    DROP_KEY,
    SWAP_TIMES,
    DAMAGE
};

#define FAR 5 // pictures between those that SWAP_FAR exchanges, and one more

struct saboteur {
    enum fault fault;
    int64_t frame;   // where
    AVFrame **right; // what a clean run gave to the encoder
    int64_t packets;
    int64_t held_pts;
};

static int keep_picture(void *user, int rendition, int64_t frame, const AVFrame *right,
                        AVFrame **ret)
{
    (void)rendition;
    (void)ret;
    struct saboteur *s = user;
    s->right[frame] = av_frame_clone(right);
    return 0;
}

static AVFrame *green(const AVFrame *like, bool luma_too)
{
    AVFrame *f = av_frame_alloc();
    f->format = like->format;
    f->width = like->width;
    f->height = like->height;
    assert_true(av_frame_get_buffer(f, 0) >= 0);
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < (p ? f->height / 2 : f->height); y++) {
            uint8_t *row = f->data[p] + y * f->linesize[p];
            int width = p ? f->width / 2 : f->width;
            memset(row, 0, (size_t)width);
            if (p == 0 &&
                !luma_too) { // the luma of the right one, the colours of a lost one
                memcpy(row, like->data[0] + y * like->linesize[0], (size_t)width);
            }
        }
    }
    return f;
}

static int spoil_picture(void *user, int rendition, int64_t frame, const AVFrame *right,
                         AVFrame **ret)
{
    (void)rendition;
    struct saboteur *s = user;
    int64_t off = frame - s->frame;
    int apart = s->fault == SWAP ? 1 : s->fault == SWAP_FAR ? FAR : 0;
    if (apart && (off == 0 || off == apart)) {
        *ret = av_frame_clone(s->right[s->frame + apart - off]);
    } else if (s->fault == REPEAT && off == 0) {
        *ret = av_frame_clone(s->right[frame - 1]);
    } else if ((s->fault == GREEN || s->fault == GREEN_LUMA) && off == 0) {
        *ret = green(right, s->fault == GREEN);
    }
    return 0;
}

static int spoil_packet(void *user, int rendition, AVPacket *p)
{
    (void)rendition;
    struct saboteur *s = user;
    int64_t at = s->packets++;
    bool key = p->flags & AV_PKT_FLAG_KEY;
    if (s->fault == DROP_PACKET && at == s->frame) {
        return 1;
    }
    if (s->fault == DROP_KEY && key) {
        p->flags &= ~AV_PKT_FLAG_KEY;
    }
    if (s->fault == SWAP_TIMES && at == s->frame) {
        p->pts += 1; // the next picture's place
    }
    if (s->fault == DAMAGE && at == s->frame) {
        memset(p->data + p->size / 2, 0xff, (size_t)(p->size - p->size / 2));
    }
    return 0;
}

#define AV1_240                                                  \
    "video:\n  - {codec: av1, height: 240, preset: 12, crf: 30," \
    " max_kbps: 3000, buffer_ms: 2000}\n"

#define PLANT_FRAMES 30

// `expected`: what the run ends with. 0: the fault changes nothing that can be seen.
static void plant(const struct made_film *m, const char *rungs, struct saboteur *s,
                  const struct encode_faults *faults, int expected)
{
    struct run r;
    s->packets = 0;
    run_new(&r, m, rungs, 1000);
    run_plan(&r);
    run_video(&r, faults);
    if (r.err != expected) {
        print_error("speed %d, fault %d at %lld gave %s\n", m->speed, (int)s->fault,
                    (long long)s->frame, r.err < 0 ? err_reason() : "no error");
    }
    assert_int_equal(r.err, expected);
    run_free(&r);
}

struct planting {
    struct made_film film;
    const char *rungs;
    int64_t first, step;
    enum fault from, until; // what lies outside cannot be told here
};

static void plant_all(const struct planting *p)
{
    const struct made_film *m = &p->film;
    AVFrame *right[PLANT_FRAMES] = {0};
    struct saboteur s = {.right = right};
    struct encode_faults keep = {.user = &s, .picture = keep_picture};
    struct encode_faults spoil = {
        .user = &s, .picture = spoil_picture, .packet = spoil_packet};
    plant(m, p->rungs, &s, &keep, 0);
    for (int fault = p->from; fault <= (int)p->until; fault++) {
        bool invisible = m->speed == 0 && fault <= REPEAT;
        for (int64_t at = p->first; at < PLANT_FRAMES - FAR; at += p->step) {
            s.fault = (enum fault)fault;
            s.frame = at;
            plant(m, p->rungs, &s, &spoil, invisible ? 0 : ERR_CORRUPT);
        }
    }
    for (int n = 0; n < PLANT_FRAMES; n++) {
        av_frame_free(&right[n]);
    }
}

#define PLANTED \
    .width = 160, .height = 96, .format = AV_PIX_FMT_YUV420P, .frames = PLANT_FRAMES

static void planted_faults_are_caught(void **state)
{
    (void)state;
    static const struct planting cases[] = {
        {{PLANTED, .speed = 1},
         H264_240 NO_SOUND,
         2,
         4,
         SWAP,
         DAMAGE}, // a slow pan: neighbours are close
        {{PLANTED, .speed = 9}, H264_240 NO_SOUND, 2, 9, SWAP, DAMAGE},
        {{PLANTED, .speed = 2}, AV1_240 NO_SOUND, 2, 13, SWAP, DAMAGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        plant_all(&cases[i]);
    }
}

// Pictures that are all the same can change places unseen, by anybody; all else is still caught.
static void faults_in_stills_are_caught(void **state)
{
    (void)state;
    plant_all(
        &(struct planting){{PLANTED, .speed = 0}, H264_240 NO_SOUND, 2, 6, SWAP, DAMAGE});
}

#define H264_STARVED                                                    \
    "video:\n  - {codec: h264, height: 240, preset: veryfast, crf: 23," \
    " max_kbps: 60, buffer_ms: 1000}\n"

// Noise, and rates at which most of it is lost, or all: where x264 gives up a picture, so that what
// comes out is the same for any that goes in, only what is gross can be told; and a slice of AV1's
// noise that is broken is noise.
static void faults_in_noise_are_caught(void **state)
{
    (void)state;
    static const struct planting cases[] = {
        {{PLANTED, .speed = 1, .noise = 40}, H264_240 NO_SOUND, 3, 8, SWAP, DAMAGE},
        {{PLANTED, .speed = 9, .noise = 40}, H264_STARVED NO_SOUND, 2, 5, GREEN, DAMAGE},
        {{PLANTED, .speed = 1, .noise = 40}, H264_STARVED NO_SOUND, 2, 5, GREEN, DAMAGE},
        {{PLANTED, .speed = 1, .noise = 40}, AV1_240 NO_SOUND, 3, 11, SWAP, SWAP_TIMES},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        plant_all(&cases[i]);
    }
}

// Half a pixel a frame: next pictures are too alike to be told apart, those farther away are not.
static void far_swaps_in_slow_motion_are_caught(void **state)
{
    (void)state;
    static const char *const rungs[] = {H264_240 NO_SOUND, AV1_240 NO_SOUND};
    struct made_film m = {PLANTED, .speed = 1, .slow = 2};
    for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
        AVFrame *right[PLANT_FRAMES] = {0};
        struct saboteur s = {.right = right, .fault = SWAP_FAR};
        struct encode_faults keep = {.user = &s, .picture = keep_picture};
        struct encode_faults spoil = {.user = &s, .picture = spoil_picture};
        plant(&m, rungs[i], &s, &keep, 0);
        for (s.frame = 1; s.frame < PLANT_FRAMES - FAR; s.frame += 6) {
            plant(&m, rungs[i], &s, &spoil, ERR_CORRUPT);
        }
        for (int n = 0; n < PLANT_FRAMES; n++) {
            av_frame_free(&right[n]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(displacement_needs_a_clear_winner),
        cmocka_unit_test(planted_faults_are_caught),
        cmocka_unit_test(faults_in_stills_are_caught),
        cmocka_unit_test(faults_in_noise_are_caught),
        cmocka_unit_test(far_swaps_in_slow_motion_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
