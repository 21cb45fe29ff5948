// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/agent.h"

#include <string.h>

enum { RUNBOOKS_MAX = 1000, WORDS_MAX = 64 };

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define TEXT(key, type, member, flags, longest) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, longest)
#define WORDS(key, type, member, flags)                                             \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | (flags), type, member, &word, 1, \
                         WORDS_MAX)
static const cyaml_schema_value_t word = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4000)};
#define S struct agent_runbook
static const cyaml_schema_field_t runbook_fields[] = {
    TEXT("name", S, name, 0, 63), WORDS("run", S, run, 0), WORDS("env", S, env, OPTIONAL),
    CYAML_FIELD_INT("most_s", OPTIONAL, S, most_s), CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t runbook_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct agent_runbook, runbook_fields)};
#define S struct agent_config
static const cyaml_schema_field_t config_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, S, schema),
    TEXT("service", S, service, 0, 2000),
    TEXT("token_file", S, token_file, 0, 4000),
    TEXT("folder", S, folder, 0, 4000),
    CYAML_FIELD_BOOL("plain_http", OPTIONAL, S, plain_http),
    CYAML_FIELD_SEQUENCE("runbooks", CYAML_FLAG_POINTER, S, runbooks, &runbook_schema, 0,
                         RUNBOOKS_MAX),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct agent_config, config_fields)};

void agent_config_free(struct agent_config **config)
{
    yaml_data_free(&config_schema, TAKE(*config), 0);
}

static bool is_this_machine(struct str url)
{
    static const char *const near[] = {"http://127.0.0.1", "http://localhost",
                                       "http://[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(near); i++) {
        size_t len = strlen(near[i]);
        if (str_starts(url, near[i]) &&
            (url.len == len || url.data[len] == ':' || url.data[len] == '/')) {
            return true;
        }
    }
    return false;
}

// What is wrong; NULL: nothing.
static const char *mistake(const struct agent_config *c)
{
    struct str url = str_of(c->service);
    bool secret = str_starts(url, "https://");
    bool plain = str_starts(url, "http://") && (c->plain_http || is_this_machine(url));
    return c->schema != 1      ? "schema 1 is known"
           : !str_is_line(url) ? "service is an address"
           : !secret && !plain ? "service is an https address: the token must not be "
                                 "seen (plain_http: true allows http)"
           : c->folder[0] != '/' || c->token_file[0] != '/'
               ? "folder and token_file are paths from the root"
               : NULL;
}

static const char *runbook_mistake(const struct agent_config *c, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (strcmp(c->runbooks[k].name, c->runbooks[i].name) == 0) {
            return "two runbooks have the same name";
        }
    }
    return c->runbooks[i].run[0][0] != '/' ? "run names a program by a path from the root"
           : c->runbooks[i].most_s < 0 || c->runbooks[i].most_s > 86400
               ? "most_s is out of range"
               : NULL;
}

int agent_config_parse(struct str yaml, const char *file, struct agent_config **ret,
                       struct diag *diag)
{
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &config_schema, &loaded, NULL, diag));
    AUTO(agent_config_free) struct agent_config *c = loaded;
    const char *what = mistake(c);
    if (what) {
        diag_add(diag, file, 1, "%s", what);
    }
    for (uint32_t i = 0; i < c->runbooks_count; i++) {
        AUTO(cstr_free) char *path = NULL;
        what = runbook_mistake(c, i);
        TRY(cstr_printf(&path, "runbooks/%u", i));
        if (what) {
            diag_add(diag, file, yaml_line_of(yaml, path), "%s", what);
        }
    }
    if (diag->items.len) {
        return diag_fail(diag, ERR_INVALID);
    }
    *ret = TAKE(c);
    return 0;
}
