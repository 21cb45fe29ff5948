// SPDX-License-Identifier: GPL-3.0-or-later
#include "bus/bus.h"
#include "insight/insight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { ENTRIES = 12 };

struct stage {
    char dir[64];
    struct store *store;
    struct store_tx *tx;
};

static void append(struct stage *s, int n)
{
    AUTO(json_free)
    json_t *window = json_pack("{s:I, s:I}", "start_ms", (json_int_t)n, "end_ms",
                               (json_int_t)(n + 60000));
    AUTO(json_free)
    json_t *parameters = json_pack("{s:f, s:i}", "eps", 0.1 * n, "min", 4);
    AUTO(json_free) json_t *data = json_pack("{s:[f,f]}", "p99", 1.0 / 3 * n, 1e300 * n);
    int64_t seq = 0;
    assert_int_equal(
        insight_audit_append(s->tx,
                             &(struct insight_audit_entry){
                                 .actor = n % 2 ? "system" : "user/7",
                                 .what = "action.remove.intended",
                                 .subject = n % 3 ? "server/edge/a" : "server/edge/ab",
                                 .rule = n % 4 ? "latency" : NULL,
                                 .window = window,
                                 .parameters = parameters,
                                 .data = data},
                             &seq),
        0);
    assert_int_equal(seq, n);
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-audit-XXXXXX", sizeof "/tmp/marquee-audit-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(store_open(&s->store, s->dir), 0);
    assert_int_equal(store_migrate(s->store, insight_migrations, insight_migration_count),
                     0);
    assert_int_equal(store_begin(s->store, STORE_WRITE, &s->tx), 0);
    for (int i = 1; i <= ENTRIES; i++) {
        append(s, i);
    }
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    store_rollback(&s->tx);
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

static struct insight_audit_verdict verify(struct stage *s,
                                           const struct insight_audit_head *noted)
{
    struct insight_audit_verdict v;
    assert_int_equal(insight_audit_verify(s->tx, noted, &v), 0);
    assert_true((v.broken == 0) == (v.why[0] == '\0'));
    return v;
}

static void exec(struct stage *s, const char *sql)
{
    assert_int_equal(store_exec(s->tx, sql, ""), 0);
}

// Whoever tampers with the file takes the triggers away first.
static void disarm(struct stage *s)
{
    exec(s, "DROP TRIGGER insight_audit_stays");
    exec(s, "DROP TRIGGER insight_audit_stands");
}

static void a_whole_trail_is_sound(void **state)
{
    struct stage *s = *state;
    struct insight_audit_verdict v = verify(s, NULL);
    assert_int_equal(v.broken, 0);
    assert_int_equal(v.entries, ENTRIES);
    assert_int_equal(v.head.seq, ENTRIES);
    char text[INSIGHT_HEAD_BYTES];
    struct insight_audit_head noted;
    insight_audit_head_text(&v.head, text);
    assert_int_equal(insight_audit_head_parse(str_of(text), &noted), 0);
    append(s, ENTRIES + 1);
    assert_int_equal(verify(s, &noted).broken, 0);
    assert_int_equal(insight_audit_head_parse(STR("12:zz"), &noted), ERR_INVALID);
    assert_int_equal(insight_audit_head_parse(STR("12"), &noted), ERR_INVALID);
}

static void rows_are_only_appended_to(void **state)
{
    struct stage *s = *state;
    assert_true(store_exec(s->tx, "DELETE FROM insight_audit WHERE seq = 3", "") < 0);
    assert_true(store_exec(s->tx, "UPDATE insight_audit SET time_us = 1", "") < 0);
    assert_int_equal(verify(s, NULL).broken, 0);
}

// Each row in turn, each column that it has.
static void a_change_is_found(void **state)
{
    struct stage *s = *state;
    static const char *const changes[] = {
        "UPDATE insight_audit SET entry = replace(entry, '\"min\":4', '\"min\":5')"
        " WHERE seq = ?",
        "UPDATE insight_audit SET entry = entry || ' ' WHERE seq = ?",
        "UPDATE insight_audit SET what = 'action.notify' WHERE seq = ?",
        "UPDATE insight_audit SET subject = 'server/edge/b' WHERE seq = ?",
        "UPDATE insight_audit SET time_us = time_us + 1 WHERE seq = ?",
        "UPDATE insight_audit SET hash = replace(hash, substr(hash, 1, 1), 'x')"
        " WHERE seq = ?",
    };
    disarm(s);
    for (size_t c = 0; c < ARRAY_LEN(changes); c++) {
        for (int64_t seq = 1; seq <= ENTRIES; seq++) {
            exec(s, "SAVEPOINT before");
            assert_int_equal(store_exec(s->tx, changes[c], "i", seq), 0);
            assert_int_equal(store_changes(s->tx), 1);
            assert_int_equal(verify(s, NULL).broken, seq);
            exec(s, "ROLLBACK TO before");
        }
    }
    assert_int_equal(verify(s, NULL).broken, 0);
}

// One who knows the rule and hashes the changed text anew is betrayed by the next entry.
static void a_change_with_its_hash_is_found(void **state)
{
    struct stage *s = *state;
    AUTO(cstr_free) char *text = NULL;
    struct hash hash;
    char hex[HASH_HEX_BYTES];
    disarm(s);
    assert_int_equal(store_get_text(s->tx, &text,
                                    "SELECT replace(entry, '\"min\":4', '\"min\":9')"
                                    " FROM insight_audit WHERE seq = 5",
                                    ""),
                     0);
    hash_of(text, strlen(text), &hash);
    hash_hex(&hash, hex);
    assert_int_equal(
        store_exec(s->tx, "UPDATE insight_audit SET entry = ?, hash = ? WHERE seq = 5",
                   "ss", text, hex),
        0);
    struct insight_audit_verdict v = verify(s, NULL);
    assert_int_equal(v.broken, 6);
    assert_int_equal(v.entries, 4); // the fifth may be the changed one
}

static void a_removal_is_found(void **state)
{
    struct stage *s = *state;
    disarm(s);
    for (int64_t seq = 1; seq <= ENTRIES; seq++) {
        exec(s, "SAVEPOINT before");
        assert_int_equal(
            store_exec(s->tx, "DELETE FROM insight_audit WHERE seq = ?", "i", seq), 0);
        assert_int_equal(verify(s, NULL).broken, seq);
        // The rest moved up to hide it.
        assert_int_equal(
            store_exec(s->tx, "UPDATE insight_audit SET seq = -(seq - 1) WHERE seq > ?",
                       "i", seq),
            0);
        exec(s, "UPDATE insight_audit SET seq = -seq WHERE seq < 0");
        assert_int_equal(verify(s, NULL).broken, seq);
        exec(s, "ROLLBACK TO before");
    }
}

static void another_order_is_found(void **state)
{
    struct stage *s = *state;
    disarm(s);
    for (int64_t a = 1; a <= ENTRIES; a++) {
        for (int64_t b = a + 1; b <= ENTRIES; b++) {
            exec(s, "SAVEPOINT before");
            assert_int_equal(
                store_exec(s->tx,
                           "UPDATE insight_audit SET seq = CASE WHEN seq = ?1 THEN -?2"
                           " ELSE -?1 END WHERE seq IN (?1, ?2)",
                           "ii", a, b),
                0);
            exec(s, "UPDATE insight_audit SET seq = -seq WHERE seq < 0");
            assert_int_equal(verify(s, NULL).broken, a);
            exec(s, "ROLLBACK TO before");
        }
    }
}

static void a_cut_end_is_found(void **state)
{
    struct stage *s = *state;
    struct insight_audit_head noted = verify(s, NULL).head;
    disarm(s);
    for (int64_t keep = 0; keep < ENTRIES; keep++) {
        exec(s, "SAVEPOINT before");
        assert_int_equal(
            store_exec(s->tx, "DELETE FROM insight_audit WHERE seq > ?", "i", keep), 0);
        assert_int_equal(verify(s, NULL).broken, keep + 1);
        // The head moved back too: only who noted it sees.
        exec(s, "DELETE FROM insight_audit_head");
        assert_int_equal(
            store_exec(s->tx,
                       "INSERT INTO insight_audit_head (id, seq, hash)"
                       " SELECT 1, seq, hash FROM insight_audit WHERE seq = ?",
                       "i", keep),
            0);
        assert_int_equal(verify(s, NULL).broken, 0);
        assert_int_equal(verify(s, &noted).broken, keep + 1);
        exec(s, "ROLLBACK TO before");
    }
}

// A chain that somebody made anew from its beginning is sound in itself.
static void a_chain_made_anew_is_found_by_its_noted_head(void **state)
{
    struct stage *s = *state;
    struct insight_audit_head noted = verify(s, NULL).head;
    disarm(s);
    exec(s, "DELETE FROM insight_audit");
    exec(s, "DELETE FROM insight_audit_head");
    for (int i = 1; i <= ENTRIES; i++) {
        append(s, i);
    }
    assert_int_equal(verify(s, NULL).broken, 0);
    assert_int_equal(verify(s, &noted).broken, ENTRIES);
}

static void entries_are_listed_by_subject_and_page(void **state)
{
    struct stage *s = *state;
    AUTO(json_free) json_t *all = NULL, *one = NULL, *below = NULL, *page = NULL;
    assert_int_equal(insight_audit_list(s->tx, NULL, 0, 100, &all), 0);
    assert_int_equal(json_array_size(all), ENTRIES);
    assert_int_equal(insight_audit_list(s->tx, "server/edge/a", 0, 100, &one), 0);
    assert_int_equal(json_array_size(one), ENTRIES - ENTRIES / 3);
    assert_int_equal(insight_audit_list(s->tx, "server/edge/", 0, 100, &below), 0);
    assert_int_equal(json_array_size(below), ENTRIES);
    assert_int_equal(insight_audit_list(s->tx, NULL, 5, 2, &page), 0);
    assert_int_equal(json_array_size(page), 2);
    const json_t *first = json_array_get(page, 0);
    assert_int_equal(json_i64_or(first, "seq", 0), 4);
    assert_int_equal(strlen(json_str_or(first, "hash", "")), 64);
    assert_true(json_is_null(json_object_get(first, "rule")));
    assert_int_equal(json_i64_or(json_object_get(first, "parameters"), "min", 0), 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_whole_trail_is_sound),
        T(rows_are_only_appended_to),
        T(a_change_is_found),
        T(a_change_with_its_hash_is_found),
        T(a_removal_is_found),
        T(another_order_is_found),
        T(a_cut_end_is_found),
        T(a_chain_made_anew_is_found_by_its_noted_head),
        T(entries_are_listed_by_subject_and_page),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
