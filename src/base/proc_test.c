// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/base.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define LONG_US 60000000

static void ask(struct proc_question q, struct proc_answer *ret)
{
    q.timeout_us = q.timeout_us ? q.timeout_us : LONG_US;
    q.max_bytes = q.max_bytes ? q.max_bytes : 65536;
    assert_int_equal(proc_ask(&q, ret), 0);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    static const char *const cat[] = {"cat", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    AUTO(buf_free) struct buf text = {0};
    for (int i = 0; i < 100000; i++) { // more than any pipe holds
        buf_printf(&text, "%d ", i);
    }
    ask((struct proc_question){.argv = cat, .in = buf_view(&text), .max_bytes = 1 << 20},
        &a);
    assert_int_equal(a.exit.code, 0);
    assert_int_equal(a.out.len, text.len);
    assert_memory_equal(a.out.data, text.data, text.len);
    assert_false(a.cut || a.timed_out);
}

static void what_is_too_much_is_dropped(void **state)
{
    (void)state;
    static const char *const seq[] = {"seq", "200000", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    ask((struct proc_question){.argv = seq, .max_bytes = 10}, &a);
    assert_int_equal(a.exit.code, 0);
    assert_true(a.cut);
    assert_string_equal(a.out.data, "1\n2\n3\n4\n5\n");
}

static void it_need_not_listen(void **state)
{
    (void)state;
    static const char *const deaf[] = {"sh", "-c", "echo no >&2; exit 7", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    AUTO(buf_free) struct buf text = {0};
    buf_reserve(&text, 1 << 20);
    memset(text.data, 'x', 1 << 20);
    ask((struct proc_question){.argv = deaf, .in = {text.data, 1 << 20}}, &a);
    assert_int_equal(a.exit.code, 7);
    assert_string_equal(a.err.data, "no\n");
}

// The grandchild too.
static void a_timeout_ends_all_of_it(void **state)
{
    (void)state;
    static const char *const slow[] = {"sh", "-c", "sleep 1000 & echo $!; wait", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    ask((struct proc_question){.argv = slow, .timeout_us = 300000}, &a);
    assert_true(a.timed_out);
    assert_int_equal(a.exit.signal, SIGKILL);
    int64_t pid = 0;
    if (a.out.len == 0) {
        return; // the machine was so busy that it never came to its first line
    }
    assert_int_equal(str_to_i64(str_trim(buf_view(&a.out)), 2, INT32_MAX, &pid), 0);
    AUTO(fd_close) int fd = pidfd_open((pid_t)pid, 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    assert_true((fd < 0 && errno == ESRCH) || poll(&ended, 1, 60000) == 1);
}

static void a_daemon_holds_nobody_up(void **state)
{
    (void)state;
    static const char *const daemon[] = {"sh", "-c", "sleep 1000 & echo $!", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    int64_t pid = 0;
    ask((struct proc_question){.argv = daemon}, &a);
    assert_false(a.timed_out);
    assert_int_equal(a.exit.code, 0);
    assert_int_equal(str_to_i64(str_trim(buf_view(&a.out)), 2, INT32_MAX, &pid), 0);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0); // it was left alone
}

static void secrets_stay_here(void **state)
{
    (void)state;
    static const char *const env[] = {"env", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    setenv("MARQUEE_SMTP_PASSWORD", "hunter2", 1);
    ask((struct proc_question){.argv = env}, &a);
    assert_null(strstr(a.out.data, "hunter2"));
    assert_non_null(strstr(a.out.data, "PATH="));
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    static const char *const none[] = {"/no/such/program", NULL};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    assert_int_equal(
        proc_ask(&(struct proc_question){.argv = none, .timeout_us = LONG_US}, &a),
        ERR_NOT_FOUND);
    assert_non_null(strstr(err_reason(), "/no/such/program"));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(what_is_too_much_is_dropped),
        cmocka_unit_test(it_need_not_listen),
        cmocka_unit_test(a_timeout_ends_all_of_it),
        cmocka_unit_test(a_daemon_holds_nobody_up),
        cmocka_unit_test(secrets_stay_here),
        cmocka_unit_test(what_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
