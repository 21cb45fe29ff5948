// SPDX-License-Identifier: GPL-3.0-or-later
#include "account/account.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

struct place {
    char dir[40];
    struct store *store;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || str_copy(p->dir, sizeof p->dir, STR("/tmp/account-test-XXXXXX")) < 0 ||
        !mkdtemp(p->dir)) {
        return -1;
    }
    *state = p;
    return store_open(&p->store, p->dir) < 0 ||
           store_migrate(p->store, bus_migrations, bus_migration_count) < 0 ||
           store_migrate(p->store, account_migrations, account_migration_count) < 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    store_close(&p->store);
    int err = fs_remove_tree(p->dir);
    free(p);
    return err;
}

static struct store_tx *begin(struct place *p)
{
    struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    return tx;
}

static void add(struct place *p, const char *name, enum account_role role,
                const char *password, char ret_id[UUID_BYTES])
{
    char hash[ACCOUNT_PASSWORD_HASH_BYTES];
    assert_int_equal(account_password_hash(password, hash), 0);
    const struct account_user_spec spec = {
        .name = name, .role = role, .password_hash = hash};
    struct store_tx *tx = begin(p);
    assert_int_equal(account_user_add(tx, &spec, ret_id), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static void passwords_fit_only_themselves(void **state)
{
    (void)state;
    char one[ACCOUNT_PASSWORD_HASH_BYTES], two[ACCOUNT_PASSWORD_HASH_BYTES];
    assert_int_equal(account_password_hash("short", one), ERR_INVALID);
    assert_int_equal(account_password_hash("correct horse", one), 0);
    assert_int_equal(account_password_hash("correct horse", two), 0);
    assert_string_not_equal(one, two); // salted
    assert_int_equal(account_password_check("correct horse", one), 0);
    assert_int_equal(account_password_check("correct horsf", one), ERR_UNKNOWN_USER);
    assert_int_equal(account_password_check("", one), ERR_UNKNOWN_USER);
    assert_int_equal(account_password_check("x", "scrypt$14$8"), ERR_CORRUPT);
    // RFC 7914 section 12, the first half of its third vector.
    assert_int_equal(account_password_check(
                         "pleaseletmein", "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU$"
                                          "cCO9yzr9c0hGHAbNgf046_2o-7qQT44-qbVD9lRdofI"),
                     0);
}

static void signing_in_and_out(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], token[ACCOUNT_TOKEN_BYTES], other[ACCOUNT_TOKEN_BYTES];
    add(p, "Ada", ACCOUNT_VIEWER, "lovelace1", id);
    assert_int_equal(account_sign_in(p->store, "Ada", "babbage1", "::1", token),
                     ERR_UNKNOWN_USER);
    assert_int_equal(account_sign_in(p->store, "Nobody", "babbage1", "::1", token),
                     ERR_UNKNOWN_USER);
    assert_int_equal(account_sign_in(p->store, "ada", "lovelace1", "::1", token), 0);
    assert_int_equal(account_sign_in(p->store, "Ada", "lovelace1", "::1", other), 0);
    assert_string_not_equal(token, other);
    struct store_tx *tx = begin(p);
    struct account_who who;
    assert_int_equal(account_session_find(tx, token, &who), 0);
    assert_string_equal(who.user_id, id);
    assert_string_equal(who.name, "Ada");
    assert_int_equal(who.role, ACCOUNT_VIEWER);
    assert_string_equal(who.plan_id, "premium");
    assert_true(uuid_is_valid(str_of(who.profile_id)));
    int64_t kept = -1; // the token itself is nowhere in the rows
    assert_int_equal(store_get_i64(tx, &kept,
                                   "SELECT count(*) FROM account_session WHERE token = ?",
                                   "s", token),
                     0);
    assert_int_equal(kept, 0);
    AUTO(json_free) json_t *session = NULL;
    assert_int_equal(account_session_json(tx, &who, &session), 0);
    assert_string_equal(json_str_or(json_object_get(session, "profile"), "name", ""),
                        "Ada");
    assert_int_equal(account_session_close(tx, token), 0);
    assert_int_equal(account_session_find(tx, token, &who), ERR_UNKNOWN_USER);
    assert_int_equal(account_session_find(tx, other, &who), 0);
    assert_int_equal(account_session_find(tx, "", &who), ERR_UNKNOWN_USER);
    assert_int_equal(store_exec(tx, "UPDATE account_session SET used_us = 0", ""), 0);
    assert_int_equal(account_session_find(tx, other, &who), ERR_UNKNOWN_USER);
    store_rollback(&tx);
}

static void guessing_is_throttled(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], token[ACCOUNT_TOKEN_BYTES];
    add(p, "Bob", ACCOUNT_VIEWER, "password1", id);
    int err = 0, tries = 0;
    while (err != ERR_THROTTLED && tries < 100) {
        err = account_sign_in(p->store, "Bob", "wrong pass", "10.0.0.1", token);
        tries++;
    }
    assert_int_equal(tries, 9);
    // Even with the right password; not for others, not from elsewhere, not later.
    assert_int_equal(account_sign_in(p->store, "Bob", "password1", "10.0.0.1", token),
                     ERR_THROTTLED);
    assert_int_equal(account_sign_in(p->store, "Bob", "password1", "10.0.0.2", token), 0);
    struct store_tx *tx = begin(p);
    assert_int_equal(store_exec(tx, "UPDATE account_failure SET since_us = 0", ""), 0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(account_sign_in(p->store, "Bob", "password1", "10.0.0.1", token), 0);
}

static void links_sign_in_once(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], found[UUID_BYTES], token[ACCOUNT_TOKEN_BYTES];
    add(p, "Eve", ACCOUNT_OPERATOR, "password1", id);
    struct store_tx *tx = begin(p);
    assert_int_equal(account_link_new(tx, id, 1000000, token), 0);
    assert_int_equal(account_link_use(tx, token, found), 0);
    assert_string_equal(found, id);
    assert_int_equal(account_link_use(tx, token, found), ERR_NOT_FOUND);
    assert_int_equal(account_link_new(tx, id, -1, token), 0);
    assert_int_equal(account_link_use(tx, token, found), ERR_NOT_FOUND);
    store_rollback(&tx);
}

static void people_and_partners_have_rules(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], partner[UUID_BYTES];
    add(p, "Zoe", ACCOUNT_VIEWER, "password1", id);
    struct store_tx *tx = begin(p);
    struct account_user_spec spec = {.name = "ZOE", .role = ACCOUNT_VIEWER};
    assert_int_equal(account_user_add(tx, &spec, id), ERR_EXISTS);
    spec.name = " x";
    assert_int_equal(account_user_add(tx, &spec, id), ERR_INVALID);
    spec = (struct account_user_spec){.name = "Pat", .role = ACCOUNT_PARTNER};
    assert_int_equal(account_user_add(tx, &spec, id), ERR_INVALID);
    static const char *const bad[] = {
        "", "a", "a@", "@b", "a@b@c", "a@b\nBcc: x@y", "a b@c", "a\x01@b", "j\u00F6rg@b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(account_partner_add(tx, "Archive", bad[i], partner),
                         ERR_INVALID);
    }
    assert_int_equal(account_partner_add(tx, "Archive", "in@archive.example", partner),
                     0);
    assert_int_equal(account_partner_add(tx, "archive", "in@archive.example", id),
                     ERR_EXISTS);
    AUTO(json_free) json_t *by_name = NULL;
    assert_int_equal(account_partner(tx, "archive", &by_name), 0);
    assert_string_equal(json_str_or(by_name, "id", ""), partner);
    spec.partner_id = partner;
    assert_int_equal(account_user_add(tx, &spec, id), 0);
    store_rollback(&tx);
}

static void profiles_belong_to_their_user(void **state)
{
    struct place *p = *state;
    char ann[UUID_BYTES], tom[UUID_BYTES], token[ACCOUNT_TOKEN_BYTES];
    add(p, "Ann", ACCOUNT_VIEWER, "password1", ann);
    add(p, "Tom", ACCOUNT_VIEWER, "password1", tom);
    struct store_tx *tx = begin(p);
    AUTO(json_free)
    json_t *fields = json_pack("{s:s, s:i}", "name", "Kid", "maturity", 6);
    AUTO(json_free) json_t *kid = NULL, *edited = NULL, *all = NULL;
    assert_int_equal(account_profile_add(tx, ann, fields, &kid), 0);
    const char *kid_id = json_str_or(kid, "id", "");
    assert_int_equal(account_session_open(tx, ann, token), 0);
    assert_int_equal(account_profile_choose(tx, token, ann, kid_id), 0);
    struct account_who who;
    assert_int_equal(account_session_find(tx, token, &who), 0);
    assert_string_equal(who.profile_id, kid_id);
    assert_int_equal(account_profile_edit(tx, tom, kid_id, fields, &edited),
                     ERR_NOT_FOUND);
    assert_int_equal(account_profile_remove(tx, tom, kid_id), ERR_NOT_FOUND);
    assert_int_equal(account_profile_choose(tx, token, tom, kid_id), ERR_NOT_FOUND);
    AUTO(json_free) json_t *bad = json_pack("{s:i}", "maturity", 19);
    assert_int_equal(account_profile_edit(tx, ann, kid_id, bad, &edited), ERR_INVALID);
    AUTO(json_free) json_t *rename = json_pack("{s:s}", "name", "Teen");
    assert_int_equal(account_profile_edit(tx, ann, kid_id, rename, &edited), 0);
    assert_int_equal(json_i64_or(edited, "maturity", 0), 6);
    assert_int_equal(account_profile_remove(tx, ann, kid_id), 0);
    assert_int_equal(account_session_find(tx, token, &who), 0);
    assert_int_equal(account_profile_remove(tx, ann, who.profile_id), ERR_CONFLICT);
    for (int i = 1; i < ACCOUNT_PROFILES_MAX; i++) {
        AUTO(json_free) json_t *more = NULL;
        assert_int_equal(account_profile_add(tx, ann, fields, &more), 0);
    }
    assert_int_equal(account_profile_add(tx, ann, fields, &all), ERR_CONFLICT);
    store_rollback(&tx);
}

static void changes_of_a_person_end_what_they_had(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], partner[UUID_BYTES], session[ACCOUNT_TOKEN_BYTES],
        link[ACCOUNT_TOKEN_BYTES], found[UUID_BYTES];
    add(p, "Kim", ACCOUNT_VIEWER, "password1", id);
    struct store_tx *tx = begin(p);
    struct account_who who;
    assert_int_equal(account_partner_add(tx, "Museum", "m@museum.example", partner), 0);
    assert_int_equal(account_session_open(tx, id, session), 0);
    assert_int_equal(account_link_new(tx, id, 1000000, link), 0);
    struct account_user_change change = {.plan = "basic"};
    assert_int_equal(account_user_edit(tx, id, &change, "system"), 0);
    assert_int_equal(account_session_find(tx, session, &who), 0); // a plan ends nothing
    assert_int_equal(who.plan_streams, 1);
    change = (struct account_user_change){.plan = "golden"};
    assert_int_equal(account_user_edit(tx, id, &change, "system"), ERR_NOT_FOUND);
    change = (struct account_user_change){.role = ACCOUNT_PARTNER};
    assert_int_equal(account_user_edit(tx, id, &change, "system"), ERR_INVALID);
    change.partner_id = partner;
    assert_int_equal(account_user_edit(tx, id, &change, "user/boss"), 0);
    assert_int_equal(account_session_find(tx, session, &who), ERR_UNKNOWN_USER);
    assert_int_equal(account_link_use(tx, link, found), ERR_NOT_FOUND);
    assert_int_equal(account_session_open(tx, id, session), 0);
    assert_int_equal(account_session_find(tx, session, &who), 0);
    assert_int_equal(who.role, ACCOUNT_PARTNER);
    assert_string_equal(who.partner_id, partner);
    assert_string_equal(who.plan_id, "basic");
    change = (struct account_user_change){.role = ACCOUNT_OPERATOR};
    assert_int_equal(account_user_edit(tx, id, &change, "system"), 0);
    assert_int_equal(account_session_open(tx, id, session), 0);
    assert_int_equal(account_session_find(tx, session, &who), 0);
    assert_string_equal(who.partner_id, "");
    AUTO(json_free) json_t *events = NULL;
    AUTO(cstr_free) char *subject = NULL;
    assert_int_equal(cstr_printf(&subject, "user/%s", id), 0);
    assert_int_equal(bus_read(tx, 0, subject, 10, &events), 0);
    assert_int_equal(json_array_size(events), 3);
    assert_string_equal(json_str_or(json_array_get(events, 1), "actor", ""), "user/boss");
    store_rollback(&tx);
}

static void a_person_goes_and_the_last_administrator_stays(void **state)
{
    struct place *p = *state;
    char one[UUID_BYTES], two[UUID_BYTES], session[ACCOUNT_TOKEN_BYTES];
    add(p, "Root", ACCOUNT_ADMIN, "password1", one);
    struct store_tx *tx = begin(p);
    const struct account_user_change demote = {.role = ACCOUNT_VIEWER};
    assert_int_equal(account_user_edit(tx, one, &demote, "system"), ERR_CONFLICT);
    assert_int_equal(account_user_remove(tx, one, "system"), ERR_CONFLICT);
    const struct account_user_spec spec = {.name = "Second", .role = ACCOUNT_ADMIN};
    assert_int_equal(account_user_add(tx, &spec, two), 0);
    assert_int_equal(account_session_open(tx, one, session), 0);
    assert_int_equal(account_user_remove(tx, one, "system"), 0);
    struct account_who who;
    assert_int_equal(account_session_find(tx, session, &who), ERR_UNKNOWN_USER);
    assert_int_equal(account_user_find(tx, "Root", session), ERR_NOT_FOUND);
    assert_int_equal(account_user_remove(tx, one, "system"), ERR_NOT_FOUND);
    assert_int_equal(account_user_edit(tx, two, &demote, "system"), ERR_CONFLICT);
    store_rollback(&tx);
}

static void a_new_password_ends_links_and_sessions(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES], session[ACCOUNT_TOKEN_BYTES], link[ACCOUNT_TOKEN_BYTES],
        hash[ACCOUNT_PASSWORD_HASH_BYTES], found[UUID_BYTES];
    add(p, "Lou", ACCOUNT_VIEWER, "password1", id);
    assert_int_equal(account_password_hash("password2", hash), 0);
    struct store_tx *tx = begin(p);
    struct account_who who;
    assert_int_equal(account_session_open(tx, id, session), 0);
    assert_int_equal(account_link_new(tx, id, 1000000, link), 0);
    assert_int_equal(account_user_set_password(tx, id, hash), 0);
    assert_int_equal(account_session_find(tx, session, &who), ERR_UNKNOWN_USER);
    assert_int_equal(account_link_use(tx, link, found), ERR_NOT_FOUND);
    store_rollback(&tx);
}

static void keys_are_made_once(void **state)
{
    struct place *p = *state;
    uint8_t a[ACCOUNT_KEY_BYTES], b[ACCOUNT_KEY_BYTES], c[ACCOUNT_KEY_BYTES];
    assert_int_equal(account_key(p->store, "media", a), 0);
    assert_int_equal(account_key(p->store, "media", b), 0);
    assert_int_equal(account_key(p->store, "other", c), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void people_are_named_beside_their_ids(void **state)
{
    struct place *p = *state;
    char id[UUID_BYTES];
    add(p, "nora", ACCOUNT_OPERATOR, "long enough", id);
    AUTO(buf_free) struct buf person = {0};
    buf_printf(&person, "user/%s", id);
    AUTO(json_free)
    json_t *of = json_pack(
        "[{s:s, s:s, s:{s:s}}, {s:s}, {s:s}, {s:n}]", "actor", person.data, "subject",
        person.data, "inner", "approved_by", person.data, "actor", "system", "actor",
        "user/00000000-0000-7000-8000-000000000000", "acknowledged_by");
    struct store_tx *tx = begin(p);
    assert_int_equal(account_people_name(tx, of), 0);
    store_rollback(&tx);
    const json_t *first = json_array_get(of, 0);
    assert_string_equal(json_str_or(first, "actor_name", ""), "nora");
    assert_null(json_object_get(first, "subject_name"));
    assert_string_equal(
        json_str_or(json_object_get(first, "inner"), "approved_by_name", ""), "nora");
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(json_object_size(json_array_get(of, i)), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_fit_only_themselves),
        cmocka_unit_test(signing_in_and_out),
        cmocka_unit_test(guessing_is_throttled),
        cmocka_unit_test(links_sign_in_once),
        cmocka_unit_test(people_and_partners_have_rules),
        cmocka_unit_test(profiles_belong_to_their_user),
        cmocka_unit_test(changes_of_a_person_end_what_they_had),
        cmocka_unit_test(a_person_goes_and_the_last_administrator_stays),
        cmocka_unit_test(a_new_password_ends_links_and_sessions),
        cmocka_unit_test(keys_are_made_once),
        cmocka_unit_test(people_are_named_beside_their_ids),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
