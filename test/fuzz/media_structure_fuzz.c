// SPDX-License-Identifier: GPL-3.0-or-later
//
// Our own walks over Matroska and ISO base media, as a delivered file meets them, and over Matroska's elements
// whatever the first bytes are.
#include "media/ebml.h"
#include "media/structure.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t read_bytes(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct str *s = opaque;
    ASSERT(offset >= 0);
    size_t n = offset < (int64_t)s->len ? MIN(len, s->len - (size_t)offset) : 0;
    memcpy(ret, s->data + (n ? offset : 0), n);
    return (int64_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct media_input input = {&bytes, (int64_t)size, read_bytes};
    AUTO(findings_free) struct findings findings = {0};
    media_structure_check(&input, &findings);
    media_structure_explain(&input, &findings);
    media_ebml_check(&input, 0, &findings);
    return 0;
}
