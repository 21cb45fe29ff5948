// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/signals.h"

#include "insight/change.h"
#include "insight/spread.h"

#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 480,
    BEHIND = 120,
    CANDIDATES_MAX = 10000,
    EARLIER = 60,
    LATER = 10,
    LATEST = 4
};

// --- as JSON --------------------------------------------------------------------------------------

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *values_json(const double *x, size_t start, size_t end)
{
    json_t *list = json_array();
    for (size_t i = start; list && i < end; i++) {
        if (json_array_append_new(list, number(x[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_int_t place(const struct insight_signals *s, size_t index)
{
    return s->step_ms ? s->start_ms + (int64_t)index * s->step_ms : (json_int_t)index;
}

static json_t *related_json(const struct insight_signals *s,
                            const struct insight_relations *all,
                            const struct insight_related *r)
{
    const double *x = s->candidates[r->candidate];
    json_t *name = json_deep_copy(s->names[r->candidate]);
    json_int_t step = s->step_ms ? s->step_ms : 1;
    const char *part = NULL;
    double share = NAN;
    insight_callgraph_weight(s->calls, name, &part, &share);
    return json_pack("{s:o, s:s, s:f, s:f, s:f, s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:o,"
                     " s:s?, s:o}",
                     "name", name, "relation", insight_relation_name(r->relation),
                     "score", r->score, "pearson", r->pearson, "spearman", r->spearman,
                     "lag", (json_int_t)r->lag * step, "changed", place(s, r->changed),
                     "before", number(r->before), "after", number(r->after), "step",
                     number(r->step), "start", place(s, r->start), "end",
                     place(s, r->end), "values", values_json(x, all->start, all->end),
                     "part", part, "share", number(share));
}

// By the call graph. Empty: it is not known.
static int weights_of(const struct insight_signals *s, double **ret)
{
    if (!s->calls || json_is_null(s->calls)) {
        return 0;
    }
    double *weights = calloc(s->count + 1, sizeof *weights);
    FAIL_IF(!weights, ERR_NOMEM, "weights");
    for (size_t i = 0; i < s->count; i++) {
        const char *part;
        double share;
        weights[i] = insight_callgraph_weight(s->calls, s->names[i], &part, &share);
    }
    *ret = weights;
    return 0;
}

static int relate_weighted(const struct insight_signals *s,
                           const struct insight_relate_config *config,
                           struct insight_relations *ret)
{
    struct insight_relate_config weighted = *config;
    double *weights = NULL;
    TRY(weights_of(s, &weights));
    weighted.weights = weights;
    int err =
        insight_relate(s->target, s->length, s->candidates, s->count, &weighted, ret);
    free(weights);
    return err;
}

int insight_signals_sift(const struct insight_signals *s,
                         const struct insight_relate_config *config,
                         struct insight_sifted *ret)
{
    struct insight_relate_config weighted = *config;
    double *weights = NULL;
    TRY(weights_of(s, &weights));
    weighted.weights = weights;
    int err = insight_sift(s->target, s->length, s->candidates, s->count, &weighted, ret);
    free(weights);
    return err;
}

int insight_signals_relate(const struct insight_signals *s,
                           const struct insight_relate_config *config, json_t **ret)
{
    AUTO(insight_relations_free) struct insight_relations all = {0};
    AUTO(json_free) json_t *related = json_array();
    TRY(relate_weighted(s, config, &all));
    for (size_t i = 0; i < all.count; i++) {
        FAIL_IF(json_array_append_new(related, related_json(s, &all, &all.list[i])) < 0,
                ERR_NOMEM, "related signals");
    }
    return json_made(json_pack("{s:i, s:I, s:I, s:I, s:I, s:{s:o}, s:I, s:O, s:O?}",
                               "schema", 1, "changed", place(s, all.changed), "start",
                               place(s, all.start), "end", place(s, all.end), "step",
                               s->step_ms ? (json_int_t)s->step_ms : 1, "target",
                               "values", values_json(s->target, all.start, all.end),
                               "candidates", (json_int_t)s->count, "related", related,
                               "calls", s->calls),
                     ret);
}

// --- out of the store ---------------------------------------------------------------------------

struct gathering {
    struct arena *arena, *values; // of the answers; of the candidates that are held
    struct insight_signals about; // what is asked of them
    struct insight_relate_config config;
    struct insight_spread *spread; // NULL: none
    size_t most;                   // candidates that are held
    const double *target;
    size_t length;
    VEC(const double *) series;
    VEC(const json_t *) names;
    bool more;
};

static void let_go(struct gathering *g)
{
    for (size_t i = 0; i < g->names.len; i++) {
        json_decref((json_t *)(size_t)g->names.data[i]);
    }
    g->names.len = g->series.len = 0;
    arena_free(&g->values);
}

static void gathering_free(struct gathering *g)
{
    let_go(g);
    vec_free(&g->names);
    vec_free(&g->series);
}

static struct insight_signals signals_of(const struct gathering *g)
{
    struct insight_signals s = g->about;
    s.candidates = g->series.data;
    s.names = g->names.data;
    s.count = g->series.len;
    return s;
}

// What is held becomes a chunk, and makes room.
static int spread_held(struct gathering *g)
{
    const struct insight_signals held = signals_of(g);
    TRY(spread_put(g->spread, &held, &g->config));
    let_go(g);
    return 0;
}

static int tags_json(const struct telemetry_tags *tags, json_t **ret)
{
    AUTO(json_free) json_t *object = json_object();
    for (size_t i = 0; i < tags->count; i++) {
        const struct telemetry_tag *t = &tags->list[i];
        AUTO(cstr_free) char *key = NULL;
        TRY(cstr_printf(&key, STR_FMT, STR_ARG(t->key)));
        FAIL_IF(json_object_set_new(object, key,
                                    json_stringn(t->value.data, t->value.len)) < 0,
                ERR_NOMEM, "tags");
    }
    *ret = TAKE(object);
    return 0;
}

// Series that are the target itself, under whatever name, explain nothing.
static bool is_target(const struct gathering *g, const double *values)
{
    for (size_t i = 0; i < g->length; i++) {
        bool same = isnan(g->target[i])
                        ? isnan(values[i])
                        : fabs(g->target[i] - values[i]) <= 1e-12 * fabs(g->target[i]);
        if (!same) {
            return false;
        }
    }
    return true;
}

static int gather(struct gathering *g, const struct telemetry_tags *tags,
                  const double *values)
{
    if (is_target(g, values)) {
        return 0;
    }
    if (g->series.len == g->most && !g->spread) {
        g->more = true;
        return 0;
    }
    TRY(g->series.len == g->most ? spread_held(g) : 0);
    TRY(g->values ? 0 : arena_new(&g->values));
    double *copy = arena_alloc(g->values, g->length, sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a candidate");
    memcpy(copy, values, g->length * sizeof *copy);
    json_t *name = NULL;
    TRY(tags_json(tags, &name));
    int err = vec_push(&g->names, (const json_t *)name);
    if (err < 0) {
        json_decref(name);
        return err;
    }
    return vec_push(&g->series, (const double *)copy);
}

static int gather_view(void *user, const struct telemetry_view *view)
{
    return gather(user, &view->tags, view->values);
}

static int lines_of(struct telemetry *store, const char *expr,
                    const struct telemetry_span *span, struct arena *arena,
                    struct telemetry_answer *ret)
{
    const struct telemetry_expr *parsed = NULL;
    TRY(telemetry_stack_parse(str_of(expr), arena, &parsed));
    return telemetry_evaluate(store, parsed, span, arena, ret);
}

// The values of the first line that has all of `tags`; NULL: none has.
static const double *line_meant(const struct telemetry_answer *answer, const json_t *tags)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct telemetry_tags *own = &answer->lines[i].tags;
        size_t same = 0;
        for (size_t k = 0; tags && k < own->count; k++) {
            const json_t *wanted =
                json_object_getn(tags, own->list[k].key.data, own->list[k].key.len);
            same += wanted && str_eq_c(own->list[k].value, json_string_value(wanted));
        }
        if (!tags || same == json_object_size(tags)) {
            return answer->lines[i].values;
        }
    }
    return NULL;
}

static int gather_all(struct telemetry *store, const char *expr,
                      const struct telemetry_span *span, struct gathering *g)
{
    if (!expr) {
        const struct telemetry_match all = {.op = TELEMETRY_MATCH_ALL};
        return telemetry_scan(store, &all, span, gather_view, g);
    }
    struct telemetry_answer answer = {0};
    TRY(lines_of(store, expr, span, g->arena, &answer));
    for (size_t i = 0; i < answer.count; i++) {
        TRY(gather(g, &answer.lines[i].tags, answer.lines[i].values));
    }
    return 0;
}

// An alert fires some time after what it tells of: the target's change that is nearest to `at`, an hour before to ten
// steps behind. What is new has few values yet, and among eight hours little weight: shorter stretches are looked at
// where the longer have none. Without any, `at` itself.
static int changed_near(const double *x, size_t length, size_t at, size_t *ret)
{
    static const size_t stretches[] = {STEPS, STEPS / 2, STEPS / 4, EARLIER};
    size_t end = MIN(at + EARLIER, length), least = SIZE_MAX;
    *ret = MIN(at, length - LATEST);
    for (size_t k = 0; k < ARRAY_LEN(stretches) && least == SIZE_MAX; k++) {
        AUTO(insight_changes_free) struct insight_changes c = {0};
        size_t start = end - MIN(stretches[k], end);
        TRY(insight_changes_find(x + start, end - start, &c));
        for (size_t i = 0; i < c.count; i++) {
            size_t change = start + c.at[i];
            size_t away = change > at ? change - at : at - change;
            if (away <= (change > at ? LATER : EARLIER) && away < least) {
                least = away;
                *ret = change;
            }
        }
    }
    return 0;
}

// The call graph is asked about the same change.
static int ask_calls(struct telemetry *store, const struct insight_question *q,
                     const struct telemetry_span *span,
                     struct insight_relate_config *config, const double *target,
                     json_t **ret)
{
    if (config->changed == SIZE_MAX) {
        AUTO(insight_changes_free) struct insight_changes c = {0};
        TRY(insight_changes_find(target, span->count, &c));
        FAIL_IF(c.count == 0, ERR_NOT_FOUND, "the series does not change");
        config->changed = c.at[c.count - 1];
    }
    const struct insight_callgraph_question about = {
        .span = span, .changed = config->changed, .tags = q->tags};
    return insight_callgraph_ask(store, q->calls, &about, ret);
}

static int answer_gathered(struct gathering *g, json_t **ret)
{
    if (g->spread && g->spread->chunks) {
        *ret = NULL;
        return spread_held(g);
    }
    const struct insight_signals s = signals_of(g);
    AUTO(json_free) json_t *json = NULL;
    TRY(insight_signals_relate(&s, &g->config, &json));
    FAIL_IF(json_object_set_new(json, "more", json_boolean(g->more)) < 0, ERR_NOMEM,
            "related signals");
    *ret = TAKE(json);
    return 0;
}

int insight_signals_ask(struct telemetry *store, const struct insight_question *q,
                        json_t **ret)
{
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(&arena));
    int64_t step = telemetry_step_ms(store), end = q->now_ms / step * step;
    if (q->at_ms > 0) {
        end = MIN(end, q->at_ms / step * step + BEHIND * step);
    }
    struct telemetry_span span = {
        .start_ms = end - (STEPS - 1) * step, .step_ms = step, .count = STEPS};
    FAIL_IF(span.start_ms <= 0 || (q->at_ms > 0 && q->at_ms < span.start_ms), ERR_INVALID,
            "a time before 1970, or behind now");
    struct telemetry_answer answer = {0};
    TRY(lines_of(store, q->target, &span, arena, &answer));
    FAIL_IF(answer.count == 0, ERR_NOT_FOUND, "nothing has values for %s", q->target);
    const double *target = line_meant(&answer, q->tags);
    FAIL_IF(!target, ERR_NOT_FOUND, "no line of %s has the tags that are meant",
            q->target);
    struct insight_relate_config config = {.changed = SIZE_MAX, .keep = q->keep};
    if (q->at_ms > 0) {
        size_t at = (size_t)((q->at_ms - span.start_ms + step - 1) / step);
        TRY(changed_near(target, STEPS, MIN(at, STEPS - 1), &config.changed));
    }
    AUTO(json_free) json_t *calls = NULL;
    TRY(q->calls ? ask_calls(store, q, &span, &config, target, &calls) : 0);
    AUTO(gathering_free)
    struct gathering g = {.arena = arena,
                          .about = {.target = target,
                                    .length = STEPS,
                                    .start_ms = span.start_ms,
                                    .step_ms = step,
                                    .calls = calls},
                          .config = config,
                          .spread = q->spread,
                          .most = q->spread && q->spread->chunk ? q->spread->chunk
                                                                : CANDIDATES_MAX,
                          .target = target,
                          .length = STEPS};
    TRY(gather_all(store, q->candidates, &span, &g));
    return answer_gathered(&g, ret);
}
