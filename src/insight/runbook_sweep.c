// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/runbook_sweep.h"
#include "base/base.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#define ENVIRON_MAX (1u << 20)
#define ROUNDS      100

static bool has_variable(struct str environ_text, const char *wanted)
{
    struct str variable;
    while (environ_text.len && str_next(&environ_text, '\0', &variable)) {
        if (str_eq_c(variable, wanted)) {
            return true;
        }
    }
    return false;
}

static bool is_marked(const char *pid, const char *wanted)
{
    AUTO(buf_free) struct buf text = {0};
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    return fs_read_file(path, ENVIRON_MAX, &text) == 0 &&
           has_variable(buf_view(&text), wanted);
}

// Opened before it is looked at: the number may be another's by the time of the signal.
static int end_marked(const char *pid_text, const char *wanted)
{
    pid_t pid = (pid_t)strtol(pid_text, NULL, 10);
    AUTO(fd_close) int fd = pid == getpid() ? -1 : pidfd_open(pid, 0);
    if (fd < 0 || !is_marked(pid_text, wanted)) {
        return 0;
    }
    return pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;
}

static int round_of(const char *wanted)
{
    DIR *proc = opendir("/proc");
    int found = 0;
    for (struct dirent *e = proc ? readdir(proc) : NULL; e; e = readdir(proc)) {
        if (isdigit((unsigned char)e->d_name[0])) {
            found += end_marked(e->d_name, wanted);
        }
    }
    if (proc) {
        closedir(proc);
    }
    return found;
}

int runbook_sweep(const char *name, const char *value)
{
    AUTO(cstr_free) char *wanted = NULL;
    int all = 0;
    TRY(cstr_printf(&wanted, "%s=%s", name, value));
    for (int i = 0; i < ROUNDS; i++) {
        int found = round_of(wanted);
        if (found == 0) {
            return all;
        }
        all += found;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); // they end meanwhile
    }
    FAIL(ERR_BUSY, "processes of %s do not end", wanted);
}
