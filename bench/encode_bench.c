// SPDX-License-Identifier: GPL-3.0-or-later
//
// encode_bench FILE OUT_DIR [h264|av1|all] [PROCESSES]
//
// Encodes, verifies and packages FILE as `marquee ingest` would, each chunk × group and each sound
// in a process of its own, and prints what it cost. Chunks begin at random-access points only:
// inspection, which knows the shots, is not part of what is measured.
#include "media/plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench {
    struct media_input input;
    struct media_report report;
    struct media_timeline *timeline;
    struct media_plan *plan;
    const char *out;
    int fd;
};

struct task {
    int64_t chunk; // -1: sound
    int64_t frames;
    VEC(int) renditions;
    const char *name;
};

static void bench_free(struct bench *b)
{
    media_source_free(&b->report.source);
    media_timeline_free(&b->timeline);
    media_plan_free(&b->plan);
    fd_close(&b->fd);
}

static int64_t read_file(void *opaque, int64_t offset, void *ret, size_t len)
{
    return pread(*(int *)opaque, ret, len, offset);
}

static int write_file(void *user, const char *rendition, const char *path,
                      const void *bytes, size_t len)
{
    const struct bench *b = user;
    AUTO(cstr_free) char *dir = NULL, *file = NULL;
    TRY(cstr_printf(&dir, "%s/%s", b->out, rendition));
    TRY(cstr_printf(&file, "%s/%s", b->out, path));
    TRY(fs_make_dirs(dir));
    AUTO(fd_close) int fd = open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    FAIL_IF(fd < 0, ERR_IO, "%s", file);
    return fd_write_all(fd, bytes, len);
}

static int run_task(struct bench *b, const struct task *t)
{
    struct media_encoded done[16] = {0};
    struct media_encode_config c = {
        .report = &b->report,
        .timeline = b->timeline,
        .plan = b->plan,
        .renditions = t->renditions.data,
        .rendition_count = t->renditions.len,
        .vbv_init = MEDIA_VBV_INIT,
        .write = write_file,
        .user = b,
    };
    int64_t start = clock_mono_us();
    if (t->chunk >= 0) {
        c.chunk = b->plan->chunks.data[t->chunk];
        TRY(media_encode_video(&b->input, &c, done));
    } else {
        TRY(media_encode_audio(&b->input, &c, done));
    }
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    fprintf(stderr, "%s chunk %lld: %.2f s wall, %.2f s cpu, %ld MB\n", t->name,
            (long long)t->chunk, (double)(clock_mono_us() - start) / 1e6,
            (double)clock_cpu_us() / 1e6, use.ru_maxrss / 1024);
    for (size_t i = 0; i < t->renditions.len; i++) {
        AUTO(cstr_free) char *path = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free) json_t *j = NULL;
        fprintf(stderr,
                "   %-20s %5lld frames  PSNR-Y min %.2f mean %.2f  %zu segments\n",
                done[i].rendition, (long long)done[i].frames, done[i].psnr_min_db,
                done[i].psnr_mean_db, done[i].segments.len);
        TRY(media_encoded_to_json(&done[i], &j));
        json_write_canonical(&text, j);
        TRY(cstr_printf(&path, "%s/%s-%lld.json", b->out, done[i].rendition,
                        (long long)t->chunk));
        TRY(fs_write_file(path, text.data, text.len));
        media_encoded_clear(&done[i]);
    }
    return 0;
}

struct parts { // of one rendition, by chunk
    VEC(struct media_encoded) items;
};

static void parts_free(struct parts *p)
{
    vec_for_each (e, &p->items) {
        media_encoded_clear(e);
    }
    vec_free(&p->items);
}

static int check_rendition(struct bench *b, const struct media_rendition *r)
{
    AUTO(parts_free) struct parts parts = {0};
    int64_t bytes = 0, bad = 0;
    double init = 0;
    for (size_t c = 0; c < b->plan->chunks.len; c++) {
        AUTO(cstr_free) char *path = NULL;
        AUTO(json_free) json_t *j = NULL;
        struct media_encoded e;
        TRY(cstr_printf(&path, "%s/%s-%zu.json", b->out, r->id, c));
        if (!fs_exists(path)) {
            return 0; // this codec was not asked for
        }
        TRY(json_parse_file(&j, path, 1 << 26));
        TRY(media_encoded_from_json(j, &e));
        TRY(vec_push(&parts.items, e));
        for (size_t i = 0; i < e.segments.len; i++) {
            bytes += e.segments.data[i].bytes;
        }
    }
    TRY(media_vbv_check(r, b->timeline, parts.items.data, parts.items.len, &bad, &init));
    const struct media_timeline *t = b->timeline;
    double seconds =
        (double)(t->pts[t->count] - t->pts[0]) * t->time_base.num / t->time_base.den;
    fprintf(stderr, "%-12s %.0f kb/s, VBV %s (chunk %lld, init %.2f)\n", r->id,
            (double)bytes * 8 / seconds / 1000, bad < 0 ? "proved" : "BROKEN",
            (long long)bad, init);
    return 0;
}

static int check_vbv(struct bench *b)
{
    vec_for_each (r, &b->plan->renditions) {
        if (r->kind == MEDIA_RENDITION_VIDEO) {
            TRY(check_rendition(b, r));
        }
    }
    return 0;
}

static int run_all(struct bench *b, const struct task *tasks, size_t count, int limit)
{
    int running = 0;
    int64_t cpu = 0;
    for (size_t next = 0; next < count || running > 0;) {
        if (next < count && running < limit) {
            pid_t pid = fork();
            FAIL_IF(pid < 0, ERR_IO, "fork");
            if (pid == 0) {
                int err = run_task(b, &tasks[next]);
                if (err < 0) {
                    fprintf(stderr, "%s: %s: %s\n", tasks[next].name, err_text(err),
                            err_reason());
                }
                _exit(err < 0);
            }
            next++;
            running++;
            continue;
        }
        struct rusage use;
        int status = 0;
        FAIL_IF(wait4(-1, &status, 0, &use) < 0, ERR_IO, "wait");
        FAIL_IF(status != 0, ERR_CRASHED, "a step failed");
        cpu += use.ru_utime.tv_sec * 1000000LL + use.ru_utime.tv_usec +
               use.ru_stime.tv_sec * 1000000LL + use.ru_stime.tv_usec;
        running--;
    }
    fprintf(stderr, "cpu %.2f s\n", (double)cpu / 1e6);
    return 0;
}

struct tasks {
    VEC(struct task) items;
};

static void tasks_free(struct tasks *t)
{
    vec_for_each (task, &t->items) {
        vec_free(&task->renditions);
    }
    vec_free(&t->items);
}

static int collect_sound(struct bench *b, int stream, const char *codec,
                         struct tasks *out)
{
    struct task t = {.chunk = -1, .name = "sound", .frames = INT64_MAX};
    bool only_aac = strcmp(codec, "h264") == 0;
    for (size_t i = 0; i < b->plan->renditions.len; i++) {
        const struct media_rendition *r = &b->plan->renditions.data[i];
        if (r->kind == MEDIA_RENDITION_AUDIO && r->stream == stream &&
            (!only_aac || strcmp(r->codec, "aac") == 0)) {
            TRY(vec_push(&t.renditions, (int)i));
        }
    }
    return t.renditions.len ? vec_push(&out->items, t) : 0;
}

static int collect_group(struct bench *b, const struct media_group *g, struct tasks *out)
{
    for (size_t c = 0; c < b->plan->chunks.len; c++) {
        const struct media_chunk *chunk = &b->plan->chunks.data[c];
        struct task t = {.chunk = (int64_t)c,
                         .name = g->name,
                         .frames = chunk->end_frame - chunk->start_frame};
        for (size_t i = 0; i < g->renditions.len; i++) {
            TRY(vec_push(&t.renditions, g->renditions.data[i]));
        }
        TRY(vec_push(&out->items, t));
    }
    return 0;
}

static int by_length(const void *pa, const void *pb)
{
    const struct task *a = pa, *b = pb;
    return (a->frames < b->frames) - (a->frames > b->frames);
}

// The longest first, so that the last ones to run are short.
static int collect(struct bench *b, const char *codec, struct tasks *out)
{
    vec_for_each (s, &b->report.source->streams) {
        TRY(collect_sound(b, s->index, codec, out));
    }
    vec_for_each (g, &b->plan->groups) {
        if (strcmp(codec, "all") == 0 || strncmp(g->name, codec, strlen(codec)) == 0) {
            TRY(collect_group(b, g, out));
        }
    }
    qsort(out->items.data, out->items.len, sizeof *out->items.data, by_length);
    return 0;
}

static int bench(int argc, char **argv)
{
    AUTO(bench_free) struct bench b = {.out = argv[2], .fd = -1};
    const char *codec = argc > 3 ? argv[3] : "h264";
    int processes = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 2;
    b.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    FAIL_IF(b.fd < 0, ERR_IO, "cannot open %s", argv[1]);
    b.input = (struct media_input){
        .opaque = &b.fd, .size = lseek(b.fd, 0, SEEK_END), .read = read_file};
    AUTO(findings_free) struct findings findings = {0};
    TRY(fs_make_dirs(b.out));
    TRY(media_probe(&b.input, &b.report.source, &b.timeline, &findings));
    b.report.frames = b.timeline->count;
    memcpy(b.report.scan, "progressive", 12);
    AUTO(media_ladder_free) struct media_ladder *ladder = NULL;
    TRY(media_ladder_default(&ladder));
    TRY(media_plan_make(&b.report, b.timeline, ladder, &b.plan));
    vec_for_each (c, &b.plan->chunks) {
        fprintf(stderr, "chunk %lld..%lld from %lld\n", (long long)c->start_frame,
                (long long)c->end_frame,
                (long long)(c->start_rap < 0
                                ? 0
                                : b.timeline->raps.data[c->start_rap].frame));
    }
    AUTO(tasks_free) struct tasks tasks = {0};
    TRY(collect(&b, codec, &tasks));
    int64_t start = clock_mono_us();
    TRY(run_all(&b, tasks.items.data, tasks.items.len, processes));
    fprintf(stderr, "wall %.2f s\n", (double)(clock_mono_us() - start) / 1e6);
    return check_vbv(&b);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: encode_bench FILE OUT_DIR [h264|av1|all] [PROCESSES]\n");
        return 2;
    }
    int err = bench(argc, argv);
    if (err < 0) {
        fprintf(stderr, "encode_bench: %s: %s\n", err_text(err), err_reason());
    }
    return err < 0;
}
