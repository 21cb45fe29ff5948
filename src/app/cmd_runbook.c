// SPDX-License-Identifier: GPL-3.0-or-later
//
// runbook: what is started by events, what came of it, and what people decide about it.
#include "app/commands.h"
#include "app/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_MAX_BYTES (1u << 20)

// --- the file ---------------------------------------------------------------------------------------------

static int conf_path(const struct args *args, char **ret)
{
    AUTO(cstr_free) char *usual = NULL;
    const char *wished = getenv("MARQUEE_CONF");
    TRY(cstr_printf(&usual, "%s/conf", command_data_dir(args)));
    return cstr_printf(ret, "%s/runbooks.yaml",
                       args_text(args, "conf", wished && *wished ? wished : usual));
}

// Each mistake on stderr.
static int read_runbooks(const char *path, struct insight_runbooks **ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(fs_read_file(path, FILE_MAX_BYTES, &text));
    int err = insight_runbooks_parse(buf_view(&text), path, ret, &diag);
    if (diag.items.len) {
        diag_print(&diag, stderr);
    }
    return err;
}

static int check_run(const struct args *args)
{
    AUTO(insight_runbooks_free) struct insight_runbooks *all = NULL;
    int err = read_runbooks(args_operand(args, 0), &all);
    if (err == ERR_INVALID) {
        return ARGS_REFUSED;
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    printf("%s: no mistakes\n", args_operand(args, 0));
    return ARGS_DONE;
}

static int runbook_json(const struct insight_runbook *r, json_t **ret)
{
    AUTO(json_free) json_t *on = json_array();
    for (uint32_t i = 0; i < r->on_count; i++) {
        FAIL_IF(json_array_append_new(on, json_string(r->on[i].type)) != 0, ERR_NOMEM,
                "a runbook");
    }
    return json_made(json_pack("{s:s, s:s?, s:s, s:O, s:I, s:I, s:b, s:b}", "name",
                               r->name, "about", r->about, "where",
                               r->where == INSIGHT_HERE ? "here" : "agent", "on", on,
                               "timeout_s", (json_int_t)r->timeout_s, "attempts",
                               (json_int_t)(r->retries ? r->retries->count + 1 : 3),
                               "approval", r->approval.needed, "dry_run", r->dry_run),
                     ret);
}

static int list_print(const struct args *args, const struct insight_runbooks *all)
{
    AUTO(json_free) json_t *list = json_array(), *json = NULL;
    for (size_t i = 0; i < insight_runbook_count(all); i++) {
        json_t *item = NULL;
        TRY(runbook_json(insight_runbook_at(all, i), &item));
        FAIL_IF(json_array_append_new(list, item) != 0, ERR_NOMEM, "runbooks");
        if (!args_has(args, "json")) {
            printf("%-20s  %-5s  %s\n", json_str_or(item, "name", "-"),
                   json_str_or(item, "where", "-"), json_str_or(item, "about", ""));
        }
    }
    if (!args_has(args, "json")) {
        return 0;
    }
    TRY(json_made(json_pack("{s:i, s:O}", "schema", 1, "runbooks", list), &json));
    return command_print(json) == ARGS_DONE ? 0 : err_fail(ERR_IO, "printing");
}

static int list_run(const struct args *args)
{
    AUTO(insight_runbooks_free) struct insight_runbooks *all = NULL;
    AUTO(cstr_free) char *path = NULL;
    int err = conf_path(args, &path);
    err = err < 0 ? err : read_runbooks(path, &all);
    err = err < 0 ? err : list_print(args, all);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

// --- runs ---------------------------------------------------------------------------------------------------

static int read_runs(struct store *store, const struct args *args, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    return insight_runs(
        tx,
        &(struct insight_run_query){.runbook = args_text(args, "runbook", NULL),
                                    .state = args_text(args, "state", NULL),
                                    .target = args_text(args, "target", NULL),
                                    .subject = args_text(args, "subject", NULL),
                                    .limit = (int)args_number(args, "limit", 100)},
        ret);
}

static int runs_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *list = NULL, *json = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : read_runs(store, args, &list);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, "runs", list), &json);
        if (err == 0) {
            return command_print(json);
        }
    }
    for (size_t i = 0; err == 0 && i < json_array_size(list); i++) {
        const json_t *run = json_array_get(list, i);
        printf("%s  %-9s  %-16s  %-16s  %s\n", json_str_or(run, "id", "-"),
               json_str_or(run, "state", "-"), json_str_or(run, "runbook", "-"),
               json_str_or(run, "target", "-"),
               json_str_or(run, "summary", json_str_or(run, "error", "")));
    }
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int read_run(struct store *store, const char *id, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    return insight_run(store, tx, id, ret);
}

static void print_line(const char *name, const char *text)
{
    if (text && *text) {
        printf("%-12s%s\n", name, text);
    }
}

static void print_run(const json_t *run)
{
    static const char *const keys[] = {"state", "target",      "server", "subject",
                                       "actor", "approved_by", "status", "summary",
                                       "error", "created",     "began",  "ended"};
    const json_t *tries = json_object_get(run, "tries");
    printf("%s %s\n", json_str_or(run, "runbook", "-"), json_str_or(run, "id", "-"));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        print_line(keys[i], json_str_or(run, keys[i], NULL));
    }
    for (size_t i = 0; i < json_array_size(tries); i++) {
        const json_t *one = json_array_get(tries, i);
        printf("attempt %lld  %s %s\n", (long long)json_i64_or(one, "attempt", 0),
               json_str_or(one, "outcome", "-"), json_str_or(one, "reason", ""));
        printf("%s%s", json_str_or(one, "stdout", ""), json_str_or(one, "stderr", ""));
    }
}

static int show(const struct args *args, struct store *store, const char *id)
{
    AUTO(json_free) json_t *run = NULL;
    TRY(read_run(store, id, &run));
    if (!args_has(args, "json")) {
        print_run(run);
        return 0;
    }
    FAIL_IF(json_object_set_new(run, "schema", json_integer(1)) != 0, ERR_NOMEM, "a run");
    return command_print(run) == ARGS_DONE ? 0 : err_fail(ERR_IO, "printing");
}

static int show_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : show(args, store, args_operand(args, 0));
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

// --- decisions ----------------------------------------------------------------------------------------------

typedef int decide_f(struct store_tx *, const char *id, const char *actor);

// All operands, or, where one is refused, none.
static int decide(const struct args *args, decide_f *how)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_WRITE, &tx);
    for (size_t i = 0; err == 0 && i < args_operand_count(args); i++) {
        err = how(tx, args_operand(args, i), "system");
    }
    err = err < 0 ? err : store_commit(&tx);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int approve_run(const struct args *args)
{
    return decide(args, insight_run_approve);
}

static int refuse_run(const struct args *args)
{
    return decide(args, insight_run_refuse);
}

static int cancel_run(const struct args *args)
{
    return decide(args, insight_run_cancel);
}

// --- a person's wish ------------------------------------------------------------------------------------------

#define EVENT_BYTES (64u << 10)

// The event of --event, or one that says that a person wishes it.
static int event_of(const struct args *args, const char *id, json_t **ret)
{
    const char *file = args_text(args, "event", NULL);
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_us(), time);
    if (file) {
        return json_parse_file(ret, file, EVENT_BYTES);
    }
    return json_made(json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}}", "specversion", "1.0",
                               "id", id, "type", "runbook.wished.v1", "subject",
                               args_text(args, "subject", "person"), "time", time,
                               "data"),
                     ret);
}

static int ask(const struct args *args, struct store *store,
               const struct insight_runbook *runbook, char ret_id[UUID_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *event = NULL;
    char wish[UUID_BYTES];
    uuid_v7(wish);
    TRY(event_of(args, wish, &event));
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(insight_run_ask(
        tx,
        &(struct insight_run_wish){.runbook = runbook,
                                   .event = event,
                                   .target = args_text(args, "target", NULL),
                                   .server = args_text(args, "server", NULL),
                                   .key = args_text(args, "key", NULL),
                                   .actor = "system",
                                   .dry_run = args_has(args, "dry-run"),
                                   .at_once = true},
        ret_id));
    return store_commit(&tx);
}

static bool is_over(const json_t *run)
{
    static const char *const ends[] = {"done", "failed", "refused", "expired",
                                       "cancelled"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (strcmp(json_str_or(run, "state", ""), ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

// Alone, this command executes; beside a service it follows.
static int follow(struct store *store, const char *id)
{
    struct ingest_config ingest = {.store = store, .base_url = "http://127.0.0.1:8080"};
    struct app_work work;
    AUTO(flow_executor_stop) struct flow_executor *executor = NULL;
    app_work_fill(&work, &ingest);
    for (;;) {
        AUTO(json_free) json_t *run = NULL;
        TRY(read_run(store, id, &run));
        if (is_over(run)) {
            return strcmp(json_str_or(run, "state", ""), "done") == 0 ? 0 : 1;
        }
        int err = executor ? 0
                           : flow_executor_start(
                                 &executor, &(struct flow_executor_config){
                                                .store = store,
                                                .types = work.types,
                                                .type_count = work.type_count,
                                                .workflows = work.workflows,
                                                .workflow_count = work.workflow_count});
        TRY(err == ERR_BUSY ? 0 : err);
        TRY(insight_runs_tend(store));
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}

static int wish_run(const struct args *args)
{
    AUTO(insight_runbooks_free) struct insight_runbooks *all = NULL;
    AUTO(store_close) struct store *store = NULL;
    AUTO(cstr_free) char *path = NULL;
    char id[UUID_BYTES];
    int failed = 0;
    int err = conf_path(args, &path);
    err = err < 0 ? err : read_runbooks(path, &all);
    if (err < 0) {
        return command_refused(args, err);
    }
    const struct insight_runbook *runbook =
        insight_runbook_find(all, args_operand(args, 0));
    if (!runbook) {
        return args_wrong(args, "%s has no runbook %s", path, args_operand(args, 0));
    }
    err = command_open(args, &store);
    err = err < 0 ? err : ask(args, store, runbook, id);
    if (err == 0 && args_has(args, "no-wait")) {
        printf("%s\n", id);
        return ARGS_DONE;
    }
    failed = err < 0 ? err : follow(store, id);
    err = failed < 0 ? failed : show(args, store, id);
    return err < 0 ? command_failed(args, err) : failed ? ARGS_FAILED : ARGS_DONE;
}

// --- agents -----------------------------------------------------------------------------------------------------

static int add_agent(struct store *store, const char *name,
                     char ret_token[INSIGHT_AGENT_TOKEN_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(insight_agent_add(tx, name, ret_token));
    return store_commit(&tx);
}

static int agent_add_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *json = NULL;
    char token[INSIGHT_AGENT_TOKEN_BYTES];
    const char *name = args_operand(args, 0);
    int err = command_open(args, &store);
    err = err < 0 ? err : add_agent(store, name, token);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(
            json_pack("{s:i, s:s, s:s}", "schema", 1, "server", name, "token", token),
            &json);
        if (err == 0) {
            return command_print(json);
        }
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    printf("%s\n", token);
    return ARGS_DONE;
}

static int remove_agent(struct store_tx *tx, const char *name, const char *unused)
{
    (void)unused;
    return insight_agent_remove(tx, name);
}

static int agent_remove_run(const struct args *args)
{
    return decide(args, remove_agent);
}

static int agents_of(struct store *store, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    return insight_agents(tx, ret);
}

static int agent_list_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *list = NULL, *json = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : agents_of(store, &list);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, "agents", list), &json);
        if (err == 0) {
            return command_print(json);
        }
    }
    for (size_t i = 0; err == 0 && i < json_array_size(list); i++) {
        const json_t *agent = json_array_get(list, i);
        printf("%-20s  seen %s\n", json_str_or(agent, "server", "-"),
               json_str_or(agent, "seen", "never"));
    }
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

// --- the rows of the table ----------------------------------------------------------------------------------------

#define ON_IDS(name, what, function)                                                     \
    {                                                                                    \
        .path = (name), .summary = (what), .operands = "ID…", .operand_kind = ARGS_TEXT, \
        .operands_min = 1, .operands_max = 1000, COMMAND_OPTIONS(command_data_alone),    \
        .run = (function)                                                                \
    }
#define CONF                                                       \
    {                                                              \
        .name = "conf", .kind = ARGS_DIR, .value = "DIR",          \
        .help = "Where runbooks.yaml is (MARQUEE_CONF, DATA/conf)" \
    }
static const struct args_option list_options[] = {CONF, COMMAND_DATA, COMMAND_JSON};
static const struct args_option runs_options[] = {
    {.name = "runbook", .kind = ARGS_TEXT, .value = "NAME", .help = "Of this runbook"},
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "waiting|queued|running|done|failed|refused|expired|cancelled",
     .help = "In this state"},
    {.name = "target", .kind = ARGS_TEXT, .value = "T", .help = "On this target"},
    {.name = "subject",
     .kind = ARGS_TEXT,
     .value = "SUBJECT",
     .help = "About this: alert/ID, treatment/ID"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};
static const struct args_option wish_options[] = {
    {.name = "target", .kind = ARGS_TEXT, .value = "T", .help = "What it is about"},
    {.name = "server", .kind = ARGS_TEXT, .value = "NAME", .help = "At whose agent"},
    {.name = "event",
     .kind = ARGS_FILE,
     .value = "FILE",
     .help = "The event that it gets (JSON)"},
    {.name = "subject", .kind = ARGS_TEXT, .value = "S", .help = "What it is done for"},
    {.name = "key",
     .kind = ARGS_TEXT,
     .value = "KEY",
     .help = "Runs once, however often it is wished"},
    {.name = "dry-run", .kind = ARGS_NONE, .help = "It is to touch nothing"},
    {.name = "no-wait", .kind = ARGS_NONE, .help = "Only asks, and prints the run's id"},
    CONF,
    COMMAND_DATA,
    COMMAND_JSON,
};
static const struct args_command rows[] = {
    {.path = "runbook list",
     .summary = "Lists runbooks",
     .operands = "",
     COMMAND_OPTIONS(list_options),
     .run = list_run},
    {.path = "runbook check",
     .summary = "Checks a description of runbooks (YAML)",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     .run = check_run},
    {.path = "runbook run",
     .summary = "Runs a runbook now, without an approval",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(wish_options),
     .run = wish_run,
     .about =
         "Beside a running service it runs there and is followed; alone, the command "
         "works itself.\nEnds with 1 where the run failed."},
    {.path = "runbook runs",
     .summary = "Lists runs, newest first",
     .operands = "",
     COMMAND_OPTIONS(runs_options),
     .run = runs_run},
    {.path = "runbook show",
     .summary = "Shows a run, its attempts and what the last one printed",
     .operands = "ID",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(command_data_json),
     .run = show_run},
    ON_IDS("runbook approve", "Lets runs begin that wait for a person", approve_run),
    ON_IDS("runbook refuse", "Refuses runs that wait for a person", refuse_run),
    ON_IDS("runbook cancel", "Ends runs, with all that they started", cancel_run),
    {.path = "agent add",
     .summary = "Makes the token of a server's agent",
     .operands = "SERVER",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(command_data_json),
     .run = agent_add_run,
     .about = "It is shown once, and goes into the file that agent.yaml names on that "
              "server."},
    {.path = "agent list",
     .summary = "Lists servers with an agent, and when it was last seen",
     .operands = "",
     COMMAND_OPTIONS(command_data_json),
     .run = agent_list_run},
    {.path = "agent remove",
     .summary = "Takes tokens of agents back",
     .operands = "SERVER…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     COMMAND_OPTIONS(command_data_alone),
     .run = agent_remove_run},
};
const struct command_family runbook_commands = {rows, ARRAY_LEN(rows)};
