// SPDX-License-Identifier: GPL-3.0-or-later
//
// Drivers against what they drive: Debian's nginx on sockets of its own, real processes, programs; systemd
// where it runs.
#include "insight/insight.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define LONG_US INT64_C(60000000)

struct stage {
    char dir[64];
    struct insight_fleet *fleet;
    struct insight_target target;
};

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-drive-XXXXXX", sizeof "/tmp/marquee-drive-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(chmod(s->dir, 0755), 0); // nginx' workers go in
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    insight_fleet_free(&s->fleet);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

// `text` has the stage's folder for each '~'.
static void fill(const struct stage *s, const char *text, struct buf *out)
{
    for (const char *p = text; *p; p++) {
        if (*p == '~') {
            buf_cstr(out, s->dir);
        } else {
            buf_char(out, *p);
        }
    }
    assert_int_equal(out->err, 0);
}

static void write_text(const struct stage *s, const char *name, const char *text)
{
    AUTO(buf_free) struct buf filled = {0};
    AUTO(cstr_free) char *path = NULL;
    fill(s, text, &filled);
    assert_int_equal(cstr_printf(&path, "%s/%s", s->dir, name), 0);
    assert_int_equal(fs_write_file(path, filled.data, filled.len), 0);
}

static void describe(struct stage *s, const char *text)
{
    AUTO(buf_free) struct buf filled = {0};
    AUTO(diag_free) struct diag diag = {0};
    fill(s, text, &filled);
    insight_fleet_free(&s->fleet);
    int err = insight_fleet_parse(buf_view(&filled), "c.yaml", &s->fleet, &diag);
    diag_print(&diag, stderr);
    assert_int_equal(err, 0);
    s->target = (struct insight_target){.cluster = &s->fleet->clusters[0],
                                        .server = &s->fleet->clusters[0].servers[0],
                                        .treatment = "t-1"};
}

static bool runs(const char *const *argv)
{
    AUTO(proc_answer_free) struct proc_answer a = {0};
    return proc_ask(&(struct proc_question){.argv = argv, .timeout_us = LONG_US}, &a) ==
               0 &&
           a.exit.code == 0;
}

// --- nginx --------------------------------------------------------------------------------------------

static const char nginx_conf[] =
    "pid ~/nginx.pid; error_log ~/error.log; worker_processes 1;\n"
    "events {}\n"
    "http {\n"
    "  access_log off; client_body_temp_path ~/b; proxy_temp_path ~/p;\n"
    "  fastcgi_temp_path ~/f; uwsgi_temp_path ~/u; scgi_temp_path ~/s;\n"
    "  upstream edges { include ~/edges.conf; }\n"
    "  server { listen unix:~/a.sock; return 200 a; }\n"
    "  server { listen unix:~/b.sock; return 200 b; }\n"
    "  server { listen unix:~/front.sock; location / { proxy_pass http://edges; } }\n"
    "}\n";
static const char nginx_yaml[] = "schema: 1\n"
                                 "clusters:\n"
                                 "  - name: edges\n"
                                 "    owner: o@example.org\n"
                                 "    action: remove\n"
                                 "    servers: [{name: a, address: \"unix:~/a.sock\"},\n"
                                 "              {name: b, address: \"unix:~/b.sock\"}]\n"
                                 "    discovery: {driver: nginx, file: ~/edges.conf, "
                                 "config: ~/nginx.conf, prefix: ~,\n"
                                 "                pid_file: ~/nginx.pid}\n"
                                 "    guards: {max_share_percent: 50}\n";

static size_t keep(char *bytes, size_t size, size_t count, void *user)
{
    buf_add(user, bytes, size * count);
    return size * count;
}

// Which backend answers; '-' when none does.
static char ask_front(const struct stage *s)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf body = {0};
    assert_int_equal(cstr_printf(&path, "%s/front.sock", s->dir), 0);
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(easy, CURLOPT_URL, "http://front/");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 10L);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    return code == CURLE_OK && body.len == 1 ? body.data[0] : '-';
}

// Asks until `wanted` holds of forty answers in a row; the reload takes its time.
static void await_answers(const struct stage *s, bool a, bool b)
{
    int64_t until_us = clock_mono_us() + LONG_US;
    for (;;) {
        bool saw_a = false, saw_b = false, bad = false;
        for (int i = 0; i < 40; i++) {
            char who = ask_front(s);
            saw_a = saw_a || who == 'a';
            saw_b = saw_b || who == 'b';
            bad = bad || who == '-';
        }
        if (saw_a == a && saw_b == b && !bad) {
            return;
        }
        assert_true(clock_mono_us() < until_us);
    }
}

static void nginx_run(const struct stage *s, const char *signal)
{
    AUTO(cstr_free) char *conf = NULL;
    assert_int_equal(cstr_printf(&conf, "%s/nginx.conf", s->dir), 0);
    const char *const argv[] = {"nginx", "-c", conf,        "-p",
                                s->dir,  "-e", "/dev/null", signal ? "-s" : NULL,
                                signal,  NULL};
    assert_true(runs(argv));
}

static void nginx_serves_who_is_in(void **state)
{
    struct stage *s = *state;
    static const char *const version[] = {"nginx", "-v", NULL};
    static const char *const out[] = {"a"};
    AUTO(buf_free) struct buf before = {0}, after = {0};
    AUTO(cstr_free) char *include = NULL;
    if (!runs(version)) {
        print_message("SKIPPED: nginx is not installed\n");
        skip();
    }
    assert_int_equal(cstr_printf(&include, "%s/edges.conf", s->dir), 0);
    write_text(s, "nginx.conf", nginx_conf);
    write_text(s, "edges.conf", "server unix:~/a.sock;\nserver unix:~/b.sock;\n");
    describe(s, nginx_yaml);
    nginx_run(s, NULL);
    await_answers(s, true, true);
    s->target.out = out;
    s->target.out_count = 1;
    assert_int_equal(insight_drivers_real.apply(&s->target), 0);
    await_answers(s, false, true);
    assert_int_equal(insight_drivers_real.apply(&s->target), 0); // again is no harm
    await_answers(s, false, true);
    // What nginx refuses never stays, and nobody reloads it.
    assert_int_equal(fs_read_file(include, 4096, &before), 0);
    write_text(s, "nginx.conf", "no such directive;\n");
    s->target.out_count = 0;
    assert_true(insight_drivers_real.apply(&s->target) < 0);
    assert_non_null(strstr(err_reason(), "nginx"));
    assert_int_equal(fs_read_file(include, 4096, &after), 0);
    assert_string_equal(before.data, after.data);
    await_answers(s, false, true);
    write_text(s, "nginx.conf", nginx_conf);
    assert_int_equal(insight_drivers_real.apply(&s->target), 0);
    await_answers(s, true, true);
    nginx_run(s, "stop");
}

// --- processes ----------------------------------------------------------------------------------------

static const char process_yaml[] =
    "schema: 1\n"
    "clusters:\n"
    "  - name: edges\n"
    "    owner: o@example.org\n"
    "    action: terminate\n"
    "    servers: [{name: a, pid_file: ~/a.pid}, {name: b, pid_file: ~/b.pid}]\n"
    "    discovery: {driver: exec, run: [\"true\"]}\n"
    "    life: {driver: process, start: [sh, \"~/start\", \"{server}\"], stop_s: 1}\n"
    "    health: {run: [test, -e, \"~/{server}.pid\"]}\n"
    "    forensics:\n"
    "      - {name: pid, run: [cat, \"~/{server}.pid\"]}\n"
    "      - {name: none, run: [/no/such/program]}\n"
    "      - {name: much, run: [seq, \"1000000\"]}\n"
    "    guards: {max_share_percent: 50}\n";
// The second ignores SIGTERM.
static const char start_script[] =
    "setsid sh -c 'trap : TERM; echo $$ > ~/new; mv ~/new ~/$0.pid;"
    " [ $0 = a ] && exec sleep 1000; while :; do sleep 1; done' $1"
    " < /dev/null > /dev/null 2>&1 &\n"
    "while ! [ -e ~/$1.pid ]; do :; done\n";

static void a_process_is_ended_and_started(void **state)
{
    struct stage *s = *state;
    char first[INSIGHT_INCARNATION_BYTES], second[INSIGHT_INCARNATION_BYTES];
    write_text(s, "start", start_script);
    describe(s, process_yaml);
    const struct insight_drivers *d = &insight_drivers_real;
    for (size_t i = 0; i < 2; i++) {
        const struct insight_target *t = &s->target;
        AUTO(cstr_free) char *pid_file = NULL;
        s->target.server = &s->fleet->clusters[0].servers[i];
        assert_int_equal(d->look(t, first), ERR_NOT_FOUND);
        assert_int_equal(d->start(t), 0);
        assert_int_equal(d->look(t, first), 0);
        assert_int_equal(d->check(t), 0);
        // Another incarnation than the one that runs is nobody's to end.
        assert_int_equal(d->terminate(t, "pid 1 started 1"), ERR_CONFLICT);
        assert_int_equal(d->look(t, second), 0);
        assert_string_equal(first, second);
        assert_int_equal(d->terminate(t, first), 0);
        assert_int_equal(d->look(t, second), ERR_NOT_FOUND);
        assert_int_equal(cstr_printf(&pid_file, "%s", t->server->pid_file), 0);
        assert_int_equal(unlink(pid_file), 0);
        assert_int_equal(d->start(t), 0);
        assert_int_equal(d->look(t, second), 0);
        assert_string_not_equal(first, second);
        assert_int_equal(d->terminate(t, second), 0);
    }
}

static void forensics_are_bounded(void **state)
{
    struct stage *s = *state;
    AUTO(json_free) json_t *found = NULL;
    write_text(s, "a.pid", "4711\n");
    describe(s, process_yaml);
    assert_int_equal(insight_drivers_real.examine(&s->target, &found), 0);
    assert_int_equal(json_array_size(found), 3);
    assert_string_equal(json_str_or(json_array_get(found, 0), "out", ""), "4711\n");
    assert_non_null(json_str_or(json_array_get(found, 1), "error", NULL));
    assert_int_equal(strlen(json_str_or(json_array_get(found, 2), "out", "")), 65537);
    assert_true(json_is_true(json_object_get(json_array_get(found, 2), "cut")));
}

// --- programs -----------------------------------------------------------------------------------------

static const char exec_yaml[] =
    "schema: 1\n"
    "clusters:\n"
    "  - name: edges\n"
    "    owner: o@example.org\n"
    "    action: remove\n"
    "    servers: [{name: a}, {name: b}]\n"
    "    discovery: {driver: exec, run: [sh, \"~/told\", \"{server}; rm -rf x\"]}\n"
    "    life: {driver: exec, run: [sh, \"~/life\"]}\n"
    "    guards: {max_share_percent: 50}\n";

static void a_program_hears_json_and_no_shell(void **state)
{
    struct stage *s = *state;
    static const char *const out[] = {"a"};
    char incarnation[INSIGHT_INCARNATION_BYTES];
    AUTO(buf_free) struct buf text = {0}, argument = {0};
    AUTO(cstr_free) char *path = NULL, *path_argument = NULL;
    AUTO(json_free) json_t *request = NULL;
    write_text(s, "told", "cat > ~/request; printf %s \"$1\" > ~/argument\n");
    write_text(s, "life", "echo '{\"incarnation\": \"i-7\"}'\n");
    describe(s, exec_yaml);
    s->target.out = out;
    s->target.out_count = 1;
    assert_int_equal(insight_drivers_real.apply(&s->target), 0);
    assert_int_equal(cstr_printf(&path, "%s/request", s->dir), 0);
    assert_int_equal(cstr_printf(&path_argument, "%s/argument", s->dir), 0);
    assert_int_equal(fs_read_file(path, 4096, &text), 0);
    assert_int_equal(fs_read_file(path_argument, 4096, &argument), 0);
    assert_string_equal(argument.data, "a; rm -rf x");
    assert_int_equal(json_parse(&request, buf_view(&text), 4096), 0);
    assert_string_equal(json_str_or(request, "do", ""), "remove");
    assert_int_equal(json_array_size(json_object_get(request, "out")), 1);
    assert_int_equal(insight_drivers_real.look(&s->target, incarnation), 0);
    assert_string_equal(incarnation, "i-7");
    write_text(s, "life", "echo '{\"incarnation\": null}'\n");
    assert_int_equal(insight_drivers_real.look(&s->target, incarnation), ERR_NOT_FOUND);
    write_text(s, "life", "echo wrong >&2; exit 3\n");
    assert_int_equal(insight_drivers_real.look(&s->target, incarnation), ERR_CRASHED);
    assert_non_null(strstr(err_reason(), "wrong"));
}

static void a_unit_of_systemd(void **state)
{
    struct stage *s = *state;
    static const char *const probe[] = {"systemctl", "show", "--property=Version", NULL};
    char incarnation[INSIGHT_INCARNATION_BYTES];
    if (!runs(probe)) {
        print_message("SKIPPED: no systemd runs here\n");
        skip();
    }
    describe(s, "schema: 1\nclusters:\n  - name: c\n    owner: o@example.org\n"
                "    servers: [{name: a, unit: marquee-none.service}]\n"
                "    life: {driver: systemd}\n");
    assert_int_equal(insight_drivers_real.look(&s->target, incarnation), ERR_NOT_FOUND);
}

// A scontrol and a squeue that answer as those of 22.05 do; the real ones are met by test/scenario/slurm.test.mjs.
static const char scontrol_script[] = "#!/bin/sh\n"
                                      "echo \"$@\" >> ~/said\n"
                                      "case \"$*\" in\n"
                                      "'-o show node n1') cat ~/node;;\n"
                                      "*show*) echo 'Node nope not found'; exit 1;;\n"
                                      "'requeue 7_2') echo 'Requested operation is "
                                      "presently disabled for job 7_2' >&2; exit 1;;\n"
                                      "esac\n";
static const char slurm_yaml[] =
    "schema: 1\nclusters:\n  - name: c\n    owner: o@example.org\n"
    "    servers: [{name: a, node: n1}, {name: b, node: nope}]\n"
    "    discovery: {driver: slurm, program: ~/scontrol, config: ~/slurm.conf}\n";

static void node_is(const struct stage *s, const char *state, const char *reason)
{
    AUTO(cstr_free) char *text = NULL;
    assert_int_equal(cstr_printf(&text,
                                 "NodeName=n1 OS=Linux Comment=aState=DRAIN  State=%s "
                                 "ThreadsPerCore=1%s%s\n\n",
                                 state, *reason ? " Reason=" : "", reason),
                     0);
    write_text(s, "node", text);
    write_text(s, "said", "");
}

static void assert_asked(const struct stage *s, const char *wanted)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    assert_int_equal(cstr_printf(&path, "%s/said", s->dir), 0);
    assert_int_equal(fs_read_file(path, 4096, &text), 0);
    assert_string_equal(text.data, wanted);
}

static void a_script(const struct stage *s, const char *name, const char *text)
{
    AUTO(cstr_free) char *path = NULL;
    write_text(s, name, text);
    assert_int_equal(cstr_printf(&path, "%s/%s", s->dir, name), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

#define SHOWN "-o show node n1\n"

static void a_node_of_slurm_leaves_and_returns(void **state)
{
    struct stage *s = *state;
    static const char *const out[] = {"a"};
    const struct insight_drivers *d = &insight_drivers_real;
    a_script(s, "scontrol", scontrol_script);
    describe(s, slurm_yaml);
    s->target.out = out;
    s->target.out_count = 1;
    node_is(s, "MIXED", "");
    assert_int_equal(d->apply(&s->target), 0);
    assert_asked(s, SHOWN "update NodeName=n1 State=DRAIN Reason=marquee t-1\n");
    node_is(s, "MIXED+DRAIN", "marquee t-1 [root@2026-11-23T04:40:14]");
    assert_int_equal(d->apply(&s->target), 0);
    assert_asked(s, SHOWN);
    node_is(s, "IDLE+DRAIN", "disk swap by marquee crew [ada@2026-11-23T04:40:14]");
    assert_int_equal(d->apply(&s->target), ERR_CONFLICT);
    assert_non_null(strstr(err_reason(), "n1 is drained already: disk swap"));
    assert_asked(s, SHOWN);
    s->target.out_count = 0; // and back
    assert_int_equal(d->apply(&s->target), 0);
    assert_asked(s, SHOWN SHOWN);
    node_is(s, "IDLE+DRAIN", "marquee t-1 [root@2026-11-23T04:40:14]");
    assert_int_equal(d->apply(&s->target), 0);
    assert_asked(s, SHOWN "update NodeName=n1 State=RESUME\n");
    node_is(s, "IDLE", "");
    assert_int_equal(d->apply(&s->target), 0); // scontrol would refuse
    assert_asked(s, SHOWN);
    s->target.server = &s->fleet->clusters[0].servers[1];
    assert_int_equal(d->apply(&s->target), ERR_CRASHED);
    assert_non_null(strstr(err_reason(), "Node nope not found"));
    s->target.server = &s->fleet->clusters[0].servers[0];
    write_text(s, "node", "all is well\n");
    assert_int_equal(d->apply(&s->target), ERR_INVALID);
}

static void jobs_of_slurm_are_seen_and_requeued(void **state)
{
    struct stage *s = *state;
    const struct insight_drivers *d = &insight_drivers_real;
    a_script(s, "scontrol", scontrol_script);
    a_script(s, "squeue", "#!/bin/sh\ncat ~/jobs\n");
    write_text(s, "jobs", "");
    describe(s, slurm_yaml);
    node_is(s, "IDLE+DRAIN", "marquee t-1 [root@x]");
    assert_int_equal(d->busy(&s->target), 0);
    node_is(s, "IDLE+COMPLETING+DRAIN", "marquee t-1 [root@x]");
    assert_int_equal(d->busy(&s->target), 1);
    write_text(s, "jobs", "5\n7_1\n7_2\n9\n");
    node_is(s, "ALLOCATED+DRAIN", "marquee t-1 [root@x]");
    assert_int_equal(d->busy(&s->target), 1);
    assert_int_equal(d->clear(&s->target), ERR_CONFLICT);
    assert_non_null(strstr(err_reason(), "disabled for job 7_2"));
    assert_asked(s, SHOWN "requeue 5\nrequeue 7_1\nrequeue 7_2\nrequeue 9\n");
    node_is(s, "ALLOCATED", "");
    assert_int_equal(d->busy(&s->target), ERR_CONFLICT); // somebody resumed it
    write_text(s, "jobs", "5; rm -rf /\n");
    assert_int_equal(d->clear(&s->target), ERR_INVALID);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(nginx_serves_who_is_in),
        T(a_process_is_ended_and_started),
        T(forensics_are_bounded),
        T(a_program_hears_json_and_no_shell),
        T(a_unit_of_systemd),
        T(a_node_of_slurm_leaves_and_returns),
        T(jobs_of_slurm_are_seen_and_requeued),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
