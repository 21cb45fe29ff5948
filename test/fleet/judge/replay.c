// SPDX-License-Identifier: GPL-3.0-or-later
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t replayed_ms(void *user)
{
    return *(const int64_t *)user;
}

void replay_close(struct replay *r)
{
    telemetry_intake_free(&r->intake);
    telemetry_close(&r->store);
    if (r->folder[0]) {
        fs_remove_tree(r->folder);
        r->folder[0] = 0;
    }
}

int replay_open(struct replay *r, int64_t step_ms, int64_t start_ms)
{
    const struct telemetry_tier tier = {step_ms, INT64_C(2) * 86400000};
    char folder[] = "/tmp/fleet-replay-XXXXXX";
    FAIL_IF(!mkdtemp(folder), ERR_IO, "a folder for the store");
    TRY(str_copy(r->folder, sizeof r->folder, str_of(folder)));
    r->step_ms = step_ms;
    r->now_ms = r->flushed_ms = start_ms;
    TRY(telemetry_open(&r->store, &(struct telemetry_config){.dir = r->folder,
                                                             .tiers = &tier,
                                                             .tier_count = 1,
                                                             .now_ms = replayed_ms,
                                                             .user = &r->now_ms}));
    return telemetry_intake_new(&r->intake,
                                &(struct telemetry_intake_config){.store = r->store,
                                                                  .flush_ms = -1,
                                                                  .now_ms = replayed_ms,
                                                                  .user = &r->now_ms});
}

int replay_to(struct replay *r, int64_t ms)
{
    for (int64_t end = r->flushed_ms - r->flushed_ms % r->step_ms + r->step_ms; end <= ms;
         end += r->step_ms) {
        r->now_ms = r->flushed_ms = end;
        TRY(telemetry_intake_flush(r->intake, end));
    }
    r->now_ms = MAX(r->now_ms, ms);
    return 0;
}

int replay_lines(struct replay *r, struct str text)
{
    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t length = end ? (size_t)(end - text.data) + 1 : text.len;
        int64_t ms;
        if (text.data[0] == '#' && end) {
            TRY(str_to_i64((struct str){text.data + 1, length - 2}, 0, INT64_MAX, &ms));
            TRY(replay_to(r, ms));
        } else if (end) { // a last line without an end was cut
            telemetry_intake_lines(r->intake, (struct str){text.data, length});
        }
        text.data += length;
        text.len -= length;
    }
    TRY(replay_to(r, r->now_ms + 2 * r->step_ms));
    return telemetry_settle(r->store, r->now_ms);
}

int replay_cluster(const struct insight_peers_config *base, size_t number,
                   struct insight_peers_config **ret)
{
    AUTO(insight_peers_config_free) struct insight_peers_config *c = malloc(sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "a cluster");
    *c = *base;
    c->cluster = c->server = NULL;
    c->metric_count = 0;
    c->metrics = calloc(base->metric_count + 1, sizeof *c->metrics);
    FAIL_IF(!c->metrics, ERR_NOMEM, "metrics");
    TRY(cstr_printf(&c->cluster, "c%zu", number));
    TRY(cstr_dup(&c->server, base->server));
    for (; c->metric_count < base->metric_count; c->metric_count++) {
        struct insight_metric *m = &c->metrics[c->metric_count];
        *m = base->metrics[c->metric_count];
        m->name = m->query = NULL;
        TRY(cstr_dup(&m->name, base->metrics[c->metric_count].name));
        TRY(cstr_printf(&m->query, "%s,cluster,c%zu,:eq,:cq",
                        base->metrics[c->metric_count].query, number));
    }
    *ret = TAKE(c);
    return 0;
}

double replay_cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void replay_show(const char *what, const struct insight_quality *q)
{
    printf("%-22s right %4zu wrong %4zu missed %4zu  precision %.3f [%.3f %.3f]  "
           "recall %.3f [%.3f %.3f]  F %.3f [%.3f %.3f]\n",
           what, q->sum.right, q->sum.wrong, q->sum.missed, q->precision.value,
           q->precision.low, q->precision.high, q->recall.value, q->recall.low,
           q->recall.high, q->f.value, q->f.low, q->f.high);
    fflush(stdout);
}
