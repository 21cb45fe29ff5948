// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/api.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int served_open(const char *dir, const char *path, int *ret_fd)
{
    AUTO(fd_close) int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return err_fail_errno("the folder of files");
    }
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    AUTO(fd_close) int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
                      errno == EXDEV || errno == ENAMETOOLONG;
        return absent ? err_fail(ERR_NOT_FOUND, "there is no such file")
                      : err_fail_errno("opening a file");
    }
    struct stat st;
    FAIL_IF(fstat(fd, &st) < 0 || !S_ISREG(st.st_mode), ERR_NOT_FOUND,
            "there is no such file");
    *ret_fd = fd;
    fd = -1;
    return 0;
}

const char *served_type(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".m4s", "video/iso.segment"},
        {".mp4", "video/mp4"},
        {".m3u8", "application/vnd.apple.mpegurl"},
        {".mpd", "application/dash+xml"},
        {".vtt", "text/vtt; charset=utf-8"},
        {".jpg", "image/jpeg"},
        {".png", "image/png"},
        {".webp", "image/webp"},
        {".svg", "image/svg+xml"},
        {".ico", "image/x-icon"},
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".txt", "text/plain; charset=utf-8"},
        {".woff2", "font/woff2"},
        {".wasm", "application/wasm"},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_ends(str_of(path), types[i].ending)) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}
