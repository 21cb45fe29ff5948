// SPDX-License-Identifier: GPL-3.0-or-later
//
// What decoders and demuxers complained about, as runs of frames.
#include "media/film.h"

#include <libavutil/avutil.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_FRAMES 2
#define TEXTS_MAX   5
#define EACH_MAX    300

static const struct {
    const char *kind;
} names[] = {
    [MEDIA_DEFECT_DECODE] = {"decode_error"},
    [MEDIA_DEFECT_PACKET] = {"corrupt_packets"},
    [MEDIA_DEFECT_CONTAINER] = {"container_damage"},
    [MEDIA_DEFECT_STALLED] = {"decoding_stalled"},
};

struct hit {
    int64_t frame;
    const struct media_defect *defect;
};

static int by_kind_and_frame(const void *pa, const void *pb)
{
    const struct hit *a = pa, *b = pb;
    if (a->defect->kind != b->defect->kind) {
        return a->defect->kind < b->defect->kind ? -1 : 1;
    }
    if (a->frame != b->frame) {
        return a->frame < b->frame ? -1 : 1;
    }
    return (a->defect > b->defect) - (a->defect < b->defect);
}

static int tell(struct media_film *film, const struct hit *hits, size_t count)
{
    AUTO(json_free) json_t *texts = json_array();
    int64_t errors = 0;
    const char *last = "";
    for (size_t i = 0; i < count; i++) {
        const struct media_defect *d = hits[i].defect;
        errors += d->errors;
        if (json_array_size(texts) < TEXTS_MAX && strcmp(last, d->text) != 0) {
            FAIL_IF(json_array_append_new(texts, json_string(d->text)) != 0, ERR_NOMEM,
                    "messages");
            last = d->text;
        }
    }
    int64_t start = MIN(hits[0].frame, MAX(film->count - 1, 0));
    int64_t end = MIN(hits[count - 1].frame + 1, film->count);
    return film_add(film, names[hits[0].defect->kind].kind, FINDING_ERROR, start,
                    MAX(end, MIN(start + 1, film->count)),
                    json_pack("{s:I, s:I, s:O}", "packets", (json_int_t)count, "errors",
                              (json_int_t)errors, "messages", texts));
}

static int tell_all(struct media_film *film, const struct hit *hits, size_t count)
{
    int told = 0;
    for (size_t i = 0; i < count && told < EACH_MAX; told++) {
        size_t end = i + 1;
        while (end < count && hits[end].defect->kind == hits[i].defect->kind &&
               hits[end].frame - hits[end - 1].frame <= JOIN_FRAMES) {
            end++;
        }
        TRY(tell(film, hits + i, end - i));
        i = end;
    }
    return 0;
}

// Frames that the decoder itself marked as damaged or mended.
static int detect_marked(struct media_film *film)
{
    int64_t start = -1;
    int told = 0;
    for (int64_t i = 0; i <= film->count && told < EACH_MAX; i++) {
        bool marked = i < film->count && (film->frames[i].flags & FEATURE_CORRUPT);
        if (marked && start < 0) {
            start = i;
        } else if (!marked && start >= 0) {
            TRY(film_add(film, "corrupt_frames", FINDING_ERROR, start, i, NULL));
            start = -1;
            told++;
        }
    }
    return 0;
}

int film_detect_damage(struct media_film *film, const struct media_defect *defects,
                       size_t count)
{
    struct hit *hits = calloc(count + 1, sizeof *hits);
    FAIL_IF(!hits, ERR_NOMEM, "defects");
    for (size_t i = 0; i < count; i++) {
        const struct media_defect *d = &defects[i];
        hits[i].defect = d;
        hits[i].frame = d->pts != AV_NOPTS_VALUE && film->count
                            ? film_frame_at(film, d->pts)
                            : CLAMP(d->frame, 0, film->count);
    }
    qsort(hits, count, sizeof *hits, by_kind_and_frame);
    int err = tell_all(film, hits, count);
    free(hits);
    return err < 0 ? err : detect_marked(film);
}
