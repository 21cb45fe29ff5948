// SPDX-License-Identifier: GPL-3.0-or-later
//
// Candidates spread over steps of a job: what comes out is what one process finds, whoever is killed meanwhile.
#include "insight/insight.h"
#include "insight/spread.h"

#include "bus/bus.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { SERVERS = 50, STEPS = 490, CHANGED = 470, STEP = 60000, CHUNK = 9 };
static const int64_t base_ms = INT64_C(1700000040000);

static struct flow_executor_config config_of(struct store *store,
                                             const struct flow_workflow *workflow)
{
    return (struct flow_executor_config){.store = store,
                                         .types = insight_related_types,
                                         .type_count = insight_related_type_count,
                                         .workflows = workflow,
                                         .workflow_count = 1,
                                         .slots = 2,
                                         .memory_bytes = INT64_C(1) << 30};
}

// --- other processes ------------------------------------------------------------------------------------

static int open_rows(const char *dir, struct store **ret)
{
    TRY(store_open(ret, dir));
    TRY(store_migrate(*ret, bus_migrations, bus_migration_count));
    TRY(store_migrate(*ret, flow_migrations, flow_migration_count));
    return store_migrate(*ret, insight_migrations, insight_migration_count);
}

static int execute(const char *dir)
{
    struct store *store = NULL;
    struct flow_executor *x = NULL;
    const struct flow_workflow workflow = insight_related_workflow();
    if (open_rows(dir, &store) < 0) {
        return 1;
    }
    const struct flow_executor_config config = config_of(store, &workflow);
    if (flow_executor_start(&x, &config) < 0) {
        return 1;
    }
    for (;;) {
        pause();
    }
}

static void nap(void)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    nanosleep(&moment, NULL);
}

static int64_t count_of(struct store *store, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = -1;
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

static const char done_sql[] = "SELECT count(*) FROM flow_step WHERE state = 'done'";
static const char running_sql[] = "SELECT count(*) FROM flow_job WHERE state = 'running'";

static pid_t executor_process(const char *dir)
{
    AUTO(cstr_free) char *self = NULL;
    pid_t pid = 0;
    assert_int_equal(proc_self_path(&self), 0);
    const char *argv[] = {self, "execute", dir, NULL};
    const struct proc_config config = {
        .argv = argv, .in_fd = -1, .out_fd = -1, .err_fd = -1};
    assert_int_equal(proc_spawn(&config, &pid), 0);
    return pid;
}

// Executors, each killed when it has done a step more than those before it, until the job is over.
static int kill_through(struct store *store, const char *dir)
{
    int killed = 0;
    for (; count_of(store, running_sql) > 0; killed++) {
        int64_t had = count_of(store, done_sql), until_us = clock_mono_us() + 120000000;
        pid_t pid = executor_process(dir);
        while (count_of(store, done_sql) == had && count_of(store, running_sql) > 0) {
            assert_true(clock_mono_us() < until_us);
            nap();
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    return killed;
}

// --- the series -----------------------------------------------------------------------------------------

struct place {
    char dir[64], series_dir[80];
    int64_t now_ms;
    struct telemetry *series;
    struct store *store;
};

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

// One in three moves with the target, more or less clearly; one begins, one ends.
static void fill(struct place *p)
{
    uint32_t ids[SERVERS + 1];
    for (int i = 0; i < SERVERS; i++) {
        ids[i] = series_of(p->series, "queue", i);
    }
    ids[SERVERS] = series_of(p->series, "latency", -1);
    for (int step = 0; step < STEPS; step++) {
        p->now_ms = base_ms + (int64_t)step * STEP;
        for (int i = 0; i <= SERVERS; i++) {
            bool moves = i == SERVERS || i % 3 == 0;
            double more = moves && step >= CHANGED - i % 4 ? 10 : 0;
            size_t refused = 0;
            const struct telemetry_sample sample = {
                ids[i], p->now_ms,
                50 + 30 * sin((double)step / 229) + more +
                    (0.5 + (double)(i % SERVERS) / 20) * uniform()};
            if ((i == 7 && step < CHANGED) || (i == 11 && step > CHANGED)) {
                continue;
            }
            assert_int_equal(telemetry_append(p->series, &sample, 1, &refused), 0);
        }
    }
    p->now_ms += STEP;
    assert_int_equal(telemetry_settle(p->series, p->now_ms), 0);
}

static int place_make(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->now_ms = base_ms;
    snprintf(p->dir, sizeof p->dir, "/tmp/marquee-spread-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->series_dir, sizeof p->series_dir, "%s/series", p->dir);
    assert_int_equal(open_rows(p->dir, &p->store), 0);
    const struct telemetry_config config = {
        .dir = p->series_dir, .now_ms = now_ms, .user = &p->now_ms};
    assert_int_equal(telemetry_open(&p->series, &config), 0);
    fill(p);
    *state = p;
    return 0;
}

static int place_end(void **state)
{
    struct place *p = *state;
    telemetry_close(&p->series);
    store_close(&p->store);
    assert_int_equal(fs_remove_tree(p->dir), 0);
    free(p);
    return 0;
}

// --- tests ----------------------------------------------------------------------------------------------

static void ask(struct place *p, struct insight_spread *spread, json_t **ret)
{
    int64_t at_ms = base_ms + (CHANGED + 6) * (int64_t)STEP;
    const struct insight_question q = {.target = "name,latency,:eq,:sum",
                                       .at_ms = at_ms,
                                       .now_ms = at_ms + 6 * (int64_t)STEP,
                                       .spread = spread};
    assert_int_equal(insight_signals_ask(p->series, &q, ret), 0);
}

static void submit(struct place *p, const struct insight_spread *spread,
                   char job[UUID_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const struct spread_firing firing = {"a1", 5};
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx,
                                "INSERT INTO insight_alert_related (alert, fired)"
                                " VALUES ('a1', 5)",
                                ""),
                     0);
    assert_int_equal(spread_submit(tx, spread, &firing, job), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static void read_related(struct place *p, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_alert_related(tx, "a1", ret), 0);
}

static void chunks_find_what_one_process_finds(void **state)
{
    struct place *p = *state;
    AUTO(json_free) json_t *alone = NULL, *none = NULL, *together = NULL;
    AUTO(spread_clear)
    struct insight_spread spread = {.blobs = store_blobs_of(p->store), .chunk = CHUNK};
    char job[UUID_BYTES];
    ask(p, NULL, &alone);
    assert_true(json_array_size(json_object_get(alone, "related")) > 10);
    ask(p, &spread, &none);
    assert_null(none);
    assert_int_equal(json_array_size(spread.chunks), (SERVERS + CHUNK - 1) / CHUNK);
    submit(p, &spread, job);
    read_related(p, &together);
    assert_true(json_is_null(json_object_get(together, "found")));
    json_free(&together);
    assert_true(kill_through(p->store, p->dir) > 2);
    read_related(p, &together);
    assert_null(json_str_or(together, "why", NULL));
    assert_true(json_equal(json_object_get(together, "found"), alone));
    // Nothing is kept that nobody needs.
    assert_int_equal(
        count_of(p->store, "SELECT count(*) FROM blob_ref WHERE owner LIKE 'related:%'"),
        0);
}

// Few candidates are looked at where they are.
static void few_are_not_spread(void **state)
{
    struct place *p = *state;
    AUTO(json_free) json_t *alone = NULL, *same = NULL;
    AUTO(spread_clear)
    struct insight_spread spread = {.blobs = store_blobs_of(p->store), .chunk = SERVERS};
    ask(p, NULL, &alone);
    ask(p, &spread, &same);
    assert_null(spread.chunks);
    assert_true(json_equal(alone, same));
}

// A chunk that is no chunk ends the job, and the alert says why.
static void a_broken_chunk_is_told(void **state)
{
    struct place *p = *state;
    static const char *const bad[] = {"", "1234567", "\377\377\377\377\377\377\377\377{}",
                                      "\10\0\0\0\0\0\0\0{      }"};
    static const size_t lengths[] = {0, 7, 10, 16};
    char hex[HASH_HEX_BYTES], job[UUID_BYTES];
    struct hash hash;
    AUTO(json_free) json_t *related = NULL;
    AUTO(spread_clear)
    struct insight_spread spread = {.blobs = store_blobs_of(p->store),
                                    .chunks = json_array()};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(store_blob_put(spread.blobs, bad[i], lengths[i], &hash), 0);
        hash_hex(&hash, hex);
        json_array_append_new(spread.chunks, json_string(hex));
    }
    submit(p, &spread, job);
    const struct flow_workflow workflow = insight_related_workflow();
    struct flow_executor_config config = config_of(p->store, &workflow);
    config.retry_us = 1000;
    struct flow_executor *x = NULL;
    assert_int_equal(flow_executor_start(&x, &config), 0);
    for (int64_t until_us = clock_mono_us() + 120000000;
         count_of(p->store, running_sql) > 0;) {
        assert_true(clock_mono_us() < until_us);
        nap();
    }
    flow_executor_stop(&x);
    read_related(p, &related);
    assert_non_null(strstr(json_str_or(related, "why", ""), "chunk"));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "execute") == 0) {
        return execute(argv[2]);
    }
    if (argc == 6 && strcmp(argv[1], "step") == 0) { // step --data D --dir X
        return flow_step_main(insight_related_types, insight_related_type_count, argv[3],
                              argv[5]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_find_what_one_process_finds, place_make,
                                        place_end),
        cmocka_unit_test_setup_teardown(few_are_not_spread, place_make, place_end),
        cmocka_unit_test_setup_teardown(a_broken_chunk_is_told, place_make, place_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
