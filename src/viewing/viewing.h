// SPDX-License-Identifier: GPL-3.0-or-later
//
// What people watch: plays and their heartbeats, where they stopped, their lists and ratings, and
// the quality that reached them. All of it belongs to a profile.
#ifndef VIEWING_VIEWING_H
#define VIEWING_VIEWING_H

#include "account/account.h"
#include "bus/bus.h"
#include "store/store.h"

extern const struct store_migration viewing_migrations[];
extern const size_t viewing_migration_count;

#define VIEWING_HEARTBEAT_S 10
// A play without a heartbeat for so long holds no stream of its plan any more.
#define VIEWING_LOST_AFTER_US 45000000
// One that asks for media is believed to be heard of for so long without a row being written.
#define VIEWING_HEARD_US (VIEWING_LOST_AFTER_US / 2)

struct viewing_play_spec {
    const char *user_id, *profile_id, *title_id;
    const char *package;
    int64_t duration_us;
    int streams;          // of the plan, at once; 0: any
    const json_t *device; // as declared; borrowed
};
// ERR_CONFLICT when the plan's streams are used up.
int viewing_play_open(struct store_tx *, const struct viewing_play_spec *,
                      char ret_id[UUID_BYTES]);

struct viewing_beat {
    int64_t position_us; // <0: unknown
    const char *state;   // "playing|paused|buffering|ended"
    const json_t *qoe;   // counters of the player since the last beat; NULL
};
// ERR_NOT_FOUND when the play is not this user's; ERR_CONFLICT when it was lost and its stream went
// to another meanwhile.
int viewing_play_beat(struct store_tx *, const char *id, const char *user_id, int streams,
                      const struct viewing_beat *);
int viewing_play_close(struct store_tx *, const char *id, const char *user_id);
// Whether this play, by whoever asks for its media, was heard of lately; reads only. ERR_CONFLICT when
// it has ended, ERR_NOT_FOUND.
int viewing_play_is_heard(struct store_tx *, const char *id, bool *ret);
// A sign of life of a play that was not: media is sent to it, so it holds a stream. ERR_CONFLICT when
// it has ended or `streams` others (0: any) are held meanwhile; ERR_NOT_FOUND.
int viewing_play_hear(struct store_tx *, const char *id, int streams);
// The title of one's play, for "report a problem".
int viewing_play_title(struct store_tx *, const char *id, const char *user_id,
                       char ret_title_id[UUID_BYTES]);

// Where this profile stopped; 0 for what it never saw or saw to the end.
int viewing_position(struct store_tx *, const char *profile_id, const char *title_id,
                     int64_t *ret_us);
// Arrays of title ids, latest first.
int viewing_unfinished(struct store_tx *, const char *profile_id, int limit,
                       json_t **ret_ids);
int viewing_finished(struct store_tx *, const char *profile_id, int limit,
                     json_t **ret_ids);
int viewing_listed(struct store_tx *, const char *profile_id, int limit,
                   json_t **ret_ids);
int viewing_list_add(struct store_tx *, const char *profile_id, const char *title_id);
int viewing_list_remove(struct store_tx *, const char *profile_id, const char *title_id);
// value: 1, -1, or 0 to take it back.
int viewing_rate(struct store_tx *, const char *profile_id, const char *title_id,
                 int value);
// Adds "progress":{"position_us","duration_us"}|null, "in_list" and "rating" to each card of an
// array (by its "id").
int viewing_decorate(struct store_tx *, const char *profile_id, json_t *cards);
// Forgets a profile that was removed.
int viewing_forget(struct store_tx *, const char *profile_id);
// All profiles of a person who is about to be removed (account_user_remove).
int viewing_forget_person(struct store_tx *, const char *user_id);

#endif
