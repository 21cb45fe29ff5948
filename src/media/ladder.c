// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ladder: which codec × size × rate is offered. It is a table, in `conf/ladder.yaml` for a
// person and in `defaults` below for a machine without that file; a test keeps the two equal.
#include "media/media.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VIDEO_RUNGS 32
#define MAX_AUDIO_RUNGS 16

static const char *const x264_presets[] = {"ultrafast", "superfast", "veryfast",
                                           "faster",    "fast",      "medium",
                                           "slow",      "slower",    "veryslow"};
static const char *const svt_presets[] = {"2", "3", "4",  "5",  "6",  "7",
                                          "8", "9", "10", "11", "12", "13"};

struct video_codec {
    const char *name;
    double crf_min, crf_max;
    const char *const *presets;
    size_t preset_count;
};

static const struct video_codec video_codecs[] = {
    {"h264", 1, 51, x264_presets, ARRAY_LEN(x264_presets)},
    {"av1", 1, 63, svt_presets, ARRAY_LEN(svt_presets)},
};

struct audio_codec {
    const char *name;
    int64_t bps_min, bps_max;
};

static const struct audio_codec audio_codecs[] = {
    {"aac", 16000, 512000},
    {"opus", 6000, 510000},
};

static const struct media_video_rung default_video[] = {
    {"h264", 240, "veryfast", 25, 400000, 2000},
    {"h264", 360, "veryfast", 24, 900000, 2000},
    {"h264", 480, "veryfast", 23.5, 1800000, 2000},
    {"h264", 720, "veryfast", 23, 4500000, 2000},
    {"h264", 1080, "veryfast", 22.5, 9000000, 2000},
    {"h264", 1440, "veryfast", 22, 18000000, 2000},
    {"h264", 2160, "veryfast", 21, 40000000, 2000},
    {"h264", 2160, "veryfast", 10, 120000000, 1500},
    {"av1", 240, "10", 34, 300000, 4000},
    {"av1", 480, "10", 33, 1200000, 4000},
    {"av1", 720, "10", 31, 2800000, 4000},
    {"av1", 1080, "10", 30, 6000000, 4000},
    {"av1", 2160, "10", 29, 24000000, 4000},
};

static const struct media_audio_rung default_audio[] = {
    {"aac", 64000},  {"aac", 128000}, {"aac", 192000},
    {"opus", 48000}, {"opus", 96000}, {"opus", 160000},
};

static const struct media_ladder defaults = {
    .segment_us = 4000000,
    .chunk_us = 24000000,
    .psnr_floor_db = 24,
};

void media_ladder_free(struct media_ladder **p)
{
    struct media_ladder *l = *p;
    *p = NULL;
    if (l) {
        vec_free(&l->video);
        vec_free(&l->audio);
        free(l);
    }
}

int media_ladder_default(struct media_ladder **ret)
{
    AUTO(media_ladder_free) struct media_ladder *l = calloc(1, sizeof *l);
    FAIL_IF(!l, ERR_NOMEM, "a ladder");
    *l = defaults;
    for (size_t i = 0; i < ARRAY_LEN(default_video); i++) {
        TRY(vec_push(&l->video, default_video[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(default_audio); i++) {
        TRY(vec_push(&l->audio, default_audio[i]));
    }
    *ret = TAKE(l);
    return 0;
}

// --- what a person wrote -------------------------------------------------------------------

struct yaml_video {
    char codec[8];
    int64_t height;
    char preset[16];
    double crf;
    int64_t max_kbps, buffer_ms;
};

struct yaml_audio {
    char codec[8];
    int64_t kbps;
};

struct yaml_ladder {
    int64_t segment_ms, chunk_ms;
    double psnr_floor_db;
    struct yaml_video *video;
    unsigned video_count;
    struct yaml_audio *audio;
    unsigned audio_count;
};

static const cyaml_schema_field_t video_fields[] = {
    CYAML_FIELD_STRING("codec", CYAML_FLAG_DEFAULT, struct yaml_video, codec, 1),
    CYAML_FIELD_INT("height", CYAML_FLAG_DEFAULT, struct yaml_video, height),
    CYAML_FIELD_STRING("preset", CYAML_FLAG_DEFAULT, struct yaml_video, preset, 1),
    CYAML_FIELD_FLOAT("crf", CYAML_FLAG_DEFAULT, struct yaml_video, crf),
    CYAML_FIELD_INT("max_kbps", CYAML_FLAG_DEFAULT, struct yaml_video, max_kbps),
    CYAML_FIELD_INT("buffer_ms", CYAML_FLAG_DEFAULT, struct yaml_video, buffer_ms),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t audio_fields[] = {
    CYAML_FIELD_STRING("codec", CYAML_FLAG_DEFAULT, struct yaml_audio, codec, 1),
    CYAML_FIELD_INT("kbps", CYAML_FLAG_DEFAULT, struct yaml_audio, kbps),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t video_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_video, video_fields),
};

static const cyaml_schema_value_t audio_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_audio, audio_fields),
};

static const cyaml_schema_field_t ladder_fields[] = {
    CYAML_FIELD_INT("segment_ms", CYAML_FLAG_DEFAULT, struct yaml_ladder, segment_ms),
    CYAML_FIELD_INT("chunk_ms", CYAML_FLAG_DEFAULT, struct yaml_ladder, chunk_ms),
    CYAML_FIELD_FLOAT("psnr_floor_db", CYAML_FLAG_DEFAULT, struct yaml_ladder,
                      psnr_floor_db),
    CYAML_FIELD_SEQUENCE("video", CYAML_FLAG_POINTER, struct yaml_ladder, video,
                         &video_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("audio", CYAML_FLAG_POINTER, struct yaml_ladder, audio,
                         &audio_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t ladder_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_ladder, ladder_fields),
};

// --- mistakes that a schema cannot see -----------------------------------------------------

struct check {
    struct str text; // empty: not from a file
    const char *file;
    struct diag *diag;
};

PRINTF_LIKE(4, 5)
static void mistake(const struct check *c, const char *part, const char *key,
                    const char *fmt, ...)
{
    char why[256], path[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    snprintf(path, sizeof path, "%s%s", part, key);
    diag_add(c->diag, c->file, c->text.len ? yaml_line_of(c->text, path) : 0, "%s: %s",
             key, why);
}

static void check_range(const struct check *c, const char *part, const char *key,
                        double value, double min, double max)
{
    if (!(value >= min && value <= max)) { // NaN is out of every range
        mistake(c, part, key, "%g is not within %.10g and %.10g", value, min, max);
    }
}

static const struct video_codec *find_video_codec(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(video_codecs); i++) {
        if (strcmp(video_codecs[i].name, name) == 0) {
            return &video_codecs[i];
        }
    }
    return NULL;
}

static const struct audio_codec *find_audio_codec(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(audio_codecs); i++) {
        if (strcmp(audio_codecs[i].name, name) == 0) {
            return &audio_codecs[i];
        }
    }
    return NULL;
}

static bool preset_is_known(const struct video_codec *codec, const char *preset)
{
    for (size_t i = 0; i < codec->preset_count; i++) {
        if (strcmp(codec->presets[i], preset) == 0) {
            return true;
        }
    }
    return false;
}

static void check_video(const struct check *c, const struct media_ladder *l, size_t at)
{
    const struct media_video_rung *r = &l->video.data[at];
    char part[32];
    snprintf(part, sizeof part, "video/%zu/", at);
    const struct video_codec *codec = find_video_codec(r->codec);
    if (!codec) {
        mistake(c, part, "codec", "\"%s\" is neither h264 nor av1", r->codec);
        return;
    }
    if (!preset_is_known(codec, r->preset)) {
        mistake(c, part, "preset", "%s has no preset \"%s\" here, only %s to %s",
                r->codec, r->preset, codec->presets[0],
                codec->presets[codec->preset_count - 1]);
    }
    check_range(c, part, "height", r->height, 16, 4320);
    if (r->height % 2) {
        mistake(c, part, "height", "%d is odd", r->height);
    }
    check_range(c, part, "crf", r->crf, codec->crf_min, codec->crf_max);
    check_range(c, part, "max_kbps", (double)r->max_bps / 1000, 50, 400000);
    check_range(c, part, "buffer_ms", (double)r->buffer_ms, 250, 20000);
    double bits = (double)r->max_bps * (double)r->buffer_ms / 1000;
    if (bits > INT32_MAX) { // libavcodec counts them in an int
        mistake(c, part, "buffer_ms", "a bucket of %.0f Mbit, over %d", bits / 1e6,
                INT32_MAX / 1000000);
    }
    for (size_t i = 0; i < at; i++) {
        const struct media_video_rung *o = &l->video.data[i];
        if (strcmp(o->codec, r->codec) == 0 && o->height == r->height &&
            o->max_bps == r->max_bps) {
            mistake(c, part, "max_kbps", "this rung is there already");
        }
    }
}

static void check_audio(const struct check *c, const struct media_ladder *l, size_t at)
{
    const struct media_audio_rung *r = &l->audio.data[at];
    char part[32];
    snprintf(part, sizeof part, "audio/%zu/", at);
    const struct audio_codec *codec = find_audio_codec(r->codec);
    if (!codec) {
        mistake(c, part, "codec", "\"%s\" is neither aac nor opus", r->codec);
        return;
    }
    check_range(c, part, "kbps", (double)r->bps / 1000, (double)codec->bps_min / 1000,
                (double)codec->bps_max / 1000);
    for (size_t i = 0; i < at; i++) {
        const struct media_audio_rung *o = &l->audio.data[i];
        if (strcmp(o->codec, r->codec) == 0 && o->bps == r->bps) {
            mistake(c, part, "kbps", "this rung is there already");
        }
    }
}

static int check_ladder(const struct check *c, const struct media_ladder *l)
{
    size_t before = c->diag->items.len;
    check_range(c, "", "segment_ms", (double)l->segment_us / 1000, 1000, 10000);
    check_range(c, "", "chunk_ms", (double)l->chunk_us / 1000,
                (double)l->segment_us / 1000, 120000);
    check_range(c, "", "psnr_floor_db", l->psnr_floor_db, 10, 50);
    check_range(c, "", "video", (double)l->video.len, 1, MAX_VIDEO_RUNGS);
    check_range(c, "", "audio", (double)l->audio.len, 0, MAX_AUDIO_RUNGS);
    for (size_t i = 0; i < l->video.len; i++) {
        check_video(c, l, i);
    }
    for (size_t i = 0; i < l->audio.len; i++) {
        check_audio(c, l, i);
    }
    return c->diag->items.len == before ? 0 : diag_fail(c->diag, ERR_INVALID);
}

// Whatever a person wrote, without overflow: what is far out stays out of range.
static int64_t thousand_fold(int64_t n)
{
    return CLAMP(n, -1000000000000, 1000000000000) * 1000;
}

static int ladder_from_yaml(const struct yaml_ladder *y, struct media_ladder **ret)
{
    AUTO(media_ladder_free) struct media_ladder *l = calloc(1, sizeof *l);
    FAIL_IF(!l, ERR_NOMEM, "a ladder");
    l->segment_us = thousand_fold(y->segment_ms);
    l->chunk_us = thousand_fold(y->chunk_ms);
    l->psnr_floor_db = y->psnr_floor_db;
    for (unsigned i = 0; i < y->video_count; i++) {
        const struct yaml_video *v = &y->video[i];
        struct media_video_rung r = {.height = (int)CLAMP(v->height, -1, 1 << 20),
                                     .crf = v->crf,
                                     .max_bps = thousand_fold(v->max_kbps),
                                     .buffer_ms = v->buffer_ms};
        TRY(str_copy(r.codec, sizeof r.codec, str_of(v->codec)));
        TRY(str_copy(r.preset, sizeof r.preset, str_of(v->preset)));
        TRY(vec_push(&l->video, r));
    }
    for (unsigned i = 0; i < y->audio_count; i++) {
        struct media_audio_rung r = {.bps = thousand_fold(y->audio[i].kbps)};
        TRY(str_copy(r.codec, sizeof r.codec, str_of(y->audio[i].codec)));
        TRY(vec_push(&l->audio, r));
    }
    *ret = TAKE(l);
    return 0;
}

int media_ladder_parse(struct str yaml, const char *file, struct media_ladder **ret,
                       struct diag *diag)
{
    void *data = NULL;
    TRY(yaml_load(yaml, file, &ladder_schema, &data, NULL, diag));
    AUTO(media_ladder_free) struct media_ladder *l = NULL;
    int err = ladder_from_yaml(data, &l);
    yaml_data_free(&ladder_schema, data, 0);
    TRY(err);
    TRY(check_ladder(&(struct check){yaml, file, diag}, l));
    *ret = TAKE(l);
    return 0;
}

// --- JSON ----------------------------------------------------------------------------------

int media_ladder_to_json(const struct media_ladder *l, json_t **ret)
{
    json_t *video = json_array(), *audio = json_array();
    vec_for_each (r, &l->video) {
        json_array_append_new(video, json_pack("{s:s, s:i, s:s, s:f, s:I, s:I}", "codec",
                                               r->codec, "height", r->height, "preset",
                                               r->preset, "crf", r->crf, "max_bps",
                                               (json_int_t)r->max_bps, "buffer_ms",
                                               (json_int_t)r->buffer_ms));
    }
    vec_for_each (r, &l->audio) {
        json_array_append_new(
            audio, json_pack("{s:s, s:I}", "codec", r->codec, "bps", (json_int_t)r->bps));
    }
    return json_made(json_pack("{s:I, s:I, s:f, s:o, s:o}", "segment_us",
                               (json_int_t)l->segment_us, "chunk_us",
                               (json_int_t)l->chunk_us, "psnr_floor_db", l->psnr_floor_db,
                               "video", video, "audio", audio),
                     ret);
}

static int video_from_json(const json_t *j, struct media_video_rung *ret)
{
    struct media_video_rung r = {0};
    const char *codec = NULL, *preset = NULL;
    TRY(json_get_str(j, "codec", &codec));
    TRY(json_get_str(j, "preset", &preset));
    TRY(str_copy(r.codec, sizeof r.codec, str_of(codec)));
    TRY(str_copy(r.preset, sizeof r.preset, str_of(preset)));
    TRY(json_get_int(j, "height", 0, 1 << 20, &r.height));
    TRY(json_get_double(j, "crf", &r.crf));
    TRY(json_get_i64(j, "max_bps", 0, INT64_MAX, &r.max_bps));
    TRY(json_get_i64(j, "buffer_ms", 0, INT64_MAX, &r.buffer_ms));
    *ret = r;
    return 0;
}

static int audio_from_json(const json_t *j, struct media_audio_rung *ret)
{
    struct media_audio_rung r = {0};
    const char *codec = NULL;
    TRY(json_get_str(j, "codec", &codec));
    TRY(str_copy(r.codec, sizeof r.codec, str_of(codec)));
    TRY(json_get_i64(j, "bps", 0, INT64_MAX, &r.bps));
    *ret = r;
    return 0;
}

int media_ladder_from_json(const json_t *j, struct media_ladder **ret)
{
    AUTO(media_ladder_free) struct media_ladder *l = calloc(1, sizeof *l);
    FAIL_IF(!l, ERR_NOMEM, "a ladder");
    json_t *video = NULL, *audio = NULL;
    TRY(json_get_i64(j, "segment_us", 0, INT64_MAX, &l->segment_us));
    TRY(json_get_i64(j, "chunk_us", 0, INT64_MAX, &l->chunk_us));
    TRY(json_get_double(j, "psnr_floor_db", &l->psnr_floor_db));
    TRY(json_get_array(j, "video", &video));
    TRY(json_get_array(j, "audio", &audio));
    for (size_t i = 0; i < json_array_size(video); i++) {
        struct media_video_rung r;
        TRY(video_from_json(json_array_get(video, i), &r));
        TRY(vec_push(&l->video, r));
    }
    for (size_t i = 0; i < json_array_size(audio); i++) {
        struct media_audio_rung r;
        TRY(audio_from_json(json_array_get(audio, i), &r));
        TRY(vec_push(&l->audio, r));
    }
    // The same bounds as for a person: a program's mistake must not reach an encoder either.
    struct diag mistakes = {0};
    int err = check_ladder(&(struct check){{0}, "ladder", &mistakes}, l);
    diag_free(&mistakes);
    TRY(err);
    *ret = TAKE(l);
    return 0;
}
