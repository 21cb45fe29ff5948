// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series from a file: comma-separated numbers, a row a time. Everything that is not a number is refused with its line;
// an empty cell, "NaN", "NA" and "null" are no value.
#ifndef INSIGHT_SHEET_H
#define INSIGHT_SHEET_H

#include "base/base.h"

struct insight_sheet {
    size_t rows, columns;
    char **names;      // a column's, from the first line; NULL: the file has none
    double *values;    // column by column: values[column * rows + row]; NaN: no value
    int64_t *times_ms; // of rows; NULL: the file has none
};
void insight_sheet_free(struct insight_sheet *);
// The first line names columns where its last field is no number. A first column is times where it is called time,
// timestamp, date, ts or t, where its fields are dates, or where there are two columns without names. Times: numbers
// as they are, or ISO 8601 (UTC where no zone is said) in ms since 1970. ERR_INVALID: `line N: …`; ERR_LIMIT: over
// 20,000 columns or 50 million cells.
int insight_sheet_parse(struct str text, struct insight_sheet *ret);
const double *insight_sheet_column(const struct insight_sheet *, size_t column);
// ERR_NOT_FOUND.
int insight_sheet_find(const struct insight_sheet *, const char *name,
                       size_t *ret_column);
// A time as times_ms has it.
int insight_time_parse(struct str text, int64_t *ret_ms);

#endif
