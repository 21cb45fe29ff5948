// SPDX-License-Identifier: GPL-3.0-or-later
#include "bus/bus.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

struct stage {
    char dir[64];
    struct store *store;
    struct store_tx *tx; // an open one, for tests that need one
};

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-bus-XXXXXX", sizeof "/tmp/marquee-bus-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(store_open(&s->store, s->dir), 0);
    assert_int_equal(store_migrate(s->store, bus_migrations, bus_migration_count), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    store_rollback(&s->tx);
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

static void begin(struct stage *s)
{
    assert_int_equal(store_begin(s->store, STORE_WRITE, &s->tx), 0);
}

static void commit(struct stage *s)
{
    assert_int_equal(store_commit(&s->tx), 0);
}

static const char hook_secret[] = "a secret of some length";

struct hooked {
    int fd, requests, refusals;
    char url[64];
    pthread_t thread;
    char delivery[8][128], body[8][512];
    bool signature_fits;
};

static bool signature_fits(const char *header, struct str body)
{
    AUTO(buf_free) struct buf text = {0};
    struct hash mac;
    char hex[HASH_HEX_BYTES];
    struct str rest = str_of(header), time;
    str_next(&rest, ',', &time);
    buf_str(&text, (struct str){time.data + 2, time.len - 2});
    buf_char(&text, '.');
    buf_str(&text, body);
    hash_hmac(hook_secret, strlen(hook_secret), text.data, text.len, &mac);
    hash_hex(&mac, hex);
    return str_starts(time, "t=") && str_starts(rest, "v1=") &&
           strncmp(rest.data + 3, hex, 64) == 0;
}

static void take_hook(struct hooked *h, FILE *peer)
{
    static const char delivery[] = "X-Marquee-Delivery: ";
    static const char signature[] = "X-Marquee-Signature: ";
    char line[1024], signed_by[512] = "";
    unsigned long length = 0;
    size_t n = (size_t)h->requests % 8;
    while (fgets(line, sizeof line, peer) && strcmp(line, "\r\n") != 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strncmp(line, "Content-Length: ", 16) == 0) {
            length = strtoul(line + 16, NULL, 10);
        } else if (strncmp(line, delivery, sizeof delivery - 1) == 0) {
            snprintf(h->delivery[n], sizeof h->delivery[n], "%s",
                     line + sizeof delivery - 1);
        } else if (strncmp(line, signature, sizeof signature - 1) == 0) {
            snprintf(signed_by, sizeof signed_by, "%s", line + sizeof signature - 1);
        }
    }
    length = MIN(length, sizeof h->body[n] - 1);
    length = fread(h->body[n], 1, length, peer);
    h->body[n][length] = '\0';
    h->signature_fits = signature_fits(signed_by, (struct str){h->body[n], length});
    h->requests++;
    fputs(h->requests <= h->refusals ? "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n"
                                       "Connection: close\r\n\r\n"
                                     : "HTTP/1.1 204 Taken\r\nConnection: close\r\n\r\n",
          peer);
}

static void *serve_hooks(void *user)
{
    struct hooked *h = user;
    int fd;
    while ((fd = accept(h->fd, NULL, NULL)) >= 0) {
        FILE *peer = fdopen(fd, "r+");
        take_hook(h, peer);
        fclose(peer);
    }
    return NULL;
}

static void hooked_start(struct hooked *h)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    h->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(h->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(h->fd, 4), 0);
    assert_int_equal(getsockname(h->fd, (struct sockaddr *)&at, &len), 0);
    snprintf(h->url, sizeof h->url, "http://127.0.0.1:%u/hook", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&h->thread, NULL, serve_hooks, h), 0);
}

static void a_webhook_is_signed_and_repeated(void **state)
{
    struct stage *s = *state;
    struct hooked h = {.refusals = 1};
    AUTO(cstr_free) char *secret = NULL;
    AUTO(json_free) json_t *body = json_pack("{s:s}", "rule", "p99");
    assert_int_equal(cstr_printf(&secret, "%s/secret", s->dir), 0);
    assert_int_equal(fs_write_file(secret, hook_secret, strlen(hook_secret)), 0);
    hooked_start(&h);
    struct bus_hook hook = {
        .url = h.url, .secret_file = secret, .body = body, .dedupe = "alert/1/fires"};
    begin(s);
    assert_int_equal(bus_notice_hook(s->tx, &hook), 0);
    assert_int_equal(bus_notice_hook(s->tx, &hook), 0); // once for each dedupe
    assert_int_equal(
        bus_notice_hook(s->tx,
                        &(struct bus_hook){.url = "file:///etc/passwd", .body = body}),
        ERR_INVALID);
    // A mail waits for a relay, and holds nobody up.
    assert_int_equal(
        bus_notice_mail(s->tx,
                        &(struct bus_mail){.to = "a@b", .subject = "s", .text = "t"}),
        0);
    commit(s);
    const struct bus_notifier_config config = {.store = s->store, .retry_us = 1};
    int sent = 0;
    for (int i = 0; i < 1000 && sent == 0; i++) {
        sent = bus_notices_flush(&config);
        assert_true(sent >= 0);
    }
    assert_int_equal(sent, 1);
    assert_int_equal(bus_notices_flush(&config), 0);
    shutdown(h.fd, SHUT_RDWR);
    pthread_join(h.thread, NULL);
    close(h.fd);
    assert_int_equal(h.requests, 2);
    assert_string_equal(h.delivery[0], "alert/1/fires");
    assert_string_equal(h.delivery[1], "alert/1/fires");
    assert_string_equal(h.body[1], "{\"rule\":\"p99\"}");
    assert_true(h.signature_fits);
}

static void a_program_is_told_until_it_takes_it(void **state)
{
    struct stage *s = *state;
    AUTO(cstr_free) char *mark = NULL, *script = NULL;
    AUTO(buf_free) struct buf got = {0};
    // Fails the first time; then keeps what it was told.
    assert_int_equal(cstr_printf(&mark, "%s/mark", s->dir), 0);
    assert_int_equal(cstr_printf(&script, "test -e %s || { touch %s; exit 1; }; cat > %s",
                                 mark, mark, mark),
                     0);
    AUTO(json_free) json_t *argv = json_pack("[s, s, s]", "sh", "-c", script);
    AUTO(json_free) json_t *body = json_pack("{s:i}", "count", 3);
    begin(s);
    assert_int_equal(
        bus_notice_exec(s->tx, &(struct bus_exec){.argv = argv, .body = body}), 0);
    assert_int_equal(
        bus_notice_exec(s->tx, &(struct bus_exec){.argv = body, .body = body}),
        ERR_INVALID);
    commit(s);
    const struct bus_notifier_config config = {.store = s->store, .retry_us = 1};
    int sent = 0;
    for (int i = 0; i < 1000 && sent == 0; i++) {
        sent = bus_notices_flush(&config);
        assert_true(sent >= 0);
    }
    assert_int_equal(sent, 1);
    assert_int_equal(fs_read_file(mark, 100, &got), 0);
    assert_string_equal(got.data, "{\"count\":3}");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_webhook_is_signed_and_repeated, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_program_is_told_until_it_takes_it, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
