// SPDX-License-Identifier: GPL-3.0-or-later
#include "bus/bus.h"
#include "bus/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
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

static int64_t emit(struct stage *s, const char *type, const char *subject, int n)
{
    AUTO(json_free) json_t *data = json_pack("{s:i}", "n", n);
    int64_t seq = 0;
    assert_int_equal(bus_emit(s->tx,
                              &(struct bus_event){.type = type,
                                                  .subject = subject,
                                                  .actor = "user/1",
                                                  .correlation = n ? "job-1" : NULL,
                                                  .causation = n,
                                                  .data = data},
                              &seq),
                     0);
    return seq;
}

// --- events ------------------------------------------------------------------------------------------

static void events_are_cloud_events_in_order(void **state)
{
    struct stage *s = *state;
    begin(s);
    int64_t first = emit(s, "title.published.v1", "title/a", 0);
    int64_t second = emit(s, "title.withdrawn.v1", "title/ab", 7);
    emit(s, "job.done.v1", "job/1", 1);
    commit(s);
    // What is rolled back was never told, and leaves the order intact.
    begin(s);
    emit(s, "title.published.v1", "title/never", 0);
    store_rollback(&s->tx);
    begin(s);
    int64_t last = emit(s, "title.published.v1", "title/c", 0), highest = 0;
    assert_true(first < second && second < last);
    assert_int_equal(bus_last_seq(s->tx, &highest), 0);
    assert_int_equal(highest, last);

    AUTO(json_free) json_t *all = NULL;
    AUTO(json_free) json_t *titles = NULL;
    AUTO(json_free) json_t *one = NULL;
    AUTO(json_free) json_t *later = NULL;
    assert_int_equal(bus_read(s->tx, 0, NULL, 100, &all), 0);
    assert_int_equal(json_array_size(all), 4);
    assert_int_equal(bus_read(s->tx, 0, "title/", 2, &titles), 0);
    assert_int_equal(json_array_size(titles), 2);
    assert_int_equal(bus_read(s->tx, 0, "title/ab", 9, &one), 0);
    assert_int_equal(json_array_size(one), 1);
    assert_int_equal(bus_read(s->tx, last, NULL, 9, &later), 0);
    assert_int_equal(json_array_size(later), 0);
    const json_t *event = json_array_get(one, 0);
    assert_string_equal(json_str_or(event, "specversion", ""), "1.0");
    assert_string_equal(json_str_or(event, "type", ""), "title.withdrawn.v1");
    assert_string_equal(json_str_or(event, "subject", ""), "title/ab");
    assert_string_equal(json_str_or(event, "actor", ""), "user/1");
    assert_string_equal(json_str_or(event, "correlation", ""), "job-1");
    assert_string_equal(json_str_or(event, "causation", ""), "7");
    assert_int_equal(json_i64_or(json_object_get(event, "data"), "n", 0), 7);
    int64_t at_us = 0, seq = 0;
    assert_int_equal(clock_parse(str_of(json_str_or(event, "time", "")), &at_us), 0);
    assert_true(llabs((long long)(clock_wall_us() - at_us)) < 60000000);
    assert_int_equal(str_to_i64(str_of(json_str_or(event, "id", "")), 1, INT64_MAX, &seq),
                     0);
    assert_int_equal(seq, second);
}

struct listener {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    int64_t last;
    int64_t count;
    int64_t messages;
    bool in_order;
};

static void hear(void *user, int64_t seq, const json_t *event)
{
    struct listener *l = user;
    pthread_mutex_lock(&l->lock);
    if (seq == 0) {
        l->messages += strcmp(json_str_or(event, "type", ""), "progress.v1") == 0;
    } else {
        l->in_order = l->in_order && seq > l->last;
        l->last = seq;
        l->count++;
    }
    pthread_cond_broadcast(&l->heard);
    pthread_mutex_unlock(&l->lock);
}

static void await(struct listener *l, int64_t count, int64_t messages)
{
    struct timespec until = {.tv_sec = clock_wall_us() / 1000000 + 30};
    int err = 0;
    pthread_mutex_lock(&l->lock);
    while (err == 0 && (l->count < count || l->messages < messages)) {
        err = pthread_cond_timedwait(&l->heard, &l->lock, &until);
    }
    assert_int_equal(l->count, count);
    assert_int_equal(l->messages, messages);
    assert_true(l->in_order);
    pthread_mutex_unlock(&l->lock);
}

static void a_follower_hears_each_event_once(void **state)
{
    struct stage *s = *state;
    struct listener l = {.in_order = true};
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.heard, NULL);
    begin(s);
    for (int i = 0; i < 450; i++) {
        emit(s, "job.done.v1", "job/1", i);
    }
    commit(s);
    struct bus_follower *f = NULL;
    assert_int_equal(
        bus_follower_start(&f, &(struct bus_follower_config){s->store, 0, hear, &l}), 0);
    await(&l, 450, 0);
    begin(s);
    emit(s, "job.done.v1", "job/1", 1);
    commit(s);
    bus_follower_wake(f);
    await(&l, 451, 0);
    // Another store: as another process would write. Nobody wakes.
    struct store *other = NULL;
    struct store *own = s->store;
    assert_int_equal(store_open(&other, s->dir), 0);
    s->store = other;
    begin(s);
    emit(s, "job.done.v1", "job/1", 2);
    commit(s);
    s->store = own;
    await(&l, 452, 0);
    assert_int_equal(bus_follower_tell(f, json_pack("{s:s}", "type", "progress.v1")), 0);
    await(&l, 452, 1);
    bus_follower_stop(&f);
    store_close(&other);

    struct listener fresh = {.in_order = true};
    pthread_mutex_init(&fresh.lock, NULL);
    pthread_cond_init(&fresh.heard, NULL);
    assert_int_equal(
        bus_follower_start(&f, &(struct bus_follower_config){s->store, -1, hear, &fresh}),
        0);
    begin(s);
    emit(s, "job.done.v1", "job/1", 3);
    commit(s);
    await(&fresh, 1, 0);
    bus_follower_stop(&f);
    assert_null(f);
}

// --- findings ----------------------------------------------------------------------------------------

static struct finding black(int64_t from, int64_t to)
{
    struct finding f = finding_about_file("black", FINDING_WARNING);
    f.stream = 0;
    f.start_frame = from;
    f.end_frame = to;
    f.start_pts = from * 512;
    f.end_pts = to * 512;
    f.time_base = (struct rational){1, 12800};
    return f;
}

static void put(struct stage *s, const char *detector, size_t count, ...)
{
    struct findings list = {0};
    va_list args;
    va_start(args, count);
    for (size_t i = 0; i < count; i++) {
        int64_t at = va_arg(args, int);
        struct finding f = black(at, at + 10);
        assert_int_equal(findings_add(&list, &f), 0);
    }
    va_end(args);
    begin(s);
    assert_int_equal(bus_findings_put(s->tx, "delivery/1", detector, &list), 0);
    commit(s);
    findings_free(&list);
}

static json_t *list_of(struct stage *s, const char *subject, const char *state)
{
    json_t *list = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(
        bus_findings_list(
            tx,
            &(struct bus_finding_query){.subject = subject, .state = state, .limit = 100},
            &list),
        0);
    return list;
}

static size_t count_of(struct stage *s, const char *state)
{
    AUTO(json_free) json_t *list = list_of(s, "delivery/", state);
    return json_array_size(list);
}

static void a_rerun_updates_and_fixes(void **state)
{
    struct stage *s = *state;
    put(s, "inspect@1", 3, 100, 200, 300);
    put(s, "inspect@1", 3, 100, 200, 300);
    put(s, "other@1", 1, 100);
    assert_int_equal(count_of(s, NULL), 4);
    put(s, "inspect@1", 2, 200, 400);
    assert_int_equal(count_of(s, "open"), 3);
    assert_int_equal(count_of(s, "fixed"), 2);
    // It is back.
    put(s, "inspect@1", 1, 300);
    assert_int_equal(count_of(s, "open"), 2);
    assert_int_equal(count_of(s, "fixed"), 3);
    // A new version of the detector speaks for the old one.
    put(s, "inspect@2", 1, 300);
    assert_int_equal(count_of(s, "open"), 2);
    put(s, "inspect@2", 0);
    assert_int_equal(count_of(s, "open"), 1);
    AUTO(json_free) json_t *list = list_of(s, "delivery/1", "open");
    const json_t *f = json_array_get(list, 0);
    assert_string_equal(json_str_or(f, "detector", ""), "other@1");
    assert_string_equal(json_str_or(f, "severity", ""), "warning");
    assert_int_equal(json_i64_or(f, "start_frame", 0), 100);
    AUTO(json_free) json_t *none = list_of(s, "delivery/", "waived");
    AUTO(json_free) json_t *other = list_of(s, "delivery/11", NULL);
    assert_int_equal(json_array_size(none) + json_array_size(other), 0);
}

static void a_waiver_outlives_the_detectors_version(void **state)
{
    struct stage *s = *state;
    put(s, "inspect@1.2", 2, 100, 200);
    AUTO(json_free) json_t *open = list_of(s, "delivery/1", "open");
    size_t at_100 = json_i64_or(json_array_get(open, 0), "start_frame", 0) == 100 ? 0 : 1;
    begin(s);
    assert_int_equal(
        bus_finding_waive(s->tx, json_str_or(json_array_get(open, at_100), "id", ""),
                          "a night scene", clock_wall_us() + 3600000000, "user/1"),
        0);
    commit(s);
    // The same name in another place, and another name in the same place, are nobody's waiver.
    put(s, "other@1", 1, 100);
    put(s, "inspect@1.3", 3, 100, 200, 300);
    assert_int_equal(count_of(s, "fixed"), 2);
    assert_int_equal(count_of(s, "open"), 3);
    AUTO(json_free) json_t *waived = list_of(s, "delivery/1", "waived");
    assert_int_equal(json_array_size(waived), 1);
    const json_t *f = json_array_get(waived, 0);
    assert_string_equal(json_str_or(f, "detector", ""), "inspect@1.3");
    assert_string_equal(json_str_or(f, "waived_why", ""), "a night scene");
    assert_int_equal(json_i64_or(f, "start_frame", 0), 100);
}

static void what_was_replaced_is_open_no_more(void **state)
{
    struct stage *s = *state;
    put(s, "inspect@1", 2, 100, 200);
    AUTO(json_free) json_t *open = list_of(s, "delivery/1", "open");
    const char *waived = json_str_or(json_array_get(open, 0), "id", "");
    const char *other = json_str_or(json_array_get(open, 1), "id", "");
    begin(s);
    assert_int_equal(
        bus_finding_waive(s->tx, waived, "art", clock_wall_us() + 3600000000, "user/1"),
        0);
    assert_int_equal(bus_findings_supersede(s->tx, "delivery/1", "delivery/2"), 0);
    assert_int_equal(
        bus_finding_waive(s->tx, other, "art", clock_wall_us() + 3600000000, "user/1"),
        ERR_CONFLICT);
    commit(s);
    assert_int_equal(count_of(s, "open"), 0);
    assert_int_equal(count_of(s, "superseded"), 1);
    assert_int_equal(count_of(s, "waived"), 1);
    // The file comes back: what is found in it again is open again.
    put(s, "inspect@1", 2, 100, 200);
    assert_int_equal(count_of(s, "open"), 1);
    assert_int_equal(count_of(s, "superseded"), 0);
}

static void a_detector_has_a_version(void **state)
{
    struct stage *s = *state;
    static const char *const bad[] = {"inspect", "@1", "inspect@", ""};
    struct findings none = {0};
    begin(s);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(bus_findings_put(s->tx, "delivery/1", bad[i], &none),
                         ERR_INVALID);
    }
    commit(s);
}

static void waivers_need_a_reason_and_end(void **state)
{
    struct stage *s = *state;
    char id[UUID_BYTES], again[UUID_BYTES];
    int64_t hour = 3600 * INT64_C(1000000);
    struct finding f = black(7, 9);
    begin(s);
    assert_int_equal(bus_finding_add(s->tx, "title/1", "viewer@1", "user/5", &f, id), 0);
    assert_int_equal(bus_finding_add(s->tx, "title/1", "viewer@1", NULL, &f, again), 0);
    assert_string_equal(id, again);
    assert_int_equal(bus_finding_waive(s->tx, id, " ", clock_wall_us() + hour, "user/1"),
                     ERR_INVALID);
    assert_int_equal(bus_finding_waive(s->tx, id, "art", clock_wall_us() - 1, "user/1"),
                     ERR_INVALID);
    assert_int_equal(
        bus_finding_waive(s->tx, "none", "art", clock_wall_us() + hour, "user/1"),
        ERR_NOT_FOUND);
    assert_int_equal(bus_finding_reopen(s->tx, id, "user/1"), ERR_CONFLICT);
    assert_int_equal(
        bus_finding_waive(s->tx, id, "art", clock_wall_us() + hour, "user/1"), 0);
    // Seen again: the waiver holds.
    assert_int_equal(bus_finding_add(s->tx, "title/1", "viewer@1", NULL, &f, again), 0);
    commit(s);
    AUTO(json_free) json_t *waived = list_of(s, "title/1", "waived");
    assert_int_equal(json_array_size(waived), 1);
    const json_t *object = json_array_get(waived, 0);
    assert_string_equal(json_str_or(object, "waived_why", ""), "art");
    assert_string_equal(json_str_or(object, "owner", ""), "user/5");
    assert_non_null(json_string_value(json_object_get(object, "waived_until")));
    begin(s);
    assert_int_equal(store_exec(s->tx, "UPDATE finding SET waived_until_us = 1", ""), 0);
    commit(s);
    AUTO(json_free) json_t *expired = list_of(s, "title/1", "open");
    assert_int_equal(json_array_size(expired), 1);
    begin(s);
    assert_int_equal(bus_finding_reopen(s->tx, id, "user/1"), 0);
    AUTO(json_free) json_t *events = NULL;
    assert_int_equal(bus_read(s->tx, 0, "title/1", 100, &events), 0);
    assert_int_equal(json_array_size(events), 5);
    commit(s);
}

static void findings_come_in_pages(void **state)
{
    struct stage *s = *state;
    AUTO(cstr_free) char *before = NULL;
    size_t seen = 0;
    for (int i = 0; i < 7; i++) {
        char id[UUID_BYTES];
        struct finding f = black(i * 10, i * 10 + 1);
        begin(s);
        assert_int_equal(bus_finding_add(s->tx, "title/1", "viewer@1", NULL, &f, id), 0);
        commit(s);
    }
    for (;;) {
        AUTO(json_free) json_t *page = NULL;
        begin(s);
        assert_int_equal(bus_findings_list(s->tx,
                                           &(struct bus_finding_query){.limit = 3,
                                                                       .kind = "black",
                                                                       .before = before},
                                           &page),
                         0);
        commit(s);
        size_t n = json_array_size(page);
        seen += n;
        if (n < 3) {
            break;
        }
        const char *last = json_str_or(json_array_get(page, n - 1), "id", "");
        assert_true(!before || strcmp(last, before) < 0);
        cstr_free(&before);
        assert_int_equal(cstr_dup(&before, last), 0);
    }
    assert_int_equal(seen, 7);
}

// --- mail --------------------------------------------------------------------------------------------

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c - 'A' + 10;
}

// The plain inverse of quoted-printable; lines are checked on the way.
static void decode(struct str text, struct buf *out)
{
    size_t column = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        assert_true((c >= ' ' && c < 127) || c == '\r' || c == '\n' || c == '\t');
        column = c == '\n' ? 0 : column + 1;
        assert_true(column <= 77);
        if (c == '\r') {
            assert_int_equal(text.data[i + 1], '\n');
        } else if (c != '=') {
            buf_char(out, c);
        } else if (text.data[i + 1] == '\r') {
            i += 2;
            column = 0;
        } else {
            buf_char(out,
                     (char)(hex_of(text.data[i + 1]) << 4 | hex_of(text.data[i + 2])));
            i += 2;
            column += 2;
        }
    }
}

static void a_body_survives_quoted_printable(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "plain\n",
        ".a dot\n..two\n\n. alone",
        "trailing blank \nand tab\t\nend ",
        "=3D is not decoded twice\n",
        "Frame 00:00:12.34 — „schwarz“, 映画の黒いフレーム, 🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬🎬\n",
        "a line that is much longer than the seventy-six bytes that a quoted-printable "
        "line may "
        "have, and goes on and on without an end to be seen for a long while yet\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO(buf_free) struct buf wire = {0}, back = {0};
        mail_write_body(&wire, str_of(texts[i]));
        decode(buf_view(&wire), &back);
        assert_int_equal(back.len, strlen(texts[i]) + 1);
        assert_memory_equal(back.data, texts[i], strlen(texts[i]));
    }
}

static void a_subject_is_one_plain_header(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf plain = {0}, coded = {0};
    mail_write_subject(&plain, STR("Redelivery of Sintel"));
    assert_string_equal(plain.data, "Redelivery of Sintel");
    mail_write_subject(
        &coded,
        STR("映画「黒いフレーム」をもう一度お送りください。映画「黒いフレーム」"));
    struct str rest = buf_view(&coded), line;
    while (str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        assert_true(str_starts(line, "=?utf-8?q?") && str_ends(line, "?="));
        assert_true(line.len <= 75);
    }
    assert_true(mail_address_is_safe("qc@example.org"));
    assert_false(mail_address_is_safe("qc@example.org\r\nRCPT TO:<x@y>"));
    assert_false(mail_address_is_safe("<qc@example.org>"));
    assert_false(mail_address_is_safe("nobody"));
    assert_false(mail_address_is_safe(NULL));
}

// A relay on a loopback port: refuses the first `refusals` sessions, keeps what the others send.
struct sink {
    int fd;
    char url[64];
    int refusals;
    pthread_t thread;
    struct buf mail; // all sessions' commands and messages; read after the join
    int sessions;
};

static void answer(FILE *peer, const char *line)
{
    fputs(line, peer);
    fputs("\r\n", peer);
    fflush(peer);
}

static void converse(struct sink *s, FILE *peer)
{
    char line[2000];
    bool data = false;
    answer(peer, s->refusals-- > 0 ? "421 later" : "220 sink");
    while (fgets(line, sizeof line, peer)) {
        buf_cstr(&s->mail, line);
        if (data) {
            data = strcmp(line, ".\r\n") != 0;
            if (!data) {
                answer(peer, "250 kept");
            }
        } else if (strncmp(line, "DATA", 4) == 0) {
            data = true;
            answer(peer, "354 go on");
        } else if (strncmp(line, "QUIT", 4) == 0) {
            answer(peer, "221 bye");
            return;
        } else {
            answer(peer, "250 ok");
        }
    }
}

static void *serve(void *user)
{
    struct sink *s = user;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        FILE *peer = fdopen(fd, "r+");
        s->sessions++;
        converse(s, peer);
        fclose(peer);
    }
    return NULL;
}

static void sink_start(struct sink *s, int refusals)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *s = (struct sink){.fd = socket(AF_INET, SOCK_STREAM, 0), .refusals = refusals};
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    snprintf(s->url, sizeof s->url, "smtp://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void sink_stop(struct sink *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static void write_notice(struct stage *s, const char *dedupe)
{
    begin(s);
    assert_int_equal(
        bus_notice_mail(s->tx, &(struct bus_mail){.to = "qc@partner.example",
                                                  .subject = "Bitte neu: „Sintel“",
                                                  .text = "Frame 12 is black.\n.\nEnd\n",
                                                  .dedupe = dedupe}),
        0);
    commit(s);
}

static int64_t number(struct stage *s, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = -1;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

static void a_notice_reaches_the_relay_once(void **state)
{
    struct stage *s = *state;
    struct sink sink;
    sink_start(&sink, 0);
    write_notice(s, "request/1");
    write_notice(s, "request/1");
    write_notice(s, NULL);
    write_notice(s, NULL);
    struct bus_notifier_config config = {
        .store = s->store, .smtp_url = sink.url, .mail_from = "marquee@archive.example"};
    assert_int_equal(bus_notices_flush(&config), 3);
    assert_int_equal(bus_notices_flush(&config), 0);
    sink_stop(&sink);
    assert_int_equal(sink.sessions, 3);
    const char *mail = sink.mail.data;
    assert_non_null(strstr(mail, "MAIL FROM:<marquee@archive.example>"));
    assert_non_null(strstr(mail, "RCPT TO:<qc@partner.example>"));
    assert_non_null(strstr(mail, "Subject: =?utf-8?q?Bitte=20neu=3A=20=E2=80=9ESintel"));
    assert_non_null(strstr(mail, "Frame 12 is black.\r\n=2E\r\nEnd\r\n"));
    assert_int_equal(number(s, "SELECT count(*) FROM notice WHERE sent_us IS NOT NULL"),
                     3);
    buf_free(&sink.mail);
    begin(s);
    assert_int_equal(
        bus_notice_mail(
            s->tx, &(struct bus_mail){.to = "a@b\r\nDATA", .subject = "", .text = ""}),
        ERR_INVALID);
    assert_int_equal(bus_notice_mail(s->tx, &(struct bus_mail){.to = "a@b",
                                                               .subject = "x\r\nBcc: c@d",
                                                               .text = ""}),
                     ERR_INVALID);
    commit(s);
}

static void a_relay_that_refuses_is_asked_again(void **state)
{
    struct stage *s = *state;
    struct sink sink;
    sink_start(&sink, 2);
    write_notice(s, NULL);
    struct bus_notifier_config config = {
        .store = s->store, .smtp_url = sink.url, .retry_us = 1};
    // Each call takes what is due: the notice is due again a microsecond later.
    int sent = 0;
    for (int i = 0; i < 1000 && sent == 0; i++) {
        sent = bus_notices_flush(&config);
    }
    assert_int_equal(sent, 1);
    sink_stop(&sink);
    assert_int_equal(sink.sessions, 3);
    assert_int_equal(number(s, "SELECT attempts FROM notice"), 3);
    buf_free(&sink.mail);
    // Nobody listens there any more: the notice waits its turn.
    write_notice(s, NULL);
    config.retry_us = 0;
    assert_int_equal(bus_notices_flush(&config), 0);
    assert_int_equal(number(s, "SELECT count(*) FROM notice WHERE due_us IS NOT NULL"),
                     1);
    assert_int_equal(
        number(s, "SELECT length(error) > 0 FROM notice WHERE sent_us IS NULL"), 1);
    // Without a relay notices wait.
    config.smtp_url = NULL;
    assert_int_equal(bus_notices_flush(&config), 0);
}

static void the_notifier_delivers_by_itself(void **state)
{
    struct stage *s = *state;
    struct sink sink;
    struct bus_notifier *n = NULL;
    sink_start(&sink, 0);
    assert_int_equal(
        bus_notifier_start(
            &n, &(struct bus_notifier_config){.store = s->store, .smtp_url = sink.url}),
        0);
    write_notice(s, NULL);
    int64_t until_us = clock_mono_us() + 30000000;
    while (number(s, "SELECT count(*) FROM notice WHERE sent_us IS NOT NULL") == 0) {
        assert_true(clock_mono_us() < until_us);
        sched_yield();
    }
    bus_notifier_stop(&n);
    sink_stop(&sink);
    assert_int_equal(sink.sessions, 1);
    buf_free(&sink.mail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_cloud_events_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_follower_hears_each_event_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rerun_updates_and_fixes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_waiver_outlives_the_detectors_version, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_replaced_is_open_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_detector_has_a_version, setup, teardown),
        cmocka_unit_test_setup_teardown(waivers_need_a_reason_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(findings_come_in_pages, setup, teardown),
        cmocka_unit_test(a_body_survives_quoted_printable),
        cmocka_unit_test(a_subject_is_one_plain_header),
        cmocka_unit_test_setup_teardown(a_notice_reaches_the_relay_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_relay_that_refuses_is_asked_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_notifier_delivers_by_itself, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
