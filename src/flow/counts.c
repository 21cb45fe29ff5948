// SPDX-License-Identifier: GPL-3.0-or-later
//
// Steps are counted by their executor, which knows how each ended and what it used, also of one that
// crashed. What only the step knows (how many frames) comes with its result, as lines: a step needs no
// socket for that, and what it did is counted once, when what it made was taken.
#include "flow/counts.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_US 5000000
#define GAUGE_LASTS_S 30

struct type_counts {
    struct meter_counter *started, *done;
    struct meter_timer *wall, *cpu;
    struct meter_max *rss;
};

struct flow_counts {
    struct meter *meter;
    struct store *store;
    const struct flow_step_type *types;
    size_t type_count;
    struct type_counts *by_type;
    struct meter_gauge *slots, *running, *waiting, *jobs;
    unsigned slot_count;
    int64_t looked_us;
};

static struct type_counts type_counts_of(struct meter *m, const char *type)
{
    const struct meter_tag tags[] = {{"type", type}, {0}};
    const struct meter_tag done[] = {{"type", type}, {"result", "done"}, {0}};
    return (struct type_counts){
        .started = meter_counter_of(m, "marquee.flow.steps.started", tags),
        .done = meter_counter_of(m, "marquee.flow.steps.ended", done),
        .wall = meter_percentile_timer_of(m, "marquee.flow.step.time", tags),
        .cpu = meter_timer_of(m, "marquee.flow.step.cpu", tags),
        .rss = meter_max_of(m, "marquee.flow.step.rss", tags)};
}

int flow_counts_new(struct flow_counts **ret, const struct flow_executor_config *config)
{
    struct flow_counts *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "counts");
    AUTO(flow_counts_free) struct flow_counts *made = c;
    struct meter *m = config->meter;
    *c = (struct flow_counts){
        .meter = m,
        .store = config->store,
        .types = config->types,
        .type_count = config->type_count,
        .slots = meter_gauge_of(m, "marquee.flow.slots", NULL, GAUGE_LASTS_S),
        .running = meter_gauge_of(m, "marquee.flow.steps.running", NULL, GAUGE_LASTS_S),
        .waiting = meter_gauge_of(m, "marquee.flow.steps.waiting", NULL, GAUGE_LASTS_S),
        .jobs = meter_gauge_of(m, "marquee.flow.jobs.running", NULL, GAUGE_LASTS_S),
        .slot_count = config->slots};
    c->by_type = calloc(config->type_count, sizeof *c->by_type);
    FAIL_IF(config->type_count && !c->by_type, ERR_NOMEM, "counts");
    for (size_t i = 0; i < config->type_count; i++) {
        c->by_type[i] = type_counts_of(m, config->types[i].name);
    }
    *ret = TAKE(made);
    return 0;
}

void flow_counts_free(struct flow_counts **counts)
{
    struct flow_counts *c = TAKE(*counts);
    if (c) {
        free(c->by_type);
        free(c);
    }
}

static struct type_counts *counts_of(struct flow_counts *c, const struct attempt *a)
{
    return &c->by_type[a->type - c->types];
}

void flow_counts_started(struct flow_counts *c, const struct attempt *a)
{
    meter_counter_add(counts_of(c, a)->started, 1);
}

// Failures are rare, and of as many kinds as there are codes.
static void count_failure(struct flow_counts *c, const struct attempt *a)
{
    const struct meter_tag tags[] = {
        {"type", a->type->name}, {"result", a->settled ? err_name(a->err) : "LOST"}, {0}};
    meter_count(c->meter, "marquee.flow.steps.ended", tags, 1);
}

void flow_counts_ended(struct flow_counts *c, const struct attempt *a)
{
    struct type_counts *of = counts_of(c, a);
    if (a->settled && a->err == 0) {
        meter_counter_add(of->done, 1);
        meter_forward(c->meter, str_of(json_str_or(a->result, STEP_METERS, NULL)));
    } else {
        count_failure(c, a);
    }
    meter_timer_add_us(of->wall, a->wall_us);
    meter_timer_add_us(of->cpu, a->exit.cpu_us);
    meter_max_set(of->rss, (double)a->exit.max_rss_bytes);
}

static int look_at_rows(struct flow_counts *c)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t waiting = 0, jobs = 0;
    TRY(store_begin(c->store, STORE_READ, &tx));
    TRY(store_get_i64(tx, &waiting,
                      "SELECT count(*) FROM flow_step WHERE state = '" STEP_WAITING "'",
                      ""));
    TRY(store_get_i64(
        tx, &jobs, "SELECT count(*) FROM flow_job WHERE state = '" JOB_RUNNING "'", ""));
    meter_gauge_set(c->waiting, (double)waiting);
    meter_gauge_set(c->jobs, (double)jobs);
    return 0;
}

void flow_counts_look(struct flow_counts *c, size_t running)
{
    int64_t now_us = clock_mono_us();
    if (!c->waiting || (c->looked_us && now_us - c->looked_us < LOOK_EVERY_US)) {
        return;
    }
    c->looked_us = now_us;
    meter_gauge_set(c->slots, c->slot_count);
    meter_gauge_set(c->running, (double)running);
    if (look_at_rows(c) < 0) {
        log_debug("flow", "counting what waits: %s", err_reason());
    }
}
