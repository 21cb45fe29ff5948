// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prometheus' text exposition 0.0.4, and what OpenMetrics writes beside it (exemplars, # EOF):
//
//     http_requests_total{method="post",code="200"} 1027 1395066363000
//     └──────────── looked up as it is ───────────┘ value [ms]
//
// https://prometheus.io/docs/instrumenting/exposition_formats/
#include "telemetry/intake.h"

#include <stdlib.h>

#define NAME_BYTES_MAX 16384 // of what precedes the value, with the prefix

struct exposition {
    struct batch batch;
    const struct telemetry_tags *more;
    int64_t now_ms;
    // What tells the same text of different targets apart, then the text: a key of by_exposition.
    char key[NAME_BYTES_MAX];
    size_t prefix;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct str skip_blanks(struct str s)
{
    while (s.len && is_blank(s.data[0])) {
        s = (struct str){s.data + 1, s.len - 1};
    }
    return s;
}

// A quoted text, from its first quote: its bytes without quotes, still escaped. False: it does not end.
static bool next_quoted(struct str *rest, struct str *ret)
{
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->data[i] == '\\') {
            i++;
        } else if (rest->data[i] == '"') {
            *ret = (struct str){rest->data + 1, i - 1};
            *rest = (struct str){rest->data + i + 1, rest->len - i - 1};
            return true;
        }
    }
    return false;
}

// Splits "name{…} value" in front of the value. False: braces or quotes do not end.
static bool split_line(struct str line, struct str *ret_id, struct str *ret_rest)
{
    size_t i = 0;
    while (i < line.len && !is_blank(line.data[i]) && line.data[i] != '{') {
        i++;
    }
    struct str after = skip_blanks((struct str){line.data + i, line.len - i});
    size_t end = i;
    if (after.len && after.data[0] == '{') {
        while (after.len && after.data[0] != '}') {
            struct str text;
            if (after.data[0] == '"' && !next_quoted(&after, &text)) {
                return false;
            }
            if (after.len && after.data[0] != '}' && after.data[0] != '"') {
                after = (struct str){after.data + 1, after.len - 1};
            }
        }
        if (after.len == 0) {
            return false;
        }
        end = (size_t)(after.data + 1 - line.data);
    }
    *ret_id = (struct str){line.data, end};
    *ret_rest = skip_blanks((struct str){line.data + end, line.len - end});
    return end > 0 && ret_rest->len > 0;
}

// \\, \" and \n; in place of a copy where there is none.
static int unescape(struct str text, struct arena *arena, struct str *ret)
{
    *ret = text;
    if (!text.len || !memchr(text.data, '\\', text.len)) {
        return 0;
    }
    char *out = arena_alloc(arena, text.len, 1);
    FAIL_IF(!out, ERR_NOMEM, "a label");
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\\' && i + 1 < text.len) {
            i++;
            c = text.data[i] == 'n' ? '\n' : text.data[i];
        }
        out[len++] = c == '\n' ? ' ' : c; // a tag is one line
    }
    *ret = (struct str){out, len};
    return 0;
}

static int read_labels(struct str inside, struct arena *arena, struct tag_list *tags)
{
    for (;;) {
        struct str key, value;
        inside = skip_blanks(inside);
        if (inside.len == 0) {
            return 0;
        }
        if (!str_next(&inside, '=', &key) || !inside.data) {
            return ERR_INVALID;
        }
        inside = skip_blanks(inside);
        if (inside.len == 0 || inside.data[0] != '"' || !next_quoted(&inside, &value)) {
            return ERR_INVALID;
        }
        TRY(unescape(value, arena, &value));
        TRY(tag_list_label(tags, str_trim(key), value));
        inside = skip_blanks(inside);
        if (inside.len && inside.data[0] != ',') {
            return ERR_INVALID;
        }
        inside = inside.len ? (struct str){inside.data + 1, inside.len - 1} : inside;
    }
}

static int learn(struct exposition *e, struct str id, struct str key, uint32_t *ret)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct tag_list tags = {0};
    const char *brace = memchr(id.data, '{', id.len);
    struct str name = {id.data, brace ? (size_t)(brace - id.data) : id.len};
    TRY(arena_new(&arena));
    if (brace) {
        TRY(read_labels((struct str){brace + 1, id.len - name.len - 2}, arena, &tags));
    }
    name = str_trim(name);
    if (name.len == 0) {
        return ERR_INVALID;
    }
    TRY(tag_list_label(&tags, STR("__name__"), name));
    for (size_t i = 0; e->more && i < e->more->count; i++) {
        tag_list_set(&tags, e->more->list[i].key, e->more->list[i].value);
    }
    struct telemetry_intake *in = e->batch.intake;
    return known_series_learn(&in->by_exposition, in->store, key, &tags, ret);
}

static int find_series(struct exposition *e, struct str id, uint32_t *ret)
{
    struct known_series *known = &e->batch.intake->by_exposition;
    struct str key = id;
    if (e->prefix) {
        if (id.len > sizeof e->key - e->prefix) {
            return ERR_INVALID;
        }
        memcpy(e->key + e->prefix, id.data, id.len);
        key = (struct str){e->key, e->prefix + id.len};
    }
    pthread_rwlock_rdlock(&known->lock);
    *ret = known_series_find(known, key);
    pthread_rwlock_unlock(&known->lock);
    return *ret == ID_NONE ? learn(e, id, key, ret) : 0;
}

// "1027", "1027 1395066363000", "17 # {trace_id="…"} 0.5".
static int read_value(struct str rest, int64_t now_ms, struct telemetry_sample *ret)
{
    struct str value, time;
    double at = 0;
    const char *exemplar = memmem(rest.data, rest.len, " # ", 3);
    rest.len = exemplar ? (size_t)(exemplar - rest.data) : rest.len;
    rest = str_trim(rest);
    size_t i = 0;
    while (i < rest.len && !is_blank(rest.data[i])) {
        i++;
    }
    value = (struct str){rest.data, i};
    time = skip_blanks((struct str){rest.data + i, rest.len - i});
    ret->at_ms = now_ms;
    if (time.len) {
        if (number_read(time, &at) != LINE_GOOD || !(at >= 0 && at < 0x1p53)) {
            return ERR_INVALID;
        }
        ret->at_ms = (int64_t)at;
    }
    enum line_fault fault = number_read(value, &ret->value);
    ret->value = fault == LINE_BAD_VALUE ? __builtin_nan("") : ret->value;
    return fault == LINE_MALFORMED ? ERR_INVALID : 0;
}

static int take_line(struct exposition *e, struct str line)
{
    struct str id, rest;
    struct telemetry_sample sample = {0};
    if (!split_line(line, &id, &rest)) {
        return ERR_INVALID;
    }
    TRY(read_value(rest, e->now_ms, &sample));
    TRY(find_series(e, id, &sample.series));
    return batch_add_known(&e->batch, sample);
}

// The tags of `more` as bytes that no exposition begins with.
static int make_prefix(struct exposition *e)
{
    AUTO(buf_free) struct buf text = {0};
    for (size_t i = 0; e->more && i < e->more->count; i++) {
        buf_char(&text, '\1');
        buf_str(&text, e->more->list[i].key);
        buf_char(&text, '\1');
        buf_str(&text, e->more->list[i].value);
        buf_char(&text, '\1');
    }
    TRY(text.err);
    FAIL_IF(text.len > sizeof e->key / 2, ERR_LIMIT, "the tags of a target");
    if (text.len) {
        memcpy(e->key, text.data, text.len);
    }
    e->prefix = text.len;
    return 0;
}

static int take_text(struct exposition *e, struct str body)
{
    struct str line;
    TRY(make_prefix(e));
    for (size_t number = 1; str_next(&body, '\n', &line); number++) {
        line = str_trim(line);
        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }
        intake_count(e->batch.intake, lines, 1);
        int err = line.len > NAME_BYTES_MAX ? ERR_INVALID : take_line(e, line);
        if (err == ERR_INVALID) {
            intake_count(e->batch.intake, malformed, 1);
            taken_drop(e->batch.taken, 1, "line %zu cannot be read", number);
        } else {
            TRY(err);
        }
    }
    return batch_end(&e->batch);
}

int telemetry_take_exposition(struct telemetry_intake *in, struct str body,
                              const struct telemetry_tags *more, int64_t now_ms,
                              struct telemetry_taken *ret)
{
    *ret = (struct telemetry_taken){0};
    struct exposition *e = calloc(1, sizeof *e);
    FAIL_IF(!e, ERR_NOMEM, "an exposition");
    e->batch = (struct batch){.intake = in, .taken = ret};
    e->more = more;
    e->now_ms = now_ms;
    int err = take_text(e, body);
    free(e);
    return err;
}
