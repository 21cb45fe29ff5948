// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that others use to break players, each against a line of test/golden/expectations.tsv:
// what is to be published has no finding of severity error, what is to be refused has one of the
// kind that names its fault. No file of the folders may be missing from the list.
#include "media/media.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

static int64_t read_fd(void *opaque, int64_t offset, void *ret, size_t len)
{
    return pread(*(const int *)opaque, ret, len, offset);
}

static char *shared_path(const char *below)
{
    const char *root = getenv("MARQUEE_SHARED");
    char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/data/media/%s",
                                 root ? root : MARQUEE_SOURCE "/../shared", below),
                     0);
    return path;
}

// Ends the test as skipped where the files are not there. skip() jumps: nothing may be held.
static void need_shared(void)
{
    char *root = shared_path("edge");
    bool there = fs_exists(root);
    cstr_free(&root);
    if (!there) {
        print_message("SKIPPED: no shared data (MARQUEE_SHARED)\n");
        skip();
    }
}

// All findings of a file, inspected in up to 4 ranges. False when not even a container opened.
static bool inspect(const char *path, struct findings *out)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int64_t size = 0;
    assert_int_equal(fs_size(path, &size), 0);
    struct media_input input = {&fd, size, read_fd};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *promised = NULL, *timeline = NULL;
    if (media_probe(&input, &source, &promised, out) < 0) {
        return false;
    }
    if (source->video < 0) {
        return true;
    }
    struct media_ranges plan = {0};
    assert_int_equal(media_ranges_plan(source, promised, 4, &plan), 0);
    struct buf blobs[4] = {0}, sound = {0};
    struct str views[4];
    for (size_t i = 0; i < plan.items.len; i++) {
        struct media_inspect_config c = {
            .source = source, .timeline = promised, .range = plan.items.data[i]};
        assert_int_equal(media_inspect_video(&input, &c, &blobs[i]), 0);
        views[i] = buf_view(&blobs[i]);
    }
    assert_int_equal(media_inspect_audio(&input, source, NULL, NULL, &sound), 0);
    AUTO(media_report_free) struct media_report *report = NULL;
    assert_int_equal(media_inspect_merge(source, promised, views, plan.items.len,
                                         buf_view(&sound), out, &report, &timeline),
                     0);
    findings_free(out);
    *out = report->findings;
    report->findings = (struct findings){0};
    for (size_t i = 0; i < plan.items.len; i++) {
        buf_free(&blobs[i]);
    }
    buf_free(&sound);
    vec_free(&plan.items);
    return true;
}

static bool as_expected(const char *path, bool publish, struct str kind)
{
    AUTO(findings_free) struct findings findings = {0};
    bool opened = inspect(path, &findings);
    int errors = 0;
    bool named = str_eq_c(kind, "-");
    vec_for_each (f, &findings.items) {
        errors += f->severity == FINDING_ERROR;
        named = named ||
                (str_eq_c(kind, f->kind) && (publish || f->severity == FINDING_ERROR));
    }
    return named && (publish ? opened && errors == 0 : errors > 0);
}

static void every_file_ends_as_expected(void **state)
{
    (void)state;
    need_shared();
    AUTO(buf_free) struct buf list = {0};
    assert_int_equal(
        fs_read_file(MARQUEE_SOURCE "/test/golden/expectations.tsv", 1 << 20, &list), 0);
    struct str rest = buf_view(&list), line;
    int files = 0;
    str_next(&rest, '\n', &line); // its head
    while (str_next(&rest, '\n', &line) && line.len) {
        struct str name, expect, kind;
        assert_true(str_next(&line, '\t', &name) && str_next(&line, '\t', &expect) &&
                    str_next(&line, '\t', &kind));
        char below[200];
        assert_int_equal(str_copy(below, sizeof below, name), 0);
        AUTO(cstr_free) char *path = shared_path(below);
        if (!as_expected(path, str_eq_c(expect, "publish"), kind)) {
            fail_msg("%s does not end in %.*s (%.*s)", below, STR_ARG(expect),
                     STR_ARG(kind));
        }
        files++;
    }
    assert_true(files > 70);
}

static void no_file_is_missing(void **state)
{
    (void)state;
    need_shared();
    static const char *const folders[] = {"edge", "broken"};
    AUTO(buf_free) struct buf list = {0};
    assert_int_equal(
        fs_read_file(MARQUEE_SOURCE "/test/golden/expectations.tsv", 1 << 20, &list), 0);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        AUTO(cstr_free) char *root = shared_path(folders[i]);
        DIR *dir = opendir(root);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
            char line[400];
            snprintf(line, sizeof line, "\n%s/%s\t", folders[i], e->d_name);
            if (e->d_name[0] != '.' && !strstr(list.data, line)) {
                fail_msg("%s/%s is not in the list", folders[i], e->d_name);
            }
        }
        closedir(dir);
    }
}

static int64_t read_text(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct str *s = opaque;
    size_t n = offset < (int64_t)s->len ? MIN(len, s->len - (size_t)offset) : 0;
    memcpy(ret, s->data + (n ? offset : 0), n);
    return (int64_t)n;
}

static void what_is_no_film_is_named(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *kind;
    } cases[] = {
        {{"", 0}, "empty"},
        {STR("Dear sirs, the film is in the post.\n"), "not_media"},
        {STR("\0\0\0\x10"
             "ftypisom\0\0\0\0\0\0\xff\xff"
             "moov\0\0\0\0"),
         "truncated"},
        {STR("\x1a\x45\xdf\xa3\xff"), "ebml_structure"},
        // A segment of 620 bytes that ends within its information: libav says EIO of it.
        {STR("\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
             "\x18\x53\x80\x67\x01\0\0\0\0\0\x02\x6c"
             "\x15\x49\xa9\x66\xc5\x2a\xd7\xb1\x83\x0f\x42\x40\x4d\x80\x8dLavf"),
         "truncated"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str bytes = cases[i].bytes;
        struct media_input input = {&bytes, (int64_t)bytes.len, read_text};
        AUTO(media_source_free) struct media_source *source = NULL;
        AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
        AUTO(findings_free) struct findings findings = {0};
        int err = media_probe(&input, &source, &timeline, &findings);
        assert_true(err != ERR_IO && err != ERR_INTERNAL);
        bool named = false;
        vec_for_each (f, &findings.items) {
            named = named || strcmp(f->kind, cases[i].kind) == 0;
        }
        if (!named) {
            fail_msg("case %zu is not called %s", i, cases[i].kind);
        }
    }
}

// A sample of 2 GB less a byte: what libav cannot allocate is the file's fault.
static void a_size_that_no_memory_has_is_damage(void **state)
{
    (void)state;
    need_shared();
    AUTO(buf_free) struct buf bytes = {0};
    AUTO(cstr_free) char *path = shared_path("edge/sample_opus_fragmented.mp4");
    assert_int_equal(fs_read_file(path, 1 << 20, &bytes), 0);
    static const char size[] = {0x00, 0x00, 0x01, 0x46};
    char *first = bytes.data + 0x28c; // of its first 'trun'
    assert_memory_equal(first, size, sizeof size);
    memcpy(first, "\x7f\xff\xff\xff", 4);
    struct str view = buf_view(&bytes);
    struct media_input input = {&view, (int64_t)view.len, read_text};
    AUTO(media_source_free) struct media_source *source = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    AUTO(findings_free) struct findings findings = {0};
    assert_int_equal(media_probe(&input, &source, &timeline, &findings), 0);
    bool named = false;
    vec_for_each (f, &findings.items) {
        named = named || strcmp(f->kind, "container_damage") == 0;
    }
    assert_true(named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_film_is_named),
        cmocka_unit_test(a_size_that_no_memory_has_is_damage),
        cmocka_unit_test(no_file_is_missing),
        cmocka_unit_test(every_file_ends_as_expected),
    };
    return cmocka_run_group_tests_name("expectations", tests, NULL, NULL);
}
