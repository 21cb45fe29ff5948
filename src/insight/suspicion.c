// SPDX-License-Identifier: GPL-3.0-or-later
//
// From looks at windows to suspects with their evidence.
#include "insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EVIDENCE_METRICS 5
// When a whole fleet is suspected nobody looks at each picture.
enum { PLOTS_MAX = 40, PLOT_POINTS = 2000 };

void insight_suspects_free(struct insight_suspects **s)
{
    if (!*s) {
        return;
    }
    vec_for_each (one, &(*s)->list) {
        json_decref((json_t *)one->evidence);
        json_decref((json_t *)one->plot);
    }
    vec_for_each (name, &(*s)->names) {
        free(*name);
    }
    vec_free(&(*s)->list);
    vec_free(&(*s)->names);
    json_decref((*s)->parameters);
    free(*s);
    *s = NULL;
}

static int64_t time_us(const struct insight_recording *r, size_t step)
{
    // The value of a step stands for the time up to it.
    return (r->start_ms + ((int64_t)step - 1) * r->step_ms) * 1000;
}

double insight_metric_shown(const struct insight_metric *metric, double value)
{
    return metric->is_ratio && metric->statistic != INSIGHT_STATISTIC_SLOPE &&
                   metric->statistic != INSIGHT_STATISTIC_DEVIATION
               ? exp(value)
               : value;
}

const char *insight_statistic_name(enum insight_statistic statistic)
{
    static const char *const names[] = {
#define X(name, text) text,
        INSIGHT_STATISTICS(X)
#undef X
    };
    return names[statistic];
}

static int parameters_of(const struct insight_peers_config *c,
                         const struct insight_look *look, json_t **ret)
{
    AUTO(json_free) json_t *metrics = json_array();
    for (size_t m = 0; m < c->metric_count; m++) {
        const struct insight_metric *metric = &c->metrics[m];
        json_t *one = json_pack("{s:s, s:s, s:f, s:f}", "metric", metric->name,
                                "statistic", insight_statistic_name(metric->statistic),
                                "peers", insight_metric_shown(metric, look->middles[m]),
                                "spread", look->spreads[m]);
        FAIL_IF(json_array_append_new(metrics, one) < 0, ERR_NOMEM, "parameters");
    }
    return json_made(json_pack("{s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:O}", "method",
                               insight_method_name(c->method), "eps", look->eps,
                               "min_points", (json_int_t)look->min_points, "window_ms",
                               (json_int_t)((int64_t)c->window * c->step_ms), "every_ms",
                               (json_int_t)((int64_t)c->every * c->step_ms), "windows",
                               (json_int_t)c->of, "enough", (json_int_t)c->enough,
                               "metrics", metrics),
                     ret);
}

// In windows of before, many at once count too: who stays out when the others are well again is sick.
static bool is_out(const struct insight_look *look, size_t server)
{
    return look->states[server] == INSIGHT_OUTLIER;
}

static int evidence_of(const struct insight_peers_config *c,
                       const struct insight_look *look, size_t server, size_t times,
                       json_t **ret)
{
    const double *away = look->away + server * look->metrics;
    AUTO(json_free) json_t *metrics = json_array();
    // The farthest first, each once.
    for (size_t k = 0; k < MIN(look->metrics, EVIDENCE_METRICS); k++) {
        size_t best = look->metrics;
        for (size_t m = 0; m < look->metrics; m++) {
            bool told = false;
            for (size_t i = 0; i < json_array_size(metrics); i++) {
                told = told ||
                       json_i64_or(json_array_get(metrics, i), "at", -1) == (int64_t)m;
            }
            if (!told && (best == look->metrics || fabs(away[m]) > fabs(away[best]))) {
                best = m;
            }
        }
        const struct insight_metric *metric = &c->metrics[best];
        json_t *one = json_pack(
            "{s:I, s:s, s:f, s:f, s:f}", "at", (json_int_t)best, "metric", metric->name,
            "value",
            insight_metric_shown(metric, look->features[server * look->metrics + best]),
            "peers", insight_metric_shown(metric, look->middles[best]), "away",
            away[best]);
        FAIL_IF(json_array_append_new(metrics, one) < 0, ERR_NOMEM, "evidence");
    }
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        json_object_del(json_array_get(metrics, i), "at");
    }
    return json_made(json_pack("{s:I, s:I, s:O}", "outlier_in", (json_int_t)times, "of",
                               (json_int_t)c->of, "metrics", metrics),
                     ret);
}

static int add_suspect(const struct insight_peers_config *c,
                       const struct insight_recording *r,
                       const struct insight_look *looks, size_t count, size_t server,
                       struct insight_suspects *out)
{
    const struct insight_look *newest = &looks[count - 1];
    size_t times = 0, row = count;
    for (size_t k = 0; k < count; k++) {
        times += is_out(&looks[k], server);
    }
    while (row > 0 && is_out(&looks[row - 1], server)) {
        row--;
    }
    if (row == count || times < c->enough) {
        return 0;
    }
    AUTO(cstr_free) char *name = NULL;
    AUTO(json_free) json_t *evidence = NULL;
    TRY(cstr_dup(&name, r->names[server]));
    TRY(evidence_of(c, newest, server, times, &evidence));
    TRY(vec_push(&out->list, (struct insight_suspect){
                                 .server = name,
                                 .since_us = time_us(r, looks[row].end - c->window),
                                 .score = newest->scores[server],
                                 .evidence = evidence}));
    TAKE(evidence);
    TRY(vec_push(&out->names, name));
    TAKE(name);
    return 0;
}

static int plots_of(const struct insight_peers_config *c,
                    const struct insight_recording *r, const struct insight_look *look,
                    const bool *is_suspect, struct insight_suspects *out)
{
    size_t made = 0;
    for (size_t s = 0; s < r->servers && made < MIN(out->list.len, PLOTS_MAX); s++) {
        const struct insight_plot_wish wish = {s, is_suspect, PLOT_POINTS};
        json_t *plot = NULL;
        if (is_suspect[s]) {
            TRY(insight_plot_make(c, r, look, &wish, &plot));
            out->list.data[made++].plot = plot;
        }
    }
    return 0;
}

static int suspect_all(const struct insight_peers_config *c,
                       const struct insight_recording *r,
                       const struct insight_look *looks, size_t count,
                       struct insight_suspects *out)
{
    bool *is_suspect = calloc(r->servers + 1, sizeof *is_suspect);
    int err = is_suspect ? 0 : err_fail(ERR_NOMEM, "suspects");
    for (size_t s = 0; err == 0 && s < r->servers; s++) {
        size_t before = out->list.len;
        err = add_suspect(c, r, looks, count, s, out);
        is_suspect[s] = out->list.len > before;
    }
    err = err < 0 ? err : plots_of(c, r, &looks[count - 1], is_suspect, out);
    free(is_suspect);
    return err;
}

int insight_peers_decide(const struct insight_peers_config *c,
                         const struct insight_recording *r,
                         const struct insight_look *looks, size_t count,
                         struct insight_suspects **ret)
{
    FAIL_IF(count == 0, ERR_INVALID, "there is no window to decide by");
    const struct insight_look *newest = &looks[count - 1];
    AUTO(insight_suspects_free) struct insight_suspects *out = calloc(1, sizeof *out);
    FAIL_IF(!out, ERR_NOMEM, "suspects");
    out->verdict = newest->verdict;
    TRY(vec_reserve(&out->names, r->servers + 1));
    if (newest->verdict == INSIGHT_VERDICT_JUDGED) {
        TRY(suspect_all(c, r, looks, count, out));
    }
    TRY(parameters_of(c, newest, &out->parameters));
    static const char *const rules[] = {"dbscan@1", "mad@1", "lof@1"};
    out->suspicion = (struct insight_suspicion){
        .cluster = c->cluster,
        .rule = rules[c->method],
        .window_start_us = time_us(r, newest->end - c->window),
        .window_end_us = time_us(r, newest->end),
        .members = newest->servers,
        .reporting = newest->reporting,
        .parameters = out->parameters,
        .suspects = out->list.data,
        .suspect_count = out->list.len,
    };
    for (size_t t = newest->end; t-- > 0 && out->suspicion.data_us == 0;) {
        for (size_t k = 0; k < r->metrics * r->servers; k++) {
            if (!isnan(r->values[k * r->steps + t])) {
                out->suspicion.data_us = time_us(r, t + 1);
                break;
            }
        }
    }
    *ret = TAKE(out);
    return 0;
}

static int look_and_decide(const struct insight_peers_config *c,
                           const struct insight_recording *r, struct insight_look *looks,
                           size_t count, struct insight_suspects **ret)
{
    for (size_t k = 0; k < count; k++) {
        TRY(insight_peers_look(c, r, r->steps - (count - 1 - k) * c->every, &looks[k]));
    }
    return insight_peers_decide(c, r, looks, count, ret);
}

int insight_peers_suspect(const struct insight_peers_config *c,
                          const struct insight_recording *r,
                          struct insight_suspects **ret)
{
    FAIL_IF(r->steps < c->window, ERR_INVALID, "the recording is shorter than a window");
    size_t count = MIN(c->of, (r->steps - c->window) / c->every + 1);
    struct insight_look *looks = calloc(count, sizeof *looks);
    FAIL_IF(!looks, ERR_NOMEM, "looks");
    int err = look_and_decide(c, r, looks, count, ret);
    for (size_t k = 0; k < count; k++) {
        insight_look_free(&looks[k]);
    }
    free(looks);
    return err;
}

int insight_suspects_to_json(const struct insight_suspects *s, json_t **ret)
{
    const struct insight_suspicion *x = &s->suspicion;
    AUTO(json_free) json_t *list = json_array();
    vec_for_each (one, &s->list) {
        json_t *object = json_pack("{s:s, s:I, s:f, s:O}", "server", one->server,
                                   "since_us", (json_int_t)one->since_us, "score",
                                   one->score, "evidence", (json_t *)one->evidence);
        FAIL_IF(json_array_append_new(list, object) < 0, ERR_NOMEM, "suspects");
    }
    return json_made(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:O}",
                               "cluster", x->cluster, "rule", x->rule, "verdict",
                               insight_verdict_text(s->verdict), "window_start_us",
                               (json_int_t)x->window_start_us, "window_end_us",
                               (json_int_t)x->window_end_us, "data_us",
                               (json_int_t)x->data_us, "members", (json_int_t)x->members,
                               "reporting", (json_int_t)x->reporting, "parameters",
                               x->parameters, "suspects", list),
                     ret);
}
