// SPDX-License-Identifier: GPL-3.0-or-later
//
// Datagrams of lines, many at a call (recvmmsg), on a thread of its own. What comes faster than it is read
// waits in the socket's buffer; of what finds that full, the kernel says how much it was (UDP), or makes the
// sender wait (Unix).
#include "telemetry/intake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define AT_ONCE       64
#define PACKET_BYTES  65536 // no UDP datagram is longer
#define SOCKET_BYTES  (16 << 20)
#define CONTROL_BYTES 64

struct packet {
    struct iovec part;
    char control[CONTROL_BYTES] __attribute__((aligned(8)));
};

struct telemetry_receiver {
    struct telemetry_intake *intake;
    int fd, stop_fd;
    uint16_t port;
    char *path; // of a Unix socket, removed at the end
    pthread_t thread;
    bool has_thread;

    // The thread's.
    uint32_t drops; // as the kernel counts them since the socket was made
    char *bytes;    // AT_ONCE packets
    struct packet packets[AT_ONCE];
    struct mmsghdr messages[AT_ONCE];
};

// --- addresses ------------------------------------------------------------------------------

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t len;
};

static int address_udp(struct str text, struct address *ret)
{
    const char *colon = memrchr(text.data, ':', text.len);
    FAIL_IF(!colon, ERR_INVALID, "'" STR_FMT "' lacks a port", STR_ARG(text));
    struct str host = {text.data, (size_t)(colon - text.data)};
    int64_t port = 0;
    TRY(str_to_i64((struct str){colon + 1, text.len - host.len - 1}, 0, 65535, &port));
    char name[64];
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        TRY(str_copy(name, sizeof name, (struct str){host.data + 1, host.len - 2}));
        ret->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                        .sin6_port = htons((uint16_t)port)};
        ret->len = sizeof ret->v6;
        FAIL_IF(inet_pton(AF_INET6, name, &ret->v6.sin6_addr) != 1, ERR_INVALID,
                "'%s' is no IPv6 address", name);
        return 0;
    }
    TRY(str_copy(name, sizeof name, host));
    ret->v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    ret->len = sizeof ret->v4;
    FAIL_IF(inet_pton(AF_INET, name, &ret->v4.sin_addr) != 1, ERR_INVALID,
            "'%s' is no address", name);
    return 0;
}

static int address_of(const char *text, struct address *ret)
{
    struct str s = str_of(text);
    *ret = (struct address){0};
    if (str_starts(s, "udp://")) {
        return address_udp((struct str){s.data + 6, s.len - 6}, ret);
    }
    FAIL_IF(!str_starts(s, "unix://") || s.len == 7, ERR_INVALID,
            "lines come over udp://ADDRESS:PORT or unix:///PATH");
    ret->local = (struct sockaddr_un){.sun_family = AF_UNIX};
    ret->len = sizeof ret->local;
    return str_copy(ret->local.sun_path, sizeof ret->local.sun_path,
                    (struct str){s.data + 7, s.len - 7});
}

// --- sockets --------------------------------------------------------------------------------

// A killed process leaves its socket's file; one that still receives is not pushed aside.
static int clear_path(const struct address *a)
{
    struct stat st;
    const char *path = a->local.sun_path;
    if (lstat(path, &st) < 0) {
        return errno == ENOENT ? 0 : err_fail_errno("%s", path);
    }
    FAIL_IF(!S_ISSOCK(st.st_mode), ERR_EXISTS, "%s is there, and no socket", path);
    AUTO(fd_close) int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return err_fail_errno("a socket");
    }
    FAIL_IF(connect(probe, &a->any, a->len) == 0, ERR_BUSY,
            "another process receives at %s", path);
    return unlink(path) < 0 && errno != ENOENT ? err_fail_errno("%s", path) : 0;
}

static void size_buffer(int fd)
{
    int bytes = SOCKET_BYTES, on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes,
                   sizeof bytes); // as much as is allowed
    }
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

static int open_socket(struct telemetry_receiver *r, const char *text)
{
    struct address a;
    TRY(address_of(text, &a));
    bool local = a.any.sa_family == AF_UNIX;
    TRY(local ? clear_path(&a) : 0);
    r->fd = socket(a.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (r->fd < 0) {
        return err_fail_errno("a socket for lines");
    }
    size_buffer(r->fd);
    if (bind(r->fd, &a.any, a.len) < 0) {
        return errno == EADDRINUSE
                   ? err_fail(ERR_BUSY, "another process receives at %s", text)
                   : err_fail_errno("receiving at %s", text);
    }
    if (local) {
        TRY(cstr_dup(&r->path, a.local.sun_path));
        return 0;
    }
    a.len = sizeof a.v6;
    if (getsockname(r->fd, &a.any, &a.len) < 0) {
        return err_fail_errno("the port of %s", text);
    }
    r->port = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
    return 0;
}

// --- receiving ------------------------------------------------------------------------------

static void prepare(struct telemetry_receiver *r)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        r->packets[i].part = (struct iovec){r->bytes + i * PACKET_BYTES, PACKET_BYTES};
        r->messages[i].msg_hdr = (struct msghdr){.msg_iov = &r->packets[i].part,
                                                 .msg_iovlen = 1,
                                                 .msg_control = r->packets[i].control,
                                                 .msg_controllen = CONTROL_BYTES};
    }
}

static void count_drops(struct telemetry_receiver *r, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops = 0;
            memcpy(&drops, CMSG_DATA(c), sizeof drops);
            intake_count(r->intake, kernel_drops, drops - r->drops);
            r->drops = drops;
        }
    }
}

// All that waits.
static int receive(struct telemetry_receiver *r)
{
    int count = 0;
    do {
        prepare(r);
        count = recvmmsg(r->fd, r->messages, AT_ONCE, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            struct mmsghdr *m = &r->messages[i];
            count_drops(r, &m->msg_hdr);
            telemetry_intake_lines(r->intake,
                                   (struct str){r->packets[i].part.iov_base, m->msg_len});
        }
        intake_count(r->intake, datagrams, (uint64_t)MAX(count, 0));
    } while (count == AT_ONCE);
    return count < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

static void *receiver(void *user)
{
    struct telemetry_receiver *r = user;
    struct pollfd waits[] = {{.fd = r->fd, .events = POLLIN},
                             {.fd = r->stop_fd, .events = POLLIN}};
    while (!waits[1].revents) {
        int ready = poll(waits, ARRAY_LEN(waits), -1);
        int err = ready > 0 && waits[0].revents ? receive(r) : 0;
        if (err < 0) {
            log_warn("telemetry", "receiving lines: %s", strerror(-err));
            break;
        }
    }
    receive(r); // what came before the stop
    return NULL;
}

int telemetry_receiver_start(struct telemetry_receiver **ret, struct telemetry_intake *in,
                             const char *address)
{
    AUTO(telemetry_receiver_stop) struct telemetry_receiver *r = calloc(1, sizeof *r);
    FAIL_IF(!r, ERR_NOMEM, "a receiver");
    r->intake = in;
    r->fd = r->stop_fd = -1;
    r->bytes = malloc((size_t)AT_ONCE * PACKET_BYTES);
    FAIL_IF(!r->bytes, ERR_NOMEM, "a receiver");
    TRY(open_socket(r, address));
    r->stop_fd = eventfd(0, EFD_CLOEXEC);
    FAIL_IF(r->stop_fd < 0 || pthread_create(&r->thread, NULL, receiver, r) != 0,
            ERR_NOMEM, "a thread for lines");
    r->has_thread = true;
    *ret = TAKE(r);
    return 0;
}

void telemetry_receiver_stop(struct telemetry_receiver **receiver)
{
    struct telemetry_receiver *r = TAKE(*receiver);
    if (!r) {
        return;
    }
    if (r->has_thread) {
        ASSERT(eventfd_write(r->stop_fd, 1) == 0);
        pthread_join(r->thread, NULL);
    }
    if (r->path) {
        unlink(r->path);
    }
    fd_close(&r->fd);
    fd_close(&r->stop_fd);
    cstr_free(&r->path);
    free(r->bytes);
    free(r);
}

uint16_t telemetry_receiver_port(const struct telemetry_receiver *r)
{
    return r->port;
}
