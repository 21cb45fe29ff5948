// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: what submit, workflow, steps and pages share.
#ifndef INGEST_INTERNAL_H
#define INGEST_INTERNAL_H

#include "ingest/ingest.h"

#include <inttypes.h>

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
int blob_whole(struct store_blob *, size_t max_bytes, struct buf *out);
int blob_json(struct store_blobs *, const struct hash *, json_t **ret);
int blob_report(struct store_blobs *, const struct hash *, struct media_report **ret);
int blob_timeline(struct store_blobs *, const struct hash *, struct media_timeline **ret);
// A media_input that reads a blob; borrowed.
struct media_input blob_input(struct store_blob *);

// Appends {"path","hash","bytes"} of these bytes to a list of files.
int file_add(json_t *files, const char *path, const void *bytes, size_t len);

// --- names that workflow and steps agree on -------------------------------------------------------

#define STILL_NAME  "still-%06" PRId64 ".jpg" // output of inspect.range, input of stills
#define CHUNK_INPUT "c-%05zu"                 // input of assemble
#define TRACK_INPUT "track/%s"                // input of package

// --- costs.c: what steps are expected to take, in milliseconds of one core -----------------------------

enum {
    COST_PROBE = 300,
    COST_MERGE = 300,
    COST_PLAN = 250,
    COST_ASSEMBLE = 300,
    COST_CAPTIONS = 100,
    COST_STILLS = 400,
    COST_PACKAGE = 150
};
int64_t cost_of_look(const struct media_source *,
                     int64_t duration_us); // all ranges together
int64_t cost_of_listening(int64_t duration_us);
int64_t cost_of_sound(int64_t duration_us); // all rates of a stream
int64_t cost_of_pictures(const char *codec, int64_t frames, int64_t pixels);
// Tells flow what will be wanted once the film is accepted, before there is a plan.
int costs_expect(struct flow_run *, const struct media_source *, const json_t *ladder,
                 int64_t duration_us);

// --- want_inspect.c: probe, ranges, sound, merge ---------------------------------------------------

struct inspected {
    struct media_report *report; // NULL where not whole
    struct findings findings;    // all that is wrong
    struct hash report_blob, timeline_blob;
    bool whole;          // pictures were decoded to the end; the blobs are there
    json_t *report_json; // only where the report is no blob yet (not whole)
    int64_t still_every_us;
    int still_width, still_height;
    json_t *stills; // [[grid, frame, blob in hex]…] by grid
    int64_t duration_us;
};
void inspected_clear(struct inspected *);
// 1 and *ret when all is known, 0 while steps run.
int want_inspection(struct flow_run *, const struct wish *, struct inspected *ret);

// --- want_package.c: plan, encodes, captions, stills, package ----------------------------------------

struct packaged {
    struct hash package;
    int64_t duration_us;
    char tint[MEDIA_TINT_BYTES]; // of the poster
};
// 1 and *ret, 0 while steps run, <0 with the failed step's reason.
int want_package(struct flow_run *, const struct wish *, const struct inspected *,
                 struct packaged *ret);
// Of a step's failure: is it the film's fault?
bool fault_is_films(int err);

// --- publish.c ------------------------------------------------------------------------------------

// Makes DATA/media/<package> out of blobs, durable, whole or not at all. Repeating is harmless.
int publish_folder(struct store *, const json_t *package,
                   const struct hash *package_hash);

// --- collect.c ------------------------------------------------------------------------------------

// Notes whether some title plays a package, or that none does since now.
int package_mark(struct store_tx *, const char *hex);
// Removes packages on their way out below DATA/media.
int trash_sweep(const char *media);

// --- verdict.c: flow_apply_f, `user` is a struct verdict ------------------------------------------------

struct verdict {
    const struct ingest_config *config;
    struct store *store;
    const struct wish *wish;
    struct inspected *inspected;
    const struct delivery *delivery;
};
int verdict_apply(struct store_tx *, void *user);
// What was accepted could not be encoded: refused, with the last finding as the reason.
int verdict_revoke_apply(struct store_tx *, void *user);

// --- policy.c, for each finding by itself ------------------------------------------------------------

int policy_decide_each(const struct ingest_policy *, const struct findings *,
                       int64_t duration_us, const struct ingest_waiver *const *each,
                       enum ingest_verdict *ret, json_t **ret_why);

// --- titles.c: what the catalog and the partners' room are asked ----------------------------------------

// Finds or makes the title; title_id may name it already. *ret_partner (owned, NULL for the house).
int title_prepare(struct store_tx *, const struct ingest_spec *,
                  char title_id[UUID_BYTES], char **ret_partner);
// Name and metadata given anew for a known title.
int title_describe(struct store_tx *, const char *title_id, const struct ingest_spec *);
int title_name(struct store_tx *, const char *title_id, char **ret);
// The package is what viewers of the title get from now on.
int title_publish(struct store_tx *, struct flow_run *, const struct delivery *,
                  const struct packaged *, const json_t *package);
// Where a partner's mail goes; *ret NULL where none is known.
int partner_mail(struct store_tx *, const char *partner, char **ret);

// --- requests.c ------------------------------------------------------------------------------------

// In the transaction of the verdict.
int request_open(struct store_tx *, const struct delivery *, const char *verdict,
                 const json_t *findings, const json_t *why, const char *base_url);
// "mailed", "mail_waits", "no_address", "no_partner" (ingest.h); `partner` may be "".
int request_asked(struct store_tx *, const char *id, const char *partner,
                  const char **ret);
int request_close_answered(struct store_tx *, const struct delivery *);
// What was found in the title's other deliveries says nothing about what viewers get now.
int findings_close_replaced(struct store_tx *, const struct delivery *);

#endif
