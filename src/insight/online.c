// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bayesian online change point detection (Adams and MacKay 2007): at each value the chance of each length of
// the present run. Values of a run are normal with unknown mean and variance (normal-inverse-gamma prior), so that
// what a run of r values foretells is Student's t (Murphy 2007, section 3). Logarithms of chances, run lengths in an
// array by their length: a value moves every run one place on.
#include "insight/change.h"

#include <math.h>
#include <stdlib.h>

enum { RUN_MAX = 2000 };

struct run {
    double log_chance;   // of this run length, given all values
    double sum, squares; // of its values, less the prior's mean
};

struct insight_online {
    struct insight_online_config config;
    struct run *runs; // [r]: of r values; 0 to `longest`
    size_t longest, capacity;
    double *gamma; // [r]: log gamma(a + 1/2) - log gamma(a), a the shape after r values
};

void insight_online_free(struct insight_online **p)
{
    struct insight_online *o = *p;
    *p = NULL;
    if (o) {
        free(o->runs);
        free(o->gamma);
        free(o);
    }
}

int insight_online_new(struct insight_online **ret,
                       const struct insight_online_config *config)
{
    FAIL_IF(!(config->hazard > 1 && config->mean_weight > 0 && config->shape > 0 &&
              config->scale > 0 && isfinite(config->mean)),
            ERR_INVALID, "a prior that is none");
    AUTO(insight_online_free) struct insight_online *o = calloc(1, sizeof *o);
    FAIL_IF(!o, ERR_NOMEM, "an online detector");
    o->config = *config;
    o->capacity = config->max_run ? config->max_run : RUN_MAX;
    o->runs = calloc(o->capacity + 2, sizeof *o->runs);
    o->gamma = calloc(o->capacity + 2, sizeof *o->gamma);
    FAIL_IF(!o->runs || !o->gamma, ERR_NOMEM, "an online detector");
    for (size_t r = 0; r < o->capacity + 2; r++) {
        double a = config->shape + (double)r / 2;
        o->gamma[r] = lgamma(a + 0.5) - lgamma(a);
    }
    *ret = TAKE(o);
    return 0;
}

static double foretold(const struct insight_online *o, size_t r, double x)
{
    const struct run *run = &o->runs[r];
    double n = (double)r, k0 = o->config.mean_weight, k = k0 + n;
    double a = o->config.shape + n / 2, mean = run->sum / k;
    double b = o->config.scale + (run->squares - run->sum * run->sum / k) / 2;
    double spread = fmax(b, 1e-300) * (k + 1) / (a * k), d = x - mean;
    return o->gamma[r] - 0.5 * log(2 * M_PI * a * spread) -
           (a + 0.5) * log1p(d * d / (2 * a * spread));
}

static double log_add(double a, double b)
{
    double high = fmax(a, b), low = fmin(a, b);
    return high == -INFINITY ? high : high + log1p(exp(low - high));
}

static double log_most(double a, double b)
{
    return fmax(a, b);
}

// Chances of all run lengths after `x`. `join` adds them up (filtering) or keeps the largest (the most probable
// path). Returns the run length from which the new run most probably sprang.
static size_t advance(struct insight_online *o, double x, double (*join)(double, double))
{
    double begins = -INFINITY, most = -INFINITY;
    double stays = log1p(-1 / o->config.hazard), changes = -log(o->config.hazard);
    size_t sprang = 0;
    // The longest run stands for all that are longer.
    for (size_t r = o->longest + 1; r-- > 0;) {
        struct run next = o->runs[r];
        double seen = next.log_chance + foretold(o, r, x);
        begins = join(begins, seen + changes);
        if (seen > most) {
            most = seen;
            sprang = r + 1;
        }
        next.log_chance = seen + stays;
        next.sum += x;
        next.squares += x * x;
        if (r < o->capacity) {
            o->runs[r + 1] = next;
        } else {
            o->runs[r + 1].log_chance = next.log_chance;
        }
        if (r + 1 == o->capacity && o->longest == o->capacity) {
            struct run *last = &o->runs[o->capacity];
            last->log_chance =
                join(last->log_chance, o->runs[o->capacity + 1].log_chance);
        }
    }
    o->longest = MIN(o->longest + 1, o->capacity);
    o->runs[0] = (struct run){.log_chance = begins};
    return sprang;
}

// The largest chance becomes 1: without it they would sink below any double. Returns its run length.
static size_t settle(struct insight_online *o)
{
    size_t likely = 0;
    for (size_t r = 1; r <= o->longest; r++) {
        if (o->runs[r].log_chance > o->runs[likely].log_chance) {
            likely = r;
        }
    }
    double most = o->runs[likely].log_chance;
    for (size_t r = 0; r <= o->longest; r++) {
        o->runs[r].log_chance -= most;
    }
    return likely;
}

int insight_online_next(struct insight_online *o, double value, size_t *ret_run)
{
    FAIL_IF(!isfinite(value), ERR_INVALID, "a value that is not finite");
    advance(o, value - o->config.mean, log_add);
    *ret_run = settle(o);
    return 0;
}

int insight_online_changes(const double *values, size_t count,
                           const struct insight_online_config *config,
                           struct insight_changes *ret)
{
    AUTO(insight_online_free) struct insight_online *o = NULL;
    struct insight_online_config whole = *config;
    whole.max_run = config->max_run ? config->max_run : MAX(count, 1);
    TRY(insight_online_new(&o, &whole));
    uint32_t *sprang = calloc(count + 1, sizeof *sprang);
    FAIL_IF(!sprang, ERR_NOMEM, "paths of run lengths");
    struct insight_changes made = {0};
    size_t run = 0;
    bool wrong = false;
    for (size_t i = 0; i < count && !wrong; i++) {
        wrong = !isfinite(values[i]);
        if (!wrong) {
            sprang[i + 1] = (uint32_t)advance(o, values[i] - config->mean, log_most);
            run = settle(o);
        }
    }
    // Back from the end: a run of r values began at end - r, and the one before it ended there.
    made.at = calloc(count + 1, sizeof *made.at);
    if (!made.at || wrong) {
        free(made.at);
        free(sprang);
        FAIL(wrong ? ERR_INVALID : ERR_NOMEM, "%s",
             wrong ? "a value that is not finite" : "paths");
    }
    for (size_t end = count; end > run;) {
        end -= run;
        if (end < count) {
            made.at[made.count++] = end;
        }
        run = sprang[end];
    }
    for (size_t i = 0; i < made.count / 2; i++) {
        size_t t = made.at[i];
        made.at[i] = made.at[made.count - 1 - i];
        made.at[made.count - 1 - i] = t;
    }
    free(sprang);
    *ret = made;
    return 0;
}
