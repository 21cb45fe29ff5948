// SPDX-License-Identifier: GPL-3.0-or-later
//
// Fetches what targets expose, every so often, as Prometheus does: one thread, all fetches at once through
// libcurl's multi interface. Each value gets the tags job and instance; beside them stand `up` (1 or 0) and
// `scrape_duration_seconds`.
#include "telemetry/intake.h"

#include <curl/curl.h>
#include <stdlib.h>

#define INTERVAL_MS  15000
#define TIMEOUT_MS   10000
#define TARGETS_MAX  1000
#define SECONDS_MAX  3600
#define ANSWER_BYTES (16u << 20)

// As libcyaml fills it in.
struct target_yaml {
    char *url, *job, *instance;
    int64_t interval_s, timeout_s;
};
struct scrape_yaml {
    struct target_yaml *targets;
    uint32_t targets_count;
    int64_t interval_s, timeout_s;
};

static const cyaml_schema_field_t target_fields[] = {
    CYAML_FIELD_STRING_PTR("url", CYAML_FLAG_POINTER, struct target_yaml, url, 1, 1000),
    CYAML_FIELD_STRING_PTR("job", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct target_yaml, job, 1, 120),
    CYAML_FIELD_STRING_PTR("instance", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct target_yaml, instance, 1, 120),
    CYAML_FIELD_INT("interval_s", CYAML_FLAG_OPTIONAL, struct target_yaml, interval_s),
    CYAML_FIELD_INT("timeout_s", CYAML_FLAG_OPTIONAL, struct target_yaml, timeout_s),
    CYAML_FIELD_END};
static const cyaml_schema_value_t target_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct target_yaml, target_fields)};
static const cyaml_schema_field_t scrape_fields[] = {
    CYAML_FIELD_INT("interval_s", CYAML_FLAG_OPTIONAL, struct scrape_yaml, interval_s),
    CYAML_FIELD_INT("timeout_s", CYAML_FLAG_OPTIONAL, struct scrape_yaml, timeout_s),
    CYAML_FIELD_SEQUENCE("targets", CYAML_FLAG_POINTER, struct scrape_yaml, targets,
                         &target_schema, 0, TARGETS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t scrape_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct scrape_yaml, scrape_fields)};

struct target {
    const char *url; // the arena's, as the tags are
    struct telemetry_tag tags[2];
    int64_t interval_ms, timeout_ms;

    CURL *fetch; // while it is under way
    int64_t due_us, began_us;
    struct buf answer;
};

struct telemetry_scraper {
    struct telemetry_intake *intake;
    struct arena *arena;
    struct target *targets;
    size_t target_count;
    CURLM *multi;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
};

// --- what is written ------------------------------------------------------------------------

static int seconds_of(int64_t own, int64_t all, int64_t usual_ms, int64_t *ret_ms)
{
    int64_t s = own ? own : all;
    FAIL_IF(s < 0 || s > SECONDS_MAX, ERR_INVALID, "1 to %d seconds", SECONDS_MAX);
    *ret_ms = s ? s * 1000 : usual_ms;
    return 0;
}

// "127.0.0.1:9100" of "http://127.0.0.1:9100/metrics". A name and a password in front of it are nobody's tag.
static struct str host_of(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', len);
    size_t skip = at ? (size_t)(at + 1 - host) : 0;
    return (struct str){host + skip, len - skip};
}

static int read_target(struct telemetry_scraper *s, const struct scrape_yaml *all,
                       const struct target_yaml *y, struct target *t)
{
    FAIL_IF(!str_starts(str_of(y->url), "http://") &&
                !str_starts(str_of(y->url), "https://"),
            ERR_INVALID, "a target's url begins with http:// or https://");
    TRY(seconds_of(y->interval_s, all->interval_s, INTERVAL_MS, &t->interval_ms));
    TRY(seconds_of(y->timeout_s, all->timeout_s, MIN(TIMEOUT_MS, t->interval_ms),
                   &t->timeout_ms));
    struct str instance = y->instance ? str_of(y->instance) : host_of(y->url);
    t->url = arena_dup(s->arena, str_of(y->url));
    const char *own_instance = arena_dup(s->arena, instance);
    const char *job = arena_dup(s->arena, str_of(y->job ? y->job : "scrape"));
    FAIL_IF(!t->url || !own_instance || !job, ERR_NOMEM, "a target");
    t->tags[0] = (struct telemetry_tag){STR("instance"), str_of(own_instance)};
    t->tags[1] = (struct telemetry_tag){STR("job"), str_of(job)};
    return 0;
}

static int read_targets(struct telemetry_scraper *s, const struct scrape_yaml *y,
                        struct str text, const char *file, struct diag *diag)
{
    s->targets = arena_alloc(s->arena, y->targets_count + 1, sizeof *s->targets);
    FAIL_IF(!s->targets, ERR_NOMEM, "targets");
    for (uint32_t i = 0; i < y->targets_count; i++) {
        int err = read_target(s, y, &y->targets[i], &s->targets[i]);
        if (err < 0) {
            const char *path = arena_printf(s->arena, "targets/%u", i);
            diag_add(diag, file, path ? yaml_line_of(text, path) : 0, "%s", err_reason());
            return diag_fail(diag, err);
        }
    }
    s->target_count = y->targets_count;
    return 0;
}

// --- fetching -------------------------------------------------------------------------------

static size_t collect(char *bytes, size_t size, size_t count, void *user)
{
    struct target *t = user;
    if (t->answer.len + size * count > ANSWER_BYTES) {
        return 0; // ends the fetch
    }
    buf_add(&t->answer, bytes, size * count);
    return t->answer.err ? 0 : size * count;
}

static void begin(struct telemetry_scraper *s, struct target *t)
{
    CURL *c = curl_easy_init();
    if (!c) {
        return;
    }
    buf_clear(&t->answer);
    t->began_us = clock_mono_us();
    curl_easy_setopt(c, CURLOPT_URL, t->url);
    curl_easy_setopt(c, CURLOPT_PRIVATE, (char *)t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ""); // whatever libcurl unpacks
    if (curl_multi_add_handle(s->multi, c) == CURLM_OK) {
        t->fetch = c;
    } else {
        curl_easy_cleanup(c);
    }
}

static void end(struct telemetry_scraper *s, struct target *t, bool fetched)
{
    struct telemetry_taken taken;
    AUTO(buf_free) struct buf about = {0};
    const struct telemetry_tags tags = {t->tags, ARRAY_LEN(t->tags)};
    int64_t now_ms = intake_now_ms(s->intake);
    int err = fetched ? telemetry_take_exposition(s->intake, buf_view(&t->answer), &tags,
                                                  now_ms, &taken)
                      : 0;
    buf_printf(&about, "up %d\nscrape_duration_seconds %.6f\n", fetched && err == 0,
               (double)(clock_mono_us() - t->began_us) / 1e6);
    err = telemetry_take_exposition(s->intake, buf_view(&about), &tags, now_ms, &taken);
    if (err < 0) {
        log_debug("telemetry", STR_FMT ": %s", STR_ARG(t->tags[0].value), err_reason());
    }
    curl_multi_remove_handle(s->multi, t->fetch);
    curl_easy_cleanup(t->fetch);
    t->fetch = NULL;
    buf_free(&t->answer); // a thousand targets may each have said much
}

// Not of where it points to: what a redirect says is no exposition.
static bool is_fetched(const CURLMsg *m)
{
    long status = 0;
    curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    return m->data.result == CURLE_OK && status == 200;
}

static void end_those_that_are_done(struct telemetry_scraper *s)
{
    int left = 0;
    for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left));) {
        struct target *t = NULL;
        if (m->msg == CURLMSG_DONE) {
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
            end(s, t, is_fetched(m));
        }
    }
}

// Begins what is due. How long until the next is, in ms.
static int begin_those_that_are_due(struct telemetry_scraper *s)
{
    int64_t now_us = clock_mono_us(), next_us = now_us + INT64_C(60000000);
    for (size_t i = 0; i < s->target_count; i++) {
        struct target *t = &s->targets[i];
        if (t->due_us <= now_us) {
            t->due_us += (1 + (now_us - t->due_us) / (t->interval_ms * 1000)) *
                         t->interval_ms * 1000;
            if (!t->fetch) { // else the target is slower than its interval
                begin(s, t);
            }
        }
        next_us = MIN(next_us, t->due_us);
    }
    return (int)((next_us - now_us) / 1000 + 1);
}

static void *scraper(void *user)
{
    struct telemetry_scraper *s = user;
    while (!atomic_load(&s->stopping)) {
        int running = 0, wait_ms = begin_those_that_are_due(s);
        curl_multi_perform(s->multi, &running);
        end_those_that_are_done(s);
        curl_multi_poll(s->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

// Spread over the interval, so that not all answers come at once.
static void spread(struct telemetry_scraper *s)
{
    int64_t now_us = clock_mono_us();
    for (size_t i = 0; i < s->target_count; i++) {
        struct target *t = &s->targets[i];
        t->due_us =
            now_us + t->interval_ms * 1000 * (int64_t)i / (int64_t)s->target_count;
    }
}

int telemetry_scraper_start(struct telemetry_scraper **ret, struct telemetry_intake *in,
                            struct str yaml, const char *file, struct diag *diag)
{
    AUTO(telemetry_scraper_stop) struct telemetry_scraper *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a scraper");
    s->intake = in;
    TRY(arena_new(&s->arena));
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &scrape_schema, &loaded, NULL, diag));
    int err = read_targets(s, loaded, yaml, file, diag);
    yaml_data_free(&scrape_schema, loaded, 0);
    TRY(err);
    FAIL_IF(curl_global_init(CURL_GLOBAL_DEFAULT) != 0, ERR_INTERNAL, "libcurl");
    s->multi = curl_multi_init();
    FAIL_IF(!s->multi, ERR_NOMEM, "a scraper");
    spread(s);
    FAIL_IF(pthread_create(&s->thread, NULL, scraper, s) != 0, ERR_NOMEM,
            "a thread for targets");
    s->has_thread = true;
    *ret = TAKE(s);
    return 0;
}

void telemetry_scraper_stop(struct telemetry_scraper **scraper)
{
    struct telemetry_scraper *s = TAKE(*scraper);
    if (!s) {
        return;
    }
    if (s->has_thread) {
        atomic_store(&s->stopping, true);
        curl_multi_wakeup(s->multi);
        pthread_join(s->thread, NULL);
    }
    for (size_t i = 0; i < s->target_count; i++) {
        struct target *t = &s->targets[i];
        if (t->fetch) {
            curl_multi_remove_handle(s->multi, t->fetch);
            curl_easy_cleanup(t->fetch);
        }
        buf_free(&t->answer);
    }
    if (s->multi) {
        curl_multi_cleanup(s->multi);
    }
    arena_free(&s->arena);
    free(s);
}
