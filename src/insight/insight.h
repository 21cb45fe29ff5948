// SPDX-License-Identifier: GPL-3.0-or-later
//
// Insight: sick servers, change points, related signals, alerts, guarded actions, runbooks, canaries. It
// reads series, says what it found and why, and acts only through guards.
#ifndef INSIGHT_INSIGHT_H
#define INSIGHT_INSIGHT_H

// IWYU pragma: begin_exports
#include "insight/action.h"
#include "insight/alert.h"
#include "insight/anneal.h"
#include "insight/anomaly.h"
#include "insight/audit.h"
#include "insight/callgraph.h"
#include "insight/canary.h"
#include "insight/change.h"
#include "insight/cluster.h"
#include "insight/fleet.h"
#include "insight/incident.h"
#include "insight/peers.h"
#include "insight/relate.h"
#include "insight/runbook.h"
#include "insight/sheet.h"
#include "insight/signals.h"
#include "insight/simulate.h"
#include "insight/suspect.h"
// IWYU pragma: end_exports

extern const struct store_migration insight_migrations[];
extern const size_t insight_migration_count;

#endif
