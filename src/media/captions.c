// SPDX-License-Identifier: GPL-3.0-or-later
//
// Captions as WebVTT (W3C Candidate Recommendation). libavcodec decodes each text codec to ASS
// dialogues, which become cue text; cues that are WebVTT already keep their markup and settings.
#include "media/caption_text.h"
#include "media/input.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

#define CUES_MAX    100000
#define TEXT_MAX    (16 << 20) // bytes of all cues
#define FILE_MAX    (32 << 20) // of a side-loaded file
#define UNKNOWN_END INT64_MAX  // until the next cue, at most STAND_MS
#define STAND_MS    5000
#define LAST_MS     (INT64_C(1000) * 3600000) // 1,000 hours

struct cue {
    int64_t start_ms, end_ms;
    size_t text, text_len; // in the words
    size_t settings, settings_len;
    size_t order; // as found, to sort stably
};

struct cues {
    VEC(struct cue) items;
    struct buf words; // texts and settings, one behind the other
};

static void cues_free(struct cues *c)
{
    vec_free(&c->items);
    buf_free(&c->words);
}

// --- collecting ---------------------------------------------------------------------------

static const char *place_settings(enum caption_place place)
{
    return place == CAPTION_TOP ? "line:0" : place == CAPTION_MIDDLE ? "line:50%" : "";
}

// Takes what was appended to the words behind `text` as the words of a cue.
static int add_cue(struct cues *c, struct cue cue)
{
    TRY(c->words.err);
    FAIL_IF(c->items.len >= CUES_MAX || c->words.len > TEXT_MAX, ERR_LIMIT,
            "captions of over %d cues or %d MiB", CUES_MAX, TEXT_MAX >> 20);
    if (cue.text_len == 0 || cue.end_ms <= 0 || cue.start_ms >= LAST_MS ||
        cue.end_ms <= cue.start_ms) {
        c->words.len = MIN(cue.text, cue.settings);
        return 0;
    }
    cue.start_ms = MAX(cue.start_ms, 0);
    cue.order = c->items.len;
    return vec_push(&c->items, cue);
}

// An ASS dialogue as libavcodec gives it has eight fields before its text.
static const char *dialogue_text(const char *ass)
{
    for (int field = 0; field < 8; field++) {
        const char *comma = strchr(ass, ',');
        if (comma == NULL) {
            return "";
        }
        ass = comma + 1;
    }
    return ass;
}

static int add_subtitle(struct cues *c, const AVSubtitle *subtitle, struct cue cue)
{
    for (unsigned i = 0; i < subtitle->num_rects; i++) {
        const AVSubtitleRect *rect = subtitle->rects[i];
        enum caption_place place = CAPTION_BOTTOM;
        cue.text = c->words.len;
        if (rect->ass != NULL) {
            caption_text_from_ass(dialogue_text(rect->ass), &c->words, &place);
        } else if (rect->text != NULL) {
            caption_text_from_vtt(str_of(rect->text), &c->words);
        }
        cue.text_len = c->words.len - cue.text;
        cue.settings = c->words.len;
        buf_cstr(&c->words, place_settings(place));
        cue.settings_len = c->words.len - cue.settings;
        TRY(add_cue(c, cue));
    }
    return 0;
}

static int add_vtt(struct cues *c, const AVPacket *packet, struct cue cue)
{
    size_t len = 0;
    const uint8_t *side =
        av_packet_get_side_data(packet, AV_PKT_DATA_WEBVTT_SETTINGS, &len);
    cue.text = c->words.len;
    caption_text_from_vtt(
        (struct str){.data = (const char *)packet->data, .len = (size_t)packet->size},
        &c->words);
    cue.text_len = c->words.len - cue.text;
    cue.settings = c->words.len;
    if (side != NULL) {
        caption_settings_clean((struct str){.data = (const char *)side, .len = len},
                               &c->words);
    }
    cue.settings_len = c->words.len - cue.settings;
    return add_cue(c, cue);
}

// --- reading ------------------------------------------------------------------------------

struct source {
    const AVStream *stream;
    AVCodecContext *codec; // NULL: WebVTT, which needs none
    int64_t origin_ms;     // of the picture
    struct media_log log;
};

static void source_close(struct source *s)
{
    avcodec_free_context(&s->codec);
}

static int source_open(const AVStream *stream, struct source *s)
{
    s->stream = stream;
    const AVCodecDescriptor *about = avcodec_descriptor_get(stream->codecpar->codec_id);
    FAIL_IF(stream->codecpar->codec_type != AVMEDIA_TYPE_SUBTITLE || about == NULL ||
                (about->props & AV_CODEC_PROP_TEXT_SUB) == 0,
            ERR_UNSUPPORTED, "stream %d holds no text", stream->index);
    if (stream->codecpar->codec_id == AV_CODEC_ID_WEBVTT) {
        return 0;
    }
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    FAIL_IF(codec == NULL, ERR_UNSUPPORTED, "no decoder for %s", about->name);
    s->codec = avcodec_alloc_context3(codec);
    FAIL_IF(s->codec == NULL, ERR_NOMEM, "a decoder of captions");
    s->codec->pkt_timebase = stream->time_base;
    int err = avcodec_parameters_to_context(s->codec, stream->codecpar);
    err = err < 0 ? err : avcodec_open2(s->codec, codec, NULL);
    return err < 0 ? media_av_fail(err, "captions") : 0;
}

// Within what can be added and subtracted without care: anything farther is no time of a film.
static int64_t to_ms(int64_t value, AVRational time_base)
{
    return CLAMP(av_rescale_q(value, time_base, (AVRational){1, 1000}), -LAST_MS,
                 LAST_MS);
}

static int add_packet(struct source *s, struct cues *c, AVPacket *packet)
{
    AVRational from = s->stream->time_base;
    if (packet->pts == AV_NOPTS_VALUE || packet->size <= 0) {
        return 0;
    }
    struct cue cue = {.start_ms = to_ms(packet->pts, from) - s->origin_ms};
    cue.end_ms =
        packet->duration > 0 ? cue.start_ms + to_ms(packet->duration, from) : UNKNOWN_END;
    if (s->codec == NULL) {
        return add_vtt(c, packet, cue);
    }
    AVSubtitle subtitle = {0};
    int got = 0;
    struct media_log *before = media_log_enter(&s->log);
    int err = avcodec_decode_subtitle2(s->codec, &subtitle, &got, packet);
    media_log_leave(before);
    if (err < 0 || got == 0) {
        return 0; // one damaged cue does not take the others with it
    }
    bool has_end = subtitle.end_display_time > subtitle.start_display_time &&
                   subtitle.end_display_time < UINT32_MAX;
    if (cue.end_ms == UNKNOWN_END && has_end) {
        cue.end_ms = cue.start_ms + subtitle.end_display_time;
    }
    err = add_subtitle(c, &subtitle, cue);
    avsubtitle_free(&subtitle);
    return err;
}

static int read_cues(struct media_file *file, int stream, int64_t origin_ms,
                     struct cues *ret)
{
    AUTO(source_close) struct source source = {.origin_ms = origin_ms};
    TRY(source_open(file->format->streams[stream], &source));
    media_file_only_stream(file, stream);
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    FAIL_IF(packet == NULL, ERR_NOMEM, "a packet");
    for (;;) {
        int got = media_file_read(file, packet);
        if (got == ERR_CORRUPT) {
            break; // what stands before the damage is good
        }
        TRY(got);
        if (got == 0) {
            break;
        }
        int err = packet->stream_index == stream ? add_packet(&source, ret, packet) : 0;
        av_packet_unref(packet);
        TRY(err);
    }
    return 0;
}

// --- writing ------------------------------------------------------------------------------

static int by_start(const void *a, const void *b)
{
    const struct cue *x = a, *y = b;
    if (x->start_ms != y->start_ms) {
        return x->start_ms < y->start_ms ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static void add_time(struct buf *out, int64_t ms)
{
    buf_printf(out, "%02lld:%02lld:%02lld.%03lld", (long long)(ms / 3600000),
               (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60),
               (long long)(ms % 1000));
}

static struct str words_at(const struct cues *c, size_t at, size_t len)
{
    return (struct str){.data = c->words.data + at, .len = len};
}

static bool same_cue(const struct cues *c, const struct cue *a, const struct cue *b)
{
    return a->start_ms == b->start_ms && a->end_ms == b->end_ms &&
           str_eq(words_at(c, a->text, a->text_len), words_at(c, b->text, b->text_len));
}

static int write_cues(struct cues *c, struct buf *out)
{
    FAIL_IF(c->items.len == 0, ERR_NOT_FOUND, "no cue");
    qsort(c->items.data, c->items.len, sizeof *c->items.data, by_start);
    buf_cstr(out, "WEBVTT\n");
    for (size_t i = 0; i < c->items.len; i++) {
        struct cue *cue = &c->items.data[i];
        if (cue->end_ms == UNKNOWN_END) {
            cue->end_ms = cue->start_ms + STAND_MS;
            bool has_next =
                i + 1 < c->items.len && c->items.data[i + 1].start_ms > cue->start_ms;
            if (has_next) {
                cue->end_ms = MIN(cue->end_ms, c->items.data[i + 1].start_ms);
            }
        }
        if (i > 0 && same_cue(c, cue - 1, cue)) {
            continue;
        }
        buf_char(out, '\n');
        add_time(out, cue->start_ms);
        buf_cstr(out, " --> ");
        add_time(out, MIN(cue->end_ms, LAST_MS));
        if (cue->settings_len > 0) {
            buf_char(out, ' ');
            buf_str(out, words_at(c, cue->settings, cue->settings_len));
        }
        buf_char(out, '\n');
        buf_str(out, words_at(c, cue->text, cue->text_len));
        buf_char(out, '\n');
    }
    return out->err;
}

int media_captions_extract(const struct media_input *input,
                           const struct media_source *source, int stream,
                           int64_t origin_pts, struct rational origin_time_base,
                           struct buf *out)
{
    (void)source;
    AUTO(media_file_free) struct media_file *file = NULL;
    AUTO(cues_free) struct cues cues = {0};
    TRY(media_file_open(input, &file));
    FAIL_IF(stream < 0 || (unsigned)stream >= file->format->nb_streams, ERR_INVALID,
            "no stream %d", stream);
    AVRational from = {origin_time_base.num, origin_time_base.den};
    int64_t origin_ms = origin_pts == FINDING_NONE
                            ? 0
                            : av_rescale_q(origin_pts, from, (AVRational){1, 1000});
    TRY(read_cues(file, stream, origin_ms, &cues));
    return write_cues(&cues, out);
}

// --- side-loaded files --------------------------------------------------------------------

static int64_t read_memory(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct str *bytes = opaque;
    size_t at = MIN((size_t)offset, bytes->len);
    size_t take = MIN(len, bytes->len - at);
    memcpy(ret, bytes->data + at, take);
    return (int64_t)take;
}

// The line (from 1) of the first byte that is not UTF-8; 0 when all is. UTF-16 is told by its mark
// and read by libavformat.
static int bad_line(struct str file)
{
    bool is_utf16 = file.len >= 2 && (memcmp(file.data, "\xff\xfe", 2) == 0 ||
                                      memcmp(file.data, "\xfe\xff", 2) == 0);
    struct str rest = file, line = {0};
    for (int number = 1; !is_utf16 && str_next(&rest, '\n', &line); number++) {
        if (!str_is_utf8(line)) {
            return number;
        }
    }
    return 0;
}

int media_captions_convert(struct str file, const char *name, struct buf *out,
                           struct diag *diag)
{
    if (file.len > FILE_MAX) {
        diag_add(diag, name, 0, "captions of over %d MiB", FILE_MAX >> 20);
        return diag_fail(diag, ERR_LIMIT);
    }
    int line = bad_line(file);
    if (line > 0) {
        diag_add(diag, name, line, "not UTF-8: save the file in that encoding");
        return diag_fail(diag, ERR_INVALID);
    }
    struct media_input input = {
        .opaque = &file, .size = (int64_t)file.len, .read = read_memory};
    AUTO(media_file_free) struct media_file *opened = NULL;
    AUTO(cues_free) struct cues cues = {0};
    int err = media_file_open(&input, &opened);
    bool is_text =
        err == 0 && opened->format->nb_streams == 1 &&
        opened->format->streams[0]->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE;
    if (!is_text && err != ERR_NOMEM) {
        diag_add(diag, name, 0, "neither SubRip, WebVTT nor ASS");
        return diag_fail(diag, ERR_UNSUPPORTED);
    }
    TRY(err);
    TRY(read_cues(opened, 0, 0, &cues));
    if (cues.items.len == 0) {
        diag_add(diag, name, 0, "no cue in it");
        return diag_fail(diag, ERR_NOT_FOUND);
    }
    return write_cues(&cues, out);
}
