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
    const char *const *env;  // "NAME=value", NULL-terminated; NULL: the parent's
    bool
        leads_group; // a process group of its own, so that kill(-pid) ends what it starts
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

// A program that somebody wrote, asked once: a bounded text in, a bounded text out, an end in time.
struct proc_question {
    const char *const *argv; // as above
    const char *cwd;
    struct str in;
    int64_t timeout_us;     // then its whole process group is killed
    size_t max_bytes;       // kept of stdout, and of stderr; the rest is read and dropped
    size_t max_err_bytes;   // kept of stderr; 0: max_bytes
    const char *const *env; // "NAME=value" besides the usual; NULL-terminated; NULL
    bool ends_group;        // what is left of its group when it ends is killed, too
    // Asked several times a second: true ends it as a timeout does. NULL.
    bool (*stop)(void *user);
    void *user;
};
struct proc_answer {
    struct buf out, err;
    struct proc_exit exit;
    bool timed_out;
    bool stopped; // by `stop`
    bool cut;     // more came than was kept
    bool out_cut; // of stdout
};
void proc_answer_free(struct proc_answer *);
// Runs it in a process group of its own, with PATH, HOME and LANG as its whole environment: secrets of this
// process are not its. What a process that outlives the leader still writes is not waited for; on a timeout it
// is killed with the group. 0 whatever its exit code; *ret is always freed by the caller.
int proc_ask(const struct proc_question *, struct proc_answer *ret);

// The path of the running program.
int proc_self_path(char **ret);

#endif
