// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges into one film, and the film into a report. The only thing that a range could not know is
// how its first frame differs from the last of the range before; that is measured here, on the
// rows that both kept, with the code that measures inside ranges. From there on nothing knows that
// there were ranges.
#include "media/audio.h"
#include "media/film.h"
#include "media/report.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FINDINGS 1000

struct joined {
    VEC(struct media_feature) frames;
    VEC(struct media_look) looks;
    VEC(struct media_defect) defects;
    VEC(int64_t) cells;
    struct media_sample last;
};

static void clear_joined(struct joined *j)
{
    vec_free(&j->frames);
    vec_free(&j->looks);
    vec_free(&j->defects);
    vec_free(&j->cells);
    media_sample_clear(&j->last);
}

// --- ranges into a film ---------------------------------------------------------------------------

static bool same_look(const struct media_look *a, const struct media_look *b)
{
    struct media_look moved = *a;
    moved.frame = b->frame;
    return memcmp(&moved, b, sizeof moved) == 0;
}

static int join_lists(struct joined *j, const struct media_features *f, int64_t base)
{
    vec_for_each (look, &f->looks) {
        struct media_look l = *look;
        l.frame += base;
        if (j->looks.len == 0 || !same_look(&j->looks.data[j->looks.len - 1], &l)) {
            TRY(vec_push(&j->looks, l));
        }
    }
    vec_for_each (defect, &f->defects) {
        struct media_defect d = *defect;
        d.frame += base;
        if (j->defects.len < MEDIA_DEFECTS_MAX) {
            TRY(vec_push(&j->defects, d));
        }
    }
    vec_for_each (cell, &f->cells) {
        TRY(vec_push(&j->cells, *cell + base));
    }
    return 0;
}

static int join_range(struct joined *j, struct media_features *f)
{
    int64_t base = (int64_t)j->frames.len;
    if (f->frames.len && j->last.rows && f->first.rows) {
        media_feature_compare(kernels_best(), &j->last, &f->first, &f->frames.data[0]);
    }
    vec_for_each (frame, &f->frames) {
        TRY(vec_push(&j->frames, *frame));
    }
    TRY(join_lists(j, f, base));
    if (f->last.rows) {
        media_sample_clear(&j->last);
        j->last = f->last;
        f->last = (struct media_sample){0};
    }
    return 0;
}

static int join(const struct str *ranges, size_t count, struct joined *j)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(media_features_clear) struct media_features f = {0};
        TRY(media_features_read(ranges[i], &f));
        TRY(join_range(j, &f));
    }
    return 0;
}

// --- times ----------------------------------------------------------------------------------------

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// The distance that most frames have, or what stands in for it.
static int find_step(struct media_film *film)
{
    film->step = 1;
    if (film->count < 2) {
        struct rational rate = film->stream->frame_rate, tb = film->stream->time_base;
        int64_t by_duration = film->count ? film->frames[0].duration : 0;
        int64_t by_rate = rate.num > 0 ? av_rescale_q(1, (AVRational){rate.den, rate.num},
                                                      (AVRational){tb.num, tb.den})
                                       : 0;
        film->step = MAX(by_duration > 0 ? by_duration : by_rate, 1);
        return 0;
    }
    int64_t n = film->count - 1;
    int64_t *distances = calloc((size_t)n, sizeof *distances);
    FAIL_IF(!distances, ERR_NOMEM, "distances");
    for (int64_t i = 0; i < n; i++) {
        distances[i] = film->pts[i + 1] - film->pts[i];
    }
    qsort(distances, (size_t)n, sizeof *distances, by_number);
    film->step = MAX(distances[n / 2], 1);
    free(distances);
    return 0;
}

static void count_irregular(struct media_film *film)
{
    for (int64_t i = 1; i < film->count; i++) {
        int64_t off = llabs(film->pts[i] - film->pts[i - 1] - film->step);
        // Rounding to a coarse time base moves both ends by half a tick.
        film->irregular += off > 1 && off * 10 > film->step;
    }
}

// Where the stream leaves many times out, its rate decides. Returns whether it did.
static bool lay_evenly(struct media_film *film)
{
    struct rational rate = film->stream->frame_rate, tb = film->stream->time_base;
    int64_t unknown = 0, first = 0;
    for (int64_t i = film->count; i-- > 0;) {
        unknown += film->frames[i].pts == FINDING_NONE;
        first = film->frames[i].pts == FINDING_NONE ? first : film->frames[i].pts;
    }
    if (unknown * 10 <= film->count || rate.num <= 0) {
        return false;
    }
    for (int64_t i = 0; i < film->count; i++) {
        film->pts[i] = first + av_rescale_q(i, (AVRational){rate.den, rate.num},
                                            (AVRational){tb.num, tb.den});
        if (i && film->pts[i] <= film->pts[i - 1]) {
            return false; // a rate that the time base cannot tell
        }
    }
    film->untimed = unknown;
    return true;
}

// Ascending times, whatever the stream says; what had to be bent is counted.
static void lay_as_told(struct media_film *film)
{
    int64_t last_step = 1;
    for (int64_t i = 0; i < film->count; i++) {
        int64_t pts = film->frames[i].pts;
        if (pts == FINDING_NONE) {
            pts = i ? film->pts[i - 1] + last_step : 0;
        }
        if (i && pts <= film->pts[i - 1]) {
            film->first_disorder = film->disordered++ ? film->first_disorder : i;
            pts = film->pts[i - 1] + 1;
        } else if (i) {
            last_step = pts - film->pts[i - 1];
        }
        film->pts[i] = pts;
    }
}

static int lay_times(struct media_film *film)
{
    film->pts = calloc((size_t)film->count + 1, sizeof *film->pts);
    FAIL_IF(!film->pts, ERR_NOMEM, "times");
    if (!lay_evenly(film)) {
        lay_as_told(film);
    }
    TRY(find_step(film));
    count_irregular(film);
    if (film->count) {
        const struct media_feature *last = &film->frames[film->count - 1];
        bool odd = last->duration <= 0 || last->duration > 10 * film->step;
        film->pts[film->count] =
            film->pts[film->count - 1] + (odd ? film->step : last->duration);
    }
    return 0;
}

static int make_timeline(const struct media_film *film, const struct joined *j,
                         struct media_timeline **ret)
{
    AUTO(media_timeline_free) struct media_timeline *t = calloc(1, sizeof *t);
    FAIL_IF(!t, ERR_NOMEM, "a timeline");
    t->time_base = film->stream->time_base;
    t->count = film->count;
    t->pts = calloc((size_t)t->count + 1, sizeof *t->pts);
    FAIL_IF(!t->pts, ERR_NOMEM, "a timeline");
    memcpy(t->pts, film->pts, ((size_t)t->count + 1) * sizeof *t->pts);
    // Every point was met in its place, or none is worth trusting.
    if (j->cells.len == film->promised->raps.len && film->disordered == 0) {
        for (size_t i = 0; i < j->cells.len; i++) {
            struct media_rap rap = film->promised->raps.data[i];
            rap.frame = j->cells.data[i];
            int64_t before = t->raps.len ? t->raps.data[t->raps.len - 1].frame : -1;
            if (rap.frame > before && rap.frame < t->count) {
                TRY(vec_push(&t->raps, rap));
            }
        }
    }
    *ret = TAKE(t);
    return 0;
}

// --- sound ----------------------------------------------------------------------------------------

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static int take_sound(const json_t *audio, struct media_report *report)
{
    const json_t *tracks = json_object_get(audio, "tracks");
    vec_for_each (s, &report->source->streams) {
        if (s->kind != MEDIA_AUDIO) {
            continue;
        }
        struct media_loudness l = {.stream = s->index};
        for (size_t i = 0; i < json_array_size(tracks); i++) {
            const json_t *t = json_array_get(tracks, i),
                         *of = json_object_get(t, "loudness");
            if (json_i64_or(t, "stream", -1) == s->index && json_is_object(of)) {
                l.measured = true;
                l.integrated_lufs = number_of(of, "integrated_lufs");
                l.true_peak_dbtp = number_of(of, "true_peak_dbtp");
                l.range_lu = number_of(of, "range_lu");
            }
        }
        TRY(vec_push(&report->loudness, l));
    }
    return findings_from_json(json_object_get(audio, "findings"), &report->findings);
}

// --- the report -----------------------------------------------------------------------------------

// The pictures overrule what the container said of them.
static void correct_stream(struct media_source *source, const struct media_look *look)
{
    struct media_stream *s = &source->streams.data[source->video];
    s->width = look->width;
    s->height = look->height;
    memcpy(s->pixel_format, look->pixel_format, sizeof s->pixel_format);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(av_get_pix_fmt(s->pixel_format));
    s->bit_depth = d ? d->comp[0].depth : s->bit_depth;
    const struct {
        char *to;
        const char *from;
        size_t bytes;
    } texts[] = {
        {s->primaries, look->primaries, sizeof s->primaries},
        {s->transfer, look->transfer, sizeof s->transfer},
        {s->matrix, look->matrix, sizeof s->matrix},
        {s->range, look->range, sizeof s->range},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(texts[i].from, "unknown") != 0) {
            memcpy(texts[i].to, texts[i].from, texts[i].bytes);
        }
    }
    if (strcmp(s->hdr, "dovi") != 0) {
        const char *hdr = strcmp(s->transfer, "smpte2084") == 0      ? "pq"
                          : strcmp(s->transfer, "arib-std-b67") == 0 ? "hlg"
                                                                     : "sdr";
        memcpy(s->hdr, hdr, strlen(hdr) + 1);
    }
}

static int cut_findings(struct findings *list)
{
    findings_sort(list);
    if (list->items.len <= MAX_FINDINGS) {
        return 0;
    }
    // What weighs most stays, in order of place; one more says how many went.
    size_t quota = MAX_FINDINGS - 1, dropped = list->items.len - quota, kept = 0;
    size_t room[3] = {0};
    for (int s = FINDING_ERROR; s >= FINDING_INFO; s--) {
        size_t have = 0;
        vec_for_each (f, &list->items) {
            have += (int)f->severity == s;
        }
        room[s] = MIN(have, quota);
        quota -= room[s];
    }
    enum finding_severity worst = FINDING_INFO;
    for (size_t i = 0; i < list->items.len; i++) {
        struct finding f = list->items.data[i];
        if (room[f.severity]) {
            room[f.severity]--;
            list->items.data[kept++] = f;
        } else {
            worst = MAX(worst, f.severity);
            json_decref(f.evidence);
        }
    }
    list->items.len = kept;
    struct finding more = finding_about_file("more_findings", worst);
    more.evidence = json_pack("{s:I}", "count", (json_int_t)dropped);
    return findings_add(list, &more);
}

static int copy_findings(const struct findings *from, struct findings *to)
{
    vec_for_each (f, &from->items) {
        struct finding copy = *f;
        copy.evidence = f->evidence ? json_incref(f->evidence) : NULL;
        TRY(findings_add(to, &copy));
    }
    return 0;
}

static int detect(struct media_film *film, const struct joined *j, const json_t *audio,
                  struct media_report *report)
{
    if (film->count == 0) {
        if (!film_has(film, "no_frames")) { // the probe may have known
            TRY(film_add(film, "no_frames", FINDING_ERROR, FINDING_NONE, FINDING_NONE,
                         NULL));
        }
        TRY(film_detect_damage(film, j->defects.data, j->defects.len));
        return str_copy(report->scan, sizeof report->scan, STR("progressive"));
    }
    TRY(film_detect_damage(film, j->defects.data, j->defects.len));
    TRY(film_detect_time(film, json_object_get(audio, "tracks")));
    TRY(film_detect_looks(film, j->looks.data, j->looks.len));
    TRY(film_detect_picture(film));
    TRY(film_detect_scan(film, report->scan));
    TRY(film_detect_crop(film, &report->crop));
    TRY(film_detect_shots(film, report));
    report->poster_frame = film_choose_poster(film);
    report->vfr = film->irregular * 50 > film->count;
    report->start_pts = film->pts[0];
    report->end_pts = film->pts[film->count];
    return 0;
}

static int run(struct media_film *film, const struct joined *j, const json_t *audio,
               struct media_report *report, struct media_timeline **ret_timeline)
{
    if (j->looks.len) {
        correct_stream(report->source, &j->looks.data[0]);
    }
    const struct media_stream *s = &report->source->streams.data[report->source->video];
    film->stream = s;
    film->source = report->source;
    TRY(lay_times(film));
    report->crop = (struct media_crop){0, 0, s->width, s->height};
    report->frames = film->count;
    TRY(detect(film, j, audio, report));
    TRY(media_series_make(film, audio, &report->series));
    TRY(cut_findings(&report->findings));
    return make_timeline(film, j, ret_timeline);
}

static int copy_source(const struct media_source *source, struct media_source **ret)
{
    AUTO(media_source_free) struct media_source *copy = calloc(1, sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a source");
    *copy = *source;
    memset(&copy->streams, 0, sizeof copy->streams);
    vec_for_each (s, &source->streams) {
        TRY(vec_push(&copy->streams, *s));
    }
    *ret = TAKE(copy);
    return 0;
}

int media_inspect_merge(const struct media_source *source,
                        const struct media_timeline *promised, const struct str *ranges,
                        size_t range_count, struct str audio,
                        const struct findings *probe_findings, struct media_report **ret,
                        struct media_timeline **ret_timeline)
{
    FAIL_IF(source->video < 0, ERR_INVALID, "the source has no picture");
    AUTO(clear_joined) struct joined j = {0};
    TRY(join(ranges, range_count, &j));
    AUTO(json_free) json_t *sound = NULL;
    TRY(media_audio_read(audio, &sound));
    AUTO(media_report_free) struct media_report *report = calloc(1, sizeof *report);
    FAIL_IF(!report, ERR_NOMEM, "a report");
    TRY(copy_source(source, &report->source));
    TRY(copy_findings(probe_findings, &report->findings));
    TRY(take_sound(sound, report));
    struct media_film film = {
        .promised = promised,
        .frames = j.frames.data,
        .count = (int64_t)j.frames.len,
        .findings = &report->findings,
    };
    int err = run(&film, &j, sound, report, ret_timeline);
    free(film.pts);
    TRY(err);
    *ret = TAKE(report);
    return 0;
}
