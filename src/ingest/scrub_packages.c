// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether the folders of published packages still hold what was published: package.json by the name
// of its folder, every other file by the hash that stands there.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

enum { PACKAGE_BYTES_MAX = 128 << 20 };

struct scrub {
    struct store *store;
    store_bad_f *bad;
    void *user;
    struct store_checked made;
};

static void check_file(struct scrub *s, const char *path, const struct hash *wanted)
{
    int64_t bytes = 0;
    int err = store_file_check(path, wanted, &bytes);
    s->made.files++;
    s->made.bytes += bytes;
    if (err < 0) {
        s->made.bad++;
        s->bad(s->user, path, err);
    }
}

static int check_package(struct scrub *s, const char *hex)
{
    AUTO(cstr_free) char *own = NULL;
    AUTO(json_free) json_t *package = NULL;
    json_t *files = NULL;
    struct hash hash;
    int64_t before = s->made.bad;
    TRY(hash_parse(str_of(hex), &hash));
    TRY(cstr_printf(&own, "%s/media/%s/package.json", store_dir(s->store), hex));
    check_file(s, own, &hash);
    if (s->made.bad != before) {
        return 0; // what it says of others is not to be believed
    }
    TRY(json_parse_file(&package, own, PACKAGE_BYTES_MAX));
    TRY(json_get_array(package, "files", &files));
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        AUTO(cstr_free) char *path = NULL;
        TRY(hash_parse(str_of(json_str_or(file, "hash", "")), &hash));
        TRY(cstr_printf(&path, "%s/media/%s/%s", store_dir(s->store), hex,
                        json_str_or(file, "path", "")));
        check_file(s, path, &hash);
    }
    return 0;
}

static int list_packages(struct store *store, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    AUTO(json_free) json_t *list = json_array();
    TRY(store_begin(store, STORE_READ, &tx));
    TRY(store_query(tx, &rows, "SELECT DISTINCT hash FROM ingest_package ORDER BY hash",
                    ""));
    int any;
    while ((any = store_next(rows)) > 0) {
        FAIL_IF(json_array_append_new(list, json_string(store_text(rows, 0))) < 0,
                ERR_NOMEM, "packages");
    }
    TRY(any);
    *ret = TAKE(list);
    return 0;
}

int ingest_check(struct store *store, store_bad_f *bad, void *user,
                 struct store_checked *ret)
{
    struct scrub s = {.store = store, .bad = bad, .user = user};
    AUTO(json_free) json_t *packages = NULL;
    TRY(list_packages(store, &packages));
    for (size_t i = 0; i < json_array_size(packages); i++) {
        TRY(check_package(&s, json_string_value(json_array_get(packages, i))));
    }
    *ret = s.made;
    return 0;
}
