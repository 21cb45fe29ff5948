// SPDX-License-Identifier: GPL-3.0-or-later
//
// The outbox. A notice is a row from the transaction that caused it; whoever delivers first moves its
// due time ahead (a lease: nobody else takes it meanwhile, and it comes back when the deliverer
// dies), then talks to the relay, then writes what came of it. At least once, and with one
// Message-ID however often.
#include "bus/internal.h"
#include "bus/transfer.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LEASE_US     300000000
#define RETRY_US     30000000
#define RETRY_MAX_US 21600000000
#define ATTEMPTS     20 // some three days
#define POLL_MS      500
#define SEND_SECONDS 60L
#define EXEC_US      60000000
#define DEFAULT_FROM "marquee@localhost"

struct bus_notifier {
    struct bus_notifier_config config;
    pthread_t thread;
    int wake_fd;
    atomic_bool stopping;
};

int bus_notice_mail(struct store_tx *tx, const struct bus_mail *mail)
{
    FAIL_IF(!mail_address_is_safe(mail->to), ERR_INVALID, "'%s' is no mail address",
            mail->to ? mail->to : "");
    FAIL_IF(!str_is_utf8(str_of(mail->subject)) || strpbrk(mail->subject, "\r\n"),
            ERR_INVALID, "a mail's subject is one line");
    FAIL_IF(!str_is_utf8(str_of(mail->text)), ERR_INVALID, "a mail's text is UTF-8");
    int64_t now_us = clock_wall_us();
    return store_exec(tx,
                      "INSERT OR IGNORE INTO notice (dedupe, recipient, subject, body,"
                      " created_us, due_us) VALUES (?, ?, ?, ?, ?, ?)",
                      "ssssii", mail->dedupe, mail->to, mail->subject, mail->text, now_us,
                      now_us);
}

static int put(struct store_tx *tx, const char *kind, const char *recipient,
               const struct bus_hook *h)
{
    AUTO(buf_free) struct buf body = {0};
    int64_t now_us = clock_wall_us();
    json_write_canonical(&body, h->body);
    TRY(body.err);
    return store_exec(tx,
                      "INSERT OR IGNORE INTO notice (kind, dedupe, recipient, subject,"
                      " body, secret_file, created_us, due_us)"
                      " VALUES (?, ?, ?, '', ?, ?, ?, ?)",
                      "sssssii", kind, h->dedupe, recipient, body.data, h->secret_file,
                      now_us, now_us);
}

int bus_notice_hook(struct store_tx *tx, const struct bus_hook *hook)
{
    FAIL_IF(!bus_webhook_url_is_safe(hook->url), ERR_INVALID, "'%s' is no web address",
            hook->url ? hook->url : "");
    return put(tx, "hook", hook->url, hook);
}

int bus_notice_exec(struct store_tx *tx, const struct bus_exec *e)
{
    AUTO(buf_free) struct buf argv = {0};
    bool texts = json_is_array(e->argv) && json_array_size(e->argv) > 0;
    for (size_t i = 0; i < json_array_size(e->argv); i++) {
        texts = texts && json_is_string(json_array_get(e->argv, i));
    }
    FAIL_IF(!texts, ERR_INVALID, "a program is an array of texts");
    json_write_canonical(&argv, e->argv);
    TRY(argv.err);
    return put(tx, "exec", argv.data,
               &(struct bus_hook){.body = e->body, .dedupe = e->dedupe});
}

int bus_notice_is_sent(struct store_tx *tx, const char *dedupe)
{
    int64_t sent = 0;
    TRY(store_get_i64(tx, &sent,
                      "SELECT sent_us IS NOT NULL FROM notice WHERE dedupe = ?", "s",
                      dedupe));
    return sent != 0;
}

// --- one notice --------------------------------------------------------------------------------------

struct notice {
    int64_t id;
    int64_t attempts;
    int64_t created_us;
    char *kind;
    char *to;
    char *subject;
    char *body;
    char *secret_file; // NULL: not signed
    char *dedupe;      // NULL: none
};

static void notice_free(struct notice *n)
{
    cstr_free(&n->kind);
    cstr_free(&n->secret_file);
    cstr_free(&n->dedupe);
    cstr_free(&n->to);
    cstr_free(&n->subject);
    cstr_free(&n->body);
}

// Mails wait where there is no relay; the others go.
#define DUE "due_us <= ? AND (kind <> 'mail' OR ?)"
static int64_t takes_mails(const struct bus_notifier_config *c)
{
    return c->smtp_url != NULL;
}

static int read_due(struct store_tx *tx, const struct bus_notifier_config *c,
                    struct notice *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r,
        "SELECT id, attempts, created_us, recipient, subject, body, kind, secret_file,"
        " dedupe FROM notice WHERE " DUE " ORDER BY due_us LIMIT 1",
        "ii", clock_wall_us(), takes_mails(c)));
    int found = store_next(r);
    if (found <= 0) {
        return found;
    }
    ret->id = store_i64(r, 0);
    ret->attempts = store_i64(r, 1) + 1;
    ret->created_us = store_i64(r, 2);
    TRY(cstr_dup(&ret->to, store_text(r, 3)));
    TRY(cstr_dup(&ret->subject, store_text(r, 4)));
    TRY(cstr_dup(&ret->body, store_text(r, 5)));
    TRY(cstr_dup(&ret->kind, store_text(r, 6)));
    TRY(store_is_null(r, 7) ? 0 : cstr_dup(&ret->secret_file, store_text(r, 7)));
    TRY(store_is_null(r, 8) ? 0 : cstr_dup(&ret->dedupe, store_text(r, 8)));
    return 1;
}

// Looked at without the writer's place, because nearly always there is none.
static int any_due(const struct bus_notifier_config *c)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t one = 0;
    TRY(store_begin(c->store, STORE_READ, &tx));
    int err = store_get_i64(tx, &one, "SELECT 1 FROM notice WHERE " DUE " LIMIT 1", "ii",
                            clock_wall_us(), takes_mails(c));
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

// 1 when there was one.
static int take_due(const struct bus_notifier_config *c, struct notice *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(c->store, STORE_WRITE, &tx));
    int found = read_due(tx, c, ret);
    if (found <= 0) {
        return found;
    }
    TRY(store_exec(tx, "UPDATE notice SET due_us = ?, attempts = ? WHERE id = ?", "iii",
                   clock_wall_us() + LEASE_US, ret->attempts, ret->id));
    TRY(store_commit(&tx));
    return 1;
}

static int settle(const struct bus_notifier_config *c, const struct notice *n, int err)
{
    AUTO(cstr_free) char *why = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t now_us = clock_wall_us();
    if (err < 0) {
        TRY(cstr_dup(&why, err_reason()));
    }
    int64_t pause_us =
        MIN((c->retry_us ? c->retry_us : RETRY_US) << MIN(n->attempts - 1, INT64_C(16)),
            RETRY_MAX_US);
    TRY(store_begin(c->store, STORE_WRITE, &tx));
    if (err == 0) {
        TRY(store_exec(
            tx, "UPDATE notice SET due_us = NULL, sent_us = ?, error = NULL WHERE id = ?",
            "ii", now_us, n->id));
    } else {
        TRY(store_exec(
            tx,
            "UPDATE notice SET due_us = CASE WHEN attempts < ? THEN ? END, error = ?"
            " WHERE id = ?",
            "iisi", (int64_t)ATTEMPTS, now_us + pause_us, why, n->id));
    }
    return store_commit(&tx);
}

// --- SMTP (RFC 5321) through libcurl -----------------------------------------------------------------

static size_t give(char *to, size_t size, size_t count, void *user)
{
    struct str *rest = user;
    size_t n = MIN(size * count, rest->len);
    if (n) {
        memcpy(to, rest->data, n);
    }
    *rest = (struct str){rest->data + n, rest->len - n};
    return n;
}

static int is_stopping(void *user, curl_off_t down_total, curl_off_t down,
                       curl_off_t up_total, curl_off_t up)
{
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    const atomic_bool *stopping = user;
    return stopping && atomic_load(stopping);
}

// With a password, TLS is wanted and checked. Without one it is taken where it is offered: a relay's
// self-made certificate protects no less than plain text does.
static void set_security(CURL *easy, const struct bus_notifier_config *c)
{
    bool checked = c->smtp_user != NULL || strncmp(c->smtp_url, "smtps:", 6) == 0;
    curl_easy_setopt(easy, CURLOPT_USE_SSL,
                     (long)(checked ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, checked ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, checked ? 2L : 0L);
    if (c->smtp_user) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, c->smtp_user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD,
                         c->smtp_password ? c->smtp_password : "");
    }
}

static int send_mail(const struct bus_notifier_config *c, const struct notice *n,
                     const atomic_bool *stopping)
{
    const char *from = c->mail_from ? c->mail_from : DEFAULT_FROM;
    AUTO(buf_free) struct buf text = {0};
    char told[CURL_ERROR_SIZE];
    FAIL_IF(!mail_address_is_safe(from), ERR_INVALID, "'%s' is no mail address", from);
    TRY(mail_write(
        &(struct mail_message){n->id, n->created_us, from, n->to, n->subject, n->body},
        &text));
    AUTO(transfer_free) CURL *easy = NULL;
    TRY(transfer_new(&easy, c->smtp_url, SEND_SECONDS, told));
    AUTO(transfer_list_free) struct curl_slist *to = curl_slist_append(NULL, n->to);
    FAIL_IF(!to, ERR_NOMEM, "a mail");
    struct str rest = buf_view(&text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(easy, CURLOPT_READDATA, &rest);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, is_stopping);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, stopping);
    set_security(easy, c);
    CURLcode code = curl_easy_perform(easy);
    long answer = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer);
    FAIL_IF(code != CURLE_OK, ERR_IO, "mail relay: %s (answer %ld)",
            told[0] ? told : curl_easy_strerror(code), answer);
    return 0;
}

// --- webhooks and programs ---------------------------------------------------------------------------

static int send_hook(const struct notice *n)
{
    AUTO(cstr_free) char *id = NULL;
    TRY(n->dedupe ? cstr_dup(&id, n->dedupe)
                  : cstr_printf(&id, "notice/%lld", (long long)n->id));
    return bus_webhook_post(&(struct bus_webhook){
        .url = n->to, .secret_file = n->secret_file, .id = id, .body = str_of(n->body)});
}

static int send_exec(const struct notice *n)
{
    enum { WORDS_MAX = 64 };
    AUTO(json_free) json_t *list = NULL;
    AUTO(proc_answer_free) struct proc_answer a = {0};
    const char *argv[WORDS_MAX + 1] = {0};
    TRY(json_parse(&list, str_of(n->to), 65536));
    FAIL_IF(json_array_size(list) > WORDS_MAX, ERR_LIMIT, "a program of over %d words",
            WORDS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        argv[i] = json_string_value(json_array_get(list, i));
    }
    TRY(proc_ask(&(struct proc_question){.argv = argv,
                                         .in = str_of(n->body),
                                         .timeout_us = EXEC_US,
                                         .max_bytes = 4096},
                 &a));
    FAIL_IF(a.timed_out, ERR_TIMEOUT, "%s takes too long", argv[0]);
    FAIL_IF(a.exit.code != 0, ERR_CRASHED, "%s ended with %d", argv[0], a.exit.code);
    return 0;
}

static int send_one(const struct bus_notifier_config *c, const struct notice *n,
                    const atomic_bool *stopping)
{
    if (strcmp(n->kind, "hook") == 0) {
        return send_hook(n);
    }
    return strcmp(n->kind, "exec") == 0 ? send_exec(n) : send_mail(c, n, stopping);
}

// --- delivering --------------------------------------------------------------------------------------

static void count_attempt(const struct bus_notifier_config *c, int err, int64_t us)
{
    const struct meter_tag tags[] = {{"result", err < 0 ? err_name(err) : "sent"}, {0}};
    meter_count(c->meter, "marquee.notices", tags, 1);
    meter_time(c->meter, "marquee.notices.time", NULL, us);
}

// How many were sent of what is due now.
static int flush(const struct bus_notifier_config *c, const atomic_bool *stopping)
{
    int sent = 0;
    while (!(stopping && atomic_load(stopping))) {
        AUTO(notice_free) struct notice n = {0};
        int found = any_due(c);
        found = found > 0 ? take_due(c, &n) : found;
        TRY(found);
        if (!found) {
            break;
        }
        int64_t start_us = clock_mono_us();
        int err = send_one(c, &n, stopping);
        sent += err == 0;
        count_attempt(c, err, clock_mono_us() - start_us);
        if (err < 0) {
            log_warn("bus", "notice %lld, attempt %lld: %s", (long long)n.id,
                     (long long)n.attempts, err_reason());
        }
        TRY(settle(c, &n, err));
    }
    return sent;
}

int bus_notices_flush(const struct bus_notifier_config *config)
{
    return flush(config, NULL);
}

static void *notify(void *user)
{
    struct bus_notifier *n = user;
    bool failing = false;
    while (!atomic_load(&n->stopping)) {
        int err = flush(&n->config, &n->stopping);
        if (err < 0 && !failing) {
            log_warn("bus", "delivering notices: %s", err_reason());
        }
        failing = err < 0; // said once, however long it lasts
        struct pollfd wake = {.fd = n->wake_fd, .events = POLLIN};
        (void)poll(&wake, 1, POLL_MS);
    }
    return NULL;
}

int bus_notifier_start(struct bus_notifier **ret,
                       const struct bus_notifier_config *config)
{
    struct bus_notifier *n = calloc(1, sizeof *n);
    FAIL_IF(!n, ERR_NOMEM, "a notifier");
    n->config = *config;
    n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = n->wake_fd < 0 ? err_fail_errno("a notifier") : 0;
    if (err == 0 && pthread_create(&n->thread, NULL, notify, n) != 0) {
        err = err_fail(ERR_NOMEM, "a thread for the notifier");
    }
    if (err < 0) {
        fd_close(&n->wake_fd);
        free(n);
        return err;
    }
    *ret = n;
    return 0;
}

void bus_notifier_stop(struct bus_notifier **notifier)
{
    struct bus_notifier *n = TAKE(*notifier);
    if (!n) {
        return;
    }
    atomic_store(&n->stopping, true);
    uint64_t one = 1;
    ssize_t told = write(n->wake_fd, &one, sizeof one);
    (void)told;
    pthread_join(n->thread, NULL);
    fd_close(&n->wake_fd);
    free(n);
}
