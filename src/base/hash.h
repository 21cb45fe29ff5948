// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHA-256 (FIPS 180-4), the name of every blob, and what is built on it.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

#define HASH_BYTES     32
#define HASH_HEX_BYTES 65 // with terminator

struct hash {
    uint8_t bytes[HASH_BYTES];
};

struct hasher;

int hasher_new(struct hasher **ret);
void hasher_free(struct hasher **);
void hasher_add(struct hasher *, const void *bytes, size_t len);
void hasher_finish(struct hasher *, struct hash *ret); // ready for a new text afterwards

void hash_of(const void *bytes, size_t len, struct hash *ret);
bool hash_eq(const struct hash *, const struct hash *);
void hash_hex(const struct hash *, char ret[HASH_HEX_BYTES]);
int hash_parse(struct str hex, struct hash *ret);

// HMAC-SHA-256 (RFC 2104).
void hash_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
               struct hash *ret);
// Equality whose time does not depend on where the inputs differ.
bool hash_eq_secret(const void *a, const void *b, size_t len);

int random_bytes(void *ret, size_t len);

// Base64url without padding (RFC 4648 section 5).
void base64url_encode(struct buf *out, const void *bytes, size_t len);
int base64url_decode(struct buf *out, struct str text);

// A UUID version 7 (RFC 9562 section 5.7) as text: sorts by time of making.
#define UUID_BYTES 37
void uuid_v7(char ret[UUID_BYTES]);
bool uuid_is_valid(struct str text);

#endif
