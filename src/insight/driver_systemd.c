// SPDX-License-Identifier: GPL-3.0-or-later
//
// A systemd unit, by systemctl's argument vector. Its incarnation is systemd's own InvocationID, which is
// new with every start (systemd.exec(5)).
#include "insight/driver.h"

#include <stdio.h>
#include <string.h>

#define LOOK_US   (10 * INT64_C(1000000))
#define CHANGE_US (60 * INT64_C(1000000))

static int systemctl(const char *verb, const char *unit, int64_t timeout_us)
{
    const char *const argv[] = {"systemctl", verb, "--", unit, NULL};
    return driver_run(argv, NULL, timeout_us, NULL);
}

int systemd_look(const struct insight_target *t, char ret[INSIGHT_INCARNATION_BYTES])
{
    const char *const argv[] = {"systemctl",
                                "show",
                                "--property=ActiveState",
                                "--property=InvocationID",
                                "--",
                                t->server->unit,
                                NULL};
    AUTO(buf_free) struct buf out = {0};
    TRY(driver_run(argv, NULL, LOOK_US, &out));
    struct str rest = buf_view(&out), line, id = {0};
    bool active = false;
    while (str_next(&rest, '\n', &line)) {
        active = active || str_eq_c(line, "ActiveState=active");
        if (str_starts(line, "InvocationID=")) {
            id = (struct str){line.data + 13, line.len - 13};
        }
    }
    FAIL_IF(!active || !id.len, ERR_NOT_FOUND, "unit %s does not run", t->server->unit);
    return str_copy(ret, INSIGHT_INCARNATION_BYTES, id);
}

int systemd_terminate(const struct insight_target *t, const char *incarnation)
{
    char now[INSIGHT_INCARNATION_BYTES];
    TRY(systemd_look(t, now));
    FAIL_IF(strcmp(now, incarnation) != 0, ERR_CONFLICT, "unit %s was started anew",
            t->server->unit);
    return systemctl("stop", t->server->unit, CHANGE_US);
}

int systemd_start(const struct insight_target *t)
{
    return systemctl("start", t->server->unit, CHANGE_US);
}
