// SPDX-License-Identifier: GPL-3.0-or-later
//
// PromQL's functions of whole vectors, and its answer.
#include "telemetry/evaluate_prom.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 2048 // bytes of one that is made

int prom_number(struct evaluation *e, const struct node *n, const double **ret)
{
    struct lines l;
    TRY(evaluate_node(e, n, &l));
    FAIL_IF(l.count != 1, ERR_INTERNAL, "a number of %zu lines", l.count);
    *ret = l.list[0].values;
    return 0;
}

static int cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double prom_quantile(double q, double *v, size_t n)
{
    if (n == 0 || isnan(q)) {
        return (double)NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -(double)INFINITY : (double)INFINITY;
    }
    qsort(v, n, sizeof *v, cmp_double);
    double rank = q * (double)(n - 1), low = floor(rank);
    size_t lo = (size_t)low, hi = MIN(lo + 1, n - 1);
    double part = rank - low;
    return v[lo] * (1 - part) + v[hi] * part;
}

// --- value by value -----------------------------------------------------------------------------

static double date_at(const struct call *c, double seconds)
{
    if (!(fabs(seconds) < 1e13)) {
        return (double)NAN;
    }
    struct zone_date d = zone_date((int64_t)floor(seconds));
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->is_days_in_month) {
        bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
        return days[d.month - 1] + (d.month == 2 && leap);
    }
    switch ((int)c->mode) {
    case TIME_MINUTE_OF_HOUR:
        return d.minute;
    case TIME_HOUR_OF_DAY:
        return d.hour;
    case TIME_DAY_OF_WEEK:
        return d.weekday % 7; // Sunday is 0
    case TIME_DAY_OF_MONTH:
        return d.day;
    case TIME_DAY_OF_YEAR:
        return d.year_day;
    case TIME_MONTH_OF_YEAR:
        return d.month;
    default:
        return (double)d.year;
    }
}

static double value_at(const struct call *c, double v, double x, double y)
{
    switch ((int)c->fn) {
    case CALL_UNARY:
        return plan_unary_of(c->op, 0, v);
    case CALL_ROUND:
        return floor(v / x + 0.5) * x;
    case CALL_CLAMP:
        return x > y ? (double)NAN : v < x ? x : v > y ? y : v;
    case CALL_CLAMP_MIN:
        return v < x ? x : v;
    case CALL_CLAMP_MAX:
        return v > x ? x : v;
    default:
        return date_at(c, v);
    }
}

static int each_value(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    const double *x = NULL, *y = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    if (n->call->more[0]) {
        TRY(prom_number(e, n->call->more[0], &x));
    }
    if (n->call->more[1]) {
        TRY(prom_number(e, n->call->more[1], &y));
    }
    for (size_t i = 0; i < a.count; i++) {
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        for (size_t t = 0; t < e->span.count; t++) {
            double w = a.list[i].values[t];
            v[t] = isnan(w) ? w : value_at(n->call, w, x ? x[t] : 1, y ? y[t] : 1);
        }
        out[i] = a.list[i];
        out[i].values = v;
        // A number's own line has a name that means nothing here.
        TRY(prom_nameless(e, &out[i].tags, &out[i].tags));
    }
    *ret = (struct lines){out, a.count};
    return 0;
}

// --- whole vectors ------------------------------------------------------------------------------

static int single(struct evaluation *e, double **ret_values, struct line **ret_line,
                  struct lines *ret)
{
    TRY(evaluate_lines(e, 1, ret_line));
    TRY(prom_values(e, ret_values));
    (*ret_line)->values = *ret_values;
    *ret = (struct lines){*ret_line, 1};
    return 0;
}

// 1 where there is nothing, with the labels that the selector ties to one value.
static int absent(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *l = NULL;
    double *v = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(single(e, &v, &l, ret));
    for (size_t i = 0; i < a.count; i++) {
        accumulate(AGGREGATE_COUNT, v, a.list[i].values, e->span.count);
    }
    for (size_t t = 0; t < e->span.count; t++) {
        v[t] = isnan(v[t]) ? 1 : (double)NAN;
    }
    if (n->a->kind == NODE_WINDOW) {
        TRY(query_exact(n->a->window->query, e->arena, &l->tags));
        TRY(prom_nameless(e, &l->tags, &l->tags));
    }
    return 0;
}

static int scalar(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *l = NULL;
    double *v = NULL, *count = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(single(e, &v, &l, ret));
    TRY(prom_values(e, &count));
    for (size_t i = 0; i < a.count; i++) {
        accumulate(AGGREGATE_SUM, v, a.list[i].values, e->span.count);
        accumulate(AGGREGATE_COUNT, count, a.list[i].values, e->span.count);
    }
    for (size_t t = 0; t < e->span.count; t++) {
        v[t] = count[t] == 1 ? v[t] : (double)NAN;
    }
    return 0;
}

static int vector(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct line *l = NULL;
    const double *v = NULL;
    TRY(prom_number(e, n->call->more[0], &v));
    TRY(evaluate_lines(e, 1, &l));
    l->values = v;
    *ret = (struct lines){l, 1};
    return 0;
}

// --- histograms ---------------------------------------------------------------------------------

struct bucket {
    double le, count;
};

static int by_le(const void *a, const void *b)
{
    return cmp_double(&((const struct bucket *)a)->le, &((const struct bucket *)b)->le);
}

// Out of counts that add up, by a straight line within the bucket that the rank falls into.
static double histogram_at(double q, struct bucket *b, size_t n)
{
    qsort(b, n, sizeof *b, by_le);
    if (n < 2 || !isinf(b[n - 1].le) || b[n - 1].count == 0) {
        return (double)NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -(double)INFINITY : (double)INFINITY;
    }
    for (size_t i = 1; i < n; i++) { // a scrape may have torn them apart
        b[i].count = MAX(b[i].count, b[i - 1].count);
    }
    double rank = q * b[n - 1].count;
    size_t i = 0;
    while (i < n - 1 && b[i].count < rank) {
        i++;
    }
    if (i == n - 1) {
        return b[n - 2].le;
    }
    if (i == 0 && b[0].le <= 0) {
        return b[0].le;
    }
    double start = i ? b[i - 1].le : 0, below = i ? b[i - 1].count : 0;
    double count = b[i].count - below;
    return start + (b[i].le - start) * (count > 0 ? (rank - below) / count : 0);
}

static bool bound_of(const struct line *l, double *ret)
{
    struct str le = tag_value(&l->tags, STR("le"));
    if (str_eq_c(le, "+Inf") || str_eq_c(le, "Inf")) {
        *ret = (double)INFINITY;
        return true;
    }
    return le.len && plan_number(le, ret);
}

struct histograms {
    struct lines a;
    struct places places;
    size_t *place; // PLACES_NONE: no bucket
    double *le;
};

static int find_buckets(struct evaluation *e, struct histograms *h)
{
    static const struct str le[] = {{"le", 2}, {"name", 4}};
    h->place = arena_alloc(e->arena, h->a.count + 1, sizeof *h->place);
    h->le = arena_alloc(e->arena, h->a.count + 1, sizeof *h->le);
    FAIL_IF(!h->place || !h->le, ERR_NOMEM, "buckets");
    for (size_t i = 0; i < h->a.count; i++) {
        struct telemetry_tags tags;
        bool is_new = false;
        h->place[i] = PLACES_NONE;
        if (bound_of(&h->a.list[i], &h->le[i])) {
            TRY(tags_without(e->arena, &h->a.list[i].tags, (struct names){le, 2}, &tags));
            TRY(places_find(&h->places, &tags, &h->place[i], &is_new));
        }
    }
    return 0;
}

static int quantiles(struct evaluation *e, const double *q, struct histograms *h,
                     struct lines *ret)
{
    struct line *out = NULL;
    struct bucket *b = arena_alloc(e->arena, h->a.count + 1, sizeof *b);
    FAIL_IF(!b, ERR_NOMEM, "buckets");
    TRY(evaluate_lines(e, h->places.count, &out));
    // Lines by place, so that each is looked at once.
    size_t *next = arena_alloc(e->arena, h->a.count + 1, sizeof *next);
    size_t *first = arena_alloc(e->arena, h->places.count + 1, sizeof *first);
    FAIL_IF(!next || !first, ERR_NOMEM, "buckets");
    for (size_t i = 0; i < h->places.count; i++) {
        first[i] = PLACES_NONE;
    }
    for (size_t i = 0; i < h->a.count; i++) {
        if (h->place[i] != PLACES_NONE) {
            next[i] = first[h->place[i]];
            first[h->place[i]] = i;
        }
    }
    for (size_t p = 0; p < h->places.count; p++) {
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        for (size_t t = 0; t < e->span.count; t++) {
            size_t n = 0;
            for (size_t i = first[p]; i != PLACES_NONE; i = next[i]) {
                if (!isnan(h->a.list[i].values[t])) {
                    b[n++] = (struct bucket){h->le[i], h->a.list[i].values[t]};
                }
            }
            v[t] = histogram_at(q[t], b, n);
        }
        out[p] = (struct line){.tags = h->places.list[p].tags, .values = v};
    }
    *ret = (struct lines){out, h->places.count};
    return 0;
}

static int histogram_quantile(struct evaluation *e, const struct node *n,
                              struct lines *ret)
{
    struct histograms h = {0};
    const double *q = NULL;
    TRY(prom_number(e, n->call->more[0], &q));
    TRY(evaluate_node(e, n->a, &h.a));
    int err = find_buckets(e, &h);
    err = err < 0 ? err : quantiles(e, q, &h, ret);
    places_free(&h.places);
    return err;
}

// --- labels -------------------------------------------------------------------------------------

static struct str label_key(struct str label)
{
    return str_eq_c(label, "__name__") ? STR("name") : label;
}

// Labels of labels grow by a power with each call: none is longer than any that a person reads.
static int set_tag(struct evaluation *e, struct telemetry_tags *tags, struct str key,
                   struct str value)
{
    struct telemetry_tags kept;
    FAIL_IF(value.len > LABEL_MAX, ERR_LIMIT, "a label of more than %d bytes", LABEL_MAX);
    TRY(evaluate_charge(e, value.len / sizeof(double)));
    TRY(tags_without(e->arena, tags, (struct names){&key, 1}, &kept));
    struct telemetry_tag *list = arena_alloc(e->arena, kept.count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    memcpy(list, kept.list, kept.count * sizeof *list);
    size_t n = kept.count;
    if (value.len) { // an empty one is none
        list[n++] = (struct telemetry_tag){key, value};
    }
    tags_sort(list, n);
    *tags = (struct telemetry_tags){list, n};
    return 0;
}

// $1, ${1}, ${name}; $$ is a dollar.
static void expand(struct str to, struct str source, const pcre2_code *code,
                   pcre2_match_data *match, struct buf *out)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
    uint32_t groups = pcre2_get_ovector_count(match);
    for (size_t i = 0; i < to.len; i++) {
        if (to.data[i] != '$' || i + 1 == to.len) {
            buf_char(out, to.data[i]);
            continue;
        }
        if (to.data[i + 1] == '$') {
            buf_char(out, '$');
            i++;
            continue;
        }
        bool braces = to.data[i + 1] == '{';
        size_t from = i + 1 + braces, end = from;
        while (end < to.len && (braces ? to.data[end] != '}'
                                       : strchr("0123456789_abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                                to.data[end]) != NULL)) {
            end++;
        }
        char name[64];
        int64_t number = -1;
        struct str s = {to.data + from, end - from};
        if (s.len && str_to_i64(s, 0, 99, &number) < 0 &&
            str_copy(name, sizeof name, s) == 0) {
            number = pcre2_substring_number_from_name(code, (PCRE2_SPTR)name);
        }
        if (number >= 0 && number < groups && at[2 * number] != PCRE2_UNSET) {
            buf_str(out, (struct str){source.data + at[2 * number],
                                      at[2 * number + 1] - at[2 * number]});
        }
        i = end - !braces;
    }
}

static int replace_one(struct evaluation *e, const struct node *n, const pcre2_code *code,
                       pcre2_match_data *match, struct line *l)
{
    const struct str *t = n->call->texts.list; // to, replacement, from, regex
    struct str source = tag_value(&l->tags, label_key(t[2]));
    AUTO(buf_free) struct buf made = {0};
    if (!source.data) {
        source = STR("");
    }
    if (pcre2_match(code, (PCRE2_SPTR)source.data, source.len, 0, 0, match, NULL) < 0) {
        return 0;
    }
    expand(t[1], source, code, match, &made);
    TRY(made.err);
    char *copy = arena_dup(e->arena, buf_view(&made));
    FAIL_IF(!copy, ERR_NOMEM, "a label");
    return set_tag(e, &l->tags, label_key(t[0]), str_of(copy));
}

static int join_one(struct evaluation *e, const struct node *n, struct line *l)
{
    const struct names *t = &n->call->texts; // to, between, from…
    AUTO(buf_free) struct buf made = {0};
    for (size_t i = 2; i < t->count; i++) {
        buf_str(&made, i > 2 ? t->list[1] : (struct str){0});
        buf_str(&made, tag_value(&l->tags, label_key(t->list[i])));
    }
    TRY(made.err);
    char *copy = arena_dup(e->arena, buf_view(&made));
    FAIL_IF(!copy, ERR_NOMEM, "a label");
    return set_tag(e, &l->tags, label_key(t->list[0]), str_of(copy));
}

static int relabel(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    bool is_replace = n->call->fn == CALL_LABEL_REPLACE;
    int error = 0, err = 0;
    size_t at = 0;
    pcre2_code *code = NULL;
    pcre2_match_data *match = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    if (is_replace) {
        struct str re = n->call->texts.list[3];
        code = pcre2_compile((PCRE2_SPTR)re.data, re.len, PCRE2_UTF, &error, &at, NULL);
        match = code ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;
        err = match ? 0 : err_fail(ERR_NOMEM, "a label");
    }
    for (size_t i = 0; err == 0 && i < a.count; i++) {
        out[i] = a.list[i];
        err = evaluate_in_time(e);
        err = err < 0      ? err
              : is_replace ? replace_one(e, n, code, match, &out[i])
                           : join_one(e, n, &out[i]);
    }
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    *ret = (struct lines){out, a.count};
    return err;
}

// --- order --------------------------------------------------------------------------------------

struct sorted {
    struct line line;
    double last;
    size_t at;
    bool is_desc;
};

static int by_last(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    bool no_x = isnan(x->last), no_y = isnan(y->last);
    int c = no_x || no_y ? no_x - no_y : (x->last > y->last) - (x->last < y->last);
    c = x->is_desc && !no_x && !no_y ? -c : c;
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int sort(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    struct sorted *s = arena_alloc(e->arena, a.count + 1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "lines");
    for (size_t i = 0; i < a.count; i++) {
        s[i] = (struct sorted){a.list[i], a.list[i].values[e->span.count - 1], i,
                               n->call->fn == CALL_SORT_DESC};
    }
    qsort(s, a.count, sizeof *s, by_last);
    for (size_t i = 0; i < a.count; i++) {
        out[i] = s[i].line;
    }
    *ret = (struct lines){out, a.count};
    return 0;
}

int evaluate_call(struct evaluation *e, const struct node *n, struct lines *ret)
{
    switch (n->call->fn) {
    case CALL_ABSENT:
        return absent(e, n, ret);
    case CALL_HISTOGRAM_QUANTILE:
        return histogram_quantile(e, n, ret);
    case CALL_LABEL_REPLACE:
    case CALL_LABEL_JOIN:
        return relabel(e, n, ret);
    case CALL_SCALAR:
        return scalar(e, n, ret);
    case CALL_VECTOR:
        return vector(e, n, ret);
    case CALL_SORT:
    case CALL_SORT_DESC:
        return sort(e, n, ret);
    case CALL_LAST:
        return evaluate_node(e, n->a, ret);
    case CALL_UNARY:
    case CALL_ROUND:
    case CALL_CLAMP:
    case CALL_CLAMP_MIN:
    case CALL_CLAMP_MAX:
    case CALL_DATE:
        break;
    }
    return each_value(e, n, ret);
}

// --- the answer ---------------------------------------------------------------------------------

// name{a="b"}
static int series_label(struct evaluation *e, const struct telemetry_tags *tags,
                        struct str *ret)
{
    AUTO(buf_free) struct buf b = {0};
    bool any = false;
    buf_str(&b, tag_value(tags, STR("name")));
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq_c(tags->list[i].key, "name")) {
            continue;
        }
        buf_char(&b, any ? ',' : '{');
        buf_str(&b, tags->list[i].key);
        buf_cstr(&b, "=\"");
        buf_str(&b, tags->list[i].value);
        buf_char(&b, '"');
        any = true;
    }
    buf_cstr(&b, any || b.len == 0 ? (any ? "}" : "{}") : "");
    TRY(b.err);
    char *copy = arena_dup(e->arena, buf_view(&b));
    FAIL_IF(!copy, ERR_NOMEM, "a label");
    *ret = (struct str){copy, b.len};
    return 0;
}

static int by_label(const void *a, const void *b)
{
    const struct telemetry_line *x = a, *y = b;
    int c = memcmp(x->label.data, y->label.data, MIN(x->label.len, y->label.len));
    return c ? c : (x->label.len > y->label.len) - (x->label.len < y->label.len);
}

// Lines of the same labels, of both sides of an `or`, are one: they follow each other in time.
static int answer_line(struct evaluation *e, struct places *places,
                       const struct line *from, struct telemetry_line *out)
{
    size_t at = 0;
    bool is_new = false;
    TRY(places_find(places, &from->tags, &at, &is_new));
    struct telemetry_line *l = &out[at];
    if (is_new) {
        FAIL_IF(at == EVALUATE_ANSWER_MAX, ERR_LIMIT,
                "the answer has more than %d series", EVALUATE_ANSWER_MAX);
        *l = (struct telemetry_line){
            .tags = from->tags, .values = from->values, .style = {.alpha = -1}};
        return series_label(e, &l->tags, &l->label);
    }
    double *v = NULL;
    TRY(evaluate_values(e, &v));
    for (size_t t = 0; t < e->span.count; t++) {
        FAIL_IF(!isnan(l->values[t]) && !isnan(from->values[t]), ERR_INVALID,
                "the answer has the same labels twice: " STR_FMT, STR_ARG(l->label));
        v[t] = isnan(l->values[t]) ? from->values[t] : l->values[t];
    }
    l->values = v;
    return 0;
}

static int answer_lines(struct evaluation *e, const struct node *n, struct places *places,
                        struct telemetry_line *out)
{
    struct lines lines;
    TRY(evaluate_node(e, n, &lines));
    for (size_t i = 0; i < lines.count; i++) {
        struct line l = lines.list[i];
        struct summary s = summary_of(l.values, e->span.count);
        l.tags = n->is_scalar ? (struct telemetry_tags){0} : l.tags;
        if (s.count) {
            TRY(answer_line(e, places, &l, out));
        }
    }
    return 0;
}

int evaluate_prom_answer(struct evaluation *e, const struct node *n,
                         struct telemetry_line *out, size_t *count)
{
    struct places places = {0};
    int err = answer_lines(e, n, &places, out);
    *count = places.count;
    places_free(&places);
    TRY(err);
    bool is_sorted = n->kind == NODE_CALL &&
                     (n->call->fn == CALL_SORT || n->call->fn == CALL_SORT_DESC);
    if (!is_sorted && *count) {
        qsort(out, *count, sizeof *out, by_label);
    }
    return 0;
}
