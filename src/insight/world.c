// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WALL_US INT64_C(1795312740000000)

struct world *world_new(void)
{
    struct world *w =
        mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(w != MAP_FAILED);
    return w;
}

void world_free(struct world **world)
{
    if (*world) {
        munmap(TAKE(*world), sizeof(struct world));
    }
}

void world_add(struct world *w, const char *cluster, const char *name)
{
    ASSERT(w->count < WORLD_SERVERS);
    struct world_server *s = &w->servers[w->count];
    *s = (struct world_server){
        .in_service = true, .runs = true, .heals = true, .incarnation = 1};
    snprintf(s->cluster, sizeof s->cluster, "%s", cluster);
    snprintf(s->name, sizeof s->name, "%s", name);
    w->count++;
}

struct world_server *world_find(struct world *w, const char *cluster, const char *name)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->servers[i].cluster, cluster) == 0 &&
            strcmp(w->servers[i].name, name) == 0) {
            return &w->servers[i];
        }
    }
    return NULL;
}

size_t world_out(const struct world *w, const char *cluster)
{
    size_t out = 0;
    for (size_t i = 0; i < w->count; i++) {
        out += strcmp(w->servers[i].cluster, cluster) == 0 && !w->servers[i].in_service;
    }
    return out;
}

void world_now(const struct world *w, struct insight_now *ret)
{
    *ret = (struct insight_now){.wall_us = WALL_US + w->true_us + w->wall_off_us,
                                .boot_us = w->true_us + w->boot_off_us};
    snprintf(ret->boot, sizeof ret->boot, "boot-%lld", (long long)w->boots);
}

static struct world_server *target_of(const struct insight_target *t)
{
    struct world_server *s = world_find(t->user, t->cluster->name, t->server->name);
    ASSERT(s);
    return s;
}

static int apply(const struct insight_target *t)
{
    struct world *w = t->user;
    if (w->apply_fails > 0) {
        w->apply_fails--;
        FAIL(ERR_IO, "discovery is out of order");
    }
    for (size_t i = 0; i < w->count; i++) {
        struct world_server *s = &w->servers[i];
        if (strcmp(s->cluster, t->cluster->name) != 0) {
            continue;
        }
        bool out = false;
        for (size_t k = 0; k < t->out_count; k++) {
            out = out || strcmp(t->out[k], s->name) == 0;
        }
        s->in_service = !out;
    }
    return 0;
}

static int busy(const struct insight_target *t)
{
    const struct world *w = t->user;
    const struct world_server *s = target_of(t);
    FAIL_IF(s->works_until_us < 0, ERR_IO, "nobody knows");
    return s->works_until_us > w->true_us;
}

static int clear(const struct insight_target *t)
{
    struct world *w = t->user;
    struct world_server *s = target_of(t);
    FAIL_IF(s->sticks, ERR_CONFLICT, "this work stays");
    s->works_until_us = MIN(s->works_until_us, w->true_us + INT64_C(10000000));
    return 0;
}

static int look(const struct insight_target *t, char ret[INSIGHT_INCARNATION_BYTES])
{
    const struct world_server *s = target_of(t);
    FAIL_IF(!s->runs, ERR_NOT_FOUND, "none runs");
    snprintf(ret, INSIGHT_INCARNATION_BYTES, "%lld", (long long)s->incarnation);
    return 0;
}

static int terminate(const struct insight_target *t, const char *incarnation)
{
    struct world *w = t->user;
    struct world_server *s = target_of(t);
    char now[INSIGHT_INCARNATION_BYTES];
    for (size_t i = 0; i < w->terminations; i++) {
        w->twice = w->twice || strcmp(w->terminated[i], t->treatment) == 0;
    }
    ASSERT(w->terminations < WORLD_TREATMENTS);
    snprintf(w->terminated[w->terminations], UUID_BYTES, "%s", t->treatment);
    w->terminations++;
    w->wrong =
        w->wrong || look(t, now) < 0 || strcmp(now, incarnation) != 0 || s->in_service;
    w->wrong = w->wrong || s->works_until_us > w->true_us;
    s->runs = w->in_terminate == WORLD_ENDS_WITHOUT;
    s->terminations++;
    w->ended = w->in_terminate != WORLD_LIVES;
    w->in_terminate = WORLD_LIVES;
    return 0;
}

static int start(const struct insight_target *t)
{
    struct world *w = t->user;
    struct world_server *s = target_of(t);
    w->wrong = w->wrong || s->runs;
    s->runs = true;
    s->incarnation++;
    w->started++;
    return 0;
}

static int check(const struct insight_target *t)
{
    const struct world_server *s = target_of(t);
    FAIL_IF(!s->runs || !s->heals, ERR_IO, "no answer");
    return 0;
}

static int examine(const struct insight_target *t, json_t **ret)
{
    return json_made(json_pack("[{s:s}]", "name", t->server->name), ret);
}

const struct insight_drivers world_drivers = {.apply = apply,
                                              .busy = busy,
                                              .clear = clear,
                                              .look = look,
                                              .terminate = terminate,
                                              .start = start,
                                              .check = check,
                                              .examine = examine};
