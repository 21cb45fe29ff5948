// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct media_source as JSON: one table binds members to keys, both ways.
#include "media/media.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STREAMS 100

void media_source_free(struct media_source **ptr)
{
    struct media_source *s = TAKE(*ptr);
    if (s) {
        vec_free(&s->streams);
        free(s);
    }
}

static const char *const kinds[] = {"video", "audio", "text", "other"};

enum field_type { FIELD_TEXT, FIELD_INT, FIELD_I64, FIELD_BOOL, FIELD_RATIONAL };

struct field {
    const char *key;
    enum field_type type;
    size_t offset, bytes;
};

#define FIELD(type, name)                                         \
    {                                                             \
#name, FIELD_##type, offsetof(struct media_stream, name), \
            sizeof((struct media_stream *)NULL)->name             \
    }

static const struct field fields[] = {
    FIELD(INT, index),
    FIELD(TEXT, codec),
    FIELD(TEXT, profile),
    FIELD(TEXT, language),
    FIELD(TEXT, title),
    FIELD(BOOL, is_default),
    FIELD(BOOL, is_attached_picture),
    FIELD(RATIONAL, time_base),
    FIELD(I64, start_pts),
    FIELD(I64, duration_pts),
    FIELD(INT, width),
    FIELD(INT, height),
    FIELD(RATIONAL, sar),
    FIELD(INT, rotation),
    FIELD(TEXT, pixel_format),
    FIELD(INT, bit_depth),
    FIELD(TEXT, primaries),
    FIELD(TEXT, transfer),
    FIELD(TEXT, matrix),
    FIELD(TEXT, range),
    FIELD(TEXT, field_order),
    FIELD(RATIONAL, frame_rate),
    FIELD(TEXT, hdr),
    FIELD(INT, sample_rate),
    FIELD(INT, channels),
    FIELD(TEXT, layout),
};

static json_t *field_json(const struct field *f, const void *at)
{
    switch (f->type) {
    case FIELD_TEXT:
        return json_string(at);
    case FIELD_INT:
        return json_integer(*(const int *)at);
    case FIELD_I64:
        return *(const int64_t *)at == FINDING_NONE ? json_null()
                                                    : json_integer(*(const int64_t *)at);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_RATIONAL: {
        const struct rational *q = at;
        return json_pack("[i,i]", q->num, q->den);
    }
    }
    return NULL;
}

static int stream_to_json(const struct media_stream *s, json_t **ret)
{
    AUTO(json_free) json_t *object = json_pack("{s:s}", "kind", kinds[s->kind]);
    FAIL_IF(!object, ERR_NOMEM, "a stream");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        json_t *value = field_json(&fields[i], (const char *)s + fields[i].offset);
        FAIL_IF(json_object_set_new(object, fields[i].key, value) != 0, ERR_NOMEM,
                "a stream's %s", fields[i].key);
    }
    *ret = TAKE(object);
    return 0;
}

static int rational_of(const json_t *object, const char *key, struct rational *ret)
{
    json_t *pair = NULL;
    TRY(json_get_array(object, key, &pair));
    json_int_t num = json_integer_value(json_array_get(pair, 0));
    json_int_t den = json_integer_value(json_array_get(pair, 1));
    FAIL_IF(json_array_size(pair) != 2 || num < 0 || num > INT32_MAX || den <= 0 ||
                den > INT32_MAX,
            ERR_INVALID, "%s is no rational", key);
    *ret = (struct rational){(int32_t)num, (int32_t)den};
    return 0;
}

static int field_read(const struct field *f, const json_t *object, void *at)
{
    const char *text = NULL;
    switch (f->type) {
    case FIELD_TEXT:
        TRY(json_get_str(object, f->key, &text));
        return str_copy(at, f->bytes, str_of(text));
    case FIELD_INT:
        return json_get_int(object, f->key, 0, INT32_MAX, at);
    case FIELD_I64:
        *(int64_t *)at = json_i64_or(object, f->key, FINDING_NONE);
        return 0;
    case FIELD_BOOL:
        return json_get_bool(object, f->key, at);
    case FIELD_RATIONAL:
        return rational_of(object, f->key, at);
    }
    return 0;
}

static int stream_from_json(const json_t *object, struct media_stream *ret)
{
    struct media_stream s = {0};
    const char *kind = NULL;
    TRY(json_get_str(object, "kind", &kind));
    size_t k = 0;
    while (k < ARRAY_LEN(kinds) && strcmp(kinds[k], kind) != 0) {
        k++;
    }
    FAIL_IF(k == ARRAY_LEN(kinds), ERR_INVALID, "no kind of stream: '%s'", kind);
    s.kind = (enum media_kind)k;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        TRY(field_read(&fields[i], object, (char *)&s + fields[i].offset));
    }
    FAIL_IF(s.rotation % 90 != 0 || s.rotation > 270, ERR_INVALID, "rotation %d",
            s.rotation);
    *ret = s;
    return 0;
}

int media_source_to_json(const struct media_source *source, json_t **ret)
{
    AUTO(json_free) json_t *streams = json_array();
    vec_for_each (s, &source->streams) {
        json_t *one = NULL;
        TRY(stream_to_json(s, &one));
        FAIL_IF(json_array_append_new(streams, one) != 0, ERR_NOMEM, "streams");
    }
    return json_made(json_pack("{s:s, s:I, s:I, s:i, s:O}", "container",
                               source->container, "bytes", (json_int_t)source->bytes,
                               "duration_us", (json_int_t)source->duration_us, "video",
                               source->video, "streams", streams),
                     ret);
}

int media_source_from_json(const json_t *json, struct media_source **ret)
{
    AUTO(media_source_free) struct media_source *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a source");
    const char *container = NULL;
    json_t *streams = NULL;
    TRY(json_get_str(json, "container", &container));
    TRY(str_copy(s->container, sizeof s->container, str_of(container)));
    TRY(json_get_i64(json, "bytes", 0, INT64_MAX, &s->bytes));
    TRY(json_get_i64(json, "duration_us", 0, INT64_MAX, &s->duration_us));
    TRY(json_get_array(json, "streams", &streams));
    FAIL_IF(json_array_size(streams) > MAX_STREAMS, ERR_LIMIT, "too many streams");
    for (size_t i = 0; i < json_array_size(streams); i++) {
        struct media_stream stream;
        TRY(stream_from_json(json_array_get(streams, i), &stream));
        TRY(vec_push(&s->streams, stream));
    }
    TRY(json_get_int(json, "video", -1, (int)s->streams.len - 1, &s->video));
    *ret = TAKE(s);
    return 0;
}
