// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/caption_text.h"
#include "media/media.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const char *file, const char *expected)
{
    AUTO(buf_free) struct buf out = {0};
    struct diag diag = {0};
    int err = media_captions_convert(str_of(file), "film", &out, &diag);
    if (err < 0) {
        diag_print(&diag, stderr);
    }
    diag_free(&diag);
    assert_int_equal(err, 0);
    assert_string_equal(out.data, expected);
}

static void subrip_becomes_webvtt(void **state)
{
    (void)state;
    check(
        "1\r\n00:00:01,500 --> 00:00:03,000\r\nTom & <i>Jerry</i>\r\nsay 1 < 2\r\n\r\n"
        "2\r\n00:01:00,000 --> 00:01:02,250\r\n{\\an8}Up --> there\r\n",
        "WEBVTT\n\n00:00:01.500 --> 00:00:03.000\nTom &amp; <i>Jerry</i>\nsay 1 &lt; 2\n"
        "\n00:01:00.000 --> 00:01:02.250 line:0\nUp --&gt; there\n");
}

static void ass_keeps_its_styles_and_order(void **state)
{
    (void)state;
    check("[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\n"
          "Style: Default,Arial\n\n[Events]\nFormat: Layer, Start, End, Style, Name, "
          "MarginL, MarginR, MarginV, Effect, Text\n"
          "Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,second, with a comma\n"
          "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1\\b1}both{\\i0} "
          "bold{\\b0}\\N{\\p1}m 0 0 l 1 1{\\p0}\\N\\Nend\\h!\n",
          "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n<i><b>both</b></i> <b>bold</b>\n"
          "end&nbsp;!\n\n00:00:05.000 --> 00:00:06.000\nsecond, with a comma\n");
}

static void webvtt_keeps_what_it_knows(void **state)
{
    (void)state;
    check("WEBVTT\n\nNOTE hidden\n\nid-1\n00:01.000 --> 00:02.000 line:0 align:start "
          "onclick:x\n<v Roger>Hi <script>x</script> &amp; &copy; <b>yes</b>\n",
          "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 line:0 align:start\n"
          "<v Roger>Hi &lt;script&gt;x&lt;/script&gt; &amp; &amp;copy; <b>yes</b>\n");
}

static void what_is_no_caption_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        int err;
    } cases[] = {
        {"", ERR_UNSUPPORTED},
        {"hello\n", ERR_UNSUPPORTED},
        {"WEBVTT\n\n", ERR_NOT_FOUND},
        {"WEBVTT\n\n00:01.000 --> 00:02.000\n\xff\xfe bad\n", ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_free) struct buf out = {0};
        struct diag diag = {0};
        int err = media_captions_convert(str_of(cases[i].file), "film.srt", &out, &diag);
        assert_int_equal(err, cases[i].err);
        assert_int_equal(diag.items.len, 1);
        if (err == ERR_INVALID) {
            assert_int_equal(diag.items.data[0].line, 4);
        }
        diag_free(&diag);
    }
}

static void a_cue_is_bounded(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf ass = {0}, out = {0};
    buf_cstr(&ass, "{\\i1}");
    for (int i = 0; i < 5000; i++) {
        buf_cstr(&ass, "é");
    }
    enum caption_place place = CAPTION_TOP;
    caption_text_from_ass(ass.data, &out, &place);
    assert_true(out.len <= CAPTION_TEXT_MAX + 16);
    assert_true(str_is_utf8(buf_view(&out)));
    assert_true(str_ends(buf_view(&out), "é</i>"));
    assert_int_equal(place, CAPTION_BOTTOM);
}

// --- films ----------------------------------------------------------------------------------

static int64_t read_fd(void *opaque, int64_t offset, void *ret, size_t len)
{
    return pread(*(int *)opaque, ret, len, offset);
}

// The captions of one stream of a film of the shared data; false when that is not here.
static bool extract(const char *name, int stream, struct buf *out, int *ret_err)
{
    const char *shared = getenv("MARQUEE_SHARED");
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/data/media/edge/%s",
                                 shared != NULL ? shared : "../shared", name),
                     0);
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    int64_t size = 0;
    assert_int_equal(fs_size(path, &size), 0);
    struct media_input input = {.opaque = &fd, .size = size, .read = read_fd};
    *ret_err =
        media_captions_extract(&input, NULL, stream, 0, (struct rational){1, 1000}, out);
    return true;
}

static void embedded_captions_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *first;
    } films[] = {
        {"sample_with_srt.mkv", "WEBVTT\n\n00:00:00.000 --> 00:00:01.234\n"},
        {"sample_with_null_terminated_ssa_subtitles.mkv",
         "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nThis is the first\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(films); i++) {
        AUTO(buf_free) struct buf out = {0};
        int err = 0, stream = 0;
        do {
            buf_clear(&out);
            if (!extract(films[i].name, stream, &out, &err)) {
                print_message("SKIPPED: no shared data (MARQUEE_SHARED)\n");
                skip();
            }
        } while (err < 0 && ++stream < 4);
        assert_int_equal(err, 0);
        assert_true(str_starts(buf_view(&out), films[i].first));
        assert_true(str_is_utf8(buf_view(&out)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subrip_becomes_webvtt),
        cmocka_unit_test(ass_keeps_its_styles_and_order),
        cmocka_unit_test(webvtt_keeps_what_it_knows),
        cmocka_unit_test(what_is_no_caption_is_refused),
        cmocka_unit_test(a_cue_is_bounded),
        cmocka_unit_test(embedded_captions_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
