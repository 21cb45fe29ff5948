// SPDX-License-Identifier: GPL-3.0-or-later
//
// The C library reads the same files: it is the peer, zone by zone and second by second.
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char *const names[] = {"UTC",
                                    "Europe/Vienna",
                                    "US/Pacific",
                                    "America/Sao_Paulo",
                                    "Australia/Lord_Howe",
                                    "Africa/Casablanca",
                                    "Asia/Kolkata",
                                    "Pacific/Apia",
                                    "America/Nuuk",
                                    "Europe/Dublin",
                                    "Asia/Tehran",
                                    "Antarctica/Troll"};

static void peer_reads(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static void agrees_with_the_c_library(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        AUTO(zone_free) struct zone *z = NULL;
        assert_int_equal(zone_open(&z, names[n]), 0);
        peer_reads(names[n]);
        for (int i = 0; i < 20000; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            int64_t utc = (int64_t)(seed >> 31) - (INT64_C(1) << 31); // 1902 .. 2174
            struct tm tm;
            const char *letters = NULL;
            time_t t = utc;
            assert_non_null(localtime_r(&t, &tm));
            int32_t offset = zone_offset(z, utc, &letters);
            if (offset != tm.tm_gmtoff) {
                fail_msg("%s at %lld: %d, not %ld", names[n], (long long)utc, offset,
                         tm.tm_gmtoff);
            }
            assert_string_equal(letters, tm.tm_zone);
            struct zone_date d = zone_date(utc + offset);
            assert_int_equal(d.year, tm.tm_year + 1900);
            assert_int_equal(d.month, tm.tm_mon + 1);
            assert_int_equal(d.day, tm.tm_mday);
            assert_int_equal(d.hour, tm.tm_hour);
            assert_int_equal(d.minute, tm.tm_min);
            assert_int_equal(d.second, tm.tm_sec);
            assert_int_equal(d.weekday % 7, tm.tm_wday);
            assert_int_equal(d.year_day, tm.tm_yday + 1);
            assert_int_equal(zone_seconds(&d), utc + offset);
        }
    }
    peer_reads("UTC");
}

static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct zone_date d = {
        .year = year, .month = month, .day = day, .hour = hour, .minute = minute};
    return zone_seconds(&d);
}

static void local_times_come_back(void **state)
{
    (void)state;
    AUTO(zone_free) struct zone *z = NULL;
    assert_int_equal(zone_open(&z, "Europe/Vienna"), 0);
    assert_int_equal(zone_to_utc(z, at(2026, 11, 22, 12, 0)), at(2026, 11, 22, 11, 0));
    assert_int_equal(zone_to_utc(z, at(2026, 7, 1, 12, 0)), at(2026, 7, 1, 10, 0));
    // 02:30 does not exist on 29 March 2026; clocks change at 01:00 UTC.
    assert_int_equal(zone_to_utc(z, at(2026, 3, 29, 2, 30)), at(2026, 3, 29, 1, 0));
    // 02:30 comes twice on 25 October 2026: the first is still summer.
    assert_int_equal(zone_to_utc(z, at(2026, 10, 25, 2, 30)), at(2026, 10, 25, 0, 30));
}

static void refuses_what_is_no_zone(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "../../etc/passwd", "/etc/passwd", "Europe//Vienna",
        "Europe", "Mars/Phobos",      "a/../b",      "Europe/"};
    struct zone *z = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_true(zone_open(&z, bad[i]) < 0);
        assert_null(z);
    }
}

static void survives_broken_files(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf whole = {0};
    assert_int_equal(fs_read_file("/usr/share/zoneinfo/Europe/Dublin", 1 << 20, &whole),
                     0);
    for (size_t cut = 0; cut < whole.len; cut++) {
        AUTO(zone_free) struct zone *z = NULL;
        char *exact = malloc(cut + 1); // so that a read behind the end is seen
        memcpy(exact, whole.data, cut);
        if (zone_parse(&z, "cut", (struct str){exact, cut}) == 0) {
            zone_offset(z, 0, NULL);
        }
        free(exact);
    }
    for (size_t i = 0; i < whole.len; i++) {
        AUTO(zone_free) struct zone *z = NULL;
        char kept = whole.data[i];
        whole.data[i] = (char)(kept ^ 0x55);
        if (zone_parse(&z, "bent", buf_view(&whole)) == 0) {
            zone_offset(z, INT64_C(4000000000), NULL);
            zone_to_utc(z, 0);
        }
        whole.data[i] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(local_times_come_back),
        cmocka_unit_test(refuses_what_is_no_zone),
        cmocka_unit_test(survives_broken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
