// SPDX-License-Identifier: GPL-3.0-or-later
//
// titles, deliveries, jobs, findings, requests: what is there, for people or as JSON.
#include "app/commands.h"
#include "bus/bus.h"
#include "catalog/catalog.h"
#include "flow/flow.h"
#include "ingest/ingest.h"

#include <stdio.h>
#include <string.h>

typedef int list_f(struct store_tx *, const struct args *, json_t **ret);
typedef void line_f(const json_t *item);

// {"schema":1,"<name>":[…]}, or a line for each.
static int list_run(const struct args *args, const char *name, list_f *list, line_f *line)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *items = NULL, *all = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_READ, &tx);
    err = err < 0 ? err : list(tx, args, &items);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, name, items), &all);
        if (err == 0) {
            return command_print(all);
        }
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        line(json_array_get(items, i));
    }
    return ARGS_DONE;
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

static void title_line(const json_t *t)
{
    printf("%s  %-7s  %-6s  %s\n", text(t, "id"), text(t, "kind"), text(t, "quality"),
           text(t, "name"));
}

int titles_run(const struct args *args)
{
    return list_run(args, "titles", titles_list, title_line);
}

// --- deliveries -------------------------------------------------------------------------------------

static int deliveries_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct ingest_query query = {.state = args_text(args, "state", NULL),
                                 .limit = (int)args_number(args, "limit", 100)};
    return ingest_deliveries(tx, &query, ret);
}

static void delivery_line(const json_t *d)
{
    printf("%s  %-9s  %-8s  %s  %s\n", text(d, "id"), text(d, "state"),
           text(d, "verdict"), text(d, "title"), text(d, "file_name"));
}

int deliveries_run(const struct args *args)
{
    return list_run(args, "deliveries", deliveries_list, delivery_line);
}

// --- jobs -------------------------------------------------------------------------------------------

static int jobs_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    return flow_jobs(tx, args_text(args, "subject", NULL),
                     (int)args_number(args, "limit", 50), ret);
}

static void job_line(const json_t *job)
{
    printf("%s  %-9s %3d %%  %s%s%s\n", text(job, "id"), text(job, "state"),
           (int)(json_number_value(json_object_get(job, "progress")) * 100),
           text(job, "subject"), json_str_or(job, "error", NULL) ? "  " : "",
           json_str_or(job, "error", ""));
}

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
    if (err < 0) {
        return command_failed(args, err);
    }
    if (args_has(args, "json")) {
        return json_object_set_new(job, "schema", json_integer(1)) == 0
                   ? command_print(job)
                   : ARGS_FAILED;
    }
    job_line(job);
    const json_t *steps = json_object_get(job, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        step_line(json_array_get(steps, i));
    }
    return ARGS_DONE;
}

int jobs_run(const struct args *args)
{
    return args_operand_count(args) > 0 ? job_show(args)
                                        : list_run(args, "jobs", jobs_list, job_line);
}

// --- findings -----------------------------------------------------------------------------------------

static int findings_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct bus_finding_query query = {.subject = args_text(args, "subject", NULL),
                                      .kind = args_text(args, "kind", NULL),
                                      .state = args_text(args, "state", NULL),
                                      .limit = (int)args_number(args, "limit", 100)};
    return bus_findings_list(tx, &query, ret);
}

static void finding_line(const json_t *f)
{
    const json_t *frame = json_object_get(f, "start_frame");
    printf("%s  %-7s %-8s %-24s %s", text(f, "id"), text(f, "state"), text(f, "severity"),
           text(f, "kind"), text(f, "subject"));
    if (json_is_integer(frame)) {
        printf("  frame %lld", (long long)json_integer_value(frame));
    }
    printf("\n");
}

int findings_run(const struct args *args)
{
    return list_run(args, "findings", findings_list, finding_line);
}

// --- requests -----------------------------------------------------------------------------------------

static int requests_list(struct store_tx *tx, const struct args *args, json_t **ret)
{
    struct ingest_query query = {.state = args_text(args, "state", NULL),
                                 .limit = (int)args_number(args, "limit", 100)};
    return ingest_requests(tx, &query, ret);
}

static void request_line(const json_t *r)
{
    printf("%s  %-8s  %zu findings  %s\n", text(r, "id"), text(r, "state"),
           json_array_size(json_object_get(r, "findings")), text(r, "title"));
}

int requests_run(const struct args *args)
{
    return list_run(args, "requests", requests_list, request_line);
}
