// SPDX-License-Identifier: GPL-3.0-or-later
//
// For tests: clusters of servers that exist only as numbers, in memory that a killed child leaves behind,
// with drivers that change them, and a clock that is set.
#ifndef INSIGHT_WORLD_H
#define INSIGHT_WORLD_H

#include "insight/insight.h"

enum { WORLD_SERVERS = 24, WORLD_TREATMENTS = 4096 };

struct world_server {
    char cluster[16], name[16];
    bool in_service, runs, heals; // heals: a started one passes its check
    int64_t incarnation;
    int terminations;
    int64_t works_until_us; // of true time; < 0: it cannot say
    bool sticks;            // its work may not be sent elsewhere
};

struct world {
    struct world_server servers[WORLD_SERVERS];
    size_t count;
    char terminated[WORLD_TREATMENTS][UUID_BYTES]; // by which treatments, in order
    size_t terminations;
    size_t started;
    bool twice;      // a treatment ended something a second time
    bool wrong;      // what was ended is not what was meant
    int apply_fails; // so many times from now on
    // The process of the engine ends within the next termination, which then has its effect, or has not.
    enum { WORLD_LIVES, WORLD_ENDS_WITH_EFFECT, WORLD_ENDS_WITHOUT } in_terminate;
    bool ended;          // it did
    int64_t true_us;     // since the beginning
    int64_t wall_off_us; // what the wall clock shows besides
    int64_t boot_off_us;
    int64_t boots;
};

struct world *world_new(void); // shared with children
void world_free(struct world **);
void world_add(struct world *, const char *cluster, const char *name);
struct world_server *world_find(struct world *, const char *cluster, const char *name);
size_t world_out(const struct world *, const char *cluster);
void world_now(const struct world *, struct insight_now *ret);
extern const struct insight_drivers world_drivers; // user: the world

#endif
