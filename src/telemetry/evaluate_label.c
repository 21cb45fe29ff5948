// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines as they are shown: what they are called ($variables, :decode, :s), in what order, how many.
#include "telemetry/evaluate.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX   4096
#define REGEX_STEPS 100000 // of one match, before it counts as too hard

// --- $variables -------------------------------------------------------------------------------

// What stands for a name; data NULL: nothing does.
typedef struct str lookup_f(void *user, struct str name);

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
}

// $name and $(name); a name that nothing stands for is itself.
static void substitute(struct str text, lookup_f *lookup, void *user, struct buf *out)
{
    for (size_t i = 0; i < text.len && out->len < LABEL_MAX; i++) {
        size_t from = i + 1, end;
        if (text.data[i] != '$' || from == text.len) {
            buf_char(out, text.data[i]);
            continue;
        }
        bool in_parens = text.data[from] == '(';
        from += in_parens;
        const char *close =
            in_parens ? memchr(text.data + from, ')', text.len - from) : NULL;
        for (end = from; !in_parens && end < text.len && is_name(text.data[end]); end++) {
        }
        end = close ? (size_t)(close - text.data) : end;
        struct str name = {text.data + from, end - from};
        if (name.len == 0 || (in_parens && !close)) {
            buf_char(out, '$');
            continue;
        }
        struct str value = lookup(user, name);
        buf_str(out, value.data ? value : name);
        i = end - (close ? 0 : 1);
    }
}

struct variables {
    const struct line *line;
    const struct summary *stats;
    int64_t offset_ms;
    struct buf made; // the last that was made
    pcre2_match_data *match;
    const pcre2_code *code;
    struct str matched;
};

static struct str made_number(struct variables *v, double n)
{
    static const struct {
        double at;
        char letter;
    } units[] = {{1e18, 'E'}, {1e15, 'P'}, {1e12, 'T'},
                 {1e9, 'G'},  {1e6, 'M'},  {1e3, 'k'}};
    buf_clear(&v->made);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (fabs(n) >= units[i].at) {
            buf_printf(&v->made, "%.3f%c", n / units[i].at, units[i].letter);
            return buf_view(&v->made);
        }
    }
    buf_printf(&v->made, isnan(n) ? "NaN" : "%.3f", n);
    return buf_view(&v->made);
}

static struct str variable(void *user, struct str name)
{
    struct variables *v = user;
    static const char *const stats[] = {"atlas.avg",  "atlas.max",   "atlas.min",
                                        "atlas.last", "atlas.total", "atlas.count"};
    if (str_eq_c(name, "atlas.offset")) {
        buf_clear(&v->made);
        times_print(v->offset_ms, &v->made);
        return buf_view(&v->made);
    }
    for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
        if (str_eq_c(name, stats[i])) {
            return made_number(v, summary_stat(v->stats, (enum plan_stat)i));
        }
    }
    return tag_value(&v->line->tags, name);
}

// --- :decode, :s ------------------------------------------------------------------------------

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

// "_21" is '!'; what is no such code stays.
static void decode(struct str s, struct buf *out)
{
    AUTO(buf_free) struct buf raw = {0};
    for (size_t i = 0; i < s.len; i++) {
        int hi = s.data[i] == '_' && s.len - i > 2 ? hex(s.data[i + 1]) : -1;
        int lo = hi >= 0 ? hex(s.data[i + 2]) : -1;
        if (lo < 0) {
            buf_char(&raw, s.data[i]);
        } else {
            buf_char(&raw, (char)(hi << 4 | lo));
            i += 2;
        }
    }
    buf_line(out, buf_view(&raw));
}

// $1, $name of the match, else a tag.
static struct str of_match(void *user, struct str name)
{
    struct variables *v = user;
    char text[64];
    int64_t number = -1;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(v->match);
    uint32_t groups = pcre2_get_ovector_count(v->match);
    if (str_copy(text, sizeof text, name) < 0) {
        return tag_value(&v->line->tags, name);
    }
    if (str_to_i64(name, 0, 99, &number) < 0) {
        number = pcre2_substring_number_from_name(v->code, (PCRE2_SPTR)text);
    }
    if (number < 0 || number >= (int64_t)groups) {
        return tag_value(&v->line->tags, name);
    }
    PCRE2_SIZE from = at[2 * number], to = at[2 * number + 1];
    return from == PCRE2_UNSET || to < from
               ? STR("")
               : (struct str){v->matched.data + from, to - from};
}

static void replace_all(struct variables *v, const struct sed *sed,
                        pcre2_match_context *limits, struct buf *out)
{
    size_t at = 0;
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(v->match);
    while (at <= v->matched.len && out->len < LABEL_MAX) {
        int found = pcre2_match(v->code, (PCRE2_SPTR)v->matched.data, v->matched.len, at,
                                0, v->match, limits);
        if (found < 0 || where[1] < where[0]) {
            break;
        }
        buf_str(out, (struct str){v->matched.data + at, where[0] - at});
        substitute(sed->replace, of_match, v, out);
        // A match of nothing goes on behind the next character.
        size_t next = where[1];
        if (next == where[0] && next < v->matched.len) {
            do {
                buf_char(out, v->matched.data[next++]);
            } while (next < v->matched.len && (v->matched.data[next] & 0xC0) == 0x80);
        } else if (next == where[0]) {
            at = next;
            break;
        }
        at = next;
    }
    buf_str(out, (struct str){v->matched.data + at, v->matched.len - at});
}

static void code_free(pcre2_code **c)
{
    pcre2_code_free(*c);
}

static void match_free(pcre2_match_data **m)
{
    pcre2_match_data_free(*m);
}

static void limits_free(pcre2_match_context **c)
{
    pcre2_match_context_free(*c);
}

static int replace(struct variables *v, const struct sed *sed, struct str text,
                   struct buf *out)
{
    int error = 0;
    size_t at = 0;
    AUTO(match_free) pcre2_match_data *match = NULL;
    AUTO(limits_free) pcre2_match_context *limits = pcre2_match_context_create(NULL);
    AUTO(code_free)
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)sed->search.data, sed->search.len,
                                     PCRE2_UTF, &error, &at, NULL);
    FAIL_IF(!code, ERR_INVALID, "'" STR_FMT "' is no regular expression",
            STR_ARG(sed->search));
    match = pcre2_match_data_create_from_pattern(code, NULL);
    FAIL_IF(!match || !limits, ERR_NOMEM, "a label");
    pcre2_set_match_limit(limits, REGEX_STEPS);
    v->match = match;
    v->code = code;
    v->matched = text;
    replace_all(v, sed, limits, out);
    return out->err;
}

static int change(struct variables *v, const struct sed *sed, struct buf *text)
{
    if (!sed) {
        return 0;
    }
    TRY(change(v, sed->before, text));
    AUTO(buf_free) struct buf was = *text;
    *text = (struct buf){0};
    if (sed->replace.data) {
        return replace(v, sed, buf_view(&was), text);
    }
    if (str_eq_c(sed->search, "hex")) {
        decode(buf_view(&was), text);
    } else {
        buf_str(text, buf_view(&was));
    }
    return text->err;
}

static int make_label(struct evaluation *e, const struct styled *s, struct variables *v,
                      struct str *ret)
{
    AUTO(buf_free) struct buf text = {0};
    if (s->settings[SETTING_LEGEND].data) {
        substitute(s->settings[SETTING_LEGEND], variable, v, &text);
    } else {
        buf_str(&text, v->line->label);
        if (v->offset_ms) {
            buf_cstr(&text, " (offset=");
            times_print(v->offset_ms, &text);
            buf_char(&text, ')');
        }
    }
    TRY(change(v, s->sed, &text));
    TRY(text.err);
    char *copy = arena_dup(e->arena, buf_view(&text));
    FAIL_IF(!copy, ERR_NOMEM, "a label");
    *ret = (struct str){copy, text.len};
    return 0;
}

// --- order ------------------------------------------------------------------------------------

struct shown {
    struct telemetry_line line;
    double stat;
    size_t at;
};

static int by_text(const struct shown *x, const struct shown *y)
{
    size_t n = MIN(x->line.label.len, y->line.label.len);
    int c = n ? memcmp(x->line.label.data, y->line.label.data, n) : 0;
    c = c ? c
          : (x->line.label.len > y->line.label.len) -
                (x->line.label.len < y->line.label.len);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int by_setting(const void *a, const void *b, void *user)
{
    const struct shown *x = a, *y = b;
    const struct styled *s = user;
    int c = 0;
    if (s->sort_by == SORT_STAT) {
        bool no_x = isnan(x->stat), no_y = isnan(y->stat);
        if (no_x || no_y) {
            return no_x != no_y ? no_x - no_y : by_text(x, y);
        }
        c = (x->stat > y->stat) - (x->stat < y->stat);
        c = s->is_descending ? -c : c;
        return c ? c : by_text(x, y);
    }
    c = by_text(x, y);
    return s->is_descending && s->settings[SETTING_SORT].data ? -c : c;
}

// The least shift of what is read below a node.
static int64_t offset_of(const struct node *n)
{
    if (n->kind == NODE_DATA) {
        return n->data.offset_ms;
    }
    int64_t a = n->a ? offset_of(n->a) : -1;
    int64_t b = n->b && n->kind != NODE_REWRITE ? offset_of(n->b) : -1;
    return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

int evaluate_style(struct evaluation *e, const struct styled *s, struct lines lines,
                   struct telemetry_line *out, size_t *count)
{
    struct shown *shown = arena_alloc(e->arena, lines.count + 1, sizeof *shown);
    FAIL_IF(!shown, ERR_NOMEM, "lines");
    int64_t offset = MAX(offset_of(s->node), 0);
    for (size_t i = 0; i < lines.count; i++) {
        const struct line *l = &lines.list[i];
        struct summary stats = summary_of(l->values, e->span.count);
        struct variables v = {.line = l, .stats = &stats, .offset_ms = offset};
        shown[i] = (struct shown){.at = i};
        shown[i].line = (struct telemetry_line){
            .tags = l->tags, .style = s->style, .values = l->values, .offset_ms = offset};
        int err = evaluate_in_time(e);
        err = err < 0 ? err : make_label(e, s, &v, &shown[i].line.label);
        buf_free(&v.made);
        TRY(err);
        shown[i].stat = summary_stat(&stats, s->sort_stat);
    }
    if (lines.count > 1) {
        qsort_r(shown, lines.count, sizeof *shown, by_setting, (void *)(uintptr_t)s);
    }
    size_t keep = s->limit < 0 ? lines.count : MIN((size_t)s->limit, lines.count);
    FAIL_IF(keep > EVALUATE_ANSWER_MAX - *count, ERR_LIMIT,
            "the answer has more than %d lines", EVALUATE_ANSWER_MAX);
    for (size_t i = 0; i < keep; i++) {
        out[(*count)++] = shown[i].line;
    }
    return 0;
}
