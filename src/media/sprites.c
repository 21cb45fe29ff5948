// SPDX-License-Identifier: GPL-3.0-or-later
//
// Trick-play pictures: the grid's JPEGs, pasted into sheets that a player fetches at once.
#include "media/input.h"
#include "media/jpeg.h"

#include <libavutil/mathematics.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <string.h>

#define SIDE_MAX  16000 // of a sheet, well inside of JPEG's 65,535
#define TILES_MAX 1000000

struct sheets {
    const struct media_sprites_config *config;
    struct media_sprites made;
    AVCodecContext *decoder;
    struct SwsContext *sws;
    struct media_jpeg *jpeg;
    AVPacket *packet;
    AVFrame *tile;  // as decoded
    AVFrame *sheet; // under construction
};

static void sheets_close(struct sheets *s)
{
    avcodec_free_context(&s->decoder);
    sws_freeContext(s->sws);
    media_jpeg_free(&s->jpeg);
    av_packet_free(&s->packet);
    av_frame_free(&s->tile);
    av_frame_free(&s->sheet);
}

static int open_sheets(struct sheets *s)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_MJPEG);
    FAIL_IF(codec == NULL, ERR_UNSUPPORTED, "no JPEG decoder");
    s->decoder = avcodec_alloc_context3(codec);
    s->packet = av_packet_alloc();
    s->tile = av_frame_alloc();
    FAIL_IF(s->decoder == NULL || s->packet == NULL || s->tile == NULL, ERR_NOMEM,
            "a JPEG decoder");
    s->decoder->thread_count = 1;
    int err = avcodec_open2(s->decoder, codec, NULL);
    if (err < 0) {
        return media_av_fail(err, "the JPEG decoder");
    }
    return media_jpeg_new(&s->jpeg);
}

static int decode_tile(struct sheets *s, struct str jpeg)
{
    FAIL_IF(jpeg.len > INT32_MAX, ERR_LIMIT, "a thumbnail over 2 GiB");
    FAIL_IF(av_new_packet(s->packet, (int)jpeg.len) < 0, ERR_NOMEM, "a thumbnail");
    memcpy(s->packet->data, jpeg.data, jpeg.len);
    av_frame_unref(s->tile);
    int err = avcodec_send_packet(s->decoder, s->packet);
    av_packet_unref(s->packet);
    err = err < 0 ? err : avcodec_receive_frame(s->decoder, s->tile);
    return err < 0 ? media_av_fail(err, "a thumbnail") : 0;
}

// Even, so that chroma falls on whole samples; sheets no larger than is needed.
static int plan_sheets(struct sheets *s, int64_t first)
{
    const struct media_sprites_config *c = s->config;
    TRY(decode_tile(s, c->jpegs[first]));
    struct media_sprites m = {.columns = c->columns, .rows = c->rows};
    m.tile_width = MAX(s->tile->width / 2 * 2, 2);
    m.tile_height = MAX(s->tile->height / 2 * 2, 2);
    m.every_us = c->every_us;
    int64_t count = (int64_t)c->count;
    m.columns = (int)MIN(m.columns, count);
    m.rows = (int)MIN(m.rows, (count + m.columns - 1) / m.columns);
    int64_t tiles = (int64_t)m.columns * m.rows;
    m.sheets = (int)((count + tiles - 1) / tiles);
    FAIL_IF((int64_t)m.columns * m.tile_width > SIDE_MAX ||
                (int64_t)m.rows * m.tile_height > SIDE_MAX,
            ERR_LIMIT, "a sheet of thumbnails over %d pixels", SIDE_MAX);
    s->made = m;
    return 0;
}

static int new_sheet(struct sheets *s)
{
    av_frame_free(&s->sheet);
    s->sheet = av_frame_alloc();
    FAIL_IF(s->sheet == NULL, ERR_NOMEM, "a sheet");
    s->sheet->format = AV_PIX_FMT_YUVJ420P;
    s->sheet->color_range = AVCOL_RANGE_JPEG;
    s->sheet->colorspace = AVCOL_SPC_SMPTE170M; // JFIF
    s->sheet->width = s->made.columns * s->made.tile_width;
    s->sheet->height = s->made.rows * s->made.tile_height;
    FAIL_IF(av_frame_get_buffer(s->sheet, 0) < 0, ERR_NOMEM, "a sheet");
    for (int plane = 0; plane < 3; plane++) {
        int rows = plane == 0 ? s->sheet->height : s->sheet->height / 2;
        memset(s->sheet->data[plane], plane == 0 ? 0 : 128,
               (size_t)s->sheet->linesize[plane] * (size_t)rows);
    }
    return 0;
}

static int paste(struct sheets *s, int column, int row)
{
    const AVFrame *t = s->tile;
    int width = s->made.tile_width, height = s->made.tile_height;
    s->sws = sws_getCachedContext(
        s->sws, t->width, t->height, t->format, width, height, AV_PIX_FMT_YUVJ420P,
        SWS_AREA | SWS_BITEXACT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    FAIL_IF(s->sws == NULL, ERR_UNSUPPORTED, "a thumbnail in an unknown format");
    uint8_t *to[4] = {0};
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane == 0 ? 0 : 1;
        to[plane] = s->sheet->data[plane] +
                    (ptrdiff_t)(row * height >> shift) * s->sheet->linesize[plane] +
                    (column * width >> shift);
    }
    int rows = sws_scale(s->sws, (const uint8_t *const *)t->data, t->linesize, 0,
                         t->height, to, s->sheet->linesize);
    FAIL_IF(rows != height, ERR_INTERNAL, "pasting a thumbnail");
    return 0;
}

static int write_sheet(struct sheets *s, int number)
{
    AUTO(buf_free) struct buf jpeg = {0};
    AUTO(cstr_free) char *path = NULL;
    TRY(media_jpeg_make(s->jpeg, s->sheet, (struct rational){1, 1}, 0, s->sheet->width,
                        &jpeg));
    TRY(cstr_printf(&path, "thumbs/sprite-%d.jpg", number));
    s->made.bytes += (int64_t)jpeg.len;
    return s->config->write(s->config->user, "thumbs", path, jpeg.data, jpeg.len);
}

// Where there was no frame (a gap in the film) the picture before stands on.
static int fill_sheet(struct sheets *s, int number)
{
    TRY(new_sheet(s));
    int64_t first = (int64_t)number * s->made.columns * s->made.rows;
    for (int i = 0; i < s->made.columns * s->made.rows; i++) {
        int64_t at = first + i;
        if (at >= (int64_t)s->config->count) {
            break;
        }
        if (s->config->jpegs[at].len > 0) {
            TRY(decode_tile(s, s->config->jpegs[at]));
        }
        TRY(paste(s, i % s->made.columns, i / s->made.columns));
    }
    return write_sheet(s, number);
}

static void add_time(struct buf *out, int64_t us)
{
    int64_t ms = (us + 500) / 1000;
    buf_printf(out, "%02lld:%02lld:%02lld.%03lld", (long long)(ms / 3600000),
               (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60),
               (long long)(ms % 1000));
}

static int write_vtt(struct sheets *s)
{
    const struct media_sprites_config *c = s->config;
    const struct media_sprites *m = &s->made;
    AUTO(buf_free) struct buf vtt = {0};
    buf_cstr(&vtt, "WEBVTT\n");
    int64_t tiles = (int64_t)m->columns * m->rows;
    for (int64_t i = 0; i < (int64_t)c->count; i++) {
        bool is_last = i + 1 == (int64_t)c->count;
        int64_t start = i * c->every_us;
        int64_t end = is_last ? c->duration_us : MIN(start + c->every_us, c->duration_us);
        if (end - start < 1000) {
            break; // nothing is shown of it
        }
        int64_t place = i % tiles;
        buf_char(&vtt, '\n');
        add_time(&vtt, start);
        buf_cstr(&vtt, " --> ");
        add_time(&vtt, end);
        buf_printf(&vtt, "\nsprite-%lld.jpg#xywh=%lld,%lld,%d,%d\n",
                   (long long)(i / tiles),
                   (long long)(place % m->columns * m->tile_width),
                   (long long)(place / m->columns * m->tile_height), m->tile_width,
                   m->tile_height);
    }
    TRY(vtt.err);
    return c->write(c->user, "thumbs", "thumbs/thumbs.vtt", vtt.data, vtt.len);
}

static int make_all(struct sheets *s, int64_t first)
{
    TRY(open_sheets(s));
    TRY(plan_sheets(s, first));
    for (int i = 0; i < s->made.sheets; i++) {
        TRY(fill_sheet(s, i));
    }
    return write_vtt(s);
}

int media_sprites_make(const struct media_sprites_config *config,
                       struct media_sprites *ret)
{
    FAIL_IF(config->columns < 1 || config->rows < 1 || config->every_us < 1 ||
                config->duration_us < 1 || config->count > TILES_MAX,
            ERR_INVALID, "a grid of thumbnails that cannot be");
    int64_t first = 0;
    while (first < (int64_t)config->count && config->jpegs[first].len == 0) {
        first++;
    }
    FAIL_IF(first == (int64_t)config->count, ERR_NOT_FOUND, "no thumbnail");
    AUTO(sheets_close) struct sheets s = {.config = config};
    struct media_log *before = media_log_enter(NULL); // libav keeps its advice to itself
    int err = make_all(&s, first);
    media_log_leave(before);
    TRY(err);
    *ret = s.made;
    return 0;
}
