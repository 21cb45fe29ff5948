// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/input.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IO_BUFFER_BYTES (64 * 1024)
#define PROBE_BYTES     (16 * 1000 * 1000)
#define ANALYZE_US      (10 * 1000 * 1000)
#define MAX_STREAMS     100
// A sound demuxer reads each buffer about once and seeks about once for a packet; a packet has a
// byte at least. A small hostile file thus ends within a second, a large honest one never.
#define READS_FREE   200000
#define PACKETS_FREE 100000

// Formats that are one self-contained file. Playlists, image sequences, concat scripts and the
// like would open other files.
static const char formats[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,avi,flv,asf,mxf,ogg,ivf,"
    "dv,"
    "gxf,nut,m4v,h264,hevc,obu,wav,w64,aiff,flac,mp3,aac,ac3,eac3,rm,srt,webvtt,ass";

// --- the log ------------------------------------------------------------------------------

// libav's log callback is one for the whole process and has no user pointer; the thread says
// whose call is running.
static _Thread_local struct media_log *entered;

static void log_text(struct media_log *log, const char *who, const char *fmt,
                     va_list args)
{
    char text[MEDIA_LOG_TEXT_BYTES];
    int head = snprintf(text, sizeof text, "%s: ", who);
    if (head < 0 || (size_t)head >= sizeof text) {
        return;
    }
    vsnprintf(text + head, sizeof text - (size_t)head, fmt, args);
    size_t len = strlen(text);
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        text[--len] = 0;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            text[i] = '?';
        }
    }
    for (size_t i = 0; i < log->kept; i++) {
        if (strcmp(log->text[i], text) == 0) {
            return;
        }
    }
    memcpy(log->text[log->kept++], text, sizeof text);
}

static void on_av_log(void *context, int level, const char *fmt, va_list args)
{
    struct media_log *log = entered;
    if (!log || level > AV_LOG_ERROR) {
        return;
    }
    log->errors++;
    if (log->kept < MEDIA_LOG_KEPT) {
        AVClass *class = context ? *(AVClass **)context : NULL;
        log_text(log, class ? class->item_name(context) : "libav", fmt, args);
    }
}

static void install_log(void)
{
    av_log_set_level(AV_LOG_ERROR);
    av_log_set_callback(on_av_log);
}

struct media_log *media_log_enter(struct media_log *log)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_log);
    struct media_log *before = entered;
    entered = log;
    return before;
}

void media_log_leave(struct media_log *before)
{
    entered = before;
}

void media_log_merge(struct media_log *into, const struct media_log *from)
{
    into->errors += from->errors;
    for (size_t i = 0; i < from->kept && into->kept < MEDIA_LOG_KEPT; i++) {
        bool known = false;
        for (size_t k = 0; k < into->kept; k++) {
            known = known || strcmp(into->text[k], from->text[i]) == 0;
        }
        if (!known) {
            memcpy(into->text[into->kept++], from->text[i], sizeof from->text[i]);
        }
    }
}

int media_log_to_json(const struct media_log *log, json_t **ret)
{
    AUTO(json_free) json_t *texts = json_array();
    for (size_t i = 0; i < log->kept; i++) {
        FAIL_IF(json_array_append_new(texts, json_string(log->text[i])) != 0, ERR_NOMEM,
                "messages of libav");
    }
    return json_made(TAKE(texts), ret);
}

int media_av_fail(int averror, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(averror, text, sizeof text);
    // EIO is what demuxers say of a file that ends early: a read that failed is known by
    // media_file.read_failed, and asked for first.
    int code = averror == AVERROR(ENOMEM) ? ERR_NOMEM
               : averror == AVERROR_DECODER_NOT_FOUND ||
                       averror == AVERROR_DEMUXER_NOT_FOUND ||
                       averror == AVERROR_PATCHWELCOME || averror == AVERROR(ENOSYS)
                   ? ERR_UNSUPPORTED
                   : ERR_CORRUPT;
    return err_fail(code, "%s: %s", what, text);
}

// --- the file -----------------------------------------------------------------------------

static int on_read(void *opaque, uint8_t *bytes, int len)
{
    struct media_file *file = opaque;
    if (--file->reads_left < 0) {
        file->limit_hit = true;
        return AVERROR_EXIT;
    }
    if (file->position >= file->input->size) {
        return AVERROR_EOF;
    }
    int64_t got =
        file->input->read(file->input->opaque, file->position, bytes, (size_t)len);
    if (got < 0) {
        file->read_failed = true;
        return AVERROR(EIO);
    }
    if (got == 0) {
        return AVERROR_EOF;
    }
    file->position += got;
    return (int)got;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    struct media_file *file = opaque;
    int64_t base = 0;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return file->input->size;
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = file->position;
        break;
    case SEEK_END:
        base = file->input->size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    if (ADD_OVERFLOWS(base, offset, &offset) || offset < 0) {
        return AVERROR(EINVAL);
    }
    file->position = offset;
    return offset;
}

static int refuse_open(AVFormatContext *format, AVIOContext **ret, const char *url,
                       int flags, AVDictionary **options)
{
    (void)format, (void)ret, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

void media_file_free(struct media_file **ptr)
{
    struct media_file *file = TAKE(*ptr);
    if (!file) {
        return;
    }
    struct media_log *before = media_log_enter(NULL);
    avformat_close_input(&file->format);
    if (file->io) {
        av_freep(&file->io->buffer);
        avio_context_free(&file->io);
    }
    media_log_leave(before);
    free(file);
}

static int prepare(struct media_file *file)
{
    uint8_t *buffer = av_malloc(IO_BUFFER_BYTES);
    FAIL_IF(!buffer, ERR_NOMEM, "a read buffer");
    file->io =
        avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, file, on_read, NULL, on_seek);
    if (!file->io) {
        av_free(buffer);
        FAIL(ERR_NOMEM, "a read buffer");
    }
    file->format = avformat_alloc_context();
    FAIL_IF(!file->format, ERR_NOMEM, "a demuxer");
    AVFormatContext *f = file->format;
    f->pb = file->io;
    f->io_open = refuse_open;
    f->probesize = PROBE_BYTES;
    f->max_analyze_duration = ANALYZE_US;
    f->max_streams = MAX_STREAMS;
    f->error_recognition = AV_EF_CRCCHECK;
    f->format_whitelist = av_strdup(formats);
    FAIL_IF(!f->format_whitelist, ERR_NOMEM, "a demuxer");
    return 0;
}

// What a demuxer cannot allocate is what the file says it needs, a packet of 2 GB say: where the machine
// is short of memory, Linux does not refuse but kills.
static int demux_fail(int averror, const char *what)
{
    FAIL_IF(averror == AVERROR(ENOMEM), ERR_CORRUPT, "%s: a size that no memory has",
            what);
    return media_av_fail(averror, what);
}

static int open_file(struct media_file *file)
{
    // Closes and frees the context when it fails.
    int err = avformat_open_input(&file->format, "", NULL, NULL);
    FAIL_IF(file->read_failed, ERR_IO, "the file could not be read");
    if (err == AVERROR_INVALIDDATA || err == AVERROR(EINVAL)) {
        bool listed = file->log.kept && strstr(file->log.text[0], "not on whitelist");
        FAIL_IF(listed || file->log.errors == 0, ERR_UNSUPPORTED,
                "no container that is known");
    }
    if (err < 0) {
        return demux_fail(err, "the container");
    }
    err = avformat_find_stream_info(file->format, NULL);
    FAIL_IF(file->read_failed, ERR_IO, "the file could not be read");
    if (err < 0) {
        return demux_fail(err, "the streams");
    }
    return 0;
}

int media_file_open_logged(const struct media_input *input, struct media_log *log,
                           struct media_file **ret)
{
    AUTO(media_file_free) struct media_file *file = calloc(1, sizeof *file);
    FAIL_IF(!file, ERR_NOMEM, "a file");
    file->input = input;
    file->reads_left = READS_FREE + input->size / 8;
    file->packets_left = PACKETS_FREE + input->size;
    TRY(prepare(file));
    struct media_log *before = media_log_enter(&file->log);
    int err = open_file(file);
    media_log_leave(before);
    if (log) {
        *log = file->log;
    }
    TRY(err);
    *ret = TAKE(file);
    return 0;
}

int media_file_open(const struct media_input *input, struct media_file **ret)
{
    return media_file_open_logged(input, NULL, ret);
}

void media_file_only_stream(struct media_file *file, int stream)
{
    for (unsigned i = 0; i < file->format->nb_streams; i++) {
        file->format->streams[i]->discard =
            (int)i == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
}

int media_file_read(struct media_file *file, AVPacket *packet)
{
    if (--file->packets_left < 0) {
        file->limit_hit = true;
    }
    FAIL_IF(file->limit_hit, ERR_LIMIT, "the file makes its demuxer run in circles");
    struct media_log *before = media_log_enter(&file->log);
    int err;
    int again = 0;
    do {
        err = av_read_frame(file->format, packet);
    } while (err == AVERROR(EAGAIN) && ++again < 1000);
    media_log_leave(before);
    if (err >= 0) {
        return 1;
    }
    FAIL_IF(file->limit_hit, ERR_LIMIT, "the file makes its demuxer run in circles");
    FAIL_IF(file->read_failed, ERR_IO, "the file could not be read");
    return err == AVERROR_EOF ? 0 : demux_fail(err, "the container");
}
