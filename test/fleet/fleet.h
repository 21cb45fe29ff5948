// SPDX-License-Identifier: GPL-3.0-or-later
//
// A fleet of real processes for tests: what its roles share. One program, started as
// `fleet ROLE key=value…`; README.md beside this draws who speaks to whom.
#ifndef FLEET_H
#define FLEET_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int fleet_server(char **args);
int fleet_backend(char **args);
int fleet_relay(char **args);
int fleet_load(char **args);
int fleet_probe(char **args);
int fleet_record(char **args);
int fleet_host(char **args);
int fleet_tell(char **args);

// --- arguments: key=value; what is missing ends the program ---------------------------------

const char *option(char **args, const char *key);
double option_number(char **args, const char *key);
_Noreturn void die(const char *what);

// --- time and chance ------------------------------------------------------------------------

int64_t now_us(void);     // CLOCK_MONOTONIC
int64_t wall_ms(void);    // CLOCK_REALTIME
void rest_us(int64_t us); // sleeps
uint64_t chance(uint64_t *state);
double chance_unit(uint64_t *state); // [0, 1)
// 0 in the quiet of a day, 1 at its peak; `day_ms` long, by the wall clock, so that all roles agree.
double time_of_day(int64_t day_ms, int64_t dawn_ms);

// --- sockets --------------------------------------------------------------------------------

struct sockaddr_in address_of(const char *host_and_port);
int listen_at(const char *host_and_port);
int connect_to(const struct sockaddr_in *, int timeout_ms); // <0: refused
void speak_at_once(int fd);                                 // TCP_NODELAY
bool write_all(int fd, const void *bytes, size_t count);
int datagram_socket(const char *path); // bound to it

// Reads one head of HTTP into `head`; what came behind it is moved to its start by head_done.
struct http_in {
    int fd;
    size_t used, head; // bytes held; length of the head, blank line included
    char bytes[8192];
};
bool http_read_head(struct http_in *);
bool http_skip_body(struct http_in *, size_t count);

// --- spectatord lines -----------------------------------------------------------------------

struct lines {
    int fd;
    struct sockaddr_storage to;
    socklen_t to_len;
    pthread_mutex_t lock;
    size_t used;
    char text[1400];
};
void lines_open(struct lines *, const char *address); // udp://… or unix://…
void lines_put(struct lines *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void lines_send(struct lines *); // a full datagram's worth goes out by itself

#endif
