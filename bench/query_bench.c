// SPDX-License-Identifier: GPL-3.0-or-later
//
// How long a question over many series takes, parsing included, in both languages. The folder is one that
// `series_bench load` left. With URL, that of a VictoriaMetrics with the same series, both are asked in turn; what
// it takes to answer a question about nothing over the same connection is taken off its time.
//   query_bench DIR FIRST_MS COUNT [URL]
#include "telemetry/telemetry.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 15

static int64_t now_ms;

static int64_t now(void *user)
{
    (void)user;
    return now_ms;
}

typedef int parse_f(struct str, struct arena *, const struct telemetry_expr **);

static int ask(struct telemetry *store, const struct telemetry_span *span, parse_f *parse,
               const char *text, size_t *ret_lines)
{
    AUTO(arena_free) struct arena *a = NULL;
    const struct telemetry_expr *e;
    struct telemetry_answer answer;
    TRY(arena_new(&a));
    TRY(parse(str_of(text), a, &e));
    TRY(telemetry_evaluate(store, e, span, a, &answer));
    *ret_lines = answer.count;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int time_one(struct telemetry *store, const struct telemetry_span *span,
                    parse_f *parse, const char *text)
{
    int64_t us[ROUNDS];
    size_t lines = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t began = clock_mono_us();
        TRY(ask(store, span, parse, text, &lines));
        us[i] = clock_mono_us() - began;
    }
    qsort(us, ROUNDS, sizeof *us, by_size);
    printf("%s: %zu lines, median %.2f ms, least %.2f ms\n", text, lines,
           (double)us[ROUNDS / 2] / 1000, (double)us[0] / 1000);
    return 0;
}

// --- beside another --------------------------------------------------------------------------------

struct peer {
    CURL *curl;
    char *url;
    struct buf answer;
};

static size_t keep_answer(char *bytes, size_t size, size_t count, void *user)
{
    buf_add(user, bytes, size * count);
    return size * count;
}

static int ask_peer(struct peer *p, int64_t *ret_us)
{
    buf_clear(&p->answer);
    curl_easy_setopt(p->curl, CURLOPT_URL, p->url);
    curl_easy_setopt(p->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, &p->answer);
    int64_t began = clock_mono_us();
    CURLcode code = curl_easy_perform(p->curl);
    *ret_us = clock_mono_us() - began;
    FAIL_IF(code != CURLE_OK, ERR_IO, "%s", curl_easy_strerror(code));
    return p->answer.err;
}

static int peer_url(struct peer *p, const char *base, const char *question,
                    const struct telemetry_span *span)
{
    char *escaped = curl_easy_escape(p->curl, question, 0);
    FAIL_IF(!escaped, ERR_NOMEM, "an address");
    cstr_free(&p->url);
    int err = cstr_printf(
        &p->url,
        "%s/api/v1/query_range?nocache=1&start=%lld&end=%lld&step=%llds&query=%s", base,
        (long long)span->start_ms / 1000,
        (long long)(span->start_ms + (int64_t)(span->count - 1) * span->step_ms) / 1000,
        (long long)span->step_ms / 1000, escaped);
    curl_free(escaped);
    return err;
}

static int64_t median(int64_t us[ROUNDS])
{
    qsort(us, ROUNDS, sizeof *us, by_size);
    return us[ROUNDS / 2];
}

static int compare_with(struct telemetry *store, const struct telemetry_span *span,
                        struct peer *p, const char *base)
{
    const char *const question = "sum by (dc) ({app=\"edge\"})";
    int64_t ours[ROUNDS], theirs[ROUNDS], nothing[ROUNDS];
    size_t lines = 0;
    for (int i = 0; i < ROUNDS; i++) {
        TRY(peer_url(p, base, "sum by (dc) ({app=\"none\"})", span));
        TRY(ask_peer(p, &nothing[i]));
        TRY(peer_url(p, base, question, span));
        TRY(ask_peer(p, &theirs[i]));
        int64_t began = clock_mono_us();
        TRY(ask(store, span, telemetry_promql_parse, question, &lines));
        ours[i] = clock_mono_us() - began;
    }
    FAIL_IF(lines == 0 || p->answer.len < lines * span->count * 8, ERR_INVALID,
            "their answer is too short to be one: %zu bytes", p->answer.len);
    double mine = (double)median(ours) / 1000, empty = (double)median(nothing) / 1000;
    double its = (double)median(theirs) / 1000 - empty;
    printf("%s, in turn with %s: median %.2f ms, theirs %.2f ms and %.2f ms for HTTP; "
           "ours / theirs %.2f\n",
           question, base, mine, its, empty, mine / its);
    return 0;
}

static int compare(struct telemetry *store, const struct telemetry_span *span,
                   const char *base)
{
    struct peer p = {.curl = curl_easy_init()};
    FAIL_IF(!p.curl, ERR_NOMEM, "a connection");
    int err = compare_with(store, span, &p, base);
    curl_easy_cleanup(p.curl);
    cstr_free(&p.url);
    buf_free(&p.answer);
    return err;
}

static int run(const char *dir, int64_t first_ms, int64_t count, const char *url)
{
    struct telemetry *store = NULL;
    // One tier, as series_bench made it.
    const struct telemetry_tier tier = {60000, INT64_C(60000) * 1000000};
    const struct telemetry_config c = {
        .dir = dir, .tiers = &tier, .tier_count = 1, .now_ms = now};
    TRY(telemetry_open(&store, &c));
    const struct telemetry_span span = {.start_ms = first_ms,
                                        .step_ms = telemetry_step_ms(store),
                                        .count = (size_t)count};
    int err = time_one(store, &span, telemetry_stack_parse, "app,edge,:eq,(,dc,),:by");
    err = err < 0 ? err
                  : time_one(store, &span, telemetry_promql_parse,
                             "sum by (dc) ({app=\"edge\"})");
    err = err < 0 ? err
                  : time_one(store, &span, telemetry_promql_parse,
                             "sum by (dc) (rate({app=\"edge\"}[5m]))");
    err = err == 0 && url ? compare(store, &span, url) : err;
    telemetry_close(&store);
    return err;
}

int main(int argc, char **argv)
{
    int64_t first_ms = 0, count = 0;
    if ((argc != 4 && argc != 5) ||
        str_to_i64(str_of(argv[2]), 0, INT64_MAX, &first_ms) < 0 ||
        str_to_i64(str_of(argv[3]), 1, 100000, &count) < 0) {
        fputs("usage: query_bench DIR FIRST_MS COUNT [URL]\n", stderr);
        return 2;
    }
    now_ms = first_ms + (count + 10) * 60000;
    if (run(argv[1], first_ms, count, argc > 4 ? argv[4] : NULL) < 0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    return 0;
}
