// SPDX-License-Identifier: GPL-3.0-or-later
//
// `marquee ingest`: puts films into the data folder and follows them to their end. Where no service
// executes it does so itself; should the one that does die meanwhile, it takes over. `marquee
// deliveries again` follows deliveries that are there the same way.
#include "account/account.h"
#include "app/catalog_file.h"
#include "app/collector.h"
#include "app/commands.h"
#include "app/meters.h"
#include "app/progress.h"
#include "app/work.h"
#include "app/written.h"
#include "catalog/catalog.h"
#include "ingest/ingest.h"
#include "media/media.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FOLLOW_EVERY_MS = 150,
    TAKE_OVER_EVERY_US = 1000000,
    WAIVERS_MAX = 100,
    CAPTIONS_BYTES_MAX = 1 << 26,
    AHEAD_MAX = 200
};

struct wishes { // of the command line, for all its films
    json_t *ladder, *policy, *catalog;
    struct ingest_waiver waivers[WAIVERS_MAX];
    size_t waiver_count;
    VEC(struct ingest_caption) captions;
    char *partner;       // id; NULL
    struct arena *arena; // of captions' names
};

struct film {
    const char *path;
    char *name;
    struct ingest_ticket ticket;
    int err; // it could not even be submitted
    char *reason;
    bool stood; // its job had ended before: nothing is done now
    bool over;
};

struct session {
    const struct args *args;
    struct store *store;
    struct progress *progress;
    struct meter *meter;
    struct ingest_config config;
    struct app_work work;
    struct flow_executor *executor;
    bool makes_data;  // the folder where there is none
    int64_t tried_us; // when it was last tried to execute
    struct wishes wishes;
    struct film *films;
    size_t film_count;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

// --- what the command line wishes -------------------------------------------------------------------------

static void wishes_clear(struct wishes *w)
{
    json_free(&w->ladder);
    json_free(&w->policy);
    json_free(&w->catalog);
    vec_free(&w->captions);
    free(w->partner);
    arena_free(&w->arena);
}

static int ladder_read(const char *file, json_t **ret)
{
    AUTO(media_ladder_free) struct media_ladder *ladder = NULL;
    TRY(written_ladder(file, &ladder));
    return media_ladder_to_json(ladder, ret);
}

static int policy_read(const char *file, json_t **ret)
{
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL;
    TRY(written_policy(file, &policy));
    return ingest_policy_to_json(policy, ret);
}

// The i-th --waive goes with the i-th --why and --until, or with the only one.
static int waivers_read(const struct args *args, struct wishes *w)
{
    size_t count = args_times(args, "waive"), whys = args_times(args, "why"),
           untils = args_times(args, "until");
    FAIL_IF(count > WAIVERS_MAX, ERR_LIMIT, "over %d waivers", WAIVERS_MAX);
    FAIL_IF(count == 0 && whys + untils > 0, ERR_INVALID,
            "--why and --until say why and until when a --waive holds");
    FAIL_IF(count > 0 && whys != 1 && whys != count, ERR_INVALID,
            "a waiver gives its reason: --waive KIND --why REASON --until DATE");
    FAIL_IF(count > 0 && untils != 1 && untils != count, ERR_INVALID,
            "a waiver has an end: --waive KIND --why REASON --until DATE");
    for (size_t i = 0; i < count; i++) {
        struct ingest_waiver *waiver = &w->waivers[i];
        waiver->kind = args_nth(args, "waive", i);
        waiver->why = args_nth(args, "why", whys == 1 ? 0 : i);
        TRY(clock_parse(str_of(args_nth(args, "until", untils == 1 ? 0 : i)),
                        &waiver->until_wall_us));
        TRY(ingest_kind_check(waiver->kind));
        FAIL_IF(!*waiver->why, ERR_INVALID, "the reason of a waiver is empty");
        FAIL_IF(waiver->until_wall_us <= clock_wall_us(), ERR_INVALID,
                "the waiver of %s is over already", waiver->kind);
    }
    w->waiver_count = count;
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int partner_find(struct store *store, const char *name, char **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *partner = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    TRY(account_partner(tx, name, &partner));
    return cstr_dup(ret, json_str_or(partner, "id", ""));
}

// Read and judged before anything begins: a film waits for an hour to be told that its captions are none.
static int caption_import(struct session *s, const char *path,
                          struct ingest_caption *caption)
{
    AUTO(buf_free) struct buf text = {0};
    int64_t bytes = 0;
    TRY(fs_read_file(path, CAPTIONS_BYTES_MAX, &text));
    TRY(ingest_captions_check(buf_view(&text), caption));
    return store_blob_import(s->store, path, NULL, NULL, &caption->blob, &bytes);
}

// FILE or FILE:LANG; a file whose name holds a colon is taken as it is where it exists.
static int caption_add(struct session *s, const char *text)
{
    struct ingest_caption caption = {.language = "und"};
    const char *colon = strrchr(text, ':');
    AUTO(cstr_free) char *path = NULL;
    if (colon && !fs_exists(text)) {
        TRY(cstr_printf(&path, "%.*s", (int)(colon - text), text));
        caption.language = colon + 1;
    } else {
        TRY(cstr_dup(&path, text));
    }
    caption.file_name = base_name(path);
    TRY(caption_import(s, path, &caption));
    caption.file_name = arena_dup(s->wishes.arena, str_of(base_name(path)));
    FAIL_IF(!caption.file_name, ERR_NOMEM, "captions");
    return vec_push(&s->wishes.captions, caption);
}

static int wishes_read(struct session *s)
{
    const struct args *args = s->args;
    struct wishes *w = &s->wishes;
    TRY(arena_new(&w->arena));
    if (args_has(args, "ladder")) {
        TRY(ladder_read(args_text(args, "ladder", ""), &w->ladder));
    }
    if (args_has(args, "policy")) {
        TRY(policy_read(args_text(args, "policy", ""), &w->policy));
    }
    if (args_has(args, "catalog")) {
        TRY(written_catalog(args_text(args, "catalog", ""), &w->catalog));
    }
    if (args_has(args, "partner")) {
        TRY(partner_find(s->store, args_text(args, "partner", ""), &w->partner));
    }
    for (size_t i = 0; i < args_times(args, "captions"); i++) {
        TRY(caption_add(s, args_nth(args, "captions", i)));
    }
    return waivers_read(args, w);
}

// --- submitting ---------------------------------------------------------------------------------------------

// Series have no file of their own: they are there before their episodes come.
static int series_upsert(struct session *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s->store, STORE_WRITE, &tx));
    for (size_t i = 0; i < json_array_size(s->wishes.catalog); i++) {
        const json_t *entry = json_array_get(s->wishes.catalog, i);
        const json_t *title = json_object_get(entry, "title");
        if (strcmp(json_str_or(title, "kind", ""), "series") == 0) {
            char id[UUID_BYTES];
            TRY(catalog_upsert(tx, title, "system", id));
        }
    }
    return store_commit(&tx);
}

static void on_bytes(void *user, int64_t done, int64_t total)
{
    progress_bytes(user, "films", done, total);
}

static int entry_captions(struct session *s, const struct film *film, const json_t *entry,
                          struct ingest_caption *room, size_t *count)
{
    const json_t *list = json_object_get(entry, "captions");
    for (size_t i = 0; i < json_array_size(list) && *count < 32; i++) {
        const json_t *item = json_array_get(list, i);
        AUTO(cstr_free) char *path = NULL;
        struct ingest_caption caption = {.file_name = json_str_or(item, "file", ""),
                                         .language = json_str_or(item, "language", "")};
        TRY(cstr_printf(&path, "%.*s%s", (int)(base_name(film->path) - film->path),
                        film->path, caption.file_name));
        TRY(caption_import(s, path, &caption));
        room[(*count)++] = caption;
    }
    return 0;
}

static int film_submit(struct session *s, struct film *film)
{
    const struct args *args = s->args;
    const json_t *entry = catalog_file_find(s->wishes.catalog, base_name(film->path));
    struct ingest_caption captions[32];
    size_t caption_count = MIN(s->wishes.captions.len, ARRAY_LEN(captions));
    for (size_t i = 0; i < caption_count; i++) {
        captions[i] = s->wishes.captions.data[i];
    }
    TRY(entry_captions(s, film, entry, captions, &caption_count));
    struct ingest_spec spec = {.file_name = base_name(film->path),
                               .title = args_text(args, "title", NULL),
                               .title_id = args_text(args, "title-id", NULL),
                               .metadata = json_object_get(entry, "title"),
                               .partner = s->wishes.partner,
                               .answers = args_text(args, "answers", NULL),
                               .ladder = s->wishes.ladder,
                               .policy = s->wishes.policy,
                               .waivers = s->wishes.waivers,
                               .waiver_count = s->wishes.waiver_count,
                               .captions = captions,
                               .caption_count = caption_count,
                               .no_captions = args_has(args, "no-captions"),
                               .actor = "system"};
    TRY(store_blob_import(s->store, film->path, on_bytes, s->progress, &spec.source,
                          &spec.bytes));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s->store, STORE_WRITE, &tx));
    int err = ingest_submit(tx, &spec, &film->ticket);
    FAIL_IF(err == ERR_CONFLICT && spec.title && !spec.title_id, err,
            "%s; --title-id with that id delivers them anew for it, with --title under "
            "the new name",
            err_reason());
    TRY(err);
    if (film->ticket.reused) {
        AUTO(json_free) json_t *job = NULL;
        TRY(flow_job(tx, film->ticket.job_id, &job));
        film->stood = strcmp(json_str_or(job, "state", ""), "running") != 0;
    }
    TRY(store_commit(&tx));
    if (s->executor) {
        flow_executor_wake(s->executor);
    }
    return 0;
}

// The film's path is the delivery's id.
static int film_again(struct session *s, struct film *film)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *delivery = NULL;
    TRY(store_begin(s->store, STORE_WRITE, &tx));
    TRY(ingest_again(tx, film->path, "system", &film->ticket));
    TRY(ingest_delivery(tx, film->path, &delivery));
    cstr_free(&film->name);
    TRY(cstr_dup(&film->name, json_str_or(delivery, "title",
                                          json_str_or(delivery, "file_name", "?"))));
    TRY(store_commit(&tx));
    if (s->executor) {
        flow_executor_wake(s->executor);
    }
    return 0;
}

typedef int submit_f(struct session *, struct film *);

static void films_submit(struct session *s, submit_f *submit)
{
    for (size_t i = 0; i < s->film_count && !interrupted; i++) {
        struct film *film = &s->films[i];
        film->err = submit(s, film);
        if (film->err < 0) {
            film->over = true;
            (void)cstr_dup(&film->reason, err_reason());
            bool named = film->reason && strstr(film->reason, film->path);
            progress_say(s->progress, "%s%s%s", named ? "" : film->path,
                         named ? "" : ": ", film->reason ? film->reason : "no memory");
        }
    }
}

// --- following ----------------------------------------------------------------------------------------------

static int execute_or_follow(struct session *s)
{
    AUTO(buf_free) struct buf toolchain = {0};
    TRY(media_toolchain(&toolchain));
    struct flow_executor_config config = {.store = s->store,
                                          .types = s->work.types,
                                          .type_count = s->work.type_count,
                                          .workflows = s->work.workflows,
                                          .workflow_count = s->work.workflow_count,
                                          .slots =
                                              (unsigned)args_number(s->args, "slots", 0),
                                          .toolchain = toolchain.data,
                                          .meter = s->meter};
    s->tried_us = clock_mono_us();
    int err = ingest_recover(s->store);
    err = err < 0 ? err : flow_executor_start(&s->executor, &config);
    return err == ERR_BUSY ? 0 : err; // somebody else works
}

static void film_ended(struct session *s, struct film *film, const json_t *job)
{
    film->over = true;
    const char *state = json_str_or(job, "state", "");
    const char *result = json_str_or(json_object_get(job, "result"), "state", state);
    if (film->stood) {
        progress_say(s->progress, "%s: %s before", film->name, result);
    } else {
        const char *error = json_str_or(job, "error", NULL);
        progress_say(s->progress, "%s: %s%s%s", film->name, result, error ? ": " : "",
                     error ? error : "");
    }
}

static bool is_ours(const struct session *s, const char *job)
{
    for (size_t i = 0; i < s->film_count; i++) {
        if (strcmp(s->films[i].ticket.job_id, job) == 0) {
            return true;
        }
    }
    return false;
}

// None of our films has a step that runs: names the job that has, an earlier command's perhaps.
static int name_ahead(struct session *s, struct store_tx *tx)
{
    AUTO(json_free) json_t *jobs = NULL;
    TRY(flow_jobs(tx, NULL, AHEAD_MAX, &jobs));
    for (size_t i = json_array_size(jobs); i-- > 0;) { // the oldest first
        const json_t *job = json_array_get(jobs, i);
        const char *id = json_str_or(job, "id", ""),
                   *subject = json_str_or(job, "subject", "");
        AUTO(json_free) json_t *whole = NULL, *delivery = NULL;
        if (strcmp(json_str_or(job, "state", ""), "running") != 0 || is_ours(s, id)) {
            continue;
        }
        TRY(flow_job(tx, id, &whole));
        if (!progress_runs(whole)) {
            continue;
        }
        const char *slash = strchr(subject, '/');
        (void)ingest_delivery(tx, slash ? slash + 1 : "", &delivery);
        progress_behind(s->progress, json_str_or(delivery, "file_name", subject), whole);
        break;
    }
    return 0;
}

// How many films are still on their way.
static int films_look(struct session *s, size_t *ret_open)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s->store, STORE_READ, &tx));
    size_t open = 0, moving = 0;
    for (size_t i = 0; i < s->film_count; i++) {
        struct film *film = &s->films[i];
        if (film->over) {
            continue;
        }
        AUTO(json_free) json_t *job = NULL;
        TRY(flow_job(tx, film->ticket.job_id, &job));
        if (strcmp(json_str_or(job, "state", ""), "running") == 0) {
            progress_job(s->progress, film->name, job);
            moving += progress_runs(job) ? 1 : 0;
            open++;
        } else {
            film_ended(s, film, job);
        }
    }
    if (open > 0 && moving == 0) {
        TRY(name_ahead(s, tx));
    }
    *ret_open = open;
    return 0;
}

static int films_follow(struct session *s)
{
    size_t open = 1;
    while (open > 0 && !interrupted) {
        TRY(films_look(s, &open));
        progress_draw(s->progress);
        if (!s->executor && clock_mono_us() - s->tried_us > TAKE_OVER_EVERY_US) {
            TRY(execute_or_follow(s));
        }
        if (open > 0) {
            poll(NULL, 0, FOLLOW_EVERY_MS);
        }
    }
    FAIL_IF(interrupted, ERR_CANCELLED, "stopped; the same command goes on from here");
    return 0;
}

// --- saying how it went ---------------------------------------------------------------------------------------

// Which code is worse, from good to bad.
static int worse(int a, int b)
{
    static const int order[] = {ARGS_DONE, ARGS_REVIEW, ARGS_REFUSED, ARGS_USAGE,
                                ARGS_FAILED};
    for (size_t i = ARRAY_LEN(order); i-- > 0;) {
        if (a == order[i] || b == order[i]) {
            return order[i];
        }
    }
    return ARGS_FAILED;
}

static int code_of(const char *state)
{
    if (strcmp(state, "published") == 0) {
        return ARGS_DONE;
    }
    if (strcmp(state, "refused") == 0) {
        return ARGS_REFUSED;
    }
    return strcmp(state, "review") == 0 ? ARGS_REVIEW : ARGS_FAILED;
}

// Nothing was done for a film that stood already: its steps are told as reused.
static void told_as_reused(json_t *film)
{
    size_t i = 0;
    json_t *step = NULL;
    json_array_foreach(json_object_get(film, "steps"), i, step)
    {
        int64_t all = json_i64_or(step, "run", 0) + json_i64_or(step, "reused", 0);
        json_object_set_new(step, "run", json_integer(0));
        json_object_set_new(step, "reused", json_integer(all));
        json_object_set_new(step, "cpu_us", json_integer(0));
        json_object_set_new(step, "wall_us", json_integer(0));
    }
    json_object_set_new(film, "wall_us", json_integer(0));
}

static int film_failed(const struct film *film, json_t **ret)
{
    return json_made(
        json_pack("{s:n, s:n, s:s, s:s, s:[], s:[], s:n, s:n, s:[], s:i, s:s}",
                  "title_id", "delivery_id", "file_name", base_name(film->path), "state",
                  "failed", "findings", "renditions", "hls", "dash", "steps", "wall_us",
                  0, "error", film->reason ? film->reason : err_text(film->err)),
        ret);
}

static int film_result(struct session *s, const struct film *film, json_t **ret)
{
    if (film->err < 0) {
        return film_failed(film, ret);
    }
    TRY(ingest_film(s->store, film->ticket.delivery_id, film->ticket.job_id, ret));
    json_object_set_new(*ret, "reused", json_boolean(film->stood));
    if (film->stood) {
        told_as_reused(*ret);
    }
    return 0;
}

static const char *asked_text(const char *asked)
{
    return strcmp(asked, "mailed") == 0       ? "the partner was asked by mail"
           : strcmp(asked, "mail_waits") == 0 ? "the mail to the partner waits; `marquee "
                                                "doctor` says whether mail is set up"
           : strcmp(asked, "no_address") == 0
               ? "nobody was asked: the partner has no mail address"
               : "nobody was asked: this delivery has no partner";
}

static void print_film(const json_t *film)
{
    const char *state = json_str_or(film, "state", "?");
    printf("%s  %s", state,
           json_str_or(film, "title", json_str_or(film, "file_name", "?")));
    const char *hls = json_str_or(film, "hls", NULL);
    const char *request = json_str_or(film, "request_id", NULL);
    const char *error = json_str_or(film, "error", NULL);
    if (hls) {
        printf("  %s", hls);
    }
    if (request) {
        printf("  request %s (%s)", request, asked_text(json_str_or(film, "asked", "")));
    }
    if (error) {
        printf("  %s", error);
    }
    printf("\n");
    const json_t *why = json_object_get(film, "why");
    for (size_t i = 0; i < json_array_size(why); i++) {
        const json_t *reason = json_array_get(why, i);
        const json_t *finding = json_array_get(json_object_get(film, "findings"),
                                               (size_t)json_i64_or(reason, "finding", 0));
        bool waived = !json_is_null(json_object_get(reason, "waived"));
        printf("  %s%s: %s\n", ingest_kind_words(json_str_or(finding, "kind", "?")),
               waived ? " (waived)" : "", json_str_or(reason, "text", ""));
    }
}

static int films_print(struct session *s, int *ret_code)
{
    AUTO(json_free) json_t *films = json_array(), *all = NULL;
    for (size_t i = 0; i < s->film_count; i++) {
        json_t *film = NULL;
        TRY(film_result(s, &s->films[i], &film));
        FAIL_IF(json_array_append_new(films, film) != 0, ERR_NOMEM, "films");
        bool wrong = s->films[i].err == ERR_CONFLICT;
        *ret_code = worse(*ret_code,
                          wrong ? ARGS_USAGE : code_of(json_str_or(film, "state", "")));
        // what could not be submitted has been told
        if (!args_has(s->args, "json") && s->films[i].err == 0) {
            print_film(film);
        }
    }
    if (args_has(s->args, "json")) {
        TRY(json_made(json_pack("{s:i, s:O}", "schema", 1, "films", films), &all));
        return command_print(all) == ARGS_DONE ? 0 : err_fail(ERR_IO, "printing");
    }
    return 0;
}

// Mails wait in the outbox for a service; alone, this command delivers them where it knows how.
static void notices_flush(struct session *s)
{
    const char *url = getenv("MARQUEE_SMTP");
    if (!url || !s->executor) {
        return;
    }
    const char *from = getenv("MARQUEE_MAIL_FROM");
    struct bus_notifier_config config = {.store = s->store,
                                         .smtp_url = url,
                                         .smtp_user = getenv("MARQUEE_SMTP_USER"),
                                         .smtp_password = getenv("MARQUEE_SMTP_PASSWORD"),
                                         .mail_from = from ? from : "marquee@localhost",
                                         .meter = s->meter};
    if (bus_notices_flush(&config) < 0) {
        progress_say(s->progress, "mails wait: %s", err_reason());
    }
}

static int session_run(struct session *s, submit_f *submit, int *ret_code)
{
    TRY(wishes_read(s));
    TRY(series_upsert(s));
    TRY(execute_or_follow(s));
    films_submit(s, submit);
    TRY(films_follow(s));
    notices_flush(s);
    progress_free(&s->progress);
    TRY(films_print(s, ret_code));
    if (s->executor) {
        collector_run_once(s->store); // no service does
    }
    return 0;
}

static int session_open(struct session *s, const struct args *args)
{
    const char *base_url = getenv("MARQUEE_BASE_URL");
    s->args = args;
    s->film_count = args_operand_count(args);
    s->films = calloc(s->film_count, sizeof *s->films);
    FAIL_IF(!s->films, ERR_NOMEM, "films");
    for (size_t i = 0; i < s->film_count; i++) {
        s->films[i].path = args_operand(args, i);
        TRY(cstr_dup(&s->films[i].name, base_name(s->films[i].path)));
    }
    TRY(app_meter_new(
        &s->meter, &(struct app_meter_config){.process = "ingest",
                                              .address = args_text(args, "meter", NULL),
                                              .beside = command_data_dir(args)}));
    TRY(progress_new(&s->progress));
    TRY(s->makes_data ? command_open(args, &s->store) : command_look(args, &s->store));
    store_measure(s->store, s->meter);
    s->config = (struct ingest_config){
        .store = s->store, .base_url = base_url ? base_url : "http://127.0.0.1:8080"};
    app_work_fill(&s->work, &s->config);
    return 0;
}

static void session_close(struct session *s)
{
    flow_executor_stop(&s->executor);
    progress_free(&s->progress);
    for (size_t i = 0; s->films && i < s->film_count; i++) {
        free(s->films[i].name);
        free(s->films[i].reason);
    }
    free(s->films);
    wishes_clear(&s->wishes);
    store_close(&s->store);
    meter_free(&s->meter);
}

static int run(const struct args *args, submit_f *submit)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    AUTO(session_close) struct session s = {.makes_data = submit == film_submit};
    int code = ARGS_DONE;
    int err = session_open(&s, args);
    err = err < 0 ? err : session_run(&s, submit, &code);
    progress_free(&s.progress); // clears its bars, and must not clear what is said next
    if (err == ERR_INVALID) {
        return args_wrong(args, "%s", err_reason());
    }
    return err < 0 ? command_failed(args, err) : code;
}

static int again_run(const struct args *args)
{
    return run(args, film_again);
}

static int ingest_run(const struct args *args)
{
    if (args_operand_count(args) > 1 &&
        (args_has(args, "title") || args_has(args, "title-id") ||
         args_has(args, "answers") || args_has(args, "captions"))) {
        return args_wrong(args, "--title, --title-id, --answers and --captions belong to "
                                "one film");
    }
    if (args_has(args, "captions") && args_has(args, "no-captions")) {
        return args_wrong(args, "--captions or --no-captions, not both");
    }
    return run(args, film_submit);
}

static const struct args_option ingest_options[] = {
    {.name = "title", .kind = ARGS_TEXT, .value = "T", .help = "The title's name"},
    {.name = "title-id",
     .kind = ARGS_TEXT,
     .value = "ID",
     .help = "A known title that the film belongs to"},
    {.name = "partner",
     .kind = ARGS_TEXT,
     .value = "P",
     .help = "Who delivers, by name or id"},
    {.name = "answers",
     .kind = ARGS_TEXT,
     .value = "REQUEST",
     .help = "The redelivery request that is answered"},
    {.name = "catalog",
     .kind = ARGS_FILE,
     .value = "FILE",
     .help = "What the films are, by file name (YAML)"},
    {.name = "ladder", .kind = ARGS_FILE, .value = "F", .help = "A ladder (YAML)"},
    {.name = "policy", .kind = ARGS_FILE, .value = "F", .help = "A policy (YAML)"},
    {.name = "waive",
     .kind = ARGS_TEXT,
     .value = "KIND",
     .help = "Accepts findings of a kind",
     .many = true},
    {.name = "why",
     .kind = ARGS_TEXT,
     .value = "REASON",
     .help = "Why they are waived",
     .many = true},
    {.name = "until",
     .kind = ARGS_DATE,
     .value = "DATE",
     .help = "When the waiver ends",
     .many = true},
    {.name = "captions",
     .kind = ARGS_FILE,
     .value = "FILE[:LANG]",
     .help = "Captions beside the film (SubRip, WebVTT, ASS)",
     .many = true},
    {.name = "no-captions",
     .kind = ARGS_NONE,
     .help = "Takes the captions away that these bytes had"},
    COMMAND_SLOTS,
    COMMAND_METER,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option again_options[] = {COMMAND_SLOTS, COMMAND_METER,
                                                   COMMAND_DATA, COMMAND_JSON};

static const struct args_command rows[] = {
    {.path = "ingest",
     .summary = "Inspects, encodes, packages and publishes films",
     .operands = "FILE…",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 10000,
     COMMAND_OPTIONS(ingest_options),
     .run = ingest_run,
     .about =
         "Beside a running service the films are submitted to it and followed; alone, "
         "the command works itself.\nThe same bytes are the same delivery: nothing is "
         "done twice. "
         "Their captions stay unless others are\ngiven, and so does their title: another "
         "--title needs "
         "its --title-id. The exit code is the worst film's."},
    {.path = "deliveries again",
     .summary = "Has policy decide anew about deliveries, and goes on from there",
     .operands = "ID…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     COMMAND_OPTIONS(again_options),
     .run = again_run,
     .about =
         "After findings were waived, or after a failure: what is done is kept. Exits "
         "as ingest does."},
};
const struct command_family ingest_commands = {rows, ARRAY_LEN(rows)};
