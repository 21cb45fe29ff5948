// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: processes that a run left, found by a variable that they inherited. A group can be left
// (setsid), a parent can die; what a process was started with stays in /proc.
#ifndef INSIGHT_RUNBOOK_SWEEP_H
#define INSIGHT_RUNBOOK_SWEEP_H

#define RUNBOOK_RUN_MARK    "MARQUEE_RUNBOOK_RUN"
#define RUNBOOK_TARGET_MARK "MARQUEE_RUNBOOK_TARGET"

// Kills all whose environment has NAME=value, until none is found: how many were.
int runbook_sweep(const char *name, const char *value);

#endif
