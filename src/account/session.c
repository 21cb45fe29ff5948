// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signing in. A token is 256 random bits as base64url; rows hold its SHA-256. Failures are counted
// in rows, so that a restart forgives nothing.
#include "account/internal.h"

#include <string.h>

#define DAY_US            (INT64_C(86400) * 1000000)
#define SESSION_LIFE_US   (30 * DAY_US)
#define FAILURE_WINDOW_US (INT64_C(15) * 60 * 1000000)
#define FAILURES_OF_NAME  8  // from one peer
#define FAILURES_OF_PEER  40 // whatever the name

// What is checked when nobody has the name, so that the answer takes as long: no password fits it.
#define NOBODYS_HASH                        \
    "scrypt$14$8$1$AAAAAAAAAAAAAAAAAAAAAA$" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void hash_token(const char *token, struct hash *ret)
{
    hash_of(token, strlen(token), ret);
}

static int new_token(char ret[ACCOUNT_TOKEN_BYTES])
{
    uint8_t bytes[32];
    TRY(random_bytes(bytes, sizeof bytes));
    AUTO(buf_free) struct buf text = {0};
    base64url_encode(&text, bytes, sizeof bytes);
    TRY(text.err);
    return str_copy(ret, ACCOUNT_TOKEN_BYTES, buf_view(&text));
}

// --- throttling -----------------------------------------------------------------------------

static int check_failures(struct store_tx *tx, const char *who, int64_t limit)
{
    int64_t count = 0;
    int err = store_get_i64(tx, &count,
                            "SELECT count FROM account_failure WHERE who = ? AND "
                            "since_us > ?",
                            "si", who, clock_wall_us() - FAILURE_WINDOW_US);
    if (err == ERR_NOT_FOUND) {
        return 0;
    }
    TRY(err);
    FAIL_IF(count >= limit, ERR_THROTTLED,
            "too many failed attempts; try again in a quarter of an hour");
    return 0;
}

static int count_failure(struct store_tx *tx, const char *who)
{
    int64_t now = clock_wall_us();
    return store_exec(
        tx,
        "INSERT INTO account_failure VALUES (?1, 1, ?2) ON CONFLICT (who) DO "
        "UPDATE SET count = iif(since_us > ?3, count + 1, 1), "
        "since_us = iif(since_us > ?3, since_us, ?2)",
        "sii", who, now, now - FAILURE_WINDOW_US);
}

static int note_failure(struct store *store, const char *by_name, const char *by_peer)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(count_failure(tx, by_name));
    TRY(count_failure(tx, by_peer));
    TRY(store_exec(tx, "DELETE FROM account_failure WHERE since_us < ?", "i",
                   clock_wall_us() - FAILURE_WINDOW_US));
    return store_commit(&tx);
}

struct claim {
    char *by_name, *by_peer; // keys of account_failure
    char *user_id, *hash;    // NULL: nobody has the name
};

static void claim_free(struct claim *c)
{
    cstr_free(&c->by_name);
    cstr_free(&c->by_peer);
    cstr_free(&c->user_id);
    cstr_free(&c->hash);
}

static int read_claim(struct store *store, const char *name, const char *peer,
                      struct claim *ret)
{
    // The name is what a stranger typed, of any length: its hash stands for it.
    struct hash h;
    char hex[HASH_HEX_BYTES];
    hash_of(name, strlen(name), &h);
    hash_hex(&h, hex);
    TRY(cstr_printf(&ret->by_name, "name/%s/%s", peer, hex));
    TRY(cstr_printf(&ret->by_peer, "peer/%s", peer));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    TRY(check_failures(tx, ret->by_name, FAILURES_OF_NAME));
    TRY(check_failures(tx, ret->by_peer, FAILURES_OF_PEER));
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows, "SELECT id, password FROM account_user WHERE name = ?",
                    "s", name));
    int any = store_next(rows);
    TRY(any);
    if (any > 0 && !store_is_null(rows, 1)) {
        TRY(cstr_dup(&ret->user_id, store_text(rows, 0)));
        TRY(cstr_dup(&ret->hash, store_text(rows, 1)));
    }
    return 0;
}

// The check took its time, outside of a transaction: a new password since then ended all sessions,
// and this one must not outlive them.
static int check_unchanged(struct store_tx *tx, const struct claim *c)
{
    int64_t same = 0;
    TRY(store_get_i64(tx, &same,
                      "SELECT count(*) FROM account_user WHERE id = ? AND password = ?",
                      "ss", c->user_id, c->hash));
    FAIL_IF(same == 0, ERR_UNKNOWN_USER, "name or password is wrong");
    return 0;
}

int account_sign_in(struct store *store, const char *name, const char *password,
                    const char *peer, char ret_token[ACCOUNT_TOKEN_BYTES])
{
    AUTO(claim_free) struct claim c = {0};
    TRY(read_claim(store, name, peer, &c));
    int err = account_password_check(password, c.hash ? c.hash : NOBODYS_HASH);
    if (err < 0) {
        TRY(note_failure(store, c.by_name, c.by_peer));
        return err == ERR_UNKNOWN_USER
                   ? err_fail(ERR_UNKNOWN_USER, "name or password is wrong")
                   : err;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(check_unchanged(tx, &c));
    TRY(store_exec(tx, "DELETE FROM account_failure WHERE who = ?", "s", c.by_name));
    TRY(account_session_open(tx, c.user_id, ret_token));
    return store_commit(&tx);
}

// --- sessions -------------------------------------------------------------------------------

int account_session_open(struct store_tx *tx, const char *user_id,
                         char ret_token[ACCOUNT_TOKEN_BYTES])
{
    char token[ACCOUNT_TOKEN_BYTES];
    struct hash h;
    int64_t now = clock_wall_us();
    TRY(new_token(token));
    hash_token(token, &h);
    TRY(store_exec(tx, "DELETE FROM account_session WHERE used_us < ?", "i",
                   now - SESSION_LIFE_US));
    TRY(store_exec(tx,
                   "INSERT INTO account_session (token, user_id, created_us, used_us) "
                   "VALUES (?,?,?,?)",
                   "bsii", h.bytes, sizeof h.bytes, user_id, now, now));
    return str_copy(ret_token, ACCOUNT_TOKEN_BYTES, str_of(token));
}

int account_session_close(struct store_tx *tx, const char *token)
{
    struct hash h;
    hash_token(token, &h);
    return store_exec(tx, "DELETE FROM account_session WHERE token = ?", "b", h.bytes,
                      sizeof h.bytes);
}

static int copy_who(const struct store_rows *r, struct account_who *ret)
{
    struct account_who who = {0};
    TRY(str_copy(who.user_id, sizeof who.user_id, str_of(store_text(r, 0))));
    TRY(str_copy(who.name, sizeof who.name, str_of(store_text(r, 1))));
    TRY(account_role_parse(str_of(store_text(r, 2)), &who.role));
    TRY(str_copy(who.partner_id, sizeof who.partner_id, str_of(store_text(r, 3))));
    TRY(str_copy(who.profile_id, sizeof who.profile_id, str_of(store_text(r, 4))));
    TRY(str_copy(who.plan_id, sizeof who.plan_id, str_of(store_text(r, 5))));
    who.plan_max_height = (int)store_i64(r, 6);
    who.plan_streams = (int)store_i64(r, 7);
    *ret = who;
    return 0;
}

int account_session_find(struct store_tx *tx, const char *token, struct account_who *ret)
{
    struct hash h;
    hash_token(token, &h);
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(
        tx, &rows,
        "SELECT u.id, u.name, u.role, u.partner_id, coalesce(s.profile_id, (SELECT "
        "min(p.id) FROM account_profile p WHERE p.user_id = u.id)), l.id, l.max_height, "
        "l.streams FROM account_session s JOIN account_user u ON u.id = s.user_id "
        "JOIN account_plan l ON l.id = u.plan_id WHERE s.token = ? AND s.used_us > ?",
        "bi", h.bytes, sizeof h.bytes, clock_wall_us() - SESSION_LIFE_US));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_UNKNOWN_USER, "sign in first");
    return copy_who(rows, ret);
}

bool account_session_is_stale(struct store_tx *tx, const char *token)
{
    struct hash h;
    hash_token(token, &h);
    int64_t used = 0;
    return store_get_i64(tx, &used, "SELECT used_us FROM account_session WHERE token = ?",
                         "b", h.bytes, sizeof h.bytes) == 0 &&
           used < clock_wall_us() - DAY_US;
}

int account_session_touch(struct store_tx *tx, const char *token)
{
    struct hash h;
    hash_token(token, &h);
    return store_exec(tx, "UPDATE account_session SET used_us = ? WHERE token = ?", "ib",
                      clock_wall_us(), h.bytes, sizeof h.bytes);
}

int account_profile_choose(struct store_tx *tx, const char *token, const char *user_id,
                           const char *profile_id)
{
    struct hash h;
    hash_token(token, &h);
    TRY(store_exec(tx,
                   "UPDATE account_session SET profile_id = ?1 WHERE token = ?2 AND "
                   "user_id = ?3 AND EXISTS (SELECT 1 FROM account_profile WHERE id = ?1 "
                   "AND user_id = ?3)",
                   "sbs", profile_id, h.bytes, sizeof h.bytes, user_id));
    FAIL_IF(store_changes(tx) == 0, ERR_NOT_FOUND, "there is no such profile");
    return 0;
}

static int profile_of(struct store_tx *tx, const struct account_who *who, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id, name, avatar, language, maturity FROM account_profile "
                    "WHERE id = ?",
                    "s", who->profile_id));
    int any = store_next(rows);
    TRY(any);
    return any ? profile_json(rows, ret) : json_made(json_null(), ret);
}

int account_session_json(struct store_tx *tx, const struct account_who *who, json_t **ret)
{
    AUTO(json_free) json_t *profile = NULL;
    AUTO(cstr_free) char *plan_name = NULL;
    TRY(profile_of(tx, who, &profile));
    TRY(store_get_text(tx, &plan_name, "SELECT name FROM account_plan WHERE id = ?", "s",
                       who->plan_id));
    return json_made(json_pack("{s:{s:s, s:s, s:s}, s:O, s:{s:s, s:s, s:i, s:i}}", "user",
                               "id", who->user_id, "name", who->name, "role",
                               account_role_name(who->role), "profile", profile, "plan",
                               "id", who->plan_id, "name", plan_name, "max_height",
                               who->plan_max_height, "streams", who->plan_streams),
                     ret);
}

// --- links ----------------------------------------------------------------------------------

int account_link_new(struct store_tx *tx, const char *user_id, int64_t lifetime_us,
                     char ret_token[ACCOUNT_TOKEN_BYTES])
{
    char token[ACCOUNT_TOKEN_BYTES];
    struct hash h;
    int64_t there = 0;
    TRY(store_get_i64(tx, &there, "SELECT count(*) FROM account_user WHERE id = ?", "s",
                      user_id));
    FAIL_IF(!there, ERR_NOT_FOUND, "there is no such person");
    TRY(new_token(token));
    hash_token(token, &h);
    int64_t now = clock_wall_us();
    TRY(store_exec(tx, "DELETE FROM account_link WHERE until_us < ?", "i", now));
    TRY(store_exec(tx, "INSERT INTO account_link VALUES (?,?,?)", "bsi", h.bytes,
                   sizeof h.bytes, user_id, now + lifetime_us));
    return str_copy(ret_token, ACCOUNT_TOKEN_BYTES, str_of(token));
}

int account_link_use(struct store_tx *tx, const char *token, char ret_user_id[UUID_BYTES])
{
    struct hash h;
    hash_token(token, &h);
    AUTO(cstr_free) char *user = NULL;
    int err = store_get_text(tx, &user,
                             "SELECT user_id FROM account_link WHERE token = ? AND "
                             "until_us > ?",
                             "bi", h.bytes, sizeof h.bytes, clock_wall_us());
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "this link was used, or is over");
    TRY(err);
    TRY(store_exec(tx, "DELETE FROM account_link WHERE token = ?", "b", h.bytes,
                   sizeof h.bytes));
    return str_copy(ret_user_id, UUID_BYTES, str_of(user));
}

// --- keys -----------------------------------------------------------------------------------

static int read_key(struct store_tx *tx, const char *name, uint8_t ret[ACCOUNT_KEY_BYTES])
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows, "SELECT key FROM account_key WHERE name = ?", "s", name));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "no key '%s' yet", name);
    size_t len = 0;
    const void *bytes = store_bytes(rows, 0, &len);
    FAIL_IF(len != ACCOUNT_KEY_BYTES, ERR_CORRUPT, "the key '%s' has %zu bytes", name,
            len);
    memcpy(ret, bytes, ACCOUNT_KEY_BYTES);
    return 0;
}

int account_key(struct store *store, const char *name, uint8_t ret[ACCOUNT_KEY_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    int err = read_key(tx, name, ret);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    uint8_t key[ACCOUNT_KEY_BYTES];
    TRY(random_bytes(key, sizeof key));
    TRY(store_exec(tx, "INSERT INTO account_key VALUES (?,?)", "sb", name, key,
                   sizeof key));
    TRY(store_commit(&tx));
    memcpy(ret, key, sizeof key);
    return 0;
}
