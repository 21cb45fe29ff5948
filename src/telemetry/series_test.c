// SPDX-License-Identifier: GPL-3.0-or-later
//
// The store against a naive twin: every sample that was taken, in a list, and each answer worked out from
// that list alone.
#include "telemetry/series.h"

#include <math.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define STEP   INT64_C(10000)
#define BASE   (INT64_C(1700000000000) / STEP * STEP)
#define SERIES 24
#define TAGS   5

// --- a world: clock, random numbers, folder --------------------------------------------------------

struct world {
    _Atomic int64_t now_ms;
    uint64_t random;
    atomic_int corrupt, limited;
    char dir[64];
    struct telemetry *store;
    struct telemetry_tier tiers[3];
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static int64_t world_now(void *user)
{
    return ((struct world *)user)->now_ms;
}

static void on_corrupt(void *user, const char *path, const char *why)
{
    (void)path, (void)why;
    ((struct world *)user)->corrupt++;
}

static void on_limit(void *user, struct str name)
{
    (void)name;
    ((struct world *)user)->limited++;
}

static struct telemetry_config config_of(struct world *w)
{
    return (struct telemetry_config){.dir = w->dir,
                                     .tiers = w->tiers,
                                     .tier_count = w->tiers[1].step_ms ? 2 : 1,
                                     .on_corrupt = on_corrupt,
                                     .on_limit = on_limit,
                                     .user = w,
                                     .now_ms = world_now};
}

static void world_open(struct world *w)
{
    struct telemetry_config c = config_of(w);
    assert_int_equal(telemetry_open(&w->store, &c), 0);
}

static void world_new(struct world *w, uint64_t seed)
{
    *w = (struct world){.random = seed * 0x9e3779b97f4a7c15 + 1, .now_ms = BASE};
    w->tiers[0] = (struct telemetry_tier){STEP, 5000 * STEP};
    snprintf(w->dir, sizeof w->dir, "/tmp/marquee-series-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
}

static void world_end(struct world *w)
{
    telemetry_close(&w->store);
    assert_int_equal(fs_remove_tree(w->dir), 0);
}

// --- the twin ----------------------------------------------------------------------------------------

struct taken {
    int64_t at_ms;
    double value;
};

struct twin_series {
    struct telemetry_tag list[TAGS];
    char text[TAGS][2][16];
    struct telemetry_tags tags;
    enum telemetry_dstype dstype;
    uint32_t number;
    bool made;
    VEC(struct taken) taken; // in the order of coming
};

struct twin {
    struct twin_series series[SERIES];
    int64_t settled_ms, visible_ms;
};

static int64_t slot_of(int64_t at_ms)
{
    return (at_ms + STEP - 1) / STEP;
}

static int64_t last_of(const struct twin_series *s)
{
    int64_t last = 0;
    for (size_t i = 0; i < s->taken.len; i++) {
        last = MAX(last, s->taken.data[i].at_ms);
    }
    return last;
}

// The rates of a series, each over the time that it stands for.
struct stretch {
    int64_t from_ms, until_ms;
    double rate;
};

static size_t stretches(const struct twin_series *s, struct stretch *ret)
{
    size_t n = 0;
    int64_t before = 0;
    for (size_t i = 0; i < s->taken.len; i++) {
        struct taken t = s->taken.data[i];
        double rate = t.value;
        if (s->dstype == TELEMETRY_COUNTER) {
            if (i == 0) {
                continue;
            }
            struct taken b = s->taken.data[i - 1];
            rate = t.value <= b.value
                       ? 0
                       : (t.value - b.value) / ((double)(t.at_ms - b.at_ms) / 1000);
        }
        bool fresh = before == 0 || t.at_ms - before > 2 * STEP;
        ret[n++] = (struct stretch){fresh ? t.at_ms - STEP : before, t.at_ms, rate};
        before = t.at_ms;
    }
    return n;
}

static double rate_at(const struct twin_series *s, int64_t slot)
{
    struct stretch *all = calloc(s->taken.len + 1, sizeof *all);
    size_t n = stretches(s, all);
    int64_t end = slot * STEP, begin = end - STEP;
    double sum = 0;
    bool reached = false;
    for (size_t i = 0; i < n; i++) {
        int64_t overlap = MIN(end, all[i].until_ms) - MAX(begin, all[i].from_ms);
        sum += overlap > 0 ? all[i].rate * ((double)overlap / (double)STEP) : 0;
        reached = reached || (all[i].from_ms < end && all[i].until_ms >= end);
    }
    free(all);
    return reached ? sum : NAN;
}

static double value_at(const struct twin_series *s, int64_t slot)
{
    if (s->dstype == TELEMETRY_RATE || s->dstype == TELEMETRY_COUNTER) {
        return rate_at(s, slot);
    }
    double value = NAN;
    int64_t at = 0;
    for (size_t i = 0; i < s->taken.len; i++) {
        struct taken t = s->taken.data[i];
        if (slot_of(t.at_ms) != slot) {
            continue;
        }
        if (s->dstype == TELEMETRY_SUM) {
            value = isnan(value) ? t.value : value + t.value;
        } else if (t.at_ms >= at) {
            value = t.value;
            at = t.at_ms;
        }
    }
    return value;
}

static bool twin_takes(const struct twin_series *s, const struct world *w, int64_t at_ms,
                       double value)
{
    int64_t now = w->now_ms, last = last_of(s);
    if (!isfinite(value) || at_ms > now + 2 * STEP || at_ms < now - w->tiers[0].keep_ms) {
        return false;
    }
    bool recent = at_ms >= now - 2 * STEP;
    if (s->dstype == TELEMETRY_SUM) {
        return recent || last == 0 || slot_of(at_ms) > slot_of(last);
    }
    if (s->dstype == TELEMETRY_GAUGE && at_ms < last) {
        return recent && isnan(value_at(s, slot_of(at_ms)));
    }
    return at_ms > last || (s->dstype == TELEMETRY_GAUGE && recent && at_ms == last);
}

static bool twin_fits(const struct twin_series *s, const struct telemetry_match *m)
{
    if (m->op == TELEMETRY_MATCH_AND) {
        return twin_fits(s, m->left) && twin_fits(s, m->right);
    }
    if (m->op == TELEMETRY_MATCH_OR) {
        return twin_fits(s, m->left) || twin_fits(s, m->right);
    }
    if (m->op == TELEMETRY_MATCH_NOT) {
        return !twin_fits(s, m->left);
    }
    if (m->op == TELEMETRY_MATCH_ALL || m->op == TELEMETRY_MATCH_NONE) {
        return m->op == TELEMETRY_MATCH_ALL;
    }
    for (size_t i = 0; i < s->tags.count; i++) {
        struct str value = s->list[i].value;
        if (!str_eq(s->list[i].key, m->key)) {
            continue;
        }
        bool in = m->op == TELEMETRY_MATCH_HAS;
        for (size_t v = 0; v < m->value_count; v++) {
            int c = strcmp(s->text[i][1], m->values[v].data);
            in = in || (m->op == TELEMETRY_MATCH_IN && c == 0) ||
                 (m->op == TELEMETRY_MATCH_LT && c < 0) ||
                 (m->op == TELEMETRY_MATCH_LE && c <= 0) ||
                 (m->op == TELEMETRY_MATCH_GT && c > 0) ||
                 (m->op == TELEMETRY_MATCH_GE && c >= 0) ||
                 // The expressions of this test are a text, a point and a star.
                 ((m->op == TELEMETRY_MATCH_RE || m->op == TELEMETRY_MATCH_REIC) &&
                  value.len >= m->values[v].len - 2 &&
                  (m->op == TELEMETRY_MATCH_RE ? strncmp : strncasecmp)(
                      s->text[i][1], m->values[v].data, m->values[v].len - 2) == 0);
        }
        return in;
    }
    return false;
}

static double twin_step(const struct twin *t, const struct twin_series *s,
                        const struct telemetry_span *span, size_t i)
{
    int64_t end = (span->start_ms + (int64_t)i * span->step_ms) / STEP;
    double sum = 0, low = INFINITY, high = -INFINITY, count = 0, over = 0;
    for (int64_t slot = end - span->step_ms / STEP + 1; slot <= end; slot++) {
        double v = slot * STEP <= t->visible_ms ? value_at(s, slot) : NAN;
        over += slot * STEP <= t->visible_ms;
        if (!isnan(v)) {
            sum += v;
            low = fmin(low, v);
            high = fmax(high, v);
            count++;
        }
    }
    if (count == 0) {
        return NAN;
    }
    return span->cf == TELEMETRY_CF_SUM   ? sum
           : span->cf == TELEMETRY_CF_MIN ? low
           : span->cf == TELEMETRY_CF_MAX ? high
           : s->dstype == TELEMETRY_GAUGE ? sum / count
                                          : sum / over;
}

// --- what is compared ----------------------------------------------------------------------------------

struct visit {
    const struct twin *twin;
    const struct telemetry_span *span;
    const struct telemetry_match *match;
    bool seen[SERIES];
};

static const struct twin_series *twin_of(const struct twin *t,
                                         const struct telemetry_view *v, size_t *ret)
{
    for (size_t i = 0; i < SERIES; i++) {
        const struct twin_series *s = &t->series[i];
        bool same = s->made && s->tags.count == v->tags.count;
        for (size_t k = 0; same && k < s->tags.count; k++) {
            same = str_eq(s->list[k].key, v->tags.list[k].key) &&
                   str_eq(s->list[k].value, v->tags.list[k].value);
        }
        if (same) {
            *ret = i;
            return s;
        }
    }
    return NULL;
}

static int compare_view(void *user, const struct telemetry_view *view)
{
    struct visit *v = user;
    size_t at = 0;
    const struct twin_series *s = twin_of(v->twin, view, &at);
    assert_non_null(s);
    assert_false(v->seen[at]);
    assert_true(twin_fits(s, v->match));
    assert_int_equal(view->dstype, s->dstype);
    v->seen[at] = true;
    for (size_t i = 0; i < v->span->count; i++) {
        double want = twin_step(v->twin, s, v->span, i), got = view->values[i];
        if (isnan(want) != isnan(got) || fabs(want - got) > 1e-9 * fmax(1, fabs(want))) {
            fail_msg("series %zu (type %d) at %zu: %.17g, not %.17g", at, (int)s->dstype,
                     i, got, want);
        }
    }
    return 0;
}

static void compare_scan(struct world *w, const struct twin *t,
                         const struct telemetry_match *match,
                         const struct telemetry_span *span)
{
    struct visit v = {.twin = t, .span = span, .match = match};
    assert_int_equal(telemetry_scan(w->store, match, span, compare_view, &v), 0);
    for (size_t s = 0; s < SERIES; s++) {
        if (v.seen[s] || !t->series[s].made || !twin_fits(&t->series[s], match)) {
            continue;
        }
        for (size_t i = 0; i < span->count; i++) {
            assert_true(isnan(twin_step(t, &t->series[s], span, i)));
        }
    }
}

// --- random deeds ----------------------------------------------------------------------------------------

static void make_series(struct world *w, struct twin *t, size_t at)
{
    static const char *const keys[TAGS] = {"app", "name", "node", "stack", "zone"};
    struct twin_series *s = &t->series[at];
    s->dstype = (enum telemetry_dstype)(at % 4);
    s->tags = (struct telemetry_tags){.list = s->list};
    for (size_t k = 0; k < TAGS; k++) {
        if (k != 1 && k != 2 && draw(w, 4) == 0) {
            continue;
        }
        size_t n = s->tags.count++;
        snprintf(s->text[n][0], sizeof s->text[n][0], "%s", keys[k]);
        snprintf(s->text[n][1], sizeof s->text[n][1], "%c%c%u", k == 2 ? 'n' : 'V',
                 "aB"[draw(w, 2)], k == 2 ? (unsigned)at : (unsigned)draw(w, 3));
        s->list[n] = (struct telemetry_tag){str_of(s->text[n][0]), str_of(s->text[n][1])};
    }
    s->made = true;
}

static void look_up(struct world *w, struct twin *t)
{
    for (size_t i = 0; i < SERIES; i++) {
        struct twin_series *s = &t->series[i];
        if (s->made) {
            assert_int_equal(
                telemetry_series_of(w->store, &s->tags, s->dstype, &s->number), 0);
        }
    }
}

static void append_some(struct world *w, struct twin *t)
{
    struct telemetry_sample batch[100];
    size_t n = draw(w, ARRAY_LEN(batch)), expected = 0, refused = 0;
    for (size_t i = 0; i < n; i++) {
        struct twin_series *s = &t->series[draw(w, SERIES)];
        if (!s->made) {
            make_series(w, t, (size_t)(s - t->series));
            look_up(w, t);
        }
        int64_t at = w->now_ms - STEP + (int64_t)draw(w, 2 * (uint64_t)STEP);
        uint64_t dice = draw(w, 20);
        at = dice == 0   ? w->now_ms - (int64_t)draw(w, 300 * (uint64_t)STEP)
             : dice == 1 ? w->now_ms + 3 * STEP
             : dice < 8  ? at / STEP * STEP
                         : at;
        double value = dice == 2 ? NAN : (double)draw(w, 100000) / 100;
        batch[i] = (struct telemetry_sample){s->number, at, value};
        if (twin_takes(s, w, at, value)) {
            assert_int_equal(vec_push(&s->taken, (struct taken){at, value}), 0);
        } else {
            expected++;
        }
    }
    assert_int_equal(telemetry_append(w->store, batch, n, &refused), 0);
    assert_int_equal(refused, expected);
}

static struct telemetry_match leaf(struct world *w, struct str *value)
{
    static const char *const keys[] = {"app", "name", "node", "stack", "zone", "none"};
    static const char *const values[] = {"Va0", "VB1", "Va2", "na3", "nB5", "", "x"};
    static const char *const regexes[] = {"V.*", "va.*", "nB1.*", "n.*", ".*"};
    struct telemetry_match m = {
        .key = str_of(keys[draw(w, ARRAY_LEN(keys))]), .values = value, .value_count = 1};
    m.op = (enum telemetry_match_op)draw(w, TELEMETRY_MATCH_AND);
    bool regex = m.op == TELEMETRY_MATCH_RE || m.op == TELEMETRY_MATCH_REIC;
    *value = str_of(regex ? regexes[draw(w, ARRAY_LEN(regexes))]
                          : values[draw(w, ARRAY_LEN(values))]);
    return m;
}

static void ask(struct world *w, struct twin *t)
{
    int64_t slot = w->now_ms / STEP;
    struct str values[2];
    struct telemetry_match leaves[2] = {leaf(w, &values[0]), leaf(w, &values[1])};
    struct telemetry_match tree = {
        .op = TELEMETRY_MATCH_AND + draw(w, 3), .left = &leaves[0], .right = &leaves[1]};
    bool tiers = w->tiers[1].step_ms >
                 0; // then what is old is known by the steps of the second one
    int64_t ratio =
        tiers ? 6 * (1 + (int64_t)draw(w, 2)) : (int64_t[]){1, 1, 2, 6}[draw(w, 4)];
    int64_t start = (slot - (int64_t)draw(w, tiers ? 2500 : 200)) / ratio * ratio;
    struct telemetry_span span = {.start_ms = start * STEP,
                                  .step_ms = ratio * STEP,
                                  .count = 1 + draw(w, 100),
                                  .cf = (enum telemetry_consolidate)draw(w, 4)};
    t->visible_ms = MAX(t->settled_ms, slot * STEP);
    compare_scan(w, t, draw(w, 2) ? &tree : &leaves[0], &span);
}

static void run_random(uint64_t seed)
{
    struct world w;
    struct twin t = {0};
    world_new(&w, seed);
    bool tiers = seed % 3 == 0;
    if (tiers) {
        w.tiers[0].keep_ms = 900 * STEP;
        w.tiers[1] = (struct telemetry_tier){6 * STEP, 50000 * STEP};
    }
    world_open(&w);
    for (int round = 0; round < 150; round++) {
        uint64_t dice = draw(&w, 20);
        w.now_ms += dice == 0   ? (int64_t)draw(&w, tiers ? 700 : 250) * STEP
                    : dice == 1 ? -(int64_t)draw(&w, 3) * STEP
                                : (int64_t)draw(&w, (uint64_t)STEP);
        append_some(&w, &t);
        if (draw(&w, 10) == 0) {
            int64_t until = w.now_ms + (int64_t)draw(&w, 2 * (uint64_t)STEP);
            t.settled_ms = MAX(t.settled_ms, until / STEP * STEP);
            assert_int_equal(telemetry_settle(w.store, until), 0);
        }
        if (draw(&w, 10) == 0) {
            telemetry_close(&w.store);
            world_open(&w);
            look_up(&w, &t);
        }
        ask(&w, &t);
    }
    assert_int_equal(w.corrupt, 0);
    assert_true(telemetry_stats(w.store).disk_bytes > 0); // blocks took part
    for (size_t i = 0; i < SERIES; i++) {
        vec_free(&t.series[i].taken);
    }
    world_end(&w);
}

static void the_store_equals_a_naive_twin(void **state)
{
    (void)state;
    const char *rounds = getenv("SERIES_ROUNDS");
    int64_t n = 12;
    if (rounds) {
        assert_int_equal(str_to_i64(str_of(rounds), 1, 1000000, &n), 0);
    }
    for (int64_t seed = 1; seed <= n; seed++) {
        run_random((uint64_t)seed);
    }
}

// --- names and limits ------------------------------------------------------------------------------------

static void names_are_listed_in_pages(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 1);
    world_open(&w);
    AUTO(arena_free) struct arena *arena = NULL;
    assert_int_equal(arena_new(&arena), 0);
    for (int i = 0; i < 100; i++) {
        char node[16];
        snprintf(node, sizeof node, "i-%02d", i);
        struct telemetry_tag list[] = {{STR("name"), i % 2 ? STR("odd") : STR("even")},
                                       {STR("node"), str_of(node)}};
        uint32_t number;
        assert_int_equal(telemetry_series_of(w.store, &(struct telemetry_tags){list, 2},
                                             TELEMETRY_GAUGE, &number),
                         0);
    }
    struct str odd = STR("odd");
    struct telemetry_match match = {
        .op = TELEMETRY_MATCH_IN, .key = STR("name"), .values = &odd, .value_count = 1};
    char after[16] = "";
    int seen = 0;
    struct telemetry_page page = {.limit = 7};
    struct telemetry_names names = {.more = true};
    for (; names.more; page.after = after) {
        assert_int_equal(telemetry_values(w.store, &match, "node", &page, arena, &names),
                         0);
        for (size_t i = 0; i < names.count; i++, seen++) {
            char want[16];
            snprintf(want, sizeof want, "i-%02d", 2 * seen + 1);
            assert_true(str_eq_c(names.list[i], want));
            snprintf(after, sizeof after, "%s", want);
        }
    }
    assert_int_equal(seen, 50);
    page = (struct telemetry_page){.limit = 1};
    assert_int_equal(telemetry_keys(w.store, NULL, &page, arena, &names), 0);
    assert_true(names.count == 1 && names.more && str_eq_c(names.list[0], "name"));
    page = (struct telemetry_page){.after = "name", .limit = 9};
    assert_int_equal(telemetry_keys(w.store, NULL, &page, arena, &names), 0);
    assert_true(names.count == 1 && !names.more && str_eq_c(names.list[0], "node"));
    world_end(&w);
}

static int make_numbered(struct world *w, const char *name, int number)
{
    char node[16];
    snprintf(node, sizeof node, "i-%d", number);
    struct telemetry_tag list[] = {{STR("name"), str_of(name)},
                                   {STR("node"), str_of(node)}};
    uint32_t series;
    return telemetry_series_of(w->store, &(struct telemetry_tags){list, 2},
                               TELEMETRY_GAUGE, &series);
}

static void too_many_series_are_refused_and_told_once_an_hour(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 1);
    struct telemetry_config c = config_of(&w);
    c.max_series = 30;
    c.max_series_per_name = 10;
    assert_int_equal(telemetry_open(&w.store, &c), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(make_numbered(&w, "first", i), i < 10 ? 0 : ERR_LIMIT);
    }
    assert_int_equal(w.limited, 1);
    w.now_ms += 3600000;
    assert_int_equal(make_numbered(&w, "first", 11), ERR_LIMIT);
    assert_int_equal(w.limited, 2);
    assert_int_equal(make_numbered(&w, "first", 3), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(make_numbered(&w, "second", i), i < 10 ? 0 : ERR_LIMIT);
        assert_int_equal(make_numbered(&w, "third", i), i < 10 ? 0 : ERR_LIMIT);
    }
    assert_int_equal(make_numbered(&w, "fourth", 0), ERR_LIMIT);
    assert_int_equal(telemetry_stats(w.store).series, 30);
    assert_int_equal(telemetry_stats(w.store).over_limit, 32);
    world_end(&w);
}

static void tags_outside_the_limits_are_refused(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 1);
    world_open(&w);
    char text[256], keys[24][8];
    memset(text, 'x', sizeof text);
    struct telemetry_tag list[24] = {{STR("name"), STR("a")}};
    const struct {
        struct str key, value;
        int err;
    } cases[] = {
        {STR("na"), {text, 120}, 0},          {STR("na"), {text, 121}, ERR_LIMIT},
        {STR("na"), {text, 0}, ERR_LIMIT},    {{text, 60}, STR("v"), 0},
        {{text, 61}, STR("v"), ERR_LIMIT},    {STR("z"), STR("v"), ERR_LIMIT},
        {STR("name"), STR("v"), ERR_INVALID},
    };
    uint32_t series;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t at =
            memcmp(cases[i].key.data, "name", MIN(cases[i].key.len, (size_t)4)) <= 0 ? 0
                                                                                     : 1;
        list[1 - at] = (struct telemetry_tag){STR("name"), STR("a")};
        list[at] = (struct telemetry_tag){cases[i].key, cases[i].value};
        assert_int_equal(telemetry_series_of(w.store, &(struct telemetry_tags){list, 2},
                                             TELEMETRY_GAUGE, &series),
                         cases[i].err);
    }
    list[0] = (struct telemetry_tag){STR("name"), STR("a")};
    for (int i = 0; i < 21; i++) {
        snprintf(keys[i], sizeof keys[i], "tag%02d", i);
        list[i + 1] = (struct telemetry_tag){str_of(keys[i]), STR("v")};
    }
    assert_int_equal(telemetry_series_of(w.store, &(struct telemetry_tags){list, 21},
                                         TELEMETRY_GAUGE, &series),
                     0);
    assert_int_equal(telemetry_series_of(w.store, &(struct telemetry_tags){list, 22},
                                         TELEMETRY_GAUGE, &series),
                     ERR_LIMIT);
    world_end(&w);
}

// A value for each of many windows of the past: that waits, and what is said of now does not.
static void too_much_of_the_past_waits(void **state)
{
    (void)state;
    enum { WINDOWS = 5000, WINDOW = 30 };
    struct world w;
    struct telemetry_tag list[] = {{STR("name"), STR("sparse")}};
    VEC(struct telemetry_sample) samples = {0};
    uint32_t series = 0;
    size_t refused = 0;
    world_new(&w, 1);
    w.tiers[0].keep_ms = (WINDOWS + 10) * WINDOW * STEP;
    world_open(&w);
    assert_int_equal(telemetry_series_of(w.store, &(struct telemetry_tags){list, 1},
                                         TELEMETRY_GAUGE, &series),
                     0);
    for (int64_t i = WINDOWS; i > 0; i--) {
        const struct telemetry_sample s = {series, BASE - i * WINDOW * STEP, 1};
        assert_int_equal(vec_push(&samples, s), 0);
    }
    assert_int_equal(telemetry_append(w.store, samples.data, WINDOWS / 4, &refused), 0);
    assert_int_equal(refused, 0);
    assert_int_equal(telemetry_append(w.store, samples.data, WINDOWS, &refused),
                     ERR_BUSY);
    const struct telemetry_sample now = {series, BASE, 1};
    assert_int_equal(telemetry_append(w.store, &now, 1, &refused), 0);
    assert_int_equal(refused, 0);
    vec_free(&samples);
    world_end(&w);
}

static void one_process_holds_a_folder(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 1);
    world_open(&w);
    struct telemetry *second = NULL;
    struct telemetry_config c = config_of(&w);
    assert_int_equal(telemetry_open(&second, &c), ERR_BUSY);
    assert_null(second);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_equals_a_naive_twin),
        cmocka_unit_test(names_are_listed_in_pages),
        cmocka_unit_test(too_many_series_are_refused_and_told_once_an_hour),
        cmocka_unit_test(tags_outside_the_limits_are_refused),
        cmocka_unit_test(too_much_of_the_past_waits),
        cmocka_unit_test(one_process_holds_a_folder),
    };
    return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
