// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bytes of a chunk: the length of a JSON text (8 bytes, little end first), the text with spaces up to a multiple of 8, then
// doubles: the target's values, those of each candidate. Written and read on machines of one byte order, by one
// program; a reader believes no length.
#include "insight/spread.h"

#include "insight/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNKS_MAX = 100, CHUNK = 10000, LENGTH_MAX = 1 << 16, JSON_MAX = 64 << 20 };
#define BYTES_MAX ((size_t)512 << 20)

void spread_clear(struct insight_spread *s)
{
    json_free(&s->chunks);
}

// --- chunks -------------------------------------------------------------------------------------------

struct chunk {
    struct buf bytes;
    json_t *head;
    const double **series;
    const json_t **names;
    struct insight_signals signals; // points into these
    struct insight_relate_config config;
    int64_t total; // candidates of all chunks before this one and of it
};

static void chunk_free(struct chunk *c)
{
    buf_free(&c->bytes);
    json_free(&c->head);
    free(c->series);
    free(c->names);
}

static int head_of(const struct insight_signals *s,
                   const struct insight_relate_config *config, const size_t *which,
                   size_t count, json_t **ret)
{
    AUTO(json_free) json_t *names = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *name = (json_t *)(uintptr_t)s->names[which ? which[i] : i];
        FAIL_IF(json_array_append(names, name) < 0, ERR_NOMEM, "a chunk");
    }
    return json_made(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:O?, s:O}", "length",
                               (json_int_t)s->length, "start", (json_int_t)s->start_ms,
                               "step", (json_int_t)s->step_ms, "changed",
                               (json_int_t)config->changed, "keep",
                               (json_int_t)config->keep, "looked", (json_int_t)s->count,
                               "calls", s->calls, "names", names),
                     ret);
}

// `which` NULL: all of the signals' candidates.
static int chunk_write(const struct insight_signals *s,
                       const struct insight_relate_config *config, const size_t *which,
                       size_t count, struct buf *out)
{
    AUTO(json_free) json_t *head = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(head_of(s, config, which, count, &head));
    json_write_canonical(&text, head);
    TRY(text.err);
    while (text.len % 8 != 0) {
        buf_char(&text, ' ');
    }
    uint64_t length = text.len;
    buf_add(out, &length, sizeof length);
    buf_add(out, text.data, text.len);
    buf_add(out, s->target, s->length * sizeof *s->target);
    for (size_t i = 0; i < count; i++) {
        buf_add(out, s->candidates[which ? which[i] : i], s->length * sizeof(double));
    }
    return out->err;
}

static int head_read(struct chunk *c)
{
    int64_t length = 0, changed = 0, keep = 0;
    TRY(json_get_i64(c->head, "length", 1, LENGTH_MAX, &length));
    TRY(json_get_i64(c->head, "changed", -1, length - 1, &changed));
    TRY(json_get_i64(c->head, "keep", 0, 1000, &keep));
    TRY(json_get_i64(c->head, "looked", 0, INT64_MAX, &c->total));
    TRY(json_get_i64(c->head, "start", 0, INT64_MAX, &c->signals.start_ms));
    TRY(json_get_i64(c->head, "step", 0, INT64_MAX, &c->signals.step_ms));
    c->signals.length = (size_t)length;
    c->config = (struct insight_relate_config){
        .changed = changed < 0 ? SIZE_MAX : (size_t)changed, .keep = (size_t)keep};
    c->signals.calls = json_object_get(c->head, "calls");
    return 0;
}

static int chunk_parse(struct chunk *c)
{
    uint64_t text = 0;
    json_t *names = NULL;
    FAIL_IF(c->bytes.len < sizeof text, ERR_INVALID, "a chunk that is cut");
    memcpy(&text, c->bytes.data, sizeof text);
    FAIL_IF(text > c->bytes.len - sizeof text || text > JSON_MAX || text % 8 != 0,
            ERR_INVALID, "a chunk that is cut");
    const struct str json = {c->bytes.data + sizeof text, (size_t)text};
    TRY(json_parse(&c->head, json, JSON_MAX));
    TRY(head_read(c));
    TRY(json_get_array(c->head, "names", &names));
    size_t count = json_array_size(names), left = c->bytes.len - sizeof text - text;
    FAIL_IF(left != (count + 1) * c->signals.length * sizeof(double), ERR_INVALID,
            "a chunk of other values than it names");
    c->series = calloc(count + 1, sizeof *c->series);
    c->names = calloc(count + 1, sizeof *c->names);
    FAIL_IF(!c->series || !c->names, ERR_NOMEM, "a chunk");
    // Aligned: the buffer is the allocator's, and the text's length a multiple of 8.
    const double *values = (const double *)(const void *)(json.data + json.len);
    for (size_t i = 0; i < count; i++) {
        c->series[i] = values + (i + 1) * c->signals.length;
        c->names[i] = json_array_get(names, i);
    }
    c->signals.target = values;
    c->signals.candidates = c->series;
    c->signals.names = c->names;
    c->signals.count = count;
    return 0;
}

static int chunk_read(struct flow_step *step, const char *input, struct chunk *c)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, input, &blob));
    int64_t size = store_blob_size(blob);
    FAIL_IF(size < 0 || (uint64_t)size > BYTES_MAX, ERR_LIMIT, "a chunk of %lld bytes",
            (long long)size);
    buf_reserve(&c->bytes, (size_t)size);
    TRY(c->bytes.err);
    while (c->bytes.len < (size_t)size) {
        int64_t n =
            store_blob_read(blob, (int64_t)c->bytes.len, c->bytes.data + c->bytes.len,
                            (size_t)size - c->bytes.len);
        TRY((int)MIN(n, 0));
        FAIL_IF(n == 0, ERR_IO, "a blob ends early");
        c->bytes.len += (size_t)n;
    }
    return chunk_parse(c);
}

int spread_put(struct insight_spread *s, const struct insight_signals *signals,
               const struct insight_relate_config *config)
{
    AUTO(buf_free) struct buf bytes = {0};
    struct hash hash;
    char hex[HASH_HEX_BYTES];
    if (!s->chunks) {
        s->chunks = json_array();
    }
    if (json_array_size(s->chunks) == CHUNKS_MAX) {
        s->more = true;
        return 0;
    }
    TRY(chunk_write(signals, config, NULL, signals->count, &bytes));
    TRY(store_blob_put(s->blobs, bytes.data, bytes.len, &hash));
    hash_hex(&hash, hex);
    FAIL_IF(json_array_append_new(s->chunks, json_string(hex)) < 0, ERR_NOMEM, "chunks");
    return 0;
}

// --- steps --------------------------------------------------------------------------------------------

static int write_output(struct flow_step *step, const struct buf *bytes)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(flow_step_output(step, "main", "best", &path));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? err_fail_errno("%s", path)
                  : fd_write_all(fd, bytes->data, bytes->len);
}

static int step_sift(struct flow_step *step)
{
    AUTO(chunk_free) struct chunk c = {0};
    AUTO(insight_sifted_free) struct insight_sifted sifted = {0};
    AUTO(buf_free) struct buf bytes = {0};
    TRY(chunk_read(step, "chunk", &c));
    TRY(insight_signals_sift(&c.signals, &c.config, &sifted));
    TRY(chunk_write(&c.signals, &c.config, sifted.list, sifted.count, &bytes));
    TRY(write_output(step, &bytes));
    return flow_step_result(step, "main", json_object());
}

struct merge {
    struct chunk parts[CHUNKS_MAX];
    size_t count;
    VEC(const double *) series;
    VEC(const json_t *) names;
    int64_t looked;
};

static void merge_free(struct merge **m)
{
    for (size_t i = 0; *m && i < (*m)->count; i++) {
        chunk_free(&(*m)->parts[i]);
    }
    if (*m) {
        vec_free(&(*m)->series);
        vec_free(&(*m)->names);
    }
    free(*m);
    *m = NULL;
}

static void name_of(size_t place, char ret[16])
{
    ret[0] = 'b';
    for (size_t digit = 4; digit > 0; digit--, place /= 10) {
        ret[digit] = (char)('0' + place % 10);
    }
    ret[5] = 0;
}

static int merge_add(struct merge *m, struct flow_step *step, const char *input)
{
    struct chunk *c = &m->parts[m->count++];
    TRY(chunk_read(step, input, c));
    FAIL_IF(c->signals.length != m->parts[0].signals.length, ERR_INVALID,
            "chunks of other questions");
    m->looked += c->total;
    for (size_t i = 0; i < c->signals.count; i++) {
        TRY(vec_push(&m->series, c->series[i]));
        TRY(vec_push(&m->names, c->names[i]));
    }
    return 0;
}

static int step_merge(struct flow_step *step)
{
    AUTO(merge_free) struct merge *m = calloc(1, sizeof *m);
    AUTO(json_free) json_t *found = NULL;
    char name[16];
    FAIL_IF(!m, ERR_NOMEM, "chunks");
    for (name_of(0, name); m->count < CHUNKS_MAX && flow_step_has_input(step, name);
         name_of(m->count, name)) {
        TRY(merge_add(m, step, name));
    }
    FAIL_IF(m->count == 0, ERR_INVALID, "there is nothing to merge");
    struct insight_signals all = m->parts[0].signals;
    all.candidates = m->series.data;
    all.names = m->names.data;
    all.count = m->series.len;
    TRY(insight_signals_relate(&all, &m->parts[0].config, &found));
    const json_t *more = json_object_get(flow_step_params(step), "more");
    FAIL_IF(json_object_set_new(found, "candidates", json_integer(m->looked)) < 0 ||
                json_object_set_new(found, "more", json_boolean(json_is_true(more))) < 0,
            ERR_NOMEM, "related signals");
    return flow_step_result(step, "main", TAKE(found));
}

#define MIB INT64_C(1048576)
const struct flow_step_type insight_related_types[] = {
    {"related.sift", 1, 200 * MIB, step_sift},
    {"related.merge", 1, 200 * MIB, step_merge},
};
const size_t insight_related_type_count = ARRAY_LEN(insight_related_types);

// --- the workflow -------------------------------------------------------------------------------------

// 1 when it is done.
static int want_sift(struct flow_run *run, size_t place, const char *hex,
                     struct flow_input *ret_best)
{
    AUTO(cstr_free) char *name = NULL;
    struct flow_input chunk = {.name = "chunk"};
    const struct flow_result *result = NULL;
    TRY(cstr_printf(&name, "sift/%zu", place));
    TRY(hash_parse(str_of(hex), &chunk.blob));
    const struct flow_step_spec spec = {.name = name,
                                        .type = "related.sift",
                                        .inputs = &chunk,
                                        .input_count = 1,
                                        .urgency = 1, // somebody is woken by it
                                        .cost = 2000};
    int done = flow_want(run, &spec, &result);
    if (done <= 0) {
        return done;
    }
    const struct flow_output *best = flow_result_output(result, "best");
    FAIL_IF(!best, ERR_INTERNAL, "a sift without an output");
    name_of(place, ret_best->name);
    ret_best->blob = best->blob;
    return 1;
}

struct settled {
    const json_t *params, *found;
    const char *why, *job;
};

static int owner_of(const char *job, char **ret)
{
    return cstr_printf(ret, "related:%s", job);
}

// Of the firing that it was asked for: another one since has its own job.
static int settle(struct store_tx *tx, void *user)
{
    const struct settled *s = user;
    AUTO(cstr_free) char *owner = NULL, *subject = NULL;
    const char *alert = json_str_or(s->params, "alert", "");
    TRY(owner_of(s->job, &owner));
    TRY(store_ref_drop(tx, owner));
    TRY(store_exec(tx,
                   "UPDATE insight_alert_related SET found = ?, why = ?"
                   " WHERE alert = ? AND fired = ?",
                   "jssi", s->found, s->why, alert, json_i64_or(s->params, "fired", 0)));
    TRY(cstr_printf(&subject, "alert/%s", alert));
    return bus_emit(
        tx, &(struct bus_event){.type = "alert.related.v1", .subject = subject}, NULL);
}

static int advance(struct flow_run *run, void *user)
{
    (void)user;
    const json_t *params = flow_run_params(run);
    const json_t *chunks = json_object_get(params, "chunks");
    size_t count = json_array_size(chunks), done = 0;
    const struct flow_result *result = NULL;
    FAIL_IF(count == 0 || count > CHUNKS_MAX, ERR_INVALID, "%zu chunks", count);
    struct flow_input best[CHUNKS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        const char *hex = json_string_value(json_array_get(chunks, i));
        int got = want_sift(run, i, hex ? hex : "", &best[i]);
        TRY(got);
        done += got > 0;
    }
    if (done < count) {
        return 0;
    }
    AUTO(json_free) json_t *about = NULL;
    TRY(json_made(
        json_pack("{s:b}", "more", json_is_true(json_object_get(params, "more"))),
        &about));
    const struct flow_step_spec spec = {.name = "merge",
                                        .type = "related.merge",
                                        .params = about,
                                        .inputs = best,
                                        .input_count = count,
                                        .urgency = 1,
                                        .cost = 500};
    int merged = flow_want(run, &spec, &result);
    if (merged <= 0) {
        return merged;
    }
    struct settled s = {
        .params = params, .found = result->value, .job = flow_run_job(run)};
    TRY(flow_once(run, "settle", settle, &s));
    return flow_finish(run, json_object());
}

static int on_failed(struct store_tx *tx, const char *job, const json_t *params, int err,
                     const char *reason, void *user)
{
    (void)err;
    (void)user;
    struct settled s = {.params = params, .why = reason, .job = job};
    return settle(tx, &s);
}

struct flow_workflow insight_related_workflow(void)
{
    return (struct flow_workflow){
        .name = "related", .advance = advance, .on_failed = on_failed};
}

int spread_submit(struct store_tx *tx, const struct insight_spread *s,
                  const struct spread_firing *f, char ret_job[UUID_BYTES])
{
    AUTO(json_free) json_t *params = NULL;
    AUTO(cstr_free) char *subject = NULL, *owner = NULL;
    TRY(cstr_printf(&subject, "alert/%s", f->alert));
    TRY(json_made(json_pack("{s:s, s:I, s:O, s:b}", "alert", f->alert, "fired",
                            (json_int_t)f->fired_us, "chunks", s->chunks, "more",
                            s->more),
                  &params));
    const struct flow_job_spec spec = {
        .workflow = "related", .subject = subject, .params = params, .actor = "system"};
    TRY(flow_submit(tx, &spec, ret_job));
    TRY(owner_of(ret_job, &owner));
    for (size_t i = 0; i < json_array_size(s->chunks); i++) {
        struct hash hash;
        TRY(hash_parse(str_of(json_string_value(json_array_get(s->chunks, i))), &hash));
        TRY(store_ref_add(tx, owner, &hash));
    }
    return 0;
}
