// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/grid.h"

static double share(int64_t ms, int64_t step_ms, double rate)
{
    return rate * ((double)ms / (double)step_ms);
}

static int take_rate(struct grid_state *s, int64_t step_ms, int64_t at_ms, double rate,
                     struct grid_value ret[GRID_OUT_MAX])
{
    int n = 0;
    int64_t offset = at_ms % step_ms, boundary = at_ms - offset;
    if (s->rated_ms != GRID_NEVER && at_ms - s->rated_ms > 2 * step_ms) {
        s->rated_ms = GRID_NEVER;
        s->weighted = 0;
    }
    if (s->rated_ms == GRID_NEVER) {
        // It stands for the step that ended last, as far as it reaches into it.
        double value = offset == 0 ? rate : share(step_ms - offset, step_ms, rate);
        ret[n++] = (struct grid_value){boundary / step_ms, value};
    } else if (s->rated_ms < boundary) {
        int64_t into = s->rated_ms % step_ms, next = s->rated_ms - into + step_ms;
        ret[n++] = (struct grid_value){
            next / step_ms, s->weighted + share(step_ms - into, step_ms, rate)};
        for (next += step_ms; next <= boundary; next += step_ms) {
            ret[n++] = (struct grid_value){next / step_ms, rate};
        }
    } else {
        s->weighted += share(at_ms - s->rated_ms, step_ms, rate);
        s->rated_ms = at_ms;
        return 0;
    }
    s->weighted = share(offset, step_ms, rate);
    s->rated_ms = at_ms;
    return n;
}

static int take_count(struct grid_state *s, int64_t step_ms, int64_t at_ms, double count,
                      struct grid_value ret[GRID_OUT_MAX])
{
    bool first = s->last_ms == GRID_NEVER;
    double more = count - s->last;
    double seconds = first ? 0 : (double)(at_ms - s->last_ms) / 1000;
    s->last = count;
    s->last_ms = at_ms;
    return first ? 0 : take_rate(s, step_ms, at_ms, more > 0 ? more / seconds : 0, ret);
}

int grid_take(struct grid_state *s, int64_t step_ms, int64_t at_ms, double value,
              struct grid_value ret[GRID_OUT_MAX])
{
    if (s->dstype == TELEMETRY_COUNTER) {
        return take_count(s, step_ms, at_ms, value, ret);
    }
    s->last_ms = MAX(s->last_ms, at_ms);
    if (s->dstype == TELEMETRY_RATE) {
        return take_rate(s, step_ms, at_ms, value, ret);
    }
    ret[0] = (struct grid_value){grid_slot(at_ms, step_ms), value};
    return 1;
}
