// SPDX-License-Identifier: GPL-3.0-or-later
//
// fault_bench FILE [h264|av1] [STEP]
//
// Encodes the first chunk of FILE as `marquee ingest` would, its lowest rung only, again and again,
// each time with one fault planted between scaler and encoder, every STEP frames. Prints what the
// verifier caught, and of what it missed, how far the wrong picture was from the right one.
#include "media/encode.h"
#include "media/plan.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum fault { NONE, SWAP, SWAP_FAR, REPEAT, GREEN, LOST, FAULTS };
static const char *const names[] = {"none",     "swapped", "swapped 5 apart",
                                    "repeated", "green",   "lost"};
#define FAR 5

struct bench {
    struct media_input input;
    struct media_report report;
    struct media_timeline *timeline;
    struct media_plan *plan;
    VEC(AVFrame *) right; // of the chunk, as scaled
    enum fault fault;
    int64_t at, packets;
    double distance;
};

static int64_t read_file(void *opaque, int64_t offset, void *ret, size_t len)
{
    return pread(*(int *)opaque, ret, len, offset);
}

static int drop_file(void *user, const char *rendition, const char *path,
                     const void *bytes, size_t len)
{
    (void)user, (void)rendition, (void)path, (void)bytes, (void)len;
    return 0;
}

static double distance(const AVFrame *a, const AVFrame *b)
{
    double sum = 0;
    for (int y = 0; y < a->height; y++) {
        for (int x = 0; x < a->width; x++) {
            double d =
                a->data[0][y * a->linesize[0] + x] - b->data[0][y * b->linesize[0] + x];
            sum += d * d;
        }
    }
    return sum / ((double)a->width * a->height);
}

static AVFrame *green(const AVFrame *like)
{
    AVFrame *f = av_frame_alloc();
    f->format = like->format;
    f->width = like->width;
    f->height = like->height;
    if (av_frame_get_buffer(f, 0) < 0) {
        av_frame_free(&f);
        return NULL;
    }
    for (int p = 0; p < 3; p++) {
        memset(f->data[p], 0,
               (size_t)f->linesize[p] * (size_t)(p ? f->height / 2 : f->height));
    }
    return f;
}

static int spoil_picture(void *user, int rendition, int64_t frame, const AVFrame *right,
                         AVFrame **ret)
{
    (void)rendition;
    struct bench *b = user;
    if (b->fault == NONE) {
        return vec_push(&b->right, av_frame_clone(right));
    }
    int apart = b->fault == SWAP ? 1 : b->fault == SWAP_FAR ? FAR : 0;
    int64_t off = frame - b->at;
    if (apart && (off == 0 || off == apart)) {
        *ret = av_frame_clone(b->right.data[b->at + apart - off]);
    } else if (b->fault == REPEAT && off == 0) {
        *ret = av_frame_clone(b->right.data[frame - 1]);
    } else if (b->fault == GREEN && off == 0) {
        *ret = green(right);
    }
    if (*ret && off == 0) {
        b->distance = distance(*ret, right);
    }
    return 0;
}

static int spoil_packet(void *user, int rendition, AVPacket *packet)
{
    (void)rendition, (void)packet;
    struct bench *b = user;
    return b->packets++ == b->at && b->fault == LOST;
}

static int run(struct bench *b, int rendition)
{
    struct encode_faults faults = {b, spoil_picture, spoil_packet};
    struct media_encode_config c = {.report = &b->report,
                                    .timeline = b->timeline,
                                    .plan = b->plan,
                                    .chunk = b->plan->chunks.data[0],
                                    .renditions = &rendition,
                                    .rendition_count = 1,
                                    .vbv_init = MEDIA_VBV_INIT,
                                    .write = drop_file};
    struct media_encoded done = {0};
    b->packets = 0;
    int err = encode_video_with(&b->input, &c, &faults, &done);
    media_encoded_clear(&done);
    return err;
}

static int plant_all(struct bench *b, int rendition, int64_t step)
{
    int err = run(b, rendition);
    printf("%s, %zu frames, without a fault: %s\n",
           b->plan->renditions.data[rendition].id, b->right.len,
           err < 0 ? err_reason() : "verified");
    for (int fault = SWAP; fault < FAULTS; fault++) {
        int64_t planted = 0, caught = 0;
        double worst = 0;
        for (int64_t at = 1; at + FAR < (int64_t)b->right.len; at += step) {
            b->fault = (enum fault)fault;
            b->at = at;
            b->distance = 0;
            err = run(b, rendition);
            planted++;
            caught += err == ERR_CORRUPT;
            worst = err == ERR_CORRUPT ? worst : fmax(worst, b->distance);
        }
        printf("  %-16s caught %lld of %lld", names[fault], (long long)caught,
               (long long)planted);
        printf(caught < planted ? "; the farthest that was missed: %.1f dB\n" : "\n",
               10 * log10(65025 / fmax(worst, 1e-6)));
    }
    return 0;
}

static int bench(int argc, char **argv)
{
    struct bench b = {0};
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    FAIL_IF(fd < 0, ERR_IO, "cannot open %s", argv[1]);
    b.input = (struct media_input){
        .opaque = &fd, .size = lseek(fd, 0, SEEK_END), .read = read_file};
    struct findings findings = {0};
    TRY(media_probe(&b.input, &b.report.source, &b.timeline, &findings));
    b.report.frames = b.timeline->count;
    memcpy(b.report.scan, "progressive", 12);
    struct media_ladder *ladder = NULL;
    TRY(media_ladder_default(&ladder));
    TRY(media_plan_make(&b.report, b.timeline, ladder, &b.plan));
    const char *codec = argc > 2 ? argv[2] : "h264";
    int64_t step = argc > 3 ? strtol(argv[3], NULL, 10) : 25;
    for (size_t i = 0; i < b.plan->renditions.len; i++) {
        if (strcmp(b.plan->renditions.data[i].codec, codec) == 0) {
            return plant_all(&b, (int)i, MAX(step, 1));
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: fault_bench FILE [h264|av1] [STEP]\n");
        return 2;
    }
    int err = bench(argc, argv);
    if (err < 0) {
        fprintf(stderr, "fault_bench: %s: %s\n", err_text(err), err_reason());
    }
    return err < 0;
}
