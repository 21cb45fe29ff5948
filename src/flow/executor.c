// SPDX-License-Identifier: GPL-3.0-or-later
//
// The executor: one thread that owns all children, because a child is killed when the thread that
// made it ends. One turn of it:
//
//     children that ended ──adopt──▶ blobs ──one sync──▶ one transaction: results, new claims
//        ▲                                                            │
//        └────────────── started ◀────────────────────────────────────┘
//     jobs that changed ──▶ their workflow is called, in a transaction of its own
//
// Workflows are called when a slot would stay empty, or at a pace that costs a tenth of this
// thread at most: a job of thousands of steps is not looked through after each of them.
//
// The lock of the folder (flock, released by the system with the process) makes the executor the only
// one; the fence makes that true for what it wrote, too.
#include "flow/attempt.h"
#include "flow/counts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS          150
#define ASIDE_MAX        8
#define BLOCKED_POLL_MS  1000 // rows cannot be written: try again that often
#define PACE             10 // times the last call's duration between two calls of a workflow
#define MEASURE_EVERY_US 2000000
#define PACE_SEEN_US     1500000 // a step that ran so long shows its pace
#define STALL_US         INT64_C(1800000000)
#define LOCK_WAIT_US     1000000
#define ADVANCE_LIMIT    5 // calls that failed for a reason that may pass

struct pace {
    char job[UUID_BYTES];
    int64_t next_us; // not before, unless a slot is empty
    int64_t blocked_until_us;
    int failures;
};

struct flow_executor {
    struct flow_executor_config config;
    char *program;
    char *toolchain;
    int lock_fd;
    int wake_fd;
    pthread_t thread;
    atomic_bool stopping;

    // Owned by the thread.
    struct flow_counts *counts;
    struct memo *memo;
    struct attempts running;
    VEC(struct pace) paces;
    int64_t seen_version;
    int64_t measured_us;
    bool blocked; // the last transaction failed
};

// --- what runs ---------------------------------------------------------------------------------------

static bool is_made(void *user, const struct hash *key)
{
    const struct flow_executor *x = user;
    for (size_t i = 0; i < x->running.items.len; i++) {
        if (attempt_asks_for(x->running.items.data[i], key)) {
            return true;
        }
    }
    return false;
}

static void tell(struct flow_executor *x, const struct flow_progress *progress)
{
    if (x->config.on_progress) {
        x->config.on_progress(x->config.user, progress);
    }
}

static void tell_step(struct flow_executor *x, const struct attempt *a)
{
    int64_t elapsed_us = clock_mono_us() - a->started_us;
    tell(x, &(struct flow_progress){
                .job = a->job,
                .subject = a->subject,
                .step = a->name,
                .type = a->type->name,
                .done_ppm = a->done_ppm,
                .remaining_us =
                    a->done_ppm < PPM / 100
                        ? -1
                        : (int64_t)((double)elapsed_us * (double)(PPM - a->done_ppm) /
                                    (double)a->done_ppm),
            });
}

static void listen_all(struct flow_executor *x)
{
    vec_for_each (at, &x->running.items) {
        struct attempt *a = *at;
        if (attempt_listen(a)) {
            tell_step(x, a);
        }
        if (!a->ended && clock_mono_us() - a->heard_us > x->config.stall_us) {
            a->stalled = true;
            attempt_kill(a);
        }
    }
}

// Children whose step was cancelled or is wanted differently now.
static int drop_lost(struct flow_executor *x)
{
    if (x->running.items.len == 0) {
        return 0;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(x->config.store, STORE_READ, &tx));
    vec_for_each (at, &x->running.items) {
        struct attempt *a = *at;
        int holds = a->lost ? 1 : claim_holds(tx, a);
        TRY(holds);
        if (!holds) {
            a->lost = true;
            attempt_kill(a);
        }
    }
    return 0;
}

static size_t reap_all(struct flow_executor *x)
{
    size_t ended = 0;
    vec_for_each (a, &x->running.items) {
        if (!(*a)->ended) {
            attempt_reap(*a, store_blobs_of(x->config.store));
        }
        ended += (*a)->ended;
    }
    return ended;
}

// --- one turn in rows --------------------------------------------------------------------------------

static bool is_first_of_job(const struct attempts *list, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(list->items.data[k]->job, list->items.data[i]->job) == 0) {
            return false;
        }
    }
    return true;
}

// What running steps have done so far, where it is enough to tell their pace.
static int running_json(const struct flow_executor *x, json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    for (size_t i = 0; i < x->running.items.len; i++) {
        const struct attempt *a = x->running.items.data[i];
        int64_t elapsed_us = clock_mono_us() - a->started_us;
        if (a->ended || a->done_ppm < PPM / 50 || elapsed_us < PACE_SEEN_US) {
            continue;
        }
        json_t *item = json_pack("{s:s, s:f, s:I}", "type", a->type->name, "cost",
                                 (double)a->cost * (double)a->done_ppm / PPM, "wall_us",
                                 (json_int_t)elapsed_us);
        FAIL_IF(json_array_append_new(list, item) < 0, ERR_NOMEM, "progress");
    }
    return json_made(TAKE(list), ret);
}

// Progress of what runs, for those who only see rows.
static int write_progress(struct flow_executor *x, struct store_tx *tx)
{
    AUTO(json_free) json_t *running = NULL;
    TRY(running_json(x, &running));
    vec_for_each (at, &x->running.items) {
        struct attempt *a = *at;
        attempt_trim_log(a);
        if (a->ended || a->lost || a->done_ppm == a->told_ppm) {
            continue;
        }
        TRY(store_exec(
            tx,
            "UPDATE flow_step SET progress_ppm = ? WHERE id = ? AND fence = ? AND"
            " state = '" STEP_RUNNING "'",
            "iii", a->done_ppm, a->step, a->fence));
        a->told_ppm = a->done_ppm;
    }
    for (size_t i = 0; i < x->running.items.len; i++) {
        if (is_first_of_job(&x->running, i)) {
            TRY(job_measure(tx, x->running.items.data[i]->job, x->config.slots, running));
        }
    }
    return 0;
}

static int tell_job(struct flow_executor *x, struct store_tx *tx, const struct attempt *a)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT progress_ppm, remaining_us FROM flow_job WHERE id = ? AND"
                    " state = '" JOB_RUNNING "'",
                    "s", a->job));
    int found = store_next(r);
    if (found > 0) {
        tell(x, &(struct flow_progress){.job = a->job,
                                        .subject = a->subject,
                                        .done_ppm = store_i64(r, 0),
                                        .remaining_us =
                                            store_is_null(r, 1) ? -1 : store_i64(r, 1)});
    }
    return found;
}

// After the commit: who is told may look, and may write.
static int tell_jobs(struct flow_executor *x)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(x->config.store, STORE_READ, &tx));
    for (size_t i = 0; i < x->running.items.len; i++) {
        if (is_first_of_job(&x->running, i)) {
            TRY(tell_job(x, tx, x->running.items.data[i]));
        }
    }
    return 0;
}

struct room_left {
    unsigned slots, aside;
    int64_t memory_bytes;
    bool idle;
};

static struct room_left room_left(const struct flow_executor *x)
{
    struct room_left left = {x->config.slots, ASIDE_MAX, x->config.memory_bytes, true};
    for (size_t i = 0; i < x->running.items.len; i++) {
        const struct attempt *a = x->running.items.data[i];
        if (a->ended) {
            continue;
        }
        left.slots -= !a->aside && left.slots;
        left.aside -= a->aside && left.aside;
        left.memory_bytes -= a->type->memory_bytes;
        left.idle = left.idle && a->aside;
    }
    return left;
}

static int claim(struct flow_executor *x, struct store_tx *tx, struct attempts *claimed,
                 size_t *ret_done)
{
    struct room_left left = room_left(x);
    if ((left.slots == 0 && left.aside == 0) || atomic_load(&x->stopping)) {
        return 0;
    }
    return claim_steps(&(struct claim_config){.executor = &x->config,
                                              .tx = tx,
                                              .slots = left.slots,
                                              .aside = left.aside,
                                              .memory_bytes = left.memory_bytes,
                                              .idle = left.idle,
                                              .is_made = is_made,
                                              .user = x},
                       claimed, ret_done);
}

// Whether a step waits for which there is room.
static bool has_waiting(struct flow_executor *x)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct room_left left = room_left(x);
    int64_t one = 0;
    return (left.slots || left.aside) &&
           store_begin(x->config.store, STORE_READ, &tx) == 0 &&
           store_get_i64(tx, &one,
                         "SELECT 1 FROM flow_step WHERE state = '" STEP_WAITING
                         "' AND not_before_us <= ? AND ((lane = '' AND ?) OR"
                         " (lane = '" FLOW_ASIDE "' AND ?)) LIMIT 1",
                         "iii", clock_wall_us(), (int64_t)(left.slots > 0),
                         (int64_t)(left.aside > 0)) == 0;
}

// Also for those who only see rows; sooner when rows are written anyway.
static bool is_measuring_due(const struct flow_executor *x, size_t ended)
{
    int64_t since_us = clock_mono_us() - x->measured_us;
    return x->running.items.len &&
           since_us > (ended ? MEASURE_EVERY_US / 8 : MEASURE_EVERY_US);
}

static int settle_and_claim(struct flow_executor *x, size_t ended,
                            struct attempts *claimed, size_t *ret_done)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    bool due = is_measuring_due(x, ended);
    if (ended) {
        TRY(store_blobs_sync(store_blobs_of(x->config.store)));
    }
    TRY(store_begin(x->config.store, STORE_WRITE, &tx));
    vec_for_each (a, &x->running.items) {
        if ((*a)->ended) {
            TRY(claim_settle(tx, &x->config, *a));
        }
    }
    if (due) {
        TRY(write_progress(x, tx));
        x->measured_us = clock_mono_us();
    }
    TRY(claim(x, tx, claimed, ret_done));
    // What rows call running must have an owner here: nothing may fail behind the commit.
    TRY(vec_reserve(&x->running.items, x->running.items.len + claimed->items.len));
    TRY(store_commit(&tx));
    if (due && tell_jobs(x) < 0) {
        log_debug("flow", "telling progress: %s", err_reason());
    }
    return 0;
}

static void remove_ended(struct flow_executor *x)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->running.items.len; i++) {
        struct attempt *a = x->running.items.data[i];
        if (a->ended) {
            flow_counts_ended(x->counts, a);
            attempt_free(&a);
        } else {
            x->running.items.data[kept++] = a;
        }
    }
    x->running.items.len = kept;
}

static void start_claimed(struct flow_executor *x, struct attempts *claimed)
{
    vec_for_each (a, &claimed->items) {
        attempt_start(*a, &x->config);
        flow_counts_started(x->counts, *a);
        ASSERT(vec_push(&x->running.items, *a) == 0);
    }
    claimed->items.len = 0;
}

// 1 when something changed that workflows may want to know.
static int work(struct flow_executor *x)
{
    struct attempts claimed = {0};
    size_t done = 0;
    size_t ended = reap_all(x);
    if (!ended && !is_measuring_due(x, ended) && !has_waiting(x)) {
        return 0;
    }
    int err = settle_and_claim(x, ended, &claimed, &done);
    if (err == 0) {
        remove_ended(x);
        start_claimed(x, &claimed);
    }
    vec_for_each (a, &claimed.items) {
        attempt_free(a);
    }
    vec_free(&claimed.items);
    TRY(err);
    return ended || done;
}

// --- workflows ---------------------------------------------------------------------------------------

static struct pace *pace_of(struct flow_executor *x, const char *job)
{
    vec_for_each (p, &x->paces) {
        if (strcmp(p->job, job) == 0) {
            return p;
        }
    }
    struct pace fresh = {0};
    if (str_copy(fresh.job, sizeof fresh.job, str_of(job)) < 0 ||
        vec_push(&x->paces, fresh) < 0) {
        return NULL;
    }
    return &x->paces.data[x->paces.len - 1];
}

static void forget_pace(struct flow_executor *x, const char *job)
{
    vec_for_each (p, &x->paces) {
        if (strcmp(p->job, job) == 0) {
            *p = x->paces.data[--x->paces.len];
            return;
        }
    }
}

static int advance_once(struct flow_executor *x, const char *job)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *running = NULL;
    TRY(running_json(x, &running));
    TRY(store_begin(x->config.store, STORE_WRITE, &tx));
    int ended = job_advance(&(struct advance_config){&x->config, x->memo, tx, job});
    TRY(ended);
    // A number for people is no reason to hold a job back; a broken transaction fails below.
    if (job_measure(tx, job, x->config.slots, running) < 0) {
        log_warn("flow", "measuring job %s: %s", job, err_reason());
    }
    TRY(store_commit(&tx));
    return ended;
}

// The reason may pass (a full disk); after some time it is taken for one that does not.
static void give_up(struct flow_executor *x, const char *job, int err)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    if (store_begin(x->config.store, STORE_WRITE, &tx) == 0 &&
        store_exec(tx,
                   "UPDATE flow_job SET state = '" JOB_FAILED
                   "', dirty = 1, hook_due = 1,"
                   " error = ?, reason = ?, finished_us = ? WHERE id = ?",
                   "ssis", err_name(err), err_text(err), clock_wall_us(), job) == 0 &&
        job_emit(tx, job, "job.failed.v1", "system") == 0 && store_commit(&tx) == 0) {
        forget_pace(x, job);
    }
}

static void advance(struct flow_executor *x, const char *job, bool starving)
{
    struct pace *p = pace_of(x, job);
    int64_t now_us = clock_mono_us();
    if (!p || now_us < p->blocked_until_us || (!starving && now_us < p->next_us)) {
        return;
    }
    memo_trim(x->memo);
    int err = advance_once(x, job);
    if (err > 0) {
        forget_pace(x, job);
        return;
    }
    int64_t end_us = clock_mono_us();
    p->next_us = end_us + PACE * (end_us - now_us);
    p->failures = err < 0 ? p->failures + 1 : 0;
    if (err < 0) {
        log_warn("flow", "job %s: %s: %s", job, err_name(err), err_reason());
        p->blocked_until_us = end_us + (INT64_C(500000) << MIN(p->failures, 6));
        if (p->failures >= ADVANCE_LIMIT) {
            give_up(x, job, err);
        }
    }
}

static int list_dirty(struct flow_executor *x, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *jobs = json_array();
    TRY(store_begin(x->config.store, STORE_READ, &tx));
    TRY(store_query(
        tx, &r,
        "SELECT id FROM flow_job WHERE dirty = 1 ORDER BY priority DESC, created_us",
        ""));
    int more;
    while ((more = store_next(r)) > 0) {
        FAIL_IF(json_array_append_new(jobs, json_string(store_text(r, 0))) < 0, ERR_NOMEM,
                "jobs");
    }
    TRY(more);
    store_rows_free(&r);
    return json_made(TAKE(jobs), ret);
}

// Calls the workflows of changed jobs. 1 when one was looked at.
static int advance_all(struct flow_executor *x)
{
    AUTO(json_free) json_t *jobs = NULL;
    bool starving = room_left(x).slots > 0;
    size_t i;
    json_t *job;
    TRY(list_dirty(x, &jobs));
    json_array_foreach(jobs, i, job)
    {
        if (atomic_load(&x->stopping)) {
            break;
        }
        advance(x, json_string_value(job), starving);
    }
    return json_array_size(jobs) > 0;
}

// --- the thread --------------------------------------------------------------------------------------

static void rest(struct flow_executor *x, int ms)
{
    VEC(struct pollfd) fds = {0};
    int err = vec_push(&fds, (struct pollfd){.fd = x->wake_fd, .events = POLLIN});
    for (size_t i = 0; err == 0 && i < x->running.items.len; i++) {
        const struct attempt *a = x->running.items.data[i];
        err = vec_push(
            &fds, (struct pollfd){.fd = a->ended ? -1 : a->out_fd, .events = POLLIN});
        err = err < 0 ? err
                      : vec_push(&fds, (struct pollfd){.fd = a->ended ? -1 : a->pid_fd,
                                                       .events = POLLIN});
    }
    if (poll(fds.data, fds.len, ms) > 0 && fds.data[0].revents) {
        uint64_t n;
        ssize_t got = read(x->wake_fd, &n, sizeof n);
        (void)got;
    }
    vec_free(&fds);
}

static int turn(struct flow_executor *x)
{
    int64_t version = 0;
    TRY(store_data_version(x->config.store, &version));
    listen_all(x);
    if (version != x->seen_version) {
        TRY(drop_lost(x));
        x->seen_version = version;
    }
    TRY(work(x));
    flow_counts_look(x->counts, x->running.items.len);
    int looked = advance_all(x);
    TRY(looked);
    return looked ? work(x) : 0;
}

static void *execute(void *user)
{
    struct flow_executor *x = user;
    while (!atomic_load(&x->stopping)) {
        int err = turn(x);
        // Ended children keep what they made until it can be written.
        if (err < 0 && !x->blocked) {
            log_error("flow", "%s: %s", err_name(err), err_reason());
        }
        x->blocked = err < 0;
        rest(x, err < 0 ? BLOCKED_POLL_MS : POLL_MS);
    }
    vec_for_each (a, &x->running.items) {
        attempt_free(a);
    }
    x->running.items.len = 0;
    return NULL;
}

static int release_all(struct store *store)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(claim_release_all(tx));
    // Another version of this program may want differently.
    TRY(store_exec(tx, "UPDATE flow_job SET dirty = 1 WHERE state = '" JOB_RUNNING "'",
                   ""));
    return store_commit(&tx);
}

static int empty_scratch(struct store *store)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/scratch", store_dir(store)));
    DIR *dir = opendir(path);
    if (!dir) {
        return err_fail_errno("opening %s", path);
    }
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir)) != NULL;) {
        AUTO(cstr_free) char *left = NULL;
        if (strncmp(e->d_name, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)) == 0) {
            err = cstr_printf(&left, "%s/%s", path, e->d_name);
            // A child of the dead one may write its last; what remains goes next time.
            if (err == 0 && fs_remove_tree(left) < 0) {
                log_debug("flow", "%s: %s", left, err_reason());
            }
        }
    }
    closedir(dir);
    return err;
}

static bool is_held_by_process(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool flow_is_executed(const char *data_dir)
{
    AUTO(cstr_free) char *path = NULL;
    if (cstr_printf(&path, "%s/executor.lock", data_dir) < 0) {
        return false;
    }
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && is_held_by_process(fd);
}

// Two locks on one file. flock excludes executors, also two of one process; but a child of a killed
// executor that did not reach its exec yet still holds it for a moment. The record lock belongs to
// the process alone and tells that moment from an executor that lives.
static int lock_folder(struct flow_executor *x)
{
    AUTO(cstr_free) char *path = NULL;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    TRY(cstr_printf(&path, "%s/executor.lock", store_dir(x->config.store)));
    x->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (x->lock_fd < 0) {
        return err_fail_errno("opening %s", path);
    }
    int64_t until_us = clock_mono_us() + LOCK_WAIT_US;
    while (flock(x->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) {
            return err_fail_errno("locking %s", path);
        }
        FAIL_IF(is_held_by_process(x->lock_fd) || clock_mono_us() > until_us, ERR_BUSY,
                "another process executes the steps of %s", store_dir(x->config.store));
        struct timespec moment = {.tv_nsec = 5000000};
        nanosleep(&moment, NULL);
    }
    return fcntl(x->lock_fd, F_SETLK, &lock) < 0 ? err_fail_errno("locking %s", path) : 0;
}

static unsigned core_count(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static int prepare(struct flow_executor *x)
{
    struct flow_executor_config *c = &x->config;
    c->slots = c->slots ? c->slots : core_count();
    c->stall_us = c->stall_us ? c->stall_us : STALL_US;
    if (!c->memory_bytes) {
        c->memory_bytes =
            (int64_t)sysconf(_SC_PHYS_PAGES) / 4 * 3 * sysconf(_SC_PAGESIZE);
    }
    TRY(c->program ? cstr_dup(&x->program, c->program) : proc_self_path(&x->program));
    c->program = x->program;
    TRY(cstr_dup(&x->toolchain, c->toolchain ? c->toolchain : ""));
    c->toolchain = x->toolchain;
    TRY(flow_counts_new(&x->counts, c));
    TRY(memo_new(&x->memo));
    x->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (x->wake_fd < 0) {
        return err_fail_errno("an executor");
    }
    TRY(lock_folder(x));
    TRY(empty_scratch(c->store));
    return release_all(c->store);
}

static void executor_free(struct flow_executor **executor)
{
    struct flow_executor *x = TAKE(*executor);
    if (!x) {
        return;
    }
    vec_free(&x->running.items);
    vec_free(&x->paces);
    memo_free(&x->memo);
    flow_counts_free(&x->counts);
    fd_close(&x->wake_fd);
    fd_close(&x->lock_fd);
    cstr_free(&x->program);
    cstr_free(&x->toolchain);
    free(x);
}

int flow_executor_start(struct flow_executor **ret,
                        const struct flow_executor_config *config)
{
    AUTO(executor_free) struct flow_executor *x = calloc(1, sizeof *x);
    FAIL_IF(!x, ERR_NOMEM, "an executor");
    x->config = *config;
    x->lock_fd = x->wake_fd = -1;
    x->seen_version = -1;
    TRY(prepare(x));
    FAIL_IF(pthread_create(&x->thread, NULL, execute, x) != 0, ERR_NOMEM,
            "a thread for the executor");
    *ret = TAKE(x);
    return 0;
}

void flow_executor_wake(struct flow_executor *x)
{
    uint64_t one = 1;
    ssize_t told = write(x->wake_fd, &one, sizeof one);
    (void)told;
}

void flow_executor_stop(struct flow_executor **executor)
{
    struct flow_executor *x = *executor;
    if (!x) {
        return;
    }
    atomic_store(&x->stopping, true);
    flow_executor_wake(x);
    pthread_join(x->thread, NULL);
    if (release_all(x->config.store) < 0) {
        // The next executor does it.
        log_warn("flow", "releasing steps: %s", err_reason());
    }
    executor_free(executor);
}
