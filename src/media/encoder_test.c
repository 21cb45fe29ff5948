// SPDX-License-Identifier: GPL-3.0-or-later
//
// Chunks of a rendition share their initialisation segment, however much of the bucket each of
// them may count on and however coarse it has to be.
#include "media/codec_config.h"
#include "media/encoder.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void record_of(const struct media_rendition *r, double vbv_init, double coarser,
                      struct codec_config *ret)
{
    struct scale_color color = {.primaries = AVCOL_PRI_BT709,
                                .transfer = AVCOL_TRC_BT709,
                                .matrix = AVCOL_SPC_BT709};
    struct encoder_config config = {.rendition = r,
                                    .color = &color,
                                    .frame_rate = {24, 1},
                                    .vbv_init = vbv_init,
                                    .coarser = coarser,
                                    .b_frames = -1};
    AUTO(avcodec_free_context) AVCodecContext *encoder = NULL;
    AUTO(avcodec_parameters_free) AVCodecParameters *par = avcodec_parameters_alloc();
    assert_int_equal(encoder_video_open(&config, &encoder), 0);
    assert_int_equal(avcodec_parameters_from_context(par, encoder), 0);
    assert_int_equal(codec_config_read(par, ret), 0);
}

static void parameter_sets_do_not_depend_on_the_bucket(void **state)
{
    (void)state;
    // Rates around the limits of levels 3.0 to 4.0 (ITU-T H.264 table A-1, × 1.25 in High).
    static const int64_t rates[] = {900000,   5100000,  12600000,
                                    16000000, 17600000, 25500000};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct media_rendition r = {.id = "h264-360",
                                    .codec = "h264",
                                    .preset = "ultrafast",
                                    .timescale = 24,
                                    .width = 640,
                                    .height = 360,
                                    .sar = {1, 1},
                                    .crf = 8,
                                    .max_bps = rates[i],
                                    .buffer_bits = rates[i] * 3 / 2};
        AUTO(codec_config_clear) struct codec_config usual = {0};
        record_of(&r, 0.9, 0, &usual);
        static const double inits[] = {0.5, 0.4, 0.25, 0.05, 0.01};
        for (size_t k = 0; k < ARRAY_LEN(inits); k++) {
            AUTO(codec_config_clear) struct codec_config less = {0};
            record_of(&r, inits[k], 6, &less);
            assert_string_equal(less.codecs, usual.codecs);
            assert_int_equal(less.record.len, usual.record.len);
            assert_memory_equal(less.record.data, usual.record.data, usual.record.len);
        }
    }
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_sets_do_not_depend_on_the_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
