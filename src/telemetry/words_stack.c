// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words that move what is on the stack, whatever it is.
#include "telemetry/stack.h"

#include <string.h>

enum { OP_DUP, OP_DROP, OP_SWAP, OP_OVER, OP_ROT, OP_UNROT, OP_CLEAR, OP_DEPTH };

static struct item *top(struct stack *s)
{
    return s->items + s->count;
}

static int need(const struct stack *s, size_t n)
{
    FAIL_IF(stack_depth(s) < n, ERR_INVALID, "there is not enough before it");
    return 0;
}

static int move_run(struct stack *s, const struct word *w)
{
    static const size_t needs[] = {
        [OP_DUP] = 1, [OP_DROP] = 1,  [OP_SWAP] = 2,  [OP_OVER] = 2,
        [OP_ROT] = 1, [OP_UNROT] = 1, [OP_CLEAR] = 0, [OP_DEPTH] = 0};
    TRY(need(s, needs[w->op]));
    size_t depth = stack_depth(s);
    struct item *first = s->items + s->base, i;
    switch (w->op) {
    case OP_DUP:
        return stack_push(s, top(s)[-1]);
    case OP_OVER:
        return stack_push(s, top(s)[-2]);
    case OP_DROP:
        s->count--;
        return 0;
    case OP_CLEAR:
        s->count = s->base;
        return 0;
    case OP_SWAP:
        i = top(s)[-1];
        top(s)[-1] = top(s)[-2];
        top(s)[-2] = i;
        return 0;
    case OP_ROT: // the lowest comes to the top
        i = first[0];
        memmove(first, first + 1, (depth - 1) * sizeof *first);
        first[depth - 1] = i;
        return 0;
    case OP_UNROT:
        i = first[depth - 1];
        memmove(first + 1, first, (depth - 1) * sizeof *first);
        first[0] = i;
        return 0;
    default: {
        char *text = arena_printf(s->maker.arena, "%zu", depth);
        FAIL_IF(!text, ERR_NOMEM, "a text");
        return stack_push_text(s, str_of(text));
    }
    }
}

static int pick_run(struct stack *s, const struct word *w)
{
    int64_t n = 0;
    TRY(stack_pop_whole(s, 0, STACK_MAX, &n));
    TRY(need(s, (size_t)n + 1));
    struct item *at = top(s) - 1 - n, i = *at;
    if (w->op == OP_OVER) {
        return stack_push(s, i);
    }
    memmove(at, at + 1, (size_t)n * sizeof *at);
    top(s)[-1] = i;
    return 0;
}

static int push_list(struct stack *s, size_t n)
{
    struct item *list = arena_alloc(s->maker.arena, n + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "a list");
    memcpy(list, top(s) - n, n * sizeof *list);
    s->count -= n;
    return stack_push(s, (struct item){.kind = ITEM_LIST, .list = {list, n}});
}

static int list_run(struct stack *s, const struct word *w)
{
    (void)w;
    return push_list(s, stack_depth(s));
}

static int nlist_run(struct stack *s, const struct word *w)
{
    int64_t n = 0;
    TRY(stack_pop_whole(s, 0, STACK_MAX, &n));
    size_t few = MIN((size_t)n, stack_depth(s));
    if (w->op == OP_DROP) {
        s->count -= few;
        return 0;
    }
    return push_list(s, few);
}

static int pop_list(struct stack *s, struct item *ret)
{
    TRY(stack_pop(s, ret));
    FAIL_IF(ret->kind != ITEM_LIST, ERR_INVALID, "it wants a list");
    return 0;
}

static int call_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct item f;
    TRY(pop_list(s, &f));
    return stack_run(s, f.list.items, f.list.count);
}

static int each_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct item f, list;
    TRY(pop_list(s, &f));
    TRY(pop_list(s, &list));
    for (size_t i = 0; i < list.list.count; i++) {
        TRY(stack_push(s, list.list.items[i]));
        TRY(stack_run(s, f.list.items, f.list.count));
    }
    return 0;
}

static int map_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct item f, list;
    TRY(pop_list(s, &f));
    TRY(pop_list(s, &list));
    size_t base = s->base, count = s->count;
    struct item *made = arena_alloc(s->maker.arena, list.list.count + 1, sizeof *made);
    FAIL_IF(!made, ERR_NOMEM, "a list");
    s->base = count;
    for (size_t i = 0; i < list.list.count; i++) {
        s->count = count;
        TRY(stack_push(s, list.list.items[i]));
        TRY(stack_run(s, f.list.items, f.list.count));
        FAIL_IF(stack_depth(s) == 0, ERR_INVALID, "a function of :map leaves nothing");
        made[i] = top(s)[-1];
    }
    s->base = base;
    s->count = count;
    return stack_push(s,
                      (struct item){.kind = ITEM_LIST, .list = {made, list.list.count}});
}

static int set_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct item value;
    struct str name;
    TRY(stack_pop(s, &value));
    TRY(stack_pop_text(s, &name));
    size_t i = 0;
    while (i < s->name_count && !str_eq(s->names[i].name, name)) {
        i++;
    }
    FAIL_IF(i == STACK_NAMES_MAX, ERR_LIMIT, "more than %d names", STACK_NAMES_MAX);
    s->names[i].name = name;
    s->names[i].value = value;
    s->name_count = MAX(s->name_count, i + 1);
    return 0;
}

static int get_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct str name;
    TRY(stack_pop_text(s, &name));
    for (size_t i = 0; i < s->name_count; i++) {
        if (str_eq(s->names[i].name, name)) {
            return stack_push(s, s->names[i].value);
        }
    }
    FAIL(ERR_INVALID, "'" STR_FMT "' was not set", STR_ARG(name));
}

static int freeze_run(struct stack *s, const struct word *w)
{
    (void)w;
    size_t n = stack_depth(s);
    FAIL_IF(s->frozen_count + n > STACK_MAX, ERR_LIMIT, "more than %d things", STACK_MAX);
    memcpy(s->frozen + s->frozen_count, s->items + s->base, n * sizeof *s->items);
    s->frozen_count += n;
    s->count = s->base;
    return 0;
}

// One directive of a pattern: %s, %d, %f, %x, with flags, width and precision for the numbers.
static int format_one(struct str spec, struct str value, struct buf *out)
{
    char kind = spec.data[spec.len - 1];
    double number = 0;
    if (kind == 's') {
        FAIL_IF(spec.len != 2, ERR_INVALID, "%%s takes no width");
        buf_str(out, value);
        return 0;
    }
    FAIL_IF(!plan_number(value, &number), ERR_INVALID, "'" STR_FMT "' is no number",
            STR_ARG(value));
    int64_t width = 0, digits = 6;
    struct str rest = {spec.data + 1, spec.len - 2}, head = {0};
    bool zero = rest.len && rest.data[0] == '0';
    bool has_digits = memchr(rest.data, '.', rest.len) != NULL;
    str_next(&rest, '.', &head);
    if (head.len) {
        TRY(str_to_i64(head, 0, 60, &width));
    }
    if (has_digits) {
        TRY(str_to_i64(rest, 0, 20, &digits));
    }
    if (kind == 'f') {
        FAIL_IF(!(number > -1e18 && number < 1e18), ERR_LIMIT, "a number is too large");
        buf_printf(out, zero ? "%0*.*f" : "%*.*f", (int)width, (int)digits, number);
        return 0;
    }
    int64_t whole = 0;
    TRY(str_to_i64(value, INT64_MIN, INT64_MAX, &whole));
    if (kind == 'd') {
        buf_printf(out, zero ? "%0*lld" : "%*lld", (int)width, (long long)whole);
    } else {
        buf_printf(out, zero ? "%0*llx" : "%*llx", (int)width, (unsigned long long)whole);
    }
    return 0;
}

static int format_into(struct str pattern, struct names args, struct buf *out)
{
    size_t used = 0;
    for (size_t i = 0; i < pattern.len && out->len <= STACK_MADE_MAX; i++) {
        if (pattern.data[i] != '%') {
            buf_char(out, pattern.data[i]);
            continue;
        }
        size_t end = i + 1;
        while (end < pattern.len && end - i < 8 &&
               strchr("0123456789.", pattern.data[end])) {
            end++;
        }
        FAIL_IF(end >= pattern.len || !strchr("sdfx%", pattern.data[end]), ERR_INVALID,
                "'" STR_FMT "' holds a '%%' that is not understood", STR_ARG(pattern));
        if (pattern.data[end] == '%') {
            buf_char(out, '%');
        } else {
            FAIL_IF(used == args.count, ERR_INVALID, "there are too few values for it");
            struct str spec = {pattern.data + i, end - i + 1};
            TRY(format_one(spec, args.list[used++], out));
        }
        i = end;
    }
    return out->err;
}

static int format_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct names args;
    struct str pattern;
    TRY(stack_pop_texts(s, &args));
    TRY(stack_pop_text(s, &pattern));
    AUTO(buf_free) struct buf out = {0};
    TRY(format_into(pattern, args, &out));
    FAIL_IF(out.len > STACK_MADE_MAX, ERR_LIMIT, "a text of more than %d bytes",
            STACK_MADE_MAX);
    char *text = arena_dup(s->maker.arena, buf_view(&out));
    FAIL_IF(!text, ERR_NOMEM, "a text");
    return stack_push_text(s, (struct str){text, out.len});
}

static const struct word list[] = {
    {"dup", move_run, OP_DUP, NULL},     {"drop", move_run, OP_DROP, NULL},
    {"swap", move_run, OP_SWAP, NULL},   {"over", move_run, OP_OVER, NULL},
    {"rot", move_run, OP_ROT, NULL},     {"-rot", move_run, OP_UNROT, NULL},
    {"clear", move_run, OP_CLEAR, NULL}, {"depth", move_run, OP_DEPTH, NULL},
    {"pick", pick_run, OP_OVER, NULL},   {"roll", pick_run, OP_ROT, NULL},
    {"list", list_run, 0, NULL},         {"nlist", nlist_run, 0, NULL},
    {"ndrop", nlist_run, OP_DROP, NULL}, {"call", call_run, 0, NULL},
    {"each", each_run, 0, NULL},         {"map", map_run, 0, NULL},
    {"set", set_run, 0, NULL},           {"get", get_run, 0, NULL},
    {"freeze", freeze_run, 0, NULL},     {"format", format_run, 0, NULL},
    {"2over", NULL, 0, ":over,:over"},   {"nip", NULL, 0, ":swap,:drop"},
    {"tuck", NULL, 0, ":swap,:over"},    {"fcall", NULL, 0, ":get,:call"},
    {"sset", NULL, 0, ":swap,:set"},
};
const struct words words_stack = {list, ARRAY_LEN(list)};
