// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: what its files about acting share.
#ifndef INSIGHT_INTERNAL_H
#define INSIGHT_INTERNAL_H

#include "bus/bus.h"
#include "insight/insight.h"

#endif
