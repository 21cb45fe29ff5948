// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines that a step's process hands over: what is forwarded is of the grammar, and none is longer than
// a datagram.
#include "meter/meter.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_known(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           memchr("-._:,=+", c, 7);
}

static void check_lines(void *user, struct str lines)
{
    (void)user;
    struct str line;
    ASSERT(lines.len > 0 && lines.len <= 8192 && lines.data[lines.len - 1] == '\n');
    while (str_next(&lines, '\n', &line)) {
        size_t colons = 0;
        for (size_t i = 0; i < line.len; i++) {
            ASSERT(is_known(line.data[i]));
            colons += line.data[i] == ':';
        }
        ASSERT(line.len == 0 || (line.len <= 1400 && colons == 2));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct meter_tag common[] = {{"node", "n1"}, {0}};
    const struct meter_config config = {
        .sink = check_lines, .common = common, .flush_us = -1};
    AUTO(meter_free) struct meter *m = NULL;
    ASSERT(meter_new(&m, &config) == 0);
    meter_forward(m, (struct str){(const char *)data, size});
    meter_flush(m);
    return 0;
}
