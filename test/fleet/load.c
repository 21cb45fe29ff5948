// SPDX-License-Identifier: GPL-3.0-or-later
//
// The generator: requests start when a Poisson process of a rate that follows the day says so, whether or
// not earlier ones are answered (open loop), and their latency counts from then. It tells the series of
// each server as clients see it, and keeps a row a request for the questions that need all of them.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fleet.h"

enum { CONNECTIONS = 128, WAITING = 65536, HEAD_MAX = 1024 };

struct request {
    int64_t due_us;
    long long key;
};

struct client {
    int fd; // <0: not connected
    bool busy;
    bool reused, again; // its connection held a request before; it asks a second time
    struct request request;
    size_t head, used; // bytes of the head so far; 0 when it was read
    size_t left;       // bytes of the body to come
    int status;
    char server[16];
    char bytes[HEAD_MAX];
};

struct load {
    int epoll;
    struct sockaddr_in target;
    struct lines lines;
    FILE *rows;
    int64_t day_ms, dawn_ms, due_us;
    double quiet_rate, busy_rate; // requests a second
    double quiet_keys, busy_keys;
    uint64_t chances;
    struct client clients[CONNECTIONS];
    struct request waiting[WAITING]; // a ring
    size_t first, count;
};

// Popular titles are asked for more often; at the peak of a day people look for more titles.
static long long choose_key(struct load *l, double busy)
{
    double keys = l->quiet_keys + (l->busy_keys - l->quiet_keys) * busy;
    return (long long)(keys * pow(chance_unit(&l->chances), 1.7));
}

static void finish(struct load *l, struct client *c, int status)
{
    int64_t took = now_us() - c->request.due_us;
    fprintf(l->rows, "%lld,%lld,%d,%s\n", (long long)wall_ms(), (long long)took, status,
            c->server);
    if (c->server[0]) {
        lines_put(&l->lines, "t:client.latency,server=%s:%.6f", c->server,
                  (double)took / 1e6);
        lines_put(&l->lines, "c:client.requests,server=%s:1", c->server);
        lines_put(&l->lines, "c:client.errors,server=%s:%d", c->server, status >= 500);
    }
    c->busy = c->again = false;
    c->reused = true;
    c->server[0] = 0;
}

static bool ask(struct load *l, struct client *c, const struct request *request)
{
    char text[128];
    if (c->fd < 0) {
        c->fd = connect_to(&l->target, 2000);
        if (c->fd < 0)
            return false;
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e);
    }
    int length =
        snprintf(text, sizeof text, "GET /work?k=%lld HTTP/1.1\r\nHost: fleet\r\n\r\n",
                 request->key);
    c->request = *request;
    c->busy = true;
    c->used = c->left = 0;
    c->head = 1;
    return write_all(c->fd, text, (size_t)length);
}

// A connection that was kept alive may be closed by the other side at any time, before it has read the next
// request: a client then asks again on a new one, once (RFC 9112, 9.3.1). What is still without an answer
// counts as an error.
static void drop(struct load *l, struct client *c)
{
    bool ask_again = c->busy && c->reused && !c->again && c->head && c->used == 0;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->reused = false;
    if (ask_again) {
        struct request same = c->request;
        c->again = true;
        if (ask(l, c, &same))
            return;
    }
    if (c->busy)
        finish(l, c, 599);
}

static void ask_next(struct load *l)
{
    for (size_t i = 0; i < CONNECTIONS && l->count > 0; i++) {
        struct client *c = &l->clients[i];
        if (c->busy)
            continue;
        struct request next = l->waiting[l->first];
        l->first = (l->first + 1) % WAITING;
        l->count--;
        if (!ask(l, c, &next)) {
            c->request = next;
            c->busy = true;
            drop(l, c);
        }
    }
}

// The last address of `X-Upstream: 127.1.0.7:8000` names server s07.
static void read_head(struct client *c)
{
    const char *end = memmem(c->bytes, c->used, "\r\n\r\n", 4);
    if (!end)
        return;
    c->bytes[c->used] = 0;
    const char *length = strcasestr(c->bytes, "\r\nContent-Length:");
    const char *up = strcasestr(c->bytes, "\r\nX-Upstream:");
    unsigned high, low;
    if (sscanf(c->bytes, "HTTP/1.1 %d", &c->status) != 1 || !length)
        die("the answer is no HTTP with a length");
    if (up) {
        const char *line_end = strstr(up + 2, "\r\n");
        for (const char *at = up; (at = strstr(at, "127.1.")) && at < line_end; at++) {
            if (sscanf(at, "127.1.%u.%u", &high, &low) == 2)
                snprintf(c->server, sizeof c->server, "s%02u", (high * 250 + low) % 1000);
        }
    }
    size_t body = strtoul(length + 17, NULL, 10);
    size_t have = c->used - (size_t)(end + 4 - c->bytes);
    c->head = 0;
    c->left = body > have ? body - have : 0;
}

static void hear(struct load *l, struct client *c)
{
    char body[16384];
    while (c->fd >= 0) {
        char *into = c->head ? c->bytes + c->used : body;
        size_t room = c->head ? HEAD_MAX - 1 - c->used : sizeof body;
        ssize_t n = recv(c->fd, into, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0 || !c->busy) {
            drop(l, c);
            return;
        }
        if (c->head) {
            c->used += (size_t)n;
            read_head(c);
        } else {
            c->left -= (size_t)n < c->left ? (size_t)n : c->left;
        }
        if (!c->head && c->left == 0) {
            finish(l, c, c->status);
            return;
        }
    }
}

// Requests whose time has come; the microseconds until the next one's.
static int64_t arrivals(struct load *l)
{
    while (l->due_us <= now_us()) {
        double busy = time_of_day(l->day_ms, l->dawn_ms);
        double rate = l->quiet_rate + (l->busy_rate - l->quiet_rate) * busy;
        if (l->count < WAITING) {
            l->waiting[(l->first + l->count++) % WAITING] =
                (struct request){l->due_us, choose_key(l, busy)};
        }
        l->due_us += (int64_t)(-log(1 - chance_unit(&l->chances)) / rate * 1e6) + 1;
    }
    ask_next(l);
    return l->due_us - now_us();
}

int fleet_load(char **args)
{
    static struct load load;
    struct load *l = &load;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->target = address_of(option(args, "target"));
    lines_open(&l->lines, option(args, "series"));
    l->day_ms = (int64_t)option_number(args, "day_ms");
    l->dawn_ms = (int64_t)option_number(args, "dawn_ms");
    l->quiet_rate = option_number(args, "quiet_rate");
    l->busy_rate = option_number(args, "busy_rate");
    l->quiet_keys = option_number(args, "quiet_keys");
    l->busy_keys = option_number(args, "busy_keys");
    l->chances = (uint64_t)option_number(args, "seed") * 104729 + 3;
    l->rows = fopen(option(args, "rows"), "we");
    if (!l->rows)
        die("rows");
    for (size_t i = 0; i < CONNECTIONS; i++)
        l->clients[i].fd = -1;
    l->due_us = now_us();
    struct epoll_event events[64];
    for (int64_t told = now_us();;) {
        int64_t wait = arrivals(l);
        struct timespec limit = {wait > 0 ? wait / 1000000 : 0,
                                 wait > 0 ? wait % 1000000 * 1000 : 0};
        int n = epoll_pwait2(l->epoll, events, 64, &limit, NULL);
        for (int i = 0; i < n; i++)
            hear(l, events[i].data.ptr);
        if (now_us() - told > 250000) {
            lines_send(&l->lines);
            fflush(l->rows);
            told = now_us();
        }
    }
}

// --- the health check -------------------------------------------------------------------------

// Asks every server once a second, as a load balancer's health check does: a row `ms,server,status,us`.
// A server that is not there (status 0) was stopped.
int fleet_probe(char **args)
{
    char name[32], listen[64], server[64];
    FILE *rows = fopen(option(args, "rows"), "we");
    const char *links = option(args, "links");
    static const char question[] = "GET /health HTTP/1.1\r\n\r\n";
    for (;;) {
        int64_t began = now_us();
        FILE *f = fopen(links, "re");
        if (!f || !rows)
            die("links or rows");
        while (fscanf(f, "%31s %63s %63s", name, listen, server) == 3) {
            struct sockaddr_in to = address_of(listen);
            int64_t asked = now_us();
            int status = 0;
            struct http_in in = {.fd = connect_to(&to, 5000)};
            if (in.fd >= 0 && write_all(in.fd, question, sizeof question - 1) &&
                http_read_head(&in)) {
                in.bytes[in.used < sizeof in.bytes ? in.used : sizeof in.bytes - 1] = 0;
                if (sscanf(in.bytes, "HTTP/1.1 %d", &status) != 1)
                    status = 0;
            }
            if (in.fd >= 0)
                close(in.fd);
            fprintf(rows, "%lld,%s,%d,%lld\n", (long long)wall_ms(), name, status,
                    (long long)(now_us() - asked));
        }
        fclose(f);
        fflush(rows);
        rest_us(1000000 - (now_us() - began));
    }
}
