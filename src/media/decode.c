// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/decode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PIXELS     (8192LL * 8192)
#define STALL_PACKETS  5000 // in a row, without a picture
#define DRAIN_ERRORS   100
#define SEEK_MARGIN_US 1500000

struct media_reader {
    const struct media_input *input;
    struct media_reader_config config;
    struct media_file *file;
    const AVStream *stream;
    AVCodecContext *codec; // of the cell; NULL between cells
    AVPacket *packet;
    AVFrame *frame;
    bool packet_held; // `packet` opens the next cell
    bool packet_end;  // no more packets belong to this reader
    bool draining;
    int drain_errors;
    int64_t next_rap; // the next point to cut at
    int64_t index;    // of the next frame
    int64_t packets;
    int64_t packets_without_frame;
    int64_t packet_pts; // of the one given to the decoder last
    bool container_reported;
    VEC(struct media_defect) defects;
    VEC(int64_t) cells;
    bool cell_opens; // the decoder to be opened next begins at a point
};

int media_decoder_open(const AVStream *stream, AVCodecContext **ret)
{
    const AVCodec *decoder = avcodec_find_decoder(stream->codecpar->codec_id);
    FAIL_IF(!decoder, ERR_UNSUPPORTED, "no decoder for %s",
            avcodec_get_name(stream->codecpar->codec_id));
    AUTO(avcodec_free_context) AVCodecContext *codec = avcodec_alloc_context3(decoder);
    FAIL_IF(!codec, ERR_NOMEM, "a decoder");
    int err = avcodec_parameters_to_context(codec, stream->codecpar);
    if (err < 0) {
        return media_av_fail(err, "the parameters of the stream");
    }
    codec->pkt_timebase = stream->time_base;
    codec->thread_count = 1;
    codec->err_recognition = AV_EF_CRCCHECK;
    codec->max_pixels = MAX_PIXELS;
    err = avcodec_open2(codec, decoder, NULL);
    if (err < 0) {
        return media_av_fail(err, decoder->name);
    }
    *ret = TAKE(codec);
    return 0;
}

void media_reader_free(struct media_reader **ptr)
{
    struct media_reader *r = TAKE(*ptr);
    if (!r) {
        return;
    }
    struct media_log *before = media_log_enter(NULL);
    avcodec_free_context(&r->codec);
    av_packet_free(&r->packet);
    av_frame_free(&r->frame);
    media_log_leave(before);
    media_file_free(&r->file);
    vec_free(&r->defects);
    vec_free(&r->cells);
    free(r);
}

static int add_defect(struct media_reader *r, enum media_defect_kind kind, int64_t errors,
                      const char *text)
{
    if (r->defects.len >= MEDIA_DEFECTS_MAX) {
        return 0;
    }
    struct media_defect d = {
        .kind = kind, .frame = r->index, .pts = r->packet_pts, .errors = errors};
    size_t len = MIN(strlen(text), sizeof d.text - 1);
    memcpy(d.text, text, len);
    return vec_push(&r->defects, d);
}

static int add_logged(struct media_reader *r, const struct media_log *log)
{
    return log->errors == 0 ? 0
                            : add_defect(r, MEDIA_DEFECT_DECODE, log->errors,
                                         log->kept ? log->text[0] : "");
}

// --- finding the start --------------------------------------------------------------------

static int open_stream(struct media_reader *r)
{
    media_file_free(&r->file);
    TRY(media_file_open(r->input, &r->file));
    FAIL_IF(r->config.stream < 0 ||
                (unsigned)r->config.stream >= r->file->format->nb_streams,
            ERR_INVALID, "no stream %d", r->config.stream);
    media_file_only_stream(r->file, r->config.stream);
    r->stream = r->file->format->streams[r->config.stream];
    return 0;
}

// The next packet of the stream, into r->packet. As media_file_read.
static int read_packet(struct media_reader *r)
{
    for (;;) {
        av_packet_unref(r->packet);
        int got = media_file_read(r->file, r->packet);
        if (got <= 0 || r->packet->stream_index == r->config.stream) {
            return got;
        }
    }
}

static bool is_rap_packet(const struct media_reader *r, int64_t rap)
{
    return (r->packet->flags & AV_PKT_FLAG_KEY) &&
           r->packet->pts == r->config.timeline->raps.data[rap].pts;
}

// Reads on until the packet of the point is held. 1: held; 0: it does not come.
static int skip_to_rap(struct media_reader *r, int64_t rap)
{
    int64_t pts = r->config.timeline->raps.data[rap].pts;
    for (;;) {
        int got = read_packet(r);
        if (got <= 0) {
            return got == ERR_IO || got == ERR_NOMEM ? got : 0;
        }
        if (is_rap_packet(r, rap)) {
            r->packet_held = true;
            return 1;
        }
        if ((r->packet->flags & AV_PKT_FLAG_KEY) && r->packet->pts != AV_NOPTS_VALUE &&
            r->packet->pts > pts) {
            return 0; // points ascend, so this is behind it
        }
    }
}

static int seek_to_rap(struct media_reader *r, int64_t rap)
{
    const struct media_rap *at = &r->config.timeline->raps.data[rap];
    // An index of the container is exact; a search by time stamps may need to find its feet.
    const char *name = r->file->format->iformat->name;
    int64_t target = at->pts;
    if (strstr(name, "mp4")) {
        target = MIN(at->dts, at->pts);
    } else if (!strstr(name, "matroska")) {
        target = MIN(at->dts, at->pts) -
                 av_rescale_q(SEEK_MARGIN_US, AV_TIME_BASE_Q, r->stream->time_base);
    }
    struct media_log *before = media_log_enter(NULL);
    int err =
        av_seek_frame(r->file->format, r->config.stream, target, AVSEEK_FLAG_BACKWARD);
    media_log_leave(before);
    return err < 0 ? 0 : skip_to_rap(r, rap);
}

static int start(struct media_reader *r)
{
    int64_t rap = r->config.start_rap;
    r->packet_pts = AV_NOPTS_VALUE;
    if (!r->config.timeline) {
        return open_stream(r);
    }
    int64_t raps = (int64_t)r->config.timeline->raps.len;
    FAIL_IF(rap >= raps || r->config.end_rap > raps, ERR_INVALID,
            "no such random-access point");
    TRY(open_stream(r));
    r->next_rap = rap < 0 ? 0 : rap;
    if (rap < 0) {
        return 0;
    }
    r->index = r->config.timeline->raps.data[rap].frame;
    int got = seek_to_rap(r, rap);
    if (got == 0) {
        TRY(open_stream(r));
        got = skip_to_rap(r, rap);
    }
    TRY(got);
    FAIL_IF(got == 0, ERR_CORRUPT, "no random-access point at pts %" PRId64,
            r->config.timeline->raps.data[rap].pts);
    r->next_rap = rap + 1;
    r->cell_opens = true;
    r->file->log = (struct media_log){0};
    return 0;
}

int media_reader_new(const struct media_input *input,
                     const struct media_reader_config *config, struct media_reader **ret)
{
    AUTO(media_reader_free) struct media_reader *r = calloc(1, sizeof *r);
    FAIL_IF(!r, ERR_NOMEM, "a reader");
    r->input = input;
    r->config = *config;
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    FAIL_IF(!r->packet || !r->frame, ERR_NOMEM, "a reader");
    TRY(start(r));
    FAIL_IF(!avcodec_find_decoder(r->stream->codecpar->codec_id), ERR_UNSUPPORTED,
            "no decoder for %s", avcodec_get_name(r->stream->codecpar->codec_id));
    *ret = TAKE(r);
    return 0;
}

// --- reading ------------------------------------------------------------------------------

// Sets packet_held, or packet_end.
static int pull_packet(struct media_reader *r)
{
    int got = read_packet(r);
    if (got == ERR_IO || got == ERR_NOMEM) {
        return got;
    }
    if (got < 0 && !r->container_reported) {
        r->container_reported = true;
        TRY(add_defect(r,
                       got == ERR_LIMIT ? MEDIA_DEFECT_STALLED : MEDIA_DEFECT_CONTAINER,
                       1, err_reason()));
    }
    r->packet_held = got > 0;
    r->packet_end = got <= 0;
    return 0;
}

// True when the held packet opens a new cell (or the part behind the reader's end).
static bool at_cell_end(struct media_reader *r)
{
    const struct media_timeline *t = r->config.timeline;
    if (!t || r->next_rap >= (int64_t)t->raps.len || !is_rap_packet(r, r->next_rap)) {
        return false;
    }
    if (r->config.end_rap >= 0 && r->next_rap >= r->config.end_rap) {
        r->packet_end = true;
        r->packet_held = false;
        av_packet_unref(r->packet);
    }
    r->next_rap++;
    r->cell_opens = !r->packet_end;
    return true;
}

static int send_packet(struct media_reader *r, const AVPacket *packet)
{
    struct media_log log = {0};
    struct media_log *before = media_log_enter(&log);
    int err = avcodec_send_packet(r->codec, packet);
    media_log_leave(before);
    if (!packet) {
        r->draining = true;
        r->drain_errors = 0;
        return add_logged(r, &log);
    }
    r->packets++;
    r->packets_without_frame++;
    r->packet_pts = packet->pts;
    if (packet->flags & AV_PKT_FLAG_CORRUPT) {
        TRY(add_defect(r, MEDIA_DEFECT_PACKET, 1, "damaged packet"));
    }
    FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "decoding");
    if (err < 0 && err != AVERROR_EOF && log.errors == 0) {
        return add_defect(r, MEDIA_DEFECT_DECODE, 1, "packet refused");
    }
    return add_logged(r, &log);
}

static int open_cell(struct media_reader *r)
{
    if (r->cell_opens) {
        r->cell_opens = false;
        TRY(vec_push(&r->cells, r->index));
    }
    struct media_log log = {0};
    struct media_log *before = media_log_enter(&log);
    int err = media_decoder_open(r->stream, &r->codec);
    media_log_leave(before);
    if (err == ERR_NOMEM) {
        return err;
    }
    if (err < 0) {
        r->packet_end = true;
        r->packet_held = false;
        return add_defect(r, MEDIA_DEFECT_DECODE, MAX(log.errors, 1),
                          log.kept ? log.text[0] : err_reason());
    }
    r->draining = false;
    return add_logged(r, &log);
}

// Gives the decoder its next packet, or lets it drain.
static int feed(struct media_reader *r)
{
    if (!r->packet_held && !r->packet_end) {
        TRY(pull_packet(r));
        if (r->packet_held && at_cell_end(r)) {
            return r->codec ? send_packet(r, NULL) : 0;
        }
    }
    if (r->packet_end) {
        return r->codec ? send_packet(r, NULL) : 0;
    }
    if (!r->codec) {
        TRY(open_cell(r));
        if (!r->codec) {
            return 0;
        }
    }
    if (r->packets_without_frame > STALL_PACKETS) {
        r->packet_end = true;
        r->packet_held = false;
        TRY(add_defect(r, MEDIA_DEFECT_STALLED, 1, "no picture in 5000 packets"));
        return send_packet(r, NULL);
    }
    int err = send_packet(r, r->packet);
    r->packet_held = false;
    av_packet_unref(r->packet);
    return err;
}

// 1: a frame; 0: feed it; AVERROR_EOF through *ret_ended.
static int receive(struct media_reader *r, bool *ret_ended)
{
    struct media_log log = {0};
    struct media_log *before = media_log_enter(&log);
    int err = avcodec_receive_frame(r->codec, r->frame);
    media_log_leave(before);
    TRY(add_logged(r, &log));
    *ret_ended = err == AVERROR_EOF;
    FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "decoding");
    if (err >= 0) {
        return 1;
    }
    if (err != AVERROR_EOF && err != AVERROR(EAGAIN)) {
        if (log.errors == 0) {
            TRY(add_defect(r, MEDIA_DEFECT_DECODE, 1, "picture not decoded"));
        }
        *ret_ended = r->draining && ++r->drain_errors > DRAIN_ERRORS;
    }
    return 0;
}

// Points are only trusted where every packet has its time; elsewhere libavcodec's guess, which watches
// both kinds of time stamps for faults, is the better one.
static void stamp(struct media_reader *r)
{
    AVFrame *f = r->frame;
    const struct media_timeline *t = r->config.timeline;
    bool trusted = t && t->raps.len;
    if ((!trusted || f->pts == AV_NOPTS_VALUE) &&
        f->best_effort_timestamp != AV_NOPTS_VALUE) {
        f->pts = f->best_effort_timestamp;
    }
}

int media_reader_next(struct media_reader *r, AVFrame **ret_frame, int64_t *ret_index)
{
    for (;;) {
        if (!r->codec && r->packet_end) {
            return 0;
        }
        if (r->codec) {
            bool ended = false;
            int got = receive(r, &ended);
            TRY(got);
            if (got) {
                r->packets_without_frame = 0;
                stamp(r);
                *ret_frame = r->frame;
                *ret_index = r->index++;
                return 1;
            }
            if (ended) {
                struct media_log *before = media_log_enter(NULL);
                avcodec_free_context(&r->codec);
                media_log_leave(before);
                continue;
            }
            if (r->draining) {
                continue;
            }
        }
        TRY(feed(r));
    }
}

const AVStream *media_reader_stream(const struct media_reader *r)
{
    return r->stream;
}

const AVCodecContext *media_reader_codec(const struct media_reader *r)
{
    return r->codec;
}

const struct media_defect *media_reader_defects(const struct media_reader *r,
                                                size_t *ret_count)
{
    *ret_count = r->defects.len;
    return r->defects.data;
}

const int64_t *media_reader_cells(const struct media_reader *r, size_t *ret_count)
{
    *ret_count = r->cells.len;
    return r->cells.data;
}

int64_t media_reader_position(const struct media_reader *r)
{
    return r->file->position;
}

int64_t media_reader_packets(const struct media_reader *r)
{
    return r->packets;
}
