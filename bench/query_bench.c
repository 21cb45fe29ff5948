// SPDX-License-Identifier: GPL-3.0-or-later
//
// How long a question over many series takes, parsing included, in both languages. The folder is one that
// `series_bench load` left.
//   query_bench DIR FIRST_MS COUNT
#include "telemetry/telemetry.h"

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

static int run(const char *dir, int64_t first_ms, int64_t count)
{
    struct telemetry *store = NULL;
    const struct telemetry_config c = {.dir = dir, .now_ms = now};
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
    telemetry_close(&store);
    return err;
}

int main(int argc, char **argv)
{
    int64_t first_ms = 0, count = 0;
    if (argc != 4 || str_to_i64(str_of(argv[2]), 0, INT64_MAX, &first_ms) < 0 ||
        str_to_i64(str_of(argv[3]), 1, 100000, &count) < 0) {
        fputs("usage: query_bench DIR FIRST_MS COUNT\n", stderr);
        return 2;
    }
    now_ms = first_ms + (count + 10) * 60000;
    if (run(argv[1], first_ms, count) < 0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    return 0;
}
