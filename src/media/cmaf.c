// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/cmaf.h"

#include "media/box.h"

#include <string.h>

// Sample flags (ISO/IEC 14496-12 section 8.8.3.1).
#define FLAGS_SYNC     0x02000000u // depends on no other
#define FLAGS_NON_SYNC 0x01010000u

static bool is_video(const struct mux_config *config)
{
    return config->kind == MEDIA_RENDITION_VIDEO;
}

static void add_matrix(struct buf *b)
{
    static const uint32_t unity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (size_t i = 0; i < ARRAY_LEN(unity); i++) {
        box_u32(b, unity[i]);
    }
}

static void add_ftyp(const struct mux_config *config, const struct codec_config *codec,
                     struct buf *b)
{
    size_t ftyp = box_begin(b, "ftyp");
    box_fourcc(b, "iso6");
    box_u32(b, 0);
    box_fourcc(b, "iso6");
    box_fourcc(b, "mp41");
    box_fourcc(b, "dash");
    box_fourcc(b, "cmfc");
    if (is_video(config) && config->lead == 0) {
        box_fourcc(b, "cmf2"); // without an edit list
    }
    if (strcmp(codec->sample_entry, "av01") == 0) {
        box_fourcc(b, "av01");
    }
    box_end(b, ftyp);
}

static void add_mvhd(struct buf *b)
{
    size_t at = box_begin_full(b, "mvhd", 0, 0);
    box_zeros(b, 8); // times of making: no date enters published bytes
    box_u32(b, 1000);
    box_u32(b, 0);
    box_u32(b, 0x10000);
    box_u16(b, 0x100);
    box_zeros(b, 10);
    add_matrix(b);
    box_zeros(b, 24);
    box_u32(b, 2);
    box_end(b, at);
}

static void add_tkhd(const struct mux_config *config, struct buf *b)
{
    const AVCodecParameters *par = config->codec;
    size_t at = box_begin_full(b, "tkhd", 0, 7);
    box_zeros(b, 8);
    box_u32(b, 1);
    box_zeros(b, 4);
    box_u32(b, 0);
    box_zeros(b, 8);
    box_u16(b, 0);
    box_u16(b, is_video(config) ? 0 : 1);
    box_u16(b, is_video(config) ? 0 : 0x100);
    box_u16(b, 0);
    add_matrix(b);
    if (is_video(config)) {
        AVRational sar = par->sample_aspect_ratio;
        int64_t width = (int64_t)par->width << 16;
        if (sar.num > 0 && sar.den > 0) {
            width = av_rescale(width, sar.num, sar.den);
        }
        box_u32(b, (uint32_t)width);
        box_u32(b, (uint32_t)par->height << 16);
    } else {
        box_zeros(b, 8);
    }
    box_end(b, at);
}

// An offset edit list (ISO/IEC 23000-19 section 7.5.13): the track begins behind its lead. A
// duration of 0 means all of a fragmented track (ISO/IEC 14496-12 section 8.6.6.1).
static void add_edits(const struct mux_config *config, struct buf *b)
{
    if (config->lead == 0) {
        return;
    }
    size_t edts = box_begin(b, "edts");
    size_t elst = box_begin_full(b, "elst", 0, 0);
    box_u32(b, 1);
    box_u32(b, 0);
    box_u32(b, (uint32_t)config->lead);
    box_u32(b, 0x10000);
    box_end(b, elst);
    box_end(b, edts);
}

static void add_colour(const struct mux_config *config, struct buf *b)
{
    const AVCodecParameters *par = config->codec;
    bool is_known = par->color_primaries != AVCOL_PRI_UNSPECIFIED ||
                    par->color_trc != AVCOL_TRC_UNSPECIFIED ||
                    par->color_space != AVCOL_SPC_UNSPECIFIED;
    if (is_known) {
        size_t at = box_begin(b, "colr");
        box_fourcc(b, "nclx");
        box_u16(b, (unsigned)par->color_primaries);
        box_u16(b, (unsigned)par->color_trc);
        box_u16(b, (unsigned)par->color_space);
        box_u8(b, par->color_range == AVCOL_RANGE_JPEG ? 0x80 : 0);
        box_end(b, at);
    }
    AVRational sar = par->sample_aspect_ratio;
    if (sar.num > 0 && sar.den > 0 && sar.num != sar.den) {
        size_t at = box_begin(b, "pasp");
        box_u32(b, (uint32_t)sar.num);
        box_u32(b, (uint32_t)sar.den);
        box_end(b, at);
    }
}

static uint32_t scaled(AVRational value, int64_t scale)
{
    return value.den == 0 ? 0 : (uint32_t)av_rescale(value.num, scale, value.den);
}

// ISO/IEC 14496-12 sections 12.1.7 and 12.1.6: chromaticities in 0.00002, luminance in 0.0001 cd/m²,
// primaries in the order green, blue, red.
static void add_hdr(const struct mux_config *config, struct buf *b)
{
    const AVMasteringDisplayMetadata *m = config->mastering;
    if (m != NULL && m->has_primaries != 0 && m->has_luminance != 0) {
        static const int order[3] = {1, 2, 0};
        size_t at = box_begin(b, "mdcv");
        for (size_t i = 0; i < 3; i++) {
            box_u16(b, scaled(m->display_primaries[order[i]][0], 50000));
            box_u16(b, scaled(m->display_primaries[order[i]][1], 50000));
        }
        box_u16(b, scaled(m->white_point[0], 50000));
        box_u16(b, scaled(m->white_point[1], 50000));
        box_u32(b, scaled(m->max_luminance, 10000));
        box_u32(b, scaled(m->min_luminance, 10000));
        box_end(b, at);
    }
    if (config->light != NULL) {
        size_t at = box_begin(b, "clli");
        box_u16(b, config->light->MaxCLL);
        box_u16(b, config->light->MaxFALL);
        box_end(b, at);
    }
}

static void add_record(const struct codec_config *codec, struct buf *b)
{
    size_t at = box_begin(b, codec->record_box);
    buf_str(b, buf_view(&codec->record));
    box_end(b, at);
}

static void add_stsd(const struct mux_config *config, const struct codec_config *codec,
                     struct buf *b)
{
    const AVCodecParameters *par = config->codec;
    size_t stsd = box_begin_full(b, "stsd", 0, 0);
    box_u32(b, 1);
    size_t entry = box_begin(b, codec->sample_entry);
    box_zeros(b, 6);
    box_u16(b, 1); // data_reference_index
    if (is_video(config)) {
        box_zeros(b, 16);
        box_u16(b, (unsigned)par->width);
        box_u16(b, (unsigned)par->height);
        box_u32(b, 0x480000);
        box_u32(b, 0x480000);
        box_u32(b, 0);
        box_u16(b, 1);
        box_zeros(b, 32); // compressorname
        box_u16(b, 0x18);
        box_u16(b, 0xffff);
        add_record(codec, b);
        add_colour(config, b);
        add_hdr(config, b);
    } else {
        box_zeros(b, 8);
        box_u16(b, (unsigned)par->ch_layout.nb_channels);
        box_u16(b, 16);
        box_u32(b, 0);
        box_u32(b, par->sample_rate <= 0xffff ? (uint32_t)par->sample_rate << 16 : 0);
        add_record(codec, b);
    }
    box_end(b, entry);
    box_end(b, stsd);
}

// Opus needs 80 ms before a random-access point (Opus in ISOBMFF section 4.3.6.2): every sample
// belongs to one roll group by default (version 2 of sgpd).
static void add_roll(const struct mux_config *config, const struct codec_config *codec,
                     struct buf *b)
{
    if (strcmp(codec->sample_entry, "Opus") != 0) {
        return;
    }
    int64_t frame = config->codec->frame_size > 0 ? config->codec->frame_size : 960;
    size_t at = box_begin_full(b, "sgpd", 2, 0);
    box_fourcc(b, "roll");
    box_u32(b, 1); // default_group_description_index
    box_u32(b, 1);
    box_u16(b, (unsigned)-((3840 + frame - 1) / frame) & 0xffffu);
    box_end(b, at);
}

static void add_stbl(const struct mux_config *config, const struct codec_config *codec,
                     struct buf *b)
{
    size_t stbl = box_begin(b, "stbl");
    add_stsd(config, codec, b);
    static const char empty[3][5] = {"stts", "stsc", "stco"};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        size_t at = box_begin_full(b, empty[i], 0, 0);
        box_u32(b, 0);
        box_end(b, at);
    }
    size_t stsz = box_begin_full(b, "stsz", 0, 0);
    box_zeros(b, 8);
    box_end(b, stsz);
    add_roll(config, codec, b);
    box_end(b, stbl);
}

static void add_minf(const struct mux_config *config, const struct codec_config *codec,
                     struct buf *b)
{
    size_t minf = box_begin(b, "minf");
    if (is_video(config)) {
        size_t at = box_begin_full(b, "vmhd", 0, 1);
        box_zeros(b, 8);
        box_end(b, at);
    } else {
        size_t at = box_begin_full(b, "smhd", 0, 0);
        box_zeros(b, 4);
        box_end(b, at);
    }
    size_t dinf = box_begin(b, "dinf"), dref = box_begin_full(b, "dref", 0, 0);
    box_u32(b, 1);
    size_t url = box_begin_full(b, "url ", 0, 1); // in the same file
    box_end(b, url);
    box_end(b, dref);
    box_end(b, dinf);
    add_stbl(config, codec, b);
    box_end(b, minf);
}

static void add_mdia(const struct mux_config *config, const struct codec_config *codec,
                     struct buf *b)
{
    size_t mdia = box_begin(b, "mdia");
    size_t mdhd = box_begin_full(b, "mdhd", 0, 0);
    box_zeros(b, 8);
    box_u32(b, (uint32_t)config->timescale);
    box_u32(b, 0);
    box_u16(b, 0x55c4); // "und" (ISO 639-2/T): elng says it in BCP 47
    box_u16(b, 0);
    box_end(b, mdhd);
    size_t hdlr = box_begin_full(b, "hdlr", 0, 0);
    box_u32(b, 0);
    box_fourcc(b, is_video(config) ? "vide" : "soun");
    box_zeros(b, 12);
    box_u8(b, 0); // no name
    box_end(b, hdlr);
    if (config->language != NULL && strcmp(config->language, "und") != 0) {
        size_t elng = box_begin_full(b, "elng", 0, 0);
        buf_add(b, config->language, strlen(config->language) + 1);
        box_end(b, elng);
    }
    add_minf(config, codec, b);
    box_end(b, mdia);
}

int cmaf_write_init(const struct mux_config *config, const struct codec_config *codec,
                    struct buf *out)
{
    add_ftyp(config, codec, out);
    size_t moov = box_begin(out, "moov");
    add_mvhd(out);
    size_t trak = box_begin(out, "trak");
    add_tkhd(config, out);
    add_edits(config, out);
    add_mdia(config, codec, out);
    box_end(out, trak);
    size_t mvex = box_begin(out, "mvex"), trex = box_begin_full(out, "trex", 0, 0);
    box_u32(out, 1);
    box_u32(out, 1);
    box_zeros(out, 12);
    box_end(out, trex);
    box_end(out, mvex);
    box_end(out, moov);
    return out->err;
}

// --- segments -----------------------------------------------------------------------------

enum {
    TRUN_DATA_OFFSET = 0x1,
    TRUN_FIRST_FLAGS = 0x4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_FLAGS = 0x400,
    TRUN_OFFSET = 0x800,
};

// What stands in every sample's row of trun, because it is not the same for all.
static uint32_t trun_columns(const struct cmaf_samples *s, int64_t decode_time)
{
    uint32_t flags = TRUN_DATA_OFFSET | TRUN_SIZE;
    size_t syncs = 0;
    int64_t dts = decode_time;
    vec_for_each (sample, &s->items) {
        flags |= sample->duration != s->items.data[0].duration ? TRUN_DURATION : 0;
        flags |= sample->pts != dts ? TRUN_OFFSET : 0;
        syncs += sample->is_sync ? 1 : 0;
        dts += sample->duration;
    }
    bool only_first = syncs == 1 && s->items.data[0].is_sync;
    if (only_first && s->items.len > 1) {
        flags |= TRUN_FIRST_FLAGS;
    } else if (syncs != 0 && syncs != s->items.len) {
        flags |= TRUN_FLAGS;
    }
    return flags;
}

static int add_trun(const struct cmaf_samples *s, int64_t decode_time, uint32_t columns,
                    struct buf *b, size_t *ret_data_offset_at)
{
    size_t trun = box_begin_full(b, "trun", 1, columns);
    box_u32(b, (uint32_t)s->items.len);
    *ret_data_offset_at = b->len;
    box_u32(b, 0);
    if ((columns & TRUN_FIRST_FLAGS) != 0) {
        box_u32(b, FLAGS_SYNC);
    }
    int64_t dts = decode_time;
    vec_for_each (sample, &s->items) {
        int64_t offset = sample->pts - dts;
        FAIL_IF(sample->duration <= 0 || sample->duration > UINT32_MAX ||
                    offset < INT32_MIN || offset > INT32_MAX,
                ERR_LIMIT, "a sample's time does not fit a CMAF fragment");
        if ((columns & TRUN_DURATION) != 0) {
            box_u32(b, (uint32_t)sample->duration);
        }
        box_u32(b, sample->size);
        if ((columns & TRUN_FLAGS) != 0) {
            box_u32(b, sample->is_sync ? FLAGS_SYNC : FLAGS_NON_SYNC);
        }
        if ((columns & TRUN_OFFSET) != 0) {
            box_i32(b, (int32_t)offset);
        }
        dts += sample->duration;
    }
    box_end(b, trun);
    return b->err;
}

static int add_moof(int64_t number, int64_t decode_time, const struct cmaf_samples *s,
                    struct buf *b)
{
    uint32_t columns = trun_columns(s, decode_time);
    size_t syncs_all = 1, data_offset_at = 0, moof = box_begin(b, "moof");
    vec_for_each (sample, &s->items) {
        syncs_all &= sample->is_sync ? 1 : 0;
    }
    size_t mfhd = box_begin_full(b, "mfhd", 0, 0);
    box_u32(b, (uint32_t)number);
    box_end(b, mfhd);
    size_t traf = box_begin(b, "traf");
    // default-base-is-moof, default duration, default flags
    size_t tfhd = box_begin_full(b, "tfhd", 0, 0x020000 | 0x8 | 0x20);
    box_u32(b, 1);
    box_u32(b, (uint32_t)s->items.data[0].duration);
    box_u32(b, syncs_all != 0 ? FLAGS_SYNC : FLAGS_NON_SYNC);
    box_end(b, tfhd);
    size_t tfdt = box_begin_full(b, "tfdt", 1, 0);
    box_u64(b, (uint64_t)decode_time);
    box_end(b, tfdt);
    TRY(add_trun(s, decode_time, columns, b, &data_offset_at));
    box_end(b, traf);
    box_end(b, moof);
    box_patch_u32(b, data_offset_at,
                  (uint32_t)(b->len - moof + 8)); // behind mdat's header
    return b->err;
}

int cmaf_write_segment(int64_t number, int64_t decode_time, const struct cmaf_samples *s,
                       struct str data, struct buf *out)
{
    ASSERT(s->items.len > 0 && decode_time >= 0);
    FAIL_IF(s->items.len > UINT16_MAX || data.len > UINT32_MAX - 8 || number < 1 ||
                number > UINT32_MAX,
            ERR_LIMIT, "a segment over the limits of its boxes");
    buf_reserve(out, data.len + 16 * s->items.len + 256);
    size_t styp = box_begin(out, "styp");
    box_fourcc(out, "msdh");
    box_u32(out, 0);
    box_fourcc(out, "msdh");
    box_fourcc(out, "cmfs");
    box_end(out, styp);
    TRY(add_moof(number, decode_time, s, out));
    size_t mdat = box_begin(out, "mdat");
    buf_str(out, data);
    box_end(out, mdat);
    return out->err;
}
