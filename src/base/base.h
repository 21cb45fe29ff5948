// SPDX-License-Identifier: GPL-3.0-or-later
//
// Everything of the ground floor, in one include.
#ifndef BASE_BASE_H
#define BASE_BASE_H

// IWYU pragma: begin_exports
#include "base/arena.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/finding.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/pool.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/yaml.h"
#include "base/zone.h"
// IWYU pragma: end_exports

#endif
