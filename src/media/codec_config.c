// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/codec_config.h"

#include "media/box.h"

#include <string.h>

void codec_config_clear(struct codec_config *c)
{
    buf_free(&c->record);
    *c = (struct codec_config){0};
}

// --- bits ---------------------------------------------------------------------------------

struct bits {
    const uint8_t *data;
    size_t bit_len;
    size_t at;
    bool is_short; // sticky: more was asked for than there is
};

static uint32_t bits_get(struct bits *b, unsigned count)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        if (b->at >= b->bit_len) {
            b->is_short = true;
            return 0;
        }
        unsigned byte = b->data[b->at / 8];
        value = value << 1 | ((byte >> (7 - b->at % 8)) & 1u);
        b->at++;
    }
    return value;
}

// ue(v) of H.264 section 9.1 and uvlc() of AV1 section 4.10.3 are the same code.
static uint32_t bits_exp_golomb(struct bits *b)
{
    unsigned zeros = 0;
    while (!b->is_short && bits_get(b, 1) == 0) {
        zeros++;
    }
    if (b->is_short || zeros >= 32) {
        b->is_short = true;
        return 0;
    }
    return (uint32_t)((1ull << zeros) - 1) + bits_get(b, zeros);
}

// --- H.264 --------------------------------------------------------------------------------

enum { NAL_SEI = 6, NAL_SPS = 7, NAL_PPS = 8, NAL_DELIMITER = 9 };

// Takes the next NAL unit of a byte stream (H.264 Annex B), without trailing zero bytes.
static bool annex_b_next(struct str *rest, struct str *ret_nal)
{
    const char *p = rest->data, *end = p + rest->len;
    while (end - p >= 3 && !(p[0] == 0 && p[1] == 0 && p[2] == 1)) {
        p++;
    }
    if (end - p < 3) {
        return false;
    }
    p += 3;
    const char *q = p;
    while (end - q >= 3 && !(q[0] == 0 && q[1] == 0 && (q[2] == 0 || q[2] == 1))) {
        q++;
    }
    if (end - q < 3) {
        q = end;
    }
    *rest = (struct str){.data = q, .len = (size_t)(end - q)};
    while (q > p && q[-1] == 0) {
        q--;
    }
    *ret_nal = (struct str){.data = p, .len = (size_t)(q - p)};
    return true;
}

static unsigned nal_type(struct str nal)
{
    return nal.len > 0 ? (unsigned)nal.data[0] & 31u : 0;
}

// avcC closes with the sample format for the High profiles (ISO/IEC 14496-15 section 5.3.3.1.2).
static int avcc_add_format(struct str sps, struct buf *out)
{
    unsigned profile = (uint8_t)sps.data[1];
    if (profile == 66 || profile == 77 || profile == 88) {
        return 0;
    }
    uint8_t clean[64]; // the fields stand in the first few bytes
    size_t len = 0;
    for (size_t i = 4; i < sps.len && len < sizeof clean; i++) {
        bool is_escape = sps.data[i] == 3 && sps.data[i - 1] == 0 && sps.data[i - 2] == 0;
        if (!is_escape) {
            clean[len++] = (uint8_t)sps.data[i];
        }
    }
    struct bits b = {.data = clean, .bit_len = len * 8};
    bits_exp_golomb(&b); // seq_parameter_set_id
    uint32_t chroma = bits_exp_golomb(&b);
    if (chroma == 3) {
        bits_get(&b, 1);
    }
    uint32_t luma_depth = bits_exp_golomb(&b), chroma_depth = bits_exp_golomb(&b);
    FAIL_IF(b.is_short || chroma > 3 || luma_depth > 6 || chroma_depth > 6, ERR_CORRUPT,
            "the sequence parameter set cannot be read");
    box_u8(out, 0xfc | chroma);
    box_u8(out, 0xf8 | luma_depth);
    box_u8(out, 0xf8 | chroma_depth);
    box_u8(out, 0);
    return 0;
}

static int avcc_from_annex_b(struct str extradata, struct buf *out)
{
    struct str sps = {0}, pps = {0}, nal = {0};
    for (struct str rest = extradata; annex_b_next(&rest, &nal);) {
        if (nal_type(nal) == NAL_SPS) {
            FAIL_IF(sps.len > 0, ERR_UNSUPPORTED, "more than one sequence parameter set");
            sps = nal;
        } else if (nal_type(nal) == NAL_PPS) {
            FAIL_IF(pps.len > 0, ERR_UNSUPPORTED, "more than one picture parameter set");
            pps = nal;
        }
    }
    FAIL_IF(sps.len < 5 || sps.len > UINT16_MAX || pps.len == 0 || pps.len > UINT16_MAX,
            ERR_CORRUPT, "no parameter sets from the H.264 encoder");
    box_u8(out, 1);
    buf_add(out, sps.data + 1, 3);
    box_u8(out, 0xff); // lengths of four bytes
    box_u8(out, 0xe1);
    box_u16(out, (unsigned)sps.len);
    buf_str(out, sps);
    box_u8(out, 1);
    box_u16(out, (unsigned)pps.len);
    buf_str(out, pps);
    return avcc_add_format(sps, out);
}

static int read_h264(struct str extradata, struct codec_config *c)
{
    memcpy(c->sample_entry, "avc1", 5);
    memcpy(c->record_box, "avcC", 5);
    if (extradata.len > 6 && extradata.data[0] == 1) {
        FAIL_IF((extradata.data[4] & 3) != 3, ERR_UNSUPPORTED,
                "NAL lengths of other than four bytes");
        buf_str(&c->record, extradata);
    } else {
        c->is_annex_b = true;
        TRY(avcc_from_annex_b(extradata, &c->record));
    }
    TRY(c->record.err);
    const uint8_t *r = (const uint8_t *)c->record.data;
    snprintf(c->codecs, sizeof c->codecs, "avc1.%02x%02x%02x", r[1], r[2], r[3]);
    return 0;
}

// x264 writes its version, options and thread count into a message of its own (SEI type 5): it
// would make bytes depend on the machine and on where a chunk begins.
static bool is_encoder_note(struct str nal)
{
    return nal_type(nal) == NAL_SEI && nal.len > 1 && nal.data[1] == 5;
}

static int add_annex_b(struct str packet, struct buf *out)
{
    struct str nal = {0};
    size_t before = out->len;
    for (struct str rest = packet; annex_b_next(&rest, &nal);) {
        unsigned type = nal_type(nal);
        if (nal.len == 0 || type == NAL_SPS || type == NAL_PPS || type == NAL_DELIMITER ||
            is_encoder_note(nal)) {
            continue;
        }
        FAIL_IF(nal.len > UINT32_MAX, ERR_LIMIT, "a NAL unit over 4 GiB");
        box_u32(out, (uint32_t)nal.len);
        buf_str(out, nal);
    }
    FAIL_IF(out->err == 0 && out->len == before, ERR_CORRUPT,
            "an access unit without a NAL unit");
    return out->err;
}

// --- AV1 ----------------------------------------------------------------------------------

enum { OBU_SEQUENCE_HEADER = 1, OBU_TEMPORAL_DELIMITER = 2, OBU_PADDING = 15 };

// One OBU off the front (AV1 section 5.3), header and size included in *ret_whole.
static int obu_next(struct str *rest, unsigned *ret_type, struct str *ret_whole,
                    struct str *ret_payload)
{
    const uint8_t *p = (const uint8_t *)rest->data;
    FAIL_IF(rest->len < 2 || (p[0] & 0x80) != 0, ERR_CORRUPT, "a damaged AV1 OBU header");
    FAIL_IF((p[0] & 2) == 0, ERR_UNSUPPORTED, "an AV1 OBU without its size");
    size_t at = (p[0] & 4) != 0 ? 2 : 1;
    uint64_t size = 0;
    for (unsigned i = 0;; i++) {
        FAIL_IF(i == 8 || at >= rest->len, ERR_CORRUPT, "a damaged AV1 OBU size");
        size |= (uint64_t)(p[at] & 0x7f) << (7 * i);
        if ((p[at++] & 0x80) == 0) {
            break;
        }
    }
    FAIL_IF(size > rest->len - at, ERR_CORRUPT, "an AV1 OBU longer than its packet");
    *ret_type = (p[0] >> 3) & 15u;
    *ret_payload = (struct str){.data = rest->data + at, .len = (size_t)size};
    *ret_whole = (struct str){.data = rest->data, .len = at + (size_t)size};
    rest->data += ret_whole->len;
    rest->len -= ret_whole->len;
    return 0;
}

struct av1_sequence {
    unsigned profile, level, tier;
    bool is_reduced, high_bitdepth, twelve_bit, mono;
    unsigned subsampling_x, subsampling_y, chroma_position;
    unsigned primaries, transfer, matrix, full_range;
};

static void av1_operating_points(struct bits *b, struct av1_sequence *s)
{
    unsigned delay_bits = 0;
    bool has_model = false;
    if (bits_get(b, 1) != 0) { // timing_info_present_flag
        bits_get(b, 32);
        bits_get(b, 32);
        if (bits_get(b, 1) != 0) {
            bits_exp_golomb(b);
        }
        has_model = bits_get(b, 1) != 0;
        if (has_model) {
            delay_bits = bits_get(b, 5) + 1;
            bits_get(b, 32);
            bits_get(b, 10);
        }
    }
    bool has_display_delay = bits_get(b, 1) != 0;
    unsigned count = bits_get(b, 5) + 1;
    for (unsigned i = 0; i < count; i++) {
        bits_get(b, 12);
        unsigned level = bits_get(b, 5);
        unsigned tier = level > 7 ? bits_get(b, 1) : 0;
        if (i == 0) {
            s->level = level;
            s->tier = tier;
        }
        if (has_model && bits_get(b, 1) != 0) {
            bits_get(b, delay_bits);
            bits_get(b, delay_bits);
            bits_get(b, 1);
        }
        if (has_display_delay && bits_get(b, 1) != 0) {
            bits_get(b, 4);
        }
    }
}

// The flags between the frame size and the colours (AV1 section 5.5.1): only their length matters here.
static void av1_skip_tools(struct bits *b, bool is_reduced)
{
    if (!is_reduced && bits_get(b, 1) != 0) { // frame_id_numbers_present_flag
        bits_get(b, 7);
    }
    bits_get(b, 3);
    if (!is_reduced) {
        bits_get(b, 4);
        bool has_order_hint = bits_get(b, 1) != 0;
        if (has_order_hint) {
            bits_get(b, 2);
        }
        bool screen_content = bits_get(b, 1) != 0 || bits_get(b, 1) != 0;
        if (screen_content && bits_get(b, 1) == 0) {
            bits_get(b, 1);
        }
        if (has_order_hint) {
            bits_get(b, 3);
        }
    }
    bits_get(b, 3);
}

static void av1_colours(struct bits *b, struct av1_sequence *s) // section 5.5.2
{
    s->high_bitdepth = bits_get(b, 1) != 0;
    s->twelve_bit = s->profile == 2 && s->high_bitdepth && bits_get(b, 1) != 0;
    s->mono = s->profile != 1 && bits_get(b, 1) != 0;
    s->primaries = s->transfer = s->matrix = 2;
    if (bits_get(b, 1) != 0) {
        s->primaries = bits_get(b, 8);
        s->transfer = bits_get(b, 8);
        s->matrix = bits_get(b, 8);
    }
    s->subsampling_x = s->subsampling_y = 1;
    if (s->mono) {
        s->full_range = bits_get(b, 1);
        return;
    }
    if (s->primaries == 1 && s->transfer == 13 && s->matrix == 0) { // sRGB
        s->full_range = 1;
        s->subsampling_x = s->subsampling_y = 0;
        return;
    }
    s->full_range = bits_get(b, 1);
    if (s->profile == 1) {
        s->subsampling_x = s->subsampling_y = 0;
    } else if (s->profile == 2) {
        s->subsampling_x = s->twelve_bit ? bits_get(b, 1) : 1;
        s->subsampling_y = s->twelve_bit && s->subsampling_x != 0 ? bits_get(b, 1) : 0;
    }
    if (s->subsampling_x != 0 && s->subsampling_y != 0) {
        s->chroma_position = bits_get(b, 2);
    }
}

static int av1_sequence_read(struct str payload, struct av1_sequence *ret)
{
    struct bits b = {.data = (const uint8_t *)payload.data, .bit_len = payload.len * 8};
    struct av1_sequence s = {.profile = bits_get(&b, 3)};
    bits_get(&b, 1);
    s.is_reduced = bits_get(&b, 1) != 0;
    if (s.is_reduced) {
        s.level = bits_get(&b, 5);
    } else {
        av1_operating_points(&b, &s);
    }
    unsigned width_bits = bits_get(&b, 4) + 1, height_bits = bits_get(&b, 4) + 1;
    bits_get(&b, width_bits);
    bits_get(&b, height_bits);
    av1_skip_tools(&b, s.is_reduced);
    av1_colours(&b, &s);
    FAIL_IF(b.is_short, ERR_CORRUPT, "the AV1 sequence header cannot be read");
    *ret = s;
    return 0;
}

// AV1 in ISOBMFF section 5: the short name means 4:2:0, BT.709, limited range.
static void av1_name(const struct av1_sequence *s, char *ret, size_t bytes)
{
    unsigned depth = s->twelve_bit ? 12 : s->high_bitdepth ? 10 : 8;
    bool is_default = !s->mono && s->subsampling_x == 1 && s->subsampling_y == 1 &&
                      s->chroma_position == 0 && s->primaries == 1 && s->transfer == 1 &&
                      s->matrix == 1 && s->full_range == 0;
    int len = snprintf(ret, bytes, "av01.%u.%02u%c.%02u", s->profile, s->level,
                       s->tier != 0 ? 'H' : 'M', depth);
    if (!is_default) {
        snprintf(ret + len, bytes - (size_t)len, ".%u.%u%u%u.%02u.%02u.%02u.%u", s->mono,
                 s->subsampling_x, s->subsampling_y, s->chroma_position, s->primaries,
                 s->transfer, s->matrix, s->full_range);
    }
}

static int read_av1(struct str extradata, struct codec_config *c)
{
    struct str rest = extradata, whole = {0}, payload = {0};
    if (rest.len >= 4 && (uint8_t)rest.data[0] == 0x81) { // av1C
        rest = (struct str){.data = rest.data + 4, .len = rest.len - 4};
    }
    unsigned type = 0;
    while (type != OBU_SEQUENCE_HEADER) {
        FAIL_IF(rest.len == 0, ERR_CORRUPT, "no sequence header from the AV1 encoder");
        TRY(obu_next(&rest, &type, &whole, &payload));
    }
    struct av1_sequence s = {0};
    TRY(av1_sequence_read(payload, &s));
    memcpy(c->sample_entry, "av01", 5);
    memcpy(c->record_box, "av1C", 5);
    av1_name(&s, c->codecs, sizeof c->codecs);
    box_u8(&c->record, 0x81);
    box_u8(&c->record, s.profile << 5 | s.level);
    box_u8(&c->record, s.tier << 7 | (unsigned)s.high_bitdepth << 6 |
                           (unsigned)s.twelve_bit << 5 | (unsigned)s.mono << 4 |
                           s.subsampling_x << 3 | s.subsampling_y << 2 |
                           s.chroma_position);
    box_u8(&c->record, 0);
    buf_str(&c->record, whole);
    return c->record.err;
}

static int add_av1(struct str packet, struct buf *out)
{
    size_t before = out->len;
    for (struct str rest = packet; rest.len > 0;) {
        unsigned type = 0;
        struct str whole = {0}, payload = {0};
        TRY(obu_next(&rest, &type, &whole, &payload));
        if (type != OBU_TEMPORAL_DELIMITER && type != OBU_PADDING) {
            buf_str(out, whole);
        }
    }
    FAIL_IF(out->err == 0 && out->len == before, ERR_CORRUPT,
            "a temporal unit without an OBU");
    return out->err;
}

// --- sound --------------------------------------------------------------------------------

static size_t descriptor_begin(struct buf *b, unsigned tag)
{
    box_u8(b, tag);
    box_u8(b, 0);
    return b->len;
}

// All descriptors here are shorter than 128 bytes: one length byte (ISO/IEC 14496-1 section 8.3.3).
static int descriptor_end(struct buf *b, size_t at)
{
    TRY(b->err);
    FAIL_IF(b->len - at > 127, ERR_LIMIT, "an AAC configuration over 127 bytes");
    b->data[at - 1] = (char)(b->len - at);
    return 0;
}

static int read_aac(const AVCodecParameters *par, struct str config,
                    struct codec_config *c)
{
    FAIL_IF(config.len < 2, ERR_CORRUPT, "no AudioSpecificConfig from the AAC encoder");
    unsigned object_type = (uint8_t)config.data[0] >> 3;
    if (object_type == 31) { // ISO/IEC 14496-3 section 1.6.2.1
        object_type = 32 + (((unsigned)config.data[0] & 7u) << 3 |
                            ((unsigned)(uint8_t)config.data[1] >> 5));
    }
    memcpy(c->sample_entry, "mp4a", 5);
    memcpy(c->record_box, "esds", 5);
    snprintf(c->codecs, sizeof c->codecs, "mp4a.40.%u", object_type);
    struct buf *b = &c->record;
    uint32_t bit_rate = (uint32_t)CLAMP(par->bit_rate, 0, UINT32_MAX);
    box_u32(b, 0); // version and flags
    size_t es = descriptor_begin(b, 3);
    box_u16(b, 0);
    box_u8(b, 0);
    size_t decoder = descriptor_begin(b, 4);
    box_u8(b, 0x40); // MPEG-4 audio
    box_u8(b, 0x15); // an audio stream
    box_u24(b, 0);
    box_u32(b, bit_rate);
    box_u32(b, bit_rate);
    size_t specific = descriptor_begin(b, 5);
    buf_str(b, config);
    TRY(descriptor_end(b, specific));
    TRY(descriptor_end(b, decoder));
    size_t sync = descriptor_begin(b, 6);
    box_u8(b, 2); // as in MP4 files
    TRY(descriptor_end(b, sync));
    return descriptor_end(b, es);
}

// OpusHead (RFC 7845 section 5.1, little-endian) as dOps (Opus in ISOBMFF section 4.3.2, big-endian).
static int read_opus(struct str head, struct codec_config *c)
{
    FAIL_IF(head.len < 19 || !str_starts(head, "OpusHead"), ERR_CORRUPT,
            "no OpusHead from the Opus encoder");
    const uint8_t *h = (const uint8_t *)head.data;
    memcpy(c->sample_entry, "Opus", 5);
    memcpy(c->record_box, "dOps", 5);
    memcpy(c->codecs, "opus", 5);
    struct buf *b = &c->record;
    box_u8(b, 0);
    box_u8(b, h[9]);
    box_u16(b, (unsigned)h[10] | (unsigned)h[11] << 8);
    box_u32(b, (uint32_t)h[12] | (uint32_t)h[13] << 8 | (uint32_t)h[14] << 16 |
                   (uint32_t)h[15] << 24);
    box_u16(b, (unsigned)h[16] | (unsigned)h[17] << 8);
    box_u8(b, h[18]);
    if (h[18] != 0) {
        FAIL_IF(head.len < 21u + h[9], ERR_CORRUPT, "an OpusHead without its mapping");
        buf_add(b, h + 19, 2u + h[9]);
    }
    return b->err;
}

// --- all ----------------------------------------------------------------------------------

int codec_config_read(const AVCodecParameters *par, struct codec_config *ret)
{
    struct str extradata = {.data = (const char *)par->extradata,
                            .len = par->extradata_size > 0 ? (size_t)par->extradata_size
                                                           : 0};
    AUTO(codec_config_clear) struct codec_config c = {0};
    switch ((int)par->codec_id) {
    case AV_CODEC_ID_H264:
        TRY(read_h264(extradata, &c));
        break;
    case AV_CODEC_ID_AV1:
        TRY(read_av1(extradata, &c));
        break;
    case AV_CODEC_ID_AAC:
        TRY(read_aac(par, extradata, &c));
        break;
    case AV_CODEC_ID_OPUS:
        TRY(read_opus(extradata, &c));
        break;
    default:
        FAIL(ERR_UNSUPPORTED, "no CMAF track is made of %s",
             avcodec_get_name(par->codec_id));
    }
    *ret = c;
    c = (struct codec_config){0};
    return 0;
}

int codec_config_add_sample(const struct codec_config *c, struct str packet,
                            struct buf *out)
{
    if (c->is_annex_b) {
        return add_annex_b(packet, out);
    }
    if (memcmp(c->sample_entry, "av01", 4) == 0) {
        return add_av1(packet, out);
    }
    FAIL_IF(packet.len == 0, ERR_CORRUPT, "an empty packet");
    buf_str(out, packet);
    return out->err;
}
