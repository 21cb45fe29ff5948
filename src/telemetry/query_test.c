// SPDX-License-Identifier: GPL-3.0-or-later
//
// Questions are read: what Atlas' own tests ask, what nobody should ask, and that what is printed is read
// as the same.
#include "telemetry/telemetry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1420070400000) // 2015-01-01T00:00Z

static int graph(const char *uri, struct arena *a, const struct telemetry_graph **ret)
{
    return telemetry_graph_parse(str_of(uri), NOW_MS, 60000, a, ret);
}

static void reads_what_atlas_asks(void **state)
{
    (void)state;
    const char *shared = getenv("MARQUEE_SHARED");
    if (!shared) {
        print_message("SKIPPED: no MARQUEE_SHARED\n");
        skip();
    }
    AUTO(buf_free) struct buf path = {0}, file = {0};
    buf_printf(&path, "%s/data/telemetry/atlas/queries.txt", shared);
    assert_int_equal(fs_read_file(path.data, 1 << 20, &file), 0);
    struct str rest = buf_view(&file), line;
    int parsed = 0, failed = 0;
    while (str_next(&rest, '\n', &line)) {
        AUTO(arena_free) struct arena *a = NULL;
        const struct telemetry_graph *g;
        if (line.len == 0) {
            continue;
        }
        assert_int_equal(arena_new(&a), 0);
        if (telemetry_graph_parse(line, NOW_MS, 60000, a, &g) < 0) {
            print_error("%.*s\n  %s\n", STR_ARG(line), err_reason());
            failed++;
        } else {
            parsed++;
        }
    }
    assert_int_equal(failed, 0);
    assert_int_equal(parsed, 372);
}

int main(void)
{
    (void)graph;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_atlas_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
