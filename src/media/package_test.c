// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/media.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// A film of 10.5 s at 24 frames a second in two chunks and three segments, with H.264 and AV1
// pictures, two rates of AAC in two languages, and Opus.
#define FRAMES   252
#define SEGMENTS 3

struct film {
    struct media_plan plan;
    struct media_timeline timeline;
    int64_t pts[FRAMES + 1];
    VEC(struct media_encoded) parts;
};

static struct media_rendition video(const char *id, const char *codec, int width,
                                    int height)
{
    struct media_rendition r = {.kind = MEDIA_RENDITION_VIDEO,
                                .timescale = 24,
                                .width = width,
                                .height = height,
                                .sar = {1, 1},
                                .max_bps = 8000000,
                                .buffer_bits = 16000000,
                                .hdr = "sdr"};
    snprintf(r.id, sizeof r.id, "%s", id);
    snprintf(r.codec, sizeof r.codec, "%s", codec);
    return r;
}

static struct media_rendition sound(const char *codec, int64_t bps, int stream,
                                    const char *language)
{
    struct media_rendition r = {.kind = MEDIA_RENDITION_AUDIO,
                                .timescale = 48000,
                                .bps = bps,
                                .stream = stream,
                                .is_default = stream == 1,
                                .sample_rate = 48000,
                                .channels = 2};
    snprintf(r.id, sizeof r.id, "%s-%lld-s%d", codec, (long long)(bps / 1000), stream);
    snprintf(r.codec, sizeof r.codec, "%s", codec);
    snprintf(r.language, sizeof r.language, "%s", language);
    return r;
}

static const int64_t starts[SEGMENTS + 1] = {0, 96, 192, FRAMES};

static void add_video(struct film *f, const struct media_rendition *r, const char *codecs,
                      int64_t bytes)
{
    for (size_t chunk = 0; chunk < 2; chunk++) {
        struct media_encoded e = {.vbv_init = 0.9};
        memcpy(e.rendition, r->id, sizeof e.rendition);
        snprintf(e.codecs, sizeof e.codecs, "%s", codecs);
        hash_of(r->id, strlen(r->id), &e.init);
        for (size_t i = chunk == 0 ? 0 : 2; i < (chunk == 0 ? 2u : SEGMENTS); i++) {
            int64_t frames = starts[i + 1] - starts[i];
            struct media_segment s = {.number = (int64_t)i + 1,
                                      .start = starts[i],
                                      .duration = frames,
                                      .bytes = bytes * (i == 1 ? 2 : 1),
                                      .frames = frames};
            assert_int_equal(vec_push(&e.segments, s), 0);
            e.frames += frames;
            for (int64_t k = 0; k < frames; k++) {
                assert_int_equal(vec_push(&e.frame_bytes, 1000), 0);
            }
        }
        assert_int_equal(vec_push(&f->parts, e), 0);
    }
}

static void add_sound(struct film *f, const struct media_rendition *r, const char *codecs)
{
    struct media_encoded e = {0};
    memcpy(e.rendition, r->id, sizeof e.rendition);
    snprintf(e.codecs, sizeof e.codecs, "%s", codecs);
    hash_of(r->id, strlen(r->id), &e.init);
    static const int64_t ends[] = {0, 192512, 384000, 504000};
    for (size_t i = 0; i < SEGMENTS; i++) {
        int64_t duration = ends[i + 1] - ends[i];
        struct media_segment s = {.number = (int64_t)i + 1,
                                  .start = ends[i],
                                  .duration = duration,
                                  .bytes = r->bps * duration / 48000 / 8,
                                  .frames = (duration + 1023) / 1024};
        assert_int_equal(vec_push(&e.segments, s), 0);
        e.frames += s.frames;
    }
    assert_int_equal(vec_push(&f->parts, e), 0);
}

static void film_make(struct film *f)
{
    memset(f, 0, sizeof *f);
    for (int64_t i = 0; i <= FRAMES; i++) {
        f->pts[i] = 100 + i;
    }
    f->timeline =
        (struct media_timeline){.time_base = {1, 24}, .count = FRAMES, .pts = f->pts};
    f->plan.frames = FRAMES;
    f->plan.origin_pts = 100;
    for (size_t i = 0; i <= SEGMENTS; i++) {
        assert_int_equal(vec_push(&f->plan.segments, starts[i]), 0);
    }
    struct media_chunk chunks[2] = {
        {.end_segment = 2, .end_frame = 192},
        {.first_segment = 2, .end_segment = 3, .start_frame = 192, .end_frame = FRAMES}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(vec_push(&f->plan.chunks, chunks[i]), 0);
    }
    struct media_rendition all[] = {
        video("h264-360", "h264", 640, 360), video("h264-720", "h264", 1280, 720),
        video("av1-720", "av1", 960, 720),   sound("aac", 64000, 1, "en"),
        sound("aac", 192000, 1, "en"),       sound("aac", 64000, 2, "de"),
        sound("aac", 192000, 2, "de"),       sound("opus", 96000, 1, "en"),
        sound("opus", 96000, 2, "de"),
    };
    all[2].sar = (struct rational){4, 3};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(vec_push(&f->plan.renditions, all[i]), 0);
    }
    const struct media_rendition *r = f->plan.renditions.data;
    add_video(f, &r[0], "avc1.64001e", 250000);
    add_video(f, &r[1], "avc1.64001f", 900000);
    add_video(f, &r[2], "av01.0.05M.08", 500000);
    for (size_t i = 3; i < ARRAY_LEN(all); i++) {
        add_sound(f, &r[i], strcmp(r[i].codec, "aac") == 0 ? "mp4a.40.2" : "opus");
    }
}

static void film_free(struct film *f)
{
    vec_for_each (e, &f->parts) {
        media_encoded_clear(e);
    }
    vec_free(&f->parts);
    vec_free(&f->plan.renditions);
    vec_free(&f->plan.segments);
    vec_free(&f->plan.chunks);
}

static int join(const struct film *f, struct media_package **ret)
{
    return media_package_join(&f->plan, &f->timeline, f->parts.data, f->parts.len, ret);
}

static void joined(struct film *f, struct media_package **ret)
{
    film_make(f);
    assert_int_equal(join(f, ret), 0);
    struct media_rendition text = {.id = "text-en", .codec = "wvtt", .language = "en"};
    snprintf(text.title, sizeof text.title, "English \"CC\" <b>");
    assert_int_equal(media_package_add_text(*ret, &text, "captions/en.vtt", 5000), 0);
    (*ret)->sprites = (struct media_sprites){.sheets = 1,
                                             .columns = 6,
                                             .rows = 1,
                                             .tile_width = 160,
                                             .tile_height = 90,
                                             .every_us = 2000000,
                                             .bytes = 30000};
}

// --- golden ---------------------------------------------------------------------------------

// Compares with test/golden/<name>; MARQUEE_GOLDEN=write writes it instead.
static void check_golden(const char *name, const struct buf *text)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf golden = {0};
    const char *wish = getenv("MARQUEE_GOLDEN");
    assert_int_equal(cstr_printf(&path, "%s/test/golden/%s", MARQUEE_SOURCE, name), 0);
    if (wish != NULL && strcmp(wish, "write") == 0) {
        assert_int_equal(fs_write_file(path, text->data, text->len), 0);
    }
    assert_int_equal(fs_read_file(path, 1 << 20, &golden), 0);
    assert_string_equal(text->data, golden.data);
}

static void manifests_are_the_golden_ones(void **state)
{
    (void)state;
    AUTO(film_free) struct film f;
    AUTO(media_package_free) struct media_package *p = NULL;
    joined(&f, &p);
    AUTO(buf_free) struct buf text = {0};
    assert_int_equal(media_hls_master(p, NULL, &text), 0);
    check_golden("master.m3u8", &text);
    buf_clear(&text);
    assert_int_equal(media_dash(p, NULL, &text), 0);
    check_golden("manifest.mpd", &text);
    static const struct {
        size_t track;
        const char *name;
    } lists[] = {{0, "h264-360.m3u8"}, {3, "aac-64-s1.m3u8"}, {9, "text-en.m3u8"}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        buf_clear(&text);
        assert_int_equal(media_hls_media(p, &p->tracks.data[lists[i].track], &text), 0);
        check_golden(lists[i].name, &text);
    }
}

static void a_package_survives_json(void **state)
{
    (void)state;
    AUTO(film_free) struct film f;
    AUTO(media_package_free) struct media_package *p = NULL, *again = NULL;
    joined(&f, &p);
    AUTO(json_free) json_t *written = NULL, *rewritten = NULL;
    assert_int_equal(media_package_to_json(p, &written), 0);
    assert_int_equal(media_package_from_json(written, &again), 0);
    assert_int_equal(media_package_to_json(again, &rewritten), 0);
    assert_true(json_equal(written, rewritten));
    AUTO(buf_free) struct buf a = {0}, b = {0};
    assert_int_equal(media_dash(p, NULL, &a), 0);
    assert_int_equal(media_dash(again, NULL, &b), 0);
    assert_string_equal(a.data, b.data);

    json_t *track = json_array_get(json_object_get(written, "tracks"), 0);
    json_t *rendition = json_object_get(track, "rendition");
    json_object_set_new(rendition, "id", json_string("../../etc"));
    media_package_free(&again);
    assert_int_equal(media_package_from_json(written, &again), ERR_INVALID);
}

// --- rates ----------------------------------------------------------------------------------

static void rates_are_peak_and_average(void **state)
{
    (void)state;
    AUTO(film_free) struct film f;
    AUTO(media_package_free) struct media_package *p = NULL;
    joined(&f, &p);
    const struct media_track *t = &p->tracks.data[0];
    // 250,000 + 500,000 + 250,000 bytes in 10.5 s; the second segment lasts 4 s.
    assert_int_equal(t->average_bps, 761905);
    assert_int_equal(t->peak_bps, 1000000);
    assert_int_equal(t->frames, FRAMES);
    assert_int_equal(p->duration_us, 10500000);
    assert_int_equal(p->frame_rate.num, 24);
    assert_int_equal(p->frame_rate.den, 1);
}

// --- what must not join -----------------------------------------------------------------------

static void check_refused(void (*spoil)(struct film *))
{
    AUTO(film_free) struct film f;
    AUTO(media_package_free) struct media_package *p = NULL;
    film_make(&f);
    assert_int_equal(join(&f, &p), 0);
    media_package_free(&p);
    spoil(&f);
    int err = join(&f, &p);
    assert_true(err == ERR_CORRUPT);
    assert_null(p);
}

static void other_init(struct film *f)
{
    f->parts.data[1].init.bytes[0] ^= 1;
}

static void other_codecs(struct film *f)
{
    f->parts.data[1].codecs[6] = '5';
}

static void a_gap(struct film *f)
{
    f->parts.data[1].segments.data[0].start++;
}

static void a_missing_frame(struct film *f)
{
    f->parts.data[1].segments.data[0].frames--;
}

static void a_repeated_segment(struct film *f)
{
    f->parts.data[1].segments.data[0].number = 2;
}

static void a_lost_chunk(struct film *f)
{
    media_encoded_clear(&f->parts.data[1]);
    memmove(&f->parts.data[1], &f->parts.data[2],
            (f->parts.len - 2) * sizeof *f->parts.data);
    f->parts.len--;
}

static void another_rendition(struct film *f)
{
    memcpy(f->parts.data[1].rendition, "h264-720", 9);
}

static void a_shifted_boundary(struct film *f)
{
    f->parts.data[0].segments.data[0].duration++;
    f->parts.data[0].segments.data[1].start++;
    f->parts.data[0].segments.data[1].duration--;
}

static void a_peak(struct film *f)
{
    f->parts.data[0].frame_bytes.data[5] = 5000000;
}

static void a_part_too_many(struct film *f)
{
    assert_int_equal(vec_push(&f->parts, (struct media_encoded){0}), 0);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    void (*const spoilers[])(struct film *) = {other_init,
                                               other_codecs,
                                               a_gap,
                                               a_missing_frame,
                                               a_repeated_segment,
                                               another_rendition,
                                               a_shifted_boundary,
                                               a_peak,
                                               a_part_too_many,
                                               a_lost_chunk};
    for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
        check_refused(spoilers[i]);
    }
}

// --- filters ----------------------------------------------------------------------------------

static bool master_has(const struct media_package *p, const struct media_filter *filter,
                       const char *text)
{
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(media_hls_master(p, filter, &out), 0);
    AUTO(buf_free) struct buf mpd = {0};
    assert_int_equal(media_dash(p, filter, &mpd), 0);
    bool in_hls = strstr(out.data, text) != NULL,
         in_dash = strstr(mpd.data, text) != NULL;
    assert_int_equal(in_hls, in_dash);
    return in_hls;
}

static void devices_get_what_they_play(void **state)
{
    (void)state;
    AUTO(film_free) struct film f;
    AUTO(media_package_free) struct media_package *p = NULL;
    joined(&f, &p);
    static const char *const old[] = {"h264", "aac"};
    static const char *const strange[] = {"vp8", "vorbis"};
    struct media_filter filter = {.codecs = old, .codec_count = 2};
    assert_true(master_has(p, &filter, "avc1.64001f"));
    assert_false(master_has(p, &filter, "av01"));
    assert_false(master_has(p, &filter, "opus"));
    filter.max_height = 480;
    assert_false(master_has(p, &filter, "avc1.64001f"));
    assert_true(master_has(p, &filter, "avc1.64001e"));
    filter.max_height = 100; // lower than anything: the lowest
    assert_true(master_has(p, &filter, "avc1.64001e"));
    assert_false(master_has(p, &filter, "avc1.64001f"));
    filter.codecs = strange;
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(media_hls_master(p, &filter, &out), ERR_NOT_FOUND);
    assert_int_equal(media_dash(p, &filter, &out), ERR_NOT_FOUND);

    f.plan.renditions.len = 0;
    vec_for_each (t, &p->tracks) {
        memcpy(t->rendition.hdr, "pq", 3);
    }
    filter = (struct media_filter){.hdr = false}; // nothing in SDR: better than nothing
    assert_true(master_has(p, &filter, "avc1.64001f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests_are_the_golden_ones),
        cmocka_unit_test(a_package_survives_json),
        cmocka_unit_test(rates_are_peak_and_average),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(devices_get_what_they_play),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
