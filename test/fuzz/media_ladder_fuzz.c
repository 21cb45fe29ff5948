// SPDX-License-Identifier: GPL-3.0-or-later
//
// A ladder that a person wrote: refused with mistakes, or read, written and read again the same.
#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(media_ladder_free) struct media_ladder *ladder = NULL, *again = NULL;
    AUTO(json_free) json_t *written = NULL, *rewritten = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    struct str text = {(const char *)data, size};
    if (media_ladder_parse(text, "ladder.yaml", &ladder, &mistakes) < 0) {
        ASSERT(mistakes.items.len > 0);
        return 0;
    }
    ASSERT(media_ladder_to_json(ladder, &written) == 0);
    ASSERT(media_ladder_from_json(written, &again) == 0);
    ASSERT(media_ladder_to_json(again, &rewritten) == 0);
    ASSERT(json_equal(written, rewritten));
    return 0;
}
