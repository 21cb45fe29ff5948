// SPDX-License-Identifier: GPL-3.0-or-later
//
// One treatment after the other, by hand: what each guard holds, what each failure ends in.
#include "bus/bus.h"
#include "insight/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define S_US INT64_C(1000000)

static const char yaml_text[] =
    "schema: 1\n"
    "everywhere: {max_at_once: 2, max_per_hour: 4}\n"
    "clusters:\n"
    "  - name: edge\n"
    "    owner: edge@example.org\n"
    "    action: terminate\n"
    "    servers: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f},\n"
    "              {name: g}, {name: h}, {name: i}, {name: j}]\n"
    "    discovery: {driver: exec, run: [x]}\n"
    "    life: {driver: exec, run: [x]}\n"
    "    health: {run: [x], within_s: 30}\n"
    "    drain_s: 10\n"
    "    guards: {max_share_percent: 20, max_at_once: 2, max_per_hour: 3,\n"
    "             cooldown_s: 300, min_peers: 5, outlier_percent: 20, max_age_s: 120,\n"
    "             watch_s: 3600}\n"
    "  - name: core\n"
    "    owner: core@example.org\n"
    "    action: remove\n"
    "    servers: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n"
    "    discovery: {driver: exec, run: [x]}\n"
    "    guards: {max_share_percent: 20, min_peers: 4, approval: true,\n"
    "             approval_life_s: 1800, max_per_hour: 2, cooldown_s: 60}\n"
    "  - name: dry\n"
    "    owner: dry@example.org\n"
    "    action: remove\n"
    "    servers: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n"
    "    discovery: {driver: exec, run: [x]}\n"
    "    guards: {max_share_percent: 20, dry_run: true}\n"
    "  - name: farm\n"
    "    owner: farm@example.org\n"
    "    action: terminate\n"
    "    servers: [{name: a, node: a}, {name: b, node: b}]\n"
    "    discovery: {driver: slurm, jobs: requeue}\n"
    "    life: {driver: exec, run: [x]}\n"
    "    health: {run: [x], within_s: 30}\n"
    "    drain_s: 100\n"
    "    guards: {max_share_percent: 50, min_peers: 2, outlier_percent: 50,\n"
    "             max_per_hour: 100, cooldown_s: 1}\n";

struct stage {
    char dir[64];
    struct store *store;
    struct insight_fleet *fleet;
    struct insight_act *act;
    struct world *world;
};

static int read_now(void *user, struct insight_now *ret)
{
    struct stage *s = user;
    world_now(s->world, ret);
    return 0;
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    AUTO(diag_free) struct diag diag = {0};
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-act-XXXXXX", sizeof "/tmp/marquee-act-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(store_open(&s->store, s->dir), 0);
    assert_int_equal(store_migrate(s->store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_migrate(s->store, insight_migrations, insight_migration_count),
                     0);
    assert_int_equal(
        insight_fleet_parse(str_of(yaml_text), "clusters.yaml", &s->fleet, &diag), 0);
    s->world = world_new();
    for (size_t i = 0; i < s->fleet->clusters_count; i++) {
        const struct insight_cluster *c = &s->fleet->clusters[i];
        for (size_t k = 0; k < c->servers_count; k++) {
            world_add(s->world, c->name, c->servers[k].name);
        }
    }
    assert_int_equal(
        insight_act_new(&s->act, &(struct insight_act_config){.store = s->store,
                                                              .fleet = s->fleet,
                                                              .drivers = &world_drivers,
                                                              .driver_user = s->world,
                                                              .now = read_now,
                                                              .user = s}),
        0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    assert_false(s->world->twice || s->world->wrong);
    insight_act_free(&s->act);
    insight_fleet_free(&s->fleet);
    world_free(&s->world);
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

struct saw {
    const char *cluster;
    size_t reporting;
    int64_t age_s;
    const char *suspects; // a letter each
};

static void consider(struct stage *s, struct saw saw)
{
    struct insight_suspect list[16] = {{0}};
    char names[16][2] = {{0}};
    struct insight_now now;
    const struct insight_cluster *c = insight_fleet_cluster(s->fleet, saw.cluster);
    world_now(s->world, &now);
    size_t count = strlen(saw.suspects);
    for (size_t i = 0; i < count; i++) {
        names[i][0] = saw.suspects[i];
        list[i] = (struct insight_suspect){.server = names[i],
                                           .since_us = now.wall_us - 120 * S_US,
                                           .score = 10.0 - (double)i};
    }
    int64_t end_us = now.wall_us - saw.age_s * S_US;
    assert_int_equal(
        insight_act_consider(
            s->act,
            &(struct insight_suspicion){.cluster = saw.cluster,
                                        .rule = "dbscan@1",
                                        .window_start_us = end_us - 60 * S_US,
                                        .window_end_us = end_us,
                                        .data_us = end_us,
                                        .members = c->servers_count,
                                        .reporting = saw.reporting ? saw.reporting
                                                                   : c->servers_count,
                                        .suspects = list,
                                        .suspect_count = count}),
        0);
}

static void pass(struct stage *s, int64_t seconds)
{
    s->world->true_us += seconds * S_US;
}

// Until nothing is due for five minutes.
static void work(struct stage *s)
{
    for (int idle = 0; idle < 300;) {
        int did = insight_act_advance(s->act);
        assert_true(did >= 0);
        idle = did ? 0 : idle + 1;
        pass(s, did ? 0 : 1);
    }
}

static json_t *list(struct stage *s, const char *cluster, const char *state)
{
    json_t *items = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(
        insight_treatments(tx,
                           &(struct insight_treatment_query){
                               .cluster = cluster, .state = state, .limit = 100},
                           &items),
        0);
    return items;
}

static size_t count(struct stage *s, const char *cluster, const char *state)
{
    AUTO(json_free) json_t *items = list(s, cluster, state);
    return json_array_size(items);
}

static void assert_held(struct stage *s, const char *cluster, const char *guard)
{
    AUTO(json_free) json_t *items = list(s, cluster, "held");
    assert_true(json_array_size(items) > 0);
    assert_string_equal(json_str_or(json_array_get(items, 0), "guard", ""), guard);
}

typedef int person_f(struct store_tx *, const char *id, const char *actor);

static int person(struct stage *s, person_f *what, const char *cluster, const char *state)
{
    AUTO(json_free) json_t *items = list(s, cluster, state);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    TRY(what(tx, json_str_or(json_array_get(items, 0), "id", "none"), "user/1"));
    return store_commit(&tx);
}

static void assert_trail(struct stage *s)
{
    struct insight_audit_verdict v;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_audit_verify(tx, NULL, &v), 0);
    assert_int_equal(v.broken, 0);
    assert_true(v.entries > 0);
}

// --- the way of one ---------------------------------------------------------------------------------

static void a_sick_server_is_replaced(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "edge", .suspects = "c"});
    work(s);
    const struct world_server *c = world_find(s->world, "edge", "c");
    assert_int_equal(c->terminations, 1);
    assert_int_equal(c->incarnation, 2);
    assert_true(c->runs && c->in_service);
    assert_int_equal(s->world->terminations, 1);
    assert_int_equal(count(s, "edge", "done"), 1);
    AUTO(json_free) json_t *items = list(s, "edge", "done");
    const json_t *t = json_array_get(items, 0);
    assert_string_equal(
        json_str_or(json_array_get(json_object_get(t, "forensics"), 0), "name", ""), "c");
    assert_string_equal(json_str_or(json_object_get(t, "suspicion"), "rule", ""),
                        "dbscan@1");
    assert_trail(s);
    // Its owner heard of the end.
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t mails = 0;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &mails,
                                   "SELECT count(*) FROM notice WHERE recipient ="
                                   " 'edge@example.org'",
                                   ""),
                     0);
    assert_int_equal(mails, 1);
}

static void each_step_is_in_the_trail_before_it_is_done(void **state)
{
    struct stage *s = *state;
    static const char *const whats[] = {"treatment.begun",
                                        "treatment.notify.intended",
                                        "treatment.notify.performed",
                                        "treatment.remove.intended",
                                        "treatment.remove.performed",
                                        "treatment.drain.performed",
                                        "treatment.examine.intended",
                                        "treatment.examine.performed",
                                        "treatment.terminate.intended",
                                        "treatment.terminate.performed",
                                        "treatment.start.intended",
                                        "treatment.start.performed",
                                        "treatment.verify.performed",
                                        "treatment.return.intended",
                                        "treatment.return.performed",
                                        "treatment.done"};
    AUTO(json_free) json_t *entries = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    consider(s, (struct saw){.cluster = "edge", .suspects = "c"});
    work(s);
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_audit_list(tx, "server/edge/c", 0, 100, &entries), 0);
    assert_int_equal(json_array_size(entries), ARRAY_LEN(whats));
    for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
        const json_t *e = json_array_get(entries, ARRAY_LEN(whats) - 1 - i);
        assert_string_equal(json_str_or(e, "what", ""), whats[i]);
    }
    const json_t *begun = json_array_get(entries, ARRAY_LEN(whats) - 1);
    assert_string_equal(json_str_or(begun, "rule", ""), "dbscan@1");
    assert_non_null(json_object_get(json_object_get(begun, "window"), "start"));
    assert_int_equal(
        json_i64_or(json_object_get(json_object_get(begun, "parameters"), "guards"),
                    "max_per_hour", 0),
        3);
}

// --- guards -----------------------------------------------------------------------------------------

static void judgements_hold(void **state)
{
    struct stage *s = *state;
    static const struct {
        struct saw saw;
        const char *guard;
    } cases[] = {
        {{"edge", 0, 121, "a"}, "stale"},  {{"edge", 0, -61, "a"}, "stale"},
        {{"edge", 4, 0, "a"}, "peers"},    {{"edge", 0, 0, "abc"}, "outliers"},
        {{"edge", 8, 0, "a"}, "outliers"}, // two are silent
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        consider(s, cases[i].saw);
        work(s);
        assert_held(s, "edge", cases[i].guard);
        assert_int_equal(world_out(s->world, "edge"), 0);
        assert_int_equal(count(s, "edge", "acting") + count(s, "edge", "done"), 0);
        pass(s, 3601);
        work(s);
        assert_int_equal(count(s, "edge", "held"), 0);
    }
    assert_int_equal(s->world->terminations, 0);
    // Two of ten are no more than a fifth.
    consider(s, (struct saw){.cluster = "edge", .suspects = "ab"});
    assert_int_equal(count(s, "edge", "acting"), 1);
    assert_held(s, "edge", "cooldown");
}

static void caps_hold(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 3; i++) {
        consider(s, (struct saw){.cluster = "edge",
                                 .suspects = i == 0   ? "a"
                                             : i == 1 ? "b"
                                                      : "c"});
        work(s);
        assert_int_equal(count(s, "edge", "done"), (size_t)i + 1);
    }
    consider(s, (struct saw){.cluster = "edge", .suspects = "d"});
    work(s);
    assert_held(s, "edge", "per_hour");
    pass(s, 3600);
    consider(s, (struct saw){.cluster = "edge", .suspects = "d"});
    work(s);
    assert_int_equal(count(s, "edge", "done"), 4);
}

static void a_wall_clock_that_is_set_ends_no_cooldown(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    s->world->wall_off_us += 86400 * S_US;
    consider(s, (struct saw){.cluster = "edge", .suspects = "b"});
    assert_held(s, "edge", "cooldown");
    s->world->wall_off_us -= 30 * 86400 * S_US;
    consider(s, (struct saw){.cluster = "edge", .suspects = "b"});
    assert_held(s, "edge", "cooldown");
    pass(s, 301);
    consider(s, (struct saw){.cluster = "edge", .suspects = "b"});
    assert_int_equal(count(s, "edge", "held"), 0);
}

static void what_was_replaced_is_watched(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    while (count(s, "edge", "done") == 0) {
        assert_true(insight_act_advance(s->act) >= 0);
        pass(s, 1);
    }
    // A look that reaches back to the old incarnation says nothing about the new one.
    pass(s, 60);
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    assert_held(s, "edge", "fresh");
    pass(s, 200);
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    assert_held(s, "edge", "watched");
    work(s);
    assert_int_equal(s->world->terminations, 1);
    pass(s, 3600);
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    work(s);
    assert_int_equal(s->world->terminations, 2);
}

static void a_person_approves_and_undoes(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "core", .suspects = "b"});
    work(s);
    assert_held(s, "core", "approval");
    assert_int_equal(world_out(s->world, "core"), 0);
    assert_int_equal(person(s, insight_treatment_approve, "core", "held"), 0);
    work(s);
    assert_int_equal(count(s, "core", "out"), 1);
    assert_false(world_find(s->world, "core", "b")->in_service);
    // Approvals override judgements, never caps.
    consider(s, (struct saw){.cluster = "core", .suspects = "c"});
    assert_int_equal(person(s, insight_treatment_approve, "core", "held"), 0);
    work(s);
    assert_held(s, "core", "share");
    assert_int_equal(world_out(s->world, "core"), 1);
    assert_int_equal(person(s, insight_treatment_refuse, "core", "held"), 0);
    assert_int_equal(person(s, insight_treatment_undo, "core", "out"), 0);
    work(s);
    assert_int_equal(count(s, "core", "undone"), 1);
    assert_int_equal(world_out(s->world, "core"), 0);
    assert_int_equal(person(s, insight_treatment_undo, "core", "undone"), ERR_CONFLICT);
    assert_int_equal(person(s, insight_treatment_approve, "core", "undone"),
                     ERR_CONFLICT);
    assert_trail(s);
}

static void an_approval_expires(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "core", .suspects = "b"});
    assert_int_equal(person(s, insight_treatment_approve, "core", "held"), 0);
    pass(s, 1801);
    work(s);
    assert_int_equal(count(s, "core", "expired"), 1);
    assert_int_equal(world_out(s->world, "core"), 0);
}

static void a_dry_run_does_nothing(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "dry", .suspects = "b"});
    work(s);
    assert_int_equal(count(s, "dry", "dry"), 1);
    consider(s, (struct saw){.cluster = "dry", .suspects = "b"});
    assert_int_equal(count(s, "dry", NULL), 1);
    assert_int_equal(world_out(s->world, "dry"), 0);
    assert_trail(s);
}

// --- what fails -------------------------------------------------------------------------------------

static void discovery_that_fails_ends_nothing(void **state)
{
    struct stage *s = *state;
    s->world->apply_fails = 3;
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    work(s);
    assert_int_equal(count(s, "edge", "restored"), 1);
    assert_int_equal(s->world->terminations, 0);
    assert_true(world_find(s->world, "edge", "a")->in_service);
    // Once is no reason to give up.
    pass(s, 400);
    s->world->apply_fails = 1;
    consider(s, (struct saw){.cluster = "edge", .suspects = "b"});
    work(s);
    assert_int_equal(count(s, "edge", "done"), 1);
}

static void a_replacement_that_does_not_answer_stays_out(void **state)
{
    struct stage *s = *state;
    struct world_server *a = world_find(s->world, "edge", "a");
    a->heals = false;
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    work(s);
    assert_int_equal(count(s, "edge", "stuck"), 1);
    assert_false(a->in_service);
    assert_int_equal(s->world->terminations, 1);
    // It is out, and counts.
    consider(s, (struct saw){.cluster = "edge", .suspects = "b"});
    work(s);
    assert_int_equal(count(s, "edge", "done"), 1);
    s->world->boot_off_us += 0;
    pass(s, 400);
    world_find(s->world, "edge", "c")->heals = false;
    consider(s, (struct saw){.cluster = "edge", .suspects = "c"});
    work(s);
    assert_int_equal(count(s, "edge", "stuck"), 2);
    pass(s, 4000);
    consider(s, (struct saw){.cluster = "edge", .suspects = "d"});
    assert_held(s, "edge", "share");
    a->heals = true;
    assert_int_equal(person(s, insight_treatment_undo, "edge", "stuck"), 0);
    assert_int_equal(person(s, insight_treatment_undo, "edge", "stuck"), 0);
    work(s);
    assert_int_equal(world_out(s->world, "edge"), 0);
}

static void what_ended_by_itself_is_not_ended(void **state)
{
    struct stage *s = *state;
    struct world_server *a = world_find(s->world, "edge", "a");
    consider(s, (struct saw){.cluster = "edge", .suspects = "a"});
    assert_int_equal(insight_act_advance(s->act), 1);
    assert_int_equal(insight_act_advance(s->act), 1);
    a->incarnation = 7; // somebody restarted it
    work(s);
    assert_int_equal(s->world->terminations, 0);
    assert_int_equal(count(s, "edge", "done"), 1);
    assert_true(a->in_service);
    assert_int_equal(a->incarnation, 7);
}

// --- what a server works on -------------------------------------------------------------------------

static void a_node_with_jobs(struct stage *s, int64_t works_us, bool sticks)
{
    struct world_server *a = world_find(s->world, "farm", "a");
    a->works_until_us = works_us < 0 ? works_us : s->world->true_us + works_us;
    a->sticks = sticks;
    consider(s, (struct saw){.cluster = "farm", .suspects = "a"});
    work(s);
}

static void jobs_may_end_before_their_node_does(void **state)
{
    struct stage *s = *state;
    a_node_with_jobs(s, 90 * S_US, true);
    assert_int_equal(count(s, "farm", "done"), 1);
    assert_int_equal(world_find(s->world, "farm", "a")->incarnation, 2);
    assert_trail(s);
}

static void jobs_are_sent_elsewhere_when_they_take_long(void **state)
{
    struct stage *s = *state;
    a_node_with_jobs(s, 9000 * S_US, false);
    assert_int_equal(count(s, "farm", "done"), 1);
    assert_int_equal(world_find(s->world, "farm", "a")->incarnation, 2);
}

static void assert_given_back(struct stage *s, const char *why)
{
    AUTO(json_free) json_t *items = list(s, "farm", "restored");
    const struct world_server *a = world_find(s->world, "farm", "a");
    assert_int_equal(json_array_size(items), 1);
    assert_non_null(strstr(json_str_or(json_array_get(items, 0), "error", ""), why));
    assert_int_equal(s->world->terminations, 0);
    assert_true(a->in_service && a->incarnation == 1);
    assert_trail(s);
}

static void a_node_whose_jobs_stay_is_given_back(void **state)
{
    a_node_with_jobs(*state, 9000 * S_US, true);
    assert_given_back(*state, "this work stays");
}

static void a_node_whose_jobs_nobody_knows_is_given_back(void **state)
{
    a_node_with_jobs(*state, -1, false);
    assert_given_back(*state, "nobody knows");
}

static void jobs_that_may_only_finish_keep_their_node(void **state)
{
    struct stage *s = *state;
    for (size_t i = 0; i < s->fleet->clusters_count; i++) {
        s->fleet->clusters[i].discovery.jobs = INSIGHT_JOBS_FINISH;
    }
    a_node_with_jobs(s, 9000 * S_US, false);
    assert_given_back(s, "work still runs there");
}

static void jobs_that_came_back_keep_their_node(void **state)
{
    struct stage *s = *state;
    consider(s, (struct saw){.cluster = "farm", .suspects = "a"});
    for (int i = 0; i < 4; i++) { // up to the termination
        assert_int_equal(insight_act_advance(s->act), 1);
    }
    world_find(s->world, "farm", "a")->works_until_us = s->world->true_us + 900 * S_US;
    work(s);
    assert_given_back(s, "work runs there again");
}

// --- what an owner writes ---------------------------------------------------------------------------

static void mistakes_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"schema: 1\nclusters:\n  - name: e\n    owner: x@y\n    servers: [{name: a}]\n"
         "    action: remove\n",
         3},
        {"schema: 1\nclusters:\n  - name: e\n    owner: x@y\n    servers:\n"
         "      - {name: a}\n      - {name: a}\n",
         6},
        {"schema: 1\nclusters:\n  - name: e\n    owner: x@y\n    servers:\n"
         "      - {name: a, address: \"1.2.3.4; include /etc/passwd\"}\n",
         6},
        {"schema: 1\nclusters:\n  - name: e\n    owner: x@y\n    servers: [{name: a}]\n"
         "    guards: {max_share_percent: 101}\n",
         6},
        {"schema: 1\nclusters:\n  - name: e\n    ownr: x@y\n", 3},
        {"schema: 1\nclusters:\n  - name: e\n    owner: x@y\n    action: remove\n"
         "    discovery: {driver: exec, run: [x]}\n"
         "    servers: [{name: a}, {name: b}]\n    guards: {max_share_percent: 10}\n",
         8},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(diag_free) struct diag diag = {0};
        AUTO(insight_fleet_free) struct insight_fleet *fleet = NULL;
        assert_int_equal(
            insight_fleet_parse(str_of(cases[i].text), "c.yaml", &fleet, &diag),
            ERR_INVALID);
        assert_true(diag.items.len > 0);
        assert_int_equal(diag.items.data[0].line, cases[i].line);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_sick_server_is_replaced),
        T(each_step_is_in_the_trail_before_it_is_done),
        T(judgements_hold),
        T(caps_hold),
        T(a_wall_clock_that_is_set_ends_no_cooldown),
        T(what_was_replaced_is_watched),
        T(a_person_approves_and_undoes),
        T(an_approval_expires),
        T(a_dry_run_does_nothing),
        T(discovery_that_fails_ends_nothing),
        T(a_replacement_that_does_not_answer_stays_out),
        T(what_ended_by_itself_is_not_ended),
        T(jobs_may_end_before_their_node_does),
        T(jobs_are_sent_elsewhere_when_they_take_long),
        T(a_node_whose_jobs_stay_is_given_back),
        T(a_node_whose_jobs_nobody_knows_is_given_back),
        T(jobs_that_may_only_finish_keep_their_node),
        T(jobs_that_came_back_keep_their_node),
        cmocka_unit_test(mistakes_name_their_line),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
