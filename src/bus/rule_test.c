// SPDX-License-Identifier: GPL-3.0-or-later
#include "bus/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

struct stage {
    char dir[64];
    struct store *store;
    struct bus_rules *rules;
};

static const char yaml_text[] =
    "schema: 1\n"
    "rules:\n"
    "  - name: bad-alerts\n"
    "    type: alert.firing.*\n"
    "    subject: alert/\n"
    "    where: [{name: data.severity, is: error}, {name: data.n, is: \"3\"}]\n"
    "    action: keep\n"
    "    with: [{name: word, is: red}]\n"
    "  - {name: thrice, type: step.failed.v1, key: data.host, count: 3, within_s: 100,\n"
    "     action: keep}\n"
    "  - {name: once-an-hour, type: disk.full.v1, quiet_s: 3600, action: keep}\n"
    "  - {name: breaks, type: disk.full.v1, action: fail}\n"
    "  - {name: mails, type: disk.full.v1, action: mail,\n"
    "     with: [{name: to, is: ops@example.org}]}\n";

static int any(const json_t *with)
{
    (void)with;
    return 0;
}

static int keep(struct store_tx *tx, const json_t *event, const json_t *with,
                const char *dedupe, void *user)
{
    (void)event, (void)user;
    return store_exec(tx, "INSERT INTO kept (word, dedupe) VALUES (?, ?)", "ss",
                      json_str_or(with, "word", "-"), dedupe);
}

static int fail_half(struct store_tx *tx, const json_t *event, const json_t *with,
                     const char *dedupe, void *user)
{
    TRY(keep(tx, event, with, dedupe, user));
    FAIL(ERR_IO, "out of order");
}

static const struct bus_rule_action actions[] = {
    {"keep", any, keep}, {"fail", any, fail_half}, {0}};

static int parse(const char *text, struct bus_rules **ret, struct diag *diag)
{
    static struct bus_rule_action all[3];
    all[0] = actions[0];
    all[1] = actions[1];
    all[2] = bus_rule_actions[0];
    return bus_rules_parse(str_of(text), "rules.yaml",
                           &(struct bus_rules_config){.actions = all, .action_count = 3},
                           ret, diag);
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    AUTO(diag_free) struct diag diag = {0};
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-rule-XXXXXX", sizeof "/tmp/marquee-rule-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(store_open(&s->store, s->dir), 0);
    assert_int_equal(store_migrate(s->store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx, "CREATE TABLE kept (word TEXT, dedupe TEXT UNIQUE)", ""), 0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(parse(yaml_text, &s->rules, &diag), 0);
    assert_int_equal(bus_rules_run(s->store, s->rules, 10), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    bus_rules_free(&s->rules);
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

// An event of a second after 1970-01-02.
static void happen(struct stage *s, int64_t at_s, const char *type, const char *subject,
                   json_t *data)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *owned = data;
    int64_t seq = 0;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        bus_emit(tx, &(struct bus_event){.type = type, .subject = subject, .data = owned},
                 &seq),
        0);
    assert_int_equal(store_exec(tx, "UPDATE event SET time_us = ? WHERE seq = ?", "ii",
                                (86400 + at_s) * 1000000, seq),
                     0);
    assert_int_equal(store_commit(&tx), 0);
    while (bus_rules_run(s->store, s->rules, 10) > 0) {
    }
}

static int64_t number(struct stage *s, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = 0;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

static int64_t kept(struct stage *s)
{
    return number(s, "SELECT count(*) FROM kept");
}

static void a_rule_takes_what_fits(void **state)
{
    struct stage *s = *state;
    happen(s, 0, "alert.firing.v1", "alert/1",
           json_pack("{s:s, s:i}", "severity", "info", "n", 3));
    happen(s, 0, "alert.resolved.v1", "alert/1",
           json_pack("{s:s, s:i}", "severity", "error", "n", 3));
    happen(s, 0, "alert.firing.v1", "other/1",
           json_pack("{s:s, s:i}", "severity", "error", "n", 3));
    happen(s, 0, "alert.firing.v1", "alert/1", json_pack("{s:s}", "severity", "error"));
    assert_int_equal(kept(s), 0);
    happen(s, 0, "alert.firing.v1", "alert/1",
           json_pack("{s:s, s:i}", "severity", "error", "n", 3));
    assert_int_equal(kept(s), 1);
    assert_int_equal(number(s, "SELECT count(*) FROM kept WHERE word = 'red'"), 1);
}

static void a_window_counts_by_key(void **state)
{
    struct stage *s = *state;
    happen(s, 0, "step.failed.v1", "job/1", json_pack("{s:s}", "host", "a"));
    happen(s, 50, "step.failed.v1", "job/2", json_pack("{s:s}", "host", "a"));
    happen(s, 60, "step.failed.v1", "job/3", json_pack("{s:s}", "host", "b"));
    happen(s, 100, "step.failed.v1", "job/4", json_pack("{s:s}", "host", "a"));
    assert_int_equal(kept(s), 0); // the first is no longer in the window
    happen(s, 120, "step.failed.v1", "job/5", json_pack("{s:s}", "host", "a"));
    assert_int_equal(kept(s), 1);
    happen(s, 121, "step.failed.v1", "job/6", json_pack("{s:s}", "host", "a"));
    assert_int_equal(kept(s), 1); // they count anew
}

static void what_was_done_is_not_done_again_soon(void **state)
{
    struct stage *s = *state;
    happen(s, 0, "disk.full.v1", "host/a", NULL);
    happen(s, 1800, "disk.full.v1", "host/a", NULL);
    assert_int_equal(kept(s), 1);
    happen(s, 1800, "disk.full.v1", "host/b", NULL);
    assert_int_equal(kept(s), 2);
    happen(s, 3600, "disk.full.v1", "host/a", NULL);
    assert_int_equal(kept(s), 3);
}

static void a_rule_that_fails_holds_nobody_up(void **state)
{
    struct stage *s = *state;
    happen(s, 0, "disk.full.v1", "host/a", NULL);
    assert_int_equal(kept(s), 1); // what the failing one had written is undone
    assert_int_equal(number(s, "SELECT count(*) FROM notice"), 1);
    assert_int_equal(number(s, "SELECT count(*) FROM finding WHERE subject ="
                               " 'rule/breaks' AND state = 'open'"),
                     1);
}

static void an_event_is_looked_at_once(void **state)
{
    struct stage *s = *state;
    AUTO(store_close) struct store *other = NULL;
    happen(s, 0, "disk.full.v1", "host/a", NULL);
    assert_int_equal(store_open(&other, s->dir), 0);
    assert_int_equal(bus_rules_run(other, s->rules, 100), 0);
    assert_int_equal(kept(s), 1);
}

static void mistakes_name_their_line(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "schema: 1\nrules:\n  - {name: a, type: x, action: none}\n",
        "schema: 1\nrules:\n  - {name: a, type: x, action: keep, count: 3}\n",
        "schema: 1\nrules:\n  - {name: a, type: x, action: mail}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(diag_free) struct diag diag = {0};
        AUTO(bus_rules_free) struct bus_rules *rules = NULL;
        assert_int_equal(parse(bad[i], &rules, &diag), ERR_INVALID);
        assert_int_equal(diag.items.data[0].line, 3);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_rule_takes_what_fits),
        T(a_window_counts_by_key),
        T(what_was_done_is_not_done_again_soon),
        T(a_rule_that_fails_holds_nobody_up),
        T(an_event_is_looked_at_once),
        cmocka_unit_test(mistakes_name_their_line),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
