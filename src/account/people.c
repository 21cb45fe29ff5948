// SPDX-License-Identifier: GPL-3.0-or-later
//
// People, partners and plans.
#include "account/internal.h"

#include <string.h>

static const char *const role_names[] = {
#define X(name, text) text,
    ACCOUNT_ROLE_LIST(X)
#undef X
};

const char *account_role_name(enum account_role role)
{
    return role_names[__builtin_ctz((unsigned)role)];
}

int account_role_parse(struct str text, enum account_role *ret)
{
    for (unsigned i = 0; i < ACCOUNT_ROLE_COUNT; i++) {
        if (str_eq_c(text, role_names[i])) {
            *ret = (enum account_role)(1u << i);
            return 0;
        }
    }
    FAIL(ERR_INVALID, "'" STR_FMT "' is not viewer, operator, admin, partner or agent",
         STR_ARG(text));
}

int name_check(const char *what, const char *name)
{
    struct str s = str_of(name);
    FAIL_IF(s.len == 0 || s.len > NAME_MAX_BYTES, ERR_INVALID, "%s has 1 to %d bytes",
            what, NAME_MAX_BYTES);
    FAIL_IF(!str_is_line(s) || str_trim(s).len != s.len, ERR_INVALID,
            "%s is one line of text without spaces around it", what);
    return 0;
}

// A constraint's ERR_CONFLICT in the caller's words.
static int as_exists(int err, const char *what, const char *name)
{
    return err == ERR_CONFLICT
               ? err_fail(ERR_EXISTS, "%s '%s' exists already", what, name)
               : err;
}

static int check_plan(struct store_tx *tx, const char *plan)
{
    int64_t known = 0;
    TRY(store_get_i64(tx, &known, "SELECT count(*) FROM account_plan WHERE id = ?", "s",
                      plan));
    FAIL_IF(known == 0, ERR_NOT_FOUND, "there is no plan '%s'", plan);
    return 0;
}

static int check_partner(enum account_role role, const char *partner_id)
{
    FAIL_IF((role == ACCOUNT_PARTNER) != (partner_id != NULL), ERR_INVALID,
            "a person of role partner, and no other, belongs to a partner");
    return 0;
}

int account_user_add(struct store_tx *tx, const struct account_user_spec *spec,
                     char ret_id[UUID_BYTES])
{
    TRY(name_check("a name", spec->name));
    TRY(check_partner(spec->role, spec->partner_id));
    const char *plan = spec->plan ? spec->plan : "premium";
    TRY(check_plan(tx, plan));
    char id[UUID_BYTES], profile[UUID_BYTES];
    uuid_v7(id);
    uuid_v7(profile);
    TRY(as_exists(store_exec(tx,
                             "INSERT INTO account_user (id, name, role, password, "
                             "partner_id, plan_id, created_us) VALUES (?,?,?,?,?,?,?)",
                             "ssssssi", id, spec->name, account_role_name(spec->role),
                             spec->password_hash, spec->partner_id, plan,
                             clock_wall_us()),
                  "the name", spec->name));
    TRY(store_exec(tx, "INSERT INTO account_profile (id, user_id, name) VALUES (?,?,?)",
                   "sss", profile, id, spec->name));
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

// Who was somebody else before is asked to sign in anew.
static int end_sessions(struct store_tx *tx, const char *user_id)
{
    TRY(store_exec(tx, "DELETE FROM account_session WHERE user_id = ?", "s", user_id));
    return store_exec(tx, "DELETE FROM account_link WHERE user_id = ?", "s", user_id);
}

int account_user_set_password(struct store_tx *tx, const char *user_id, const char *hash)
{
    TRY(store_exec(tx, "UPDATE account_user SET password = ? WHERE id = ?", "ss", hash,
                   user_id));
    FAIL_IF(store_changes(tx) == 0, ERR_NOT_FOUND, "there is no such person");
    return end_sessions(tx, user_id);
}

int account_user_find(struct store_tx *tx, const char *name, char ret_id[UUID_BYTES])
{
    AUTO(cstr_free) char *id = NULL;
    int err =
        store_get_text(tx, &id, "SELECT id FROM account_user WHERE name = ?", "s", name);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "nobody is named '%s'", name);
    TRY(err);
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

// --- changes ----------------------------------------------------------------------------------

struct user {
    char *name;
    char *partner_id; // NULL: none
    char *plan;
    enum account_role role;
};

static void user_clear(struct user *u)
{
    cstr_free(&u->name);
    cstr_free(&u->partner_id);
    cstr_free(&u->plan);
}

static int read_user(struct store_tx *tx, const char *user_id, struct user *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r, "SELECT name, partner_id, plan_id, role FROM account_user WHERE id = ?",
        "s", user_id));
    int any = store_next(r);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no such person");
    TRY(cstr_dup(&ret->name, store_text(r, 0)));
    TRY(store_is_null(r, 1) ? 0 : cstr_dup(&ret->partner_id, store_text(r, 1)));
    TRY(cstr_dup(&ret->plan, store_text(r, 2)));
    return account_role_parse(str_of(store_text(r, 3)), &ret->role);
}

// A house that nobody may let people into could be opened with its rows alone.
static int check_last_admin(struct store_tx *tx, const struct user *u)
{
    int64_t admins = 0;
    if (u->role != ACCOUNT_ADMIN) {
        return 0;
    }
    TRY(store_get_i64(tx, &admins, "SELECT count(*) FROM account_user WHERE role = ?",
                      "s", account_role_name(ACCOUNT_ADMIN)));
    FAIL_IF(admins == 1, ERR_CONFLICT, "'%s' is the last administrator", u->name);
    return 0;
}

static int emit(struct store_tx *tx, const char *type, const char *user_id,
                const char *actor, json_t *data)
{
    AUTO(json_free) json_t *owned = data;
    AUTO(cstr_free) char *subject = NULL;
    FAIL_IF(!owned, ERR_NOMEM, "an event");
    TRY(cstr_printf(&subject, "user/%s", user_id));
    return bus_emit(tx,
                    &(struct bus_event){
                        .type = type, .subject = subject, .actor = actor, .data = owned},
                    NULL);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int account_user_edit(struct store_tx *tx, const char *user_id,
                      const struct account_user_change *change, const char *actor)
{
    AUTO(user_clear) struct user was = {0};
    TRY(read_user(tx, user_id, &was));
    enum account_role role = change->role ? change->role : was.role;
    const char *plan = change->plan ? change->plan : was.plan;
    // Who is no partner's any more need not say so.
    const char *partner = change->partner_id        ? change->partner_id
                          : role == ACCOUNT_PARTNER ? was.partner_id
                                                    : NULL;
    TRY(check_partner(role, partner));
    TRY(check_plan(tx, plan));
    TRY(role == was.role ? 0 : check_last_admin(tx, &was));
    TRY(store_exec(
        tx, "UPDATE account_user SET role = ?, plan_id = ?, partner_id = ? WHERE id = ?",
        "ssss", account_role_name(role), plan, partner, user_id));
    if (role != was.role || !is_same(partner, was.partner_id)) {
        TRY(end_sessions(tx, user_id));
    }
    if (change->password_hash) {
        TRY(account_user_set_password(tx, user_id, change->password_hash));
    }
    return emit(tx, "user.edited.v1", user_id, actor,
                json_pack("{s:s, s:s, s:s?}", "role", account_role_name(role), "plan",
                          plan, "partner", partner));
}

int account_user_remove(struct store_tx *tx, const char *user_id, const char *actor)
{
    AUTO(user_clear) struct user was = {0};
    TRY(read_user(tx, user_id, &was));
    TRY(check_last_admin(tx, &was));
    TRY(end_sessions(tx, user_id));
    TRY(store_exec(tx, "DELETE FROM account_profile WHERE user_id = ?", "s", user_id));
    TRY(store_exec(tx, "DELETE FROM account_user WHERE id = ?", "s", user_id));
    return emit(
        tx, "user.removed.v1", user_id, actor,
        json_pack("{s:s, s:s}", "name", was.name, "role", account_role_name(was.role)));
}

// --- lists ------------------------------------------------------------------------------------

static int user_json(const struct store_rows *r, json_t **ret)
{
    char created[CLOCK_RFC3339_BYTES];
    clock_rfc3339(store_i64(r, 5), created);
    return json_made(json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s}", "id", store_text(r, 0),
                               "name", store_text(r, 1), "role", store_text(r, 2),
                               "partner", store_text(r, 3), "plan", store_text(r, 4),
                               "created", created),
                     ret);
}

int account_users(struct store_tx *tx, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id, name, role, partner_id, plan_id, created_us "
                    "FROM account_user ORDER BY name",
                    ""));
    return store_array(rows, user_json, ret);
}

#define PERSON "user/"

static int name_member(struct store_tx *tx, const char *key, const json_t *value,
                       json_t *names)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    AUTO(buf_free) struct buf name_key = {0};
    const char *person = json_is_string(value) ? json_string_value(value) : "";
    bool is_actor = strcmp(key, "actor") == 0 || str_ends(str_of(key), "_by");
    if (!is_actor || !str_starts(str_of(person), PERSON)) {
        return 0;
    }
    TRY(store_query(tx, &rows, "SELECT name FROM account_user WHERE id = ?", "s",
                    person + strlen(PERSON)));
    int more = store_next(rows);
    if (more <= 0) {
        return more;
    }
    buf_printf(&name_key, "%s_name", key);
    FAIL_IF(name_key.err < 0 || json_object_set_new(names, name_key.data,
                                                    json_string(store_text(rows, 0))) < 0,
            ERR_NOMEM, "no memory for names");
    return 0;
}

// Names are added behind the walk: an object that is walked must not grow.
static int name_members(struct store_tx *tx, json_t *object)
{
    AUTO(json_free) json_t *names = json_object();
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        TRY(name_member(tx, key, value, names));
        TRY(account_people_name(tx, value));
    }
    FAIL_IF(json_object_update(object, names) < 0, ERR_NOMEM, "no memory for names");
    return 0;
}

int account_people_name(struct store_tx *tx, json_t *of)
{
    size_t i;
    json_t *item;
    if (json_is_object(of)) {
        return name_members(tx, of);
    }
    json_array_foreach(of, i, item)
    {
        TRY(account_people_name(tx, item));
    }
    return 0;
}

static int plan_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_pack("{s:s, s:s, s:I, s:I}", "id", store_text(r, 0), "name",
                               store_text(r, 1), "max_height",
                               (json_int_t)store_i64(r, 2), "streams",
                               (json_int_t)store_i64(r, 3)),
                     ret);
}

int account_plans(struct store_tx *tx, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id, name, max_height, streams FROM account_plan "
                    "ORDER BY position",
                    ""));
    return store_array(rows, plan_json, ret);
}

// One '@' with something on both sides, and nothing that ends a header line or a list. Letters outside
// ASCII would need relays that know SMTPUTF8 (RFC 6531): told now, not when the first mail is due.
static bool is_address(const char *email)
{
    struct str domain = str_of(email), local;
    for (const char *p = email; *p; p++) {
        if (*p <= ' ' || *p >= 127) {
            return false;
        }
    }
    str_next(&domain, '@', &local);
    return local.len && domain.data && domain.len && domain.len + local.len < 254 &&
           strpbrk(email, ",;<>()\"\\") == NULL && !strchr(domain.data, '@');
}

int account_partner_add(struct store_tx *tx, const char *name, const char *email,
                        char ret_id[UUID_BYTES])
{
    TRY(name_check("a partner's name", name));
    FAIL_IF(!is_address(email), ERR_INVALID, "'%s' is not a mail address", email);
    char id[UUID_BYTES];
    uuid_v7(id);
    TRY(as_exists(store_exec(tx,
                             "INSERT INTO account_partner (id, name, email, created_us) "
                             "VALUES (?,?,?,?)",
                             "sssi", id, name, email, clock_wall_us()),
                  "the partner", name));
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

static int partner_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_pack("{s:s, s:s, s:s}", "id", store_text(r, 0), "name",
                               store_text(r, 1), "email", store_text(r, 2)),
                     ret);
}

int account_partner(struct store_tx *tx, const char *id_or_name, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id, name, email FROM account_partner WHERE id = ?1 OR "
                    "name = ?1 ORDER BY id = ?1 DESC LIMIT 1",
                    "s", id_or_name));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no partner '%s'", id_or_name);
    return partner_json(rows, ret);
}

int account_partners(struct store_tx *tx, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id, name, email FROM account_partner ORDER BY name", ""));
    return store_array(rows, partner_json, ret);
}
