// SPDX-License-Identifier: GPL-3.0-or-later
//
// Telemetry: series that come in over foreign and own wires, are stored, and are asked for in the
// languages that people know. It decides nothing: insight does.
#ifndef TELEMETRY_TELEMETRY_H
#define TELEMETRY_TELEMETRY_H

// IWYU pragma: begin_exports
#include "telemetry/query.h"
#include "telemetry/series.h"
#include "telemetry/wire.h"
// IWYU pragma: end_exports

#endif
