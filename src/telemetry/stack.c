// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stack language: words separated by commas, each of which takes what it needs from the stack and
// leaves what it makes. https://netflix.github.io/atlas-docs/asl/tutorial/
//
// A program is run here, at parsing, once: what is left on the stack is the question. It cannot loop for
// ever (steps, depth of calls, size of the stack), nor make more than plan.h allows.
#include "telemetry/stack.h"

#include <string.h>

// --- the stack --------------------------------------------------------------------------------

size_t stack_depth(const struct stack *s)
{
    return s->count - s->base;
}

const struct item *stack_at(const struct stack *s, size_t from_top)
{
    return from_top < stack_depth(s) ? &s->items[s->count - 1 - from_top] : NULL;
}

bool stack_has(const struct stack *s, size_t from_top, enum item_kind kind)
{
    const struct item *i = stack_at(s, from_top);
    return i && i->kind == kind;
}

bool stack_has_lines(const struct stack *s, size_t from_top)
{
    const struct item *i = stack_at(s, from_top);
    double v;
    return i && (i->kind == ITEM_QUERY || i->kind == ITEM_NODE ||
                 (i->kind == ITEM_TEXT && plan_number(i->text, &v)));
}

int stack_push(struct stack *s, struct item i)
{
    FAIL_IF(s->count == STACK_MAX, ERR_LIMIT, "more than %d things on the stack",
            STACK_MAX);
    s->items[s->count++] = i;
    return 0;
}

int stack_push_node(struct stack *s, const struct node *n)
{
    return stack_push(s, (struct item){.kind = ITEM_NODE, .node = n});
}

int stack_push_query(struct stack *s, const struct query *q)
{
    return stack_push(s, (struct item){.kind = ITEM_QUERY, .query = q});
}

int stack_push_text(struct stack *s, struct str text)
{
    return stack_push(s, (struct item){.kind = ITEM_TEXT, .text = text});
}

int stack_push_style(struct stack *s, const struct styled *style)
{
    struct styled *copy = arena_alloc(s->maker.arena, 1, sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a style");
    *copy = *style;
    return stack_push(s, (struct item){.kind = ITEM_STYLED, .styled = copy});
}

int stack_push_styled(struct stack *s, const struct node *n, const struct styled *style)
{
    if (!style) {
        return stack_push_node(s, n);
    }
    struct styled with = *style;
    with.node = n;
    return stack_push_style(s, &with);
}

int stack_pop(struct stack *s, struct item *ret)
{
    FAIL_IF(stack_depth(s) == 0, ERR_INVALID, "there is not enough before it");
    *ret = s->items[--s->count];
    return 0;
}

static const char *kind_name(enum item_kind k)
{
    static const char *const names[] = {"a text", "a list", "a query", "lines",
                                        "styled lines"};
    return names[k];
}

int stack_pop_text(struct stack *s, struct str *ret)
{
    struct item i;
    TRY(stack_pop(s, &i));
    FAIL_IF(i.kind != ITEM_TEXT, ERR_INVALID, "it wants a text, not %s",
            kind_name(i.kind));
    *ret = i.text;
    return 0;
}

int stack_pop_number(struct stack *s, double *ret)
{
    struct item i;
    TRY(stack_pop(s, &i));
    if (i.kind == ITEM_NODE && i.node->kind == NODE_CONST) {
        *ret = i.node->number;
        return 0;
    }
    FAIL_IF(i.kind != ITEM_TEXT, ERR_INVALID, "it wants a number, not %s",
            kind_name(i.kind));
    FAIL_IF(!plan_number(i.text, ret), ERR_INVALID, "'" STR_FMT "' is no number",
            STR_ARG(i.text));
    return 0;
}

int stack_pop_whole(struct stack *s, int64_t min, int64_t max, int64_t *ret)
{
    struct str text;
    TRY(stack_pop_text(s, &text));
    return str_to_i64(text, min, max, ret);
}

int stack_pop_duration(struct stack *s, int64_t *ret_ms)
{
    struct str text;
    TRY(stack_pop_text(s, &text));
    return times_duration(text, ret_ms);
}

int stack_pop_query(struct stack *s, const struct query **ret)
{
    struct item i;
    TRY(stack_pop(s, &i));
    FAIL_IF(i.kind != ITEM_QUERY, ERR_INVALID, "it wants a query, not %s",
            kind_name(i.kind));
    *ret = i.query;
    return 0;
}

int stack_pop_texts(struct stack *s, struct names *ret)
{
    struct item i;
    TRY(stack_pop(s, &i));
    FAIL_IF(i.kind != ITEM_LIST, ERR_INVALID, "it wants a list, not %s",
            kind_name(i.kind));
    struct str *list = arena_alloc(s->maker.arena, i.list.count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "a list");
    for (size_t k = 0; k < i.list.count; k++) {
        const struct item *e = &i.list.items[k];
        FAIL_IF(e->kind != ITEM_TEXT || str_eq_c(e->text, "(") || str_eq_c(e->text, ")"),
                ERR_INVALID, "it wants a list of texts");
        TRY(stack_unescape(s->maker.arena, e->text, &list[k]));
    }
    *ret = (struct names){list, i.list.count};
    return 0;
}

int stack_pop_numbers(struct stack *s, const double **ret, size_t *ret_count)
{
    struct names texts;
    TRY(stack_pop_texts(s, &texts));
    double *list = arena_alloc(s->maker.arena, texts.count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "a list");
    for (size_t i = 0; i < texts.count; i++) {
        FAIL_IF(!plan_number(texts.list[i], &list[i]), ERR_INVALID,
                "'" STR_FMT "' is no number", STR_ARG(texts.list[i]));
    }
    *ret = list;
    *ret_count = texts.count;
    return 0;
}

static int lines_of(struct stack *s, const struct item *i, const struct node **ret)
{
    double v;
    if (i->kind == ITEM_NODE) {
        *ret = i->node;
        return 0;
    }
    if (i->kind == ITEM_QUERY) {
        return node_data(&s->maker, i->query, AGGREGATE_SUM, ret);
    }
    FAIL_IF(i->kind != ITEM_TEXT, ERR_INVALID, "it wants lines, not %s",
            kind_name(i->kind));
    FAIL_IF(!plan_number(i->text, &v), ERR_INVALID,
            "'" STR_FMT "' is a text, neither lines nor a number", STR_ARG(i->text));
    return node_const(&s->maker, v, ret);
}

int stack_pop_lines(struct stack *s, const struct node **ret,
                    const struct styled **ret_style)
{
    struct item i;
    TRY(stack_pop(s, &i));
    if (ret_style) {
        *ret_style = NULL;
        if (i.kind == ITEM_STYLED) {
            *ret_style = i.styled;
            *ret = i.styled->node;
            return 0;
        }
    }
    return lines_of(s, &i, ret);
}

int stack_pop_styled(struct stack *s, struct styled *ret)
{
    struct item i;
    TRY(stack_pop(s, &i));
    if (i.kind == ITEM_STYLED) {
        *ret = *i.styled;
        return 0;
    }
    struct styled made = {.limit = -1};
    TRY(lines_of(s, &i, &made.node));
    *ret = made;
    return 0;
}

// --- texts ------------------------------------------------------------------------------------

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int escape_at(struct str s, size_t i)
{
    int v = 0;
    if (i + 6 > s.len || s.data[i] != '\\' || s.data[i + 1] != 'u') {
        return -1;
    }
    for (size_t k = 2; k < 6; k++) {
        int d = hex_digit(s.data[i + k]);
        if (d < 0) {
            return -1;
        }
        v = v << 4 | d;
    }
    return v;
}

static size_t utf8(int v, char *out)
{
    if (v < 0x80) {
        out[0] = (char)v;
        return 1;
    }
    if (v < 0x800) {
        out[0] = (char)(0xC0 | v >> 6);
        out[1] = (char)(0x80 | (v & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | v >> 12);
    out[1] = (char)(0x80 | (v >> 6 & 0x3F));
    out[2] = (char)(0x80 | (v & 0x3F));
    return 3;
}

int stack_unescape(struct arena *a, struct str s, struct str *ret)
{
    if (s.len < 6 || !memchr(s.data, '\\', s.len)) {
        *ret = s;
        return 0;
    }
    char *out = arena_alloc(a, s.len, 1); // never longer than it was
    FAIL_IF(!out, ERR_NOMEM, "a text");
    size_t n = 0;
    for (size_t i = 0; i < s.len;) {
        int v = escape_at(s, i);
        // NUL and halves of surrogate pairs stay as they were written.
        if (v > 0 && !(v >= 0xD800 && v < 0xE000)) {
            n += utf8(v, out + n);
            i += 6;
        } else {
            out[n++] = s.data[i++];
        }
    }
    *ret = (struct str){out, n};
    return 0;
}

// --- running ----------------------------------------------------------------------------------

static const struct word *find_word(struct str name)
{
    const struct words *const all[] = {&words_stack, &words_query, &words_math,
                                       &words_style};
    for (size_t k = 0; k < ARRAY_LEN(all); k++) {
        for (size_t i = 0; i < all[k]->count; i++) {
            if (str_eq_c(name, all[k]->list[i].name)) {
                return &all[k]->list[i];
            }
        }
    }
    return NULL;
}

// Splits at commas; what lies between is trimmed, and is no part where it is empty. "/* … */" is a
// comment.
static int tokenize(struct arena *a, struct str text, struct item **ret,
                    size_t *ret_count)
{
    size_t commas = 1;
    for (size_t i = 0; i < text.len; i++) {
        commas += text.data[i] == ',';
    }
    struct item *list = arena_alloc(a, commas, sizeof *list);
    char *copy = arena_alloc(a, text.len + 1, 1);
    FAIL_IF(!list || !copy, ERR_NOMEM, "a question");
    size_t n = 0, len = 0;
    struct str rest = text, part = {0};
    while (str_next(&rest, ',', &part)) {
        struct str t = str_trim(part);
        if (t.len >= 2 && memcmp(t.data, "/*", 2) == 0) {
            // A comment may hold commas: it ends where "*/" does.
            const char *end =
                memmem(t.data + 2, (size_t)(text.data + text.len - t.data) - 2, "*/", 2);
            FAIL_IF(!end, ERR_INVALID, "a comment that does not end");
            rest = (struct str){end + 2, (size_t)(text.data + text.len - end) - 2};
            continue;
        }
        if (t.len) {
            memcpy(copy + len, t.data, t.len);
            list[n++] = (struct item){.kind = ITEM_TEXT, .text = {copy + len, t.len}};
            len += t.len;
        }
    }
    *ret = list;
    *ret_count = n;
    return 0;
}

static int run_macro(struct stack *s, const struct word *w)
{
    struct item *body = NULL;
    size_t n = 0;
    TRY(tokenize(s->maker.arena, str_of(w->body), &body, &n));
    return stack_run(s, body, n);
}

static int run_word(struct stack *s, struct str token)
{
    const struct word *w = find_word((struct str){token.data + 1, token.len - 1});
    FAIL_IF(!w, ERR_INVALID, "there is no such word");
    return w->run ? w->run(s, w) : run_macro(s, w);
}

// The list that opens at program[*at]; *at is behind its end afterwards.
static int take_list(struct stack *s, const struct item *program, size_t count,
                     size_t *at)
{
    size_t open = 1, first = *at + 1, i = first;
    for (; i < count && open; i++) {
        if (program[i].kind == ITEM_TEXT) {
            open += str_eq_c(program[i].text, "(");
            open -= str_eq_c(program[i].text, ")");
        }
    }
    FAIL_IF(open, ERR_INVALID, "a list that does not end");
    FAIL_IF(i - first > STACK_MAX, ERR_LIMIT, "a list of more than %d things", STACK_MAX);
    *at = i;
    return stack_push(
        s, (struct item){.kind = ITEM_LIST, .list = {program + first, i - 1 - first}});
}

static int run_one(struct stack *s, const struct item *program, size_t count, size_t *at)
{
    const struct item *i = &program[*at];
    struct str text;
    if (i->kind != ITEM_TEXT) {
        ++*at;
        return stack_push(s, *i);
    }
    if (str_eq_c(i->text, "(")) {
        return take_list(s, program, count, at);
    }
    FAIL_IF(str_eq_c(i->text, ")"), ERR_INVALID, "no list is open");
    ++*at;
    if (i->text.len && i->text.data[0] == ':') {
        return run_word(s, i->text);
    }
    TRY(stack_unescape(s->maker.arena, i->text, &text));
    return stack_push_text(s, text);
}

int stack_run(struct stack *s, const struct item *program, size_t count)
{
    FAIL_IF(s->calls == STACK_CALLS_MAX, ERR_LIMIT, "calls that are more than %d deep",
            STACK_CALLS_MAX);
    s->calls++;
    for (size_t at = 0; at < count;) {
        FAIL_IF(++s->steps > STACK_STEPS_MAX, ERR_LIMIT, "more than %d words are run",
                STACK_STEPS_MAX);
        size_t was = at;
        int err = run_one(s, program, count, &at);
        if (err < 0) {
            struct str t =
                program[was].kind == ITEM_TEXT ? program[was].text : STR("a value");
            char *why = arena_dup(s->maker.arena, str_of(err_reason()));
            s->calls--;
            // The innermost place is enough to say.
            bool said = s->calls && why && strncmp(why, "at word ", 8) == 0;
            return said || !why ? err
                                : err_fail(err, "at word %zu, " STR_FMT ": %s", was + 1,
                                           (int)MIN(t.len, 80u), t.data, why);
        }
    }
    s->calls--;
    return 0;
}

// --- the question -----------------------------------------------------------------------------

static int add_line(struct maker *m, struct styled *out, size_t *n,
                    const struct styled *s, int64_t offset_ms)
{
    FAIL_IF(*n == STACK_MAX, ERR_LIMIT, "more than %d expressions", STACK_MAX);
    struct styled one = *s;
    one.settings[SETTING_OFFSET] = (struct str){0};
    if (offset_ms >= 0) {
        TRY(rewrite_offset(m, s->node, offset_ms, &one.node));
    }
    TRY(styled_resolve(&one));
    out[(*n)++] = one;
    return 0;
}

static int expand(struct maker *m, const struct styled *s, struct styled *out, size_t *n)
{
    struct str rest = s->settings[SETTING_OFFSET], one = {0};
    bool any = false;
    while (str_next(&rest, ',', &one)) {
        int64_t ms = 0;
        if (one.len) {
            TRY(times_duration(one, &ms));
            TRY(add_line(m, out, n, s, ms));
            any = true;
        }
    }
    return any ? 0 : add_line(m, out, n, s, -1);
}

static int finish(struct stack *s, struct telemetry_expr *e)
{
    struct styled *out = arena_alloc(s->maker.arena, STACK_MAX, sizeof *out);
    FAIL_IF(!out, ERR_NOMEM, "a question");
    size_t n = 0;
    FAIL_IF(s->frozen_count + s->count > STACK_MAX, ERR_LIMIT, "more than %d expressions",
            STACK_MAX);
    memmove(s->items + s->frozen_count, s->items, s->count * sizeof *s->items);
    memcpy(s->items, s->frozen, s->frozen_count * sizeof *s->items);
    s->count += s->frozen_count;
    FAIL_IF(s->count == 0, ERR_INVALID, "the question is empty");
    // From the bottom: the order in which they were asked for.
    for (size_t i = 0; i < s->count; i++) {
        struct stack one = *s;
        struct styled styled;
        one.items = &s->items[i];
        one.count = 1;
        one.base = 0;
        int err = stack_pop_styled(&one, &styled);
        s->maker = one.maker;
        TRY(err);
        TRY(expand(&s->maker, &styled, out, &n));
    }
    e->lines = out;
    e->count = n;
    e->made = s->maker.made;
    return 0;
}

static int run_text(struct stack *s, struct str text)
{
    struct arena *a = s->maker.arena;
    struct item *program = NULL;
    size_t count = 0;
    FAIL_IF(text.len > PLAN_TEXT_MAX, ERR_LIMIT, "a question of more than %d bytes",
            PLAN_TEXT_MAX);
    FAIL_IF(!str_is_utf8(text), ERR_INVALID, "a question that is not UTF-8");
    s->items = arena_alloc(a, STACK_MAX, sizeof *s->items);
    s->frozen = arena_alloc(a, STACK_MAX, sizeof *s->frozen);
    s->names = arena_alloc(a, STACK_NAMES_MAX, sizeof *s->names);
    FAIL_IF(!s->items || !s->frozen || !s->names, ERR_NOMEM, "a question");
    TRY(tokenize(a, text, &program, &count));
    return stack_run(s, program, count);
}

int stack_parse(struct str text, const char *zone, int64_t now_ms, struct arena *a,
                const struct telemetry_expr **ret)
{
    struct stack s = {.maker = {.arena = a, .zone = zone, .now_ms = now_ms}};
    struct telemetry_expr *e = arena_alloc(a, 1, sizeof *e);
    FAIL_IF(!e, ERR_NOMEM, "a question");
    TRY(run_text(&s, text));
    TRY(finish(&s, e));
    *ret = e;
    return 0;
}

int telemetry_match_parse(struct str text, struct arena *a,
                          const struct telemetry_match **ret)
{
    struct stack s = {.maker = {.arena = a, .zone = "UTC", .now_ms = 0}};
    const struct query *query = NULL;
    TRY(run_text(&s, text));
    TRY(stack_pop_query(&s, &query));
    FAIL_IF(s.count + s.frozen_count > 0, ERR_INVALID,
            "more than one query: join them by :and or :or");
    *ret = &query->match;
    return 0;
}

int telemetry_stack_parse(struct str text, struct arena *a,
                          const struct telemetry_expr **ret)
{
    return stack_parse(text, "UTC", clock_wall_us() / 1000, a, ret);
}
