// SPDX-License-Identifier: GPL-3.0-or-later
#include "viewing/viewing.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define MINUTE INT64_C(60000000)

struct place {
    char dir[40];
    struct store *store;
    struct store_tx *tx;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || str_copy(p->dir, sizeof p->dir, STR("/tmp/viewing-test-XXXXXX")) < 0 ||
        !mkdtemp(p->dir)) {
        return -1;
    }
    *state = p;
    return store_open(&p->store, p->dir) < 0 ||
           store_migrate(p->store, viewing_migrations, viewing_migration_count) < 0 ||
           store_begin(p->store, STORE_WRITE, &p->tx) < 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    store_rollback(&p->tx);
    store_close(&p->store);
    int err = fs_remove_tree(p->dir);
    free(p);
    return err;
}

static int open_play(struct place *p, const char *user, const char *title, int streams,
                     char ret_id[UUID_BYTES])
{
    const struct viewing_play_spec spec = {.user_id = user,
                                           .profile_id = user,
                                           .title_id = title,
                                           .package = "hash",
                                           .duration_us = 100 * MINUTE,
                                           .streams = streams};
    return viewing_play_open(p->tx, &spec, ret_id);
}

static int beat(struct place *p, const char *id, const char *user, int64_t position,
                const char *state)
{
    const struct viewing_beat b = {.position_us = position, .state = state};
    return viewing_play_beat(p->tx, id, user, 2, &b);
}

static void fall_silent(struct place *p, const char *id)
{
    assert_int_equal(
        store_exec(p->tx, "UPDATE viewing_play SET beat_us = 0 WHERE id = ?", "s", id),
        0);
}

static void a_plan_holds_so_many_streams(void **state)
{
    struct place *p = *state;
    char a[UUID_BYTES], b[UUID_BYTES], c[UUID_BYTES];
    assert_int_equal(open_play(p, "u", "t", 2, a), 0);
    assert_int_equal(open_play(p, "u", "t", 2, b), 0);
    assert_int_equal(open_play(p, "u", "t", 2, c), ERR_CONFLICT);
    assert_int_equal(open_play(p, "other", "t", 2, c), 0);
    assert_int_equal(viewing_play_close(p->tx, a, "other"), ERR_NOT_FOUND);
    assert_int_equal(viewing_play_close(p->tx, a, "u"), 0);
    assert_int_equal(beat(p, a, "u", 0, "playing"), ERR_CONFLICT); // it has ended
    assert_int_equal(open_play(p, "u", "t", 2, a), 0);
    fall_silent(p, b);
    assert_int_equal(open_play(p, "u", "t", 2, c), 0);
    assert_int_equal(beat(p, b, "u", 0, "playing"), ERR_CONFLICT); // its place is taken
    fall_silent(p, c);
    assert_int_equal(beat(p, b, "u", 0, "playing"), 0);
}

static void positions_resume_until_the_credits(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES];
    int64_t at = -1;
    assert_int_equal(viewing_position(p->tx, "u", "t", &at), 0);
    assert_int_equal(at, 0);
    assert_int_equal(open_play(p, "u", "t", 2, id), 0);
    assert_int_equal(beat(p, id, "u", 42 * MINUTE, "playing"), 0);
    assert_int_equal(viewing_position(p->tx, "u", "t", &at), 0);
    assert_int_equal(at, 42 * MINUTE);
    AUTO(json_free) json_t *ids = NULL, *done = NULL, *none = NULL;
    assert_int_equal(viewing_unfinished(p->tx, "u", 10, &ids), 0);
    assert_int_equal(json_array_size(ids), 1);
    assert_int_equal(beat(p, id, "u", 99 * MINUTE + MINUTE / 2, "playing"), 0);
    assert_int_equal(viewing_position(p->tx, "u", "t", &at), 0);
    assert_int_equal(at, 0);
    assert_int_equal(viewing_unfinished(p->tx, "u", 10, &none), 0);
    assert_int_equal(json_array_size(none), 0);
    assert_int_equal(viewing_finished(p->tx, "u", 10, &done), 0);
    assert_int_equal(json_array_size(done), 1);
    assert_int_equal(beat(p, id, "u", -1, "paused"), 0); // no place: none is lost
    assert_int_equal(beat(p, id, "u", 0, "dancing"), ERR_INVALID);
}

static void beacons_are_kept_and_bounded(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES];
    assert_int_equal(open_play(p, "u", "t", 2, id), 0);
    AUTO(json_free) json_t *qoe = json_pack("{s:i, s:i}", "stalls", 1, "startup_ms", 320);
    struct viewing_beat b = {.position_us = 1, .state = "playing", .qoe = qoe};
    assert_int_equal(viewing_play_beat(p->tx, id, "u", 2, &b), 0);
    AUTO(cstr_free) char *kept = NULL;
    assert_int_equal(store_get_text(p->tx, &kept,
                                    "SELECT qoe FROM viewing_beacon WHERE play_id = ?",
                                    "s", id),
                     0);
    assert_string_equal(kept, "{\"stalls\":1,\"startup_ms\":320}");
    AUTO(buf_free) struct buf big = {0};
    while (big.len < 5000) {
        buf_cstr(&big, "xxxxxxxxxx");
    }
    AUTO(json_free) json_t *large = json_pack("{s:s}", "x", big.data);
    b.qoe = large;
    assert_int_equal(viewing_play_beat(p->tx, id, "u", 2, &b), ERR_LIMIT);
}

static void cards_carry_what_the_profile_keeps(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES];
    assert_int_equal(open_play(p, "u", "a", 2, id), 0);
    assert_int_equal(beat(p, id, "u", MINUTE, "playing"), 0);
    assert_int_equal(viewing_list_add(p->tx, "u", "b"), 0);
    assert_int_equal(viewing_list_add(p->tx, "u", "b"), 0);
    assert_int_equal(viewing_rate(p->tx, "u", "b", -1), 0);
    assert_int_equal(viewing_rate(p->tx, "u", "b", 2), ERR_INVALID);
    AUTO(json_free)
    json_t *cards = json_pack("[{s:s}, {s:s}, {s:s}]", "id", "a", "id", "b", "id", "c");
    assert_int_equal(viewing_decorate(p->tx, "u", cards), 0);
    json_t *a = json_array_get(cards, 0), *b = json_array_get(cards, 1),
           *c = json_array_get(cards, 2);
    assert_int_equal(json_i64_or(json_object_get(a, "progress"), "position_us", 0),
                     MINUTE);
    assert_true(json_is_false(json_object_get(a, "in_list")));
    assert_true(json_is_true(json_object_get(b, "in_list")));
    assert_int_equal(json_i64_or(b, "rating", 0), -1);
    assert_true(json_is_null(json_object_get(b, "progress")));
    assert_int_equal(json_i64_or(c, "rating", 7), 0);
    assert_int_equal(viewing_rate(p->tx, "u", "b", 0), 0);
    assert_int_equal(viewing_forget(p->tx, "u"), 0);
    assert_int_equal(viewing_decorate(p->tx, "u", cards), 0);
    assert_true(json_is_false(json_object_get(b, "in_list")));
    assert_true(json_is_null(json_object_get(a, "progress")));
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_plan_holds_so_many_streams),
        EACH(positions_resume_until_the_credits),
        EACH(beacons_are_kept_and_bounded),
        EACH(cards_carry_what_the_profile_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
