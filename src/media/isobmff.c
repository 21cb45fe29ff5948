// SPDX-License-Identifier: GPL-3.0-or-later
//
//     box   size u32 │ type u32 │ size 1: largesize u64 │ …     size 0: to the end of the file
#include "media/isobmff.h"

#include <string.h>

#define MAX_BOXES 1000000

struct outermost {
    bool moov, mdat;
    int64_t cut_at; // offset of a box that reaches beyond the file; -1 none
    char cut_type[5];
};

static uint64_t big_endian(const uint8_t *b, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) {
        v = v << 8 | b[i];
    }
    return v;
}

static int walk(const struct media_input *in, struct outermost *o)
{
    int64_t at = 0;
    for (int i = 0; i < MAX_BOXES && in->size - at >= 8; i++) {
        uint8_t head[16] = {0};
        int64_t got = in->read(in->opaque, at, head, sizeof head);
        FAIL_IF(got < 0, ERR_IO, "the file could not be read");
        uint64_t size = big_endian(head, 4);
        uint64_t left = (uint64_t)(in->size - at);
        size = size == 1 ? big_endian(head + 8, 8) : size == 0 ? left : size;
        o->moov = o->moov || memcmp(head + 4, "moov", 4) == 0;
        o->mdat = o->mdat || memcmp(head + 4, "mdat", 4) == 0;
        if (size < 8) {
            return 0; // no box: what follows is no structure of ours
        }
        if (size > left) {
            o->cut_at = at;
            for (int k = 0; k < 4; k++) {
                uint8_t c = head[4 + k];
                o->cut_type[k] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
            }
            return 0;
        }
        at += (int64_t)size;
    }
    return 0;
}

int media_isobmff_check(const struct media_input *input, struct findings *out)
{
    struct outermost o = {.cut_at = -1};
    TRY(walk(input, &o));
    bool lost = !o.moov && o.mdat;
    if (o.cut_at < 0 && !lost) {
        return 0;
    }
    bool harmless = o.moov && strcmp(o.cut_type, "mdat") == 0;
    struct finding f = finding_about_file(harmless ? "box_size" : "truncated",
                                          harmless ? FINDING_WARNING : FINDING_ERROR);
    f.evidence =
        o.cut_at < 0
            ? json_pack("{s:s}", "message", "the film's index (moov) is missing")
            : json_pack("{s:s, s:s, s:I}", "message", "a box reaches beyond the file",
                        "box", o.cut_type, "at_byte", (json_int_t)o.cut_at);
    return findings_add(out, &f);
}
