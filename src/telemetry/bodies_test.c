// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bodies of requests: Atlas' publish, Prometheus' remote write and text exposition; datagrams that come over
// real sockets.
#include "telemetry/fake_store.h"
#include "telemetry/wire.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <snappy-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define STEP_MS INT64_C(60000)

struct world {
    struct telemetry *store;
    struct telemetry_intake *intake;
    struct arena *arena;
    struct telemetry_taken taken;
};

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    TRY(fake_store_open(&w->store, STEP_MS));
    TRY(arena_new(&w->arena));
    const struct telemetry_intake_config config = {.store = w->store, .flush_ms = -1};
    return telemetry_intake_new(&w->intake, &config);
}

static int world_close(void **state)
{
    struct world *w = *state;
    telemetry_intake_free(&w->intake);
    fake_store_close(&w->store);
    arena_free(&w->arena);
    free(w);
    return 0;
}

static const char *stored(struct world *w)
{
    return fake_store_take(w->store, w->arena);
}

// --- publish --------------------------------------------------------------------------------

static int publish(struct world *w, const char *text)
{
    AUTO(json_free) json_t *body = NULL;
    assert_int_equal(json_parse(&body, str_of(text), 1u << 20), 0);
    return telemetry_take_publish(w->intake, body, &w->taken);
}

static void publish_takes_what_is_good(void **state)
{
    struct world *w = *state;
    assert_int_equal(
        publish(w, "{\"tags\":{\"nf.app\":\"web\",\"k1\":\"common\"},\"metrics\":["
                   "{\"tags\":{\"name\":\"a\",\"k1\":\"own\"},\"timestamp\":100000,"
                   "\"value\":1.5},"
                   "{\"tags\":{\"name\":\"b\",\"atlas.dstype\":\"rate\"},\"timestamp\":"
                   "100000,\"value\":2},"
                   "{\"tags\":{\"name\":\"c\",\"atlas.dstype\":\"counter\"},"
                   "\"timestamp\":100000,\"value\":3},"
                   "{\"tags\":{\"name\":\"d\",\"atlas.dstype\":\"sum\"},\"timestamp\":"
                   "100000,\"value\":4}]}"),
        0);
    assert_string_equal(
        stored(w), "a,k1=own,nf.app=web @100000 = 1.5\n"
                   "b,atlas.dstype=rate,k1=common,nf.app=web rate @100000 = 2\n"
                   "c,atlas.dstype=counter,k1=common,nf.app=web counter @100000 = 3\n"
                   "d,atlas.dstype=sum,k1=common,nf.app=web sum @100000 = 4\n");
    assert_int_equal(w->taken.stored, 4);
    assert_int_equal(w->taken.dropped, 0);
}

static void publish_names_what_is_not(void **state)
{
    struct world *w = *state;
    assert_int_equal(
        publish(
            w, "{\"metrics\":["
               "{\"tags\":{\"name\":\"a\"},\"timestamp\":100000,\"value\":1},"
               "{\"tags\":{\"k1\":\"v\"},\"timestamp\":100000,\"value\":1},"
               "{\"tags\":{\"name\":\"a\",\"k\":\"v\"},\"timestamp\":100000,\"value\":1},"
               "{\"tags\":{\"name\":\"a\",\"k1\":\"\"},\"timestamp\":100000,\"value\":1},"
               "{\"tags\":{\"name\":\"a\",\"k1\":7},\"timestamp\":100000,\"value\":1},"
               "{\"tags\":{\"name\":\"a\",\"atlas.dstype\":\"no\"},\"timestamp\":100000,"
               "\"value\":1},"
               "{\"tags\":{\"name\":\"a\"},\"timestamp\":100000,\"value\":\"NaN\"},"
               "{\"tags\":{\"name\":\"a\"},\"timestamp\":1,\"value\":1},"
               "{\"tags\":{\"name\":\"a\"},\"value\":1},[]]}"),
        0);
    assert_string_equal(stored(w), "a @100000 = 1\n");
    assert_int_equal(w->taken.stored, 1);
    assert_int_equal(w->taken.dropped, 9);
    assert_int_equal(w->taken.reason_count, TELEMETRY_TAKEN_REASONS);
    assert_string_equal(w->taken.reasons[0], "missing key 'name'");
    assert_int_equal(publish(w, "{\"metrics\":{}}"), ERR_INVALID);
    assert_int_equal(publish(w, "[]"), ERR_INVALID);
    assert_int_equal(publish(w, "{\"tags\":[],\"metrics\":[]}"), ERR_INVALID);
    assert_int_equal(publish(w, "{\"metrics\":[]}"), 0);
}

// --- remote write ---------------------------------------------------------------------------

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        buf_char(out, (char)(v | 0x80));
    }
    buf_char(out, (char)v);
}

static void put_bytes(struct buf *out, unsigned field, struct str bytes)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len);
    buf_str(out, bytes);
}

static void put_label(struct buf *series, const char *name, const char *value)
{
    AUTO(buf_free) struct buf label = {0};
    put_bytes(&label, 1, str_of(name));
    put_bytes(&label, 2, str_of(value));
    put_bytes(series, 1, buf_view(&label));
}

static void put_sample(struct buf *series, double value, int64_t at_ms)
{
    AUTO(buf_free) struct buf sample = {0};
    put_varint(&sample, 1 << 3 | 1);
    buf_add(&sample, &value, sizeof value);
    put_varint(&sample, 2 << 3);
    put_varint(&sample, (uint64_t)at_ms);
    put_bytes(series, 2, buf_view(&sample));
}

static int write_plain(struct world *w, const struct buf *plain)
{
    char block[8192];
    size_t len = sizeof block;
    assert_int_equal(
        snappy_compress(plain->data ? plain->data : "", plain->len, block, &len),
        SNAPPY_OK);
    return telemetry_take_remote_write(w->intake, (struct str){block, len}, &w->taken);
}

static int write_series(struct world *w, const struct buf *series)
{
    AUTO(buf_free) struct buf plain = {0};
    put_bytes(&plain, 1, buf_view(series));
    put_bytes(&plain, 3, STR("metadata"));
    return write_plain(w, &plain);
}

static void remote_write_is_stored_as_it_comes(void **state)
{
    struct world *w = *state;
    for (int round = 0; round < 2; round++) { // the second time the labels are known
        AUTO(buf_free) struct buf series = {0};
        put_label(&series, "__name__", "http_requests_total");
        put_label(&series, "empty", "");
        put_label(&series, "handler", "/api/v1/*path");
        put_label(&series, "name", "x");
        put_sample(&series, 10, 100000);
        put_sample(&series, 11.5, 160000);
        put_bytes(&series, 3, STR("an exemplar"));
        assert_int_equal(write_series(w, &series), 0);
        assert_string_equal(
            stored(w),
            "http_requests_total,exported_name=x,handler=/api/v1/*path @100000 = 10\n"
            "http_requests_total,exported_name=x,handler=/api/v1/*path @160000 = 11.5\n");
        assert_int_equal(w->taken.stored, 2);
    }
    assert_int_equal(fake_store_series(w->store), 1);
}

static void a_series_that_ended_has_no_value(void **state)
{
    struct world *w = *state;
    AUTO(buf_free) struct buf series = {0};
    uint64_t stale = 0x7ff0000000000002;
    double value;
    memcpy(&value, &stale, sizeof value);
    put_label(&series, "__name__", "up");
    put_sample(&series, value, 100000);
    assert_int_equal(write_series(w, &series), 0);
    assert_int_equal(w->taken.dropped, 0);
    buf_clear(&series);
    put_label(&series, "__name__", "up");
    put_sample(&series, 0.0 / 0.0, 100000); // no mark, no number either
    assert_int_equal(write_series(w, &series), 0);
    assert_int_equal(w->taken.dropped, 1);
    assert_string_equal(stored(w), "");
}

static void what_is_over_a_limit_is_remembered(void **state)
{
    struct world *w = *state;
    fake_store_limit(w->store, 0);
    for (int round = 0; round < 3; round++) {
        AUTO(buf_free) struct buf series = {0};
        put_label(&series, "__name__", "up");
        put_sample(&series, 1, 100000);
        assert_int_equal(write_series(w, &series), 0);
        assert_int_equal(w->taken.dropped, 1);
        assert_string_equal(w->taken.reasons[0], "a series is over a limit");
    }
    assert_int_equal(telemetry_intake_counts(w->intake).over_limit, 3);
}

static void hostile_requests_are_refused(void **state)
{
    struct world *w = *state;
    AUTO(buf_free) struct buf series = {0}, plain = {0};
    // No block at all, one that is cut, one that says it is huge.
    assert_int_equal(telemetry_take_remote_write(w->intake, STR(""), &w->taken),
                     ERR_INVALID);
    assert_int_equal(telemetry_take_remote_write(w->intake, STR("\x20xyz"), &w->taken),
                     ERR_INVALID);
    assert_int_equal(
        telemetry_take_remote_write(w->intake, STR("\xff\xff\xff\x0fx"), &w->taken),
        ERR_INVALID);
    // A message that ends behind its end; what precedes it is stored.
    put_label(&series, "__name__", "up");
    put_sample(&series, 1, 100000);
    put_bytes(&plain, 1, buf_view(&series));
    put_varint(&plain, 1 << 3 | 2);
    put_varint(&plain, UINT64_MAX);
    assert_int_equal(write_plain(w, &plain), ERR_INVALID);
    assert_string_equal(stored(w), "up @100000 = 1\n");
    // Series without a name, without labels, with labels behind samples, with a control character.
    const char *const names[] = {"job", "", "__name__", "__name__"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_clear(&series);
        if (*names[i]) {
            put_label(&series, names[i], i == 3 ? "a\nb" : "a");
        }
        put_sample(&series, 1, 100000);
        if (i == 2) {
            put_label(&series, "job", "b");
        }
        assert_int_equal(write_series(w, &series), 0);
        assert_true(w->taken.dropped > 0);
    }
    assert_int_equal(telemetry_intake_counts(w->intake).malformed, 8);
}

// --- OTLP -----------------------------------------------------------------------------------

static void put_attribute(struct buf *out, unsigned field, const char *key,
                          const char *value)
{
    AUTO(buf_free) struct buf any = {0}, pair = {0};
    put_bytes(&any, 1, str_of(value));
    put_bytes(&pair, 1, str_of(key));
    put_bytes(&pair, 2, buf_view(&any));
    put_bytes(out, field, buf_view(&pair));
}

static void put_fixed(struct buf *out, unsigned field, const void *value)
{
    put_varint(out, field << 3 | 1);
    buf_add(out, value, 8);
}

// A metric of one point: a number (kind 5, 7), or a histogram's count and sum (9).
static void put_metric(struct buf *scope, const char *name, unsigned kind,
                       int temporality, bool grows)
{
    AUTO(buf_free) struct buf point = {0}, data = {0}, metric = {0};
    const uint64_t at_ns = 100000 * UINT64_C(1000000), count = 3;
    const double value = 1.5;
    const int64_t whole = -7;
    put_attribute(&point, kind == 9 ? 9 : 7, "path", "/a");
    put_fixed(&point, 3, &at_ns);
    put_fixed(&point,
              kind == 9   ? 5
              : kind == 5 ? 6
                          : 4,
              kind == 5 ? (const void *)&whole : &value);
    if (kind == 9) {
        put_fixed(&point, 4, &count);
    }
    put_bytes(&data, 1, buf_view(&point));
    put_varint(&data, 2 << 3);
    put_varint(&data, (uint64_t)temporality);
    put_varint(&data, 3 << 3);
    put_varint(&data, grows);
    put_bytes(&metric, 1, str_of(name));
    put_bytes(&metric, kind, buf_view(&data));
    put_bytes(scope, 2, buf_view(&metric));
}

static void otlp_says_what_a_sum_is(void **state)
{
    struct world *w = *state;
    AUTO(buf_free) struct buf scope = {0}, resource = {0}, all = {0}, body = {0};
    put_metric(&scope, "queue", 5, 0, false);
    put_metric(&scope, "whole", 7, 2, true);
    put_metric(&scope, "parts", 7, 1, true);
    put_metric(&scope, "level", 7, 2, false);
    put_metric(&scope, "sizes", 9, 2, false);
    put_metric(&scope, "other", 11, 2, false); // a summary: not read
    put_attribute(&resource, 1, "service.name", "web");
    put_attribute(&resource, 1, "telemetry.sdk.name", "x");
    put_bytes(&all, 1, buf_view(&resource));
    put_bytes(&all, 2, buf_view(&scope));
    put_bytes(&body, 1, buf_view(&all));
    assert_int_equal(telemetry_take_otlp(w->intake, buf_view(&body), &w->taken), 0);
#define TAGS ",path=/a,service.name=web"
    assert_string_equal(
        stored(w),
        "level,atlas.dstype=gauge" TAGS " @100000 = 1.5\n"
        "parts,atlas.dstype=sum" TAGS " sum @100000 = 1.5\n"
        "queue,atlas.dstype=gauge" TAGS " @100000 = -7\n"
        "sizes,atlas.dstype=counter" TAGS ",statistic=count counter @100000 = 3\n"
        "sizes,atlas.dstype=counter" TAGS ",statistic=totalAmount counter @100000 = 1.5\n"
        "whole,atlas.dstype=counter" TAGS " counter @100000 = 1.5\n");
    assert_int_equal(w->taken.stored, 6);
    assert_int_equal(w->taken.dropped, 1);
    assert_int_equal(telemetry_take_otlp(w->intake, STR("\x0a\xff"), &w->taken),
                     ERR_INVALID);
    assert_int_equal(telemetry_take_otlp(w->intake, STR("x"), &w->taken), ERR_INVALID);
    assert_int_equal(telemetry_take_otlp(w->intake, STR(""), &w->taken), 0);
}

// --- exposition -----------------------------------------------------------------------------

static void exposition_is_read_line_by_line(void **state)
{
    struct world *w = *state;
    const struct str text =
        STR("# HELP http_requests_total The total.\n"
            "# TYPE http_requests_total counter\n"
            "http_requests_total{method=\"post\",code=\"200\"} 1027 100000\n"
            "http_requests_total{ code = \"400\" , method = \"post\", } 3\t160000\n"
            "\n"
            "paths{path=\"C:\\\\DIR\\\\F.TXT\",error=\"a \\\"b} c\\\"\\nd\"} "
            "1.458255915e9\r\n"
            "metric_without_time_and_labels 12.47\n"
            "with_exemplar_bucket{le=\"10\"} 17 # {trace_id=\"x\"} 9.8 1520879607.789\n"
            "name {name=\"x\"} +1e1\n"
            "nothing NaN\n"
            "infinite +Inf\n"
            "broken{a=\"b\n"
            "broken{a=\"b\"\n"
            "broken{a=b} 1\n"
            "broken{a=\"b\" c=\"d\"} 1\n"
            "broken\n"
            "broken x\n"
            "broken 1 x\n"
            "broken 1 -5\n"
            "{} 1\n"
            "# EOF");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(
            telemetry_take_exposition(w->intake, text, NULL, 220000, &w->taken), 0);
        assert_string_equal(
            stored(w),
            "http_requests_total,code=200,method=post @100000 = 1027\n"
            "http_requests_total,code=400,method=post @160000 = 3\n"
            "metric_without_time_and_labels @220000 = 12.47\n"
            "name,exported_name=x @220000 = 10\n"
            "paths,error=a \"b} c\" d,path=C:\\DIR\\F.TXT @220000 = 1458255915\n"
            "with_exemplar_bucket,le=10 @220000 = 17\n");
        assert_int_equal(w->taken.stored, 6);
        assert_int_equal(w->taken.dropped, 11);
    }
    assert_int_equal(telemetry_intake_counts(w->intake).malformed, 18);
    assert_int_equal(telemetry_intake_counts(w->intake).bad_value, 4);
}

static void targets_are_told_apart(void **state)
{
    struct world *w = *state;
    for (int round = 0; round < 2; round++) {
        const char *const instances[] = {"a:1", "b:1"};
        for (size_t i = 0; i < 2; i++) {
            const struct telemetry_tag tag = {STR("instance"), str_of(instances[i])};
            const struct telemetry_tags more = {&tag, 1};
            assert_int_equal(telemetry_take_exposition(w->intake, STR("up 1\n"), &more,
                                                       220000, &w->taken),
                             0);
        }
        assert_string_equal(stored(w), "up,instance=a:1 @220000 = 1\n"
                                       "up,instance=b:1 @220000 = 1\n");
    }
}

// --- datagrams ------------------------------------------------------------------------------

#define MANY 500

// Sends so many datagrams of two lines and ends the receiver, which reads what waits.
static void lines_arrive(struct world *w, int fd, struct telemetry_receiver **receiver)
{
    for (int i = 0; i < MANY; i++) {
        const char text[] = "c:hits:1\nnonsense";
        assert_int_equal(send(fd, text, sizeof text - 1, 0), sizeof text - 1);
    }
    telemetry_receiver_stop(receiver);
    struct telemetry_intake_counts counts = telemetry_intake_counts(w->intake);
    assert_int_equal(counts.datagrams, MANY);
    assert_int_equal(counts.lines, 2 * MANY);
    assert_int_equal(counts.malformed, MANY);
    assert_int_equal(counts.kernel_drops, 0);
}

static void lines_come_over_udp(void **state)
{
    struct world *w = *state;
    struct telemetry_receiver *receiver = NULL;
    assert_int_equal(telemetry_receiver_start(&receiver, w->intake, "udp://127.0.0.1:0"),
                     0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(telemetry_receiver_port(receiver)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    AUTO(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    lines_arrive(w, fd, &receiver);
}

static void lines_come_over_unix_datagrams(void **state)
{
    struct world *w = *state;
    struct telemetry_receiver *receiver = NULL, *second = NULL;
    char dir[] = "/tmp/wire-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s/series.sock", dir);
    const char *address = arena_printf(w->arena, "unix://%s", to.sun_path);
    // What a killed process left is in nobody's way.
    AUTO(fd_close) int left = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(left, (struct sockaddr *)&to, sizeof to), 0);
    fd_close(&left);
    assert_int_equal(telemetry_receiver_start(&receiver, w->intake, address), 0);
    assert_int_equal(telemetry_receiver_start(&second, w->intake, address), ERR_BUSY);
    AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    lines_arrive(w, fd, &receiver);
    assert_false(fs_exists(to.sun_path));
    assert_int_equal(rmdir(dir), 0);
}

static void addresses_are_checked(void **state)
{
    struct world *w = *state;
    struct telemetry_receiver *r = NULL;
    const char *const wrong[] = {"",
                                 "127.0.0.1:1",
                                 "udp://",
                                 "udp://127.0.0.1",
                                 "udp://host:1",
                                 "udp://127.0.0.1:70000",
                                 "udp://[::1:5",
                                 "unix://"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(telemetry_receiver_start(&r, w->intake, wrong[i]), ERR_INVALID);
    }
}

static void pack_gzip(const void *bytes, size_t len, struct buf *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    size_t room = deflateBound(&z, len);
    buf_reserve(out, room);
    assert_int_equal(out->err, 0);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out->data + out->len;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len += room - z.avail_out;
    deflateEnd(&z);
}

static void gzip_is_unpacked_within_limits(void **state)
{
    struct world *w = *state;
    AUTO(buf_free) struct buf packed = {0}, plain = {0}, none = {0};
    pack_gzip("one 1\n", 6, &packed);
    size_t first = packed.len;
    pack_gzip("two 2\n", 6, &packed);
    assert_int_equal(telemetry_unpack_gzip(w->intake, buf_view(&packed), &plain), 0);
    assert_int_equal(plain.len, 12);
    assert_memory_equal(plain.data, "one 1\ntwo 2\n", 12);
    // Cut off anywhere, or with something else behind it, it is none.
    for (size_t len = 0; len < packed.len; len++) {
        if (len != first) { // there the first member is whole
            assert_int_equal(
                telemetry_unpack_gzip(w->intake, (struct str){packed.data, len}, &none),
                ERR_INVALID);
        }
    }
    buf_char(&packed, 'x');
    assert_int_equal(telemetry_unpack_gzip(w->intake, buf_view(&packed), &none),
                     ERR_INVALID);
    assert_int_equal(telemetry_intake_counts(w->intake).malformed, packed.len - 1);
    assert_int_equal(none.len, 0);
}

static void a_bomb_of_gzip_is_refused(void **state)
{
    struct world *w = *state;
    static const char zeros[1 << 20];
    AUTO(buf_free) struct buf packed = {0}, plain = {0};
    pack_gzip(zeros, sizeof zeros - 1, &packed); // a free megabyte
    assert_int_equal(telemetry_unpack_gzip(w->intake, buf_view(&packed), &plain), 0);
    assert_int_equal(plain.len, sizeof zeros - 1);
    for (int i = 0; i < 40; i++) {
        pack_gzip(zeros, sizeof zeros, &packed);
    }
    buf_free(&plain);
    plain = (struct buf){0};
    assert_true(packed.len < 100000);
    assert_int_equal(telemetry_unpack_gzip(w->intake, buf_view(&packed), &plain),
                     ERR_LIMIT);
    assert_int_equal(plain.cap, 0);
}

#define test_of(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(publish_takes_what_is_good),
        test_of(publish_names_what_is_not),
        test_of(remote_write_is_stored_as_it_comes),
        test_of(a_series_that_ended_has_no_value),
        test_of(what_is_over_a_limit_is_remembered),
        test_of(hostile_requests_are_refused),
        test_of(gzip_is_unpacked_within_limits),
        test_of(a_bomb_of_gzip_is_refused),
        test_of(otlp_says_what_a_sum_is),
        test_of(exposition_is_read_line_by_line),
        test_of(targets_are_told_apart),
        test_of(lines_come_over_udp),
        test_of(lines_come_over_unix_datagrams),
        test_of(addresses_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
