// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an owner writes about clusters of servers: who is in them, how they are taken out of service,
// ended and started, and how much may be done by itself. YAML: conf/clusters.yaml shows all of it.
#ifndef INSIGHT_FLEET_H
#define INSIGHT_FLEET_H

#include "base/base.h"

#define INSIGHT_NAME_MAX 63 // of clusters and servers: letters, digits, '-', '_', '.'

struct insight_server {
    char *name;
    char *address;  // "127.0.0.1:9001"; NULL where nothing needs it
    char *pid_file; // life: process
    char *unit;     // life: systemd
    char *node;     // discovery: slurm
};

// What may be done by itself. 0 where the owner said nothing; insight_fleet_parse puts the usual there.
struct insight_guards {
    int64_t max_share_percent; // of the servers out at once: 10
    int64_t min_left;          // servers in service afterwards: 1
    int64_t max_at_once;       // servers out or being treated: 1
    int64_t max_per_hour;      // treatments begun: 3
    int64_t cooldown_s;        // after the end of one: 600
    int64_t min_peers;         // servers that report: 5
    // More than so many look bad or are silent: it is no outlier: 20
    int64_t outlier_percent;
    int64_t max_age_s;       // of the newest value: 180
    int64_t watch_s;         // a replacement is not treated again by itself: 1800
    int64_t approval_life_s; // 3600
    bool approval;           // a person approves each
    bool dry_run;            // decide and tell, do nothing
};

enum insight_action { INSIGHT_NOTIFY, INSIGHT_REMOVE, INSIGHT_TERMINATE };
const char *insight_action_name(enum insight_action);

// `argv` is run without a shell; {server}, {address}, {node}, {unit}, {cluster} and {treatment} in an argument
// are filled in.
struct insight_argv {
    char **list;
    uint32_t list_count;
};

enum insight_discovery_kind {
    INSIGHT_DISCOVERY_NONE,
    INSIGHT_DISCOVERY_NGINX,
    INSIGHT_DISCOVERY_EXEC,
    INSIGHT_DISCOVERY_WEBHOOK,
    INSIGHT_DISCOVERY_SLURM
};
// What becomes of jobs that still run when drain_s is over, before a node is ended.
enum insight_jobs { INSIGHT_JOBS_FINISH, INSIGHT_JOBS_REQUEUE };
struct insight_discovery {
    enum insight_discovery_kind driver;
    enum insight_jobs jobs; // slurm
    char *file;             // nginx: the include inside an upstream block
    char *program;          // nginx, scontrol; NULL: looked up in PATH
    char *
        config; // nginx: its main configuration; slurm: slurm.conf; NULL: their own default
    char *prefix;   // nginx -p; NULL: its own default
    char *pid_file; // nginx: of its master
    char *url;      // webhook
    char *secret_file;
    char **run; // exec
    uint32_t run_count;
};

enum insight_life_kind {
    INSIGHT_LIFE_NONE,
    INSIGHT_LIFE_PROCESS,
    INSIGHT_LIFE_SYSTEMD,
    INSIGHT_LIFE_EXEC
};
struct insight_life {
    enum insight_life_kind driver;
    char **start; // process: the owner's command that starts it
    uint32_t start_count;
    char **run; // exec: told "look", "terminate" or "start" on stdin
    uint32_t run_count;
    int64_t stop_s; // between asking it to end and ending it: 10
};

struct insight_health {
    char *url;  // 200 is good
    char **run; // or: exit 0 is good
    uint32_t run_count;
    int64_t within_s; // a replacement has so long to become good: 60
};

struct insight_probe {
    char *name;
    char **run;
    uint32_t run_count;
};

struct insight_cluster {
    char *name;
    char *owner; // a mail address
    char *page;  // a webhook for what cannot wait; NULL
    char *page_secret_file;
    enum insight_action action; // the most that is done by itself
    int64_t expected_outliers;
    char **signals; // stack expressions that give one line a server
    uint32_t signals_count;
    char *server_tag; // which tag of a line names the server: "node"
    struct insight_server *servers;
    uint32_t servers_count;
    struct insight_discovery discovery;
    struct insight_life life;
    struct insight_health health;
    struct insight_probe *forensics;
    uint32_t forensics_count;
    int64_t drain_s;
    struct insight_guards guards;
};

// Caps over all clusters.
struct insight_everywhere {
    int64_t max_at_once;  // 3
    int64_t max_per_hour; // 10
};

struct insight_fleet {
    int64_t schema;
    struct insight_everywhere everywhere;
    struct insight_cluster *clusters;
    uint32_t clusters_count;
};

// ERR_INVALID with `file:line: message` for each mistake.
int insight_fleet_parse(struct str yaml, const char *file, struct insight_fleet **ret,
                        struct diag *);
void insight_fleet_free(struct insight_fleet **);
// NULL where there is none of that name.
const struct insight_cluster *insight_fleet_cluster(const struct insight_fleet *,
                                                    const char *name);
// Whether its discovery knows of work that goes on after a server was removed.
bool insight_cluster_has_work(const struct insight_cluster *);
const struct insight_server *insight_cluster_server(const struct insight_cluster *,
                                                    const char *name);

#endif
