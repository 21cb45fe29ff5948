// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lists as commands print them: a table for people, one object for programs.
#ifndef APP_LISTING_H
#define APP_LISTING_H

#include "app/commands.h"

enum { LISTING_COLUMNS = 8 };
struct listing_column {
    const char *head;
    int width; // 0 for the last, which is as wide as it is
};
typedef int listing_read_f(struct store_tx *, const struct args *, json_t **ret);
// What stands in the columns. Texts of its own go to `own`, which outlives the line.
typedef void listing_line_f(const json_t *item, const char *cells[LISTING_COLUMNS],
                            struct buf *own);
struct listing {
    const char *name; // in JSON
    struct listing_column columns[LISTING_COLUMNS];
    listing_read_f *read;
    listing_line_f *line;
};
// A line for each; on a terminal, which people read, below the heads.
int listing_print(const struct listing *, const json_t *items);
// {"schema":1,"<name>":[…]} with --json, else as above.
int listing_run(const struct args *, const struct listing *);

#endif
