// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plays. A play holds one stream of its user's plan while its heartbeats come; one that fell silent
// gives its place up, and takes it again with its next beat where there still is one.
#include "viewing/viewing.h"

#include <string.h>

// What ends this near to the end was seen to the end: credits. A share of the length, at most 60 s.
#define CREDITS_PPM    30000
#define CREDITS_MAX_US INT64_C(60000000)
#define QOE_MAX_BYTES  4096

static int check_streams(struct store_tx *tx, const char *user_id, const char *except,
                         int streams)
{
    int64_t held = 0;
    if (streams <= 0) {
        return 0;
    }
    TRY(store_get_i64(
        tx, &held,
        "SELECT count(*) FROM viewing_play WHERE user_id = ? AND ended_us IS "
        "NULL AND beat_us > ? AND id IS NOT ?",
        "sis", user_id, clock_wall_us() - VIEWING_LOST_AFTER_US, except));
    FAIL_IF(held >= streams, ERR_CONFLICT,
            "this plan plays %d at a time, and as many are playing", streams);
    return 0;
}

int viewing_play_open(struct store_tx *tx, const struct viewing_play_spec *spec,
                      char ret_id[UUID_BYTES])
{
    TRY(check_streams(tx, spec->user_id, NULL, spec->streams));
    char id[UUID_BYTES];
    uuid_v7(id);
    int64_t now = clock_wall_us();
    TRY(store_exec(
        tx,
        "INSERT INTO viewing_play (id, user_id, profile_id, title_id, package, "
        "duration_us, device, state, started_us, beat_us) VALUES "
        "(?,?,?,?,?,?,?,'buffering',?,?)",
        "sssssijii", id, spec->user_id, spec->profile_id, spec->title_id, spec->package,
        spec->duration_us, spec->device, now, now));
    return str_copy(ret_id, UUID_BYTES, str_of(id));
}

struct play {
    char user_id[UUID_BYTES];
    char profile_id[UUID_BYTES];
    char title_id[UUID_BYTES];
    int64_t duration_us;
    int64_t beat_us;
    bool ended;
};

// `user_id` NULL: whoever's.
static int find(struct store_tx *tx, const char *id, const char *user_id,
                struct play *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r,
        "SELECT profile_id, title_id, duration_us, beat_us, ended_us, user_id "
        "FROM viewing_play WHERE id = ?1 AND (?2 IS NULL OR user_id = ?2)",
        "ss", id, user_id));
    int any = store_next(r);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no such play");
    struct play p = {.duration_us = store_i64(r, 2),
                     .beat_us = store_i64(r, 3),
                     .ended = !store_is_null(r, 4)};
    TRY(str_copy(p.profile_id, sizeof p.profile_id, str_of(store_text(r, 0))));
    TRY(str_copy(p.title_id, sizeof p.title_id, str_of(store_text(r, 1))));
    TRY(str_copy(p.user_id, sizeof p.user_id, str_of(store_text(r, 5))));
    *ret = p;
    return 0;
}

// A sign of life. One that was silent for so long that its stream was free takes it again, where there
// still is one.
static int hear(struct store_tx *tx, const char *id, const struct play *p, int streams)
{
    FAIL_IF(p->ended, ERR_CONFLICT, "this play has ended");
    if (p->beat_us <= clock_wall_us() - VIEWING_LOST_AFTER_US) {
        TRY(check_streams(tx, p->user_id, id, streams));
    }
    return store_exec(tx, "UPDATE viewing_play SET beat_us = ? WHERE id = ?", "is",
                      clock_wall_us(), id);
}

static int keep_position(struct store_tx *tx, const struct play *p,
                         const struct viewing_beat *beat)
{
    int64_t at = MIN(beat->position_us, p->duration_us);
    int64_t credits = MIN(p->duration_us / 1000000 * CREDITS_PPM, CREDITS_MAX_US);
    bool finished =
        strcmp(beat->state, "ended") == 0 || at >= p->duration_us - MAX(credits, 1);
    return store_exec(
        tx,
        "INSERT INTO viewing_position VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT "
        "(profile_id, title_id) DO UPDATE SET position_us = ?3, duration_us = "
        "?4, finished = ?5, seen_us = ?6",
        "ssiiii", p->profile_id, p->title_id, at, p->duration_us, (int64_t)finished,
        clock_wall_us());
}

static int keep_beacon(struct store_tx *tx, const char *id,
                       const struct viewing_beat *beat)
{
    AUTO(buf_free) struct buf text = {0};
    if (beat->qoe) {
        FAIL_IF(!json_is_object(beat->qoe), ERR_INVALID, "'qoe' is an object");
        json_write_canonical(&text, beat->qoe);
        TRY(text.err);
        FAIL_IF(text.len > QOE_MAX_BYTES, ERR_LIMIT, "'qoe' is over %d bytes",
                QOE_MAX_BYTES);
    }
    return store_exec(tx, "INSERT INTO viewing_beacon VALUES (?,?,?,?,?)", "siiss", id,
                      clock_wall_us(), beat->position_us, beat->state, text.data);
}

static bool is_state(const char *state)
{
    static const char *const states[] = {"playing", "paused", "buffering", "ended"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (strcmp(states[i], state) == 0) {
            return true;
        }
    }
    return false;
}

int viewing_play_beat(struct store_tx *tx, const char *id, const char *user_id,
                      int streams, const struct viewing_beat *beat)
{
    FAIL_IF(!is_state(beat->state), ERR_INVALID,
            "'state' is playing, paused, buffering or ended");
    struct play p;
    TRY(find(tx, id, user_id, &p));
    TRY(hear(tx, id, &p, streams));
    TRY(store_exec(tx, "UPDATE viewing_play SET state = ? WHERE id = ?", "ss",
                   beat->state, id));
    TRY(keep_beacon(tx, id, beat));
    return beat->position_us < 0 ? 0 : keep_position(tx, &p, beat);
}

int viewing_play_close(struct store_tx *tx, const char *id, const char *user_id)
{
    struct play p;
    TRY(find(tx, id, user_id, &p));
    return store_exec(
        tx, "UPDATE viewing_play SET ended_us = coalesce(ended_us, ?) WHERE id = ?", "is",
        clock_wall_us(), id);
}

int viewing_play_is_heard(struct store_tx *tx, const char *id, bool *ret)
{
    struct play p;
    TRY(find(tx, id, NULL, &p));
    FAIL_IF(p.ended, ERR_CONFLICT, "this play has ended");
    *ret = p.beat_us > clock_wall_us() - VIEWING_HEARD_US;
    return 0;
}

int viewing_play_hear(struct store_tx *tx, const char *id, int streams)
{
    struct play p;
    TRY(find(tx, id, NULL, &p));
    return hear(tx, id, &p, streams);
}

int viewing_play_title(struct store_tx *tx, const char *id, const char *user_id,
                       char ret_title_id[UUID_BYTES])
{
    struct play p;
    TRY(find(tx, id, user_id, &p));
    return str_copy(ret_title_id, UUID_BYTES, str_of(p.title_id));
}

int viewing_position(struct store_tx *tx, const char *profile_id, const char *title_id,
                     int64_t *ret_us)
{
    int64_t at = 0;
    int err = store_get_i64(tx, &at,
                            "SELECT iif(finished, 0, position_us) FROM viewing_position "
                            "WHERE profile_id = ? AND title_id = ?",
                            "ss", profile_id, title_id);
    if (err < 0 && err != ERR_NOT_FOUND) {
        return err;
    }
    *ret_us = err == ERR_NOT_FOUND ? 0 : at;
    return 0;
}
