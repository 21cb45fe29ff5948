// SPDX-License-Identifier: GPL-3.0-or-later
//
// The audit trail: what was decided and done, by whom or by which rule, with the data that decided. A
// hash chain in rows: each entry names the hash of the one before, so that none can be changed, taken out
// or moved unseen; whoever keeps the head elsewhere sees a cut end and a chain made anew, too.
#ifndef INSIGHT_AUDIT_H
#define INSIGHT_AUDIT_H

#include "store/store.h"

// Borrowed; what is NULL is null in the entry.
struct insight_audit_entry {
    const char *actor;        // "user/<id>", "system"
    const char *what;         // "action.terminate.intended"
    const char *subject;      // "server/<cluster>/<name>", "alert/<id>"
    const char *rule;         // which rule or guard decided
    int64_t at_us;            // wall clock; 0: now
    const json_t *window;     // what was looked at
    const json_t *parameters; // what the rule was told
    const json_t *data;       // what it saw
};
// Appends in the transaction of the state that changes.
int insight_audit_append(struct store_tx *, const struct insight_audit_entry *,
                         int64_t *ret_seq /* may be NULL */);

// The end of the chain; seq 0 and 64 zeros for one without entries. As text "17:5f3a…".
struct insight_audit_head {
    int64_t seq;
    char hash[HASH_HEX_BYTES];
};
#define INSIGHT_HEAD_BYTES 96
int insight_audit_head(struct store_tx *, struct insight_audit_head *ret);
void insight_audit_head_text(const struct insight_audit_head *,
                             char ret[INSIGHT_HEAD_BYTES]);
int insight_audit_head_parse(struct str text, struct insight_audit_head *ret);

struct insight_audit_verdict {
    int64_t entries; // that were read and are sound
    int64_t broken;  // sequence of the first that is not; 0: all are
    char why[200];   // empty when all are
    struct insight_audit_head head;
};
// Reads the whole chain. `noted`: a head that was written down earlier and must still be in the chain; NULL
// for none. 0 also where it is broken: the verdict says so.
int insight_audit_verify(struct store_tx *, const struct insight_audit_head *noted,
                         struct insight_audit_verdict *ret);

// Entries as they stand in the chain, with "hash", newest first: those before `before` (0: from the end),
// about `subject` (exact, or a prefix with a final '/'; NULL: any). An array.
int insight_audit_list(struct store_tx *, const char *subject, int64_t before, int limit,
                       json_t **ret);

#endif
