// SPDX-License-Identifier: GPL-3.0-or-later
//
//     element   id (1 to 4 bytes, marker kept) │ size (1 to 8 bytes, marker dropped) │ data
//     master    its data is elements; a CRC-32 may come first and covers the rest
//
// RFC 8794 (EBML) and RFC 9559 (Matroska). Sizes of all ones are unknown: such a Segment lasts to
// the end of the file, such a Cluster to the next element of the Segment's level. Nothing is
// believed of a size beyond its parent.
#include "media/ebml.h"

#include <inttypes.h>
#include <libavutil/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH    12
#define MAX_ELEMENTS 20000000
#define MAX_PAYLOAD  65536 // of a value that is looked at
#define WINDOW       65536
#define EBML_ANY     0xffffffffu
#define UNKNOWN      UINT64_MAX

#define ID_EBML     0x1A45DFA3u
#define ID_SEGMENT  0x18538067u
#define ID_CLUSTER  0x1F43B675u
#define ID_TRACKS   0x1654AE6Bu
#define ID_CRC      0xBFu
#define ID_VOID     0xECu
#define ID_SEEK_ID  0x53ABu
#define ID_SEEK_POS 0x53ACu

enum type { MASTER, UINT, INT, FLOAT, DATE, ASCII, UTF8, BINARY };

static const struct known {
    uint32_t id, parent;
    enum type type;
    const char *name;
} known[] = {
#define EBML_ELEMENT(id, parent, type, name) {id, parent, type, name},
#include "media/ebml_elements.h"
};

// parent, child: RFC 9559 minOccurs 1 without a default. `grave`: the film cannot do without.
static const struct {
    uint32_t parent, child;
    bool grave;
} mandatory[] = {
    {ID_EBML, 0x4282, true},     {ID_SEGMENT, 0x1549A966, true},
    {0x1549A966, 0x4D80, false}, {0x1549A966, 0x5741, false},
    {0x1549A966, 0x73A4, false}, {0xAE, 0xD7, true},
    {0xAE, 0x73C5, false},       {0xAE, 0x83, true},
    {0xAE, 0x86, true},          {0xE0, 0xB0, true},
    {0xE0, 0xBA, true},          {ID_CLUSTER, 0xE7, true},
    {0xBB, 0xB3, false},         {0xBB, 0xB7, false},
    {0xB7, 0xF7, false},         {0xB7, 0xF1, false},
    {0x7373, 0x67C8, false},     {0x67C8, 0x45A3, false},
    {0x4DBB, ID_SEEK_ID, false}, {0x4DBB, ID_SEEK_POS, false},
    {0x61A7, 0x465C, false},
};

// May stand more than once in their parent.
static const uint32_t repeatable[] = {
    0x4DBB, 0x114D9B74, ID_CLUSTER, 0x1254C367, 0xA3,     0xA0,    0xAF,   0xA6,
    0xFB,   0xE8,       0xAE,       0x41E4,     0x6624,   0x66FC,  0xE4,   0xED,
    0x6240, 0xBB,       0xB7,       0xDB,       0x61A7,   0x45B9,  0x4520, 0x45E4,
    0xB6,   0x80,       0x89,       0x437C,     0x437D,   0x437E,  0x6944, 0x6911,
    0x7373, 0x67C8,     0x63C5,     0x63C9,     0x63C4,   0x63C6,  0x4444, 0x6924,
    0x69FC, 0x58D7,     0x6FAB,     0x3B4040,   0x26B240, ID_VOID,
};

// Tags whose text is a number (the Matroska tag registry).
static const char *const numeric_tags[] = {"TOTAL_PARTS", "PART_NUMBER", "PART_OFFSET",
                                           "BPM", "FPS"};

enum fault {
    HEADER,
    STRUCTURE,
    CRC,
    TEXT,
    PARENT,
    MANDATORY,
    VALUE,
    SEEK,
    TRUNCATED,
    FAULTS
};

static const char *const fault_kinds[FAULTS] = {
    [HEADER] = "ebml_header",     [STRUCTURE] = "ebml_structure",
    [CRC] = "ebml_crc",           [TEXT] = "ebml_text",
    [PARENT] = "matroska_parent", [MANDATORY] = "matroska_mandatory",
    [VALUE] = "matroska_value",   [SEEK] = "matroska_seek",
    [TRUNCATED] = "truncated",
};

#define TEXTS_MAX 5

struct fault_list {
    int64_t count;
    bool grave;
    char texts[TEXTS_MAX][160];
};

struct seek {
    uint32_t id;
    uint64_t position;
};

struct walk {
    const struct media_input *input;
    struct fault_list faults[FAULTS];
    int64_t elements;
    int64_t segment; // offset of its data
    uint64_t max_size_length, max_id_length;
    struct seek seek; // being read
    VEC(struct seek) seeks;
    uint64_t version, read_version, doc_version, doc_read_version;
    bool webm;
    char tag_name[32];
    uint8_t window[WINDOW];
    int64_t window_at;
    size_t window_len;
};

struct element {
    uint32_t id;
    int64_t at, data, end; // end: of the data; of the parent where the size is unknown
    bool open;             // size unknown
    const struct known *known;
};

static void fault(struct walk *w, enum fault kind, bool grave, int64_t at,
                  const char *fmt, ...) PRINTF_LIKE(5, 6);

static void fault(struct walk *w, enum fault kind, bool grave, int64_t at,
                  const char *fmt, ...)
{
    struct fault_list *l = &w->faults[kind];
    l->grave = l->grave || grave;
    if (l->count < TEXTS_MAX) {
        char *text = l->texts[l->count];
        int head = snprintf(text, sizeof l->texts[0], "at byte %" PRId64 ": ", at);
        va_list args;
        va_start(args, fmt);
        vsnprintf(text + head, sizeof l->texts[0] - (size_t)head, fmt, args);
        va_end(args);
    }
    l->count++;
}

// --- bytes ----------------------------------------------------------------------------------------

// Up to `len` bytes at `at` through the window; fewer at the end of the file.
static int peek(struct walk *w, int64_t at, size_t len, const uint8_t **ret,
                size_t *ret_len)
{
    bool inside =
        at >= w->window_at && at + (int64_t)len <= w->window_at + (int64_t)w->window_len;
    if (!inside) {
        w->window_at = at;
        w->window_len = 0;
        while (w->window_len < WINDOW) {
            int64_t got =
                w->input->read(w->input->opaque, at + (int64_t)w->window_len,
                               w->window + w->window_len, WINDOW - w->window_len);
            FAIL_IF(got < 0, ERR_IO, "the file could not be read");
            if (got == 0) {
                break;
            }
            w->window_len += (size_t)got;
        }
    }
    size_t skip = (size_t)(at - w->window_at);
    *ret = w->window + skip;
    *ret_len = MIN(len, w->window_len - MIN(skip, w->window_len));
    return 0;
}

static const struct known *look_up(uint32_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].id == id) {
            return &known[i];
        }
    }
    return NULL;
}

// 1: an element's head; 0: none there (told).
static int read_head(struct walk *w, int64_t at, int64_t parent_end, struct element *ret)
{
    const uint8_t *b = NULL;
    size_t len = 0;
    TRY(peek(w, at, 12, &b, &len));
    len = (size_t)MIN((int64_t)len, parent_end - at);
    int id_length = len && b[0] ? __builtin_clz(b[0]) - 23 : 9;
    if (id_length > 4 || (size_t)id_length >= len) {
        fault(w, STRUCTURE, true, at, "no element begins here (byte 0x%02x)",
              len ? b[0] : 0);
        return 0;
    }
    uint32_t id = 0;
    for (int i = 0; i < id_length; i++) {
        id = id << 8 | b[i];
    }
    const uint8_t *s = b + id_length;
    int size_length = s[0] ? __builtin_clz(s[0]) - 23 : 9;
    if (size_length > 8 || (size_t)(id_length + size_length) > len) {
        fault(w, STRUCTURE, true, at, "element 0x%X has no valid size", id);
        return 0;
    }
    uint64_t size = s[0] & (0xffu >> size_length);
    for (int i = 1; i < size_length; i++) {
        size = size << 8 | s[i];
    }
    bool open = size == (UINT64_C(1) << (7 * size_length)) - 1;
    if ((uint64_t)size_length > w->max_size_length) {
        fault(w, STRUCTURE, false, at,
              "element 0x%X has a size of %d bytes, EBMLMaxSizeLength is %" PRIu64, id,
              size_length, w->max_size_length);
    }
    *ret = (struct element){.id = id,
                            .at = at,
                            .data = at + id_length + size_length,
                            .open = open,
                            .known = look_up(id)};
    ret->end = parent_end;
    if (!open && size > (uint64_t)(parent_end - ret->data)) {
        bool cut = parent_end == w->input->size;
        fault(w, cut ? TRUNCATED : STRUCTURE, true, at,
              "element 0x%X of %" PRIu64 " bytes reaches beyond its parent", id, size);
        return cut; // what is there of it can still be looked at
    }
    ret->end = open ? parent_end : ret->data + (int64_t)size;
    return 1;
}

// --- values -----------------------------------------------------------------------------------------

static const char *name_of(const struct element *e)
{
    return e->known ? e->known->name : "unknown element";
}

static void check_tag(struct walk *w, const struct element *e, struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(numeric_tags); i++) {
        double v;
        if (strcmp(numeric_tags[i], w->tag_name) == 0 &&
            str_to_double(text, -1e18, 1e18, &v) < 0) {
            fault(w, VALUE, false, e->at, "tag %s is no number", w->tag_name);
        }
    }
}

static void check_text(struct walk *w, const struct element *e, const uint8_t *b,
                       size_t len)
{
    while (len && b[len - 1] == 0) {
        len--; // RFC 8794 7.4: zeros end a string early
    }
    struct str s = {(const char *)b, len};
    bool good = e->known->type == UTF8 ? len == 0 || str_is_utf8(s) : true;
    for (size_t i = 0; i < len && e->known->type == ASCII; i++) {
        good = good && b[i] >= 0x20 && b[i] <= 0x7e;
    }
    if (e->id == 0x45A3) {
        len = MIN(len, sizeof w->tag_name - 1);
        memcpy(w->tag_name, b, len);
        w->tag_name[len] = 0;
    } else if (e->id == 0x4282) {
        w->webm = str_eq_c(s, "webm");
    } else if (e->id == 0x4487) {
        check_tag(w, e, s);
    }
    if (!good) {
        fault(w, TEXT, false, e->at, "%s is no %s text", e->known->name,
              e->known->type == UTF8 ? "UTF-8" : "ASCII");
    }
}

static void check_number(struct walk *w, const struct element *e, uint64_t v)
{
    switch (e->id) {
    case 0x4286:
        w->version = v;
        break;
    case 0x42F7:
        w->read_version = v;
        break;
    case 0x4287:
        w->doc_version = v;
        break;
    case 0x4285:
        w->doc_read_version = v;
        break;
    case 0x42F2:
        w->max_id_length = v;
        if (v != 4) {
            fault(w, HEADER, v > 4, e->at,
                  "EBMLMaxIDLength is %" PRIu64 ", Matroska has 4", v);
        }
        break;
    case 0x42F3:
        if (v < 1 || v > 8) {
            fault(w, HEADER, true, e->at, "EBMLMaxSizeLength is %" PRIu64 ", not 1 to 8",
                  v);
        } else {
            w->max_size_length = v;
        }
        break;
    case 0x83: { // RFC 9559 5.1.4.1.3
        static const uint8_t types[] = {1, 2, 3, 16, 17, 18, 32, 33};
        if (v > UINT8_MAX || !memchr(types, (int)v, sizeof types)) {
            fault(w, VALUE, false, e->at, "TrackType %" PRIu64 " does not exist", v);
        }
        break;
    }
    case 0xD7:
    case 0x73C5:
    case 0x2AD7B1:
    case 0xB0:
    case 0xBA:
        if (v == 0) {
            fault(w, VALUE, true, e->at, "%s is 0", e->known->name);
        }
        break;
    case ID_SEEK_POS:
        w->seek.position = v;
        break;
    default:
        break;
    }
}

static void check_size(struct walk *w, const struct element *e)
{
    int64_t size = e->end - e->data;
    enum type t = e->known->type;
    bool wrong = t == UINT || t == INT ? size > 8
                 : t == FLOAT          ? size != 0 && size != 4 && size != 8
                 : t == DATE           ? size != 0 && size != 8
                                       : false;
    if (e->id == 0x73A4 && size != 16) {
        wrong = true;
    }
    if (wrong) {
        fault(w, STRUCTURE, false, e->at, "%s has %" PRId64 " bytes", e->known->name,
              size);
    }
}

static int check_value(struct walk *w, const struct element *e)
{
    enum type t = e->known->type;
    int64_t size = e->end - e->data;
    check_size(w, e);
    if ((t == BINARY && e->id != ID_SEEK_ID) || t == FLOAT || t == DATE ||
        size > MAX_PAYLOAD) {
        return 0;
    }
    const uint8_t *b = NULL;
    size_t len = 0;
    TRY(peek(w, e->data, (size_t)size, &b, &len));
    if (t == ASCII || t == UTF8) {
        check_text(w, e, b, len);
    } else if (len <= 8) {
        uint64_t v = 0;
        for (size_t i = 0; i < len; i++) {
            v = v << 8 | b[i];
        }
        if (e->id == ID_SEEK_ID) {
            w->seek.id = (uint32_t)v;
        } else if (t == UINT) {
            check_number(w, e, v);
        }
    }
    return 0;
}

// --- masters ----------------------------------------------------------------------------------------

// RFC 8794 11.3.1: CRC-32 of all behind it in its parent, little-endian.
static int check_crc(struct walk *w, const struct element *e,
                     const struct element *parent)
{
    const uint8_t *b = NULL;
    size_t len = 0;
    TRY(peek(w, e->data, 4, &b, &len));
    if (e->end - e->data != 4 || len < 4 || parent->open) {
        fault(w, STRUCTURE, false, e->at, "a CRC-32 of %" PRId64 " bytes",
              e->end - e->data);
        return 0;
    }
    uint32_t written = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                       (uint32_t)b[3] << 24;
    const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE_LE);
    uint32_t crc = UINT32_MAX;
    for (int64_t at = e->end; at < parent->end; at += (int64_t)len) {
        TRY(peek(w, at, (size_t)MIN(parent->end - at, WINDOW), &b, &len));
        if (len == 0) {
            return 0; // cut short, and told
        }
        crc = av_crc(table, crc, b, len);
    }
    if (~crc != written) {
        bool grave =
            parent->id == ID_CLUSTER || parent->id == ID_TRACKS || parent->id == 0xA0;
        fault(w, CRC, grave, parent->at, "CRC-32 of %s is %08x, its data give %08x",
              name_of(parent), written, ~crc);
    }
    return 0;
}

static void check_mandatory(struct walk *w, const struct element *parent, uint64_t seen)
{
    for (size_t i = 0; i < ARRAY_LEN(mandatory); i++) {
        bool waived = w->webm && mandatory[i].child == 0x73A4; // WebM has none
        if (mandatory[i].parent == parent->id && !waived && !(seen & UINT64_C(1) << i)) {
            const struct known *k = look_up(mandatory[i].child);
            fault(w, MANDATORY, mandatory[i].grave, parent->at, "%s has no %s",
                  name_of(parent), k ? k->name : "child");
        }
    }
}

// `seen`: a bit for each known element.
static void check_repeat(struct walk *w, const struct element *e,
                         const struct element *parent, uint64_t seen[])
{
    if (!e->known || e->id == ID_CRC) {
        return;
    }
    size_t at = (size_t)(e->known - known);
    uint64_t bit = UINT64_C(1) << (at % 64);
    bool again = seen[at / 64] & bit;
    seen[at / 64] |= bit;
    for (size_t i = 0; again && i < ARRAY_LEN(repeatable); i++) {
        again = repeatable[i] != e->id;
    }
    if (again) {
        fault(w, STRUCTURE, false, e->at, "%s stands twice in %s", e->known->name,
              name_of(parent));
    }
}

static void check_parent(struct walk *w, const struct element *e,
                         const struct element *parent)
{
    uint32_t in = parent ? parent->id : 0;
    bool nested = in == e->id && (in == 0xB6 || in == 0x67C8); // these hold themselves
    if (e->known && e->known->parent != EBML_ANY && e->known->parent != in && !nested) {
        fault(w, PARENT, false, e->at, "%s is not allowed in %s", e->known->name,
              parent ? name_of(parent) : "the file");
    } else if (!e->known && parent && parent->known) {
        fault(w, PARENT, false, e->at, "element 0x%X does not exist in %s", e->id,
              name_of(parent));
    }
}

static bool ends_open(const struct element *parent, const struct element *e)
{
    // An open cluster ends where a sibling of its own begins.
    return parent->open && parent->id == ID_CLUSTER && e->known &&
           e->known->parent == ID_SEGMENT;
}

static int walk_master(struct walk *w, struct element *parent, int depth);

static int walk_child(struct walk *w, struct element *e, const struct element *parent,
                      bool first, int depth)
{
    check_parent(w, e, parent);
    if (e->id == ID_CRC) {
        if (!first) {
            fault(w, STRUCTURE, false, e->at, "a CRC-32 that is not first in %s",
                  name_of(parent));
        }
        return check_crc(w, e, parent);
    }
    if (!e->known) {
        return 0;
    }
    if (e->known->type != MASTER) {
        return check_value(w, e);
    }
    return depth < MAX_DEPTH ? walk_master(w, e, depth + 1) : 0;
}

// Walks the children; an open parent learns its end.
static int walk_master(struct walk *w, struct element *parent, int depth)
{
    uint64_t seen = 0, seen_known[(ARRAY_LEN(known) + 63) / 64] = {0};
    bool first = true;
    int64_t at = parent->data;
    if (parent->id == ID_SEGMENT) {
        w->segment = parent->data;
    }
    w->seek = parent->id == 0x4DBB ? (struct seek){0} : w->seek;
    while (at < parent->end && ++w->elements < MAX_ELEMENTS) {
        struct element e;
        int got = read_head(w, at, parent->end, &e);
        TRY(got);
        if (got == 0) {
            break; // nothing behind it can be found any more
        }
        if (ends_open(parent, &e)) {
            parent->end = at;
            break;
        }
        for (size_t i = 0; i < ARRAY_LEN(mandatory); i++) {
            bool hit = mandatory[i].parent == parent->id && mandatory[i].child == e.id;
            seen |= hit ? UINT64_C(1) << i : 0;
        }
        check_repeat(w, &e, parent, seen_known);
        TRY(walk_child(w, &e, parent, first, depth));
        first = false;
        at = e.end;
    }
    check_mandatory(w, parent, seen);
    if (parent->id == 0x4DBB && w->seeks.len < 1000) {
        TRY(vec_push(&w->seeks, w->seek));
    }
    return 0;
}

static int check_seeks(struct walk *w)
{
    vec_for_each (s, &w->seeks) {
        struct element e = {0};
        const uint8_t *b = NULL;
        size_t len = 0;
        bool far = s->position > (uint64_t)(w->input->size - w->segment);
        if (!far) {
            TRY(peek(w, w->segment + (int64_t)s->position, 4, &b, &len));
            int id_length = len && b[0] ? __builtin_clz(b[0]) - 23 : 9;
            for (int i = 0; i < id_length && id_length <= (int)len; i++) {
                e.id = e.id << 8 | b[i];
            }
        }
        if (far || e.id != s->id) {
            const struct known *k = look_up(s->id);
            fault(w, SEEK, false, w->segment + (far ? 0 : (int64_t)s->position),
                  "the seek head promises %s here", k ? k->name : "an element");
        }
    }
    return 0;
}

static int walk_file(struct walk *w, int64_t start)
{
    int64_t at = start;
    bool segment = false;
    while (at < w->input->size && ++w->elements < MAX_ELEMENTS) {
        struct element e;
        int got = read_head(w, at, w->input->size, &e);
        TRY(got);
        if (got == 0) {
            break;
        }
        check_parent(w, &e, NULL);
        if (e.known && e.known->type == MASTER) {
            TRY(walk_master(w, &e, 0));
        }
        segment = segment || e.id == ID_SEGMENT;
        at = e.end;
    }
    if (!segment) {
        fault(w, STRUCTURE, true, start, "no Segment");
    }
    if (w->read_version > w->version || w->read_version > 1) {
        fault(w, HEADER, true, start, "EBMLVersion %" PRIu64 ", EBMLReadVersion %" PRIu64,
              w->version, w->read_version);
    }
    if (w->doc_read_version > 3) {
        fault(w, HEADER, true, start,
              "DocTypeReadVersion %" PRIu64 " asks for a newer reader than there is",
              w->doc_read_version);
    }
    if (w->doc_read_version > w->doc_version) {
        fault(w, HEADER, false, start,
              "DocTypeVersion %" PRIu64 ", DocTypeReadVersion %" PRIu64, w->doc_version,
              w->doc_read_version);
    }
    return check_seeks(w);
}

static int tell(const struct walk *w, struct findings *out)
{
    for (int k = 0; k < FAULTS; k++) {
        const struct fault_list *l = &w->faults[k];
        if (l->count == 0) {
            continue;
        }
        json_t *texts = json_array();
        for (int64_t i = 0; i < MIN(l->count, TEXTS_MAX); i++) {
            FAIL_IF(json_array_append_new(texts, json_string(l->texts[i])) != 0,
                    ERR_NOMEM, "faults");
        }
        struct finding f = finding_about_file(fault_kinds[k],
                                              l->grave ? FINDING_ERROR : FINDING_WARNING);
        f.evidence =
            json_pack("{s:I, s:o}", "count", (json_int_t)l->count, "messages", texts);
        TRY(findings_add(out, &f));
    }
    return 0;
}

int media_ebml_check(const struct media_input *input, int64_t start, struct findings *out)
{
    struct walk *w = calloc(1, sizeof *w);
    FAIL_IF(!w, ERR_NOMEM, "a walk");
    w->input = input;
    w->max_size_length = 8;
    w->max_id_length = 4;
    w->version = w->read_version = w->doc_version = w->doc_read_version = 1;
    w->window_at = -1;
    int err = walk_file(w, start);
    err = err < 0 ? err : tell(w, out);
    vec_free(&w->seeks);
    free(w);
    return err;
}
