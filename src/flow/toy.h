// SPDX-License-Identifier: GPL-3.0-or-later
//
// What flow's tests run: toy steps and workflows. A test program is its own step process; what a
// step must tell beside its result it appends to files in $TOY_DIR.
//
// Steps: square (parts {"n"}), join, fail ({"how","times"}), hang, meet, bad ({"name"}), order
// ({"name"}). Workflows: squares ({"count"}), one ({"type","params","parts"}), list ({"steps"}), lost.
#ifndef FLOW_TOY_H
#define FLOW_TOY_H

#include "bus/bus.h"
#include "flow/flow.h"

// `step --data D --dir X` and `execute D` (an executor until it is killed): the exit code; -1 for
// any other command line.
int toy_main(int argc, char **argv);
// A store with all tables that the toys need.
int toy_open(const char *dir, struct store **ret);
struct flow_executor_config toy_config(struct store *);
// Takes params.
int toy_submit(struct store *, const char *workflow, json_t *params, char *job);
// Lines of a file in $TOY_DIR; 0 without it.
int64_t toy_noted(const char *file);

#endif
