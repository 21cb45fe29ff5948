// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows of values: damaged bytes are refused or give some row, which then comes back from its own bytes; and any
// doubles at all come back bit for bit.
#include "telemetry/codec.h"

#include <math.h>
#include <string.h>

#define MOST 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_returns(const double *row, size_t count)
{
    AUTO(buf_free) struct buf bytes = {0};
    double again[MOST];
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        any = any || !isnan(row[i]);
    }
    if (!any) {
        return; // such a row is never written
    }
    codec_encode(row, count, 53, &bytes);
    ASSERT(codec_decode(bytes.data, bytes.len, again, count) == 0);
    for (size_t i = 0; i < count; i++) {
        double want = row[i] + 0.0;
        ASSERT(isnan(want) ? isnan(again[i])
                           : memcmp(&want, &again[i], sizeof want) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double row[MOST];
    if (size < 2) {
        return 0;
    }
    size_t count = 1 + (data[0] | (size_t)data[1] << 8) % MOST;
    if (codec_decode(data + 2, size - 2, row, count) == 0) {
        for (size_t i = 0; i < count; i++) {
            row[i] = isfinite(row[i]) ? row[i] : NAN; // a store has no others
        }
        assert_returns(row, count);
    }
    count = MIN((size - 2) / sizeof *row, (size_t)MOST);
    memcpy(row, data + 2, count * sizeof *row);
    for (size_t i = 0; i < count; i++) {
        row[i] = isfinite(row[i]) ? row[i] : NAN;
    }
    assert_returns(row, count);
    return 0;
}
