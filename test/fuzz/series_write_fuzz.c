// SPDX-License-Identifier: GPL-3.0-or-later
//
// Remote write: the bytes as they are (no snappy block, mostly), then as what a block held. What is stored the
// first time is stored the second time too, when labels are known.
#include "telemetry/fake_store.h"
#include "telemetry/telemetry.h"

#include <snappy-c.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take(struct telemetry_intake *intake, struct str block)
{
    struct telemetry_taken taken;
    int err = telemetry_take_remote_write(intake, block, &taken);
    ASSERT(err == 0 || err == ERR_INVALID || err == ERR_LIMIT);
    return taken.stored;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct telemetry *store = NULL;
    struct telemetry_intake *intake = NULL;
    ASSERT(fake_store_open(&store, 60000) == 0);
    fake_store_limit(store, 2000);
    const struct telemetry_intake_config config = {.store = store, .flush_ms = -1};
    ASSERT(telemetry_intake_new(&intake, &config) == 0);
    take(intake, (struct str){(const char *)data, size});
    size_t len = snappy_max_compressed_length(size);
    char *block = malloc(len);
    ASSERT(block);
    ASSERT(snappy_compress((const char *)data, size, block, &len) == SNAPPY_OK);
    size_t stored = take(intake, (struct str){block, len});
    ASSERT(stored == take(intake, (struct str){block, len}));
    free(block);
    telemetry_intake_free(&intake);
    fake_store_close(&store);
    return 0;
}
