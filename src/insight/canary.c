// SPDX-License-Identifier: GPL-3.0-or-later
//
// The judge: what a person tolerates, metric by metric, and one score of all. A metric fails where three
// things hold at once: the whole confidence interval of the shift lies beyond what is tolerated, the
// effect is large enough, and the direction is a bad one. A significant but tiny shift, which thousands
// of values always show, is none.
#include "insight/canary.h"
#include "insight/order.h"

#include "base/json.h"
#include "base/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MAX = 10000 };

// As libcyaml fills it in: shares in thousandths are no numbers for people, so they are decimals, given as text.
struct metric_yaml {
    char *name, *group, *tolerance, *min_effect;
    enum insight_direction direction;
    bool critical, must_have;
};
struct group_yaml {
    char *name;
    int64_t weight;
};
struct config_yaml {
    int64_t schema, pass, marginal, min_values;
    char *confidence;
    struct metric_yaml *metrics;
    uint32_t metrics_count;
    struct group_yaml *groups;
    uint32_t groups_count;
};

static const cyaml_strval_t directions[] = {{"either", INSIGHT_EITHER},
                                            {"increase", INSIGHT_INCREASE},
                                            {"decrease", INSIGHT_DECREASE}};

#define OPTIONAL_TEXT (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
static const cyaml_schema_field_t metric_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct metric_yaml, name, 1, 200),
    CYAML_FIELD_STRING_PTR("group", OPTIONAL_TEXT, struct metric_yaml, group, 1, 200),
    CYAML_FIELD_STRING_PTR("tolerance", OPTIONAL_TEXT, struct metric_yaml, tolerance, 1,
                           20),
    CYAML_FIELD_STRING_PTR("min_effect", OPTIONAL_TEXT, struct metric_yaml, min_effect, 1,
                           20),
    CYAML_FIELD_ENUM("direction", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
                     struct metric_yaml, direction, directions, ARRAY_LEN(directions)),
    CYAML_FIELD_BOOL("critical", CYAML_FLAG_OPTIONAL, struct metric_yaml, critical),
    CYAML_FIELD_BOOL("must_have", CYAML_FLAG_OPTIONAL, struct metric_yaml, must_have),
    CYAML_FIELD_END};
static const cyaml_schema_value_t metric_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct metric_yaml, metric_fields)};
static const cyaml_schema_field_t group_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct group_yaml, name, 1, 200),
    CYAML_FIELD_INT("weight", CYAML_FLAG_DEFAULT, struct group_yaml, weight),
    CYAML_FIELD_END};
static const cyaml_schema_value_t group_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct group_yaml, group_fields)};
static const cyaml_schema_field_t config_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct config_yaml, schema),
    CYAML_FIELD_STRING_PTR("confidence", OPTIONAL_TEXT, struct config_yaml, confidence, 1,
                           20),
    CYAML_FIELD_INT("pass", CYAML_FLAG_OPTIONAL, struct config_yaml, pass),
    CYAML_FIELD_INT("marginal", CYAML_FLAG_OPTIONAL, struct config_yaml, marginal),
    CYAML_FIELD_INT("min_values", CYAML_FLAG_OPTIONAL, struct config_yaml, min_values),
    CYAML_FIELD_SEQUENCE("metrics", CYAML_FLAG_POINTER, struct config_yaml, metrics,
                         &metric_schema, 1, METRICS_MAX),
    CYAML_FIELD_SEQUENCE("groups", OPTIONAL_TEXT, struct config_yaml, groups,
                         &group_schema, 0, METRICS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_yaml, config_fields)};

// --- the configuration ------------------------------------------------------------------------

struct reading {
    struct str text;
    const char *file;
    struct diag *diag;
};

static void wrong(const struct reading *r, const char *path, const char *why)
{
    diag_add(r->diag, r->file, yaml_line_of(r->text, path), "%s", why);
}

static double decimal(const struct reading *r, const char *text, const char *path,
                      double otherwise, double max)
{
    double value = otherwise;
    if (text && str_to_double(str_of(text), 0, max, &value) < 0) {
        diag_add(r->diag, r->file, yaml_line_of(r->text, path), "a number from 0 to %g",
                 max);
    }
    return value;
}

static int metric_add(const struct reading *r, struct insight_canary_config *config,
                      const struct metric_yaml *from, size_t index)
{
    AUTO(cstr_free) char *own = NULL, *tolerance = NULL, *min_effect = NULL;
    struct insight_canary_metric m = {.direction = from->direction,
                                      .critical = from->critical,
                                      .must_have = from->must_have};
    TRY(cstr_printf(&own, "metrics/%zu", index));
    TRY(cstr_printf(&tolerance, "%s/tolerance", own));
    TRY(cstr_printf(&min_effect, "%s/min_effect", own));
    m.tolerance = decimal(r, from->tolerance, tolerance, 0.1, 1e6);
    m.min_effect = decimal(r, from->min_effect, min_effect, 0.15, 1);
    vec_for_each (other, &config->metrics) {
        if (strcmp(other->name, from->name) == 0) {
            wrong(r, own, "two metrics have the same name");
        }
    }
    TRY(cstr_dup(&m.name, from->name));
    if (cstr_dup(&m.group, from->group ? from->group : "all") < 0 ||
        vec_push(&config->metrics, m) < 0) {
        cstr_free(&m.name);
        cstr_free(&m.group);
        FAIL(ERR_NOMEM, "a metric");
    }
    return 0;
}

static struct insight_canary_group *group_find(struct insight_canary_config *config,
                                               const char *name)
{
    vec_for_each (group, &config->groups) {
        if (strcmp(group->name, name) == 0) {
            return group;
        }
    }
    return NULL;
}

static int group_add(struct insight_canary_config *config, const char *name,
                     double weight)
{
    struct insight_canary_group g = {.weight = weight};
    TRY(cstr_dup(&g.name, name));
    int err = vec_push(&config->groups, g);
    if (err < 0) {
        cstr_free(&g.name);
    }
    return err;
}

// Groups that nobody weighed share what is left of 100.
static int groups_fill(const struct reading *r, struct insight_canary_config *config,
                       const struct config_yaml *from)
{
    double left = 100;
    for (uint32_t i = 0; i < from->groups_count; i++) {
        const struct group_yaml *g = &from->groups[i];
        if (g->weight < 0 || g->weight > 100 || group_find(config, g->name)) {
            wrong(r, "groups",
                  "a group named twice, or a weight that is not within 0 to 100");
            continue;
        }
        left -= (double)g->weight;
        TRY(group_add(config, g->name, (double)g->weight));
    }
    if (left < 0) {
        wrong(r, "groups", "the weights are over 100 together");
    }
    size_t weighed = config->groups.len;
    vec_for_each (metric, &config->metrics) {
        if (!group_find(config, metric->group)) {
            TRY(group_add(config, metric->group, 0));
        }
    }
    size_t rest = config->groups.len - weighed;
    for (size_t i = weighed; i < config->groups.len; i++) {
        config->groups.data[i].weight = fmax(left, 0) / (double)rest;
    }
    return 0;
}

static int config_fill(const struct reading *r, const struct config_yaml *from,
                       struct insight_canary_config *config)
{
    config->confidence = decimal(r, from->confidence, "confidence", 0.98, 1);
    config->pass = from->pass ? (double)from->pass : 95;
    config->marginal = from->marginal ? (double)from->marginal : 75;
    config->min_values = from->min_values ? (size_t)from->min_values : 8;
    if (from->schema != 1) {
        wrong(r, "schema", "schema 1 is the one that is known");
    }
    if (!(config->confidence > 0 && config->confidence < 1)) {
        wrong(r, "confidence", "a confidence is between 0 and 1");
    }
    if (from->min_values < 0 || config->min_values > 1000000) {
        wrong(r, "min_values", "between 1 and 1,000,000");
    }
    if (!(config->marginal >= 0 && config->marginal <= config->pass &&
          config->pass <= 100)) {
        wrong(r, "pass", "marginal <= pass <= 100");
    }
    for (uint32_t i = 0; i < from->metrics_count; i++) {
        TRY(metric_add(r, config, &from->metrics[i], i));
    }
    return groups_fill(r, config, from);
}

int insight_canary_parse(struct str text, const char *file,
                         struct insight_canary_config **ret, struct diag *diag)
{
    struct config_yaml *from = NULL;
    TRY(yaml_load(text, file, &config_schema, (void **)&from, NULL, diag));
    AUTO(insight_canary_free)
    struct insight_canary_config *config = calloc(1, sizeof *config);
    struct reading r = {text, file, diag};
    size_t before = diag->items.len;
    int err = config ? config_fill(&r, from, config) : ERR_NOMEM;
    yaml_data_free(&config_schema, from, 0);
    TRY(err);
    if (diag->items.len > before) {
        return diag_fail(diag, ERR_INVALID);
    }
    *ret = TAKE(config);
    return 0;
}

void insight_canary_free(struct insight_canary_config **p)
{
    struct insight_canary_config *config = *p;
    *p = NULL;
    if (!config) {
        return;
    }
    vec_for_each (metric, &config->metrics) {
        cstr_free(&metric->name);
        cstr_free(&metric->group);
    }
    vec_for_each (group, &config->groups) {
        cstr_free(&group->name);
    }
    vec_free(&config->metrics);
    vec_free(&config->groups);
    free(config);
}

// --- a metric ---------------------------------------------------------------------------------

static void doubles_free(double **p)
{
    free(*p);
    *p = NULL;
}

static int finite_of(struct insight_sample s, double **ret, size_t *ret_count)
{
    double *kept = calloc(MAX(s.count, 1), sizeof *kept);
    FAIL_IF(!kept, ERR_NOMEM, "a sample");
    size_t n = 0;
    for (size_t i = 0; i < s.count; i++) {
        if (isfinite(s.values[i])) {
            kept[n++] = s.values[i];
        }
    }
    *ret = kept;
    *ret_count = n;
    return 0;
}

static enum insight_canary_verdict verdict_of(const struct insight_canary_metric *m,
                                              const struct insight_canary_result *r)
{
    if (fabs(r->test.effect) < m->min_effect) {
        return INSIGHT_CANARY_PASS;
    }
    if (r->test.low > r->tolerated && m->direction != INSIGHT_DECREASE) {
        return INSIGHT_CANARY_HIGH;
    }
    if (r->test.high < -r->tolerated && m->direction != INSIGHT_INCREASE) {
        return INSIGHT_CANARY_LOW;
    }
    return INSIGHT_CANARY_PASS;
}

int insight_canary_compare(const struct insight_canary_config *config,
                           const struct insight_canary_metric *metric,
                           struct insight_sample baseline, struct insight_sample canary,
                           struct insight_canary_result *ret)
{
    AUTO(doubles_free) double *b = NULL, *c = NULL;
    struct insight_canary_result r = {.verdict = INSIGHT_CANARY_NODATA};
    TRY(finite_of(baseline, &b, &r.baseline_count));
    TRY(finite_of(canary, &c, &r.canary_count));
    if (r.baseline_count >= config->min_values && r.canary_count >= config->min_values) {
        TRY(insight_rank_test((struct insight_sample){c, r.canary_count},
                              (struct insight_sample){b, r.baseline_count},
                              config->confidence, &r.test));
        r.baseline_median = insight_median(b, r.baseline_count);
        r.tolerated = metric->tolerance * fabs(r.baseline_median);
        r.verdict = verdict_of(metric, &r);
    }
    *ret = r;
    return 0;
}

// --- the whole --------------------------------------------------------------------------------

static const char *const verdict_names[] = {"pass", "high", "low", "nodata"};

const char *insight_canary_verdict_name(enum insight_canary_verdict v)
{
    return verdict_names[v];
}

static const char *const direction_names[] = {"either", "increase", "decrease"};

static json_t *metric_json(const struct insight_canary_metric *m,
                           const struct insight_canary_result *r)
{
    json_t *o = json_pack("{ss ss ss sb ss sI sI}", "name", m->name, "group", m->group,
                          "direction", direction_names[m->direction], "critical",
                          m->critical, "verdict", verdict_names[r->verdict],
                          "baseline_values", (json_int_t)r->baseline_count,
                          "canary_values", (json_int_t)r->canary_count);
    if (!o || r->verdict == INSIGHT_CANARY_NODATA) {
        return o;
    }
    const struct insight_rank_test *t = &r->test;
    json_t *more = json_pack("{sf sf sf sf sf sf sf sf sf ss}", "baseline_median",
                             r->baseline_median, "shift", t->shift, "low", t->low, "high",
                             t->high, "confidence", t->confidence, "tolerated",
                             r->tolerated, "effect", t->effect, "w", t->w, "p", t->p,
                             "method", t->exact ? "exact" : "normal");
    if (!more || json_object_update(o, more) < 0) {
        json_decref(o);
        o = NULL;
    }
    json_decref(more);
    return o;
}

struct tally {
    double passed, judged;
};

static struct tally tally_of(const struct insight_canary_config *config,
                             const struct insight_canary_result *results,
                             const char *group)
{
    struct tally t = {0};
    for (size_t i = 0; i < config->metrics.len; i++) {
        const struct insight_canary_metric *m = &config->metrics.data[i];
        bool counts = results[i].verdict != INSIGHT_CANARY_NODATA || m->must_have;
        if (counts && strcmp(m->group, group) == 0) {
            t.judged++;
            t.passed += results[i].verdict == INSIGHT_CANARY_PASS;
        }
    }
    return t;
}

// The critical metric that failed, or NULL.
static const char *critical_failure(const struct insight_canary_config *config,
                                    const struct insight_canary_result *results)
{
    for (size_t i = 0; i < config->metrics.len; i++) {
        const struct insight_canary_metric *m = &config->metrics.data[i];
        bool nodata = results[i].verdict == INSIGHT_CANARY_NODATA;
        if (m->critical && results[i].verdict != INSIGHT_CANARY_PASS &&
            (!nodata || m->must_have)) {
            return m->name;
        }
    }
    return NULL;
}

int insight_canary_judge(const struct insight_canary_config *config,
                         const struct insight_canary_result *results, json_t **ret)
{
    AUTO(json_free) json_t *groups = json_array(), *metrics = json_array();
    double sum = 0, weights = 0;
    vec_for_each (group, &config->groups) {
        struct tally t = tally_of(config, results, group->name);
        double score = t.judged > 0 ? 100 * t.passed / t.judged : 0;
        if (t.judged > 0) {
            sum += group->weight * score;
            weights += group->weight;
        }
        json_t *o = t.judged > 0 ? json_pack("{ss sf sf}", "name", group->name, "weight",
                                             group->weight, "score", score)
                                 : json_pack("{ss sf sn}", "name", group->name, "weight",
                                             group->weight, "score");
        FAIL_IF(json_array_append_new(groups, o) < 0, ERR_NOMEM, "a judgement");
    }
    for (size_t i = 0; i < config->metrics.len; i++) {
        FAIL_IF(json_array_append_new(
                    metrics, metric_json(&config->metrics.data[i], &results[i])) < 0,
                ERR_NOMEM, "a judgement");
    }
    const char *critical = critical_failure(config, results);
    double score = critical || weights <= 0 ? 0 : sum / weights;
    const char *verdict = critical                    ? "fail"
                          : weights <= 0              ? "nodata"
                          : score >= config->pass     ? "pass"
                          : score >= config->marginal ? "marginal"
                                                      : "fail";
    AUTO(buf_free) struct buf why = {0};
    if (critical) {
        buf_printf(&why, "%s is critical and failed", critical);
    } else {
        buf_printf(&why, "score %.1f: pass from %g, fail below %g", score, config->pass,
                   config->marginal);
    }
    TRY(why.err);
    return json_made(json_pack("{si ss sf ss sO sO}", "schema", 1, "verdict", verdict,
                               "score", score, "why", why.data, "groups", groups,
                               "metrics", metrics),
                     ret);
}
