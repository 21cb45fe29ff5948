// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of commands; what each does is in cmd_*.c.
#include "app/commands.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

static args_run_f completion_run, man_run;

#define DATA                                              \
    {                                                     \
        .name = "data", .kind = ARGS_DIR, .value = "DIR", \
        .help = "The data folder (MARQUEE_DATA, or data)" \
    }
#define JSON                                                                   \
    {                                                                          \
        .name = "json", .kind = ARGS_NONE, .help = "One JSON object on stdout" \
    }
#define LIMIT                                                                          \
    {                                                                                  \
        .name = "limit", .kind = ARGS_NUMBER, .value = "N", .help = "At most so many", \
        .min = 1, .max = 1000                                                          \
    }
#define METER                                                                          \
    {                                                                                  \
        .name = "meter", .kind = ARGS_TEXT, .value = "ADDRESS",                        \
        .help =                                                                        \
            "Where telemetry goes: udp://127.0.0.1:1234, unix:///PATH (MARQUEE_METER)" \
    }
#define OPTIONS(list) .options = (list), .option_count = ARRAY_LEN(list)
#define SLOTS                                                       \
    {                                                               \
        .name = "slots", .kind = ARGS_NUMBER, .value = "N",         \
        .help = "Steps at once (one a core)", .min = 1, .max = 1024 \
    }

static const struct args_option data_json[] = {DATA, JSON};

static const struct args_option inspect_options[] = {
    {.name = "ranges",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Ranges inspected side by side (by length)",
     .min = 1,
     .max = 1000},
    {.name = "policy", .kind = ARGS_FILE, .value = "FILE", .help = "A policy (YAML)"},
    JSON,
};

static const struct args_option ingest_options[] = {
    {.name = "title", .kind = ARGS_TEXT, .value = "T", .help = "The title's name"},
    {.name = "title-id",
     .kind = ARGS_TEXT,
     .value = "ID",
     .help = "A known title that the film belongs to"},
    {.name = "partner",
     .kind = ARGS_TEXT,
     .value = "P",
     .help = "Who delivers, by name or id"},
    {.name = "answers",
     .kind = ARGS_TEXT,
     .value = "REQUEST",
     .help = "The redelivery request that is answered"},
    {.name = "catalog",
     .kind = ARGS_FILE,
     .value = "FILE",
     .help = "What the films are, by file name (YAML)"},
    {.name = "ladder", .kind = ARGS_FILE, .value = "F", .help = "A ladder (YAML)"},
    {.name = "policy", .kind = ARGS_FILE, .value = "F", .help = "A policy (YAML)"},
    {.name = "waive",
     .kind = ARGS_TEXT,
     .value = "KIND",
     .help = "Accepts findings of a kind",
     .many = true},
    {.name = "why",
     .kind = ARGS_TEXT,
     .value = "REASON",
     .help = "Why they are waived",
     .many = true},
    {.name = "until",
     .kind = ARGS_DATE,
     .value = "DATE",
     .help = "When the waiver ends",
     .many = true},
    {.name = "captions",
     .kind = ARGS_FILE,
     .value = "FILE[:LANG]",
     .help = "Captions beside the film (SubRip, WebVTT, ASS)",
     .many = true},
    {.name = "no-captions",
     .kind = ARGS_NONE,
     .help = "Takes the captions away that these bytes had"},
    SLOTS,
    METER,
    DATA,
    JSON,
};

static const struct args_option serve_options[] = {
    {.name = "conf",
     .kind = ARGS_DIR,
     .value = "DIR",
     .help = "clusters.yaml, peers.yaml, alerts.yaml (MARQUEE_CONF, or DATA/conf)"},
    {.name = "port",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "TCP port (8080; 0: any that is free)",
     .min = 0,
     .max = 65535},
    {.name = "bind",
     .kind = ARGS_TEXT,
     .value = "ADDRESS",
     .help = "Where to listen (127.0.0.1)"},
    {.name = "ui", .kind = ARGS_DIR, .value = "DIR", .help = "The built pages"},
    {.name = "base-url",
     .kind = ARGS_TEXT,
     .value = "URL",
     .help = "How others reach this service, for mails"},
    {.name = "smtp",
     .kind = ARGS_TEXT,
     .value = "URL",
     .help = "Where mail goes: smtp://HOST:25 (MARQUEE_SMTP)"},
    METER,
    {.name = "series-udp",
     .kind = ARGS_TEXT,
     .value = "ADDRESS",
     .help = "Takes spectatord lines there: 1234 (on 127.0.0.1) or IP:PORT "
             "(MARQUEE_SERIES_UDP)"},
    {.name = "scrape",
     .kind = ARGS_FILE,
     .value = "FILE",
     .help = "Fetches the series of these targets (YAML)"},
    {.name = "series-step",
     .kind = ARGS_NUMBER,
     .value = "SECONDS",
     .help = "The step of series (60)",
     .min = 1,
     .max = 3600},
    {.name = "mail-from",
     .kind = ARGS_TEXT,
     .value = "ADDRESS",
     .help = "Who mail is from (MARQUEE_MAIL_FROM)"},
    SLOTS,
    DATA,
};

static const struct args_option titles_options[] = {
    {.name = "search", .kind = ARGS_TEXT, .value = "WORDS", .help = "With these words"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option jobs_options[] = {
    {.name = "subject",
     .kind = ARGS_TEXT,
     .value = "SUBJECT",
     .help = "About this: delivery/ID"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option findings_options[] = {
    {.name = "subject",
     .kind = ARGS_TEXT,
     .value = "SUBJECT",
     .help = "About this: delivery/ID, or delivery/ for all"},
    {.name = "kind", .kind = ARGS_TEXT, .value = "KIND", .help = "Of this kind"},
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "open|waived|fixed|superseded",
     .help = "In this state"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option requests_options[] = {
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "open|answered|closed",
     .help = "In this state"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option deliveries_options[] = {
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "received|inspected|published|refused|review|failed",
     .help = "In this state"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option again_options[] = {SLOTS, METER, DATA, JSON};
static const struct args_option waive_options[] = {
    {.name = "why", .kind = ARGS_TEXT, .value = "REASON", .help = "Why they are waived"},
    {.name = "until", .kind = ARGS_DATE, .value = "DATE", .help = "When the waiver ends"},
    DATA,
};
static const struct args_option user_add_options[] = {
    {.name = "role",
     .kind = ARGS_CHOICE,
     .value = "viewer|operator|admin|partner|agent",
     .help = "What they may do (viewer)"},
    {.name = "password-stdin",
     .kind = ARGS_NONE,
     .help = "The password is the first line of stdin"},
    {.name = "partner",
     .kind = ARGS_TEXT,
     .value = "P",
     .help = "The partner they deliver for (role partner)"},
    {.name = "plan", .kind = ARGS_TEXT, .value = "ID", .help = "Their plan"},
    DATA,
    JSON,
};
static const struct args_option user_set_options[] = {
    {.name = "role",
     .kind = ARGS_CHOICE,
     .value = "viewer|operator|admin|partner|agent",
     .help = "What they may do from now on"},
    {.name = "partner",
     .kind = ARGS_TEXT,
     .value = "P",
     .help = "The partner they deliver for (role partner)"},
    {.name = "plan", .kind = ARGS_TEXT, .value = "ID", .help = "Their plan"},
    DATA,
};
static const struct args_option data_alone[] = {DATA};
static const struct args_option store_collect_options[] = {
    {.name = "dry-run", .kind = ARGS_NONE, .help = "Only say what would be removed"},
    {.name = "keep-days",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Keep what steps made for so long after their job (7)",
     .min = 0,
     .max = 36500},
    DATA,
    JSON,
};
static const struct args_option user_password_options[] = {
    {.name = "password-stdin",
     .kind = ARGS_NONE,
     .help = "The password is the first line of stdin"},
    DATA,
};
static const struct args_option user_link_options[] = {
    {.name = "base-url",
     .kind = ARGS_TEXT,
     .value = "URL",
     .help = "How the service is reached (http://127.0.0.1:8080)"},
    DATA,
    JSON,
};
static const struct args_option partner_add_options[] = {
    {.name = "email",
     .kind = ARGS_TEXT,
     .value = "ADDRESS",
     .help = "Where redelivery requests go (needed)"},
    DATA,
    JSON,
};
#define COLUMN                                                \
    {                                                         \
        .name = "column", .kind = ARGS_TEXT, .value = "NAME", \
        .help = "The column that is meant, of several"        \
    }
static const struct args_option insight_changes_options[] = {COLUMN, JSON};
static const struct args_option insight_canary_options[] = {JSON};
static const struct args_option actions_options[] = {
    {.name = "cluster", .kind = ARGS_TEXT, .value = "NAME", .help = "Of this cluster"},
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "held|told|dry|acting|out|stuck|done|restored|undone|expired|refused",
     .help = "In this state"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option alerts_options[] = {
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "pending|firing|acknowledged|no_data|resolved",
     .help = "In this state (all but resolved)"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option insight_related_options[] = {
    {.name = "target",
     .kind = ARGS_TEXT,
     .value = "SERIES",
     .help = "What changed: a column of FILE, or a stack expression (needed)"},
    {.name = "at",
     .kind = ARGS_TEXT,
     .value = "T",
     .help = "When: ISO 8601, ms since 1970, or a row (its latest change)"},
    {.name = "candidates",
     .kind = ARGS_TEXT,
     .value = "EXPR",
     .help = "Which series are compared (all)"},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option ack_options[] = {
    {.name = "why", .kind = ARGS_TEXT, .value = "TEXT", .help = "What is being done"},
    DATA,
};
static const struct args_option silence_options[] = {
    {.name = "rule", .kind = ARGS_TEXT, .value = "NAME", .help = "Alerts of this rule"},
    {.name = "tag",
     .kind = ARGS_TEXT,
     .value = "KEY=VALUE",
     .help = "Alerts with this tag",
     .many = true},
    {.name = "why", .kind = ARGS_TEXT, .value = "REASON", .help = "Why (needed)"},
    {.name = "until", .kind = ARGS_DATE, .value = "DATE", .help = "Until when (needed)"},
    DATA,
};
static const struct args_option insight_anomalies_options[] = {
    COLUMN,
    {.name = "season",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Values a day (by the times; without any 288)",
     .min = 4,
     .max = 100000},
    JSON,
};
static const struct args_option audit_verify_options[] = {
    {.name = "head",
     .kind = ARGS_TEXT,
     .value = "HEAD",
     .help = "A head that was noted earlier and must still be in the trail"},
    DATA,
    JSON,
};
static const struct args_option audit_list_options[] = {
    {.name = "subject",
     .kind = ARGS_TEXT,
     .value = "SUBJECT",
     .help = "About this: server/CLUSTER/NAME, or server/ for all"},
    {.name = "before",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Entries before this one",
     .min = 1,
     .max = INT64_MAX},
    LIMIT,
    DATA,
    JSON,
};
static const struct args_option step_options[] = {
    DATA,
    {.name = "dir", .kind = ARGS_DIR, .value = "DIR", .help = "The step's folder"},
};

static const struct args_option insight_query_options[] = {
    {.name = "parse-only", .kind = ARGS_NONE, .help = "Only says which can be read"},
    JSON,
};
static const struct args_option insight_cluster_options[] = {
    {.name = "eps",
     .kind = ARGS_TEXT,
     .value = "E",
     .help = "How near is near: Euclidean distance, included (needed)"},
    {.name = "min-points",
     .kind = ARGS_NUMBER,
     .value = "M",
     .help = "Points that make a place dense, the point itself counted (needed)",
     .min = 1,
     .max = INT32_MAX},
    JSON,
};

#define PEERS_OPTIONS                                                             \
    {.name = "config",                                                            \
     .kind = ARGS_FILE,                                                           \
     .value = "FILE",                                                             \
     .help = "Which clusters, by which metrics (YAML, needed; conf/peers.yaml)"}, \
        {.name = "cluster",                                                       \
         .kind = ARGS_TEXT,                                                       \
         .value = "NAME",                                                         \
         .help = "Only this cluster"},                                            \
        {.name = "at",                                                            \
         .kind = ARGS_TEXT,                                                       \
         .value = "TIME",                                                         \
         .help = "When the last window ends (a minute ago): ISO 8601, or ms"},    \
        {.name = "from",                                                          \
         .kind = ARGS_TEXT,                                                       \
         .value = "TIME",                                                         \
         .help = "Looks from then on, too"},                                      \
        {.name = "every",                                                         \
         .kind = ARGS_NUMBER,                                                     \
         .value = "S",                                                            \
         .help = "A look each so many seconds (60)",                              \
         .min = 1,                                                                \
         .max = 86400},                                                           \
    {                                                                             \
        .name = "store-step", .kind = ARGS_NUMBER, .value = "S",                  \
        .help = "The step of the series that are kept, seconds (60)", .min = 1,   \
        .max = 86400                                                              \
    }
static const struct args_option insight_suspects_options[] = {PEERS_OPTIONS, DATA, JSON};
static const struct args_option insight_tune_options[] = {PEERS_OPTIONS,
                                                          {.name = "seed",
                                                           .kind = ARGS_NUMBER,
                                                           .value = "N",
                                                           .help = "Of the search (1)",
                                                           .min = 1,
                                                           .max = INT32_MAX},
                                                          DATA,
                                                          JSON};

static const struct args_command commands[] = {
    {.path = "ingest",
     .summary = "Inspects, encodes, packages and publishes films",
     .operands = "FILE…",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 10000,
     OPTIONS(ingest_options),
     .run = ingest_run,
     .about =
         "Beside a running service the films are submitted to it and followed; alone, "
         "the command works itself.\nThe same bytes are the same delivery: nothing is "
         "done twice. "
         "Their captions stay unless others are\ngiven, and so does their title: another "
         "--title needs "
         "its --title-id. The exit code is the worst film's."},
    {.path = "inspect",
     .summary = "Says what is in a film and what is wrong with it",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(inspect_options),
     .run = inspect_run,
     .about = "Needs no data folder and keeps nothing."},
    {.path = "serve",
     .summary = "Runs the service: pages, streams, and the work on deliveries",
     .operands = "",
     OPTIONS(serve_options),
     .run = serve_run,
     .about =
         "Until SIGINT or SIGTERM. Mail needs --smtp; its user and password come from "
         "MARQUEE_SMTP_USER and\nMARQUEE_SMTP_PASSWORD."},
    {.path = "titles",
     .summary = "Lists titles",
     .operands = "",
     OPTIONS(titles_options),
     .run = titles_run},
    {.path = "deliveries again",
     .summary = "Has policy decide anew about deliveries, and goes on from there",
     .operands = "ID…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     OPTIONS(again_options),
     .run = again_run,
     .about =
         "After findings were waived, or after a failure: what is done is kept. Exits "
         "as ingest does."},
    {.path = "deliveries",
     .summary = "Lists deliveries",
     .operands = "",
     OPTIONS(deliveries_options),
     .run = deliveries_run},
    {.path = "jobs",
     .summary = "Lists jobs, or shows the steps of one",
     .operands = "[ID]",
     .operand_kind = ARGS_TEXT,
     .operands_max = 1,
     OPTIONS(jobs_options),
     .run = jobs_run},
    {.path = "findings waive",
     .summary = "Waives findings, with a reason and an end",
     .operands = "ID…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     OPTIONS(waive_options),
     .run = findings_waive_run,
     .about = "All or none. Policy heeds it when the delivery runs again: marquee "
              "deliveries again ID"},
    {.path = "findings reopen",
     .summary = "Takes waivers back",
     .operands = "ID…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     OPTIONS(data_alone),
     .run = findings_reopen_run},
    {.path = "findings",
     .summary = "Lists what is wrong with what",
     .operands = "",
     OPTIONS(findings_options),
     .run = findings_run},
    {.path = "requests",
     .summary = "Lists redelivery requests",
     .operands = "",
     OPTIONS(requests_options),
     .run = requests_run},
    {.path = "user add",
     .summary = "Adds a person",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(user_add_options),
     .run = user_add_run},
    {.path = "user list",
     .summary = "Lists people",
     .operands = "",
     OPTIONS(data_json),
     .run = user_list_run},
    {.path = "user set",
     .summary = "Changes a person's role, plan or partner",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(user_set_options),
     .run = user_set_run,
     .about =
         "Another role or partner signs the person out everywhere; a plan holds from "
         "the next request on."},
    {.path = "user remove",
     .summary = "Removes a person and what their profiles kept",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(data_alone),
     .run = user_remove_run},
    {.path = "user password",
     .summary = "Sets a person's password; asks for it at a terminal",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(user_password_options),
     .run = user_password_run},
    {.path = "user link",
     .summary = "Prints a link that signs a person in, once",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(user_link_options),
     .run = user_link_run},
    {.path = "partner add",
     .summary = "Adds a partner who delivers films",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(partner_add_options),
     .run = partner_add_run},
    {.path = "partner list",
     .summary = "Lists partners",
     .operands = "",
     OPTIONS(data_json),
     .run = partner_list_run},
    {.path = "telemetry token add",
     .summary = "Makes a token by which another machine may send series",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(data_json),
     .run = telemetry_token_add_run,
     .about =
         "It is shown once, and goes into Authorization: Bearer, or is the password of "
         "whatever user."},
    {.path = "telemetry token list",
     .summary = "Lists who has a token for series",
     .operands = "",
     OPTIONS(data_json),
     .run = telemetry_token_list_run},
    {.path = "telemetry token remove",
     .summary = "Takes a token back",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(data_alone),
     .run = telemetry_token_remove_run},
    {.path = "store check",
     .summary = "Reads all that is kept, and says what the disk forgot",
     .operands = "",
     OPTIONS(data_json),
     .run = store_check_run,
     .about =
         "Every blob and every file of a published film is compared with its hash. "
         "Ends with 1\nwhere something is damaged or gone: bring it back from a copy, "
         "or deliver the film anew."},
    {.path = "store collect",
     .summary = "Removes what the data folder no longer needs",
     .operands = "",
     OPTIONS(store_collect_options),
     .run = store_collect_run,
     .about = "What steps made, a week after the last job that wanted it; packages, a "
              "week after "
              "their title plays\nanother; logs after a month. Films, reports and what "
              "is played "
              "stay. A service does this every hour."},
    {.path = "insight suspects",
     .summary = "Finds servers that are unlike their peers, and says by what",
     .operands = "",
     OPTIONS(insight_suspects_options),
     .run = insight_suspects_run,
     .about = "Reads the series of a data folder that no service holds. The same times "
              "give the same suspects:\nany decision can be looked at again."},
    {.path = "insight tune",
     .summary = "Finds eps and min_points for the number of outliers that is expected",
     .operands = "",
     OPTIONS(insight_tune_options),
     .run = insight_tune_run,
     .about = "By simulated annealing over the windows of --from to --at; the cluster's "
              "expected_percent says\nhow many outliers there should be."},
    {.path = "insight query",
     .summary = "Says which addresses of graphs can be read, and why others cannot",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(insight_query_options),
     .run = insight_query_run,
     .about = "A line each: /api/v1/graph?q=… of Atlas. Needs no data."},
    {.path = "insight changes",
     .summary = "Says where a series changes",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(insight_changes_options),
     .run = insight_changes_run,
     .about = "A number a line, or time,value. Prints, from 0, "
              "the index of each new\nsegment's first value."},
    {.path = "insight related",
     .summary = "Says what else changed when a series did",
     .operands = "[FILE]",
     .operand_kind = ARGS_FILE,
     .operands_max = 1,
     OPTIONS(insight_related_options),
     .run = insight_related_run,
     .about =
         "FILE is CSV with names in its first line. Without it the series of the data "
         "folder are asked; a running\nservice is asked by /api/v1/insight/related. "
         "A positive lag: it changed before the target."},
    {.path = "insight anomalies",
     .summary = "Says which values are unlike all at their time of day",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(insight_anomalies_options),
     .run = insight_anomalies_run,
     .about =
         "time,value, or a number a line. Value by value without looking ahead; nothing "
         "is said of the first two\ndays."},
    {.path = "insight canary",
     .summary = "Says whether a canary is worse than its baseline",
     .operands = "CONFIG BASELINE CANARY",
     .operand_kind = ARGS_FILE,
     .operands_min = 3,
     .operands_max = 3,
     OPTIONS(insight_canary_options),
     .run = insight_canary_run,
     .about =
         "CONFIG (YAML) says which metrics matter and what is tolerated; both others "
         "are CSV with a column\na metric. Exits 0 for pass, 3 for fail, 4 for what a "
         "person should look at."},
#define ON_IDS(name, what, function, opts)                                               \
    {                                                                                    \
        .path = (name), .summary = (what), .operands = "ID…", .operand_kind = ARGS_TEXT, \
        .operands_min = 1, .operands_max = 1000, OPTIONS(opts), .run = (function)        \
    }
#define ON_FILE(name, what, function)                                    \
    {                                                                    \
        .path = (name), .summary = (what), .operands = "FILE",           \
        .operand_kind = ARGS_FILE, .operands_min = 1, .operands_max = 1, \
        .run = (function)                                                \
    }
    {.path = "actions list",
     .summary = "Lists what is done with sick servers, and what is held by which guard",
     .operands = "",
     OPTIONS(actions_options),
     .run = actions_list_run},
    ON_IDS("actions approve", "Lets begin what a judgement holds", actions_approve_run,
           data_alone),
    ON_IDS("actions refuse", "Refuses what is held", actions_refuse_run, data_alone),
    ON_IDS("actions undo", "Puts servers back into service", actions_undo_run,
           data_alone),
    ON_FILE("actions check", "Checks a description of clusters (YAML)",
            actions_check_run),
    {.path = "alerts list",
     .summary = "Lists alerts",
     .operands = "",
     OPTIONS(alerts_options),
     .run = alerts_list_run},
    ON_IDS("alerts ack", "Acknowledges alerts: nobody else is called", alerts_ack_run,
           ack_options),
    {.path = "alerts silence",
     .summary = "Has nothing told of alerts that fit, until an end",
     .operands = "",
     OPTIONS(silence_options),
     .run = alerts_silence_run},
    ON_FILE("alerts check", "Checks alert rules (YAML)", alerts_check_run),
    {.path = "audit verify",
     .summary = "Says whether the audit trail is whole",
     .operands = "",
     OPTIONS(audit_verify_options),
     .run = audit_verify_run,
     .about =
         "Ends with 1 and names the first entry that was changed, moved or taken out. "
         "The head that it\nprints, kept elsewhere and given with --head, also betrays "
         "a cut end and a trail made anew."},
    {.path = "audit list",
     .summary = "Lists what was decided and done by itself, newest first",
     .operands = "",
     OPTIONS(audit_list_options),
     .run = audit_list_run},
    {.path = "insight cluster",
     .summary = "Groups points by density (DBSCAN), and says which belong nowhere",
     .operands = "FILE.csv",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     OPTIONS(insight_cluster_options),
     .run = insight_cluster_run,
     .about =
         "A point a line, numbers with commas between, no header. Exact: core points "
         "and noise are those\nof the definition, labels those of scikit-learn; "
         "noise is -1. \"seconds\" are the clustering's own,\nwithout reading."},
    {.path = "doctor",
     .summary = "Says what is missing on this machine, and what to type",
     .operands = "",
     OPTIONS(data_json),
     .run = doctor_run},
    {.path = "completion",
     .summary = "Prints completion for a shell",
     .operands = "bash|zsh|fish",
     .operand_kind = ARGS_CHOICE,
     .operands_min = 1,
     .operands_max = 1,
     .run = completion_run,
     .about = "For example: marquee completion bash > ~/.local/share/bash-completion/"
              "completions/marquee"},
    {.path = "man",
     .summary = "Prints the man page",
     .operands = "",
     .run = man_run,
     .about = "For example: marquee man | man -l -"},
    {.path = "step",
     .summary = "One step of a job",
     .operands = "",
     OPTIONS(step_options),
     .run = step_run,
     .hidden = true},
    {.path = "frame",
     .summary = "The picture of one frame",
     .operands = "DATA FILM REPORT TIMELINE FRAME WIDTH",
     .operand_kind = ARGS_TEXT,
     .operands_min = 6,
     .operands_max = 6,
     .run = frame_run,
     .hidden = true},
};

static int completion_run(const struct args *args)
{
    AUTO(buf_free) struct buf out = {0};
    if (args_completion(commands, ARRAY_LEN(commands), args_operand(args, 0), &out) < 0) {
        return args_wrong(args, "%s", err_reason());
    }
    fputs(out.data, stdout);
    return ARGS_DONE;
}

static int man_run(const struct args *args)
{
    (void)args;
    AUTO(buf_free) struct buf out = {0};
    args_man(commands, ARRAY_LEN(commands), &out);
    fputs(out.err ? "" : out.data, stdout);
    return out.err ? ARGS_FAILED : ARGS_DONE;
}

int main(int argc, char **argv)
{
    // Numbers are written with a point whatever the machine's language; only text is the person's.
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    return args_main(commands, ARRAY_LEN(commands), argc, argv);
}
