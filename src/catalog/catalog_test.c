// SPDX-License-Identifier: GPL-3.0-or-later
#include "catalog/catalog.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define PACKAGE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct catalog_viewer adult = {.maturity = 18};
static const struct catalog_viewer child = {.maturity = 6};
static const struct catalog_viewer operators = {.maturity = 18, .sees_all = true};

struct place {
    char dir[40];
    struct store *store;
    struct store_tx *tx;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || str_copy(p->dir, sizeof p->dir, STR("/tmp/catalog-test-XXXXXX")) < 0 ||
        !mkdtemp(p->dir)) {
        return -1;
    }
    *state = p;
    return store_open(&p->store, p->dir) < 0 ||
           store_migrate(p->store, bus_migrations, bus_migration_count) < 0 ||
           store_migrate(p->store, account_migrations, account_migration_count) < 0 ||
           store_migrate(p->store, catalog_migrations, catalog_migration_count) < 0 ||
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

static int upsert(struct place *p, const char *text, char ret_id[UUID_BYTES])
{
    AUTO(json_free) json_t *metadata = NULL;
    assert_int_equal(json_parse(&metadata, str_of(text), 100000), 0);
    return catalog_upsert(p->tx, metadata, "system", ret_id);
}

static void publish(struct place *p, const char *id)
{
    const struct catalog_publication publication = {.package = PACKAGE,
                                                    .duration_us = 52000000,
                                                    .max_height = 720,
                                                    .poster_width = 1280,
                                                    .poster_height = 720,
                                                    .poster_color = "#102030"};
    assert_int_equal(catalog_publish(p->tx, id, &publication), 0);
}

static size_t count(struct place *p, const struct catalog_viewer *v,
                    const struct catalog_query *q)
{
    AUTO(json_free) json_t *cards = NULL;
    assert_int_equal(catalog_list(p->tx, v, q, &cards), 0);
    return json_array_size(cards);
}

static void a_slug_is_one_title(void **state)
{
    struct place *p = *state;
    char a[UUID_BYTES], b[UUID_BYTES];
    assert_int_equal(upsert(p,
                            "{\"slug\":\"s\",\"name\":\"Sintel\",\"year\":2010,"
                            "\"tags\":[\"Fantasy\",\"Short\"]}",
                            a),
                     0);
    assert_int_equal(upsert(p, "{\"slug\":\"s\",\"name\":\"Sintel, the trailer\"}", b),
                     0);
    assert_string_equal(a, b);
    AUTO(json_free) json_t *d = NULL;
    assert_int_equal(catalog_detail(p->tx, &operators, a, &d), 0);
    assert_string_equal(json_str_or(d, "name", ""), "Sintel, the trailer");
    assert_int_equal(json_i64_or(d, "year", 0), 2010); // not named: kept
    assert_int_equal(json_array_size(json_object_get(d, "tags")), 2);
    assert_int_equal(upsert(p, "{\"slug\":\"s\",\"year\":null,\"tags\":[]}", b), 0);
    AUTO(json_free) json_t *e = NULL;
    assert_int_equal(catalog_detail(p->tx, &operators, a, &e), 0);
    assert_true(json_is_null(json_object_get(e, "year")));
    assert_int_equal(json_array_size(json_object_get(e, "tags")), 0);
}

static void mistakes_are_named(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"{}", ERR_INVALID},
        {"{\"name\":\"\"}", ERR_INVALID},
        {"{\"name\":7}", ERR_INVALID},
        {"{\"name\":\" \"}", ERR_INVALID},
        {"{\"name\":\"x\\r\\nBcc: y\"}", ERR_INVALID},
        {"{\"name\":\"x\",\"colour\":\"red\"}", ERR_INVALID},
        {"{\"name\":\"x\",\"year\":\"1999\"}", ERR_INVALID},
        {"{\"name\":\"x\",\"maturity\":19}", ERR_INVALID},
        {"{\"name\":\"x\",\"kind\":\"opera\"}", ERR_INVALID},
        {"{\"name\":\"x\",\"series\":\"nowhere\"}", ERR_NOT_FOUND},
        {"{\"name\":\"x\",\"partner\":\"nobody\"}", ERR_NOT_FOUND},
        {"{\"name\":\"x\",\"source_url\":\"javascript:alert(1)\"}", ERR_INVALID},
        {"{\"name\":\"x\",\"territories\":[{\"territory\":\"DE\",\"until\":2026}]}",
         ERR_INVALID},
        {"{\"name\":\"x\",\"people\":[{\"name\":\"A\",\"role\":[]}]}", ERR_INVALID},
        {"{\"name\":\"x\",\"territories\":[{\"territory\":\"DE\",\"from\":\"2026-02-01\","
         "\"until\":\"2026-01-01\"}]}",
         ERR_INVALID},
    };
    char id[UUID_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(upsert(p, cases[i].text, id), cases[i].err);
    }
}

static void viewers_see_what_is_published_for_them(void **state)
{
    struct place *p = *state;
    char film[UUID_BYTES], dark[UUID_BYTES], far[UUID_BYTES], past[UUID_BYTES];
    assert_int_equal(upsert(p, "{\"name\":\"Film\"}", film), 0);
    assert_int_equal(upsert(p, "{\"name\":\"Dark\",\"maturity\":16}", dark), 0);
    assert_int_equal(
        upsert(p, "{\"name\":\"Far\",\"territories\":[{\"territory\":\"NZ\"}]}", far), 0);
    assert_int_equal(upsert(p,
                            "{\"name\":\"Past\",\"territories\":[{\"territory\":\"*\","
                            "\"until\":\"2020-01-01\"}]}",
                            past),
                     0);
    const struct catalog_query all = {.limit = 10};
    assert_int_equal(count(p, &adult, &all), 0);
    assert_int_equal(count(p, &operators, &all), 4);
    publish(p, film);
    publish(p, dark);
    publish(p, far);
    publish(p, past);
    const struct catalog_viewer kiwi = {.maturity = 18, .territory = "NZ"};
    assert_int_equal(count(p, &adult, &all), 2);
    assert_int_equal(count(p, &child, &all), 1);
    assert_int_equal(count(p, &kiwi, &all), 3);
    assert_int_equal(catalog_withdraw(p->tx, film, "user/1"), 0);
    assert_int_equal(catalog_withdraw(p->tx, film, "user/1"), ERR_CONFLICT);
    assert_int_equal(count(p, &child, &all), 0);
    assert_int_equal(count(p, &operators, &all), 4);
    AUTO(json_free) json_t *d = NULL;
    assert_int_equal(catalog_detail(p->tx, &adult, film, &d), ERR_NOT_FOUND);
    assert_int_equal(catalog_restore(p->tx, film, "user/1"), 0);
    assert_int_equal(catalog_detail(p->tx, &adult, film, &d), 0);
    assert_string_equal(json_str_or(d, "quality", ""), "720p");
    assert_string_equal(json_str_or(json_object_get(d, "poster"), "url", ""),
                        "/art/" PACKAGE "/poster.jpg");
}

static void series_hold_their_episodes_in_order(void **state)
{
    struct place *p = *state;
    char series[UUID_BYTES], one[UUID_BYTES], two[UUID_BYTES], next[UUID_BYTES];
    assert_int_equal(upsert(p,
                            "{\"slug\":\"b\",\"name\":\"Blupi\",\"kind\":\"series\","
                            "\"tags\":[\"Animation\"],"
                            "\"seasons\":[{\"number\":1,\"name\":\"The first\"}]}",
                            series),
                     0);
    assert_int_equal(upsert(p,
                            "{\"name\":\"Two\",\"kind\":\"episode\",\"series\":\"b\","
                            "\"season\":1,\"episode\":2}",
                            two),
                     0);
    assert_int_equal(upsert(p,
                            "{\"name\":\"One\",\"kind\":\"episode\",\"series\":\"b\","
                            "\"season\":1,\"episode\":1}",
                            one),
                     0);
    const struct catalog_query all = {.limit = 10};
    assert_int_equal(count(p, &adult, &all), 0);
    publish(p, two);
    assert_int_equal(count(p, &adult, &all), 1);
    publish(p, one);
    AUTO(json_free) json_t *d = NULL;
    assert_int_equal(catalog_detail(p->tx, &adult, series, &d), 0);
    assert_non_null(json_object_get(json_object_get(d, "poster"), "url"));
    json_t *season = json_array_get(json_object_get(d, "seasons"), 0);
    assert_string_equal(json_str_or(season, "name", ""), "The first");
    json_t *episodes = json_object_get(season, "episodes");
    assert_int_equal(json_array_size(episodes), 2);
    assert_string_equal(json_str_or(json_array_get(episodes, 0), "name", ""), "One");
    assert_int_equal(catalog_next(p->tx, &adult, one, next), 0);
    assert_string_equal(next, two);
    assert_int_equal(catalog_next(p->tx, &adult, two, next), ERR_NOT_FOUND);
    // What keeps the series from somebody keeps its episodes from them too.
    assert_int_equal(upsert(p, "{\"slug\":\"b\",\"maturity\":12}", series), 0);
    assert_int_equal(catalog_detail(p->tx, &child, one, &d), ERR_NOT_FOUND);
    assert_int_equal(
        upsert(p, "{\"slug\":\"b\",\"territories\":[{\"territory\":\"NZ\"}]}", series),
        0);
    assert_int_equal(catalog_detail(p->tx, &adult, one, &d), ERR_NOT_FOUND);
    assert_int_equal(upsert(p, "{\"slug\":\"b\",\"territories\":null}", series), 0);
    AUTO(json_free) json_t *again = NULL;
    assert_int_equal(catalog_detail(p->tx, &adult, one, &again), 0);
    assert_int_equal(catalog_withdraw(p->tx, series, "user/1"), 0);
    assert_int_equal(catalog_detail(p->tx, &adult, one, &d), ERR_NOT_FOUND);
}

static void search_takes_prefixes_and_anything_typed(void **state)
{
    struct place *p = *state;
    char a[UUID_BYTES], b[UUID_BYTES];
    assert_int_equal(
        upsert(p,
               "{\"name\":\"Le Grand Prix\",\"tags\":[\"Motor sport\"],"
               "\"people\":[{\"name\":\"Ferenc Szisz\",\"role\":\"driver\"}]}",
               a),
        0);
    assert_int_equal(upsert(p,
                            "{\"name\":\"Éléphant\",\"synopsis\":\"a prix of sorts\","
                            "\"texts\":[{\"language\":\"de\",\"name\":\"Elefant\"}]}",
                            b),
                     0);
    publish(p, a);
    publish(p, b);
    static const struct {
        const char *text;
        size_t titles, people, tags;
    } cases[] = {
        {"pri", 2, 0, 0},       {"elephant", 1, 0, 0},  {"ELEFANT", 1, 0, 0},
        {"szi", 1, 1, 0},       {"mot", 1, 0, 1},       {"sport", 1, 0, 1},
        {"grand pri", 1, 0, 0}, {"nothing", 0, 0, 0},   {"\"", 0, 0, 0},
        {"", 0, 0, 0},          {"a* OR (b", 0, 0, 0},  {"prix NEAR", 0, 0, 0},
        {"%", 0, 0, 0},         {"name:prix", 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(json_free) json_t *found = NULL;
        assert_int_equal(catalog_search(p->tx, &adult, cases[i].text, 10, &found), 0);
        assert_int_equal(json_array_size(json_object_get(found, "titles")),
                         cases[i].titles);
        assert_int_equal(json_array_size(json_object_get(found, "people")),
                         cases[i].people);
        assert_int_equal(json_array_size(json_object_get(found, "tags")), cases[i].tags);
    }
    AUTO(json_free) json_t *found = NULL; // the name counts for more than the synopsis
    assert_int_equal(catalog_search(p->tx, &adult, "prix", 10, &found), 0);
    json_t *first = json_array_get(json_object_get(found, "titles"), 0);
    assert_string_equal(json_str_or(first, "id", ""), a);
    const struct catalog_viewer german = {.maturity = 18, .language = "de"};
    AUTO(json_free) json_t *d = NULL;
    assert_int_equal(catalog_detail(p->tx, &german, b, &d), 0);
    assert_string_equal(json_str_or(d, "name", ""), "Elefant");
}

static void pages_join_without_gap_or_overlap(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], name[40];
    for (int i = 0; i < 25; i++) {
        AUTO(json_free) json_t *m = json_pack("{s:s}", "name", "Same name");
        assert_int_equal(catalog_upsert(p->tx, m, "system", id), 0);
        publish(p, id);
    }
    static const enum catalog_order orders[] = {CATALOG_BY_NAME, CATALOG_NEWEST};
    for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
        struct catalog_query q = {.order = orders[o], .limit = 10};
        AUTO(json_free) json_t *seen = json_object();
        for (int page = 0; page < 4; page++) {
            AUTO(json_free) json_t *cards = NULL;
            assert_int_equal(catalog_list(p->tx, &adult, &q, &cards), 0);
            size_t n = json_array_size(cards);
            assert_int_equal(n, page < 2 ? 10 : page == 2 ? 5 : 0);
            for (size_t i = 0; i < n; i++) {
                const char *card = json_str_or(json_array_get(cards, i), "id", "");
                assert_null(json_object_get(seen, card));
                json_object_set_new(seen, card, json_true());
                assert_int_equal(str_copy(name, sizeof name, str_of(card)), 0);
            }
            q.after = name;
        }
        assert_int_equal(json_object_size(seen), 25);
    }
}

static void likeness_is_shared_tags(void **state)
{
    struct place *p = *state;
    char a[UUID_BYTES], b[UUID_BYTES], c[UUID_BYTES];
    assert_int_equal(upsert(p, "{\"name\":\"A\",\"tags\":[\"x\",\"y\"]}", a), 0);
    assert_int_equal(upsert(p, "{\"name\":\"B\",\"tags\":[\"y\"]}", b), 0);
    assert_int_equal(upsert(p, "{\"name\":\"C\",\"tags\":[\"x\",\"y\"]}", c), 0);
    publish(p, a);
    publish(p, b);
    publish(p, c);
    AUTO(json_free) json_t *d = NULL, *tags = NULL;
    assert_int_equal(catalog_detail(p->tx, &adult, a, &d), 0);
    json_t *like = json_object_get(d, "more_like");
    assert_int_equal(json_array_size(like), 2);
    assert_string_equal(json_str_or(json_array_get(like, 0), "name", ""), "C");
    assert_int_equal(catalog_tags(p->tx, &adult, 10, &tags), 0);
    assert_string_equal(json_str_or(json_array_get(tags, 0), "tag", ""), "y");
    assert_int_equal(json_i64_or(json_array_get(tags, 0), "count", 0), 3);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_slug_is_one_title),
        EACH(mistakes_are_named),
        EACH(viewers_see_what_is_published_for_them),
        EACH(series_hold_their_episodes_in_order),
        EACH(search_takes_prefixes_and_anything_typed),
        EACH(pages_join_without_gap_or_overlap),
        EACH(likeness_is_shared_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
