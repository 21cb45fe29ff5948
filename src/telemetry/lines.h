// SPDX-License-Identifier: GPL-3.0-or-later
//
// The grammar of spectatord lines: `type[,option]:name[,key=value…]:number`. Reading allocates nothing and
// gives no reasons, so that what is hostile costs no more than what is good.
#ifndef TELEMETRY_LINES_H
#define TELEMETRY_LINES_H

#include "base/base.h"

//  letter    what it is
#define LINE_TYPES(X)                                                       \
    X('c', COUNTER)     /* how much more */                                 \
    X('d', SUMMARY)     /* an amount */                                     \
    X('D', SUMMARY_P)   /* with percentiles */                              \
    X('t', TIMER)       /* seconds */                                       \
    X('T', TIMER_P)     /* with percentiles */                              \
    X('m', MAX)         /* the largest of a step */                         \
    X('g', GAUGE)       /* the latest; its option: seconds that it lasts */ \
    X('A', AGE)         /* when it was, in seconds since 1970; 0: now */    \
    X('C', MONOTONE)    /* a double that only grows */                      \
    X('U', MONOTONE_U)  /* an uint64 that only grows, and rolls over */     \
    X('X', MONOTONE_AT) /* as C, its option: at this time in ms */

enum line_type {
#define X(letter, name) LINE_##name,
    LINE_TYPES(X)
#undef X
        LINE_TYPE_COUNT
};

struct line {
    enum line_type type;
    struct str id;  // name and tags as they were sent
    int64_t option; // -1: none
    double value;
    uint64_t whole; // of LINE_MONOTONE_U
};

enum line_fault { LINE_GOOD, LINE_MALFORMED, LINE_BAD_VALUE };

#define LINE_ID_MAX 4096 // bytes

// One line without its end. The id is not looked into.
enum line_fault line_read(struct str text, struct line *ret);

// A decimal number as strtod reads it in the C locale. LINE_BAD_VALUE: it is spelled well, but infinite,
// NaN, or too long to be one.
enum line_fault number_read(struct str text, double *ret);

#define LINE_TAGS_MAX 40
struct line_tag {
    struct str key, value;
};
// The parts of an id, views into it, unmapped. LINE_MALFORMED: an empty name, key or value, or no '='.
// *ret_count is over LINE_TAGS_MAX where there are too many.
enum line_fault line_id_split(struct str id, struct str *ret_name,
                              struct line_tag tags[LINE_TAGS_MAX], size_t *ret_count);
// Into out (s.len bytes): what is outside of [-._A-Za-z0-9] becomes '_'.
void line_map(struct str s, char *out);

#endif
