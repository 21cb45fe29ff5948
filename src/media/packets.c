// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/packets.h"

#include "media/ffv1.h"
#include "media/rap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PACKETS     50000000
#define MIN_CELL_FRAMES 8 // opening a decoder must stay cheap beside the decoding

struct packet {
    int64_t pts, dts, duration;
    bool rap, hidden, discard;
};

// Of any stream, while walking.
struct progress {
    int64_t count, first_pts, end_pts, last_dts;
    int64_t corrupt, first_corrupt_pts, disorder, first_disorder_dts;
};

struct walk {
    struct media_file *file;
    struct media_source *source;
    struct findings *findings;
    VEC(struct packet) packets; // of the picture
    VEC(struct progress) streams;
    struct media_rap_scan scan;
    bool sliced; // FFV1 whose pictures carry sums
    int64_t bad_sums, bad_sum_pts;
    const char *bad_sum; // words of the first
    bool new_parameters; // side data changes the decoder's set-up on the way
    bool encrypted;
};

static int add(struct walk *w, const char *kind, enum finding_severity severity,
               int stream, int64_t pts, json_t *evidence)
{
    struct finding f = finding_about_file(kind, severity);
    f.stream = stream;
    if (stream >= 0) {
        AVRational tb = w->file->format->streams[stream]->time_base;
        f.time_base = (struct rational){tb.num, tb.den};
        f.start_pts = f.end_pts = pts == AV_NOPTS_VALUE ? FINDING_NONE : pts;
    }
    f.evidence = evidence;
    return findings_add(w->findings, &f);
}

static bool has_side_data(const AVPacket *p, enum AVPacketSideDataType type)
{
    return av_packet_get_side_data(p, type, NULL) != NULL;
}

static void count_packet(struct walk *w, const AVPacket *p)
{
    struct progress *s = &w->streams.data[p->stream_index];
    s->count++;
    w->encrypted = w->encrypted || has_side_data(p, AV_PKT_DATA_ENCRYPTION_INFO);
    if (p->flags & AV_PKT_FLAG_CORRUPT) {
        s->first_corrupt_pts = s->corrupt++ ? s->first_corrupt_pts : p->pts;
    }
    if (p->dts != AV_NOPTS_VALUE) {
        if (s->last_dts != AV_NOPTS_VALUE && p->dts < s->last_dts) {
            s->first_disorder_dts = s->disorder++ ? s->first_disorder_dts : p->dts;
        }
        s->last_dts = p->dts;
    }
    int64_t t = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
    if (t == AV_NOPTS_VALUE || (p->flags & AV_PKT_FLAG_DISCARD)) {
        return;
    }
    s->first_pts = s->first_pts == AV_NOPTS_VALUE ? t : MIN(s->first_pts, t);
    int64_t end = t + MAX(p->duration, 0);
    s->end_pts = s->end_pts == AV_NOPTS_VALUE ? end : MAX(s->end_pts, end);
}

static int keep_packet(struct walk *w, const AVPacket *p)
{
    FAIL_IF(w->packets.len >= MAX_PACKETS, ERR_LIMIT, "too many pictures");
    struct media_rap_packet r =
        media_rap_scan(&w->scan, p->data, p->size, p->flags & AV_PKT_FLAG_KEY);
    const char *bad = w->sliced ? media_ffv1_check(p->data, (size_t)p->size) : NULL;
    if (bad) {
        w->bad_sum = w->bad_sums ? w->bad_sum : bad;
        w->bad_sum_pts = w->bad_sums++ ? w->bad_sum_pts : p->pts;
    }
    if (w->packets.len && (has_side_data(p, AV_PKT_DATA_NEW_EXTRADATA) ||
                           has_side_data(p, AV_PKT_DATA_PARAM_CHANGE))) {
        w->new_parameters = true;
    }
    return vec_push(&w->packets,
                    (struct packet){
                        .pts = p->pts,
                        .dts = p->dts,
                        .duration = p->duration,
                        .rap = r.rap && (!w->scan.parameters_seen || r.parameters),
                        .hidden = r.hidden,
                        .discard = p->flags & AV_PKT_FLAG_DISCARD,
                    });
}

static int read_all(struct walk *w, int video)
{
    AUTO(av_packet_free) AVPacket *p = av_packet_alloc();
    FAIL_IF(!p, ERR_NOMEM, "a packet");
    for (;;) {
        av_packet_unref(p);
        int got = media_file_read(w->file, p);
        if (got == ERR_IO || got == ERR_NOMEM) {
            return got;
        }
        if (got < 0) {
            return add(w, got == ERR_LIMIT ? "hostile_container" : "container_damage",
                       FINDING_ERROR, -1, AV_NOPTS_VALUE,
                       json_pack("{s:s}", "message", err_reason()));
        }
        if (got == 0) {
            return 0;
        }
        while (w->streams.len < w->file->format->nb_streams) { // found on the way
            TRY(vec_push(&w->streams, (struct progress){.first_pts = AV_NOPTS_VALUE,
                                                        .end_pts = AV_NOPTS_VALUE,
                                                        .last_dts = AV_NOPTS_VALUE}));
        }
        count_packet(w, p);
        if (p->stream_index == video) {
            TRY(keep_packet(w, p));
        }
    }
}

// --- the promise --------------------------------------------------------------------------

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool has_all_pts(const struct walk *w)
{
    vec_for_each (p, &w->packets) {
        if (p->pts == AV_NOPTS_VALUE) {
            return false;
        }
    }
    return true;
}

// Time stamps of the pictures in order, without repetitions, and the end of the last.
static int fill_times(const struct walk *w, bool by_pts, struct media_timeline *t)
{
    t->pts = calloc(w->packets.len + 1, sizeof *t->pts);
    FAIL_IF(!t->pts, ERR_NOMEM, "a timeline");
    int64_t n = 0, last_duration = 0, last = INT64_MIN;
    vec_for_each (p, &w->packets) {
        int64_t at = by_pts ? p->pts : p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
        if (at == AV_NOPTS_VALUE || p->hidden || p->discard) {
            continue;
        }
        t->pts[n++] = at;
        if (at > last) {
            last = at;
            last_duration = p->duration;
        }
    }
    qsort(t->pts, (size_t)n, sizeof *t->pts, by_time);
    for (int64_t i = 0; i < n; i++) {
        if (t->count == 0 || t->pts[i] > t->pts[t->count - 1]) {
            t->pts[t->count++] = t->pts[i];
        }
    }
    if (t->count) {
        int64_t first = t->pts[0];
        int64_t mean = t->count > 1 ? (last - first) / (t->count - 1) : 1;
        t->pts[t->count] = last + MAX(last_duration > 0 ? last_duration : mean, 1);
    }
    return 0;
}

static int64_t frame_at(const struct media_timeline *t, int64_t pts)
{
    const int64_t *found =
        bsearch(&pts, t->pts, (size_t)t->count, sizeof *t->pts, by_time);
    return found ? found - t->pts : -1;
}

// A point is trusted where the bit stream says so and the times agree: all packets before it are
// shown before it, all behind it after it.
static int fill_raps(const struct walk *w, struct media_timeline *t)
{
    size_t n = w->packets.len;
    int64_t *later = calloc(n + 1, sizeof *later); // earliest time from a packet on
    FAIL_IF(!later, ERR_NOMEM, "a timeline");
    later[n] = INT64_MAX;
    for (size_t i = n; i-- > 0;) {
        later[i] = MIN(later[i + 1], w->packets.data[i].pts);
    }
    int64_t before = INT64_MIN, cell = INT64_MIN / 2;
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        const struct packet *p = &w->packets.data[i];
        if (p->rap && !p->discard && !p->hidden && before < p->pts &&
            later[i + 1] > p->pts) {
            int64_t frame = frame_at(t, p->pts);
            if (frame >= 0 && frame - cell >= MIN_CELL_FRAMES) {
                err = vec_push(&t->raps, (struct media_rap){
                                             frame, p->pts,
                                             p->dts == AV_NOPTS_VALUE ? p->pts : p->dts});
                cell = frame;
            }
        }
        before = MAX(before, p->pts);
    }
    free(later);
    return err;
}

static int promise(struct walk *w, struct media_timeline **ret)
{
    AUTO(media_timeline_free) struct media_timeline *t = calloc(1, sizeof *t);
    FAIL_IF(!t, ERR_NOMEM, "a timeline");
    t->time_base = (struct rational){1, 1};
    if (w->source->video >= 0) {
        t->time_base = w->source->streams.data[w->source->video].time_base;
    }
    bool by_pts = has_all_pts(w);
    TRY(fill_times(w, by_pts, t));
    int64_t shown = 0, disorder = 0;
    vec_for_each (p, &w->packets) {
        shown += !p->hidden && !p->discard;
    }
    if (w->packets.len) {
        size_t index = (size_t)w->source->streams.data[w->source->video].index;
        disorder = w->streams.data[index].disorder;
    }
    bool unique = shown == t->count;
    if (by_pts && unique && !w->new_parameters && disorder == 0 && !w->encrypted) {
        TRY(fill_raps(w, t));
    }
    *ret = TAKE(t);
    return 0;
}

// --- what contradicts itself -----------------------------------------------------------------

static int judge_streams(struct walk *w)
{
    for (size_t i = 0; i < w->streams.len; i++) {
        const struct progress *s = &w->streams.data[i];
        if (s->corrupt) {
            TRY(add(w, "corrupt_packets", FINDING_ERROR, (int)i, s->first_corrupt_pts,
                    json_pack("{s:I, s:I}", "packets", (json_int_t)s->corrupt, "of",
                              (json_int_t)s->count)));
        }
        if (s->disorder) {
            TRY(add(w, "non_monotonic", FINDING_ERROR, (int)i, s->first_disorder_dts,
                    json_pack("{s:I, s:I}", "packets", (json_int_t)s->disorder, "of",
                              (json_int_t)s->count)));
        }
    }
    if (w->bad_sums) {
        int video = w->source->streams.data[w->source->video].index;
        TRY(add(w, "damaged_slices", FINDING_ERROR, video, w->bad_sum_pts,
                json_pack("{s:I, s:s}", "pictures", (json_int_t)w->bad_sums, "message",
                          w->bad_sum)));
    }
    if (w->encrypted) {
        TRY(add(w, "encrypted", FINDING_ERROR, -1, AV_NOPTS_VALUE, NULL));
    }
    return 0;
}

static void note_durations(struct walk *w)
{
    vec_for_each (stream, &w->source->streams) {
        if ((size_t)stream->index >= w->streams.len) {
            continue;
        }
        const struct progress *s = &w->streams.data[stream->index];
        if (s->first_pts != AV_NOPTS_VALUE && !stream->is_attached_picture) {
            stream->start_pts = s->first_pts;
            stream->duration_pts = s->end_pts - s->first_pts;
        }
    }
}

int media_packets_walk(struct media_file *file, struct media_source *source,
                       struct media_timeline **ret, struct findings *findings)
{
    struct walk w = {.file = file, .source = source, .findings = findings};
    int video = -1;
    if (source->video >= 0) {
        video = source->streams.data[source->video].index;
        const AVCodecParameters *par = file->format->streams[video]->codecpar;
        media_rap_scan_init(&w.scan, par);
        // Version 2 was never finished, versions 0 and 1 have no configuration record.
        w.sliced = par->codec_id == AV_CODEC_ID_FFV1 && par->extradata_size > 0;
    }
    int err = read_all(&w, video);
    err = err < 0 ? err : judge_streams(&w);
    err = err < 0 ? err : promise(&w, ret);
    if (err == 0) {
        note_durations(&w);
    }
    vec_free(&w.packets);
    vec_free(&w.streams);
    return err;
}
