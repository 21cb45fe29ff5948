// SPDX-License-Identifier: GPL-3.0-or-later
//
// Samples of one segment are gathered, then cut. Sound keeps one finished segment back, because
// what follows may turn out to be too short to stand alone.
#include "media/mux.h"

#include "media/cmaf.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

struct gathered {
    struct cmaf_samples samples;
    struct buf data;
};

struct mux {
    struct mux_config config; // codec is read by mux_new only: NULL afterwards
    char rendition[24];
    struct codec_config codec;
    struct gathered current;
    struct gathered held; // sound: the segment before, not written yet
    size_t cut;           // segments begun so far, index into boundaries
    int64_t decode_time;  // of the next segment to be written
    int64_t sound_end;    // decode time behind the last sound packet
    struct media_encoded done;
};

static bool is_video(const struct mux *m)
{
    return m->config.kind == MEDIA_RENDITION_VIDEO;
}

static void gathered_clear(struct gathered *g)
{
    vec_free(&g->samples.items);
    buf_free(&g->data);
}

void mux_free(struct mux **mux)
{
    struct mux *m = *mux;
    *mux = NULL;
    if (m == NULL) {
        return;
    }
    codec_config_clear(&m->codec);
    gathered_clear(&m->current);
    gathered_clear(&m->held);
    vec_free(&m->done.segments);
    vec_free(&m->done.frame_bytes);
    free(m);
}

const char *mux_codecs(const struct mux *m)
{
    return m->codec.codecs;
}

static int write_file(struct mux *m, const char *name, const struct buf *bytes)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/%s", m->rendition, name));
    return m->config.write(m->config.user, m->rendition, path, bytes->data, bytes->len);
}

static int check_config(const struct mux_config *c)
{
    FAIL_IF(c->timescale <= 0 || c->timescale > INT32_MAX || c->first_segment < 1 ||
                c->segment_count < 1 || c->packet_time_base.num <= 0 ||
                c->packet_time_base.den <= 0 || c->lead < 0 || c->lead > INT32_MAX,
            ERR_INVALID, "a track that cannot be");
    for (size_t i = 0; i < c->segment_count; i++) {
        FAIL_IF(c->boundaries[i] < 0 || c->boundaries[i] >= c->boundaries[i + 1],
                ERR_INVALID, "segment boundaries that do not ascend");
    }
    return 0;
}

int mux_new(struct mux **ret, const struct mux_config *config)
{
    TRY(check_config(config));
    AUTO(mux_free) struct mux *m = calloc(1, sizeof *m);
    FAIL_IF(m == NULL, ERR_NOMEM, "no memory for a segmenter");
    m->config = *config;
    TRY(str_copy(m->rendition, sizeof m->rendition, str_of(config->rendition)));
    TRY(codec_config_read(config->codec, &m->codec));
    TRY(str_copy(m->done.codecs, sizeof m->done.codecs, str_of(m->codec.codecs)));
    m->decode_time = config->boundaries[0];
    AUTO(buf_free) struct buf init = {0};
    TRY(cmaf_write_init(config, &m->codec, &init));
    m->config.codec = NULL;
    m->config.mastering = NULL;
    m->config.light = NULL;
    m->config.language = NULL;
    hash_of(init.data, init.len, &m->done.init);
    TRY(write_file(m, "init.mp4", &init));
    *ret = TAKE(m);
    return 0;
}

// Writes `g` as the next segment and empties it. Durations of its samples are set.
static int write_segment(struct mux *m, struct gathered *g)
{
    int64_t number = m->config.first_segment + (int64_t)m->done.segments.len;
    int64_t duration = 0;
    vec_for_each (sample, &g->samples.items) {
        duration += sample->duration;
    }
    AUTO(buf_free) struct buf file = {0};
    TRY(cmaf_write_segment(number, m->decode_time, &g->samples, buf_view(&g->data),
                           &file));
    AUTO(cstr_free) char *name = NULL;
    TRY(cstr_printf(&name, "%05lld.m4s", (long long)number));
    TRY(write_file(m, name, &file));
    // Priming is decoded and not heard: the first segment of a sound is shorter by it.
    int64_t priming = is_video(m) ? 0 : m->config.lead;
    int64_t unheard = m->decode_time == 0 ? MIN(priming, duration - 1) : 0;
    int64_t start = m->decode_time == 0 ? 0 : m->decode_time - priming;
    TRY(vec_push(&m->done.segments,
                 (struct media_segment){.number = number,
                                        .start = start,
                                        .duration = duration - unheard,
                                        .bytes = (int64_t)file.len,
                                        .frames = (int64_t)g->samples.items.len}));
    m->decode_time += duration;
    g->samples.items.len = 0;
    buf_clear(&g->data);
    return 0;
}

static int compare_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

// Gives the samples of a video segment their durations: the distances of the display times in
// ascending order (see mux.h).
static int set_durations(struct gathered *g, int64_t lead, int64_t start, int64_t end)
{
    size_t count = g->samples.items.len;
    AUTO(cstr_free) char *memory = calloc(count + 1, sizeof(int64_t));
    FAIL_IF(memory == NULL, ERR_NOMEM, "no memory for %zu display times", count);
    int64_t *times = (int64_t *)(void *)memory;
    for (size_t i = 0; i < count; i++) {
        times[i] = g->samples.items.data[i].pts - lead;
    }
    qsort(times, count, sizeof *times, compare_i64);
    times[count] = end;
    FAIL_IF(times[0] != start, ERR_CORRUPT,
            "the first picture of a segment is shown at %lld instead of %lld",
            (long long)times[0], (long long)start);
    for (size_t i = 0; i < count; i++) {
        g->samples.items.data[i].duration = times[i + 1] - times[i];
        FAIL_IF(times[i + 1] <= times[i], ERR_CORRUPT,
                "two pictures are shown at %lld, or one behind its segment's end",
                (long long)times[i]);
    }
    return 0;
}

static int flush_video(struct mux *m)
{
    const int64_t *bounds = m->config.boundaries;
    TRY(set_durations(&m->current, m->config.lead, bounds[m->cut - 1], bounds[m->cut]));
    return write_segment(m, &m->current);
}

static int cut_video(struct mux *m, int64_t pts, bool is_sync)
{
    bool is_start = m->cut < m->config.segment_count && is_sync &&
                    pts == m->config.boundaries[m->cut];
    if (is_start) {
        if (m->cut > 0) {
            TRY(flush_video(m));
        }
        m->cut++;
    }
    FAIL_IF(m->cut == 0 || pts < m->config.boundaries[m->cut - 1] ||
                pts >= m->config.boundaries[m->cut],
            ERR_CORRUPT,
            "%s: the picture shown at %lld lies outside of segment %lld, or that "
            "does not begin with a key frame",
            m->rendition, (long long)pts,
            (long long)(m->config.first_segment + (int64_t)m->cut));
    return 0;
}

// Where sound wants its k-th cut, in decode time.
static int64_t sound_boundary(const struct mux *m, size_t k)
{
    const int64_t *bounds = m->config.boundaries;
    size_t count = m->config.segment_count;
    int64_t at = bounds[MIN(k, count)];
    if (k > count) {
        int64_t mean = (bounds[count] - bounds[0]) / (int64_t)count;
        at += (int64_t)(k - count) * mean;
    }
    return at + m->config.lead;
}

static int flush_sound(struct mux *m)
{
    if (m->held.samples.items.len > 0) {
        TRY(write_segment(m, &m->held));
    }
    struct gathered empty = m->held;
    m->held = m->current;
    m->current = empty;
    return 0;
}

static int cut_sound(struct mux *m, int64_t at, int64_t duration)
{
    FAIL_IF(at != m->sound_end, ERR_CORRUPT,
            "%s: sound at %lld where %lld was due: it must be continuous", m->rendition,
            (long long)at, (long long)m->sound_end);
    if (m->cut == 0) {
        m->cut = 1;
    }
    bool is_due = at + duration / 2 >= sound_boundary(m, m->cut);
    if (is_due && m->current.samples.items.len > 0) {
        TRY(flush_sound(m));
    }
    while (at + duration / 2 >= sound_boundary(m, m->cut)) {
        m->cut++;
    }
    m->sound_end = at + duration;
    return 0;
}

static int to_ticks(const struct mux *m, int64_t value, int64_t *ret)
{
    AVRational from = m->config.packet_time_base, to = {1, (int)m->config.timescale};
    int64_t ticks = av_rescale_q(value, from, to);
    FAIL_IF(value == AV_NOPTS_VALUE || av_compare_ts(ticks, to, value, from) != 0,
            ERR_CORRUPT, "%s: the time %lld does not fall on a tick of 1/%lld s",
            m->rendition, (long long)value, (long long)m->config.timescale);
    *ret = ticks;
    return 0;
}

int mux_packet(struct mux *m, const AVPacket *packet)
{
    int64_t pts = 0, duration = 0;
    bool is_sync = true;
    TRY(to_ticks(m, packet->pts, &pts));
    if (is_video(m)) {
        is_sync = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        TRY(cut_video(m, pts, is_sync));
    } else {
        TRY(to_ticks(m, packet->duration, &duration));
        FAIL_IF(duration <= 0, ERR_CORRUPT, "%s: a packet without duration",
                m->rendition);
        pts += m->config.lead;
        TRY(cut_sound(m, pts, duration));
    }
    struct gathered *g = &m->current;
    size_t before = g->data.len;
    struct str bytes = {.data = (const char *)packet->data, .len = (size_t)packet->size};
    TRY(codec_config_add_sample(&m->codec, bytes, &g->data));
    size_t size = g->data.len - before;
    FAIL_IF(size > INT32_MAX, ERR_LIMIT, "a sample over 2 GiB");
    TRY(vec_push(&m->done.frame_bytes, (int32_t)size));
    int64_t shown = is_video(m) ? pts + m->config.lead : pts;
    return vec_push(&g->samples.items, (struct cmaf_sample){.pts = shown,
                                                            .size = (uint32_t)size,
                                                            .duration = duration,
                                                            .is_sync = is_sync});
}

// Shortens the end of a sound to what is heard: an encoder's last packet is padded.
static void trim_sound(struct mux *m, int64_t end)
{
    struct gathered *g = &m->current;
    while (g->samples.items.len > 0) {
        struct cmaf_sample *last = &g->samples.items.data[g->samples.items.len - 1];
        int64_t excess = m->sound_end - (end + m->config.lead);
        if (excess <= 0) {
            return;
        }
        if (excess < last->duration) {
            last->duration -= excess;
            m->sound_end -= excess;
            return;
        }
        if (g->samples.items.len == 1 && m->held.samples.items.len == 0) {
            return; // the only packet stays, whatever is heard of it
        }
        m->sound_end -= last->duration;
        g->data.len -= last->size;
        g->samples.items.len--;
        m->done.frame_bytes.len--;
    }
}

static int64_t gathered_duration(const struct gathered *g)
{
    int64_t duration = 0;
    vec_for_each (sample, &g->samples.items) {
        duration += sample->duration;
    }
    return duration;
}

static int finish_sound(struct mux *m, int64_t end)
{
    if (end != MUX_END_UNKNOWN) {
        trim_sound(m, end);
    }
    const int64_t *bounds = m->config.boundaries;
    int64_t mean =
        (bounds[m->config.segment_count] - bounds[0]) / (int64_t)m->config.segment_count;
    bool is_runt = gathered_duration(&m->current) < mean / 2;
    if (is_runt && m->held.samples.items.len > 0) {
        vec_for_each (sample, &m->current.samples.items) {
            TRY(vec_push(&m->held.samples.items, *sample));
        }
        buf_str(&m->held.data, buf_view(&m->current.data));
        TRY(m->held.data.err);
        m->current.samples.items.len = 0;
    }
    TRY(flush_sound(m)); // writes the held one, holds the current one
    if (m->held.samples.items.len > 0) {
        TRY(write_segment(m, &m->held));
    }
    return 0;
}

int mux_finish(struct mux *m, int64_t end, struct media_encoded *ret)
{
    if (is_video(m)) {
        FAIL_IF(m->cut != m->config.segment_count, ERR_CORRUPT,
                "%s: %zu segments of %zu came out of the encoder", m->rendition, m->cut,
                m->config.segment_count);
        TRY(flush_video(m));
    } else {
        TRY(finish_sound(m, end));
        FAIL_IF(m->done.segments.len == 0, ERR_CORRUPT, "%s: no sound came out",
                m->rendition);
    }
    m->done.frames = (int64_t)m->done.frame_bytes.len;
    memcpy(ret->codecs, m->done.codecs, sizeof ret->codecs);
    ret->init = m->done.init;
    ret->frames = m->done.frames;
    vec_free(&ret->segments);
    vec_free(&ret->frame_bytes);
    memcpy(&ret->segments, &m->done.segments, sizeof ret->segments);
    memcpy(&ret->frame_bytes, &m->done.frame_bytes, sizeof ret->frame_bytes);
    memset(&m->done.segments, 0, sizeof m->done.segments);
    memset(&m->done.frame_bytes, 0, sizeof m->done.frame_bytes);
    return 0;
}
