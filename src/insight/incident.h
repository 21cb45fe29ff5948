// SPDX-License-Identifier: GPL-3.0-or-later
//
// What belongs together: the alerts that fired while a server was treated, and the other way round; and what was kept of
// an alert's related signals, as pictures.
#ifndef INSIGHT_INCIDENT_H
#define INSIGHT_INCIDENT_H

#include "store/store.h"

// {"alerts":[…]}: those that fired between an hour before the treatment of a server was opened and its end, as
// insight_alert has them, each with "same": one of its tags is the server's name. Those first; at most 20.
int insight_incident_alerts(struct store_tx *, const char *treatment, json_t **ret);
// {"actions":[…]}: treatments that were open while the alert was, or up to an hour after it; as insight_treatment has
// them, with "same".
int insight_incident_treatments(struct store_tx *, const char *alert, json_t **ret);

struct insight_picture {
    size_t place; // of the signal in "related", from 0
    bool is_dark;
};
// The target and a related signal beside it, in the window in which they were compared, as a PNG, out of what
// insight_alert_related gives. ERR_NOT_FOUND: nothing was found, or there is no such place.
int insight_related_picture(const json_t *related, const struct insight_picture *,
                            struct buf *out);

#endif
