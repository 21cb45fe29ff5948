// SPDX-License-Identifier: Apache-2.0
#include "meter/internal.h"

#include <arpa/inet.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
// cmocka wants the ones above it.
#include <cmocka.h>

static void keep(void *user, struct str lines)
{
    buf_str(user, lines);
}

// A client whose lines come into `got` at meter_flush and not before.
static struct meter *new_meter(struct buf *got, const struct meter_tag *common)
{
    struct meter *m = NULL;
    const struct meter_config config = {
        .sink = keep, .user = got, .common = common, .flush_us = -1};
    assert_int_equal(meter_new(&m, &config), 0);
    return m;
}

static void assert_flushed(struct meter *m, struct buf *got, const char *wanted)
{
    buf_clear(got);
    meter_flush(m);
    assert_string_equal(got->len ? got->data : "", wanted);
}

static void each_type_sends_its_line(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    const struct meter_tag tags[] = {{"b", "2"}, {"a", "1"}, {0}};
    meter_counter_add(meter_counter_of(m, "x", tags), 3);
    assert_flushed(m, &got, "c:x,a=1,b=2:3\n");
    meter_gauge_set(meter_gauge_of(m, "x", tags, 0), 0.5);
    assert_flushed(m, &got, "g:x,a=1,b=2:0.5\n");
    meter_gauge_set(meter_gauge_of(m, "x", tags, 60), -1e-9);
    assert_flushed(m, &got, "g,60:x,a=1,b=2:-1e-09\n");
    meter_gauge_set(meter_gauge_of(m, "x", tags, 1), 7);
    assert_flushed(m, &got, "g,5:x,a=1,b=2:7\n");
    meter_max_set(meter_max_of(m, "x", tags), -4);
    meter_max_set(meter_max_of(m, "x", tags), -6);
    assert_flushed(m, &got, "m:x,a=1,b=2:-4\n");
    meter_age_set(meter_age_of(m, "x", tags), 1500000000250000);
    assert_flushed(m, &got, "A:x,a=1,b=2:1500000000.25\n");
    meter_monotone_set(meter_monotone_of(m, "x", tags), 0.1);
    assert_flushed(m, &got, "C:x,a=1,b=2:0.1\n");
    meter_monotone_uint_set(meter_monotone_uint_of(m, "x", tags), UINT64_MAX);
    assert_flushed(m, &got, "U:x,a=1,b=2:18446744073709551615\n");
    meter_monotone_at_set(meter_monotone_at_of(m, "x", tags), 12, 1543160297100);
    assert_flushed(m, &got, "X,1543160297100:x,a=1,b=2:12\n");
    meter_timer_add_ns(meter_timer_of(m, "x", tags), 2);
    meter_timer_add_us(meter_timer_of(m, "x", tags), 1500000);
    assert_flushed(m, &got,
                   "c:x,a=1,b=2,statistic=count:2\n"
                   "c:x,a=1,b=2,statistic=totalTime:1.500000002\n"
                   "c:x,a=1,b=2,statistic=totalOfSquares:2.25\n"
                   "m:x,a=1,b=2,statistic=max:1.5\n");
    meter_summary_add(meter_summary_of(m, "x", tags), 4);
    meter_summary_add(meter_summary_of(m, "x", tags), -4);
    assert_flushed(m, &got,
                   "c:x,a=1,b=2,statistic=count:2\n"
                   "c:x,a=1,b=2,statistic=totalAmount:4\n"
                   "c:x,a=1,b=2,statistic=totalOfSquares:16\n"
                   "m:x,a=1,b=2,statistic=max:4\n");
    assert_flushed(m, &got, ""); // and nothing twice
    assert_int_equal(meter_stats(m).refused, 0);
}

static void percentiles_come_in_buckets(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    meter_timer_add_ns(meter_percentile_timer_of(m, "t", NULL), 1);
    meter_timer_add_ns(meter_percentile_timer_of(m, "t", NULL), 1);
    meter_timer_add_ns(meter_percentile_timer_of(m, "t", NULL), INT64_MAX);
    assert_flushed(m, &got,
                   "c:t,statistic=count:3\n"
                   "c:t,statistic=totalTime:9223372036.854775809\n"
                   "c:t,statistic=totalOfSquares:8.5070591730234622e+19\n"
                   "m:t,statistic=max:9223372036.854775807\n"
                   "c:t,percentile=T0001,statistic=percentile:2\n"
                   "c:t,percentile=T0113,statistic=percentile:1\n");
    meter_summary_add(meter_percentile_summary_of(m, "t", NULL), 0);
    assert_flushed(m, &got,
                   "c:t,statistic=count:1\n"
                   "c:t,statistic=totalAmount:0\n"
                   "c:t,statistic=totalOfSquares:0\n"
                   "m:t,statistic=max:0\n"
                   "c:t,percentile=D0000,statistic=percentile:1\n");
}

// The bounds as spectator's documentation writes them down, one after another.
static size_t list_bounds(uint64_t bounds[METER_BUCKETS])
{
    size_t n = 0;
    for (uint64_t i = 1; i <= 3; i++) {
        bounds[n++] = i;
    }
    for (unsigned exponent = 2; exponent < 62; exponent += 2) {
        uint64_t power = UINT64_C(1) << exponent, step = power / 3;
        unsigned __int128 next = ((unsigned __int128)power << 2) - step;
        for (uint64_t b = power; b < next; b += step) {
            assert_true(n < METER_BUCKETS);
            bounds[n++] = b;
        }
    }
    bounds[n++] = INT64_MAX;
    return n;
}

// The first bucket whose bound is over it; but what lies a whole step behind the last bound of a power
// of 4 is counted with the next power.
static unsigned bucket_by_looking(const uint64_t bounds[METER_BUCKETS], uint64_t amount)
{
    unsigned i = 0;
    while (i < METER_BUCKETS - 1 && amount >= bounds[i]) {
        i++;
    }
    uint64_t power = 1;
    while (power < UINT64_C(1) << 62 && power << 2 <= amount) {
        power <<= 2;
    }
    bool is_behind = i > 3 && amount - bounds[i - 1] >= power / 3;
    return MIN(i + (is_behind ? 1 : 0), METER_BUCKETS - 1);
}

static void buckets_are_those_of_their_bounds(void **state)
{
    (void)state;
    uint64_t bounds[METER_BUCKETS];
    assert_int_equal(list_bounds(bounds), METER_BUCKETS);
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t v = bounds[i] + (uint64_t)(int64_t)d;
            assert_int_equal(meter_bucket(v), bucket_by_looking(bounds, v));
        }
    }
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t v = seed >> (1 + seed % 63);
        assert_int_equal(meter_bucket(v), bucket_by_looking(bounds, v));
    }
}

static void one_id_is_one_meter(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    const struct meter_tag ab[] = {{"a", "1"}, {"b", "/2"}, {0}},
                           ba[] = {{"b", "?2"}, {"a", "1"}, {"a", "other"}, {0}};
    struct meter_counter *c = meter_counter_of(m, "n o", ab);
    assert_non_null(c);
    assert_ptr_equal(c, meter_counter_of(m, "n_o", ba));
    assert_ptr_not_equal(c, meter_counter_of(m, "n_o", NULL));
    assert_ptr_not_equal((void *)c, (void *)meter_max_of(m, "n_o", ab));
    meter_counter_add(c, 1);
    meter_counter_add(meter_counter_of(m, "n_o", ba), 1);
    assert_flushed(m, &got, "c:n_o,a=1,b=_2:2\n");
}

static void hostile_names_are_made_harmless_or_refused(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    char long_name[1001];
    memset(long_name, 'n', 1000);
    long_name[1000] = '\0';
    const struct meter_tag odd[] = {
        {"k:\n,=", "v\n:c:evil:1"}, {"empty", ""}, {"none", NULL}, {"", "x"}, {0}};
    meter_counter_add(meter_counter_of(m, "a\nc:b:1\xff\xe2\x82\xac", odd), 1);
    assert_flushed(m, &got, "c:a_c_b_1____,_=x,empty=_,k____=v__c_evil_1,none=_:1\n");
    meter_counter_add(meter_counter_of(m, long_name, NULL), 1);
    buf_clear(&got);
    meter_flush(m);
    assert_int_equal(got.len, 2 + NAME_BYTES_MAX + 3);

    assert_null(meter_counter_of(m, "", NULL));
    struct meter_tag many[TAGS_MAX + 2] = {0};
    char keys[TAGS_MAX + 1][4];
    for (unsigned i = 0; i <= TAGS_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "k%u", i);
        many[i] = (struct meter_tag){keys[i], "v"};
    }
    assert_null(meter_counter_of(m, "x", many));
    for (unsigned i = 0; i < 9; i++) {
        many[i].value = long_name;
    }
    many[9] = (struct meter_tag){0};
    assert_null(meter_counter_of(m, "x", many));
    assert_int_equal(meter_stats(m).refused, 3);
    meter_counter_add(NULL, 1); // what the refused ones come to
    assert_flushed(m, &got, "");
}

static void numbers_that_are_none_are_refused(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    const double none[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        meter_gauge_set(meter_gauge_of(m, "x", NULL, 0), none[i]);
        meter_max_set(meter_max_of(m, "x", NULL), none[i]);
        meter_monotone_set(meter_monotone_of(m, "x", NULL), none[i]);
        meter_monotone_at_set(meter_monotone_at_of(m, "x", NULL), none[i], 1);
        meter_gauge(m, "x", NULL, none[i]);
    }
    meter_monotone_at_set(meter_monotone_at_of(m, "x", NULL), 1, -1);
    assert_int_equal(meter_stats(m).refused, 16);
    assert_flushed(m, &got, "");
}

static void meters_over_the_limit_are_none(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = NULL;
    const struct meter_config config = {
        .sink = keep, .user = &got, .flush_us = -1, .max_meters = 2};
    assert_int_equal(meter_new(&m, &config), 0);
    assert_non_null(meter_counter_of(m, "a", NULL));
    assert_non_null(meter_counter_of(m, "b", NULL));
    assert_null(meter_counter_of(m, "c", NULL));
    assert_non_null(meter_counter_of(m, "a", NULL));
    assert_int_equal(meter_stats(m).refused, 1);
}

static void a_gauge_is_told_when_it_was_set(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    struct meter_gauge *g = meter_gauge_of(m, "g", NULL, 0);
    assert_flushed(m, &got, "");
    meter_gauge_set(g, 1);
    meter_gauge_set(g, 2);
    assert_flushed(m, &got, "g:g:2\n");
    assert_flushed(m, &got, "");
    meter_gauge_set(g, 2);
    assert_flushed(m, &got, "g:g:2\n");
}

static void an_age_is_told_again_to_who_came_later(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    struct meter_age *a = meter_age_of(m, "a", NULL);
    assert_flushed(m, &got, "");
    int64_t before_us = clock_wall_us();
    meter_age_set(a, 0);
    buf_clear(&got);
    meter_flush(m);
    double at = 0;
    assert_true(got.len > 4 && memcmp(got.data, "A:a:", 4) == 0);
    assert_int_equal(
        str_to_double(str_trim((struct str){got.data + 4, got.len - 4}), 0, 1e12, &at),
        0);
    assert_true(at >= (double)before_us / 1e6 - 1e-3 &&
                at <= (double)clock_wall_us() / 1e6 + 1e-3);
    assert_flushed(m, &got, "");
    // as if a minute had gone by
    ((struct item *)(void *)a)->told_age_us -= AGE_TOLD_AGAIN_US;
    meter_flush(m);
    assert_true(got.len > 4 && memcmp(got.data, "A:a:", 4) == 0);
}

static void lines_without_a_handle_and_common_tags(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    const struct meter_tag common[] = {{"node", "n 1"}, {"a", "common"}, {0}};
    AUTO(meter_free) struct meter *m = new_meter(&got, common);
    const struct meter_tag tags[] = {{"route", "/api/v1/titles"}, {"a", "own"}, {0}};
    meter_count(m, "http.requests", tags, 2);
    meter_count(m, "http.requests", tags, 0);
    meter_time(m, "http.time", NULL, 1500000);
    meter_gauge(m, "blobs.bytes", NULL, 0.5);
    meter_record(m, "segment size", NULL, 4096);
    assert_flushed(m, &got,
                   "c:http.requests,a=own,node=n_1,route=_api_v1_titles:2\n"
                   "t:http.time,a=common,node=n_1:1.5\n"
                   "g:blobs.bytes,a=common,node=n_1:0.5\n"
                   "d:segment_size,a=common,node=n_1:4096\n");
    for (int i = 0; i < 40000; i++) {
        meter_count(m, "a.rather.long.name.of.a.counter", tags, 1);
    }
    assert_true(meter_stats(m).refused > 0);
    meter_flush(m);
    assert_true(got.len <= PENDING_BYTES_MAX + 1000);
}

static void what_others_made_is_forwarded_where_it_is_of_the_grammar(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    const struct meter_tag common[] = {{"node", "n1"}, {0}};
    AUTO(meter_free) struct meter *m = new_meter(&got, common);
    meter_forward(m, STR("c:a:1\n"
                         "g,60:a,k=v:-1.5e3\n"
                         "X,12:a,node=mine:7\n"
                         "U:a:18446744073709551615\n"
                         "t:a,node2=x:0.5"));
    assert_flushed(m, &got,
                   "c:a,node=n1:1\n"
                   "g,60:a,k=v,node=n1:-1.5e3\n"
                   "X,12:a,node=mine:7\n"
                   "U:a,node=n1:18446744073709551615\n"
                   "t:a,node2=x,node=n1:0.5\n");
    static const char *const bad[] = {
        "c",        "c:",      "c:a",       "c:a:",     "c::1",         "z:a:1",
        "cc:a:1",   "c,1:a:1", "X:a:1",     "g,:a:1",   "g,x:a:1",      "g,-1:a:1",
        "c:a b:1",  "c:a,:1",  "c:a,k:1",   "c:a,k=:1", "c:a,=v:1",     "c:a,k=v=w:1",
        "c:a:0x10", "c:a:inf", "c:a:nan",   "c:a:1 ",   "c: a:1",       "c:a:1:2",
        "U:a:1.5",  "U:a:-1",  "c:a:1e999", "c:a:--1",  "c:a,k=\xff:1", "\x01:a:1",
        "c:a:1\r",  ",:a:1",   "g,1,2:a:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        meter_forward(m, str_of(bad[i]));
        assert_int_equal(meter_stats(m).refused, i + 1);
    }
    assert_flushed(m, &got, "");
}

static void numbers_have_points_in_any_language(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        setlocale(LC_NUMERIC, "C"); // the line below is then no proof, and no mistake
    }
    meter_gauge_set(meter_gauge_of(m, "x", NULL, 0), 0.5);
    meter_gauge(m, "y", NULL, 0.25);
    assert_flushed(m, &got, "g:y:0.25\ng:x:0.5\n");
    setlocale(LC_NUMERIC, "C");
}

static int call_count;
static void on_flush(void *user)
{
    call_count++;
    meter_gauge_set(user, call_count);
}

static void gauges_are_set_before_each_flush(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    call_count = 0;
    meter_on_flush(m, on_flush, meter_gauge_of(m, "calls", NULL, 0));
    assert_flushed(m, &got, "g:calls:1\n");
    assert_flushed(m, &got, "g:calls:2\n");
}

static double value_of(const struct buf *lines, const char *head)
{
    const char *at = strstr(lines->data, head);
    assert_non_null(at);
    return strtod(at + strlen(head), NULL);
}

static void the_process_is_measured(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, NULL);
    const struct meter_tag tags[] = {{"process", "test"}, {0}};
    meter_watch_process(m, "p", tags);
    meter_watch_process(m, "p", tags);
    meter_flush(m);
    double rss = value_of(&got, "g,20:p.rss,process=test:");
    assert_true(rss > 500e3 && rss < 100e9);
    assert_true(value_of(&got, "g,20:p.threads,process=test:") >= 1);
    double files = value_of(&got, "g,20:p.files,process=test:");
    assert_true(value_of(&got, "g,20:p.cpu,process=test:") >= 0);
    AUTO(fd_close) int one = dup(0);
    AUTO(fd_close) int two = dup(0);
    buf_clear(&got);
    meter_flush(m);
    assert_true(value_of(&got, "g,20:p.files,process=test:") == files + 2);
}

// --- receivers --------------------------------------------------------------------------------------

static int open_udp(char address[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(address, 64, "udp://127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

static int open_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_int_equal(str_copy(at.sun_path, sizeof at.sun_path, str_of(path)), 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

// Whole lines only, none over `limit` bytes a datagram; how many lines.
static int receive_all(int fd, ssize_t limit, int *ret_datagrams)
{
    char got[65536];
    int lines = 0;
    *ret_datagrams = 0;
    ssize_t n;
    while ((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) > 0) {
        assert_true(n <= limit);
        assert_int_equal(got[n - 1], '\n');
        assert_int_equal(got[0], 'c');
        for (ssize_t i = 0; i < n; i++) {
            lines += got[i] == '\n';
        }
        ++*ret_datagrams;
    }
    return lines;
}

static void count_meters(struct meter *m, int meters)
{
    for (int i = 0; i < meters; i++) {
        char name[220];
        snprintf(name, sizeof name, "%0*d", i % 190 + 8, i);
        meter_counter_add(meter_counter_of(m, name, NULL), 1);
    }
}

static void datagrams_hold_whole_lines_below_a_packet(void **state)
{
    (void)state;
    char address[64];
    int datagrams = 0;
    AUTO(fd_close) int receiver = open_udp(address);
    AUTO(meter_free) struct meter *m = NULL;
    const struct meter_config config = {.address = address, .flush_us = -1};
    assert_int_equal(meter_new(&m, &config), 0);
    count_meters(m, 400);
    meter_flush(m);
    assert_int_equal(receive_all(receiver, 1400, &datagrams), 400);
    assert_true(datagrams > 25 && datagrams < 50); // some 43 kB, well packed
    assert_int_equal(meter_stats(m).datagrams, datagrams);
    assert_int_equal(meter_stats(m).lines, 400);
}

static void a_unix_socket_takes_larger_ones(void **state)
{
    (void)state;
    char dir[] = "/tmp/meter-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTO(cstr_free) char *path = NULL, *address = NULL;
    assert_int_equal(cstr_printf(&path, "%s/socket", dir), 0);
    assert_int_equal(cstr_printf(&address, "unix://%s", path), 0);
    AUTO(meter_free) struct meter *m = NULL;
    const struct meter_config config = {.address = address, .flush_us = -1};
    int datagrams = 0;
    // The receiver need not be there yet, and what it misses fails nobody.
    assert_int_equal(meter_new(&m, &config), 0);
    count_meters(m, 10);
    meter_flush(m);
    assert_int_equal(meter_stats(m).lost, 1);
    {
        AUTO(fd_close) int receiver = open_unix(path);
        count_meters(m, 400);
        meter_flush(m);
        assert_int_equal(receive_all(receiver, 8192, &datagrams), 400);
        assert_true(datagrams > 4 && datagrams < 9);
    }
    unlink(path); // it begins anew: another socket at the same place
    AUTO(fd_close) int again = open_unix(path);
    count_meters(m, 5);
    meter_flush(m);
    assert_int_equal(receive_all(again, 8192, &datagrams), 5);
    assert_int_equal(meter_stats(m).lost, 1);
    unlink(path);
    rmdir(dir);
}

static void a_receiver_that_does_not_read_holds_nobody(void **state)
{
    (void)state;
    char dir[] = "/tmp/meter-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTO(cstr_free) char *path = NULL, *address = NULL;
    assert_int_equal(cstr_printf(&path, "%s/socket", dir), 0);
    assert_int_equal(cstr_printf(&address, "unix://%s", path), 0);
    AUTO(fd_close) int receiver = open_unix(path);
    AUTO(meter_free) struct meter *m = NULL;
    const struct meter_config config = {.address = address, .flush_us = -1};
    assert_int_equal(meter_new(&m, &config), 0);
    struct meter_counter *c = meter_counter_of(m, "c", NULL);
    uint64_t before = 0;
    do { // its queue fills, whatever the system allows
        before = meter_stats(m).datagrams;
        meter_counter_add(c, 1);
        meter_flush(m);
    } while (meter_stats(m).lost == 0 && before < 100000);
    assert_int_equal(meter_stats(m).lost, 1);
    unlink(path);
    rmdir(dir);
}

static void a_thread_sends_by_itself(void **state)
{
    (void)state;
    char address[64], got[2048];
    AUTO(fd_close) int receiver = open_udp(address);
    AUTO(meter_free) struct meter *m = NULL;
    const struct meter_config config = {.address = address, .flush_us = 1000};
    assert_int_equal(meter_new(&m, &config), 0);
    meter_counter_add(meter_counter_of(m, "c", NULL), 5);
    ssize_t n = recv(receiver, got, sizeof got, 0); // waits for it
    assert_int_equal(n, 6);
    assert_memory_equal(got, "c:c:5\n", 6);
}

static void what_is_left_is_sent_at_the_end(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf got = {0};
    struct meter *m = new_meter(&got, NULL);
    meter_counter_add(meter_counter_of(m, "c", NULL), 5);
    meter_free(&m);
    assert_null(m);
    assert_string_equal(got.data, "c:c:5\n");
}

static void no_receiver_is_no_trouble_and_bad_addresses_are(void **state)
{
    (void)state;
    AUTO(meter_free) struct meter *m = NULL;
    assert_int_equal(meter_new(&m, &(struct meter_config){0}), 0);
    assert_null(meter_counter_of(m, "x", NULL));
    assert_null(meter_counter_of(NULL, "x", NULL));
    meter_count(m, "x", NULL, 1);
    meter_count(NULL, "x", NULL, 1);
    meter_forward(m, STR("c:x:1"));
    meter_watch_process(m, "p", NULL);
    meter_timer_add_us(NULL, 1);
    meter_flush(m);
    assert_int_equal(meter_stats(m).lines, 0);
    struct meter *bad = NULL;
    static const char *const addresses[] = {
        "tcp://127.0.0.1:1", "udp://127.0.0.1", "udp://somewhere:1", "udp://:1",
        "udp://127.0.0.1:0", "udp://[::1:5",    "unix://",           ""};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        const struct meter_config config = {.address = addresses[i]};
        assert_int_equal(meter_new(&bad, &config), ERR_INVALID);
    }
    assert_null(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_sends_its_line),
        cmocka_unit_test(percentiles_come_in_buckets),
        cmocka_unit_test(buckets_are_those_of_their_bounds),
        cmocka_unit_test(one_id_is_one_meter),
        cmocka_unit_test(hostile_names_are_made_harmless_or_refused),
        cmocka_unit_test(numbers_that_are_none_are_refused),
        cmocka_unit_test(meters_over_the_limit_are_none),
        cmocka_unit_test(a_gauge_is_told_when_it_was_set),
        cmocka_unit_test(an_age_is_told_again_to_who_came_later),
        cmocka_unit_test(lines_without_a_handle_and_common_tags),
        cmocka_unit_test(what_others_made_is_forwarded_where_it_is_of_the_grammar),
        cmocka_unit_test(numbers_have_points_in_any_language),
        cmocka_unit_test(gauges_are_set_before_each_flush),
        cmocka_unit_test(the_process_is_measured),
        cmocka_unit_test(datagrams_hold_whole_lines_below_a_packet),
        cmocka_unit_test(a_unix_socket_takes_larger_ones),
        cmocka_unit_test(a_receiver_that_does_not_read_holds_nobody),
        cmocka_unit_test(a_thread_sends_by_itself),
        cmocka_unit_test(what_is_left_is_sent_at_the_end),
        cmocka_unit_test(no_receiver_is_no_trouble_and_bad_addresses_are),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
