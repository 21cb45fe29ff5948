// SPDX-License-Identifier: GPL-3.0-or-later
//
// Spectatord lines: whatever comes, each line is counted once, and what it made goes to a store.
#include "telemetry/fake_store.h"
#include "telemetry/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t now_ms(void *user)
{
    (void)user;
    return 1700000040000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct telemetry *store = NULL;
    struct telemetry_intake *intake = NULL;
    ASSERT(fake_store_open(&store, 60000) == 0);
    fake_store_limit(store, 2000);
    const struct telemetry_intake_config config = {
        .store = store, .flush_ms = -1, .max_meters = 1000, .now_ms = now_ms};
    ASSERT(telemetry_intake_new(&intake, &config) == 0);
    for (int round = 0; round < 2; round++) { // once more, when ids are known
        telemetry_intake_lines(intake, (struct str){(const char *)data, size});
        ASSERT(telemetry_intake_flush(intake, now_ms(NULL) + 60000 * (round + 1)) == 0);
    }
    struct telemetry_intake_counts counts = telemetry_intake_counts(intake);
    ASSERT(counts.malformed + counts.bad_value <= counts.lines);
    telemetry_intake_free(&intake);
    fake_store_close(&store);
    return 0;
}
