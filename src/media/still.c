// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/decode.h"
#include "media/jpeg.h"

// The last random-access point at or before a frame; -1: the start of the file.
static int64_t rap_before(const struct media_timeline *timeline, int64_t frame)
{
    int64_t low = -1, high = (int64_t)timeline->raps.len;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (timeline->raps.data[middle].frame <= frame) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

int media_still(const struct media_input *input, const struct media_report *report,
                const struct media_timeline *timeline, int64_t frame, int width,
                struct buf *out_jpeg)
{
    const struct media_source *source = report->source;
    FAIL_IF(source->video < 0, ERR_NOT_FOUND, "a film without a picture");
    FAIL_IF(frame < 0 || frame >= timeline->count, ERR_NOT_FOUND, "frame %lld of %lld",
            (long long)frame, (long long)timeline->count);
    FAIL_IF(width < 2, ERR_INVALID, "a still %d pixels wide", width);
    const struct media_stream *stream = &source->streams.data[source->video];
    struct media_reader_config config = {.stream = stream->index,
                                         .timeline = timeline,
                                         .start_rap = rap_before(timeline, frame),
                                         .end_rap = -1};
    AUTO(media_reader_free) struct media_reader *reader = NULL;
    AUTO(media_jpeg_free) struct media_jpeg *jpeg = NULL;
    TRY(media_reader_new(input, &config, &reader));
    TRY(media_jpeg_new(&jpeg));
    for (;;) {
        AVFrame *picture = NULL;
        int64_t index = 0;
        int got = media_reader_next(reader, &picture, &index);
        TRY(got);
        FAIL_IF(got == 0 || index > frame, ERR_CORRUPT, "frame %lld does not decode",
                (long long)frame);
        if (index == frame) {
            return media_jpeg_make(jpeg, picture, stream->sar, stream->rotation, width,
                                   out_jpeg);
        }
    }
}
