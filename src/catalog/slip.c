// SPDX-License-Identifier: GPL-3.0-or-later
//
// What somebody meant who typed "sintl": the words of names, people and tags that are one slip away.
#include "catalog/internal.h"

#include <string.h>

#define WORD_LETTERS_MIN 4 // shorter words are one slip away from too many others
#define WORDS_MAX        8
#define NEAR_MAX         16
#define TERMS_MAX        200000 // looked at for one word

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t letters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += !continues(s.data[i]);
    }
    return n;
}

static struct str cut(struct str s, size_t before, size_t after)
{
    return (struct str){s.data + before, s.len - before - after};
}

// Whether two letters of `a` stand in `b` the other way round.
static bool is_swapped(struct str a, struct str b)
{
    if (a.len != b.len || letters(a) != 2 || letters(b) != 2) {
        return false;
    }
    size_t first = 1;
    while (continues(a.data[first])) {
        first++;
    }
    return memcmp(a.data, b.data + a.len - first, first) == 0 &&
           memcmp(a.data + first, b.data, a.len - first) == 0;
}

// One letter wrong, missing or too many, or two neighbours swapped: what is left between the parts
// that are alike says which.
static bool is_one_slip(struct str a, struct str b)
{
    size_t least = MIN(a.len, b.len), before = 0, after = 0;
    while (before < least && a.data[before] == b.data[before]) {
        before++;
    }
    while (before > 0 && ((before < a.len && continues(a.data[before])) ||
                          (before < b.len && continues(b.data[before])))) {
        before--; // not within a letter
    }
    while (after < least - before &&
           a.data[a.len - 1 - after] == b.data[b.len - 1 - after]) {
        after++;
    }
    while (after > 0 && continues(a.data[a.len - after])) {
        after--;
    }
    struct str x = cut(a, before, after), y = cut(b, before, after);
    return (letters(x) <= 1 && letters(y) <= 1) || is_swapped(x, y);
}

static int is_known(struct store_tx *tx, struct str word)
{
    AUTO(buf_free) struct buf match = {0};
    int64_t one = 0;
    buf_printf(&match, "\"" STR_FMT "\"*", STR_ARG(word));
    TRY(match.err);
    int err = store_get_i64(
        tx, &one, "SELECT 1 FROM catalog_words WHERE catalog_words MATCH ? LIMIT 1", "s",
        match.data);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

// Appends ("near" OR "nearer"); the number of words in it.
static int add_near(struct store_tx *tx, struct str word, struct buf *out)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    AUTO(buf_free) struct buf typed = {0}; // as the index writes it, but for accents
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];
        buf_char(&typed, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
    }
    TRY(typed.err);
    TRY(store_query(tx, &rows,
                    "SELECT DISTINCT term FROM catalog_vocabulary WHERE col IN ('name', "
                    "'people', 'tags') LIMIT ?",
                    "i", (int64_t)TERMS_MAX));
    int near = 0, any = 0;
    while (near < NEAR_MAX && (any = store_next(rows)) > 0) {
        const char *term = store_text(rows, 0);
        if (is_one_slip(buf_view(&typed), str_of(term))) {
            buf_printf(out, "%s\"%s\"", near++ ? " OR " : "(", term);
        }
    }
    TRY(any);
    buf_cstr(out, near ? ")" : "");
    return near;
}

int words_forgive(struct store_tx *tx, const char *text, struct buf *out)
{
    bool forgiven = false;
    int words = 0;
    for (struct str w; words < WORDS_MAX && (w = words_next(&text)).len > 0; words++) {
        int known = is_known(tx, w);
        TRY(known);
        buf_cstr(out, words ? " AND " : "");
        if (known) {
            buf_printf(out, "\"" STR_FMT "\"*", STR_ARG(w));
            continue;
        }
        int near = letters(w) < WORD_LETTERS_MIN ? 0 : add_near(tx, w, out);
        TRY(near);
        if (near == 0) {
            return 0;
        }
        forgiven = true;
    }
    TRY(out->err);
    return forgiven;
}
