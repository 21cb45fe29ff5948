// SPDX-License-Identifier: GPL-3.0-or-later
//
// How well sick servers are found, on made fleets: peers_bench CONFIG quality|day [SEED [CLUSTERS]]. Each method is tuned on one set of clusters
// and faults, and judged on others: other seeds, other kinds of faults. Then at half a percent sick, and on a day with none.
#include "insight/insight.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS 150 // minutes of a cluster before it is judged

struct plan {
    const struct insight_peers_config *config;
    size_t clusters;
    struct insight_simulation simulation; // seed and servers: of the first cluster
};

static int make_case(const struct plan *plan, size_t k, struct insight_case *ret)
{
    static const size_t sizes[] = {30, 60, 120, 200, 390, 400};
    struct insight_simulation s = plan->simulation;
    s.seed = plan->simulation.seed * 1000003 + k;
    s.servers = sizes[k % ARRAY_LEN(sizes)];
    AUTO(insight_simulated_cluster_free) struct insight_simulated_cluster made = {0};
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    TRY(insight_simulate(&s, &made));
    TRY(insight_simulated_pick(&made, plan->config, &r));
    TRY(insight_case_of(plan->config, r, ret));
    ret->sick = calloc(r->servers + 1, sizeof *ret->sick);
    FAIL_IF(!ret->sick, ERR_NOMEM, "labels");
    for (size_t i = 0; i < r->servers; i++) {
        ret->sick[i] = made.faults[i] != INSIGHT_HEALTHY;
    }
    return 0;
}

static int make_cases(const struct plan *plan, struct insight_case **ret)
{
    struct insight_case *cases = calloc(plan->clusters, sizeof *cases);
    FAIL_IF(!cases, ERR_NOMEM, "cases");
    *ret = cases;
    for (size_t k = 0; k < plan->clusters; k++) {
        TRY(make_case(plan, k, &cases[k]));
    }
    return 0;
}

static int judge(const struct insight_peers_config *c, struct insight_case *cases,
                 size_t count, struct insight_quality *ret)
{
    struct insight_tally *tallies = calloc(count, sizeof *tallies);
    FAIL_IF(!tallies, ERR_NOMEM, "tallies");
    int err = 0;
    for (size_t i = 0; i < count && err >= 0; i++) {
        for (size_t k = 0; k < cases[i].count && err >= 0; k++) {
            err = insight_look_score(c, &cases[i].looks[k]);
        }
        tallies[i] = insight_case_tally(c, &cases[i]);
    }
    err = err < 0 ? err : insight_quality_of(tallies, count, 1, ret);
    free(tallies);
    return err;
}

static void show(const char *what, const struct insight_peers_config *c,
                 const struct insight_quality *q)
{
    printf(
        "%-28s %-7s eps %6.2f min %2zu  judged %6zu right %4zu wrong %3zu missed %3zu  "
        "precision %.3f [%.3f %.3f]  recall %.3f [%.3f %.3f]  F %.3f [%.3f %.3f]\n",
        what, insight_method_name(c->method), c->eps, c->min_points, q->sum.judged,
        q->sum.right, q->sum.wrong, q->sum.missed, q->precision.value, q->precision.low,
        q->precision.high, q->recall.value, q->recall.low, q->recall.high, q->f.value,
        q->f.low, q->f.high);
    fflush(stdout);
}

static int run_plan(const char *what, struct plan *plan, struct insight_peers_config *c,
                    size_t methods)
{
    struct insight_case *cases = NULL;
    int err = make_cases(plan, &cases);
    struct insight_quality q;
    struct insight_peers_config one = *c;
    for (size_t m = 0; m < methods && err >= 0; m++) {
        err = judge(&c[m], cases, plan->clusters, &q);
        if (err >= 0) {
            show(what, &c[m], &q);
        }
    }
    if (err >= 0) { // without any tuning
        one.eps = 0, one.min_points = 0;
        err = judge(&one, cases, plan->clusters, &q);
        if (err >= 0) {
            show(what, &one, &q);
        }
    }
    insight_cases_free(cases, cases ? plan->clusters : 0);
    free(cases);
    return err;
}

static int tune(struct plan *plan, struct insight_peers_config *c, size_t methods,
                uint64_t seed)
{
    struct insight_case *cases = NULL;
    int err = make_cases(plan, &cases);
    for (size_t m = 0; m < methods && err >= 0; m++) {
        struct insight_annealed found;
        struct insight_quality q;
        c[m].method = (enum insight_method)m;
        c[m].eps = m == INSIGHT_DBSCAN ? c[0].eps : m == INSIGHT_MAD ? 5 : 2;
        err = insight_anneal(&c[m], cases, plan->clusters, seed, &found);
        err = err < 0 ? err : judge(&c[m], cases, plan->clusters, &q);
        if (err >= 0) {
            show("tuning", &c[m], &q);
        }
    }
    insight_cases_free(cases, cases ? plan->clusters : 0);
    free(cases);
    return err;
}

// How often healthy servers become suspects in a day, window by window.
static int quiet_day(const struct insight_peers_config *c, uint64_t seed, size_t clusters)
{
    size_t servers = 0, alarms = 0, named = 0, held = 0, looks_made = 0;
    for (size_t k = 0; k < clusters; k++) {
        struct insight_simulation s = {
            .seed = seed * 1000003 + k, .servers = 200, .steps = 1440 + STEPS};
        AUTO(insight_simulated_cluster_free) struct insight_simulated_cluster made = {0};
        AUTO(insight_recording_free) struct insight_recording *r = NULL;
        TRY(insight_simulate(&s, &made));
        TRY(insight_simulated_pick(&made, c, &r));
        size_t *streak = calloc(r->servers * (c->of + 1), sizeof *streak);
        bool *seen = calloc(r->servers, 1);
        FAIL_IF(!streak || !seen, ERR_NOMEM, "a day");
        servers += s.servers;
        size_t round = 0;
        for (size_t end = STEPS; end <= r->steps; end += c->every, round++) {
            AUTO(insight_look_free) struct insight_look look = {0};
            TRY(insight_peers_look(c, r, end, &look));
            looks_made++;
            held += look.verdict == INSIGHT_VERDICT_TOO_MANY;
            for (size_t i = 0; i < r->servers; i++) {
                bool out = look.states[i] == INSIGHT_OUTLIER;
                streak[i * (c->of + 1) + round % c->of] = out;
                size_t times = 0;
                for (size_t j = 0; j < c->of; j++) {
                    times += streak[i * (c->of + 1) + j];
                }
                bool suspect =
                    out && times >= c->enough && look.verdict == INSIGHT_VERDICT_JUDGED;
                size_t *before = &streak[i * (c->of + 1) + c->of];
                alarms += suspect && !*before;
                *before = suspect;
                named += suspect && !seen[i];
                seen[i] = seen[i] || suspect;
            }
        }
        free(streak);
        free(seen);
    }
    struct insight_share share = insight_share_of(named, servers);
    printf("a day without any sick       %s: %zu servers, %zu looks, %zu alarms of %zu "
           "servers (%.4f %% [%.4f %.4f]); %zu looks held back as too many\n",
           insight_method_name(c->method), servers, looks_made, alarms, named,
           100 * share.value, 100 * share.low, 100 * share.high, held);
    return 0;
}

static int quality(struct insight_peers_config *c, uint64_t seed)
{
    struct insight_simulation s = {.seed = seed,
                                   .steps = STEPS,
                                   .faults = insight_faults_tuning,
                                   .sick = 0.03,
                                   .onset_first = 30,
                                   .onset_last = STEPS - 60};
    struct plan plan = {c, 36, s};
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        c[m].expected_percent = 0.5; // what Netflix reports: fewer than one in a hundred
    }
    TRY(tune(&plan, c, INSIGHT_METHODS, seed));
    plan.simulation.seed = seed + 1000;
    plan.simulation.faults = insight_faults_test;
    plan.clusters = 120;
    TRY(run_plan("other seeds and faults, 3 %", &plan, c, INSIGHT_METHODS));
    plan.simulation.seed = seed + 2000;
    plan.simulation.sick = 0.005;
    return run_plan("20,000 servers, 0.5 % sick", &plan, c, INSIGHT_METHODS);
}

static int run(const char *file, const char *part, uint64_t seed, size_t clusters)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_peers_file_free) struct insight_peers_file read = {0};
    TRY(fs_read_file(file, 1 << 20, &text));
    TRY(insight_peers_parse(buf_view(&text), file, &read, &diag));
    struct insight_peers_config c[INSIGHT_METHODS];
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        c[m] = *read.clusters.data[0];
    }
    return str_eq_c(str_of(part), "day") ? quiet_day(&c[0], seed + 3000, clusters)
                                         : quality(c, seed);
}

int main(int argc, char **argv)
{
    int64_t seed = 1, clusters = 100;
    if (argc < 3 || (argc > 3 && str_to_i64(str_of(argv[3]), 1, 1000000, &seed) < 0) ||
        (argc > 4 && str_to_i64(str_of(argv[4]), 1, 10000, &clusters) < 0)) {
        fprintf(stderr, "usage: peers_bench CONFIG quality|day [SEED [CLUSTERS]]\n");
        return 2;
    }
    if (run(argv[1], argv[2], (uint64_t)seed, (size_t)clusters) < 0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    return 0;
}
