// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a fault began, from what each part of a system was called for and what calls took. Latency and loss are
// conserved along calls: a caller waits for its callees and fails with them. What a part took more than usual, less
// what its callees took more on its behalf, is what it took by itself; the part with the most of it is to blame,
// however many above it look worse. No threshold and no weight is learnt: it is book-keeping.
#include "insight/order.h"
#include "insight/relate.h"

#include <math.h>
#include <stdlib.h>

struct books {
    const struct insight_calls *system;
    struct insight_window window;
    bool *reached, *known;
    double *more, *calls; // of the window, a part
    double *scratch;      // length
};

static void books_free(struct books *b)
{
    free(b->reached);
    free(b->known);
    free(b->more);
    free(b->calls);
    free(b->scratch);
}

void insight_blames_free(struct insight_blames *b)
{
    free(b->list);
    *b = (struct insight_blames){0};
}

static int books_make(struct books *b)
{
    size_t n = b->system->part_count;
    b->reached = calloc(n, sizeof *b->reached);
    b->known = calloc(n, sizeof *b->known);
    b->more = calloc(n, sizeof *b->more);
    b->calls = calloc(n, sizeof *b->calls);
    b->scratch = calloc(b->system->length, sizeof *b->scratch);
    FAIL_IF(!b->reached || !b->known || !b->more || !b->calls || !b->scratch, ERR_NOMEM,
            "books of a call graph");
    return 0;
}

// Rounds over all calls until nothing new is reached: call graphs are small and may have circles.
static void reach(struct books *b, size_t target)
{
    b->reached[target] = true;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < b->system->call_count; i++) {
            const struct insight_call *c = &b->system->calls[i];
            if (b->reached[c->caller] && !b->reached[c->callee]) {
                b->reached[c->callee] = more = true;
            }
        }
    }
}

// calls x (cost - usual), of each step in which it was called.
static bool excess(const struct insight_part *p, double usual, size_t step, double *ret)
{
    *ret = p->calls[step] * (p->cost[step] - usual);
    return isfinite(*ret);
}

// The usual cost is the median of all steps before; what it took more is measured against the steps right before the
// change, so that a part which was slow already is not blamed for a new fault.
static void enter(struct books *b, size_t part)
{
    const struct insight_part *p = &b->system->parts[part];
    const struct insight_window *w = &b->window;
    size_t n = 0;
    double value, more = 0;
    for (size_t i = 0; i < w->changed; i++) {
        if (isfinite(p->cost[i])) {
            b->scratch[n++] = p->cost[i];
        }
    }
    if (n == 0) {
        return; // begun to be called with the fault: what it takes is its callers' doing
    }
    double usual = insight_median(b->scratch, n);
    n = 0;
    for (size_t i = w->since; i < w->changed; i++) {
        if (excess(p, usual, i, &value)) {
            b->scratch[n++] = value;
        }
    }
    double already = n ? insight_median(b->scratch, n) : 0;
    for (size_t i = w->changed; i < w->end; i++) {
        if (excess(p, usual, i, &value)) {
            more += value;
            b->known[part] = true;
        }
        b->calls[part] += isfinite(p->calls[i]) ? p->calls[i] : 0;
    }
    b->more[part] = more - already * (double)(w->end - w->changed);
}

// What callees took more on behalf of `part`: of each, by the part's share of the calls of all its callers.
static double explained(const struct books *b, size_t part)
{
    const struct insight_calls *s = b->system;
    double sum = 0;
    for (size_t i = 0; i < s->call_count; i++) {
        size_t callee = s->calls[i].callee;
        if (s->calls[i].caller != part || !b->known[callee] || b->more[callee] <= 0) {
            continue;
        }
        double callers = 0;
        for (size_t k = 0; k < s->call_count; k++) {
            if (s->calls[k].callee == callee && b->known[s->calls[k].caller]) {
                callers += b->calls[s->calls[k].caller];
            }
        }
        sum += b->more[callee] * (callers > 0 ? b->calls[part] / callers : 0);
    }
    return sum;
}

static int compare(const void *a, const void *b)
{
    const struct insight_blame *x = a, *y = b;
    int order = (x->own < y->own) - (x->own > y->own);
    return order ? order : (x->part > y->part) - (x->part < y->part);
}

int insight_blame(const struct insight_calls *system, size_t target,
                  const struct insight_window *window, struct insight_blames *ret)
{
    FAIL_IF(window->since >= window->changed || window->changed >= window->end ||
                window->end > system->length,
            ERR_INVALID, "steps before the change and after it are needed");
    FAIL_IF(target >= system->part_count, ERR_INVALID, "a target that is no part");
    AUTO(books_free) struct books b = {.system = system, .window = *window};
    TRY(books_make(&b));
    reach(&b, target);
    size_t known = 0;
    for (size_t i = 0; i < system->part_count; i++) {
        if (b.reached[i]) {
            enter(&b, i);
            known += b.known[i];
        }
    }
    struct insight_blame *list = calloc(MAX(known, 1), sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "blame");
    size_t n = 0;
    double positive = 0;
    for (size_t i = 0; i < system->part_count; i++) {
        if (b.known[i]) {
            double own = b.more[i] - explained(&b, i);
            positive += fmax(own, 0);
            list[n++] = (struct insight_blame){i, own, b.more[i], 0};
        }
    }
    for (size_t i = 0; i < n; i++) {
        list[i].share = positive > 0 ? fmax(list[i].own, 0) / positive : 0;
    }
    if (n > 1) {
        qsort(list, n, sizeof *list, compare);
    }
    *ret = (struct insight_blames){list, n};
    return 0;
}
