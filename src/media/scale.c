// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/scale.h"

#include "media/input.h"

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#define ROW_ALIGN 64

struct scaler {
    int width, height;
    struct scale_color color;
    struct SwsContext *sws;
    // what sws was made for
    int from_width, from_height, from_format, from_full;
    AVBufferPool *pool; // of whole pictures
    int linesize[4];
    size_t offset[4];
};

// --- colour --------------------------------------------------------------------------------

static bool is_rgb(const struct media_stream *s)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(av_get_pix_fmt(s->pixel_format));
    return d && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

int scale_color_of(const struct media_stream *s, struct scale_color *ret)
{
    // ITU-R BT.709 from 720 lines (or as wide) on, BT.601 below.
    bool high = s->width >= 1280 || s->height >= 720;
    int primaries = av_color_primaries_from_name(s->primaries);
    int transfer = av_color_transfer_from_name(s->transfer);
    int matrix = av_color_space_from_name(s->matrix);
    struct scale_color c = {
        high || is_rgb(s) ? AVCOL_PRI_BT709 : AVCOL_PRI_SMPTE170M,
        high || is_rgb(s) ? AVCOL_TRC_BT709 : AVCOL_TRC_SMPTE170M,
        high || is_rgb(s) ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M,
    };
    if (primaries >= 0 && primaries != AVCOL_PRI_UNSPECIFIED &&
        primaries != AVCOL_PRI_RESERVED0 && primaries != AVCOL_PRI_RESERVED) {
        c.primaries = (enum AVColorPrimaries)primaries;
    }
    if (transfer >= 0 && transfer != AVCOL_TRC_UNSPECIFIED &&
        transfer != AVCOL_TRC_RESERVED0 && transfer != AVCOL_TRC_RESERVED) {
        c.transfer = (enum AVColorTransferCharacteristic)transfer;
    }
    switch (is_rgb(s) ? AVCOL_SPC_RGB : matrix) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_SMPTE240M:
    case AVCOL_SPC_BT2020_NCL:
        c.matrix = (enum AVColorSpace)matrix;
        break;
    case AVCOL_SPC_RGB: // ours to choose
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_RESERVED:
    case AVERROR(EINVAL):
        break;
    default:
        FAIL(ERR_UNSUPPORTED, "colour matrix %s", s->matrix);
    }
    *ret = c;
    return 0;
}

static bool is_full_range(const AVFrame *f)
{
    switch (f->format) {
    case AV_PIX_FMT_YUVJ411P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ444P:
        return true;
    case AV_PIX_FMT_GRAY8:
    case AV_PIX_FMT_YA8:
    case AV_PIX_FMT_GRAY16LE:
    case AV_PIX_FMT_GRAY16BE: // of still pictures, unless a film's decoder says otherwise
        return f->color_range != AVCOL_RANGE_MPEG;
    default:
        return f->color_range == AVCOL_RANGE_JPEG;
    }
}

// --- scaling -------------------------------------------------------------------------------

int scaler_new(struct scaler **ret, int width, int height,
               const struct scale_color *color)
{
    AUTO(scaler_free) struct scaler *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a scaler");
    s->width = width;
    s->height = height;
    s->color = *color;
    size_t luma = (size_t)((width + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN);
    size_t chroma = (size_t)((width / 2 + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN);
    s->linesize[0] = (int)luma;
    s->linesize[1] = s->linesize[2] = (int)chroma;
    s->offset[1] = luma * (size_t)height;
    s->offset[2] = s->offset[1] + chroma * (size_t)(height / 2);
    // Vector code of libav reads a little past the last row.
    size_t bytes = s->offset[2] + chroma * (size_t)(height / 2) + 2 * ROW_ALIGN;
    s->pool = av_buffer_pool_init(bytes, NULL);
    FAIL_IF(!s->pool, ERR_NOMEM, "a pool of pictures");
    *ret = TAKE(s);
    return 0;
}

void scaler_free(struct scaler **ptr)
{
    struct scaler *s = TAKE(*ptr);
    if (s) {
        sws_freeContext(s->sws);
        av_buffer_pool_uninit(&s->pool);
        free(s);
    }
}

static int64_t flags_for(const AVPixFmtDescriptor *d)
{
    // Exact where colour is converted; 4:2:0 in and out is only filtered.
    bool rgb = d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
    return rgb ? SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP : SWS_BICUBIC;
}

static int configure(struct scaler *s, const AVFrame *from)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(from->format);
    FAIL_IF(!d || !sws_isSupportedInput(from->format), ERR_UNSUPPORTED,
            "pictures of the format %s", d ? d->name : "unknown");
    sws_freeContext(s->sws);
    s->sws = sws_alloc_context();
    FAIL_IF(!s->sws, ERR_NOMEM, "a scaler");
    bool sub = d->log2_chroma_w == 1 && d->log2_chroma_h == 1;
    const struct {
        const char *name;
        int64_t value;
    } options[] = {
        {"srcw", from->width},
        {"srch", from->height},
        {"src_format", from->format},
        {"src_range", is_full_range(from)},
        {"dstw", s->width},
        {"dsth", s->height},
        {"dst_format", AV_PIX_FMT_YUV420P},
        {"dst_range", 0},
        {"sws_flags", flags_for(d)},
        // Chroma sites: left in the published picture; 4:2:0 keeps whatever it has.
        {"dst_h_chr_pos", sub ? -513 : 0},
        {"dst_v_chr_pos", sub ? -513 : 128},
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        int err = av_opt_set_int(s->sws, options[i].name, options[i].value, 0);
        FAIL_IF(err < 0, ERR_INTERNAL, "swscale has no option %s", options[i].name);
    }
    FAIL_IF(sws_init_context(s->sws, NULL, NULL) < 0, ERR_UNSUPPORTED,
            "cannot scale %s from %d×%d to %d×%d", d->name, from->width, from->height,
            s->width, s->height);
    // swscale numbers its matrices as AVCOL_SPC does.
    const int *matrix = sws_getCoefficients((int)s->color.matrix);
    // Afterwards, because it takes grey for full range whatever it was told.
    sws_setColorspaceDetails(s->sws, matrix, is_full_range(from), matrix, 0, 0, 1 << 16,
                             1 << 16);
    s->from_width = from->width;
    s->from_height = from->height;
    s->from_format = from->format;
    s->from_full = is_full_range(from);
    return 0;
}

static bool is_right(const struct scaler *s, const AVFrame *from)
{
    return from->format == AV_PIX_FMT_YUV420P && from->width == s->width &&
           from->height == s->height && !is_full_range(from) && from->linesize[0] > 0;
}

static int picture_new(struct scaler *s, AVFrame **ret)
{
    AUTO(av_frame_free) AVFrame *f = av_frame_alloc();
    FAIL_IF(!f, ERR_NOMEM, "a picture");
    f->buf[0] = av_buffer_pool_get(s->pool);
    FAIL_IF(!f->buf[0], ERR_NOMEM, "a picture");
    for (int i = 0; i < 3; i++) {
        f->data[i] = f->buf[0]->data + s->offset[i];
        f->linesize[i] = s->linesize[i];
    }
    *ret = TAKE(f);
    return 0;
}

int scaler_run(struct scaler *s, const AVFrame *from, AVFrame **ret)
{
    AUTO(av_frame_free) AVFrame *to = NULL;
    if (is_right(s, from)) {
        to = av_frame_alloc();
        FAIL_IF(!to || av_frame_ref(to, from) < 0, ERR_NOMEM, "a picture");
        // What the film's frames carry is not for the encoder: captions, pan-scan, masters.
        while (to->nb_side_data > 0) {
            av_frame_remove_side_data(to, to->side_data[0]->type);
        }
    } else {
        if (!s->sws || s->from_width != from->width || s->from_height != from->height ||
            s->from_format != from->format || s->from_full != is_full_range(from)) {
            TRY(configure(s, from));
        }
        TRY(picture_new(s, &to));
        int rows = sws_scale(s->sws, (const uint8_t *const *)from->data, from->linesize,
                             0, from->height, to->data, to->linesize);
        FAIL_IF(rows != s->height, ERR_INTERNAL, "scaling gave %d rows of %d", rows,
                s->height);
    }
    to->width = s->width;
    to->height = s->height;
    to->format = AV_PIX_FMT_YUV420P;
    to->color_range = AVCOL_RANGE_MPEG;
    to->color_primaries = s->color.primaries;
    to->color_trc = s->color.transfer;
    to->colorspace = s->color.matrix;
    to->chroma_location = AVCHROMA_LOC_LEFT;
    to->interlaced_frame = 0;
    to->repeat_pict = 0;
    to->pict_type = AV_PICTURE_TYPE_NONE;
    to->key_frame = 0;
    *ret = TAKE(to);
    return 0;
}
