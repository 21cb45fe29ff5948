// SPDX-License-Identifier: GPL-3.0-or-later
//
// series_bench mixed [SERIES [STEPS]]     writes the mixed set, as text exposition with times
// series_bench files CSV…                 writes columns of numbers, one file a series, a value a step
// series_bench load FILE DIR [STEP_MS [BITS]]  appends such a text to a new store in DIR, and asks it
// series_bench many COUNT DIR             makes so many series of five tags, with a value each: what they cost
//
// The mixed set has seven shapes in equal parts: constants, counters with jitter, gauges of two decimals,
// random walks of three, noisy doubles, switches, seasonal whole numbers. The same seed gives the same bytes.
#include "telemetry/telemetry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BASE_MS INT64_C(1700006400000) // a multiple of eight hours
#define STEP_MS INT64_C(60000)
#define GROUPS  10

// --- the set ----------------------------------------------------------------------------------------

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

static double uniform(uint64_t *state)
{
    return (double)draw(state) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    double u = 1 - uniform(state), v = uniform(state);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

enum shape { CONSTANT, COUNTER, DECIMALS, WALK, NOISE, SWITCH, SEASON, SHAPES };
static const char *const shape_names[SHAPES] = {
    "constant", "requests_total", "load", "depth", "latency", "up", "viewers"};

static double next_value(enum shape shape, double before, int64_t step, uint64_t *state)
{
    switch (shape) {
    case CONSTANT:
        return before;
    case COUNTER:
        return before + floor(1000 + 30 * normal(state));
    case DECIMALS:
        return round(100 * (40 + 8 * normal(state))) / 100;
    case WALK:
        return round(1000 * (before + normal(state))) / 1000;
    case NOISE:
        return 50 + 10 * normal(state);
    case SWITCH:
        return uniform(state) < 0.02 ? 1 - before : before;
    case SEASON:
        return floor(5000 + 3000 * sin((double)step / 229) + 40 * normal(state));
    case SHAPES:
        break;
    }
    return 0;
}

// "%.17g" of a decimal would show the noise of its last bits.
static void print_value(double v)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    fputs(text, stdout);
}

static int write_mixed(int64_t series, int64_t steps)
{
    struct one {
        double value;
        uint64_t state;
    } *all = calloc((size_t)series, sizeof *all);
    FAIL_IF(!all, ERR_NOMEM, "%lld series", (long long)series);
    for (int64_t s = 0; s < series; s++) {
        all[s].state = ((uint64_t)s + 1) * UINT64_C(0x9e3779b97f4a7c15);
        draw(&all[s].state);
        all[s].value = s % SHAPES == SWITCH ? 0 : floor(1000 * uniform(&all[s].state));
    }
    for (int64_t t = 1; t <= steps; t++) {
        for (int64_t s = 0; s < series; s++) {
            enum shape shape = (enum shape)(s % SHAPES);
            all[s].value = next_value(shape, all[s].value, t, &all[s].state);
            printf("bench_%s{dc=\"dc-%lld\",node=\"i-%06llx\",app=\"edge\"} ",
                   shape_names[shape], (long long)(s / SHAPES % GROUPS),
                   (unsigned long long)(s * 40503 % 16777213));
            print_value(all[s].value);
            printf(" %lld\n", (long long)(BASE_MS + t * STEP_MS));
        }
    }
    free(all);
    return 0;
}

static int write_files(char **paths, int count)
{
    for (int f = 0; f < count; f++) {
        AUTO(buf_free) struct buf text = {0};
        TRY(fs_read_file(paths[f], 1U << 28, &text));
        struct str rest = buf_view(&text), line;
        int64_t t = 0;
        while (str_next(&rest, '\n', &line)) {
            const char *comma = memchr(line.data, ',', line.len);
            double v;
            if (comma &&
                str_to_double(str_trim((struct str){
                                  comma + 1, (size_t)(line.data + line.len - comma - 1)}),
                              -1e308, 1e308, &v) == 0) {
                printf("bench_file{dc=\"dc-0\",node=\"f-%06d\",app=\"edge\"} ", f);
                print_value(v);
                printf(" %lld\n", (long long)(BASE_MS + ++t * STEP_MS));
            }
        }
    }
    return 0;
}

// --- the store ----------------------------------------------------------------------------------------

struct load {
    struct telemetry *store;
    VEC(struct telemetry_sample) samples;
    int64_t first_ms, last_ms;
};

static int64_t load_now(void *user)
{
    return ((struct load *)user)->last_ms + 10 * STEP_MS; // all is over
}

// name{key="value",…} of this program's own making.
static int find_series(struct load *l, struct str text, uint32_t *ret)
{
    struct telemetry_tag list[8];
    struct str name, rest = text, pair;
    size_t count = 0;
    str_next(&rest, '{', &name);
    rest.len--;
    bool placed = false;
    struct telemetry_tag tags[8];
    while (str_next(&rest, ',', &pair)) {
        struct str key;
        str_next(&pair, '=', &key);
        tags[count++] = (struct telemetry_tag){key, {pair.data + 1, pair.len - 2}};
    }
    size_t n = 0;
    static const char *const order[] = {"app", "dc", "name", "node"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        for (size_t k = 0; k < count; k++) {
            if (str_eq_c(tags[k].key, order[i])) {
                list[n++] = tags[k];
            }
        }
        if (i == 2 && !placed) {
            list[n++] = (struct telemetry_tag){STR("name"), name};
            placed = true;
        }
    }
    return telemetry_series_of(l->store, &(struct telemetry_tags){list, n},
                               TELEMETRY_GAUGE, ret);
}

static int parse(struct load *l, struct str rest)
{
    struct str line, word;
    while (str_next(&rest, '\n', &line)) {
        if (!str_next(&line, ' ', &word) || word.len == 0) {
            continue;
        }
        struct telemetry_sample s = {0};
        TRY(find_series(l, word, &s.series));
        TRY(str_next(&line, ' ', &word) ? str_to_double(word, -1e308, 1e308, &s.value)
                                        : ERR_INVALID);
        TRY(str_to_i64(line, 1, INT64_C(1) << 52, &s.at_ms));
        TRY(vec_push(&l->samples, s));
    }
    return 0;
}

struct sums {
    size_t count, groups;
    struct str names[64];
    double *totals;
};

static int add_view(void *user, const struct telemetry_view *v)
{
    struct sums *s = user;
    struct str group = {0};
    for (size_t i = 0; i < v->tags.count; i++) {
        if (str_eq_c(v->tags.list[i].key, "dc")) {
            group = v->tags.list[i].value;
        }
    }
    size_t g = 0;
    while (g < s->groups && !str_eq(s->names[g], group)) {
        g++;
    }
    s->groups = MAX(s->groups, g + 1);
    s->names[g] = group;
    double *onto = s->totals + g * s->count;
    for (size_t i = 0; i < s->count; i++) {
        onto[i] += isnan(v->values[i]) ? 0 : v->values[i];
    }
    return 0;
}

static int sum_by(struct load *l, int64_t step_ms, double *ret_ms)
{
    size_t count = (size_t)((l->last_ms - l->first_ms) / step_ms) + 1;
    struct sums s = {.count = count, .totals = calloc(64 * count, sizeof(double))};
    FAIL_IF(!s.totals, ERR_NOMEM, "sums");
    const struct telemetry_span span = {
        .start_ms = l->first_ms, .step_ms = step_ms, .count = count};
    int64_t begin = clock_mono_us();
    int err = telemetry_scan(l->store, NULL, &span, add_view, &s);
    *ret_ms = (double)(clock_mono_us() - begin) / 1000;
    free(s.totals);
    return err;
}

static int append_all(struct load *l, size_t *ret_refused)
{
    // A scrape or a remote write at a time, synced at each second of a real day: here every 10,000 values.
    const size_t batch = 10000;
    *ret_refused = 0;
    for (size_t at = 0; at < l->samples.len; at += batch) {
        size_t n = MIN(batch, l->samples.len - at), refused;
        TRY(telemetry_append(l->store, l->samples.data + at, n, &refused));
        TRY(telemetry_sync(l->store));
        *ret_refused += refused;
    }
    return 0;
}

// --- read back ------------------------------------------------------------------------------------------

// Of moment and bits, however they are ordered: a sum.
static uint64_t mark_of(int64_t at_ms, double v)
{
    uint64_t bits;
    v += 0.0;
    memcpy(&bits, &v, sizeof bits);
    bits ^= (uint64_t)at_ms * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ bits >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return bits ^ bits >> 32;
}

struct marks {
    const struct telemetry_span *span;
    uint64_t sum;
};

static int add_marks(void *user, const struct telemetry_view *v)
{
    struct marks *m = user;
    for (size_t i = 0; i < m->span->count; i++) {
        if (!isnan(v->values[i])) {
            m->sum +=
                mark_of(m->span->start_ms + (int64_t)i * m->span->step_ms, v->values[i]);
        }
    }
    return 0;
}

// Whether the store has what it was given, to the last bit.
static int read_back(struct load *l, int64_t step_ms)
{
    const struct telemetry_span span = {
        .start_ms = l->first_ms,
        .step_ms = step_ms,
        .count = (size_t)((l->last_ms - l->first_ms) / step_ms) + 1};
    struct marks m = {.span = &span};
    uint64_t want = 0;
    vec_for_each (s, &l->samples) {
        want += mark_of(s->at_ms, s->value);
    }
    TRY(telemetry_scan(l->store, NULL, &span, add_marks, &m));
    printf("read back: %s\n",
           m.sum == want ? "every value, to its last bit" : "not the same");
    return 0;
}

static int by_float(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure(struct load *l, int64_t step_ms)
{
    size_t refused;
    double n = (double)l->samples.len, times[15];
    int64_t wall = clock_mono_us(), cpu = clock_cpu_us();
    TRY(append_all(l, &refused));
    int64_t wall_append = clock_mono_us() - wall, cpu_append = clock_cpu_us() - cpu;
    struct telemetry_stats head = telemetry_stats(l->store);
    TRY(telemetry_settle(l->store, l->last_ms));
    int64_t cpu_all = clock_cpu_us() - cpu;
    struct telemetry_stats s = telemetry_stats(l->store);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        TRY(sum_by(l, step_ms, &times[i]));
    }
    qsort(times, ARRAY_LEN(times), sizeof *times, by_float);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("samples %.0f, refused %zu, series %llu\n", n, refused,
           (unsigned long long)s.series);
    printf("append, synced each 10,000: %.0f ns cpu, %.0f ns wall a sample\n",
           (double)cpu_append * 1000 / n, (double)wall_append * 1000 / n);
    printf("with blocks written and merged: %.0f ns cpu a sample\n",
           (double)cpu_all * 1000 / n);
    printf("memory before %.1f MB, log %.2f bytes a sample\n",
           (double)head.memory_bytes / 1e6, (double)head.log_bytes / n);
    printf("disk %.4f bytes a sample, list of series included\n",
           (double)s.disk_bytes / n);
    printf("sum by: median %.2f ms, least %.2f ms\n", times[ARRAY_LEN(times) / 2],
           times[0]);
    return read_back(l, step_ms);
}

static int load(const char *path, const char *dir, int64_t step_ms, int64_t bits)
{
    AUTO(buf_free) struct buf text = {0};
    struct load l = {.last_ms = BASE_MS};
    const struct telemetry_tier tiers[] = {{STEP_MS, STEP_MS * 1000000}};
    TRY(fs_read_file(path, (size_t)8 << 30, &text));
    const struct telemetry_config c = {.dir = dir,
                                       .tiers = tiers,
                                       .tier_count = 1,
                                       .precision_bits = (unsigned)bits,
                                       .now_ms = load_now,
                                       .user = &l};
    TRY(telemetry_open(&l.store, &c));
    int err = parse(&l, buf_view(&text));
    buf_free(&text);
    l.first_ms = INT64_MAX;
    vec_for_each (s, &l.samples) {
        l.first_ms = MIN(l.first_ms, s->at_ms);
        l.last_ms = MAX(l.last_ms, s->at_ms);
    }
    l.first_ms = (l.first_ms + step_ms - 1) / step_ms * step_ms;
    err = err < 0 ? err : measure(&l, step_ms);
    vec_free(&l.samples);
    telemetry_close(&l.store);
    return err;
}

// --- many series --------------------------------------------------------------------------------------

static int make_many(struct telemetry *t, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        char node[24], name[24], zone[24];
        snprintf(node, sizeof node, "i-%08llx", (long long)(i / 100));
        snprintf(name, sizeof name, "metric.%lld", (long long)(i % 100));
        snprintf(zone, sizeof zone, "zone-%lld", (long long)(i / 100 % 3));
        struct telemetry_tag list[] = {{STR("app"), STR("edge")},
                                       {STR("name"), str_of(name)},
                                       {STR("node"), str_of(node)},
                                       {STR("stack"), STR("main")},
                                       {STR("zone"), str_of(zone)}};
        struct telemetry_sample s = {.at_ms = BASE_MS, .value = (double)i};
        size_t refused;
        TRY(telemetry_series_of(t, &(struct telemetry_tags){list, ARRAY_LEN(list)},
                                TELEMETRY_GAUGE, &s.series));
        TRY(telemetry_append(t, &s, 1, &refused));
    }
    return 0;
}

static long resident_kib(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss;
}

static int many(int64_t count, const char *dir)
{
    struct load l = {.last_ms = BASE_MS};
    const struct telemetry_config c = {
        .dir = dir, .max_series_per_name = 10000000, .now_ms = load_now, .user = &l};
    TRY(telemetry_open(&l.store, &c));
    int64_t begin = clock_mono_us();
    int err = make_many(l.store, count);
    double n = (double)count;
    struct telemetry_stats s = telemetry_stats(l.store);
    printf("%.0f series: %.0f ns each to make and give a value\n", n,
           (double)(clock_mono_us() - begin) * 1000 / n);
    printf("memory %.0f bytes a series with the window that is open, %.0f resident at "
           "most\n",
           (double)s.memory_bytes / n, (double)resident_kib() * 1024 / n);
    telemetry_close(&l.store);
    TRY(err);
    begin = clock_mono_us();
    TRY(telemetry_open(&l.store, &c));
    printf("opened again in %.2f s\n", (double)(clock_mono_us() - begin) / 1e6);
    telemetry_close(&l.store);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t series = 10000, steps = 480, step_ms = STEP_MS, bits = 0;
    int err = ERR_INVALID;
    if (argc >= 2 && strcmp(argv[1], "mixed") == 0) {
        err = argc > 2 ? str_to_i64(str_of(argv[2]), 1, 100000000, &series) : 0;
        err =
            err == 0 && argc > 3 ? str_to_i64(str_of(argv[3]), 1, 1000000, &steps) : err;
        err = err == 0 ? write_mixed(series, steps) : err;
    } else if (argc >= 3 && strcmp(argv[1], "files") == 0) {
        err = write_files(argv + 2, argc - 2);
    } else if (argc >= 4 && strcmp(argv[1], "load") == 0) {
        err = argc > 4 ? str_to_i64(str_of(argv[4]), STEP_MS, 86400000, &step_ms) : 0;
        err = err == 0 && argc > 5 ? str_to_i64(str_of(argv[5]), 16, 53, &bits) : err;
        err = err == 0 ? load(argv[2], argv[3], step_ms, bits) : err;
    }
    if (argc >= 4 && strcmp(argv[1], "many") == 0) {
        err = str_to_i64(str_of(argv[2]), 1, 10000000, &series);
        err = err == 0 ? many(series, argv[3]) : err;
    }
    if (err < 0) {
        fprintf(stderr, "series_bench: %s\n", err_reason());
    }
    return err < 0;
}
