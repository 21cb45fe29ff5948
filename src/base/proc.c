// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/proc.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Between fork and exec only async-signal-safe calls: other threads may hold locks.
_Noreturn static void child(const struct proc_config *c, int null_fd, int report_fd,
                            pid_t parent)
{
    int in = c->in_fd >= 0 ? c->in_fd : null_fd;
    int out = c->out_fd >= 0 ? c->out_fd : null_fd;
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if ((!c->leads_group || setpgid(0, 0) == 0) && getppid() == parent &&
        dup2(in, 0) >= 0 && dup2(out, 1) >= 0 &&
        (c->err_fd < 0 || dup2(c->err_fd, 2) >= 0) && (!c->cwd || chdir(c->cwd) == 0)) {
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        if (c->nice) {
            setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + c->nice);
        }
        char *const *env = c->env ? (char *const *)(uintptr_t)c->env : environ;
        execvpe(c->argv[0], (char *const *)(uintptr_t)c->argv, env);
    }
    int why = errno;
    ssize_t told = write(report_fd, &why, sizeof why);
    (void)told;
    _exit(127);
}

int proc_spawn(const struct proc_config *c, pid_t *ret_pid)
{
    AUTO(fd_close) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int report[2];
    if (null_fd < 0 || pipe2(report, O_CLOEXEC) < 0) {
        return err_fail_errno("starting %s", c->argv[0]);
    }
    AUTO(fd_close) int report_in = report[0];
    AUTO(fd_close) int report_out = report[1];
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return err_fail_errno("starting %s", c->argv[0]);
    }
    if (pid == 0) {
        child(c, null_fd, report_out, parent);
    }
    fd_close(&report_out);
    int why = 0;
    ssize_t n;
    do {
        n = read(report_in, &why, sizeof why);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof why) {
        waitpid(pid, NULL, 0);
        errno = why;
        return err_fail_errno("starting %s", c->argv[0]);
    }
    *ret_pid = pid;
    return 0;
}

int proc_wait(pid_t pid, bool block, struct proc_exit *ret)
{
    int status = 0;
    struct rusage used;
    pid_t got;
    do {
        got = wait4(pid, &status, block ? 0 : WNOHANG, &used);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_fail_errno("waiting for process %d", (int)pid);
    }
    FAIL_IF(got == 0, ERR_BUSY, "process %d still runs", (int)pid);
    int64_t user_us = (int64_t)used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec;
    int64_t system_us = (int64_t)used.ru_stime.tv_sec * 1000000 + used.ru_stime.tv_usec;
    *ret = (struct proc_exit){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .cpu_us = user_us + system_us,
        .max_rss_bytes = (int64_t)used.ru_maxrss * 1024,
    };
    return 0;
}

int proc_self_path(char **ret)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0) {
        return err_fail_errno("reading /proc/self/exe");
    }
    path[n] = '\0';
    return cstr_dup(ret, path);
}
