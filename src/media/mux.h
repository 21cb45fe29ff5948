// SPDX-License-Identifier: GPL-3.0-or-later
//
// The segmenter: one encoder's packets in, one CMAF track out (ISO/IEC 23000-19 over ISO/IEC
// 14496-12): "<id>/init.mp4" and "<id>/00001.m4s"…, each one styp, moof, mdat.
//
// Times. The first picture of the film is shown at 0, every segment begins with a closed GOP, so
// a segment's pictures are shown within [its start, its end). Its decode times are these display
// times in ascending order: the k-th sample decoded is given the k-th display time, and the
// composition offset (trun version 1, signed) makes up the difference. So tfdt is the exact start
// of the segment, durations add up whatever the frame rate does, and nothing depends on the
// encoder's own time stamps: a chunk that begins in the middle of the film gives the bytes that
// the whole film would. `lead` is added to every composition offset and taken away again by an
// edit list, so that none is negative: libavformat moves a whole track by its most negative one.
//
// Sound begins with its priming (AAC 1024 samples, Opus its pre-skip) at decode time 0; an edit
// list in the initialisation segment puts what follows it at presentation time 0. `start` and
// `duration` of struct media_segment are presentation times for both.
#ifndef MEDIA_MUX_H
#define MEDIA_MUX_H

#include "media/media.h"

#include <libavcodec/avcodec.h>
#include <libavutil/mastering_display_metadata.h>

struct mux;

struct mux_config {
    const char *rendition; // id: the folder of its files
    enum media_rendition_kind kind;
    // codec_id, extradata; video: width, height, sample_aspect_ratio, color_*; sound: sample_rate,
    // ch_layout, bit_rate, frame_size. Read by mux_new only.
    const AVCodecParameters *codec;
    const AVMasteringDisplayMetadata *mastering; // NULL: none
    const AVContentLightMetadata *light;         // NULL: none
    const char *language;                        // BCP 47; NULL or "und": not said
    AVRational packet_time_base;
    int64_t timescale;     // of the track; packet times must fall on its ticks exactly
    int64_t first_segment; // number of the first segment, from 1
    // Presentation times in the timescale: where each segment begins, and where the last one ends
    // (segment_count + 1 values, ascending; they must live until mux_free). Video is cut exactly there.
    // Sound is cut at the packet edge nearest to each; it may end sooner, or go on behind the end, where
    // cuts follow at the mean distance; never in less than half of it at the end.
    const int64_t *boundaries;
    size_t segment_count;
    // Ticks before time 0, skipped by an edit list. Sound: the encoder's initial_padding. Video:
    // has_b_frames × the nominal duration of a frame, the same in all chunks.
    int64_t lead;
    media_write_f *write;
    void *user;
};

// Reads the parameter sets and writes init.mp4. The encoder must have been opened with AV_CODEC_FLAG_GLOBAL_HEADER.
// ERR_UNSUPPORTED for a codec without a mapping, ERR_CORRUPT for unreadable parameter sets.
int mux_new(struct mux **ret, const struct mux_config *);
void mux_free(struct mux **);
// In decoding order; pts relative to the first picture of the film (sound: to the first sample that is
// heard, so that the first packet has -lead); dts is not looked at. Does not take the packet.
// Video: AV_PKT_FLAG_KEY stands on closed-GOP pictures. ERR_CORRUPT when a segment does not begin with one
// exactly at its boundary, when a picture is shown outside of its segment, or twice.
int mux_packet(struct mux *, const AVPacket *);
// Writes what is left. Fills codecs, init, segments, frame_bytes and frames of *ret (which begins
// zeroed; the caller clears it). Sound: the last sample ends at `end` (presentation ticks) when
// that shortens it, MUX_END_UNKNOWN leaves it. ERR_CORRUPT when video segments are missing.
#define MUX_END_UNKNOWN INT64_MAX
int mux_finish(struct mux *, int64_t end, struct media_encoded *ret);

// "avc1.64001f", exact; valid after mux_new.
const char *mux_codecs(const struct mux *);

#endif
