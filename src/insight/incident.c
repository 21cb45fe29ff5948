// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/incident.h"

#include "insight/insight.h"
#include "insight/internal.h"

#include <string.h>

#define BEFORE_US INT64_C(3600000000)
enum { MOST = 20 };

static bool is_named(const json_t *tags, const char *server)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), server) == 0) {
            return true;
        }
    }
    return false;
}

static int put(json_t *item, bool same, json_t *firsts, json_t *others)
{
    FAIL_IF(json_object_set_new(item, "same", json_boolean(same)) < 0 ||
                json_array_append(same ? firsts : others, item) < 0,
            ERR_NOMEM, "an incident");
    return 0;
}

int insight_incident_alerts(struct store_tx *tx, const char *treatment, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *of = NULL, *first = json_array(), *others = json_array();
    TRY(insight_treatment(tx, treatment, &of));
    TRY(store_query(tx, &r,
                    "SELECT a.id FROM insight_alert a, insight_treatment t"
                    " WHERE t.id = ?1 AND a.fired_us > 0"
                    " AND a.since_us <= coalesce(t.ended_us, a.since_us)"
                    " AND coalesce(a.resolved_us, t.created_us) >= t.created_us - ?2"
                    " ORDER BY a.id DESC LIMIT ?3",
                    "sii", treatment, BEFORE_US, (int64_t)MOST));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        AUTO(json_free) json_t *alert = NULL;
        TRY(insight_alert(tx, store_text(r, 0), &alert));
        bool same =
            is_named(json_object_get(alert, "tags"), json_str_or(of, "server", ""));
        TRY(put(alert, same, first, others));
    }
    FAIL_IF(json_array_extend(first, others) < 0, ERR_NOMEM, "an incident");
    return json_made(json_pack("{s:O}", "alerts", first), ret);
}

int insight_incident_treatments(struct store_tx *tx, const char *alert, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *of = NULL, *first = json_array(), *others = json_array();
    TRY(insight_alert(tx, alert, &of));
    TRY(store_query(tx, &r,
                    "SELECT t.id FROM insight_alert a, insight_treatment t"
                    " WHERE a.id = ?1 AND a.fired_us > 0"
                    " AND a.since_us <= coalesce(t.ended_us, a.since_us)"
                    " AND coalesce(a.resolved_us, t.created_us) >= t.created_us - ?2"
                    " ORDER BY t.id DESC LIMIT ?3",
                    "sii", alert, BEFORE_US, (int64_t)MOST));
    for (int more = store_next(r); more != 0; more = store_next(r)) {
        TRY(more);
        AUTO(json_free) json_t *treatment = NULL;
        TRY(insight_treatment(tx, store_text(r, 0), &treatment));
        bool same =
            is_named(json_object_get(of, "tags"), json_str_or(treatment, "server", ""));
        TRY(put(treatment, same, first, others));
    }
    FAIL_IF(json_array_extend(first, others) < 0, ERR_NOMEM, "an incident");
    return json_made(json_pack("{s:O}", "actions", first), ret);
}
