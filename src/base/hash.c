// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/hash.h"
#include "base/clock.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hasher {
    EVP_MD_CTX *ctx;
};

static void hasher_start(struct hasher *h)
{
    ASSERT(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) == 1);
}

int hasher_new(struct hasher **ret)
{
    AUTO(hasher_free) struct hasher *h = calloc(1, sizeof *h);
    FAIL_IF(!h || !(h->ctx = EVP_MD_CTX_new()), ERR_NOMEM, "a hasher");
    hasher_start(h);
    *ret = TAKE(h);
    return 0;
}

void hasher_free(struct hasher **h)
{
    if (*h) {
        EVP_MD_CTX_free((*h)->ctx);
        free(*h);
        *h = NULL;
    }
}

void hasher_add(struct hasher *h, const void *bytes, size_t len)
{
    ASSERT(EVP_DigestUpdate(h->ctx, bytes, len) == 1);
}

void hasher_finish(struct hasher *h, struct hash *ret)
{
    ASSERT(EVP_DigestFinal_ex(h->ctx, ret->bytes, NULL) == 1);
    hasher_start(h);
}

void hash_of(const void *bytes, size_t len, struct hash *ret)
{
    ASSERT(EVP_Digest(bytes, len, ret->bytes, NULL, EVP_sha256(), NULL) == 1);
}

bool hash_eq(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_BYTES) == 0;
}

void hash_hex(const struct hash *h, char ret[HASH_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        ret[2 * i] = digits[h->bytes[i] >> 4];
        ret[2 * i + 1] = digits[h->bytes[i] & 15];
    }
    ret[2 * HASH_BYTES] = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hash_parse(struct str hex, struct hash *ret)
{
    FAIL_IF(hex.len != 2 * HASH_BYTES, ERR_INVALID, "a hash has %d digits",
            2 * HASH_BYTES);
    struct hash h;
    for (size_t i = 0; i < HASH_BYTES; i++) {
        int hi = hex_digit(hex.data[2 * i]);
        int lo = hex_digit(hex.data[2 * i + 1]);
        FAIL_IF(hi < 0 || lo < 0, ERR_INVALID, "a hash is written in 0-9 and a-f");
        h.bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    *ret = h;
    return 0;
}

void hash_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
               struct hash *ret)
{
    ASSERT(key_len <= INT32_MAX);
    ASSERT(HMAC(EVP_sha256(), key, (int)key_len, bytes, len, ret->bytes, NULL));
}

bool hash_eq_secret(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

int random_bytes(void *ret, size_t len)
{
    FAIL_IF(len > INT32_MAX || RAND_bytes(ret, (int)len) != 1, ERR_INTERNAL,
            "the system gave no random bytes");
    return 0;
}

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct buf *out, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = MIN(len - i, (size_t)3);
        uint32_t v = (uint32_t)p[i] << 16;
        v |= n > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)p[i + 2] : 0;
        for (size_t k = 0; k <= n; k++) {
            buf_char(out, alphabet[v >> (18 - 6 * k) & 63]);
        }
    }
}

int base64url_decode(struct buf *out, struct str text)
{
    uint32_t v = 0;
    unsigned bits = 0;
    FAIL_IF(text.len % 4 == 1, ERR_INVALID, "not base64url");
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.data[i] ? strchr(alphabet, text.data[i]) : NULL;
        FAIL_IF(!at, ERR_INVALID, "not base64url");
        v = v << 6 | (uint32_t)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_char(out, (char)(v >> bits & 255));
        }
    }
    // Bits that no encoder sets would give one text two spellings.
    FAIL_IF((v & ((1u << bits) - 1)) != 0, ERR_INVALID, "not base64url");
    return out->err;
}

void uuid_v7(char ret[UUID_BYTES])
{
    uint8_t b[16];
    ASSERT(random_bytes(b, sizeof b) == 0);
    uint64_t ms = (uint64_t)(clock_wall_us() / 1000);
    for (int i = 0; i < 6; i++) {
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x70);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    snprintf(ret, UUID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
}

bool uuid_is_valid(struct str text)
{
    if (text.len != UUID_BYTES - 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.data[i] != '-' : hex_digit(text.data[i]) < 0) {
            return false;
        }
    }
    return true;
}
