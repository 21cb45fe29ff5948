// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACCOUNT_INTERNAL_H
#define ACCOUNT_INTERNAL_H

#include "account/account.h"

#define NAME_MAX_BYTES 64
int name_check(const char *what,
               const char *name); // ERR_INVALID says what is wrong with it

// {"id","name","avatar","language","maturity"} of columns 0..4.
int profile_json(const struct store_rows *, json_t **ret);

#endif
