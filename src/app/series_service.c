// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/series_service.h"
#include "bus/bus.h"

#include <stdlib.h>
#include <string.h>

#define DETECTOR     "telemetry@1"
#define NOTES_MAX    64
#define SUBJECT_MAX  300
#define EVIDENCE_MAX 300

struct series_service {
    struct store *rows;
    struct telemetry *store;
    struct telemetry_intake *intake;
    struct telemetry_receiver *udp, *local;
    struct telemetry_scraper *scraper;
    struct pool *notes; // writes findings: who appends does not wait for the rows
    struct telemetry_tier tiers[3];
};

// --- findings -------------------------------------------------------------------------------

struct note {
    struct store *rows;
    struct finding finding;
    char subject[SUBJECT_MAX];
};

static int write_note(struct note *note)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    char id[UUID_BYTES];
    TRY(store_begin(note->rows, STORE_WRITE, &tx));
    TRY(bus_finding_add(tx, note->subject, DETECTOR, "system", &note->finding, id));
    return store_commit(&tx);
}

static void run_note(void *user)
{
    struct note *note = user;
    if (write_note(note) < 0) {
        log_warn("app", "%s: %s", note->subject, err_reason());
    }
    json_decref(note->finding.evidence);
    free(note);
}

// The evidence is taken.
static void tell(struct series_service *s, struct str name, struct finding finding,
                 json_t *evidence)
{
    AUTO(buf_free) struct buf subject = {0};
    struct note *note = calloc(1, sizeof *note);
    buf_cstr(&subject, "series/");
    buf_line(&subject, (struct str){name.data, MIN(name.len, (size_t)120)});
    finding.evidence = evidence;
    if (note && evidence && subject.err == 0 &&
        str_copy(note->subject, sizeof note->subject, buf_view(&subject)) == 0) {
        note->rows = s->rows;
        note->finding = finding;
        if (pool_submit(s->notes, run_note, note) == 0) {
            return;
        }
    }
    log_warn("app", "%s: %s was not noted", subject.data ? subject.data : "series",
             finding.kind);
    json_decref(evidence);
    free(note);
}

static void on_limit(void *user, struct str name)
{
    tell(user, name, finding_about_file("cardinality", FINDING_WARNING),
         json_pack("{s:s}", "why", "the name has more series than are kept"));
}

static void on_corrupt(void *user, const char *path, const char *why)
{
    const char *slash = strrchr(path, '/');
    log_warn("app", "series: %s: %s", path, why);
    tell(user, str_of(slash ? slash + 1 : path),
         finding_about_file("series_damaged", FINDING_ERROR),
         json_pack("{s:s}", "why", why));
}

// --- life -----------------------------------------------------------------------------------

// As usual, but from another first step on: each tier's step is a multiple of it.
static size_t make_tiers(int64_t step_ms, struct telemetry_tier tiers[3])
{
    size_t count = 1;
    tiers[0] = (struct telemetry_tier){step_ms, telemetry_tiers_usual[0].keep_ms};
    for (size_t i = 1; i < telemetry_tier_usual_count && count < 3; i++) {
        struct telemetry_tier tier = telemetry_tiers_usual[i];
        if (tier.step_ms > step_ms && tier.step_ms % step_ms == 0) {
            tiers[count++] = tier;
        }
    }
    return count;
}

static int open_store(struct series_service *s, const struct series_service_config *c)
{
    AUTO(cstr_free) char *dir = NULL;
    TRY(cstr_printf(&dir, "%s/series", store_dir(c->store)));
    struct telemetry_config config = {
        .dir = dir, .on_limit = on_limit, .on_corrupt = on_corrupt, .user = s};
    if (c->step_ms) {
        config.tiers = s->tiers;
        config.tier_count = make_tiers(c->step_ms, s->tiers);
    }
    TRY(telemetry_open(&s->store, &config));
    return telemetry_intake_new(&s->intake,
                                &(struct telemetry_intake_config){.store = s->store});
}

static int listen_udp(struct series_service *s, const char *address)
{
    AUTO(cstr_free) char *whole = NULL;
    bool port_only = strspn(address, "0123456789") == strlen(address);
    TRY(cstr_printf(&whole, port_only ? "udp://127.0.0.1:%s" : "udp://%s", address));
    return telemetry_receiver_start(&s->udp, s->intake, whole);
}

static int listen_local(struct series_service *s)
{
    AUTO(cstr_free) char *whole = NULL;
    TRY(cstr_printf(&whole, "unix://%s/series.sock", store_dir(s->rows)));
    int err = telemetry_receiver_start(&s->local, s->intake, whole);
    if (err == ERR_LIMIT) {
        log_warn("app", "no socket for series: the path of the data folder is too long");
        return 0;
    }
    return err;
}

static int scrape(struct series_service *s, const char *file)
{
    AUTO(buf_free) struct buf text = {0};
    struct diag diag = {0};
    TRY(fs_read_file(file, 1u << 20, &text));
    int err =
        telemetry_scraper_start(&s->scraper, s->intake, buf_view(&text), file, &diag);
    if (diag.items.len > 1) {
        diag_print(&diag, stderr);
    }
    diag_free(&diag);
    return err;
}

int series_service_start(struct series_service **ret,
                         const struct series_service_config *c)
{
    AUTO(series_service_stop) struct series_service *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "series");
    s->rows = c->store;
    TRY(pool_new(&s->notes, 1, NOTES_MAX));
    TRY(open_store(s, c));
    TRY(listen_local(s));
    TRY(c->udp ? listen_udp(s, c->udp) : 0);
    TRY(c->scrape ? scrape(s, c->scrape) : 0);
    *ret = TAKE(s);
    return 0;
}

void series_service_stop(struct series_service **service)
{
    struct series_service *s = TAKE(*service);
    if (!s) {
        return;
    }
    telemetry_scraper_stop(&s->scraper);
    telemetry_receiver_stop(&s->udp);
    telemetry_receiver_stop(&s->local);
    telemetry_intake_free(&s->intake);
    telemetry_close(&s->store);
    pool_free(&s->notes);
    free(s);
}

struct telemetry *series_service_store(struct series_service *s)
{
    return s->store;
}

struct telemetry_intake *series_service_intake(struct series_service *s)
{
    return s->intake;
}
