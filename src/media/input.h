// SPDX-License-Identifier: GPL-3.0-or-later
//
// A film file opened through struct media_input: libavformat behind limits, with what it
// complained about kept as evidence. Private to the room.
#ifndef MEDIA_INPUT_H
#define MEDIA_INPUT_H

#include "media/media.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

// libav says what is wrong only in its log. While a capture is entered on a thread, messages of
// level error and above that libav writes on it are counted here, and the first few kept; without
// one they are dropped. Single-threaded codecs only: a codec's own threads are not seen.
#define MEDIA_LOG_KEPT       6
#define MEDIA_LOG_TEXT_BYTES 120

struct media_log {
    int64_t errors;
    size_t kept;
    char text[MEDIA_LOG_KEPT]
             [MEDIA_LOG_TEXT_BYTES]; // "h264: …", distinct, printable ASCII
};

// Returns the capture that was entered before; give it to media_log_leave.
struct media_log *media_log_enter(struct media_log *);
void media_log_leave(struct media_log *before);
// Appends what `from` kept, and its count.
void media_log_merge(struct media_log *into, const struct media_log *from);
// An array of the texts; the caller owns it.
int media_log_to_json(const struct media_log *, json_t **ret);

// The code and reason for a libav error: `what` is named in it.
int media_av_fail(int averror, const char *what);

struct media_file {
    const struct media_input *input; // borrowed: outlives the file
    AVFormatContext *format;         // streams are known
    AVIOContext *io;
    struct media_log log; // of the demuxer
    int64_t position;     // of the next read
    int64_t reads_left;   // a demuxer that loops on a hostile file runs out of reads
    int64_t packets_left; // the same for packets made of nothing
    bool limit_hit;
    bool read_failed; // the input itself failed, rather than its contents
};

// Opens, with find_stream_info: bounded probing, no other file or network is ever opened, formats
// that are lists of files are not known. ERR_UNSUPPORTED: no such container; ERR_CORRUPT: its
// headers cannot be read; ERR_IO: the input failed.
int media_file_open(const struct media_input *, struct media_file **ret);
// As above, also giving the demuxer's complaints when opening fails.
int media_file_open_logged(const struct media_input *, struct media_log *log,
                           struct media_file **ret);
void media_file_free(struct media_file **);
// Packets of all other streams are dropped in the demuxer.
void media_file_only_stream(struct media_file *, int stream);
// 1: a packet (the caller unrefs it), 0: the end, <0: ERR_IO, ERR_CORRUPT (the container broke
// off there) or ERR_LIMIT.
int media_file_read(struct media_file *, AVPacket *);

#endif
