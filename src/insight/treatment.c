// SPDX-License-Identifier: GPL-3.0-or-later
//
// Treatments as rows: reading them, telling of them, and what people may do with them.
#include "insight/treatment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const step_names[] = {
#define X(name, word) [STEP_##name] = word,
    TREATMENT_STEPS(X)
#undef X
};

const char *treatment_step_name(enum treatment_step step)
{
    return step_names[step];
}

static int action_parse(const char *name, enum insight_action *ret)
{
    for (enum insight_action a = INSIGHT_NOTIFY; a <= INSIGHT_TERMINATE; a++) {
        if (strcmp(insight_action_name(a), name) == 0) {
            *ret = a;
            return 0;
        }
    }
    FAIL(ERR_CORRUPT, "'%s' is no action", name);
}

#define COLUMNS                                                                       \
    "SELECT id, cluster, server, state, outcome, incarnation, action, step, journal," \
    " tries, fence, entered_at, approved_by IS NOT NULL FROM insight_treatment "

static int from_row(const struct store_rows *r, struct treatment *ret)
{
    struct treatment t = {0};
    const struct {
        char *to;
        size_t size;
    } texts[] = {{t.id, sizeof t.id},           {t.cluster, sizeof t.cluster},
                 {t.server, sizeof t.server},   {t.state, sizeof t.state},
                 {t.outcome, sizeof t.outcome}, {t.incarnation, sizeof t.incarnation}};
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++) {
        TRY(str_copy(texts[i].to, texts[i].size, str_of(store_text(r, i))));
    }
    TRY(action_parse(store_text(r, 6), &t.action));
    int64_t step = store_i64(r, 7);
    FAIL_IF(step < 0 || step >= STEP_COUNT, ERR_CORRUPT, "a treatment's step");
    t.step = (enum treatment_step)step;
    t.journal = (int)store_i64(r, 8);
    t.tries = store_i64(r, 9);
    t.fence = store_i64(r, 10);
    t.entered_at = store_i64(r, 11);
    t.approved = store_i64(r, 12) != 0;
    *ret = t;
    return 0;
}

static int load(struct store_rows *r, struct treatment *ret)
{
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such treatment");
    return from_row(r, ret);
}

int treatment_load(struct store_tx *tx, const char *id, struct treatment *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r, COLUMNS "WHERE id = ?", "s", id));
    return load(r, ret);
}

int treatment_open(struct store_tx *tx, const char *cluster, const char *server,
                   struct treatment *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    COLUMNS "WHERE cluster = ? AND server = ? AND state IN"
                            " " TREATMENT_OPEN,
                    "ss", cluster, server));
    return load(r, ret);
}

json_t *treatment_or_empty(const json_t *value)
{
    return value ? json_incref((json_t *)(uintptr_t)value) : json_object();
}

// The head of the chain goes out with every event, to whoever keeps those.
int treatment_tell(struct store_tx *tx, const struct treatment *t,
                   const struct moment *now, const struct treatment_note *n)
{
    AUTO(cstr_free) char *about = NULL, *subject = NULL, *what = NULL, *type = NULL;
    AUTO(json_free) json_t *data = NULL, *told = NULL;
    struct insight_audit_head head;
    char head_text[INSIGHT_HEAD_BYTES];
    TRY(cstr_printf(&about, "server/%s/%s", t->cluster, t->server));
    TRY(cstr_printf(&subject, "treatment/%s", t->id));
    TRY(cstr_printf(&what, "treatment.%s", n->verb));
    TRY(cstr_printf(&type, "treatment.%s.v1", n->verb));
    TRY(json_made(json_pack("{s:s, s:s, s:o}", "treatment", t->id, "action",
                            insight_action_name(t->action), "saw",
                            treatment_or_empty(n->data)),
                  &data));
    TRY(insight_audit_append(tx,
                             &(struct insight_audit_entry){.actor = n->actor,
                                                           .what = what,
                                                           .subject = about,
                                                           .rule = n->rule,
                                                           .at_us = now->wall_us,
                                                           .window = n->window,
                                                           .parameters = n->parameters,
                                                           .data = data},
                             NULL));
    TRY(insight_audit_head(tx, &head));
    insight_audit_head_text(&head, head_text);
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:s?, s:o, s:s}", "cluster", t->cluster,
                            "server", t->server, "action", insight_action_name(t->action),
                            "rule", n->rule, "saw", treatment_or_empty(n->data), "audit",
                            head_text),
                  &told));
    return bus_emit(tx,
                    &(struct bus_event){.type = type,
                                        .subject = subject,
                                        .actor = n->actor,
                                        .correlation = t->id,
                                        .data = told},
                    NULL);
}

// --- what people do -----------------------------------------------------------------------------------

static int person_tells(struct store_tx *tx, const struct treatment *t, const char *verb,
                        const char *actor)
{
    struct moment now;
    TRY(steady_last(tx, &now.at));
    now.wall_us = clock_wall_us();
    return treatment_tell(tx, t, &now,
                          &(struct treatment_note){.verb = verb, .actor = actor});
}

static int load_held(struct store_tx *tx, const char *id, struct treatment *ret)
{
    TRY(treatment_load(tx, id, ret));
    FAIL_IF(strcmp(ret->state, "held") != 0, ERR_CONFLICT,
            "this treatment is %s: only a held one can be approved or refused",
            ret->state);
    return 0;
}

int insight_treatment_approve(struct store_tx *tx, const char *id, const char *actor)
{
    struct treatment t;
    int64_t at = 0;
    TRY(load_held(tx, id, &t));
    TRY(steady_last(tx, &at));
    TRY(store_exec(tx,
                   "UPDATE insight_treatment SET approved_by = ?, approved_at = ?"
                   " WHERE id = ?",
                   "sis", actor, at, id));
    return person_tells(tx, &t, "approved", actor);
}

int insight_treatment_refuse(struct store_tx *tx, const char *id, const char *actor)
{
    struct treatment t;
    int64_t at = 0;
    TRY(load_held(tx, id, &t));
    TRY(steady_last(tx, &at));
    TRY(store_exec(tx,
                   "UPDATE insight_treatment SET state = 'refused', ended_us = ?,"
                   " ended_at = ? WHERE id = ?",
                   "iis", clock_wall_us(), at, id));
    return person_tells(tx, &t, "refused", actor);
}

int insight_treatment_undo(struct store_tx *tx, const char *id, const char *actor)
{
    struct treatment t;
    TRY(treatment_load(tx, id, &t));
    FAIL_IF(strcmp(t.state, "out") != 0 && strcmp(t.state, "stuck") != 0, ERR_CONFLICT,
            "this treatment is %s: only a server that stays out can be put back",
            t.state);
    TRY(store_exec(tx,
                   "UPDATE insight_treatment SET state = 'acting', step = ?, journal = ?,"
                   " tries = 0, due_at = 0, outcome = 'undone' WHERE id = ?",
                   "iis", (int64_t)STEP_RETURN, (int64_t)JOURNAL_DUE, id));
    return person_tells(tx, &t, "undoing", actor);
}

// --- lists --------------------------------------------------------------------------------------------

static void time_text(const struct store_rows *r, int column, json_t *item,
                      const char *key)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339(store_i64(r, column), text);
    json_object_set_new(item, key,
                        store_is_null(r, column) ? json_null() : json_string(text));
}

static const char *guard_words(const char *name)
{
    for (enum insight_guard g = INSIGHT_GUARD_NONE; name && g < INSIGHT_GUARD_COUNT;
         g++) {
        if (strcmp(insight_guard_name(g), name) == 0) {
            return insight_guard_text(g);
        }
    }
    return NULL;
}

static int to_item(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *item = NULL, *suspicion = NULL, *forensics = NULL;
    int64_t step = CLAMP(store_i64(r, 6), INT64_C(0), (int64_t)STEP_COUNT - 1);
    const char *state = store_text(r, 4);
    TRY(store_json(r, 12, &suspicion));
    TRY(store_json(r, 13, &forensics));
    TRY(json_made(
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:O, s:O}",
                  "id", store_text(r, 0), "cluster", store_text(r, 1), "server",
                  store_text(r, 2), "action", store_text(r, 3), "state", state, "guard",
                  store_text(r, 5), "why", guard_words(store_text(r, 5)), "step",
                  strcmp(state, "acting") == 0
                      ? treatment_step_name((enum treatment_step)step)
                      : NULL,
                  "approved_by", store_text(r, 7), "error", store_text(r, 8), "suspicion",
                  suspicion, "forensics", forensics),
        &item));
    time_text(r, 9, item, "created");
    time_text(r, 10, item, "began");
    time_text(r, 11, item, "ended");
    *ret = TAKE(item);
    return 0;
}

#define LISTED                                                                    \
    "SELECT id, cluster, server, action, state, guard, step, approved_by, error," \
    " created_us, began_us, ended_us, suspicion, forensics FROM insight_treatment "

int insight_treatments(struct store_tx *tx, const struct insight_treatment_query *q,
                       json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    LISTED "WHERE (?1 IS NULL OR cluster = ?1) AND"
                           " (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR id < ?3)"
                           " ORDER BY id DESC LIMIT ?4",
                    "sssi", q->cluster, q->state, q->before, (int64_t)q->limit));
    return store_array(r, to_item, ret);
}

int insight_treatment(struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r, LISTED "WHERE id = ?", "s", id));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such treatment");
    return to_item(r, ret);
}

int insight_treatment_plot(struct store_tx *tx, const char *id, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *plot = NULL;
    TRY(store_query(tx, &r,
                    "SELECT plot FROM insight_treatment LEFT JOIN insight_plot ON"
                    " treatment = id WHERE id = ?",
                    "s", id));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such treatment");
    TRY(store_json(r, 0, &plot));
    return json_made(json_pack("{s:O}", "plot", plot), ret);
}
