// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/ticks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// --- texts --------------------------------------------------------------------------------------

struct unit {
    double size;
    const char *name;
};
static const struct unit decimal_units[] = {
    {1e24, "Y"},  {1e21, "Z"},  {1e18, "E"},  {1e15, "P"},  {1e12, "T"},      {1e9, "G"},
    {1e6, "M"},   {1e3, "k"},   {1, ""},      {1e-3, "m"},  {1e-6, "\u03bc"}, {1e-9, "n"},
    {1e-12, "p"}, {1e-15, "f"}, {1e-18, "a"}, {1e-21, "z"}, {1e-24, "y"}};
static const struct unit binary_units[] = {{0x1p80, "Yi"}, {0x1p70, "Zi"}, {0x1p60, "Ei"},
                                           {0x1p50, "Pi"}, {0x1p40, "Ti"}, {0x1p30, "Gi"},
                                           {0x1p20, "Mi"}, {0x1p10, "Ki"}, {1, ""}};
static const struct unit duration_units[] = {
    {31536000, "y"}, {604800, "w"}, {86400, "d"},      {3600, "h"}, {60, "min"},
    {1, "s"},        {1e-3, "ms"},  {1e-6, "\u03bcs"}, {1e-9, "ns"}};

static const struct unit *unit_of(double value, enum graph_ticks ticks)
{
    const struct unit *units = decimal_units;
    size_t count = ARRAY_LEN(decimal_units);
    if (ticks == GRAPH_TICKS_BINARY) {
        units = binary_units;
        count = ARRAY_LEN(binary_units);
    } else if (ticks == GRAPH_TICKS_DURATION) {
        units = duration_units;
        count = ARRAY_LEN(duration_units);
    }
    for (size_t i = 0; i < count; i++) {
        if (fabs(value) >= units[i].size * (1 - 1e-9)) {
            return &units[i];
        }
    }
    return &units[count - 1];
}

void ticks_text(double value, enum graph_ticks ticks, char ret[TICKS_TEXT_BYTES])
{
    if (!isfinite(value)) {
        snprintf(ret, TICKS_TEXT_BYTES, "%s",
                 isnan(value) ? "NaN"
                 : value > 0  ? "Inf"
                              : "-Inf");
    } else if (value == 0) {
        snprintf(ret, TICKS_TEXT_BYTES, "0.000");
    } else {
        const struct unit *u = unit_of(value, ticks);
        double shown = value / u->size;
        snprintf(ret, TICKS_TEXT_BYTES, fabs(shown) < 1e5 ? "%.3f%s" : "%.2e%s", shown,
                 u->name);
    }
}

// As few digits as tell neighbours apart: those of the step, in the unit of the largest.
static void label_tick(struct tick *t, double step, double largest,
                       enum graph_ticks ticks)
{
    if (ticks == GRAPH_TICKS_OFF) {
        t->text[0] = '\0';
        return;
    }
    const struct unit *u = unit_of(largest, ticks);
    double of_step = step / u->size;
    int digits = of_step >= 1 ? 0 : (int)CLAMP(ceil(-log10(of_step) - 1e-9), 0, 9);
    double shown = t->at / u->size;
    // A step of 2.5 has one digit behind the point, too.
    digits += digits < 9 &&
              fabs(of_step * pow(10, digits) - rint(of_step * pow(10, digits))) > 1e-6;
    bool is_zero = fabs(shown) < of_step * 1e-6;
    snprintf(t->text, sizeof t->text, "%.*f%s", digits, is_zero ? 0.0 : shown,
             is_zero ? "" : u->name);
}

// --- values -------------------------------------------------------------------------------------

static double power_place(double v, double p)
{
    return v < 0 ? -pow(-v, p) : pow(v, p);
}

static double log_place(double v)
{
    return v < 0 ? -log10(1 - v) : log10(1 + v);
}

// Linear within each decade, so that grid lines of a decade are evenly apart.
static double log_linear_place(double v)
{
    double a = fabs(v);
    if (a < 1e-9) {
        return 0;
    }
    double decade = floor(log10(a) + 1e-12);
    double place = decade + 10 + (a / pow(10, decade) - 1) / 9;
    return v < 0 ? -place : place;
}

static double scaled(double v, enum graph_scale scale)
{
    switch (scale) {
    case GRAPH_LINEAR:
        return v;
    case GRAPH_LOG:
        return log_place(v);
    case GRAPH_LOG_LINEAR:
        return log_linear_place(v);
    case GRAPH_POWER_2:
        return power_place(v, 2);
    case GRAPH_SQRT:
        return power_place(v, 0.5);
    }
    ASSERT(!"a scale");
}

double ticks_place(double value, double low, double high, enum graph_scale scale)
{
    double a = scaled(low, scale), b = scaled(high, scale);
    return (scaled(value, scale) - a) / (b - a);
}

static double round_step(double raw, enum graph_ticks ticks)
{
    static const double seconds[] = {
        1,    2,    5,    10,    15,    30,    60,    120,    300,    600,     900,
        1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000};
    if (ticks == GRAPH_TICKS_BINARY && raw >= 1) {
        return exp2(ceil(log2(raw) - 1e-9));
    }
    if (ticks == GRAPH_TICKS_DURATION && raw > 1) {
        for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
            if (seconds[i] >= raw) {
                return seconds[i];
            }
        }
    }
    double power = pow(10, floor(log10(raw))), m = raw / power;
    return power * (m <= 1 + 1e-9 ? 1 : m <= 2 + 1e-9 ? 2 : m <= 5 + 1e-9 ? 5 : 10);
}

// Where there is room for no more, the last one.
static struct tick *push(struct ticks *t, double at)
{
    if (t->count < TICKS_MAX) {
        t->list[t->count++] = (struct tick){.at = at};
    }
    return &t->list[t->count - 1];
}

static void ticks_linear(double low, double high, size_t wanted,
                         const struct graph_axis *axis, struct ticks *ret)
{
    double step = round_step((high - low) / (double)MAX(wanted, 1u), axis->ticks);
    double first = ceil(low / step - 1e-9);
    for (double i = 0; i < TICKS_MAX && (first + i) * step <= high + step * 1e-9; i++) {
        label_tick(push(ret, (first + i) * step), step, MAX(fabs(low), fabs(high)),
                   axis->ticks);
    }
}

// Powers of ten, and zero between both signs.
static void ticks_log(double low, double high, const struct graph_axis *axis,
                      struct ticks *ret)
{
    for (int sign = -1; sign <= 1; sign++) {
        for (int power = sign == 0 ? 0 : -9; power <= (sign == 0 ? 0 : 18); power++) {
            double v = sign * pow(10, sign < 0 ? 9 - power : power);
            bool far = axis->scale == GRAPH_LOG_LINEAR || fabs(v) >= 1 || v == 0;
            if (far && v >= low && v <= high) {
                label_tick(push(ret, v), fabs(v), fabs(v), axis->ticks);
            }
        }
    }
}

void ticks_of_values(double low, double high, size_t wanted,
                     const struct graph_axis *axis, struct ticks *ret)
{
    ret->count = 0;
    if (axis->scale == GRAPH_LOG || axis->scale == GRAPH_LOG_LINEAR) {
        ticks_log(low, high, axis, ret);
    }
    if (ret->count < 2) {
        ret->count = 0;
        ticks_linear(low, high, wanted, axis, ret);
    }
}

// --- times --------------------------------------------------------------------------------------

#define MINUTE_S INT64_C(60)
#define HOUR_S   (60 * MINUTE_S)
#define DAY_S    (24 * HOUR_S)

static const int64_t time_steps[] = {1,
                                     5,
                                     10,
                                     30,
                                     MINUTE_S,
                                     2 * MINUTE_S,
                                     5 * MINUTE_S,
                                     10 * MINUTE_S,
                                     15 * MINUTE_S,
                                     20 * MINUTE_S,
                                     30 * MINUTE_S,
                                     HOUR_S,
                                     2 * HOUR_S,
                                     3 * HOUR_S,
                                     4 * HOUR_S,
                                     6 * HOUR_S,
                                     8 * HOUR_S,
                                     12 * HOUR_S,
                                     DAY_S,
                                     2 * DAY_S,
                                     7 * DAY_S,
                                     14 * DAY_S,
                                     28 * DAY_S,
                                     91 * DAY_S,
                                     364 * DAY_S};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void label_time(struct tick *t, int64_t local_s, int64_t step)
{
    struct zone_date d = zone_date(local_s);
    if (d.hour == 0 && d.minute == 0 && d.second == 0) {
        snprintf(t->text, sizeof t->text, "%s %02d", months[d.month - 1], d.day);
        t->is_major = true;
    } else if (step < MINUTE_S) {
        snprintf(t->text, sizeof t->text, "%02d:%02d:%02d", d.hour, d.minute, d.second);
    } else {
        snprintf(t->text, sizeof t->text, "%02d:%02d", d.hour, d.minute);
    }
}

void ticks_of_time(int64_t start_ms, int64_t end_ms, size_t most, const struct zone *zone,
                   struct ticks *ret)
{
    int64_t span_s = MAX((end_ms - start_ms) / 1000, 1);
    int64_t step = time_steps[ARRAY_LEN(time_steps) - 1];
    size_t limit = CLAMP(most, 1u, TICKS_MAX - 4u);
    for (size_t i = ARRAY_LEN(time_steps); i-- > 0;) {
        step = span_s / time_steps[i] <= (int64_t)limit ? time_steps[i] : step;
    }
    ret->count = 0;
    // By local time, so that marks stand on its round hours; a change of clocks moves those behind it.
    int64_t local = start_ms / 1000 + zone_offset(zone, start_ms / 1000, NULL);
    for (local -= local % step; ret->count < TICKS_MAX; local += step) {
        int64_t utc = zone_to_utc(zone, local);
        if (utc * 1000 > end_ms) {
            return;
        }
        if (utc * 1000 >= start_ms) {
            label_time(push(ret, (double)utc * 1000), local, step);
        }
    }
}
