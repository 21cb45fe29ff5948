// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/commands.h"

#include <stdlib.h>

int serve_run(const struct args *args)
{
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
