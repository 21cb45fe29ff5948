// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"

void die(const char *what)
{
    fprintf(stderr, "fleet: %s: %s\n", what, strerror(errno));
    exit(1);
}

const char *option(char **args, const char *key)
{
    size_t length = strlen(key);
    for (; *args; args++) {
        if (strncmp(*args, key, length) == 0 && (*args)[length] == '=')
            return *args + length + 1;
    }
    fprintf(stderr, "fleet: %s=… is missing\n", key);
    exit(2);
}

double option_number(char **args, const char *key)
{
    return strtod(option(args, key), NULL);
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

void rest_us(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (us > 0 && nanosleep(&t, &t) && errno == EINTR) {
    }
}

// xorshift64*, Vigna 2016.
uint64_t chance(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}

double chance_unit(uint64_t *state)
{
    return (double)(chance(state) >> 11) * 0x1p-53;
}

double time_of_day(int64_t day_ms, int64_t dawn_ms)
{
    double at = (double)((wall_ms() - dawn_ms) % day_ms) / (double)day_ms;
    return (1 - cos(2 * M_PI * at)) / 2;
}

struct sockaddr_in address_of(const char *host_and_port)
{
    char host[64];
    const char *colon = strchr(host_and_port, ':');
    if (!colon || (size_t)(colon - host_and_port) >= sizeof host)
        die(host_and_port);
    memcpy(host, host_and_port, (size_t)(colon - host_and_port));
    host[colon - host_and_port] = 0;
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        die(host_and_port);
    return a;
}

int listen_at(const char *host_and_port)
{
    struct sockaddr_in a = address_of(host_and_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 256))
        die(host_and_port);
    return fd;
}

void speak_at_once(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int connect_to(const struct sockaddr_in *to, int timeout_ms)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); // of connect, too
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    speak_at_once(fd);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool write_all(int fd, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t n = send(fd, at, count, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        count -= (size_t)n;
    }
    return true;
}

static void unix_address(struct sockaddr_un *a, const char *path)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a->sun_path)
        die(path);
    memcpy(a->sun_path, path, strlen(path));
}

int datagram_socket(const char *path)
{
    struct sockaddr_un a;
    unix_address(&a, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a))
        die(path);
    return fd;
}

bool http_read_head(struct http_in *in)
{
    for (;;) {
        char *end = memmem(in->bytes, in->used, "\r\n\r\n", 4);
        if (end) {
            in->head = (size_t)(end + 4 - in->bytes);
            return true;
        }
        if (in->used == sizeof in->bytes)
            return false;
        ssize_t n = recv(in->fd, in->bytes + in->used, sizeof in->bytes - in->used, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        in->used += (size_t)n;
    }
}

bool http_skip_body(struct http_in *in, size_t count)
{
    char skipped[16384];
    size_t held = in->used - in->head, take = held < count ? held : count;
    memmove(in->bytes, in->bytes + in->head + take, held - take);
    in->used = held - take;
    in->head = 0;
    for (count -= take; count > 0;) {
        ssize_t n =
            recv(in->fd, skipped, count < sizeof skipped ? count : sizeof skipped, 0);
        if (n <= 0)
            return false;
        count -= (size_t)n;
    }
    return true;
}

void lines_open(struct lines *l, const char *address)
{
    *l = (struct lines){.fd = -1};
    pthread_mutex_init(&l->lock, NULL);
    if (strncmp(address, "unix://", 7) == 0) {
        struct sockaddr_un a;
        unix_address(&a, address + 7);
        memcpy(&l->to, &a, sizeof a);
        l->to_len = sizeof a;
        l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    } else if (strncmp(address, "udp://", 6) == 0) {
        struct sockaddr_in a = address_of(address + 6);
        memcpy(&l->to, &a, sizeof a);
        l->to_len = sizeof a;
        l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (l->fd < 0)
        die(address);
}

// A receiver that is away or full loses lines, as with any client of this wire; a server never waits.
static void lines_send_locked(struct lines *l)
{
    if (l->used > 0)
        (void)!sendto(l->fd, l->text, l->used, MSG_DONTWAIT,
                      (const struct sockaddr *)&l->to, l->to_len);
    l->used = 0;
}

void lines_put(struct lines *l, const char *format, ...)
{
    char line[256];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (length < 0 || (size_t)length >= sizeof line)
        return;
    pthread_mutex_lock(&l->lock);
    if (l->used + (size_t)length + 1 > sizeof l->text)
        lines_send_locked(l);
    memcpy(l->text + l->used, line, (size_t)length);
    l->used += (size_t)length;
    l->text[l->used++] = '\n';
    pthread_mutex_unlock(&l->lock);
}

void lines_send(struct lines *l)
{
    pthread_mutex_lock(&l->lock);
    lines_send_locked(l);
    pthread_mutex_unlock(&l->lock);
}
