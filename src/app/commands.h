// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the commands (cmd_*.c) share. Each `…_run` is an entry of main.c's table.
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "app/app.h"
#include "app/args.h"
#include "store/store.h"

args_run_f inspect_run, ingest_run, serve_run, titles_run, jobs_run, findings_run,
    findings_waive_run, findings_reopen_run, deliveries_run, again_run, requests_run,
    user_add_run, user_list_run, user_link_run, user_password_run, user_set_run,
    user_remove_run, partner_add_run, partner_list_run, store_collect_run,
    insight_cluster_run, insight_suspects_run, insight_tune_run, store_check_run,
    doctor_run, step_run, frame_run, audit_verify_run, audit_list_run, actions_list_run,
    actions_approve_run, actions_refuse_run, actions_undo_run, actions_check_run,
    alerts_list_run, alerts_ack_run, alerts_silence_run, alerts_check_run;
args_run_f telemetry_token_add_run, telemetry_token_list_run, telemetry_token_remove_run;
args_run_f insight_changes_run, insight_canary_run, insight_query_run,
    insight_related_run, insight_anomalies_run;

// --data, MARQUEE_DATA, or "data" in the present folder.
const char *command_data_dir(const struct args *);
// Opens the folder, or makes it: for commands that begin something.
int command_open(const struct args *, struct store **ret);
// Opens the folder that is there, for commands that look or change what is there. ERR_NOT_FOUND: there is
// none, and none is made.
int command_look(const struct args *, struct store **ret);
// ERR_INVALID: it is a file.
int command_has_data(const struct args *, bool *ret);
struct insight_sheet;
// A table from a file, by insight_sheet_parse; reasons name the file.
int command_sheet(const char *path, struct insight_sheet *ret);
// The column that --column names; without it the only one there is.
int command_column(const struct args *, const struct insight_sheet *, size_t *ret);
// As command_failed, but ARGS_REFUSED for a file that is wrong.
int command_refused(const struct args *, int err);
// Says why, on stderr, and gives ARGS_FAILED.
int command_failed(const struct args *, int err);
// Pretty JSON on stdout.
int command_print(const json_t *);
// "00:01:02.500"
void command_time(int64_t us, struct buf *out);
// Where a finding is: "00:01:02.500 to 00:01:03.000, frames 1560 to 1571", the last frame included; nothing
// for one about the whole file.
void command_place(const json_t *finding, struct buf *out);

#endif
