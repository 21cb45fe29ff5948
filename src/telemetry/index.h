// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which series there are: tags to a number and back, and for each pair of key and value the numbers of
// the series that carry it (postings). Texts and tags of a number stay where they are while a
// store is open, also of those that are forgotten. Private to the room.
#ifndef TELEMETRY_INDEX_H
#define TELEMETRY_INDEX_H

#include "telemetry/series.h"

#define INDEX_TAGS_MAX 24 // more than the contract allows, so that a view always fits
#define INDEX_NONE     UINT32_MAX

struct index;

int index_new(struct index **ret);
void index_free(struct index **);

// Appenders look up under the read lock; the write lock is held for one series at a time.
void index_lock_read(struct index *);
void index_lock_write(struct index *);
void index_unlock(struct index *);

// INDEX_NONE: no such series. Needs a lock.
uint32_t index_find_locked(const struct index *, const struct telemetry_tags *);
// A number that has not been used. Needs the write lock.
int index_add_locked(struct index *, const struct telemetry_tags *, enum telemetry_dstype,
                     uint32_t *ret);
// Takes a number out of use, for a roster whose line of it is damaged. Needs the write lock.
int index_skip_locked(struct index *, uint32_t until);
// Nothing finds the series any more; its number stays taken and its tags can be read. Once for many of them then
// index_compact_locked: until then its postings stay. Both need the write lock.
void index_forget_locked(struct index *, uint32_t series);
void index_compact_locked(struct index *);
// It is there: neither skipped nor forgotten. Any thread.
bool index_is_used(const struct index *, uint32_t series);
// How many series have this value of this key. Needs a lock.
size_t index_count_locked(const struct index *, struct str key, struct str value);

// Numbers given, and series that there are: without those skipped. Any thread, no lock.
uint32_t index_numbers(const struct index *);
size_t index_series(const struct index *);
size_t index_bytes(const struct index *);

// Texts are the index's. *ret_count is 0 for a number that was skipped. No lock for numbers below an
// index_numbers that this thread read.
void index_tags(const struct index *, uint32_t series,
                struct telemetry_tag ret[INDEX_TAGS_MAX], size_t *ret_count);

enum telemetry_dstype index_dstype(const struct index *, uint32_t series);

// --- questions --------------------------------------------------------------------------------

// A set of series: bit n says that n is of it.
struct index_set {
    uint64_t *words;
    size_t count; // of words
    uint32_t numbers;
};
void index_set_free(struct index_set *);
bool index_set_has(const struct index_set *, uint32_t series);
size_t index_set_size(const struct index_set *);

// ERR_INVALID: an expression that cannot be read; ERR_LIMIT: one that is too hard, or nests too deep.
// `match` NULL: all. Takes the lock in short pieces.
int index_match(struct index *, const struct telemetry_match *, struct index_set *ret);
// Keys, or the values of `key`, of the series in the set.
int index_keys(struct index *, const struct index_set *, const struct telemetry_page *,
               struct arena *, struct telemetry_names *ret);
int index_values(struct index *, const struct index_set *, const char *key,
                 const struct telemetry_page *, struct arena *,
                 struct telemetry_names *ret);

#endif
