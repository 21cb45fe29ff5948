// SPDX-License-Identifier: GPL-3.0-or-later
//
// A process whose pid stands in a file. Its incarnation is the pid with the time that the kernel says it
// started (proc(5), stat, field 22): a pid that was given to another process is another incarnation. It is
// ended through a pidfd that is opened before that is compared, so that no other process is ever hit.
#include "insight/driver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#define START_US (60 * INT64_C(1000000))

static int read_pid(const char *file, pid_t *ret)
{
    AUTO(buf_free) struct buf text = {0};
    int64_t pid = 0;
    TRY(fs_read_file(file, 64, &text));
    TRY(str_to_i64(str_trim(buf_view(&text)), 2, INT32_MAX, &pid));
    *ret = (pid_t)pid;
    return 0;
}

// The name in parentheses may hold anything; what follows its last ')' is words.
static int start_time(pid_t pid, char ret[32])
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(cstr_printf(&path, "/proc/%d/stat", (int)pid));
    if (fs_read_file(path, 4096, &text) < 0) {
        FAIL(ERR_NOT_FOUND, "process %d is gone", (int)pid);
    }
    const char *end = strrchr(text.data, ')');
    FAIL_IF(!end || strlen(end) < 4, ERR_CORRUPT, "%s", path);
    struct str rest = str_of(end + 2), field;
    FAIL_IF(rest.data[0] == 'Z' || rest.data[0] == 'X', ERR_NOT_FOUND,
            "process %d has ended", (int)pid);
    for (int i = 3; i <= 22; i++) {
        FAIL_IF(!str_next(&rest, ' ', &field), ERR_CORRUPT, "%s", path);
    }
    return str_copy(ret, 32, field);
}

static int incarnation_of(pid_t pid, char ret[INSIGHT_INCARNATION_BYTES])
{
    char started[32];
    TRY(start_time(pid, started));
    snprintf(ret, INSIGHT_INCARNATION_BYTES, "pid %d started %s", (int)pid, started);
    return 0;
}

int process_look(const struct insight_target *t, char ret[INSIGHT_INCARNATION_BYTES])
{
    pid_t pid = 0;
    TRY(read_pid(t->server->pid_file, &pid));
    return incarnation_of(pid, ret);
}

static int wait_end(int pid_fd, int64_t ms)
{
    struct pollfd ended = {.fd = pid_fd, .events = POLLIN};
    int64_t until_us = clock_mono_us() + ms * 1000;
    int ready;
    do {
        ready =
            poll(&ended, 1, (int)MAX((until_us - clock_mono_us()) / 1000, INT64_C(0)));
    } while (ready < 0 && errno == EINTR);
    return ready < 0 ? err_fail_errno("waiting for a process to end") : ready;
}

int process_terminate(const struct insight_target *t, const char *incarnation)
{
    pid_t pid = 0;
    char now[INSIGHT_INCARNATION_BYTES];
    TRY(read_pid(t->server->pid_file, &pid));
    AUTO(fd_close) int fd = pidfd_open(pid, 0);
    if (fd < 0) {
        return err_fail_errno("process %d", (int)pid);
    }
    TRY(incarnation_of(pid, now));
    FAIL_IF(strcmp(now, incarnation) != 0, ERR_CONFLICT, "%s is not %s", now,
            incarnation);
    if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0) {
        return err_fail_errno("ending process %d", (int)pid);
    }
    int ended = wait_end(fd, t->cluster->life.stop_s * 1000);
    TRY(ended);
    if (ended) {
        return 0;
    }
    if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH) {
        return err_fail_errno("killing process %d", (int)pid);
    }
    ended = wait_end(fd, 10000);
    TRY(ended);
    FAIL_IF(!ended, ERR_TIMEOUT, "process %d does not end, even when killed", (int)pid);
    return 0;
}

int process_start(const struct insight_target *t)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const char *const *argv = NULL;
    TRY(arena_new(&arena));
    TRY(driver_argv(t, t->cluster->life.start, t->cluster->life.start_count, arena,
                    &argv));
    return driver_run(argv, NULL, START_US, NULL);
}
