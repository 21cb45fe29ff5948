// SPDX-License-Identifier: GPL-3.0-or-later
//
// Treatments, step by step. One step is three things, and a process may end between any two of them:
//
//     claim    fence + 1, lease, journal = begun, entry of the trail      (a transaction)
//     perform  the driver                                                 (outside)
//     settle   what came of it, the next step                             (a transaction, by the fence)
//
// Who claims a step that was begun does it again, because each can be done again, but for a termination:
// that becomes unsure, is left alone for a while, and then only looked at. If the old incarnation still
// runs, it goes back into service and its owner hears of it; it is never ended on a guess.
#include "insight/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_US        INT64_C(1000000)
#define LEASE_US    (300 * S_US)
#define SETTLE_US   (30 * S_US) // a process that was told to end has ended by then
#define RETRY_US    (5 * S_US)
#define POLL_US     (2 * S_US)
#define CLEAR_US    (60 * S_US)
#define TRIES       3
#define DRAIN_CLEAR 1
#define OUT_MAX     20000

int act_passed(const struct insight_act *act, const char *where)
{
    return act->config.passed ? act->config.passed(act->config.user, where) : 0;
}

int act_begin(const struct insight_act *act, struct store_tx **ret,
              struct moment *ret_now)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct insight_now now;
    int (*read)(void *, struct insight_now *) =
        act->config.now ? act->config.now : insight_now_read;
    TRY(store_begin(act->config.store, STORE_WRITE, &tx));
    TRY(read(act->config.user, &now)); // with the writer's place: moments are in order
    TRY(steady_move(tx, &now, ret_now));
    *ret = TAKE(tx);
    return 0;
}

int insight_act_new(struct insight_act **ret, const struct insight_act_config *config)
{
    struct insight_act *act = calloc(1, sizeof *act);
    FAIL_IF(!act, ERR_NOMEM, "an engine of treatments");
    act->config = *config;
    act->config.lease_us = config->lease_us ? config->lease_us : LEASE_US;
    act->drivers = config->drivers ? config->drivers : &insight_drivers_real;
    *ret = act;
    return 0;
}

void insight_act_free(struct insight_act **act)
{
    free(TAKE(*act));
}

int act_try(const struct insight_act *act, struct store_tx *tx,
            const struct act_candidate *c, enum insight_guard *ret_guard)
{
    AUTO(json_free) json_t *counts = NULL, *data = NULL;
    const struct moment *now = c->now;
    enum insight_guard guard = INSIGHT_GUARD_NONE;
    TRY(guard_caps(tx, act->config.fleet, c->cluster, now, &guard, &counts));
    *ret_guard = guard;
    if (guard != INSIGHT_GUARD_NONE) {
        return 0;
    }
    TRY(store_exec(
        tx,
        "UPDATE insight_treatment SET state = 'acting', guard = NULL, step = ?,"
        " journal = ?, outcome = 'done', began_at = ?, began_us = ?,"
        " entered_at = ?, due_at = ? WHERE id = ? AND state = 'held'",
        "iiiiiis", (int64_t)STEP_NOTIFY, (int64_t)JOURNAL_DUE, now->at, now->wall_us,
        now->at, now->at, c->treatment->id));
    FAIL_IF(store_changes(tx) != 1, ERR_CONFLICT, "the treatment began elsewhere");
    TRY(json_made(json_pack("{s:O?, s:O}", "look", c->why.data, "counts", counts),
                  &data));
    struct treatment_note begun = c->why;
    begun.verb = "begun";
    begun.data = data;
    return treatment_tell(tx, c->treatment, now, &begun);
}

static int page(struct store_tx *tx, const struct insight_cluster *c,
                const struct treatment *t, const struct owner_word *w, const char *dedupe)
{
    AUTO(json_free) json_t *body = NULL;
    AUTO(cstr_free) char *id = NULL;
    TRY(cstr_printf(&id, "%s/page", dedupe));
    TRY(json_made(json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "schema", 1, "cluster",
                            c->name, "server", t->server, "treatment", t->id, "about",
                            w->about, "text", w->text),
                  &body));
    return bus_notice_hook(tx, &(struct bus_hook){.url = c->page,
                                                  .secret_file = c->page_secret_file,
                                                  .body = body,
                                                  .dedupe = id});
}

int act_tell_owner(struct store_tx *tx, const struct insight_cluster *c,
                   const struct treatment *t, const struct owner_word *w)
{
    AUTO(cstr_free) char *dedupe = NULL, *subject = NULL, *text = NULL;
    bool one = t->server[0] != '\0';
    TRY(cstr_printf(&dedupe, "treatment/%s/%s", one ? t->id : c->name, w->about));
    TRY(cstr_printf(&subject, "%s%s%s: %s", c->name, one ? ", server " : "", t->server,
                    w->text));
    TRY(cstr_printf(&text,
                    "Cluster %s%s%s.\n\n%s\n\n%s%s\n"
                    "marquee actions list --cluster %s shows what was decided and why.\n",
                    c->name, one ? ", server " : "", t->server, w->text,
                    one ? "Treatment " : "", one ? t->id : "", c->name));
    TRY(bus_notice_mail(
        tx, &(struct bus_mail){
                .to = c->owner, .subject = subject, .text = text, .dedupe = dedupe}));
    return w->urgent && c->page ? page(tx, c, t, w, dedupe) : 0;
}

// --- one step -----------------------------------------------------------------------------------------

struct work {
    struct insight_act *act;
    struct treatment t;
    const struct insight_cluster *cluster;
    const struct insight_server *server;
    struct moment now;
    struct insight_target target;
    char **out; // names, owned
    size_t out_count;
    // What came of it.
    enum treatment_step next;
    const char *end; // "": the treatment goes on; else the state that it ends or stays in
    const char *outcome; // NULL: as it was
    int64_t pause_us;    // before the next step
    bool again;          // the same step, counted as a try
    bool urgent;
    char incarnation[INSIGHT_INCARNATION_BYTES];
    json_t *forensics;
    char *error;
};

static void work_clear(struct work *w)
{
    for (size_t i = 0; i < w->out_count; i++) {
        free(w->out[i]);
    }
    free(w->out);
    json_free(&w->forensics);
    cstr_free(&w->error);
}

static int note_error(struct work *w, const char *what)
{
    cstr_free(&w->error);
    return cstr_printf(&w->error, "%s: %s", what, err_reason());
}

static int go(struct work *w, enum treatment_step next, int64_t pause_us)
{
    w->next = next;
    w->pause_us = pause_us;
    return 0;
}

// Back into service without having been ended.
static int restore(struct work *w, const char *what)
{
    TRY(note_error(w, what));
    w->outcome = "restored";
    w->urgent = true;
    return go(w, STEP_RETURN, 0);
}

// It stays out, and a person has to look.
static int give_up(struct work *w, const char *what)
{
    TRY(note_error(w, what));
    w->end = "stuck";
    w->urgent = true;
    return 0;
}

static int look(struct work *w, char ret[INSIGHT_INCARNATION_BYTES])
{
    ret[0] = '\0';
    int err = w->cluster->life.driver == INSIGHT_LIFE_NONE
                  ? ERR_NOT_FOUND
                  : w->act->drivers->look(&w->target, ret);
    return err == ERR_NOT_FOUND ? 0 : err; // "": none runs
}

// Asked right before the world is changed: a process that slept beyond its lease must not end, or move, what
// another has put elsewhere meanwhile.
static int still_ours(const struct work *w)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t fence = 0;
    TRY(store_begin(w->act->config.store, STORE_READ, &tx));
    TRY(store_get_i64(tx, &fence, "SELECT fence FROM insight_treatment WHERE id = ?", "s",
                      w->t.id));
    FAIL_IF(fence != w->t.fence, ERR_FENCED, "another process treats %s now",
            w->t.server);
    return 0;
}

// Whether what the server works on would end with it: whoever knows of that is asked until nothing does.
static bool ends_work(const struct work *w)
{
    return w->t.action == INSIGHT_TERMINATE && insight_cluster_has_work(w->cluster);
}

static int do_notify(struct work *w)
{
    if (look(w, w->incarnation) < 0) {
        return restore(w, "looking which incarnation runs");
    }
    return go(w, STEP_REMOVE, 0);
}

static int do_remove(struct work *w)
{
    TRY(still_ours(w));
    if (w->act->drivers->apply(&w->target) == 0) {
        return go(w, STEP_DRAIN, ends_work(w) ? 0 : w->cluster->drain_s * S_US);
    }
    if (w->t.tries + 1 >= TRIES) {
        return restore(w, "removing it from discovery");
    }
    w->again = true;
    TRY(note_error(w, "removing it from discovery"));
    return go(w, STEP_REMOVE, RETRY_US);
}

static int clear_work(struct work *w)
{
    TRY(still_ours(w));
    if (w->act->drivers->clear(&w->target) < 0) {
        return restore(w, "sending its work elsewhere");
    }
    w->again = true;
    return go(w, STEP_DRAIN, POLL_US);
}

// Its work has drain_s to end, and, where the owner lets it be sent elsewhere, a minute more to go there. The try
// counts: 0 it may end, 1 it is sent away (which is journalled), 2 it was.
static int do_drain(struct work *w)
{
    if (!ends_work(w)) {
        return go(w, STEP_EXAMINE, 0);
    }
    if (w->t.tries == DRAIN_CLEAR) {
        return clear_work(w);
    }
    int busy = w->act->drivers->busy(&w->target);
    if (busy == 0) {
        return go(w, STEP_EXAMINE, 0);
    }
    if (busy == ERR_CONFLICT) {
        return restore(w, "draining it");
    }
    int64_t late_us = w->now.at - w->t.entered_at - w->cluster->drain_s * S_US;
    if (late_us < (w->t.tries > DRAIN_CLEAR ? CLEAR_US : 0)) {
        return go(w, STEP_DRAIN, POLL_US);
    }
    if (busy < 0) {
        return restore(w, "asking whether work runs there");
    }
    if (w->t.tries < DRAIN_CLEAR && w->cluster->discovery.jobs == INSIGHT_JOBS_REQUEUE) {
        w->again = true;
        return go(w, STEP_DRAIN, 0);
    }
    err_fail(ERR_TIMEOUT, "work still runs there, and it would end with it");
    return restore(w, "draining it");
}

static int do_examine(struct work *w)
{
    if (w->act->drivers->examine(&w->target, &w->forensics) < 0) {
        TRY(note_error(w, "examining it")); // no reason to leave it as it is
    }
    if (w->t.action == INSIGHT_REMOVE) {
        w->end = "out";
        return 0;
    }
    return go(w, STEP_TERMINATE, 0);
}

static int after_termination(struct work *w)
{
    char now[INSIGHT_INCARNATION_BYTES];
    if (look(w, now) < 0) {
        return give_up(w, "looking whether it ended");
    }
    if (now[0] && strcmp(now, w->t.incarnation) == 0) {
        err_fail(ERR_CONFLICT, "%s still runs; it is not ended a second time", now);
        return restore(w, "ending it");
    }
    return go(w, STEP_START, 0);
}

static int do_terminate(struct work *w)
{
    char now[INSIGHT_INCARNATION_BYTES];
    if (w->t.journal == JOURNAL_UNSURE) {
        return after_termination(w);
    }
    if (look(w, now) < 0) {
        return restore(w, "looking which incarnation runs");
    }
    if (strcmp(now, w->t.incarnation) != 0 || !now[0]) {
        return go(w, STEP_START, 0); // it ended, or was replaced, without us
    }
    int busy = ends_work(w) ? w->act->drivers->busy(&w->target) : 0;
    if (busy != 0) {
        if (busy > 0) {
            err_fail(ERR_CONFLICT, "work runs there again");
        }
        return restore(w, "asking whether work runs there");
    }
    TRY(act_passed(w->act, "terminating"));
    TRY(still_ours(w));
    if (w->act->drivers->terminate(&w->target, now) < 0) {
        TRY(note_error(w, "ending it"));
    }
    TRY(act_passed(w->act, "terminated"));
    return after_termination(w);
}

static int do_start(struct work *w)
{
    char now[INSIGHT_INCARNATION_BYTES];
    if (look(w, now) == 0 && now[0]) {
        return go(w, STEP_VERIFY, 0);
    }
    TRY(still_ours(w));
    if (w->act->drivers->start(&w->target) < 0) {
        TRY(note_error(w, "starting its replacement")); // verify decides
    }
    return go(w, STEP_VERIFY, 0);
}

static int do_verify(struct work *w)
{
    char now[INSIGHT_INCARNATION_BYTES];
    bool fresh = look(w, now) == 0 && now[0] && strcmp(now, w->t.incarnation) != 0;
    if (fresh && w->act->drivers->check(&w->target) == 0) {
        return go(w, STEP_RETURN, 0);
    }
    if (w->now.at < w->t.entered_at + w->cluster->health.within_s * S_US) {
        return go(w, STEP_VERIFY, S_US);
    }
    err_fail(ERR_TIMEOUT,
             fresh ? "it runs, and does not answer as it should" : "no replacement runs");
    if (w->t.tries > 0) {
        return give_up(w, "verifying its replacement");
    }
    w->again = true;
    TRY(note_error(w, "verifying its replacement"));
    return go(w, STEP_START, 0);
}

static int do_return(struct work *w)
{
    TRY(still_ours(w));
    if (w->act->drivers->apply(&w->target) == 0) {
        w->end = w->t.outcome;
        return 0;
    }
    if (w->t.tries + 1 >= TRIES) {
        return give_up(w, "putting it back into service");
    }
    w->again = true;
    TRY(note_error(w, "putting it back into service"));
    return go(w, STEP_RETURN, RETRY_US);
}

static int (*const performers[])(struct work *) = {
    [STEP_NOTIFY] = do_notify,   [STEP_REMOVE] = do_remove,       [STEP_DRAIN] = do_drain,
    [STEP_EXAMINE] = do_examine, [STEP_TERMINATE] = do_terminate, [STEP_START] = do_start,
    [STEP_VERIFY] = do_verify,   [STEP_RETURN] = do_return,
};

// --- claim ----------------------------------------------------------------------------------------------

// Held ones that nobody suspected for as long as an approval lives, and approvals that are older.
static int expire(struct insight_act *act, struct store_tx *tx, const struct moment *now)
{
    const struct insight_fleet *fleet = act->config.fleet;
    for (size_t i = 0; i < fleet->clusters_count; i++) {
        const struct insight_cluster *c = &fleet->clusters[i];
        int64_t since = now->at - c->guards.approval_life_s * S_US;
        TRY(store_exec(tx,
                       "UPDATE insight_treatment SET approved_by = NULL,"
                       " approved_at = NULL WHERE cluster = ? AND state = 'held'"
                       " AND approved_at <= ?",
                       "si", c->name, since));
        TRY(store_exec(tx,
                       "UPDATE insight_treatment SET state ="
                       " CASE state WHEN 'held' THEN 'expired' ELSE 'done' END,"
                       " ended_us = ?, ended_at = ? WHERE cluster = ?"
                       " AND state IN ('held', 'told', 'dry') AND seen_at <= ?",
                       "iisi", now->wall_us, now->at, c->name, since));
    }
    return 0;
}

static int next_approved(struct store_tx *tx, const char *after, char ret[UUID_BYTES])
{
    AUTO(cstr_free) char *id = NULL;
    TRY(store_get_text(tx, &id,
                       "SELECT id FROM insight_treatment WHERE state = 'held' AND"
                       " approved_by IS NOT NULL AND id > ? ORDER BY id LIMIT 1",
                       "s", after));
    return str_copy(ret, UUID_BYTES, str_of(id));
}

static int note_cap(struct store_tx *tx, const char *id, enum insight_guard guard)
{
    return guard == INSIGHT_GUARD_NONE
               ? 0
               : store_exec(tx, "UPDATE insight_treatment SET guard = ? WHERE id = ?",
                            "ss", insight_guard_name(guard), id);
}

// What people approved begins as soon as the caps allow.
static int begin_approved(struct insight_act *act, struct store_tx *tx,
                          const struct moment *now)
{
    char id[UUID_BYTES] = "";
    for (;;) {
        struct treatment t;
        AUTO(cstr_free) char *by = NULL;
        AUTO(json_free) json_t *numbers = NULL;
        int err = next_approved(tx, id, id);
        if (err == ERR_NOT_FOUND) {
            return 0;
        }
        TRY(err);
        TRY(treatment_load(tx, id, &t));
        const struct insight_cluster *c =
            insight_fleet_cluster(act->config.fleet, t.cluster);
        if (!c || !insight_cluster_server(c, t.server) || t.action == INSIGHT_NOTIFY ||
            c->guards.dry_run) {
            continue;
        }
        enum insight_guard guard = INSIGHT_GUARD_NONE;
        TRY(store_get_text(
            tx, &by, "SELECT approved_by FROM insight_treatment WHERE id = ?", "s", id));
        TRY(guard_numbers(c, &numbers));
        const struct act_candidate candidate = {
            .cluster = c,
            .treatment = &t,
            .now = now,
            .why = {.actor = by, .rule = "approval", .parameters = numbers}};
        TRY(act_try(act, tx, &candidate, &guard));
        TRY(note_cap(tx, id, guard));
    }
}

// One that is due, of a cluster where nobody else is at work.
static int pick(struct store_tx *tx, const struct moment *now, struct treatment *ret)
{
    AUTO(cstr_free) char *id = NULL;
    int err = store_get_text(
        tx, &id,
        "SELECT id FROM insight_treatment AS t WHERE state = 'acting' AND due_at <= ?1"
        " AND NOT EXISTS (SELECT 1 FROM insight_treatment AS o WHERE"
        "   o.state = 'acting' AND o.cluster = t.cluster AND o.lease_at > ?1)"
        " ORDER BY due_at, id LIMIT 1",
        "i", now->at);
    if (err == ERR_NOT_FOUND) {
        return 0;
    }
    TRY(err);
    TRY(treatment_load(tx, id, ret));
    return 1;
}

// Out of service in discovery's eyes, once this step is done.
static int list_out(struct store_tx *tx, struct work *w)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    w->out = calloc(OUT_MAX, sizeof *w->out);
    FAIL_IF(!w->out, ERR_NOMEM, "a cluster");
    TRY(store_query(tx, &r,
                    "SELECT server FROM insight_treatment WHERE cluster = ? AND removed"
                    " ORDER BY server",
                    "s", w->t.cluster));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        FAIL_IF(w->out_count == OUT_MAX, ERR_LIMIT, "over %d servers are out", OUT_MAX);
        TRY(cstr_dup(&w->out[w->out_count], store_text(r, 0)));
        w->out_count++;
    }
    return 0;
}

static int write_intent(struct store_tx *tx, struct work *w)
{
    struct treatment *t = &w->t;
    bool removed = t->step != STEP_NOTIFY && t->step != STEP_RETURN;
    AUTO(cstr_free) char *verb = NULL;
    bool unsure = t->step == STEP_TERMINATE && t->journal == JOURNAL_BEGUN;
    t->journal = t->step == STEP_TERMINATE && t->journal != JOURNAL_DUE ? JOURNAL_UNSURE
                                                                        : JOURNAL_BEGUN;
    t->fence++;
    TRY(store_exec(tx,
                   "UPDATE insight_treatment SET fence = ?, lease_at = ?, journal = ?,"
                   " removed = ?, due_at = ? WHERE id = ?",
                   "iiiiis", t->fence,
                   unsure ? INT64_C(0) : w->now.at + w->act->config.lease_us,
                   (int64_t)t->journal, (int64_t)removed,
                   unsure ? w->now.at + SETTLE_US : w->now.at, t->id));
    if (t->step == STEP_VERIFY || (t->step == STEP_DRAIN && t->tries != DRAIN_CLEAR)) {
        return 0; // they change nothing in the world
    }
    TRY(cstr_printf(&verb, "%s.%s", treatment_step_name(t->step),
                    t->journal == JOURNAL_UNSURE ? "unsure" : "intended"));
    TRY(treatment_tell(tx, t, &w->now, &(struct treatment_note){.verb = verb}));
    return unsure;
}

// 1: there is a step to perform.
static int claim(struct work *w, bool *ret_worked)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(act_begin(w->act, &tx, &w->now));
    TRY(expire(w->act, tx, &w->now));
    TRY(begin_approved(w->act, tx, &w->now));
    int found = pick(tx, &w->now, &w->t);
    TRY(found);
    if (found) {
        w->cluster = insight_fleet_cluster(w->act->config.fleet, w->t.cluster);
        w->server = w->cluster ? insight_cluster_server(w->cluster, w->t.server) : NULL;
    }
    if (found && !w->server) { // it was taken out of the description meanwhile
        TRY(store_exec(tx,
                       "UPDATE insight_treatment SET state = 'stuck', error = ?"
                       " WHERE id = ?",
                       "ss", "the server is no longer described", w->t.id));
        found = 0;
    }
    int unsure = 0;
    if (found) {
        unsure = write_intent(tx, w);
        TRY(unsure);
        TRY(list_out(tx, w));
    }
    TRY(act_passed(w->act, "claiming"));
    TRY(store_commit(&tx));
    *ret_worked = found;
    TRY(act_passed(w->act, "claimed"));
    return found && !unsure;
}

// --- settle ---------------------------------------------------------------------------------------------

static int tell_step(struct store_tx *tx, const struct work *w)
{
    AUTO(cstr_free) char *verb = NULL;
    AUTO(json_free) json_t *data = NULL;
    bool waits = (w->t.step == STEP_VERIFY || w->t.step == STEP_DRAIN) &&
                 w->next == w->t.step && !w->again && !*w->end;
    bool late = w->t.step == STEP_DRAIN && w->again && w->t.tries < DRAIN_CLEAR;
    if (waits) {
        return 0;
    }
    TRY(cstr_printf(&verb, "%s.%s", treatment_step_name(w->t.step),
                    late       ? "late"
                    : w->error ? "failed"
                               : "performed"));
    TRY(json_made(json_pack("{s:s?, s:s, s:s}", "error", w->error, "incarnation",
                            w->t.step == STEP_NOTIFY ? w->incarnation : w->t.incarnation,
                            "next", *w->end ? w->end : treatment_step_name(w->next)),
                  &data));
    return treatment_tell(tx, &w->t, &w->now,
                          &(struct treatment_note){.verb = verb, .data = data});
}

static int tell_end(struct store_tx *tx, const struct work *w)
{
    static const struct {
        const char *state, *text;
    } words[] = {
        {"done", "It was replaced, and its replacement serves."},
        {"out", "It was taken out of service and still runs, for who wants to look."},
        {"restored", "It was put back into service without having been ended."},
        {"undone", "It was put back into service."},
        {"stuck", "It is out of service, and a person has to look."},
    };
    AUTO(cstr_free) char *text = NULL;
    TRY(treatment_tell(tx, &w->t, &w->now, &(struct treatment_note){.verb = w->end}));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].state, w->end) == 0) {
            TRY(cstr_printf(&text, "%s%s%s", words[i].text, w->error ? " " : "",
                            w->error ? w->error : ""));
            return act_tell_owner(
                tx, w->cluster, &w->t,
                &(struct owner_word){.about = w->end, .text = text, .urgent = w->urgent});
        }
    }
    return 0;
}

static int write_result(struct store_tx *tx, struct work *w)
{
    bool ends = *w->end && strcmp(w->end, "out") != 0 && strcmp(w->end, "stuck") != 0;
    bool moved = w->next != w->t.step;
    // Tries of a replacement are of starting it and verifying it together.
    bool anew = moved && w->t.step != STEP_START && w->t.step != STEP_VERIFY;
    bool stuck = strcmp(w->end, "stuck") == 0;
    return store_exec(
        tx,
        "UPDATE insight_treatment SET lease_at = 0, journal = ?17, state = ?1, step = ?2,"
        " tries = CASE WHEN ?3 THEN tries + 1 WHEN ?16 THEN 0 ELSE tries END,"
        " entered_at = CASE WHEN ?4 THEN ?5 ELSE entered_at END, due_at = ?6,"
        " outcome = coalesce(?7, outcome), removed = CASE WHEN ?8 THEN 1"
        "   ELSE removed END,"
        " incarnation = CASE WHEN ?9 THEN ?10 ELSE incarnation END,"
        " error = coalesce(?11, error),"
        " ended_at = CASE WHEN ?12 THEN ?5 ELSE ended_at END,"
        " ended_us = CASE WHEN ?12 THEN ?13 ELSE ended_us END"
        " WHERE id = ?14 AND fence = ?15",
        "siiiiisiissiisiii", *w->end ? w->end : "acting", (int64_t)w->next,
        (int64_t)w->again, (int64_t)moved, w->now.at, w->now.at + w->pause_us, w->outcome,
        (int64_t)stuck, (int64_t)(w->t.step == STEP_NOTIFY), w->incarnation, w->error,
        (int64_t)ends, w->now.wall_us, w->t.id, w->t.fence, (int64_t)anew,
        (int64_t)JOURNAL_DUE);
}

static int keep_forensics(struct store_tx *tx, const struct work *w)
{
    return w->forensics
               ? store_exec(tx, "UPDATE insight_treatment SET forensics = ? WHERE id = ?",
                            "js", w->forensics, w->t.id)
               : 0;
}

static int settle(struct work *w)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(act_begin(w->act, &tx, &w->now));
    TRY(write_result(tx, w));
    if (store_changes(tx) != 1) {
        return 0; // the lease ran out, and another process has taken it over
    }
    TRY(keep_forensics(tx, w));
    TRY(tell_step(tx, w));
    if (*w->end) {
        TRY(tell_end(tx, w));
    }
    TRY(act_passed(w->act, "settling"));
    TRY(store_commit(&tx));
    return act_passed(w->act, "settled");
}

int insight_act_advance(struct insight_act *act)
{
    AUTO(work_clear) struct work w = {.act = act, .end = ""};
    bool worked = false;
    int found = claim(&w, &worked);
    TRY(found);
    if (!found) {
        return worked;
    }
    w.next = w.t.step;
    w.target = (struct insight_target){.cluster = w.cluster,
                                       .server = w.server,
                                       .treatment = w.t.id,
                                       .out = (const char *const *)w.out,
                                       .out_count = w.out_count,
                                       .user = act->config.driver_user};
    int err = performers[w.t.step](&w);
    if (err == ERR_FENCED) {
        return 1; // it goes on there
    }
    TRY(err);
    TRY(act_passed(act, "performed"));
    TRY(settle(&w));
    return 1;
}
