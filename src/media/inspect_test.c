// SPDX-License-Identifier: GPL-3.0-or-later
//
// Films are made here, frame by frame, with a fault on each edge that a split can have; then the
// report must be the same for any split, and must name each fault at its frames.
#include "media/feature.h"
#include "media/media.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define WIDTH  96
#define HEIGHT 64
#define GOP    8
#define FRAMES 496 // 62 cells
#define FPS    25

// --- making films -------------------------------------------------------------------------------

struct shot_plan { // what stands at a frame
    int picture;   // frames with equal numbers show equal pictures
    bool black, dropped, damaged;
    int64_t late; // frames by which this one and all behind it are shown later
};

struct maker {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    struct shot_plan *plan;
    int count;
    int64_t shift[FRAMES]; // of time stamps
};

// A textured ground that moves, in another light each 40 pictures.
static void paint(AVFrame *f, const struct shot_plan *p)
{
    uint32_t noise = (uint32_t)(p->picture / 40) * 2654435761u + 12345;
    int light = (p->picture / 40) % 2 ? 60 : 130;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            int at = x + 3 * p->picture,
                v = light + (at * 5 + y * 3 + (int)(noise % 97)) % 90;
            f->data[0][y * f->linesize[0] + x] = (uint8_t)(p->black ? 16 : v);
        }
    }
    for (int c = 1; c < 3; c++) {
        for (int y = 0; y < HEIGHT / 2; y++) {
            memset(f->data[c] + y * f->linesize[c], p->black ? 128 : 110 + 10 * c,
                   WIDTH / 2);
        }
    }
}

static void damage(AVPacket *p)
{
    assert_int_equal(av_packet_make_writable(p), 0);
    for (int i = p->size / 3; i < p->size * 2 / 3; i++) {
        p->data[i] = (uint8_t)(p->data[i] ^ 0x5a);
    }
}

static void write_packets(struct maker *m, const AVFrame *frame)
{
    AVPacket *p = av_packet_alloc();
    assert_int_equal(avcodec_send_frame(m->codec, frame), 0);
    while (avcodec_receive_packet(m->codec, p) == 0) {
        int64_t at = p->pts;
        if (at < 0 || at >= m->count || m->plan[at].dropped) {
            av_packet_unref(p);
            continue;
        }
        if (m->plan[at].damaged) {
            damage(p);
        }
        p->pts += m->shift[at];
        p->dts += m->shift[at];
        p->duration = 1;
        av_packet_rescale_ts(p, m->codec->time_base, m->stream->time_base);
        p->stream_index = m->stream->index;
        assert_int_equal(av_interleaved_write_frame(m->format, p), 0);
    }
    av_packet_free(&p);
}

static void open_encoder(struct maker *m, const char *name)
{
    const AVCodec *encoder = avcodec_find_encoder_by_name(name);
    assert_non_null(encoder);
    m->codec = avcodec_alloc_context3(encoder);
    m->codec->width = WIDTH;
    m->codec->height = HEIGHT;
    m->codec->pix_fmt = AV_PIX_FMT_YUV420P;
    m->codec->time_base = (AVRational){1, FPS};
    m->codec->framerate = (AVRational){FPS, 1};
    m->codec->gop_size = strcmp(name, "ffv1") == 0 ? 1 : GOP;
    m->codec->thread_count = 1;
    m->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (strcmp(name, "ffv1") == 0) {
        m->codec->level = 3;
        av_opt_set_int(m->codec->priv_data, "slicecrc", 1, 0);
    } else {
        av_opt_set(m->codec->priv_data, "preset", "veryfast", 0);
        av_opt_set(m->codec->priv_data, "x264-params",
                   "scenecut=0:keyint=8:min-keyint=8:bframes=2:b-adapt=0:qp=2", 0);
    }
    assert_int_equal(avcodec_open2(m->codec, encoder, NULL), 0);
}

// The film as the bytes of a Matroska file.
static struct buf make_film(const char *codec, struct shot_plan *plan, int count)
{
    struct maker m = {.plan = plan, .count = count};
    int64_t shift = 0;
    for (int i = 0; i < count; i++) {
        shift += plan[i].late;
        m.shift[i] = shift;
    }
    struct media_log *before = media_log_enter(NULL);
    assert_true(avformat_alloc_output_context2(&m.format, NULL, "matroska", NULL) >= 0);
    open_encoder(&m, codec);
    m.stream = avformat_new_stream(m.format, NULL);
    m.stream->time_base = m.codec->time_base;
    m.stream->avg_frame_rate = m.codec->framerate;
    assert_true(avcodec_parameters_from_context(m.stream->codecpar, m.codec) >= 0);
    assert_int_equal(avio_open_dyn_buf(&m.format->pb), 0);
    assert_true(avformat_write_header(m.format, NULL) >= 0);
    AVFrame *f = av_frame_alloc();
    f->width = WIDTH, f->height = HEIGHT, f->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(av_frame_make_writable(f), 0);
        paint(f, &plan[i]);
        f->pts = i;
        write_packets(&m, f);
    }
    write_packets(&m, NULL);
    assert_int_equal(av_write_trailer(m.format), 0);
    uint8_t *bytes = NULL;
    int size = avio_close_dyn_buf(m.format->pb, &bytes);
    struct buf out = {0};
    buf_add(&out, bytes, (size_t)size);
    av_free(bytes);
    av_frame_free(&f);
    avcodec_free_context(&m.codec);
    m.format->pb = NULL;
    avformat_free_context(m.format);
    media_log_leave(before);
    return out;
}

// --- inspecting them ------------------------------------------------------------------------------

static int64_t read_buf(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct buf *b = opaque;
    if (offset >= (int64_t)b->len) {
        return 0;
    }
    size_t n = MIN(len, b->len - (size_t)offset);
    memcpy(ret, b->data + offset, n);
    return (int64_t)n;
}

struct inspected {
    struct buf report, timeline; // canonical JSON; the blob
    json_t *json;
    size_t ranges;
    struct buf stills; // grid index and bytes of each, in order
};

static void clear_inspected(struct inspected *i)
{
    buf_free(&i->report);
    buf_free(&i->timeline);
    buf_free(&i->stills);
    json_free(&i->json);
}

static int keep_still(void *user, int64_t grid, int64_t frame, const void *jpeg,
                      size_t len)
{
    struct buf *out = user;
    wire_i64(out, grid);
    wire_i64(out, frame);
    buf_add(out, jpeg, len);
    return 0;
}

static void inspect(struct buf *film, int ranges, struct inspected *ret)
{
    struct media_input input = {film, (int64_t)film->len, read_buf};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *promised = NULL, *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    AUTO(media_report_free) struct media_report *report = NULL;
    assert_int_equal(media_probe(&input, &source, &promised, &findings), 0);
    struct media_ranges plan = {0};
    assert_int_equal(media_ranges_plan(source, promised, ranges, &plan), 0);
    struct buf *blobs = calloc(plan.items.len, sizeof *blobs);
    struct str *views = calloc(plan.items.len, sizeof *views);
    for (size_t i = 0; i < plan.items.len; i++) {
        struct media_inspect_config c = {
            .source = source,
            .timeline = promised,
            .range = plan.items.data[i],
            .still_every_us = 400000,
            .still_width = 64,
            .still = keep_still,
            .user = &ret->stills,
        };
        assert_int_equal(media_inspect_video(&input, &c, &blobs[i]), 0);
        views[i] = buf_view(&blobs[i]);
    }
    struct buf sound = {0};
    assert_int_equal(media_inspect_audio(&input, source, NULL, NULL, &sound), 0);
    assert_int_equal(media_inspect_merge(source, promised, views, plan.items.len,
                                         buf_view(&sound), &findings, &report, &timeline),
                     0);
    assert_int_equal(media_report_to_json(report, &ret->json), 0);
    json_write_canonical(&ret->report, ret->json);
    assert_int_equal(media_timeline_write(timeline, &ret->timeline), 0);
    ret->ranges = plan.items.len;
    for (size_t i = 0; i < plan.items.len; i++) {
        buf_free(&blobs[i]);
    }
    buf_free(&sound);
    free(blobs);
    free(views);
    vec_free(&plan.items);
}

// Whether a finding of the kind covers [start, end) exactly.
static bool found(const struct inspected *i, const char *kind, int64_t start, int64_t end)
{
    const json_t *list = json_object_get(i->json, "findings");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *f = json_array_get(list, k);
        if (strcmp(json_str_or(f, "kind", ""), kind) == 0 &&
            json_i64_or(f, "start_frame", -1) == start &&
            json_i64_or(f, "end_frame", -1) == end) {
            return true;
        }
    }
    return false;
}

static bool found_touching(const struct inspected *i, const char *kind, int64_t frame)
{
    const json_t *list = json_object_get(i->json, "findings");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *f = json_array_get(list, k);
        if (strcmp(json_str_or(f, "kind", ""), kind) == 0 &&
            json_i64_or(f, "start_frame", INT64_MAX) <= frame + 2 &&
            json_i64_or(f, "end_frame", -1) >= frame) {
            return true;
        }
    }
    return false;
}

static void same_for_all_splits(struct buf *film, struct inspected *whole)
{
    static const int splits[] = {2, 7, 31};
    inspect(film, 1, whole);
    assert_int_equal(whole->ranges, 1);
    for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
        AUTO(clear_inspected) struct inspected parts = {0};
        inspect(film, splits[i], &parts);
        assert_int_equal(parts.ranges, splits[i]);
        assert_string_equal(whole->report.data, parts.report.data);
        assert_int_equal(whole->timeline.len, parts.timeline.len);
        assert_memory_equal(whole->timeline.data, parts.timeline.data,
                            parts.timeline.len);
        assert_int_equal(whole->stills.len, parts.stills.len);
        assert_memory_equal(whole->stills.data, parts.stills.data, parts.stills.len);
    }
}

// --- faults on edges ------------------------------------------------------------------------------

static void clean_plan(struct shot_plan *plan)
{
    memset(plan, 0, FRAMES * sizeof *plan);
    for (int i = 0; i < FRAMES; i++) {
        plan[i].picture = i;
    }
}

static const char *const codecs[] = {"ffv1", "libx264"};

// Each cell's first frame is the edge of some split of 62 cells, or of a neighbour's.
static void black_on_every_edge(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(codecs); c++) {
        struct shot_plan plan[FRAMES];
        clean_plan(plan);
        for (int e = GOP; e < FRAMES; e += GOP) {
            int before = e / GOP % 3, after = 2 - before; // ends at, crosses, begins at
            for (int i = e - before; i < e + after; i++) {
                plan[i].black = true;
            }
        }
        AUTO(buf_free) struct buf film = make_film(codecs[c], plan, FRAMES);
        AUTO(clear_inspected) struct inspected whole = {0};
        same_for_all_splits(&film, &whole);
        for (int e = GOP; e < FRAMES; e += GOP) {
            int before = e / GOP % 3;
            assert_true(found(&whole, "black", e - before, e - before + 2));
        }
    }
}

static void repeats_on_every_edge(void **state)
{
    (void)state;
    struct shot_plan plan[FRAMES];
    clean_plan(plan);
    for (int e = 2 * GOP; e < FRAMES; e += 2 * GOP) {
        int at = e - 1 + e / (2 * GOP) % 3; // the last of a cell, its first, its second
        plan[at].picture = plan[at - 1].picture;
    }
    AUTO(buf_free) struct buf film = make_film("ffv1", plan, FRAMES);
    AUTO(clear_inspected) struct inspected whole = {0};
    same_for_all_splits(&film, &whole);
    for (int e = 2 * GOP; e < FRAMES; e += 2 * GOP) {
        int at = e - 1 + e / (2 * GOP) % 3;
        assert_true(found(&whole, "duplicated_frames", at, at + 1));
    }
}

static void frozen_across_edges(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(codecs); c++) {
        struct shot_plan plan[FRAMES];
        clean_plan(plan);
        static const int runs[][2] = {{64, 120}, {131, 200}, {255, 320}, {328, 400}};
        for (size_t r = 0; r < ARRAY_LEN(runs); r++) {
            for (int i = runs[r][0]; i < runs[r][1]; i++) {
                plan[i].picture = plan[runs[r][0]].picture;
            }
        }
        AUTO(buf_free) struct buf film = make_film(codecs[c], plan, FRAMES);
        AUTO(clear_inspected) struct inspected whole = {0};
        same_for_all_splits(&film, &whole);
        for (size_t r = 0; r < ARRAY_LEN(runs); r++) {
            assert_true(found(&whole, "frozen", runs[r][0], runs[r][1]));
        }
    }
}

static void damage_on_every_edge(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(codecs); c++) {
        struct shot_plan plan[FRAMES];
        clean_plan(plan);
        for (int e = 4 * GOP; e < FRAMES; e += 4 * GOP) {
            plan[e - 1 + e / (4 * GOP) % 3].damaged = true;
        }
        AUTO(buf_free) struct buf film = make_film(codecs[c], plan, FRAMES);
        AUTO(clear_inspected) struct inspected whole = {0};
        same_for_all_splits(&film, &whole);
        for (int e = 4 * GOP; c == 0 && e < FRAMES; e += 4 * GOP) {
            assert_true(
                found_touching(&whole, "decode_error", e - 1 + e / (4 * GOP) % 3));
        }
        assert_non_null(strstr(whole.report.data, "\"decode_error\""));
    }
}

static void gaps_on_every_edge(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(codecs); c++) {
        struct shot_plan plan[FRAMES];
        clean_plan(plan);
        int lost[FRAMES] = {0}, shift = 0;
        for (int e = 8 * GOP; e < FRAMES; e += 8 * GOP) {
            if (e / (8 * GOP) % 2) {
                plan[e - 1].dropped = true; // the last of a cell: nothing refers to it
                lost[e - 1] = 1;
            } else {
                plan[e].late = 5; // the cell begins late
            }
        }
        AUTO(buf_free) struct buf film = make_film(codecs[c], plan, FRAMES);
        AUTO(clear_inspected) struct inspected whole = {0};
        same_for_all_splits(&film, &whole);
        for (int e = 8 * GOP, i = 0; e < FRAMES; e += 8 * GOP) {
            for (; i < e; i++) {
                shift += lost[i];
            }
            int at = e - shift; // number of the frame behind the gap
            assert_true(found(&whole, "timestamp_gap", at - 1, at));
        }
    }
}

static void cuts_are_where_the_light_changes(void **state)
{
    (void)state;
    struct shot_plan plan[FRAMES];
    clean_plan(plan);
    AUTO(buf_free) struct buf film = make_film("libx264", plan, FRAMES);
    AUTO(clear_inspected) struct inspected whole = {0};
    same_for_all_splits(&film, &whole);
    const json_t *shots = json_object_get(whole.json, "shots");
    assert_int_equal(json_array_size(shots), (FRAMES + 39) / 40);
    for (size_t i = 0; i < json_array_size(shots); i++) {
        assert_int_equal(json_i64_or(json_array_get(shots, i), "start_frame", -1),
                         40 * i);
    }
    assert_string_equal(json_str_or(whole.json, "scan", ""), "progressive");
    assert_int_equal(json_array_size(json_object_get(whole.json, "findings")), 0);
}

static void at_most_a_thousand_findings(void **state)
{
    (void)state;
    AUTO(findings_free) struct findings many = {0};
    for (int i = 0; i < 2500; i++) {
        struct finding f =
            finding_about_file("planted", i == 2400 ? FINDING_ERROR : FINDING_INFO);
        f.start_pts = i;
        assert_int_equal(findings_add(&many, &f), 0);
    }
    struct shot_plan plan[FRAMES];
    clean_plan(plan);
    AUTO(buf_free) struct buf film = make_film("ffv1", plan, 16);
    struct media_input input = {&film, (int64_t)film.len, read_buf};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *promised = NULL, *timeline = NULL;
    AUTO(findings_free) struct findings none = {0};
    AUTO(media_report_free) struct media_report *report = NULL;
    assert_int_equal(media_probe(&input, &source, &promised, &none), 0);
    AUTO(buf_free) struct buf range = {0};
    struct media_inspect_config c = {
        .source = source, .timeline = promised, .range = {-1, -1}};
    assert_int_equal(media_inspect_video(&input, &c, &range), 0);
    struct str view = buf_view(&range);
    assert_int_equal(media_inspect_merge(source, promised, &view, 1, (struct str){0},
                                         &many, &report, &timeline),
                     0);
    assert_int_equal(report->findings.items.len, 1000);
    bool kept = false;
    vec_for_each (f, &report->findings.items) {
        kept = kept || f->start_pts == 2400;
    }
    assert_true(kept); // the error is not what goes
}

// A film of raw pictures with bitmap captions (Blu-ray's) beside them.
static struct buf film_with_bitmaps(void)
{
    AVFormatContext *f = NULL;
    assert_true(avformat_alloc_output_context2(&f, NULL, "nut", NULL) >= 0);
    AVStream *video = avformat_new_stream(f, NULL), *text = avformat_new_stream(f, NULL);
    video->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    video->codecpar->codec_id = AV_CODEC_ID_RAWVIDEO;
    video->codecpar->format = AV_PIX_FMT_GRAY8;
    video->codecpar->codec_tag = MKTAG('Y', '8', '0', '0');
    video->codecpar->width = video->codecpar->height = 16;
    text->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    text->codecpar->codec_id = AV_CODEC_ID_DVD_SUBTITLE;
    video->time_base = text->time_base = (AVRational){1, FPS};
    assert_int_equal(avio_open_dyn_buf(&f->pb), 0);
    assert_true(avformat_write_header(f, NULL) >= 0);
    AVPacket *p = av_packet_alloc();
    for (int i = 0; i < FPS; i++) {
        assert_int_equal(av_new_packet(p, 256), 0);
        memset(p->data, 8 * i, 256);
        p->stream_index = i == 10;
        p->pts = p->dts =
            av_rescale_q(i, (AVRational){1, FPS}, f->streams[p->stream_index]->time_base);
        p->flags = AV_PKT_FLAG_KEY;
        assert_int_equal(av_interleaved_write_frame(f, p), 0);
    }
    av_packet_free(&p);
    assert_int_equal(av_write_trailer(f), 0);
    uint8_t *bytes = NULL;
    int size = avio_close_dyn_buf(f->pb, &bytes);
    struct buf out = {0};
    buf_add(&out, bytes, (size_t)size);
    av_free(bytes);
    f->pb = NULL;
    avformat_free_context(f);
    return out;
}

static void bitmap_captions_are_left_out(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf film = film_with_bitmaps();
    struct media_input input = {&film, (int64_t)film.len, read_buf};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    assert_int_equal(media_probe(&input, &source, &timeline, &findings), 0);
    assert_int_equal(source->streams.len, 2);
    assert_int_equal(source->streams.data[1].kind, MEDIA_OTHER);
    bool told = false;
    vec_for_each (f, &findings.items) {
        assert_true(f->severity != FINDING_ERROR);
        told = told || (strcmp(f->kind, "unsupported_captions") == 0 && f->stream == 1);
    }
    assert_true(told);
}

static void reports_round_trip(void **state)
{
    (void)state;
    struct shot_plan plan[FRAMES];
    clean_plan(plan);
    plan[20].black = plan[21].black = true;
    AUTO(buf_free) struct buf film = make_film("libx264", plan, 64);
    AUTO(clear_inspected) struct inspected whole = {0};
    inspect(&film, 1, &whole);
    AUTO(media_report_free) struct media_report *back = NULL;
    assert_int_equal(media_report_from_json(whole.json, &back), 0);
    AUTO(json_free) json_t *again = NULL;
    assert_int_equal(media_report_to_json(back, &again), 0);
    assert_true(json_equal(whole.json, again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_where_the_light_changes),
        cmocka_unit_test(black_on_every_edge),
        cmocka_unit_test(repeats_on_every_edge),
        cmocka_unit_test(frozen_across_edges),
        cmocka_unit_test(damage_on_every_edge),
        cmocka_unit_test(gaps_on_every_edge),
        cmocka_unit_test(at_most_a_thousand_findings),
        cmocka_unit_test(bitmap_captions_are_left_out),
        cmocka_unit_test(reports_round_trip),
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
