// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text exposition: what is stored the first time is stored the second time too, when names are known; and as
// much of a target, whose tags are added.
#include "telemetry/fake_store.h"
#include "telemetry/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct telemetry *store = NULL;
    struct telemetry_intake *intake = NULL;
    struct telemetry_taken first, again, target;
    struct str text = {(const char *)data, size};
    const struct telemetry_tag tag = {STR("instance"), STR("a:1")};
    const struct telemetry_tags more = {&tag, 1};
    ASSERT(fake_store_open(&store, 60000) == 0);
    fake_store_limit(store, 2000);
    const struct telemetry_intake_config config = {.store = store, .flush_ms = -1};
    ASSERT(telemetry_intake_new(&intake, &config) == 0);
    ASSERT(telemetry_take_exposition(intake, text, NULL, 100000, &first) == 0);
    ASSERT(telemetry_take_exposition(intake, text, NULL, 100000, &again) == 0);
    ASSERT(telemetry_take_exposition(intake, text, &more, 100000, &target) == 0);
    ASSERT(first.stored == again.stored && first.dropped == again.dropped);
    ASSERT(target.stored <= first.stored);
    telemetry_intake_free(&intake);
    fake_store_close(&store);
    return 0;
}
