// SPDX-License-Identifier: GPL-3.0-or-later
//
// Many servers out of recorded ones: clusters of 200, each server a stretch of a recording of a real one, told again under
// another name through the intake into one store, and judged there as the service does.
//
//     fleet_replay CONFIG CLUSTERS SICK-PER-MILLE SEED TUNING-RUN,TUNING-RUN… RUN…
//
// Stretches end at the same time of the compressed day, so that all carry the same load. What a run's servers had
// in common at a second (its machine was busy) is taken out and the cluster's own put in: latencies are multiplied
// by the ratio of the two runs' medians. A stretch keeps its own noise in its own order; it is drawn with
// replacement, and its latencies and memory differ by a few percent from server to server. eps and min_points are
// annealed on clusters of the tuning runs, in which three in a hundred are sick, for half a percent of them.
#include "replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX (INT64_C(1) << 30)
#define SERVERS   200
#define RUNS_MAX  32
#define TUNING    20 // clusters
#define TUNE_SICK 0.03
#define EXPECTED  0.5
// All windows of more than one have to show it, so each may show more by chance.
#define WINDOWS  6
#define MOST     40
#define STEP_MS  1000
#define START_MS INT64_C(1700000000000)
#define AROUND   3 // seconds to either side, of what a run has in common

// Lines of one server in one second, without tags: "t:client.latency" and a value.
struct told {
    const char *name;
    double value;
};

struct second {
    VEC(struct told) lines;
};

struct run {
    struct buf text;
    json_t *labels;
    int64_t from_ms;
    size_t seconds, servers;
    struct second *told; // [server * seconds + second]
    double *common;      // by second: the median server's mean latency
    int64_t day_ms, dawn_ms;
};

static void run_free(struct run *r)
{
    for (size_t i = 0; r->told && i < r->servers * r->seconds; i++) {
        vec_free(&r->told[i].lines);
    }
    free(r->told);
    free(r->common);
    buf_free(&r->text);
    json_decref(r->labels);
}

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static size_t server_at(const struct run *r, const char *name, size_t length)
{
    const json_t *list = json_object_get(r->labels, "servers");
    for (size_t i = 0; i < r->servers; i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (strlen(one) == length && memcmp(one, name, length) == 0) {
            return i;
        }
    }
    return r->servers;
}

// "t:client.latency,server=s01:0.0123"; the line's end is made the text's.
static int take_line(struct run *r, char *line, int64_t second)
{
    char *tag = strstr(line, ",server=");
    char *value = tag ? strchr(tag, ':') : NULL;
    if (!value || second < 0 || second >= (int64_t)r->seconds) {
        return 0;
    }
    size_t at = server_at(r, tag + 8, (size_t)(value - tag) - 8);
    double number;
    if (at == r->servers ||
        str_to_double(str_of(value + 1), -1e300, 1e300, &number) < 0) {
        return 0;
    }
    *tag = 0;
    return vec_push(&r->told[at * r->seconds + (size_t)second].lines,
                    (struct told){line, number});
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double latency_of(const struct run *r, size_t server, size_t from, size_t until)
{
    double sum = 0, count = 0;
    for (size_t t = from; t < until; t++) {
        vec_for_each (l, &r->told[server * r->seconds + t].lines) {
            if (strcmp(l->name, "t:client.latency") == 0) {
                sum += l->value;
                count++;
            }
        }
    }
    return count > 0 ? sum / count : NAN;
}

static int find_common(struct run *r)
{
    r->common = calloc(r->seconds + 1, sizeof *r->common);
    double *row = calloc(r->servers + 1, sizeof *row);
    FAIL_IF(!r->common || !row, ERR_NOMEM, "a run");
    for (size_t t = 0; t < r->seconds; t++) {
        size_t count = 0, from = t > AROUND ? t - AROUND : 0;
        for (size_t s = 0; s < r->servers; s++) {
            double v = latency_of(r, s, from, MIN(t + AROUND + 1, r->seconds));
            if (!isnan(v)) {
                row[count++] = v;
            }
        }
        qsort(row, count, sizeof *row, by_value);
        r->common[t] = count ? row[count / 2] : NAN;
    }
    free(row);
    return 0;
}

static int run_read(struct run *r, const char *dir)
{
    AUTO(cstr_free) char *labels = NULL, *lines = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(cstr_printf(&labels, "%s/labels.json", dir));
    TRY(cstr_printf(&lines, "%s/series.lines", dir));
    TRY(fs_read_file(labels, 1 << 20, &text));
    TRY(json_parse(&r->labels, buf_view(&text), 1 << 20));
    TRY(fs_read_file(lines, LINES_MAX, &r->text));
    buf_char(&r->text, 0);
    r->from_ms = number(r->labels, "from_ms");
    r->day_ms = number(r->labels, "day_ms"), r->dawn_ms = number(r->labels, "dawn_ms");
    r->seconds = (size_t)(number(r->labels, "until_ms") - r->from_ms) / STEP_MS;
    r->servers = json_array_size(json_object_get(r->labels, "servers"));
    r->told = calloc(r->servers * r->seconds + 1, sizeof *r->told);
    FAIL_IF(!r->told || r->seconds == 0, ERR_NOMEM, "%s: a run", dir);
    int64_t second = -1;
    char *rest = NULL;
    for (char *l = strtok_r(r->text.data, "\n", &rest); l;
         l = strtok_r(NULL, "\n", &rest)) {
        int64_t ms;
        if (l[0] == '#') {
            TRY(str_to_i64(str_of(l + 1), 0, INT64_MAX, &ms));
            second = ms < r->from_ms ? -1 : (ms - r->from_ms) / STEP_MS;
        } else {
            TRY(take_line(r, l, second));
        }
    }
    return find_common(r);
}

// --- stretches ------------------------------------------------------------------------------------

// Of a server, up to the second `until`.
struct stretch {
    const struct run *run;
    size_t server, until;
    double latency, memory; // how its copy differs
};

struct stretches {
    VEC(struct stretch) list;
};

static int64_t day_second(const struct run *r, size_t second)
{
    return (r->from_ms + (int64_t)second * STEP_MS - r->dawn_ms) % r->day_ms / STEP_MS;
}

static bool is_named(const struct run *r, const char *list, size_t server)
{
    size_t k;
    const json_t *one;
    json_array_foreach(json_object_get(r->labels, list), k, one)
    {
        const char *name = json_str_or(one, "server", "");
        if (server_at(r, name, strlen(name)) == server) {
            return true;
        }
    }
    return false;
}

// Ends of faults: a moment at which the server has been sick for a minute.
static int find_sick(const struct run *r, size_t steps, struct stretches *out)
{
    size_t k;
    const json_t *fault;
    json_array_foreach(json_object_get(r->labels, "faults"), k, fault)
    {
        const char *name = json_str_or(fault, "server", "");
        int64_t until = (number(fault, "until_ms") - r->from_ms) / STEP_MS;
        if (until >= (int64_t)steps && until <= (int64_t)r->seconds) {
            TRY(vec_push(&out->list,
                         (struct stretch){.run = r,
                                          .server = server_at(r, name, strlen(name)),
                                          .until = (size_t)until}));
        }
    }
    return 0;
}

// Servers that nothing ever befell, at this time of the day.
static int find_well(const struct run *r, size_t steps, int64_t at, struct stretches *out)
{
    for (size_t s = 0; s < r->servers; s++) {
        if (is_named(r, "faults", s) || is_named(r, "restarts", s)) {
            continue;
        }
        for (size_t until = steps; until <= r->seconds; until++) {
            if (day_second(r, until) == at) {
                TRY(vec_push(&out->list,
                             (struct stretch){.run = r, .server = s, .until = until}));
            }
        }
    }
    return 0;
}

// --- a fleet --------------------------------------------------------------------------------------

static double fraction(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

struct cluster {
    struct insight_peers_config *config;
    struct stretch servers[SERVERS];
    bool sick[SERVERS];
    struct stretch norm; // whose run's common second is everybody's
    struct insight_tally tallies[INSIGHT_METHODS];
};

struct fleet {
    struct insight_peers_config *methods; // INSIGHT_METHODS of them
    struct cluster *clusters;
    size_t count, steps;
    struct replay replay;
    double look_s, tell_s;
};

// All of a cluster end at the same second of the day, which a fault's end decides.
static int compose(struct fleet *f, struct cluster *c, const struct run *runs,
                   size_t run_count, double share, uint64_t *chance)
{
    struct stretches sick = {0}, well = {0};
    int err = 0;
    for (size_t k = 0; k < run_count && err >= 0; k++) {
        err = find_sick(&runs[k], f->steps, &sick);
    }
    err = err < 0              ? err
          : sick.list.len == 0 ? err_fail(ERR_NOT_FOUND, "no faults in these runs")
                               : 0;
    if (err >= 0) {
        c->norm = sick.list.data[(size_t)(fraction(chance) * (double)sick.list.len)];
        int64_t at = day_second(c->norm.run, c->norm.until);
        for (size_t k = 0; k < run_count && err >= 0; k++) {
            err = find_well(&runs[k], f->steps, at, &well);
        }
    }
    for (size_t i = 0; i < SERVERS && err >= 0; i++) {
        c->sick[i] = fraction(chance) < share;
        const struct stretches *from = c->sick[i] ? &sick : &well;
        c->servers[i] =
            from->list.data[(size_t)(fraction(chance) * (double)from->list.len)];
        c->servers[i].latency = 0.97 + 0.06 * fraction(chance);
        c->servers[i].memory = 0.9 + 0.2 * fraction(chance);
    }
    vec_free(&sick.list);
    vec_free(&well.list);
    return err;
}

static void tell_server(const struct cluster *c, size_t number, size_t server,
                        size_t back, struct buf *out)
{
    const struct stretch *s = &c->servers[server];
    size_t second = s->until - back;
    double common = c->norm.run->common[c->norm.until - back] / s->run->common[second];
    double ratio = isfinite(common) && common > 0 ? common : 1;
    vec_for_each (l, &s->run->told[s->server * s->run->seconds + second].lines) {
        bool is_latency = strcmp(l->name, "t:client.latency") == 0,
             is_memory = strcmp(l->name, "m:mem.rss") == 0;
        double value = l->value * (is_latency  ? ratio * s->latency
                                   : is_memory ? s->memory
                                               : 1);
        buf_printf(out, "%s,server=n%zu,cluster=c%zu:%.9g\n", l->name, server, number,
                   value);
    }
}

static int tell_second(struct fleet *f, size_t step)
{
    AUTO(buf_free) struct buf lines = {0};
    double began = replay_cpu_s();
    TRY(replay_to(&f->replay, START_MS + (int64_t)step * STEP_MS + STEP_MS / 2));
    for (size_t k = 0; k < f->count; k++) {
        buf_clear(&lines);
        for (size_t i = 0; i < SERVERS; i++) {
            tell_server(&f->clusters[k], k, i, f->steps - step, &lines);
        }
        telemetry_intake_lines(f->replay.intake, buf_view(&lines));
    }
    TRY(replay_to(&f->replay, START_MS + (int64_t)(step + 1) * STEP_MS));
    f->tell_s += replay_cpu_s() - began;
    return 0;
}

static struct insight_tally tally(const struct cluster *c,
                                  const struct insight_suspects *found)
{
    struct insight_tally t = {.judged = SERVERS};
    bool named[SERVERS] = {0};
    vec_for_each (s, &found->list) {
        int64_t at;
        if (str_to_i64(str_of(s->server + 1), 0, SERVERS - 1, &at) >= 0) {
            named[at] = true;
        }
    }
    for (size_t i = 0; i < SERVERS; i++) {
        t.right += named[i] && c->sick[i];
        t.wrong += named[i] && !c->sick[i];
        t.missed += !named[i] && c->sick[i];
    }
    return t;
}

static int look(struct fleet *f, struct cluster *c, int64_t end_ms)
{
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    double began = replay_cpu_s();
    TRY(insight_peers_read(f->replay.store, c->config, end_ms, &r));
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        AUTO(insight_suspects_free) struct insight_suspects *found = NULL;
        struct insight_peers_config how = *c->config;
        how.method = f->methods[m].method, how.eps = f->methods[m].eps,
        how.min_points = f->methods[m].min_points;
        TRY(insight_peers_suspect(&how, r, &found));
        f->look_s += m == 0 ? replay_cpu_s() - began : 0;
        c->tallies[m] = tally(c, found);
    }
    return 0;
}

static int64_t end_of(const struct fleet *f)
{
    return START_MS + (int64_t)f->steps * STEP_MS;
}

static int live(struct fleet *f)
{
    for (size_t step = 0; step < f->steps; step++) {
        TRY(tell_second(f, step));
    }
    return replay_to(&f->replay, end_of(f) + 2 * STEP_MS);
}

static int look_at_all(struct fleet *f)
{
    for (size_t k = 0; k < f->count; k++) {
        TRY(look(f, &f->clusters[k], end_of(f)));
    }
    return 0;
}

static int show(const struct fleet *f)
{
    struct insight_tally *tallies = calloc(f->count, sizeof *tallies);
    FAIL_IF(!tallies, ERR_NOMEM, "tallies");
    int err = 0;
    for (size_t m = 0; m < INSIGHT_METHODS && err >= 0; m++) {
        struct insight_quality q;
        for (size_t k = 0; k < f->count; k++) {
            tallies[k] = f->clusters[k].tallies[m];
        }
        err = insight_quality_of(tallies, f->count, 1, &q);
        if (err >= 0) {
            replay_show(insight_method_name(f->methods[m].method), &q);
        }
    }
    free(tallies);
    struct telemetry_intake_counts in = telemetry_intake_counts(f->replay.intake);
    struct telemetry_stats s = telemetry_stats(f->replay.store);
    printf("%zu servers, %llu lines told in %.1f s of CPU; a look at all: %.3f s of CPU; "
           "store: %.0f MB of memory\n",
           f->count * SERVERS, (unsigned long long)in.lines, f->tell_s, f->look_s,
           (double)s.memory_bytes / 1e6);
    return err;
}

// --- tuning ---------------------------------------------------------------------------------------

static int case_of(struct fleet *f, const struct cluster *c, struct insight_case *ret)
{
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    TRY(insight_peers_read(f->replay.store, c->config, end_of(f), &r));
    TRY(insight_case_of(c->config, r, ret));
    ret->sick = calloc(r->servers + 1, sizeof *ret->sick);
    FAIL_IF(!ret->sick, ERR_NOMEM, "labels");
    for (size_t i = 0; i < r->servers; i++) {
        int64_t at;
        TRY(str_to_i64(str_of(r->names[i] + 1), 0, SERVERS - 1, &at));
        ret->sick[i] = c->sick[at];
    }
    return 0;
}

static int anneal(struct fleet *f)
{
    struct insight_case *cases = calloc(f->count, sizeof *cases);
    FAIL_IF(!cases, ERR_NOMEM, "cases");
    int err = 0;
    for (size_t k = 0; k < f->count && err >= 0; k++) {
        err = case_of(f, &f->clusters[k], &cases[k]);
    }
    for (size_t m = 0; m < INSIGHT_METHODS && err >= 0; m++) {
        struct insight_peers_config *c = &f->methods[m];
        struct insight_annealed found;
        c->method = (enum insight_method)m;
        c->expected_percent = EXPECTED;
        c->eps = m == INSIGHT_DBSCAN ? 3 : m == INSIGHT_MAD ? 5 : 2;
        c->min_points = 6;
        err = insight_anneal(c, cases, f->count, 1, &found);
        printf("tuned %-7s eps %.2f min_points %zu\n", insight_method_name(c->method),
               c->eps, c->min_points);
    }
    insight_cases_free(cases, f->count);
    free(cases);
    return err;
}

// --- both -----------------------------------------------------------------------------------------

struct runs {
    struct run list[RUNS_MAX];
    size_t count;
};

static void runs_free(struct runs *r)
{
    for (size_t k = 0; k < r->count; k++) {
        run_free(&r->list[k]);
    }
}

static int open_fleet(struct fleet *f, const struct runs *runs, double share,
                      uint64_t seed)
{
    f->steps = insight_peers_steps(&f->methods[0]);
    f->clusters = calloc(f->count + 1, sizeof *f->clusters);
    FAIL_IF(!f->clusters, ERR_NOMEM, "clusters");
    for (size_t k = 0; k < f->count; k++) {
        TRY(replay_cluster(&f->methods[0], k, &f->clusters[k].config));
        TRY(compose(f, &f->clusters[k], runs->list, runs->count, share, &seed));
    }
    TRY(replay_open(&f->replay, STEP_MS, START_MS));
    return live(f);
}

static void fleet_free(struct fleet *f)
{
    for (size_t k = 0; f->clusters && k < f->count; k++) {
        insight_peers_config_free(&f->clusters[k].config);
    }
    free(f->clusters);
    replay_close(&f->replay);
}

struct wish {
    int64_t clusters, sick, seed;
};

static int replay_all(struct insight_peers_config *methods, const struct runs *tuning,
                      const struct runs *runs, const struct wish *wish)
{
    AUTO(fleet_free) struct fleet learnt = {.methods = methods, .count = TUNING};
    AUTO(fleet_free)
    struct fleet judged = {.methods = methods, .count = (size_t)wish->clusters};
    TRY(open_fleet(&learnt, tuning, TUNE_SICK, (uint64_t)wish->seed + 7919));
    TRY(anneal(&learnt));
    TRY(open_fleet(&judged, runs, (double)wish->sick / 1000, (uint64_t)wish->seed));
    TRY(look_at_all(&judged));
    return show(&judged);
}

static int run(char **args, int count)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    AUTO(insight_peers_file_free) struct insight_peers_file read = {0};
    AUTO(runs_free) struct runs tuning = {0};
    AUTO(runs_free) struct runs runs = {0};
    struct insight_peers_config methods[INSIGHT_METHODS];
    struct wish wish;
    TRY(str_to_i64(str_of(args[1]), 1, 1000, &wish.clusters));
    TRY(str_to_i64(str_of(args[2]), 0, 1000, &wish.sick));
    TRY(str_to_i64(str_of(args[3]), 1, 1000000, &wish.seed));
    TRY(fs_read_file(args[0], 1 << 20, &text));
    TRY(insight_peers_parse(buf_view(&text), args[0], &read, &diag));
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        methods[m] = *read.clusters.data[0];
        methods[m].of = methods[m].enough = WINDOWS;
        methods[m].most_percent = MOST;
    }
    char *rest = NULL;
    for (char *d = strtok_r(args[4], ",", &rest); d && tuning.count < RUNS_MAX;
         d = strtok_r(NULL, ",", &rest)) {
        TRY(run_read(&tuning.list[tuning.count++], d));
    }
    for (int k = 5; k < count && runs.count < RUNS_MAX; k++) {
        TRY(run_read(&runs.list[runs.count++], args[k]));
    }
    return replay_all(methods, &tuning, &runs, &wish);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: fleet_replay CONFIG CLUSTERS SICK-PER-MILLE SEED "
                        "TUNING-RUN[,TUNING-RUN…] RUN…\n");
        return 2;
    }
    if (run(argv + 1, argc - 1) < 0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    return 0;
}
