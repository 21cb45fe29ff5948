// SPDX-License-Identifier: GPL-3.0-or-later
//
// `marquee doctor`: what is missing on this machine, and what to type.
#include "app/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct check {
    const char *name;
    // 1 fine, 0 missing; says what and, where missing, what to type.
    int (*run)(const struct args *, struct buf *what, struct buf *hint);
    bool needed; // without it the program does not do its work
};

static int encoder(const char *name, const char *package, struct buf *what,
                   struct buf *hint)
{
    buf_printf(what, "encoder %s", name);
    buf_printf(hint, "apt-get install %s", package);
    return avcodec_find_encoder_by_name(name) != NULL;
}

static int check_h264(const struct args *args, struct buf *what, struct buf *hint)
{
    (void)args;
    return encoder("libx264", "libavcodec59", what, hint);
}

static int check_av1(const struct args *args, struct buf *what, struct buf *hint)
{
    (void)args;
    return encoder("libsvtav1", "libavcodec59", what, hint);
}

static int check_opus(const struct args *args, struct buf *what, struct buf *hint)
{
    (void)args;
    return encoder("libopus", "libavcodec59", what, hint);
}

static int check_libav(const struct args *args, struct buf *what, struct buf *hint)
{
    (void)args;
    unsigned built = LIBAVCODEC_VERSION_MAJOR, there = avcodec_version() >> 16;
    buf_printf(what, "libavcodec %u, built with %u", there, built);
    buf_cstr(hint, "build again: ./run builds with what is installed");
    return built == there;
}

// The folder, or the first above it that is there: what looks makes nothing.
static int nearest_dir(const char *wished, char **ret)
{
    AUTO(cstr_free) char *path = NULL;
    struct stat st;
    TRY(cstr_dup(&path, wished));
    while (stat(path, &st) < 0) {
        if (errno != ENOENT) {
            return err_fail_errno("%s", path);
        }
        char *slash = strrchr(path, '/');
        if (!slash) {
            return cstr_dup(ret, ".");
        }
        slash[slash == path] = '\0';
    }
    FAIL_IF(!S_ISDIR(st.st_mode), ERR_INVALID, "%s is no folder", path);
    *ret = TAKE(path);
    return 0;
}

static int check_data(const struct args *args, struct buf *what, struct buf *hint)
{
    AUTO(cstr_free) char *dir = NULL;
    const char *wished = command_data_dir(args);
    int err = nearest_dir(wished, &dir);
    buf_cstr(hint, "choose another with --data DIR, or MARQUEE_DATA");
    if (err < 0) {
        buf_printf(what, "data folder %s: %s", wished, err_reason());
        return 0;
    }
    buf_printf(what,
               strcmp(dir, wished) == 0
                   ? "data folder %s can be written"
                   : "there is no data folder %s yet; it can be made in %s",
               wished, dir);
    return access(dir, W_OK | X_OK) == 0;
}

static int check_space(const struct args *args, struct buf *what, struct buf *hint)
{
    struct statvfs fs = {0};
    AUTO(cstr_free) char *dir = NULL;
    if (nearest_dir(command_data_dir(args), &dir) < 0 || statvfs(dir, &fs) < 0) {
        buf_cstr(what, "free space of the data folder");
        return 0;
    }
    unsigned long long free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    buf_printf(what, "%llu MiB free for the data folder", free_mib);
    buf_cstr(hint, "films need some three times their size; make room or move --data");
    return free_mib > 2048;
}

static int check_links(const struct args *args, struct buf *what, struct buf *hint)
{
    const char *dir = command_data_dir(args);
    AUTO(cstr_free) char *from = NULL, *to = NULL;
    if (!fs_exists(dir)) {
        buf_cstr(what, "hard links: told once the data folder is there");
        return 1;
    }
    buf_cstr(what, "the data folder's file system has hard links");
    buf_cstr(hint, "packages are copied instead, which takes their space twice");
    if (cstr_printf(&from, "%s/.doctor-%d", dir, (int)getpid()) < 0 ||
        cstr_printf(&to, "%s.link", from) < 0) {
        return 0;
    }
    AUTO(fd_close)
    int fd = open(from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool linked = fd >= 0 && link(from, to) == 0;
    unlink(to);
    unlink(from);
    return linked;
}

static int check_store(const struct args *args, struct buf *what, struct buf *hint)
{
    AUTO(store_close) struct store *store = NULL;
    bool is_there = false;
    int err = command_has_data(args, &is_there);
    buf_cstr(what, err == 0 && !is_there ? "no rows yet" : "the rows can be read");
    err = err == 0 && is_there ? command_open(args, &store) : err;
    if (err < 0) {
        buf_cstr(hint, err_reason());
    }
    return err == 0;
}

static bool in_path(const char *program)
{
    struct str rest = str_of(getenv("PATH")), dir;
    while (str_next(&rest, ':', &dir)) {
        AUTO(cstr_free) char *path = NULL;
        if (cstr_printf(&path, STR_FMT "/%s", STR_ARG(dir), program) == 0 &&
            access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static int check_node(const struct args *args, struct buf *what, struct buf *hint)
{
    (void)args;
    buf_cstr(what, "node and npm, to build the pages");
    buf_cstr(hint, "apt-get install nodejs npm");
    return in_path("node") && in_path("npm");
}

static int check_mail(const struct args *args, struct buf *what, struct buf *hint)
{
    (void)args;
    const char *url = getenv("MARQUEE_SMTP");
    buf_printf(what, "mail: %s", url && *url ? url : "not sent, requests wait");
    buf_cstr(hint, "export MARQUEE_SMTP=smtp://HOST:25 MARQUEE_MAIL_FROM=ADDRESS");
    return url && *url;
}

static const struct check checks[] = {
    {"libav", check_libav, true},  {"h264", check_h264, true},
    {"av1", check_av1, true},      {"opus", check_opus, true},
    {"data", check_data, true},    {"space", check_space, false},
    {"links", check_links, false}, {"rows", check_store, true},
    {"node", check_node, false},   {"mail", check_mail, false},
};

static int check_one(const struct args *args, const struct check *check, json_t *list,
                     bool *ret_bad)
{
    AUTO(buf_free) struct buf what = {0}, hint = {0};
    bool fine = check->run(args, &what, &hint) > 0;
    *ret_bad = *ret_bad || (!fine && check->needed);
    TRY(what.err);
    TRY(hint.err);
    if (!args_has(args, "json")) {
        printf("%-7s %s%s%s\n",
               fine            ? "ok"
               : check->needed ? "MISSING"
                               : "note",
               what.data, fine ? "" : "\n        → ",
               fine || !hint.data ? "" : hint.data);
    }
    json_t *item = NULL;
    TRY(json_made(json_pack("{s:s, s:b, s:b, s:s, s:s?}", "name", check->name, "ok", fine,
                            "needed", check->needed, "what", what.data, "hint",
                            fine ? NULL : hint.data),
                  &item));
    FAIL_IF(json_array_append_new(list, item) != 0, ERR_NOMEM, "checks");
    return 0;
}

static int doctor_run(const struct args *args)
{
    bool bad = false;
    AUTO(json_free) json_t *list = json_array(), *all = NULL;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        int err = check_one(args, &checks[i], list, &bad);
        if (err < 0) {
            return command_failed(args, err);
        }
    }
    if (args_has(args, "json")) {
        if (json_made(
                json_pack("{s:i, s:b, s:O}", "schema", 1, "ok", !bad, "checks", list),
                &all) < 0 ||
            command_print(all) != ARGS_DONE) {
            return ARGS_FAILED;
        }
    }
    return bad ? ARGS_FAILED : ARGS_DONE;
}

static const struct args_command rows[] = {
    {.path = "doctor",
     .summary = "Says what is missing on this machine, and what to type",
     .operands = "",
     COMMAND_OPTIONS(command_data_json),
     .run = doctor_run},
};
const struct command_family doctor_commands = {rows, ARRAY_LEN(rows)};
