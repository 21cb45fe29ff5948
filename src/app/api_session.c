// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signing in and out, profiles, people.
#include "app/api.h"

#include <string.h>

#define COOKIE_LIFE_S (30 * 86400)

// What POST and GET session answer; the token only to who just got it.
static int answer_session(struct api *api, struct http_response *res, const char *token,
                          const char *shown_token)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *session = NULL;
    struct account_who who;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(account_session_find(tx, token, &who));
    TRY(account_session_json(tx, &who, &session));
    if (shown_token) {
        FAIL_IF(json_object_set_new(session, "token", json_string(shown_token)) < 0,
                ERR_NOMEM, "a session");
    }
    return http_json(res, 200, TAKE(session));
}

int api_session_create(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    const char *name = NULL, *password = NULL;
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "name", &name));
    TRY(json_get_str(body, "password", &password));
    char token[ACCOUNT_TOKEN_BYTES];
    TRY(account_sign_in(api->store, name, password, http_request_peer(req), token));
    http_cookie(res, API_COOKIE, token, COOKIE_LIFE_S);
    return answer_session(api, res, token, token);
}

// Every page asks this first: to be signed out is an answer, no error.
int api_session_get(struct http_request *req, struct http_response *res, void *user)
{
    TRY(http_request_authenticate(req));
    const struct api_caller *caller = api_caller(req);
    return caller ? answer_session(user, res, caller->token, NULL)
                  : http_json(res, 200, json_null());
}

int api_session_end(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct api_caller *caller = api_caller(req);
    if (caller) {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(api->store, STORE_WRITE, &tx));
        TRY(account_session_close(tx, caller->token));
        TRY(store_commit(&tx));
    }
    http_cookie(res, API_COOKIE, "", 0);
    return api_done(res);
}

int api_session_choose(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct api_caller *caller = api_caller(req);
    AUTO(json_free) json_t *body = NULL;
    const char *profile = NULL;
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "profile_id", &profile));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_profile_choose(tx, caller->token, caller->who.user_id, profile));
    TRY(store_commit(&tx));
    return answer_session(api, res, caller->token, NULL);
}

static int use_link(struct api *api, const char *link,
                    char ret_token[ACCOUNT_TOKEN_BYTES])
{
    char user_id[UUID_BYTES];
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_link_use(tx, link, user_id));
    TRY(account_session_open(tx, user_id, ret_token));
    return store_commit(&tx);
}

// A person's browser comes here, so every end is a page.
int api_link_use(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    char token[ACCOUNT_TOKEN_BYTES];
    struct account_who who;
    if (http_request_method(req) == HTTP_HEAD) {
        return api_done(
            res); // who looks whether it is there (a mail's scanner, a chat) does not use it up
    }
    int err = use_link(api, http_request_param(req, "token"), token);
    http_status(res, 303);
    if (err == ERR_NOT_FOUND) {
        http_header(res, "Location", "/signin?link=used");
        return 0;
    }
    TRY(err);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(account_session_find(tx, token, &who));
    http_cookie(res, API_COOKIE, token, COOKIE_LIFE_S);
    http_header(res, "Location", who.role == ACCOUNT_VIEWER ? "/" : "/desk/");
    return 0;
}

// --- profiles -------------------------------------------------------------------------------

int api_profiles_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *profiles = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(account_profiles(tx, api_caller(req)->who.user_id, &profiles));
    return api_wrap(res, "profiles", profiles);
}

int api_profiles_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL, *profile = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(http_request_json(req, &body));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_profile_add(tx, api_caller(req)->who.user_id, body, &profile));
    TRY(store_commit(&tx));
    return http_json(res, 201, TAKE(profile));
}

int api_profiles_edit(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL, *profile = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_profile_edit(tx, api_caller(req)->who.user_id, id, body, &profile));
    TRY(store_commit(&tx));
    return http_json(res, 200, TAKE(profile));
}

int api_profiles_remove(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_profile_remove(tx, api_caller(req)->who.user_id, id));
    TRY(viewing_forget(tx, id));
    TRY(store_commit(&tx));
    return api_done(res);
}

// --- people ---------------------------------------------------------------------------------

int api_users_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    (void)req;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *users = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(account_users(tx, &users));
    return api_wrap(res, "users", users);
}

int api_users_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL, *partner = NULL;
    TRY(http_request_json(req, &body));
    const char *role = NULL, *password = json_str_or(body, "password", NULL);
    struct account_user_spec spec = {.plan = json_str_or(body, "plan", NULL)};
    char hash[ACCOUNT_PASSWORD_HASH_BYTES], id[UUID_BYTES];
    TRY(json_get_str(body, "name", &spec.name));
    TRY(json_get_str(body, "role", &role));
    TRY(account_role_parse(str_of(role), &spec.role));
    if (password) {
        TRY(account_password_hash(password, hash));
        spec.password_hash = hash;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    if (json_str_or(body, "partner", NULL)) {
        TRY(account_partner(tx, json_str_or(body, "partner", ""), &partner));
        spec.partner_id = json_str_or(partner, "id", NULL);
    }
    TRY(account_user_add(tx, &spec, id));
    TRY(store_commit(&tx));
    return http_json(
        res, 201,
        json_pack("{s:s, s:s, s:s}", "id", id, "name", spec.name, "role", role));
}

// A member that is there and no text is a mistake, not an absence.
static int optional_text(const json_t *body, const char *key, const char **ret)
{
    const json_t *value = json_object_get(body, key);
    FAIL_IF(value && !json_is_string(value), ERR_INVALID, "'%s' is a text", key);
    *ret = json_string_value(value);
    return 0;
}

static int read_change(const json_t *body, struct account_user_change *ret,
                       char hash[ACCOUNT_PASSWORD_HASH_BYTES])
{
    const char *role = NULL, *password = NULL;
    FAIL_IF(!json_is_object(body), ERR_INVALID, "a change is an object");
    TRY(optional_text(body, "role", &role));
    TRY(optional_text(body, "plan", &ret->plan));
    TRY(optional_text(body, "partner", &ret->partner_id));
    TRY(optional_text(body, "password", &password));
    FAIL_IF(!role && !ret->plan && !ret->partner_id && !password, ERR_INVALID,
            "a change names role, plan, partner or password");
    TRY(role ? account_role_parse(str_of(role), &ret->role) : 0);
    if (password) {
        TRY(account_password_hash(password, hash));
        ret->password_hash = hash;
    }
    return 0;
}

int api_users_edit(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL, *partner = NULL;
    struct account_user_change change = {0};
    char hash[ACCOUNT_PASSWORD_HASH_BYTES];
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    TRY(read_change(body, &change, hash));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    if (change.partner_id) {
        TRY(account_partner(tx, change.partner_id, &partner));
        change.partner_id = json_str_or(partner, "id", NULL);
    }
    TRY(account_user_edit(tx, id, &change, api_actor(req)));
    TRY(api_commit(api, &tx));
    return api_done(res);
}

int api_users_remove(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(viewing_forget_person(tx, id));
    TRY(account_user_remove(tx, id, api_actor(req)));
    TRY(api_commit(api, &tx));
    return api_done(res);
}

int api_users_link(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *path = NULL;
    const char *id = NULL;
    char token[ACCOUNT_TOKEN_BYTES], until[CLOCK_RFC3339_BYTES];
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_link_new(tx, id, ACCOUNT_LINK_LIFE_US, token));
    TRY(cstr_printf(&path, "/link/%s", token));
    clock_rfc3339(clock_wall_us() + ACCOUNT_LINK_LIFE_US, until);
    TRY(store_commit(&tx));
    return http_json(res, 201, json_pack("{s:s, s:s}", "path", path, "until", until));
}

int api_partners_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    (void)req;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *partners = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(account_partners(tx, &partners));
    return api_wrap(res, "partners", partners);
}

int api_partners_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    const char *name = NULL, *email = NULL;
    char id[UUID_BYTES];
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "name", &name));
    TRY(json_get_str(body, "email", &email));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_partner_add(tx, name, email, id));
    TRY(store_commit(&tx));
    return http_json(
        res, 201, json_pack("{s:s, s:s, s:s}", "id", id, "name", name, "email", email));
}

int api_plans_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    (void)req;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *plans = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(account_plans(tx, &plans));
    return api_wrap(res, "plans", plans);
}
