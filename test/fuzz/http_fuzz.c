// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first byte picks a grammar of the http room, the rest is what a client sent.
#include "http/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_uri(struct str text, struct arena *a)
{
    struct uri u;
    struct path_params p;
    if (uri_parse(text, a, &u) < 0) {
        return;
    }
    for (size_t i = 0; i < u.segment_count; i++) {
        ASSERT(!str_eq_c(str_of(u.segments[i]), ".."));
        ASSERT(str_is_utf8(str_of(u.segments[i])));
    }
    path_match("/media/{grant}/{package}/{rest*}", &u, a, &p);
    path_match("/deliveries/{id}/stills/{n}.jpg", &u, a, &p);
    uri_query(&u, a, "q");
}

static void fuzz_range(struct str text)
{
    int64_t start = 0, end = 0;
    static const int64_t sizes[] = {0, 1, 1000, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        if (field_range(text, sizes[i], &start, &end) == 1) {
            ASSERT(start >= 0 && start < end && end <= sizes[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *a = NULL;
    if (size == 0 || arena_new(&a) < 0) {
        return 0;
    }
    // A copy of its own size, so that a read behind the end is seen.
    char *copy = malloc(size - 1 ? size - 1 : 1);
    if (!copy) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        copy[i - 1] = (char)data[i];
    }
    struct str text = {copy, size - 1};
    const char *value = NULL;
    switch (data[0] % 6) {
    case 0:
        fuzz_uri(text, a);
        break;
    case 1:
        fuzz_range(text);
        break;
    case 2:
        field_cookie(text, "marquee_session");
        break;
    case 3:
        field_etag_listed(text, STR("abc"));
        field_accepts(text, "br");
        break;
    case 4:
        http_tus_metadata(text, "filename", a, &value);
        break;
    default:
        field_last_event_id(text);
        field_origin_is_host(text, STR("localhost:8080"));
    }
    free(copy);
    return 0;
}
