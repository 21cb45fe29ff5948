// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/token.h"
#include "base/str.h"

#include <string.h>

void token_hash(const char *text, char ret[HASH_HEX_BYTES])
{
    struct hash hash;
    hash_of(text, strlen(text), &hash);
    hash_hex(&hash, ret);
}

int token_make(const char *mark, struct token *ret)
{
    uint8_t secret[32];
    struct token made;
    AUTO(buf_free) struct buf text = {0};
    TRY(random_bytes(secret, sizeof secret));
    buf_cstr(&text, mark);
    base64url_encode(&text, secret, sizeof secret);
    TRY(text.err);
    TRY(str_copy(made.text, sizeof made.text, buf_view(&text)));
    token_hash(made.text, made.hash);
    *ret = made;
    return 0;
}
