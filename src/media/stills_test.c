// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sprite sheets decoded again: every tile lies where the WebVTT says. Exact frames of a real film.
#include "media/jpeg.h"
#include "media/media.h"

#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TILES 7
#define WIDE  32
#define HIGH  18

struct shelf {
    struct buf sheets[4];
    struct buf vtt;
};

static void shelf_free(struct shelf *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->sheets); i++) {
        buf_free(&s->sheets[i]);
    }
    buf_free(&s->vtt);
}

static int shelf_write(void *user, const char *rendition, const char *path,
                       const void *bytes, size_t len)
{
    struct shelf *s = user;
    assert_string_equal(rendition, "thumbs");
    int number = 0;
    if (sscanf(path, "thumbs/sprite-%d.jpg", &number) == 1) {
        assert_true(number >= 0 && (size_t)number < ARRAY_LEN(s->sheets));
        buf_add(&s->sheets[number], bytes, len);
        return s->sheets[number].err;
    }
    assert_string_equal(path, "thumbs/thumbs.vtt");
    buf_add(&s->vtt, bytes, len);
    return s->vtt.err;
}

static void grey_frame(int luma, int width, int height, AVFrame **ret)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = AV_PIX_FMT_YUVJ420P;
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int plane = 0; plane < 3; plane++) {
        memset(frame->data[plane], plane == 0 ? luma : 128,
               (size_t)frame->linesize[plane] *
                   (size_t)(plane == 0 ? height : height / 2));
    }
    *ret = frame;
}

static void decode_jpeg(const struct buf *jpeg, AVFrame **ret)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_MJPEG);
    AUTO(avcodec_free_context) AVCodecContext *decoder = avcodec_alloc_context3(codec);
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    *ret = av_frame_alloc();
    assert_int_equal(avcodec_open2(decoder, codec, NULL), 0);
    assert_int_equal(av_new_packet(packet, (int)jpeg->len), 0);
    memcpy(packet->data, jpeg->data, jpeg->len);
    assert_int_equal(avcodec_send_packet(decoder, packet), 0);
    assert_int_equal(avcodec_receive_frame(decoder, *ret), 0);
}

static int grey_of(size_t tile)
{
    return 20 + (int)tile * 30;
}

static void tiles_lie_where_the_text_says(void **state)
{
    (void)state;
    struct buf jpegs[TILES] = {0};
    struct str views[TILES] = {0};
    AUTO(media_jpeg_free) struct media_jpeg *writer = NULL;
    assert_int_equal(media_jpeg_new(&writer), 0);
    for (size_t i = 0; i < TILES; i++) {
        AUTO(av_frame_free) AVFrame *frame = NULL;
        grey_frame(grey_of(i), WIDE, HIGH, &frame);
        assert_int_equal(
            media_jpeg_make(writer, frame, (struct rational){1, 1}, 0, WIDE, &jpegs[i]),
            0);
        views[i] = i == 2 ? (struct str){0} : buf_view(&jpegs[i]); // a hole in the grid
    }
    AUTO(shelf_free) struct shelf shelf = {0};
    struct media_sprites made = {0};
    struct media_sprites_config config = {.jpegs = views,
                                          .count = TILES,
                                          .every_us = 2000000,
                                          .duration_us = 13500000,
                                          .columns = 2,
                                          .rows = 2,
                                          .write = shelf_write,
                                          .user = &shelf};
    assert_int_equal(media_sprites_make(&config, &made), 0);
    assert_int_equal(made.sheets, 2);
    assert_int_equal(made.tile_width, WIDE);
    assert_int_equal(made.tile_height, HIGH);
    assert_int_equal(made.bytes, shelf.sheets[0].len + shelf.sheets[1].len);
    for (size_t i = 0; i < TILES; i++) {
        AUTO(av_frame_free) AVFrame *sheet = NULL;
        decode_jpeg(&shelf.sheets[i / 4], &sheet);
        assert_int_equal(sheet->width, 2 * WIDE);
        assert_int_equal(sheet->height, 2 * HIGH);
        int x = (int)(i % 2) * WIDE, y = (int)(i % 4 / 2) * HIGH;
        int seen = sheet->data[0][(y + HIGH / 2) * sheet->linesize[0] + x + WIDE / 2];
        assert_true(abs(seen - grey_of(i == 2 ? 1 : i)) <= 4);
        AUTO(cstr_free) char *place = NULL;
        assert_int_equal(cstr_printf(&place,
                                     "\n00:00:%02zu.000 --> 00:00:%02zu.%s00\n"
                                     "sprite-%zu.jpg#xywh=%d,%d,%d,%d\n",
                                     i * 2, i == 6 ? 13 : i * 2 + 2, i == 6 ? "5" : "0",
                                     i / 4, x, y, WIDE, HIGH),
                         0);
        assert_non_null(strstr(shelf.vtt.data, place));
    }
    AUTO(shelf_free) struct shelf again = {0};
    config.user = &again;
    assert_int_equal(media_sprites_make(&config, &made), 0);
    assert_int_equal(again.sheets[0].len, shelf.sheets[0].len);
    assert_memory_equal(again.sheets[0].data, shelf.sheets[0].data, shelf.sheets[0].len);
    for (size_t i = 0; i < TILES; i++) {
        views[i] = (struct str){0};
        buf_free(&jpegs[i]);
    }
    assert_int_equal(media_sprites_make(&config, &made), ERR_NOT_FOUND);
}

// A red picture between black bars, beside more grey than red.
static void a_picture_has_the_tint_of_what_stands_out(void **state)
{
    (void)state;
    AUTO(av_frame_free) AVFrame *frame = NULL;
    AUTO(media_jpeg_free) struct media_jpeg *writer = NULL;
    AUTO(buf_free) struct buf jpeg = {0};
    grey_frame(0, 320, 180, &frame);
    for (int y = 40; y < 140; y++) {
        memset(frame->data[0] + y * frame->linesize[0], 90, 200);
        memset(frame->data[0] + y * frame->linesize[0] + 200, 76, 120);
    }
    for (int y = 20; y < 70; y++) { // (255, 0, 0) in JFIF's YCbCr
        memset(frame->data[1] + y * frame->linesize[1] + 100, 85, 60);
        memset(frame->data[2] + y * frame->linesize[2] + 100, 255, 60);
    }
    assert_int_equal(media_jpeg_new(&writer), 0);
    assert_int_equal(
        media_jpeg_make(writer, frame, (struct rational){1, 1}, 0, 320, &jpeg), 0);
    char tint[MEDIA_TINT_BYTES];
    unsigned red = 0, green = 0, blue = 0;
    assert_int_equal(media_tint(buf_view(&jpeg), tint), 0);
    assert_int_equal(sscanf(tint, "#%2x%2x%2x", &red, &green, &blue), 3);
    assert_in_range(red, 100, 112);
    assert_in_range(green, 0, 12);
    assert_in_range(blue, 0, 12);
    assert_true(media_tint(STR("no picture"), tint) < 0);
    assert_int_equal(tint[0], '#'); // untouched on failure
}

// --- films ----------------------------------------------------------------------------------

static int64_t read_fd(void *opaque, int64_t offset, void *ret, size_t len)
{
    return pread(*(int *)opaque, ret, len, offset);
}

// The same frame, decoded from the start of the file without random access.
static void frame_from_start(const struct media_input *input,
                             const struct media_report *report,
                             const struct media_timeline *timeline, int64_t frame,
                             struct buf *out)
{
    struct media_timeline blind = *timeline;
    blind.raps.len = 0;
    assert_int_equal(media_still(input, report, &blind, frame, 320, out), 0);
}

static void an_exact_frame_comes_out(void **state)
{
    (void)state;
    const char *shared = getenv("MARQUEE_SHARED");
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/data/media/edge/sample.mp4",
                                 shared != NULL ? shared : "../shared"),
                     0);
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cstr_free(&path); // skip() jumps
        print_message("SKIPPED: no shared data (MARQUEE_SHARED)\n");
        skip();
    }
    int64_t size = 0;
    assert_int_equal(fs_size(path, &size), 0);
    struct media_input input = {.opaque = &fd, .size = size, .read = read_fd};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    assert_int_equal(media_probe(&input, &source, &timeline, &findings), 0);
    struct media_report report = {.source = source, .frames = timeline->count};
    int64_t frames[] = {0, timeline->count / 2, timeline->count - 1};
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        AUTO(buf_free) struct buf direct = {0}, truth = {0};
        assert_int_equal(media_still(&input, &report, timeline, frames[i], 320, &direct),
                         0);
        frame_from_start(&input, &report, timeline, frames[i], &truth);
        assert_int_equal(direct.len, truth.len);
        assert_memory_equal(direct.data, truth.data, truth.len);
        AUTO(av_frame_free) AVFrame *picture = NULL;
        decode_jpeg(&direct, &picture);
        assert_true(picture->width <= 320);
    }
    AUTO(buf_free) struct buf none = {0};
    assert_int_equal(media_still(&input, &report, timeline, timeline->count, 320, &none),
                     ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_lie_where_the_text_says),
        cmocka_unit_test(a_picture_has_the_tint_of_what_stands_out),
        cmocka_unit_test(an_exact_frame_comes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
