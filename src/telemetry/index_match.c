// SPDX-License-Identifier: GPL-3.0-or-later
//
// Questions to the index. A condition on a key is asked of each value of that key once, not of each series;
// the series of the values that fit are united. The lock is let go every few thousand values, so that a
// hard expression over a million values holds nobody up.
#include "telemetry/index_parts.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST        64
#define BREATH         4096   // values between two lettings go of the lock
#define REGEX_MATCHES  100000 // steps of one match, before it counts as too hard
#define REGEX_HEAP_KIB 256
#define MATCH_US       INT64_C(15000000) // of all conditions of one question to the index
#define LOOKS          256               // values between two looks at the clock

void index_set_free(struct index_set *s)
{
    free(s->words);
    *s = (struct index_set){0};
}

bool index_set_has(const struct index_set *s, uint32_t series)
{
    return series < s->numbers && (s->words[series / 64] >> (series % 64) & 1);
}

size_t index_set_size(const struct index_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        n += (size_t)__builtin_popcountll(s->words[i]);
    }
    return n;
}

static int set_new(uint32_t numbers, struct index_set *ret)
{
    size_t count = (numbers + UINT32_C(63)) / 64;
    uint64_t *words = calloc(MAX(count, (size_t)1), sizeof *words);
    FAIL_IF(!words, ERR_NOMEM, "a set of series");
    *ret = (struct index_set){.words = words, .count = count, .numbers = numbers};
    return 0;
}

// All but the numbers that were skipped or forgotten.
static void set_all(const struct index *ix, struct index_set *s)
{
    memset(s->words, 0xff, s->count * sizeof *s->words);
    if (s->numbers % 64) {
        s->words[s->count - 1] = (UINT64_C(1) << (s->numbers % 64)) - 1;
    }
    if (index_series(ix) >= s->numbers) {
        return;
    }
    for (uint32_t n = 0; n < s->numbers; n++) {
        if (!index_is_used(ix, n)) {
            s->words[n / 64] &= ~(UINT64_C(1) << (n % 64));
        }
    }
}

static void set_add(struct index_set *s, const struct index_postings *list)
{
    const uint32_t *ids = index_ids(list);
    for (uint32_t i = 0; i < list->count && ids[i] < s->numbers; i++) {
        s->words[ids[i] / 64] |= UINT64_C(1) << (ids[i] % 64);
    }
}

static bool set_meets(const struct index_set *s, const struct index_postings *list)
{
    const uint32_t *ids = index_ids(list);
    for (uint32_t i = 0; i < list->count; i++) {
        if (index_set_has(s, ids[i])) {
            return true;
        }
    }
    return false;
}

// --- conditions on a value -----------------------------------------------------------------------

struct condition {
    const struct telemetry_match *match;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static void condition_free(struct condition *c)
{
    pcre2_match_context_free(c->context);
    pcre2_match_data_free(c->data);
    pcre2_code_free(c->code);
}

static int condition_compile(struct condition *c)
{
    const struct telemetry_match *m = c->match;
    if (m->op != TELEMETRY_MATCH_RE && m->op != TELEMETRY_MATCH_REIC) {
        return 0;
    }
    FAIL_IF(m->value_count != 1, ERR_INVALID, "a regular expression is one text");
    int error;
    PCRE2_SIZE at;
    uint32_t options = PCRE2_ANCHORED | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
                       (m->op == TELEMETRY_MATCH_REIC ? PCRE2_CASELESS : 0);
    c->code = pcre2_compile((PCRE2_SPTR)m->values[0].data, m->values[0].len, options,
                            &error, &at, NULL);
    if (!c->code) {
        char why[128];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
        FAIL(ERR_INVALID, "a regular expression, at character %zu: %s", at + 1, why);
    }
    // Where there is no JIT the interpreter does it.
    (void)pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE);
    c->data = pcre2_match_data_create(1, NULL);
    c->context = pcre2_match_context_create(NULL);
    FAIL_IF(!c->data || !c->context, ERR_NOMEM, "a regular expression");
    pcre2_set_match_limit(c->context, REGEX_MATCHES);
    pcre2_set_heap_limit(c->context, REGEX_HEAP_KIB);
    return 0;
}

static int compare(struct str a, struct str b)
{
    int c = memcmp(a.data, b.data, MIN(a.len, b.len));
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

// 1: the value fits, 0: it does not.
static int condition_test(const struct condition *c, struct str value)
{
    const struct telemetry_match *m = c->match;
    if (c->code) {
        // One group is asked for, so a match with more reports 0: it fits too.
        int n = pcre2_match(c->code, (PCRE2_SPTR)value.data, value.len, 0, 0, c->data,
                            c->context);
        FAIL_IF(n < 0 && n != PCRE2_ERROR_NOMATCH, ERR_LIMIT,
                "the regular expression " STR_FMT " is too hard", STR_ARG(m->values[0]));
        return n >= 0;
    }
    if (m->op == TELEMETRY_MATCH_HAS) {
        return 1;
    }
    FAIL_IF(m->value_count != 1, ERR_INVALID, "a comparison is with one text");
    int sign = compare(value, m->values[0]);
    return m->op == TELEMETRY_MATCH_LT   ? sign < 0
           : m->op == TELEMETRY_MATCH_LE ? sign <= 0
           : m->op == TELEMETRY_MATCH_GT ? sign > 0
                                         : sign >= 0;
}

// A question to the index, and when it has taken too long.
struct matching {
    struct index *index;
    int64_t until_us;
};

static int match_values(const struct matching *x, const struct telemetry_match *m,
                        struct index_set *set)
{
    struct index *ix = x->index;
    AUTO(condition_free) struct condition c = {.match = m};
    TRY(condition_compile(&c));
    index_lock_read(ix);
    uint32_t k = index_key_locked(ix, m->key);
    for (size_t i = 0; k != INDEX_NONE && i < ix->keys.data[k].pairs.len; i++) {
        const struct index_pair *p = index_pair_at(ix, ix->keys.data[k].pairs.data[i]);
        int fits = condition_test(&c, (struct str){p->value, p->value_len});
        if (fits >= 0 && i % LOOKS == LOOKS - 1 && clock_mono_us() > x->until_us) {
            fits = err_fail(ERR_LIMIT, "so many values and expressions take too long");
        }
        if (fits < 0) {
            index_unlock(ix);
            return fits;
        }
        if (fits) {
            set_add(set, &p->postings);
        }
        if (i % BREATH == BREATH - 1) {
            index_unlock(ix);
            index_lock_read(ix);
        }
    }
    index_unlock(ix);
    return 0;
}

static void match_in(struct index *ix, const struct telemetry_match *m,
                     struct index_set *set)
{
    index_lock_read(ix);
    uint32_t k = index_key_locked(ix, m->key);
    for (size_t i = 0; k != INDEX_NONE && i < m->value_count; i++) {
        uint32_t p = index_pair_locked(ix, k, m->values[i]);
        if (p != INDEX_NONE) {
            set_add(set, &index_pair_at(ix, p)->postings);
        }
    }
    index_unlock(ix);
}

// --- trees ---------------------------------------------------------------------------------------

static int match_tree(const struct matching *x, const struct telemetry_match *m,
                      struct index_set *set, int depth);

static int match_branch(const struct matching *x, const struct telemetry_match *m,
                        struct index_set *set, int depth)
{
    AUTO(index_set_free) struct index_set other = {0};
    TRY(set_new(set->numbers, &other));
    TRY(match_tree(x, m->left, set, depth + 1));
    if (m->op == TELEMETRY_MATCH_NOT) {
        set_all(x->index, &other);
        for (size_t i = 0; i < set->count; i++) {
            set->words[i] = other.words[i] & ~set->words[i];
        }
        return 0;
    }
    TRY(match_tree(x, m->right, &other, depth + 1));
    for (size_t i = 0; i < set->count; i++) {
        set->words[i] = m->op == TELEMETRY_MATCH_AND ? set->words[i] & other.words[i]
                                                     : set->words[i] | other.words[i];
    }
    return 0;
}

// `set` comes in empty.
static int match_tree(const struct matching *x, const struct telemetry_match *m,
                      struct index_set *set, int depth)
{
    FAIL_IF(depth > DEEPEST, ERR_LIMIT, "a condition nested deeper than %d", DEEPEST);
    switch (m->op) {
    case TELEMETRY_MATCH_NONE:
        return 0;
    case TELEMETRY_MATCH_ALL:
        set_all(x->index, set);
        return 0;
    case TELEMETRY_MATCH_IN:
        match_in(x->index, m, set);
        return 0;
    case TELEMETRY_MATCH_HAS:
    case TELEMETRY_MATCH_RE:
    case TELEMETRY_MATCH_REIC:
    case TELEMETRY_MATCH_LT:
    case TELEMETRY_MATCH_LE:
    case TELEMETRY_MATCH_GT:
    case TELEMETRY_MATCH_GE:
        return match_values(x, m, set);
    case TELEMETRY_MATCH_AND:
    case TELEMETRY_MATCH_OR:
    case TELEMETRY_MATCH_NOT:
        return match_branch(x, m, set, depth);
    }
    FAIL(ERR_INVALID, "a condition of kind %d", (int)m->op);
}

int index_match(struct index *ix, const struct telemetry_match *m, struct index_set *ret)
{
    const struct telemetry_match all = {.op = TELEMETRY_MATCH_ALL};
    const struct matching x = {ix, clock_mono_us() + MATCH_US};
    AUTO(index_set_free) struct index_set set = {0};
    TRY(set_new(index_numbers(ix), &set));
    TRY(match_tree(&x, m ? m : &all, &set, 0));
    *ret = set;
    set = (struct index_set){0};
    return 0;
}

// --- lists ---------------------------------------------------------------------------------------

static int by_text(const void *a, const void *b)
{
    return compare(*(const struct str *)a, *(const struct str *)b);
}

typedef VEC(struct str) texts;

static int cut_page(texts *all, const struct telemetry_page *page, struct arena *arena,
                    struct telemetry_names *ret)
{
    if (all->len > 0) {
        qsort(all->data, all->len, sizeof *all->data, by_text);
    }
    size_t n = MIN(all->len, page->limit);
    struct str *list = arena_alloc(arena, MAX(n, (size_t)1), sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "a list of names");
    for (size_t i = 0; i < n; i++) {
        list[i] = (struct str){arena_dup(arena, all->data[i]), all->data[i].len};
        FAIL_IF(!list[i].data, ERR_NOMEM, "a list of names");
    }
    *ret = (struct telemetry_names){.list = list, .count = n, .more = all->len > n};
    return 0;
}

static bool is_behind(struct str text, const char *after)
{
    return !after || compare(text, str_of(after)) > 0;
}

static bool key_meets(const struct index *ix, const struct index_key *k,
                      const struct index_set *set)
{
    for (size_t i = 0; i < k->pairs.len; i++) {
        if (set_meets(set, &index_pair_at(ix, k->pairs.data[i])->postings)) {
            return true;
        }
    }
    return false;
}

int index_keys(struct index *ix, const struct index_set *set,
               const struct telemetry_page *page, struct arena *arena,
               struct telemetry_names *ret)
{
    texts all = {0};
    int err = 0;
    index_lock_read(ix);
    for (size_t k = 0; err == 0 && k < ix->keys.len; k++) {
        const struct index_key *key = &ix->keys.data[k];
        struct str text = {key->text, key->len};
        if (is_behind(text, page->after) && key_meets(ix, key, set)) {
            err = vec_push(&all, text);
        }
    }
    index_unlock(ix);
    err = err < 0 ? err : cut_page(&all, page, arena, ret);
    vec_free(&all);
    return err;
}

int index_values(struct index *ix, const struct index_set *set, const char *key,
                 const struct telemetry_page *page, struct arena *arena,
                 struct telemetry_names *ret)
{
    texts all = {0};
    int err = 0;
    index_lock_read(ix);
    uint32_t k = index_key_locked(ix, str_of(key));
    for (size_t i = 0; err == 0 && k != INDEX_NONE && i < ix->keys.data[k].pairs.len;
         i++) {
        const struct index_pair *p = index_pair_at(ix, ix->keys.data[k].pairs.data[i]);
        struct str text = {p->value, p->value_len};
        if (is_behind(text, page->after) && set_meets(set, &p->postings)) {
            err = vec_push(&all, text);
        }
        if (i % BREATH == BREATH - 1) {
            index_unlock(ix);
            index_lock_read(ix);
        }
    }
    index_unlock(ix);
    err = err < 0 ? err : cut_page(&all, page, arena, ret);
    vec_free(&all);
    return err;
}
