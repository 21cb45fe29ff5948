// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/fake_store.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct telemetry {
    int64_t step_ms;
    size_t limit;
    pthread_mutex_t lock; // guards what follows
    VEC(char *)
    series; // "name,key=value", by tags in their order; then the way onto the grid
    VEC(struct telemetry_sample) samples;
};

int fake_store_open(struct telemetry **ret, int64_t step_ms)
{
    struct telemetry *t = calloc(1, sizeof *t);
    FAIL_IF(!t, ERR_NOMEM, "a store");
    t->step_ms = step_ms;
    t->limit = 100000;
    pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return 0;
}

void fake_store_close(struct telemetry **store)
{
    struct telemetry *t = TAKE(*store);
    if (!t) {
        return;
    }
    vec_for_each (text, &t->series) {
        free(*text);
    }
    vec_free(&t->series);
    vec_free(&t->samples);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

size_t fake_store_series(struct telemetry *t)
{
    return t->series.len;
}

void fake_store_limit(struct telemetry *t, size_t series)
{
    t->limit = series;
}

int64_t telemetry_step_ms(const struct telemetry *t)
{
    return t->step_ms;
}

static int spell(const struct telemetry_tags *tags, enum telemetry_dstype dstype,
                 char **ret)
{
    static const char *const ways[] = {"", " rate", " counter", " sum"};
    AUTO(buf_free) struct buf out = {0};
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq_c(tags->list[i].key, "name")) {
            buf_str(&out, tags->list[i].value);
        }
    }
    for (size_t i = 0; i < tags->count; i++) {
        const struct telemetry_tag *tag = &tags->list[i];
        ASSERT(i == 0 || memcmp(tag[-1].key.data, tag->key.data,
                                MIN(tag[-1].key.len, tag->key.len)) <= 0);
        if (!str_eq_c(tag->key, "name")) {
            buf_char(&out, ',');
            buf_str(&out, tag->key);
            buf_char(&out, '=');
            buf_str(&out, tag->value);
        }
        FAIL_IF(tag->key.len < 2 || tag->key.len > 60 || tag->value.len < 1 ||
                    tag->value.len > 120,
                ERR_LIMIT, "a tag");
    }
    buf_cstr(&out, ways[dstype]);
    return buf_take(&out, ret);
}

int telemetry_series_of(struct telemetry *t, const struct telemetry_tags *tags,
                        enum telemetry_dstype dstype, uint32_t *ret)
{
    AUTO(cstr_free) char *text = NULL;
    TRY(spell(tags, dstype, &text));
    int err = 0;
    pthread_mutex_lock(&t->lock);
    size_t at = 0;
    while (at < t->series.len && strcmp(t->series.data[at], text) != 0) {
        at++;
    }
    if (at == t->series.len) {
        err = at >= t->limit ? ERR_LIMIT : vec_push(&t->series, text);
        text = err < 0 ? text : NULL;
    }
    pthread_mutex_unlock(&t->lock);
    TRY(err);
    *ret = (uint32_t)at;
    return 0;
}

uint64_t telemetry_forgotten(struct telemetry *t)
{
    (void)t;
    return 0;
}

int telemetry_append(struct telemetry *t, const struct telemetry_sample *list,
                     size_t count, size_t *ret_refused)
{
    size_t refused = 0;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        ASSERT(list[i].series < t->series.len);
        if (!isfinite(list[i].value) || list[i].at_ms < t->step_ms) {
            refused++;
        } else {
            ASSERT(vec_push(&t->samples, list[i]) == 0);
        }
    }
    pthread_mutex_unlock(&t->lock);
    *ret_refused = refused;
    return 0;
}

int telemetry_sync(struct telemetry *t)
{
    (void)t;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *fake_store_take(struct telemetry *t, struct arena *arena)
{
    size_t count = t->samples.len;
    char **lines = arena_alloc(arena, count + 1, sizeof *lines);
    AUTO(buf_free) struct buf out = {0};
    for (size_t i = 0; i < count; i++) {
        const struct telemetry_sample *s = &t->samples.data[i];
        lines[i] = arena_printf(arena, "%s @%lld = %.12g\n", t->series.data[s->series],
                                (long long)s->at_ms, s->value);
    }
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++) {
        buf_cstr(&out, lines[i]);
    }
    t->samples.len = 0;
    return arena_dup(arena, buf_view(&out));
}
