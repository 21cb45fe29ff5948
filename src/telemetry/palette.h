// SPDX-License-Identifier: GPL-3.0-or-later
//
// Colours of lines, by the names that Atlas knows.
// https://netflix.github.io/atlas-docs/api/graph/color-palettes/
#ifndef TELEMETRY_PALETTE_H
#define TELEMETRY_PALETTE_H

#include "base/base.h"

// "armytage", "dark24", "light24", "epic", "blues", "greens", "greys", "oranges", "purples", "reds", "bw",
// "offset", "colors:f00,00ff00", "(,f00,0f0,)", and each with "hash:" before it: the colour then follows
// the label, not the place. ERR_INVALID for another.
int palette_check(const char *name);
// Opaque, 0xAARRGGBB, of the `index`-th line, or of `label` where the palette hashes. `name` is good.
uint32_t palette_color(const char *name, size_t index, struct str label);
// "f00", "ff0000", "80ff0000"; ERR_INVALID.
int palette_parse_color(struct str text, uint32_t *ret);
// How somebody with that vision sees it: "normal", "protanopia", "deuteranopia", "tritanopia",
// "achromatopsia", and their milder forms "…anomaly", "achromatomaly"; others as normal.
uint32_t palette_as_seen(const char *vision, uint32_t color);

#endif
