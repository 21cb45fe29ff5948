// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/structure.h"

#include "media/ebml.h"
#include "media/isobmff.h"

#include <string.h>

#define SEARCH_BYTES 4096

static const uint8_t ebml_magic[] = {0x1a, 0x45, 0xdf, 0xa3};

int media_structure_check(const struct media_input *input, struct findings *out)
{
    uint8_t head[SEARCH_BYTES];
    int64_t got = input->read(input->opaque, 0, head, sizeof head);
    FAIL_IF(got < 0, ERR_IO, "the file could not be read");
    if (got >= 4 && memcmp(head, ebml_magic, sizeof ebml_magic) == 0) {
        return media_ebml_check(input, 0, out);
    }
    static const char *const boxes[] = {"ftyp", "moov", "mdat", "free", "skip", "wide"};
    for (size_t i = 0; i < ARRAY_LEN(boxes) && got >= 8; i++) {
        if (memcmp(head + 4, boxes[i], 4) == 0) {
            return media_isobmff_check(input, out);
        }
    }
    return 0;
}

int media_structure_explain(const struct media_input *input, struct findings *out)
{
    uint8_t head[SEARCH_BYTES];
    int64_t got = input->read(input->opaque, 0, head, sizeof head);
    FAIL_IF(got < 0, ERR_IO, "the file could not be read");
    const uint8_t *at = got > 0 ? memmem(head, (size_t)got, ebml_magic + 1, 3) : NULL;
    bool late = at && (at == head || at[-1] != ebml_magic[0] || at - head > 1);
    if (!late) {
        return 0;
    }
    struct finding f = finding_about_file("ebml_start", FINDING_ERROR);
    f.evidence = json_pack("{s:I, s:s}", "header_at", (json_int_t)(at - head - 1),
                           "message", "the file does not begin with its EBML header");
    return findings_add(out, &f);
}
