// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/alert_rules.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define S_US INT64_C(1000000)

static const char yaml_text[] =
    "schema: 1\n"
    "channels:\n"
    "  - {name: ops, mail: ops@example.org}\n"
    "  - {name: pager, webhook: \"http://127.0.0.1:9/page\"}\n"
    "rules:\n"
    "  - name: errors\n"
    "    summary: Edges answer with errors\n"
    "    expr: errors\n"
    "    above: 5\n"
    "    resolve_at: 2\n"
    "    for_s: 60\n"
    "    resolve_for_s: 30\n"
    "    group_by: [cluster]\n"
    "    channels: [ops]\n"
    "    escalate: [{after_s: 600, channels: [pager]}]\n"
    "    inhibited_by: [down]\n"
    "    equal: [cluster]\n"
    "  - {name: down, expr: down, channels: [ops]}\n"
    "  - {name: silent, expr: silent, no_data: alert, no_data_s: 120, channels: [ops]}\n"
    "  - {name: broken, expr: broken, channels: [ops]}\n";

// What each expression gives: "cluster/server=value …"; NULL: it cannot be read.
struct world {
    const char *errors, *down, *silent, *broken;
};

struct stage {
    char dir[64];
    struct store *store;
    struct insight_alert_rules *rules;
    struct insight_alerts_config config;
    struct world world;
    int64_t now_us;
};

static int parse_line(struct str word, struct insight_line *ret, json_t *owner)
{
    struct str cluster, server, rest = word;
    str_next(&rest, '/', &cluster);
    str_next(&rest, '=', &server);
    json_t *tags = json_pack("{s:s%, s:s%}", "cluster", cluster.data, cluster.len,
                             "server", server.data, server.len);
    json_array_append_new(owner, tags);
    ret->tags = tags;
    ret->value = NAN;
    return str_eq_c(rest, "nan") ? 0 : str_to_double(rest, -1e9, 1e9, &ret->value);
}

static int read_world(void *user, const char *expr, int64_t now_us, struct arena *arena,
                      struct insight_reading *ret)
{
    const struct world *w = user;
    (void)now_us;
    const char *text = strcmp(expr, "errors") == 0   ? w->errors
                       : strcmp(expr, "down") == 0   ? w->down
                       : strcmp(expr, "silent") == 0 ? w->silent
                                                     : w->broken;
    FAIL_IF(!text, ERR_LIMIT, "over a limit");
    struct insight_reading r = {.lines = arena_alloc(arena, 3000, sizeof *r.lines),
                                .owner = json_array()};
    struct str rest = str_of(text), word;
    while (rest.len && str_next(&rest, ' ', &word)) {
        TRY(parse_line(word, &r.lines[r.count], r.owner));
        r.count++;
    }
    *ret = r;
    return 0;
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    AUTO(diag_free) struct diag diag = {0};
    assert_non_null(s);
    snprintf(s->dir, sizeof s->dir, "%s/marquee-alert-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(store_open(&s->store, s->dir), 0);
    assert_int_equal(store_migrate(s->store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_migrate(s->store, insight_migrations, insight_migration_count),
                     0);
    assert_int_equal(
        insight_alert_rules_parse(str_of(yaml_text), "alerts.yaml", &s->rules, &diag), 0);
    s->world = (struct world){"", "", "edge/a=0", ""};
    s->config = (struct insight_alerts_config){
        .store = s->store, .rules = s->rules, .read = read_world, .user = &s->world};
    s->now_us = clock_wall_us();
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    insight_alert_rules_free(&s->rules);
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

static void after(struct stage *s, int64_t seconds)
{
    s->now_us += seconds * S_US;
    assert_int_equal(insight_alerts_evaluate(&s->config, s->now_us), 0);
}

static int64_t number(struct stage *s, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = 0;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

static int64_t notices(struct stage *s)
{
    return number(s, "SELECT count(*) FROM notice");
}

static int64_t firing(struct stage *s)
{
    return number(s, "SELECT count(*) FROM insight_alert WHERE state IN ('firing',"
                     " 'no_data', 'acknowledged')");
}

static json_t *only(struct stage *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *all = NULL;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_alerts(tx, NULL, 100, &all), 0);
    assert_int_equal(json_array_size(all), 1);
    return json_incref(json_array_get(all, 0));
}

static void assert_state(struct stage *s, const char *state)
{
    AUTO(json_free) json_t *alert = only(s);
    assert_string_equal(json_str_or(alert, "state", ""), state);
}

static void ack_until(struct stage *s, int64_t until_us)
{
    AUTO(json_free) json_t *alert = only(s);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = json_str_or(alert, "id", "");
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    struct insight_ack why = {
        .actor = "user/1", .why = "looking", .until_us = clock_wall_us() - 1};
    assert_int_equal(insight_alert_ack(tx, id, &why), ERR_INVALID);
    why.until_us = until_us;
    assert_int_equal(insight_alert_ack(tx, id, &why), 0);
    assert_int_equal(insight_alert_ack(tx, id, &why), ERR_CONFLICT);
    assert_int_equal(store_commit(&tx), 0);
}

static void ack(struct stage *s)
{
    ack_until(s, 0);
}

static void from_pending_to_resolved(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6";
    after(s, 0);
    assert_state(s, "pending");
    after(s, 59);
    assert_state(s, "pending");
    assert_int_equal(notices(s), 0);
    after(s, 1);
    assert_state(s, "firing");
    assert_int_equal(notices(s), 1);
    s->world.errors = "edge/a=3"; // between the thresholds
    after(s, 100);
    assert_state(s, "firing");
    s->world.errors = "edge/a=2";
    after(s, 10);
    after(s, 29);
    assert_state(s, "firing");
    s->world.errors = "edge/a=3";
    after(s, 1);
    s->world.errors = "edge/a=1";
    after(s, 1);
    after(s, 29);
    assert_state(s, "firing");
    after(s, 1);
    assert_int_equal(firing(s), 0);
    assert_int_equal(notices(s), 2); // and that it is over
    after(s, 1000);
    assert_int_equal(notices(s), 2);
}

static void what_is_short_is_no_alert(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6";
    after(s, 0);
    s->world.errors = "edge/a=5";
    after(s, 59);
    s->world.errors = "edge/a=6";
    after(s, 30);
    after(s, 59);
    assert_state(s, "pending");
    assert_int_equal(notices(s), 0);
}

static void alerts_of_a_group_are_one_notice(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6 edge/b=7 core/a=9 edge/c=1";
    after(s, 0);
    after(s, 60);
    assert_int_equal(firing(s), 3);
    assert_int_equal(notices(s), 2); // edge, core
    s->world.errors = "edge/a=6 edge/b=7 core/a=9 edge/c=8";
    after(s, 1);
    after(s, 60);
    assert_int_equal(firing(s), 4);
    assert_int_equal(notices(s), 3); // who came later is told, the others not again
}

static void nobody_answers_and_it_is_escalated(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6";
    after(s, 0);
    after(s, 60);
    after(s, 599);
    assert_int_equal(notices(s), 1);
    after(s, 1);
    assert_int_equal(notices(s), 2);
    assert_int_equal(number(s, "SELECT count(*) FROM notice WHERE kind = 'hook'"), 1);
    after(s, 100000);
    assert_int_equal(notices(s), 2);
}

static void an_acknowledged_alert_is_not_escalated(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6";
    after(s, 0);
    after(s, 60);
    ack(s);
    assert_state(s, "acknowledged");
    after(s, 5000);
    assert_state(s, "acknowledged");
    assert_int_equal(notices(s), 1);
    s->world.errors = "edge/a=0";
    after(s, 1);
    after(s, 30);
    assert_int_equal(firing(s), 0);
    assert_int_equal(notices(s), 2);
}

static void an_acknowledgement_ends_and_it_is_told_anew(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6";
    after(s, 0);
    after(s, 60);
    assert_int_equal(notices(s), 1);
    ack_until(s, s->now_us + 3600 * S_US);
    after(s, 3599);
    assert_int_equal(notices(s), 1);
    after(s, 1);
    assert_state(s, "firing");
    assert_int_equal(notices(s), 2); // the first channel again, and not the pager at once
    after(s, 599);
    assert_int_equal(notices(s), 2);
    after(s, 1);
    assert_int_equal(notices(s), 3);
    ack(s);
    AUTO(json_free) json_t *alert = only(s);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = json_str_or(alert, "id", "");
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(insight_alert_unack(tx, id, "user/1"), 0);
    assert_int_equal(insight_alert_unack(tx, id, "user/1"), ERR_CONFLICT);
    assert_int_equal(store_commit(&tx), 0);
    after(s, 1);
    assert_int_equal(notices(s), 4);
    assert_int_equal(number(s, "SELECT count(*) FROM insight_audit WHERE what ="
                               " 'alert.unacknowledged'"),
                     2);
}

static void whoever_is_told_late_has_his_time(void **state)
{
    struct stage *s = *state;
    char id[UUID_BYTES];
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const struct insight_silence silence = {
        .until_us = s->now_us + 7200 * S_US, .why = "maintenance", .actor = "user/1"};
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(insight_silence_add(tx, &silence, id), 0);
    assert_int_equal(store_commit(&tx), 0);
    s->world.errors = "edge/a=6";
    after(s, 0);
    after(s, 7199);
    assert_int_equal(notices(s), 0);
    after(s, 1);
    assert_int_equal(notices(s), 1); // and the pager only if nobody acknowledges it now
    after(s, 599);
    assert_int_equal(notices(s), 1);
    after(s, 1);
    assert_int_equal(notices(s), 2);
}

static void a_mail_says_what_it_is_about(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6.5 edge/b=7";
    after(s, 0);
    after(s, 60);
    static const char like[] =
        "SELECT count(*) FROM notice WHERE kind = 'mail' AND"
        " subject = '[firing] Edges answer with errors' AND"
        " body LIKE '%now 6.5%' AND body LIKE '%now 7%' AND body LIKE '%ack 0%'";
    assert_int_equal(number(s, like), 1);
    s->world.errors = "edge/a=0 edge/b=0";
    after(s, 1);
    after(s, 30);
    assert_int_equal(number(s, "SELECT count(*) FROM notice WHERE subject LIKE"
                               " '[resolved]%' AND body NOT LIKE '%alerts ack%'"),
                     1);
    s->world.silent = "";
    after(s, 200);
    assert_int_equal(number(s, "SELECT count(*) FROM notice WHERE subject LIKE"
                               " '[no data]%'"),
                     1);
}

static void a_silence_expires(void **state)
{
    struct stage *s = *state;
    char id[UUID_BYTES];
    AUTO(json_free) json_t *tags = json_pack("{s:s}", "cluster", "edge");
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct insight_silence silence = {.rule = "errors",
                                      .tags = tags,
                                      .until_us = s->now_us + 3600 * S_US,
                                      .why = "maintenance",
                                      .actor = "user/1"};
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(insight_silence_add(tx, &silence, id), 0);
    silence.why = " ";
    assert_int_equal(insight_silence_add(tx, &silence, id), ERR_INVALID);
    silence.why = "late";
    silence.until_us = clock_wall_us() - 1;
    assert_int_equal(insight_silence_add(tx, &silence, id), ERR_INVALID);
    assert_int_equal(store_commit(&tx), 0);
    s->world.errors = "edge/a=6 core/a=6";
    after(s, 0);
    after(s, 60);
    assert_int_equal(firing(s), 2);
    assert_int_equal(notices(s), 1); // of core
    after(s, 3600);                  // it still fires when the silence is over
    assert_int_equal(number(s, "SELECT count(*) FROM notice WHERE kind = 'mail'"), 2);
}

static void what_is_down_inhibits_what_follows(void **state)
{
    struct stage *s = *state;
    s->world.down = "edge/x=1";
    s->world.errors = "edge/a=6 core/a=6";
    after(s, 0);
    assert_int_equal(notices(s), 1);
    after(s, 60);
    assert_int_equal(firing(s), 3);
    assert_int_equal(notices(s), 2); // core's errors; edge's are explained
    s->world.down = "edge/x=0";
    after(s, 1);
    assert_int_equal(notices(s), 4); // it is up, and still has errors
}

static void no_data_is_a_state(void **state)
{
    struct stage *s = *state;
    s->world.silent = "edge/a=0";
    after(s, 0);
    s->world.silent = "";
    after(s, 119);
    assert_int_equal(firing(s), 0);
    after(s, 1);
    assert_state(s, "no_data");
    assert_int_equal(notices(s), 1);
    after(s, 500);
    assert_int_equal(notices(s), 1);
    s->world.silent = "edge/a=0";
    after(s, 1);
    assert_int_equal(firing(s), 0);
    assert_int_equal(notices(s), 2);
    // One that fires and then says nothing is no data, not well.
    s->world.silent = "edge/a=1";
    after(s, 1);
    assert_state(s, "firing");
    s->world.silent = "edge/a=nan";
    after(s, 120);
    assert_state(s, "no_data");
    ack(s);
    after(s, 1);
    assert_state(s, "acknowledged"); // and stays so without data
    s->world.silent = "edge/a=1";
    after(s, 1);
    assert_state(s, "acknowledged");
}

static void a_rule_that_fails_silences_nobody(void **state)
{
    struct stage *s = *state;
    s->world.errors = "edge/a=6";
    s->world.broken = "edge/a=1";
    after(s, 0);
    s->world.broken = NULL;
    after(s, 60);
    assert_int_equal(firing(s), 2); // the broken one's alert stays as it is
    assert_int_equal(number(s, "SELECT count(*) FROM finding WHERE subject ="
                               " 'alert-rule/broken' AND kind = 'alert_rule_failed' AND"
                               " state = 'open'"),
                     1);
    s->world.broken = "edge/a=0";
    after(s, 1);
    assert_int_equal(number(s, "SELECT count(*) FROM finding WHERE state = 'open'"), 0);
    assert_int_equal(firing(s), 1);
}

static void a_rule_over_its_limit_is_a_finding(void **state)
{
    struct stage *s = *state;
    AUTO(buf_free) struct buf many = {0};
    for (int i = 0; i < 40; i++) {
        buf_printf(&many, "%sedge/s%d=1", i ? " " : "", i);
    }
    s->config.max_lines = 30;
    s->world.broken = many.data;
    s->world.down = "edge/x=1";
    after(s, 0);
    assert_int_equal(firing(s), 31);
    assert_int_equal(number(s, "SELECT count(*) FROM finding WHERE kind ="
                               " 'alert_rule_limit' AND state = 'open'"),
                     1);
    s->world.broken = "";
    after(s, 1);
    assert_int_equal(number(s, "SELECT count(*) FROM finding WHERE state = 'open'"), 0);
}

static void a_rule_that_is_gone_resolves(void **state)
{
    struct stage *s = *state;
    AUTO(diag_free) struct diag diag = {0};
    s->world.down = "edge/x=1";
    after(s, 0);
    assert_int_equal(firing(s), 1);
    insight_alert_rules_free(&s->rules);
    assert_int_equal(insight_alert_rules_parse(STR("schema: 1\nrules: []\n"), "a.yaml",
                                               &s->rules, &diag),
                     0);
    s->config.rules = s->rules;
    after(s, 1);
    assert_int_equal(firing(s), 0);
}

static void mistakes_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"schema: 1\nrules:\n  - {name: a, expr: x, channels: [none]}\n", 3},
        {"schema: 1\nrules:\n  - {name: a, expr: x}\n  - {name: a, expr: y}\n", 4},
        {"schema: 1\nrules:\n  - {name: a, expr: x, above: 2, resolve_at: 3}\n", 3},
        {"schema: 1\nrules:\n  - {name: a, expr: x, resolve_at: 3}\n", 3},
        {"schema: 1\nrules:\n  - {name: a, expr: x, above: nan}\n", 3},
        {"schema: 1\nrules:\n  - {name: a, expr: x, below: -inf}\n", 3},
        {"schema: 1\nchannels:\n  - {name: c}\nrules: []\n", 3},
        {"schema: 1\nchannels:\n  - {name: c, webhook: \"gopher://x\"}\nrules: []\n", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(diag_free) struct diag diag = {0};
        AUTO(insight_alert_rules_free) struct insight_alert_rules *rules = NULL;
        assert_int_equal(
            insight_alert_rules_parse(str_of(cases[i].text), "a.yaml", &rules, &diag),
            ERR_INVALID);
        assert_int_equal(diag.items.data[0].line, cases[i].line);
    }
}

// --- kill -9 ------------------------------------------------------------------------------------------

struct shared {
    int64_t turn;
};

// The world of a turn, so that a process that begins again sees what the killed one would have seen.
static void set_turn(struct stage *s, int64_t turn)
{
    s->world.down = turn % 4 < 2 ? "edge/x=1" : "edge/x=0";
    s->now_us = INT64_C(1795312740000000) + turn * S_US;
}

static void live(struct stage *s, struct shared *shared, int64_t life_us)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec at = {
        .it_value = {.tv_sec = life_us / S_US, .tv_nsec = life_us % S_US * 1000 + 1}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &at, NULL) != 0 || store_open(&s->store, s->dir) < 0) {
        _exit(1);
    }
    s->config.store = s->store;
    for (;;) {
        set_turn(s, shared->turn);
        if (insight_alerts_evaluate(&s->config, s->now_us) < 0) {
            _exit(2);
        }
        shared->turn++;
    }
}

// Each firing is told once and its end once, whoever was killed in between: every other half of four turns fires.
static void a_kill_loses_nothing_and_tells_nothing_twice(void **state)
{
    struct stage *s = *state;
    const char *level = getenv("MARQUEE_LEVEL");
    int rounds = level && strcmp(level, "long") == 0 ? 300 : 30;
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t seed = 11;
    assert_true(shared != MAP_FAILED);
    store_close(&s->store);
    for (int i = 0; i < rounds; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            live(s, shared, 20000 + (int64_t)(seed >> 40) % 60000);
        }
        int status = 0;
        while (waitpid(pid, &status, 0) < 0) {
            assert_int_equal(errno, EINTR);
        }
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    assert_int_equal(store_open(&s->store, s->dir), 0);
    s->config.store = s->store;
    while (shared->turn % 4 != 3) { // to the end of what fires
        set_turn(s, shared->turn++);
        assert_int_equal(insight_alerts_evaluate(&s->config, s->now_us), 0);
    }
    int64_t episodes = (shared->turn + 1) / 4;
    print_message("%lld episodes\n", (long long)episodes);
    assert_true(episodes > rounds);
    assert_int_equal(number(s, "SELECT count(*) FROM insight_alert"), episodes);
    assert_int_equal(notices(s), 2 * episodes);
    munmap(shared, sizeof *shared);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(from_pending_to_resolved),
        T(what_is_short_is_no_alert),
        T(alerts_of_a_group_are_one_notice),
        T(nobody_answers_and_it_is_escalated),
        T(an_acknowledged_alert_is_not_escalated),
        T(an_acknowledgement_ends_and_it_is_told_anew),
        T(whoever_is_told_late_has_his_time),
        T(a_mail_says_what_it_is_about),
        T(a_silence_expires),
        T(what_is_down_inhibits_what_follows),
        T(no_data_is_a_state),
        T(a_rule_that_fails_silences_nobody),
        T(a_rule_over_its_limit_is_a_finding),
        T(a_rule_that_is_gone_resolves),
        T(a_kill_loses_nothing_and_tells_nothing_twice),
        cmocka_unit_test(mistakes_name_their_line),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
