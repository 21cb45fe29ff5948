// SPDX-License-Identifier: GPL-3.0-or-later
//
// Random looks, approvals, undoings, jumps of the clock, reboots, ends of the process at any point, and a
// second process that takes over while the first one sleeps. A naive model that knows neither rows nor
// guards.c watches the world: what is out, what began when, in true time.
#include "bus/bus.h"
#include "insight/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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
    "    health: {run: [x], within_s: 20}\n"
    "    drain_s: 5\n"
    "    guards: {max_share_percent: 20, max_at_once: 2, max_per_hour: 3,\n"
    "             cooldown_s: 120, min_peers: 5, outlier_percent: 20, max_age_s: 120,\n"
    "             watch_s: 600}\n"
    "  - name: core\n"
    "    owner: core@example.org\n"
    "    action: remove\n"
    "    servers: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n"
    "    discovery: {driver: exec, run: [x]}\n"
    "    guards: {max_share_percent: 40, min_peers: 4, min_left: 4, approval: true,\n"
    "             max_at_once: 2, approval_life_s: 900, max_per_hour: 2,\n"
    "             cooldown_s: 60}\n";

// What must hold of a cluster, said once more.
struct rule {
    const char *cluster;
    int64_t max_out, per_hour, rest_s;
};
static const struct rule rules[] = {{"edge", 2, 3, 120}, {"core", 1, 2, 60}};
enum { ALL_OUT = 2, ALL_PER_HOUR = 4, BEGUN_MAX = 4096 };

struct begun {
    int cluster;
    int64_t at_us;
};

struct stage {
    char dir[64];
    struct store *store;
    struct insight_fleet *fleet;
    struct insight_act *acts[2];
    struct world *world;
    uint64_t seed;
    int64_t seen; // the last event that the model knows
    struct begun begun[BEGUN_MAX];
    size_t begun_count;
    int until_end; // points that are passed before the process "ends"; -1: it does not
    bool asleep;   // one process sleeps, and the other works
    int sleeps;
};

static uint32_t draw(struct stage *s, uint32_t below) // PCG, so that a seed is a story
{
    s->seed = s->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(s->seed >> 33) % below;
}

// --- the model ----------------------------------------------------------------------------------------

static void check_begun(struct stage *s)
{
    const struct begun *last = &s->begun[s->begun_count - 1];
    int64_t own = 0, all = 0;
    for (size_t i = 0; i < s->begun_count; i++) {
        const struct begun *b = &s->begun[i];
        bool recent = b->at_us > last->at_us - 3600 * S_US;
        own += recent && b->cluster == last->cluster;
        all += recent;
        if (i + 1 < s->begun_count && b->cluster == last->cluster) {
            assert_true(last->at_us - b->at_us >= rules[last->cluster].rest_s * S_US);
        }
    }
    assert_true(own <= rules[last->cluster].per_hour);
    assert_true(all <= ALL_PER_HOUR);
}

static void check_world(struct stage *s)
{
    size_t all = 0;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        size_t out = world_out(s->world, rules[i].cluster);
        assert_true(out <= (size_t)rules[i].max_out);
        all += out;
    }
    assert_true(all <= ALL_OUT);
    assert_false(s->world->twice);
    assert_false(s->world->wrong);
}

// What began since the model looked last; the true time has not moved since.
static size_t learn(struct stage *s)
{
    AUTO(json_free) json_t *events = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    size_t fresh = 0;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(bus_read(tx, s->seen, NULL, 1000, &events), 0);
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *e = json_array_get(events, i);
        int64_t seq = 0;
        assert_int_equal(str_to_i64(str_of(json_str_or(e, "id", "")), 0, INT64_MAX, &seq),
                         0);
        s->seen = seq;
        if (strcmp(json_str_or(e, "type", ""), "treatment.begun.v1") != 0) {
            continue;
        }
        const char *cluster = json_str_or(json_object_get(e, "data"), "cluster", "");
        assert_true(s->begun_count < BEGUN_MAX);
        s->begun[s->begun_count++] = (struct begun){
            .cluster = strcmp(cluster, "core") == 0, .at_us = s->world->true_us};
        check_begun(s);
        fresh++;
    }
    check_world(s);
    return fresh;
}

// --- what happens -------------------------------------------------------------------------------------

static int passed(void *user, const char *where)
{
    struct stage *s = user;
    bool open =
        strcmp(where, "considered") == 0 || strcmp(where, "claiming") == 0 ||
        strcmp(where, "settling") == 0; // a transaction is open: nobody else writes
    if (!open) {
        learn(s);
    }
    if (s->until_end == 0 || s->world->ended) {
        s->world->ended = false;
        return err_fail(ERR_CANCELLED, "the process ended at %s", where);
    }
    s->until_end -= s->until_end > 0;
    if (!open && !s->asleep && draw(s, 40) == 0) {
        s->asleep = true; // longer than its lease: the other takes over
        s->sleeps++;
        for (int i = 0; i < 8; i++) {
            s->world->true_us += (int64_t)draw(s, 200) * S_US;
            int err = insight_act_advance(s->acts[1]);
            assert_true(err >= 0 || err == ERR_CANCELLED);
            learn(s);
        }
        s->asleep = false;
    }
    return 0;
}

static int read_now(void *user, struct insight_now *ret)
{
    world_now(((struct stage *)user)->world, ret);
    return 0;
}

static bool any_approved(struct stage *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = 0;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n,
                                   "SELECT count(*) FROM insight_treatment WHERE"
                                   " approved_by IS NOT NULL AND state = 'held'",
                                   ""),
                     0);
    return n > 0;
}

static void look_at(struct stage *s)
{
    static const char *const letters[] = {"a", "b", "c", "d", "e",
                                          "f", "g", "h", "i", "j"};
    struct insight_suspect list[10] = {{0}};
    struct insight_now now;
    bool core = draw(s, 3) == 0;
    size_t size = core ? 5 : 10, count = draw(s, 10) == 0 ? 4 : draw(s, 3);
    int64_t age_s = draw(s, 8) == 0 ? 121 + draw(s, 1000) : draw(s, 121);
    size_t reporting = draw(s, 12) == 0 ? draw(s, 5) : size;
    world_now(s->world, &now);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct insight_suspect){.server = letters[draw(s, (uint32_t)size)],
                                           .since_us = now.wall_us - 1,
                                           .score = draw(s, 100)};
    }
    bool must_hold = (age_s > (core ? 180 : 120)) || reporting < (core ? 4 : 5) ||
                     (count + size - reporting) * 100 > 20 * size || core;
    bool approved = any_approved(s);
    int sleeps = s->sleeps;
    int64_t end_us = now.wall_us - age_s * S_US;
    size_t before = s->begun_count;
    int err = insight_act_consider(
        s->acts[0], &(struct insight_suspicion){.cluster = core ? "core" : "edge",
                                                .rule = "dbscan@1",
                                                .window_start_us = end_us - 1,
                                                .window_end_us = end_us,
                                                .data_us = end_us,
                                                .members = size,
                                                .reporting = reporting,
                                                .suspects = list,
                                                .suspect_count = count});
    assert_true(err == 0 || err == ERR_CANCELLED);
    learn(s);
    // Nobody slept, nobody had approved: whatever began, began of this look.
    if (must_hold && s->sleeps == sleeps && !approved) {
        assert_int_equal(s->begun_count, before);
    }
}

typedef int person_f(struct store_tx *, const char *id, const char *actor);

static void ask_person(struct stage *s)
{
    static person_f *const what[] = {insight_treatment_approve, insight_treatment_refuse,
                                     insight_treatment_undo, insight_treatment_undo,
                                     insight_treatment_approve};
    static const char *const states[] = {"held", "stuck", "out", "acting", "stuck"};
    AUTO(json_free) json_t *items = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        insight_treatments(tx,
                           &(struct insight_treatment_query){
                               .state = states[draw(s, ARRAY_LEN(states))], .limit = 30},
                           &items),
        0);
    size_t count = json_array_size(items);
    if (!count) {
        return;
    }
    const char *id =
        json_str_or(json_array_get(items, draw(s, (uint32_t)count)), "id", "");
    int err = what[draw(s, ARRAY_LEN(what))](tx, id, "user/1");
    assert_true(err == 0 || err == ERR_CONFLICT);
    if (err == 0) {
        assert_int_equal(store_commit(&tx), 0);
    }
}

static void reboot(struct stage *s)
{
    s->world->boots++;
    s->world->boot_off_us = -s->world->true_us;
    s->world->wall_off_us -= (int64_t)draw(s, 3) * 3600 * S_US;
}

static void step(struct stage *s)
{
    uint32_t what = draw(s, 100);
    s->until_end = draw(s, 6) == 0 ? (int)draw(s, 6) : -1;
    s->world->apply_fails = draw(s, 15) == 0 ? (int)draw(s, 5) : s->world->apply_fails;
    s->world->servers[draw(s, 15)].heals = draw(s, 20) != 0;
    s->world->in_terminate = draw(s, 4) == 0 ? draw(s, 3) : s->world->in_terminate;
    if (what < 25) {
        look_at(s);
    } else if (what < 70) {
        int err = insight_act_advance(s->acts[draw(s, 2)]);
        assert_true(err >= 0 || err == ERR_CANCELLED);
    } else if (what < 84) {
        s->world->true_us += (int64_t)draw(s, 300) * S_US;
    } else if (what < 94) {
        ask_person(s);
    } else if (what < 98) {
        s->world->wall_off_us += ((int64_t)draw(s, 200000) - 100000) * S_US;
    } else {
        reboot(s);
    }
    learn(s);
}

// --- a story ------------------------------------------------------------------------------------------

static void begin_story(struct stage *s, uint64_t seed)
{
    AUTO(diag_free) struct diag diag = {0};
    *s = (struct stage){.seed = seed, .until_end = -1};
    // Thousands of commits: where memory serves as a disk, they cost none.
    snprintf(s->dir, sizeof s->dir, "%s/marquee-caps-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
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
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            insight_act_new(&s->acts[i],
                            &(struct insight_act_config){.store = s->store,
                                                         .fleet = s->fleet,
                                                         .drivers = &world_drivers,
                                                         .driver_user = s->world,
                                                         .now = read_now,
                                                         .passed = passed,
                                                         .user = s}),
            0);
    }
}

static void end_story(struct stage *s)
{
    struct insight_audit_verdict v;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_audit_verify(tx, NULL, &v), 0);
    assert_int_equal(v.broken, 0);
    store_rollback(&tx);
    insight_act_free(&s->acts[0]);
    insight_act_free(&s->acts[1]);
    insight_fleet_free(&s->fleet);
    world_free(&s->world);
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
}

static void no_cap_is_ever_broken(void **state)
{
    (void)state;
    const char *level = getenv("MARQUEE_LEVEL");
    uint64_t stories = level && strcmp(level, "long") == 0   ? 60
                       : level && strcmp(level, "fast") == 0 ? 2
                                                             : 6;
    size_t begun = 0, terminations = 0;
    int sleeps = 0;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (uint64_t seed = 1; seed <= stories; seed++) {
        begin_story(s, seed);
        for (int i = 0; i < 1500; i++) {
            step(s);
        }
        begun += s->begun_count;
        terminations += s->world->terminations;
        sleeps += s->sleeps;
        end_story(s);
    }
    free(s);
    print_message("%zu begun, %zu ended, %d taken over\n", begun, terminations, sleeps);
    // It was worth watching.
    assert_true(begun > 8 * stories);
    assert_true(terminations > 5 * stories);
    assert_true(sleeps > (int)stories);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cap_is_ever_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
