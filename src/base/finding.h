// SPDX-License-Identifier: GPL-3.0-or-later
//
// Something wrong with something, as a value: a step returns it, bus keeps it.
#ifndef BASE_FINDING_H
#define BASE_FINDING_H

#include "base/json.h"
#include "base/vec.h"

enum finding_severity { FINDING_INFO, FINDING_WARNING, FINDING_ERROR };

#define FINDING_NONE INT64_MIN // a frame or pts that does not apply: null in JSON

struct finding {
    char kind[40]; // "black", "decode_error", … snake_case
    enum finding_severity severity;
    int stream;          // index in the file; -1 for the file as a whole
    int64_t start_frame; // presentation order from 0; FINDING_NONE for audio
    int64_t end_frame;   // exclusive
    int64_t start_pts;   // in time_base of the stream
    int64_t end_pts;     // exclusive
    struct rational time_base;
    json_t *evidence; // an object, owned; NULL reads as {}
};

struct findings {
    VEC(struct finding) items;
};

const char *finding_severity_name(enum finding_severity);
int finding_severity_parse(struct str text, enum finding_severity *ret);

// A finding about the whole file: no stream, no place, no evidence.
struct finding finding_about_file(const char *kind, enum finding_severity severity);
// Takes f->evidence, even on failure.
int findings_add(struct findings *, const struct finding *f);
void findings_free(struct findings *);
// By place, then kind: one order whatever the order of finding.
void findings_sort(struct findings *);

// {"kind","severity","stream","start_frame","end_frame","start_pts","end_pts","time_base":[n,d],
// "evidence":{…}}; stream -1 is null.
int finding_to_json(const struct finding *f, json_t **ret);
// *ret owns its evidence. ERR_INVALID for a stream or a time base out of range.
int finding_from_json(const json_t *object, struct finding *ret);
int findings_to_json(const struct findings *, json_t **ret);       // an array
int findings_from_json(const json_t *array, struct findings *out); // appends

#endif
