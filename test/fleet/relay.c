// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network between the load balancer and the servers: every byte passes here, sick or not, so that a
// delay is the only thing that differs. Bytes of a direction wait in order until their time has come:
//
//   client fd --read--> [chunk due|chunk due|…] --write when due--> server fd      (and the same back)
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fleet.h"

enum { LINKS_MAX = 256, CHUNK = 16384 };

struct chunk {
    struct chunk *next;
    int64_t due_us;
    size_t count, done;
    char bytes[];
};

struct end {
    struct pair *pair;
    int fd;
    bool ended; // has sent all
    // what is to be written to it
    struct chunk *first, **last;
    int64_t last_due_us;
};

struct pair {
    struct link *link;
    struct end ends[2];
    struct pair *next, **back; // list of all
    bool dead;
};

struct link {
    int listener;
    struct sockaddr_in server;
    char name[32];
    int64_t delay_us, jitter_us; // of what the server answers
};

struct relay {
    int epoll, control;
    size_t count;
    uint64_t chances;
    struct link links[LINKS_MAX];
    struct pair *pairs;
};

static void watch(struct relay *r, int fd, uint32_t events, void *what)
{
    struct epoll_event e = {.events = events, .data.ptr = what};
    if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e))
        die("epoll");
}

static void pair_free(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        for (struct chunk *c = p->ends[i].first, *next; c; c = next) {
            next = c->next;
            free(c);
        }
        close(p->ends[i].fd);
    }
    *p->back = p->next;
    if (p->next)
        p->next->back = p->back;
    free(p);
}

static void take_client(struct relay *r, struct link *l)
{
    int client = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pair *p = calloc(1, sizeof *p);
    if (server < 0 || !p)
        die("pair");
    speak_at_once(client);
    speak_at_once(server);
    p->link = l;
    p->ends[0] = (struct end){.pair = p, .fd = client, .last = &p->ends[0].first};
    p->ends[1] = (struct end){.pair = p, .fd = server, .last = &p->ends[1].first};
    p->next = r->pairs;
    p->back = &r->pairs;
    if (p->next)
        p->next->back = &p->next;
    r->pairs = p;
    p->dead = connect(server, (struct sockaddr *)&l->server, sizeof l->server) &&
              errno != EINPROGRESS;
    for (int i = 0; i < 2; i++)
        watch(r, p->ends[i].fd, EPOLLIN | EPOLLOUT | EPOLLET, &p->ends[i]);
}

static void write_due(struct end *e, int64_t now)
{
    while (e->first && e->first->due_us <= now) {
        struct chunk *c = e->first;
        ssize_t n = send(e->fd, c->bytes + c->done, c->count - c->done, MSG_NOSIGNAL);
        if (n < 0) {
            e->pair->dead |= errno != EAGAIN && errno != ENOTCONN && errno != EINTR;
            return; // told again when it can be written
        }
        c->done += (size_t)n;
        if (c->done < c->count)
            return;
        e->first = c->next;
        if (!e->first)
            e->last = &e->first;
        free(c);
    }
    struct end *other = &e->pair->ends[e == &e->pair->ends[0]];
    if (!e->first && other->ended)
        e->pair->dead = true; // these connections never live on by halves
}

static void read_all(struct relay *r, struct end *from)
{
    struct pair *p = from->pair;
    struct end *to = &p->ends[from == &p->ends[0]];
    char bytes[CHUNK];
    for (;;) {
        ssize_t n = recv(from->fd, bytes, sizeof bytes, 0);
        if (n < 0) {
            p->dead |= errno != EAGAIN && errno != ENOTCONN && errno != EINTR;
            return;
        }
        if (n == 0) {
            from->ended = true;
            return;
        }
        struct chunk *c = malloc(sizeof *c + (size_t)n);
        if (!c)
            die("memory");
        int64_t late = 0;
        if (from == &p->ends[1])
            late = p->link->delay_us +
                   (int64_t)(chance_unit(&r->chances) * (double)p->link->jitter_us);
        int64_t due = now_us() + late;
        *c = (struct chunk){.due_us = due > to->last_due_us ? due : to->last_due_us,
                            .count = (size_t)n};
        to->last_due_us = c->due_us;
        memcpy(c->bytes, bytes, (size_t)n);
        *to->last = c;
        to->last = &c->next;
    }
}

// `NAME DELAY_US JITTER_US`
static void obey(struct relay *r)
{
    char text[96], name[32];
    long long delay, jitter;
    ssize_t n = recv(r->control, text, sizeof text - 1, 0);
    if (n < 0)
        return;
    text[n] = 0;
    if (sscanf(text, "%31s %lld %lld", name, &delay, &jitter) != 3)
        return;
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->links[i].name, name) == 0) {
            r->links[i].delay_us = delay;
            r->links[i].jitter_us = jitter;
        }
    }
}

// Writes what is due; the microseconds until the next chunk is, or -1. Frees what has ended.
static int64_t move_on(struct relay *r)
{
    int64_t now = now_us(), wait = -1;
    for (struct pair *p = r->pairs, *next; p; p = next) {
        next = p->next;
        for (int i = 0; i < 2; i++) {
            write_due(&p->ends[i], now);
            struct chunk *c = p->ends[i].first;
            if (c && c->due_us > now && (wait < 0 || c->due_us - now < wait))
                wait = c->due_us - now;
        }
        if (p->dead)
            pair_free(p);
    }
    return wait;
}

// `link` names one: NAME,LISTEN,SERVER. A file, because there are many.
static void read_links(struct relay *r, const char *path)
{
    char listen[64], server[64];
    FILE *f = fopen(path, "re");
    if (!f)
        die(path);
    for (; r->count < LINKS_MAX; r->count++) {
        struct link *l = &r->links[r->count];
        if (fscanf(f, "%31s %63s %63s", l->name, listen, server) != 3)
            break;
        l->listener = listen_at(listen);
        fcntl(l->listener, F_SETFL, O_NONBLOCK);
        l->server = address_of(server);
        watch(r, l->listener, EPOLLIN, l);
    }
    fclose(f);
}

int fleet_relay(char **args)
{
    static struct relay relay;
    struct relay *r = &relay;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->chances = (uint64_t)option_number(args, "seed") * 31 + 7;
    r->control = datagram_socket(option(args, "control"));
    read_links(r, option(args, "links"));
    watch(r, r->control, EPOLLIN, NULL);
    struct epoll_event events[128];
    for (int64_t wait = -1;;) {
        struct timespec limit = {wait / 1000000, wait % 1000000 * 1000};
        int n = epoll_pwait2(r->epoll, events, 128, wait < 0 ? NULL : &limit, NULL);
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;
            if (!what)
                obey(r);
            else if ((struct link *)what >= r->links &&
                     (struct link *)what < r->links + r->count)
                take_client(r, what);
            else
                read_all(r, what);
        }
        wait = move_on(r);
    }
}
