// SPDX-License-Identifier: GPL-3.0-or-later
//
// insight suspects, insight tune: sick servers, out of the series that a data folder keeps.
#include "app/commands.h"
#include "app/written.h"
#include "insight/insight.h"
#include "telemetry/telemetry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_MAX 100000

struct times {
    int64_t first_ms, last_ms, every_ms;
};

struct asked {
    struct insight_peers_file file;
    struct telemetry *store;
};

static void asked_free(struct asked *a)
{
    insight_peers_file_free(&a->file);
    telemetry_close(&a->store);
}

static int open_series(const struct args *args, struct telemetry **ret)
{
    AUTO(cstr_free) char *dir = NULL;
    TRY(cstr_printf(&dir, "%s/series", command_data_dir(args)));
    FAIL_IF(!fs_exists(dir), ERR_NOT_FOUND, "%s keeps no series", command_data_dir(args));
    int64_t step_s = args_number(args, "store-step", 60);
    struct telemetry_tier tier = {step_s * 1000, INT64_C(14) * 86400000};
    struct telemetry_config config = {.dir = dir};
    if (step_s != 60) {
        config.tiers = &tier;
        config.tier_count = 1;
    }
    int err = telemetry_open(ret, &config);
    FAIL_IF(err == ERR_BUSY, ERR_BUSY,
            "a service holds the series of %s: ask a copy of the folder, or stop it",
            command_data_dir(args));
    return err;
}

static int time_of(const struct args *args, const char *option, int64_t otherwise,
                   int64_t *ret)
{
    *ret = otherwise;
    const char *text = args_text(args, option, NULL);
    return text ? insight_time_parse(str_of(text), ret) : 0;
}

static int times_of(const struct args *args, struct times *ret)
{
    struct times t = {.every_ms = args_number(args, "every", 60) * 1000};
    // The step that is open holds only a part of its values.
    TRY(time_of(args, "at", clock_wall_us() / 1000 - 60000, &t.last_ms));
    TRY(time_of(args, "from", t.last_ms, &t.first_ms));
    FAIL_IF(t.first_ms > t.last_ms, ERR_INVALID, "--from is behind --at");
    FAIL_IF((t.last_ms - t.first_ms) / t.every_ms >= LOOKS_MAX, ERR_LIMIT,
            "over %d looks; choose a longer --every", LOOKS_MAX);
    *ret = t;
    return 0;
}

static int open_asked(const struct args *args, struct asked *ret)
{
    TRY(written_peers(args_text(args, "config", ""), &ret->file));
    return open_series(args, &ret->store);
}

static int wanted(const struct args *args, struct str cluster)
{
    const char *only = args_text(args, "cluster", NULL);
    return !only || str_eq_c(cluster, only);
}

// One cluster at one time: an object, or what stands in its way.
static int look_once(const struct asked *a, const struct insight_peers_config *c,
                     int64_t at_ms, json_t *out)
{
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    AUTO(insight_suspects_free) struct insight_suspects *found = NULL;
    AUTO(json_free) json_t *one = NULL;
    int err = insight_peers_read(a->store, c, at_ms, &r);
    if (err == ERR_NOT_FOUND) { // before its first value, or in an outage: nothing to say
        TRY(json_made(json_pack("{s:s, s:s, s:[]}", "cluster", c->cluster, "verdict",
                                "no values", "suspects"),
                      &one));
    } else {
        TRY(err);
        TRY(insight_peers_suspect(c, r, &found));
        TRY(insight_suspects_to_json(found, &one));
    }
    FAIL_IF(json_object_set_new(one, "at_ms", json_integer(at_ms)) < 0 ||
                json_array_append(out, one) < 0,
            ERR_NOMEM, "a look");
    return 0;
}

static int look_often(const struct args *args, const struct times *t, json_t *looks)
{
    AUTO(asked_free) struct asked a = {0};
    TRY(open_asked(args, &a));
    for (int64_t at = t->first_ms; at <= t->last_ms; at += t->every_ms) {
        vec_for_each (cluster, &a.file.clusters) {
            if (wanted(args, str_of((*cluster)->cluster))) {
                TRY(look_once(&a, *cluster, at, looks));
            }
        }
    }
    FAIL_IF(json_array_size(looks) == 0, ERR_NOT_FOUND, "there is no cluster '%s'",
            args_text(args, "cluster", ""));
    return 0;
}

static void tell_suspect(const json_t *suspect)
{
    const json_t *evidence = json_object_get(suspect, "evidence");
    printf("  %s, out in %" PRId64 " of %" PRId64 " windows:",
           json_str_or(suspect, "server", ""), json_i64_or(evidence, "outlier_in", 0),
           json_i64_or(evidence, "of", 0));
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(evidence, "metrics"), i, m)
    {
        double value = 0, peers = 0, away = 0;
        (void)json_get_double(m, "value", &value);
        (void)json_get_double(m, "peers", &peers);
        (void)json_get_double(m, "away", &away);
        if (i == 0 || away > 2 || away < -2) {
            printf("%s %s %.4g, peers %.4g (%+.1f spreads)", i ? ";" : "",
                   json_str_or(m, "metric", ""), value, peers, away);
        }
    }
    printf("\n");
}

static void tell(const json_t *looks)
{
    size_t i, k;
    json_t *look, *suspect;
    json_array_foreach(looks, i, look)
    {
        char at[CLOCK_RFC3339_BYTES];
        clock_rfc3339(json_i64_or(look, "at_ms", 0) * 1000, at);
        const json_t *suspects = json_object_get(look, "suspects");
        printf("%s %s: %s, %zu suspects of %" PRId64 " servers\n", at,
               json_str_or(look, "cluster", ""), json_str_or(look, "verdict", ""),
               json_array_size(suspects), json_i64_or(look, "reporting", 0));
        json_array_foreach(suspects, k, suspect)
        {
            tell_suspect(suspect);
        }
    }
}

static int insight_suspects_run(const struct args *args)
{
    struct times times;
    AUTO(json_free) json_t *looks = json_array(), *all = NULL;
    if (!args_has(args, "config")) {
        return args_wrong(args, "--config is needed");
    }
    if (times_of(args, &times) < 0) {
        return args_wrong(args, "%s", err_reason());
    }
    int err = look_often(args, &times, looks);
    if (err >= 0 && !args_has(args, "json")) {
        tell(looks);
        return ARGS_DONE;
    }
    err = err < 0 ? err
                  : json_made(json_pack("{s:i, s:O}", "schema", 1, "looks", looks), &all);
    return err < 0 ? command_failed(args, err) : command_print(all);
}

// --- tune ------------------------------------------------------------------------------------------

struct cases {
    struct insight_case *list;
    size_t count;
};

static void cases_free(struct cases *c)
{
    insight_cases_free(c->list, c->count);
    free(c->list);
}

// What was there at each time; times without values are left out.
static int read_cases(const struct asked *a, const struct insight_peers_config *c,
                      const struct times *t, struct cases *out)
{
    out->list =
        calloc((size_t)((t->last_ms - t->first_ms) / t->every_ms) + 1, sizeof *out->list);
    FAIL_IF(!out->list, ERR_NOMEM, "cases");
    for (int64_t at = t->first_ms; at <= t->last_ms; at += t->every_ms) {
        AUTO(insight_recording_free) struct insight_recording *r = NULL;
        int err = insight_peers_read(a->store, c, at, &r);
        if (err == ERR_NOT_FOUND) {
            continue;
        }
        TRY(err);
        TRY(insight_case_of(c, r, &out->list[out->count]));
        out->count++;
    }
    FAIL_IF(out->count == 0, ERR_NOT_FOUND, "%s: there are no values in these windows",
            c->cluster);
    return 0;
}

static int tune_cluster(const struct asked *a, struct insight_peers_config *c,
                        const struct times *t, uint64_t seed, json_t *out)
{
    AUTO(cases_free) struct cases cases = {0};
    struct insight_annealed annealed;
    FAIL_IF(
        !(c->expected_percent > 0), ERR_INVALID,
        "%s: expected_percent is needed: of a hundred servers, how many are outliers?",
        c->cluster);
    TRY(read_cases(a, c, t, &cases));
    TRY(insight_anneal(c, cases.list, cases.count, seed, &annealed));
    size_t judged = 0, outliers = 0;
    for (size_t i = 0; i < cases.count; i++) {
        const struct insight_look *newest = &cases.list[i].looks[cases.list[i].count - 1];
        judged += newest->judged;
        outliers += newest->outliers;
    }
    json_t *one =
        json_pack("{s:s, s:s, s:f, s:I, s:I, s:f, s:f}", "cluster", c->cluster, "method",
                  insight_method_name(c->method), "eps", c->eps, "min_points",
                  (json_int_t)c->min_points, "windows", (json_int_t)cases.count,
                  "expected_percent", c->expected_percent, "outliers_percent",
                  judged ? 100 * (double)outliers / (double)judged : 0.0);
    FAIL_IF(json_array_append_new(out, one) < 0, ERR_NOMEM, "a cluster");
    return 0;
}

static int tune_all(const struct args *args, const struct times *t, json_t *clusters)
{
    AUTO(asked_free) struct asked a = {0};
    TRY(open_asked(args, &a));
    vec_for_each (cluster, &a.file.clusters) {
        if (wanted(args, str_of((*cluster)->cluster))) {
            TRY(tune_cluster(&a, *cluster, t, (uint64_t)args_number(args, "seed", 1),
                             clusters));
        }
    }
    FAIL_IF(json_array_size(clusters) == 0, ERR_NOT_FOUND, "there is no cluster '%s'",
            args_text(args, "cluster", ""));
    return 0;
}

static int insight_tune_run(const struct args *args)
{
    struct times times;
    AUTO(json_free) json_t *clusters = json_array(), *all = NULL;
    if (!args_has(args, "config")) {
        return args_wrong(args, "--config is needed");
    }
    if (times_of(args, &times) < 0) {
        return args_wrong(args, "%s", err_reason());
    }
    int err = tune_all(args, &times, clusters);
    if (err < 0) {
        return command_failed(args, err);
    }
    if (args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, "clusters", clusters), &all);
        return err < 0 ? command_failed(args, err) : command_print(all);
    }
    size_t i;
    json_t *one;
    json_array_foreach(clusters, i, one)
    {
        double eps = 0, share = 0;
        (void)json_get_double(one, "eps", &eps);
        (void)json_get_double(one, "outliers_percent", &share);
        printf("%s: eps %.3g, min_points %" PRId64 ": %.2f %% outliers in %" PRId64
               " windows\n",
               json_str_or(one, "cluster", ""), eps, json_i64_or(one, "min_points", 0),
               share, json_i64_or(one, "windows", 0));
    }
    return ARGS_DONE;
}

#define PEERS_OPTIONS                                                             \
    {.name = "config",                                                            \
     .kind = ARGS_FILE,                                                           \
     .value = "FILE",                                                             \
     .help = "Which clusters, by which metrics (YAML, needed; conf/peers.yaml)"}, \
        {.name = "cluster",                                                       \
         .kind = ARGS_TEXT,                                                       \
         .value = "NAME",                                                         \
         .help = "Only this cluster"},                                            \
        {.name = "at",                                                            \
         .kind = ARGS_TEXT,                                                       \
         .value = "TIME",                                                         \
         .help = "When the last window ends (a minute ago): ISO 8601, or ms"},    \
        {.name = "from",                                                          \
         .kind = ARGS_TEXT,                                                       \
         .value = "TIME",                                                         \
         .help = "Looks from then on, too"},                                      \
        {.name = "every",                                                         \
         .kind = ARGS_NUMBER,                                                     \
         .value = "S",                                                            \
         .help = "A look each so many seconds (60)",                              \
         .min = 1,                                                                \
         .max = 86400},                                                           \
    {                                                                             \
        .name = "store-step", .kind = ARGS_NUMBER, .value = "S",                  \
        .help = "The step of the series that are kept, seconds (60)", .min = 1,   \
        .max = 86400                                                              \
    }
static const struct args_option insight_suspects_options[] = {PEERS_OPTIONS, COMMAND_DATA,
                                                              COMMAND_JSON};

static const struct args_option insight_tune_options[] = {PEERS_OPTIONS,
                                                          {.name = "seed",
                                                           .kind = ARGS_NUMBER,
                                                           .value = "N",
                                                           .help = "Of the search (1)",
                                                           .min = 1,
                                                           .max = INT32_MAX},
                                                          COMMAND_DATA,
                                                          COMMAND_JSON};

static const struct args_command rows[] = {
    {.path = "insight suspects",
     .summary = "Finds servers that are unlike their peers, and says by what",
     .operands = "",
     COMMAND_OPTIONS(insight_suspects_options),
     .run = insight_suspects_run,
     .about = "Reads the series of a data folder that no service holds. The same times "
              "give the same suspects:\nany decision can be looked at again."},
    {.path = "insight tune",
     .summary = "Finds eps and min_points for the number of outliers that is expected",
     .operands = "",
     COMMAND_OPTIONS(insight_tune_options),
     .run = insight_tune_run,
     .about = "By simulated annealing over the windows of --from to --at; the cluster's "
              "expected_percent says\nhow many outliers there should be."},
};
const struct command_family suspects_commands = {rows, ARRAY_LEN(rows)};
