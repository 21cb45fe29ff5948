// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/made_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// cmocka wants the two above it.
#include <cmocka.h>

static void ladder_of(struct run *r, const char *rungs, int64_t segment_ms,
                      int64_t chunk_ms)
{
    AUTO(buf_free) struct buf yaml = {0};
    AUTO(diag_free) struct diag d = {0};
    buf_printf(&yaml, "segment_ms: %lld\nchunk_ms: %lld\npsnr_floor_db: 24\n%s",
               (long long)segment_ms, (long long)chunk_ms, rungs);
    int err = media_ladder_parse(buf_view(&yaml), "test", &r->ladder, &d);
    diag_print(&d, stderr);
    assert_int_equal(err, 0);
}

void run_new(struct run *r, const struct made_film *m, const char *rungs,
             int64_t segment_ms)
{
    *r = (struct run){0};
    made_file_new(&r->file, m);
    ladder_of(r, rungs, segment_ms, 2 * segment_ms);
}

void run_plan(struct run *r)
{
    int err = media_plan_make(&r->file.report, r->file.timeline, r->ladder, &r->plan);
    if (err < 0) {
        print_error("%s\n", err_reason());
    }
    assert_int_equal(err, 0);
}

static struct media_encode_config config_of(struct run *r)
{
    return (struct media_encode_config){
        .report = &r->file.report,
        .timeline = r->file.timeline,
        .plan = r->plan,
        .vbv_init = MEDIA_VBV_INIT,
        .write = made_sink_write,
        .progress = r->progress,
        .user = &r->sink,
    };
}

void run_video(struct run *r, const struct encode_faults *faults)
{
    struct media_encode_config c = config_of(r);
    for (size_t g = 0; g < r->plan->groups.len; g++) {
        const struct media_group *group = &r->plan->groups.data[g];
        c.renditions = group->renditions.data;
        c.rendition_count = group->renditions.len;
        for (size_t k = 0; k < r->plan->chunks.len; k++) {
            struct media_encoded done[8] = {0};
            c.chunk = r->plan->chunks.data[k];
            r->err = encode_video_with(&r->file.input, &c, faults, done);
            if (r->err < 0) {
                return;
            }
            for (size_t i = 0; i < group->renditions.len; i++) {
                assert_int_equal(vec_push(&r->encoded, done[i]), 0);
            }
        }
    }
}

void run_audio(struct run *r)
{
    struct media_encode_config c = config_of(r);
    VEC(int) voices = {0};
    for (size_t i = 0; i < r->plan->renditions.len; i++) {
        if (r->plan->renditions.data[i].kind == MEDIA_RENDITION_AUDIO) {
            assert_int_equal(vec_push(&voices, (int)i), 0);
        }
    }
    struct media_encoded done[8] = {0};
    c.renditions = voices.data;
    c.rendition_count = voices.len;
    r->err = media_encode_audio(&r->file.input, &c, done);
    for (size_t i = 0; i < voices.len && r->err == 0; i++) {
        assert_int_equal(vec_push(&r->encoded, done[i]), 0);
    }
    vec_free(&voices);
}

void run_free(struct run *r)
{
    vec_for_each (e, &r->encoded) {
        media_encoded_clear(e);
    }
    vec_free(&r->encoded);
    made_sink_free(&r->sink);
    media_plan_free(&r->plan);
    media_ladder_free(&r->ladder);
    made_file_free(&r->file);
}

void expect_success(const struct run *r)
{
    if (r->err < 0) {
        print_error("%s\n", err_reason());
    }
    assert_int_equal(r->err, 0);
}
