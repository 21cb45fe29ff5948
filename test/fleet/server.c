// SPDX-License-Identifier: GPL-3.0-or-later
//
// A server that works for its answers: it looks into its cache, reads its disk on a miss (O_DIRECT, so
// that the disk is felt), hashes, keeps a session's memory for a while, asks the shared backend. A
// thread a connection. Faults that only the process itself can have (a leak, wrong answers) are
// switched by datagrams; all others come from outside: its cgroup, its network, its disk.
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"

enum {
    BLOCK = 8192,
    READ = 65536,
    SLOTS_MAX = 4096,
    SESSIONS = 512,
    SESSION_BYTES = 4096
};

struct slot {
    int64_t key;
    char *bytes;
};

struct server {
    const char *name, *control;
    struct lines lines;
    struct sockaddr_in backend;
    int listener, disk;
    uint32_t disk_blocks, slots, rounds;
    int64_t every_ms;

    // switched while it runs
    atomic_uint leak_bytes, error_one_in;

    // of all threads
    atomic_uint_fast64_t requests, errors, received, sent, disk_us, sum;
    pthread_mutex_t lock; // guards what is below
    struct slot cache[SLOTS_MAX];
    char *sessions[SESSIONS];
    uint32_t session_at;
    uint64_t chances;
    char *ballast, *leaked;
};

struct connection {
    struct server *server;
    struct http_in in;
    int backend;
    char *block; // aligned for O_DIRECT
};

// The cache is direct mapped: a key that comes again is found unless another took its slot.
static bool cache_has(struct server *s, int64_t key)
{
    pthread_mutex_lock(&s->lock);
    bool has = s->cache[key % s->slots].key == key;
    pthread_mutex_unlock(&s->lock);
    return has;
}

static void cache_put(struct server *s, int64_t key, const char *bytes)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = &s->cache[key % s->slots];
    if (!slot->bytes)
        slot->bytes = malloc(BLOCK);
    if (slot->bytes)
        memcpy(slot->bytes, bytes, BLOCK);
    slot->key = key;
    pthread_mutex_unlock(&s->lock);
}

static bool read_disk(struct server *s, int64_t key, char *block)
{
    int64_t began = now_us();
    off_t at = (off_t)((uint64_t)key * 2654435761u % s->disk_blocks) * READ;
    bool good = pread(s->disk, block, READ, at) == READ;
    int64_t took = now_us() - began;
    atomic_fetch_add(&s->disk_us, (uint64_t)took);
    lines_put(&s->lines, "t:disk.read,server=%s:%.6f", s->name, (double)took / 1e6);
    return good;
}

static void keep_session(struct server *s)
{
    char *bytes = malloc(SESSION_BYTES);
    if (bytes)
        memset(bytes, 1, SESSION_BYTES);
    pthread_mutex_lock(&s->lock);
    char *old = s->sessions[s->session_at];
    s->sessions[s->session_at] = bytes;
    s->session_at = (s->session_at + 1) % SESSIONS;
    pthread_mutex_unlock(&s->lock);
    free(old);
}

// The injected leak: touched, chained, and never given back.
static void leak(struct server *s)
{
    size_t count = atomic_load(&s->leak_bytes);
    char *bytes = count > sizeof(void *) ? malloc(count) : NULL;
    if (!bytes)
        return;
    memset(bytes, 2, count);
    pthread_mutex_lock(&s->lock);
    memcpy(bytes, &s->leaked, sizeof(void *));
    s->leaked = bytes;
    pthread_mutex_unlock(&s->lock);
}

static uint64_t hash(const char *block, uint32_t rounds)
{
    uint64_t h = 14695981039346656037ull;
    for (uint32_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < BLOCK; i += 8) {
            uint64_t word;
            memcpy(&word, block + i, 8);
            h = (h ^ word) * 1099511628211ull;
        }
    }
    return h;
}

static bool ask_backend(struct connection *c, int64_t key)
{
    char request[96];
    int64_t began = now_us();
    if (c->backend < 0)
        c->backend = connect_to(&c->server->backend, 5000);
    int length = snprintf(request, sizeof request, "GET /row?k=%lld HTTP/1.1\r\n\r\n",
                          (long long)key);
    struct http_in answer = {.fd = c->backend};
    if (c->backend < 0 || !write_all(c->backend, request, (size_t)length) ||
        !http_read_head(&answer)) {
        if (c->backend >= 0)
            close(c->backend);
        c->backend = -1;
        return false;
    }
    lines_put(&c->server->lines, "t:backend.call,server=%s:%.6f", c->server->name,
              (double)(now_us() - began) / 1e6);
    return true;
}

static bool fails_by_fault(struct server *s)
{
    unsigned one_in = atomic_load(&s->error_one_in);
    if (!one_in)
        return false;
    pthread_mutex_lock(&s->lock);
    bool fails = chance(&s->chances) % one_in == 0;
    pthread_mutex_unlock(&s->lock);
    return fails;
}

// The status. One key in 400 is of a title that is not whole: any server fails at it.
static int work(struct connection *c, int64_t key)
{
    struct server *s = c->server;
    if (!cache_has(s, key)) {
        if (!read_disk(s, key, c->block))
            return 500;
        cache_put(s, key, c->block);
    }
    uint32_t rounds = key % 20 == 2 ? s->rounds * 30 : s->rounds; // some are more work
    atomic_fetch_xor(&s->sum, hash(c->block, rounds)); // not to be optimised away
    keep_session(s);
    leak(s);
    if (!ask_backend(c, key))
        return 500;
    bool broken = ((uint64_t)key * 11400714819323198485ull >> 32) % 400 == 7;
    return broken || fails_by_fault(s) ? 500 : 200;
}

static bool answer(struct connection *c, int status, size_t body)
{
    char head[128];
    int length =
        snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n\r\n",
                 status, status == 200 ? "OK" : "Internal Server Error", body);
    atomic_fetch_add(&c->server->sent, (uint64_t)length + body);
    return write_all(c->in.fd, head, (size_t)length) &&
           write_all(c->in.fd, c->block, body);
}

static bool one_request(struct connection *c)
{
    if (!http_read_head(&c->in))
        return false;
    int64_t began = now_us();
    struct server *s = c->server;
    atomic_fetch_add(&s->received, c->in.head);
    long long key = 0;
    bool works = sscanf(c->in.bytes, "GET /work?k=%lld", &key) == 1 && key >= 0;
    if (!http_skip_body(&c->in, 0))
        return false;
    if (!works)
        return answer(c, 200, 2); // the health check
    int status = work(c, key);
    size_t body = status == 200 ? 2048 + (size_t)key % 6144 : 16;
    bool good = answer(c, status, body);
    atomic_fetch_add(&s->requests, 1);
    atomic_fetch_add(&s->errors, status != 200);
    lines_put(&s->lines, "t:server.latency,server=%s:%.6f", s->name,
              (double)(now_us() - began) / 1e6);
    return good;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    if (posix_memalign((void **)&c->block, 4096, READ))
        die("memory");
    memset(c->block, 'x', READ);
    while (one_request(c)) {
    }
    close(c->in.fd);
    if (c->backend >= 0)
        close(c->backend);
    free(c->block);
    free(c);
    return NULL;
}

static double resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%ld %ld", &total, &resident) != 2)
        die("statm");
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void *report(void *arg)
{
    struct server *s = arg;
    uint64_t requests = 0, errors = 0;
    for (;;) {
        rest_us(s->every_ms * 1000);
        uint64_t r = atomic_load(&s->requests), e = atomic_load(&s->errors);
        struct timespec cpu;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        lines_put(&s->lines, "c:server.requests,server=%s:%llu", s->name,
                  (unsigned long long)(r - requests));
        lines_put(&s->lines, "c:server.errors,server=%s:%llu", s->name,
                  (unsigned long long)(e - errors));
        lines_put(&s->lines, "C:cpu.seconds,server=%s:%.6f", s->name,
                  (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
        lines_put(&s->lines, "m:mem.rss,server=%s:%.0f", s->name, resident_bytes());
        lines_put(&s->lines, "C:disk.seconds,server=%s:%.6f", s->name,
                  (double)atomic_load(&s->disk_us) / 1e6);
        lines_put(&s->lines, "U:net.sent,server=%s:%llu", s->name,
                  (unsigned long long)atomic_load(&s->sent));
        lines_put(&s->lines, "U:net.received,server=%s:%llu", s->name,
                  (unsigned long long)atomic_load(&s->received));
        lines_send(&s->lines);
        requests = r;
        errors = e;
    }
    return NULL;
}

static void *obey(void *arg)
{
    struct server *s = arg;
    int fd = datagram_socket(s->control);
    char text[64];
    unsigned value;
    for (ssize_t n; (n = recv(fd, text, sizeof text - 1, 0)) >= 0;) {
        text[n] = 0;
        if (sscanf(text, "leak %u", &value) == 1)
            atomic_store(&s->leak_bytes, value);
        else if (sscanf(text, "errors %u", &value) == 1)
            atomic_store(&s->error_one_in, value);
    }
    return NULL;
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, run, arg))
        die("thread");
}

// When it listens: who finds the file finds a server.
static void write_pid(const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f))
        die(path);
}

int fleet_server(char **args)
{
    static struct server server; // of the process; large
    struct server *s = &server;
    s->name = option(args, "name");
    s->control = option(args, "control");
    lines_open(&s->lines, option(args, "series"));
    s->backend = address_of(option(args, "backend"));
    s->every_ms = (int64_t)option_number(args, "every_ms");
    s->rounds = (uint32_t)option_number(args, "rounds");
    s->slots = (uint32_t)option_number(args, "slots");
    s->disk_blocks = (uint32_t)option_number(args, "disk_blocks");
    s->chances = (uint64_t)option_number(args, "seed") * 7919 + 1;
    s->disk = open(option(args, "disk"), O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (s->disk < 0 || s->slots == 0 || s->slots > SLOTS_MAX)
        die("disk or slots");
    // What this server holds besides: uptime and plug-ins differ from server to server.
    size_t ballast = (size_t)option_number(args, "ballast_kb") * 1024;
    s->ballast = malloc(ballast + 1);
    if (!s->ballast)
        die("ballast");
    memset(s->ballast, 3, ballast + 1);
    pthread_mutex_init(&s->lock, NULL);
    for (uint32_t i = 0; i < s->slots; i++) // begins warm, with the most popular titles
        cache_put(s, i, s->ballast);
    s->listener = listen_at(option(args, "listen"));
    write_pid(option(args, "pid_file"));
    start_thread(report, s);
    start_thread(obey, s);
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct connection *c = calloc(1, sizeof *c);
        if (!c)
            die("memory");
        speak_at_once(fd);
        *c = (struct connection){.server = s, .in.fd = fd, .backend = -1};
        start_thread(serve, c);
    }
}

// --- the backend ------------------------------------------------------------------------------

struct backend {
    int64_t day_ms, dawn_ms;
    double quiet_ms, busy_ms;
    atomic_uint_fast64_t chances;
};

struct caller {
    struct backend *backend;
    struct http_in in;
};

// A shared store that is slower at the peak of the day, and now and then long for one call.
static void *serve_rows(void *arg)
{
    struct caller *c = arg;
    struct backend *b = c->backend;
    static const char found[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    uint64_t chances = atomic_fetch_add(&b->chances, 1) * 0x9E3779B97F4A7C15ull + 1;
    while (http_read_head(&c->in) && http_skip_body(&c->in, 0)) {
        double busy = time_of_day(b->day_ms, b->dawn_ms);
        double ms = b->quiet_ms + (b->busy_ms - b->quiet_ms) * busy;
        ms *= 0.6 + 0.8 * chance_unit(&chances);
        if (chance_unit(&chances) < 0.007)
            ms += 120 + 160 * chance_unit(&chances);
        rest_us((int64_t)(ms * 1000));
        if (!write_all(c->in.fd, found, sizeof found - 1))
            break;
    }
    close(c->in.fd);
    free(c);
    return NULL;
}

int fleet_backend(char **args)
{
    static struct backend backend;
    struct backend *b = &backend;
    b->day_ms = (int64_t)option_number(args, "day_ms");
    b->dawn_ms = (int64_t)option_number(args, "dawn_ms");
    b->quiet_ms = option_number(args, "quiet_ms");
    b->busy_ms = option_number(args, "busy_ms");
    atomic_store(&b->chances, (uint64_t)option_number(args, "seed"));
    int listener = listen_at(option(args, "listen"));
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct caller *c = fd < 0 ? NULL : calloc(1, sizeof *c);
        if (!c)
            continue;
        speak_at_once(fd);
        *c = (struct caller){.backend = b, .in.fd = fd};
        start_thread(serve_rows, c);
    }
}
