// SPDX-License-Identifier: GPL-3.0-or-later
//
// A signed POST through libcurl:
//
//     X-Marquee-Signature: t=1795312740,v1=<hex of HMAC-SHA-256(secret, "1795312740." body)>
//     X-Marquee-Delivery: <id, the same for each attempt>
//
// The time is under the signature so that a receiver can refuse what was recorded and sent again. The
// secret is a file of this machine, read for each delivery: rows hold its path alone.
#include "bus/internal.h"
#include "bus/transfer.h"

#include <string.h>

#define ANSWER_SECONDS   30L
#define SECRET_MAX_BYTES 4096
#define SECRET_MIN_BYTES 16

bool bus_webhook_url_is_safe(const char *url)
{
    return url && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) &&
           str_is_line(str_of(url)) && strlen(url) <= 2000;
}

static int sign(const char *secret_file, struct str body, struct buf *out)
{
    AUTO(buf_free) struct buf secret = {0}, text = {0};
    struct hash mac;
    char hex[HASH_HEX_BYTES];
    long long now_s = clock_wall_us() / 1000000;
    TRY(fs_read_file(secret_file, SECRET_MAX_BYTES, &secret));
    struct str key = str_trim(buf_view(&secret));
    FAIL_IF(key.len < SECRET_MIN_BYTES, ERR_INVALID,
            "the secret in %s has fewer than %d characters", secret_file,
            SECRET_MIN_BYTES);
    buf_printf(&text, "%lld.", now_s);
    buf_str(&text, body);
    TRY(text.err);
    hash_hmac(key.data, key.len, text.data, text.len, &mac);
    explicit_bzero(secret.data, secret.len);
    hash_hex(&mac, hex);
    buf_printf(out, "X-Marquee-Signature: t=%lld,v1=%s", now_s, hex);
    return out->err;
}

static int add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);
    FAIL_IF(!longer, ERR_NOMEM, "a header");
    *list = longer;
    return 0;
}

static int headers(const struct bus_webhook *w, struct curl_slist **ret)
{
    AUTO(buf_free) struct buf id = {0}, signature = {0};
    AUTO(transfer_list_free) struct curl_slist *list = NULL;
    TRY(add_header(&list, "Content-Type: application/json"));
    TRY(add_header(&list, "Expect:"));
    if (w->id) {
        buf_cstr(&id, "X-Marquee-Delivery: ");
        buf_line(&id, str_of(w->id));
        TRY(id.err);
        TRY(add_header(&list, id.data));
    }
    if (w->secret_file) {
        TRY(sign(w->secret_file, w->body, &signature));
        TRY(add_header(&list, signature.data));
    }
    *ret = TAKE(list);
    return 0;
}

// What it answers matters by its status alone.
static size_t drop(char *bytes, size_t size, size_t count, void *user)
{
    (void)bytes;
    size_t *left = user;
    size_t n = size * count;
    *left -= MIN(*left, n);
    return *left ? n : 0;
}

int bus_webhook_post(const struct bus_webhook *w)
{
    char told[CURL_ERROR_SIZE];
    size_t left = 1 << 20;
    FAIL_IF(!bus_webhook_url_is_safe(w->url), ERR_INVALID, "'%s' is no web address",
            w->url);
    AUTO(transfer_list_free) struct curl_slist *list = NULL;
    AUTO(transfer_free) CURL *easy = NULL;
    TRY(transfer_new(&easy, w->url, ANSWER_SECONDS, told));
    TRY(headers(w, &list));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, w->body.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)w->body.len);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "marquee/" MARQUEE_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &left);
    CURLcode code = curl_easy_perform(easy);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    FAIL_IF(code != CURLE_OK, ERR_IO, "webhook: %s",
            told[0] ? told : curl_easy_strerror(code));
    FAIL_IF(status < 200 || status > 299, ERR_IO, "webhook: it answered %ld", status);
    return 0;
}
