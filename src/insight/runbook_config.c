// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runbooks as libcyaml loads them, what a schema cannot see, and their filters as rules of bus.
#include "insight/runbook_parts.h"

#include <stdlib.h>
#include <string.h>

enum { RUNBOOKS_MAX = 1000, WORDS_MAX = 64, ON_MAX = 32, WHERE_MAX = 32 };

struct runbooks_yaml {
    int64_t schema;
    struct insight_runbook *runbooks;
    uint32_t runbooks_count;
};
struct follow {
    struct bus_rule rule; // borrows from the yaml
    struct bus_rule_pair with;
    char *name;
};
struct insight_runbooks {
    struct runbooks_yaml *yaml;
    VEC(struct follow *) follows;
};

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define TEXT(key, type, member, flags, longest) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, longest)
#define NUMBER(key, type, member) CYAML_FIELD_INT(key, OPTIONAL, type, member)
#define WORDS(key, type, member)                                                     \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | OPTIONAL, type, member, &word, 1, \
                         WORDS_MAX)

static const cyaml_schema_value_t word = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4000)};
static const cyaml_strval_t places[] = {{"here", INSIGHT_HERE},
                                        {"agent", INSIGHT_AT_AGENT}};
static const cyaml_schema_field_t pair_fields[] = {
    TEXT("name", struct bus_rule_pair, name, 0, 200),
    TEXT("is", struct bus_rule_pair, is, 0, 4000), CYAML_FIELD_END};
static const cyaml_schema_value_t pair_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct bus_rule_pair, pair_fields)};
static const cyaml_schema_field_t on_fields[] = {
    TEXT("type", struct bus_rule, type, 0, 200),
    TEXT("subject", struct bus_rule, subject, OPTIONAL, 200),
    TEXT("key", struct bus_rule, key, OPTIONAL, 200),
    CYAML_FIELD_SEQUENCE("where", CYAML_FLAG_POINTER | OPTIONAL, struct bus_rule, where,
                         &pair_schema, 0, WHERE_MAX),
    NUMBER("count", struct bus_rule, count),
    NUMBER("within_s", struct bus_rule, within_s),
    NUMBER("quiet_s", struct bus_rule, quiet_s),
    CYAML_FIELD_END};
static const cyaml_schema_value_t on_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct bus_rule, on_fields)};

#define S struct insight_runbook_retries
static const cyaml_schema_field_t retries_fields[] = {
    NUMBER("count", S, count), NUMBER("base_ms", S, base_ms), NUMBER("cap_ms", S, cap_ms),
    CYAML_FIELD_END};
#undef S
#define S struct insight_runbook_approval
static const cyaml_schema_field_t approval_fields[] = {
    CYAML_FIELD_BOOL("needed", OPTIONAL, S, needed), NUMBER("expires_s", S, expires_s),
    CYAML_FIELD_END};
#undef S
#define S struct insight_runbook
static const cyaml_schema_field_t runbook_fields[] = {
    TEXT("name", S, name, 0, INSIGHT_NAME_MAX),
    TEXT("about", S, about, OPTIONAL, 500),
    WORDS("run", S, run),
    CYAML_FIELD_SEQUENCE("on", CYAML_FLAG_POINTER | OPTIONAL, S, on, &on_schema, 0,
                         ON_MAX),
    TEXT("target", S, target, OPTIONAL, RUN_TEXT_MAX),
    TEXT("key", S, key, OPTIONAL, RUN_TEXT_MAX),
    TEXT("server", S, server, OPTIONAL, RUN_TEXT_MAX),
    CYAML_FIELD_ENUM("where", CYAML_FLAG_STRICT | OPTIONAL, S, where, places,
                     ARRAY_LEN(places)),
    NUMBER("timeout_s", S, timeout_s),
    NUMBER("wait_s", S, wait_s),
    NUMBER("stdout_bytes", S, stdout_bytes),
    NUMBER("stderr_bytes", S, stderr_bytes),
    CYAML_FIELD_MAPPING_PTR("retries", CYAML_FLAG_POINTER | OPTIONAL, S, retries,
                            retries_fields),
    CYAML_FIELD_MAPPING("approval", OPTIONAL, S, approval, approval_fields),
    CYAML_FIELD_BOOL("dry_run", OPTIONAL, S, dry_run),
    WORDS("env", S, env),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t runbook_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct insight_runbook, runbook_fields)};
static const cyaml_schema_field_t file_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct runbooks_yaml, schema),
    CYAML_FIELD_SEQUENCE("runbooks", CYAML_FLAG_POINTER, struct runbooks_yaml, runbooks,
                         &runbook_schema, 0, RUNBOOKS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t file_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct runbooks_yaml, file_fields)};

static void follow_free(struct follow *f)
{
    cstr_free(&f->name);
    free(f);
}

void insight_runbooks_free(struct insight_runbooks **runbooks)
{
    struct insight_runbooks *r = TAKE(*runbooks);
    if (!r) {
        return;
    }
    vec_for_each (f, &r->follows) {
        follow_free(*f);
    }
    vec_free(&r->follows);
    yaml_data_free(&file_schema, r->yaml, 0);
    free(r);
}

// --- what a schema cannot see -----------------------------------------------------------------------

static void usual(struct insight_runbook *r)
{
    r->timeout_s = r->timeout_s ? r->timeout_s : 60;
    r->wait_s = r->wait_s ? r->wait_s : 600;
    r->stdout_bytes = r->stdout_bytes ? r->stdout_bytes : 1 << 20;
    r->stderr_bytes = r->stderr_bytes ? r->stderr_bytes : 64 << 10;
    r->approval.expires_s = r->approval.expires_s ? r->approval.expires_s : 1800;
    if (r->retries) {
        r->retries->base_ms = r->retries->base_ms ? r->retries->base_ms : 1000;
        r->retries->cap_ms = r->retries->cap_ms ? r->retries->cap_ms : 60000;
    }
}

static bool is_name(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return text[strspn(text, letters)] == '\0' && text[0] != '.';
}

static bool is_variable(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return *text && text[strspn(text, letters)] == '\0' &&
           strncmp(text, "MARQUEE_RUNBOOK_", 16) != 0;
}

static bool numbers_fit(const struct insight_runbook *r)
{
    const struct insight_runbook_retries *t = r->retries;
    return r->timeout_s >= 1 && r->timeout_s <= 86400 && r->wait_s >= 1 &&
           r->wait_s <= 7 * 86400 && r->stdout_bytes >= 1024 &&
           r->stdout_bytes <= 1 << 20 && r->stderr_bytes >= 1 &&
           r->stderr_bytes <= 64 << 10 && r->approval.expires_s >= 1 &&
           r->approval.expires_s <= 30 * 86400 &&
           (!t || (t->count >= 0 && t->count <= 20 && t->base_ms >= 1 &&
                   t->cap_ms >= t->base_ms && t->cap_ms <= 86400000));
}

// What is wrong; NULL: nothing.
static const char *mistake(const struct runbooks_yaml *all, size_t i)
{
    const struct insight_runbook *r = &all->runbooks[i];
    for (size_t k = 0; k < i; k++) {
        if (strcmp(all->runbooks[k].name, r->name) == 0) {
            return "two runbooks have the same name";
        }
    }
    for (uint32_t k = 0; k < r->env_count; k++) {
        if (!is_variable(r->env[k])) {
            return "env holds names of variables";
        }
    }
    return !is_name(r->name) ? "a name has letters, digits, '-', '_' and '.'"
           : r->where == INSIGHT_HERE && (!r->run_count || r->run[0][0] != '/')
               ? "run names a program by a path from the root, then its arguments"
           : r->where == INSIGHT_AT_AGENT && (r->run_count || r->env_count)
               ? "what an agent runs, and with which env, its own file says"
           : r->where == INSIGHT_HERE && r->server ? "server belongs to where: agent"
           : !numbers_fit(r)                       ? "a number is out of range"
                                                   : NULL;
}

static int check(const struct insight_runbooks *r, struct str yaml, const char *file,
                 struct diag *diag)
{
    if (r->yaml->schema != 1) {
        diag_add(diag, file, yaml_line_of(yaml, "schema"), "schema 1 is known");
    }
    for (size_t i = 0; i < r->yaml->runbooks_count; i++) {
        AUTO(cstr_free) char *path = NULL;
        usual(&r->yaml->runbooks[i]);
        const char *what = mistake(r->yaml, i);
        TRY(cstr_printf(&path, "runbooks/%zu", i));
        if (what) {
            diag_add(diag, file, yaml_line_of(yaml, path), "%s", what);
        }
    }
    return diag->items.len ? diag_fail(diag, ERR_INVALID) : 0;
}

static int follow_one(struct insight_runbooks *all, const struct insight_runbook *r,
                      uint32_t i)
{
    static char action[] = "runbook", word_of[] = "runbook";
    struct follow *f = calloc(1, sizeof *f);
    FAIL_IF(!f, ERR_NOMEM, "a runbook");
    int err = cstr_printf(&f->name, "runbook/%s/%u", r->name, i);
    err = err < 0 ? err : vec_push(&all->follows, f);
    if (err < 0) {
        follow_free(f);
        return err;
    }
    f->rule = r->on[i];
    f->with = (struct bus_rule_pair){word_of, r->name};
    f->rule.name = f->name;
    f->rule.action = action;
    f->rule.with = &f->with;
    f->rule.with_count = 1;
    return 0;
}

static int only_check(const json_t *with)
{
    (void)with;
    return 0;
}

// As rules, so that what is wrong with a filter is said now.
static int check_filters(struct insight_runbooks *all, struct str yaml, const char *file,
                         struct diag *diag)
{
    static const struct bus_rule_action action = {"runbook", only_check, NULL};
    AUTO(bus_rules_free) struct bus_rules *rules = NULL;
    TRY(bus_rules_new(&rules,
                      &(struct bus_rules_config){.actions = &action, .action_count = 1}));
    for (size_t i = 0; i < all->yaml->runbooks_count; i++) {
        const struct insight_runbook *r = &all->yaml->runbooks[i];
        for (uint32_t k = 0; k < r->on_count; k++) {
            AUTO(cstr_free) char *path = NULL;
            TRY(follow_one(all, r, k));
            int err =
                bus_rules_add(rules, &all->follows.data[all->follows.len - 1]->rule);
            TRY(cstr_printf(&path, "runbooks/%zu/on/%u", i, k));
            if (err < 0) {
                diag_add(diag, file, yaml_line_of(yaml, path), "%s", err_reason());
            }
        }
    }
    return diag->items.len ? diag_fail(diag, ERR_INVALID) : 0;
}

int insight_runbooks_parse(struct str yaml, const char *file,
                           struct insight_runbooks **ret, struct diag *diag)
{
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &file_schema, &loaded, NULL, diag));
    AUTO(insight_runbooks_free) struct insight_runbooks *r = calloc(1, sizeof *r);
    if (!r) {
        yaml_data_free(&file_schema, loaded, 0);
        FAIL(ERR_NOMEM, "runbooks");
    }
    r->yaml = loaded;
    TRY(check(r, yaml, file, diag));
    TRY(check_filters(r, yaml, file, diag));
    *ret = TAKE(r);
    return 0;
}

// --- use ---------------------------------------------------------------------------------------------

size_t insight_runbook_count(const struct insight_runbooks *all)
{
    return all->yaml->runbooks_count;
}

const struct insight_runbook *insight_runbook_at(const struct insight_runbooks *all,
                                                 size_t i)
{
    return &all->yaml->runbooks[i];
}

const struct insight_runbook *insight_runbook_find(const struct insight_runbooks *all,
                                                   const char *name)
{
    for (size_t i = 0; i < insight_runbook_count(all); i++) {
        if (strcmp(insight_runbook_at(all, i)->name, name) == 0) {
            return insight_runbook_at(all, i);
        }
    }
    return NULL;
}

int insight_runbooks_follow(const struct insight_runbooks *all, struct bus_rules *rules)
{
    vec_for_each (f, &all->follows) {
        TRY(bus_rules_add(rules, &(*f)->rule));
    }
    return 0;
}

static int action_check(const json_t *with)
{
    FAIL_IF(!json_str_or(with, "runbook", NULL), ERR_INVALID,
            "runbook wants runbook: its name");
    return 0;
}

// What runbooks tell sets none off: a runbook that listened to all would run for ever.
static bool is_of_a_runbook(const json_t *event)
{
    const json_t *data = json_object_get(event, "data");
    return str_starts(str_of(json_str_or(event, "type", "")), "run.") ||
           (str_starts(str_of(json_str_or(event, "subject", "")), "job/") &&
            strcmp(json_str_or(data, "workflow", ""), RUNBOOK_WORKFLOW) == 0);
}

static int action_act(struct store_tx *tx, const json_t *event, const json_t *with,
                      const char *dedupe, void *user)
{
    const char *name = json_str_or(with, "runbook", "");
    const struct insight_runbook *runbook =
        user ? insight_runbook_find(user, name) : NULL;
    char id[UUID_BYTES];
    FAIL_IF(!runbook, ERR_NOT_FOUND, "there is no runbook %s", name);
    if (is_of_a_runbook(event)) {
        return 0;
    }
    int err = insight_run_ask(
        tx,
        &(struct insight_run_wish){.runbook = runbook, .event = event, .rule = dedupe},
        id);
    return err < 0 ? err : 0;
}

const struct bus_rule_action insight_runbook_action = {"runbook", action_check,
                                                       action_act};
