// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who is there: people and their roles, sessions, profiles, plans, partners. Secrets are kept as
// hashes only: passwords by scrypt (RFC 7914), tokens by SHA-256 of 256 random bits.
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "bus/bus.h"
#include "store/store.h"

extern const struct store_migration account_migrations[];
extern const size_t account_migration_count;

//  name       text        what they do
#define ACCOUNT_ROLE_LIST(X)                 \
    X(VIEWER, "viewer")     /* watches */    \
    X(OPERATOR, "operator") /* runs it */    \
    X(ADMIN, "admin")       /* and people */ \
    X(PARTNER, "partner")   /* delivers */   \
    X(AGENT, "agent")       /* a program */

enum account_role_index {
#define X(name, text) ACCOUNT_ROLE_INDEX_##name,
    ACCOUNT_ROLE_LIST(X)
#undef X
        ACCOUNT_ROLE_COUNT
};

// Bits, so that a route can name several.
enum account_role {
#define X(name, text) ACCOUNT_##name = 1 << ACCOUNT_ROLE_INDEX_##name,
    ACCOUNT_ROLE_LIST(X)
#undef X
};

const char *account_role_name(enum account_role);
int account_role_parse(struct str text, enum account_role *ret); // ERR_INVALID lists them

// --- passwords ------------------------------------------------------------------------------

#define ACCOUNT_PASSWORD_MIN        8 // bytes
#define ACCOUNT_PASSWORD_HASH_BYTES 128

// Takes some 50 ms and 16 MiB on purpose: call it outside transactions. The text names its
// parameters: "scrypt$14$8$1$<salt>$<hash>". ERR_INVALID: too short; ERR_LIMIT: over 1,024 bytes.
int account_password_hash(const char *password, char ret[ACCOUNT_PASSWORD_HASH_BYTES]);
// ERR_UNKNOWN_USER when it does not fit, ERR_CORRUPT when `hash` is none.
int account_password_check(const char *password, const char *hash);

// --- people ---------------------------------------------------------------------------------

struct account_user_spec {
    const char *name; // 1..64 bytes of UTF-8, unique whatever the case of ASCII letters
    enum account_role role;
    const char *password_hash; // of account_password_hash; NULL: by link only
    const char *partner_id;    // of role partner, required there; NULL
    const char *plan;          // id of a plan; NULL: "premium"
};
// Makes a first profile with the user's name as well. ERR_EXISTS: the name; ERR_NOT_FOUND: the plan.
int account_user_add(struct store_tx *, const struct account_user_spec *,
                     char ret_id[UUID_BYTES]);
// Ends the person's sessions and links. `hash` of account_password_hash. ERR_NOT_FOUND.
int account_user_set_password(struct store_tx *, const char *user_id, const char *hash);
// ERR_NOT_FOUND. A name fits whatever the case of its ASCII letters.
int account_user_find(struct store_tx *, const char *name, char ret_id[UUID_BYTES]);

struct account_user_change {
    enum account_role role;    // 0: as it is
    const char *plan;          // id; NULL: as it is
    const char *partner_id;    // of role partner alone; NULL: as it is
    const char *password_hash; // NULL: as it is
};
// Another role, partner or password ends the person's sessions and links; another plan holds from
// the next request on. ERR_NOT_FOUND: the person or the plan; ERR_INVALID: a partner where the role has
// none, or none where it has; ERR_CONFLICT: nobody else is an administrator. Event
// user.edited.v1 about "user/<id>": {"role","plan","partner"}.
int account_user_edit(struct store_tx *, const char *user_id,
                      const struct account_user_change *, const char *actor);
// With sessions, links and profiles; what profiles kept is viewing's (viewing_forget, before).
// Errors as above. Event user.removed.v1: {"name","role"}.
int account_user_remove(struct store_tx *, const char *user_id, const char *actor);
// Array of {"id","name","role","partner","plan","created"}.
int account_users(struct store_tx *, json_t **ret);
// Where a member "actor" or "<x>_by" of `of`, or of what it holds, says "user/<id>": a member "<key>_name" with
// the person's name beside it. Who was removed since has none.
int account_people_name(struct store_tx *, json_t *of);
// Array of {"id","name","max_height","streams"}; max_height 0: any.
int account_plans(struct store_tx *, json_t **ret);

// --- partners -------------------------------------------------------------------------------

// The address goes into mails' heads: ERR_INVALID where one could end there. ERR_EXISTS: the name.
int account_partner_add(struct store_tx *, const char *name, const char *email,
                        char ret_id[UUID_BYTES]);
// {"id","name","email"} by id or by name. ERR_NOT_FOUND.
int account_partner(struct store_tx *, const char *id_or_name, json_t **ret);
int account_partners(struct store_tx *, json_t **ret); // array of the same

// --- sessions -------------------------------------------------------------------------------

struct account_who {
    char user_id[UUID_BYTES];
    char name[65];
    enum account_role role;
    char partner_id[UUID_BYTES]; // "" where not a partner's
    char profile_id[UUID_BYTES]; // the chosen one, else the first
    char plan_id[32];
    int plan_max_height; // 0: any
    int plan_streams;
};

#define ACCOUNT_TOKEN_BYTES 44 // base64url of 32 bytes, with terminator

// By name and password. ERR_UNKNOWN_USER whichever of both is wrong, in equal time;
// ERR_THROTTLED after too many failures for this name from this peer, or from the peer.
int account_sign_in(struct store *, const char *name, const char *password,
                    const char *peer, char ret_token[ACCOUNT_TOKEN_BYTES]);
// Without a password: for links, commands and tests.
int account_session_open(struct store_tx *, const char *user_id,
                         char ret_token[ACCOUNT_TOKEN_BYTES]);
int account_session_close(struct store_tx *, const char *token);
// ERR_UNKNOWN_USER for a token that is unknown or over. Reads only.
int account_session_find(struct store_tx *, const char *token, struct account_who *ret);
// Sessions end 30 days after their last use; moved at most once a day, so that reading stays
// reading. True when it is time to call account_session_touch.
bool account_session_is_stale(struct store_tx *, const char *token);
int account_session_touch(struct store_tx *, const char *token);
// {"user":{"id","name","role"},"profile":{…}|null,"plan":{…}}
int account_session_json(struct store_tx *, const struct account_who *, json_t **ret);

#define ACCOUNT_LINK_LIFE_US INT64_C(604800000000) // 7 days: what people are given
// A link signs in once. `lifetime_us` from now. ERR_NOT_FOUND: nobody has this id.
int account_link_new(struct store_tx *, const char *user_id, int64_t lifetime_us,
                     char ret_token[ACCOUNT_TOKEN_BYTES]);
// Uses it up. ERR_NOT_FOUND when it is unknown, used or over.
int account_link_use(struct store_tx *, const char *token, char ret_user_id[UUID_BYTES]);

// --- profiles -------------------------------------------------------------------------------

#define ACCOUNT_PROFILES_MAX 8

// Array of {"id","name","avatar","language","maturity"}; maturity is an age (0..18) up to which
// titles are shown, 18 shows all.
int account_profiles(struct store_tx *, const char *user_id, json_t **ret);
// Members of `fields` as above, without id; name is required for a new one. ERR_INVALID names what is
// wrong; ERR_CONFLICT: there are ACCOUNT_PROFILES_MAX. *ret is as above, owned.
int account_profile_add(struct store_tx *, const char *user_id, const json_t *fields,
                        json_t **ret);
int account_profile_edit(struct store_tx *, const char *user_id, const char *profile_id,
                         const json_t *fields, json_t **ret);
// ERR_CONFLICT for the last one.
int account_profile_remove(struct store_tx *, const char *user_id,
                           const char *profile_id);
// Of this session. ERR_NOT_FOUND when it is not the user's.
int account_profile_choose(struct store_tx *, const char *token, const char *user_id,
                           const char *profile_id);

// --- keys -----------------------------------------------------------------------------------

#define ACCOUNT_KEY_BYTES 32
// A random key of this data folder by name, made at its first use.
int account_key(struct store *, const char *name, uint8_t ret[ACCOUNT_KEY_BYTES]);

#endif
