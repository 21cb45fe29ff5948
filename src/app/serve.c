// SPDX-License-Identifier: GPL-3.0-or-later
//
// `marquee serve`: the rooms put together. One process holds a data folder's service; work is done
// by whichever process holds its executor's lock, this one if it can.
//
//     meter ─▶ store ─▶ migrations ─▶ recover ─▶ series ─▶ server ─▶ follower ─▶ notifier ─▶ executor ─▶ collector ─▶ wait
//
// Everything stops in the opposite order.
#include "app/api.h"
#include "app/app.h"
#include "app/collector.h"
#include "app/meters.h"
#include "app/series_service.h"
#include "app/watcher.h"
#include "app/work.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define RETRY_EXECUTOR_MS 1000
#define OWN_URL_BYTES     300

struct service {
    struct store *store;
    struct api api;
    struct http_server *server;
    struct bus_follower *follower;
    struct bus_notifier *notifier;
    struct flow_executor *executor;
    struct collector *collector;
    struct watcher *watcher;
    struct series_service *series;
    pthread_mutex_t own_lock;            // guards the next
    struct telemetry_intake *own_series; // that takes what this process counts of itself
    struct meter *meter;
    struct request_counts *requests;
    char *base_url, *ui_dir, *uploads_dir;
    int lock_fd, signal_fd;
    struct ingest_config ingest;
    struct app_work work;
};

// What this process counts of itself goes into its own series, while there are any.
static void take_own_lines(void *user, struct str lines)
{
    struct service *s = user;
    pthread_mutex_lock(&s->own_lock);
    if (s->own_series) {
        telemetry_intake_lines(s->own_series, lines);
    }
    pthread_mutex_unlock(&s->own_lock);
}

static void link_own_lines(struct service *s, struct telemetry_intake *intake)
{
    pthread_mutex_lock(&s->own_lock);
    s->own_series = intake;
    pthread_mutex_unlock(&s->own_lock);
}

static int start_series(struct service *s, const struct app_serve_config *c)
{
    const struct series_service_config config = {.store = s->store,
                                                 .udp = c->series_udp,
                                                 .step_ms = c->series_step_ms,
                                                 .scrape = c->scrape};
    TRY(series_service_start(&s->series, &config));
    link_own_lines(s, series_service_intake(s->series));
    return 0;
}

static void stop_series(struct service *s)
{
    if (s->series) {
        meter_flush(s->meter);
        link_own_lines(s, NULL);
    }
    series_service_stop(&s->series);
}

static void service_stop(struct service *s)
{
    char *mark = NULL;
    if (s->store && s->server &&
        cstr_printf(&mark, "%s/serve.json", store_dir(s->store)) == 0) {
        unlink(mark);
        cstr_free(&mark);
    }
    api_link(&s->api, (struct api_links){0}); // from here nobody calls another
    collector_stop(&s->collector);
    watcher_stop(&s->watcher);
    bus_notifier_stop(&s->notifier);
    bus_follower_stop(&s->follower);
    http_server_stop(&s->server);
    flow_executor_stop(&s->executor);
    request_counts_free(&s->requests);
    stop_series(s);
    api_close(&s->api);
    store_close(&s->store);
    meter_free(&s->meter); // the last that anybody counted goes out
    fd_close(&s->lock_fd);
    fd_close(&s->signal_fd);
    cstr_free(&s->base_url);
    cstr_free(&s->ui_dir);
    cstr_free(&s->uploads_dir);
}

// Signals are read from a descriptor; threads that come later inherit the mask. Steps are spawned
// with the mask cleared by the executor.
static int take_signals(struct service *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    FAIL_IF(pthread_sigmask(SIG_BLOCK, &set, NULL) != 0, ERR_INTERNAL, "signals");
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return s->signal_fd < 0 ? err_fail_errno("signals") : 0;
}

static int hold_folder(struct service *s)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/serve.lock", store_dir(s->store)));
    s->lock_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        return err_fail_errno("the lock of the data folder");
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    AUTO(cstr_free) char *mark_path = NULL;
    AUTO(json_free) json_t *mark = NULL;
    TRY(cstr_printf(&mark_path, "%s/serve.json", store_dir(s->store)));
    bool marked = fs_exists(mark_path) && json_parse_file(&mark, mark_path, 4096) == 0;
    FAIL(ERR_BUSY, "a service runs on %s already%s%s", store_dir(s->store),
         marked ? ", at " : "", marked ? json_str_or(mark, "url", "") : "");
}

// Installed beside the program, or in the tree that it was built in.
static int find_pages(const char *given, char **ret)
{
    static const char *const places[] = {"../share/marquee/ui", "ui/dist",
                                         "../ui/dist",          "../../ui/dist",
                                         "../../../ui/dist",    "../../../../ui/dist"};
    if (given) {
        return cstr_dup(ret, given);
    }
    AUTO(cstr_free) char *program = NULL;
    TRY(proc_self_path(&program));
    char *slash = strrchr(program, '/');
    ASSERT(slash);
    *slash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        AUTO(cstr_free) char *dir = NULL, *page = NULL;
        TRY(cstr_printf(&dir, "%s/%s", program, places[i]));
        TRY(cstr_printf(&page, "%s/index.html", dir));
        if (fs_exists(page)) {
            *ret = TAKE(dir);
            return 0;
        }
    }
    *ret = NULL; // the API works without pages
    return 0;
}

static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = MIN(files.rlim_max, (rlim_t)65536);
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void link_all(struct service *s)
{
    api_link(&s->api, (struct api_links){.server = s->server,
                                         .follower = s->follower,
                                         .executor = s->executor,
                                         .act = watcher_act(s->watcher),
                                         .runbooks = watcher_runbooks(s->watcher)});
}

static void count_request(void *user, const struct http_done *done)
{
    struct service *s = user;
    request_counts_add(s->requests, done);
}

// What happens in the rooms: one count for each type of event.
static void on_event(void *user, int64_t seq, const json_t *event)
{
    struct service *s = user;
    const char *type = seq ? json_str_or(event, "type", NULL) : NULL;
    if (type) {
        const struct meter_tag tags[] = {{"type", type}, {0}};
        meter_counter_add(meter_counter_of(s->meter, "marquee.events", tags), 1);
    }
    api_publish_event(&s->api, seq, event);
}

// Where it listens, which need not be how others reach it.
static void own_url(const struct service *s, const struct app_serve_config *c,
                    char ret[OWN_URL_BYTES])
{
    const char *bind = c->bind ? c->bind : "127.0.0.1";
    snprintf(ret, OWN_URL_BYTES, strchr(bind, ':') ? "http://[%s]:%u" : "http://%s:%u",
             bind, http_server_port(s->server));
}

static int start_server(struct service *s, const struct app_serve_config *c)
{
    TRY(request_counts_new(&s->requests, s->meter, api_route_count));
    TRY(find_pages(c->ui_dir, &s->ui_dir));
    const struct api_config api = {.store = s->store,
                                   .ui_dir = s->ui_dir,
                                   .meter = s->meter,
                                   .series = series_service_store(s->series),
                                   .intake = series_service_intake(s->series)};
    TRY(api_open(&s->api, &api));
    TRY(cstr_printf(&s->uploads_dir, "%s/uploads", store_dir(s->store)));
    TRY(uploads_sweep(&s->api));
    const struct http_config http = {.bind = c->bind,
                                     .port = c->port,
                                     .routes = api_routes,
                                     .route_count = api_route_count,
                                     .user = &s->api,
                                     .authenticate = api_authenticate,
                                     .free_identity = free,
                                     .on_done = count_request,
                                     .done_user = s,
                                     .body_dir = s->uploads_dir,
                                     .workers = 16};
    TRY(http_server_start(&s->server, &http));
    char own[OWN_URL_BYTES];
    own_url(s, c, own);
    return cstr_dup(&s->base_url, c->base_url ? c->base_url : own);
}

static int start_executor(struct service *s, const struct app_serve_config *c)
{
    AUTO(buf_free) struct buf toolchain = {0};
    TRY(media_toolchain(&toolchain));
    const struct flow_executor_config config = {.store = s->store,
                                                .types = s->work.types,
                                                .type_count = s->work.type_count,
                                                .workflows = s->work.workflows,
                                                .workflow_count = s->work.workflow_count,
                                                .slots = c->slots,
                                                .nice = 5, // viewers are served first
                                                .on_progress = api_publish_progress,
                                                .user = &s->api,
                                                .toolchain = toolchain.data,
                                                .meter = s->meter};
    struct flow_executor *executor = NULL;
    int err = flow_executor_start(&executor, &config);
    if (err == ERR_BUSY) {
        return 0; // another process executes: its work is shown, and taken over when it ends
    }
    TRY(err);
    s->executor = executor;
    link_all(s);
    return 0;
}

static int start_followers(struct service *s, const struct app_serve_config *c)
{
    const struct bus_follower_config follower = {
        .store = s->store, .after = -1, .on_event = on_event, .user = s};
    const struct bus_notifier_config notifier = {.store = s->store,
                                                 .smtp_url = c->smtp_url,
                                                 .smtp_user = c->smtp_user,
                                                 .smtp_password = c->smtp_password,
                                                 .mail_from = c->mail_from,
                                                 .meter = s->meter};
    TRY(bus_follower_start(&s->follower, &follower));
    link_all(s);
    return bus_notifier_start(&s->notifier, &notifier);
}

static int start_watcher(struct service *s, const struct app_serve_config *c)
{
    AUTO(cstr_free) char *usual = NULL;
    TRY(cstr_printf(&usual, "%s/conf", store_dir(s->store)));
    const struct watcher_config config = {.store = s->store,
                                          .series = series_service_store(s->series),
                                          .conf_dir = c->conf_dir ? c->conf_dir : usual,
                                          .base_url = s->base_url};
    TRY(watcher_start(&s->watcher, &config));
    link_all(s);
    return 0;
}

// For `marquee ingest` and `./run`: where this service answers.
static int write_mark(struct service *s)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(json_free) json_t *mark = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(cstr_printf(&path, "%s/serve.json", store_dir(s->store)));
    TRY(json_made(json_pack("{s:i, s:s, s:i}", "port", (int)http_server_port(s->server),
                            "url", s->base_url, "pid", (int)getpid()),
                  &mark));
    json_write_pretty(&text, mark);
    TRY(text.err);
    return fs_write_file(path, text.data, text.len);
}

static int start(struct service *s, const struct app_serve_config *c)
{
    raise_file_limit();
    TRY(take_signals(s));
    TRY(app_meter_new(&s->meter, &(struct app_meter_config){.process = "serve",
                                                            .address = c->meter,
                                                            .sink = take_own_lines,
                                                            .user = s}));
    TRY(app_store_open(c->data_dir, &s->store));
    store_measure(s->store, s->meter);
    TRY(hold_folder(s));
    TRY(ingest_recover(s->store));
    TRY(start_series(s, c));
    TRY(start_server(s, c));
    TRY(start_followers(s, c));
    s->ingest = (struct ingest_config){.store = s->store, .base_url = s->base_url};
    app_work_fill(&s->work, &s->ingest);
    TRY(start_executor(s, c));
    TRY(collector_start(&s->collector, s->store));
    TRY(start_watcher(s, c));
    return write_mark(s);
}

// A command executes: its progress reaches the pages through the rows that it writes.
static int show_progress(struct service *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s->store, STORE_READ, &tx));
    return flow_progress_look(tx, api_publish_progress, &s->api);
}

// Takes over once a command that was executing has ended; until then shows what it does.
static int work_beside(struct service *s, const struct app_serve_config *c)
{
    TRY(ingest_recover(s->store)); // what that command left when it was killed
    TRY(start_executor(s, c));
    return s->executor ? 0 : show_progress(s);
}

static int wait_for_end(struct service *s, const struct app_serve_config *c)
{
    struct pollfd signals = {.fd = s->signal_fd, .events = POLLIN};
    bool failing = false;
    for (;;) {
        int ready = poll(&signals, 1, s->executor ? -1 : RETRY_EXECUTOR_MS);
        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return err_fail_errno("waiting");
        }
        // A full disk, for one, is no reason to stop serving: it is tried again, and said once.
        int err = s->executor ? 0 : work_beside(s, c);
        if (err < 0 && !failing) {
            log_warn("app", "beside another executor: %s", err_reason());
        }
        failing = err < 0;
    }
}

int app_serve(const struct app_serve_config *config)
{
    AUTO(service_stop)
    struct service s = {
        .lock_fd = -1, .signal_fd = -1, .own_lock = PTHREAD_MUTEX_INITIALIZER};
    TRY(start(&s, config));
    if (!s.ui_dir) {
        log_warn("app",
                 "no pages: ui/dist is not built (npm run build --prefix ui), --ui "
                 "DIR says where they lie; the API works without");
    }
    char own[OWN_URL_BYTES];
    own_url(&s, config, own);
    bool elsewhere = strcmp(own, s.base_url) != 0;
    printf("Marquee listens on %s%s%s%s\n", own, elsewhere ? " (reached as " : "",
           elsewhere ? s.base_url : "", elsewhere ? ")" : "");
    fflush(stdout);
    return wait_for_end(&s, config);
}
