// SPDX-License-Identifier: GPL-3.0-or-later
//
// A store that finds any bytes in its folder opens, answers and closes. The first byte says what the rest is: a log,
// a list of series, a block, or records of a log, which then get their marks and checksums here.
#include "telemetry/journal.h"
#include "telemetry/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"log-0000000000000001.journal", "series.roster",
                                    "t0-0000000000000001.block",
                                    "t1-0000000000000002.block"};

static int64_t now(void *user)
{
    (void)user;
    return INT64_C(1700000640000);
}

static int look(void *user, const struct telemetry_view *v)
{
    const struct telemetry_span *span = user;
    for (size_t i = 0; i < span->count; i++) {
        ASSERT(!isinf(v->values[i]));
    }
    ASSERT(v->tags.count > 0);
    return 0;
}

static void write_framed(const char *dir, const uint8_t *data, size_t size)
{
    struct journal *j = NULL;
    ASSERT(journal_open(&j, &(struct journal_config){.dir = dir}) == 0);
    for (size_t at = 0; at + 2 <= size;) {
        size_t len = MIN((size_t)data[at + 1], size - at - 2);
        journal_add(j, data[at] % 8, (struct str){(const char *)data + at + 2, len});
        at += 2 + len;
    }
    journal_close(&j);
}

static void examine(const char *dir)
{
    struct telemetry *t = NULL;
    static const struct telemetry_tier tiers[] = {{1000, 100000000}, {10000, 1000000000}};
    const struct telemetry_config c = {.dir = dir,
                                       .tiers = tiers,
                                       .tier_count = ARRAY_LEN(tiers),
                                       .max_series = 1000,
                                       .now_ms = now};
    if (telemetry_open(&t, &c) < 0) {
        return;
    }
    struct telemetry_span spans[] = {{now(NULL) - 600000, 1000, 600, TELEMETRY_CF_AVG},
                                     {now(NULL) - 600000, 20000, 30, TELEMETRY_CF_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        ASSERT(telemetry_scan(t, NULL, &spans[i], look, &spans[i]) == 0);
    }
    ASSERT(telemetry_settle(t, now(NULL)) == 0);
    telemetry_close(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[] = "/tmp/marquee-fuzz-XXXXXX";
    if (size < 1) {
        return 0;
    }
    ASSERT(mkdtemp(dir));
    if (data[0] % 5 == 4) {
        write_framed(dir, data + 1, size - 1);
    } else {
        AUTO(cstr_free) char *path = NULL;
        ASSERT(cstr_printf(&path, "%s/%s", dir, names[data[0] % 5]) == 0);
        FILE *f = fopen(path, "wb");
        ASSERT(f && fwrite(data + 1, 1, size - 1, f) == size - 1);
        fclose(f);
    }
    examine(dir);
    ASSERT(fs_remove_tree(dir) == 0);
    return 0;
}
