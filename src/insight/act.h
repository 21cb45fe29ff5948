// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: the engine of treatments, between who decides (consider.c) and who does (act.c).
#ifndef INSIGHT_ACT_H
#define INSIGHT_ACT_H

#include "insight/treatment.h"

struct insight_act {
    struct insight_act_config config;
    const struct insight_drivers *drivers;
};

// 0, or the error that the process is to end with here.
int act_passed(const struct insight_act *, const char *where);
// A writing transaction, with the clock moved on.
int act_begin(const struct insight_act *, struct store_tx **ret, struct moment *ret_now);

// A held treatment that nothing but the caps keeps from beginning.
struct act_candidate {
    const struct insight_cluster *cluster;
    const struct treatment *treatment;
    const struct moment *now;
    struct treatment_note why;
};
// Begins it where the caps allow, in the caller's transaction. *ret_guard says what holds it.
int act_try(const struct insight_act *, struct store_tx *, const struct act_candidate *,
            enum insight_guard *ret_guard);
// Mails the owner, once for each `about`; urgent things go to the cluster's page, too.
struct owner_word {
    const char *about; // "held", "done"; part of what makes it unique
    const char *text;  // one sentence
    bool urgent;
};
int act_tell_owner(struct store_tx *, const struct insight_cluster *,
                   const struct treatment *, const struct owner_word *);

#endif
