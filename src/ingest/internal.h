// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: what submit, workflow, steps and pages share.
#ifndef INGEST_INTERNAL_H
#define INGEST_INTERNAL_H

#include "ingest/ingest.h"

// --- policy.c ------------------------------------------------------------------------------

struct policy_rule {
    char kind[40]; // a final '*' stands for any ending
    enum finding_severity severity;
    int64_t longer_than_us; // 0: any
    int64_t share_over_ppm; // of the film's duration; 0: any
    enum ingest_verdict verdict;
    char *why;
};

int verdict_parse(struct str text, enum ingest_verdict *ret);

// --- rows.c ---------------------------------------------------------------------------------

// A row of ingest_delivery; texts are owned.
struct delivery {
    char id[UUID_BYTES];
    char title_id[UUID_BYTES];
    char job_id[UUID_BYTES];
    struct hash source;
    char *partner; // NULL: the house
    char *file_name;
    char *state;
    char *verdict;                             // NULL before the decision
    char *answers;                             // request that it answers; NULL
    char *report, *timeline, *probe, *package; // hashes in hex; NULL before
    json_t *spec;                              // what was wished, see submit.c
    int64_t attempt;
    int64_t received_us, finished_us;
};

void delivery_clear(struct delivery *);
// ERR_NOT_FOUND. *ret is zeroed first, and always cleared by the caller.
int delivery_load(struct store_tx *, const char *id, struct delivery *ret);
// "delivery/<id>", for events and findings.
#define SUBJECT_BYTES (UUID_BYTES + 16)
void subject_of(const char *kind, const char *id, char ret[SUBJECT_BYTES]);
// An event about something of this room, caused by a job.
int emit(struct store_tx *, const char *type, const char *subject, const char *actor,
         const char *job, const json_t *data);

// --- what a job was asked for, out of its parameters -------------------------------------------

struct wish {
    char delivery_id[UUID_BYTES];
    struct hash source;
    const json_t *ladder, *policy, *waivers, *captions; // borrowed from the parameters
};
int wish_from_json(const json_t *params, struct wish *ret);
// Room for the waivers is the caller's; texts are borrowed.
int wish_waivers(const struct wish *, struct ingest_waiver *ret, size_t room,
                 size_t *ret_count);
#define WAIVERS_MAX 100

// --- blobs.c: results of steps --------------------------------------------------------------------

int blob_text(struct store_blobs *, const struct hash *, size_t max_bytes,
              struct buf *out);
int blob_json(struct store_blobs *, const struct hash *, json_t **ret);
int blob_report(struct store_blobs *, const struct hash *, struct media_report **ret);
int blob_timeline(struct store_blobs *, const struct hash *, struct media_timeline **ret);
// A media_input that reads a blob; borrowed.
struct media_input blob_input(struct store_blob *);

// --- wants.c: which step with which parameters ---------------------------------------------------

struct want_inspection {
    const struct flow_result *probe;
    int64_t still_every_us;
    size_t range_count;
    const struct flow_result **ranges; // owned array
    const struct flow_result *audio;   // NULL: no sound
    const struct flow_result *merge;
};

// --- publish.c ------------------------------------------------------------------------------------

// Makes DATA/media/<package> out of blobs, durable, whole or not at all. Repeating is harmless.
int publish_folder(struct store *, const json_t *package,
                   const struct hash *package_hash);

// --- requests.c ------------------------------------------------------------------------------------

// In the transaction of the verdict.
int request_open(struct store_tx *, const struct delivery *, const char *verdict,
                 const json_t *findings, const json_t *why, const char *base_url);
int request_close_answered(struct store_tx *, const struct delivery *);

#endif
