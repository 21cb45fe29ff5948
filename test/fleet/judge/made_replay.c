// SPDX-License-Identifier: GPL-3.0-or-later
//
// Made clusters of 200 servers, told over the wire: each minute's lines go through the intake into a real store, and each
// cluster is asked for and judged as the service does.
//
//     made_replay CONFIG sick CLUSTERS SEED     150 minutes, half a percent sick at the end
//     made_replay CONFIG quiet CLUSTERS SEED    a day of 1,440 looks, a minute apart, with nobody sick
//
// eps and min_points are annealed on other seeds and, where somebody is sick, on other kinds of faults.
#include "replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS     200
#define MINUTES     150 // before anybody is judged
#define DAY         1440
#define TUNING      24 // clusters
#define STEP_MS     INT64_C(60000)
#define START_MS    INT64_C(1700006400000)
#define REQUESTS    600
#define GAUGE_TTL_S 45 // shorter than a step: what is not told again is not there
#define METHODS     (INSIGHT_METHODS + 1)
#define BESIDE      5 // on a quiet day the others look each so many minutes

struct replayed {
    struct insight_simulated_cluster made;
    struct insight_peers_config *config;
    struct insight_tally tallies[METHODS];
    bool *seen; // [method * servers + server]: named before, on a quiet day
    size_t servers, alarms[METHODS], named[METHODS];
    bool *now; // [method * servers + server]: named at the last look
};

struct fleet {
    const struct insight_peers_config *methods; // INSIGHT_METHODS of them, tuned
    struct replayed *clusters;
    size_t count, steps, looks;
    struct replay replay;
    double look_s, tell_s;
};

static void fleet_free(struct fleet *f)
{
    for (size_t k = 0; f->clusters && k < f->count; k++) {
        insight_simulated_cluster_free(&f->clusters[k].made);
        insight_peers_config_free(&f->clusters[k].config);
        free(f->clusters[k].seen);
        free(f->clusters[k].now);
    }
    free(f->clusters);
    replay_close(&f->replay);
}

// --- telling ---------------------------------------------------------------------------------------

static void tell_server(const struct replayed *c, size_t number, size_t server,
                        size_t step, struct buf *out)
{
    static const struct {
        enum insight_simulated metric;
        const char *name;
    } gauges[] = {{INSIGHT_SIMULATED_latency, "http.latency"},
                  {INSIGHT_SIMULATED_cpu, "cpu.percent"},
                  {INSIGHT_SIMULATED_memory, "memory.percent"},
                  {INSIGHT_SIMULATED_disk, "disk.write.ms"},
                  {INSIGHT_SIMULATED_loss, "tcp.retransmit.share"}};
    const struct insight_recording *r = c->made.recording;
    for (size_t g = 0; g < ARRAY_LEN(gauges); g++) {
        double value = insight_recording_at(r, gauges[g].metric, server)[step];
        if (!isnan(value)) {
            buf_printf(out, "g,%d:%s,node=%s,cluster=c%zu:%.6g\n", GAUGE_TTL_S,
                       gauges[g].name, r->names[server], number, value);
        }
    }
    double errors = insight_recording_at(r, INSIGHT_SIMULATED_errors, server)[step];
    if (!isnan(errors)) {
        buf_printf(out,
                   "c:http.errors,node=%s,cluster=c%zu:%.6g\n"
                   "c:http.requests,node=%s,cluster=c%zu:%d\n",
                   r->names[server], number, errors * REQUESTS, r->names[server], number,
                   REQUESTS);
    }
}

static int tell_minute(struct fleet *f, size_t step)
{
    AUTO(buf_free) struct buf lines = {0};
    double began = replay_cpu_s();
    TRY(replay_to(&f->replay, START_MS + (int64_t)step * STEP_MS + STEP_MS / 2));
    for (size_t k = 0; k < f->count; k++) {
        buf_clear(&lines);
        for (size_t i = 0; i < f->clusters[k].made.recording->servers; i++) {
            tell_server(&f->clusters[k], k, i, step, &lines);
        }
        telemetry_intake_lines(f->replay.intake, buf_view(&lines));
    }
    TRY(replay_to(&f->replay, START_MS + (int64_t)(step + 1) * STEP_MS));
    f->tell_s += replay_cpu_s() - began;
    return 0;
}

// --- looking ---------------------------------------------------------------------------------------

// What operators usually write down, of numbers as they are; over it in as many windows as a suspect is out.
static bool over_threshold(const struct insight_peers_config *c, const double *features)
{
    static const struct {
        const char *name;
        double most;
    } usual[] = {{"latency", 250}, {"errors", 0.05}, {"cpu", 90},
                 {"memory", 90},   {"disk", 20},     {"loss", 0.05}};
    for (size_t m = 0; m < c->metric_count; m++) {
        double value = c->metrics[m].is_ratio ? exp(features[m]) : features[m];
        for (size_t u = 0; u < ARRAY_LEN(usual); u++) {
            if (strcmp(usual[u].name, c->metrics[m].name) == 0 && value > usual[u].most) {
                return true;
            }
        }
    }
    return false;
}

static int by_thresholds(const struct insight_peers_config *c,
                         const struct insight_recording *r, bool *ret_named)
{
    size_t *times = calloc(r->servers + 1, sizeof *times);
    FAIL_IF(!times, ERR_NOMEM, "servers");
    int err = 0;
    for (size_t k = 0; k < c->of && err >= 0; k++) {
        AUTO(insight_look_free) struct insight_look look = {0};
        err = insight_peers_look(c, r, r->steps - k * c->every, &look);
        for (size_t i = 0; err >= 0 && i < r->servers; i++) {
            bool over = over_threshold(c, look.features + i * look.metrics);
            times[i] += over;
            ret_named[i] = k == 0 ? over : ret_named[i];
        }
    }
    for (size_t i = 0; i < r->servers; i++) {
        ret_named[i] = ret_named[i] && times[i] >= c->enough;
    }
    free(times);
    return err;
}

// Who is named by the method, by their places in the recording. The detector's own way is timed.
static int name(const struct insight_peers_config *c, const struct insight_recording *r,
                bool *ret_named)
{
    AUTO(insight_suspects_free) struct insight_suspects *found = NULL;
    TRY(insight_peers_suspect(c, r, &found));
    vec_for_each (s, &found->list) {
        for (size_t i = 0; i < r->servers; i++) {
            if (strcmp(r->names[i], s->server) == 0) {
                ret_named[i] = true;
            }
        }
    }
    return 0;
}

static size_t place_of(const struct insight_recording *made, const char *server)
{
    size_t at = 0;
    while (strcmp(made->names[at], server) != 0) {
        at++;
    }
    return at;
}

static void count(struct replayed *c, size_t method, const struct insight_recording *r,
                  const bool *named)
{
    struct insight_tally *t = &c->tallies[method];
    size_t servers = c->made.recording->servers;
    bool *now = c->now + method * servers, *seen = c->seen + method * servers;
    bool *was = calloc(servers + 1, 1);
    ASSERT(was);
    memcpy(was, now, servers);
    memset(now, 0, servers);
    size_t right = 0;
    for (size_t i = 0; i < r->servers; i++) {
        size_t at = place_of(c->made.recording, r->names[i]);
        bool sick = c->made.faults[at] != INSIGHT_HEALTHY;
        right += named[i] && sick;
        t->wrong += named[i] && !sick;
        now[at] = named[i];
        c->alarms[method] += named[i] && !was[at] && !sick;
        c->named[method] += named[i] && !seen[at] && !sick;
        seen[at] |= named[i];
    }
    t->judged += r->servers;
    t->right += right;
    for (size_t i = 0; i < servers; i++) {
        t->missed += c->made.faults[i] != INSIGHT_HEALTHY;
    }
    t->missed -= right;
    free(was);
}

static int look(struct fleet *f, size_t k, int64_t end_ms)
{
    struct replayed *c = &f->clusters[k];
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    double began = replay_cpu_s();
    TRY(insight_peers_read(f->replay.store, c->config, end_ms, &r));
    bool *named = calloc(r->servers + 1, 1);
    FAIL_IF(!named, ERR_NOMEM, "servers");
    int err = 0;
    size_t methods = f->looks % BESIDE == 0 ? METHODS : 1;
    for (size_t m = 0; m < methods && err >= 0; m++) {
        struct insight_peers_config how = *c->config;
        const struct insight_peers_config *tuned =
            &f->methods[MIN(m, INSIGHT_METHODS - 1)];
        how.method = tuned->method, how.eps = tuned->eps,
        how.min_points = tuned->min_points;
        memset(named, 0, r->servers);
        err = m < INSIGHT_METHODS ? name(&how, r, named) : by_thresholds(&how, r, named);
        f->look_s += m == 0 ? replay_cpu_s() - began : 0;
        if (err >= 0) {
            count(c, m, r, named);
        }
    }
    free(named);
    return err;
}

static int look_at_all(struct fleet *f, int64_t end_ms)
{
    for (size_t k = 0; k < f->count; k++) {
        TRY(look(f, k, end_ms));
    }
    f->looks++;
    return 0;
}

// --- a fleet ---------------------------------------------------------------------------------------

static struct insight_simulation plan_of(bool sick, uint64_t seed, size_t steps)
{
    struct insight_simulation s = {.seed = seed, .servers = SERVERS, .steps = steps};
    if (sick) {
        s.sick = 0.005, s.faults = insight_faults_test;
        s.onset_first = 30, s.onset_last = steps - 60;
    }
    return s;
}

static int make(struct fleet *f, const struct insight_peers_config *base,
                const struct insight_simulation *plan)
{
    f->steps = plan->steps;
    f->clusters = calloc(f->count + 1, sizeof *f->clusters);
    FAIL_IF(!f->clusters, ERR_NOMEM, "clusters");
    for (size_t k = 0; k < f->count; k++) {
        struct replayed *c = &f->clusters[k];
        struct insight_simulation s = *plan;
        s.seed = plan->seed * 1000003 + k;
        TRY(insight_simulate(&s, &c->made));
        TRY(replay_cluster(base, k, &c->config));
        size_t servers = c->made.recording->servers;
        c->seen = calloc(METHODS * servers + 1, 1);
        c->now = calloc(METHODS * servers + 1, 1);
        FAIL_IF(!c->seen || !c->now, ERR_NOMEM, "servers");
    }
    return replay_open(&f->replay, STEP_MS, START_MS);
}

static int live(struct fleet *f, bool quiet)
{
    for (size_t step = 0; step < f->steps; step++) {
        TRY(tell_minute(f, step));
        // A rate has its value when the step behind it has begun: the service looks a step back.
        if (quiet ? step >= MINUTES : step + 1 == f->steps) {
            TRY(look_at_all(f, START_MS + (int64_t)step * STEP_MS));
        }
    }
    return 0;
}

static const char *method_name(size_t m)
{
    return m < INSIGHT_METHODS ? insight_method_name((enum insight_method)m)
                               : "thresholds";
}

static int show_costs(const struct fleet *f)
{
    struct telemetry_stats s = telemetry_stats(f->replay.store);
    size_t servers = f->count * SERVERS;
    printf("%zu servers, %zu clusters, %llu samples told in %.1f s of CPU; %zu looks at "
           "all: %.3f s of CPU each; store: %.0f MB of memory, %.0f MB on disk\n",
           servers, f->count, (unsigned long long)s.samples, f->tell_s, f->looks,
           f->look_s / (double)f->looks, (double)s.memory_bytes / 1e6,
           (double)(s.disk_bytes + s.log_bytes) / 1e6);
    return 0;
}

static int show(const struct fleet *f, bool quiet)
{
    struct insight_tally *tallies = calloc(f->count, sizeof *tallies);
    FAIL_IF(!tallies, ERR_NOMEM, "tallies");
    int err = 0;
    for (size_t m = 0; m < METHODS && err >= 0; m++) {
        size_t named = 0, alarms = 0, wrong = 0;
        for (size_t k = 0; k < f->count; k++) {
            tallies[k] = f->clusters[k].tallies[m];
            named += f->clusters[k].named[m], alarms += f->clusters[k].alarms[m];
            wrong += tallies[k].wrong;
        }
        struct insight_quality q;
        err = insight_quality_of(tallies, f->count, 1, &q);
        if (err >= 0 && !quiet) {
            replay_show(method_name(m), &q);
        } else if (err >= 0) {
            struct insight_share s = insight_share_of(named, f->count * SERVERS);
            printf("%-12s %zu servers named in %zu spells, of %zu: %.2f in 1,000 [%.2f "
                   "%.2f]; %.4f a look\n",
                   method_name(m), named, alarms, f->count * SERVERS, 1000 * s.value,
                   1000 * s.low, 1000 * s.high,
                   (double)wrong /
                       (double)(m == 0 ? f->looks : (f->looks + BESIDE - 1) / BESIDE));
        }
    }
    free(tallies);
    return err < 0 ? err : show_costs(f);
}

// --- tuning ----------------------------------------------------------------------------------------

static int tuning_case(const struct insight_peers_config *c, uint64_t seed,
                       struct insight_case *ret)
{
    struct insight_simulation s = plan_of(true, seed, MINUTES);
    s.faults = insight_faults_tuning, s.sick = 0.03;
    AUTO(insight_simulated_cluster_free) struct insight_simulated_cluster made = {0};
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    TRY(insight_simulate(&s, &made));
    TRY(insight_simulated_pick(&made, c, &r));
    TRY(insight_case_of(c, r, ret));
    ret->sick = calloc(r->servers + 1, sizeof *ret->sick);
    FAIL_IF(!ret->sick, ERR_NOMEM, "labels");
    for (size_t i = 0; i < r->servers; i++) {
        ret->sick[i] = made.faults[i] != INSIGHT_HEALTHY;
    }
    return 0;
}

static int tune(struct insight_peers_config *methods, uint64_t seed)
{
    struct insight_case cases[TUNING] = {0};
    int err = 0;
    for (size_t k = 0; k < TUNING && err >= 0; k++) {
        err = tuning_case(&methods[0], seed * 1000003 + 500000 + k, &cases[k]);
    }
    for (size_t m = 0; m < INSIGHT_METHODS && err >= 0; m++) {
        struct insight_annealed found;
        methods[m].method = (enum insight_method)m;
        methods[m].expected_percent = 0.5;
        methods[m].eps = m == INSIGHT_DBSCAN ? methods[0].eps : m == INSIGHT_MAD ? 5 : 2;
        err = insight_anneal(&methods[m], cases, TUNING, seed, &found);
        printf("tuned %-7s eps %.2f min_points %zu\n", method_name(m), methods[m].eps,
               methods[m].min_points);
    }
    insight_cases_free(cases, TUNING);
    return err;
}

static int run(const char *file, bool quiet, size_t clusters, uint64_t seed)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_peers_file_free) struct insight_peers_file read = {0};
    struct insight_peers_config methods[INSIGHT_METHODS];
    TRY(fs_read_file(file, 1 << 20, &text));
    TRY(insight_peers_parse(buf_view(&text), file, &read, &diag));
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        methods[m] = *read.clusters.data[0];
    }
    TRY(tune(methods, seed));
    struct insight_simulation plan =
        plan_of(!quiet, seed, quiet ? DAY + MINUTES : MINUTES);
    struct fleet f = {.methods = methods, .count = clusters};
    int err = make(&f, &methods[0], &plan);
    err = err < 0 ? err : live(&f, quiet);
    err = err < 0 ? err : show(&f, quiet);
    fleet_free(&f);
    return err;
}

int main(int argc, char **argv)
{
    int64_t clusters, seed;
    if (argc != 5 || str_to_i64(str_of(argv[3]), 1, 1000, &clusters) < 0 ||
        str_to_i64(str_of(argv[4]), 1, 1000000, &seed) < 0) {
        fprintf(stderr, "usage: made_replay CONFIG sick|quiet CLUSTERS SEED\n");
        return 2;
    }
    if (run(argv[1], strcmp(argv[2], "quiet") == 0, (size_t)clusters, (uint64_t)seed) <
        0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    return 0;
}
