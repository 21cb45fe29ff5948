// SPDX-License-Identifier: Apache-2.0
#include "meter/meter.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
// cmocka wants the ones above it.
#include <cmocka.h>

static int open_receiver(char address[64])
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

static void lines_reach_the_receiver_as_spectatord_reads_them(void **state)
{
    (void)state;
    char address[64], got[2048];
    AUTO(fd_close) int receiver = open_receiver(address);
    AUTO(meter_free) struct meter *m = NULL;
    assert_int_equal(meter_new(&m, address), 0);
    const struct meter_tag tags[] = {{"route", "/api/v1/titles"}, {"status", "200"}, {0}};
    meter_count(m, "http.requests", tags, 2);
    meter_time(m, "http.time", NULL, 1500000);
    meter_gauge(m, "blobs.bytes", NULL, 0.5);
    meter_record(m, "segment size", NULL, 4096);
    meter_flush(m);
    ssize_t n = recv(receiver, got, sizeof got - 1, 0);
    assert_true(n > 0);
    got[n] = '\0';
    assert_string_equal(got, "c:http.requests,route=_api_v1_titles,status=200:2\n"
                             "t:http.time:1.5\n"
                             "g:blobs.bytes:0.5\n"
                             "d:segment_size:4096\n");
}

static void a_full_packet_leaves_whole_lines(void **state)
{
    (void)state;
    char address[64], got[2048];
    AUTO(fd_close) int receiver = open_receiver(address);
    AUTO(meter_free) struct meter *m = NULL;
    assert_int_equal(meter_new(&m, address), 0);
    for (int i = 0; i < 100; i++) {
        meter_count(m, "a.counter.with.a.name", NULL, i);
    }
    meter_flush(m);
    int lines = 0;
    while (lines < 100) {
        ssize_t n = recv(receiver, got, sizeof got, MSG_DONTWAIT);
        assert_true(n > 0 && n <= 1400);
        assert_int_equal(got[n - 1], '\n');
        for (ssize_t i = 0; i < n; i++) {
            lines += got[i] == '\n';
        }
    }
    assert_int_equal(lines, 100);
}

static void no_receiver_is_no_trouble_and_bad_addresses_are(void **state)
{
    (void)state;
    AUTO(meter_free) struct meter *m = NULL;
    assert_int_equal(meter_new(&m, NULL), 0);
    meter_count(m, "x", NULL, 1);
    struct meter *bad = NULL;
    assert_int_equal(meter_new(&bad, "tcp://127.0.0.1:1"), ERR_INVALID);
    assert_int_equal(meter_new(&bad, "udp://127.0.0.1"), ERR_INVALID);
    assert_int_equal(meter_new(&bad, "udp://somewhere:1"), ERR_INVALID);
    assert_null(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_reach_the_receiver_as_spectatord_reads_them),
        cmocka_unit_test(a_full_packet_leaves_whole_lines),
        cmocka_unit_test(no_receiver_is_no_trouble_and_bad_addresses_are),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
