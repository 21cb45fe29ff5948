// SPDX-License-Identifier: GPL-3.0-or-later
//
// Secrets that programs show to be let in. A token is shown once; what is kept is its hash.
#ifndef BASE_TOKEN_H
#define BASE_TOKEN_H

#include "base/hash.h"

#define TOKEN_BYTES 48 // with a mark of at most four letters, and the end

struct token {
    char text[TOKEN_BYTES];
    char hash[HASH_HEX_BYTES];
};
// 256 random bits behind `mark`, which says what the token is for.
int token_make(const char *mark, struct token *ret);
void token_hash(const char *text, char ret[HASH_HEX_BYTES]);

#endif
