// SPDX-License-Identifier: GPL-3.0-or-later
//
// The pages, as `npm run build` left them in ui/dist. Every state of a page is a link, so an address
// without an ending is answered with the page of its face. Names under assets/ hold a hash of what
// is in them.
#include "app/api.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CSP                                                                         \
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "      \
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors " \
    "'none'"

// Addresses that are not pages, whatever their ending.
static bool is_ours(struct str path)
{
    static const char *const roots[] = {"api/", "media/", "art/", "link/", "assets/"};
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        if (str_starts(path, roots[i])) {
            return true;
        }
    }
    return false;
}

static bool has_ending(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strchr(slash ? slash : path, '.') != NULL;
}

static const char *page_of(const char *path)
{
    if (*path && has_ending(path)) {
        return path;
    }
    bool desk = strcmp(path, "desk") == 0 || str_starts(str_of(path), "desk/");
    return desk ? "desk/index.html" : "index.html";
}

// The smallest variant that the client takes: `<path>.br`, `<path>.gz`, the file itself.
static int open_variant(struct http_request *req, const char *dir, const char *path,
                        int *ret_fd, const char **ret_coding)
{
    static const struct {
        const char *coding, *ending;
    } variants[] = {{"br", ".br"}, {"gzip", ".gz"}};
    for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
        const char *name =
            arena_printf(http_request_arena(req), "%s%s", path, variants[i].ending);
        FAIL_IF(!name, ERR_NOMEM, "a name");
        if (http_request_accepts(req, variants[i].coding) &&
            served_open(dir, name, ret_fd) == 0) {
            *ret_coding = variants[i].coding;
            return 0;
        }
    }
    *ret_coding = "identity";
    return served_open(dir, path, ret_fd);
}

static int send_page(struct http_request *req, struct http_response *res, const char *dir,
                     const char *path)
{
    int fd = -1;
    const char *coding = NULL;
    struct stat st;
    TRY(open_variant(req, dir, path, &fd, &coding));
    http_header(res, "Vary", "Accept-Encoding");
    if (strcmp(coding, "identity") != 0) {
        http_header(res, "Content-Encoding", coding);
    }
    if (str_ends(str_of(path), ".html")) {
        http_header(res, "Content-Security-Policy", CSP);
        http_header(res, "Cross-Origin-Opener-Policy", "same-origin");
    }
    const char *etag = fstat(fd, &st) < 0
                           ? NULL
                           : arena_printf(http_request_arena(req), "%llx-%llx-%s",
                                          (unsigned long long)st.st_mtim.tv_sec,
                                          (unsigned long long)st.st_size, coding);
    bool immutable = str_starts(str_of(path), "assets/");
    return http_file(res, fd, served_type(path), etag ? etag : "none",
                     immutable ? "public, max-age=31536000, immutable" : "no-cache");
}

int api_pages_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const char *path = http_request_param(req, "rest");
    if (!api->ui_dir) {
        http_hint(res,
                  "Build them (npm ci && npm run build in ui/), or name their folder: "
                  "marquee serve --ui DIR");
        FAIL(ERR_NOT_FOUND, "this service has no pages");
    }
    if (is_ours(str_of(path))) {
        FAIL_IF(!str_starts(str_of(path), "assets/"), ERR_NOT_FOUND,
                "nothing is at this address");
        return send_page(req, res, api->ui_dir, path);
    }
    return send_page(req, res, api->ui_dir, page_of(path));
}
