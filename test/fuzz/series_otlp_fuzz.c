// SPDX-License-Identifier: GPL-3.0-or-later
//
// OTLP metrics: whatever comes, what was stored the first time is stored the second time too.
#include "telemetry/fake_store.h"
#include "telemetry/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct telemetry *store = NULL;
    struct telemetry_intake *intake = NULL;
    struct telemetry_taken first, again;
    struct str body = {(const char *)data, size};
    ASSERT(fake_store_open(&store, 60000) == 0);
    fake_store_limit(store, 2000);
    const struct telemetry_intake_config config = {.store = store, .flush_ms = -1};
    ASSERT(telemetry_intake_new(&intake, &config) == 0);
    int err = telemetry_take_otlp(intake, body, &first);
    ASSERT(err == 0 || err == ERR_INVALID);
    ASSERT(telemetry_take_otlp(intake, body, &again) == err);
    ASSERT(first.stored == again.stored && first.dropped == again.dropped);
    telemetry_intake_free(&intake);
    fake_store_close(&store);
    return 0;
}
