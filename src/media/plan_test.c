// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/plan.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

// --- ladder --------------------------------------------------------------------------------

static void the_file_is_the_default(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0}, a = {0}, b = {0};
    assert_int_equal(fs_read_file(MARQUEE_SOURCE "/conf/ladder.yaml", 1 << 20, &text), 0);
    AUTO(media_ladder_free) struct media_ladder *file = NULL, *fixed = NULL, *back = NULL;
    AUTO(diag_free) struct diag d = {0};
    int err = media_ladder_parse(buf_view(&text), "ladder.yaml", &file, &d);
    diag_print(&d, stderr);
    assert_int_equal(err, 0);
    assert_int_equal(media_ladder_default(&fixed), 0);
    json_t *ja = NULL, *jb = NULL;
    assert_int_equal(media_ladder_to_json(file, &ja), 0);
    assert_int_equal(media_ladder_to_json(fixed, &jb), 0);
    json_write_canonical(&a, ja);
    json_write_canonical(&b, jb);
    assert_string_equal(a.data, b.data);
    assert_int_equal(media_ladder_from_json(ja, &back), 0);
    assert_memory_equal(back->video.data, fixed->video.data,
                        fixed->video.len * sizeof *fixed->video.data);
    json_free(&ja);
    json_free(&jb);
}

#define HEAD "segment_ms: 4000\nchunk_ms: 24000\npsnr_floor_db: 24\n"
#define RUNG                                                                    \
    "  - {codec: h264, height: 240, preset: veryfast, crf: 25, max_kbps: 400, " \
    "buffer_ms: 2000}\n"

static void mistakes_have_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int line;
        const char *word;
    } cases[] = {
        {HEAD "video:\n" RUNG "  - {codec: h265, height: 240, preset: fast, crf: 25, "
              "max_kbps: 400, buffer_ms: 2000}\naudio: []\n",
         6, "h265"},
        {HEAD "video:\n" RUNG RUNG "audio: []\n", 6, "already"},
        {HEAD "video:\n  - codec: h264\n    height: 241\n    preset: veryfast\n    crf: "
              "25\n    max_kbps: 400\n    buffer_ms: 2000\naudio: []\n",
         6, "odd"},
        {HEAD "video:\n  - codec: h264\n    height: 240\n    preset: quick\n    crf: "
              "25\n    max_kbps: 400\n    buffer_ms: 2000\naudio: []\n",
         7, "quick"},
        {HEAD "video:\n  - codec: h264\n    height: 240\n    preset: fast\n    crf: "
              "nan\n    max_kbps: 400\n    buffer_ms: 2000\naudio: []\n",
         8, "nan"},
        {HEAD "video:\n  - codec: av1\n    height: 240\n    preset: 10\n    crf: 30\n    "
              "max_kbps: 9223372036854775807\n    buffer_ms: 2000\naudio: []\n",
         9, "max_kbps"},
        {HEAD "video:\n  - codec: h264\n    height: 2160\n    preset: fast\n    crf: 10\n"
              "    max_kbps: 400000\n    buffer_ms: 20000\naudio: []\n",
         10, "bucket"},
        {HEAD "video:\n" RUNG "audio:\n  - {codec: mp3, kbps: 128}\n", 7, "mp3"},
        {"segment_ms: 4000\nchunk_ms: 100\npsnr_floor_db: 24\nvideo:\n" RUNG
         "audio: []\n",
         2, "chunk_ms"},
        {HEAD "video: []\naudio: []\n", 4, "video"},
        {"", 1, "empty"},
        {"# nothing\n", 1, "empty"},
        {HEAD "video:\n" RUNG "audio:\n  - {codec: aac, kbsp: 128}\n", 7, "kbsp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct media_ladder *l = NULL;
        AUTO(diag_free) struct diag d = {0};
        assert_int_equal(media_ladder_parse(str_of(cases[i].yaml), "l.yaml", &l, &d),
                         ERR_INVALID);
        assert_null(l);
        assert_true(d.items.len >= 1);
        assert_string_equal(d.items.data[0].file, "l.yaml");
        assert_int_equal(d.items.data[0].line, cases[i].line);
        assert_non_null(strstr(d.items.data[0].text, cases[i].word));
    }
}

// --- films made of numbers -----------------------------------------------------------------

static uint64_t rng = 88172645463325252u;

static int64_t any(int64_t below) // xorshift64: the same film on every machine
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (int64_t)(rng % (uint64_t)below);
}

struct film {
    struct media_source source;
    struct media_report report;
    struct media_timeline t;
};

static void film_free(struct film *f)
{
    vec_free(&f->source.streams);
    vec_free(&f->report.shots);
    vec_free(&f->t.raps);
    free(f->t.pts);
}

static void film_add_stream(struct film *f, struct media_stream s)
{
    s.index = (int)f->source.streams.len;
    assert_int_equal(vec_push(&f->source.streams, s), 0);
}

// `longest`: frames last 1 … longest ticks of 1/1000 s (40 each when 0).
static void film_make(struct film *f, int64_t frames, int64_t longest, int64_t shot_mean,
                      int64_t rap_mean)
{
    *f = (struct film){0};
    film_add_stream(f, (struct media_stream){.kind = MEDIA_VIDEO,
                                             .codec = "h264",
                                             .width = 1280,
                                             .height = 720,
                                             .sar = {1, 1}});
    f->report.source = &f->source;
    f->report.frames = frames;
    snprintf(f->report.scan, sizeof f->report.scan, "progressive");
    f->t.time_base = (struct rational){1, 1000};
    f->t.count = frames;
    f->t.pts = calloc((size_t)frames + 1, sizeof *f->t.pts);
    assert_non_null(f->t.pts);
    f->t.pts[0] = any(1000) - 500;
    for (int64_t i = 0; i < frames; i++) {
        f->t.pts[i + 1] = f->t.pts[i] + (longest ? 1 + any(longest) : 40);
    }
    for (int64_t at = 0; at < frames;) {
        int64_t end = MIN(frames, at + 1 + any(2 * shot_mean));
        assert_int_equal(vec_push(&f->report.shots, (struct media_shot){at, end}), 0);
        at = end;
    }
    for (int64_t at = rap_mean ? 0 : frames; at < frames; at += 1 + any(2 * rap_mean)) {
        assert_int_equal(
            vec_push(&f->t.raps, (struct media_rap){at, f->t.pts[at], f->t.pts[at]}), 0);
    }
}

static double seconds(const struct film *f, int64_t a, int64_t b)
{
    return (double)(f->t.pts[b] - f->t.pts[a]) / 1000;
}

static double longest_frame(const struct film *f)
{
    double max = 0;
    for (int64_t i = 0; i < f->t.count; i++) {
        max = MAX(max, seconds(f, i, i + 1));
    }
    return max;
}

static void check_cuts(const struct film *f, const struct media_ladder *l,
                       const struct media_plan *p)
{
    double s = (double)l->segment_us / 1e6, total = seconds(f, 0, f->t.count);
    double frame = longest_frame(f);
    assert_int_equal(p->segments.data[0], 0);
    assert_int_equal(p->segments.data[p->segments.len - 1], f->t.count);
    int64_t segment = 0;
    vec_for_each (c, &p->chunks) {
        assert_int_equal(c->first_segment, segment);
        assert_true(c->end_segment > c->first_segment);
        assert_int_equal(c->start_frame, p->segments.data[c->first_segment]);
        assert_int_equal(c->end_frame, p->segments.data[c->end_segment]);
        assert_int_equal(c->start_rap, plan_find_rap(&f->t, c->start_frame, 0));
        assert_true(c->start_rap < 0 ||
                    f->t.raps.data[c->start_rap].frame <= c->start_frame);
        // A chunk cut off from its start costs what it costs, but within bounds.
        if (f->t.raps.len) {
            assert_true(seconds(f, f->t.raps.data[MAX(c->start_rap, 0)].frame,
                                c->start_frame) <= 72 + frame);
        }
        segment = c->end_segment;
    }
    assert_int_equal(segment, (int64_t)p->segments.len - 1);
    for (size_t i = 0; i + 1 < p->segments.len; i++) {
        double length = seconds(f, p->segments.data[i], p->segments.data[i + 1]);
        assert_true(length > 0);
        assert_true(length <= 1.6 * s + 2 * frame);
        assert_true(length >= MIN(s / 2, total) - frame);
    }
}

static void any_film_is_cut_soundly(void **state)
{
    (void)state;
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    assert_int_equal(media_ladder_default(&l), 0);
    for (int round = 0; round < 400; round++) {
        struct film f;
        film_make(&f, 1 + any(round % 7 == 0 ? 5 : 6000),
                  round % 3 == 0 ? 1 + any(round % 2 ? 80 : 9000) : 0, 1 + any(300),
                  round % 5 == 0 ? 0 : 1 + any(400));
        struct media_plan *p = NULL;
        assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), 0);
        check_cuts(&f, l, p);
        media_plan_free(&p);
        film_free(&f);
    }
}

static void chunks_follow_shots_and_points(void **state)
{
    (void)state;
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    assert_int_equal(media_ladder_default(&l), 0);
    struct film f;
    film_make(&f, 10000, 0, 50, 50); // 400 s at 25 a second: both are plenty
    // Half of the shots begin at a point, as encoders do it.
    for (size_t i = 0; i < f.report.shots.len; i += 2) {
        int64_t at = f.report.shots.data[i].start_frame;
        int64_t rap = plan_find_rap(&f.t, at, 0);
        f.t.raps.data[rap].frame = at;
    }
    struct media_plan *p = NULL;
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), 0);
    int64_t wasted = 0;
    vec_for_each (c, &p->chunks) {
        wasted += c->start_frame - f.t.raps.data[c->start_rap].frame;
    }
    assert_true(wasted * 100 < f.t.count); // under 1 % is decoded twice
    assert_in_range(p->chunks.len, 400 / 36, 400 / 12);
    media_plan_free(&p);
    film_free(&f);
}

static void short_films_feed_several_workers(void **state)
{
    (void)state;
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    assert_int_equal(media_ladder_default(&l), 0);
    struct film f;
    film_make(&f, 1300, 0, 60, 100); // 52 s
    struct media_plan *p = NULL;
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), 0);
    assert_in_range(p->chunks.len, 4, 8);
    media_plan_free(&p);
    film_free(&f);
}

static void bad_timelines_are_refused(void **state)
{
    (void)state;
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    assert_int_equal(media_ladder_default(&l), 0);
    struct film f;
    struct media_plan *p = NULL;
    film_make(&f, 100, 0, 60, 100);
    f.t.pts[50] = f.t.pts[49];
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), ERR_CORRUPT);
    f.t.pts[50]++;
    f.report.frames = 99;
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), ERR_CONFLICT);
    f.report.frames = 100;
    f.source.video = -1;
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), ERR_UNSUPPORTED);
    assert_null(p);
    film_free(&f);
}

// --- what is offered -----------------------------------------------------------------------

static void expect_sizes(int width, int height, struct rational sar, int rotation,
                         const char *expected)
{
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    assert_int_equal(media_ladder_default(&l), 0);
    struct film f;
    film_make(&f, 50, 0, 60, 100);
    f.source.streams.data[0].width = width;
    f.source.streams.data[0].height = height;
    f.source.streams.data[0].sar = sar;
    f.source.streams.data[0].rotation = rotation;
    struct media_plan *p = NULL;
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), 0);
    AUTO(buf_free) struct buf got = {0};
    vec_for_each (r, &p->renditions) {
        buf_printf(&got, "%s%s=%dx%d", got.len ? " " : "", r->id, r->width, r->height);
        bool turned = rotation == 90 || rotation == 270;
        assert_int_equal(r->sar.num, turned ? sar.den : sar.num);
        assert_int_equal(r->sar.den, turned ? sar.num : sar.den);
    }
    assert_string_equal(got.data, expected);
    media_plan_free(&p);
    film_free(&f);
}

static void rungs_fit_the_picture(void **state)
{
    (void)state;
    expect_sizes(1280, 720, (struct rational){1, 1}, 0,
                 "h264-240=426x240 h264-360=640x360 h264-480=854x480 h264-720=1280x720 "
                 "av1-240=426x240 av1-480=854x480 av1-720=1280x720");
    // Scope: the box of 1080 holds 1920×800, which is the source itself.
    expect_sizes(1920, 800, (struct rational){1, 1}, 0,
                 "h264-178=426x178 h264-266=640x266 h264-356=854x356 h264-534=1280x534 "
                 "h264-800=1920x800 av1-178=426x178 av1-356=854x356 av1-534=1280x534 "
                 "av1-800=1920x800");
    // A telephone held upright.
    expect_sizes(640, 360, (struct rational){1, 1}, 90,
                 "h264-240=240x426 h264-360=360x640 av1-240=240x426 av1-360=360x640");
    // PAL, wide: SAR stays.
    expect_sizes(720, 576, (struct rational){64, 45}, 0,
                 "h264-240=300x240 h264-360=450x360 h264-480=600x480 h264-576=720x576 "
                 "av1-240=300x240 av1-480=600x480 av1-576=720x576");
    // Odd sides lose one line, tiny films are published all the same, without AV1.
    expect_sizes(427, 241, (struct rational){1, 1}, 0,
                 "h264-240=426x240 av1-240=426x240");
    expect_sizes(2, 2, (struct rational){1, 1}, 0, "h264-2=2x2");
    expect_sizes(1, 3, (struct rational){1, 1}, 0, "h264-2=2x2");
    expect_sizes(62, 200, (struct rational){1, 1}, 0, "h264-62=62x200");
}

static void two_rates_of_a_size_have_two_names(void **state)
{
    (void)state;
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    assert_int_equal(media_ladder_default(&l), 0);
    struct film f;
    film_make(&f, 50, 0, 60, 100);
    f.source.streams.data[0].width = 4096;
    f.source.streams.data[0].height = 2304;
    struct media_stream sound = {
        .kind = MEDIA_AUDIO, .sample_rate = 44100, .channels = 6};
    memcpy(sound.codec, "ac3", 4);
    film_add_stream(&f, sound);
    memcpy(sound.codec, "nonsense", 9);
    film_add_stream(&f, sound);
    struct media_plan *p = NULL;
    assert_int_equal(media_plan_make(&f.report, &f.t, l, &p), 0);
    int high = 0, sounds = 0;
    vec_for_each (r, &p->renditions) {
        if (r->kind == MEDIA_RENDITION_AUDIO) {
            sounds++;
            assert_int_equal(r->stream, 1); // nobody can decode the other one
            assert_int_equal(r->channels, 2);
            assert_true(r->is_default);
        } else {
            assert_true(r->width <= 3840 && r->height <= 2160);
            high += r->max_bps > 100000000;
        }
        for (const struct media_rendition *o = p->renditions.data; o < r; o++) {
            assert_string_not_equal(o->id, r->id);
        }
    }
    assert_int_equal(high, 1);
    assert_int_equal(sounds, 6);
    size_t grouped = 0;
    vec_for_each (g, &p->groups) {
        grouped += g->renditions.len;
        bool av1 = strncmp(g->name, "av1", 3) == 0;
        assert_true(!av1 || g->renditions.len <= 2);
    }
    assert_int_equal(grouped + (size_t)sounds, p->renditions.len);

    json_t *j = NULL, *again = NULL;
    struct media_plan *back = NULL;
    assert_int_equal(media_plan_to_json(p, &j), 0);
    assert_int_equal(media_plan_from_json(j, &back), 0);
    assert_int_equal(media_plan_to_json(back, &again), 0);
    assert_true(json_equal(j, again));
    media_plan_free(&back);
    // Numbers that would lead an encoder astray.
    json_array_append_new(
        json_object_get(json_array_get(json_object_get(j, "groups"), 0), "renditions"),
        json_integer(99));
    assert_int_equal(media_plan_from_json(j, &back), ERR_INVALID);
    assert_null(back);
    json_free(&j);
    json_free(&again);
    media_plan_free(&p);
    film_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_the_default),
        cmocka_unit_test(mistakes_have_file_and_line),
        cmocka_unit_test(any_film_is_cut_soundly),
        cmocka_unit_test(chunks_follow_shots_and_points),
        cmocka_unit_test(short_films_feed_several_workers),
        cmocka_unit_test(bad_timelines_are_refused),
        cmocka_unit_test(rungs_fit_the_picture),
        cmocka_unit_test(two_rates_of_a_size_have_two_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
