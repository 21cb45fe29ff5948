// SPDX-License-Identifier: GPL-3.0-or-later
//
// armytage: Green-Armytage, "A Colour Alphabet and the Limits of Colour Coding" (2010), without the two
// that are lost on white. dark24, light24: the Polychrome alphabets (Coombes et al. 2019). The rest are
// shades of one hue, dark to light, that begin anew when they are used up.
#include "telemetry/palette.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const uint32_t armytage[] = {
    0x0075dc, 0xff0010, 0x2bce48, 0xf0a3ff, 0x993f00, 0x4c005c, 0x191919, 0x005c31,
    0xffa405, 0xffcc99, 0x808080, 0x94ffb5, 0x8f7c00, 0x9dcc00, 0xc20088, 0x003380,
    0xffa8bb, 0x426600, 0x5ef1f2, 0x00998f, 0xe0ff66, 0x740aff, 0x990000, 0xff5005};
static const uint32_t dark24[] = {
    0x2e91e5, 0xe15f99, 0x1ca71c, 0xfb0d0d, 0xda16ff, 0x222a2a, 0xb68100, 0x750d86,
    0xeb663b, 0x511cfb, 0x00a08b, 0xfb00d1, 0xfc0080, 0xb2828d, 0x6c7c32, 0x778aae,
    0x862a16, 0xa777f1, 0x620042, 0x1616a7, 0xda60ca, 0x6c4516, 0x0d2a63, 0xaf0038};
static const uint32_t light24[] = {
    0xfd3216, 0x00fe35, 0x6a76fc, 0xfed4c4, 0xfe00ce, 0x0df9ff, 0xf6f926, 0xff9616,
    0x479b55, 0xeea6fb, 0xdc587d, 0xd626ff, 0x6e899c, 0x00b5f7, 0xb68e00, 0xc9fbe5,
    0xff0092, 0x22ffa7, 0xe3ee9e, 0x86ce00, 0xbc7196, 0x7e7dcd, 0xfc6955, 0xe48f72};
static const uint32_t epic[] = {0xff0000, 0x00c000, 0x0000ff, 0xa00000, 0x006000,
                                0x000080, 0xff8080, 0x80e080, 0x8080ff};
static const uint32_t blues[] = {0x08306b, 0x08519c, 0x2171b5,
                                 0x4292c6, 0x6baed6, 0x9ecae1};
static const uint32_t greens[] = {0x00441b, 0x006d2c, 0x238b45,
                                  0x41ab5d, 0x74c476, 0xa1d99b};
static const uint32_t greys[] = {0x1a1a1a, 0x404040, 0x636363,
                                 0x858585, 0xa6a6a6, 0xc4c4c4};
static const uint32_t oranges[] = {0x7f2704, 0xa63603, 0xd94801,
                                   0xf16913, 0xfd8d3c, 0xfdae6b};
static const uint32_t purples[] = {0x3f007d, 0x54278f, 0x6a51a3,
                                   0x807dba, 0x9e9ac8, 0xbcbddc};
static const uint32_t reds[] = {0x67000d, 0xa50f15, 0xcb181d,
                                0xef3b2c, 0xfb6a4a, 0xfc9272};
static const uint32_t black[] = {0x000000};

static const struct shades {
    const char *name;
    const uint32_t *colors;
    size_t count;
} palettes[] = {
    {"armytage", armytage, ARRAY_LEN(armytage)},
    {"dark24", dark24, ARRAY_LEN(dark24)},
    {"light24", light24, ARRAY_LEN(light24)},
    {"epic", epic, ARRAY_LEN(epic)},
    {"blues", blues, ARRAY_LEN(blues)},
    {"greens", greens, ARRAY_LEN(greens)},
    {"greys", greys, ARRAY_LEN(greys)},
    {"oranges", oranges, ARRAY_LEN(oranges)},
    {"purples", purples, ARRAY_LEN(purples)},
    {"reds", reds, ARRAY_LEN(reds)},
    {"bw", black, ARRAY_LEN(black)},
    {"offset", dark24, ARRAY_LEN(dark24)},
    {"default", armytage, ARRAY_LEN(armytage)},
};

int palette_parse_color(struct str text, uint32_t *ret)
{
    uint32_t v = 0;
    bool hex = text.len == 3 || text.len == 6 || text.len == 8;
    for (size_t i = 0; hex && i < text.len; i++) {
        int c = tolower((unsigned char)text.data[i]);
        hex = isxdigit(c) != 0;
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    FAIL_IF(!hex, ERR_INVALID, "'" STR_FMT "' is no colour: rgb, rrggbb or aarrggbb",
            (int)MIN(text.len, 20), text.data);
    if (text.len == 3) {
        v = (v >> 8 & 0xf) * 0x110000 + (v >> 4 & 0xf) * 0x1100 + (v & 0xf) * 0x11;
    }
    *ret = text.len == 8 ? v : v | 0xff000000u;
    return 0;
}

static const struct shades *find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(palettes); i++) {
        if (str_eq_c(name, palettes[i].name)) {
            return &palettes[i];
        }
    }
    return NULL;
}

// The list of colours inside "colors:a,b" and "(,a,b,)".
static bool own_colors(struct str name, struct str *ret)
{
    if (str_starts(name, "colors:")) {
        *ret = (struct str){name.data + 7, name.len - 7};
    } else if (str_starts(name, "(,") && str_ends(name, ",)") && name.len > 4) {
        *ret = (struct str){name.data + 2, name.len - 4};
    } else {
        return false;
    }
    return true;
}

static struct str without_hash(const char *name, bool *ret_hashes)
{
    struct str s = str_of(name);
    *ret_hashes = str_starts(s, "hash:");
    return *ret_hashes ? (struct str){s.data + 5, s.len - 5} : s;
}

int palette_check(const char *name)
{
    bool hashes;
    struct str s = without_hash(name, &hashes), list, one;
    uint32_t color;
    if (!own_colors(s, &list)) {
        FAIL_IF(!find(s), ERR_INVALID, "no palette is named '%.40s'", name);
        return 0;
    }
    while (str_next(&list, ',', &one)) {
        TRY(palette_parse_color(one, &color));
    }
    return 0;
}

// FNV-1a, so that a label has its colour whatever the machine.
static size_t label_hash(struct str label)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < label.len; i++) {
        h = (h ^ (uint8_t)label.data[i]) * 16777619u;
    }
    return h;
}

uint32_t palette_color(const char *name, size_t index, struct str label)
{
    bool hashes;
    struct str s = without_hash(name, &hashes), list, one;
    size_t at = hashes ? label_hash(label) : index, count = 0;
    if (!own_colors(s, &list)) {
        const struct shades *p = find(s);
        ASSERT(p);
        return p->colors[at % p->count] | 0xff000000u;
    }
    for (struct str rest = list; str_next(&rest, ',', &one);) {
        count++;
    }
    uint32_t color = 0xff000000u;
    at %= count;
    for (struct str rest = list; str_next(&rest, ',', &one) && at-- > 0;) {
    }
    return palette_parse_color(one, &color) < 0 ? 0xff000000u : color;
}

// --- colour vision ------------------------------------------------------------------------------

// Rows of red, green, blue in linear light: Machado, Oliveira and Fernandes, "A Physiologically-based
// Model for Simulation of Color Vision Deficiency" (2009), severity 1 and 0.6.
static const struct vision {
    const char *name;
    double m[9];
} visions[] = {
    {"protanopia",
     {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116,
      1.051998}},
    {"protanomaly",
     {0.385450, 0.769005, -0.154455, 0.100526, 0.829802, 0.069673, -0.007442, -0.022190,
      1.029632}},
    {"deuteranopia",
     {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940,
      0.968881}},
    {"deuteranomaly",
     {0.498864, 0.674741, -0.173604, 0.205199, 0.754872, 0.039929, -0.011131, 0.030969,
      0.980162}},
    {"tritanopia",
     {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367,
      0.303900}},
    {"tritanomaly",
     {1.104996, -0.046633, -0.058363, -0.032137, 0.971635, 0.060503, 0.001336, 0.317922,
      0.680742}},
    {"achromatopsia",
     {0.2126, 0.7152, 0.0722, 0.2126, 0.7152, 0.0722, 0.2126, 0.7152, 0.0722}},
    {"achromatomaly",
     {0.52756, 0.42912, 0.04332, 0.12756, 0.82912, 0.04332, 0.12756, 0.42912, 0.44332}},
};

static double to_linear(uint32_t byte)
{
    double v = byte / 255.0;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static uint32_t from_linear(double v)
{
    v = CLAMP(v, 0.0, 1.0);
    v = v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (uint32_t)lround(v * 255);
}

uint32_t palette_as_seen(const char *vision, uint32_t color)
{
    for (size_t i = 0; i < ARRAY_LEN(visions); i++) {
        if (strcmp(visions[i].name, vision) != 0) {
            continue;
        }
        const double *m = visions[i].m;
        double r = to_linear(color >> 16 & 0xff), g = to_linear(color >> 8 & 0xff),
               b = to_linear(color & 0xff);
        return (color & 0xff000000u) | from_linear(m[0] * r + m[1] * g + m[2] * b) << 16 |
               from_linear(m[3] * r + m[4] * g + m[5] * b) << 8 |
               from_linear(m[6] * r + m[7] * g + m[8] * b);
    }
    return color;
}
