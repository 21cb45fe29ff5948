// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading what steps left in the blob store.
#include "ingest/internal.h"

#include <stdlib.h>
#include <string.h>

enum { BLOB_BYTES_MAX = 1 << 28 };

int blob_text(struct store_blobs *blobs, const struct hash *hash, size_t max_bytes,
              struct buf *out)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(store_blob_open(blobs, hash, &blob));
    return blob_whole(blob, max_bytes, out);
}

int blob_whole(struct store_blob *blob, size_t max_bytes, struct buf *out)
{
    int64_t size = store_blob_size(blob);
    FAIL_IF(size < 0 || (uint64_t)size > max_bytes, ERR_LIMIT, "a blob of %lld bytes",
            (long long)size);
    buf_reserve(out, (size_t)size);
    TRY(out->err);
    size_t start = out->len;
    while (out->len - start < (size_t)size) {
        int64_t n =
            store_blob_read(blob, (int64_t)(out->len - start), out->data + out->len,
                            (size_t)size - (out->len - start));
        TRY((int)MIN(n, 0));
        FAIL_IF(n == 0, ERR_IO, "a blob ends early");
        out->len += (size_t)n;
    }
    if (out->data) {
        out->data[out->len] = 0;
    }
    return 0;
}

int blob_json(struct store_blobs *blobs, const struct hash *hash, json_t **ret)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(blob_text(blobs, hash, BLOB_BYTES_MAX, &text));
    return json_parse(ret, buf_view(&text), BLOB_BYTES_MAX);
}

int blob_report(struct store_blobs *blobs, const struct hash *hash,
                struct media_report **ret)
{
    AUTO(json_free) json_t *json = NULL;
    TRY(blob_json(blobs, hash, &json));
    return media_report_from_json(json, ret);
}

int blob_timeline(struct store_blobs *blobs, const struct hash *hash,
                  struct media_timeline **ret)
{
    AUTO(buf_free) struct buf bytes = {0};
    TRY(blob_text(blobs, hash, BLOB_BYTES_MAX, &bytes));
    return media_timeline_read(buf_view(&bytes), ret);
}

static int64_t input_read(void *opaque, int64_t offset, void *ret, size_t len)
{
    return store_blob_read(opaque, offset, ret, len);
}

struct media_input blob_input(struct store_blob *blob)
{
    return (struct media_input){
        .opaque = blob, .size = store_blob_size(blob), .read = input_read};
}

int file_add(json_t *files, const char *path, const void *bytes, size_t len)
{
    struct hash hash;
    char hex[HASH_HEX_BYTES];
    hash_of(bytes, len, &hash);
    hash_hex(&hash, hex);
    json_t *item = NULL;
    TRY(json_made(
        json_pack("{s:s, s:s, s:I}", "path", path, "hash", hex, "bytes", (json_int_t)len),
        &item));
    // An encoder that tries again writes the same paths again: the last one counts.
    for (size_t i = 0; i < json_array_size(files); i++) {
        const char *other = json_str_or(json_array_get(files, i), "path", "");
        if (strcmp(other, path) == 0) {
            FAIL_IF(json_array_set_new(files, i, item) != 0, ERR_NOMEM,
                    "a list of files");
            return 0;
        }
    }
    FAIL_IF(json_array_append_new(files, item) != 0, ERR_NOMEM, "a list of files");
    return 0;
}
