// SPDX-License-Identifier: GPL-3.0-or-later
//
// The films' bytes. A grant is part of the path, so that everything relative inside a package is
// authorised by the prefix it is asked under: `/media/<grant>/<package>/…`. A grant says which
// package, until when, and what of it: manifests are written for it, and files of a rendition that
// it leaves out are refused, whoever guesses their names.
#include "app/api.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGE_JSON_MAX (128u << 20)
#define CACHE_ENTRIES    64
#define FOREVER          "private, max-age=31536000, immutable"

// Which renditions a kind of grant leaves: what package.json would say again for each segment.
struct allowance {
    char *key;                       // package and filter; NULL: free
    VEC(struct media_rendition) ids; // of each, the id alone is meant
    uint64_t used;
};

struct media_gate {
    uint8_t key[ACCOUNT_KEY_BYTES];
    char *dir; // DATA/media
    struct store *store;

    pthread_mutex_t lock; // guards what follows
    struct allowance cache[CACHE_ENTRIES];
    uint64_t clock;
};

int media_gate_open(struct media_gate **ret, struct store *store)
{
    AUTO(media_gate_close) struct media_gate *g = calloc(1, sizeof *g);
    FAIL_IF(!g, ERR_NOMEM, "a gate");
    pthread_mutex_init(&g->lock, NULL);
    g->store = store;
    TRY(cstr_printf(&g->dir, "%s/media", store_dir(store)));
    TRY(account_key(store, "media", g->key));
    *ret = TAKE(g);
    return 0;
}

static void allowance_clear(struct allowance *a)
{
    cstr_free(&a->key);
    vec_free(&a->ids);
}

void media_gate_close(struct media_gate **gate)
{
    struct media_gate *g = TAKE(*gate);
    if (!g) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(g->cache); i++) {
        allowance_clear(&g->cache[i]);
    }
    pthread_mutex_destroy(&g->lock);
    cstr_free(&g->dir);
    free(g);
}

// --- grants ---------------------------------------------------------------------------------

static int claims_json(const struct media_grant *grant, json_t **ret)
{
    AUTO(json_free) json_t *codecs = json_array();
    for (size_t i = 0; i < grant->codec_count; i++) {
        FAIL_IF(json_array_append_new(codecs, json_string(grant->codecs[i])) < 0,
                ERR_NOMEM, "a grant");
    }
    return json_made(json_pack("{s:s, s:s, s:i, s:I, s:i, s:b, s:O}", "p", grant->package,
                               "i", grant->play, "s", grant->streams, "e",
                               (json_int_t)grant->until_s, "h", grant->max_height, "d",
                               (int)grant->hdr, "c", codecs),
                     ret);
}

int media_grant_sign(const struct media_gate *g, const struct media_grant *grant,
                     struct buf *out)
{
    AUTO(json_free) json_t *claims = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(claims_json(grant, &claims));
    json_write_canonical(&text, claims);
    TRY(text.err);
    struct hash mac;
    hash_hmac(g->key, sizeof g->key, text.data, text.len, &mac);
    base64url_encode(out, text.data, text.len);
    buf_char(out, '.');
    base64url_encode(out, mac.bytes, sizeof mac.bytes);
    return out->err;
}

static int read_claims(const struct buf *text, struct media_grant *ret)
{
    AUTO(json_free) json_t *claims = NULL;
    json_t *codecs = NULL;
    const char *package = NULL, *play = NULL;
    struct media_grant grant = {0};
    TRY(json_parse(&claims, buf_view(text), 4096));
    TRY(json_get_str(claims, "p", &package));
    TRY(str_copy(grant.package, sizeof grant.package, str_of(package)));
    TRY(json_get_str(claims, "i", &play));
    TRY(str_copy(grant.play, sizeof grant.play, str_of(play)));
    TRY(json_get_int(claims, "s", 0, 100000, &grant.streams));
    TRY(json_get_i64(claims, "e", 0, INT64_MAX, &grant.until_s));
    TRY(json_get_int(claims, "h", 0, 100000, &grant.max_height));
    TRY(json_get_bool(claims, "d", &grant.hdr));
    TRY(json_get_array(claims, "c", &codecs));
    FAIL_IF(json_array_size(codecs) > MEDIA_CODECS_MAX, ERR_INVALID, "too many codecs");
    for (; grant.codec_count < json_array_size(codecs); grant.codec_count++) {
        const char *codec = json_string_value(json_array_get(codecs, grant.codec_count));
        TRY(str_copy(grant.codecs[grant.codec_count], sizeof grant.codecs[0],
                     str_of(codec)));
    }
    *ret = grant;
    return 0;
}

int media_grant_check(const struct media_gate *g, struct str text, int64_t now_s,
                      struct media_grant *ret)
{
    struct str mac_text = text, claims_text;
    str_next(&mac_text, '.', &claims_text);
    AUTO(buf_free) struct buf claims = {0}, mac = {0};
    struct hash wanted;
    bool whole = mac_text.data && base64url_decode(&claims, claims_text) == 0 &&
                 base64url_decode(&mac, mac_text) == 0 && mac.len == HASH_BYTES;
    FAIL_IF(!whole, ERR_DENIED, "that is not a grant");
    hash_hmac(g->key, sizeof g->key, claims.data, claims.len, &wanted);
    FAIL_IF(!hash_eq_secret(wanted.bytes, mac.data, HASH_BYTES), ERR_DENIED,
            "that is not a grant");
    struct media_grant grant;
    TRY(read_claims(&claims, &grant));
    FAIL_IF(grant.until_s <= now_s, ERR_DENIED,
            "this grant is over; play the title again");
    *ret = grant;
    return 0;
}

// --- what a grant leaves --------------------------------------------------------------------

static int read_package(const struct media_gate *g, const char *package,
                        struct media_package **ret)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(json_free) json_t *json = NULL;
    json_t *media = NULL;
    TRY(cstr_printf(&path, "%s/%s/package.json", g->dir, package));
    FAIL_IF(!fs_exists(path), ERR_NOT_FOUND, "there is no such package");
    TRY(json_parse_file(&json, path, PACKAGE_JSON_MAX));
    TRY(json_get_object(json, "media", &media));
    return media_package_from_json(media, ret);
}

struct filter {
    const char *codecs[MEDIA_CODECS_MAX];
    struct media_filter media;
};

static void make_filter(const struct media_grant *grant, struct filter *ret)
{
    for (size_t i = 0; i < grant->codec_count; i++) {
        ret->codecs[i] = grant->codecs[i];
    }
    ret->media = (struct media_filter){.codecs = grant->codec_count ? ret->codecs : NULL,
                                       .codec_count = grant->codec_count,
                                       .max_height = grant->max_height,
                                       .hdr = grant->hdr};
}

// A grant without its play and end: what two viewers of the same device and plan share.
static int cache_key(const struct media_grant *grant, char **ret)
{
    struct media_grant same = *grant;
    same.until_s = 0;
    same.streams = 0;
    same.play[0] = '\0';
    AUTO(json_free) json_t *claims = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(claims_json(&same, &claims));
    json_write_canonical(&text, claims);
    return buf_take(&text, ret);
}

// 1 or 0 when known, -1 when not.
static int ask_cache(struct media_gate *g, const char *key, const char *rendition)
{
    int known = -1;
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < ARRAY_LEN(g->cache) && known < 0; i++) {
        struct allowance *a = &g->cache[i];
        if (!a->key || strcmp(a->key, key) != 0) {
            continue;
        }
        known = 0;
        a->used = ++g->clock;
        vec_for_each (r, &a->ids) {
            known |= strcmp(r->id, rendition) == 0;
        }
    }
    pthread_mutex_unlock(&g->lock);
    return known;
}

static void keep(struct media_gate *g, struct allowance *a)
{
    pthread_mutex_lock(&g->lock);
    struct allowance *oldest = &g->cache[0];
    for (size_t i = 1; i < ARRAY_LEN(g->cache); i++) {
        if (g->cache[i].used < oldest->used) {
            oldest = &g->cache[i];
        }
    }
    allowance_clear(oldest);
    *oldest = *a;
    oldest->used = ++g->clock;
    pthread_mutex_unlock(&g->lock);
    *a = (struct allowance){0};
}

static int check_rendition(struct media_gate *g, const struct media_grant *grant,
                           const char *rendition)
{
    AUTO(allowance_clear) struct allowance a = {0};
    TRY(cache_key(grant, &a.key));
    int known = ask_cache(g, a.key, rendition);
    if (known < 0) {
        AUTO(media_package_free) struct media_package *package = NULL;
        struct filter filter;
        make_filter(grant, &filter);
        TRY(read_package(g, grant->package, &package));
        known = 0;
        vec_for_each (t, &package->tracks) {
            if (media_package_allows(package, &filter.media, t->rendition.id)) {
                TRY(vec_push(&a.ids, t->rendition));
                known |= strcmp(t->rendition.id, rendition) == 0;
            }
        }
        keep(g, &a);
    }
    FAIL_IF(known == 0, ERR_DENIED, "this rendition is not part of the grant");
    return 0;
}

// --- plays ----------------------------------------------------------------------------------

// Whoever is sent media holds a stream of the plan, whether or not the player says so: a play that
// ended gets none, one whose beats do not come is heard of by its requests.
static int check_play(struct media_gate *g, const struct media_grant *grant)
{
    if (!grant->play[0]) {
        return 0;
    }
    AUTO(store_rollback) struct store_tx *look = NULL, *tx = NULL;
    bool heard = false;
    TRY(store_begin(g->store, STORE_READ, &look));
    int err = viewing_play_is_heard(look, grant->play, &heard);
    store_rollback(&look);
    if (err == 0 && !heard) {
        TRY(store_begin(g->store, STORE_WRITE, &tx));
        err = viewing_play_hear(tx, grant->play, grant->streams);
        if (err == 0) {
            return store_commit(&tx);
        }
    }
    FAIL_IF(err == ERR_CONFLICT || err == ERR_NOT_FOUND, ERR_DENIED,
            "this play is over, or its place is taken; play the title again");
    return err;
}

// --- files ----------------------------------------------------------------------------------

static int send_manifest(struct media_gate *g, struct http_response *res,
                         const struct media_grant *grant, const char *name)
{
    AUTO(media_package_free) struct media_package *package = NULL;
    AUTO(buf_free) struct buf text = {0};
    struct filter filter;
    make_filter(grant, &filter);
    TRY(read_package(g, grant->package, &package));
    TRY(strcmp(name, "manifest.mpd") == 0
            ? media_dash(package, &filter.media, &text)
            : media_hls_master(package, &filter.media, &text));
    TRY(text.err);
    http_header(res, "Cache-Control", "private, max-age=3600");
    http_body(res, served_type(name), buf_view(&text));
    return 0;
}

// Bytes below a package never change: their address holds its hash.
static int send_file(struct media_gate *g, struct http_response *res, const char *package,
                     const char *path)
{
    AUTO(cstr_free) char *below = NULL;
    int fd = -1;
    TRY(cstr_printf(&below, "%s/%s", package, path));
    TRY(served_open(g->dir, below, &fd));
    return http_file(res, fd, served_type(path), package, FOREVER);
}

static bool is_art(const char *path)
{
    return strcmp(path, "poster.jpg") == 0 || str_starts(str_of(path), "thumbs/");
}

int api_media_get(struct http_request *req, struct http_response *res, void *user)
{
    struct media_gate *g = ((struct api *)user)->gate;
    const char *package = http_request_param(req, "package");
    const char *path = http_request_param(req, "rest");
    struct media_grant grant;
    TRY(media_grant_check(g, str_of(http_request_param(req, "grant")),
                          clock_wall_us() / 1000000, &grant));
    FAIL_IF(strcmp(grant.package, package) != 0, ERR_DENIED,
            "this grant is for another package");
    if (strcmp(path, "master.m3u8") == 0 || strcmp(path, "manifest.mpd") == 0) {
        return send_manifest(g, res, &grant, path);
    }
    if (!is_art(path) && !str_starts(str_of(path), "captions/")) {
        struct str rest = str_of(path), folder;
        str_next(&rest, '/', &folder);
        FAIL_IF(!rest.data, ERR_NOT_FOUND, "there is no such file");
        const char *rendition = arena_dup(http_request_arena(req), folder);
        FAIL_IF(!rendition, ERR_NOMEM, "a name");
        TRY(check_rendition(g, &grant, rendition));
        TRY(check_play(g, &grant));
    }
    return send_file(g, res, package, path);
}

int api_art_get(struct http_request *req, struct http_response *res, void *user)
{
    struct media_gate *g = ((struct api *)user)->gate;
    const char *package = http_request_param(req, "package");
    const char *path = http_request_param(req, "rest");
    struct hash hash;
    FAIL_IF(hash_parse(str_of(package), &hash) < 0 || !is_art(path), ERR_NOT_FOUND,
            "there is no such picture");
    return send_file(g, res, package, path);
}
