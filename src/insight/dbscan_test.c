// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clustering against its definition, taken literally: all pairs, then a walk over core points.
#include "insight/density.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static uint64_t seed = 20150714;

static uint64_t draw(void)
{
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double fraction(void)
{
    return (double)(draw() >> 11) * 0x1p-53;
}

static bool near(const struct insight_points *p, size_t a, size_t b, double eps)
{
    double sum = 0;
    for (size_t d = 0; d < p->dims; d++) {
        double gap = p->values[a * p->dims + d] - p->values[b * p->dims + d];
        sum += gap * gap;
    }
    return sum <= eps * eps;
}

// What the definition says, point by point: a cluster grows from its first core point until nothing is reached.
static struct insight_clusters truth(const struct insight_points *p, double eps,
                                     size_t min_points)
{
    struct insight_clusters c = {.labels = malloc((p->count + 1) * sizeof *c.labels),
                                 .core = calloc(p->count + 1, 1)};
    size_t *queue = malloc((p->count + 1) * sizeof *queue);
    for (size_t i = 0; i < p->count; i++) {
        size_t found = 0;
        for (size_t j = 0; j < p->count; j++) {
            found += near(p, i, j, eps);
        }
        c.core[i] = found >= min_points;
        c.labels[i] = INSIGHT_NOISE;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (!c.core[i] || c.labels[i] != INSIGHT_NOISE) {
            continue;
        }
        size_t head = 0, tail = 0;
        c.labels[queue[tail++] = i] = (int32_t)c.count;
        while (head < tail) {
            size_t at = queue[head++];
            for (size_t j = 0; c.core[at] && j < p->count; j++) {
                if (c.labels[j] == INSIGHT_NOISE && near(p, at, j, eps)) {
                    c.labels[queue[tail++] = j] = (int32_t)c.count;
                }
            }
        }
        c.count++;
    }
    for (size_t i = 0; i < p->count; i++) {
        c.noise += c.labels[i] == INSIGHT_NOISE;
    }
    free(queue);
    return c;
}

static void assert_same(const struct insight_points *p, const struct insight_clusters *a,
                        const struct insight_clusters *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < p->count; i++) {
        assert_int_equal(a->core[i], b->core[i]);
        assert_int_equal(a->labels[i], b->labels[i]);
    }
}

typedef int way_f(const struct density_job *, struct insight_clusters *);

static void check_way(const struct density_job *job, way_f *way,
                      const struct insight_clusters *expected)
{
    size_t n = job->points->count;
    struct insight_clusters got = {.labels = malloc(n * sizeof *got.labels),
                                   .core = calloc(n, 1)};
    memset(got.labels, 0xff, n * sizeof *got.labels); // all noise
    assert_int_equal(way(job, &got), 0);
    assert_same(job->points, expected, &got);
    insight_clusters_free(&got);
}

// The entry, and each way with each set of kernels, against the truth.
static void check(const struct insight_points *p, double eps, size_t min_points)
{
    struct insight_clusters expected = truth(p, eps, min_points), got;
    assert_int_equal(insight_dbscan(p, eps, min_points, &got), 0);
    assert_same(p, &expected, &got);
    assert_int_equal(got.noise, expected.noise);
    insight_clusters_free(&got);
    const struct near_kernels *kernels[] = {&near_c, near_best()};
    for (size_t k = 0; k < ARRAY_LEN(kernels); k++) {
        struct density_job job = {.points = p,
                                  .eps = eps,
                                  .limit = eps * eps,
                                  .min_points = min_points,
                                  .kernels = kernels[k]};
        check_way(&job, density_tree, &expected);
        if (density_grid_fits(&job)) {
            check_way(&job, density_grid, &expected);
        }
    }
    insight_clusters_free(&expected);
}

static double *room(size_t count, size_t dims)
{
    double *values = malloc(count * dims * sizeof *values);
    assert_non_null(values);
    return values;
}

// Blobs of several widths, lines between them, doubles, and noise.
static void fill(double *values, size_t count, size_t dims, double width)
{
    double centers[4][40];
    for (size_t i = 0; i < 4 * 40; i++) {
        centers[i / 40][i % 40] = fraction() * 10;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t kind = draw() % 10;
        const double *a = centers[draw() % 4], *b = centers[draw() % 4];
        double at = fraction();
        for (size_t d = 0; d < dims; d++) {
            double *v = &values[i * dims + d];
            *v = kind == 0            ? fraction() * 10
                 : kind == 1          ? a[d] + (b[d] - a[d]) * at
                 : kind == 2 && i > 0 ? values[(i / 2) * dims + d]
                                      : a[d] + (fraction() + fraction() - 1) * width;
        }
    }
}

static void random_points_as_defined(void **state)
{
    (void)state;
    static const size_t many[] = {1, 2, 3, 4, 5, 10, 33};
    for (size_t k = 0; k < ARRAY_LEN(many); k++) {
        for (int round = 0; round < 12; round++) {
            size_t count = 1 + draw() % (round % 4 ? 300 : 1200), dims = many[k];
            double *values = room(count, dims);
            fill(values, count, dims, 0.3 + fraction());
            double eps = (0.05 + fraction()) * sqrt((double)dims) * 0.5;
            check(&(struct insight_points){values, count, dims}, eps,
                  1 + draw() % (round % 3 ? 12 : 80));
            free(values);
        }
    }
}

// Whole numbers: a great many pairs are at exactly eps.
static void ties_are_near(void **state)
{
    (void)state;
    static const double eps[] = {1, 2, 5, 1.4142135623730951, 1.7320508075688772, 0.5};
    for (size_t dims = 1; dims <= 5; dims++) {
        for (size_t k = 0; k < ARRAY_LEN(eps); k++) {
            size_t count = 250;
            double *values = room(count, dims);
            for (size_t i = 0; i < count * dims; i++) {
                values[i] = (double)(draw() % (dims == 1 ? 400 : 12)) - 6;
            }
            struct insight_points p = {values, count, dims};
            for (size_t min_points = 1; min_points < 20; min_points += 3) {
                check(&p, eps[k], min_points);
            }
            // Tenths are not what they seem; what counts is the sum of squares in doubles.
            for (size_t i = 0; i < count * dims; i++) {
                values[i] *= 0.1;
            }
            check(&p, eps[k] * 0.1, 4);
            free(values);
        }
    }
}

static void equal_points(void **state)
{
    (void)state;
    for (size_t dims = 1; dims <= 6; dims++) {
        double *values = room(500, dims);
        for (size_t i = 0; i < 500; i++) {
            for (size_t d = 0; d < dims; d++) {
                values[i * dims + d] = i < 400 ? 3.25 : (double)(i / 30);
            }
        }
        struct insight_points p = {values, 500, dims};
        check(&p, 1e-9, 10);
        check(&p, 1e-9, 401);
        check(&p, 1e-9, 400);
        check(&p, 100, 600);
        check(&p, 1e200, 3);  // squares overflow: all are near
        check(&p, 1e-200, 3); // and vanish: equal ones are
        free(values);
    }
}

// So many in one cell that the grid takes small ones.
static void crowded_cells(void **state)
{
    (void)state;
    for (size_t dims = 1; dims <= 3; dims++) {
        size_t count = 1500;
        double *values = room(count, dims);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < count * dims; i++) {
                values[i] = fraction() * 4 + (draw() % 40 ? 0 : fraction() * 30);
            }
            struct insight_points p = {values, count, dims};
            check(&p, 2 + fraction(), 5 + draw() % 300);
            check(&p, 0.4, 5);
        }
        free(values);
    }
}

static void far_and_wide(void **state)
{
    (void)state;
    // Numbers so large that neighbours are an ulp apart, and spans that no grid can cover.
    for (size_t dims = 1; dims <= 4; dims++) {
        double *values = room(300, dims);
        for (size_t i = 0; i < 300 * dims; i++) {
            values[i] = 1e15 + (double)(draw() % 16) * 0.125;
        }
        check(&(struct insight_points){values, 300, dims}, 0.25, 4);
        for (size_t i = 0; i < 300 * dims; i++) {
            values[i] = (draw() % 2 ? 1e300 : -1e300) * (draw() % 3 ? 1 : fraction());
        }
        check(&(struct insight_points){values, 300, dims}, 0.25, 4);
        check(&(struct insight_points){values, 300, dims}, 1e150, 4);
        free(values);
    }
}

static void what_it_refuses(void **state)
{
    (void)state;
    double values[] = {1, 2, NAN, 4};
    struct insight_clusters c = {.count = 77};
    struct insight_points p = {values, 2, 2};
    assert_int_equal(insight_dbscan(&p, 1, 1, &c), ERR_INVALID);
    values[2] = INFINITY;
    assert_int_equal(insight_dbscan(&p, 1, 1, &c), ERR_INVALID);
    values[2] = 3;
    assert_int_equal(insight_dbscan(&p, 0, 1, &c), ERR_INVALID);
    assert_int_equal(insight_dbscan(&p, -1, 1, &c), ERR_INVALID);
    assert_int_equal(insight_dbscan(&p, NAN, 1, &c), ERR_INVALID);
    assert_int_equal(insight_dbscan(&p, 1, 0, &c), ERR_INVALID);
    assert_int_equal(c.count, 77);
    p.count = 0;
    assert_int_equal(insight_dbscan(&p, 1, 1, &c), 0);
    assert_int_equal(c.count, 0);
    insight_clusters_free(&c);
}

static void fast_kernels_equal_plain_c(void **state)
{
    (void)state;
    const struct near_kernels *fast = near_avx2();
    if (!fast) {
        print_message("SKIPPED: this processor has no AVX2\n");
        skip();
    }
    for (int round = 0; round < 3000; round++) {
        size_t dims = 1 + draw() % 13, count = 1 + draw() % 64;
        // A block of just this size, so that a read past its slack is seen.
        double *values = room(count * dims + NEAR_SLACK, 1), point[13];
        double *highs = room(count * dims + NEAR_SLACK, 1);
        for (size_t i = 0; i < count * dims + NEAR_SLACK; i++) {
            values[i] = round % 2 ? fraction() : (double)(draw() % 5);
            highs[i] = values[i] + (draw() % 3 ? fraction() : 0);
        }
        for (size_t d = 0; d < dims; d++) {
            point[d] = round % 2 ? fraction() : (double)(draw() % 5);
        }
        struct near_block block = {values, count, dims};
        struct near_boxes boxes = {values, highs, count, dims};
        struct near_query query = {point, round % 2 ? fraction() * (double)dims * 0.4
                                                    : (double)(draw() % 20)};
        uint32_t start = (uint32_t)(draw() % count);
        struct near_range all = {start, (uint32_t)count};
        assert_int_equal(near_c.mask(&block, &query, all),
                         fast->mask(&block, &query, all));
        assert_int_equal(near_c.boxes(&boxes, &query, all),
                         fast->boxes(&boxes, &query, all));
        size_t enough = 1 + draw() % 70;
        struct near_range two[] = {{0, start}, all};
        size_t a = near_c.count(&block, &query, two, 2, enough),
               b = fast->count(&block, &query, two, 2, enough);
        assert_int_equal(a >= enough, b >= enough);
        if (a < enough) {
            assert_int_equal(a, b);
        }
        free(values), free(highs);
    }
}

// scikit-learn's labels of two sets of points (sklearn.cluster.DBSCAN, min_samples 10), to the last.
static void labels_of_scikit_learn(void **state)
{
    (void)state;
    static const struct {
        const char *points, *labels;
        double eps;
        size_t clusters, noise;
    } sets[] = {{"dbscan_A_10k10.csv", "dbscan_A_labels.csv", 2.5, 12, 1110},
                {"dbscan_B_100k3.csv", "dbscan_B_labels.csv", 0.25, 38, 10838}};
    const char *root = getenv("MARQUEE_SHARED");
    if (!root) {
        print_message("SKIPPED: no shared data (MARQUEE_SHARED)\n");
        skip();
    }
    for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
        AUTO(insight_table_free) struct insight_table points = {0}, labels = {0};
        AUTO(insight_clusters_free) struct insight_clusters c = {0};
        AUTO(cstr_free) char *file = NULL, *label_file = NULL;
        assert_int_equal(
            cstr_printf(&file, "%s/data/telemetry/dbscan/%s", root, sets[k].points), 0);
        assert_int_equal(
            cstr_printf(&label_file, "%s/data/telemetry/dbscan/%s", root, sets[k].labels),
            0);
        assert_int_equal(insight_table_read(file, &points), 0);
        assert_int_equal(insight_table_read(label_file, &labels), 0);
        assert_int_equal(points.count, labels.count);
        struct insight_points p = {points.values, points.count, points.dims};
        assert_int_equal(insight_dbscan(&p, sets[k].eps, 10, &c), 0);
        assert_int_equal(c.count, sets[k].clusters);
        assert_int_equal(c.noise, sets[k].noise);
        for (size_t i = 0; i < points.count; i++) {
            assert_int_equal(c.labels[i], (int32_t)labels.values[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_points_as_defined),
        cmocka_unit_test(ties_are_near),
        cmocka_unit_test(equal_points),
        cmocka_unit_test(crowded_cells),
        cmocka_unit_test(far_and_wide),
        cmocka_unit_test(what_it_refuses),
        cmocka_unit_test(fast_kernels_equal_plain_c),
        cmocka_unit_test(labels_of_scikit_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
