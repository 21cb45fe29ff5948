// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bodies in gzip: never more than the limits say, however they are made; what zlib itself packed comes back.
#include "telemetry/fake_store.h"
#include "telemetry/telemetry.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(struct telemetry_intake *intake, const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf plain = {0};
    int err =
        telemetry_unpack_gzip(intake, (struct str){(const char *)data, size}, &plain);
    ASSERT(err == 0 || err == ERR_INVALID || err == ERR_LIMIT);
    ASSERT(plain.len <= (1u << 20) + 100 * size && (err == 0 || plain.len == 0));
}

static void pack_and_unpack(struct telemetry_intake *intake, uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf plain = {0};
    z_stream z = {0};
    ASSERT(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&z, (uLong)size);
    uint8_t *packed = malloc(room);
    ASSERT(packed);
    z.next_in = data;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t len = room - z.avail_out;
    deflateEnd(&z);
    ASSERT(telemetry_unpack_gzip(intake, (struct str){(char *)packed, len}, &plain) == 0);
    ASSERT(plain.len == size && (size == 0 || memcmp(plain.data, data, size) == 0));
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct telemetry *store = NULL;
    struct telemetry_intake *intake = NULL;
    ASSERT(fake_store_open(&store, 60000) == 0);
    const struct telemetry_intake_config config = {.store = store, .flush_ms = -1};
    ASSERT(telemetry_intake_new(&intake, &config) == 0);
    unpack(intake, data, size);
    uint8_t *own = malloc(size + 1);
    ASSERT(own);
    memcpy(own, data, size);
    pack_and_unpack(intake, own, MIN(size, (size_t)1 << 20));
    free(own);
    telemetry_intake_free(&intake);
    fake_store_close(&store);
    return 0;
}
