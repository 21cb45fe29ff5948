// SPDX-License-Identifier: GPL-3.0-or-later
//
// The thread of a service that removes what its data folder no longer needs, once an hour.
#ifndef APP_COLLECTOR_H
#define APP_COLLECTOR_H

#include "store/store.h"

#define COLLECT_EVERY_US INT64_C(3600000000)

struct collector;

int collector_start(struct collector **ret, struct store *);
void collector_stop(struct collector **); // ends a collection that is under way
// Once, where none was for an hour: for a command that worked without a service. What goes wrong is
// logged: it is no reason to fail the command.
void collector_run_once(struct store *);

#endif
