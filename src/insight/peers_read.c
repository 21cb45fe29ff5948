// SPDX-License-Identifier: GPL-3.0-or-later
//
// From the store to a recording: each metric's question gives a line for each server.
#include "insight/insight.h"
#include "telemetry/telemetry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const struct insight_peers_config *config;
    struct arena *arena;
    struct telemetry_span span;
    struct telemetry_answer *answers; // by metric
    VEC(struct str) servers;          // sorted, each once
};

static int server_of(const struct reading *r, size_t metric,
                     const struct telemetry_line *line, struct str *ret)
{
    for (size_t t = 0; t < line->tags.count; t++) {
        if (str_eq_c(line->tags.list[t].key, r->config->server)) {
            *ret = line->tags.list[t].value;
            return 0;
        }
    }
    FAIL(ERR_INVALID,
         "the question of %s gives a line without the tag %s: it wants (,%s,),:by",
         r->config->metrics[metric].name, r->config->server, r->config->server);
}

static bool has_values(const struct reading *r, const struct telemetry_line *line)
{
    for (size_t t = 0; t < r->span.count; t++) {
        if (!isnan(line->values[t])) {
            return true;
        }
    }
    return false;
}

static int by_text(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int order = memcmp(x->data, y->data, MIN(x->len, y->len));
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int ask(struct reading *r, struct telemetry *store, size_t metric)
{
    const struct insight_metric *m = &r->config->metrics[metric];
    const struct telemetry_expr *question = NULL;
    int err = telemetry_stack_parse(str_of(m->query), r->arena, &question);
    if (err >= 0) {
        err =
            telemetry_evaluate(store, question, &r->span, r->arena, &r->answers[metric]);
    }
    if (err < 0) {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_dup(&why, err_reason()));
        FAIL(err, "%s: %s", m->name, why);
    }
    for (size_t i = 0; i < r->answers[metric].count; i++) {
        struct str name;
        TRY(server_of(r, metric, &r->answers[metric].lines[i], &name));
        if (has_values(r, &r->answers[metric].lines[i])) {
            TRY(vec_push(&r->servers, name));
        }
    }
    return 0;
}

static void keep_each_once(struct reading *r)
{
    size_t kept = 0;
    qsort(r->servers.data, r->servers.len, sizeof *r->servers.data, by_text);
    for (size_t i = 0; i < r->servers.len; i++) {
        if (i == 0 || by_text(&r->servers.data[i], &r->servers.data[kept - 1]) != 0) {
            r->servers.data[kept++] = r->servers.data[i];
        }
    }
    r->servers.len = kept;
}

// A server may have several lines, of which each says what the others do not.
static void fill_in(const struct reading *r, size_t metric, struct insight_recording *out)
{
    for (size_t i = 0; i < r->answers[metric].count; i++) {
        const struct telemetry_line *line = &r->answers[metric].lines[i];
        struct str name = {0};
        (void)server_of(r, metric, line, &name); // it was there before
        const struct str *at = bsearch(&name, r->servers.data, r->servers.len,
                                       sizeof *r->servers.data, by_text);
        for (size_t t = 0; at && t < r->span.count; t++) {
            double *value =
                insight_recording_at(out, metric, (size_t)(at - r->servers.data)) + t;
            *value = isnan(*value) ? line->values[t] : *value;
        }
    }
}

static int read_all(struct reading *r, struct telemetry *store,
                    struct insight_recording **ret)
{
    size_t metrics = r->config->metric_count;
    r->answers = arena_alloc(r->arena, metrics, sizeof *r->answers);
    FAIL_IF(!r->answers, ERR_NOMEM, "answers");
    for (size_t m = 0; m < metrics; m++) {
        TRY(ask(r, store, m));
    }
    FAIL_IF(r->servers.len == 0, ERR_NOT_FOUND,
            "%s: there are no values in these windows", r->config->cluster);
    keep_each_once(r);
    AUTO(insight_recording_free) struct insight_recording *out = NULL;
    TRY(insight_recording_new(&out, metrics, r->servers.len, r->span.count));
    out->start_ms = r->span.start_ms;
    out->step_ms = r->span.step_ms;
    for (size_t s = 0; s < r->servers.len; s++) {
        TRY(cstr_printf(&out->names[s], STR_FMT, STR_ARG(r->servers.data[s])));
    }
    for (size_t m = 0; m < metrics; m++) {
        fill_in(r, m, out);
    }
    *ret = TAKE(out);
    return 0;
}

int insight_peers_read(struct telemetry *store, const struct insight_peers_config *config,
                       int64_t end_ms, struct insight_recording **ret)
{
    size_t steps = insight_peers_steps(config);
    int64_t step = config->step_ms;
    FAIL_IF(step % telemetry_step_ms(store) != 0, ERR_INVALID,
            "%s: step_s is no multiple of the store's step of %lld ms", config->cluster,
            (long long)telemetry_step_ms(store));
    FAIL_IF(end_ms < (int64_t)steps * step, ERR_INVALID, "the time is too early");
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(&arena));
    struct reading r = {.config = config,
                        .arena = arena,
                        .span = {end_ms - end_ms % step - (int64_t)(steps - 1) * step,
                                 step, steps, TELEMETRY_CF_AVG}};
    int err = read_all(&r, store, ret);
    vec_free(&r.servers);
    return err;
}
