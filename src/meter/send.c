// SPDX-License-Identifier: Apache-2.0
//
// Lines as datagrams. The socket is not connected: a receiver that was away or began anew is found again
// by its address with the next datagram.
#include "meter/internal.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT_US 100000 // for a receiver whose queue is full, in one flush
#define BURST   32     // datagrams that an idle receiver's usual buffer takes with ease
#define REST_NS 1000000

static void info_free(struct addrinfo **info)
{
    if (*info) {
        freeaddrinfo(*info);
    }
}

// "127.0.0.1:1234" or "[::1]:1234"; no names, which would have to be asked for.
static int read_udp(struct str text, struct meter *m)
{
    const char *colon = memrchr(text.data, ':', text.len);
    FAIL_IF(!colon, ERR_INVALID, "a meter address is udp://ADDRESS:PORT");
    struct str host = {text.data, (size_t)(colon - text.data)};
    struct str port_text = {colon + 1, text.len - host.len - 1};
    int64_t port = 0;
    char name[64], number[8];
    TRY(str_to_i64(port_text, 1, 65535, &port));
    if (str_starts(host, "[") && str_ends(host, "]")) {
        host = (struct str){host.data + 1, host.len - 2};
    }
    TRY(str_copy(name, sizeof name, host));
    TRY(str_copy(number, sizeof number, port_text));
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_DGRAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    AUTO(info_free) struct addrinfo *info = NULL;
    FAIL_IF(!*name || getaddrinfo(name, number, &wanted, &info) != 0, ERR_INVALID,
            "'%s' is not an IP address", name);
    memcpy(&m->to, info->ai_addr, info->ai_addrlen);
    m->to_bytes = info->ai_addrlen;
    m->packet_bytes = UDP_BYTES_MAX;
    return 0;
}

static int read_unix(struct str path, struct meter *m)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    FAIL_IF(path.len == 0, ERR_INVALID, "a meter address is unix:///PATH");
    FAIL_IF(str_copy(to.sun_path, sizeof to.sun_path, path) < 0, ERR_INVALID,
            "the path of a Unix socket is under %zu bytes", sizeof to.sun_path);
    memcpy(&m->to, &to, sizeof to);
    m->to_bytes = sizeof to;
    return 0;
}

int send_open(struct meter *m, const char *address)
{
    struct str a = str_of(address);
    if (str_starts(a, "udp://")) {
        TRY(read_udp((struct str){a.data + 6, a.len - 6}, m));
    } else if (str_starts(a, "unix://")) {
        TRY(read_unix((struct str){a.data + 7, a.len - 7}, m));
    } else {
        FAIL(ERR_INVALID, "a meter address begins with udp:// or unix://");
    }
    m->fd = socket(m->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval wait = {.tv_usec = WAIT_US};
    if (m->fd < 0 || setsockopt(m->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0) {
        return err_fail_errno("a meter socket to %s", address);
    }
    return 0;
}

static void send_packet(struct meter *m, struct str packet, int *flags)
{
    ssize_t sent;
    do {
        sent = sendto(m->fd, packet.data, packet.len, *flags | MSG_NOSIGNAL,
                      (const struct sockaddr *)&m->to, m->to_bytes);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        // Waited once; the rest of this flush goes as far as it goes at once.
        *flags = MSG_DONTWAIT;
        atomic_fetch_add_explicit(&m->stat_lost, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&m->stat_datagrams, 1, memory_order_relaxed);
}

// As many whole lines as fit.
static size_t packet_of(const struct meter *m, struct str lines)
{
    if (lines.len <= m->packet_bytes) {
        return lines.len;
    }
    const char *end = memrchr(lines.data, '\n', m->packet_bytes);
    ASSERT(end); // no line is longer
    return (size_t)(end - lines.data) + 1;
}

void send_lines(struct meter *m, struct str lines)
{
    int flags = 0;
    for (unsigned count = 1; lines.len; count++) {
        size_t bytes = packet_of(m, lines);
        struct str packet = {lines.data, bytes};
        if (m->config.sink) {
            m->config.sink(m->config.user, packet);
        }
        if (m->fd >= 0) {
            send_packet(m, packet, &flags);
            if (count % BURST == 0) {
                const struct timespec moment = {.tv_nsec = REST_NS};
                nanosleep(&moment, NULL);
            }
        }
        lines = (struct str){lines.data + bytes, lines.len - bytes};
    }
}
