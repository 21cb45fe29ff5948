// SPDX-License-Identifier: GPL-3.0-or-later
//
// `marquee serve --role agent`: runs, on the server that it is for, the runbooks that its own file allows.
#ifndef APP_AGENT_H
#define APP_AGENT_H

#include "base/base.h"

// agent.yaml in `conf_dir` says which service, by which token, and what may be run. Until SIGINT or SIGTERM.
int app_agent(const char *conf_dir);

// What it says. ERR_INVALID with `file:line: message` for each mistake.
struct agent_runbook {
    char *name;
    char **run;
    uint32_t run_count;
    char **env;
    uint32_t env_count;
    int64_t most_s; // 0: 600
};
struct agent_config {
    int64_t schema;
    char *service;    // "https://marquee.example.org"
    char *token_file; // readable by its owner alone
    char *folder;     // of locks and of what was begun
    bool plain_http;  // the token may cross a network unencrypted
    struct agent_runbook *runbooks;
    uint32_t runbooks_count;
};
int agent_config_parse(struct str yaml, const char *file, struct agent_config **ret,
                       struct diag *);
void agent_config_free(struct agent_config **);

#endif
