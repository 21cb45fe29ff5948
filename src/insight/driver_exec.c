// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an owner wrote: a program, without a shell, with the request as JSON on stdin; the same request as
// a signed webhook.
#include "insight/driver.h"

#include <stdio.h>
#include <string.h>

#define ASK_US (50 * INT64_C(1000000))

static int life_ask(const struct insight_target *t, const char *what,
                    const char *incarnation, struct buf *out)
{
    const struct insight_life *life = &t->cluster->life;
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(json_free) json_t *request = NULL;
    const char *const *argv = NULL;
    TRY(arena_new(&arena));
    TRY(driver_argv(t, life->run, life->run_count, arena, &argv));
    TRY(driver_request(t, what, &request));
    FAIL_IF(incarnation && json_object_set_new(request, "incarnation",
                                               json_string(incarnation)) != 0,
            ERR_NOMEM, "a request");
    return driver_run(argv, request, ASK_US, out);
}

// Answers {"incarnation":text}, or {"incarnation":null} where none runs.
int exec_look(const struct insight_target *t, char ret[INSIGHT_INCARNATION_BYTES])
{
    AUTO(buf_free) struct buf out = {0};
    AUTO(json_free) json_t *answer = NULL;
    TRY(life_ask(t, "look", NULL, &out));
    TRY(json_parse(&answer, buf_view(&out), 65536));
    FAIL_IF(!json_object_get(answer, "incarnation"), ERR_INVALID,
            "the life of cluster %s does not answer which incarnation runs",
            t->cluster->name);
    const char *name = json_str_or(answer, "incarnation", NULL);
    FAIL_IF(!name || !*name, ERR_NOT_FOUND, "no %s runs", t->server->name);
    return str_copy(ret, INSIGHT_INCARNATION_BYTES, str_of(name));
}

int exec_terminate(const struct insight_target *t, const char *incarnation)
{
    return life_ask(t, "terminate", incarnation, NULL);
}

int exec_start(const struct insight_target *t)
{
    return life_ask(t, "start", NULL, NULL);
}

// --- discovery -----------------------------------------------------------------------------------------

static int discovery_request(const struct insight_target *t, json_t **ret)
{
    AUTO(json_free) json_t *request = NULL, *out = json_array();
    FAIL_IF(!out, ERR_NOMEM, "a request");
    for (size_t i = 0; i < t->out_count; i++) {
        FAIL_IF(json_array_append_new(out, json_string(t->out[i])) != 0, ERR_NOMEM,
                "a request");
    }
    TRY(driver_request(t, driver_is_out(t) ? "remove" : "restore", &request));
    FAIL_IF(json_object_set(request, "out", out) != 0, ERR_NOMEM, "a request");
    *ret = TAKE(request);
    return 0;
}

int exec_apply(const struct insight_target *t)
{
    const struct insight_discovery *d = &t->cluster->discovery;
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(json_free) json_t *request = NULL;
    const char *const *argv = NULL;
    TRY(arena_new(&arena));
    TRY(driver_argv(t, d->run, d->run_count, arena, &argv));
    TRY(discovery_request(t, &request));
    return driver_run(argv, request, ASK_US, NULL);
}

int webhook_apply(const struct insight_target *t)
{
    AUTO(json_free) json_t *request = NULL;
    AUTO(buf_free) struct buf body = {0};
    AUTO(cstr_free) char *id = NULL;
    TRY(discovery_request(t, &request));
    json_write_canonical(&body, request);
    TRY(body.err);
    TRY(cstr_printf(&id, "%s/%s", t->treatment, driver_is_out(t) ? "remove" : "restore"));
    return bus_webhook_post(&(struct bus_webhook){
        .url = t->cluster->discovery.url,
        .secret_file = t->cluster->discovery.secret_file,
        .id = id,
        .body = buf_view(&body),
    });
}
