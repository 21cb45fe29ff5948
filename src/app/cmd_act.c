// SPDX-License-Identifier: GPL-3.0-or-later
//
// actions and alerts: what the service does by itself, what it tells, and what people decide about it.
#include "app/commands.h"
#include "app/listing.h"
#include "insight/insight.h"

#include <stdio.h>
#include <string.h>

static const char *text(const json_t *item, const char *key)
{
    return json_str_or(item, key, "-");
}

typedef int change_f(struct store_tx *, const struct args *, const char *operand);

// All operands, or, where one is refused, none.
static int change(const struct args *args, change_f *how)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_WRITE, &tx);
    for (size_t i = 0; err == 0 && i < MAX(args_operand_count(args), (size_t)1); i++) {
        err = how(tx, args, args_operand_count(args) ? args_operand(args, i) : NULL);
    }
    err = err < 0 ? err : store_commit(&tx);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

// --- actions --------------------------------------------------------------------------------------------

static int actions_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    return insight_treatments(
        tx,
        &(struct insight_treatment_query){.cluster = args_text(args, "cluster", NULL),
                                          .state = args_text(args, "state", NULL),
                                          .limit = (int)args_number(args, "limit", 100)},
        ret);
}

static void action_line(const json_t *a, const char *cells[LISTING_COLUMNS],
                        struct buf *own)
{
    (void)own;
    cells[0] = text(a, "id");
    cells[1] = text(a, "cluster");
    cells[2] = text(a, "server");
    cells[3] = text(a, "state");
    cells[4] = text(a, "why");
}

static int actions_list_run(const struct args *args)
{
    static const struct listing list = {
        "actions",
        {{"ID", 36}, {"CLUSTER", 12}, {"SERVER", 12}, {"STATE", 8}, {"HELD BECAUSE", 0}},
        actions_list,
        action_line};
    return listing_run(args, &list);
}

static int approve(struct store_tx *tx, const struct args *args, const char *id)
{
    (void)args;
    return insight_treatment_approve(tx, id,
                                     command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int refuse(struct store_tx *tx, const struct args *args, const char *id)
{
    (void)args;
    return insight_treatment_refuse(tx, id,
                                    command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int undo(struct store_tx *tx, const struct args *args, const char *id)
{
    (void)args;
    return insight_treatment_undo(tx, id, command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int actions_approve_run(const struct args *args)
{
    return change(args, approve);
}

static int actions_refuse_run(const struct args *args)
{
    return change(args, refuse);
}

static int actions_undo_run(const struct args *args)
{
    return change(args, undo);
}

static int read_yaml(const struct args *args, struct buf *out)
{
    return fs_read_file(args_operand(args, 0), 1u << 20, out);
}

// 3, with each mistake on stderr, where the file is wrong.
static int checked(const struct args *args, int err, const struct diag *diag)
{
    if (err == 0) {
        printf("%s: no mistakes\n", args_operand(args, 0));
        return ARGS_DONE;
    }
    if (!diag->items.len) {
        return command_failed(args, err);
    }
    diag_print(diag, stderr);
    return ARGS_REFUSED;
}

static int actions_check_run(const struct args *args)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_fleet_free) struct insight_fleet *fleet = NULL;
    int err = read_yaml(args, &text);
    err = err < 0 ? err
                  : insight_fleet_parse(buf_view(&text), args_operand(args, 0), &fleet,
                                        &diag);
    return checked(args, err, &diag);
}

// --- alerts ---------------------------------------------------------------------------------------------

static int alerts_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    return insight_alerts(tx, args_text(args, "state", NULL),
                          (int)args_number(args, "limit", 100), ret);
}

static void alert_line(const json_t *a, const char *cells[LISTING_COLUMNS],
                       struct buf *own)
{
    (void)own;
    cells[0] = text(a, "id");
    cells[1] = text(a, "rule");
    cells[2] = text(a, "state");
    cells[3] = text(a, "severity");
    cells[4] = text(a, "summary");
}

static int alerts_list_run(const struct args *args)
{
    static const struct listing list = {
        "alerts",
        {{"ID", 36}, {"RULE", 20}, {"STATE", 12}, {"SEVERITY", 8}, {"SUMMARY", 0}},
        alerts_list,
        alert_line};
    return listing_run(args, &list);
}

static int ack(struct store_tx *tx, const struct args *args, const char *id)
{
    struct insight_ack ack = {.actor = command_actor((char[COMMAND_ACTOR_BYTES]){0}),
                              .why = args_text(args, "why", "")};
    if (args_has(args, "until")) {
        TRY(clock_parse(str_of(args_text(args, "until", "")), &ack.until_us));
    }
    return insight_alert_ack(tx, id, &ack);
}

static int alerts_ack_run(const struct args *args)
{
    return change(args, ack);
}

static int unack(struct store_tx *tx, const struct args *args, const char *id)
{
    (void)args;
    return insight_alert_unack(tx, id, command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int alerts_unack_run(const struct args *args)
{
    return change(args, unack);
}

static int silences(struct store_tx *tx, const struct args *args, json_t **ret)
{
    (void)args;
    return insight_silences(tx, clock_wall_us(), ret);
}

static void silence_line(const json_t *item, const char *cells[LISTING_COLUMNS],
                         struct buf *own)
{
    const json_t *tags = json_object_get(item, "tags");
    cells[0] = json_str_or(item, "id", NULL);
    cells[1] = json_str_or(item, "until", NULL);
    cells[2] = json_str_or(item, "rule", "any");
    cells[3] = json_str_or(item, "why", NULL);
    if (json_object_size(tags) > 0) {
        json_write_canonical(own, tags);
        cells[4] = own->err == 0 ? own->data : NULL;
    }
}

static int alerts_silences_run(const struct args *args)
{
    static const struct listing list = {
        "silences",
        {{"ID", 36}, {"UNTIL", 27}, {"RULE", 16}, {"WHY", 24}, {"TAGS", 0}},
        silences,
        silence_line};
    return listing_run(args, &list);
}

static int unsilence(struct store_tx *tx, const struct args *args, const char *id)
{
    (void)args;
    return insight_silence_end(tx, id, command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int alerts_unsilence_run(const struct args *args)
{
    return change(args, unsilence);
}

// "cluster=edge", several times.
static int tags_of(const struct args *args, json_t **ret)
{
    AUTO(json_free) json_t *tags = json_object();
    FAIL_IF(!tags, ERR_NOMEM, "tags");
    for (size_t i = 0; i < args_times(args, "tag"); i++) {
        struct str value = str_of(args_nth(args, "tag", i)), key;
        str_next(&value, '=', &key);
        FAIL_IF(!key.len || !value.data, ERR_INVALID, "a tag is KEY=VALUE");
        FAIL_IF(json_object_setn_new(tags, key.data, key.len,
                                     json_stringn(value.data, value.len)) != 0,
                ERR_INVALID, "a tag is text");
    }
    *ret = TAKE(tags);
    return 0;
}

static int silence(struct store_tx *tx, const struct args *args, const char *unused)
{
    AUTO(json_free) json_t *tags = NULL;
    char id[UUID_BYTES];
    struct insight_silence s = {.rule = args_text(args, "rule", NULL),
                                .why = args_text(args, "why", ""),
                                .actor = command_actor((char[COMMAND_ACTOR_BYTES]){0})};
    (void)unused;
    TRY(tags_of(args, &tags));
    s.tags = tags;
    TRY(clock_parse(str_of(args_text(args, "until", "")), &s.until_us));
    TRY(insight_silence_add(tx, &s, id));
    printf("%s\n", id);
    return 0;
}

static int alerts_silence_run(const struct args *args)
{
    if (!args_has(args, "why") || !args_has(args, "until")) {
        return args_wrong(args, "a silence has a reason and an end: --why REASON --until "
                                "DATE");
    }
    return change(args, silence);
}

static int alerts_check_run(const struct args *args)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_alert_rules_free) struct insight_alert_rules *rules = NULL;
    const char *file = args_operand(args, 0);
    int err = read_yaml(args, &text);
    err = err < 0 ? err : insight_alert_rules_parse(buf_view(&text), file, &rules, &diag);
    err = err < 0 ? err : insight_alert_rules_check(rules, buf_view(&text), file, &diag);
    return checked(args, err, &diag);
}

#define ON_IDS(name, what, function, opts)                                               \
    {                                                                                    \
        .path = (name), .summary = (what), .operands = "ID…", .operand_kind = ARGS_TEXT, \
        .operands_min = 1, .operands_max = 1000, COMMAND_OPTIONS(opts),                  \
        .run = (function)                                                                \
    }
#define ON_FILE(name, what, function)                                    \
    {                                                                    \
        .path = (name), .summary = (what), .operands = "FILE",           \
        .operand_kind = ARGS_FILE, .operands_min = 1, .operands_max = 1, \
        .run = (function)                                                \
    }
static const struct args_option actions_options[] = {
    {.name = "cluster", .kind = ARGS_TEXT, .value = "NAME", .help = "Of this cluster"},
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "held|told|dry|acting|out|stuck|done|restored|undone|expired|refused",
     .help = "In this state"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option alerts_options[] = {
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "pending|firing|acknowledged|no_data|resolved",
     .help = "In this state (all but resolved)"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option ack_options[] = {
    {.name = "why", .kind = ARGS_TEXT, .value = "TEXT", .help = "What is being done"},
    {.name = "until",
     .kind = ARGS_DATE,
     .value = "DATE",
     .help = "Then it is told again, from the first channel on (never)"},
    COMMAND_DATA,
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
    COMMAND_DATA,
};

static const struct args_option silences_options[] = {COMMAND_DATA, COMMAND_JSON};

static const struct args_command rows[] = {
    {.path = "actions list",
     .summary = "Lists what is done with sick servers, and what is held by which guard",
     .operands = "",
     COMMAND_OPTIONS(actions_options),
     .run = actions_list_run},
    ON_IDS("actions approve", "Lets begin what a judgement holds", actions_approve_run,
           command_data_alone),
    ON_IDS("actions refuse", "Refuses what is held", actions_refuse_run,
           command_data_alone),
    ON_IDS("actions undo", "Puts servers back into service", actions_undo_run,
           command_data_alone),
    ON_FILE("actions check", "Checks a description of clusters (YAML)",
            actions_check_run),
    {.path = "alerts list",
     .summary = "Lists alerts",
     .operands = "",
     COMMAND_OPTIONS(alerts_options),
     .run = alerts_list_run},
    ON_IDS("alerts ack", "Acknowledges alerts: nobody else is called", alerts_ack_run,
           ack_options),
    ON_IDS("alerts unack", "Takes acknowledgements back: alerts are told again",
           alerts_unack_run, command_data_alone),
    {.path = "alerts silences",
     .summary = "Lists the silences that hold",
     .operands = "",
     COMMAND_OPTIONS(silences_options),
     .run = alerts_silences_run},
    ON_IDS("alerts unsilence", "Ends silences before their time", alerts_unsilence_run,
           command_data_alone),
    {.path = "alerts silence",
     .summary = "Has nothing told of alerts that fit, until an end",
     .operands = "",
     COMMAND_OPTIONS(silence_options),
     .run = alerts_silence_run},
    ON_FILE("alerts check", "Checks alert rules (YAML)", alerts_check_run),
};
const struct command_family act_commands = {rows, ARRAY_LEN(rows)};
