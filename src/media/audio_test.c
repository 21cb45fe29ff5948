// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sound made here, as PCM in a WAV file: loudness against the test signals of EBU Tech 3341, the
// detectors against faults at known samples.
#include "media/audio.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define RATE 48000

static int64_t read_buf(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct buf *b = opaque;
    size_t n = offset < (int64_t)b->len ? MIN(len, b->len - (size_t)offset) : 0;
    memcpy(ret, b->data + (n ? offset : 0), n);
    return (int64_t)n;
}

static void put(struct buf *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        buf_char(b, (char)(v >> (8 * i)));
    }
}

// Stereo, 16 bits. level: amplitude at a second, 1 is full scale; 0 is silence.
static struct buf make_wav(const double *level, int seconds)
{
    struct buf b = {0};
    uint32_t bytes = (uint32_t)seconds * RATE * 4;
    buf_cstr(&b, "RIFF");
    put(&b, 36 + bytes, 4);
    buf_cstr(&b, "WAVEfmt ");
    put(&b, 16, 4), put(&b, 1, 2), put(&b, 2, 2), put(&b, RATE, 4), put(&b, RATE * 4, 4);
    put(&b, 4, 2), put(&b, 16, 2);
    buf_cstr(&b, "data");
    put(&b, bytes, 4);
    for (int i = 0; i < seconds * RATE; i++) {
        double v = level[i / RATE] * sin(2 * M_PI * 1000 * i / RATE) * 32767;
        int16_t s = (int16_t)lrint(CLAMP(v, -32768.0, 32767.0));
        put(&b, (uint16_t)s, 2), put(&b, (uint16_t)s, 2);
    }
    return b;
}

static json_t *inspect(struct buf *wav)
{
    struct media_input input = {wav, (int64_t)wav->len, read_buf};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    assert_int_equal(media_probe(&input, &source, &timeline, &findings), 0);
    AUTO(buf_free) struct buf out = {0}, again = {0};
    assert_int_equal(media_inspect_audio(&input, source, NULL, NULL, &out), 0);
    assert_int_equal(media_inspect_audio(&input, source, NULL, NULL, &again), 0);
    assert_int_equal(out.len, again.len);
    assert_memory_equal(out.data, again.data, out.len);
    json_t *whole = NULL;
    assert_int_equal(media_audio_read(buf_view(&out), &whole), 0);
    return whole;
}

static double loudness(const json_t *whole, const char *key)
{
    const json_t *t = json_array_get(json_object_get(whole, "tracks"), 0);
    return json_number_value(json_object_get(json_object_get(t, "loudness"), key));
}

static const json_t *finding(const json_t *whole, const char *kind)
{
    const json_t *list = json_object_get(whole, "findings");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_str_or(json_array_get(list, i), "kind", ""), kind) == 0) {
            return json_array_get(list, i);
        }
    }
    return NULL;
}

static void loudness_meets_ebu_tech_3341(void **state)
{
    (void)state;
    // Case 1: a stereo sine of 1 kHz at -23 dBFS for 20 s is -23 ± 0.1 LUFS; case 2: -33.
    static const double cases[] = {-23, -33};
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        double level[20];
        for (int i = 0; i < 20; i++) {
            level[i] = pow(10, cases[c] / 20);
        }
        AUTO(buf_free) struct buf wav = make_wav(level, 20);
        AUTO(json_free) json_t *whole = inspect(&wav);
        assert_true(fabs(loudness(whole, "integrated_lufs") - cases[c]) <= 0.1);
        assert_true(fabs(loudness(whole, "true_peak_dbtp") - cases[c]) <= 0.2);
        assert_true(fabs(loudness(whole, "range_lu")) <= 0.1);
        assert_int_equal(json_array_size(json_object_get(whole, "findings")), 0);
    }
}

static void silence_has_its_samples(void **state)
{
    (void)state;
    double level[12] = {.1, .1, .1, 0,  0, 0,
                        .1, .1, .1, .1, 0, .1}; // one second is no silence
    AUTO(buf_free) struct buf wav = make_wav(level, 12);
    AUTO(json_free) json_t *whole = inspect(&wav);
    const json_t *f = finding(whole, "silence");
    assert_non_null(f);
    assert_true(json_is_null(json_object_get(f, "start_frame")));
    // The sine is below -60 dBFS for a few samples around its crossing of zero.
    assert_in_range(json_i64_or(f, "start_pts", 0), 3 * RATE - 8, 3 * RATE + 8);
    assert_in_range(json_i64_or(f, "end_pts", 0), 6 * RATE - 8, 6 * RATE + 8);
    assert_int_equal(json_array_size(json_object_get(whole, "findings")), 1);
}

static void silent_streams_have_no_loudness(void **state)
{
    (void)state;
    double level[5] = {0};
    AUTO(buf_free) struct buf wav = make_wav(level, 5);
    AUTO(json_free) json_t *whole = inspect(&wav);
    assert_non_null(finding(whole, "silent_stream"));
    const json_t *t = json_array_get(json_object_get(whole, "tracks"), 0);
    assert_true(json_is_null(json_object_get(t, "loudness")));
}

static void clipping_is_found_where_it_is(void **state)
{
    (void)state;
    double level[9] = {.5, .5, .5, .5, 3, .5, .5, .5, .5};
    AUTO(buf_free) struct buf wav = make_wav(level, 9);
    AUTO(json_free) json_t *whole = inspect(&wav);
    const json_t *f = finding(whole, "clipping");
    assert_non_null(f);
    assert_in_range(json_i64_or(f, "start_pts", 0), 4 * RATE, 4 * RATE + 48);
    assert_in_range(json_i64_or(f, "end_pts", 0), 5 * RATE - 48, 5 * RATE);
    assert_string_equal(json_str_or(f, "severity", ""), "warning");
}

static void damaged_results_are_refused(void **state)
{
    (void)state;
    double level[1] = {.5};
    AUTO(buf_free) struct buf wav = make_wav(level, 1), out = {0};
    struct media_input input = {&wav, (int64_t)wav.len, read_buf};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    assert_int_equal(media_probe(&input, &source, &timeline, &findings), 0);
    assert_int_equal(media_inspect_audio(&input, source, NULL, NULL, &out), 0);
    json_t *whole = NULL;
    out.data[out.len / 2] ^= 1;
    assert_int_equal(media_audio_read(buf_view(&out), &whole), ERR_CORRUPT);
    out.len /= 2;
    assert_int_equal(media_audio_read(buf_view(&out), &whole), ERR_CORRUPT);
    assert_null(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loudness_meets_ebu_tech_3341),
        cmocka_unit_test(silence_has_its_samples),
        cmocka_unit_test(silent_streams_have_no_loudness),
        cmocka_unit_test(clipping_is_found_where_it_is),
        cmocka_unit_test(damaged_results_are_refused),
    };
    return cmocka_run_group_tests_name("audio", tests, NULL, NULL);
}
