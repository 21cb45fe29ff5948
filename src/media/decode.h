// SPDX-License-Identifier: GPL-3.0-or-later
//
// Frames of one stream, in presentation order, the same for everybody who reads them. Private to
// the room.
//
// The picture is cut into cells at the random-access points of the timeline, and each cell is
// decoded by a decoder of its own, opened afresh at the point and drained before the next. So a
// frame depends on its cell alone: whether a reader began at the start of the file, at this point
// or at an earlier one, it gives the same pixels, the same times and the same complaints.
// Streams without points (and sound) are one cell. Decoders run on one thread.
#ifndef MEDIA_DECODE_H
#define MEDIA_DECODE_H

#include "media/input.h"

enum media_defect_kind {
    MEDIA_DEFECT_DECODE,    // the decoder refused a packet or complained about it
    MEDIA_DEFECT_PACKET,    // the demuxer says that a packet is damaged
    MEDIA_DEFECT_CONTAINER, // the container broke off
    MEDIA_DEFECT_STALLED,   // no picture in a long run of packets: decoding was given up
};

// What went wrong around a packet. `frame`: index of the first frame that came out after it.
struct media_defect {
    enum media_defect_kind kind;
    int64_t frame;
    int64_t pts;    // of the packet; AV_NOPTS_VALUE unknown
    int64_t errors; // messages of the decoder
    char text[MEDIA_LOG_TEXT_BYTES];
};

#define MEDIA_DEFECTS_MAX 10000

struct media_reader;

struct media_reader_config {
    int stream; // index in the file
    // NULL: one cell. Otherwise the stream is the published picture, and frames count as in it.
    const struct media_timeline *timeline;
    int64_t start_rap; // index into its raps; -1: the start of the file
    int64_t end_rap;   // exclusive; -1: to the end
};

// `input` and the timeline outlive the reader. ERR_UNSUPPORTED: no decoder.
int media_reader_new(const struct media_input *input, const struct media_reader_config *,
                     struct media_reader **ret);
void media_reader_free(struct media_reader **);
// 1: *ret_frame is the next one, owned by the reader and valid until the next call; its `pts` is
// best known time in the stream's time base (AV_NOPTS_VALUE where there is none), *ret_index its
// number (from raps[start_rap].frame, or 0; counted in what was decoded, so against a timeline
// that inspection made the two agree). 0: the end; damage is in the defects. <0: ERR_IO, ERR_NOMEM.
int media_reader_next(struct media_reader *, AVFrame **ret_frame, int64_t *ret_index);

// Valid while the reader lives.
const AVStream *media_reader_stream(const struct media_reader *);
// The decoder of the current cell.
const AVCodecContext *media_reader_codec(const struct media_reader *);
// What went wrong so far, at most MEDIA_DEFECTS_MAX; owned by the reader.
const struct media_defect *media_reader_defects(const struct media_reader *,
                                                size_t *ret_count);
// The index of the first frame of each cell entered so far that begins at a point, in the order of
// the points from the first one at or behind the start; owned by the reader.
const int64_t *media_reader_cells(const struct media_reader *, size_t *ret_count);
// Bytes of the file consumed so far, for progress.
int64_t media_reader_position(const struct media_reader *);
// Packets given to decoders so far.
int64_t media_reader_packets(const struct media_reader *);

// Opens a decoder on one thread, with checks of sums on and limits on size.
int media_decoder_open(const AVStream *, AVCodecContext **ret);

#endif
