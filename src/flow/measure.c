// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far jobs are, and how long they will take yet.
//
// A step's cost is the milliseconds that its workflow expects it to take. Of each type the rows keep
// what its latest runs cost and took; what runs now counts as well, as far as it is. A type that was
// never seen is taken to err as all others do together, and all together are taken to err little until
// a few seconds of work have been seen.
#include "flow/internal.h"

#include <string.h>

#define FADING       0.8 // what an older run counts beside the next one
#define TRUSTED_COST 3000.0

int rate_learn(struct store_tx *tx, const char *type, int64_t cost, int64_t wall_us)
{
    return store_exec(tx,
                      "INSERT INTO flow_rate (type, cost, wall_us) VALUES (?1, ?2, ?3)"
                      " ON CONFLICT (type) DO UPDATE SET cost = ?4 * cost + ?2,"
                      " wall_us = ?4 * wall_us + ?3",
                      "sddd", type, (double)MAX(cost, (int64_t)1), (double)wall_us,
                      FADING);
}

// ?1 the job, ?2 what runs, ?3 TRUSTED_COST. Of each type, what is wanted or what is expected
// counts, whichever is more.
#define MEASURE                                                                        \
    "WITH seen AS (SELECT type, cost, wall_us FROM flow_rate UNION ALL SELECT "        \
    "value ->> 'type', value ->> 'cost', value ->> 'wall_us' FROM json_each(?2)), "    \
    "rate AS (SELECT type, sum(wall_us) / sum(cost) AS us FROM seen GROUP BY type), "  \
    "machine AS (SELECT (total(wall_us) + 1000 * ?3) / (total(cost) + ?3) AS us "      \
    "FROM seen), "                                                                     \
    "wanted AS (SELECT type, sum(cost) AS cost, sum(cost * CASE state WHEN 'done' "    \
    "THEN 1.0 ELSE progress_ppm / 1e6 END) AS done, sum(state <> 'done') AS open "     \
    "FROM flow_step WHERE job = ?1 GROUP BY type), "                                   \
    "parts AS (SELECT type, max(cost, coalesce((SELECT e.cost FROM flow_expected e "   \
    "WHERE e.job = ?1 AND e.type = wanted.type), 0)) AS cost, done, open FROM wanted " \
    "UNION ALL SELECT type, cost, 0.0, 1 FROM flow_expected WHERE job = ?1 AND "       \
    "cost > 0 AND type NOT IN (SELECT type FROM wanted)), "                            \
    "rated AS (SELECT cost, done, open, coalesce(rate.us, machine.us) AS us FROM "     \
    "parts JOIN machine LEFT JOIN rate USING (type)) "                                 \
    "SELECT sum(cost * us), sum(done * us), sum((cost - done) * us), sum(open), "      \
    "EXISTS (SELECT 1 FROM flow_expected WHERE job = ?1 AND cost < 0) FROM rated"

int job_measure(struct store_tx *tx, const char *job, unsigned slots,
                const json_t *running)
{
    double total = 0, done = 0, left_us = 0;
    int64_t open = 0, unknown = 0;
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(tx, &r, MEASURE, "sjd", job, running, TRUSTED_COST));
        int found = store_next(r);
        TRY(found);
        total = store_double(r, 0);
        done = store_double(r, 1);
        left_us = store_double(r, 2);
        open = store_i64(r, 3);
        unknown = store_i64(r, 4);
    }
    // While nobody can say what will come, what is done says nothing: it is no share of a whole yet.
    int64_t ppm = total > 0 && !unknown ? (int64_t)(done / total * PPM) : 0;
    left_us /= (double)MAX(MIN(open, (int64_t)slots), INT64_C(1));
    // More steps may be wanted, so that only an end is everything.
    return store_exec(tx,
                      "UPDATE flow_job SET progress_ppm = max(progress_ppm, ?),"
                      " remaining_us = CASE ? WHEN 0 THEN ? END WHERE id = ? AND state ="
                      " '" JOB_RUNNING "'",
                      "iiis", MIN(ppm, INT64_C(999000)), unknown, (int64_t)left_us, job);
}

int flow_progress_look(struct store_tx *tx, flow_progress_f *tell, void *user)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(cstr_free) char *last = NULL;
    TRY(store_query(tx, &r,
                    "SELECT j.id, j.subject, j.progress_ppm, j.remaining_us, s.name,"
                    " s.type, s.progress_ppm FROM flow_step s INDEXED BY"
                    " flow_step_running JOIN flow_job j ON j.id = s.job WHERE s.state ="
                    " '" STEP_RUNNING "' ORDER BY j.id, s.id",
                    ""));
    int more;
    while ((more = store_next(r)) > 0) {
        struct flow_progress p = {
            .job = store_text(r, 0), .subject = store_text(r, 1), .remaining_us = -1};
        bool first = !last || strcmp(last, p.job) != 0;
        if (first) {
            p.done_ppm = store_i64(r, 2);
            p.remaining_us = store_is_null(r, 3) ? -1 : store_i64(r, 3);
            tell(user, &p);
            cstr_free(&last);
            TRY(cstr_dup(&last, p.job));
        }
        p.step = store_text(r, 4);
        p.type = store_text(r, 5);
        p.done_ppm = store_i64(r, 6);
        p.remaining_us = -1;
        tell(user, &p);
    }
    return more;
}
