// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: what drivers share. Each is one file of functions that insight_drivers_real chooses
// among by what the cluster's description says.
#ifndef INSIGHT_DRIVER_H
#define INSIGHT_DRIVER_H

#include "insight/internal.h"

// An argument vector with its {words} filled in; NULL-terminated, of the arena.
int driver_argv(const struct insight_target *, char *const *list, size_t count,
                struct arena *, const char *const **ret);
// Runs it within `timeout_us`; ERR_CRASHED with what it said on stderr unless it exits with 0. `in` may be
// NULL; *ret_out may be NULL, else it is added to.
int driver_run(const char *const *argv, const json_t *in, int64_t timeout_us,
               struct buf *out);
// {"do","cluster","server","address","treatment"}; owned.
int driver_request(const struct insight_target *, const char *what, json_t **ret);
bool driver_is_out(const struct insight_target *);

// driver_process.c
int process_look(const struct insight_target *, char ret[INSIGHT_INCARNATION_BYTES]);
int process_terminate(const struct insight_target *, const char *incarnation);
int process_start(const struct insight_target *);
// driver_systemd.c
int systemd_look(const struct insight_target *, char ret[INSIGHT_INCARNATION_BYTES]);
int systemd_terminate(const struct insight_target *, const char *incarnation);
int systemd_start(const struct insight_target *);
// driver_exec.c: exec as life and as discovery, webhook
int exec_look(const struct insight_target *, char ret[INSIGHT_INCARNATION_BYTES]);
int exec_terminate(const struct insight_target *, const char *incarnation);
int exec_start(const struct insight_target *);
int exec_apply(const struct insight_target *);
int webhook_apply(const struct insight_target *);
// driver_slurm.c
int slurm_apply(const struct insight_target *);
int slurm_busy(const struct insight_target *);
int slurm_clear(const struct insight_target *);
// driver_nginx.c
int nginx_apply(const struct insight_target *);

#endif
