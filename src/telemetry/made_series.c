// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/made_series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

uint64_t made_random;

unsigned made_draw(unsigned below)
{
    made_random ^= made_random << 13;
    made_random ^= made_random >> 7;
    made_random ^= made_random << 17;
    return (unsigned)((made_random >> 11) % below);
}

struct made_series made_series[MADE_SERIES];
const char *const made_keys[MADE_KEYS] = {"k0", "k1", "k2"};

void made_fill(void)
{
    static const char *const names[] = {"m0", "m1"};
    static const char *const values[] = {"x", "y", "z"};
    for (int i = 0; i < MADE_SERIES; i++) {
        made_series[i].name = names[made_draw(2)];
        for (int k = 0; k < MADE_KEYS; k++) {
            made_series[i].key[k] = made_draw(6) ? values[made_draw(3)] : NULL;
        }
        unsigned gaps = made_draw(4);
        for (int t = 0; t < MADE_LEAD + MADE_POINTS; t++) {
            made_series[i].v[t] = made_draw(8) < gaps ? (double)NAN
                                  : made_draw(5) == 0 ? 0
                                                      : (double)made_draw(2000) / 8 - 60;
        }
    }
}

int64_t telemetry_step_ms(const struct telemetry *t)
{
    (void)t;
    return MADE_STEP;
}

static const char *value_of(const struct made_series *s, struct str key)
{
    if (str_eq_c(key, "name")) {
        return s->name;
    }
    for (int k = 0; k < MADE_KEYS; k++) {
        if (str_eq_c(key, made_keys[k])) {
            return s->key[k];
        }
    }
    return NULL;
}

static bool fits(const struct telemetry_match *m, const struct made_series *s)
{
    const char *v = m->key.data ? value_of(s, m->key) : NULL;
    char first[16] = "";
    if (m->value_count) {
        assert_int_equal(str_copy(first, sizeof first, m->values[0]), 0);
    }
    int c = v ? strcmp(v, first) : 0;
    switch (m->op) {
    case TELEMETRY_MATCH_ALL:
        return true;
    case TELEMETRY_MATCH_NONE:
        return false;
    case TELEMETRY_MATCH_HAS:
        return v != NULL;
    case TELEMETRY_MATCH_IN:
        for (size_t i = 0; v && i < m->value_count; i++) {
            if (str_eq_c(m->values[i], v)) {
                return true;
            }
        }
        return false;
    case TELEMETRY_MATCH_RE:
    case TELEMETRY_MATCH_REIC:
        return v != NULL;
    case TELEMETRY_MATCH_LT:
        return v && c < 0;
    case TELEMETRY_MATCH_LE:
        return v && c <= 0;
    case TELEMETRY_MATCH_GT:
        return v && c > 0;
    case TELEMETRY_MATCH_GE:
        return v && c >= 0;
    case TELEMETRY_MATCH_AND:
        return fits(m->left, s) && fits(m->right, s);
    case TELEMETRY_MATCH_OR:
        return fits(m->left, s) || fits(m->right, s);
    case TELEMETRY_MATCH_NOT:
        return !fits(m->left, s);
    }
    return false;
}

int telemetry_scan(struct telemetry *t, const struct telemetry_match *m,
                   const struct telemetry_span *span, telemetry_visit_f *visit,
                   void *user)
{
    (void)t;
    for (int i = 0; i < MADE_SERIES; i++) {
        struct telemetry_tag tags[1 + MADE_KEYS];
        size_t n = 0;
        double v[MADE_POINTS];
        bool any = false;
        if (!fits(m, &made_series[i])) {
            continue;
        }
        for (int k = 0; k < MADE_KEYS; k++) {
            if (made_series[i].key[k]) {
                tags[n++] = (struct telemetry_tag){str_of(made_keys[k]),
                                                   str_of(made_series[i].key[k])};
            }
        }
        tags[n++] = (struct telemetry_tag){STR("name"), str_of(made_series[i].name)};
        for (size_t k = 0; k < span->count; k++) {
            int64_t at =
                (span->start_ms - MADE_START) / MADE_STEP + (int64_t)k + MADE_LEAD;
            v[k] = at >= 0 && at < MADE_LEAD + MADE_POINTS ? made_series[i].v[at]
                                                           : (double)NAN;
            any = any || !isnan(v[k]);
        }
        struct telemetry_view view = {.tags = {tags, n}, .values = v};
        if (any) {
            TRY(visit(user, &view));
        }
    }
    return 0;
}
