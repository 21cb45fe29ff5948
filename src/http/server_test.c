// SPDX-License-Identifier: GPL-3.0-or-later
//
// A real server, met over raw sockets by clients that behave and by clients that do not.
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define ROLE_USER  1u
#define ROLE_ADMIN 2u

struct place {
    struct http_server *server;
    char dir[32];
    char file[64];
    int64_t appended_max;
};

// --- the resource under test --------------------------------------------------------------

static int get_hello(struct http_request *req, struct http_response *res, void *user)
{
    (void)user;
    const char *name = http_request_query(req, "name");
    return http_json(res, 200, json_pack("{s:s}", "hello", name ? name : "nobody"));
}

static int get_peer(struct http_request *req, struct http_response *res, void *user)
{
    (void)user;
    return http_json(res, 200, json_pack("{s:s}", "peer", http_request_peer(req)));
}

static int post_echo(struct http_request *req, struct http_response *res, void *user)
{
    (void)user;
    json_t *body = NULL;
    TRY(http_request_json(req, &body));
    return http_json(res, 201, body);
}

static int get_file(struct http_request *req, struct http_response *res, void *user)
{
    (void)req;
    struct place *p = user;
    int fd = open(p->file, O_RDONLY | O_CLOEXEC);
    FAIL_IF(fd < 0, ERR_NOT_FOUND, "no file");
    return http_file(res, fd, "video/mp4", "tag", "public, max-age=31536000, immutable");
}

static int put_stream(struct http_request *req, struct http_response *res, void *user)
{
    (void)user;
    char text[65] = "";
    ssize_t n = read(http_request_body_fd(req), text, sizeof text - 1);
    FAIL_IF(n < 0, ERR_IO, "read");
    return http_json(res, 200,
                     json_pack("{s:s, s:I}", "head", text, "bytes",
                               (json_int_t)http_request_body_bytes(req)));
}

static int open_append(struct http_request *req, void *user, int *ret_fd,
                       int64_t *ret_max)
{
    (void)req;
    struct place *p = user;
    int fd = open(p->file, O_RDWR | O_APPEND | O_CLOEXEC);
    FAIL_IF(fd < 0, ERR_NOT_FOUND, "no file");
    *ret_fd = fd;
    *ret_max = p->appended_max;
    return 0;
}

static int did_append(struct http_request *req, struct http_response *res, void *user)
{
    (void)req, (void)user;
    http_status(res, 204);
    return 0;
}

static int replay(void *user, int64_t after, const char *prefix, struct buf *out)
{
    (void)user, (void)prefix;
    AUTO(json_free) json_t *data = json_pack("{s:s}", "from", "log");
    for (int64_t id = after + 1; id <= 3; id++) {
        http_sse_format(out, id, NULL, data);
    }
    return 0;
}

static int get_events(struct http_request *req, struct http_response *res, void *user)
{
    struct http_sse_config c = {.topic_prefix = http_request_query(req, "subject"),
                                .last_id = http_request_last_event_id(req),
                                .replay = replay,
                                .user = user};
    return http_sse(res, &c);
}

static int get_secret(struct http_request *req, struct http_response *res, void *user)
{
    (void)user;
    return http_json(res, 200, json_pack("{s:s}", "who", http_request_identity(req)));
}

static int get_broken(struct http_request *req, struct http_response *res, void *user)
{
    (void)user, (void)req;
    http_header(res, "X-Half", "written");
    FAIL(ERR_INTERNAL, "the key is hunter2");
}

static int authenticate(struct http_request *req, void *user, http_roles *ret_roles,
                        void **ret_identity)
{
    (void)user;
    const char *token = http_request_header(req, "Authorization");
    if (!token) {
        token = http_request_cookie(req, "session");
    }
    FAIL_IF(token && strcmp(token, "unreadable") == 0, ERR_IO, "the rows cannot be read");
    *ret_roles = !token                        ? 0
                 : strcmp(token, "admin") == 0 ? ROLE_ADMIN
                 : strcmp(token, "user") == 0  ? ROLE_USER
                                               : 0;
    *ret_identity = *ret_roles ? strdup(token) : NULL;
    return 0;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hello", HTTP_PUBLIC, get_hello, 0, "", false, NULL},
    {HTTP_GET, "/peer", HTTP_PUBLIC, get_peer, 0, "", false, NULL},
    {HTTP_POST, "/echo", HTTP_PUBLIC, post_echo, 4096, "", false, NULL},
    {HTTP_GET, "/file", HTTP_PUBLIC, get_file, 0, "", false, NULL},
    {HTTP_PUT, "/stream", ROLE_USER, put_stream, 1 << 26, "", true, NULL},
    {HTTP_PATCH, "/append", ROLE_USER, did_append, 1 << 26, "", true, open_append},
    {HTTP_GET, "/events", HTTP_PUBLIC, get_events, 0, "", false, NULL},
    {HTTP_GET, "/secret", ROLE_ADMIN, get_secret, 0, "", false, NULL},
    {HTTP_GET, "/broken", HTTP_PUBLIC, get_broken, 0, "", false, NULL},
};

static int start(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || str_copy(p->dir, sizeof p->dir, STR("/tmp/http-test-XXXXXX")) < 0 ||
        !mkdtemp(p->dir)) {
        return -1;
    }
    snprintf(p->file, sizeof p->file, "%s/file", p->dir);
    if (fs_write_file(p->file, "0123456789", 10) < 0) {
        return -1;
    }
    p->appended_max = 1 << 20;
    const struct http_config c = {.routes = routes,
                                  .route_count = ARRAY_LEN(routes),
                                  .user = p,
                                  .authenticate = authenticate,
                                  .free_identity = free,
                                  .body_dir = p->dir,
                                  .max_connections = 2048,
                                  .max_per_ip = 2048,
                                  .idle_timeout_s = 1,
                                  .stream_life_s = 5};
    *state = p;
    log_set_level(LOG_ERROR);
    return http_server_start(&p->server, &c);
}

static int stop(void **state)
{
    struct place *p = *state;
    http_server_stop(&p->server);
    int err = fs_remove_tree(p->dir);
    free(p);
    return err;
}

// --- clients ------------------------------------------------------------------------------

static int dial(const struct place *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(http_server_port(p->server))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 20};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

// What a peer that may close at once takes of it.
static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, text + at, len - at, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        at += (size_t)n;
    }
}

// Until the server closed; an answer that never ends is a failure.
static void hear(int fd, struct buf *out)
{
    char piece[4096];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0) {
        buf_add(out, piece, (size_t)n);
    }
    assert_true(n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK));
    buf_reserve(out, 0);
}

static void hear_until(int fd, struct buf *out, const char *text)
{
    char piece[4096];
    buf_reserve(out, 0);
    while (!strstr(out->data, text)) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        assert_true(n > 0);
        buf_add(out, piece, (size_t)n);
    }
}

// Sends head (without "Connection" and the empty line) and body; the answer until its close.
static void ask(const struct place *p, const char *head, const char *body,
                struct buf *out)
{
    int fd = dial(p);
    AUTO(buf_free) struct buf text = {0};
    buf_printf(&text, "%s\r\nHost: h\r\nConnection: close\r\n\r\n%s", head, body);
    buf_clear(out);
    say(fd, text.data);
    hear(fd, out);
    close(fd);
}

static int status_of(const struct buf *answer)
{
    int64_t n = 0;
    if (answer->len < 12 ||
        str_to_i64((struct str){answer->data + 9, 3}, 100, 599, &n) < 0) {
        return 0;
    }
    return (int)n;
}

#define assert_says(answer, text) assert_non_null(strstr((answer).data, (text)))

// --- tests --------------------------------------------------------------------------------

static void routes_methods_and_errors(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    ask(p, "GET /hello?name=a%20b HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 200);
    assert_says(a, "{\"hello\":\"a b\"}");
    assert_says(a, "X-Content-Type-Options: nosniff");
    ask(p, "HEAD /hello HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 200);
    assert_null(strstr(a.data, "hello\""));
    ask(p, "DELETE /hello HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 405);
    assert_says(a, "Allow: GET");
    ask(p, "GET /nowhere HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 404);
    assert_says(a, "\"code\":\"NOT_FOUND\"");
    ask(p, "GET /../etc/passwd HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 400);
    ask(p, "BREW /hello HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 405);
    ask(p, "GET /broken HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 500);
    assert_null(strstr(a.data, "hunter2"));
    assert_null(strstr(a.data, "X-Half"));
}

static void bodies_have_limits(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    ask(p, "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 7",
        "{\"a\":1}", &a);
    assert_int_equal(status_of(&a), 201);
    assert_says(a, "{\"a\":1}");
    ask(p,
        "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked",
        "3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n", &a);
    assert_int_equal(status_of(&a), 201);
    assert_says(a, "[1,2]");
    ask(p, "POST /echo HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2", "{}",
        &a);
    assert_int_equal(status_of(&a), 415);
    ask(p, "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2",
        "{]", &a);
    assert_int_equal(status_of(&a), 400);
    ask(p, "POST /echo HTTP/1.1\r\nContent-Length: 5000", "", &a);
    assert_int_equal(status_of(&a), 413);
    ask(p, "GET /hello HTTP/1.1\r\nContent-Length: 1", "x", &a);
    assert_int_equal(status_of(&a), 413);
    // A chunked body that grows over the limit.
    AUTO(buf_free) struct buf chunks = {0};
    for (int i = 0; i < 100; i++) {
        buf_cstr(&chunks, "40\r\n");
        for (int k = 0; k < 64; k++) {
            buf_char(&chunks, 'x');
        }
        buf_cstr(&chunks, "\r\n");
    }
    buf_cstr(&chunks, "0\r\n\r\n");
    ask(p, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked", chunks.data, &a);
    assert_int_equal(status_of(&a), 413);
}

// Each is followed by a request that must not be answered: whether it is one, or the body of the
// first, is what a proxy could see otherwise.
static void what_ends_elsewhere_for_others_is_refused(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 40",
        "GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\ncontent-length: 40",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked",
        "POST /nowhere HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: identity",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length : 40",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
        "Content-Length: 40",
        "GET /hello HTTP/1.1\r\nHost: h\r\nX: a\rContent-Length: 40",
        "GET /hello HTTP/1.1\r\nHost: h\r\nHost: other",
    };
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        AUTO(buf_free) struct buf all = {0};
        buf_printf(&all, "%s\r\n\r\nGET /hello?name=second HTTP/1.1\r\nHost: h\r\n\r\n",
                   heads[i]);
        buf_clear(&a);
        int fd = dial(p);
        say(fd, all.data);
        hear(fd, &a); // until it is closed
        close(fd);
        assert_int_equal(status_of(&a), 400);
        assert_null(strstr(a.data, "second"));
    }
}

static void roles_and_origins_are_checked(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    ask(p, "GET /secret HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 401);
    ask(p, "GET /secret HTTP/1.1\r\nAuthorization: user", "", &a);
    assert_int_equal(status_of(&a), 403);
    ask(p, "GET /secret HTTP/1.1\r\nAuthorization: admin", "", &a);
    assert_int_equal(status_of(&a), 200);
    // Who cannot be looked up now is not nobody: pages would sign people out.
    ask(p, "GET /secret HTTP/1.1\r\nAuthorization: unreadable", "", &a);
    assert_int_equal(status_of(&a), 500);
    ask(p, "GET /secret HTTP/1.1\r\nCookie: session=admin", "", &a);
    assert_int_equal(status_of(&a), 200);
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Cookie: session=user", 403},
        {"Cookie: session=user\r\nOrigin: http://evil", 403},
        {"Cookie: session=user\r\nOrigin: null", 403},
        {"Origin: http://evil", 403},
        {"Cookie: session=user\r\nOrigin: http://h", 201},
        {"Authorization: user\r\nOrigin: http://evil", 201},
        {"X-None: 1", 201},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_free) struct buf head = {0};
        buf_printf(&head,
                   "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n"
                   "Content-Length: 2\r\n%s",
                   cases[i].headers);
        ask(p, head.data, "{}", &a);
        assert_int_equal(status_of(&a), cases[i].status);
    }
}

static void files_have_ranges_and_conditions(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    ask(p, "GET /file HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 200);
    assert_says(a, "ETag: \"tag\"");
    assert_says(a, "immutable");
    assert_true(str_ends(buf_view(&a), "\r\n\r\n0123456789"));
    ask(p, "GET /file HTTP/1.1\r\nRange: bytes=2-4", "", &a);
    assert_int_equal(status_of(&a), 206);
    assert_says(a, "Content-Range: bytes 2-4/10");
    assert_true(str_ends(buf_view(&a), "\r\n\r\n234"));
    ask(p, "GET /file HTTP/1.1\r\nRange: bytes=10-", "", &a);
    assert_int_equal(status_of(&a), 416);
    assert_says(a, "Content-Range: bytes */10");
    ask(p, "GET /file HTTP/1.1\r\nIf-None-Match: W/\"tag\"\r\nRange: bytes=2-4", "", &a);
    assert_int_equal(status_of(&a), 304);
    ask(p, "GET /file HTTP/1.1\r\nRange: bytes=2-4\r\nIf-Range: \"old\"", "", &a);
    assert_int_equal(status_of(&a), 200);
    ask(p, "GET /file HTTP/1.1\r\nRange: bytes=2-4\r\nIf-Range: \"tag\"", "", &a);
    assert_int_equal(status_of(&a), 206);
    ask(p, "HEAD /file HTTP/1.1", "", &a);
    assert_says(a, "Content-Length: 10");
    assert_true(str_ends(buf_view(&a), "\r\n\r\n"));
}

static void streamed_bodies_reach_their_file(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0}, body = {0}, head = {0};
    while (body.len < (3u << 20)) {
        buf_cstr(&body, "abcdefghijklmnop");
    }
    buf_printf(&head, "PUT /stream HTTP/1.1\r\nContent-Length: %zu", body.len);
    AUTO(buf_free) struct buf user = {0};
    buf_printf(&user, "%s\r\nAuthorization: user", head.data);
    ask(p, user.data, body.data, &a);
    assert_int_equal(status_of(&a), 200);
    assert_says(a,
                "\"head\":\"\",\"bytes\":3145728"); // at its end: it was written through
    ask(p, "PUT /stream HTTP/1.1\r\nContent-Length: 3", "abc", &a);
    assert_int_equal(status_of(&a), 401);
    ask(p, "PATCH /append HTTP/1.1\r\nAuthorization: user\r\nContent-Length: 3", "abc",
        &a);
    assert_int_equal(status_of(&a), 204);
    p->appended_max = 2;
    ask(p, "PATCH /append HTTP/1.1\r\nAuthorization: user\r\nContent-Length: 3", "abc",
        &a);
    assert_int_equal(status_of(&a), 413);
    // A connection that breaks leaves what had come.
    p->appended_max = 100;
    int fd = dial(p);
    say(fd, "PATCH /append HTTP/1.1\r\nHost: h\r\nAuthorization: user\r\n"
            "Content-Length: 10\r\n\r\nxyz");
    shutdown(fd, SHUT_WR);
    hear(fd, &a);
    close(fd);
    AUTO(buf_free) struct buf file = {0};
    assert_int_equal(fs_read_file(p->file, 100, &file), 0);
    assert_string_equal(file.data, "0123456789abcxyz");
}

static void connections_are_kept(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    int fd = dial(p);
    static const char *const requests[] = {
        "GET /hello?name=one HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /secret HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Content-Length: 7\r\n\r\n[\"two\"]",
        "PUT /stream HTTP/1.1\r\nHost: h\r\nAuthorization: user\r\n"
        "Content-Length: 5\r\n\r\nthree",
        "GET /file HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    static const char *const answers[] = {"\"one\"",   "NOT_FOUND",   "UNKNOWN_USER",
                                          "[\"two\"]", "\"bytes\":5", "0123456789"};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        say(fd, requests[i]);
        hear_until(fd, &a, answers[i]);
        assert_null(strstr(a.data, "Connection: close"));
        buf_clear(&a);
    }
    close(fd);
}

static void a_near_proxy_names_the_client(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    ask(p, "GET /peer HTTP/1.1", "", &a);
    assert_says(a, "\"127.0.0.1\"");
    ask(p, "GET /peer HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4, 2001:db8::7", "", &a);
    assert_says(a, "\"2001:db8::7\"");
    ask(p, "GET /peer HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4, <script>", "", &a);
    assert_says(a, "\"127.0.0.1\"");
}

static void one_address_has_a_limit(void **state)
{
    struct place *p = *state;
    struct http_server *small = NULL;
    const struct http_config c = {
        .routes = routes, .route_count = ARRAY_LEN(routes), .user = p, .max_per_ip = 2};
    assert_int_equal(http_server_start(&small, &c), 0);
    struct http_server *large = p->server;
    p->server = small;
    AUTO(buf_free) struct buf a = {0};
    int one = dial(p), two = dial(p);
    say(one, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    hear_until(one, &a, "nobody");
    buf_clear(&a);
    say(two, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    hear_until(two, &a, "nobody");
    buf_clear(&a);
    int three = dial(p);
    say(three, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(three, &a);
    assert_int_equal(a.len, 0);
    close(one);
    close(two);
    close(three);
    http_server_stop(&p->server);
    p->server = large;
}

static void a_body_may_be_asked_for_first(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    int fd = dial(p);
    say(fd, "PUT /stream HTTP/1.1\r\nHost: h\r\nAuthorization: user\r\n"
            "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    hear_until(fd, &a, "100 Continue");
    say(fd, "three");
    hear_until(fd, &a, "\"bytes\":5");
    close(fd);
}

// However much is published, a stream ends: whether its client may still follow is asked anew.
static void streams_grow_old(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    AUTO(json_free) json_t *live = json_pack("{s:s}", "from", "live");
    int fd = dial(p);
    say(fd, "GET /events?subject=job/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    hear_until(fd, &a, "retry:");
    http_sse_publish(p->server, "job/1", 7, NULL, live);
    hear_until(fd, &a, "id: 7\n");
    buf_clear(&a);
    hear(fd, &a); // its end, by the ticker
    close(fd);
}

static void streams_replay_then_follow(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    AUTO(json_free) json_t *live = json_pack("{s:s}", "from", "live");
    int fd = dial(p);
    say(fd, "GET /events?subject=job/ HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 1\r\n\r\n");
    hear_until(fd, &a, "id: 3\n");
    assert_null(strstr(a.data, "id: 1\n"));
    assert_says(a, "id: 2\n");
    http_sse_publish(p->server, "job/1", 3, NULL, live); // was in the replay
    http_sse_publish(p->server, "title/1", 4, NULL, live);
    http_sse_publish(p->server, "job/1", -1, NULL, live);
    http_sse_publish(p->server, "job/1", 5, NULL, live);
    hear_until(fd, &a, "id: 5\n");
    assert_null(strstr(a.data, "id: 4\n"));
    const char *first = strstr(a.data, "id: 3\n");
    assert_null(strstr(first + 1, "id: 3\n"));
    close(fd);
}

static void a_reader_that_does_not_read_is_dropped(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0}, big = {0};
    int fd = dial(p);
    say(fd, "GET /events?subject=job/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    hear_until(fd, &a, "retry:");
    while (big.len < 60000) {
        buf_cstr(&big, "0123456789");
    }
    AUTO(json_free) json_t *data = json_string(big.data);
    for (int i = 0; i < 200; i++) {
        http_sse_publish(p->server, "job/1", i, NULL, data);
    }
    buf_clear(&a);
    hear(fd, &a); // ends, and not with everything
    close(fd);
    assert_true(a.len < 200u * 60000u);
}

static const char *const malformed[] = {
    "\r\n\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: "
    "chunked\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "GET /hello HTTP/1.1\r\nHost: h\r\n: empty\r\nno colon\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost",
    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\nhalf",
    "PUT /stream HTTP/1.1\r\nHost: h\r\nAuthorization: user\r\nContent-Length: "
    "4000\r\n\r\nhalf",
};

static void crowds_of_slow_and_malformed_clients_do_not_stop_it(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0}, heads = {0};
    int fds[1000];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial(p);
        say(fds[i], malformed[i % ARRAY_LEN(malformed)]);
        if (i % 50 == 0) {
            ask(p, "GET /hello HTTP/1.1", "", &a);
            assert_int_equal(status_of(&a), 200);
        }
    }
    // Each of them is answered or cut within its time, not left to wait.
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        buf_clear(&heads);
        hear(fds[i], &heads);
        close(fds[i]);
    }
    ask(p, "GET /hello HTTP/1.1", "", &a);
    assert_int_equal(status_of(&a), 200);
}

static void a_head_that_drips_is_cut(void **state)
{
    struct place *p = *state;
    int fd = dial(p);
    say(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n");
    // A byte each tenth of a second resets an idle timer for ever; the deadline does not move.
    struct pollfd end = {.fd = fd, .events = POLLIN};
    int drips = 0;
    while (poll(&end, 1, 100) == 0 && drips < 100) {
        drips++;
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    assert_true(drips < 60);
    close(fd);
}

static void oversized_heads_are_refused(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf head = {0}, a = {0};
    buf_cstr(&head, "GET /hello HTTP/1.1\r\nX-Big: ");
    while (head.len < 200000) {
        buf_cstr(&head, "0123456789abcdef");
    }
    ask(p, head.data, "", &a);
    assert_true(a.len == 0 || status_of(&a) == 431 || status_of(&a) == 413);
    buf_clear(&head);
    buf_cstr(&head, "GET /");
    while (head.len < 9000) {
        buf_cstr(&head, "0123456789abcdef");
    }
    buf_cstr(&head, " HTTP/1.1");
    ask(p, head.data, "", &a);
    assert_true(status_of(&a) == 414 || status_of(&a) == 413);
}

static void stopping_ends_open_streams(void **state)
{
    struct place *p = *state;
    AUTO(buf_free) struct buf a = {0};
    int fd = dial(p);
    say(fd, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    hear_until(fd, &a, "retry:");
    http_server_stop(&p->server);
    hear(fd, &a);
    close(fd);
    assert_null(p->server);
}

#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(routes_methods_and_errors),
        WITH_SERVER(bodies_have_limits),
        WITH_SERVER(what_ends_elsewhere_for_others_is_refused),
        WITH_SERVER(roles_and_origins_are_checked),
        WITH_SERVER(files_have_ranges_and_conditions),
        WITH_SERVER(streamed_bodies_reach_their_file),
        WITH_SERVER(connections_are_kept),
        WITH_SERVER(a_near_proxy_names_the_client),
        WITH_SERVER(one_address_has_a_limit),
        WITH_SERVER(a_body_may_be_asked_for_first),
        WITH_SERVER(streams_replay_then_follow),
        WITH_SERVER(streams_grow_old),
        WITH_SERVER(a_reader_that_does_not_read_is_dropped),
        WITH_SERVER(crowds_of_slow_and_malformed_clients_do_not_stop_it),
        WITH_SERVER(a_head_that_drips_is_cut),
        WITH_SERVER(oversized_heads_are_refused),
        WITH_SERVER(stopping_ends_open_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
