// SPDX-License-Identifier: Apache-2.0
//
// The client: a registry of meters (registry.c) whose cells (cells.c) a thread folds into lines (line.c)
// and sends (send.c) every few seconds.
//
// Threads. Updates touch cells of their own thread, or one shared word for what is set. `lock` guards the
// registry, the lists of cells and the lines of callers without a handle; it is held while lines are
// written, never while they are sent. `flush_lock`, taken first, lets one flush happen at a time.
#include "meter/internal.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_US   5000000
#define METERS_MAX 10000

// --- flushing -----------------------------------------------------------------------------------------

static void call_hooks(struct meter *m)
{
    pthread_mutex_lock(&m->lock);
    size_t count = m->hook_count; // they are only ever added
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < count; i++) {
        m->hooks[i].call(m->hooks[i].user);
    }
}

static void write_all(struct meter *m, struct buf *out)
{
    pthread_mutex_lock(&m->lock);
    buf_str(out, buf_view(&m->pending));
    buf_clear(&m->pending);
    for (size_t i = 0; i < REGISTRY_BUCKETS; i++) {
        for (struct item *item = m->registry[i]; item; item = item->next) {
            item_write_locked(item, out);
        }
    }
    pthread_mutex_unlock(&m->lock);
}

static uint64_t line_count(struct str lines)
{
    uint64_t n = 0;
    for (const char *p = lines.data, *end = lines.data + lines.len;
         lines.len && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        n++;
    }
    return n;
}

void meter_flush(struct meter *m)
{
    if (!m || !m->listens) {
        return;
    }
    pthread_mutex_lock(&m->flush_lock);
    locale_t before = uselocale(m->locale);
    call_hooks(m);
    buf_clear(&m->lines);
    write_all(m, &m->lines);
    uselocale(before);
    if (m->lines.err == 0) {
        struct str lines = buf_view(&m->lines);
        atomic_fetch_add_explicit(&m->stat_lines, line_count(lines),
                                  memory_order_relaxed);
        send_lines(m, lines);
    } else {
        METER_REFUSED(m);
        buf_free(&m->lines);
        m->lines = (struct buf){0};
    }
    pthread_mutex_unlock(&m->flush_lock);
}

static bool rest(struct meter *m)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t us = (int64_t)until.tv_nsec / 1000 + m->config.flush_us;
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec = (long)(us % 1000000) * 1000;
    pthread_mutex_lock(&m->stop_lock);
    while (!m->stopping &&
           pthread_cond_timedwait(&m->stop, &m->stop_lock, &until) != ETIMEDOUT) {
    }
    bool goes_on = !m->stopping;
    pthread_mutex_unlock(&m->stop_lock);
    return goes_on;
}

static void *flush_often(void *user)
{
    struct meter *m = user;
    while (rest(m)) {
        meter_flush(m);
    }
    return NULL;
}

// Signals are for the program's own threads.
static int start_thread(struct meter *m)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&m->thread, NULL, flush_often, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    FAIL_IF(err, ERR_NOMEM, "a thread for meters");
    m->has_thread = true;
    return 0;
}

// --- the client -----------------------------------------------------------------------------------------

static int copy_common(struct meter *m, const struct meter_tag *tags)
{
    size_t count = 0;
    while (tags && tags[count].key) {
        count++;
    }
    FAIL_IF(count > TAGS_MAX, ERR_INVALID, "over %u common tags", TAGS_MAX);
    m->common_tags = calloc(count + 1, sizeof *m->common_tags);
    FAIL_IF(!m->common_tags, ERR_NOMEM, "tags");
    for (size_t i = 0; i < count; i++) {
        char *key = NULL, *value = NULL;
        TRY(cstr_dup(&key, tags[i].key));
        m->common_tags[i].key = key;
        TRY(cstr_dup(&value, tags[i].value ? tags[i].value : ""));
        m->common_tags[i].value = value;
    }
    return 0;
}

static void free_common(struct meter *m)
{
    for (struct meter_tag *t = m->common_tags; t && t->key; t++) {
        free((void *)(uintptr_t)t->key);
        free((void *)(uintptr_t)t->value);
    }
    free(m->common_tags);
}

static void init_locks(struct meter *m)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->stop, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->flush_lock, NULL);
    pthread_mutex_init(&m->stop_lock, NULL);
}

int meter_new(struct meter **ret, const struct meter_config *config)
{
    static _Atomic uint64_t last_client; // so that no number is given twice
    struct meter *made = calloc(1, sizeof *made);
    FAIL_IF(!made, ERR_NOMEM, "a meter");
    init_locks(made);
    made->fd = -1;
    AUTO(meter_free) struct meter *m = made;
    m->client = atomic_fetch_add(&last_client, 1) + 1;
    m->config = *config;
    m->config.flush_us = config->flush_us ? config->flush_us : FLUSH_US;
    m->config.max_meters = config->max_meters ? config->max_meters : METERS_MAX;
    m->packet_bytes = UNIX_BYTES_MAX;
    m->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    FAIL_IF(!m->locale, ERR_NOMEM, "a locale");
    TRY(copy_common(m, config->common));
    if (config->address) {
        TRY(send_open(m, config->address));
    }
    m->listens = config->address || config->sink;
    if (m->listens && m->config.flush_us > 0) {
        TRY(start_thread(m));
    }
    *ret = TAKE(m);
    return 0;
}

void meter_free(struct meter **meter)
{
    struct meter *m = TAKE(*meter);
    if (!m) {
        return;
    }
    if (m->has_thread) {
        pthread_mutex_lock(&m->stop_lock);
        m->stopping = true;
        pthread_cond_signal(&m->stop);
        pthread_mutex_unlock(&m->stop_lock);
        pthread_join(m->thread, NULL);
    }
    meter_flush(m);
    cells_forget_client(m);
    items_free(m);
    process_watch_free(&m->process);
    free_common(m);
    buf_free(&m->pending);
    buf_free(&m->lines);
    fd_close(&m->fd);
    if (m->locale) {
        freelocale(m->locale);
    }
    pthread_cond_destroy(&m->stop);
    pthread_mutex_destroy(&m->stop_lock);
    pthread_mutex_destroy(&m->flush_lock);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void meter_on_flush(struct meter *m, void (*call)(void *user), void *user)
{
    if (!m || !m->listens) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    if (m->hook_count < HOOKS_MAX) {
        m->hooks[m->hook_count].call = call;
        m->hooks[m->hook_count].user = user;
        m->hook_count++;
    }
    pthread_mutex_unlock(&m->lock);
}

struct meter_stats meter_stats(struct meter *m)
{
    return (struct meter_stats){.lines = atomic_load(&m->stat_lines),
                                .datagrams = atomic_load(&m->stat_datagrams),
                                .lost = atomic_load(&m->stat_lost),
                                .refused = atomic_load(&m->stat_refused)};
}

// --- without a handle -------------------------------------------------------------------------------------

static void put(struct meter *m, struct str line)
{
    pthread_mutex_lock(&m->lock);
    bool fits = m->pending.len + line.len <= PENDING_BYTES_MAX && m->pending.err == 0;
    if (fits) {
        buf_str(&m->pending, line);
    }
    pthread_mutex_unlock(&m->lock);
    if (!fits) {
        METER_REFUSED(m);
    }
}

static bool begin(struct meter *m, enum meter_type type, const char *name,
                  const struct meter_tag *tags, struct buf *out)
{
    if (!m || !m->listens) {
        return false;
    }
    line_begin(out, type);
    if (meter_id_write(m, name, tags, out) < 0) {
        METER_REFUSED(m);
        return false;
    }
    buf_char(out, ':');
    return true;
}

static void end(struct meter *m, struct buf *line)
{
    buf_char(line, '\n');
    if (line->err == 0) {
        put(m, buf_view(line));
    }
}

void meter_count(struct meter *m, const char *name, const struct meter_tag *tags,
                 int64_t more)
{
    AUTO(buf_free) struct buf line = {0};
    if (more > 0 && begin(m, METER_COUNTER, name, tags, &line)) {
        buf_printf(&line, "%lld", (long long)more);
        end(m, &line);
    }
}

void meter_time(struct meter *m, const char *name, const struct meter_tag *tags,
                int64_t us)
{
    AUTO(buf_free) struct buf line = {0};
    if (begin(m, METER_TIMER, name, tags, &line)) {
        line_seconds(&line, (uint64_t)CLAMP(us, INT64_C(0), INT64_MAX / 1000) * 1000);
        end(m, &line);
    }
}

void meter_gauge(struct meter *m, const char *name, const struct meter_tag *tags,
                 double value)
{
    AUTO(buf_free) struct buf line = {0};
    bool is_number = value - value == 0;
    if (m && !is_number) {
        METER_REFUSED(m);
    } else if (begin(m, METER_GAUGE, name, tags, &line)) {
        locale_t before = uselocale(m->locale);
        line_real(&line, value);
        uselocale(before);
        end(m, &line);
    }
}

void meter_record(struct meter *m, const char *name, const struct meter_tag *tags,
                  int64_t amount)
{
    AUTO(buf_free) struct buf line = {0};
    if (begin(m, METER_SUMMARY, name, tags, &line)) {
        buf_printf(&line, "%lld", (long long)MAX(amount, INT64_C(0)));
        end(m, &line);
    }
}

// --- lines of others ----------------------------------------------------------------------------------------

static bool has_key(struct str id, const char *key)
{
    struct str rest = id, part, name;
    (void)str_next(&rest, ',', &part);
    while (str_next(&rest, ',', &part)) {
        if (str_next(&part, '=', &name) && str_eq_c(name, key)) {
            return true;
        }
    }
    return false;
}

// The common tags that it lacks stand in front of its number.
static void forward(struct meter *m, struct str text)
{
    AUTO(buf_free) struct buf line = {0};
    const char *colon = memrchr(text.data, ':', text.len);
    const char *first = memchr(text.data, ':', text.len);
    struct str id = {first + 1, (size_t)(colon - first - 1)};
    buf_add(&line, text.data, (size_t)(colon - text.data));
    for (const struct meter_tag *t = m->common_tags; t->key; t++) {
        if (!has_key(id, t->key)) {
            meter_tag_write(t, &line);
        }
    }
    buf_add(&line, colon, (size_t)(text.data + text.len - colon));
    if (line.len < LINE_BYTES_MAX) {
        end(m, &line);
    } else {
        METER_REFUSED(m);
    }
}

void meter_forward(struct meter *m, struct str lines)
{
    struct str line;
    while (m && m->listens && str_next(&lines, '\n', &line)) {
        if (line.len && line_is_good(line)) {
            forward(m, line);
        } else if (line.len) {
            METER_REFUSED(m);
        }
    }
}
