// SPDX-License-Identifier: GPL-3.0-or-later
//
// Films made of formulas, through the encoders, and back: every picture, time and sample.
#include "media/made_run.h"

#include "media/picture.h"

#include <dirent.h>
#include <libavutil/pixdesc.h>
#include <malloc.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

// --- pictures come back as they went in ----------------------------------------------------

// The luma that is expected at x, y of the published picture, of a source turned by `rotation`.
static int expected_luma(const struct made_film *m, int rotation, int64_t n, int x, int y)
{
    switch (rotation) {
    case 90:
        return made_luma(m, n, y, m->height - 1 - x);
    case 180:
        return made_luma(m, n, m->width - 1 - x, m->height - 1 - y);
    case 270:
        return made_luma(m, n, m->width - 1 - y, x);
    default:
        return made_luma(m, n, x, y);
    }
}

static void check_published(const struct run *r, const struct made_film *m, int rotation)
{
    AUTO(buf_free) struct buf file = {0};
    const struct media_rendition *rendition = &r->plan->renditions.data[0];
    made_sink_join(&r->sink, rendition->id, &file);
    struct made_frames got;
    made_decode(buf_view(&file), &got);
    assert_int_equal(got.items.len, m->frames);
    const int64_t *pts = r->file.timeline->pts;
    int64_t num = r->file.timeline->time_base.num;
    for (size_t n = 0; n < got.items.len; n++) {
        const AVFrame *f = got.items.data[n];
        assert_int_equal(got.time_base.num, 1);
        assert_int_equal(got.time_base.den, r->file.timeline->time_base.den);
        assert_int_equal(f->pts, (pts[n] - pts[0]) * num);
        assert_int_equal(f->width, rendition->width);
        assert_int_equal(f->height, rendition->height);
        bool turned = rotation == 90 || rotation == 270;
        if (f->width != (turned ? m->height : m->width) ||
            f->height != (turned ? m->width : m->height)) {
            continue; // scaled: the verifier compared it already
        }
        double error = 0;
        for (int y = 0; y < f->height; y++) {
            for (int x = 0; x < f->width; x++) {
                double d = f->data[0][y * f->linesize[0] + x] -
                           expected_luma(m, rotation, (int64_t)n, x, y);
                error += d * d;
            }
        }
        error /= f->width * f->height;
        if (error >= 20) { // 35 dB
            print_error("%s, turned by %d: frame %zu is off by %.1f\n",
                        av_get_pix_fmt_name(m->format), rotation, n, error);
        }
        assert_true(error < 20);
        for (int plane = 1; plane < 3; plane++) { // and grey
            assert_true(abs(f->data[plane][f->height / 4 * f->linesize[plane]] - 128) <
                        5);
        }
    }
    if (m->sar.den) {
        bool turned = rotation == 90 || rotation == 270;
        assert_int_equal(got.sar.num, turned ? m->sar.den : m->sar.num);
        assert_int_equal(got.sar.den, turned ? m->sar.num : m->sar.den);
    }
    made_frames_free(&got);
}

static void any_picture_is_published(void **state)
{
    (void)state;
    static const int64_t uneven[] = {7,   8,   30,  31,  33,  40,  90,  91,  92,
                                     93,  120, 121, 150, 151, 152, 180, 181, 182,
                                     400, 401, 402, 410, 420, 430, 440};
    static const struct {
        struct made_film film;
        int rotation;
    } cases[] = {
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 50,
          .speed = 3},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 24,
          .speed = 3,
          .pts = uneven,
          .time_base = {1, 90}},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 20,
          .speed = 3,
          .time_base = {1001, 24000},
          .x264 = true},
         0},
        {{.width = 161,
          .height = 97,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 12,
          .speed = 2},
         0},
        {{.width = 99,
          .height = 131,
          .format = AV_PIX_FMT_YUV444P,
          .frames = 12,
          .speed = 2},
         90},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 12,
          .speed = 2,
          .sar = {64, 45}},
         90},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 12,
          .speed = 2,
          .sar = {1280, 1281}},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 12,
          .speed = 2},
         180},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV422P10,
          .frames = 12,
          .speed = 2},
         270},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P10,
          .frames = 12,
          .speed = 2,
          .x264 = true},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV444P,
          .frames = 12,
          .speed = 2,
          .matrix = AVCOL_SPC_BT709},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 12,
          .speed = 2,
          .range = AVCOL_RANGE_JPEG,
          .x264 = true},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_RGB24,
          .frames = 12,
          .speed = 2},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_BGRA,
          .frames = 12,
          .speed = 2},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_GRAY8,
          .frames = 12,
          .speed = 2,
          .range = AVCOL_RANGE_JPEG},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_GRAY8,
          .frames = 12,
          .speed = 2,
          .range = AVCOL_RANGE_MPEG,
          .x264 = true},
         0},
        {{.width = 16,
          .height = 16,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 6,
          .speed = 1},
         0},
        {{.width = 2, .height = 2, .format = AV_PIX_FMT_YUV420P, .frames = 6, .speed = 1},
         0},
        {{.width = 160,
          .height = 96,
          .format = AV_PIX_FMT_YUV420P,
          .frames = 1,
          .speed = 1},
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r;
        run_new(&r, &cases[i].film, H264_240 NO_SOUND, 1000);
        r.file.report.source->streams.data[0].rotation = cases[i].rotation;
        run_plan(&r);
        run_video(&r, NULL);
        if (r.err < 0) {
            print_error("case %zu: ", i);
        }
        expect_success(&r);
        check_published(&r, &cases[i].film, cases[i].rotation);
        run_free(&r);
    }
}

// SVT-AV1 would take real-time priority as root.
static void expect_modest_threads(void *user, int64_t done, int64_t total)
{
    (void)user;
    (void)done;
    (void)total;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    int threads = 0;
    for (struct dirent *d = readdir(tasks); d; d = readdir(tasks)) {
        int64_t tid = 0;
        if (str_to_i64(str_of(d->d_name), 1, INT32_MAX, &tid) == 0) {
            int policy = sched_getscheduler((pid_t)tid);
            assert_true(policy < 0 || policy == SCHED_OTHER);
            threads++;
        }
    }
    closedir(tasks);
    assert_true(threads > 1);
}

static void av1_is_published_and_segments_stand_alone(void **state)
{
    (void)state;
    struct made_film m = {.width = 192,
                          .height = 128,
                          .format = AV_PIX_FMT_YUV420P,
                          .frames = 75,
                          .speed = 3};
    struct run r, again;
    const char *rungs = "video:\n  - {codec: av1, height: 240, preset: 12, crf: 35, "
                        "max_kbps: 2000, buffer_ms: 2000}\n" NO_SOUND;
    run_new(&r, &m, rungs, 1000);
    run_plan(&r);
    r.progress = expect_modest_threads;
    run_video(&r, NULL);
    expect_success(&r);
    assert_true(r.plan->chunks.len >= 1 && r.plan->segments.len >= 4);
    check_published(&r, &m, 0);
    run_new(&again, &m, rungs, 1000);
    run_plan(&again);
    run_video(&again, NULL);
    expect_success(&again);
    assert_true(made_sink_equal(&r.sink, &again.sink));
    run_free(&again);
    run_free(&r);
}

static void chunks_give_the_same_film_twice(void **state)
{
    (void)state;
    struct made_film m = {.width = 160,
                          .height = 96,
                          .format = AV_PIX_FMT_YUV420P,
                          .frames = 150,
                          .speed = 3,
                          .x264 = true};
    struct run a, b;
    run_new(&a, &m, H264_240 NO_SOUND, 1000);
    run_plan(&a);
    assert_true(a.plan->chunks.len >= 3);
    run_video(&a, NULL);
    expect_success(&a);
    check_published(&a, &m, 0);
    for (size_t k = 1; k < a.encoded.len; k++) { // one initialisation for all
        assert_true(hash_eq(&a.encoded.data[k].init, &a.encoded.data[0].init));
    }
    int64_t bad = 0;
    double init = 0;
    assert_int_equal(media_vbv_check(&a.plan->renditions.data[0], a.file.timeline,
                                     a.encoded.data, a.encoded.len, &bad, &init),
                     0);
    assert_int_equal(bad, -1);
    run_new(&b, &m, H264_240 NO_SOUND, 1000);
    run_plan(&b);
    run_video(&b, NULL);
    expect_success(&b);
    assert_true(made_sink_equal(&a.sink, &b.sink));

    json_t *j = NULL, *j2 = NULL;
    struct media_encoded back = {0};
    assert_int_equal(media_encoded_to_json(&a.encoded.data[1], &j), 0);
    assert_int_equal(media_encoded_from_json(j, &back), 0);
    assert_int_equal(media_encoded_to_json(&back, &j2), 0);
    assert_true(json_equal(j, j2));
    media_encoded_clear(&back);
    json_free(&j);
    json_free(&j2);
    run_free(&a);
    run_free(&b);
}

// Memory is handed out full of this, and full of that: no byte that is published may depend on it.
// (The sanitizers' allocator does not listen to mallopt: ingest_reuse tries the same on the release.)
static void bytes_do_not_depend_on_old_memory(void **state)
{
    (void)state;
    static const char rungs[] = "video:\n  - {codec: h264, height: 120, preset: "
                                "veryfast, crf: 25, max_kbps: 300, "
                                "buffer_ms: 2000}\n  - {codec: av1, height: 120, preset: "
                                "12, crf: 40, max_kbps: 300, "
                                "buffer_ms: 2000}\n" AAC;
    // Rows of macroblocks that are no multiple of 16, at both sizes.
    struct made_film m = {.width = 426,
                          .height = 240,
                          .format = AV_PIX_FMT_YUV420P,
                          .frames = 60,
                          .speed = 3,
                          .noise = 6,
                          .channels = 2,
                          .sample_rate = 44100,
                          .sound_end = 2.4};
    static const int fill[] = {1, 85, 170};
    struct run r[ARRAY_LEN(fill)];
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
        (void)mallopt(M_PERTURB, fill[i]);
        run_new(&r[i], &m, rungs, 1000);
        run_plan(&r[i]);
        run_video(&r[i], NULL);
        expect_success(&r[i]);
        run_audio(&r[i]);
        expect_success(&r[i]);
        assert_true(made_sink_equal(&r[0].sink, &r[i].sink));
    }
    mallopt(M_PERTURB, 0);
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
        run_free(&r[i]);
    }
}

// --- deinterlacing does not know of chunks ---------------------------------------------------

static void collect_pictures(struct run *r, struct media_chunk chunk, AVFrame **ret)
{
    struct pictures *p = NULL;
    struct pictures_config c = {&r->file.report, r->file.timeline, chunk};
    assert_int_equal(pictures_new(&p, &r->file.input, &c), 0);
    for (int64_t n = chunk.start_frame; n < chunk.end_frame; n++) {
        assert_int_equal(pictures_next(p, &ret[n - chunk.start_frame]), 0);
    }
    pictures_free(&p);
}

static void interlaced_films_are_the_same_in_chunks(void **state)
{
    (void)state;
    struct made_film m = {.width = 96,
                          .height = 64,
                          .format = AV_PIX_FMT_YUV420P,
                          .frames = 40,
                          .speed = 4,
                          .interlaced = true,
                          .x264 = true};
    struct run r;
    run_new(&r, &m, H264_240 NO_SOUND, 1000);
    AVFrame *whole[40], *part[40];
    collect_pictures(&r, (struct media_chunk){.start_frame = 0, .end_frame = 40}, whole);
    static const int64_t edges[] = {0, 1, 12, 13, 25, 39, 40};
    for (size_t e = 0; e + 1 < ARRAY_LEN(edges); e++) {
        collect_pictures(
            &r, (struct media_chunk){.start_frame = edges[e], .end_frame = edges[e + 1]},
            part);
        for (int64_t n = edges[e]; n < edges[e + 1]; n++) {
            AVFrame *a = whole[n], *b = part[n - edges[e]];
            for (int y = 0; y < a->height; y++) {
                assert_memory_equal(a->data[0] + y * a->linesize[0],
                                    b->data[0] + y * b->linesize[0], 96);
            }
            av_frame_free(&b);
        }
    }
    // Both fields now show the time of the first one.
    double combed = 0, smooth = 0;
    for (int y = 1; y < 63; y++) {
        for (int x = 4; x < 92; x++) {
            double is = whole[20]->data[0][y * whole[20]->linesize[0] + x];
            struct made_film half = m;
            half.speed = m.speed / 2;
            smooth += fabs(is - made_luma(&half, 40, x, y));
            combed += fabs(is - made_luma(&half, 40 + (y & 1), x, y));
        }
    }
    assert_true(smooth < combed / 2);
    for (int n = 0; n < 40; n++) {
        av_frame_free(&whole[n]);
    }
    run_plan(&r);
    run_video(&r, NULL);
    expect_success(&r);
    run_free(&r);
}

// --- sound ---------------------------------------------------------------------------------

static double power(const struct made_frames *got, double from, double to)
{
    double sum = 0;
    int64_t count = 0;
    vec_for_each (f, &got->items) {
        for (int i = 0; i < (*f)->nb_samples; i++) {
            double t = (double)((*f)->pts + i) / 48000;
            if (t >= from && t < to) {
                double v = (*f)->format == AV_SAMPLE_FMT_FLTP
                               ? ((float **)(void *)(*f)->extended_data)[0][i]
                               : 0;
                sum += v * v;
                count++;
            }
        }
    }
    return count ? sum / (double)count : -1;
}

static void sound_keeps_its_place(void **state)
{
    (void)state;
    static const struct made_film films[] = {
        // Begins late, has a gap, ends before the picture.
        {.width = 64,
         .height = 64,
         .format = AV_PIX_FMT_YUV420P,
         .frames = 100,
         .channels = 2,
         .sample_rate = 44100,
         .sound_start = 0.5,
         .sound_end = 3.5,
         .gap_start = 1.5,
         .gap_end = 2.25},
        // Six channels, ends behind the picture.
        {.width = 64,
         .height = 64,
         .format = AV_PIX_FMT_YUV420P,
         .frames = 50,
         .channels = 6,
         .sample_rate = 48000,
         .sound_start = 0,
         .sound_end = 3.5},
        {.width = 64,
         .height = 64,
         .format = AV_PIX_FMT_YUV420P,
         .frames = 50,
         .channels = 1,
         .sample_rate = 8000,
         .sound_start = 0,
         .sound_end = 2},
        // Stamps that leap by two hours in the middle: no sound of a film of four seconds is there.
        {.width = 64,
         .height = 64,
         .format = AV_PIX_FMT_YUV420P,
         .frames = 100,
         .channels = 2,
         .sample_rate = 48000,
         .sound_start = 0,
         .sound_end = 4,
         .jump_at = 1.5,
         .jump = 7200},
    };
    for (size_t i = 0; i < ARRAY_LEN(films); i++) {
        const struct made_film *m = &films[i];
        struct run r;
        run_new(&r, m, H264_240 AAC, 1000);
        run_plan(&r);
        run_audio(&r);
        expect_success(&r);
        assert_int_equal(r.encoded.len, 2);
        AUTO(buf_free) struct buf file = {0};
        made_sink_join(&r.sink, r.encoded.data[0].rendition, &file);
        struct made_frames got;
        made_decode(buf_view(&file), &got);
        double end = MAX(m->sound_end, (double)m->frames / 25);
        const AVFrame *last = got.items.data[got.items.len - 1];
        assert_true(fabs((double)(last->pts + last->nb_samples) / 48000 - end) < 0.03);
        assert_int_equal(last->ch_layout.nb_channels, MIN(m->channels, 2));
        assert_true(power(&got, m->sound_start + 0.05, m->sound_start + 0.95) > 0.01);
        assert_true(power(&got, m->sound_end - 0.5, m->sound_end - 0.05) > 0.01);
        if (m->sound_start > 0) {
            assert_true(power(&got, 0, m->sound_start - 0.03) < 1e-6);
            assert_true(power(&got, m->gap_start + 0.06, m->gap_end - 0.06) < 1e-6);
            assert_true(power(&got, m->gap_end + 0.03, m->sound_end - 0.03) > 0.01);
            assert_true(power(&got, m->sound_end + 0.05, end) < 1e-6);
        }
        for (size_t k = 0; k < r.encoded.len; k++) {
            const struct media_encoded *e = &r.encoded.data[k];
            const struct media_segment *s = &e->segments.data[e->segments.len - 1];
            assert_int_equal(s->start + s->duration, llround(end * 48000));
        }
        made_frames_free(&got);
        run_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_picture_is_published),
        cmocka_unit_test(av1_is_published_and_segments_stand_alone),
        cmocka_unit_test(chunks_give_the_same_film_twice),
        cmocka_unit_test(bytes_do_not_depend_on_old_memory),
        cmocka_unit_test(interlaced_films_are_the_same_in_chunks),
        cmocka_unit_test(sound_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
