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
    assert_int_equal(upsert(p, "{\"name\":\"Film\",\"maturity\":0}", film), 0);
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

// No profile with a limit sees what nobody has said an age of; an episode has its series'.
static void unrated_is_for_those_who_see_everything(void **state)
{
    struct place *p = *state;
    char film[UUID_BYTES], series[UUID_BYTES], episode[UUID_BYTES];
    const struct catalog_viewer nearly = {.maturity = 17};
    const struct catalog_query all = {.limit = 10};
    assert_int_equal(upsert(p, "{\"slug\":\"f\",\"name\":\"Film\"}", film), 0);
    publish(p, film);
    assert_int_equal(count(p, &adult, &all), 1);
    assert_int_equal(count(p, &nearly, &all), 0);
    AUTO(json_free) json_t *d = NULL, *e = NULL;
    assert_int_equal(catalog_detail(p->tx, &adult, film, &d), 0);
    assert_true(json_is_null(json_object_get(d, "maturity")));
    assert_int_equal(catalog_detail(p->tx, &child, film, &e), ERR_NOT_FOUND);
    assert_int_equal(upsert(p, "{\"slug\":\"f\",\"maturity\":0}", film), 0);
    assert_int_equal(count(p, &child, &all), 1);
    assert_int_equal(upsert(p, "{\"slug\":\"f\",\"maturity\":null}", film), 0);
    assert_int_equal(count(p, &child, &all), 0);
    assert_int_equal(
        upsert(p, "{\"slug\":\"s\",\"name\":\"S\",\"kind\":\"series\"}", series), 0);
    assert_int_equal(upsert(p,
                            "{\"name\":\"E\",\"kind\":\"episode\",\"series\":\"s\","
                            "\"season\":1,\"episode\":1}",
                            episode),
                     0);
    publish(p, episode);
    assert_int_equal(catalog_detail(p->tx, &child, episode, &e), ERR_NOT_FOUND);
    assert_int_equal(count(p, &child, &all), 0);
    assert_int_equal(upsert(p, "{\"slug\":\"s\",\"maturity\":6}", series), 0);
    assert_int_equal(catalog_detail(p->tx, &child, episode, &e), 0);
    assert_int_equal(json_i64_or(e, "maturity", -1), 6);
    assert_int_equal(count(p, &child, &all), 1);
}

// The class of the best picture, as the player names it; whatever is published has one.
static void a_quality_is_named_as_the_player_names_it(void **state)
{
    struct place *p = *state;
    static const struct {
        int lines;
        const char *name;
    } cases[] = {{2160, "4K"},  {2100, "4K"},  {1440, "1440p"}, {1080, "1080p"},
                 {720, "720p"}, {576, "576p"}, {352, "360p"},   {348, "348p"},
                 {240, "240p"}, {192, "192p"}, {2, "2p"},       {4320, "8K"}};
    char id[UUID_BYTES];
    assert_int_equal(upsert(p, "{\"slug\":\"s\",\"name\":\"S\"}", id), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct catalog_publication publication = {.package = PACKAGE,
                                                        .max_height = cases[i].lines};
        assert_int_equal(catalog_publish(p->tx, id, &publication), 0);
        AUTO(json_free) json_t *d = NULL;
        assert_int_equal(catalog_detail(p->tx, &adult, id, &d), 0);
        assert_string_equal(json_str_or(d, "quality", ""), cases[i].name);
    }
}

// What an older program wrote: words are found as before, and 0, which nobody may have said, is unrated.
static void rows_of_before_are_carried_over(void **state)
{
    (void)state;
    char dir[] = "/tmp/catalog-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct store *store = NULL;
    struct store_tx *tx = NULL;
    assert_int_equal(store_open(&store, dir), 0);
    assert_int_equal(store_migrate(store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_migrate(store, account_migrations, account_migration_count),
                     0);
    assert_int_equal(store_migrate(store, catalog_migrations, 2), 0);
    assert_int_equal(store_begin(store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx,
                   "INSERT INTO catalog_title (id, kind, name, credit, maturity, "
                   "created_us, package) VALUES ('a', 'film', 'Sintel', 'Blender', 0, 1, "
                   "'p'), ('b', 'film', 'Dragon', NULL, 12, 2, 'p')",
                   ""),
        0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(store_migrate(store, catalog_migrations, catalog_migration_count),
                     0);
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    AUTO(json_free) json_t *a = NULL, *b = NULL, *found = NULL;
    assert_int_equal(catalog_detail(tx, &adult, "a", &a), 0);
    assert_true(json_is_null(json_object_get(a, "maturity")));
    assert_int_equal(catalog_detail(tx, &adult, "b", &b), 0);
    assert_int_equal(json_i64_or(b, "maturity", 0), 12);
    assert_int_equal(catalog_search(tx, &adult, "blender", 10, &found), 0);
    assert_int_equal(json_array_size(json_object_get(found, "titles")), 1);
    store_rollback(&tx);
    store_close(&store);
    assert_int_equal(fs_remove_tree(dir), 0);
}

static void one_slip_is_forgiven(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], hidden[UUID_BYTES];
    assert_int_equal(upsert(p,
                            "{\"name\":\"Sintel\",\"credit\":\"Blender Foundation\","
                            "\"synopsis\":\"a dragon\",\"maturity\":6,"
                            "\"people\":[{\"name\":\"Кирилл Übung\"}]}",
                            id),
                     0);
    assert_int_equal(
        upsert(p, "{\"name\":\"Sontel\",\"maturity\":18,\"tags\":[\"Cosy\"]}", hidden),
        0);
    publish(p, id);
    publish(p, hidden);
    static const struct {
        const char *text;
        size_t titles;
    } cases[] = {
        {"sintl", 1},          // one missing
        {"SINTELL", 1},        // one too many
        {"sintle", 1},         // two swapped
        {"santel", 1},         // one wrong
        {"isntel", 1},         // at the beginning
        {"blender", 1},        // credits are searched
        {"blendr", 0},         // and not guessed at
        {"sintl dragon", 1},   // words that are known stay what they are
        {"sintl drgaon", 0},   // synopses are not guessed at
        {"snitl", 0},          // two slips
        {"snt", 0},            // too short
        {"sintl\" OR \"x", 0}, // no operator gets in
        {"кирлл", 1},          // letters, not bytes
        {"кирллл", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(json_free) json_t *found = NULL;
        assert_int_equal(catalog_search(p->tx, &child, cases[i].text, 10, &found), 0);
        if (json_array_size(json_object_get(found, "titles")) != cases[i].titles) {
            fail_msg("'%s'", cases[i].text);
        }
    }
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
        EACH(unrated_is_for_those_who_see_everything),
        EACH(a_quality_is_named_as_the_player_names_it),
        cmocka_unit_test(rows_of_before_are_carried_over),
        EACH(one_slip_is_forgiven),
        EACH(series_hold_their_episodes_in_order),
        EACH(search_takes_prefixes_and_anything_typed),
        EACH(pages_join_without_gap_or_overlap),
        EACH(likeness_is_shared_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
