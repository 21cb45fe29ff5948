// SPDX-License-Identifier: GPL-3.0-or-later
//
// One poll loop over four descriptors: stdin, stdout, stderr, and the process itself. It ends when the
// leader has ended and what it wrote is read, so that a daemon that it left behind with our pipes holds
// nobody up.
#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { IN, OUT, ERR_OUT, ENDED, FDS };

struct talk {
    struct pollfd fds[FDS];
    const struct proc_question *question;
    struct proc_answer *answer;
    struct str rest;
    pid_t pid;
};

void proc_answer_free(struct proc_answer *a)
{
    buf_free(&a->out);
    buf_free(&a->err);
}

static void talk_clear(struct talk *t)
{
    for (size_t i = 0; i < FDS; i++) {
        fd_close(&t->fds[i].fd);
    }
}

static void feed(struct talk *t)
{
    ssize_t n = write(t->fds[IN].fd, t->rest.data, t->rest.len);
    if (n > 0) {
        t->rest = (struct str){t->rest.data + n, t->rest.len - (size_t)n};
    }
    bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (t->rest.len == 0 || (n < 0 && !again)) {
        fd_close(&t->fds[IN].fd); // it need not read all
    }
}

// False when nothing is there to be read now.
static bool take(struct talk *t, int which)
{
    char bytes[16384];
    struct buf *to = which == OUT ? &t->answer->out : &t->answer->err;
    ssize_t n = read(t->fds[which].fd, bytes, sizeof bytes);
    if (n > 0) {
        size_t err_max = t->question->max_err_bytes;
        size_t most = which == ERR_OUT && err_max ? err_max : t->question->max_bytes;
        size_t room = most - MIN(most, to->len);
        size_t keep = MIN((size_t)n, room);
        buf_add(to, bytes, keep);
        bool cut = keep < (size_t)n;
        t->answer->cut = t->answer->cut || cut;
        t->answer->out_cut = t->answer->out_cut || (cut && which == OUT);
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        fd_close(&t->fds[which].fd);
    }
    return false;
}

// What the leader had written when it ended: at most a pipe's worth, whoever else still writes.
static void take_rest(struct talk *t)
{
    for (int which = OUT; which <= ERR_OUT; which++) {
        for (int i = 0; i < 64 && t->fds[which].fd >= 0 && take(t, which); i++) {
        }
    }
}

// True when it is to end now.
static bool is_over(struct talk *t, int64_t left_us)
{
    const struct proc_question *q = t->question;
    t->answer->timed_out = left_us <= 0;
    t->answer->stopped = left_us > 0 && q->stop && q->stop(q->user);
    return t->answer->timed_out || t->answer->stopped;
}

static int converse(struct talk *t)
{
    int64_t until_us = clock_mono_us() + t->question->timeout_us;
    int64_t turn_ms = t->question->stop ? 200 : 1000;
    while (!(t->fds[ENDED].revents & POLLIN)) {
        int64_t left_us = until_us - clock_mono_us();
        if (is_over(t, left_us)) {
            kill(-t->pid, SIGKILL);
            break;
        }
        int ready = poll(t->fds, FDS, (int)MIN(left_us / 1000 + 1, turn_ms));
        if (ready < 0 && errno != EINTR) {
            kill(-t->pid, SIGKILL);
            return err_fail_errno("waiting for a program");
        }
        for (int which = OUT; ready > 0 && which <= ERR_OUT; which++) {
            if (t->fds[which].fd >= 0 && t->fds[which].revents) {
                take(t, which);
            }
        }
        if (ready > 0 && t->fds[IN].fd >= 0 && t->fds[IN].revents) {
            feed(t);
        }
    }
    return 0;
}

static int open_pipes(struct talk *t, int child[3])
{
    for (int i = 0; i < 3; i++) {
        int both[2];
        if (pipe2(both, O_CLOEXEC) < 0) {
            return err_fail_errno("a pipe");
        }
        int ours = i == IN ? 1 : 0;
        t->fds[i].fd = both[ours];
        child[i] = both[1 - ours];
        t->fds[i].events = i == IN ? POLLOUT : POLLIN;
        if (fcntl(both[ours], F_SETFL, O_NONBLOCK) < 0) {
            return err_fail_errno("a pipe");
        }
    }
    return 0;
}

static void add_env(const char *name, char text[4096], const char **env, size_t *count)
{
    const char *value = getenv(name);
    if (value && strlen(name) + strlen(value) + 2 <= 4096) {
        char *end = stpcpy(text, name);
        *end = '=';
        memcpy(end + 1, value, strlen(value) + 1);
        env[(*count)++] = text;
    }
}

#define MORE_ENV 64

static int spawn(struct talk *t)
{
    AUTO(fd_close) int in = -1;
    AUTO(fd_close) int out = -1;
    AUTO(fd_close) int err = -1;
    int child[3] = {-1, -1, -1};
    char path[4096], home[4096], lang[4096];
    const char *env[4 + MORE_ENV] = {0};
    size_t count = 0, more = 0;
    int failed = open_pipes(t, child);
    in = child[IN];
    out = child[OUT];
    err = child[ERR_OUT];
    TRY(failed);
    add_env("PATH", path, env, &count);
    add_env("HOME", home, env, &count);
    add_env("LANG", lang, env, &count);
    for (; t->question->env && t->question->env[more]; more++) {
        FAIL_IF(more == MORE_ENV, ERR_LIMIT, "over %d variables", MORE_ENV);
        env[count++] = t->question->env[more];
    }
    TRY(proc_spawn(&(struct proc_config){.argv = t->question->argv,
                                         .cwd = t->question->cwd,
                                         .in_fd = in,
                                         .out_fd = out,
                                         .err_fd = err,
                                         .env = env,
                                         .leads_group = true},
                   &t->pid));
    t->fds[ENDED] = (struct pollfd){.fd = pidfd_open(t->pid, 0), .events = POLLIN};
    if (t->fds[ENDED].fd < 0) {
        struct proc_exit exit;
        failed = err_fail_errno("watching a program");
        kill(-t->pid, SIGKILL);
        (void)proc_wait(t->pid, true, &exit);
        return failed;
    }
    return 0;
}

int proc_ask(const struct proc_question *question, struct proc_answer *ret)
{
    *ret = (struct proc_answer){0};
    AUTO(talk_clear)
    struct talk t = {.question = question,
                     .answer = ret,
                     .rest = question->in,
                     .fds = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}}};
    TRY(spawn(&t));
    if (t.rest.len == 0) {
        fd_close(&t.fds[IN].fd);
    }
    int err = converse(&t);
    if (question->ends_group) {
        kill(-t.pid, SIGKILL); // its leader was not waited for yet: the number is its
    }
    TRY(proc_wait(t.pid, true, &ret->exit));
    TRY(err);
    take_rest(&t);
    TRY(ret->out.err);
    return ret->err.err;
}
