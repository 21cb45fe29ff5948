// SPDX-License-Identifier: GPL-3.0-or-later
//
// Server CPU a sample over remote write: remote_write_bench URL PID [SERIES [POINTS [TOKEN]]]
// Sends POINTS minutes of SERIES series of mixed shapes over one connection, each request a sample of each of
// 5,000 series, as a scraping agent does; then prints samples/s and what the process PID used. The same for
// whatever speaks the protocol.
#include "base/base.h"

#include <curl/curl.h>
#include <math.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 5000

struct load {
    const char *url, *token;
    int64_t pid, series, points;
    struct buf *labels; // of each series, as messages
    double *values;
    uint64_t seed;
    CURL *curl;
    struct buf plain, block;
};

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

static int make_labels(struct load *l)
{
    l->labels = calloc((size_t)l->series, sizeof *l->labels);
    l->values = calloc((size_t)l->series, sizeof *l->values);
    FAIL_IF(!l->labels || !l->values, ERR_NOMEM, "series");
    for (int64_t i = 0; i < l->series; i++) {
        char name[64], instance[64];
        snprintf(name, sizeof name, "bench_metric_%lld", (long long)(i % 100));
        snprintf(instance, sizeof instance, "server-%05lld:9100", (long long)(i / 100));
        put_label(&l->labels[i], "__name__", name);
        put_label(&l->labels[i], "cluster", "www-main");
        put_label(&l->labels[i], "env", "production");
        put_label(&l->labels[i], "instance", instance);
        put_label(&l->labels[i], "job", "node");
        TRY(l->labels[i].err);
    }
    return 0;
}

static double uniform(struct load *l)
{
    l->seed = l->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(l->seed >> 11) * 0x1p-53;
}

// Five shapes: a counter, a walk of integers, a constant, a daily wave with noise in hundredths, noise.
static double next_value(struct load *l, int64_t i, int64_t point)
{
    double *v = &l->values[i];
    switch (i % 5) {
    case 0:
        return *v += floor(uniform(l) * 100);
    case 1:
        return *v += floor(uniform(l) * 3) - 1;
    case 2:
        return *v = (double)(i % 97);
    case 3:
        return round(5000 + 2000 * sin((double)point / 1440 * 6.283185307) +
                     100 * uniform(l)) /
               100;
    default:
        return uniform(l);
    }
}

static void put_series(struct load *l, int64_t i, int64_t point, int64_t at_ms)
{
    AUTO(buf_free) struct buf sample = {0};
    double value = next_value(l, i, point);
    put_varint(&sample, 1 << 3 | 1);
    buf_add(&sample, &value, sizeof value);
    put_varint(&sample, 2 << 3);
    put_varint(&sample, (uint64_t)at_ms);
    put_varint(&l->plain, 1 << 3 | 2);
    put_varint(&l->plain, l->labels[i].len + sample.len + 2);
    buf_str(&l->plain, buf_view(&l->labels[i]));
    put_bytes(&l->plain, 2, buf_view(&sample));
}

static int post(struct load *l)
{
    size_t len = snappy_max_compressed_length(l->plain.len);
    buf_clear(&l->block);
    buf_reserve(&l->block, len);
    TRY(l->plain.err);
    TRY(l->block.err);
    FAIL_IF(snappy_compress(l->plain.data, l->plain.len, l->block.data, &len) !=
                SNAPPY_OK,
            ERR_INTERNAL, "snappy");
    curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, l->block.data);
    curl_easy_setopt(l->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    CURLcode code = curl_easy_perform(l->curl);
    FAIL_IF(code != CURLE_OK, ERR_IO, "%s", curl_easy_strerror(code));
    buf_clear(&l->plain);
    return 0;
}

static int server_ticks(const struct load *l, int64_t *ret)
{
    AUTO(buf_free) struct buf stat = {0};
    AUTO(cstr_free) char *path = NULL;
    unsigned long long user = 0, kernel = 0;
    TRY(cstr_printf(&path, "/proc/%lld/stat", (long long)l->pid));
    TRY(fs_read_file(path, 4096, &stat));
    const char *after = strrchr(stat.data, ')');
    FAIL_IF(!after ||
                sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                       &user, &kernel) != 2,
            ERR_INVALID, "%s", path);
    *ret = (int64_t)(user + kernel);
    return 0;
}

static int send_points(struct load *l)
{
    int64_t now_ms = clock_wall_us() / 1000;
    int64_t first_ms = now_ms - now_ms % 60000 - l->points * 60000;
    for (int64_t point = 0; point < l->points; point++) {
        for (int64_t i = 0; i < l->series; i++) {
            put_series(l, i, point, first_ms + point * 60000);
            if ((i + 1) % AT_ONCE == 0 || i + 1 == l->series) {
                TRY(post(l));
            }
        }
    }
    return 0;
}

static int run(struct load *l)
{
    AUTO(cstr_free) char *token = NULL;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Encoding: snappy");
    headers = curl_slist_append(headers, "Content-Type: application/x-protobuf");
    headers = curl_slist_append(headers, "Expect:");
    if (l->token) {
        TRY(cstr_printf(&token, "Authorization: Bearer %s", l->token));
        headers = curl_slist_append(headers, token);
    }
    l->curl = curl_easy_init();
    curl_easy_setopt(l->curl, CURLOPT_URL, l->url);
    curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(l->curl, CURLOPT_FAILONERROR, 1L);
    TRY(make_labels(l));
    int64_t before = 0, after = 0, began = clock_mono_us();
    TRY(server_ticks(l, &before));
    TRY(send_points(l));
    int64_t wall = clock_mono_us() - began;
    sleep(5); // what it does behind the answers belongs to them
    TRY(server_ticks(l, &after));
    double samples = (double)(l->series * l->points);
    double cpu_us = (double)(after - before) * 1e6 / (double)sysconf(_SC_CLK_TCK);
    printf("%.0f samples, %.3f M/s, %.3f us of server CPU each\n", samples,
           samples / (double)wall, cpu_us / samples);
    curl_slist_free_all(headers);
    curl_easy_cleanup(l->curl);
    return 0;
}

int main(int argc, char **argv)
{
    struct load l = {.series = 10000, .points = 480, .seed = 1};
    if (argc < 3 || str_to_i64(str_of(argv[2]), 1, INT32_MAX, &l.pid) < 0 ||
        (argc > 3 && str_to_i64(str_of(argv[3]), 1, 1000000, &l.series) < 0) ||
        (argc > 4 && str_to_i64(str_of(argv[4]), 1, 100000, &l.points) < 0)) {
        fprintf(stderr, "remote_write_bench URL PID [SERIES [POINTS [TOKEN]]]\n");
        return 2;
    }
    l.url = argv[1];
    l.token = argc > 5 ? argv[5] : NULL;
    int err = run(&l);
    if (err < 0) {
        fprintf(stderr, "remote_write_bench: %s: %s\n", err_name(err), err_reason());
    }
    return err < 0;
}
