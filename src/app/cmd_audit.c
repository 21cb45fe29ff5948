// SPDX-License-Identifier: GPL-3.0-or-later
//
// The audit trail: is it whole, and what does it say.
#include "app/commands.h"
#include "app/listing.h"
#include "insight/insight.h"

#include <stdio.h>

static int verdict_json(const struct insight_audit_verdict *v, json_t **ret)
{
    char head[INSIGHT_HEAD_BYTES];
    insight_audit_head_text(&v->head, head);
    return json_made(json_pack("{s:i, s:b, s:I, s:o, s:s?, s:s}", "schema", 1, "whole",
                               v->broken == 0, "entries", (json_int_t)v->entries,
                               "broken",
                               v->broken ? json_integer(v->broken) : json_null(), "why",
                               v->broken ? v->why : NULL, "head", head),
                     ret);
}

static int verify(const struct args *args, struct store *store,
                  struct insight_audit_verdict *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *text = args_text(args, "head", NULL);
    struct insight_audit_head noted;
    if (text) {
        TRY(insight_audit_head_parse(str_of(text), &noted));
    }
    TRY(store_begin(store, STORE_READ, &tx));
    return insight_audit_verify(tx, text ? &noted : NULL, ret);
}

static int audit_verify_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *json = NULL;
    struct insight_audit_verdict v;
    int err = command_look(args, &store);
    err = err < 0 ? err : verify(args, store, &v);
    if (err == 0 && args_has(args, "json")) {
        err = verdict_json(&v, &json);
        err = err == 0 && command_print(json) != ARGS_DONE ? ERR_IO : err;
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    char head[INSIGHT_HEAD_BYTES];
    insight_audit_head_text(&v.head, head);
    if (!args_has(args, "json") && !v.broken) {
        printf("%lld entries, none changed, moved or missing\nhead %s\n",
               (long long)v.entries, head);
        if (!args_has(args, "head")) {
            printf(
                "whether its end was cut, or all of it made anew, shows a head that was "
                "kept elsewhere: --head\n");
        }
    }
    if (v.broken) {
        fprintf(stderr, "marquee: entry %lld: %s; the first %lld are sound\n",
                (long long)v.broken, v.why, (long long)v.entries);
    }
    return v.broken ? ARGS_FAILED : ARGS_DONE;
}

static int audit_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    return insight_audit_list(tx, args_text(args, "subject", NULL),
                              args_number(args, "before", 0),
                              (int)args_number(args, "limit", 100), ret);
}

static void entry_line(const json_t *e, const char *cells[LISTING_COLUMNS],
                       struct buf *own)
{
    buf_printf(own, "%lld", (long long)json_i64_or(e, "seq", 0));
    cells[0] = own->data ? own->data : "";
    cells[1] = json_str_or(e, "time", "-");
    cells[2] = json_str_or(e, "what", "-");
    cells[3] = json_str_or(e, "subject", "-");
    cells[4] = json_str_or(e, "actor", "-");
    cells[5] = json_str_or(e, "rule", "-");
}

static int audit_list_run(const struct args *args)
{
    static const struct listing list = {"audit",
                                        {{"ENTRY", 6},
                                         {"TIME", 27},
                                         {"WHAT", 28},
                                         {"SUBJECT", 24},
                                         {"BY", 12},
                                         {"RULE", 0}},
                                        audit_list,
                                        entry_line};
    return listing_run(args, &list);
}

static const struct args_option audit_verify_options[] = {
    {.name = "head",
     .kind = ARGS_TEXT,
     .value = "HEAD",
     .help = "A head that was noted earlier and must still be in the trail"},
    COMMAND_DATA,
    COMMAND_JSON,
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
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "audit verify",
     .summary = "Says whether the audit trail is whole",
     .operands = "",
     COMMAND_OPTIONS(audit_verify_options),
     .run = audit_verify_run,
     .about =
         "Ends with 1 and names the first entry that was changed, moved or taken out. "
         "The head that it\nprints, kept elsewhere and given with --head, also betrays "
         "a cut end and a trail made anew."},
    {.path = "audit list",
     .summary = "Lists what was decided and done by itself, newest first",
     .operands = "",
     COMMAND_OPTIONS(audit_list_options),
     .run = audit_list_run},
};
const struct command_family audit_commands = {rows, ARRAY_LEN(rows)};
