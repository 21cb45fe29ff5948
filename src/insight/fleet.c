// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clusters as libcyaml loads them; then what a schema cannot see: numbers that contradict each other,
// drivers without what they need, texts that would end up in a configuration file.
#include "insight/fields.h"
#include "insight/internal.h"

#include <stdlib.h>
#include <string.h>

enum { CLUSTERS_MAX = 1000, SERVERS_MAX = 20000, PROBES_MAX = 32 };
#define FLEET_MAX_BYTES (4u << 20)

static const cyaml_schema_value_t word = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4000)};

static const cyaml_strval_t actions[] = {{"notify", INSIGHT_NOTIFY},
                                         {"remove", INSIGHT_REMOVE},
                                         {"terminate", INSIGHT_TERMINATE}};
static const cyaml_strval_t discoveries[] = {{"none", INSIGHT_DISCOVERY_NONE},
                                             {"nginx", INSIGHT_DISCOVERY_NGINX},
                                             {"exec", INSIGHT_DISCOVERY_EXEC},
                                             {"webhook", INSIGHT_DISCOVERY_WEBHOOK},
                                             {"slurm", INSIGHT_DISCOVERY_SLURM}};
static const cyaml_strval_t jobs[] = {{"finish", INSIGHT_JOBS_FINISH},
                                      {"requeue", INSIGHT_JOBS_REQUEUE}};
static const cyaml_strval_t lives[] = {{"none", INSIGHT_LIFE_NONE},
                                       {"process", INSIGHT_LIFE_PROCESS},
                                       {"systemd", INSIGHT_LIFE_SYSTEMD},
                                       {"exec", INSIGHT_LIFE_EXEC}};

#define S struct insight_server
static const cyaml_schema_field_t server_fields[] = {
    TEXT("name", S, name, 0, INSIGHT_NAME_MAX),
    TEXT("address", S, address, OPTIONAL, 255),
    TEXT("pid_file", S, pid_file, OPTIONAL, 4000),
    TEXT("unit", S, unit, OPTIONAL, 255),
    TEXT("node", S, node, OPTIONAL, 255),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t server_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct insight_server, server_fields)};

#define S struct insight_guards
static const cyaml_schema_field_t guard_fields[] = {
    NUMBER("max_share_percent", S, max_share_percent),
    NUMBER("min_left", S, min_left),
    NUMBER("max_at_once", S, max_at_once),
    NUMBER("max_per_hour", S, max_per_hour),
    NUMBER("cooldown_s", S, cooldown_s),
    NUMBER("min_peers", S, min_peers),
    NUMBER("outlier_percent", S, outlier_percent),
    NUMBER("max_age_s", S, max_age_s),
    NUMBER("watch_s", S, watch_s),
    NUMBER("approval_life_s", S, approval_life_s),
    CYAML_FIELD_BOOL("approval", OPTIONAL, S, approval),
    CYAML_FIELD_BOOL("dry_run", OPTIONAL, S, dry_run),
    CYAML_FIELD_END};
#undef S

#define S struct insight_discovery
static const cyaml_schema_field_t discovery_fields[] = {
    CYAML_FIELD_ENUM("driver", CYAML_FLAG_STRICT, S, driver, discoveries,
                     ARRAY_LEN(discoveries)),
    CYAML_FIELD_ENUM("jobs", CYAML_FLAG_STRICT | OPTIONAL, S, jobs, jobs,
                     ARRAY_LEN(jobs)),
    TEXT("file", S, file, OPTIONAL, 4000),
    TEXT("program", S, program, OPTIONAL, 4000),
    TEXT("config", S, config, OPTIONAL, 4000),
    TEXT("prefix", S, prefix, OPTIONAL, 4000),
    TEXT("pid_file", S, pid_file, OPTIONAL, 4000),
    TEXT("url", S, url, OPTIONAL, 2000),
    TEXT("secret_file", S, secret_file, OPTIONAL, 4000),
    WORDS("run", S, run),
    CYAML_FIELD_END};
#undef S

#define S struct insight_life
static const cyaml_schema_field_t life_fields[] = {
    CYAML_FIELD_ENUM("driver", CYAML_FLAG_STRICT, S, driver, lives, ARRAY_LEN(lives)),
    WORDS("start", S, start), WORDS("run", S, run), NUMBER("stop_s", S, stop_s),
    CYAML_FIELD_END};
#undef S

#define S struct insight_health
static const cyaml_schema_field_t health_fields[] = {
    TEXT("url", S, url, OPTIONAL, 2000), WORDS("run", S, run),
    NUMBER("within_s", S, within_s), CYAML_FIELD_END};
#undef S

#define S struct insight_probe
static const cyaml_schema_field_t probe_fields[] = {
    TEXT("name", S, name, 0, INSIGHT_NAME_MAX),
    CYAML_FIELD_SEQUENCE("run", CYAML_FLAG_POINTER, S, run, &word, 1, WORDS_MAX),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t probe_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct insight_probe, probe_fields)};

#define S struct insight_cluster
static const cyaml_schema_field_t cluster_fields[] = {
    TEXT("name", S, name, 0, INSIGHT_NAME_MAX),
    TEXT("owner", S, owner, 0, 254),
    TEXT("page", S, page, OPTIONAL, 2000),
    TEXT("page_secret_file", S, page_secret_file, OPTIONAL, 4000),
    CYAML_FIELD_ENUM("action", CYAML_FLAG_STRICT | OPTIONAL, S, action, actions,
                     ARRAY_LEN(actions)),
    NUMBER("expected_outliers", S, expected_outliers),
    WORDS("signals", S, signals),
    TEXT("server_tag", S, server_tag, OPTIONAL, 60),
    CYAML_FIELD_SEQUENCE("servers", CYAML_FLAG_POINTER, S, servers, &server_schema, 1,
                         SERVERS_MAX),
    CYAML_FIELD_MAPPING("discovery", OPTIONAL, S, discovery, discovery_fields),
    CYAML_FIELD_MAPPING("life", OPTIONAL, S, life, life_fields),
    CYAML_FIELD_MAPPING("health", OPTIONAL, S, health, health_fields),
    CYAML_FIELD_SEQUENCE("forensics", CYAML_FLAG_POINTER | OPTIONAL, S, forensics,
                         &probe_schema, 0, PROBES_MAX),
    NUMBER("drain_s", S, drain_s),
    CYAML_FIELD_MAPPING("guards", OPTIONAL, S, guards, guard_fields),
    CYAML_FIELD_END};
#undef S
static const cyaml_schema_value_t cluster_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct insight_cluster, cluster_fields)};

static const cyaml_schema_field_t everywhere_fields[] = {
    NUMBER("max_at_once", struct insight_everywhere, max_at_once),
    NUMBER("max_per_hour", struct insight_everywhere, max_per_hour), CYAML_FIELD_END};
static const cyaml_schema_field_t fleet_fields[] = {
    CYAML_FIELD_INT("schema", CYAML_FLAG_DEFAULT, struct insight_fleet, schema),
    CYAML_FIELD_MAPPING("everywhere", OPTIONAL, struct insight_fleet, everywhere,
                        everywhere_fields),
    CYAML_FIELD_SEQUENCE("clusters", CYAML_FLAG_POINTER, struct insight_fleet, clusters,
                         &cluster_schema, 0, CLUSTERS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t fleet_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct insight_fleet, fleet_fields)};

const char *insight_action_name(enum insight_action action)
{
    return actions[action].str;
}

void insight_fleet_free(struct insight_fleet **fleet)
{
    yaml_data_free(&fleet_schema, TAKE(*fleet), 0);
}

// --- what the schema cannot see ------------------------------------------------------------------------

struct reading {
    struct str text;
    const char *file;
    struct diag *diag;
    size_t cluster;
};

static void complain(const struct reading *r, const char *at, const char *what)
{
    AUTO(cstr_free) char *path = NULL;
    int line = cstr_printf(&path, "clusters/%zu%s%s", r->cluster, *at ? "/" : "", at) == 0
                   ? yaml_line_of(r->text, path)
                   : 0;
    diag_add(r->diag, r->file, line, "%s", what);
}

static bool only(const char *text, const char *more)
{
    for (const char *p = text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9');
        if (!plain && !strchr(more, *p)) {
            return false;
        }
    }
    return *text != '\0';
}

static void set_usual(struct insight_cluster *c)
{
    struct insight_guards *g = &c->guards;
    struct {
        int64_t *value, usual;
    } all[] = {
        {&g->max_share_percent, 10}, {&g->min_left, 1},     {&g->max_at_once, 1},
        {&g->max_per_hour, 3},       {&g->cooldown_s, 600}, {&g->min_peers, 5},
        {&g->outlier_percent, 20},   {&g->max_age_s, 180},  {&g->watch_s, 1800},
        {&g->approval_life_s, 3600}, {&c->life.stop_s, 10}, {&c->health.within_s, 60}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        *all[i].value = *all[i].value == 0 ? all[i].usual : *all[i].value;
    }
}

static void check_guards(const struct reading *r, const struct insight_cluster *c)
{
    const struct insight_guards *g = &c->guards;
    const struct {
        const char *at;
        int64_t value, max;
    } ranges[] = {{"guards/max_share_percent", g->max_share_percent, 100},
                  {"guards/min_left", g->min_left, SERVERS_MAX},
                  {"guards/max_at_once", g->max_at_once, SERVERS_MAX},
                  {"guards/max_per_hour", g->max_per_hour, SERVERS_MAX},
                  {"guards/cooldown_s", g->cooldown_s, 30 * 86400},
                  {"guards/min_peers", g->min_peers, SERVERS_MAX},
                  {"guards/outlier_percent", g->outlier_percent, 100},
                  {"guards/max_age_s", g->max_age_s, 86400},
                  {"guards/watch_s", g->watch_s, 30 * 86400},
                  {"guards/approval_life_s", g->approval_life_s, 30 * 86400},
                  {"life/stop_s", c->life.stop_s, 30},
                  {"health/within_s", c->health.within_s, 3600}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (ranges[i].value < 1 || ranges[i].value > ranges[i].max) {
            complain(r, ranges[i].at, "this number is out of range");
        }
    }
    if (c->drain_s < 0 || c->drain_s > 86400) {
        complain(r, "drain_s", "between 0 and 86400 seconds");
    }
    if (c->action != INSIGHT_NOTIFY &&
        g->max_share_percent * (int64_t)c->servers_count < 100) {
        complain(r, "guards",
                 "max_share_percent of so few servers is not one: nothing "
                 "could ever be done");
    }
}

static void check_drivers(const struct reading *r, const struct insight_cluster *c)
{
    const struct insight_discovery *d = &c->discovery;
    if (c->action != INSIGHT_NOTIFY && d->driver == INSIGHT_DISCOVERY_NONE) {
        complain(r, "", "an action needs a discovery to remove a server from");
    }
    if (c->action == INSIGHT_TERMINATE && c->life.driver == INSIGHT_LIFE_NONE) {
        complain(r, "", "action terminate needs a life: who ends and starts a server");
    }
    if (c->action == INSIGHT_TERMINATE && !c->health.url && !c->health.run_count) {
        complain(r, "", "action terminate needs a health: how a replacement is verified");
    }
    if (d->driver == INSIGHT_DISCOVERY_NGINX && (!d->file || !d->pid_file)) {
        complain(r, "discovery", "driver nginx needs file and pid_file");
    }
    if (d->driver == INSIGHT_DISCOVERY_EXEC && !d->run_count) {
        complain(r, "discovery", "driver exec needs run");
    }
    if (d->driver == INSIGHT_DISCOVERY_WEBHOOK && !d->url) {
        complain(r, "discovery", "driver webhook needs url");
    }
    if ((d->url && !bus_webhook_url_is_safe(d->url)) ||
        (c->page && !bus_webhook_url_is_safe(c->page))) {
        complain(r, "", "a webhook is an http or https address");
    }
    if (c->action == INSIGHT_TERMINATE && insight_cluster_has_work(c) && !c->drain_s) {
        complain(r, "discovery", "driver slurm needs drain_s: how long jobs have to end");
    }
    if (c->life.driver == INSIGHT_LIFE_PROCESS && !c->life.start_count) {
        complain(r, "life", "driver process needs start");
    }
    if (c->life.driver == INSIGHT_LIFE_EXEC && !c->life.run_count) {
        complain(r, "life", "driver exec needs run");
    }
}

// Addresses and nodes go into configuration files and command lines: no text that could mean more there.
static void check_server(const struct reading *r, const struct insight_cluster *c,
                         size_t i)
{
    const struct insight_server *s = &c->servers[i];
    AUTO(cstr_free) char *at = NULL;
    if (cstr_printf(&at, "servers/%zu", i) < 0) {
        return;
    }
    if (!only(s->name, "-_.")) {
        complain(r, at, "a server's name has letters, digits, '-', '_' and '.'");
    }
    if (s->address && (!only(s->address, "-_.:[]/") || s->address[0] == '-')) {
        complain(r, at, "an address has letters, digits and -_.:[]/");
    }
    if ((s->unit && (!only(s->unit, "-_.@:\\") || s->unit[0] == '-')) ||
        (s->node && !only(s->node, "-_."))) {
        complain(r, at, "a unit or a node has another character than those of names");
    }
    if (c->discovery.driver == INSIGHT_DISCOVERY_NGINX && !s->address) {
        complain(r, at, "driver nginx needs an address");
    }
    if (c->discovery.driver == INSIGHT_DISCOVERY_SLURM && !s->node) {
        complain(r, at, "driver slurm needs a node");
    }
    if (c->life.driver == INSIGHT_LIFE_PROCESS && !s->pid_file) {
        complain(r, at, "driver process needs a pid_file");
    }
    if (c->life.driver == INSIGHT_LIFE_SYSTEMD && !s->unit) {
        complain(r, at, "driver systemd needs a unit");
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_unique(const struct reading *r, const struct insight_cluster *c)
{
    char **names = calloc(c->servers_count + 1, sizeof *names);
    FAIL_IF(!names, ERR_NOMEM, "a cluster");
    for (size_t i = 0; i < c->servers_count; i++) {
        names[i] = c->servers[i].name;
    }
    qsort(names, c->servers_count, sizeof *names, by_name);
    for (size_t i = 1; i < c->servers_count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            complain(r, "servers", "two servers have the same name");
            break;
        }
    }
    free(names);
    return 0;
}

static int check(struct insight_fleet *fleet, struct reading *r)
{
    struct insight_everywhere *all = &fleet->everywhere;
    if (fleet->schema != 1) {
        diag_add(r->diag, r->file, yaml_line_of(r->text, "schema"), "schema 1 is known");
    }
    all->max_at_once = all->max_at_once ? all->max_at_once : 3;
    all->max_per_hour = all->max_per_hour ? all->max_per_hour : 10;
    if (all->max_at_once < 1 || all->max_per_hour < 1) {
        diag_add(r->diag, r->file, yaml_line_of(r->text, "everywhere"),
                 "these numbers are out of range");
    }
    for (r->cluster = 0; r->cluster < fleet->clusters_count; r->cluster++) {
        struct insight_cluster *c = &fleet->clusters[r->cluster];
        set_usual(c);
        if (!only(c->name, "-_.") || insight_fleet_cluster(fleet, c->name) != c) {
            complain(r, "name",
                     "a cluster's name is its own, of letters, digits, '-', "
                     "'_' and '.'");
        }
        if (!bus_mail_address_is_safe(c->owner)) {
            complain(r, "owner", "the owner is a mail address");
        }
        check_guards(r, c);
        check_drivers(r, c);
        for (size_t i = 0; i < c->servers_count; i++) {
            check_server(r, c, i);
        }
        TRY(check_unique(r, c));
    }
    return r->diag->items.len ? diag_fail(r->diag, ERR_INVALID) : 0;
}

int insight_fleet_parse(struct str yaml, const char *file, struct insight_fleet **ret,
                        struct diag *diag)
{
    FAIL_IF(yaml.len > FLEET_MAX_BYTES, ERR_LIMIT, "%s is over %u bytes", file,
            FLEET_MAX_BYTES);
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &fleet_schema, &loaded, NULL, diag));
    AUTO(insight_fleet_free) struct insight_fleet *fleet = loaded;
    struct reading r = {.text = yaml, .file = file, .diag = diag};
    TRY(check(fleet, &r));
    *ret = TAKE(fleet);
    return 0;
}

const struct insight_cluster *insight_fleet_cluster(const struct insight_fleet *fleet,
                                                    const char *name)
{
    for (size_t i = 0; i < fleet->clusters_count; i++) {
        if (strcmp(fleet->clusters[i].name, name) == 0) {
            return &fleet->clusters[i];
        }
    }
    return NULL;
}

bool insight_cluster_has_work(const struct insight_cluster *c)
{
    return c->discovery.driver == INSIGHT_DISCOVERY_SLURM;
}

const struct insight_server *insight_cluster_server(const struct insight_cluster *c,
                                                    const char *name)
{
    for (size_t i = 0; i < c->servers_count; i++) {
        if (strcmp(c->servers[i].name, name) == 0) {
            return &c->servers[i];
        }
    }
    return NULL;
}
