// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/order.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void insight_sort(double *values, size_t count)
{
    if (count > 24) {
        qsort(values, count, sizeof *values, compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        double v = values[i];
        size_t k = i;
        for (; k > 0 && values[k - 1] > v; k--) {
            values[k] = values[k - 1];
        }
        values[k] = v;
    }
}

double insight_quantile_sorted(const double *sorted, size_t count, double q)
{
    double at = q * (double)(count - 1);
    size_t low = (size_t)at;
    if (low + 1 >= count) {
        return sorted[count - 1];
    }
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

static void exchange(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

// Hoare's selection: afterwards values[k] is the one of rank k, and none before it is larger.
static double select_rank(double *values, size_t count, size_t k)
{
    size_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            exchange(&values[i++], &values[j--]);
        }
        // What is left of j is not above the pivot, what is right of it not below.
        if (k <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
    return values[k];
}

double insight_median(double *values, size_t count)
{
    if (count == 0) {
        return NAN;
    }
    double upper = select_rank(values, count, count / 2);
    if (count % 2) {
        return upper;
    }
    double lower = values[0];
    for (size_t i = 1; i < count / 2; i++) {
        lower = fmax(lower, values[i]);
    }
    return lower + (upper - lower) / 2;
}

double insight_spread(double *values, size_t count, double center)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = fabs(values[i] - center);
    }
    return 1.4826022185056018 * insight_median(values, count);
}

static int compare_at(const void *a, const void *b, void *values)
{
    const double *v = values;
    double x = v[*(const size_t *)a], y = v[*(const size_t *)b];
    return (x > y) - (x < y);
}

double insight_ranks(const double *values, size_t count, size_t *order, double *ret_ranks)
{
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    qsort_r(order, count, sizeof *order, compare_at, (void *)(size_t)values);
    double ties = 0;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && values[order[end]] == values[order[i]]; end++) {
        }
        double t = (double)(end - i);
        ties += t * t * t - t;
        for (size_t k = i; k < end; k++) {
            ret_ranks[order[k]] = ((double)i + (double)end + 1) / 2;
        }
    }
    return ties;
}

double insight_normal_upper(double z)
{
    return 0.5 * erfc(z / sqrt(2));
}

double insight_normal_quantile(double p)
{
    // The distribution is monotone and erfc exact far into its tails: halving finds every bit.
    double low = -40, high = 40;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;
        if (insight_normal_upper(-middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}
