// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/agent.h"
#include "app/commands.h"

#include <stdlib.h>
#include <string.h>

// On a server that is watched: no data folder, only a folder of files.
static int agent_run(const struct args *args)
{
    const char *conf = args_text(args, "conf", getenv("MARQUEE_CONF"));
    int err = conf ? app_agent(conf) : 0;
    return !conf     ? args_wrong(args, "an agent has --conf DIR, where agent.yaml is")
           : err < 0 ? command_failed(args, err)
                     : ARGS_DONE;
}

static int serve_run(const struct args *args)
{
    if (strcmp(args_text(args, "role", "all"), "agent") == 0) {
        return agent_run(args);
    }
    const char *smtp = args_text(args, "smtp", getenv("MARQUEE_SMTP"));
    const char *from = getenv("MARQUEE_MAIL_FROM");
    struct app_serve_config config = {
        .data_dir = command_data_dir(args),
        .bind = args_text(args, "bind", "127.0.0.1"),
        .port = (uint16_t)args_number(args, "port", 8080),
        .ui_dir = args_text(args, "ui", NULL),
        .base_url = args_text(args, "base-url", getenv("MARQUEE_BASE_URL")),
        .smtp_url = smtp && *smtp ? smtp : NULL,
        .smtp_user = getenv("MARQUEE_SMTP_USER"),
        .smtp_password = getenv("MARQUEE_SMTP_PASSWORD"),
        .mail_from = args_text(args, "mail-from", from ? from : "marquee@localhost"),
        .meter = args_text(args, "meter", NULL),
        .series_udp = args_text(args, "series-udp", getenv("MARQUEE_SERIES_UDP")),
        .scrape = args_text(args, "scrape", NULL),
        .series_step_ms = args_number(args, "series-step", 0) * 1000,
        .conf_dir = args_text(args, "conf", getenv("MARQUEE_CONF")),
        .slots = (unsigned)args_number(args, "slots", 0)};
    int err = app_serve(&config);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static const struct args_option serve_options[] = {
    {.name = "role",
     .kind = ARGS_CHOICE,
     .value = "all|agent",
     .help = "agent: run what agent.yaml allows on this server (all)"},
    {.name = "conf",
     .kind = ARGS_DIR,
     .value = "DIR",
     .help = "clusters, peers, alerts, calls, rules, runbooks.yaml (MARQUEE_CONF, or "
             "DATA/conf)"},
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
    COMMAND_METER,
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
    COMMAND_SLOTS,
    COMMAND_DATA,
};

static const struct args_command rows[] = {
    {.path = "serve",
     .summary = "Runs the service: pages, streams, and the work on deliveries",
     .operands = "",
     COMMAND_OPTIONS(serve_options),
     .run = serve_run,
     .about =
         "Until SIGINT or SIGTERM. Mail needs --smtp; its user and password come from "
         "MARQUEE_SMTP_USER and\nMARQUEE_SMTP_PASSWORD."},
};
const struct command_family serve_commands = {rows, ARRAY_LEN(rows)};
