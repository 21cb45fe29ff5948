// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runbooks: what a file may say, and runs from the event to what is kept, with real programs through a real
// executor. This program is its own step process.
#include "insight/runbook_parts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/runbook-XXXXXX";

// --- what tests need -------------------------------------------------------------------------------------

static char *in_dir(const char *name)
{
    char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/%s", dir, name), 0);
    return path;
}

static void script(const char *name, const char *text)
{
    AUTO(cstr_free) char *path = in_dir(name);
    assert_int_equal(fs_write_file(path, text, strlen(text)), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static int64_t lines_of(const char *name)
{
    AUTO(cstr_free) char *path = in_dir(name);
    AUTO(buf_free) struct buf text = {0};
    int64_t lines = 0;
    if (fs_read_file(path, 1 << 20, &text) == 0) {
        for (size_t i = 0; i < text.len; i++) {
            lines += text.data[i] == '\n';
        }
    }
    return lines;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

struct house {
    struct store *store;
    struct insight_runbooks *runbooks;
    struct bus_rules *rules;
    struct bus_rule_action action;
    struct flow_executor *executor;
    struct flow_workflow workflow;
    char *program;
};

static void house_free(struct house *h)
{
    flow_executor_stop(&h->executor);
    bus_rules_free(&h->rules);
    insight_runbooks_free(&h->runbooks);
    store_close(&h->store);
    cstr_free(&h->program);
}

static void execute(struct house *h)
{
    const struct flow_executor_config config = {.store = h->store,
                                                .types = insight_step_types,
                                                .type_count = insight_step_type_count,
                                                .workflows = &h->workflow,
                                                .workflow_count = 1,
                                                .program = h->program};
    assert_int_equal(flow_executor_start(&h->executor, &config), 0);
}

static void parse(struct house *h, const char *yaml)
{
    AUTO(diag_free) struct diag diag = {0};
    int err = insight_runbooks_parse(str_of(yaml), "runbooks.yaml", &h->runbooks, &diag);
    if (err < 0) {
        diag_print(&diag, stderr);
    }
    assert_int_equal(err, 0);
    h->action = insight_runbook_action;
    assert_int_equal(
        bus_rules_new(&h->rules, &(struct bus_rules_config){.actions = &h->action,
                                                            .action_count = 1,
                                                            .user = h->runbooks}),
        0);
    assert_int_equal(insight_runbooks_follow(h->runbooks, h->rules), 0);
}

// A data folder of its own, with programs at DIR/name; %s in `yaml` is DIR.
static void open_house(struct house *h, const char *name, const char *yaml)
{
    AUTO(cstr_free) char *data = in_dir(name);
    AUTO(buf_free) struct buf text = {0};
    const char *rest_of = yaml, *at = NULL;
    *h = (struct house){.workflow = insight_runbook_workflow()};
    while ((at = strstr(rest_of, "%s")) != NULL) {
        buf_add(&text, rest_of, (size_t)(at - rest_of));
        buf_cstr(&text, dir);
        rest_of = at + 2;
    }
    buf_cstr(&text, rest_of);
    assert_int_equal(proc_self_path(&h->program), 0);
    assert_int_equal(store_open(&h->store, data), 0);
    assert_int_equal(store_migrate(h->store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_migrate(h->store, flow_migrations, flow_migration_count), 0);
    assert_int_equal(store_migrate(h->store, insight_migrations, insight_migration_count),
                     0);
    parse(h, text.data);
}

static void emit(struct house *h, const char *type, const char *node)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free)
    json_t *data = json_pack("{s:s, s:{s:s}}", "severity", "error", "tags", "node", node);
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        bus_emit(tx,
                 &(struct bus_event){.type = type, .subject = "alert/a1", .data = data},
                 NULL),
        0);
    assert_int_equal(store_commit(&tx), 0);
}

static json_t *runs_of(struct house *h)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *list = NULL;
    assert_int_equal(store_begin(h->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_runs(tx, &(struct insight_run_query){.limit = 100}, &list),
                     0);
    return list;
}

static json_t *run_of(struct house *h, const char *id)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *run = NULL;
    assert_int_equal(store_begin(h->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_run(h->store, tx, id, &run), 0);
    return run;
}

// Until the run is in this state: what it is then. The test's own limit ends a wait that has no end.
static json_t *until(struct house *h, const char *id, const char *state)
{
    for (;;) {
        json_t *run = run_of(h, id);
        if (strcmp(json_str_or(run, "state", ""), state) == 0) {
            return run;
        }
        json_free(&run);
        rest();
    }
}

static void wish(struct house *h, const char *name, const char *target, char *ret_id)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *event = NULL;
    char key[UUID_BYTES];
    uuid_v7(key);
    event = json_pack("{s:s, s:s, s:s}", "id", key, "type", "runbook.wished.v1",
                      "subject", "person");
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    int asked = insight_run_ask(
        tx,
        &(struct insight_run_wish){.runbook = insight_runbook_find(h->runbooks, name),
                                   .event = event,
                                   .target = target},
        ret_id);
    assert_int_equal(asked, 1);
    assert_int_equal(store_commit(&tx), 0);
}

typedef int person_f(struct store_tx *, const char *id, const char *actor);

static int person(struct house *h, person_f *does, const char *id)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    TRY(does(tx, id, "user/ada"));
    return store_commit(&tx);
}

static void whole(struct house *h)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct insight_audit_verdict v = {0};
    assert_int_equal(store_begin(h->store, STORE_READ, &tx), 0);
    assert_int_equal(insight_audit_verify(tx, NULL, &v), 0);
    assert_int_equal(v.broken, 0);
    assert_true(v.entries > 0);
}

// --- the file ---------------------------------------------------------------------------------------------

static void mistakes_are_said(void **state)
{
    static const struct {
        const char *yaml, *said;
    } wrong[] = {
        {"schema: 2\nrunbooks: []\n", "schema 1"},
        {"schema: 1\nrunbooks: [{name: a, run: [relative]}]\n", "from the root"},
        {"schema: 1\nrunbooks: [{name: a}]\n", "from the root"},
        {"schema: 1\nrunbooks: [{name: a, run: [/a]}, {name: a, run: [/a]}]\n",
         "the same name"},
        {"schema: 1\nrunbooks: [{name: a/b, run: [/a]}]\n", "letters"},
        {"schema: 1\nrunbooks: [{name: a, where: agent, run: [/a]}]\n", "its own file"},
        {"schema: 1\nrunbooks: [{name: a, run: [/a], timeout_s: -1}]\n", "out of range"},
        {"schema: 1\nrunbooks: [{name: a, run: [/a], stdout_bytes: 2000000}]\n",
         "out of range"},
        {"schema: 1\nrunbooks: [{name: a, run: [/a], env: ['A=B']}]\n", "variables"},
        {"schema: 1\nrunbooks: [{name: a, run: [/a], on: [{type: x, count: 3}]}]\n",
         "within_s"},
        {"schema: 1\nrunbooks: [{name: a, run: [/a], shell: x}]\n", "Unexpected key"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO(diag_free) struct diag diag = {0};
        AUTO(insight_runbooks_free) struct insight_runbooks *all = NULL;
        assert_int_equal(
            insight_runbooks_parse(str_of(wrong[i].yaml), "r.yaml", &all, &diag),
            ERR_INVALID);
        assert_true(diag.items.len > 0);
        if (!strstr(diag.items.data[0].text, wrong[i].said)) {
            fail_msg("%zu: %s", i, diag.items.data[0].text);
        }
    }
}

static void what_is_shipped_is_right(void **state)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_runbooks_free) struct insight_runbooks *all = NULL;
    const char *file = MARQUEE_SOURCE "/conf/runbooks.yaml";
    (void)state;
    assert_int_equal(fs_read_file(file, 1 << 20, &text), 0);
    assert_int_equal(insight_runbooks_parse(buf_view(&text), file, &all, &diag), 0);
    assert_true(insight_runbook_count(all) >= 3);
}

static void answers_are_judged(void **state)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        {"", "nothing came"},
        {"[]", "no JSON object"},
        {"{\"schema\":2,\"status\":\"ok\",\"summary\":\"a\"}", "schema"},
        {"{\"schema\":1,\"status\":\"fine\",\"summary\":\"a\"}", "status"},
        {"{\"schema\":1,\"status\":\"ok\",\"summary\":\"a\\nb\"}", "one line"},
        {"{\"schema\":1,\"status\":\"ok\",\"summary\":\"\"}", "one line"},
        {"{\"schema\":1,\"status\":\"ok\",\"summary\":\"a\",\"findings\":{}}", "array"},
        {"{\"schema\":1,\"status\":\"ok\",\"summary\":\"a\",\"findings\":[{\"kind\":"
         "\"A b\",\"severity\":\"info\"}]}",
         "snake_case"},
        {"{\"schema\":1,\"status\":\"ok\",\"summary\":\"a\",\"findings\":[{\"kind\":"
         "\"a\",\"severity\":\"bad\"}]}",
         "severity"},
        {"{\"schema\":1,\"status\":\"ok\",\"summary\":\"a\"} more", "line 1"},
    };
    AUTO(json_free) json_t *good = NULL;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO(json_free) json_t *answer = NULL;
        assert_int_equal(insight_answer_parse(str_of(wrong[i].text), 1 << 20, &answer),
                         ERR_INVALID);
        if (!strstr(err_reason(), wrong[i].said)) {
            fail_msg("%zu: %s", i, err_reason());
        }
    }
    assert_int_equal(
        insight_answer_parse(
            STR("{\"schema\":1,\"status\":\"ok\",\"summary\":\"a\",\"x\":[1]}\n"),
            1 << 20, &good),
        0);
    assert_non_null(json_object_get(good, "x"));
}

// --- from the event to what is kept -------------------------------------------------------------------------

#define GOOD                                                                            \
    "#!/bin/sh\ncat >> \"$(dirname \"$0\")/in.json\"\necho \"the key is $SECRET_KEY\" " \
    ">&2\n"                                                                             \
    "echo '{\"schema\":1,\"status\":\"attention\",\"summary\":\"it is full\","          \
    "\"findings\":[{\"kind\":\"full_disk\",\"severity\":\"warning\"}],\"left\":3}'\n"

static void an_event_starts_a_program_once(void **state)
{
    AUTO(house_free) struct house h;
    AUTO(json_free) json_t *runs = NULL, *run = NULL, *found = NULL, *asked = NULL;
    AUTO(buf_free) struct buf in = {0};
    AUTO(cstr_free) char *in_path = in_dir("in.json");
    (void)state;
    setenv("SECRET_KEY", "sesame open", 1);
    script("good.sh", GOOD);
    open_house(
        &h, "once",
        "schema: 1\nrunbooks:\n"
        "  - name: look\n    run: [%s/good.sh]\n    env: [SECRET_KEY]\n"
        "    target: 'host {data.tags.node}'\n"
        "    on: [{type: alert.firing.*, where: [{name: data.severity, is: error}]},"
        " {type: alert.*}]\n");
    assert_true(bus_rules_run(h.store, h.rules, 100) >= 0); // from now on
    execute(&h);
    emit(&h, "alert.firing.v1", "n7");
    emit(&h, "other.firing.v1", "n7");
    while (bus_rules_run(h.store, h.rules, 100) > 0) {
    }
    // Both filters fit the one event: the key is the event's, and it runs once.
    runs = runs_of(&h);
    assert_int_equal(json_array_size(runs), 1);
    run = until(&h, json_str_or(json_array_get(runs, 0), "id", ""), "done");
    assert_string_equal(json_str_or(run, "target", ""), "host n7");
    assert_string_equal(json_str_or(run, "status", ""), "attention");
    assert_string_equal(json_str_or(run, "summary", ""), "it is full");
    assert_int_equal(json_i64_or(json_object_get(run, "answer"), "left", 0), 3);
    const json_t *one = json_array_get(json_object_get(run, "tries"), 0);
    assert_string_equal(json_str_or(one, "stderr", ""), "the key is [SECRET_KEY]\n");
    assert_non_null(strstr(json_str_or(one, "stdout", ""), "full_disk"));
    assert_int_equal(fs_read_file(in_path, 1 << 20, &in), 0);
    assert_int_equal(json_parse(&asked, str_trim(buf_view(&in)), 1 << 20), 0);
    assert_string_equal(json_str_or(json_object_get(asked, "event"), "type", ""),
                        "alert.firing.v1");
    assert_int_equal(json_i64_or(asked, "attempt", 0), 1);
    assert_true(json_is_false(json_object_get(asked, "dry_run")));
    // What runbooks tell sets none off, and what it found stands in the register.
    while (bus_rules_run(h.store, h.rules, 100) > 0) {
    }
    assert_int_equal(lines_of("in.json"), 1);
    {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        assert_int_equal(store_begin(h.store, STORE_READ, &tx), 0);
        assert_int_equal(
            bus_findings_list(
                tx, &(struct bus_finding_query){.subject = "server/host n7", .limit = 9},
                &found),
            0);
    }
    assert_int_equal(json_array_size(found), 1);
    whole(&h);
}

static void a_failed_attempt_is_tried_again(void **state)
{
    AUTO(house_free) struct house h;
    char id[UUID_BYTES], bad[UUID_BYTES];
    (void)state;
    script("third.sh",
           "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho x >> tried\n"
           "[ $(wc -l < tried) -ge 3 ] || { echo not yet >&2; exit 7; }\n"
           "echo '{\"schema\":1,\"status\":\"ok\",\"summary\":\"at last\"}'\n");
    script("long.sh", "#!/bin/sh\nhead -c 5000 /dev/zero | tr '\\0' x\n");
    open_house(&h, "again",
               "schema: 1\nrunbooks:\n"
               "  - {name: third, run: [%s/third.sh], retries: {count: 2, base_ms: 1}}\n"
               "  - {name: long, run: [%s/long.sh], retries: {count: 0},"
               " stdout_bytes: 2048}\n");
    execute(&h);
    wish(&h, "third", "t", id);
    AUTO(json_free) json_t *run = until(&h, id, "done");
    assert_int_equal(json_i64_or(run, "attempts", 0), 3);
    assert_non_null(strstr(
        json_str_or(json_array_get(json_object_get(run, "tries"), 0), "reason", ""),
        "ended with 7: not yet"));
    wish(&h, "long", "t", bad);
    AUTO(json_free) json_t *lost = until(&h, bad, "failed");
    assert_int_equal(json_i64_or(lost, "attempts", 0), 1);
    assert_non_null(strstr(json_str_or(lost, "error", ""), "more than 2048 bytes"));
    const json_t *one = json_array_get(json_object_get(lost, "tries"), 0);
    assert_int_equal(strlen(json_str_or(one, "stdout", "")), 2049); // and its line's end
    whole(&h);
}

static bool lives(const char *file)
{
    AUTO(cstr_free) char *path = in_dir(file);
    AUTO(buf_free) struct buf text = {0};
    AUTO(buf_free) struct buf stat = {0};
    char proc[64];
    int64_t pid = 0;
    assert_int_equal(fs_read_file(path, 100, &text), 0);
    assert_int_equal(str_to_i64(str_trim(buf_view(&text)), 1, INT32_MAX, &pid), 0);
    snprintf(proc, sizeof proc, "/proc/%lld/stat", (long long)pid);
    // An ended one may wait for its parent's question.
    return fs_read_file(proc, 4096, &stat) == 0 && !strstr(stat.data, ") Z ");
}

static void a_timeout_ends_all_that_was_started(void **state)
{
    AUTO(house_free) struct house h;
    char id[UUID_BYTES];
    (void)state;
    script(
        "family.sh",
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n"
        "sh -c 'echo $$ > child; sh -c \"echo \\$\\$ > grandchild; exec sleep 600\"' &\n"
        "setsid sh -c 'echo $$ > stranger; exec sleep 600' &\n"
        "while ! [ -s child ] || ! [ -s grandchild ] || ! [ -s stranger ]; do :; done\n"
        "sleep 600\n");
    open_house(&h, "family",
               "schema: 1\nrunbooks: [{name: f, run: [%s/family.sh], timeout_s: 2,"
               " retries: {count: 0}}]\n");
    execute(&h);
    // On a busy machine the family may not be there when its time is up: then again.
    while (!lines_of("child") || !lines_of("grandchild") || !lines_of("stranger")) {
        wish(&h, "f", "t", id);
        AUTO(json_free) json_t *run = until(&h, id, "failed");
        const json_t *one = json_array_get(json_object_get(run, "tries"), 0);
        assert_string_equal(json_str_or(one, "outcome", ""), "timeout");
    }
    assert_false(lives("child"));
    assert_false(lives("grandchild"));
    assert_false(lives("stranger"));
}

static void a_target_has_one_run_at_a_time(void **state)
{
    AUTO(house_free) struct house h;
    char ids[6][UUID_BYTES];
    (void)state;
    // Fails where another is inside.
    script("alone.sh", "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nmkdir inside || exit 9\n"
                       "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done\nrmdir inside\n"
                       "echo '{\"schema\":1,\"status\":\"ok\",\"summary\":\"alone\"}'\n");
    open_house(&h, "alone",
               "schema: 1\nrunbooks: [{name: a, run: [%s/alone.sh], retries: {count: 0}}]"
               "\n");
    execute(&h);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        wish(&h, "a", "the one", ids[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        AUTO(json_free) json_t *run = until(&h, ids[i], "done");
        assert_int_equal(json_i64_or(run, "attempts", 0), 1);
    }
}

// --- what people do ---------------------------------------------------------------------------------------

#define ASKS                                                                      \
    "schema: 1\nrunbooks: [{name: a, run: [%s/good.sh], approval: {needed: true," \
    " expires_s: 1000}, dry_run: true}, {name: s, run: [%s/sleep.sh]}]\n"

static void a_person_decides(void **state)
{
    AUTO(house_free) struct house h;
    char yes[UUID_BYTES], no[UUID_BYTES], late[UUID_BYTES];
    (void)state;
    script("good.sh", GOOD);
    open_house(&h, "asks", ASKS);
    execute(&h);
    wish(&h, "a", "t", yes);
    wish(&h, "a", "t", no);
    wish(&h, "a", "t", late);
    assert_int_equal(person(&h, insight_run_refuse, no), 0);
    assert_int_equal(person(&h, insight_run_approve, no), ERR_CONFLICT);
    {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        assert_int_equal(store_begin(h.store, STORE_WRITE, &tx), 0);
        assert_int_equal(store_exec(tx,
                                    "UPDATE insight_run SET expires_at = 0 WHERE id = ?",
                                    "s", late),
                         0);
        assert_int_equal(store_commit(&tx), 0);
    }
    assert_int_equal(person(&h, insight_run_approve, late), ERR_CONFLICT);
    assert_int_equal(insight_runs_tend(h.store), 0);
    AUTO(json_free) json_t *expired = until(&h, late, "expired");
    AUTO(json_free) json_t *refused = until(&h, no, "refused");
    AUTO(json_free) json_t *waits = until(&h, yes, "waiting");
    assert_int_equal(json_i64_or(expired, "attempts", 9), 0);
    assert_int_equal(json_i64_or(refused, "attempts", 9), 0);
    assert_int_equal(person(&h, insight_run_approve, yes), 0);
    AUTO(json_free) json_t *done = until(&h, yes, "done");
    assert_string_equal(json_str_or(done, "approved_by", ""), "user/ada");
    assert_true(json_is_true(json_object_get(done, "dry_run")));
    whole(&h);
}

static void a_cancelled_run_ends_and_lets_the_next_begin(void **state)
{
    AUTO(house_free) struct house h;
    char id[UUID_BYTES], next[UUID_BYTES];
    (void)state;
    script("good.sh", GOOD);
    script("sleep.sh", "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n"
                       "sh -c 'echo $$ > sleeper; exec sleep 600' &\nsleep 600\n");
    open_house(&h, "cancel", ASKS);
    execute(&h);
    wish(&h, "s", "t", id);
    while (lines_of("sleeper") == 0) {
        rest();
    }
    wish(&h, "a", "t", next);
    assert_int_equal(person(&h, insight_run_approve, next), 0);
    AUTO(json_free) json_t *queued = until(&h, next, "queued");
    assert_int_equal(person(&h, insight_run_cancel, id), 0);
    assert_int_equal(person(&h, insight_run_cancel, id), ERR_CONFLICT);
    AUTO(json_free) json_t *done = until(&h, next, "done");
    assert_false(lives("sleeper"));
}

// --- who dies when ---------------------------------------------------------------------------------------

// The executor ends in the midst, once the program has begun: what was begun is not begun again.
static void a_lost_attempt_counts(void **state)
{
    AUTO(house_free) struct house h;
    char id[UUID_BYTES], twice[UUID_BYTES];
    (void)state;
    script("hang.sh",
           "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho $$ >> hung\nsleep 600\n");
    script("hang2.sh",
           "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho $$ >> hung2\n"
           "[ $(wc -l < hung2) -ge 2 ] || sleep 600\n"
           "echo '{\"schema\":1,\"status\":\"ok\",\"summary\":\"the second time\"}'\n");
    open_house(&h, "lost",
               "schema: 1\nrunbooks:\n"
               "  - {name: h, run: [%s/hang.sh], retries: {count: 0}}\n"
               "  - {name: h2, run: [%s/hang2.sh], retries: {count: 1, base_ms: 1}}\n");
    execute(&h);
    wish(&h, "h", "t", id);
    wish(&h, "h2", "t2", twice);
    while (lines_of("hung") == 0 || lines_of("hung2") == 0) {
        rest();
    }
    flow_executor_stop(&h.executor); // kills what runs
    execute(&h);
    AUTO(json_free) json_t *run = until(&h, id, "failed");
    assert_non_null(strstr(json_str_or(run, "error", ""), "in the midst"));
    assert_int_equal(lines_of("hung"), 1);
    AUTO(json_free) json_t *again = until(&h, twice, "done");
    assert_int_equal(json_i64_or(again, "attempts", 0), 2);
    assert_int_equal(lines_of("hung2"), 2);
    whole(&h);
}

// --- agents ----------------------------------------------------------------------------------------------

static int take(struct house *h, const char *server, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    int got = insight_agent_take(tx, server, ret);
    assert_int_equal(store_commit(&tx), 0);
    return got;
}

static json_t *answer_to(const json_t *taken, const char *text)
{
    AUTO(buf_free) struct buf coded = {0};
    base64url_encode(&coded, text, strlen(text));
    return json_pack("{s:O, s:O, s:{s:s}, s:s}", "step", json_object_get(taken, "step"),
                     "fence", json_object_get(taken, "fence"), "value", "outcome", "ok",
                     "stdout", coded.data);
}

static int keep(struct house *h, const char *server, const json_t *taken)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    TRY(insight_agent_keep(tx, server, taken));
    return store_commit(&tx);
}

static void end_leases(struct house *h)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx, "UPDATE flow_step SET lease_us = 1 WHERE lease_us > 0", ""), 0);
    assert_int_equal(store_commit(&tx), 0);
}

#define FINE "{\"schema\":1,\"status\":\"ok\",\"summary\":\"from afar\"}"

static void an_agent_gets_what_is_for_its_server(void **state)
{
    AUTO(house_free) struct house h;
    AUTO(json_free) json_t *first = NULL, *second = NULL, *none = NULL;
    char id[UUID_BYTES];
    (void)state;
    open_house(&h, "agent", "schema: 1\nrunbooks: [{name: far, where: agent}]\n");
    execute(&h);
    wish(&h, "far", "edge-7", id);
    while (take(&h, "edge-7", &first) == 0) {
        rest();
    }
    const json_t *order = json_object_get(first, "order");
    assert_string_equal(json_str_or(order, "runbook", ""), "far");
    assert_null(json_object_get(order, "argv"));
    assert_int_equal(take(&h, "edge-7", &none), 0); // it is taken
    assert_int_equal(take(&h, "edge-8", &none), 0);
    assert_int_equal(keep(&h, "edge-8", first), ERR_FENCED); // not its own
    assert_int_equal(keep(&h, "edge-7", first), 0);
    end_leases(&h);
    assert_int_equal(take(&h, "edge-7", &second), 1);
    AUTO(json_free) json_t *late = answer_to(first, FINE);
    AUTO(json_free) json_t *malformed = answer_to(second, "{}");
    AUTO(json_free) json_t *good = answer_to(second, FINE);
    assert_int_equal(keep(&h, "edge-7", first), ERR_FENCED);
    assert_int_equal(insight_agent_give(h.store, "edge-7", late), ERR_FENCED);
    assert_int_equal(insight_agent_give(h.store, "edge-7", malformed), ERR_INVALID);
    assert_int_equal(insight_agent_give(h.store, "edge-8", good), ERR_FENCED);
    assert_int_equal(insight_agent_give(h.store, "edge-7", good), 0);
    assert_int_equal(insight_agent_give(h.store, "edge-7", good), ERR_FENCED);
    AUTO(json_free) json_t *run = until(&h, id, "done");
    assert_string_equal(json_str_or(run, "summary", ""), "from afar");
    assert_string_equal(json_str_or(run, "where", ""), "agent");
    whole(&h);
}

static void an_agent_that_never_asks_is_told_of(void **state)
{
    AUTO(house_free) struct house h;
    char id[UUID_BYTES];
    (void)state;
    open_house(&h, "silent",
               "schema: 1\nrunbooks: [{name: far, where: agent, wait_s: 1}]\n");
    execute(&h);
    wish(&h, "far", "edge-9", id);
    for (bool over = false; !over; rest()) {
        AUTO(json_free) json_t *run = run_of(&h, id);
        over = strcmp(json_str_or(run, "state", ""), "failed") == 0;
        assert_int_equal(insight_runs_tend(h.store), 0);
    }
    AUTO(json_free) json_t *run = run_of(&h, id);
    assert_non_null(strstr(json_str_or(run, "error", ""), "no agent of edge-9"));
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return fs_remove_tree(dir);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "step") == 0) {
        return flow_step_main(insight_step_types, insight_step_type_count, argv[3],
                              argv[5]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_said),
        cmocka_unit_test(what_is_shipped_is_right),
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(an_event_starts_a_program_once),
        cmocka_unit_test(a_failed_attempt_is_tried_again),
        cmocka_unit_test(a_timeout_ends_all_that_was_started),
        cmocka_unit_test(a_target_has_one_run_at_a_time),
        cmocka_unit_test(a_person_decides),
        cmocka_unit_test(a_cancelled_run_ends_and_lets_the_next_begin),
        cmocka_unit_test(a_lost_attempt_counts),
        cmocka_unit_test(an_agent_gets_what_is_for_its_server),
        cmocka_unit_test(an_agent_that_never_asks_is_told_of),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
