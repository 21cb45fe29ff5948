// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS     160
#define BOOTSTRAPS 2000
#define WARM       0.2 // temperatures, in parts of the energy
#define COLD       0.002

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double fraction(uint64_t *state)
{
    return (double)(draw(state) >> 11) * 0x1p-53;
}

void insight_cases_free(struct insight_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < cases[i].count; k++) {
            insight_look_free(&cases[i].looks[k]);
        }
        free(cases[i].looks);
        free(cases[i].sick);
        free(cases[i].unsure);
    }
}

int insight_case_of(const struct insight_peers_config *c,
                    const struct insight_recording *r, struct insight_case *ret)
{
    struct insight_case made = {.looks = calloc(c->of, sizeof *made.looks)};
    FAIL_IF(!made.looks, ERR_NOMEM, "looks");
    int err = 0;
    while (made.count < c->of && err >= 0) {
        size_t behind = (c->of - 1 - made.count) * c->every;
        err = behind >= r->steps
                  ? err_fail(ERR_INVALID, "the recording is too short")
                  : insight_peers_look(c, r, r->steps - behind, &made.looks[made.count]);
        made.count += err >= 0;
    }
    if (err < 0) {
        insight_cases_free(&made, 1);
        return err;
    }
    *ret = made;
    return 0;
}

struct insight_tally insight_case_tally(const struct insight_peers_config *c,
                                        const struct insight_case *one)
{
    struct insight_tally t = {0};
    const struct insight_look *newest = &one->looks[one->count - 1];
    for (size_t s = 0; s < newest->servers; s++) {
        if (one->unsure && one->unsure[s]) {
            continue;
        }
        size_t times = 0;
        bool now = false;
        for (size_t k = 0; k < one->count; k++) {
            now = one->looks[k].states[s] == INSIGHT_OUTLIER;
            times += now;
        }
        bool suspect =
                 now && times >= c->enough && newest->verdict == INSIGHT_VERDICT_JUDGED,
             sick = one->sick && one->sick[s];
        t.right += suspect && sick;
        t.wrong += suspect && !sick;
        t.missed += !suspect && sick;
        t.judged += newest->states[s] <= INSIGHT_OUTLIER;
    }
    return t;
}

// Wilson 1927.
struct insight_share insight_share_of(size_t part, size_t whole)
{
    if (whole == 0) {
        return (struct insight_share){NAN, 0, 1};
    }
    double n = (double)whole, p = (double)part / n, z = 1.959963984540054, z2 = z * z;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return (struct insight_share){p, MAX(middle - half, 0), MIN(middle + half, 1)};
}

// F1 where each wrong suspect counts for `weight`.
static double weighed_f(const struct insight_tally *t, double weight)
{
    double all = (double)(2 * t->right + t->missed) + weight * (double)t->wrong;
    return all > 0 ? 2 * (double)t->right / all : 1;
}

static double f_of(const struct insight_tally *t)
{
    return weighed_f(t, 1);
}

static void add(struct insight_tally *sum, const struct insight_tally *t)
{
    sum->right += t->right;
    sum->wrong += t->wrong;
    sum->missed += t->missed;
    sum->judged += t->judged;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int insight_quality_of(const struct insight_tally *tallies, size_t count, uint64_t seed,
                       struct insight_quality *ret)
{
    double *drawn = malloc(BOOTSTRAPS * sizeof *drawn);
    FAIL_IF(!drawn, ERR_NOMEM, "samples");
    struct insight_quality q = {0};
    for (size_t i = 0; i < count; i++) {
        add(&q.sum, &tallies[i]);
    }
    for (size_t k = 0; k < BOOTSTRAPS; k++) {
        struct insight_tally sum = {0};
        for (size_t i = 0; i < count; i++) {
            add(&sum, &tallies[draw(&seed) % count]);
        }
        drawn[k] = f_of(&sum);
    }
    qsort(drawn, BOOTSTRAPS, sizeof *drawn, by_value);
    q.precision = insight_share_of(q.sum.right, q.sum.right + q.sum.wrong);
    q.recall = insight_share_of(q.sum.right, q.sum.right + q.sum.missed);
    q.f = (struct insight_share){f_of(&q.sum), drawn[BOOTSTRAPS / 40],
                                 drawn[BOOTSTRAPS - 1 - BOOTSTRAPS / 40]};
    free(drawn);
    *ret = q;
    return 0;
}

// --- annealing ----------------------------------------------------------------------------------------

// In parts of the expected number: how far the newest looks' outliers are from it.
static double surprise(const struct insight_peers_config *c,
                       const struct insight_case *one)
{
    const struct insight_look *newest = &one->looks[one->count - 1];
    double expected = c->expected_percent / 100 * (double)newest->judged;
    return fabs((double)newest->outliers - expected) / MAX(expected, 1);
}

// Cases to tune by hold more sick servers than a fleet does. Where the owner said how many to expect, each healthy server
// stands for as many as there are of them in his fleet for each sick one.
static double weight_of(const struct insight_peers_config *c,
                        const struct insight_tally *sum)
{
    double sick = (double)(sum->right + sum->missed),
           expected = c->expected_percent / 100;
    double well = (double)sum->judged - sick;
    return expected > 0 && sick > 0 && well > 0
               ? (1 - expected) / expected / (well / sick)
               : 1;
}

static int energy_of(const struct insight_peers_config *c, struct insight_case *cases,
                     size_t count, double *ret)
{
    struct insight_tally sum = {0};
    double surprises = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < cases[i].count; k++) {
            TRY(insight_look_score(c, &cases[i].looks[k]));
        }
        struct insight_tally t = insight_case_tally(c, &cases[i]);
        add(&sum, &t);
        surprises += surprise(c, &cases[i]);
    }
    *ret = cases[0].sick ? 1 - weighed_f(&sum, weight_of(c, &sum))
                         : surprises / (double)count;
    return 0;
}

struct place {
    double eps;
    size_t min_points;
};

static struct place step_from(struct place at, double heat, uint64_t *chance)
{
    double stride = (fraction(chance) + fraction(chance) - 1) * (0.1 + heat);
    int64_t more = (int64_t)(draw(chance) % 5) - 2;
    return (struct place){CLAMP(at.eps * exp(stride), 0.05, 1000),
                          (size_t)CLAMP((int64_t)at.min_points + more, 2, 40)};
}

static int energy_at(struct insight_peers_config *c, struct place at,
                     struct insight_case *cases, size_t count, double *ret)
{
    c->eps = at.eps;
    c->min_points = at.min_points;
    return energy_of(c, cases, count, ret);
}

int insight_anneal(struct insight_peers_config *c, struct insight_case *cases,
                   size_t count, uint64_t seed, struct insight_annealed *ret)
{
    FAIL_IF(count == 0, ERR_INVALID, "there is nothing to tune by");
    struct place at = {c->eps > 0 ? c->eps : 2 * sqrt((double)c->metric_count),
                       c->min_points ? c->min_points : 5};
    struct place best = at;
    double energy, least;
    TRY(energy_at(c, at, cases, count, &energy));
    least = energy;
    for (size_t round = 0; round < ROUNDS; round++) {
        double heat = WARM * pow(COLD / WARM, (double)round / ROUNDS);
        struct place next = step_from(at, 5 * heat, &seed);
        double there;
        TRY(energy_at(c, next, cases, count, &there));
        // Level ground is walked too, so that a plateau is crossed.
        if (there <= energy || fraction(&seed) < exp((energy - there) / heat)) {
            at = next;
            energy = there;
        }
        if (energy < least) {
            least = energy;
            best = at;
        }
    }
    TRY(energy_at(c, best, cases, count, &least));
    *ret = (struct insight_annealed){least, ROUNDS + 2};
    return 0;
}
