// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two threads: one takes the steps of treatments, which may wait for a driver; the other looks, and must
// not wait for those.
#include "app/watcher.h"
#include "bus/bus.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STEP_S         1
#define LOOK_S         10
#define FILE_MAX_BYTES (1u << 20)

struct watcher {
    struct watcher_config config;
    struct insight_fleet *fleet;
    struct insight_act *act;
    struct insight_alert_rules *rules;
    struct insight_callgraph *calls;
    struct bus_rules *bus_rules;
    struct insight_runbooks *runbooks;
    struct bus_rule_action *actions; // of rules: bus' own, and runbooks
    struct insight_peers_file peers;
    int64_t *peers_due_ms; // by cluster of `peers`
    pthread_t threads[2];
    int started;
    pthread_mutex_t lock; // guards stopping
    pthread_cond_t wake;
    bool stopping;
};

// False when it is time to end.
static bool rest(struct watcher *w, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    int err = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->stopping && err == 0) {
        err = pthread_cond_timedwait(&w->wake, &w->lock, &until);
    }
    bool stopping = w->stopping;
    pthread_mutex_unlock(&w->lock);
    return !stopping;
}

// A full disk, for one, is said once, however long it lasts.
static void say(const char *what, int err, bool *failing)
{
    if (err < 0 && !*failing) {
        log_warn("app", "%s: %s", what, err_reason());
    }
    *failing = err < 0;
}

static void *take_steps(void *user)
{
    struct watcher *w = user;
    bool failing = false;
    int did = 0;
    while (rest(w, did > 0 ? 0 : STEP_S)) {
        did = insight_act_advance(w->act);
        say("treating servers", did, &failing);
    }
    return NULL;
}

static int look_at_cluster(struct watcher *w, const struct insight_peers_config *peers,
                           int64_t now_ms)
{
    AUTO(insight_recording_free) struct insight_recording *recording = NULL;
    AUTO(insight_suspects_free) struct insight_suspects *suspects = NULL;
    int64_t end_ms = now_ms / peers->step_ms * peers->step_ms - peers->step_ms;
    int err = insight_peers_read(w->config.series, peers, end_ms, &recording);
    if (err == ERR_NOT_FOUND) {
        return 0; // nobody reports: nothing is known, and nothing is done
    }
    TRY(err);
    TRY(insight_peers_suspect(peers, recording, &suspects));
    return insight_act_consider(w->act, &suspects->suspicion);
}

static int look_at_clusters(struct watcher *w)
{
    int64_t now_ms = clock_wall_us() / 1000;
    int worst = 0;
    for (size_t i = 0; w->act && i < w->peers.clusters.len; i++) {
        const struct insight_peers_config *peers = w->peers.clusters.data[i];
        if (now_ms < w->peers_due_ms[i] &&
            w->peers_due_ms[i] - now_ms <= peers->step_ms) {
            continue;
        }
        w->peers_due_ms[i] = now_ms + peers->step_ms;
        int err = look_at_cluster(w, peers, now_ms);
        worst = err < 0 ? err : worst;
    }
    return worst;
}

static int look_at_alerts(struct watcher *w)
{
    const struct insight_alerts_config config = {.store = w->config.store,
                                                 .rules = w->rules,
                                                 .read = insight_alerts_read,
                                                 .user = w->config.series,
                                                 .base_url = w->config.base_url};
    return w->rules ? insight_alerts_evaluate(&config, clock_wall_us()) : 0;
}

static int look_beside_alerts(struct watcher *w)
{
    return w->rules ? insight_alerts_relate(w->config.store, w->config.series, w->rules,
                                            w->calls, clock_wall_us())
                    : 0;
}

static int follow_rules(struct watcher *w)
{
    int looked = w->bus_rules ? 1 : 0;
    while (looked > 0) {
        looked = bus_rules_run(w->config.store, w->bus_rules, 100);
    }
    return looked;
}

static void *take_looks(void *user)
{
    struct watcher *w = user;
    bool alerts_fail = false, peers_fail = false, beside_fail = false;
    bool rules_fail = false, runs_fail = false;
    int until_look = 0;
    do {
        if (until_look-- == 0) {
            say("looking at alert rules", look_at_alerts(w), &alerts_fail);
            say("looking at clusters", look_at_clusters(w), &peers_fail);
            say("looking beside alerts", look_beside_alerts(w), &beside_fail);
            until_look = LOOK_S / STEP_S - 1;
        }
        say("following rules", follow_rules(w), &rules_fail);
        say("looking after runbooks", insight_runs_tend(w->config.store), &runs_fail);
    } while (rest(w, STEP_S));
    return NULL;
}

// --- files --------------------------------------------------------------------------------------------

// 1 when there is one.
static int read_conf(const struct watcher *w, const char *name, struct buf *out,
                     char **ret_path)
{
    TRY(cstr_printf(ret_path, "%s/%s", w->config.conf_dir, name));
    if (!fs_exists(*ret_path)) {
        return 0;
    }
    TRY(fs_read_file(*ret_path, FILE_MAX_BYTES, out));
    return 1;
}

static int load_fleet(struct watcher *w, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    int found = read_conf(w, "clusters.yaml", &text, &path);
    if (found <= 0) {
        return found;
    }
    TRY(insight_fleet_parse(buf_view(&text), path, &w->fleet, diag));
    return insight_act_new(&w->act, &(struct insight_act_config){.store = w->config.store,
                                                                 .fleet = w->fleet});
}

static int load_alerts(struct watcher *w, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    int found = w->config.series ? read_conf(w, "alerts.yaml", &text, &path) : 0;
    if (found <= 0) {
        return found;
    }
    return insight_alert_rules_parse(buf_view(&text), path, &w->rules, diag);
}

static int load_calls(struct watcher *w, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    int found = w->config.series ? read_conf(w, "calls.yaml", &text, &path) : 0;
    if (found <= 0) {
        return found;
    }
    return insight_callgraph_parse(buf_view(&text), path, &w->calls, diag);
}

static int load_peers(struct watcher *w, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    int found = w->config.series ? read_conf(w, "peers.yaml", &text, &path) : 0;
    if (found <= 0) {
        return found;
    }
    TRY(insight_peers_parse(buf_view(&text), path, &w->peers, diag));
    w->peers_due_ms = calloc(w->peers.clusters.len + 1, sizeof *w->peers_due_ms);
    FAIL_IF(!w->peers_due_ms, ERR_NOMEM, "a watcher");
    return 0;
}

static int load_runbooks(struct watcher *w, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    int found = read_conf(w, "runbooks.yaml", &text, &path);
    if (found <= 0) {
        return found;
    }
    return insight_runbooks_parse(buf_view(&text), path, &w->runbooks, diag);
}

static int rule_actions(struct watcher *w)
{
    w->actions = calloc(bus_rule_action_count + 1, sizeof *w->actions);
    FAIL_IF(!w->actions, ERR_NOMEM, "a watcher");
    for (size_t i = 0; i < bus_rule_action_count; i++) {
        w->actions[i] = bus_rule_actions[i];
    }
    w->actions[bus_rule_action_count] = insight_runbook_action;
    return 0;
}

static int load_rules(struct watcher *w, struct diag *diag)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    TRY(rule_actions(w));
    const struct bus_rules_config config = {.actions = w->actions,
                                            .action_count = bus_rule_action_count + 1,
                                            .user = w->runbooks};
    int found = read_conf(w, "rules.yaml", &text, &path);
    TRY(found);
    if (found) {
        TRY(bus_rules_parse(buf_view(&text), path, &config, &w->bus_rules, diag));
    } else if (w->runbooks) {
        TRY(bus_rules_new(&w->bus_rules, &config));
    }
    return w->runbooks ? insight_runbooks_follow(w->runbooks, w->bus_rules) : 0;
}

static int load(struct watcher *w)
{
    AUTO(diag_free) struct diag diag = {0};
    int err = load_runbooks(w, &diag);
    err = err < 0 ? err : load_fleet(w, &diag);
    err = err < 0 ? err : load_alerts(w, &diag);
    err = err < 0 ? err : load_calls(w, &diag);
    err = err < 0 ? err : load_rules(w, &diag);
    // From this moment on events are looked at, not from when a thread gets to it.
    err =
        err < 0 || !w->bus_rules ? err : bus_rules_run(w->config.store, w->bus_rules, 0);
    err = err < 0 ? err : load_peers(w, &diag);
    if (diag.items.len > 1) {
        diag_print(&diag, stderr);
    }
    return err;
}

int watcher_start(struct watcher **ret, const struct watcher_config *config)
{
    struct watcher *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    FAIL_IF(!w, ERR_NOMEM, "a watcher");
    w->config = *config;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int err = load(w);
    if (err >= 0) {
        void *(*const jobs[])(void *) = {take_looks, take_steps};
        int wanted = w->act ? 2 : 1;
        while (err >= 0 && w->started < wanted) {
            err = pthread_create(&w->threads[w->started], NULL, jobs[w->started], w) == 0
                      ? 0
                      : err_fail(ERR_NOMEM, "a thread for the watcher");
            w->started += err == 0;
        }
    }
    if (err < 0) {
        watcher_stop(&w);
        return err;
    }
    *ret = w;
    return 0;
}

void watcher_stop(struct watcher **watcher)
{
    struct watcher *w = TAKE(*watcher);
    if (!w) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->started; i++) {
        pthread_join(w->threads[i], NULL);
    }
    insight_act_free(&w->act);
    insight_fleet_free(&w->fleet);
    insight_alert_rules_free(&w->rules);
    insight_callgraph_free(&w->calls);
    bus_rules_free(&w->bus_rules);
    insight_runbooks_free(&w->runbooks);
    free(w->actions);
    insight_peers_file_free(&w->peers);
    free(w->peers_due_ms);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

const struct insight_runbooks *watcher_runbooks(struct watcher *w)
{
    return w ? w->runbooks : NULL;
}

struct insight_act *watcher_act(struct watcher *w)
{
    return w ? w->act : NULL;
}
