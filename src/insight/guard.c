// SPDX-License-Identifier: GPL-3.0-or-later
//
// The guards. What is known of the look is judged first; the caps last, and in the transaction that begins
// a treatment: writers are serial, so that two processes cannot both find the last place free.
#include "insight/treatment.h"

#define HOUR_US  INT64_C(3600000000)
#define S_US     INT64_C(1000000)
#define AHEAD_US (60 * S_US) // a sender's clock may be so far ahead

enum guard_kind { JUDGEMENT, CAP };

static const struct {
    enum guard_kind kind;
    const char *name, *text;
} guards[] = {[INSIGHT_GUARD_NONE] = {JUDGEMENT, "none", "nothing holds it"},
#define X(name, kind, word, text) [INSIGHT_GUARD_##name] = {kind, word, text},
              INSIGHT_GUARD_LIST(X)
#undef X
};

const char *insight_guard_name(enum insight_guard guard)
{
    return guards[guard].name;
}

const char *insight_guard_text(enum insight_guard guard)
{
    return guards[guard].text;
}

bool guard_is_cap(enum insight_guard guard)
{
    return guards[guard].kind == CAP;
}

enum insight_guard guard_look(const struct insight_cluster *c,
                              const struct insight_suspicion *s, int64_t now_wall_us)
{
    const struct insight_guards *g = &c->guards;
    int64_t age_us = now_wall_us - s->data_us;
    if (age_us > g->max_age_s * S_US || age_us < -AHEAD_US ||
        s->window_end_us > now_wall_us + AHEAD_US ||
        s->window_start_us >= s->window_end_us) {
        return INSIGHT_GUARD_STALE;
    }
    if ((int64_t)s->reporting < g->min_peers) {
        return INSIGHT_GUARD_PEERS;
    }
    // Who says nothing may be sick too, or the network between is.
    int64_t members = (int64_t)MAX(s->members, (size_t)c->servers_count);
    int64_t silent = members - (int64_t)MIN((size_t)members, s->reporting);
    int64_t bad = (int64_t)s->suspect_count + silent;
    return bad * 100 > g->outlier_percent * members ? INSIGHT_GUARD_OUTLIERS
                                                    : INSIGHT_GUARD_NONE;
}

// µs since the server's last treatment that ended in one of two states; INT64_MAX where there was none.
static int since_last(struct store_tx *tx, const char *cluster, const char *server,
                      const char *const states[2], int64_t at, int64_t *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT max(ended_at) FROM insight_treatment WHERE cluster = ? AND"
                    " server = ? AND began_at IS NOT NULL AND (state = ? OR state = ?)",
                    "ssss", cluster, server, states[0], states[1]));
    TRY(store_next(r));
    *ret = store_is_null(r, 0) ? INT64_MAX : at - store_i64(r, 0);
    return 0;
}

int guard_judge(struct store_tx *tx, const struct insight_cluster *c,
                const struct insight_suspicion *s, const struct insight_suspect *suspect,
                const struct moment *now, enum insight_guard *ret)
{
    static const char *const ended[2] = {"done", "restored"},
                             *const replaced[2] = {"done", "done"},
                             *const undone[2] = {"undone", "undone"};
    int64_t ended_us = 0, replaced_us = 0, undone_us = 0;
    TRY(since_last(tx, c->name, suspect->server, ended, now->at, &ended_us));
    TRY(since_last(tx, c->name, suspect->server, replaced, now->at, &replaced_us));
    TRY(since_last(tx, c->name, suspect->server, undone, now->at, &undone_us));
    int64_t looked_us = now->wall_us - MIN(suspect->since_us, s->window_start_us);
    *ret = INSIGHT_GUARD_NONE;
    if (looked_us >= MIN(ended_us, undone_us)) {
        *ret = INSIGHT_GUARD_FRESH;
    } else if (replaced_us < c->guards.watch_s * S_US) {
        *ret = INSIGHT_GUARD_WATCHED;
    } else if (c->guards.approval && c->action != INSIGHT_NOTIFY) {
        *ret = INSIGHT_GUARD_APPROVAL;
    }
    return 0;
}

struct counts {
    int64_t out, hour, rest_us, all_out, all_hour;
};

static int count(struct store_tx *tx, const char *cluster, int64_t at, struct counts *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    // A server that is out counts whatever was to be done with it.
    TRY(store_query(
        tx, &r,
        "SELECT coalesce(sum(cluster = ?1 AND state IN " TREATMENT_OUT "), 0),"
        " coalesce(sum(cluster = ?1 AND began_at > ?2), 0),"
        " ?3 - max(CASE WHEN cluster = ?1 THEN coalesce(ended_at, began_at) END),"
        " coalesce(sum(state IN " TREATMENT_OUT "), 0),"
        " coalesce(sum(began_at > ?2), 0)"
        " FROM insight_treatment WHERE began_at IS NOT NULL",
        "sii", cluster, at - HOUR_US, at));
    TRY(store_next(r));
    *ret = (struct counts){.out = store_i64(r, 0),
                           .hour = store_i64(r, 1),
                           .rest_us = store_is_null(r, 2) ? INT64_MAX : store_i64(r, 2),
                           .all_out = store_i64(r, 3),
                           .all_hour = store_i64(r, 4)};
    return 0;
}

int guard_caps(struct store_tx *tx, const struct insight_fleet *fleet,
               const struct insight_cluster *c, const struct moment *now,
               enum insight_guard *ret, json_t **ret_counts)
{
    const struct insight_guards *g = &c->guards;
    const struct insight_everywhere *all = &fleet->everywhere;
    int64_t size = (int64_t)c->servers_count;
    struct counts n;
    TRY(count(tx, c->name, now->at, &n));
    const struct {
        bool holds;
        enum insight_guard guard;
    } caps[] = {
        {(n.out + 1) * 100 > g->max_share_percent * size, INSIGHT_GUARD_SHARE},
        {size - n.out - 1 < g->min_left, INSIGHT_GUARD_LEFT},
        {n.out >= g->max_at_once, INSIGHT_GUARD_AT_ONCE},
        {n.hour >= g->max_per_hour, INSIGHT_GUARD_PER_HOUR},
        {n.rest_us < g->cooldown_s * S_US, INSIGHT_GUARD_COOLDOWN},
        {n.all_out >= all->max_at_once, INSIGHT_GUARD_ALL_AT_ONCE},
        {n.all_hour >= all->max_per_hour, INSIGHT_GUARD_ALL_PER_HOUR},
    };
    *ret = INSIGHT_GUARD_NONE;
    for (size_t i = 0; i < ARRAY_LEN(caps) && *ret == INSIGHT_GUARD_NONE; i++) {
        *ret = caps[i].holds ? caps[i].guard : INSIGHT_GUARD_NONE;
    }
    return json_made(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "servers", (json_int_t)size, "out",
                  (json_int_t)n.out, "within_hour", (json_int_t)n.hour, "all_out",
                  (json_int_t)n.all_out, "all_within_hour", (json_int_t)n.all_hour,
                  "rested_s",
                  n.rest_us == INT64_MAX ? json_null() : json_integer(n.rest_us / S_US)),
        ret_counts);
}

int guard_numbers(const struct insight_cluster *c, json_t **ret)
{
    const struct insight_guards *g = &c->guards;
    return json_made(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}",
                  "max_share_percent", (json_int_t)g->max_share_percent, "min_left",
                  (json_int_t)g->min_left, "max_at_once", (json_int_t)g->max_at_once,
                  "max_per_hour", (json_int_t)g->max_per_hour, "cooldown_s",
                  (json_int_t)g->cooldown_s, "min_peers", (json_int_t)g->min_peers,
                  "outlier_percent", (json_int_t)g->outlier_percent, "max_age_s",
                  (json_int_t)g->max_age_s, "watch_s", (json_int_t)g->watch_s, "approval",
                  g->approval, "dry_run", g->dry_run),
        ret);
}
