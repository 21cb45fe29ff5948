// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the words of the stack language work on: stack.c runs them, words_*.c are they.
#ifndef TELEMETRY_STACK_H
#define TELEMETRY_STACK_H

#include "telemetry/plan.h"

#define STACK_MAX       1024
#define STACK_STEPS_MAX 20000 // words and texts that run, those of loops and macros too
#define STACK_CALLS_MAX 10
#define STACK_NAMES_MAX 256  // of :set
#define STACK_MADE_MAX  4096 // bytes of a text that :format makes

enum item_kind { ITEM_TEXT, ITEM_LIST, ITEM_QUERY, ITEM_NODE, ITEM_STYLED };

struct item {
    enum item_kind kind;
    union {
        struct str text;
        struct {
            const struct item *items;
            size_t count;
        } list;
        const struct query *query;
        const struct node *node;
        const struct styled *styled;
    };
};

struct stack {
    struct maker maker;
    struct item *items; // STACK_MAX; the top is the last
    size_t count;
    size_t base; // those below are hidden, for :map
    struct item *frozen;
    size_t frozen_count;
    struct {
        struct str name;
        struct item value;
    } * names;
    size_t name_count;
    size_t steps;
    int calls;
};

struct word;
typedef int word_f(struct stack *, const struct word *);
struct word {
    const char *name; // without the colon
    word_f *run;      // NULL: `body` is run
    int op;           // what `run` makes of it
    const char *body;
};
struct words {
    const struct word *list;
    size_t count;
};
// In words_stack.c, words_query.c, words_math.c, words_style.c.
extern const struct words words_stack, words_query, words_math, words_style;

int stack_run(struct stack *, const struct item *program, size_t count);
int stack_push(struct stack *, struct item);
int stack_push_node(struct stack *, const struct node *);
int stack_push_query(struct stack *, const struct query *);
int stack_push_text(struct stack *, struct str);
size_t stack_depth(const struct stack *);
// 0: the top. NULL: there are not so many.
const struct item *stack_at(const struct stack *, size_t from_top);
bool stack_has(const struct stack *, size_t from_top, enum item_kind);
// Whether it can be read as lines: a number, a query, an expression (not a styled one).
bool stack_has_lines(const struct stack *, size_t from_top);

// Each takes one item off, and fails where it is of another kind.
int stack_pop(struct stack *, struct item *ret);
int stack_pop_text(struct stack *, struct str *ret);
int stack_pop_number(struct stack *, double *ret);
int stack_pop_whole(struct stack *, int64_t min, int64_t max, int64_t *ret);
int stack_pop_duration(struct stack *, int64_t *ret_ms);
int stack_pop_query(struct stack *, const struct query **ret);
int stack_pop_texts(struct stack *, struct names *ret);
int stack_pop_numbers(struct stack *, const double **ret, size_t *ret_count);
// A number or a query becomes lines; a styled expression gives its style to *ret_style (NULL: it has
// none), where that is asked for, and is refused where not.
int stack_pop_lines(struct stack *, const struct node **ret,
                    const struct styled **ret_style);
int stack_pop_styled(struct stack *, struct styled *ret);
// Lines with the style that one operand had.
int stack_push_styled(struct stack *, const struct node *, const struct styled *style);
int stack_push_style(struct stack *, const struct styled *);
// key,value before it, as a query: :lt is a word of queries and of numbers.
int words_key_value(struct stack *, enum telemetry_match_op);
// Escapes (\u002c) as the bytes that they stand for.
int stack_unescape(struct arena *, struct str, struct str *ret);

#endif
