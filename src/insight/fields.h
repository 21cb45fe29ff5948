// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: the fields that its YAML files are made of, for tables of cyaml_schema_field_t.
// `word`, the schema of a text in a list, is the including file's.
#ifndef INSIGHT_FIELDS_H
#define INSIGHT_FIELDS_H

#include "base/base.h"

enum { WORDS_MAX = 64 };

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define TEXT(key, type, member, flags, longest) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, longest)
#define WORDS(key, type, member)                                                     \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | OPTIONAL, type, member, &word, 1, \
                         WORDS_MAX)
#define NUMBER(key, type, member) CYAML_FIELD_INT(key, OPTIONAL, type, member)

#endif
