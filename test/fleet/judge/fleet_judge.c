// SPDX-License-Identifier: GPL-3.0-or-later
//
// Judges recorded runs of the fleet: the lines that came over the wire go through the intake into a store,
// under a clock that is theirs, the detector's questions are asked of the store, its windows looked at.
//
//     fleet_judge CONFIG TUNING-RUN[,TUNING-RUN…] RUN…
//
// A RUN is a folder of truth.mjs. eps and min_points are annealed on the tuning runs, for each method, and
// each RUN is looked at with those: an object on stdout, scored by score.mjs.
#include "replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX (INT64_C(1) << 30)
#define STRIDE    5 // steps between looks

// --- a run -------------------------------------------------------------------------------------

struct run {
    const char *dir;
    json_t *labels;
    struct replay replay;
    int64_t from_ms, until_ms; // whole steps
};

static void run_free(struct run *r)
{
    replay_close(&r->replay);
    json_decref(r->labels);
}

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static int run_read(struct run *r, const char *dir, int64_t step_ms)
{
    AUTO(cstr_free) char *labels = NULL, *lines = NULL;
    AUTO(buf_free) struct buf text = {0};
    r->dir = dir;
    TRY(cstr_printf(&labels, "%s/labels.json", dir));
    TRY(cstr_printf(&lines, "%s/series.lines", dir));
    TRY(fs_read_file(labels, 1 << 20, &text));
    TRY(json_parse(&r->labels, buf_view(&text), 1 << 20));
    buf_clear(&text);
    TRY(fs_read_file(lines, LINES_MAX, &text));
    r->from_ms = number(r->labels, "from_ms") / step_ms * step_ms + step_ms;
    r->until_ms = number(r->labels, "until_ms") / step_ms * step_ms;
    TRY(replay_open(&r->replay, step_ms, r->from_ms - 60000));
    return replay_lines(&r->replay, buf_view(&text));
}

// The first time at which there are windows enough.
static int64_t first_look(const struct insight_peers_config *c, const struct run *r)
{
    return r->from_ms + (int64_t)(c->window + c->every * (c->of - 1)) * c->step_ms;
}

// --- tuning ------------------------------------------------------------------------------------

// The looks at `until_ms`; who was sick for the whole of the windows that a suspect needs, and who for a part of what was
// looked at.
static void label(const struct insight_peers_config *c, const struct run *r,
                  int64_t until_ms, const struct insight_recording *seen,
                  struct insight_case *out)
{
    int64_t needed_ms = (int64_t)(c->window + c->every * (c->enough - 1)) * c->step_ms,
            looked_ms = (int64_t)(c->window + c->every * (c->of - 1)) * c->step_ms;
    size_t k;
    const json_t *fault;
    json_array_foreach(json_object_get(r->labels, "faults"), k, fault)
    {
        int64_t from_ms = number(fault, "from_ms"), end_ms = number(fault, "until_ms");
        bool whole = from_ms <= until_ms - needed_ms + 2 * c->step_ms &&
                     end_ms + 2 * c->step_ms >= until_ms;
        bool touched =
            from_ms < until_ms && end_ms + 2 * c->step_ms > until_ms - looked_ms;
        for (size_t i = 0; i < seen->servers; i++) {
            if (strcmp(seen->names[i], json_str_or(fault, "server", "")) == 0) {
                out->sick[i] |= whole;
                out->unsure[i] |= touched && !whole;
            }
        }
    }
}

static int case_at(const struct insight_peers_config *c, const struct run *r,
                   int64_t until_ms, struct insight_case *ret)
{
    AUTO(insight_recording_free) struct insight_recording *seen = NULL;
    TRY(insight_peers_read(r->replay.store, c, until_ms, &seen));
    TRY(insight_case_of(c, seen, ret));
    ret->sick = calloc(seen->servers + 1, sizeof *ret->sick);
    ret->unsure = calloc(seen->servers + 1, sizeof *ret->unsure);
    FAIL_IF(!ret->sick || !ret->unsure, ERR_NOMEM, "labels");
    label(c, r, until_ms, seen, ret);
    return 0;
}

static int add_case(const struct insight_peers_config *c, const struct run *r,
                    int64_t until_ms, struct insight_case **cases, size_t *count)
{
    struct insight_case *more = realloc(*cases, (*count + 1) * sizeof *more);
    FAIL_IF(!more, ERR_NOMEM, "cases");
    *cases = more;
    TRY(case_at(c, r, until_ms, &more[*count]));
    ++*count;
    return 0;
}

// Every look of the runs, those at which nobody is sick too: they say what a false alarm costs.
static int tuning_cases(const struct insight_peers_config *c, const struct run *runs,
                        size_t count, struct insight_case **cases, size_t *ret_count)
{
    for (size_t k = 0; k < count; k++) {
        for (int64_t at_ms = first_look(c, &runs[k]); at_ms <= runs[k].until_ms;
             at_ms += STRIDE * c->step_ms) {
            TRY(add_case(c, &runs[k], at_ms, cases, ret_count));
        }
    }
    return 0;
}

static int anneal(struct insight_peers_config *methods, struct insight_case *cases,
                  size_t count, json_t *tuned)
{
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        struct insight_annealed found;
        methods[m].method = (enum insight_method)m;
        methods[m].eps = m == INSIGHT_DBSCAN ? 3 : m == INSIGHT_MAD ? 4 : 2;
        methods[m].min_points = 4;
        TRY(insight_anneal(&methods[m], cases, count, 1, &found));
        json_object_set_new(tuned, insight_method_name(methods[m].method),
                            json_pack("{s:f, s:I, s:f, s:I}", "eps", methods[m].eps,
                                      "min_points", (json_int_t)methods[m].min_points,
                                      "energy", found.energy, "cases",
                                      (json_int_t)count));
    }
    return 0;
}

static int tune(struct insight_peers_config *methods, const struct run *runs,
                size_t count, json_t *out)
{
    struct insight_case *cases = NULL;
    size_t n = 0;
    json_t *tuned = json_object();
    json_object_set_new(out, "tuned", tuned);
    int err = tuning_cases(&methods[0], runs, count, &cases, &n);
    err = err < 0 ? err : anneal(methods, cases, n, tuned);
    insight_cases_free(cases, n);
    free(cases);
    return err;
}

// --- looking -----------------------------------------------------------------------------------

// As the service looks: a recording out of the store, and who is a suspect in it.
static int look_now(const struct insight_peers_config *c, const struct run *r,
                    int64_t at_ms, json_t *looks)
{
    AUTO(insight_recording_free) struct insight_recording *seen = NULL;
    AUTO(insight_suspects_free) struct insight_suspects *found = NULL;
    TRY(insight_peers_read(r->replay.store, c, at_ms, &seen));
    TRY(insight_peers_suspect(c, seen, &found));
    json_t *suspects = json_array();
    vec_for_each (s, &found->list) {
        json_array_append_new(suspects, json_string(s->server));
    }
    json_array_append_new(
        looks, json_pack("{s:I, s:s, s:o}", "at_ms", (json_int_t)at_ms, "verdict",
                         insight_verdict_text(found->verdict), "suspects", suspects));
    return 0;
}

// What thresholds would see: the numbers of each window as they are, of those that can be compared.
static int bands_now(const struct insight_peers_config *c, const struct run *r,
                     int64_t at_ms, json_t *looks)
{
    AUTO(insight_recording_free) struct insight_recording *seen = NULL;
    AUTO(insight_look_free) struct insight_look look = {0};
    TRY(insight_peers_read(r->replay.store, c, at_ms, &seen));
    TRY(insight_peers_look(c, seen, seen->steps, &look));
    json_t *servers = json_object();
    for (size_t i = 0; i < look.servers; i++) {
        json_t *row = json_object();
        for (size_t m = 0; m < look.metrics; m++) {
            double v = look.features[i * look.metrics + m];
            if (!isnan(v)) {
                json_object_set_new(row, c->metrics[m].name, json_real(v));
            }
        }
        json_object_set_new(servers, seen->names[i], row);
    }
    json_array_append_new(
        looks, json_pack("{s:I, s:o}", "at_ms", (json_int_t)at_ms, "servers", servers));
    return 0;
}

static int judge(const struct insight_peers_config *methods,
                 const struct insight_peers_config *bands, const struct run *r,
                 json_t *runs)
{
    json_t *by = json_object(), *seen = json_array();
    json_array_append_new(runs, json_pack("{s:s, s:O, s:o, s:o}", "dir", r->dir, "labels",
                                          r->labels, "methods", by, "bands", seen));
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        json_t *looks = json_array();
        json_object_set_new(by, insight_method_name(methods[m].method), looks);
        for (int64_t at = first_look(&methods[m], r); at <= r->until_ms;
             at += STRIDE * methods[m].step_ms) {
            TRY(look_now(&methods[m], r, at, looks));
        }
    }
    for (int64_t at = first_look(bands, r); at <= r->until_ms;
         at += STRIDE * bands->step_ms) {
        TRY(bands_now(bands, r, at, seen));
    }
    return 0;
}

#define RUNS_MAX 32

static int run_with(const struct insight_peers_file *config, char **args, int count,
                    struct run *tuning)
{
    AUTO(json_free) json_t *out = json_object();
    struct insight_peers_config methods[INSIGHT_METHODS];
    const struct insight_peers_config *bands = config->clusters.data[1];
    size_t tunings = 0;
    char *rest = NULL;
    for (char *d = strtok_r(args[0], ",", &rest); d && tunings < RUNS_MAX;
         d = strtok_r(NULL, ",", &rest)) {
        TRY(run_read(&tuning[tunings++], d, bands->step_ms));
    }
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        methods[m] = *config->clusters.data[0];
    }
    TRY(tune(methods, tuning, tunings, out));
    json_t *runs = json_array(), *learnt = json_array();
    json_object_set_new(out, "runs", runs);
    json_object_set_new(out, "tuning", learnt);
    for (size_t i = 0; i < tunings; i++) {
        TRY(judge(methods, bands, &tuning[i], learnt));
    }
    for (int i = 1; i < count; i++) {
        AUTO(run_free) struct run r = {0};
        TRY(run_read(&r, args[i], bands->step_ms));
        TRY(judge(methods, bands, &r, runs));
    }
    json_dumpf(out, stdout, JSON_COMPACT);
    return 0;
}

static int run_all(char **args, int count)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_peers_file_free) struct insight_peers_file config = {0};
    struct run tuning[RUNS_MAX] = {0};
    TRY(fs_read_file(args[0], 1 << 20, &text));
    if (insight_peers_parse(buf_view(&text), args[0], &config, &diag) < 0) {
        diag_print(&diag, stderr);
        return ERR_INVALID;
    }
    FAIL_IF(config.clusters.len != 2, ERR_INVALID, "%s: servers, then bands", args[0]);
    int err = run_with(&config, args + 1, count - 1, tuning);
    for (size_t i = 0; i < RUNS_MAX; i++) {
        run_free(&tuning[i]);
    }
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: fleet_judge CONFIG TUNING-RUN[,TUNING-RUN…] RUN…\n");
        return 2;
    }
    if (run_all(argv + 1, argc - 1) < 0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    return 0;
}
