// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/meters.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define TAGS_BYTES_MAX 1024
#define TAGS_MAX       16
#define STATUS_MIN     100
#define STATUS_MAX     599

// --- a client --------------------------------------------------------------------------------------

struct tags {
    char text[TAGS_BYTES_MAX];
    struct meter_tag list[TAGS_MAX + 1];
};

// "key=value,…", cut up where it lies.
static int tags_read(const char *given, struct tags *ret)
{
    size_t count = 0;
    FAIL_IF(str_copy(ret->text, sizeof ret->text, str_of(given)) < 0, ERR_INVALID,
            "MARQUEE_METER_TAGS is over %d bytes", TAGS_BYTES_MAX - 1);
    for (char *at = ret->text, *rest; at && *at; at = rest) {
        rest = strchr(at, ',');
        if (rest) {
            *rest++ = '\0';
        }
        char *equals = strchr(at, '=');
        FAIL_IF(!equals || equals == at || !equals[1], ERR_INVALID,
                "MARQUEE_METER_TAGS is KEY=VALUE,…, not '%s'", at);
        FAIL_IF(count == TAGS_MAX, ERR_INVALID, "MARQUEE_METER_TAGS has over %d tags",
                TAGS_MAX);
        *equals = '\0';
        ret->list[count++] = (struct meter_tag){at, equals + 1};
    }
    return 0;
}

// A service listens at DATA/series.sock, where its path fits into an address.
static int address_beside(const char *data_dir, char **ret)
{
    AUTO(cstr_free) char *path = NULL, *address = NULL;
    TRY(cstr_printf(&path, "%s/series.sock", data_dir));
    if (fs_exists(path) && strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path) {
        TRY(cstr_printf(&address, "unix://%s", path));
    }
    *ret = TAKE(address);
    return 0;
}

int app_meter_new(struct meter **ret, const struct app_meter_config *config)
{
    const char *address = config->address ? config->address : getenv("MARQUEE_METER");
    AUTO(cstr_free) char *beside = NULL;
    if (!address && config->beside) {
        TRY(address_beside(config->beside, &beside));
        address = beside;
    }
    struct tags tags = {.list = {{0}}};
    AUTO(meter_free) struct meter *m = NULL;
    TRY(tags_read(getenv("MARQUEE_METER_TAGS"), &tags));
    const struct meter_config wanted = {.address = address && *address ? address : NULL,
                                        .sink = config->sink,
                                        .user = config->user,
                                        .common = tags.list};
    TRY(meter_new(&m, &wanted));
    const struct meter_tag process[] = {{"process", config->process}, {0}};
    meter_watch_process(m, "marquee.process", process);
    *ret = TAKE(m);
    return 0;
}

// --- requests ----------------------------------------------------------------------------------------

struct route_counts { // of one route
    _Atomic(struct meter_counter *) by_status[STATUS_MAX - STATUS_MIN + 1];
    _Atomic(struct meter_timer *) time;
};

struct request_counts {
    struct meter *meter;
    size_t route_count;
    struct route_counts *routes; // the last: where none fitted
};

int request_counts_new(struct request_counts **ret, struct meter *m, size_t route_count)
{
    struct request_counts *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "counts of requests");
    AUTO(request_counts_free) struct request_counts *made = c;
    c->meter = m;
    c->route_count = route_count;
    c->routes = calloc(route_count + 1, sizeof *c->routes);
    FAIL_IF(!c->routes, ERR_NOMEM, "counts of requests");
    *ret = TAKE(made);
    return 0;
}

void request_counts_free(struct request_counts **counts)
{
    struct request_counts *c = TAKE(*counts);
    if (c) {
        free(c->routes);
        free(c);
    }
}

// A row of the table has one method, and GET's answers HEAD. What fits no row is told together.
static const char *method_of(const struct http_done *done)
{
    return !done->route                        ? "any"
           : strcmp(done->method, "HEAD") == 0 ? "GET"
                                               : done->method;
}

static struct meter_counter *counter_of(struct request_counts *c,
                                        const struct http_done *done)
{
    char status[8];
    snprintf(status, sizeof status, "%d", done->status);
    const struct meter_tag tags[] = {{"route", done->route ? done->route : "none"},
                                     {"method", method_of(done)},
                                     {"status", status},
                                     {0}};
    return meter_counter_of(c->meter, "marquee.http.requests", tags);
}

static struct meter_timer *timer_of(struct request_counts *c,
                                    const struct http_done *done)
{
    const struct meter_tag tags[] = {
        {"route", done->route ? done->route : "none"}, {"method", method_of(done)}, {0}};
    return meter_percentile_timer_of(c->meter, "marquee.http.time", tags);
}

// Two threads may both look for a handle; they find the same.
void request_counts_add(struct request_counts *c, const struct http_done *done)
{
    struct route_counts *r = &c->routes[MIN(done->route_index, c->route_count)];
    int status = CLAMP(done->status, STATUS_MIN, STATUS_MAX) - STATUS_MIN;
    struct meter_counter *counter =
        atomic_load_explicit(&r->by_status[status], memory_order_acquire);
    if (!counter && (counter = counter_of(c, done)) != NULL) {
        atomic_store_explicit(&r->by_status[status], counter, memory_order_release);
    }
    struct meter_timer *timer = atomic_load_explicit(&r->time, memory_order_acquire);
    if (!timer && (timer = timer_of(c, done)) != NULL) {
        atomic_store_explicit(&r->time, timer, memory_order_release);
    }
    meter_counter_add(counter, 1);
    meter_timer_add_us(timer, done->us);
}
