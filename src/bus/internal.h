// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BUS_INTERNAL_H
#define BUS_INTERNAL_H

#include "bus/bus.h"

// The end (exclusive) of the range of texts that begin with `prefix`, in bytewise order.
int bus_prefix_end(const char *prefix, char **ret);

#endif
