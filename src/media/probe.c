// SPDX-License-Identifier: GPL-3.0-or-later
//
// Headers and packets, no decoding: what the file says of itself, and what of it cannot be encoded
// correctly. Metadata is only believed where it leads to a refusal; pictures overrule it later.
#include "media/packets.h"
#include "media/structure.h"

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIDE       8192
#define NAMED_CHANNELS 8 // more of them need names, for anybody to mix them

static void copy_text(char *dst, size_t dst_bytes, const char *text)
{
    struct str s = str_of(text);
    if (s.len >= dst_bytes) {
        s.len = dst_bytes - 1;
        while (s.len && ((uint8_t)s.data[s.len] & 0xc0) == 0x80) {
            s.len--; // not within a character
        }
    }
    if (!str_is_utf8(s) || str_copy(dst, dst_bytes, s) < 0) {
        dst[0] = 0;
    }
}

// ISO 639-2 codes that BCP 47 spells with two letters (RFC 5646 2.2.1), of the languages that
// films come in; others keep three.
static const char languages[][2][4] = {
    {"ara", "ar"}, {"baq", "eu"}, {"ben", "bn"}, {"bul", "bg"}, {"cat", "ca"},
    {"ces", "cs"}, {"chi", "zh"}, {"cze", "cs"}, {"dan", "da"}, {"deu", "de"},
    {"dut", "nl"}, {"ell", "el"}, {"eng", "en"}, {"est", "et"}, {"eus", "eu"},
    {"fas", "fa"}, {"fin", "fi"}, {"fra", "fr"}, {"fre", "fr"}, {"ger", "de"},
    {"gle", "ga"}, {"glg", "gl"}, {"gre", "el"}, {"heb", "he"}, {"hin", "hi"},
    {"hrv", "hr"}, {"hun", "hu"}, {"ice", "is"}, {"ind", "id"}, {"isl", "is"},
    {"ita", "it"}, {"jpn", "ja"}, {"kor", "ko"}, {"lat", "la"}, {"lav", "lv"},
    {"lit", "lt"}, {"may", "ms"}, {"msa", "ms"}, {"nld", "nl"}, {"nob", "nb"},
    {"nor", "no"}, {"per", "fa"}, {"pol", "pl"}, {"por", "pt"}, {"ron", "ro"},
    {"rum", "ro"}, {"rus", "ru"}, {"slk", "sk"}, {"slo", "sk"}, {"slv", "sl"},
    {"spa", "es"}, {"sqi", "sq"}, {"srp", "sr"}, {"swe", "sv"}, {"tam", "ta"},
    {"tel", "te"}, {"tha", "th"}, {"tur", "tr"}, {"ukr", "uk"}, {"urd", "ur"},
    {"vie", "vi"}, {"wel", "cy"}, {"zho", "zh"},
};

static void language_of(const AVStream *stream, char ret[16])
{
    const AVDictionaryEntry *e = av_dict_get(stream->metadata, "language", NULL, 0);
    copy_text(ret, 16, e ? e->value : "und");
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        if (strcmp(languages[i][0], ret) == 0) {
            copy_text(ret, 16, languages[i][1]);
        }
    }
    size_t len = strlen(ret);
    bool spelled =
        len >= 2 && strspn(ret, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-") == len;
    if (!spelled) {
        copy_text(ret, 16, "und");
    }
}

static struct rational rational(AVRational q, struct rational otherwise)
{
    return q.num > 0 && q.den > 0 ? (struct rational){q.num, q.den} : otherwise;
}

// Clockwise degrees, or -1 for a transform that is no turn by a quarter.
static int rotation_of(const AVStream *stream)
{
    size_t size = 0;
    const int32_t *matrix = (const int32_t *)(const void *)av_stream_get_side_data(
        stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (!matrix || size < 9 * sizeof *matrix) {
        return 0;
    }
    // A mirror has a negative determinant.
    double determinant = (double)matrix[0] * matrix[4] - (double)matrix[1] * matrix[3];
    double turn = -av_display_rotation_get(matrix);
    if (isnan(turn) || determinant <= 0) {
        return -1;
    }
    double quarters = round(turn / 90);
    if (fabs(turn - quarters * 90) > 1) {
        return -1;
    }
    return (int)(((long)quarters % 4 + 4) % 4) * 90;
}

static const char *or_unknown(const char *name)
{
    return name ? name : "unknown";
}

static const char *hdr_of(const AVStream *stream, const AVCodecParameters *par)
{
    if (av_stream_get_side_data(stream, AV_PKT_DATA_DOVI_CONF, NULL)) {
        return "dovi";
    }
    return par->color_trc == AVCOL_TRC_SMPTE2084      ? "pq"
           : par->color_trc == AVCOL_TRC_ARIB_STD_B67 ? "hlg"
                                                      : "sdr";
}

static const char *const field_orders[] = {
    [AV_FIELD_UNKNOWN] = "unknown", [AV_FIELD_PROGRESSIVE] = "progressive",
    [AV_FIELD_TT] = "tt",           [AV_FIELD_BB] = "bb",
    [AV_FIELD_TB] = "tb",           [AV_FIELD_BT] = "bt",
};

static void describe_video(AVFormatContext *format, AVStream *stream,
                           struct media_stream *s)
{
    const AVCodecParameters *par = stream->codecpar;
    s->width = MAX(par->width, 0);
    s->height = MAX(par->height, 0);
    s->sar = rational(av_guess_sample_aspect_ratio(format, stream, NULL),
                      (struct rational){1, 1});
    s->rotation = MAX(rotation_of(stream), 0);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(par->format);
    copy_text(s->pixel_format, sizeof s->pixel_format, d ? d->name : "unknown");
    s->bit_depth = d ? d->comp[0].depth : 0;
    copy_text(s->primaries, sizeof s->primaries,
              or_unknown(av_color_primaries_name(par->color_primaries)));
    copy_text(s->transfer, sizeof s->transfer,
              or_unknown(av_color_transfer_name(par->color_trc)));
    copy_text(s->matrix, sizeof s->matrix,
              or_unknown(av_color_space_name(par->color_space)));
    copy_text(s->range, sizeof s->range,
              or_unknown(av_color_range_name(par->color_range)));
    size_t order = (size_t)par->field_order;
    copy_text(s->field_order, sizeof s->field_order,
              order < ARRAY_LEN(field_orders) ? field_orders[order] : "unknown");
    s->frame_rate = rational(stream->avg_frame_rate, (struct rational){0, 1});
    copy_text(s->hdr, sizeof s->hdr, hdr_of(stream, par));
}

// Captions that are letters, and that libavcodec can read: WebVTT needs no decoder.
static bool is_text(const AVCodecParameters *par)
{
    const AVCodecDescriptor *d = avcodec_descriptor_get(par->codec_id);
    return par->codec_type == AVMEDIA_TYPE_SUBTITLE && d &&
           (d->props & AV_CODEC_PROP_TEXT_SUB) &&
           (par->codec_id == AV_CODEC_ID_WEBVTT || avcodec_find_decoder(par->codec_id));
}

static void describe(AVFormatContext *format, AVStream *stream, struct media_stream *s)
{
    const AVCodecParameters *par = stream->codecpar;
    *s = (struct media_stream){
        .index = stream->index,
        .kind = par->codec_type == AVMEDIA_TYPE_VIDEO   ? MEDIA_VIDEO
                : par->codec_type == AVMEDIA_TYPE_AUDIO ? MEDIA_AUDIO
                : is_text(par)                          ? MEDIA_TEXT
                                                        : MEDIA_OTHER,
        .is_default = (stream->disposition & AV_DISPOSITION_DEFAULT) != 0,
        .is_attached_picture =
            (stream->disposition &
             (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) != 0,
        .time_base = rational(stream->time_base, (struct rational){1, 1000000}),
        .start_pts =
            stream->start_time == AV_NOPTS_VALUE ? FINDING_NONE : stream->start_time,
        .duration_pts =
            stream->duration == AV_NOPTS_VALUE ? FINDING_NONE : stream->duration,
        .sar = {1, 1},
        .frame_rate = {0, 1},
    };
    copy_text(s->codec, sizeof s->codec, avcodec_get_name(par->codec_id));
    const char *profile = avcodec_profile_name(par->codec_id, par->profile);
    copy_text(s->profile, sizeof s->profile, profile ? profile : "");
    language_of(stream, s->language);
    const AVDictionaryEntry *title = av_dict_get(stream->metadata, "title", NULL, 0);
    copy_text(s->title, sizeof s->title, title ? title->value : "");
    if (s->kind == MEDIA_VIDEO) {
        describe_video(format, stream, s);
    } else if (s->kind == MEDIA_AUDIO) {
        s->sample_rate = MAX(par->sample_rate, 0);
        s->channels = MAX(par->ch_layout.nb_channels, 0);
        if (av_channel_layout_describe(&par->ch_layout, s->layout, sizeof s->layout) <
            0) {
            s->layout[0] = 0;
        }
    }
}

// The default picture, then the larger, then the first.
static int choose_video(const struct media_source *source)
{
    int best = -1;
    for (size_t i = 0; i < source->streams.len; i++) {
        const struct media_stream *s = &source->streams.data[i];
        if (s->kind != MEDIA_VIDEO || s->is_attached_picture) {
            continue;
        }
        const struct media_stream *b = best < 0 ? NULL : &source->streams.data[best];
        int64_t area = (int64_t)s->width * s->height;
        if (!b || s->is_default > b->is_default ||
            (s->is_default == b->is_default && area > (int64_t)b->width * b->height)) {
            best = (int)i;
        }
    }
    return best;
}

// --- what cannot be encoded correctly ------------------------------------------------------------

static int refuse(struct findings *out, const char *kind, const struct media_stream *s,
                  json_t *evidence)
{
    struct finding f = finding_about_file(kind, FINDING_ERROR);
    if (s) {
        f.stream = s->index;
        f.time_base = s->time_base;
    }
    f.evidence = evidence;
    return findings_add(out, &f);
}

static bool is_encrypted(const AVStream *stream)
{
    return av_stream_get_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO, NULL) ||
           av_dict_get(stream->metadata, "enc_key_id", NULL, 0) ||
           stream->codecpar->codec_tag == MKTAG('e', 'n', 'c', 'v') ||
           stream->codecpar->codec_tag == MKTAG('e', 'n', 'c', 'a');
}

static int judge_picture(const AVStream *stream, const struct media_stream *s,
                         struct findings *out)
{
    const AVCodecParameters *par = stream->codecpar;
    if (is_encrypted(stream)) {
        return refuse(out, "encrypted", s, NULL);
    }
    if (!avcodec_find_decoder(par->codec_id)) {
        return refuse(out, "unsupported_codec", s, json_pack("{s:s}", "codec", s->codec));
    }
    if (strcmp(s->hdr, "sdr") != 0) {
        TRY(refuse(out, "unsupported_hdr", s,
                   json_pack("{s:s, s:s}", "hdr", s->hdr, "transfer", s->transfer)));
    }
    if (rotation_of(stream) < 0) {
        TRY(refuse(out, "unsupported_transform", s, NULL));
    }
    if (s->width > MAX_SIDE || s->height > MAX_SIDE) {
        TRY(refuse(out, "unsupported_size", s,
                   json_pack("{s:i, s:i}", "width", s->width, "height", s->height)));
    }
    if (par->format != AV_PIX_FMT_NONE && !sws_isSupportedInput(par->format)) {
        TRY(refuse(out, "unsupported_pixel_format", s,
                   json_pack("{s:s}", "pixel_format", s->pixel_format)));
    }
    return 0;
}

static int judge_sound(const AVStream *stream, const struct media_stream *s,
                       struct findings *out)
{
    if (is_encrypted(stream)) {
        return refuse(out, "encrypted", s, NULL);
    }
    if (!avcodec_find_decoder(stream->codecpar->codec_id)) {
        return refuse(out, "unsupported_codec", s, json_pack("{s:s}", "codec", s->codec));
    }
    const AVChannelLayout *layout = &stream->codecpar->ch_layout;
    if (layout->order == AV_CHANNEL_ORDER_UNSPEC &&
        layout->nb_channels > NAMED_CHANNELS) {
        return refuse(out, "unsupported_layout", s,
                      json_pack("{s:i}", "channels", layout->nb_channels));
    }
    return 0;
}

// What is left out of the package, and no fault.
static int note_left_out(const char *kind, const struct media_stream *s, json_t *evidence,
                         struct findings *out)
{
    struct finding f = finding_about_file(kind, FINDING_INFO);
    f.stream = s->index;
    f.evidence = evidence;
    return findings_add(out, &f);
}

static int judge(const struct media_file *file, const struct media_source *source,
                 struct findings *out)
{
    if (source->video < 0) {
        TRY(refuse(out, "no_video", NULL, NULL));
    }
    for (size_t i = 0; i < source->streams.len; i++) {
        const struct media_stream *s = &source->streams.data[i];
        const AVStream *stream = file->format->streams[s->index];
        if ((int)i == source->video) {
            TRY(judge_picture(stream, s, out));
        } else if (s->kind == MEDIA_AUDIO) {
            TRY(judge_sound(stream, s, out));
        } else if (s->kind == MEDIA_VIDEO && !s->is_attached_picture) {
            TRY(note_left_out("other_picture", s,
                              json_pack("{s:s, s:i, s:i}", "codec", s->codec, "width",
                                        s->width, "height", s->height),
                              out));
        } else if (s->kind == MEDIA_OTHER &&
                   stream->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE) {
            TRY(note_left_out("unsupported_captions", s,
                              json_pack("{s:s}", "codec", s->codec), out));
        }
    }
    return 0;
}

// --- the whole ------------------------------------------------------------------------------

// A file that no demuxer opens: says what stands against it.
static int explain_failure(int err, const struct media_log *log,
                           const struct media_input *input, struct findings *out)
{
    AUTO(json_free) json_t *messages = NULL;
    char reason[256];
    copy_text(reason, sizeof reason, err_reason());
    TRY(media_log_to_json(log, &messages));
    TRY(media_structure_check(input, out));
    TRY(media_structure_explain(input, out));
    bool named = false;
    vec_for_each (f, &out->items) {
        named = named || f->severity == FINDING_ERROR;
    }
    if (!named) {
        TRY(refuse(out, err == ERR_UNSUPPORTED ? "not_media" : "container_damage", NULL,
                   json_pack("{s:s, s:O}", "message", reason, "messages", messages)));
    }
    return err_fail(err, "%s", reason);
}

static int report_messages(const char *kind, json_t *messages, struct findings *out)
{
    if (json_array_size(messages) == 0) {
        return 0;
    }
    return refuse(out, kind, NULL, json_pack("{s:O}", "messages", messages));
}

// Opening also decodes a little: what the demuxer says is told apart from what decoders say.
static int report_log(const struct media_file *file, struct findings *out)
{
    const char *demuxer = file->format->iformat->name;
    AUTO(json_free) json_t *container = json_array(), *streams = json_array();
    for (size_t i = 0; i < file->log.kept; i++) {
        bool own = strncmp(file->log.text[i], demuxer, strlen(demuxer)) == 0;
        FAIL_IF(json_array_append_new(own ? container : streams,
                                      json_string(file->log.text[i])) != 0,
                ERR_NOMEM, "messages");
    }
    TRY(report_messages("container_damage", container, out));
    return report_messages("stream_damage", streams, out);
}

static void note_duration(struct media_source *source)
{
    int64_t longest = 0;
    vec_for_each (s, &source->streams) {
        if (s->duration_pts != FINDING_NONE && s->duration_pts > 0 &&
            !s->is_attached_picture &&
            (s->kind == MEDIA_VIDEO || s->kind == MEDIA_AUDIO)) {
            AVRational tb = {s->time_base.num, s->time_base.den};
            longest = MAX(longest, av_rescale_q(s->duration_pts, tb, AV_TIME_BASE_Q));
        }
    }
    source->duration_us = longest;
}

static int probe_file(struct media_file *file, struct media_source **ret,
                      struct media_timeline **ret_timeline, struct findings *out)
{
    AUTO(media_source_free) struct media_source *source = calloc(1, sizeof *source);
    FAIL_IF(!source, ERR_NOMEM, "a source");
    copy_text(source->container, sizeof source->container, file->format->iformat->name);
    source->bytes = file->input->size;
    for (unsigned i = 0; i < file->format->nb_streams; i++) {
        struct media_stream s;
        describe(file->format, file->format->streams[i], &s);
        TRY(vec_push(&source->streams, s));
    }
    source->video = choose_video(source);
    TRY(judge(file, source, out));
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    TRY(media_packets_walk(file, source, &timeline, out));
    TRY(report_log(file, out));
    if (source->video >= 0 && timeline->count == 0) {
        TRY(refuse(out, "no_frames", &source->streams.data[source->video], NULL));
    }
    note_duration(source);
    *ret = TAKE(source);
    *ret_timeline = TAKE(timeline);
    return 0;
}

int media_probe(const struct media_input *input, struct media_source **ret,
                struct media_timeline **ret_timeline, struct findings *out)
{
    if (input->size <= 0) {
        TRY(refuse(out, "empty", NULL, NULL));
        FAIL(ERR_UNSUPPORTED, "the file is empty");
    }
    struct media_log log = {0};
    AUTO(media_file_free) struct media_file *file = NULL;
    int err = media_file_open_logged(input, &log, &file);
    if (err == ERR_IO || err == ERR_NOMEM) {
        return err;
    }
    if (err < 0) {
        return explain_failure(err, &log, input, out);
    }
    TRY(media_structure_check(input, out));
    return probe_file(file, ret, ret_timeline, out);
}
