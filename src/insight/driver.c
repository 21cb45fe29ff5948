// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which driver is meant, how a command of the owner is run, health checks, and what is collected of a
// server before it ends.
#include "insight/driver.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define S_US             INT64_C(1000000)
#define PROBE_US         (10 * S_US)
#define PROBES_US        (60 * S_US) // all of them: within a step's lease
#define PROBE_MAX_BYTES  65536
#define OUTPUT_MAX_BYTES 65536
#define CHECK_SECONDS    5L

static const char *word_of(const struct insight_target *t, struct str word)
{
    const struct {
        const char *name, *value;
    } words[] = {{"server", t->server->name},   {"address", t->server->address},
                 {"node", t->server->node},     {"unit", t->server->unit},
                 {"cluster", t->cluster->name}, {"treatment", t->treatment}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_c(word, words[i].name)) {
            return words[i].value ? words[i].value : "";
        }
    }
    return NULL;
}

// A brace that holds no known word stands for itself.
static int fill(const struct insight_target *t, const char *text, struct buf *out)
{
    for (const char *p = text; *p;) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        const char *value =
            end ? word_of(t, (struct str){p + 1, (size_t)(end - p - 1)}) : NULL;
        if (value) {
            buf_cstr(out, value);
            p = end + 1;
        } else {
            buf_char(out, *p++);
        }
    }
    return out->err;
}

int driver_argv(const struct insight_target *t, char *const *list, size_t count,
                struct arena *arena, const char *const **ret)
{
    const char **argv = arena_alloc(arena, count + 1, sizeof *argv);
    FAIL_IF(!argv, ERR_NOMEM, "a command");
    for (size_t i = 0; i < count; i++) {
        AUTO(buf_free) struct buf text = {0};
        buf_reserve(&text, 1);
        TRY(fill(t, list[i], &text));
        argv[i] = arena_dup(arena, buf_view(&text));
        FAIL_IF(!argv[i], ERR_NOMEM, "a command");
    }
    *ret = argv;
    return 0;
}

int driver_run(const char *const *argv, const json_t *in, int64_t timeout_us,
               struct buf *out)
{
    AUTO(buf_free) struct buf text = {0}, said = {0};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    if (in) {
        json_write_canonical(&text, in);
        TRY(text.err);
    }
    TRY(proc_ask(&(struct proc_question){.argv = argv,
                                         .in = buf_view(&text),
                                         .timeout_us = timeout_us,
                                         .max_bytes = OUTPUT_MAX_BYTES},
                 &a));
    FAIL_IF(a.timed_out, ERR_TIMEOUT, "%s took longer than %lld s", argv[0],
            (long long)(timeout_us / S_US));
    if (a.exit.code != 0) {
        struct str last = str_trim(buf_view(a.err.len ? &a.err : &a.out));
        buf_line(&said, (struct str){last.data, MIN(last.len, (size_t)300)});
        FAIL(ERR_CRASHED, "%s ended with %d: %s", argv[0],
             a.exit.signal ? 128 + a.exit.signal : a.exit.code,
             said.len ? said.data : "");
    }
    if (out) {
        buf_str(out, buf_view(&a.out));
        return out->err;
    }
    return 0;
}

int driver_request(const struct insight_target *t, const char *what, json_t **ret)
{
    return json_made(json_pack("{s:s, s:s, s:s, s:s?, s:s}", "do", what, "cluster",
                               t->cluster->name, "server", t->server->name, "address",
                               t->server->address, "treatment", t->treatment),
                     ret);
}

bool driver_is_out(const struct insight_target *t)
{
    for (size_t i = 0; i < t->out_count; i++) {
        if (strcmp(t->out[i], t->server->name) == 0) {
            return true;
        }
    }
    return false;
}

// --- health --------------------------------------------------------------------------------------------

static void easy_free(CURL **easy)
{
    curl_easy_cleanup(*easy);
    *easy = NULL;
}

static size_t drop(char *bytes, size_t size, size_t count, void *user)
{
    (void)bytes, (void)user;
    return size * count;
}

static int check_url(const struct insight_target *t)
{
    AUTO(buf_free) struct buf url = {0};
    AUTO(easy_free) CURL *easy = curl_easy_init();
    FAIL_IF(!easy, ERR_NOMEM, "a health check");
    TRY(fill(t, t->cluster->health.url, &url));
    curl_easy_setopt(easy, CURLOPT_URL, url.data);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, CHECK_SECONDS);
    CURLcode code = curl_easy_perform(easy);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    FAIL_IF(code != CURLE_OK, ERR_IO, "health: %s", curl_easy_strerror(code));
    FAIL_IF(status != 200, ERR_IO, "health: it answered %ld", status);
    return 0;
}

static int check(const struct insight_target *t)
{
    const struct insight_health *h = &t->cluster->health;
    AUTO(arena_free) struct arena *arena = NULL;
    const char *const *argv = NULL;
    if (h->url) {
        return check_url(t);
    }
    TRY(arena_new(&arena));
    TRY(driver_argv(t, h->run, h->run_count, arena, &argv));
    return driver_run(argv, NULL, CHECK_SECONDS * S_US, NULL);
}

// --- forensics -----------------------------------------------------------------------------------------

// {"name","code","out","err","cut","timed_out"}, or {"name","error"}: one that fails hides no other.
static int probe(const struct insight_target *t, const struct insight_probe *p,
                 int64_t left_us, json_t **ret)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(proc_answer_free) struct proc_answer a = {0};
    AUTO(buf_free) struct buf out = {0}, err_text = {0};
    const char *const *argv = NULL;
    TRY(arena_new(&arena));
    TRY(driver_argv(t, p->run, p->run_count, arena, &argv));
    if (left_us <= 0) {
        return json_made(json_pack("{s:s, s:s}", "name", p->name, "error",
                                   "there was no time left for it"),
                         ret);
    }
    int err = proc_ask(&(struct proc_question){.argv = argv,
                                               .timeout_us = MIN(left_us, PROBE_US),
                                               .max_bytes = PROBE_MAX_BYTES},
                       &a);
    if (err < 0) {
        return json_made(json_pack("{s:s, s:s}", "name", p->name, "error", err_reason()),
                         ret);
    }
    struct str rest = buf_view(&a.out), line;
    while (rest.len && str_next(&rest, '\n', &line)) {
        buf_line(&out, line);
        buf_char(&out, '\n');
    }
    buf_line(&err_text, buf_view(&a.err));
    TRY(out.err);
    TRY(err_text.err);
    return json_made(json_pack("{s:s, s:i, s:s, s:s, s:b, s:b}", "name", p->name, "code",
                               a.exit.code, "out", out.len ? out.data : "", "err",
                               err_text.len ? err_text.data : "", "cut", a.cut,
                               "timed_out", a.timed_out),
                     ret);
}

static int examine(const struct insight_target *t, json_t **ret)
{
    AUTO(json_free) json_t *all = json_array();
    int64_t until_us = clock_mono_us() + PROBES_US;
    FAIL_IF(!all, ERR_NOMEM, "forensics");
    for (size_t i = 0; i < t->cluster->forensics_count; i++) {
        json_t *one = NULL;
        TRY(probe(t, &t->cluster->forensics[i], until_us - clock_mono_us(), &one));
        FAIL_IF(json_array_append_new(all, one) != 0, ERR_NOMEM, "forensics");
    }
    *ret = TAKE(all);
    return 0;
}

// --- the choice ----------------------------------------------------------------------------------------

static int apply(const struct insight_target *t)
{
    static int (*const kinds[])(const struct insight_target *) = {
        [INSIGHT_DISCOVERY_NGINX] = nginx_apply,
        [INSIGHT_DISCOVERY_EXEC] = exec_apply,
        [INSIGHT_DISCOVERY_WEBHOOK] = webhook_apply,
        [INSIGHT_DISCOVERY_SLURM] = slurm_apply,
    };
    FAIL_IF(t->cluster->discovery.driver == INSIGHT_DISCOVERY_NONE, ERR_UNSUPPORTED,
            "cluster %s has no discovery", t->cluster->name);
    return kinds[t->cluster->discovery.driver](t);
}

static int busy(const struct insight_target *t)
{
    return insight_cluster_has_work(t->cluster) ? slurm_busy(t) : 0;
}

static int clear(const struct insight_target *t)
{
    return insight_cluster_has_work(t->cluster) ? slurm_clear(t) : 0;
}

static const struct {
    int (*look)(const struct insight_target *, char ret[INSIGHT_INCARNATION_BYTES]);
    int (*terminate)(const struct insight_target *, const char *incarnation);
    int (*start)(const struct insight_target *);
} lives[] = {
    [INSIGHT_LIFE_PROCESS] = {process_look, process_terminate, process_start},
    [INSIGHT_LIFE_SYSTEMD] = {systemd_look, systemd_terminate, systemd_start},
    [INSIGHT_LIFE_EXEC] = {exec_look, exec_terminate, exec_start},
};

static int look(const struct insight_target *t, char ret[INSIGHT_INCARNATION_BYTES])
{
    return lives[t->cluster->life.driver].look(t, ret);
}

static int terminate(const struct insight_target *t, const char *incarnation)
{
    return lives[t->cluster->life.driver].terminate(t, incarnation);
}

static int start(const struct insight_target *t)
{
    return lives[t->cluster->life.driver].start(t);
}

const struct insight_drivers insight_drivers_real = {.apply = apply,
                                                     .busy = busy,
                                                     .clear = clear,
                                                     .look = look,
                                                     .terminate = terminate,
                                                     .start = start,
                                                     .check = check,
                                                     .examine = examine};
