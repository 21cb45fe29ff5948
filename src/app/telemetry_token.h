// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tokens by which other machines may send series and nothing else. Kept as hashes; a token is shown once.
#ifndef APP_TELEMETRY_TOKEN_H
#define APP_TELEMETRY_TOKEN_H

#include "store/store.h"

#define TELEMETRY_TOKEN_MARK  "mts_" // so that no session is looked up by it
#define TELEMETRY_TOKEN_BYTES 48

// ERR_EXISTS: the name; ERR_INVALID: it is none (1..64 bytes of a line).
int telemetry_token_add(struct store_tx *, const char *name,
                        char ret_token[TELEMETRY_TOKEN_BYTES]);
// ERR_NOT_FOUND. Counts from the next request on.
int telemetry_token_remove(struct store_tx *, const char *name);
// Array of {"name","created"}.
int telemetry_token_list(struct store_tx *, json_t **ret);
// Whose token it is, as *ret_name (owned). ERR_UNKNOWN_USER.
int telemetry_token_find(struct store_tx *, const char *token, char **ret_name);

#endif
