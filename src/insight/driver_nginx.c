// SPDX-License-Identifier: GPL-3.0-or-later
//
// An nginx upstream. The owner's configuration keeps the block and includes a file inside it:
//
//     upstream edges { zone edges 64k; include /etc/nginx/edges.conf; }
//
// The file is written whole, from the description and who is out, beside the old one and renamed over it;
// nginx -t judges it; the master reloads on SIGHUP (nginx(8)). If nginx refuses it, the old file is back
// before anybody reloads. Workers of the old configuration finish the requests that they have.
#include "insight/driver.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#define TEST_US      (30 * INT64_C(1000000))
#define INCLUDE_MAX  (4u << 20)
#define PID_FILE_MAX 64

static bool is_out(const struct insight_target *t, const char *name)
{
    for (size_t i = 0; i < t->out_count; i++) {
        if (strcmp(t->out[i], name) == 0) {
            return true;
        }
    }
    return false;
}

// Addresses have no character that nginx' grammar knows (fleet.c).
static int write_include(const struct insight_target *t, struct buf *out)
{
    buf_printf(out, "# Written by marquee for cluster %s: do not edit.\n",
               t->cluster->name);
    for (size_t i = 0; i < t->cluster->servers_count; i++) {
        const struct insight_server *s = &t->cluster->servers[i];
        buf_printf(out, "server %s%s;\n", s->address, is_out(t, s->name) ? " down" : "");
    }
    return out->err;
}

static int test(const struct insight_discovery *d)
{
    const char *argv[8] = {d->program ? d->program : "nginx", "-t", "-q"};
    size_t n = 3;
    if (d->config) {
        argv[n++] = "-c";
        argv[n++] = d->config;
    }
    if (d->prefix) {
        argv[n++] = "-p";
        argv[n++] = d->prefix;
    }
    return driver_run(argv, NULL, TEST_US, NULL);
}

static int reload(const struct insight_discovery *d)
{
    AUTO(buf_free) struct buf text = {0};
    int64_t pid = 0;
    TRY(fs_read_file(d->pid_file, PID_FILE_MAX, &text));
    TRY(str_to_i64(str_trim(buf_view(&text)), 2, INT32_MAX, &pid));
    AUTO(fd_close) int fd = pidfd_open((pid_t)pid, 0);
    if (fd < 0 || pidfd_send_signal(fd, SIGHUP, NULL, 0) < 0) {
        return err_fail_errno("reloading nginx, process %lld", (long long)pid);
    }
    return 0;
}

int nginx_apply(const struct insight_target *t)
{
    const struct insight_discovery *d = &t->cluster->discovery;
    AUTO(buf_free) struct buf before = {0}, text = {0}, why = {0};
    TRY(write_include(t, &text));
    bool was_there = fs_exists(d->file);
    if (was_there) {
        TRY(fs_read_file(d->file, INCLUDE_MAX, &before));
    }
    TRY(fs_write_file(d->file, text.data, text.len));
    int err = test(d);
    if (err < 0) {
        buf_cstr(&why, err_reason());
        if (was_there && fs_write_file(d->file, before.data, before.len) < 0) {
            FAIL(err, "%s; and the file that was there cannot be put back",
                 why.len ? why.data : "");
        }
        FAIL(err, "%s", why.len ? why.data : "nginx refuses the configuration");
    }
    return reload(d);
}
