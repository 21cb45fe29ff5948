// SPDX-License-Identifier: GPL-3.0-or-later
//
// Starts the fleet's processes in its network namespace and ends them all, whatever becomes of who asked:
// when its standard input closes, every process of its control groups is killed and the groups are gone.
//
// Commands, a line each on standard input or a datagram to `control`:
//   start NAME LOG GROUPS WORD…   GROUPS: comma-separated folders of cgroup v1, made; "-" for the root one
//   restart NAME                  SIGTERM; started again, with the same words, when it has ended
//   stop NAME
// It says `started NAME PID` and `ended NAME STATUS`.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fleet.h"

enum { CHILDREN = 512, WORDS = 64 };

struct child {
    char *name, *log, *groups, *text; // text: the words behind, copied
    pid_t pid;                        // 0: not running
    bool again;
};

struct host {
    const char *root; // the control group that all are in
    int control, signals;
    size_t count;
    struct child children[CHILDREN];
};

static void join(const char *group)
{
    char path[512];
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        die(path);
    close(fd);
}

static _Noreturn void become(struct host *h, struct child *c)
{
    char *words[WORDS + 1], *rest = NULL;
    size_t count = 0;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    join(h->root);
    if (strcmp(c->groups, "-") != 0) {
        char *groups = strdup(c->groups), *at = NULL;
        for (char *g = strtok_r(groups, ",", &at); g; g = strtok_r(NULL, ",", &at))
            join(g);
    }
    for (char *w = strtok_r(c->text, " ", &rest); w && count < WORDS;
         w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    words[count] = NULL;
    int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, 0);
    dup2(log, 1);
    dup2(log, 2);
    execvp(words[0], words);
    die(words[0]);
}

static void begin(struct host *h, struct child *c)
{
    c->again = false;
    fflush(stdout);
    c->pid = fork();
    if (c->pid == 0)
        become(h, c);
    printf("started %s %d\n", c->name, (int)c->pid);
    fflush(stdout);
}

static struct child *find(struct host *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++) {
        if (strcmp(h->children[i].name, name) == 0)
            return &h->children[i];
    }
    return NULL;
}

static void start(struct host *h, char *words)
{
    char *rest = NULL, *name = strtok_r(words, " ", &rest);
    char *log = strtok_r(NULL, " ", &rest), *groups = strtok_r(NULL, " ", &rest);
    if (!name || !log || !groups || !rest || !*rest || h->count == CHILDREN)
        return;
    struct child *c = find(h, name);
    if (c && c->pid)
        return;
    if (!c)
        c = &h->children[h->count++];
    *c =
        (struct child){strdup(name), strdup(log), strdup(groups), strdup(rest), 0, false};
    begin(h, c);
}

static void obey(struct host *h, char *line)
{
    char *name = strchr(line, ' ');
    if (!name)
        return;
    *name++ = 0;
    if (strcmp(line, "start") == 0) {
        start(h, name);
        return;
    }
    struct child *c = find(h, name);
    if (!c)
        return;
    c->again = strcmp(line, "restart") == 0;
    if (c->pid)
        kill(c->pid, SIGTERM);
    else if (c->again)
        begin(h, c);
}

static void bury(struct host *h)
{
    struct signalfd_siginfo info;
    (void)!read(h->signals, &info, sizeof info);
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < h->count; i++) {
            struct child *c = &h->children[i];
            if (c->pid != pid)
                continue;
            c->pid = 0;
            printf("ended %s %d\n", c->name, status);
            fflush(stdout);
            if (c->again)
                begin(h, c);
        }
    }
}

// The group's own processes; a child of a child that has gone astray is in it, too.
static size_t kill_all(const char *group)
{
    char path[512];
    size_t found = 0;
    int pid;
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%d", &pid) == 1) {
        kill(pid, SIGKILL);
        found++;
    }
    if (f)
        fclose(f);
    return found;
}

static void end_all(struct host *h)
{
    signal(SIGPIPE, SIG_IGN); // nobody may be left to hear
    for (size_t i = 0; i < h->count; i++)
        h->children[i].again = false;
    for (int tries = 0; tries < 500 && kill_all(h->root) > 0; tries++) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        rest_us(20000);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    for (size_t i = 0; i < h->count; i++) {
        char *at = NULL;
        if (strcmp(h->children[i].groups, "-") == 0)
            continue;
        for (char *g = strtok_r(h->children[i].groups, ",", &at); g;
             g = strtok_r(NULL, ",", &at))
            rmdir(g);
    }
    rmdir(h->root);
}

static void listen_for_commands(struct host *h)
{
    static char held[65536];
    size_t used = 0;
    for (;;) {
        struct pollfd fds[] = {
            {0, POLLIN, 0}, {h->control, POLLIN, 0}, {h->signals, POLLIN, 0}};
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[2].revents)
            bury(h);
        if (fds[1].revents) {
            char text[256];
            ssize_t n = recv(h->control, text, sizeof text - 1, 0);
            text[n < 0 ? 0 : n] = 0;
            obey(h, text);
        }
        if (!fds[0].revents)
            continue;
        ssize_t n = read(0, held + used, sizeof held - used);
        if (n <= 0)
            return;
        used += (size_t)n;
        for (char *end; (end = memchr(held, '\n', used));) {
            size_t taken = (size_t)(end + 1 - held);
            *end = 0;
            obey(h, held);
            memmove(held, held + taken, used - taken);
            used -= taken;
        }
    }
}

int fleet_host(char **args)
{
    static struct host host;
    struct host *h = &host;
    setsid(); // a signal to the asker's group is not for us: we clean up behind it
    h->root = option(args, "group");
    if (mkdir(h->root, 0755) && errno != EEXIST)
        die(h->root);
    h->control = datagram_socket(option(args, "control"));
    sigset_t dead;
    sigemptyset(&dead);
    sigaddset(&dead, SIGCHLD);
    sigprocmask(SIG_BLOCK, &dead, NULL);
    h->signals = signalfd(-1, &dead, SFD_CLOEXEC);
    printf("ready\n");
    fflush(stdout);
    listen_for_commands(h);
    end_all(h);
    return 0;
}
