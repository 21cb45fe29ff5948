// SPDX-License-Identifier: GPL-3.0-or-later
//
// The parts of evaluating PromQL. A value that is not there is NaN here, and one that Prometheus would have as
// NaN is not there.
#ifndef TELEMETRY_EVALUATE_PROM_H
#define TELEMETRY_EVALUATE_PROM_H

#include "telemetry/evaluate.h"
#include "telemetry/promql.h"

// Each series that a window selects, with what became of its values; span.count of them, valid during the call.
typedef int window_visit_f(void *user, const struct telemetry_tags *,
                           const double *values);
int window_each(struct evaluation *, const struct window *, window_visit_f *, void *user);

// The values of a number.
int prom_number(struct evaluation *, const struct node *, const double **ret);
int prom_nameless(struct evaluation *, const struct telemetry_tags *,
                  struct telemetry_tags *ret);
int prom_values(struct evaluation *, double **ret);           // all NaN
double prom_quantile(double q, double *values, size_t count); // sorts them

// Places of tag lists: 0.. in the order of first coming.
struct places {
    struct {
        struct telemetry_tags tags;
        uint64_t hash;
    } * list;
    size_t count, cap;
    uint32_t *slots;
    size_t mask;
};
void places_free(struct places *);
// *ret_new: it was not there; then its tags are those given, which must outlive it or be replaced.
#define PLACES_NONE SIZE_MAX
size_t places_at(const struct places *, const struct telemetry_tags *); // or PLACES_NONE
int places_find(struct places *, const struct telemetry_tags *, size_t *ret,
                bool *ret_new);

#endif
