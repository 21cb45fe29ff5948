// SPDX-License-Identifier: GPL-3.0-or-later
//
// A suspect among its peers, as two numbers each: by the two metrics in which it stands out most. What people look at when
// they ask whether it is one, kept with the suspicion, because series are thinned and servers end.
//
// A metric that only counts upwards is drawn downwards too: peers lie around 0, not in a heap upon it.
#include "insight/peers.h"

#include "base/json.h"

#include <math.h>
#include <stdlib.h>

enum { FARTHEST = 1000 };

struct plot {
    const struct insight_peers_config *config;
    const struct insight_recording *recording;
    const struct insight_look *look;
    size_t metrics[2], count; // that are drawn
};

static double away(const struct plot *p, size_t server, size_t metric)
{
    const struct insight_look *l = p->look;
    double spread = l->spreads[metric],
           from = l->features[server * l->metrics + metric] - l->middles[metric];
    return spread > 0 ? CLAMP(from / spread, -FARTHEST, FARTHEST) : 0;
}

// Three digits behind the point are more than anybody sees.
static json_t *number(double v)
{
    return isfinite(v) ? json_real(round(v * 1000) / 1000) : json_null();
}

static double shown(const struct plot *p, size_t metric, double value)
{
    return insight_metric_shown(&p->config->metrics[metric], value);
}

static void choose(struct plot *p, size_t server)
{
    const struct insight_look *l = p->look;
    const double *own = l->away + server * l->metrics;
    for (p->count = 0; p->count < MIN(l->metrics, ARRAY_LEN(p->metrics)); p->count++) {
        size_t best = SIZE_MAX;
        for (size_t m = 0; m < l->metrics; m++) {
            bool taken = p->count > 0 && m == p->metrics[0];
            if (!taken && (best == SIZE_MAX || fabs(own[m]) > fabs(own[best]))) {
                best = m;
            }
        }
        p->metrics[p->count] = best;
    }
}

static bool is_judged(const struct plot *p, size_t server)
{
    return p->look->states[server] <= INSIGHT_OUTLIER;
}

static int point(const struct plot *p, size_t server, const char *state, json_t *points)
{
    AUTO(json_free) json_t *at = json_array(), *values = json_array();
    for (size_t k = 0; k < p->count; k++) {
        size_t m = p->metrics[k];
        double value = p->look->features[server * p->look->metrics + m];
        FAIL_IF(json_array_append_new(at, number(away(p, server, m))) < 0 ||
                    json_array_append_new(values, json_real(shown(p, m, value))) < 0,
                ERR_NOMEM, "a plot");
    }
    json_t *one = json_pack("{s:s, s:s, s:O, s:O}", "server", p->recording->names[server],
                            "state", state, "at", at, "values", values);
    FAIL_IF(json_array_append_new(points, one) < 0, ERR_NOMEM, "a plot");
    return 0;
}

// Who is out is always there; of the others every so many, the same each time.
static int points_of(const struct plot *p, const bool *is_suspect, size_t most,
                     json_t *points)
{
    size_t like = 0, out = 0, seen = 0, put = 0;
    for (size_t s = 0; s < p->look->servers; s++) {
        like += p->look->states[s] == INSIGHT_LIKE_PEERS;
        if (p->look->states[s] == INSIGHT_OUTLIER && out < most) {
            out++;
            TRY(point(p, s, is_suspect[s] ? "suspect" : "outlier", points));
        }
    }
    size_t room = MIN(like, most - out);
    for (size_t s = 0; s < p->look->servers; s++) {
        if (p->look->states[s] == INSIGHT_LIKE_PEERS && room * ++seen / like > put) {
            put++;
            TRY(point(p, s, "peer", points));
        }
    }
    return 0;
}

static int axes_of(const struct plot *p, json_t *axes)
{
    for (size_t k = 0; k < p->count; k++) {
        size_t m = p->metrics[k];
        const struct insight_metric *metric = &p->config->metrics[m];
        json_t *axis = json_pack("{s:s, s:s, s:f, s:f, s:b}", "metric", metric->name,
                                 "statistic", insight_statistic_name(metric->statistic),
                                 "peers", shown(p, m, p->look->middles[m]), "spread",
                                 p->look->spreads[m], "ratio", metric->is_ratio);
        FAIL_IF(json_array_append_new(axes, axis) < 0, ERR_NOMEM, "a plot");
    }
    return 0;
}

int insight_plot_make(const struct insight_peers_config *c,
                      const struct insight_recording *r, const struct insight_look *look,
                      const struct insight_plot_wish *wish, json_t **ret)
{
    struct plot p = {.config = c, .recording = r, .look = look};
    AUTO(json_free) json_t *points = json_array(), *axes = json_array();
    json_int_t judged = 0;
    ASSERT(wish->server < look->servers && is_judged(&p, wish->server));
    choose(&p, wish->server);
    TRY(axes_of(&p, axes));
    TRY(points_of(&p, wish->is_suspect, wish->most, points));
    for (size_t s = 0; s < look->servers; s++) {
        judged += is_judged(&p, s);
    }
    return json_made(json_pack("{s:s, s:s, s:I, s:I, s:f, s:I, s:O, s:O}", "server",
                               r->names[wish->server], "method",
                               insight_method_name(c->method), "servers",
                               (json_int_t)look->servers, "judged", judged, "eps",
                               look->eps, "min_points", (json_int_t)look->min_points,
                               "axes", axes, "points", points),
                     ret);
}
