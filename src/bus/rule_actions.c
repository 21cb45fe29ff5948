// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a rule may do without any other room: tell somebody.
#include "bus/internal.h"

#include <string.h>

static int mail_check(const json_t *with)
{
    FAIL_IF(!bus_mail_address_is_safe(json_str_or(with, "to", "")), ERR_INVALID,
            "mail wants to: an address");
    FAIL_IF(!str_is_line(str_of(json_str_or(with, "subject", ""))), ERR_INVALID,
            "a mail's subject is one line");
    return 0;
}

static int mail_act(struct store_tx *tx, const json_t *event, const json_t *with,
                    const char *dedupe, void *user)
{
    AUTO(buf_free) struct buf text = {0};
    (void)user;
    json_write_pretty(&text, event);
    TRY(text.err);
    return bus_notice_mail(
        tx, &(struct bus_mail){
                .to = json_str_or(with, "to", ""),
                .subject = json_str_or(with, "subject", json_str_or(event, "type", "")),
                .text = text.data,
                .dedupe = dedupe});
}

static int hook_check(const json_t *with)
{
    FAIL_IF(!bus_webhook_url_is_safe(json_str_or(with, "url", NULL)), ERR_INVALID,
            "webhook wants url: an http or https address");
    return 0;
}

static int hook_act(struct store_tx *tx, const json_t *event, const json_t *with,
                    const char *dedupe, void *user)
{
    (void)user;
    return bus_notice_hook(
        tx, &(struct bus_hook){.url = json_str_or(with, "url", ""),
                               .secret_file = json_str_or(with, "secret_file", NULL),
                               .body = event,
                               .dedupe = dedupe});
}

static int exec_check(const json_t *with)
{
    FAIL_IF(json_str_or(with, "program", "")[0] != '/', ERR_INVALID,
            "exec wants program: a path from the root");
    return 0;
}

static int exec_act(struct store_tx *tx, const json_t *event, const json_t *with,
                    const char *dedupe, void *user)
{
    AUTO(json_free) json_t *argv = NULL;
    (void)user;
    TRY(json_made(json_pack("[s]", json_str_or(with, "program", "")), &argv));
    return bus_notice_exec(
        tx, &(struct bus_exec){.argv = argv, .body = event, .dedupe = dedupe});
}

const struct bus_rule_action bus_rule_actions[] = {
    {"mail", mail_check, mail_act},
    {"webhook", hook_check, hook_act},
    {"exec", exec_check, exec_act},
};
const size_t bus_rule_action_count = ARRAY_LEN(bus_rule_actions);
