// SPDX-License-Identifier: GPL-3.0-or-later
//
// The whole way: values appended to a store, questions asked of it, a suspect found.
#include "insight/insight.h"
#include "telemetry/telemetry.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define START_MS INT64_C(1700000040000) // a whole minute
#define SERVERS  20
#define STEPS    60

static int64_t clock_of(void *user)
{
    return *(const int64_t *)user;
}

static const char text[] = "schema: 1\n"
                           "clusters:\n"
                           "  - name: api\n"
                           "    server: node\n"
                           "    metrics:\n"
                           "      - {name: latency, query: "
                           "'name,latency,:eq,cluster,api,:eq,:and,:avg,(,node,),:by', "
                           "compare: ratio, least: 0.05}\n"
                           "      - {name: share, query: "
                           "'name,errors,:eq,(,node,),:by,name,requests,:eq,(,node,),:by,"
                           ":div', statistic: mean, least: 0.001}\n";

struct place {
    char dir[64];
    int64_t now_ms;
    struct telemetry *store;
};

static struct place open_place(void)
{
    struct place p = {.now_ms = START_MS};
    snprintf(p.dir, sizeof p.dir, "/tmp/marquee-peers-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    return p;
}

static void start(struct place *p)
{
    assert_int_equal(
        telemetry_open(&p->store, &(struct telemetry_config){.dir = p->dir,
                                                             .now_ms = clock_of,
                                                             .user = &p->now_ms}),
        0);
}

static void end(struct place *p)
{
    telemetry_close(&p->store);
    assert_int_equal(fs_remove_tree(p->dir), 0);
}

static uint32_t series(struct telemetry *store, const char *name, const char *node,
                       const char *cluster)
{
    const struct telemetry_tag list[] = {{STR("cluster"), str_of(cluster)},
                                         {STR("name"), str_of(name)},
                                         {STR("node"), str_of(node)}};
    const struct telemetry_tags tags = {list, 3};
    uint32_t id;
    assert_int_equal(telemetry_series_of(store, &tags, TELEMETRY_GAUGE, &id), 0);
    return id;
}

static void append(struct place *p, uint32_t id, double value)
{
    size_t refused = 0;
    struct telemetry_sample one = {id, p->now_ms, value};
    assert_int_equal(telemetry_append(p->store, &one, 1, &refused), 0);
    assert_int_equal(refused, 0);
}

// An hour of a cluster; server 7 is slow in the last half of it, 12 starts ten minutes before the end, and those of
// another cluster are always slow.
static void fill(struct place *p)
{
    start(p);
    for (int64_t step = 0; step < STEPS; step++) {
        p->now_ms = START_MS + step * 60000;
        for (int s = 0; s < SERVERS; s++) {
            char node[16], other[16];
            snprintf(node, sizeof node, "n%02d", s);
            snprintf(other, sizeof other, "other%02d", s);
            if (s == 12 && step < STEPS - 10) {
                continue;
            }
            bool slow = (s == 7 && step >= STEPS / 2) || s == 12;
            double chance = (double)((step * 7919 + s * 104729) % 101) / 101;
            append(p, series(p->store, "latency", node, "api"),
                   (40 + 2 * chance + 0.1 * s) * (slow ? 2 : 1));
            append(p, series(p->store, "latency", other, "else"), 400);
            append(p, series(p->store, "requests", node, "api"), 1000);
            append(p, series(p->store, "errors", node, "api"), s % 2 ? 1 : 0);
        }
    }
    p->now_ms += 60000;
    assert_int_equal(telemetry_settle(p->store, p->now_ms), 0);
}

static struct insight_peers_config *config_of(const char *yaml,
                                              struct insight_peers_file *file)
{
    AUTO(diag_free) struct diag diag = {0};
    assert_int_equal(insight_peers_parse(str_of(yaml), "peers.yaml", file, &diag), 0);
    return file->clusters.data[0];
}

static void suspects_of_a_store(void **state)
{
    (void)state;
    struct place p = open_place();
    AUTO(insight_peers_file_free) struct insight_peers_file file = {0};
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    AUTO(insight_suspects_free) struct insight_suspects *found = NULL;
    struct insight_peers_config *c = config_of(text, &file);
    fill(&p);
    int64_t last_ms = START_MS + (STEPS - 1) * 60000;
    assert_int_equal(insight_peers_read(p.store, c, last_ms + 59999, &r), 0);
    assert_int_equal(r->servers, SERVERS); // none of the other cluster
    assert_int_equal(r->steps, insight_peers_steps(c));
    assert_int_equal(r->start_ms, last_ms - (int64_t)(r->steps - 1) * 60000);
    assert_string_equal(r->names[0], "n00");
    assert_string_equal(r->names[19], "n19");
    double value = insight_recording_at(r, 0, 7)[r->steps - 1];
    assert_true(value > 80 && value < 90);
    assert_true(fabs(insight_recording_at(r, 1, 7)[r->steps - 1] - 0.001) < 1e-12);
    double before = insight_recording_at(r, 0, 12)[r->steps - 11];
    assert_true(before != before); // no value
    assert_true(insight_recording_at(r, 0, 12)[r->steps - 10] > 0);
    assert_int_equal(insight_peers_suspect(c, r, &found), 0);
    assert_int_equal(found->list.len, 1);
    assert_string_equal(found->list.data[0].server, "n07");
    assert_int_equal(found->suspicion.data_us, last_ms * 1000);
    end(&p);
}

static void what_cannot_be_asked(void **state)
{
    (void)state;
    struct place p = open_place();
    AUTO(insight_peers_file_free)
    struct insight_peers_file file = {0}, wrong = {0}, whole = {0};
    struct insight_recording *r = NULL;
    fill(&p);
    struct insight_peers_config *c = config_of(text, &file);
    assert_int_equal(insight_peers_read(p.store, c, START_MS - 86400000, &r),
                     ERR_NOT_FOUND);
    c = config_of("schema: 1\nclusters:\n  - {name: a, server: node, metrics: [{name: m, "
                  "query: 'name,latency,:eq,:nope'}]}\n",
                  &wrong);
    assert_int_equal(insight_peers_read(p.store, c, p.now_ms, &r), ERR_INVALID);
    assert_non_null(strstr(err_reason(), "m: "));
    c = config_of("schema: 1\nclusters:\n  - {name: a, server: node, metrics: [{name: m, "
                  "query: 'name,latency,:eq,:sum'}]}\n",
                  &whole);
    assert_int_equal(insight_peers_read(p.store, c, p.now_ms, &r), ERR_INVALID);
    assert_non_null(strstr(err_reason(), "without the tag node"));
    c->step_ms = 90000;
    assert_int_equal(insight_peers_read(p.store, c, p.now_ms, &r), ERR_INVALID);
    assert_null(r);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suspects_of_a_store),
        cmocka_unit_test(what_cannot_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
