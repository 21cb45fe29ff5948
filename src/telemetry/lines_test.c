// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every type and option of the spectatord grammar, with what comes to the store; and the hostile rest.
#include "telemetry/fake_store.h"
#include "telemetry/lines.h"
#include "telemetry/percentile.h"
#include "telemetry/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEP_MS  INT64_C(60000)
#define START_MS INT64_C(1700000040000) // a step's end

struct world {
    struct telemetry *store;
    struct telemetry_intake *intake;
    struct arena *arena;
    int64_t now_ms;
};

static int64_t world_now(void *user)
{
    return ((struct world *)user)->now_ms;
}

static void world_open(struct world *w, struct telemetry_intake_config config)
{
    *w = (struct world){.now_ms = START_MS};
    assert_int_equal(fake_store_open(&w->store, STEP_MS), 0);
    assert_int_equal(arena_new(&w->arena), 0);
    config.store = w->store;
    config.flush_ms = -1;
    config.now_ms = world_now;
    config.user = w;
    assert_int_equal(telemetry_intake_new(&w->intake, &config), 0);
}

static void world_close(struct world *w)
{
    telemetry_intake_free(&w->intake);
    fake_store_close(&w->store);
    arena_free(&w->arena);
}

static void send(struct world *w, const char *lines)
{
    telemetry_intake_lines(w->intake, str_of(lines));
}

// Times are seconds after START_MS.
static const char *flush_at(struct world *w, int64_t s)
{
    w->now_ms = START_MS + s * 1000;
    assert_int_equal(telemetry_intake_flush(w->intake, w->now_ms), 0);
    return fake_store_take(w->store, w->arena);
}

// --- golden: what a type comes to ------------------------------------------------------------

struct golden {
    const char *lines, *stored; // at the end of the step
};

#define AT " @1700000100000 = "
static const struct golden goldens[] = {
    {"c:hits:30\nc:hits:30", "hits,atlas.dstype=rate,statistic=count sum" AT "1\n"},
    {"c:hits,nf.app=web,code=200:90",
     "hits,atlas.dstype=rate,code=200,nf.app=web,statistic=count sum" AT "1.5\n"},
    {"c:hits,a1=1,b1=2:3\nc:hits,b1=2,a1=1:3\n", // the order of tags is none
     "hits,a1=1,atlas.dstype=rate,b1=2,statistic=count sum" AT "0.1\n"},
    {"c:a b/c,k!=x*y:60", "a_b_c,atlas.dstype=rate,k_=x_y,statistic=count sum" AT "1\n"},
    {"c:p,statistic=percentile,percentile=T0001:60",
     "p,atlas.dstype=rate,percentile=T0001,statistic=percentile sum" AT "1\n"},
    {"d:size:10\nd:size:20",
     "size,atlas.dstype=gauge,statistic=max" AT "20\n"
     "size,atlas.dstype=rate,statistic=count sum" AT "0.0333333333333\n"
     "size,atlas.dstype=rate,statistic=totalAmount sum" AT "0.5\n"
     "size,atlas.dstype=rate,statistic=totalOfSquares sum" AT "8.33333333333\n"},
    {"D:size:1000",
     "size,atlas.dstype=gauge,statistic=max" AT "1000\n"
     "size,atlas.dstype=rate,percentile=D0029,statistic=percentile sum" AT
     "0.0166666666667\n"
     "size,atlas.dstype=rate,statistic=count sum" AT "0.0166666666667\n"
     "size,atlas.dstype=rate,statistic=totalAmount sum" AT "16.6666666667\n"
     "size,atlas.dstype=rate,statistic=totalOfSquares sum" AT "16666.6666667\n"},
    {"t:wait:0.5\nt:wait:1.5\nt:wait:1",
     "wait,atlas.dstype=gauge,statistic=max" AT "1.5\n"
     "wait,atlas.dstype=rate,statistic=count sum" AT "0.05\n"
     "wait,atlas.dstype=rate,statistic=totalOfSquares sum" AT "0.0583333333333\n"
     "wait,atlas.dstype=rate,statistic=totalTime sum" AT "0.05\n"},
    {"T:wait:0.000001",
     "wait,atlas.dstype=gauge,statistic=max" AT "1e-06\n"
     "wait,atlas.dstype=rate,percentile=T0029,statistic=percentile sum" AT
     "0.0166666666667\n"
     "wait,atlas.dstype=rate,statistic=count sum" AT "0.0166666666667\n"
     "wait,atlas.dstype=rate,statistic=totalOfSquares sum" AT "1.66666666667e-14\n"
     "wait,atlas.dstype=rate,statistic=totalTime sum" AT "1.66666666667e-08\n"},
    {"m:peak:5\nm:peak:9\nm:peak:7", "peak,atlas.dstype=gauge,statistic=max" AT "9\n"},
    {"m:peak:-5\nm:peak:-9", "peak,atlas.dstype=gauge,statistic=max" AT "-5\n"},
    {"g:load:1\ng:load:-2.5e-1", "load,atlas.dstype=gauge,statistic=gauge" AT "-0.25\n"},
    {"g,120:load:4", "load,atlas.dstype=gauge,statistic=gauge" AT "4\n"},
    {"A:backup:1700000000", "backup,atlas.dstype=gauge,statistic=gauge" AT "100\n"},
    {"A:backup:0", "backup,atlas.dstype=gauge,statistic=gauge" AT "60\n"},
    {"C:bytes:100\nC:bytes:160.5\nC:bytes:10\nC:bytes:16",
     "bytes,atlas.dstype=rate,statistic=count sum" AT "1.10833333333\n"},
    {"C:bytes:100", ""}, // one sample says nothing
    {"U:bytes:18446744073709551600\nU:bytes:44",
     "bytes,atlas.dstype=rate,statistic=count sum" AT "1\n"},
    {"U:bytes:1000\nU:bytes:4\nU:bytes:64", // a restart
     "bytes,atlas.dstype=rate,statistic=count sum" AT "1\n"},
    {"X,1700000060000:bytes:10\nX,1700000090000:bytes:100\nX,1700000090000:bytes:900",
     "bytes,atlas.dstype=rate,statistic=count sum @1700000090000 = 1.5\n"},
};

static void every_type_comes_to_the_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        struct world w;
        world_open(&w, (struct telemetry_intake_config){0});
        send(&w, goldens[i].lines);
        assert_string_equal(flush_at(&w, 60), goldens[i].stored);
        world_close(&w);
    }
}

static void what_is_hostile_is_counted(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum line_fault fault;
    } lines[] = {
        {"c:hits:1", LINE_GOOD},
        {"c:hits:1\r", LINE_GOOD},
        {"c:hits:+1.", LINE_GOOD},
        {"c:hits:.5e+3", LINE_GOOD},
        {"c::1", LINE_MALFORMED},
        {"c:hits", LINE_MALFORMED},
        {"c:hits:", LINE_MALFORMED},
        {"c:hits:one", LINE_MALFORMED},
        {"c:hits:1x", LINE_MALFORMED},
        {"c:hits:0x10", LINE_MALFORMED},
        {"c:hits:1e", LINE_MALFORMED},
        {"c:hits:1 2", LINE_MALFORMED},
        {"c:hits:.", LINE_MALFORMED},
        {"c:hits:-", LINE_MALFORMED},
        {"c,5:hits:1", LINE_MALFORMED}, // no such option
        {"g,:load:1", LINE_MALFORMED},
        {"g,-1:load:1", LINE_MALFORMED},
        {"g,1.5:load:1", LINE_MALFORMED},
        {"g,99999999999999999999:load:1", LINE_MALFORMED},
        {"X:bytes:1", LINE_MALFORMED},
        {"q:hits:1", LINE_MALFORMED},
        {"cc:hits:1", LINE_MALFORMED},
        {":hits:1", LINE_MALFORMED},
        {"c", LINE_MALFORMED},
        {"::::", LINE_MALFORMED},
        {"c:hits,:1", LINE_MALFORMED},
        {"c:hits,a:1", LINE_MALFORMED},
        {"c:hits,a=:1", LINE_MALFORMED},
        {"c:hits,=b:1", LINE_MALFORMED},
        {"c:,a=b:1", LINE_MALFORMED},
        {"c:hits:-1", LINE_BAD_VALUE}, // a count grows
        {"t:wait:-1", LINE_BAD_VALUE},
        {"A:age:-1", LINE_BAD_VALUE},
        {"C:bytes:-1", LINE_BAD_VALUE},
        {"U:bytes:1.5", LINE_BAD_VALUE},
        {"U:bytes:-1", LINE_BAD_VALUE},
        {"U:bytes:18446744073709551616", LINE_BAD_VALUE},
        {"g:load:NaN", LINE_BAD_VALUE},
        {"g:load:-inf", LINE_BAD_VALUE},
        {"g:load:1e999", LINE_BAD_VALUE},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct world w;
        world_open(&w, (struct telemetry_intake_config){0});
        send(&w, lines[i].line);
        struct telemetry_intake_counts counts = telemetry_intake_counts(w.intake);
        if (counts.lines != 1 || counts.malformed != (lines[i].fault == LINE_MALFORMED) ||
            counts.bad_value != (lines[i].fault == LINE_BAD_VALUE)) {
            fail_msg("%s: malformed %d, bad value %d", lines[i].line,
                     (int)counts.malformed, (int)counts.bad_value);
        }
        world_close(&w);
    }
}

static void a_datagram_holds_many_lines(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){0});
    send(&w, "\n\nc:hits:1\n\nnonsense\nc:hits:59\r\ng:load:2\n");
    assert_string_equal(flush_at(&w, 60),
                        "hits,atlas.dstype=rate,statistic=count sum" AT "1\n"
                        "load,atlas.dstype=gauge,statistic=gauge" AT "2\n");
    struct telemetry_intake_counts counts = telemetry_intake_counts(w.intake);
    assert_int_equal(counts.lines, 4);
    assert_int_equal(counts.malformed, 1);
    assert_int_equal(counts.samples, 2);
    world_close(&w);
}

// --- lifetimes ------------------------------------------------------------------------------

static void gauges_last_for_their_ttl(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){0});
    send(&w, "g,1:short:1\ng,90:long:2\ng:usual:3");
    // At least 5 s, whatever is asked for; each is said once a step while it stands still.
    assert_string_equal(flush_at(&w, 5),
                        "long,atlas.dstype=gauge,statistic=gauge @1700000045000 = 2\n"
                        "short,atlas.dstype=gauge,statistic=gauge @1700000045000 = 1\n"
                        "usual,atlas.dstype=gauge,statistic=gauge @1700000045000 = 3\n");
    assert_string_equal(flush_at(&w, 10), "");
    assert_string_equal(flush_at(&w, 65),
                        "long,atlas.dstype=gauge,statistic=gauge @1700000105000 = 2\n"
                        "usual,atlas.dstype=gauge,statistic=gauge @1700000105000 = 3\n");
    assert_string_equal(flush_at(&w, 130),
                        "usual,atlas.dstype=gauge,statistic=gauge @1700000170000 = 3\n");
    assert_string_equal(flush_at(&w, 900),
                        "usual,atlas.dstype=gauge,statistic=gauge @1700000940000 = 3\n");
    assert_string_equal(flush_at(&w, 901), "");
    send(&w, "g:usual:4");
    assert_string_equal(flush_at(&w, 905),
                        "usual,atlas.dstype=gauge,statistic=gauge @1700000945000 = 4\n");
    world_close(&w);
}

static void a_monotone_meter_is_forgotten_after_15_minutes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){0});
    send(&w, "C:bytes:100");
    flush_at(&w, 900);
    send(&w, "C:bytes:160");
    assert_string_equal(
        flush_at(&w, 960),
        "bytes,atlas.dstype=rate,statistic=count sum @1700001000000 = 1\n");
    flush_at(&w, 1861);
    send(&w, "C:bytes:220"); // a first sample again
    assert_string_equal(flush_at(&w, 1920), "");
    world_close(&w);
}

static void expired_meters_make_room(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){.max_meters = 200});
    char line[64];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 210; i++) {
            snprintf(line, sizeof line, "c:hits.%d.%d:60", round, i);
            send(&w, line);
        }
        // Room for 200 of them each time.
        assert_int_equal(telemetry_intake_counts(w.intake).over_limit, (round + 1) * 10);
        flush_at(&w, round * 3000 + 60);
        flush_at(&w, round * 3000 + 2000);
    }
    assert_int_equal(telemetry_intake_counts(w.intake).samples, 600);
    world_close(&w);
}

static void age_gauges_live_on_and_are_limited(void **state)
{
    (void)state;
    struct world w;
    char line[64];
    world_open(&w, (struct telemetry_intake_config){0});
    for (int i = 0; i < 1003; i++) {
        snprintf(line, sizeof line, "A:age.%d:0", i);
        send(&w, line);
    }
    assert_int_equal(telemetry_intake_counts(w.intake).over_limit, 3);
    flush_at(&w, 60);
    uint64_t before = telemetry_intake_counts(w.intake).samples;
    flush_at(&w, 86400);
    assert_int_equal(telemetry_intake_counts(w.intake).samples - before, 1000);
    world_close(&w);
}

static void what_the_store_refuses_is_no_meter(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){0});
    fake_store_limit(w.store, 2);
    char line[400];
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "c:hits.%d:60", i);
        send(&w, line);
    }
    assert_int_equal(telemetry_intake_counts(w.intake).over_limit, 998);
    memset(line, 'n', sizeof line);
    snprintf(line + 300, 100, ":1");
    memcpy(line, "c:", 2);
    send(&w, line); // a name of 298 characters
    assert_int_equal(telemetry_intake_counts(w.intake).over_limit, 999);
    flush_at(&w, 60);
    assert_int_equal(telemetry_intake_counts(w.intake).samples, 2);
    world_close(&w);
}

static void common_tags_cannot_be_forged(void **state)
{
    (void)state;
    struct world w;
    const struct telemetry_tag node = {STR("nf.node"), STR("i-1")};
    const struct telemetry_tags common = {&node, 1};
    world_open(&w, (struct telemetry_intake_config){.common = &common});
    send(&w, "c:hits,nf.node=i-2:60");
    assert_string_equal(flush_at(&w, 60),
                        "hits,atlas.dstype=rate,nf.node=i-1,statistic=count sum" AT
                        "1\n");
    world_close(&w);
}

static void steps_that_were_slept_through_end_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){0});
    send(&w, "c:hits:60\ng:load:1");
    assert_string_equal(flush_at(&w, 605),
                        "hits,atlas.dstype=rate,statistic=count sum @1700000640000 = 1\n"
                        "load,atlas.dstype=gauge,statistic=gauge @1700000640000 = 1\n"
                        "load,atlas.dstype=gauge,statistic=gauge @1700000645000 = 1\n");
    world_close(&w);
}

// --- numbers and buckets --------------------------------------------------------------------

static void numbers_are_read_as_the_library_does(void **state)
{
    (void)state;
    static const char *const spelled[] = {"0",
                                          "-0",
                                          "1",
                                          "9007199254740993",
                                          "0.1",
                                          "123456789012345678901234567890",
                                          "1e22",
                                          "1e23",
                                          "-1.7976931348623157e308",
                                          "4.9e-324",
                                          "3.14159265358979323846",
                                          "0.000000000000000000000001",
                                          "1e-400",
                                          "8.5e0003",
                                          "00000000000000000000012"};
    for (size_t i = 0; i < ARRAY_LEN(spelled); i++) {
        double v = 0;
        assert_int_equal(number_read(str_of(spelled[i]), &v), LINE_GOOD);
        double want = strtod(spelled[i], NULL);
        assert_memory_equal(&v, &want, sizeof v);
    }
    uint64_t bits = 1;
    for (int i = 0; i < 200000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double want = 0, v = 0;
        memcpy(&want, &bits, sizeof want);
        if (!(want >= -1e308 && want <= 1e308)) {
            continue;
        }
        char text[40];
        snprintf(text, sizeof text, i % 2 ? "%.17g" : "%.6f",
                 i % 2 ? want : (double)(int64_t)bits / 1e6);
        want = strtod(text, NULL);
        assert_int_equal(number_read(str_of(text), &v), LINE_GOOD);
        assert_memory_equal(&v, &want, sizeof v);
    }
}

static void buckets_are_those_of_the_scheme(void **state)
{
    (void)state;
    // The scheme as it is described: powers of 4, and thirds between them.
    int64_t bounds[PERCENTILE_BUCKETS] = {1, 2, 3};
    size_t count = 3;
    for (int exponent = 2; exponent < 62; exponent += 2) {
        int64_t base = INT64_C(1) << exponent, third = base / 3;
        int64_t next = exponent < 60 ? base * 4 - third : INT64_MAX - third;
        for (int64_t v = base; v < next && count < PERCENTILE_BUCKETS - 1; v += third) {
            bounds[count++] = v;
        }
    }
    bounds[count++] = INT64_MAX;
    assert_int_equal(count, PERCENTILE_BUCKETS);
    for (unsigned i = 0; i < PERCENTILE_BUCKETS; i++) {
        assert_int_equal(percentile_bound(i), bounds[i]);
        assert_int_equal(percentile_bucket(bounds[i]),
                         MIN(i + 1, PERCENTILE_BUCKETS - 1));
        unsigned below = percentile_bucket(bounds[i] - 1);
        bool power = __builtin_popcountll((unsigned long long)bounds[i]) == 1;
        assert_true(below == i || (power && below == i + 1));
    }
    static const int64_t amounts[][2] = {{5, 5},     {15, 15},      {16, 15},
                                         {60, 23},   {61, 24},      {64, 24},
                                         {1000, 41}, {1000000, 86}, {1000000000, 131}};
    for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
        assert_int_equal(percentile_bucket(amounts[i][0]), amounts[i][1]);
    }
    assert_int_equal(percentile_bucket(INT64_MIN), 0);
}

// --- oracle ---------------------------------------------------------------------------------

// A random stream of lines over several steps; sums by hand beside.
static void sums_equal_those_of_an_oracle(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, (struct telemetry_intake_config){0});
    uint64_t seed = 7;
    double total = 0, most = 0, squares = 0;
    int count = 0;
    for (int s = 1; s <= 600; s++) {
        for (int i = 0; i < 20; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            double v = (double)(seed >> 44);
            char line[64];
            snprintf(line, sizeof line,
                     i % 2 ? "d:x,a1=1,b1=2:%.0f\n" : "d:x,b1=2,a1=1:%.0f", v);
            w.now_ms = START_MS + s * 1000 - 500;
            send(&w, line);
            total += v, squares += v * v, count++;
            most = MAX(most, v);
        }
        if (s % 5 != 0) {
            continue;
        }
        const char *stored = flush_at(&w, s);
        if (s % 60 != 0) {
            assert_string_equal(stored, "");
            continue;
        }
        const char *tags = "x,a1=1,atlas.dstype=", *tail = ",b1=2,statistic=";
        const char *want = arena_printf(
            w.arena,
            "%sgauge%smax @%lld = %.12g\n%srate%scount sum @%lld = %.12g\n%srate"
            "%stotalAmount sum @%lld = %.12g\n%srate%stotalOfSquares sum @%lld = %.12g\n",
            tags, tail, (long long)w.now_ms, most, tags, tail, (long long)w.now_ms,
            (double)count / 60, tags, tail, (long long)w.now_ms, total / 60, tags, tail,
            (long long)w.now_ms, squares / 60);
        assert_string_equal(stored, want);
        total = most = squares = 0;
        count = 0;
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_to_the_store),
        cmocka_unit_test(what_is_hostile_is_counted),
        cmocka_unit_test(a_datagram_holds_many_lines),
        cmocka_unit_test(gauges_last_for_their_ttl),
        cmocka_unit_test(a_monotone_meter_is_forgotten_after_15_minutes),
        cmocka_unit_test(expired_meters_make_room),
        cmocka_unit_test(age_gauges_live_on_and_are_limited),
        cmocka_unit_test(what_the_store_refuses_is_no_meter),
        cmocka_unit_test(common_tags_cannot_be_forged),
        cmocka_unit_test(steps_that_were_slept_through_end_once),
        cmocka_unit_test(numbers_are_read_as_the_library_does),
        cmocka_unit_test(buckets_are_those_of_the_scheme),
        cmocka_unit_test(sums_equal_those_of_an_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
