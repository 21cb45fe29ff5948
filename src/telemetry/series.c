// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/forget.h"
#include "telemetry/roster.h"
#include "telemetry/tend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define USER_TAGS_MAX  20
#define KEY_MIN        2
#define KEY_MAX        60
#define VALUE_MAX      120
#define TELL_AGAIN_MS  3600000
#define TOLD_MAX       1000
#define APPEND_AT_ONCE 64

// How much of the past waits in memory for its blocks, and how many more blocks there are than merging leaves:
// each is an open file.
#define PAST_BYTES_MAX   ((size_t)1536 << 20)
#define PAST_WINDOWS_MAX 2000
#define PAST_BLOCKS_MAX  3000

const struct telemetry_tier telemetry_tiers_usual[] = {
    {.step_ms = 60000, .keep_ms = INT64_C(15) * 86400000},
    {.step_ms = 600000, .keep_ms = INT64_C(90) * 86400000},
    {.step_ms = 3600000, .keep_ms = INT64_C(800) * 86400000},
};
const size_t telemetry_tier_usual_count = ARRAY_LEN(telemetry_tiers_usual);

int64_t series_now(struct telemetry *t)
{
    return t->config.now_ms ? t->config.now_ms(t->config.user) : clock_wall_us() / 1000;
}

void series_corrupt(void *telemetry, const char *path, const char *why)
{
    struct telemetry *t = telemetry;
    if (t->config.on_corrupt) {
        t->config.on_corrupt(t->config.user, path, why);
    }
}

int64_t telemetry_step_ms(const struct telemetry *t)
{
    return t->step_ms;
}

// --- opening --------------------------------------------------------------------------------------

static int take_config(struct telemetry *t, const struct telemetry_config *c)
{
    t->config = *c;
    const struct telemetry_tier *tiers = c->tiers ? c->tiers : telemetry_tiers_usual;
    size_t count = c->tiers ? c->tier_count : telemetry_tier_usual_count;
    FAIL_IF(count == 0 || count > SERIES_TIERS_MAX, ERR_INVALID, "%zu tiers of series",
            count);
    for (size_t i = 0; i < count; i++) {
        FAIL_IF(tiers[i].step_ms <= 0 || tiers[i].keep_ms < tiers[i].step_ms, ERR_INVALID,
                "tier %zu: a step and a time to keep it", i + 1);
        FAIL_IF(i > 0 && (tiers[i].step_ms <= tiers[i - 1].step_ms ||
                          tiers[i].step_ms % tiers[i - 1].step_ms != 0),
                ERR_INVALID, "tier %zu: its step is no multiple of the one before",
                i + 1);
        t->tiers[i] = tiers[i];
    }
    t->config.tiers = t->tiers;
    t->config.tier_count = count;
    t->config.max_series = c->max_series ? c->max_series : 2000000;
    t->config.max_series_per_name =
        c->max_series_per_name ? c->max_series_per_name : 100000;
    FAIL_IF(c->precision_bits > 53 || (c->precision_bits > 0 && c->precision_bits < 16),
            ERR_INVALID, "%u bits of a value", c->precision_bits);
    t->config.precision_bits = c->precision_bits ? c->precision_bits : 53;
    t->step_ms = t->tiers[0].step_ms;
    TRY(cstr_dup(&t->dir, c->dir));
    t->config.dir = t->dir;
    return 0;
}

static int hold_folder(struct telemetry *t)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(fs_make_dirs(t->dir));
    TRY(cstr_printf(&path, "%s/lock", t->dir));
    t->lock_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (t->lock_fd < 0) {
        return err_fail_errno("opening %s", path);
    }
    FAIL_IF(flock(t->lock_fd, LOCK_EX | LOCK_NB) < 0, ERR_BUSY,
            "another process holds the series in %s", t->dir);
    return 0;
}

int telemetry_open(struct telemetry **ret, const struct telemetry_config *c)
{
    AUTO(telemetry_close) struct telemetry *t = calloc(1, sizeof *t);
    FAIL_IF(!t, ERR_NOMEM, "a store of series");
    t->lock_fd = -1;
    pthread_mutex_init(&t->told_lock, NULL);
    pthread_mutex_init(&t->work, NULL);
    pthread_mutex_init(&t->keeper_lock, NULL);
    pthread_mutex_init(&t->head.lock, NULL);
    TRY(take_config(t, c));
    TRY(hold_folder(t));
    TRY(index_new(&t->index));
    TRY(head_init(&t->head, t->step_ms));
    TRY(tend_windows(t));
    TRY(roster_read(t));
    TRY(tend_open(t));
    TRY(series_log_open(t));
    TRY(forget_at_opening(t));
    TRY(keeper_start(t));
    *ret = TAKE(t);
    return 0;
}

void telemetry_close(struct telemetry **tp)
{
    struct telemetry *t = TAKE(*tp);
    if (!t) {
        return;
    }
    keeper_stop(t);
    journal_close(&t->journal);
    vec_for_each (b, &t->blocks) {
        block_unref(b);
    }
    vec_free(&t->blocks);
    head_free(&t->head);
    index_free(&t->index);
    vec_for_each (told, &t->told) {
        cstr_free(&told->name);
    }
    vec_free(&t->told);
    free(t->silent);
    pthread_mutex_destroy(&t->told_lock);
    pthread_mutex_destroy(&t->work);
    pthread_mutex_destroy(&t->keeper_lock);
    fd_close(&t->lock_fd);
    cstr_free(&t->dir);
    free(t);
}

// --- series ---------------------------------------------------------------------------------------

static size_t characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += ((uint8_t)s.data[i] & 0xc0) != 0x80;
    }
    return n;
}

static int check_tags(const struct telemetry_tags *tags)
{
    size_t named = 0, own = 0;
    for (size_t i = 0; i < tags->count; i++) {
        struct str key = tags->list[i].key, value = tags->list[i].value;
        size_t k = characters(key), v = characters(value);
        FAIL_IF(k < KEY_MIN || k > KEY_MAX || key.len > 4 * KEY_MAX, ERR_LIMIT,
                "a key of %zu characters", k);
        FAIL_IF(v < 1 || v > VALUE_MAX || value.len > SERIES_TEXT_MAX, ERR_LIMIT,
                "a value of %zu characters", v);
        if (i > 0) {
            struct str before = tags->list[i - 1].key;
            int order = memcmp(before.data, key.data, MIN(before.len, key.len));
            FAIL_IF(order > 0 || (order == 0 && before.len >= key.len), ERR_INVALID,
                    "tags that are not sorted");
        }
        bool is_name = str_eq_c(key, "name");
        named += is_name;
        own += !is_name && !str_eq_c(key, "atlas.dstype");
    }
    FAIL_IF(own > USER_TAGS_MAX, ERR_LIMIT, "%zu tags", tags->count);
    FAIL_IF(named == 0, ERR_INVALID, "tags without a name");
    return 0;
}

// Whether to say it now: once an hour and name.
static bool tell_now(struct telemetry *t, struct str name)
{
    int64_t now = series_now(t);
    pthread_mutex_lock(&t->told_lock);
    t->over_limit++;
    bool tell = t->told.len < TOLD_MAX;
    vec_for_each (told, &t->told) {
        if (str_eq(name, str_of(told->name))) {
            tell = now - told->at_ms >= TELL_AGAIN_MS;
            told->at_ms = tell ? now : told->at_ms;
            name.len = 0;
        }
    }
    AUTO(cstr_free) char *copy = NULL;
    if (tell && name.len > 0 && cstr_printf(&copy, STR_FMT, STR_ARG(name)) == 0 &&
        vec_push(&t->told, (struct series_told){.name = copy, .at_ms = now}) == 0) {
        copy = NULL;
    }
    pthread_mutex_unlock(&t->told_lock);
    return tell;
}

static struct str name_of(const struct telemetry_tags *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq_c(tags->list[i].key, "name")) {
            return tags->list[i].value;
        }
    }
    return (struct str){0};
}

static int add_series_locked(struct telemetry *t, const struct telemetry_tags *tags,
                             enum telemetry_dstype dstype, uint32_t *ret)
{
    FAIL_IF(index_series(t->index) >= t->config.max_series ||
                index_numbers(t->index) >= INDEX_NONE - 1,
            ERR_LIMIT, "%zu series", index_series(t->index));
    struct str name = name_of(tags);
    FAIL_IF(index_count_locked(t->index, STR("name"), name) >=
                t->config.max_series_per_name,
            ERR_LIMIT, "%zu series of the name " STR_FMT, t->config.max_series_per_name,
            STR_ARG(name));
    TRY(journal_check(t->journal));
    pthread_mutex_lock(&t->head.lock);
    int err = head_add_series_locked(&t->head, dstype);
    if (err == 0) {
        err = index_add_locked(t->index, tags, dstype, ret);
        t->head.series -= err < 0; // the state waits for the next one
    }
    if (err == 0) {
        // Under both locks: nobody can log a sample of it before.
        series_log_series(t, *ret, dstype, tags);
    }
    pthread_mutex_unlock(&t->head.lock);
    return err;
}

int telemetry_series_of(struct telemetry *t, const struct telemetry_tags *tags,
                        enum telemetry_dstype dstype, uint32_t *ret)
{
    index_lock_read(t->index);
    uint32_t found = index_find_locked(t->index, tags);
    index_unlock(t->index);
    if (found != INDEX_NONE) {
        *ret = found;
        return 0;
    }
    TRY(check_tags(tags));
    FAIL_IF((unsigned)dstype > TELEMETRY_SUM, ERR_INVALID, "a type of values");
    index_lock_write(t->index);
    found = index_find_locked(t->index, tags);
    int err = found == INDEX_NONE ? add_series_locked(t, tags, dstype, &found) : 0;
    index_unlock(t->index);
    if (err == ERR_LIMIT && tell_now(t, name_of(tags)) && t->config.on_limit) {
        t->config.on_limit(t->config.user, name_of(tags));
    }
    TRY(err);
    *ret = found;
    return 0;
}

// --- samples --------------------------------------------------------------------------------------

// Lets the steps that are over be read. True: some are new.
static bool advance_locked(struct telemetry *t, int64_t until_ms)
{
    int64_t slot = until_ms / t->step_ms;
    if (slot <= t->head.visible) {
        return false;
    }
    t->head.visible = slot;
    return true;
}

// Who holds a number of a series that was forgotten gets the series anew.
static int append_anew(struct telemetry *t, const struct telemetry_sample *sample,
                       size_t *ret_refused)
{
    struct telemetry_tag list[INDEX_TAGS_MAX];
    struct telemetry_tags tags = {.list = list};
    struct telemetry_sample anew = *sample;
    index_tags(t->index, sample->series, list, &tags.count);
    int err = telemetry_series_of(t, &tags, index_dstype(t->index, sample->series),
                                  &anew.series);
    *ret_refused = err == ERR_LIMIT;
    return err == ERR_LIMIT ? 0
           : err < 0        ? err
                            : telemetry_append(t, &anew, 1, ret_refused);
}

static size_t blocks_usual(const struct telemetry *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->config.tier_count; i++) {
        count += (size_t)(t->tiers[i].keep_ms / (t->tiers[i].step_ms * t->windows[i]));
    }
    return count;
}

// Who sends a value for each of many windows of the past makes a window, then a block, of each. That waits
// while there are too many: it can be sent again, what is said of now cannot.
static int past_locked(const struct telemetry *t, const struct head_bounds *bounds,
                       const struct telemetry_sample *samples, size_t count)
{
    const struct head *h = &t->head;
    bool is_full = h->bytes > PAST_BYTES_MAX ||
                   h->open.len + h->frozen.len > PAST_WINDOWS_MAX ||
                   t->blocks.len > blocks_usual(t) + PAST_BLOCKS_MAX;
    for (size_t i = 0; is_full && i < count; i++) {
        FAIL_IF(samples[i].at_ms < bounds->recent_ms, ERR_BUSY,
                "so much of the past waits to be written that more has to wait");
    }
    return 0;
}

int telemetry_append(struct telemetry *t, const struct telemetry_sample *samples,
                     size_t count, size_t *ret_refused)
{
    int64_t now = series_now(t), now_us = clock_mono_us();
    struct head_bounds bounds = {
        .oldest_ms = MAX(now - t->tiers[0].keep_ms, INT64_C(1)),
        .recent_ms = now - 2 * t->step_ms,
        .newest_ms = MIN(now + 2 * t->step_ms, SERIES_LATEST_MS),
    };
    size_t refused = 0;
    TRY(journal_check(t->journal));
    for (size_t at = 0; at < count;) {
        size_t n = MIN(count - at, (size_t)APPEND_AT_ONCE);
        uint64_t taken = 0, gone = 0;
        pthread_mutex_lock(&t->head.lock);
        t->head.now_us = now_us;
        bounds.oldest_ms = MAX(bounds.oldest_ms, t->rolled_until_ms[0] + 1);
        int err = past_locked(t, &bounds, samples + at, n);
        for (size_t i = 0; i < n && err >= 0; i++) {
            err = head_take_locked(&t->head, &bounds, &samples[at + i]);
            taken |= (uint64_t)(err == 1) << i;
            gone |= (uint64_t)(err == HEAD_FORGOTTEN) << i;
        }
        size_t kept = (size_t)__builtin_popcountll(taken);
        t->head.samples += kept;
        size_t lost = n - kept - (size_t)__builtin_popcountll(gone);
        t->head.refused += lost;
        if (taken) {
            series_log_samples(t, samples + at, taken);
        }
        pthread_mutex_unlock(&t->head.lock);
        TRY(err);
        for (; gone; gone &= gone - 1) {
            size_t more = 0;
            TRY(append_anew(t, &samples[at + (size_t)__builtin_ctzll(gone)], &more));
            lost += more;
        }
        refused += lost;
        at += n;
    }
    *ret_refused = refused;
    return journal_flush_if_full(t->journal);
}

int telemetry_sync(struct telemetry *t)
{
    return journal_sync(t->journal);
}

int telemetry_settle(struct telemetry *t, int64_t until_ms)
{
    pthread_mutex_lock(&t->head.lock);
    if (advance_locked(t, until_ms)) {
        series_log_visible(t, t->head.visible);
    }
    pthread_mutex_unlock(&t->head.lock);
    return tend(t, INT64_MAX);
}

// --- names and numbers ------------------------------------------------------------------------------

int telemetry_keys(struct telemetry *t, const struct telemetry_match *match,
                   const struct telemetry_page *page, struct arena *arena,
                   struct telemetry_names *ret)
{
    AUTO(index_set_free) struct index_set set = {0};
    TRY(index_match(t->index, match, &set));
    return index_keys(t->index, &set, page, arena, ret);
}

int telemetry_values(struct telemetry *t, const struct telemetry_match *match,
                     const char *key, const struct telemetry_page *page,
                     struct arena *arena, struct telemetry_names *ret)
{
    AUTO(index_set_free) struct index_set set = {0};
    TRY(index_match(t->index, match, &set));
    return index_values(t->index, &set, key, page, arena, ret);
}

uint64_t telemetry_forgotten(struct telemetry *t)
{
    return atomic_load(&t->forgotten);
}

struct telemetry_stats telemetry_stats(struct telemetry *t)
{
    struct telemetry_stats s = {.series = index_series(t->index),
                                .log_bytes = journal_bytes(t->journal)};
    pthread_mutex_lock(&t->head.lock);
    s.samples = t->head.samples;
    s.refused = t->head.refused;
    s.disk_bytes = t->disk_bytes + t->roster_bytes;
    s.memory_bytes = t->head.bytes + index_bytes(t->index);
    pthread_mutex_unlock(&t->head.lock);
    pthread_mutex_lock(&t->told_lock);
    s.over_limit = t->over_limit;
    pthread_mutex_unlock(&t->told_lock);
    return s;
}
