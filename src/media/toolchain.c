// SPDX-License-Identifier: GPL-3.0-or-later
//
// What else than parameters and inputs decides a codec's output: which builds of the libraries are
// loaded, and which instructions they take on this CPU. Files of shared libraries carry their version
// in the name that their links lead to.
#include "media/media.h"

#include <libavutil/avutil.h>
#include <libavutil/cpu.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

static const char *const codec_libraries[] = {
    "libav",    "libsw",  "libx264", "libx265",    "libSvtAv1",  "libopus",
    "libdav1d", "libaom", "libvpx",  "libebur128", "libmp3lame", "libvorbis",
};

struct found {
    VEC(char *) names;
    int err;
};

static bool is_codec_library(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(codec_libraries); i++) {
        if (strncmp(name, codec_libraries[i], strlen(codec_libraries[i])) == 0) {
            return true;
        }
    }
    return false;
}

static int note_library(struct dl_phdr_info *info, size_t bytes, void *user)
{
    (void)bytes;
    struct found *found = user;
    char *path =
        info->dlpi_name && *info->dlpi_name ? realpath(info->dlpi_name, NULL) : NULL;
    if (!path) {
        return 0;
    }
    char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    char *name = NULL;
    if (is_codec_library(base) && (found->err = cstr_dup(&name, base)) == 0) {
        found->err = vec_push(&found->names, name);
        if (found->err < 0) {
            free(name);
        }
    }
    free(path);
    return found->err;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int media_toolchain(struct buf *out)
{
    struct found found = {0};
    dl_iterate_phdr(note_library, &found);
    if (found.names.len) {
        qsort(found.names.data, found.names.len, sizeof *found.names.data, by_name);
    }
    buf_printf(out, "ffmpeg %s cpu %x", av_version_info(), (unsigned)av_get_cpu_flags());
    vec_for_each (name, &found.names) {
        buf_char(out, ' ');
        buf_cstr(out, *name);
        cstr_free(name);
    }
    vec_free(&found.names);
    return found.err < 0 ? found.err : out->err;
}
