// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sick servers: a server that is unlike its peers in what it measures, for longer than chance has it, is a suspect.
//
//     series -> recording -> look (one window: features, scaled by the peers, clustered) -> suspicion (k of n looks)
//
// All but the first arrow are pure functions: the same configuration and recording give the same suspicion, so that any
// decision can be replayed.
#ifndef INSIGHT_PEERS_H
#define INSIGHT_PEERS_H

#include "insight/cluster.h"
#include "insight/suspect.h"

// --- configuration ------------------------------------------------------------------------------

// What is taken of a window of a metric. DEVIATION is the standard deviation, SLOPE the rise over the window (Theil-Sen:
// the median of all pairs' slopes, times the window).
#define INSIGHT_STATISTICS(X) \
    X(MEAN, "mean")           \
    X(MEDIAN, "median")       \
    X(MAX, "max")             \
    X(MIN, "min")             \
    X(DEVIATION, "deviation") \
    X(SLOPE, "slope")
enum insight_statistic {
#define X(name, text) INSIGHT_STATISTIC_##name,
    INSIGHT_STATISTICS(X)
#undef X
};

enum insight_side { INSIGHT_BOTH_SIDES, INSIGHT_ABOVE, INSIGHT_BELOW };

// How outliers are told: by density (DBSCAN), by the largest distance from the median in robust spreads (MAD), or by
// density against the neighbours' own (LOF, Breunig et al. 2000).
enum insight_method { INSIGHT_DBSCAN, INSIGHT_MAD, INSIGHT_LOF };
#define INSIGHT_METHODS 3
const char *insight_method_name(enum insight_method);

struct insight_metric {
    char *name;
    char *query; // in the stack language: a line for each server
    enum insight_statistic statistic;
    enum insight_side side;
    bool is_ratio; // compared by ratios (its logarithm): latencies, sizes
    // The least spread among peers that matters: in its unit, or of the logarithm.
    double least;
};

struct insight_peers_config {
    char *cluster;
    char *server; // the tag whose value names a server
    struct insight_metric *metrics;
    size_t metric_count;
    int64_t step_ms;
    size_t window; // steps
    size_t every;  // steps from one window to the next, which may overlap
    // Windows that are looked at, and in how many of them a suspect is an outlier.
    size_t of, enough;
    // Steps; a server that reports for less, or again for less, is not judged.
    size_t warm_up;
    size_t min_peers;     // judged servers without which nobody is
    int coverage_percent; // of a window's values that a judged server has, of each metric
    int most_percent;     // if more of the judged look bad, it is no outlier
    int group_percent; // so many of the judged together are a kind of their own, not outliers
    double expected_percent; // outliers that the owner expects; 0: not said
    enum insight_method method;
    double eps;        // 0: by the knee of the k-distances
    size_t min_points; // 0: by the number of servers
};
void insight_peers_config_free(struct insight_peers_config **);

// The clusters of a file. Each mistake is a `file:line: message`.
struct insight_peers_file {
    VEC(struct insight_peers_config *) clusters;
};
void insight_peers_file_free(struct insight_peers_file *);
int insight_peers_parse(struct str text, const char *file, struct insight_peers_file *ret,
                        struct diag *);
// Steps that a recording needs so that the look at its end is whole: windows and warm-up.
size_t insight_peers_steps(const struct insight_peers_config *);

// --- recordings ---------------------------------------------------------------------------------

// The metrics of a cluster over time, on a grid; NaN: no value.
struct insight_recording {
    int64_t start_ms; // of the first value
    int64_t step_ms;
    size_t steps, metrics, servers;
    char **names; // of servers
    // Of metric m, server s, step t: [(m * servers + s) * steps + t].
    double *values;
};
int insight_recording_new(struct insight_recording **ret, size_t metrics, size_t servers,
                          size_t steps); // all NaN; names are the caller's to make
void insight_recording_free(struct insight_recording **);
static inline double *insight_recording_at(const struct insight_recording *r,
                                           size_t metric, size_t server)
{
    return r->values + (metric * r->servers + server) * r->steps;
}

// The configuration's questions, put to the store: as many steps as a look needs, the last of them at or before `end_ms`.
// Servers are those with a value in it, by name. ERR_INVALID: a question that cannot be read, or a line
// without the server's tag; ERR_NOT_FOUND: no values at all.
struct telemetry;
int insight_peers_read(struct telemetry *, const struct insight_peers_config *,
                       int64_t end_ms, struct insight_recording **ret);

// --- looking ------------------------------------------------------------------------------------

enum insight_state {
    INSIGHT_LIKE_PEERS,
    INSIGHT_OUTLIER,
    INSIGHT_YOUNG,  // reports for less than the warm-up
    INSIGHT_SILENT, // no values at the window's end: it stops, or its telemetry does
    INSIGHT_SPARSE  // too few values
};

#define INSIGHT_VERDICTS(X)                            \
    X(JUDGED, "judged")                                \
    X(STALE, "most servers have no values at the end") \
    X(TOO_FEW, "too few servers that can be compared") \
    X(TOO_MANY, "too many look bad for it to be an outlier")
enum insight_verdict {
#define X(name, text) INSIGHT_VERDICT_##name,
    INSIGHT_VERDICTS(X)
#undef X
};
const char *insight_verdict_text(enum insight_verdict);

// One window.
struct insight_look {
    size_t end; // step behind the window's last
    enum insight_verdict verdict;
    size_t servers, metrics, judged, outliers, reporting;
    enum insight_state *states; // by server
    double *scores;             // by server; above 1 is an outlier; NaN where not judged
    double *features;           // [server * metrics + metric]; NaN where not judged
    double *away;               // the same, in spreads of the peers: what is clustered
    double *middles, *spreads;  // of the peers, by metric
    double eps;                 // as used
    size_t min_points;
};
void insight_look_free(struct insight_look *);
// The window of steps [end - config->window, end). ERR_INVALID: it is not within the recording.
int insight_peers_look(const struct insight_peers_config *,
                       const struct insight_recording *, size_t end,
                       struct insight_look *ret);

// Judges anew what was looked at, by another method, eps or min_points.
int insight_look_score(const struct insight_peers_config *, struct insight_look *);

// Suspects: outliers in `enough` of the looks, the newest among them; `looks` from old to new. None where the newest has
// another verdict than JUDGED.
struct insight_suspects {
    VEC(struct insight_suspect) list;
    struct insight_suspicion suspicion; // points into this and the configuration
    enum insight_verdict verdict;       // of the newest look
    json_t *parameters;
    VEC(char *) names;
};
void insight_suspects_free(struct insight_suspects **);
int insight_peers_decide(const struct insight_peers_config *,
                         const struct insight_recording *,
                         const struct insight_look *looks, size_t count,
                         struct insight_suspects **ret);
// Both at once: the windows that end at the recording's end and before.
int insight_peers_suspect(const struct insight_peers_config *,
                          const struct insight_recording *,
                          struct insight_suspects **ret);
int insight_suspects_to_json(const struct insight_suspects *, json_t **ret);

// --- as people see it -----------------------------------------------------------------------------

const char *insight_statistic_name(enum insight_statistic);
// A feature in the metric's own unit: of ratios it is a logarithm.
double insight_metric_shown(const struct insight_metric *, double feature);

// A judged server among its peers, by the two metrics in which it is farthest from them: {"server","method","servers",
// "judged","eps","min_points","axes":[{"metric","statistic","peers","spread","ratio"}],"points":[{"server","state":
// "peer"|"outlier"|"suspect","at":[spreads from the peers, an axis each],"values":[in the metric's unit]}]}.
struct insight_plot_wish {
    size_t server;
    const bool *is_suspect; // of the look's servers
    size_t most;            // points; of more peers every so many are drawn
};
int insight_plot_make(const struct insight_peers_config *,
                      const struct insight_recording *, const struct insight_look *,
                      const struct insight_plot_wish *, json_t **ret);

// --- telling outliers ------------------------------------------------------------------------------

// eps and min_points for points whose values are spreads, where the owner gave none (0): the knee of the sorted
// distances to the min_points-th neighbour (Ester et al., section 4.2), at least 1 a dimension.
int insight_outlier_parameters(const struct insight_points *, enum insight_method,
                               double *eps, size_t *min_points);
// A score for each point, above 1 for outliers, by whichever method. `group`: as many points together are
// no outliers.
int insight_outlier_scores(const struct insight_points *, enum insight_method, double eps,
                           size_t min_points, size_t group, double *ret);

#endif
