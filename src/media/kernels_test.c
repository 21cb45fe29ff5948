// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/kernels.h"

#include "media/cells.h"

#include "base/base.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define WIDEST 517

static void fill(void *bytes, size_t len, int round)
{
    assert_int_equal(random_bytes(bytes, len), 0);
    if (round % 3 == 1) { // extremes
        for (size_t i = 0; i < len; i++) {
            uint8_t *b = (uint8_t *)bytes + i;
            *b = *b & 1 ? 255 : 0;
        }
    }
}

static void fast_kernels_equal_plain_c(void **state)
{
    (void)state;
    const struct kernels *fast = kernels_avx2();
    if (!fast) {
        print_message("SKIPPED: this processor has no AVX2\n");
        skip();
    }
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n <= WIDEST; n++) {
            // Blocks of just this size, so that a read past the end is seen.
            uint8_t *a = malloc(n + 1), *b = malloc(n + 1), *c = malloc(n + 1);
            uint16_t *w = malloc(2 * n + 2);
            uint8_t *out_c = malloc(n + 1), *out_f = malloc(n + 1);
            fill(a, n, round), fill(b, n, round), fill(c, n, round),
                fill(w, 2 * n, round);

            struct kernel_scan s = {.min = 255}, t = {.min = 255};
            kernel_digest_init(&s.digest), kernel_digest_init(&t.digest);
            kernels_c.scan(&s, a, n, 38), fast->scan(&t, a, n, 38);
            kernels_c.digest(&s.digest, b, n), fast->digest(&t.digest, b, n);
            assert_memory_equal(&s.digest, &t.digest, sizeof s.digest);
            assert_int_equal(s.sum, t.sum);
            assert_int_equal(s.black, t.black);
            assert_int_equal(s.min, t.min);
            assert_int_equal(s.max, t.max);

            kernels_c.narrow(out_c, w, n, round * 2),
                fast->narrow(out_f, w, n, round * 2);
            assert_memory_equal(out_c, out_f, n);
            assert_int_equal(kernels_c.sad(a, b, n), fast->sad(a, b, n));
            assert_int_equal(kernels_c.comb(a, b, c, n), fast->comb(a, b, c, n));
            memcpy(out_c, b, n), memcpy(out_f, b, n);
            kernels_c.column_max(out_c, a, n), fast->column_max(out_f, a, n);
            assert_memory_equal(out_c, out_f, n);
            free(a), free(b), free(c), free(w), free(out_c), free(out_f);
        }
    }
}

static uint64_t digest_of(const uint8_t *rows, size_t n, size_t count)
{
    struct kernel_digest d;
    kernel_digest_init(&d);
    for (size_t i = 0; i < count; i++) {
        kernels_c.digest(&d, rows + i * n, n);
    }
    return kernel_digest_finish(&d);
}

static void digests_tell_small_changes_apart(void **state)
{
    (void)state;
    uint8_t rows[16 * 40] = {0};
    uint64_t flat = digest_of(rows, 40, 16);
    assert_int_not_equal(flat, digest_of(rows, 20, 32)); // the same bytes, another shape
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = 1;
        assert_int_not_equal(flat, digest_of(rows, 40, 16));
        rows[i] = 0;
    }
    rows[3] = 7, rows[40 + 3] = 9;
    uint64_t one_way = digest_of(rows, 40, 16);
    rows[3] = 9, rows[40 + 3] = 7;
    assert_int_not_equal(one_way, digest_of(rows, 40, 16));
}

static uint16_t cell_of(const uint8_t *luma, size_t stride, int column, int row)
{
    unsigned sum = 0;
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) {
            sum += luma[(size_t)(row * 8 + y) * stride + (size_t)(column * 8 + x)];
        }
    }
    return (uint16_t)sum;
}

static void cells_are_the_sums_of_their_samples(void **state)
{
    (void)state;
    for (int width = 1; width <= 70; width++) {
        int height = 71 - width;
        size_t stride =
            (size_t)width; // so that a read past a row's end is in the next row
        uint8_t *luma = malloc(stride * (size_t)height);
        fill(luma, stride * (size_t)height, width);
        AVFrame frame = {
            .width = width, .height = height, .data = {luma}, .linesize = {(int)stride}};
        AUTO(cells_clear) struct cells cells = {0};
        assert_int_equal(cells_of(&frame, &cells), 0);
        assert_int_equal(cells.count, (width / 8) * (height / 8));
        for (int i = 0; i < (int)cells.count; i++) {
            assert_int_equal(cells.sums[i],
                             cell_of(luma, stride, i % (width / 8), i / (width / 8)));
        }
        assert_true(cells_mse(&cells, &cells) == 0);
        free(luma);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_kernels_equal_plain_c),
        cmocka_unit_test(digests_tell_small_changes_apart),
        cmocka_unit_test(cells_are_the_sums_of_their_samples),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
