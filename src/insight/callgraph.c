// SPDX-License-Identifier: GPL-3.0-or-later
//
// calls.yaml ─▶ its questions, put to the store ─▶ parts and calls (relate.h) ─▶ insight_blame ─▶ weights of signals
//
// Parts are named by the value of one tag. A part whose costs nobody measures is still on the way from its callers to its
// callees.
#include "insight/callgraph.h"

#include "insight/internal.h"
#include "insight/order.h"
#include "insight/relate.h"
#include "telemetry/telemetry.h"

#include "base/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 20000, COSTS_MAX = 8, PARTS_MAX = 5000, REACH = 120 };

struct callgraph_cost {
    char *name, *query;
};
struct callgraph_call {
    char *caller, *callee;
};
struct insight_callgraph {
    int64_t schema;
    char *part, *entry;
    char *requests;
    struct callgraph_cost *costs;
    uint32_t costs_count;
    struct callgraph_call *calls;
    uint32_t calls_count;
    char *pairs, *caller, *callee;
};

#define TEXT(key, type, member, flags, longest) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, longest)
#define OPTIONAL CYAML_FLAG_OPTIONAL

#define S struct callgraph_cost
static const cyaml_schema_field_t cost_fields[] = {
    TEXT("name", S, name, 0, 63), TEXT("query", S, query, 0, 8000), CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t cost_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct callgraph_cost, cost_fields)};
#define S struct callgraph_call
static const cyaml_schema_field_t call_fields[] = {TEXT("caller", S, caller, 0, 120),
                                                   TEXT("callee", S, callee, 0, 120),
                                                   CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t call_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct callgraph_call, call_fields)};
#define S struct insight_callgraph
static const cyaml_schema_field_t graph_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, S, schema),
    TEXT("part", S, part, 0, 60),
    TEXT("entry", S, entry, OPTIONAL, 120),
    TEXT("requests", S, requests, 0, 8000),
    CYAML_FIELD_SEQUENCE("costs", CYAML_FLAG_POINTER, S, costs, &cost_schema, 1,
                         COSTS_MAX),
    CYAML_FIELD_SEQUENCE("calls", CYAML_FLAG_POINTER | OPTIONAL, S, calls, &call_schema,
                         0, CALLS_MAX),
    TEXT("pairs", S, pairs, OPTIONAL, 8000),
    TEXT("caller", S, caller, OPTIONAL, 60),
    TEXT("callee", S, callee, OPTIONAL, 60),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t graph_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct insight_callgraph, graph_fields)};

void insight_callgraph_free(struct insight_callgraph **g)
{
    yaml_data_free(&graph_schema, TAKE(*g), 0);
}

static int check_query(const char *query, struct str yaml, const char *path,
                       const char *file, struct diag *diag)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const struct telemetry_expr *parsed = NULL;
    TRY(arena_new(&arena));
    if (telemetry_stack_parse(str_of(query), arena, &parsed) < 0) {
        diag_add(diag, file, yaml_line_of(yaml, path), "%s", err_reason());
    }
    return 0;
}

int insight_callgraph_parse(struct str yaml, const char *file,
                            struct insight_callgraph **ret, struct diag *diag)
{
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &graph_schema, &loaded, NULL, diag));
    AUTO(insight_callgraph_free) struct insight_callgraph *g = loaded;
    if (g->schema != 1) {
        diag_add(diag, file, yaml_line_of(yaml, "schema"), "schema 1 is known");
    }
    if (g->calls_count == 0 && !g->pairs) {
        diag_add(diag, file, 1, "calls lists them, or pairs asks for a line for each");
    }
    if (g->pairs && (!g->caller || !g->callee)) {
        diag_add(diag, file, yaml_line_of(yaml, "pairs"),
                 "caller and callee name the tags of the lines of pairs");
    }
    TRY(check_query(g->requests, yaml, "requests", file, diag));
    TRY(g->pairs ? check_query(g->pairs, yaml, "pairs", file, diag) : 0);
    for (size_t i = 0; i < g->costs_count; i++) {
        AUTO(cstr_free) char *path = NULL;
        TRY(cstr_printf(&path, "costs/%zu/query", i));
        TRY(check_query(g->costs[i].query, yaml, path, file, diag));
    }
    TRY(diag->items.len ? diag_fail(diag, ERR_INVALID) : 0);
    *ret = TAKE(g);
    return 0;
}

// --- the system at that time ------------------------------------------------------------------------

struct scene {
    struct telemetry *store;
    const struct insight_callgraph *graph;
    const struct insight_callgraph_question *q;
    struct arena *arena;
    const double *nothing; // no values
    VEC(struct insight_part) parts;
    VEC(struct insight_call) calls;
};

static void scene_free(struct scene *s)
{
    vec_free(&s->parts);
    vec_free(&s->calls);
    arena_free(&s->arena);
}

static int part_of(struct scene *s, struct str name, size_t *ret)
{
    for (size_t i = 0; i < s->parts.len; i++) {
        if (str_eq_c(name, s->parts.data[i].name)) {
            *ret = i;
            return 0;
        }
    }
    FAIL_IF(s->parts.len == PARTS_MAX, ERR_LIMIT, "more than %d parts", PARTS_MAX);
    const char *kept = arena_dup(s->arena, name);
    FAIL_IF(!kept, ERR_NOMEM, "a part");
    const struct insight_part part = {kept, s->nothing, s->nothing};
    *ret = s->parts.len;
    return vec_push(&s->parts, part);
}

static struct str tag_of(const struct telemetry_tags *tags, const char *key)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq_c(tags->list[i].key, key)) {
            return tags->list[i].value;
        }
    }
    return (struct str){0};
}

static int ask(const struct scene *s, const char *query, struct telemetry_answer *ret)
{
    const struct telemetry_expr *parsed = NULL;
    TRY(telemetry_stack_parse(str_of(query), s->arena, &parsed));
    return telemetry_evaluate(s->store, parsed, s->q->span, s->arena, ret);
}

static int read_requests(struct scene *s)
{
    struct telemetry_answer a = {0};
    TRY(ask(s, s->graph->requests, &a));
    for (size_t i = 0; i < a.count; i++) {
        struct str name = tag_of(&a.lines[i].tags, s->graph->part);
        size_t part = 0;
        if (name.len > 0) {
            TRY(part_of(s, name, &part));
            s->parts.data[part].calls = a.lines[i].values;
        }
    }
    return 0;
}

static int read_costs(struct scene *s, const char *query)
{
    struct telemetry_answer a = {0};
    TRY(ask(s, query, &a));
    vec_for_each (part, &s->parts) {
        part->cost = s->nothing;
    }
    for (size_t i = 0; i < a.count; i++) {
        struct str name = tag_of(&a.lines[i].tags, s->graph->part);
        size_t part = 0;
        if (name.len > 0) {
            TRY(part_of(s, name, &part));
            s->parts.data[part].cost = a.lines[i].values;
        }
    }
    return 0;
}

static int add_call(struct scene *s, struct str caller, struct str callee)
{
    struct insight_call call;
    if (caller.len == 0 || callee.len == 0 || str_eq(caller, callee)) {
        return 0;
    }
    FAIL_IF(s->calls.len == CALLS_MAX, ERR_LIMIT, "more than %d calls", CALLS_MAX);
    TRY(part_of(s, caller, &call.caller));
    TRY(part_of(s, callee, &call.callee));
    vec_for_each (known, &s->calls) {
        if (known->caller == call.caller && known->callee == call.callee) {
            return 0;
        }
    }
    return vec_push(&s->calls, call);
}

static int read_calls(struct scene *s)
{
    const struct insight_callgraph *g = s->graph;
    struct telemetry_answer a = {0};
    for (size_t i = 0; i < g->calls_count; i++) {
        TRY(add_call(s, str_of(g->calls[i].caller), str_of(g->calls[i].callee)));
    }
    TRY(g->pairs ? ask(s, g->pairs, &a) : 0);
    for (size_t i = 0; i < a.count; i++) {
        TRY(add_call(s, tag_of(&a.lines[i].tags, g->caller),
                     tag_of(&a.lines[i].tags, g->callee)));
    }
    return 0;
}

// How clearly the target's cost changed, in spreads of before.
static int clarity(const struct scene *s, size_t target, double *ret)
{
    const double *x = s->parts.data[target].cost;
    double *scratch = arena_alloc(s->arena, s->q->span->count, sizeof *scratch);
    FAIL_IF(!scratch, ERR_NOMEM, "a cost");
    size_t before = 0, after = 0;
    *ret = -1;
    for (size_t i = 0; i < s->q->changed; i++) {
        if (isfinite(x[i])) {
            scratch[before++] = x[i];
        }
    }
    if (before == 0) {
        return 0;
    }
    double usual = insight_median(scratch, before);
    double spread = insight_spread(scratch, before, usual);
    for (size_t i = s->q->changed; i < s->q->span->count; i++) {
        if (isfinite(x[i])) {
            scratch[after++] = x[i];
        }
    }
    if (after > 0) {
        *ret = fabs(insight_median(scratch, after) - usual) /
               fmax(spread, 1e-3 * fabs(usual) + 1e-12);
    }
    return 0;
}

// --- as JSON ----------------------------------------------------------------------------------------

static int blames_json(const struct scene *s, const struct insight_blames *blames,
                       json_t *parts, json_t *others)
{
    bool *listed = arena_alloc(s->arena, s->parts.len + 1, sizeof *listed);
    FAIL_IF(!listed, ERR_NOMEM, "blame");
    memset(listed, 0, s->parts.len + 1);
    for (size_t i = 0; i < blames->count; i++) {
        const struct insight_blame *b = &blames->list[i];
        listed[b->part] = true;
        json_t *one =
            json_pack("{s:s, s:f, s:f, s:f}", "part", s->parts.data[b->part].name, "own",
                      b->own, "whole", b->whole, "share", b->share);
        FAIL_IF(json_array_append_new(parts, one) < 0, ERR_NOMEM, "blame");
    }
    for (size_t i = 0; i < s->parts.len; i++) {
        FAIL_IF(!listed[i] &&
                    json_array_append_new(others, json_string(s->parts.data[i].name)) < 0,
                ERR_NOMEM, "blame");
    }
    return 0;
}

static int judge(struct scene *s, size_t target, size_t cost, json_t **ret)
{
    AUTO(insight_blames_free) struct insight_blames blames = {0};
    AUTO(json_free) json_t *parts = json_array(), *others = json_array();
    TRY(read_costs(s, s->graph->costs[cost].query));
    const struct insight_calls system = {.parts = s->parts.data,
                                         .part_count = s->parts.len,
                                         .length = s->q->span->count,
                                         .calls = s->calls.data,
                                         .call_count = s->calls.len};
    size_t changed = s->q->changed;
    const struct insight_window window = {.since = changed > REACH ? changed - REACH : 0,
                                          .changed = changed,
                                          .end = MIN(changed + REACH, s->q->span->count)};
    TRY(insight_blame(&system, target, &window, &blames));
    TRY(blames_json(s, &blames, parts, others));
    return json_made(json_pack("{s:s, s:s, s:s, s:O, s:O}", "target",
                               s->parts.data[target].name, "cost",
                               s->graph->costs[cost].name, "tag", s->graph->part, "parts",
                               parts, "others", others),
                     ret);
}

int insight_callgraph_ask(struct telemetry *store, const struct insight_callgraph *g,
                          const struct insight_callgraph_question *q, json_t **ret)
{
    AUTO(scene_free) struct scene s = {.store = store, .graph = g, .q = q};
    const char *meant = q->tags ? json_str_or(q->tags, g->part, g->entry) : g->entry;
    size_t target = 0, best = 0;
    double clearest = -1;
    if (!meant || q->changed == 0 || q->changed >= q->span->count) {
        *ret = json_null();
        return 0;
    }
    TRY(arena_new(&s.arena));
    double *nothing = arena_alloc(s.arena, q->span->count, sizeof *nothing);
    FAIL_IF(!nothing, ERR_NOMEM, "a call graph");
    for (size_t i = 0; i < q->span->count; i++) {
        nothing[i] = NAN;
    }
    s.nothing = nothing;
    TRY(part_of(&s, str_of(meant), &target));
    TRY(read_requests(&s));
    TRY(read_calls(&s));
    for (size_t i = 0; i < g->costs_count; i++) {
        double clear = 0;
        TRY(read_costs(&s, g->costs[i].query));
        TRY(clarity(&s, target, &clear));
        if (clear > clearest) {
            clearest = clear;
            best = i;
        }
    }
    if (clearest < 0) {
        *ret = json_null();
        return 0;
    }
    return judge(&s, target, best, ret);
}

double insight_callgraph_weight(const json_t *calls, const json_t *tags,
                                const char **ret_part, double *ret_share)
{
    const json_t *parts = json_object_get(calls, "parts");
    const json_t *others = json_object_get(calls, "others");
    const char *own = json_is_object(tags)
                          ? json_str_or(tags, json_str_or(calls, "tag", ""), NULL)
                          : NULL;
    *ret_part = NULL;
    *ret_share = NAN;
    bool any = false;
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        double share = json_number_value(json_object_get(part, "share"));
        any = any || share > 0;
        if (own && strcmp(own, json_str_or(part, "part", "")) == 0) {
            *ret_part = own;
            *ret_share = share;
        }
    }
    for (size_t i = 0; own && !*ret_part && i < json_array_size(others); i++) {
        const char *other = json_string_value(json_array_get(others, i));
        *ret_part = other && strcmp(own, other) == 0 ? own : NULL;
    }
    if (!any) {
        return 1;
    }
    return !*ret_part ? 0.5 : isnan(*ret_share) ? 0.25 : 0.25 + 0.75 * *ret_share;
}
