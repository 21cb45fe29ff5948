// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodes of Slurm, by the argument vectors of scontrol(1) and squeue(1): no library of one Slurm's version is
// linked. A drained node gets no new work and finishes what it has; its reason says whose drain it is, so that a
// node that a person drained is neither taken over nor given back.
//
// scontrol refuses to resume what is not drained, and a step may be done twice: the state is asked first.
#include "insight/driver.h"

#include <stdio.h>
#include <string.h>

#define ASK_US   (25 * INT64_C(1000000)) // a controller that is down takes 10 s to say so
#define JOBS_MAX 20000
#define OURS     "marquee "

// {"env", "SLURM_CONF=…"} where the owner names a configuration: commands get no environment of this process.
struct slurm_command {
    const char *argv[12];
    size_t count;
    char *conf, *program;
};

static void slurm_command_clear(struct slurm_command *c)
{
    cstr_free(&c->conf);
    cstr_free(&c->program);
}

static int command_new(const struct insight_discovery *d, struct slurm_command *ret)
{
    if (d->config) {
        TRY(cstr_printf(&ret->conf, "SLURM_CONF=%s", d->config));
        ret->argv[ret->count++] = "env";
        ret->argv[ret->count++] = ret->conf;
    }
    return 0;
}

static int scontrol_new(const struct insight_discovery *d, struct slurm_command *ret)
{
    TRY(command_new(d, ret));
    ret->argv[ret->count++] = d->program ? d->program : "scontrol";
    return 0;
}

// squeue stands beside scontrol.
static int squeue_new(const struct insight_discovery *d, struct slurm_command *ret)
{
    const char *slash = d->program ? strrchr(d->program, '/') : NULL;
    TRY(command_new(d, ret));
    TRY(cstr_printf(&ret->program, "%.*ssqueue",
                    slash ? (int)(slash + 1 - d->program) : 0, slash ? d->program : ""));
    ret->argv[ret->count++] = ret->program;
    return 0;
}

// --- what a node is ---------------------------------------------------------------------------------

struct node {
    bool drained; // or draining
    bool ours;
    bool completing;
    char reason[128];
};

// What stands between ` key=` and the next blank; of a reason, which may hold blanks and stands last, the rest.
static struct str value_of(struct str line, const char *key)
{
    const char *at = line.data;
    size_t len = strlen(key);
    for (; (at = memmem(at, (size_t)(line.data + line.len - at), key, len)); at += len) {
        struct str rest = {at + len, (size_t)(line.data + line.len - at) - len}, word;
        if (at > line.data && at[-1] == ' ') {
            str_next(&rest, ' ', &word);
            return word;
        }
    }
    return (struct str){0};
}

static struct str reason_of(struct str line)
{
    struct str word = value_of(line, "Reason=");
    if (word.data) {
        word.len = (size_t)(line.data + line.len - word.data);
        const char *who =
            memmem(word.data, word.len, " [", 2); // " [root@2026-11-23T04:40:14]"
        word.len = who ? (size_t)(who - word.data) : word.len;
    }
    return word;
}

static bool has_flag(struct str state, const char *flag)
{
    struct str rest = state, word;
    while (rest.len && str_next(&rest, '+', &word)) {
        if (str_eq_c(word, flag)) {
            return true;
        }
    }
    return false;
}

static int read_node(const struct insight_target *t, struct node *ret)
{
    AUTO(slurm_command_clear) struct slurm_command c = {0};
    AUTO(buf_free) struct buf out = {0};
    TRY(scontrol_new(&t->cluster->discovery, &c));
    c.argv[c.count++] = "-o";
    c.argv[c.count++] = "show";
    c.argv[c.count++] = "node";
    c.argv[c.count] = t->server->node;
    TRY(driver_run(c.argv, NULL, ASK_US, &out));
    struct str line = str_trim(buf_view(&out)), state = value_of(line, "State=");
    FAIL_IF(!state.len, ERR_INVALID, "scontrol says no state of node %s",
            t->server->node);
    struct str reason = reason_of(line);
    struct node n = {.drained = has_flag(state, "DRAIN"),
                     .completing = has_flag(state, "COMPLETING"),
                     .ours = str_starts(reason, OURS)};
    reason.len = MIN(reason.len, sizeof n.reason - 1);
    TRY(str_copy(n.reason, sizeof n.reason, reason));
    *ret = n;
    return 0;
}

// --- discovery ----------------------------------------------------------------------------------------

static int set_state(const struct insight_target *t, const char *state,
                     const char *reason)
{
    AUTO(slurm_command_clear) struct slurm_command c = {0};
    AUTO(cstr_free) char *node = NULL;
    TRY(scontrol_new(&t->cluster->discovery, &c));
    TRY(cstr_printf(&node, "NodeName=%s", t->server->node));
    c.argv[c.count++] = "update";
    c.argv[c.count++] = node;
    c.argv[c.count++] = state;
    c.argv[c.count] = reason;
    return driver_run(c.argv, NULL, ASK_US, NULL);
}

int slurm_apply(const struct insight_target *t)
{
    AUTO(cstr_free) char *reason = NULL;
    struct node n;
    TRY(read_node(t, &n));
    if (!driver_is_out(t)) {
        return n.drained && n.ours ? set_state(t, "State=RESUME", NULL) : 0;
    }
    FAIL_IF(n.drained && !n.ours, ERR_CONFLICT, "node %s is drained already: %s",
            t->server->node, n.reason[0] ? n.reason : "no reason is given");
    if (n.drained) {
        return 0;
    }
    TRY(cstr_printf(&reason, "Reason=" OURS "%s", t->treatment));
    return set_state(t, "State=DRAIN", reason);
}

// --- jobs ---------------------------------------------------------------------------------------------

// "17\n23_4\n": what runs there, or has begun to.
static int list_jobs(const struct insight_target *t, struct buf *out)
{
    AUTO(slurm_command_clear) struct slurm_command c = {0};
    AUTO(cstr_free) char *nodes = NULL;
    TRY(squeue_new(&t->cluster->discovery, &c));
    TRY(cstr_printf(&nodes, "--nodelist=%s", t->server->node));
    static const char *const rest[] = {
        "--noheader", "--array", "--format=%i",
        "--states=RUNNING,SUSPENDED,COMPLETING,CONFIGURING,STOPPED,STAGE_OUT,SIGNALING"};
    c.argv[c.count++] = nodes;
    for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
        c.argv[c.count++] = rest[i];
    }
    return driver_run(c.argv, NULL, ASK_US, out);
}

int slurm_busy(const struct insight_target *t)
{
    AUTO(buf_free) struct buf jobs = {0};
    struct node n;
    TRY(read_node(t, &n));
    FAIL_IF(!n.drained, ERR_CONFLICT, "somebody resumed node %s", t->server->node);
    TRY(list_jobs(t, &jobs));
    return n.completing || str_trim(buf_view(&jobs)).len ? 1 : 0;
}

static bool is_job(struct str word)
{
    for (size_t i = 0; i < word.len; i++) {
        if ((word.data[i] < '0' || word.data[i] > '9') && word.data[i] != '_') {
            return false;
        }
    }
    return word.len > 0;
}

static int requeue(const struct insight_target *t, struct str job)
{
    AUTO(slurm_command_clear) struct slurm_command c = {0};
    AUTO(cstr_free) char *id = NULL;
    TRY(scontrol_new(&t->cluster->discovery, &c));
    TRY(cstr_printf(&id, STR_FMT, STR_ARG(job)));
    c.argv[c.count++] = "requeue";
    c.argv[c.count] = id;
    return driver_run(c.argv, NULL, ASK_US, NULL);
}

// One that may not be requeued stays, and so does the node: the first refusal is told, after all were asked.
int slurm_clear(const struct insight_target *t)
{
    AUTO(buf_free) struct buf jobs = {0}, why = {0};
    TRY(list_jobs(t, &jobs));
    struct str rest = buf_view(&jobs), line;
    size_t asked = 0;
    while (rest.len && str_next(&rest, '\n', &line)) {
        struct str job = str_trim(line);
        FAIL_IF(job.len && !is_job(job), ERR_INVALID, "squeue lists no jobs");
        FAIL_IF(asked++ == JOBS_MAX, ERR_LIMIT, "so many jobs on one node");
        if (job.len && requeue(t, job) < 0 && !why.len) {
            buf_cstr(&why, err_reason());
        }
    }
    TRY(why.err);
    FAIL_IF(why.len, ERR_CONFLICT, "%s", why.data);
    return 0;
}
