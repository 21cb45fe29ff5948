// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a person wrote, as a command reads it: ladder, policy, catalog. Each mistake is told.
#include "app/written.h"
#include "app/catalog_file.h"

#include <stdio.h>

// The first mistake is the reason of `err`, which the command says; the others go before it.
static int told(int err, const struct diag *diag)
{
    for (size_t i = 1; err < 0 && i < diag->items.len; i++) {
        const struct diag_item *item = &diag->items.data[i];
        fprintf(stderr, "%s:%d: %s\n", item->file, item->line, item->text);
    }
    return err;
}

int written_ladder(const char *file, struct media_ladder **ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(fs_read_file(file, 1 << 20, &text));
    return told(media_ladder_parse(buf_view(&text), file, ret, &diag), &diag);
}

int written_policy(const char *file, struct ingest_policy **ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(fs_read_file(file, 1 << 20, &text));
    return told(ingest_policy_parse(buf_view(&text), file, ret, &diag), &diag);
}

int written_peers(const char *file, struct insight_peers_file *ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(fs_read_file(file, 1 << 20, &text));
    return told(insight_peers_parse(buf_view(&text), file, ret, &diag), &diag);
}

int written_catalog(const char *file, json_t **ret)
{
    AUTO(diag_free) struct diag diag = {0};
    return told(catalog_file_load(file, ret, &diag), &diag);
}
