// SPDX-License-Identifier: GPL-3.0-or-later
//
// kill -9 at random moments of a process that appends: what telemetry_sync acknowledged is there, and
// nothing is that was not appended. SERIES_KILLS in the environment says how many kills.
#include "telemetry/series.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define STEP     INT64_C(1000)
#define BASE     INT64_C(1700000640000)
#define SERIES   12
#define TOGETHER 10 // fine steps of a coarse one

struct world {
    char dir[64];
    uint64_t random;
    _Atomic int64_t step; // that is appended now
    int64_t acknowledged, appended;
    int64_t from; // of the scan
    size_t count;
    int seen;
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static int64_t now(void *user)
{
    return BASE + ((struct world *)user)->step * STEP;
}

static int open_store(struct world *w, struct telemetry **ret)
{
    static const struct telemetry_tier tiers[] = {{STEP, 600 * STEP},
                                                  {TOGETHER * STEP, 1000000 * STEP}};
    return telemetry_open(
        ret,
        &(struct telemetry_config){
            .dir = w->dir, .tiers = tiers, .tier_count = 2, .now_ms = now, .user = w});
}

static double value_of(int64_t series, int64_t step)
{
    return (double)(series * 1000 + step * step % 89);
}

static int append_step(struct telemetry *t, struct world *w, int64_t step)
{
    struct telemetry_sample samples[SERIES];
    for (int s = 0; s < SERIES; s++) {
        char node[16];
        // A new series now and then, so that the list of them grows too.
        snprintf(node, sizeof node, "%d", s);
        struct telemetry_tag list[] = {{STR("name"), STR("test")},
                                       {STR("node"), str_of(node)}};
        samples[s] = (struct telemetry_sample){.at_ms = BASE + step * STEP,
                                               .value = value_of(s, step)};
        TRY(telemetry_series_of(t, &(struct telemetry_tags){list, 2}, TELEMETRY_GAUGE,
                                &samples[s].series));
    }
    size_t refused = 0, n = step < 50 ? SERIES / 2 : SERIES;
    w->step = step;
    TRY(telemetry_append(t, samples, n, &refused));
    FAIL_IF(refused > 0, ERR_INTERNAL, "%zu refused at step %lld", refused,
            (long long)step);
    return 0;
}

// Appends from `step` on, and says by the pipe what is durable, until it is killed.
_Noreturn static void append_for_ever(struct world *w, int64_t step, int pipe_fd)
{
    struct telemetry *t = NULL;
    w->step = step;
    int err = open_store(w, &t);
    for (; err == 0; step++) {
        err = append_step(t, w, step);
        if (err == 0 && step % 15 == 0) {
            err = telemetry_settle(t, BASE + step * STEP); // blocks, merges, tiers
        }
        if (err == 0 && step % 3 == 0) {
            err = telemetry_sync(t);
            if (err == 0 && write(pipe_fd, &step, sizeof step) != sizeof step) {
                err = ERR_IO;
            }
        }
    }
    _exit(3);
}

// Lets a child work for some acknowledgements and a moment, then kills it.
static void work_and_kill(struct world *w)
{
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        append_for_ever(w, w->appended + 1, fds[1]);
    }
    close(fds[1]);
    int64_t step;
    for (uint64_t n = draw(w, 60); n > 0; n--) {
        if (read(fds[0], &step, sizeof step) != sizeof step) {
            break; // it failed by itself: seen below
        }
        w->acknowledged = step;
    }
    for (volatile uint64_t spin = draw(w, 3000000); spin > 0; spin--) {
    }
    kill(child, SIGKILL);
    while (read(fds[0], &step, sizeof step) == sizeof step) {
        w->acknowledged = step;
    }
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int64_t series_number(const struct telemetry_view *v)
{
    int64_t series;
    assert_int_equal(str_to_i64(v->tags.list[1].value, 0, SERIES - 1, &series), 0);
    return series;
}

static bool is_appended(int64_t series, int64_t step)
{
    return step >= 1 && (step >= 50 || series < SERIES / 2);
}

static int look_fine(void *user, const struct telemetry_view *v)
{
    struct world *w = user;
    int64_t series = series_number(v);
    for (size_t i = 0; i < w->count; i++) {
        int64_t step = w->from + (int64_t)i;
        bool there = !isnan(v->values[i]);
        assert_true(there || step > w->acknowledged || !is_appended(series, step));
        if (there) {
            assert_true(is_appended(series, step));
            assert_true(v->values[i] == value_of(series, step));
            w->appended = MAX(w->appended, step);
        }
    }
    w->seen++;
    return 0;
}

static int look_coarse(void *user, const struct telemetry_view *v)
{
    struct world *w = user;
    int64_t series = series_number(v);
    for (size_t i = 0; i < w->count; i++) {
        int64_t end = w->from + (int64_t)i * TOGETHER;
        double want = 0;
        for (int64_t step = end - TOGETHER + 1; step <= end; step++) {
            want += is_appended(series, step) ? value_of(series, step) : 0;
        }
        if (end <= w->acknowledged) {
            double got = isnan(v->values[i]) ? 0 : v->values[i];
            assert_true(fabs(got - want) < 1e-6);
        }
    }
    w->seen++;
    return 0;
}

static void examine(struct world *w)
{
    struct telemetry *t = NULL;
    w->appended = w->acknowledged;
    w->step = w->acknowledged;
    assert_int_equal(open_store(w, &t), 0);
    w->step = w->acknowledged + 300;
    w->seen = 0;
    w->from = MAX(w->acknowledged - 400, INT64_C(1));
    w->count = 700;
    struct telemetry_span span = {BASE + w->from * STEP, STEP, w->count,
                                  TELEMETRY_CF_AVG};
    assert_int_equal(telemetry_scan(t, NULL, &span, look_fine, w), 0);
    assert_true(w->seen > 0 || w->acknowledged == 0);
    w->from = TOGETHER;
    w->count = (size_t)(w->acknowledged / TOGETHER + 1);
    span = (struct telemetry_span){BASE + TOGETHER * STEP, TOGETHER * STEP, w->count,
                                   TELEMETRY_CF_SUM};
    assert_int_equal(telemetry_scan(t, NULL, &span, look_coarse, w), 0);
    w->step = w->appended;
    telemetry_close(&t);
}

static void what_was_acknowledged_outlives_kills(void **state)
{
    (void)state;
    struct world w = {.random = 88172645463325252};
    snprintf(w.dir, sizeof w.dir, "/tmp/marquee-kills-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    const char *text = getenv("SERIES_KILLS");
    int64_t kills = 40;
    assert_true(!text || str_to_i64(str_of(text), 1, 100000, &kills) == 0);
    for (int64_t i = 0; i < kills; i++) {
        work_and_kill(&w);
        examine(&w);
    }
    assert_true(w.acknowledged > 30 * kills); // with 40: past the first tier
    assert_int_equal(fs_remove_tree(w.dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_outlives_kills),
    };
    return cmocka_run_group_tests_name("series_kills", tests, NULL, NULL);
}
