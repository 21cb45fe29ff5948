// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BUS_INTERNAL_H
#define BUS_INTERNAL_H

#include "bus/bus.h"

// The end (exclusive) of the range of texts that begin with `prefix`, in bytewise order.
int bus_prefix_end(const char *prefix, char **ret);

// --- messages (mail.c) ----------------------------------------------------------------------

struct mail_message {
    int64_t id;
    int64_t created_us;
    const char *from; // addresses that mail_address_is_safe
    const char *to;
    const char *subject; // UTF-8, one line
    const char *text;    // UTF-8
};
int mail_write(const struct mail_message *, struct buf *out);
// Something@something, without what a header or a command could end at.
bool mail_address_is_safe(const char *address);
void mail_write_subject(struct buf *out, struct str text);
void mail_write_body(struct buf *out, struct str text);

#endif
