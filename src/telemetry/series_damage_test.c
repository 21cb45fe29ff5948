// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that were damaged: what is left is served, no value is another than was appended, and somebody is
// told. SERIES_ROUNDS in the environment says how many times.
#include "telemetry/series.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define STEP   INT64_C(1000)
#define BASE   (INT64_C(1700000640000)) // where a window begins
#define SERIES 70                       // two pages of a block
#define STEPS  1000
#define FILES  32

struct file {
    char *path;
    struct buf text;
};

struct world {
    char dir[64];
    struct file files[FILES];
    size_t count, bytes;
    atomic_int told;
    uint64_t random;
    size_t seen, missing; // values of a scan
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static int64_t now(void *user)
{
    (void)user;
    return BASE + (STEPS + 10) * STEP;
}

static void on_corrupt(void *user, const char *path, const char *why)
{
    (void)path, (void)why;
    ((struct world *)user)->told++;
}

static double value_of(int series, int64_t step)
{
    return (double)(series * 1000) + (double)(step * step % 97);
}

static int open_store(struct world *w, struct telemetry **ret)
{
    static const struct telemetry_tier tier = {STEP, 100000 * STEP};
    return telemetry_open(ret, &(struct telemetry_config){.dir = w->dir,
                                                          .tiers = &tier,
                                                          .tier_count = 1,
                                                          .on_corrupt = on_corrupt,
                                                          .now_ms = now,
                                                          .user = w});
}

static int number_series(struct telemetry *t, int series, uint32_t *ret)
{
    char node[16];
    snprintf(node, sizeof node, "%03d", series);
    struct telemetry_tag list[] = {{STR("name"), STR("test")},
                                   {STR("node"), str_of(node)}};
    return telemetry_series_of(t, &(struct telemetry_tags){list, 2}, TELEMETRY_GAUGE,
                               ret);
}

// Steps until 900 are in blocks, one of them merged; the rest is in the log.
static void fill_store(struct world *w)
{
    struct telemetry *t = NULL;
    assert_int_equal(open_store(w, &t), 0);
    for (int64_t k = 1; k <= STEPS; k++) {
        for (int s = 0; s < SERIES; s++) {
            struct telemetry_sample sample = {.at_ms = BASE + k * STEP,
                                              .value = value_of(s, k)};
            size_t refused;
            assert_int_equal(number_series(t, s, &sample.series), 0);
            assert_int_equal(telemetry_append(t, &sample, 1, &refused), 0);
            assert_int_equal(refused, 0);
        }
        if (k == 900) {
            assert_int_equal(telemetry_settle(t, BASE + k * STEP), 0);
        }
    }
    telemetry_close(&t);
}

static void keep_files(struct world *w)
{
    DIR *d = opendir(w->dir);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0) {
            continue;
        }
        struct file *f = &w->files[w->count++];
        assert_true(w->count < FILES);
        assert_int_equal(cstr_printf(&f->path, "%s/%s", w->dir, e->d_name), 0);
        assert_int_equal(fs_read_file(f->path, 1U << 26, &f->text), 0);
        w->bytes += f->text.len;
    }
    closedir(d);
}

static void write_file(const struct file *f, size_t len)
{
    FILE *out = fopen(f->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(f->text.data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void restore_files(struct world *w)
{
    assert_int_equal(fs_remove_tree(w->dir), 0);
    assert_int_equal(fs_make_dirs(w->dir), 0);
    for (size_t i = 0; i < w->count; i++) {
        write_file(&w->files[i], w->files[i].text.len);
    }
}

static int look(void *user, const struct telemetry_view *v)
{
    struct world *w = user;
    int64_t series;
    assert_int_equal(v->tags.count, 2);
    assert_int_equal(str_to_i64(v->tags.list[1].value, 0, SERIES - 1, &series), 0);
    for (int64_t k = 1; k <= STEPS; k++) {
        double got = v->values[k - 1];
        if (!isnan(got)) {
            w->seen++;
            if (got != value_of((int)series, k)) {
                fail_msg("series %d at %d: %g", (int)series, (int)k, got);
            }
        }
    }
    return 0;
}

// Opens, reads, appends something new, and reads again what is then there.
static void examine(struct world *w)
{
    struct telemetry *t = NULL;
    const struct telemetry_span span = {BASE + STEP, STEP, STEPS, TELEMETRY_CF_AVG};
    w->told = 0;
    w->seen = 0;
    assert_int_equal(open_store(w, &t), 0);
    assert_int_equal(telemetry_scan(t, NULL, &span, look, w), 0);
    w->missing = (size_t)SERIES * STEPS - w->seen;
    uint32_t fresh;
    struct telemetry_tag list[] = {{STR("fresh"), STR("000")}, {STR("name"), STR("new")}};
    assert_int_equal(telemetry_series_of(t, &(struct telemetry_tags){list, 2},
                                         TELEMETRY_GAUGE, &fresh),
                     0);
    // A new series has nothing, whatever numbers were forgotten.
    struct str name = STR("new");
    const struct telemetry_match match = {
        .op = TELEMETRY_MATCH_IN, .key = STR("name"), .values = &name, .value_count = 1};
    size_t seen = w->seen;
    assert_int_equal(telemetry_scan(t, &match, &span, look, w), 0);
    assert_int_equal(w->seen, seen);
    telemetry_close(&t);
}

static void world_new(struct world *w)
{
    *w = (struct world){.random = 88172645463325252};
    snprintf(w->dir, sizeof w->dir, "/tmp/marquee-damage-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    fill_store(w);
    keep_files(w);
    assert_true(w->count >= 4); // roster, log, merged block, small ones
    restore_files(w);
    examine(w);
    assert_int_equal(w->told, 0);
    assert_int_equal(w->missing, 0);
}

static void world_end(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        cstr_free(&w->files[i].path);
        buf_free(&w->files[i].text);
    }
    assert_int_equal(fs_remove_tree(w->dir), 0);
}

static int64_t rounds(int64_t usual)
{
    const char *text = getenv("SERIES_ROUNDS");
    assert_true(!text || str_to_i64(str_of(text), 1, 1000000, &usual) == 0);
    return usual;
}

static struct file *any_file(struct world *w)
{
    return &w->files[draw(w, w->count)];
}

static void a_wrong_byte_is_told_and_the_rest_served(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    for (int64_t i = rounds(80); i > 0; i--) {
        struct file *f = any_file(&w);
        size_t at = draw(&w, draw(&w, 2) ? f->text.len : MIN(f->text.len, (size_t)200));
        char was = f->text.data[at];
        f->text.data[at] = (char)(was ^ (1 << draw(&w, 8)));
        restore_files(&w);
        examine(&w);
        f->text.data[at] = was;
        assert_true(w.told > 0);
        // One byte costs a record of the log, a column, a page, or a file at most.
        bool is_roster = strstr(f->path, "roster");
        assert_true(is_roster || w.missing <= (size_t)480 * SERIES);
    }
    world_end(&w);
}

static void a_torn_file_is_told_and_the_rest_served(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    for (int64_t i = rounds(40); i > 0; i--) {
        restore_files(&w);
        struct file *f = any_file(&w);
        size_t len = draw(&w, f->text.len);
        write_file(f, len);
        examine(&w);
        bool is_log = strstr(f->path, ".journal"), is_roster = strstr(f->path, "roster");
        // A log cut between two records, and a roster cut between two entries, are whole.
        assert_true(w.told > 0 || is_log || (is_roster && len == 0));
    }
    world_end(&w);
}

static void a_missing_file_costs_what_it_had(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    for (size_t i = 0; i < w.count; i++) {
        restore_files(&w);
        assert_int_equal(unlink(w.files[i].path), 0);
        examine(&w);
        assert_true(w.missing > 0);
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_byte_is_told_and_the_rest_served),
        cmocka_unit_test(a_torn_file_is_told_and_the_rest_served),
        cmocka_unit_test(a_missing_file_costs_what_it_had),
    };
    return cmocka_run_group_tests_name("series_damage", tests, NULL, NULL);
}
