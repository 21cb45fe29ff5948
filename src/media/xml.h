// SPDX-License-Identifier: GPL-3.0-or-later
//
// XML 1.0 into a buffer: elements nest, values are escaped, nothing else can be written.
#ifndef MEDIA_XML_H
#define MEDIA_XML_H

#include "base/base.h"

#define XML_DEPTH_MAX 16

struct xml {
    struct buf *out;
    const char *open[XML_DEPTH_MAX]; // names of the open elements
    size_t depth;
    bool is_tag_open; // attributes may follow
    bool has_text;    // of the innermost element
};

// Names are literals: they must live until xml_end of their element.
struct xml xml_begin(struct buf *out); // with the declaration
void xml_start(struct xml *, const char *name);
void xml_end(struct xml *);
// After xml_start, before children. Control characters that XML forbids become U+FFFD.
void xml_attr(struct xml *, const char *name, const char *value);
void xml_attr_i64(struct xml *, const char *name, int64_t value);
void xml_attr_printf(struct xml *, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void xml_text(struct xml *, const char *text);

#endif
