// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/args.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static char seen[400];

static int record(const struct args *args)
{
    snprintf(seen, sizeof seen, "data=%s n=%lld waive=%zu first=%s operands=%zu json=%d",
             args_text(args, "data", "-"), (long long)args_number(args, "ranges", -1),
             args_times(args, "waive"),
             args_times(args, "waive") ? args_nth(args, "waive", 0) : "-",
             args_operand_count(args), args_has(args, "json"));
    return 42;
}

static int again(const struct args *args)
{
    return args_operand_count(args) == 0 ? 43 : 0;
}

static const struct args_option options[] = {
    {.name = "data", .kind = ARGS_DIR, .value = "DIR", .help = "The data folder"},
    {.name = "ranges",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Ranges",
     .min = 1,
     .max = 99},
    {.name = "waive",
     .kind = ARGS_TEXT,
     .value = "KIND",
     .help = "Waives a film's kind",
     .many = true},
    {.name = "until", .kind = ARGS_DATE, .value = "DATE", .help = "Until"},
    {.name = "role", .kind = ARGS_CHOICE, .value = "viewer|admin", .help = "It's a role"},
    {.name = "json", .kind = ARGS_NONE, .help = "One object"},
};
static const struct args_command table[] = {
    {.path = "ingest",
     .summary = "Publishes films",
     .operands = "FILE…",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 9,
     .options = options,
     .option_count = ARRAY_LEN(options),
     .run = record},
    {.path = "ingest again", .summary = "Once more", .operands = "", .run = again},
    {.path = "user add",
     .summary = "Adds a person",
     .operands = "NAME",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1,
     .run = record},
    {.path = "user list", .summary = "Lists people", .operands = "", .run = record},
    {.path = "step", .summary = "", .operands = "", .run = record, .hidden = true},
};

#define CALL(...)                                                         \
    ({                                                                    \
        char *argv_[] = {"marquee", __VA_ARGS__};                         \
        args_main(table, ARRAY_LEN(table), (int)ARRAY_LEN(argv_), argv_); \
    })

static void options_and_operands_mix(void **state)
{
    (void)state;
    assert_int_equal(CALL("ingest", "a.mp4", "--data=x", "--waive", "black", "--json",
                          "--waive", "frozen", "--data", "y", "--ranges", "7", "--",
                          "--b.mp4"),
                     42);
    assert_string_equal(seen, "data=y n=7 waive=2 first=black operands=2 json=1");
    assert_int_equal(CALL("user", "add", "eva"), 42);
}

static void the_longest_command_is_meant(void **state)
{
    (void)state;
    assert_int_equal(CALL("ingest", "again"), 43);
    assert_int_equal(CALL("ingest", "another"), 42);
}

static void bad_usage_is_two(void **state)
{
    (void)state;
    assert_int_equal(CALL("ingest"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--what"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "-x"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--data"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--data", ""), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--ranges", "0"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--ranges", "7x"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--until", "soon"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--role", "view"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "a", "--json=1"), ARGS_USAGE);
    assert_int_equal(CALL("user", "add", "a", "b"), ARGS_USAGE);
    assert_int_equal(CALL("user", "ad"), ARGS_USAGE);
    assert_int_equal(CALL("user"), ARGS_USAGE);
    assert_int_equal(CALL("nothing"), ARGS_USAGE);
    assert_int_equal(CALL("ingest", "--help"), ARGS_DONE);
    assert_int_equal(CALL("user", "--help"), ARGS_DONE);
    assert_int_equal(CALL("--help"), ARGS_DONE);
}

static void every_command_is_in_every_document(void **state)
{
    (void)state;
    static const char *const shells[] = {"bash", "zsh", "fish"};
    AUTO(buf_free) struct buf man = {0}, help = {0};
    args_man(table, ARRAY_LEN(table), &man);
    args_help_all(table, ARRAY_LEN(table), &help);
    assert_non_null(strstr(man.data, "user add"));
    assert_non_null(strstr(man.data, "\\-\\-waive"));
    assert_non_null(strstr(help.data, "user list"));
    assert_null(strstr(help.data, "step"));
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        AUTO(buf_free) struct buf out = {0};
        assert_int_equal(args_completion(table, ARRAY_LEN(table), shells[i], &out), 0);
        assert_non_null(strstr(out.data, "waive"));
        assert_non_null(strstr(out.data, "viewer admin"));
        assert_null(strstr(out.data, "step"));
    }
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(args_completion(table, ARRAY_LEN(table), "tcsh", &out), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_mix),
        cmocka_unit_test(the_longest_command_is_meant),
        cmocka_unit_test(bad_usage_is_two),
        cmocka_unit_test(every_command_is_in_every_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
