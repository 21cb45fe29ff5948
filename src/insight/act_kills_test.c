// SPDX-License-Identifier: GPL-3.0-or-later
//
// kill -9: at every point of the journal in turn, then at random moments of several processes that work on
// the same rows. The world is memory that outlives the killed. Whatever happens, no treatment ends anything
// twice, the trail is whole, and what is left can be brought to its end.
#include "bus/bus.h"
#include "insight/world.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define S_US INT64_C(1000000)

static const char yaml_text[] =
    "schema: 1\n"
    "everywhere: {max_at_once: 5, max_per_hour: 100}\n"
    "clusters:\n"
    "  - name: edge\n"
    "    owner: edge@example.org\n"
    "    action: terminate\n"
    "    servers: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}]\n"
    "    discovery: {driver: exec, run: [x]}\n"
    "    life: {driver: exec, run: [x]}\n"
    "    health: {run: [x], within_s: 20}\n"
    "    drain_s: 1\n"
    "    guards: {max_share_percent: 20, max_per_hour: 100, cooldown_s: 1, watch_s: 1}\n";

struct stage {
    char dir[64];
    struct world *world;
    int points; // that are passed before the process is killed; -1: it is not
};

static int read_now(void *user, struct insight_now *ret)
{
    world_now(((struct stage *)user)->world, ret);
    return 0;
}

static int passed(void *user, const char *where)
{
    struct stage *s = user;
    (void)where;
    if (s->world->ended || s->points == 0) {
        kill(getpid(), SIGKILL);
    }
    s->points -= s->points > 0;
    return 0;
}

static void suspect(struct insight_act *act, struct stage *s, const char *server)
{
    struct insight_now now;
    world_now(s->world, &now);
    const struct insight_suspect one = {
        .server = server, .since_us = now.wall_us - 1, .score = 5};
    (void)insight_act_consider(
        act, &(struct insight_suspicion){.cluster = "edge",
                                         .rule = "dbscan@1",
                                         .window_start_us = now.wall_us - 1,
                                         .window_end_us = now.wall_us,
                                         .data_us = now.wall_us,
                                         .members = 6,
                                         .reporting = 6,
                                         .suspects = &one,
                                         .suspect_count = 1});
}

// Opens everything itself: nothing of SQLite's crosses a fork.
static int in_child(struct stage *s, const char *suspects, int turns)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(insight_fleet_free) struct insight_fleet *fleet = NULL;
    AUTO(insight_act_free) struct insight_act *act = NULL;
    AUTO(diag_free) struct diag diag = {0};
    TRY(store_open(&store, s->dir));
    TRY(store_migrate(store, bus_migrations, bus_migration_count));
    TRY(store_migrate(store, insight_migrations, insight_migration_count));
    TRY(insight_fleet_parse(str_of(yaml_text), "clusters.yaml", &fleet, &diag));
    TRY(insight_act_new(&act, &(struct insight_act_config){.store = store,
                                                           .fleet = fleet,
                                                           .drivers = &world_drivers,
                                                           .driver_user = s->world,
                                                           .now = read_now,
                                                           .passed = passed,
                                                           .user = s}));
    for (int i = 0; i < turns; i++) {
        size_t letters = strlen(suspects);
        if (letters && i % 12 == 0) {
            const char name[2] = {suspects[(size_t)(i / 12) % letters], '\0'};
            suspect(act, s, name);
        }
        int did = insight_act_advance(act);
        TRY(did);
        __atomic_add_fetch(&s->world->true_us, did ? S_US : 5 * S_US, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static pid_t start(struct stage *s, const char *suspects, int turns, int64_t life_us)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
        struct itimerspec at = {
            .it_value = {.tv_sec = life_us / S_US, .tv_nsec = life_us % S_US * 1000 + 1}};
        if (life_us && (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
                        timer_settime(timer, 0, &at, NULL) != 0)) {
            _exit(9);
        }
        _exit(in_child(s, suspects, turns) == 0 ? 0 : 1);
    }
    return pid;
}

// True when it was killed.
static bool finish(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void begin(struct stage *s)
{
    *s = (struct stage){.points = -1};
    snprintf(s->dir, sizeof s->dir, "%s/marquee-kills-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    s->world = world_new();
    for (const char *p = "abcdef"; *p; p++) {
        world_add(s->world, "edge", (char[2]){*p, '\0'});
    }
}

// Everybody serves, nothing was ended twice, the trail is whole.
static void check(struct stage *s)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct insight_audit_verdict v;
    int64_t left = 0;
    assert_false(s->world->twice);
    assert_false(s->world->wrong);
    for (size_t i = 0; i < s->world->count; i++) {
        assert_true(s->world->servers[i].runs && s->world->servers[i].in_service);
    }
    assert_int_equal(store_open(&store, s->dir), 0);
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    assert_int_equal(insight_audit_verify(tx, NULL, &v), 0);
    assert_int_equal(v.broken, 0);
    assert_int_equal(store_get_i64(tx, &left,
                                   "SELECT count(*) FROM insight_treatment WHERE state"
                                   " IN ('acting', 'stuck', 'out')",
                                   ""),
                     0);
    assert_int_equal(left, 0);
}

static void end(struct stage *s)
{
    assert_int_equal(fs_remove_tree(s->dir), 0);
    world_free(&s->world);
}

static void at_every_point_of_the_journal(void **state)
{
    (void)state;
    int points = 0;
    size_t replaced = 0, spared = 0;
    for (bool killed = true; killed; points++) {
        struct stage s;
        begin(&s);
        s.points = points;
        killed = finish(start(&s, "c", 12, 0));
        s.points = -1;
        assert_false(finish(start(&s, "", 260, 0)));
        check(&s);
        assert_true(s.world->terminations <= 1);
        replaced += s.world->terminations;
        spared += s.world->terminations == 0;
        end(&s);
    }
    print_message("%d points, %zu ended, %zu spared\n", points, replaced, spared);
    assert_true(points > 30);
    assert_true(replaced > 10 && spared >= 3);
}

static void within_a_termination(void **state)
{
    (void)state;
    for (int effect = WORLD_ENDS_WITH_EFFECT; effect <= WORLD_ENDS_WITHOUT; effect++) {
        struct stage s;
        begin(&s);
        s.world->in_terminate =
            effect == WORLD_ENDS_WITHOUT ? WORLD_ENDS_WITHOUT : WORLD_ENDS_WITH_EFFECT;
        assert_true(finish(start(&s, "c", 12, 0)));
        s.world->ended = false;
        assert_false(finish(start(&s, "", 260, 0)));
        check(&s);
        assert_int_equal(s.world->terminations, 1);
        assert_int_equal(s.world->started, effect == WORLD_ENDS_WITH_EFFECT);
        end(&s);
    }
}

static void at_random_moments_of_two_processes(void **state)
{
    (void)state;
    const char *level = getenv("MARQUEE_LEVEL");
    int rounds = level && strcmp(level, "long") == 0   ? 400
                 : level && strcmp(level, "fast") == 0 ? 10
                                                       : 20;
    uint64_t seed = 7;
    struct stage s;
    size_t kills = 0;
    begin(&s);
    finish(start(&s, "", 1, 0)); // the rows are made
    for (int i = 0; i < rounds; i++) {
        int64_t lives[2];
        for (size_t k = 0; k < 2; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            lives[k] = 5000 + (int64_t)(seed >> 40) % 200000;
        }
        pid_t one = start(&s, "abc", 100000, lives[0]);
        pid_t other = start(&s, "def", 100000, lives[1]);
        kills += finish(one);
        kills += finish(other);
        assert_false(s.world->twice);
    }
    assert_false(finish(start(&s, "", 600, 0)));
    check(&s);
    print_message("%zu kills, %zu ended, %zu started\n", kills, s.world->terminations,
                  s.world->started);
    assert_int_equal(kills, 2 * (size_t)rounds);
    end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_point_of_the_journal),
        cmocka_unit_test(within_a_termination),
        cmocka_unit_test(at_random_moments_of_two_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
