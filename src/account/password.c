// SPDX-License-Identifier: GPL-3.0-or-later
//
// scrypt (RFC 7914) with N = 2^14, r = 8, p = 1: 16 MiB and some 50 ms. The parameters stand in the
// text, so that they can grow without asking anybody for a new password.
#include "account/account.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define LOG_N        14
#define BLOCK        8
#define PARALLEL     1
#define SALT_BYTES   16
#define KEY_BYTES    32
#define PASSWORD_MAX 1024

static int derive(const char *password, const struct str salt, int log_n, int r, int p,
                  uint8_t ret[KEY_BYTES])
{
    size_t len = strlen(password);
    FAIL_IF(len > PASSWORD_MAX, ERR_LIMIT, "a password over %d bytes", PASSWORD_MAX);
    FAIL_IF(EVP_PBE_scrypt(password, len, (const unsigned char *)salt.data, salt.len,
                           1ull << log_n, (uint64_t)r, (uint64_t)p, 64ull << 20, ret,
                           KEY_BYTES) != 1,
            ERR_NOMEM, "scrypt failed");
    return 0;
}

int account_password_hash(const char *password, char ret[ACCOUNT_PASSWORD_HASH_BYTES])
{
    FAIL_IF(strlen(password) < ACCOUNT_PASSWORD_MIN, ERR_INVALID,
            "a password has at least %d characters", ACCOUNT_PASSWORD_MIN);
    char salt[SALT_BYTES];
    uint8_t key[KEY_BYTES];
    TRY(random_bytes(salt, sizeof salt));
    TRY(derive(password, (struct str){salt, sizeof salt}, LOG_N, BLOCK, PARALLEL, key));
    AUTO(buf_free) struct buf text = {0};
    buf_printf(&text, "scrypt$%d$%d$%d$", LOG_N, BLOCK, PARALLEL);
    base64url_encode(&text, salt, sizeof salt);
    buf_char(&text, '$');
    base64url_encode(&text, key, sizeof key);
    TRY(text.err);
    return str_copy(ret, ACCOUNT_PASSWORD_HASH_BYTES, buf_view(&text));
}

struct parts {
    int64_t log_n, r, p;
    struct buf salt, key;
};

static void parts_free(struct parts *parts)
{
    buf_free(&parts->salt);
    buf_free(&parts->key);
}

static int read_parts(const char *hash, struct parts *ret)
{
    struct str part[6], rest = str_of(hash);
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        FAIL_IF(!str_next(&rest, '$', &part[i]), ERR_CORRUPT,
                "a password's hash is short");
    }
    FAIL_IF(rest.data || !str_eq_c(part[0], "scrypt"), ERR_CORRUPT,
            "a password's hash of another kind");
    TRY(str_to_i64(part[1], 1, 15, &ret->log_n));
    TRY(str_to_i64(part[2], 1, 16, &ret->r));
    TRY(str_to_i64(part[3], 1, 4, &ret->p));
    TRY(base64url_decode(&ret->salt, part[4]));
    TRY(base64url_decode(&ret->key, part[5]));
    FAIL_IF(ret->key.len != KEY_BYTES, ERR_CORRUPT, "a password's hash of another size");
    return 0;
}

int account_password_check(const char *password, const char *hash)
{
    AUTO(parts_free) struct parts parts = {0};
    TRY(read_parts(hash, &parts));
    uint8_t key[KEY_BYTES];
    TRY(derive(password, buf_view(&parts.salt), (int)parts.log_n, (int)parts.r,
               (int)parts.p, key));
    FAIL_IF(!hash_eq_secret(key, parts.key.data, KEY_BYTES), ERR_UNKNOWN_USER,
            "name or password is wrong");
    return 0;
}
