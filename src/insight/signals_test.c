// SPDX-License-Identifier: GPL-3.0-or-later
//
// Related signals out of a real store: eight hours of a fleet, asked for through the language of queries.
#include "insight/insight.h"

#include "bus/bus.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { SERVERS = 40, STEPS = 500, CHANGED = 400, STEP = 60000 };
static const int64_t base_ms = INT64_C(1700000040000);

static uint64_t seed = 9;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static int64_t now_ms(void *user)
{
    return *(int64_t *)user;
}

struct place {
    char dir[64];
    int64_t now_ms;
    struct telemetry *store;
};

// latency of the service, and of each server its load and its disk's queue; the disk of server 7 clogs two minutes
// before the latency rises. All have the cycle of the day.
static uint32_t series_of(struct telemetry *store, const char *name, int server)
{
    char number[8];
    snprintf(number, sizeof number, "s%02d", server);
    const struct telemetry_tag list[] = {{STR("name"), str_of(name)},
                                         {STR("server"), str_of(number)}};
    const struct telemetry_tags tags = {list, server < 0 ? 1 : 2};
    uint32_t id = 0;
    assert_int_equal(telemetry_series_of(store, &tags, TELEMETRY_GAUGE, &id), 0);
    return id;
}

static void fill(struct place *p)
{
    uint32_t ids[2 * SERVERS + 1];
    for (int i = 0; i < SERVERS; i++) {
        ids[2 * i] = series_of(p->store, "cpu.load", i);
        ids[2 * i + 1] = series_of(p->store, "disk.queue", i);
    }
    ids[2 * SERVERS] = series_of(p->store, "latency", -1);
    for (int step = 0; step < STEPS; step++) {
        struct telemetry_sample samples[2 * SERVERS + 1];
        double day = sin((double)step * 6.2831853 / 1440);
        p->now_ms = base_ms + (int64_t)step * STEP;
        for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
            double value = 50 + 30 * day + 2 * uniform();
            value += i == 15 && step >= CHANGED - 2 ? 12 : 0;
            value += i == 2 * SERVERS && step >= CHANGED ? 9 : 0;
            samples[i] = (struct telemetry_sample){ids[i], p->now_ms, value};
        }
        size_t refused = 0;
        assert_int_equal(
            telemetry_append(p->store, samples, ARRAY_LEN(samples), &refused), 0);
        assert_int_equal(refused, 0);
    }
    p->now_ms += STEP;
    assert_int_equal(telemetry_settle(p->store, p->now_ms), 0);
}

static int place_make(void **state)
{
    static struct place p;
    p.now_ms = base_ms;
    snprintf(p.dir, sizeof p.dir, "/tmp/marquee-signals-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    const struct telemetry_config config = {
        .dir = p.dir, .now_ms = now_ms, .user = &p.now_ms};
    assert_int_equal(telemetry_open(&p.store, &config), 0);
    fill(&p);
    *state = &p;
    return 0;
}

static int place_end(void **state)
{
    struct place *p = *state;
    telemetry_close(&p->store);
    return fs_remove_tree(p->dir);
}

static void expect_cause(const json_t *json, int64_t candidates)
{
    const json_t *related = json_object_get(json, "related");
    assert_true(json_array_size(related) > 0);
    const json_t *first = json_array_get(related, 0);
    const json_t *name = json_object_get(first, "name");
    assert_string_equal(json_str_or(name, "name", ""), "disk.queue");
    assert_string_equal(json_str_or(name, "server", ""), "s07");
    assert_true(json_i64_or(json, "candidates", 0) == candidates);
    int64_t changed = json_i64_or(json, "changed", 0);
    assert_true(llabs(changed - (base_ms + (int64_t)CHANGED * STEP)) <= STEP);
    int64_t own = json_i64_or(first, "changed", 0);
    assert_true(llabs(own - (base_ms + (int64_t)(CHANGED - 2) * STEP)) <= STEP);
    assert_true(json_i64_or(first, "lag", 0) > 0);
    size_t width =
        (size_t)((json_i64_or(json, "end", 0) - json_i64_or(json, "start", 0)) /
                 json_i64_or(json, "step", 1));
    assert_int_equal(json_array_size(json_object_get(first, "values")), width);
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(json, "target"), "values")),
        width);
}

static void the_cause_is_first_at_the_moment_the_alert_fires(void **state)
{
    struct place *p = *state;
    // The alert fires six minutes after the change, and nothing behind it is there yet.
    struct insight_question q = {.target = "name,latency,:eq,:sum",
                                 .at_ms = base_ms + (CHANGED + 6) * (int64_t)STEP,
                                 .now_ms = base_ms + (CHANGED + 6) * (int64_t)STEP};
    AUTO(json_free) json_t *json = NULL;
    assert_int_equal(insight_signals_ask(p->store, &q, &json), 0);
    expect_cause(json, 2 * SERVERS);
    assert_true(json_is_false(json_object_get(json, "more")));
}

static void candidates_can_be_chosen(void **state)
{
    struct place *p = *state;
    struct insight_question q = {.target = "name,latency,:eq",
                                 .candidates = "name,disk.queue,:eq,(,name,server,),:by",
                                 .now_ms = p->now_ms,
                                 .keep = 3};
    AUTO(json_free) json_t *json = NULL;
    assert_int_equal(insight_signals_ask(p->store, &q, &json), 0);
    expect_cause(json, SERVERS);
    assert_true(json_array_size(json_object_get(json, "related")) <= 3);
}

static const char rules_text[] = "schema: 1\n"
                                 "channels:\n"
                                 "  - {name: ops, mail: ops@example.org}\n"
                                 "rules:\n"
                                 "  - name: slow\n"
                                 "    expr: name,latency,:eq,:max\n"
                                 "    above: 5\n"
                                 "    channels: [ops]\n";

// Drawn from what was kept, without the store.
static void expect_picture(const json_t *related)
{
    AUTO(buf_free) struct buf light = {0}, dark = {0}, second = {0};
    struct insight_picture p = {0};
    assert_int_equal(insight_related_picture(related, &p, &light), 0);
    p.is_dark = true;
    assert_int_equal(insight_related_picture(related, &p, &dark), 0);
    p.place = 1;
    assert_int_equal(insight_related_picture(related, &p, &second), 0);
    assert_true(light.len > 2000 && memcmp(light.data, "\x89PNG\r\n", 6) == 0);
    assert_true(light.len != dark.len || memcmp(light.data, dark.data, dark.len) != 0);
    assert_true(second.len != dark.len || memcmp(second.data, dark.data, dark.len) != 0);
    const char *path = getenv("MARQUEE_PICTURE"); // for who wants to see it
    if (path) {
        assert_int_equal(fs_write_file(path, dark.data, dark.len), 0);
    }
    p.place = 1000;
    assert_int_equal(insight_related_picture(related, &p, &second), ERR_NOT_FOUND);
}

// By itself, when an alert fires, and once.
static void an_alert_that_fires_has_its_related_signals(void **state)
{
    struct place *p = *state;
    AUTO(store_close) struct store *store = NULL;
    AUTO(insight_alert_rules_free) struct insight_alert_rules *rules = NULL;
    AUTO(diag_free) struct diag diag = {0};
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *alerts = NULL, *related = NULL;
    char dir[] = "/tmp/marquee-signals-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(store_open(&store, dir), 0);
    assert_int_equal(store_migrate(store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_migrate(store, insight_migrations, insight_migration_count),
                     0);
    assert_int_equal(
        insight_alert_rules_parse(str_of(rules_text), "a.yaml", &rules, &diag), 0);
    struct insight_alerts_config config = {
        .store = store, .rules = rules, .read = insight_alerts_read, .user = p->store};
    int64_t now_us = (base_ms + (CHANGED + 5) * (int64_t)STEP) * 1000;
    for (int look = 0; look < 3; look++) {
        assert_int_equal(insight_alerts_evaluate(&config, now_us + look * 1000000), 0);
    }
    assert_int_equal(insight_alerts_relate(store, p->store, rules, NULL, now_us), 1);
    assert_int_equal(insight_alerts_relate(store, p->store, rules, NULL, now_us), 0);
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    assert_int_equal(insight_alerts(tx, "firing", 10, &alerts), 0);
    const char *id = json_str_or(json_array_get(alerts, 0), "id", "");
    assert_int_equal(insight_alert_related(tx, "none", &related), ERR_NOT_FOUND);
    assert_int_equal(insight_alert_related(tx, id, &related), 0);
    assert_null(json_str_or(related, "why", NULL));
    expect_cause(json_object_get(related, "found"), 2 * SERVERS);
    expect_picture(related);
    store_rollback(&tx);
    store_close(&store);
    assert_int_equal(fs_remove_tree(dir), 0);
}

static void what_is_not_there(void **state)
{
    struct place *p = *state;
    json_t *json = NULL;
    struct insight_question q = {.target = "name,latency,:eq,:oops", .now_ms = p->now_ms};
    assert_int_equal(insight_signals_ask(p->store, &q, &json), ERR_INVALID);
    q.target = "name,absent,:eq";
    assert_int_equal(insight_signals_ask(p->store, &q, &json), ERR_NOT_FOUND);
    q.now_ms = 5;
    assert_int_equal(insight_signals_ask(p->store, &q, &json), ERR_INVALID);
    assert_null(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cause_is_first_at_the_moment_the_alert_fires),
        cmocka_unit_test(candidates_can_be_chosen),
        cmocka_unit_test(an_alert_that_fires_has_its_related_signals),
        cmocka_unit_test(what_is_not_there),
    };
    return cmocka_run_group_tests(tests, place_make, place_end);
}
