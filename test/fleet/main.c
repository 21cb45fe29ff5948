// SPDX-License-Identifier: GPL-3.0-or-later
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fleet.h"

// Keeps the datagrams of a fleet as they came, each behind a line `#MILLISECONDS`, and passes them on.
int fleet_record(char **args)
{
    static char datagram[65536];
    int in = datagram_socket(option(args, "listen"));
    int size = 8 << 20;
    setsockopt(in, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    FILE *out = fopen(option(args, "file"), "we");
    if (!out)
        die("file");
    const char *forward = option(args, "forward");
    struct lines to;
    if (*forward)
        lines_open(&to, forward);
    for (int64_t kept = 0;;) {
        ssize_t n = recv(in, datagram, sizeof datagram, 0);
        if (n <= 0)
            continue;
        fprintf(out, "#%lld\n", (long long)wall_ms());
        fwrite(datagram, 1, (size_t)n, out);
        if (now_us() - kept > 250000) {
            fflush(out);
            kept = now_us();
        }
        if (*forward)
            (void)!sendto(to.fd, datagram, (size_t)n, MSG_DONTWAIT,
                          (const struct sockaddr *)&to.to, to.to_len);
    }
}

// One datagram to a control socket.
int fleet_tell(char **args)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *path = option(args, "to"), *text = option(args, "text");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof a.sun_path)
        die(path);
    memcpy(a.sun_path, path, strlen(path));
    if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof a) < 0)
        die(path);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **);
    } roles[] = {
        {"server", fleet_server}, {"backend", fleet_backend}, {"relay", fleet_relay},
        {"load", fleet_load},     {"probe", fleet_probe},     {"record", fleet_record},
        {"host", fleet_host},     {"tell", fleet_tell},
    };
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].run(argv + 2);
    }
    fprintf(stderr,
            "usage: fleet server|backend|relay|load|probe|record|host|tell key=value…\n");
    return 2;
}
