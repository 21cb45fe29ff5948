// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/listing.h"

#include <stdio.h>
#include <unistd.h>

// Padded by characters, not by bytes.
static void print_row(const struct listing_column *columns, const char *const *cells)
{
    for (size_t i = 0; i < LISTING_COLUMNS && columns[i].head; i++) {
        int wide = 0;
        for (const char *p = cells[i]; *p; p++) {
            wide += ((unsigned char)*p & 0xC0) != 0x80;
        }
        bool last = i + 1 == LISTING_COLUMNS || !columns[i + 1].head;
        printf("%s%*s", cells[i], last ? 0 : MAX(columns[i].width - wide, 0) + 2, "");
    }
    printf("\n");
}

int listing_print(const struct listing *of, const json_t *items)
{
    const char *cells[LISTING_COLUMNS] = {0};
    if (isatty(STDOUT_FILENO)) {
        for (size_t i = 0; i < LISTING_COLUMNS; i++) {
            cells[i] = of->columns[i].head;
        }
        print_row(of->columns, cells);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        AUTO(buf_free) struct buf own = {0};
        of->line(json_array_get(items, i), cells, &own);
        TRY(own.err);
        print_row(of->columns, cells);
    }
    return 0;
}

int listing_run(const struct args *args, const struct listing *of)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *items = NULL, *all = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_READ, &tx);
    err = err < 0 ? err : of->read(tx, args, &items);
    if (err == 0 && args_has(args, "json")) {
        err = json_made(json_pack("{s:i, s:O}", "schema", 1, of->name, items), &all);
        if (err == 0) {
            return command_print(all);
        }
    }
    err = err < 0 ? err : listing_print(of, items);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}
