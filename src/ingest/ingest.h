// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way of a film from a delivered file to a published package.
//
//     submit ─▶ probe ─▶ inspect ─▶ merge ─▶ policy ─┬▶ refuse | review ─▶ redelivery request
//        ▲                                           └▶ plan ─▶ encode ─▶ package ─▶ publish
//        └───────────── a new delivery answers ◀─────── mail, page
//
// A delivery is bytes: the same bytes submitted again are the same delivery. A title outlives its
// deliveries. A package is named by the hash of its canonical package.json:
//
//     {"schema":1,"media":{…media_package_to_json…},"files":[{"path","hash","bytes"}…]}
//
// which lists every other file of DATA/media/<package hash>/, sorted by path.
//
// Events (subject; data): delivery.received.v1, delivery.inspected.v1, delivery.refused.v1,
// delivery.review.v1, delivery.published.v1, delivery.failed.v1 (delivery/<id>;
// {"title_id","job_id",…}), request.opened.v1, request.answered.v1 (request/<id>;
// {"delivery_id","title_id","partner"}), title.published.v1 (title/<id>;
// {"delivery_id","package"}).
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "bus/bus.h"
#include "flow/flow.h"
#include "media/media.h"
#include "store/store.h"

extern const struct store_migration ingest_migrations[];
extern const size_t ingest_migration_count;

// --- policy --------------------------------------------------------------------------------

enum ingest_verdict { INGEST_ACCEPT, INGEST_REVIEW, INGEST_REFUSE };
const char *ingest_verdict_name(enum ingest_verdict); // "accept", "review", "refuse"

// What people call a kind of finding: "Black picture"; the kind itself where none knows it. Static.
const char *ingest_kind_words(const char *kind);
// ERR_INVALID, with the nearest kind: no detector finds this one. A final * stands for any ending.
int ingest_kind_check(const char *pattern);

// What findings mean. The first rule that fits a finding decides it; what no rule fits is decided
// by its severity (info and warning accept, error refuse). conf/policy.yaml describes the form.
struct ingest_policy;
void ingest_policy_free(struct ingest_policy **);
int ingest_policy_default(struct ingest_policy **ret); // conf/policy.yaml, built in
int ingest_policy_parse(struct str yaml, const char *file, struct ingest_policy **ret,
                        struct diag *);
int ingest_policy_to_json(const struct ingest_policy *, json_t **ret);
int ingest_policy_from_json(const json_t *, struct ingest_policy **ret);

struct ingest_waiver {
    const char *kind;
    const char *why;
    int64_t until_wall_us; // exclusive
};

// The worst verdict over all findings that are not waived at `now`. *ret_why gets an array of
// {"finding":index,"verdict","rule":n|null,"waived":null|{"why","until"},"text"}, one for each
// finding that is not simply accepted: what the page shows. Owned; NULL where not wanted.
int ingest_policy_decide(const struct ingest_policy *, const struct findings *,
                         int64_t duration_us, const struct ingest_waiver *,
                         size_t waiver_count, int64_t now_wall_us,
                         enum ingest_verdict *ret, json_t **ret_why);

// What a failed probe or inspection says about the film, as a finding ("decoder_crashed",
// "undecodable", "unsupported", "over_limits"). Returns `err` where the failure is the machine's
// (no space, I/O, cancelled) and says nothing about the film.
int ingest_fault(struct findings *, const char *stage, int err, const char *reason);

// The report of a film whose pictures could not be inspected: its streams (none where source is
// NULL) and findings, in the form of media_report_to_json.
int ingest_report_partial(const struct media_source *, const struct findings *,
                          json_t **ret);

// --- delivering ------------------------------------------------------------------------------

struct ingest_caption {
    struct hash blob;
    const char *file_name; // its ending tells the format: .srt .vtt .ass
    const char *language;  // BCP 47
};

// ERR_INVALID: the file's bytes are no captions, hold no cue, or the language is no tag.
int ingest_captions_check(struct str file, const struct ingest_caption *);

// All is borrowed. The bytes are in the blob store already (store_blob_import or _adopt).
struct ingest_spec {
    struct hash source;
    int64_t bytes;
    // Without folders; the title's name where nothing better is known
    const char *file_name;
    const char *title_id; // of an existing title; NULL: made from `metadata`
    const char *title;    // its name; NULL: metadata's, or from the file's name
    const json_t
        *metadata;        // what the catalog takes (an entry of demo/catalog.yaml); NULL
    const char *partner;  // id of who delivers; NULL: the title's, or the house itself
    const char *answers;  // id of the redelivery request that this answers; NULL
    const json_t *ladder; // media_ladder_to_json; NULL: the default
    const json_t *policy; // ingest_policy_to_json; NULL: the default
    const struct ingest_waiver *waivers;
    size_t waiver_count;
    const struct ingest_caption *captions;
    size_t caption_count; // 0: those that these bytes had before
    bool no_captions;     // takes them away
    const char *actor;    // "user/<id>", "system"
};

struct ingest_ticket {
    char delivery_id[UUID_BYTES];
    char title_id[UUID_BYTES];
    char job_id[UUID_BYTES];
    // The same bytes with the same wishes were submitted before: that job stands
    bool reused;
};

// ERR_NOT_FOUND: no such title, partner or request, or another partner's. The file's name may be any
// bytes: it is kept as one line of UTF-8. ERR_CONFLICT: these bytes were delivered for another title, or are known under another name than `title` while
// neither title_id nor answers says that it is meant; or a waiver without
// a reason or an end.
int ingest_submit(struct store_tx *, const struct ingest_spec *,
                  struct ingest_ticket *ret);
// The same wishes once more in a new job: after findings were waived in the register, or after a
// failure. Finished steps are reused.
int ingest_again(struct store_tx *, const char *delivery_id, const char *actor,
                 struct ingest_ticket *ret);

// --- looking -----------------------------------------------------------------------------------

struct ingest_query {
    const char *partner;  // only what is theirs; NULL: all
    const char *title_id; // NULL: any
    const char *state;    // NULL: any
    int limit;            // 1..1000
    const char *before;   // id, for the next page; NULL
};

// {"id","title_id","title","file_name","bytes","hash","state":"received|inspected|published|
// refused|review|failed","verdict":null|"accept|review|refuse","partner","job_id","received",
// "finished","package":hash|null,"error":null|text}; newest first.
int ingest_deliveries(struct store_tx *, const struct ingest_query *, json_t **ret_array);
// As above, with "requests":[…].
int ingest_delivery(struct store_tx *, const char *id, json_t **ret);
// Redelivery requests: {"id","delivery_id","title_id","title","partner","state":"open|answered|
// closed","verdict","created","findings":[…],"thumbnails":[{"finding":index,"frame","url"}],
// "answered_by":delivery id|null,"asked":"mailed|mail_waits|no_address|no_partner"}. Closed: the
// answer was accepted and published. Asked: whether a mail went out, waits (for its turn or for a
// relay: `marquee doctor`), or nobody could be written to.
int ingest_requests(struct store_tx *, const struct ingest_query *, json_t **ret_array);
int ingest_request(struct store_tx *, const char *id, json_t **ret);

// The inspection report: `marquee inspect --json`'s object with "verdict", and "why" (see
// ingest_policy_decide), "stills":{"every_us","count","width","height"}, "waivers". ERR_NOT_FOUND
// before inspection ended.
int ingest_report(struct store *, const char *delivery_id, json_t **ret);
// JPEG of a grid place (0..count-1); ERR_NOT_FOUND where the grid has none.
int ingest_still(struct store *, const char *delivery_id, int64_t index,
                 struct buf *out_jpeg);
// JPEG of exactly this frame, at most `width` wide: decoded in a process of its own (a second or
// so), remembered as a blob.
int ingest_frame(struct store *, const char *delivery_id, int64_t frame, int width,
                 struct buf *out_jpeg);
// {"time_base":[n,d],"start","pts":[…]}: exact times of the frames [start, end), at most 1,000, cut
// to those there are. ERR_NOT_FOUND behind the last.
int ingest_frame_times(struct store *, const char *delivery_id, int64_t start,
                       int64_t end, json_t **ret);
// What ingest_frame runs in its process (`marquee frame`): the JPEG goes to `fd`.
int ingest_frame_child(const char *data_dir, const char *source_hex,
                       const char *report_hex, const char *timeline_hex, int64_t frame,
                       int width, int fd);
// One film of `marquee ingest --json`, as it stands now; state is also "running" or "failed"; "asked" is
// that of its open request, or null.
int ingest_film(struct store *, const char *delivery_id, const char *job_id,
                json_t **ret);

// --- working -------------------------------------------------------------------------------------

// For flow_executor_config and flow_step_main.
extern const struct flow_step_type ingest_step_types[];
extern const size_t ingest_step_type_count;
// What waits for what, for showing: [{"type","after":[type…]}] in the order of the work. A film
// need not have steps of each type.
int ingest_graph(json_t **ret);

struct ingest_config {
    struct store *store;
    // Where mails point: "http://127.0.0.1:8080"; the link is <base_url>/desk/requests/<id>.
    const char *base_url;
};
// `config` lives as long as the workflow's executor.
struct flow_workflow ingest_workflow(const struct ingest_config *config);

// Removes what a killed publication left below DATA/media: folders that no row names. Does nothing
// while another process executes. Call before flow_executor_start.
int ingest_recover(struct store *);

// --- what is no longer needed (ADR 36) ---------------------------------------------------------------

// A package stays so long after no title plays it any more; no grant for it may live longer.
#define INGEST_PACKAGE_KEPT_US INT64_C(604800000000) // 7 days

struct ingest_retention {
    int64_t results_us; // of steps, since the last job that named them ended
    // Since no title plays them; never less than INGEST_PACKAGE_KEPT_US
    int64_t packages_us;
    int64_t logs_us; // of steps, since their job ended
    // Since they were kept: longer than any way from there to a reference
    int64_t blobs_us;
};
extern const struct ingest_retention ingest_retention_usual; // 7, 7, 30 days and one

struct ingest_collected {
    int64_t results, packages, logs, files; // logs: of so many jobs
    int64_t bytes;                          // free on the disk
};
// Removes it. Never what a title plays or would play again once restored, a delivery's film, report and
// pictures, or what a running job wants. Beside everything else; `stop` (may be NULL) is asked now and
// then; killed at any moment it has removed some of it. Event store.collected.v1 about "store/data",
// unless there was nothing.
int ingest_collect(struct store *, const struct ingest_retention *,
                   bool (*stop)(void *user), void *user, struct ingest_collected *ret);
// What it would remove now, without logs. Holds the writer's place meanwhile.
int ingest_collectable(struct store *, const struct ingest_retention *,
                       struct ingest_collected *ret);
// No collection came to its end in this folder for so long.
bool ingest_collection_is_due(struct store *, int64_t every_us);

// As store_blobs_check, of every file of every published package.
int ingest_check(struct store *, store_bad_f *bad, void *user, struct store_checked *ret);

#endif
