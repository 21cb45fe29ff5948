// SPDX-License-Identifier: GPL-3.0-or-later
//
// Child processes by argument vector, never through a shell.
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/str.h"

#include <sys/types.h>

struct proc_config {
    const char *const *argv; // NULL-terminated; argv[0] is a path or is looked up in PATH
    const char *cwd;         // NULL: the parent's
    int in_fd;               // -1: /dev/null
    int out_fd;              // -1: /dev/null
    int err_fd;              // -1: the parent's
    int nice;                // added to the parent's
};

// The child is killed when the thread that spawned it ends (PR_SET_PDEATHSIG), so spawn from a
// thread that lives as long as the process.
int proc_spawn(const struct proc_config *, pid_t *ret_pid);

struct proc_exit {
    int code;   // -1 when ended by a signal
    int signal; // 0 when it exited
    int64_t cpu_us;
    int64_t max_rss_bytes;
};

// Waits for one child. With `block` false and the child still running: ERR_BUSY.
int proc_wait(pid_t pid, bool block, struct proc_exit *ret);

// The path of the running program.
int proc_self_path(char **ret);

#endif
