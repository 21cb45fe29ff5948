// SPDX-License-Identifier: GPL-3.0-or-later
//
// The intake's life, its clock and its thread. Locks, outer first: flush_lock, lock, those of the store.
#include "telemetry/intake.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FLUSH_MS 5000

int64_t intake_now_ms(const struct telemetry_intake *in)
{
    return in->now_ms ? in->now_ms(in->user) : clock_wall_us() / 1000;
}

// --- values on their way --------------------------------------------------------------------

void taken_drop(struct telemetry_taken *taken, size_t count, const char *fmt, ...)
{
    if (count && taken->reason_count < TELEMETRY_TAKEN_REASONS) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(taken->reasons[taken->reason_count++], sizeof taken->reasons[0], fmt,
                  args);
        va_end(args);
    }
    taken->dropped += count;
}

int batch_end(struct batch *b)
{
    size_t refused = 0, count = b->count;
    b->count = 0;
    if (count == 0) {
        return 0;
    }
    TRY(telemetry_append(b->intake->store, b->list, count, &refused));
    b->taken->stored += count - refused;
    taken_drop(b->taken, refused, "%zu values are too old or too new", refused);
    intake_count(b->intake, samples, count - refused);
    intake_count(b->intake, refused, refused);
    return 0;
}

static int batch_add(struct batch *b, struct telemetry_sample sample)
{
    if (!isfinite(sample.value)) {
        intake_count(b->intake, bad_value, 1);
        taken_drop(b->taken, 1, "a value is no finite number");
        return 0;
    }
    b->list[b->count++] = sample;
    return b->count == BATCH_SAMPLES ? batch_end(b) : 0;
}

int batch_add_known(struct batch *b, struct telemetry_sample sample)
{
    if (sample.series == KNOWN_REFUSED) {
        intake_count(b->intake, over_limit, 1);
        taken_drop(b->taken, 1, "a series is over a limit");
        return 0;
    }
    return batch_add(b, sample);
}

// --- lines ----------------------------------------------------------------------------------

void telemetry_intake_lines(struct telemetry_intake *in, struct str lines)
{
    struct line_counts counts = {0};
    int64_t now = intake_now_ms(in);
    const char *p = lines.data, *end = p + lines.len;
    pthread_mutex_lock(&in->lock);
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        if (stop > p) {
            meters_line(&in->meters, (struct str){p, (size_t)(stop - p)}, now, &counts);
        }
        p = stop + 1;
    }
    pthread_mutex_unlock(&in->lock);
    intake_count(in, lines, counts.lines);
    if (counts.malformed | counts.bad_value | counts.over_limit) {
        intake_count(in, malformed, counts.malformed);
        intake_count(in, bad_value, counts.bad_value);
        intake_count(in, over_limit, counts.over_limit);
    }
}

static int flush_locked(struct telemetry_intake *in, int64_t at_ms, enum meters_flush how)
{
    in->flushed.len = 0;
    pthread_mutex_lock(&in->lock);
    int err = meters_flush(&in->meters, at_ms, in->step_ms, how, &in->flushed);
    pthread_mutex_unlock(&in->lock);
    size_t refused = 0;
    if (in->flushed.len) {
        TRY(telemetry_append(in->store, in->flushed.data, in->flushed.len, &refused));
    }
    intake_count(in, samples, in->flushed.len - refused);
    intake_count(in, refused, refused);
    return err < 0 ? err : how == METERS_STEP_ENDS ? telemetry_sync(in->store) : 0;
}

static int retry_refused(struct telemetry_intake *in)
{
    uint64_t forgotten = telemetry_forgotten(in->store);
    if (forgotten == in->forgotten) {
        return 0;
    }
    TRY(known_series_retry(&in->by_labels));
    TRY(known_series_retry(&in->by_exposition));
    in->forgotten = forgotten;
    return 0;
}

// What was counted since the last flush belongs to the step in which that flush was, which ends here or has
// ended; later by whole steps (the machine slept), to the latest that is over.
int telemetry_intake_flush(struct telemetry_intake *in, int64_t now_ms)
{
    pthread_mutex_lock(&in->flush_lock);
    int64_t over = now_ms - now_ms % in->step_ms;
    int err = 0;
    if (over > in->last_flush_ms) {
        err = flush_locked(in, over, METERS_STEP_ENDS);
    }
    if (err == 0 && over != now_ms) {
        err = flush_locked(in, now_ms, METERS_WITHIN_STEP);
    }
    in->last_flush_ms = MAX(now_ms, in->last_flush_ms);
    err = err < 0 ? err : retry_refused(in);
    pthread_mutex_unlock(&in->flush_lock);
    return err;
}

// --- the thread -----------------------------------------------------------------------------

// By the monotonic clock: a wall clock that is set back does not stop the flushes.
static void wait_for(struct telemetry_intake *in, int64_t ms)
{
    int64_t until_us = clock_mono_us() + ms * 1000;
    struct timespec at = {.tv_sec = until_us / 1000000,
                          .tv_nsec = until_us % 1000000 * 1000};
    while (!in->closing &&
           pthread_cond_timedwait(&in->wake, &in->wake_lock, &at) != ETIMEDOUT) {
    }
}

static void *flusher(void *user)
{
    struct telemetry_intake *in = user;
    bool failing = false;
    pthread_mutex_lock(&in->wake_lock);
    while (!in->closing) {
        int64_t now = intake_now_ms(in);
        int64_t next = now - now % in->every_ms + in->every_ms;
        wait_for(in, next - now);
        pthread_mutex_unlock(&in->wake_lock);
        now = intake_now_ms(in);
        // The two clocks may differ by a hair: what is just before `next` is meant to be it.
        bool early = now < next && now > next - in->every_ms;
        int err = telemetry_intake_flush(in, early ? next : now - now % in->every_ms);
        if (err < 0 && !failing) {
            log_warn("telemetry", "meters could not be stored: %s", err_reason());
        }
        failing = err < 0;
        pthread_mutex_lock(&in->wake_lock);
    }
    pthread_mutex_unlock(&in->wake_lock);
    return NULL;
}

static int start_thread(struct telemetry_intake *in)
{
    FAIL_IF(pthread_create(&in->thread, NULL, flusher, in) != 0, ERR_NOMEM,
            "a thread for meters");
    in->has_thread = true;
    return 0;
}

// --- life -----------------------------------------------------------------------------------

// A divisor of the step, so that steps end at a flush.
static int64_t flush_every(const struct telemetry_intake_config *c, int64_t step_ms)
{
    int64_t wish = MIN(c->flush_ms > 0 ? c->flush_ms : FLUSH_MS, step_ms);
    int64_t parts = (step_ms + wish - 1) / wish;
    while (step_ms % parts != 0) {
        parts++;
    }
    return step_ms / parts;
}

int telemetry_intake_new(struct telemetry_intake **ret,
                         const struct telemetry_intake_config *config)
{
    AUTO(telemetry_intake_free) struct telemetry_intake *in = calloc(1, sizeof *in);
    FAIL_IF(!in, ERR_NOMEM, "an intake");
    pthread_mutex_init(&in->lock, NULL);
    pthread_mutex_init(&in->flush_lock, NULL);
    pthread_mutex_init(&in->wake_lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&in->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    in->store = config->store;
    in->now_ms = config->now_ms;
    in->user = config->user;
    in->step_ms = telemetry_step_ms(in->store);
    in->every_ms = flush_every(config, in->step_ms);
    in->last_flush_ms = intake_now_ms(in);
    TRY(meters_open(&in->meters, config));
    TRY(known_series_open(&in->by_labels));
    TRY(known_series_open(&in->by_exposition));
    TRY(config->flush_ms < 0 ? 0 : start_thread(in));
    *ret = TAKE(in);
    return 0;
}

static void end_thread(struct telemetry_intake *in)
{
    if (in->has_thread) {
        pthread_mutex_lock(&in->wake_lock);
        in->closing = true;
        pthread_cond_signal(&in->wake);
        pthread_mutex_unlock(&in->wake_lock);
        pthread_join(in->thread, NULL);
    }
}

void telemetry_intake_free(struct telemetry_intake **intake)
{
    struct telemetry_intake *in = TAKE(*intake);
    if (!in) {
        return;
    }
    end_thread(in);
    if (in->meters.ids.slots) {
        int64_t now = MAX(intake_now_ms(in), in->last_flush_ms + 1);
        if (flush_locked(in, now, METERS_STEP_ENDS) < 0) {
            log_debug("telemetry", "the last values: %s", err_reason());
        }
    }
    known_series_close(&in->by_exposition);
    known_series_close(&in->by_labels);
    meters_close(&in->meters);
    vec_free(&in->flushed);
    pthread_cond_destroy(&in->wake);
    pthread_mutex_destroy(&in->wake_lock);
    pthread_mutex_destroy(&in->flush_lock);
    pthread_mutex_destroy(&in->lock);
    free(in);
}

struct telemetry_intake_counts telemetry_intake_counts(struct telemetry_intake *in)
{
    struct telemetry_intake_counts counts;
#define X(name, text) \
    counts.name = atomic_load_explicit(&in->counts.name, memory_order_relaxed);
    TELEMETRY_INTAKE_COUNTS(X)
#undef X
    return counts;
}
