// SPDX-License-Identifier: GPL-3.0-or-later
//
// A call graph out of a file and out of series: the part where a fault began comes before all that wait for it.
#include "insight/insight.h"
#include "telemetry/telemetry.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { STEPS = 490, CHANGED = 470, STEP = 60000 };
static const int64_t base_ms = INT64_C(1700000040000);

// web calls api and auth, api calls store and cache. From CHANGED on a call of store takes 0.2 s more, and so does each
// call of those that wait for it. What the waiting have of it is seen more clearly than the cause.
static const char *const parts[] = {"web", "api", "auth", "store", "cache", "mail"};
enum { WEB, API, AUTH, STORE, CACHE, MAIL, PARTS };
static const struct {
    int caller, callee;
} pairs[] = {{WEB, API}, {WEB, AUTH}, {API, STORE}, {API, CACHE}};

struct place {
    char dir[64];
    int64_t now_ms;
    struct telemetry *store;
};

static uint64_t seed = 5;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static int64_t now_ms(void *user)
{
    return *(int64_t *)user;
}

static void put(struct place *p, const char *name, const struct telemetry_tag *tags,
                size_t count, double value)
{
    struct telemetry_tag list[3] = {{STR("name"), str_of(name)}};
    uint32_t id = 0;
    size_t refused = 0;
    size_t at = count == 2 ? 0 : 1; // sorted by key: caller, callee come before name
    list[at == 0 ? 2 : 0] = (struct telemetry_tag){STR("name"), str_of(name)};
    for (size_t i = 0; i < count; i++) {
        list[at + i] = tags[i];
    }
    const struct telemetry_tags all = {list, count + 1};
    assert_int_equal(telemetry_series_of(p->store, &all, TELEMETRY_GAUGE, &id), 0);
    const struct telemetry_sample sample = {id, p->now_ms, value};
    assert_int_equal(telemetry_append(p->store, &sample, 1, &refused), 0);
    assert_int_equal(refused, 0);
}

static void fill_step(struct place *p, int step)
{
    double requests = 100 + 20 * sin((double)step * 6.2831853 / 1440) + uniform();
    for (int i = 0; i < PARTS; i++) {
        const struct telemetry_tag own[] = {{STR("service"), str_of(parts[i])}};
        bool waits = i == WEB || i == API || i == STORE;
        double more = waits && step >= CHANGED ? 1 : 0;
        double cost = 0.1 + 0.002 * uniform() + 0.2 * more;
        put(p, "rpc.requests", own, 1, requests);
        put(p, "rpc.seconds", own, 1, requests * cost);
        put(p, "rpc.errors", own, 1, uniform() < 0.1 ? 1 : 0);
        double blur = i == STORE ? 6 : 0.5;
        put(p, "pool.busy", own, 1, 10 + blur * uniform() + 8 * more);
    }
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        const struct telemetry_tag both[] = {
            {STR("callee"), str_of(parts[pairs[i].callee])},
            {STR("caller"), str_of(parts[pairs[i].caller])}};
        put(p, "rpc.calls", both, 2, requests);
    }
}

static int place_make(void **state)
{
    static struct place p;
    p.now_ms = base_ms;
    snprintf(p.dir, sizeof p.dir, "/tmp/marquee-calls-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    const struct telemetry_config config = {
        .dir = p.dir, .now_ms = now_ms, .user = &p.now_ms};
    assert_int_equal(telemetry_open(&p.store, &config), 0);
    for (int step = 0; step < STEPS; step++) {
        p.now_ms = base_ms + (int64_t)step * STEP;
        fill_step(&p, step);
    }
    p.now_ms += STEP;
    assert_int_equal(telemetry_settle(p.store, p.now_ms), 0);
    *state = &p;
    return 0;
}

static int place_end(void **state)
{
    struct place *p = *state;
    telemetry_close(&p->store);
    return fs_remove_tree(p->dir);
}

#define COSTS                                                \
    "requests: name,rpc.requests,:eq,:sum,(,service,),:by\n" \
    "costs:\n"                                               \
    "  - name: errors\n"                                     \
    "    query: name,rpc.errors,:eq,:sum,(,service,),:by,"   \
    "name,rpc.requests,:eq,:sum,(,service,),:by,:div\n"      \
    "  - name: seconds\n"                                    \
    "    query: name,rpc.seconds,:eq,:sum,(,service,),:by,"  \
    "name,rpc.requests,:eq,:sum,(,service,),:by,:div\n"

static const char counted[] =
    "schema: 1\npart: service\nentry: web\n" COSTS
    "pairs: name,rpc.calls,:eq,:sum,(,caller,callee,),:by\ncaller: caller\n"
    "callee: callee\n";
static const char listed[] =
    "schema: 1\npart: service\nentry: web\n" COSTS
    "calls: [{caller: web, callee: api}, {caller: web, callee: auth},\n"
    "        {caller: api, callee: store}, {caller: api, callee: cache}]\n";

static void related(struct place *p, const char *yaml, json_t **ret)
{
    AUTO(insight_callgraph_free) struct insight_callgraph *graph = NULL;
    AUTO(diag_free) struct diag diag = {0};
    if (yaml) {
        assert_int_equal(
            insight_callgraph_parse(str_of(yaml), "calls.yaml", &graph, &diag), 0);
    }
    int64_t at_ms = base_ms + (CHANGED + 6) * (int64_t)STEP;
    const struct insight_question q = {
        .target = "name,rpc.seconds,:eq,service,web,:eq,:and,:sum",
        .candidates = "name,pool.busy,:eq,(,name,service,),:by",
        .at_ms = at_ms,
        .now_ms = at_ms,
        .calls = graph};
    assert_int_equal(insight_signals_ask(p->store, &q, ret), 0);
}

static const char *part_at(const json_t *json, size_t place)
{
    const json_t *r = json_array_get(json_object_get(json, "related"), place);
    return json_str_or(json_object_get(r, "name"), "service", "");
}

static void the_cause_comes_before_those_that_wait(void **state)
{
    static const char *const files[] = {counted, listed};
    AUTO(json_free) json_t *without = NULL;
    related(*state, NULL, &without);
    assert_string_not_equal(part_at(without, 0), "store");
    assert_true(json_is_null(json_object_get(without, "calls")));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO(json_free) json_t *with = NULL;
        related(*state, files[i], &with);
        const json_t *calls = json_object_get(with, "calls");
        const json_t *first = json_array_get(json_object_get(calls, "parts"), 0);
        assert_string_equal(json_str_or(calls, "target", ""), "web");
        assert_string_equal(json_str_or(calls, "cost", ""), "seconds");
        assert_string_equal(json_str_or(first, "part", ""), "store");
        assert_true(json_number_value(json_object_get(first, "share")) > 0.9);
        assert_string_equal(part_at(with, 0), "store");
        const json_t *best = json_array_get(json_object_get(with, "related"), 0);
        assert_string_equal(json_str_or(best, "part", ""), "store");
        assert_true(json_number_value(json_object_get(best, "share")) > 0.9);
        // Whom nothing that is meant calls is known not to be the cause.
        assert_string_equal(
            json_string_value(json_array_get(json_object_get(calls, "others"), 0)),
            "mail");
    }
}

static void weights(void **state)
{
    (void)state;
    AUTO(json_free)
    json_t *calls =
        json_pack("{s:s, s:[{s:s, s:f}, {s:s, s:f}], s:[s]}", "tag", "service", "parts",
                  "part", "a", "share", 1.0, "part", "b", "share", 0.0, "others", "c");
    static const struct {
        const char *part;
        double weight;
    } cases[] = {{"a", 1}, {"b", 0.25}, {"c", 0.25}, {"d", 0.5}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(json_free) json_t *tags = json_pack("{s:s}", "service", cases[i].part);
        const char *part = NULL;
        double share = 0;
        assert_true(insight_callgraph_weight(calls, tags, &part, &share) ==
                    cases[i].weight);
        assert_true(isnan(share) == (cases[i].part[0] > 'b'));
    }
    const char *part = NULL;
    double share = 0;
    assert_true(insight_callgraph_weight(NULL, NULL, &part, &share) == 1);
}

static void mistakes_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"schema: 2\npart: s\n" COSTS "calls: [{caller: a, callee: b}]\n", "c:1: "},
        {"schema: 1\npart: s\n" COSTS, "c:1: calls lists them"},
        {"schema: 1\npart: s\n" COSTS "pairs: name,a,:eq\n", "c:9: caller and callee"},
        {"schema: 1\npart: s\nrequests: ':by'\ncosts: [{name: x, query: 'name,x,:eq'}]\n"
         "calls: []\npairs: 'name,a,:eq'\ncaller: a\ncallee: b\n",
         "c:3: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct insight_callgraph *graph = NULL;
        AUTO(diag_free) struct diag diag = {0};
        assert_int_equal(
            insight_callgraph_parse(str_of(cases[i].yaml), "c", &graph, &diag),
            ERR_INVALID);
        assert_null(graph);
        assert_non_null(strstr(err_reason(), cases[i].want));
    }
}

static void the_example_can_be_read(void **state)
{
    (void)state;
    AUTO(insight_callgraph_free) struct insight_callgraph *graph = NULL;
    AUTO(diag_free) struct diag diag = {0};
    AUTO(buf_free) struct buf text = {0};
    assert_int_equal(fs_read_file(MARQUEE_SOURCE "/conf/calls.yaml", 1 << 16, &text), 0);
    assert_int_equal(
        insight_callgraph_parse(buf_view(&text), "calls.yaml", &graph, &diag), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cause_comes_before_those_that_wait),
        cmocka_unit_test(weights),
        cmocka_unit_test(mistakes_name_their_line),
        cmocka_unit_test(the_example_can_be_read),
    };
    return cmocka_run_group_tests(tests, place_make, place_end);
}
