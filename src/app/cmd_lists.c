// SPDX-License-Identifier: GPL-3.0-or-later
//
// titles, deliveries, jobs, findings, requests: what is there, for people or as JSON.
#include "app/commands.h"
#include "app/listing.h"
#include "bus/bus.h"
#include "catalog/catalog.h"
#include "flow/flow.h"
#include "ingest/ingest.h"

#include <stdio.h>
#include <string.h>

// What a job or finding is about, in words: "film" and "title" join the item.
static int name_subject(struct store_tx *tx, json_t *item)
{
    static const char delivery_prefix[] = "delivery/", title_prefix[] = "title/";
    const char *subject = json_str_or(item, "subject", "");
    AUTO(json_free) json_t *delivery = NULL;
    struct catalog_title title = {0};
    const char *film = NULL, *name = NULL;
    if (strncmp(subject, delivery_prefix, sizeof delivery_prefix - 1) == 0 &&
        ingest_delivery(tx, subject + sizeof delivery_prefix - 1, &delivery) == 0) {
        film = json_str_or(delivery, "file_name", NULL);
        name = json_str_or(delivery, "title", NULL);
    } else if (strncmp(subject, title_prefix, sizeof title_prefix - 1) == 0 &&
               catalog_title(tx, subject + sizeof title_prefix - 1, &title) == 0) {
        name = title.name;
    }
    FAIL_IF((film && json_object_set_new(item, "film", json_string(film)) != 0) ||
                (name && json_object_set_new(item, "title", json_string(name)) != 0),
            ERR_NOMEM, "a list");
    return 0;
}

static int name_subjects(struct store_tx *tx, json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        TRY(name_subject(tx, json_array_get(list, i)));
    }
    return 0;
}

static const char *text(const json_t *item, const char *key)
{
    return json_str_or(item, key, "-");
}

// --- titles -----------------------------------------------------------------------------------------

static int titles_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct catalog_viewer all = {.maturity = 18, .sees_all = true};
    struct catalog_query query = {.text = args_text(args, "search", NULL),
                                  .order = CATALOG_BY_NAME,
                                  .limit = (int)args_number(args, "limit", 1000)};
    return catalog_list(tx, &all, &query, ret);
}

static void title_line(const json_t *t, const char *cells[LISTING_COLUMNS],
                       struct buf *own)
{
    (void)own;
    bool series = strcmp(text(t, "kind"), "series") == 0;
    const char *state = json_str_or(t, "withdrawn", NULL)   ? "withdrawn"
                        : json_str_or(t, "published", NULL) ? "published"
                        : series                            ? "-"
                                                            : "unpublished";
    cells[0] = text(t, "id");
    cells[1] = text(t, "kind");
    cells[2] = state;
    cells[3] = text(t, "quality");
    cells[4] = text(t, "name");
}

static int titles_run(const struct args *args)
{
    static const struct listing list = {
        "titles",
        {{"ID", 36}, {"KIND", 7}, {"STATE", 11}, {"QUALITY", 7}, {"NAME", 0}},
        titles_list,
        title_line};
    return listing_run(args, &list);
}

// --- deliveries -------------------------------------------------------------------------------------

static int deliveries_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct ingest_query query = {.state = args_text(args, "state", NULL),
                                 .limit = (int)args_number(args, "limit", 100)};
    return ingest_deliveries(tx, &query, ret);
}

static void delivery_line(const json_t *d, const char *cells[LISTING_COLUMNS],
                          struct buf *own)
{
    (void)own;
    cells[0] = text(d, "id");
    cells[1] = text(d, "state");
    cells[2] = text(d, "verdict");
    cells[3] = text(d, "file_name");
    cells[4] = text(d, "title");
}

static int deliveries_run(const struct args *args)
{
    static const struct listing list = {
        "deliveries",
        {{"ID", 36}, {"STATE", 9}, {"VERDICT", 7}, {"FILM", 28}, {"TITLE", 0}},
        deliveries_list,
        delivery_line};
    return listing_run(args, &list);
}

// --- jobs -------------------------------------------------------------------------------------------

// A job that runs is "waiting" while others' steps come first, and "stopped" while no process works on the
// folder: its row says "running" until it ends.
static int say_if_it_moves(struct store_tx *tx, json_t *job, bool executed)
{
    AUTO(json_free) json_t *whole = NULL;
    bool moves = false;
    if (strcmp(text(job, "state"), "running") != 0) {
        return 0;
    }
    TRY(flow_job(tx, text(job, "id"), &whole));
    const json_t *steps = json_object_get(whole, "steps");
    for (size_t i = 0; i < json_array_size(steps) && !moves; i++) {
        moves = strcmp(text(json_array_get(steps, i), "state"), "running") == 0;
    }
    const char *now = !executed ? "stopped" : moves ? "running" : "waiting";
    FAIL_IF(json_object_set_new(job, "now", json_string(now)) != 0, ERR_NOMEM, "a job");
    return 0;
}

static int jobs_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    AUTO(json_free) json_t *list = NULL;
    TRY(flow_jobs(tx, args_text(args, "subject", NULL),
                  (int)args_number(args, "limit", 50), &list));
    bool executed = flow_is_executed(command_data_dir(args));
    for (size_t i = 0; i < json_array_size(list); i++) {
        TRY(say_if_it_moves(tx, json_array_get(list, i), executed));
    }
    TRY(name_subjects(tx, list));
    *ret = TAKE(list);
    return 0;
}

static void job_line(const json_t *job, const char *cells[LISTING_COLUMNS],
                     struct buf *own)
{
    buf_printf(own, "%3d %%",
               (int)(json_number_value(json_object_get(job, "progress")) * 100));
    cells[0] = text(job, "id");
    cells[1] = json_str_or(job, "now", text(job, "state"));
    cells[2] = own->data ? own->data : "";
    cells[3] = text(job, "film");
    cells[4] = text(job, "title");
    cells[5] = json_str_or(job, "error", "");
}

static const struct listing jobs = {
    "jobs",
    {{"ID", 36}, {"STATE", 9}, {"DONE", 5}, {"FILM", 28}, {"TITLE", 28}, {"ERROR", 0}},
    jobs_list,
    job_line};

static void step_line(const json_t *step)
{
    printf("  %-32s %-8s %8.1f s%s%s%s\n", text(step, "name"), text(step, "state"),
           (double)json_i64_or(step, "cpu_us", 0) / 1e6,
           json_is_true(json_object_get(step, "reused")) ? "  reused" : "",
           json_str_or(step, "error", NULL) ? "  " : "", json_str_or(step, "error", ""));
}

static int job_show(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *job = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_READ, &tx);
    err = err < 0 ? err : flow_job(tx, args_operand(args, 0), &job);
    err = err < 0 ? err : name_subject(tx, job);
    err = err < 0 ? err : say_if_it_moves(tx, job, flow_is_executed(store_dir(store)));
    if (err < 0) {
        return command_failed(args, err);
    }
    if (args_has(args, "json")) {
        return json_object_set_new(job, "schema", json_integer(1)) == 0
                   ? command_print(job)
                   : ARGS_FAILED;
    }
    AUTO(json_free) json_t *alone = json_pack("[O]", job);
    if (!alone || listing_print(&jobs, alone) < 0) {
        return ARGS_FAILED;
    }
    const json_t *steps = json_object_get(job, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        step_line(json_array_get(steps, i));
    }
    return ARGS_DONE;
}

static int jobs_run(const struct args *args)
{
    return args_operand_count(args) > 0 ? job_show(args) : listing_run(args, &jobs);
}

// --- findings -----------------------------------------------------------------------------------------

static int findings_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct bus_finding_query query = {.subject = args_text(args, "subject", NULL),
                                      .kind = args_text(args, "kind", NULL),
                                      .state = args_text(args, "state", NULL),
                                      .limit = (int)args_number(args, "limit", 100)};
    AUTO(json_free) json_t *list = NULL;
    TRY(bus_findings_list(tx, &query, &list));
    TRY(name_subjects(tx, list));
    *ret = TAKE(list);
    return 0;
}

// A viewer's words stand behind the place.
static void finding_line(const json_t *f, const char *cells[LISTING_COLUMNS],
                         struct buf *own)
{
    const char *said = json_str_or(json_object_get(f, "evidence"), "text", NULL);
    command_place(f, own);
    if (said) {
        buf_printf(own, "%s%s", own->len ? ": " : "", said);
    }
    cells[0] = text(f, "id");
    cells[1] = text(f, "state");
    cells[2] = text(f, "severity");
    cells[3] = ingest_kind_words(text(f, "kind"));
    cells[4] = text(f, "film");
    cells[5] = text(f, "title");
    cells[6] = own->data ? own->data : "-";
}

static int findings_run(const struct args *args)
{
    static const struct listing list = {"findings",
                                        {{"ID", 36},
                                         {"STATE", 6},
                                         {"SEVERITY", 8},
                                         {"KIND", 24},
                                         {"FILM", 24},
                                         {"TITLE", 24},
                                         {"PLACE", 0}},
                                        findings_list,
                                        finding_line};
    return listing_run(args, &list);
}

// --- requests -----------------------------------------------------------------------------------------

static int requests_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct ingest_query query = {.state = args_text(args, "state", NULL),
                                 .limit = (int)args_number(args, "limit", 100)};
    return ingest_requests(tx, &query, ret);
}

static void request_line(const json_t *r, const char *cells[LISTING_COLUMNS],
                         struct buf *own)
{
    size_t count = json_array_size(json_object_get(r, "findings"));
    buf_printf(own, "%zu finding%s", count, count == 1 ? "" : "s");
    cells[0] = text(r, "id");
    cells[1] = text(r, "state");
    cells[2] = own->data ? own->data : "";
    cells[3] = text(r, "title");
}

static int requests_run(const struct args *args)
{
    static const struct listing list = {
        "requests",
        {{"ID", 36}, {"STATE", 8}, {"AGAINST", 12}, {"TITLE", 0}},
        requests_list,
        request_line};
    return listing_run(args, &list);
}

static const struct args_option titles_options[] = {
    {.name = "search", .kind = ARGS_TEXT, .value = "WORDS", .help = "With these words"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option deliveries_options[] = {
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "received|inspected|published|refused|review|failed",
     .help = "In this state"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option jobs_options[] = {
    {.name = "subject",
     .kind = ARGS_TEXT,
     .value = "SUBJECT",
     .help = "About this: delivery/ID"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
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
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option requests_options[] = {
    {.name = "state",
     .kind = ARGS_CHOICE,
     .value = "open|answered|closed",
     .help = "In this state"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "titles",
     .summary = "Lists titles",
     .operands = "",
     COMMAND_OPTIONS(titles_options),
     .run = titles_run},
    {.path = "deliveries",
     .summary = "Lists deliveries",
     .operands = "",
     COMMAND_OPTIONS(deliveries_options),
     .run = deliveries_run},
    {.path = "jobs",
     .summary = "Lists jobs, or shows the steps of one",
     .operands = "[ID]",
     .operand_kind = ARGS_TEXT,
     .operands_max = 1,
     COMMAND_OPTIONS(jobs_options),
     .run = jobs_run},
    {.path = "findings",
     .summary = "Lists what is wrong with what",
     .operands = "",
     COMMAND_OPTIONS(findings_options),
     .run = findings_run},
    {.path = "requests",
     .summary = "Lists redelivery requests",
     .operands = "",
     COMMAND_OPTIONS(requests_options),
     .run = requests_run},
};
const struct command_family lists_commands = {rows, ARRAY_LEN(rows)};
