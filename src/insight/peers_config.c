// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which clusters are watched, by which metrics: a file that its owner writes.
#include "insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLUSTERS_MAX 1000
#define METRICS_MAX  64
#define STEPS_MAX    100000

struct metric_yaml {
    char *name, *query;
    int statistic, side, compare;
    double least;
};

struct cluster_yaml {
    char *name, *server;
    struct metric_yaml *metrics;
    unsigned metrics_count;
    int step_s, window_s, every_s, windows, enough, warm_up_s;
    int min_peers, coverage_percent, most_percent, group_percent;
    double expected_percent, eps;
    int min_points, method;
};

struct file_yaml {
    int schema;
    struct cluster_yaml *clusters;
    unsigned clusters_count;
};

// One more than the value, so that 0 is what nobody wrote.
static const cyaml_strval_t statistics[] = {
#define X(name, text) {text, INSIGHT_STATISTIC_##name + 1},
    INSIGHT_STATISTICS(X)
#undef X
};
static const cyaml_strval_t sides[] = {
    {"both", INSIGHT_BOTH_SIDES}, {"above", INSIGHT_ABOVE}, {"below", INSIGHT_BELOW}};
static const cyaml_strval_t compares[] = {{"difference", 0}, {"ratio", 1}};
static const cyaml_strval_t methods[] = {
    {"dbscan", INSIGHT_DBSCAN}, {"mad", INSIGHT_MAD}, {"lof", INSIGHT_LOF}};

#define OPTIONAL_INT(name) \
    CYAML_FIELD_INT(#name, CYAML_FLAG_OPTIONAL, struct cluster_yaml, name)
#define OPTIONAL_FLOAT(type, name) \
    CYAML_FIELD_FLOAT(#name, CYAML_FLAG_OPTIONAL, struct type, name)

static const cyaml_schema_field_t metric_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct metric_yaml, name, 1, 100),
    CYAML_FIELD_STRING_PTR("query", CYAML_FLAG_POINTER, struct metric_yaml, query, 1,
                           4000),
    CYAML_FIELD_ENUM("statistic", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
                     struct metric_yaml, statistic, statistics, ARRAY_LEN(statistics)),
    CYAML_FIELD_ENUM("side", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct metric_yaml,
                     side, sides, ARRAY_LEN(sides)),
    CYAML_FIELD_ENUM("compare", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
                     struct metric_yaml, compare, compares, ARRAY_LEN(compares)),
    OPTIONAL_FLOAT(metric_yaml, least),
    CYAML_FIELD_END};
static const cyaml_schema_value_t metric_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct metric_yaml, metric_fields)};
static const cyaml_schema_field_t cluster_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct cluster_yaml, name, 1, 120),
    CYAML_FIELD_STRING_PTR("server", CYAML_FLAG_POINTER, struct cluster_yaml, server, 1,
                           60),
    CYAML_FIELD_SEQUENCE("metrics", CYAML_FLAG_POINTER, struct cluster_yaml, metrics,
                         &metric_schema, 1, METRICS_MAX),
    OPTIONAL_INT(step_s),
    OPTIONAL_INT(window_s),
    OPTIONAL_INT(every_s),
    OPTIONAL_INT(windows),
    OPTIONAL_INT(enough),
    OPTIONAL_INT(warm_up_s),
    OPTIONAL_INT(min_peers),
    OPTIONAL_INT(coverage_percent),
    OPTIONAL_INT(most_percent),
    OPTIONAL_INT(group_percent),
    OPTIONAL_FLOAT(cluster_yaml, expected_percent),
    OPTIONAL_FLOAT(cluster_yaml, eps),
    OPTIONAL_INT(min_points),
    CYAML_FIELD_ENUM("method", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
                     struct cluster_yaml, method, methods, ARRAY_LEN(methods)),
    CYAML_FIELD_END};
static const cyaml_schema_value_t cluster_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct cluster_yaml, cluster_fields)};
static const cyaml_schema_field_t file_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct file_yaml, schema),
    CYAML_FIELD_SEQUENCE("clusters", CYAML_FLAG_POINTER, struct file_yaml, clusters,
                         &cluster_schema, 1, CLUSTERS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t file_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_yaml, file_fields)};

void insight_peers_config_free(struct insight_peers_config **c)
{
    if (!*c) {
        return;
    }
    for (size_t m = 0; m < (*c)->metric_count; m++) {
        free((*c)->metrics[m].name);
        free((*c)->metrics[m].query);
    }
    free((*c)->metrics);
    free((*c)->cluster);
    free((*c)->server);
    free(*c);
    *c = NULL;
}

void insight_peers_file_free(struct insight_peers_file *f)
{
    vec_for_each (cluster, &f->clusters) {
        insight_peers_config_free(cluster);
    }
    vec_free(&f->clusters);
}

// --- mistakes that a schema cannot see ------------------------------------------------------------

struct reading {
    struct str text;
    const char *file;
    struct diag *diag;
    unsigned cluster; // that is read
};

static void wrong(const struct reading *r, const char *key, const char *why)
{
    AUTO(cstr_free) char *path = NULL;
    if (cstr_printf(&path, "clusters/%u/%s", r->cluster, key) == 0) {
        diag_add(r->diag, r->file, yaml_line_of(r->text, path), "%s: %s", key, why);
    }
}

struct bound {
    const char *key;
    int value, min, max;
};

static int in_bounds(const struct reading *r, const struct bound *bounds, size_t count)
{
    int err = 0;
    for (size_t i = 0; i < count; i++) {
        const struct bound *b = &bounds[i];
        if (b->value < b->min || b->value > b->max) {
            AUTO(cstr_free) char *why = NULL;
            TRY(cstr_printf(&why, "%d is not within %d to %d", b->value, b->min, b->max));
            wrong(r, b->key, why);
            err = ERR_INVALID;
        }
    }
    return err;
}

static void fill_in(struct cluster_yaml *c)
{
#define USUAL(field, value) c->field = c->field ? c->field : (value)
    USUAL(step_s, 60);
    USUAL(window_s, 5 * c->step_s);
    USUAL(every_s, c->window_s);
    USUAL(windows, 4);
    USUAL(enough, MIN(c->windows, 3));
    USUAL(warm_up_s, 15 * c->step_s);
    USUAL(min_peers, 8);
    USUAL(coverage_percent, 60);
    USUAL(most_percent, 10);
    USUAL(group_percent, 15);
#undef USUAL
}

static int check_cluster(const struct reading *r, const struct cluster_yaml *c)
{
    const struct bound bounds[] = {
        {"step_s", c->step_s, 1, 86400},
        {"window_s", c->window_s, c->step_s, 86400},
        {"every_s", c->every_s, c->step_s, 86400},
        {"windows", c->windows, 1, 1000},
        {"enough", c->enough, 1, c->windows},
        {"warm_up_s", c->warm_up_s, c->step_s, 7 * 86400},
        {"min_peers", c->min_peers, 4, 1000000},
        {"coverage_percent", c->coverage_percent, 1, 100},
        {"most_percent", c->most_percent, 1, 50},
        {"group_percent", c->group_percent, 1, 50},
        {"min_points", c->min_points, 0, 1000000},
    };
    TRY(in_bounds(r, bounds, ARRAY_LEN(bounds)));
    const char *key = c->window_s % c->step_s    ? "window_s"
                      : c->every_s % c->step_s   ? "every_s"
                      : c->warm_up_s % c->step_s ? "warm_up_s"
                                                 : NULL;
    if (key) {
        wrong(r, key, "is no multiple of step_s");
    }
    int64_t looked_at = c->window_s + (int64_t)c->every_s * (c->windows - 1);
    if (!key && (looked_at + c->warm_up_s) / c->step_s > STEPS_MAX) {
        wrong(r, key = "windows", "windows and warm-up are over 100000 steps");
    }
    if (!(c->eps >= 0) || !isfinite(c->eps)) {
        wrong(r, key = "eps", "is not a number of at least 0");
    }
    if (!(c->expected_percent >= 0 && c->expected_percent <= 50)) {
        wrong(r, key = "expected_percent", "is not within 0 to 50");
    }
    for (unsigned m = 0; m < c->metrics_count; m++) {
        if (!(c->metrics[m].least >= 0) || !isfinite(c->metrics[m].least)) {
            AUTO(cstr_free) char *path = NULL;
            TRY(cstr_printf(&path, "metrics/%u/least", m));
            wrong(r, path, "is not a number of at least 0");
            key = "metrics";
        }
    }
    return key ? ERR_INVALID : 0;
}

static int take_cluster(struct cluster_yaml *y, struct insight_peers_config **ret)
{
    AUTO(insight_peers_config_free)
    struct insight_peers_config *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "a cluster");
    c->metrics = calloc(y->metrics_count, sizeof *c->metrics);
    FAIL_IF(!c->metrics, ERR_NOMEM, "metrics");
    for (; c->metric_count < y->metrics_count; c->metric_count++) {
        struct metric_yaml *m = &y->metrics[c->metric_count];
        c->metrics[c->metric_count] = (struct insight_metric){
            .name = TAKE(m->name),
            .query = TAKE(m->query),
            .statistic = (enum insight_statistic)(
                m->statistic ? m->statistic - 1 : INSIGHT_STATISTIC_MEDIAN),
            .side = (enum insight_side)m->side,
            .is_ratio = m->compare == 1,
            .least = m->least};
    }
    c->cluster = TAKE(y->name);
    c->server = TAKE(y->server);
    c->step_ms = (int64_t)y->step_s * 1000;
    c->window = (size_t)(y->window_s / y->step_s);
    c->every = (size_t)(y->every_s / y->step_s);
    c->of = (size_t)y->windows, c->enough = (size_t)y->enough;
    c->warm_up = (size_t)(y->warm_up_s / y->step_s);
    c->min_peers = (size_t)y->min_peers;
    c->coverage_percent = y->coverage_percent;
    c->most_percent = y->most_percent;
    c->group_percent = y->group_percent;
    c->expected_percent = y->expected_percent;
    c->method = (enum insight_method)y->method;
    c->eps = y->eps;
    c->min_points = (size_t)y->min_points;
    *ret = TAKE(c);
    return 0;
}

static int take_file(struct reading *r, struct file_yaml *y,
                     struct insight_peers_file *out)
{
    if (y->schema != 1) {
        diag_add(r->diag, r->file, yaml_line_of(r->text, "schema"), "schema: is not 1");
        return diag_fail(r->diag, ERR_INVALID);
    }
    int err = 0;
    for (; r->cluster < y->clusters_count; r->cluster++) {
        struct cluster_yaml *c = &y->clusters[r->cluster];
        fill_in(c);
        if (check_cluster(r, c) < 0) {
            err = ERR_INVALID;
            continue;
        }
        struct insight_peers_config *made = NULL;
        TRY(take_cluster(c, &made));
        if (vec_push(&out->clusters, made) < 0) {
            insight_peers_config_free(&made);
            return ERR_NOMEM;
        }
    }
    return err < 0 ? diag_fail(r->diag, err) : 0;
}

int insight_peers_parse(struct str text, const char *file, struct insight_peers_file *ret,
                        struct diag *diag)
{
    struct file_yaml *y = NULL;
    TRY(yaml_load(text, file, &file_schema, (void **)&y, NULL, diag));
    struct reading r = {text, file, diag, 0};
    AUTO(insight_peers_file_free) struct insight_peers_file made = {0};
    int err = take_file(&r, y, &made);
    yaml_data_free(&file_schema, y, 0);
    TRY(err);
    *ret = made;
    made = (struct insight_peers_file){0};
    return 0;
}
