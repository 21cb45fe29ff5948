// SPDX-License-Identifier: GPL-3.0-or-later
//
// An agent asks, runs, answers. The service names a runbook and says what it is about; which program that is
// stands in this machine's own file, so that who has the service has no shell here.
//
//     take ─▶ order ─▶ run (a thread tells every few seconds that it goes on) ─▶ kept on the disk ─▶ give
//
// Where the service says that the attempt is another's, or says nothing for nearly a lease, the program is
// ended: whoever takes it next finds nobody. What came of an attempt is on the disk before it is told, and is
// told again when the same attempt is asked for again.
#include "app/agent.h"
#include "insight/insight.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define S_US           INT64_C(1000000)
#define WAIT_S         20
#define KEEP_US        (5 * S_US)
#define SAFE_US        ((INSIGHT_LEASE_S - 8) * S_US) // of the lease: then nobody else has begun
#define GIVE_TRIES     5
#define ANSWER_MAX     (1u << 20)
#define CONF_MAX       (1u << 20)
#define MOST_S         600
#define PAUSE_MS_LEAST 500
#define PAUSE_MS_MOST  30000

struct agent {
    struct agent_config *config;
    char *bearer; // "Authorization: Bearer …"
    int lock_fd, signal_fd;
    bool over;
};

static void agent_clear(struct agent *a)
{
    if (a->bearer) {
        explicit_bzero(a->bearer, strlen(a->bearer));
    }
    cstr_free(&a->bearer);
    agent_config_free(&a->config);
    fd_close(&a->lock_fd);
    fd_close(&a->signal_fd);
}

// --- questions to the service ------------------------------------------------------------------------------

struct reply {
    long status;
    struct buf body;
};

static void reply_clear(struct reply *r)
{
    buf_free(&r->body);
}

static void easy_free(CURL **easy)
{
    curl_easy_cleanup(*easy);
    *easy = NULL;
}

static void slist_free(struct curl_slist **list)
{
    curl_slist_free_all(*list);
    *list = NULL;
}

static size_t keep_body(char *bytes, size_t size, size_t count, void *user)
{
    struct buf *body = user;
    size_t n = size * count;
    if (body->len + n > ANSWER_MAX) {
        return 0;
    }
    buf_add(body, bytes, n);
    return body->err ? 0 : n;
}

// 0 and the status, or <0: nobody answered.
static int post(const struct agent *a, const char *what, const json_t *body,
                struct reply *ret)
{
    AUTO(easy_free) CURL *easy = curl_easy_init();
    AUTO(slist_free) struct curl_slist *headers = NULL;
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *url = NULL;
    char told[CURL_ERROR_SIZE] = "";
    FAIL_IF(!easy, ERR_NOMEM, "a question");
    json_write_canonical(&text, body);
    TRY(text.err);
    TRY(cstr_printf(&url, "%s/api/v1/agent/%s", a->config->service, what));
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, a->bearer);
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)text.len);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "marquee-agent/" MARQUEE_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &ret->body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT,
                     strcmp(what, "take") == 0 ? WAIT_S + 10L : 15L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, told);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
    FAIL_IF(code != CURLE_OK, ERR_IO, "%s: %s", a->config->service,
            told[0] ? told : curl_easy_strerror(code));
    return 0;
}

// --- one attempt -------------------------------------------------------------------------------------------

struct work {
    const struct agent *agent;
    const json_t *taken; // {"step","fence","order"}
    json_t *order;       // with argv and env, of this machine
    char *kept;          // the path of what came of it
    json_t *given;       // {"value","stdout","stderr"}
    pthread_t keeper;
    atomic_bool stop, over;
    int64_t asked_us; // when the question was sent that was answered well last
};

static void work_clear(struct work *w)
{
    json_free(&w->order);
    json_free(&w->given);
    cstr_free(&w->kept);
}

static int names_step(const struct work *w, json_t **ret)
{
    return json_made(json_pack("{s:O, s:O}", "step", json_object_get(w->taken, "step"),
                               "fence", json_object_get(w->taken, "fence")),
                     ret);
}

// False: it is another's now, or was called off.
static bool keep_once(struct work *w)
{
    AUTO(reply_clear) struct reply reply = {0};
    AUTO(json_free) json_t *body = NULL;
    int64_t now_us = clock_mono_us();
    if (names_step(w, &body) == 0 && post(w->agent, "keep", body, &reply) == 0) {
        if (reply.status >= 400 && reply.status < 500) {
            return false;
        }
        w->asked_us = reply.status < 300 ? now_us : w->asked_us;
    }
    return clock_mono_us() - w->asked_us < SAFE_US;
}

static void *keep(void *user)
{
    struct work *w = user;
    int64_t next_us = clock_mono_us() + KEEP_US;
    while (!atomic_load(&w->over)) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        if (clock_mono_us() < next_us) {
            continue;
        }
        next_us = clock_mono_us() + KEEP_US;
        if (!keep_once(w)) {
            atomic_store(&w->stop, true);
            break;
        }
    }
    return NULL;
}

static bool is_stopped(void *user)
{
    const struct work *w = user;
    struct pollfd signals = {.fd = w->agent->signal_fd, .events = POLLIN};
    return atomic_load(&w->stop) || poll(&signals, 1, 0) > 0;
}

static const struct agent_runbook *allowed(const struct agent *a, const char *name)
{
    for (uint32_t i = 0; i < a->config->runbooks_count; i++) {
        if (strcmp(a->config->runbooks[i].name, name) == 0) {
            return &a->config->runbooks[i];
        }
    }
    return NULL;
}

static int words(char *const *list, uint32_t count, json_t *order, const char *key)
{
    AUTO(json_free) json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        FAIL_IF(json_array_append_new(array, json_string(list[i])) != 0, ERR_NOMEM,
                "an order");
    }
    return json_object_set(order, key, array) == 0 ? 0 : err_fail(ERR_NOMEM, "an order");
}

// The service's word, within what this machine allows.
static int complete(struct work *w, const struct agent_runbook *r)
{
    int64_t most_ms = (r->most_s ? r->most_s : MOST_S) * 1000;
    int64_t asked_ms = json_i64_or(w->order, "timeout_ms", most_ms);
    int64_t out = json_i64_or(w->order, "stdout_bytes", 1 << 20);
    int64_t err = json_i64_or(w->order, "stderr_bytes", 64 << 10);
    TRY(words(r->run, r->run_count, w->order, "argv"));
    TRY(words(r->env, r->env_count, w->order, "env"));
    bool set = json_object_set_new(w->order, "timeout_ms",
                                   json_integer(CLAMP(asked_ms, 1, most_ms))) == 0 &&
               json_object_set_new(w->order, "stdout_bytes",
                                   json_integer(CLAMP(out, 1, 1 << 20))) == 0 &&
               json_object_set_new(w->order, "stderr_bytes",
                                   json_integer(CLAMP(err, 1, 64 << 10))) == 0;
    return set ? 0 : err_fail(ERR_NOMEM, "an order");
}

static int coded(const struct buf *bytes, json_t **ret)
{
    AUTO(buf_free) struct buf text = {0};
    base64url_encode(&text, bytes->data, bytes->len);
    TRY(text.err);
    return json_made(json_string(text.len ? text.data : ""), ret);
}

static int keep_result(struct work *w, const struct insight_attempt *a)
{
    AUTO(json_free) json_t *out = NULL, *err = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(coded(&a->out, &out));
    TRY(coded(&a->err, &err));
    TRY(json_made(
        json_pack("{s:O, s:O, s:O}", "value", a->value, "stdout", out, "stderr", err),
        &w->given));
    json_write_canonical(&text, w->given);
    TRY(text.err);
    return fs_write_file(w->kept, text.data, text.len);
}

static int run(struct work *w)
{
    AUTO(insight_attempt_clear) struct insight_attempt a = {0};
    w->asked_us = clock_mono_us();
    FAIL_IF(pthread_create(&w->keeper, NULL, keep, w) != 0, ERR_NOMEM, "a thread");
    int err = insight_attempt_run(
        &(struct insight_attempt_config){.order = w->order,
                                         .folder = w->agent->config->folder,
                                         .stop = is_stopped,
                                         .user = w},
        &a);
    atomic_store(&w->over, true);
    pthread_join(w->keeper, NULL);
    TRY(err);
    return keep_result(w, &a);
}

static int give(struct work *w)
{
    AUTO(json_free) json_t *body = NULL;
    TRY(names_step(w, &body));
    FAIL_IF(json_object_update(body, w->given) != 0, ERR_NOMEM, "an answer");
    for (int i = 0; i < GIVE_TRIES; i++) {
        AUTO(reply_clear) struct reply reply = {0};
        int err = post(w->agent, "give", body, &reply);
        if (err == 0 && reply.status < 500) {
            FAIL_IF(reply.status >= 300, ERR_FENCED, "an answer came too late (%ld)",
                    reply.status);
            return 0;
        }
        struct pollfd signals = {.fd = w->agent->signal_fd, .events = POLLIN};
        if (poll(&signals, 1, 1000) > 0) {
            break;
        }
    }
    FAIL(ERR_IO, "the service does not take an answer; it is kept");
}

static int refuse(struct work *w, const char *name)
{
    AUTO(cstr_free) char *why = NULL;
    TRY(cstr_printf(&why, "this server's own file allows no runbook %.63s", name));
    return json_made(
        json_pack("{s:{s:s, s:s}}", "value", "outcome", "unknown", "reason", why),
        &w->given);
}

static int do_work(const struct agent *a, const json_t *taken)
{
    AUTO(work_clear) struct work w = {.agent = a, .taken = taken};
    json_t *order = NULL;
    const char *name = NULL, *id = NULL;
    int64_t attempt = 0;
    TRY(json_get_object(taken, "order", &order));
    TRY(json_get_str(order, "runbook", &name));
    TRY(json_get_str(order, "run", &id));
    TRY(json_get_i64(order, "attempt", 1, 1000000, &attempt));
    FAIL_IF(!uuid_is_valid(str_of(id)), ERR_INVALID, "a run without an id");
    TRY(cstr_printf(&w.kept, "%s/%s-%lld.ended", a->config->folder, id,
                    (long long)attempt));
    const struct agent_runbook *r = allowed(a, name);
    if (fs_exists(w.kept)) {
        TRY(json_parse_file(&w.given, w.kept, 4u << 20));
    } else if (!r) {
        TRY(refuse(&w, name));
    } else {
        TRY(json_made(json_copy(order), &w.order));
        TRY(complete(&w, r));
        TRY(run(&w));
    }
    return give(&w);
}

// --- the life of an agent ------------------------------------------------------------------------------------

static int take_signals(struct agent *a)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    FAIL_IF(pthread_sigmask(SIG_BLOCK, &set, NULL) != 0, ERR_INTERNAL, "signals");
    a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return a->signal_fd < 0 ? err_fail_errno("signals") : 0;
}

static int read_token(struct agent *a)
{
    AUTO(buf_free) struct buf text = {0};
    struct stat st;
    const char *path = a->config->token_file;
    if (stat(path, &st) < 0) {
        return err_fail_errno("the token in %s", path);
    }
    FAIL_IF(st.st_mode & 077, ERR_DENIED, "%s is for its owner alone: chmod 600", path);
    TRY(fs_read_file(path, 4096, &text));
    struct str token = str_trim(buf_view(&text));
    FAIL_IF(!str_starts(token, INSIGHT_AGENT_TOKEN_MARK) || !str_is_line(token),
            ERR_INVALID, "%s holds no token: marquee agent add SERVER prints one", path);
    int err = cstr_printf(&a->bearer, "Authorization: Bearer " STR_FMT, STR_ARG(token));
    explicit_bzero(text.data, text.len);
    return err;
}

// One agent a folder: two would not know of each other's attempts.
static int hold_folder(struct agent *a)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(fs_make_dirs(a->config->folder));
    TRY(cstr_printf(&path, "%s/agent.lock", a->config->folder));
    a->lock_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (a->lock_fd < 0) {
        return err_fail_errno("%s", path);
    }
    FAIL_IF(flock(a->lock_fd, LOCK_EX | LOCK_NB) != 0, ERR_BUSY,
            "an agent works in %s already", a->config->folder);
    return insight_attempts_tidy(a->config->folder);
}

static int read_config(const char *conf_dir, struct agent *a)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(cstr_printf(&path, "%s/agent.yaml", conf_dir));
    TRY(fs_read_file(path, CONF_MAX, &text));
    int err = agent_config_parse(buf_view(&text), path, &a->config, &diag);
    if (diag.items.len > 1) {
        diag_print(&diag, stderr);
    }
    return err;
}

// 1: it worked, or asked in vain for long enough. 0: nobody answered.
static int turn(const struct agent *a)
{
    AUTO(reply_clear) struct reply reply = {0};
    AUTO(json_free) json_t *body = NULL, *taken = NULL;
    int64_t began_us = clock_mono_us();
    TRY(json_made(json_pack("{s:i}", "wait_s", WAIT_S), &body));
    TRY(post(a, "take", body, &reply));
    FAIL_IF(reply.status == 401 || reply.status == 403, ERR_DENIED,
            "the service does not know this token");
    if (reply.status == 204) {
        return clock_mono_us() - began_us > S_US ? 1 : 0;
    }
    FAIL_IF(reply.status != 200, ERR_IO, "the service answered %ld", reply.status);
    TRY(json_parse(&taken, buf_view(&reply.body), ANSWER_MAX));
    TRY(do_work(a, taken));
    return 1;
}

// Pauses that grow while nobody answers, drawn so that a fleet does not come back at one moment.
static void pause_after(struct agent *a, int got, int *pause_ms, bool *failing)
{
    uint32_t drawn = 0;
    if (got < 0 && !*failing) {
        log_warn("agent", "%s", err_reason());
    }
    *failing = got < 0;
    *pause_ms = got > 0 ? 0
                        : CLAMP(got < 0 ? *pause_ms * 2 : PAUSE_MS_LEAST * 2,
                                PAUSE_MS_LEAST, PAUSE_MS_MOST);
    (void)random_bytes(&drawn, sizeof drawn);
    int ms = *pause_ms ? (int)(drawn % (uint32_t)*pause_ms) + 50 : 0;
    struct pollfd signals = {.fd = a->signal_fd, .events = POLLIN};
    a->over = poll(&signals, 1, ms) > 0;
}

int app_agent(const char *conf_dir)
{
    AUTO(agent_clear) struct agent a = {.lock_fd = -1, .signal_fd = -1};
    int pause_ms = 0;
    bool failing = false;
    TRY(take_signals(&a));
    TRY(read_config(conf_dir, &a));
    TRY(read_token(&a));
    TRY(hold_folder(&a));
    FAIL_IF(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK, ERR_NOMEM, "curl");
    printf("Marquee's agent asks %s\n", a.config->service);
    fflush(stdout);
    while (!a.over) {
        pause_after(&a, turn(&a), &pause_ms, &failing);
    }
    return 0;
}
