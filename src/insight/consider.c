// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a look at a cluster to treatments. All of one look is decided in one transaction, the worst suspect
// first, so that the caps are spent on those who need it most.
#include "insight/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// When a whole cluster looks bad, so many of its servers are listed as held; the rest are a number.
enum { HELD_MAX = 20, SUSPECTS_MAX = 20000 };

struct look {
    const struct insight_act *act;
    const struct insight_cluster *cluster;
    const struct insight_suspicion *suspicion;
    struct moment now;
    enum insight_guard guard; // of the whole look
    json_t *window, *parameters;
};

static void look_clear(struct look *l)
{
    json_free(&l->window);
    json_free(&l->parameters);
}

static int look_describe(struct look *l)
{
    const struct insight_suspicion *s = l->suspicion;
    AUTO(json_free) json_t *numbers = NULL;
    char start[CLOCK_RFC3339_BYTES], end[CLOCK_RFC3339_BYTES], data[CLOCK_RFC3339_BYTES];
    clock_rfc3339(s->window_start_us, start);
    clock_rfc3339(s->window_end_us, end);
    clock_rfc3339(s->data_us, data);
    TRY(guard_numbers(l->cluster, &numbers));
    TRY(json_made(json_pack("{s:s, s:s, s:s}", "start", start, "end", end, "data", data),
                  &l->window));
    return json_made(json_pack("{s:o, s:O}", "detector",
                               treatment_or_empty(s->parameters), "guards", numbers),
                     &l->parameters);
}

static int suspect_json(const struct look *l, const struct insight_suspect *suspect,
                        json_t **ret)
{
    const struct insight_suspicion *s = l->suspicion;
    char since[CLOCK_RFC3339_BYTES];
    clock_rfc3339(suspect->since_us, since);
    return json_made(
        json_pack("{s:s, s:f, s:o, s:I, s:I, s:I, s:s, s:O}", "since", since, "score",
                  suspect->score, "evidence", treatment_or_empty(suspect->evidence),
                  "members", (json_int_t)s->members, "reporting",
                  (json_int_t)s->reporting, "suspects", (json_int_t)s->suspect_count,
                  "rule", s->rule, "window", l->window),
        ret);
}

static int insert(const struct look *l, struct store_tx *tx, struct treatment *t,
                  const json_t *seen)
{
    uuid_v7(t->id);
    return store_exec(
        tx,
        "INSERT INTO insight_treatment (id, cluster, server, action, state, seen_at,"
        " created_us, suspicion) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        "sssssiij", t->id, t->cluster, t->server, insight_action_name(t->action),
        t->state, l->now.at, l->now.wall_us, seen);
}

// What held it last, "" where it was never held.
static int last_guard(struct store_tx *tx, const char *id, char ret[24])
{
    AUTO(cstr_free) char *guard = NULL;
    TRY(store_get_text(tx, &guard,
                       "SELECT coalesce(guard, '') FROM insight_treatment WHERE id = ?",
                       "s", id));
    return str_copy(ret, 24, str_of(guard));
}

static int hold(const struct look *l, struct store_tx *tx, const struct treatment *t,
                enum insight_guard guard, const struct treatment_note *note)
{
    char before[24];
    TRY(last_guard(tx, t->id, before));
    if (strcmp(before, insight_guard_name(guard)) == 0) {
        return 0; // told already
    }
    TRY(store_exec(tx, "UPDATE insight_treatment SET guard = ? WHERE id = ?", "ss",
                   insight_guard_name(guard), t->id));
    struct treatment_note held = *note;
    held.verb = "held";
    held.rule = insight_guard_name(guard);
    TRY(treatment_tell(tx, t, &l->now, &held));
    return l->guard == guard
               ? 0
               : act_tell_owner(
                     tx, l->cluster, t,
                     &(struct owner_word){.about = insight_guard_name(guard),
                                          .text = insight_guard_text(guard),
                                          .urgent = guard == INSIGHT_GUARD_WATCHED});
}

// 1 where it is told or dry, and nothing else is to be done.
static int only_tell(const struct look *l, struct store_tx *tx, struct treatment *t,
                     const struct treatment_note *note)
{
    bool dry = t->action != INSIGHT_NOTIFY;
    struct treatment_note told = *note;
    told.verb = dry ? "dry_run" : "told";
    TRY(store_exec(tx,
                   "UPDATE insight_treatment SET state = ?, guard = NULL WHERE id = ?",
                   "ss", dry ? "dry" : "told", t->id));
    TRY(treatment_tell(tx, t, &l->now, &told));
    return act_tell_owner(
        tx, l->cluster, t,
        &(struct owner_word){
            .about = "suspect",
            .text = dry ? "This is a dry run: it would have been treated now."
                        : "It is unlike its peers. Nothing is done by itself."});
}

static int decide(const struct look *l, struct store_tx *tx, struct treatment *t,
                  const struct insight_suspect *suspect, const json_t *seen)
{
    struct treatment_note note = {.rule = l->suspicion->rule,
                                  .window = l->window,
                                  .parameters = l->parameters,
                                  .data = seen};
    enum insight_guard guard = l->guard;
    if (guard == INSIGHT_GUARD_NONE) {
        TRY(guard_judge(tx, l->cluster, l->suspicion, suspect, &l->now, &guard));
    }
    if (guard != INSIGHT_GUARD_NONE && !t->approved) {
        return hold(l, tx, t, guard, &note);
    }
    if (t->action == INSIGHT_NOTIFY || l->cluster->guards.dry_run) {
        return only_tell(l, tx, t, &note);
    }
    const struct act_candidate candidate = {
        .cluster = l->cluster, .treatment = t, .now = &l->now, .why = note};
    TRY(act_try(l->act, tx, &candidate, &guard));
    return guard == INSIGHT_GUARD_NONE ? 0 : hold(l, tx, t, guard, &note);
}

// The picture that belongs to the suspicion that the treatment has.
static int keep_plot(struct store_tx *tx, const struct treatment *t,
                     const struct insight_suspect *suspect)
{
    return suspect->plot ? store_exec(tx,
                                      "INSERT INTO insight_plot (treatment, plot)"
                                      " VALUES (?, ?) ON CONFLICT (treatment) DO UPDATE"
                                      " SET plot = excluded.plot",
                                      "sj", t->id, suspect->plot)
                         : 0;
}

static int consider_one(const struct look *l, struct store_tx *tx,
                        const struct insight_suspect *suspect)
{
    AUTO(json_free) json_t *seen = NULL;
    struct treatment t = {.action = l->cluster->action, .state = "held"};
    if (!insight_cluster_server(l->cluster, suspect->server)) {
        return 0; // nobody said how to treat it
    }
    TRY(suspect_json(l, suspect, &seen));
    int err = treatment_open(tx, l->cluster->name, suspect->server, &t);
    if (err == ERR_NOT_FOUND) {
        TRY(str_copy(t.cluster, sizeof t.cluster, str_of(l->cluster->name)));
        TRY(str_copy(t.server, sizeof t.server, str_of(suspect->server)));
        TRY(insert(l, tx, &t, seen));
    } else {
        TRY(err);
        TRY(store_exec(tx,
                       "UPDATE insight_treatment SET seen_at = ?, suspicion ="
                       " CASE WHEN state = 'held' THEN ? ELSE suspicion END WHERE id = ?",
                       "ijs", l->now.at, seen, t.id));
    }
    if (strcmp(t.state, "held") != 0) {
        return 0;
    }
    TRY(keep_plot(tx, &t, suspect));
    return decide(l, tx, &t, suspect, seen);
}

// The whole look is held: the owner hears it once an hour, urgently.
static int tell_held_look(const struct look *l, struct store_tx *tx)
{
    struct treatment about = {.action = l->cluster->action};
    AUTO(cstr_free) char *word = NULL;
    TRY(str_copy(about.cluster, sizeof about.cluster, str_of(l->cluster->name)));
    TRY(cstr_printf(&word, "%s/%lld", insight_guard_name(l->guard),
                    (long long)(l->now.at / INT64_C(3600000000))));
    return act_tell_owner(tx, l->cluster, &about,
                          &(struct owner_word){.about = word,
                                               .text = insight_guard_text(l->guard),
                                               .urgent = true});
}

static int worse_first(const void *a, const void *b)
{
    const struct insight_suspect *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                                : strcmp(x->server, y->server);
}

static int consider_all(const struct look *l, struct store_tx *tx)
{
    size_t count = l->suspicion->suspect_count;
    struct insight_suspect *sorted = calloc(count + 1, sizeof *sorted);
    FAIL_IF(!sorted, ERR_NOMEM, "%zu suspects", count);
    if (count) {
        memcpy(sorted, l->suspicion->suspects, count * sizeof *sorted);
    }
    qsort(sorted, count, sizeof *sorted, worse_first);
    size_t listed = l->guard == INSIGHT_GUARD_NONE ? count : MIN(count, (size_t)HELD_MAX);
    int err = 0;
    for (size_t i = 0; err == 0 && i < listed; i++) {
        err = consider_one(l, tx, &sorted[i]);
    }
    free(sorted);
    return err;
}

static int time_of(const json_t *object, const char *key, int64_t *ret)
{
    const char *text = NULL;
    TRY(json_get_str(object, key, &text));
    return clock_parse(str_of(text), ret);
}

static int suspect_from_json(const json_t *object, struct insight_suspect *ret)
{
    struct insight_suspect s = {.evidence = json_object_get(object, "evidence")};
    TRY(json_get_str(object, "server", &s.server));
    TRY(time_of(object, "since", &s.since_us));
    TRY(json_get_double(object, "score", &s.score));
    *ret = s;
    return 0;
}

static int counts_from_json(const json_t *object, struct insight_suspicion *s)
{
    int64_t members = 0, reporting = 0;
    TRY(json_get_i64(object, "members", 0, SUSPECTS_MAX, &members));
    TRY(json_get_i64(object, "reporting", 0, members, &reporting));
    s->members = (size_t)members;
    s->reporting = (size_t)reporting;
    return 0;
}

int insight_act_consider_json(struct insight_act *act, const json_t *object)
{
    struct insight_suspicion s = {.parameters = json_object_get(object, "parameters")};
    AUTO(arena_free) struct arena *arena = NULL;
    json_t *list = NULL;
    TRY(json_get_str(object, "cluster", &s.cluster));
    TRY(json_get_str(object, "rule", &s.rule));
    TRY(time_of(object, "window_start", &s.window_start_us));
    TRY(time_of(object, "window_end", &s.window_end_us));
    TRY(time_of(object, "data", &s.data_us));
    TRY(counts_from_json(object, &s));
    TRY(json_get_array(object, "suspects", &list));
    s.suspect_count = json_array_size(list);
    FAIL_IF(s.suspect_count > SUSPECTS_MAX, ERR_LIMIT, "over %d suspects", SUSPECTS_MAX);
    TRY(arena_new(&arena));
    struct insight_suspect *suspects =
        arena_alloc(arena, s.suspect_count + 1, sizeof *suspects);
    FAIL_IF(!suspects, ERR_NOMEM, "%zu suspects", s.suspect_count);
    for (size_t i = 0; i < s.suspect_count; i++) {
        TRY(suspect_from_json(json_array_get(list, i), &suspects[i]));
    }
    s.suspects = suspects;
    return insight_act_consider(act, &s);
}

int insight_act_consider(struct insight_act *act, const struct insight_suspicion *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(look_clear)
    struct look l = {.act = act,
                     .suspicion = s,
                     .cluster = insight_fleet_cluster(act->config.fleet, s->cluster)};
    FAIL_IF(!l.cluster, ERR_NOT_FOUND, "there is no cluster '%s'", s->cluster);
    TRY(act_begin(act, &tx, &l.now));
    l.guard = guard_look(l.cluster, s, l.now.wall_us);
    TRY(look_describe(&l));
    if (s->suspect_count && l.guard != INSIGHT_GUARD_NONE) {
        TRY(tell_held_look(&l, tx));
    }
    TRY(consider_all(&l, tx));
    TRY(act_passed(act, "considered"));
    TRY(store_commit(&tx));
    return act_passed(act, "decided");
}
