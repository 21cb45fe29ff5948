// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/dashboards.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void write_board(const char *dir, const char *name, const char *text)
{
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/dashboards/%s", dir, name), 0);
    assert_int_equal(fs_write_file(path, text, strlen(text)), 0);
}

static int make_folder(void **state)
{
    static char dir[] = "/tmp/marquee-boards-XXXXXX";
    AUTO(cstr_free) char *path = NULL;
    *state = mkdtemp(dir);
    return !*state || cstr_printf(&path, "%s/dashboards", dir) < 0 ||
           fs_make_dirs(path) < 0;
}

static int remove_folder(void **state)
{
    return fs_remove_tree(*state);
}

static void one_is_built_in(void **state)
{
    AUTO(json_free) json_t *list = NULL, *board = NULL;
    assert_int_equal(dashboards_list("/nonexistent", &list), 0);
    assert_int_equal(json_array_size(list), 1);
    assert_true(json_is_null(json_object_get(json_array_get(list, 0), "error")));
    assert_int_equal(dashboard_read(*state, "service", &board), 0);
    assert_true(json_array_size(json_object_get(board, "rows")) >= 3);
}

static void files_are_listed_with_their_mistakes(void **state)
{
    const char *dir = *state;
    AUTO(json_free) json_t *list = NULL, *board = NULL;
    write_board(dir, "own.yaml",
                "title: Mine\nrows:\n  - title: A\n    graphs:\n      - title: G\n"
                "        q: name,a,:eq,:sum\n        stack: true\n");
    write_board(dir, "bent.yaml",
                "title: Bent\nrows:\n  - title: A\n    graphs:\n      - title: G\n"
                "        q: name,a,:eq,:nosuchword\n");
    write_board(dir, "more.yaml", "title: M\ncolour: red\nrows: []\n");
    write_board(dir, "no board.yaml", "title: N\n");
    assert_int_equal(dashboards_list(dir, &list), 0);
    assert_int_equal(json_array_size(list), 4);
    const json_t *bent = json_array_get(list, 0), *more = json_array_get(list, 1);
    assert_non_null(strstr(json_str_or(bent, "error", ""), "dashboards/bent.yaml:6"));
    assert_non_null(strstr(json_str_or(bent, "error", ""), "nosuchword"));
    assert_non_null(strstr(json_str_or(more, "error", ""), "dashboards/more.yaml:"));
    assert_non_null(strstr(json_str_or(more, "error", ""), "colour"));
    assert_int_equal(dashboard_read(dir, "own", &board), 0);
    const json_t *row = json_array_get(json_object_get(board, "rows"), 0);
    const json_t *graph = json_array_get(json_object_get(row, "graphs"), 0);
    assert_string_equal(json_str_or(graph, "q", ""), "name,a,:eq,:sum");
    assert_true(json_is_true(json_object_get(graph, "stack")));
    json_t *none = NULL;
    assert_int_equal(dashboard_read(dir, "bent", &none), ERR_INVALID);
    assert_int_equal(dashboard_read(dir, "gone", &none), ERR_NOT_FOUND);
    assert_int_equal(dashboard_read(dir, "../dashboards/own", &none), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_built_in),
        cmocka_unit_test(files_are_listed_with_their_mistakes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
