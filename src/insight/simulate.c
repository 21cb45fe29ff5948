// SPDX-License-Identifier: GPL-3.0-or-later
//
// Minute by minute, server by server. Numbers are everyday ones, not those of any real fleet: what matters is that healthy
// servers differ, drift, restart and misbehave for a while, as real ones do.
#include "insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY      1440.0
#define NEVER    SIZE_MAX
#define REQUESTS 600 // a minute and server, at full load

const unsigned insight_faults_tuning =
    1u << INSIGHT_FAULT_LATENCY | 1u << INSIGHT_FAULT_CPU_CAP | 1u << INSIGHT_FAULT_LOSS;
const unsigned insight_faults_test =
    1u << INSIGHT_FAULT_ERRORS | 1u << INSIGHT_FAULT_LEAK | 1u << INSIGHT_FAULT_SLOW_DISK;

const char *insight_fault_name(enum insight_fault fault)
{
    static const char *const names[] = {"healthy",
#define X(name, text) text,
                                        INSIGHT_FAULTS(X)
#undef X
    };
    return names[fault];
}

int insight_simulated_find(const char *name)
{
    static const char *const names[] = {
#define X(metric, what) #metric,
        INSIGHT_SIMULATED(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void insight_simulated_cluster_free(struct insight_simulated_cluster *c)
{
    insight_recording_free(&c->recording);
    free(c->faults);
    c->faults = NULL;
}

// --- chance (splitmix64, Steele et al. 2014) --------------------------------------------------------

struct chance {
    uint64_t state;
};

static uint64_t draw(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double uniform(struct chance *c, double low, double high)
{
    return low + (high - low) * (double)(draw(c) >> 11) * 0x1p-53;
}

// Twelve uniforms: the same on every machine, whatever its library's logarithm.
static double normal(struct chance *c)
{
    uint64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t bits = draw(c);
        sum += (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) +
               (bits >> 48);
    }
    return (double)sum / 65536 - 6;
}

static bool happens(struct chance *c, double probability)
{
    return uniform(c, 0, 1) < probability;
}

static double poisson(struct chance *c, double mean)
{
    if (mean > 50) {
        double near = floor(mean + sqrt(mean) * normal(c) + 0.5);
        return MAX(near, 0);
    }
    double left = exp(-mean), product = uniform(c, 0, 1), count = 0;
    for (; product > left; count++) {
        product *= uniform(c, 0, 1);
    }
    return count;
}

// --- servers ---------------------------------------------------------------------------------------

struct server {
    double weight, hardware, memory, disk; // how it differs from the others, for good
    size_t born, gone, restart;            // steps
    size_t steal_until, busy_until;        // a neighbour takes its time; its disk is busy
    double steal, busy;
    double drift; // slow, of its latency
    enum insight_fault fault;
    size_t onset;
    double severity;
};

struct fleet {
    const struct insight_simulation *config;
    struct chance chance;
    struct insight_simulated_cluster *out;
    struct server *servers;
    size_t count;
    double latency, phase, memory; // of this cluster
    double weather;                // slow, of its load
    size_t outage, outage_end;     // of its telemetry
};

static struct server make_server(struct fleet *f)
{
    struct chance *c = &f->chance;
    // Few servers are far from the rest for good: an older machine, a heavier share.
    double odd = happens(c, 0.04) ? 2.2 : 1;
    return (struct server){
        .weight = exp(0.05 * odd * normal(c)),
        .hardware = exp(0.05 * odd * normal(c)),
        .memory = 2.5 * odd * normal(c),
        .disk = exp(0.10 * odd * normal(c)),
        .gone = NEVER,
        .restart = NEVER,
    };
}

static void make_sick(struct fleet *f, struct server *s)
{
    static const double severities[INSIGHT_FAULT_COUNT][2] = {
        [INSIGHT_FAULT_LATENCY] = {1.5, 3},  [INSIGHT_FAULT_CPU_CAP] = {0.35, 0.6},
        [INSIGHT_FAULT_LOSS] = {0.01, 0.04}, [INSIGHT_FAULT_ERRORS] = {0.015, 0.03},
        [INSIGHT_FAULT_LEAK] = {0.25, 0.7},  [INSIGHT_FAULT_SLOW_DISK] = {3, 8},
    };
    do {
        s->fault = (enum insight_fault)(1 + draw(&f->chance) % (INSIGHT_FAULT_COUNT - 1));
    } while (!(f->config->faults & 1u << s->fault));
    s->severity = uniform(&f->chance, severities[s->fault][0], severities[s->fault][1]);
    size_t span = f->config->onset_last - f->config->onset_first + 1;
    s->onset = f->config->onset_first + draw(&f->chance) % span;
    s->gone = NEVER;
    s->restart = NEVER; // a fault that a restart mends is not what is looked for
}

static int make_fleet(struct fleet *f)
{
    const struct insight_simulation *c = f->config;
    struct chance *chance = &f->chance;
    f->count = c->servers + c->servers / 10;
    f->servers = calloc(f->count + 1, sizeof *f->servers);
    FAIL_IF(!f->servers, ERR_NOMEM, "servers");
    f->latency = uniform(chance, 20, 120);
    f->phase = uniform(chance, 0, DAY);
    f->memory = uniform(chance, 35, 55);
    size_t grow = draw(chance) % c->steps, deploy = draw(chance) % (c->steps + 240);
    size_t stagger = 1 + draw(chance) % 3;
    f->outage = happens(chance, 0.1) ? draw(chance) % c->steps : NEVER;
    f->outage_end = f->outage == NEVER ? NEVER : f->outage + 2 + draw(chance) % 6;
    for (size_t i = 0; i < f->count; i++) {
        struct server *s = &f->servers[i];
        *s = make_server(f);
        s->born = i < c->servers ? 0 : grow + draw(chance) % 5;
        s->gone = happens(chance, 0.02) ? draw(chance) % c->steps : NEVER;
        if (deploy < c->steps && s->born < deploy) {
            s->restart = deploy + i * stagger / 4;
        }
        if (i < c->servers && happens(chance, c->sick)) {
            make_sick(f, s);
        }
    }
    return 0;
}

// --- a minute -----------------------------------------------------------------------------------------

struct minute {
    double load; // of the cluster, 1 is full
    size_t step;
};

static void episodes(struct fleet *f, struct server *s, size_t step)
{
    struct chance *c = &f->chance;
    if (step >= s->steal_until && happens(c, 1 / 700.0)) {
        s->steal_until = step + 3 + draw(c) % 12;
        s->steal = uniform(c, 0.1, 0.5);
    }
    if (step >= s->busy_until && happens(c, 1 / 500.0)) {
        s->busy_until = step + 2 + draw(c) % 8;
        s->busy = uniform(c, 1.5, 5);
    }
    s->drift = 0.97 * s->drift + 0.012 * normal(c);
}

static double cpu_of(struct fleet *f, const struct server *s, const struct minute *now,
                     double *ret_slow)
{
    double demand = 0.65 * now->load * s->weight * (1 + 0.04 * normal(&f->chance));
    double stolen = now->step < s->steal_until ? s->steal : 0;
    double cap = s->fault == INSIGHT_FAULT_CPU_CAP && now->step >= s->onset
                     ? s->severity * 0.65 * now->load
                     : 1;
    double used = MIN(demand * (1 + 0.3 * stolen), cap);
    // What has to wait for the processor waits longer the fuller it is.
    *ret_slow = (1 + 1.2 * demand * demand * demand) * (1 + 0.8 * stolen) *
                (demand > cap ? 1 + 1.5 * (demand / cap - 1) : 1);
    return 100 * MIN(used, 1);
}

static double loss_of(struct fleet *f, const struct server *s, const struct minute *now)
{
    double share =
        s->fault == INSIGHT_FAULT_LOSS && now->step >= s->onset ? s->severity : 0;
    double sent = 20000 * now->load * s->weight + 1;
    return poisson(&f->chance, sent * (2e-4 + share)) / sent;
}

static double memory_of(struct fleet *f, const struct server *s, const struct minute *now,
                        size_t age)
{
    double full = f->memory + s->memory + 4 * now->load;
    double leak = s->fault == INSIGHT_FAULT_LEAK && now->step >= s->onset
                      ? s->severity * (double)(now->step - s->onset)
                      : 0;
    double cold = exp(-(double)age / 30);
    return MIN(full * (1 - 0.5 * cold) + leak + 0.5 * normal(&f->chance), 97);
}

static double disk_of(struct fleet *f, const struct server *s, const struct minute *now)
{
    double slow = now->step < s->busy_until ? s->busy : 1;
    slow *=
        s->fault == INSIGHT_FAULT_SLOW_DISK && now->step >= s->onset ? s->severity : 1;
    return 2 * s->disk * slow * exp(0.2 * normal(&f->chance));
}

static double latency_of(struct fleet *f, const struct server *s,
                         const struct minute *now, double slow, size_t age)
{
    bool sick = now->step >= s->onset;
    double factor = s->fault == INSIGHT_FAULT_LATENCY && sick     ? s->severity
                    : s->fault == INSIGHT_FAULT_SLOW_DISK && sick ? 1.15
                    : s->fault == INSIGHT_FAULT_LOSS && sick      ? 1 + 8 * s->severity
                                                                  : 1;
    // A heavy tail: now and then a minute holds something very slow.
    double tail = happens(&f->chance, 0.015)
                      ? MIN(pow(uniform(&f->chance, 0.001, 1), -0.5), 20)
                      : 1;
    double cold = 1 + 1.5 * exp(-(double)age / 4);
    return f->latency * s->hardware * slow * factor * tail * cold *
           exp(s->drift + 0.05 * normal(&f->chance));
}

static double errors_of(struct fleet *f, const struct server *s, const struct minute *now)
{
    double share = 4e-4;
    share += s->fault == INSIGHT_FAULT_ERRORS && now->step >= s->onset ? s->severity : 0;
    double requests = REQUESTS * now->load * s->weight + 1;
    return poisson(&f->chance, requests * share) / requests;
}

static void serve(struct fleet *f, size_t at, const struct minute *now)
{
    struct server *s = &f->servers[at];
    size_t restarted = s->restart != NEVER && now->step >= s->restart;
    size_t begun = restarted ? s->restart + 3 : s->born;
    bool gone =
        now->step < s->born || now->step >= s->gone || (restarted && now->step < begun);
    episodes(f, s, now->step);
    // Those that were there from the beginning are old.
    size_t age = begun == 0 ? 1000 : gone ? 0 : now->step - begun;
    double slow, values[INSIGHT_SIMULATED_COUNT];
    values[INSIGHT_SIMULATED_cpu] = cpu_of(f, s, now, &slow);
    values[INSIGHT_SIMULATED_latency] = latency_of(f, s, now, slow, age);
    values[INSIGHT_SIMULATED_errors] = errors_of(f, s, now);
    values[INSIGHT_SIMULATED_memory] = memory_of(f, s, now, age);
    values[INSIGHT_SIMULATED_disk] = disk_of(f, s, now);
    values[INSIGHT_SIMULATED_loss] = loss_of(f, s, now);
    bool lost = now->step >= f->outage && now->step < f->outage_end && f->outage != NEVER;
    for (size_t m = 0; m < INSIGHT_SIMULATED_COUNT; m++) {
        bool missing = happens(&f->chance, 0.005) || lost || gone;
        insight_recording_at(f->out->recording, m, at)[now->step] =
            missing ? NAN : values[m];
    }
}

static int run(struct fleet *f)
{
    const struct insight_simulation *c = f->config;
    TRY(make_fleet(f));
    TRY(insight_recording_new(&f->out->recording, INSIGHT_SIMULATED_COUNT, f->count,
                              c->steps));
    f->out->recording->step_ms = 60000;
    f->out->recording->start_ms = 60000;
    f->out->faults = calloc(f->count + 1, sizeof *f->out->faults);
    FAIL_IF(!f->out->faults, ERR_NOMEM, "faults");
    for (size_t i = 0; i < f->count; i++) {
        f->out->faults[i] = f->servers[i].fault;
        TRY(cstr_printf(&f->out->recording->names[i], "server-%zu", i));
    }
    for (size_t step = 0; step < c->steps; step++) {
        f->weather = 0.98 * f->weather + 0.01 * normal(&f->chance);
        double daily = sin(2 * M_PI * ((double)step + f->phase) / DAY);
        struct minute now = {CLAMP(0.6 + 0.3 * daily + f->weather, 0.1, 1.2), step};
        for (size_t i = 0; i < f->count; i++) {
            serve(f, i, &now);
        }
    }
    return 0;
}

int insight_simulate(const struct insight_simulation *config,
                     struct insight_simulated_cluster *ret)
{
    FAIL_IF(config->servers == 0 || config->steps == 0 ||
                config->onset_first > config->onset_last ||
                (config->sick > 0 && !(config->faults >> 1)),
            ERR_INVALID, "nothing to simulate");
    AUTO(insight_simulated_cluster_free) struct insight_simulated_cluster made = {0};
    struct fleet f = {.config = config, .chance = {config->seed}, .out = &made};
    int err = run(&f);
    free(f.servers);
    TRY(err);
    *ret = made;
    made = (struct insight_simulated_cluster){0};
    return 0;
}

int insight_simulated_pick(const struct insight_simulated_cluster *cluster,
                           const struct insight_peers_config *config,
                           struct insight_recording **ret)
{
    const struct insight_recording *all = cluster->recording;
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    TRY(insight_recording_new(&r, config->metric_count, all->servers, all->steps));
    r->start_ms = all->start_ms, r->step_ms = all->step_ms;
    for (size_t m = 0; m < config->metric_count; m++) {
        int from = insight_simulated_find(config->metrics[m].name);
        FAIL_IF(from < 0, ERR_NOT_FOUND, "'%s' is none of the metrics that are simulated",
                config->metrics[m].name);
        memcpy(insight_recording_at(r, m, 0), insight_recording_at(all, (size_t)from, 0),
               all->servers * all->steps * sizeof *r->values);
    }
    for (size_t s = 0; s < all->servers; s++) {
        TRY(cstr_dup(&r->names[s], all->names[s]));
    }
    *ret = TAKE(r);
    return 0;
}
