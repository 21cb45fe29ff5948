// SPDX-License-Identifier: Apache-2.0
//
// Lines gather in one datagram of at most PACKET_BYTES and leave when it is full, when a line finds
// it a second old, or flushed. A receiver that is away loses lines; nobody waits for it.
#include "meter/meter.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PACKET_BYTES 1400u
#define LINE_BYTES   512u
#define MAX_AGE_US   1000000

struct meter {
    int fd; // -1: no receiver

    pthread_mutex_t lock; // guards what follows
    char packet[PACKET_BYTES];
    size_t used;
    int64_t first_us; // when the oldest line in the packet was written
};

static int connect_udp(struct str rest, int *ret_fd)
{
    struct str host, port_text = rest;
    int64_t port = 0;
    char text[64];
    struct sockaddr_in to = {.sin_family = AF_INET};
    FAIL_IF(!str_next(&port_text, ':', &host) || !port_text.data, ERR_INVALID,
            "a meter address is udp://ADDRESS:PORT");
    TRY(str_to_i64(port_text, 1, 65535, &port));
    TRY(str_copy(text, sizeof text, host));
    FAIL_IF(inet_pton(AF_INET, text, &to.sin_addr) != 1, ERR_INVALID,
            "'%s' is not an IPv4 address", text);
    to.sin_port = htons((uint16_t)port);
    AUTO(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        return err_fail_errno("a meter socket to %s", text);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int connect_unix(struct str path, int *ret_fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    TRY(str_copy(to.sun_path, sizeof to.sun_path, path));
    AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        return err_fail_errno("a meter socket to %s", to.sun_path);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int meter_new(struct meter **ret, const char *address)
{
    AUTO(fd_close) int fd = -1;
    struct str a = str_of(address);
    if (str_starts(a, "udp://")) {
        TRY(connect_udp((struct str){a.data + 6, a.len - 6}, &fd));
    } else if (str_starts(a, "unix://")) {
        TRY(connect_unix((struct str){a.data + 7, a.len - 7}, &fd));
    } else {
        FAIL_IF(address, ERR_INVALID, "a meter address begins with udp:// or unix://");
    }
    struct meter *m = calloc(1, sizeof *m);
    FAIL_IF(!m, ERR_NOMEM, "a meter");
    pthread_mutex_init(&m->lock, NULL);
    m->fd = fd;
    fd = -1;
    *ret = m;
    return 0;
}

static void send_locked(struct meter *m)
{
    if (m->used) {
        // Lost when the receiver is away or slow: that is the contract of a meter.
        ssize_t sent = send(m->fd, m->packet, m->used, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)sent;
        m->used = 0;
    }
}

void meter_flush(struct meter *m)
{
    if (m->fd < 0) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    send_locked(m);
    pthread_mutex_unlock(&m->lock);
}

void meter_free(struct meter **meter)
{
    struct meter *m = TAKE(*meter);
    if (!m) {
        return;
    }
    meter_flush(m);
    fd_close(&m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct line {
    char text[LINE_BYTES];
    size_t len;
};

static void put_name(struct line *l, const char *text)
{
    for (; *text && l->len < LINE_BYTES - 40; text++) {
        char c = *text;
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
                    c == '~' || c == '^';
        l->text[l->len++] = fine ? c : '_';
    }
}

static void put_line(struct meter *m, char type, const char *name,
                     const struct meter_tag *tags, const char *number)
{
    struct line l = {.text = {type, ':'}, .len = 2};
    put_name(&l, name);
    for (const struct meter_tag *t = tags; t && t->key && l.len < LINE_BYTES - 48; t++) {
        l.text[l.len++] = ',';
        put_name(&l, t->key);
        l.text[l.len++] = '=';
        put_name(&l, t->value);
    }
    l.text[l.len++] = ':';
    size_t digits = strlen(number);
    memcpy(l.text + l.len, number, digits);
    l.len += digits;
    l.text[l.len++] = '\n';

    int64_t now = clock_mono_us();
    pthread_mutex_lock(&m->lock);
    if (m->used + l.len > PACKET_BYTES || (m->used && now - m->first_us > MAX_AGE_US)) {
        send_locked(m);
    }
    if (m->used == 0) {
        m->first_us = now;
    }
    memcpy(m->packet + m->used, l.text, l.len);
    m->used += l.len;
    pthread_mutex_unlock(&m->lock);
}

static void put_integer(struct meter *m, char type, const char *name,
                        const struct meter_tag *tags, int64_t n)
{
    char number[24];
    if (m->fd >= 0) {
        snprintf(number, sizeof number, "%lld", (long long)n);
        put_line(m, type, name, tags, number);
    }
}

static void put_real(struct meter *m, char type, const char *name,
                     const struct meter_tag *tags, double v)
{
    char number[32];
    if (m->fd >= 0) {
        snprintf(number, sizeof number, "%.9g", v);
        put_line(m, type, name, tags, number);
    }
}

void meter_count(struct meter *m, const char *name, const struct meter_tag *tags,
                 int64_t more)
{
    put_integer(m, 'c', name, tags, more);
}

void meter_time(struct meter *m, const char *name, const struct meter_tag *tags,
                int64_t us)
{
    put_real(m, 't', name, tags, (double)us / 1e6);
}

void meter_gauge(struct meter *m, const char *name, const struct meter_tag *tags,
                 double value)
{
    put_real(m, 'g', name, tags, value);
}

void meter_record(struct meter *m, const char *name, const struct meter_tag *tags,
                  int64_t amount)
{
    put_integer(m, 'd', name, tags, amount);
}
