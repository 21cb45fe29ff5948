// SPDX-License-Identifier: GPL-3.0-or-later
//
// The quality that reached viewers, as their players told it, counted for operators: how long films take to
// begin, how often and how long they stand, what they are played at, and what went wrong.
//
// Never by person, profile or title: those are rows' (viewing_beacon), where who may ask is checked, and
// they would be a series each. Every tag here has a handful of values that this file knows; whatever a
// player says beyond them is "other", so no player can make a series, and numbers are cut to what can be.
#include "app/api.h"

#include <stdlib.h>
#include <string.h>

static const char *const devices[] = {"tv", "tablet", "phone", "desktop", "other"};
static const char *const codecs[] = {"h264", "hevc", "av1", "vp9", "other"};
static const char *const heights[] = {"0",   "144",  "240",  "360",  "480", "576",
                                      "720", "1080", "1440", "2160", "4320"};
static const int lines[] = {0, 144, 240, 360, 480, 576, 720, 1080, 1440, 2160, 4320};
static const char *const errors[] = {"grant_expired", "no_format", "no_media",
                                     "not_arriving",  "not_come",  "player"};
enum {
    DEVICES = ARRAY_LEN(devices),
    CODECS = ARRAY_LEN(codecs),
    RUNGS = ARRAY_LEN(lines)
};

#define STARTUP_MAX_MS 600000
#define BEAT_MAX_MS    60000 // a beat tells of some ten seconds
#define BEAT_STALLS    1000
#define BEAT_FRAMES    20000
#define RATE_MAX_BPS   INT64_C(10000000000)

struct of_rung {
    struct meter_counter *stalls, *frames, *dropped;
    struct meter_timer *stalled;
    struct meter_summary *rate;
};

struct of_device {
    struct meter_counter *plays;
    struct meter_timer *startup;
    struct meter_summary *bandwidth;
};

struct quality {
    struct meter *meter;
    struct of_device by_device[DEVICES];
    pthread_mutex_t lock; // guards what follows
    struct of_rung *by_rung[DEVICES][CODECS][RUNGS];
};

int quality_new(struct quality **ret, struct meter *m)
{
    struct quality *q = calloc(1, sizeof *q);
    FAIL_IF(!q, ERR_NOMEM, "counts of quality");
    pthread_mutex_init(&q->lock, NULL);
    q->meter = m;
    for (size_t i = 0; i < DEVICES; i++) {
        const struct meter_tag tags[] = {{"device", devices[i]}, {0}};
        q->by_device[i] = (struct of_device){
            .plays = meter_counter_of(m, "marquee.play.started", tags),
            .startup = meter_percentile_timer_of(m, "marquee.play.startup", tags),
            .bandwidth = meter_percentile_summary_of(m, "marquee.play.bandwidth", tags)};
    }
    *ret = q;
    return 0;
}

void quality_free(struct quality **quality)
{
    struct quality *q = TAKE(*quality);
    if (!q) {
        return;
    }
    for (size_t i = 0; i < DEVICES * CODECS * RUNGS; i++) {
        free(q->by_rung[i / (CODECS * RUNGS)][i / RUNGS % CODECS][i % RUNGS]);
    }
    pthread_mutex_destroy(&q->lock);
    free(q);
}

// --- what a player says, as one of a few ------------------------------------------------------------

static bool says(const char *agent, const char *const *words)
{
    for (; *words; words++) {
        if (strcasestr(agent, *words)) {
            return true;
        }
    }
    return false;
}

// By what browsers call themselves (User-Agent), the first that fits.
static size_t device_of(const char *agent)
{
    static const char *const words[DEVICES][10] = {
        {"smart-tv", "smarttv", "tizen", "web0s", "appletv", "googletv", "crkey", "hbbtv",
         "roku"},
        {"ipad", "tablet"},
        {"iphone", "mobile"},
        {"windows nt", "macintosh", "x11", "cros"},
    };
    for (size_t i = 0; agent && i < DEVICES; i++) {
        if (says(agent, words[i])) {
            return i;
        }
    }
    static const char *const android[] = {"android", NULL}; // without "mobile": a tablet
    return agent && says(agent, android) ? 1 : DEVICES - 1;
}

static size_t index_of(const char *const *list, size_t count, const char *text)
{
    size_t i = 0;
    while (i < count && strcmp(list[i], text) != 0) {
        i++;
    }
    return i;
}

static size_t codec_of(const json_t *qoe)
{
    return MIN(index_of(codecs, CODECS, json_str_or(qoe, "codec", "other")),
               (size_t)CODECS - 1);
}

static int64_t number_of(const json_t *qoe, const char *key, int64_t max)
{
    return CLAMP(json_i64_or(qoe, key, 0), INT64_C(0), max);
}

// The largest usual height that the picture fills.
static size_t rung_of(const json_t *qoe)
{
    int64_t height = number_of(qoe, "height", 100000);
    size_t i = RUNGS - 1;
    while (lines[i] > height) {
        i--;
    }
    return i;
}

static const char *error_of(const json_t *qoe)
{
    const char *code = json_str_or(qoe, "error", NULL);
    size_t known = code ? index_of(errors, ARRAY_LEN(errors), code) : 0;
    return !code                             ? NULL
           : known < ARRAY_LEN(errors)       ? errors[known]
           : strncmp(code, "shaka_", 6) == 0 ? "player"
                                             : "other";
}

// --- counting ------------------------------------------------------------------------------------------

static struct of_rung *make_rung(struct meter *m, const struct meter_tag *tags)
{
    struct of_rung *r = calloc(1, sizeof *r);
    if (r) {
        *r =
            (struct of_rung){.stalls = meter_counter_of(m, "marquee.play.stalls", tags),
                             .frames = meter_counter_of(m, "marquee.play.frames", tags),
                             .dropped = meter_counter_of(m, "marquee.play.dropped", tags),
                             .stalled = meter_timer_of(m, "marquee.play.stalled", tags),
                             .rate = meter_summary_of(m, "marquee.play.rate", tags)};
    }
    return r;
}

static struct of_rung *rung(struct quality *q, size_t device, size_t codec, size_t height)
{
    pthread_mutex_lock(&q->lock);
    struct of_rung **r = &q->by_rung[device][codec][height];
    if (!*r) {
        const struct meter_tag tags[] = {{"device", devices[device]},
                                         {"codec", codecs[codec]},
                                         {"height", heights[height]},
                                         {0}};
        *r = make_rung(q->meter, tags);
    }
    struct of_rung *found = *r;
    pthread_mutex_unlock(&q->lock);
    return found;
}

void quality_started(struct quality *q, const char *agent)
{
    meter_counter_add(q->by_device[device_of(agent)].plays, 1);
}

static void count_rung(const struct of_rung *r, const json_t *qoe)
{
    int64_t stalled_ms = number_of(qoe, "stall_ms", BEAT_MAX_MS);
    int64_t rate = number_of(qoe, "rate_bps", RATE_MAX_BPS);
    meter_counter_add(r->stalls, (uint64_t)number_of(qoe, "stalls", BEAT_STALLS));
    meter_counter_add(r->frames, (uint64_t)number_of(qoe, "frames", BEAT_FRAMES));
    meter_counter_add(r->dropped, (uint64_t)number_of(qoe, "dropped", BEAT_FRAMES));
    if (stalled_ms > 0) {
        meter_timer_add_us(r->stalled, stalled_ms * 1000);
    }
    if (rate > 0) {
        meter_summary_add(r->rate, rate);
    }
}

void quality_beat(struct quality *q, const char *agent, const struct viewing_beat *beat)
{
    size_t device = device_of(agent);
    const struct meter_tag state[] = {
        {"device", devices[device]}, {"state", beat->state}, {0}};
    meter_counter_add(meter_counter_of(q->meter, "marquee.play.beats", state), 1);
    if (!beat->qoe) {
        return;
    }
    const struct of_device *of = &q->by_device[device];
    int64_t startup_ms = number_of(beat->qoe, "startup_ms", STARTUP_MAX_MS);
    int64_t bandwidth = number_of(beat->qoe, "bandwidth_bps", RATE_MAX_BPS);
    const char *error = error_of(beat->qoe);
    if (startup_ms > 0) {
        meter_timer_add_us(of->startup, startup_ms * 1000);
    }
    if (bandwidth > 0) {
        meter_summary_add(of->bandwidth, bandwidth);
    }
    if (error) {
        const struct meter_tag tags[] = {
            {"device", devices[device]}, {"error", error}, {0}};
        meter_counter_add(meter_counter_of(q->meter, "marquee.play.errors", tags), 1);
    }
    struct of_rung *r = rung(q, device, codec_of(beat->qoe), rung_of(beat->qoe));
    if (r) {
        count_rung(r, beat->qoe);
    }
}
