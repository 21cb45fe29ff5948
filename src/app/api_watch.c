// SPDX-License-Identifier: GPL-3.0-or-later
//
// What viewers' pages ask for: titles, the home page, lists, ratings.
#include "app/api.h"

#include <string.h>

#define ROW_CARDS    20
#define RECENT_CARDS 8 // the rest of a small catalogue is for the rows below
#define TAG_ROWS     8
#define TAG_ROW_MIN  2 // a row of one card says nothing
#define NEW_SHARE    4 // of the cards in a row one in so many is not in a row above

#define BILLBOARD_RECENT 20
#define BILLBOARD_LONG   INT64_C(30000000) // what one sits down for
#define BILLBOARD_LEAST  INT64_C(3000000)  // shorter, it is over before it begins
#define BILLBOARD_WIDTH  640               // a poster that can fill a screen

struct look { // one reading request
    struct store_tx *tx;
    struct catalog_viewer viewer;
    const char *profile_id;
};

static void look_end(struct look *l)
{
    store_rollback(&l->tx);
}

static int look_begin(struct api *api, struct http_request *req, struct look *l)
{
    TRY(store_begin(api->store, STORE_READ, &l->tx));
    TRY(api_viewer(req, l->tx, &l->viewer));
    l->profile_id = api_caller(req)->who.profile_id;
    return 0;
}

static int set_why(json_t *cards, const char *why)
{
    size_t i;
    json_t *card;
    json_array_foreach(cards, i, card)
    {
        FAIL_IF(json_object_set_new(card, "why", why ? json_string(why) : json_null()) <
                    0,
                ERR_NOMEM, "cards");
    }
    return 0;
}

static int finish_cards(struct look *l, json_t *cards)
{
    return viewing_decorate(l->tx, l->profile_id, cards);
}

// --- home -----------------------------------------------------------------------------------

struct home {
    struct look *look;
    json_t *rows;     // borrowed
    json_t *shown;    // borrowed: ids in the rows so far, as keys
    size_t least;     // new cards that make a row
    size_t new_share; // one card in so many is new; 0: any row will do
};

static size_t count_fresh(const struct home *h, const json_t *cards)
{
    size_t i, fresh = 0;
    json_t *card;
    json_array_foreach(cards, i, card)
    {
        fresh += json_object_get(h->shown, json_str_or(card, "id", "")) == NULL;
    }
    return fresh;
}

static int note_shown(struct home *h, const json_t *cards)
{
    size_t i;
    json_t *card;
    json_array_foreach(cards, i, card)
    {
        FAIL_IF(json_object_set_new(h->shown, json_str_or(card, "id", ""), json_true()) <
                    0,
                ERR_NOMEM, "the home page");
    }
    return 0;
}

// Takes the cards, also on failure.
static int add_row(struct home *h, const char *id, const char *name, const char *why,
                   json_t *cards)
{
    AUTO(json_free) json_t *owned = cards;
    size_t fresh = h->new_share ? count_fresh(h, cards) : json_array_size(cards);
    bool is_stale = h->new_share && fresh * h->new_share < json_array_size(cards);
    if (fresh < h->least || is_stale) {
        return 0;
    }
    TRY(note_shown(h, cards));
    TRY(set_why(cards, why));
    TRY(finish_cards(h->look, cards));
    FAIL_IF(json_array_append_new(h->rows, json_pack("{s:s, s:s, s:O}", "id", id, "name",
                                                     name, "items", cards)) < 0,
            ERR_NOMEM, "the home page");
    return 0;
}

typedef int profile_ids_f(struct store_tx *, const char *profile_id, int limit,
                          json_t **ret_ids);

static int add_ids_row(struct home *h, const char *id, const char *name,
                       profile_ids_f *which)
{
    AUTO(json_free) json_t *ids = NULL;
    json_t *cards = NULL;
    TRY(which(h->look->tx, h->look->profile_id, ROW_CARDS, &ids));
    TRY(catalog_cards(h->look->tx, &h->look->viewer, ids, &cards));
    return add_row(h, id, name, NULL, cards);
}

static int add_query_row(struct home *h, const char *id, const char *name,
                         const char *why, const struct catalog_query *query)
{
    json_t *cards = NULL;
    TRY(catalog_list(h->look->tx, &h->look->viewer, query, &cards));
    return add_row(h, id, name, why, cards);
}

static int add_tag_rows(struct home *h)
{
    AUTO(json_free) json_t *tags = NULL;
    TRY(catalog_tags(h->look->tx, &h->look->viewer, TAG_ROWS, &tags));
    h->least = TAG_ROW_MIN;
    size_t i;
    json_t *item;
    json_array_foreach(tags, i, item)
    {
        const char *tag = json_str_or(item, "tag", "");
        const struct catalog_query query = {
            .tag = tag, .order = CATALOG_NEWEST, .limit = ROW_CARDS};
        AUTO(cstr_free) char *id = NULL;
        TRY(cstr_printf(&id, "tag:%s", tag));
        TRY(add_query_row(h, id, tag, NULL, &query));
    }
    return 0;
}

static int add_rows(struct home *h)
{
    const struct catalog_query newest = {.order = CATALOG_NEWEST, .limit = RECENT_CARDS};
    const struct catalog_query films = {
        .kind = "film", .order = CATALOG_BY_NAME, .limit = ROW_CARDS};
    const struct catalog_query series = {
        .kind = "series", .order = CATALOG_BY_NAME, .limit = ROW_CARDS};
    h->least = 1;
    TRY(add_ids_row(h, "continue", "Continue watching", viewing_unfinished));
    TRY(add_ids_row(h, "list", "My list", viewing_listed));
    json_object_clear(h->shown); // one's own rows take nothing from the others
    TRY(add_query_row(h, "recent", "Recently added", "Recently added", &newest));
    h->new_share = NEW_SHARE;
    TRY(add_query_row(h, "series", "Series", NULL, &series));
    TRY(add_tag_rows(h)); // before all films, which would leave them nothing new
    return add_query_row(h, "films", "Films", NULL, &films);
}

// What a title needs to be worth a whole screen, the weightier first; of equals the longest is taken.
enum {
    WORTH_ANYTHING = 1 << 3, // set for all that may stand there at all
    WORTH_UNSEEN = 1 << 2,   // not to its end
    WORTH_LONG = 1 << 1,     // enough to sit down for
    WORTH_PICTURE = 1 << 0,  // that fills a screen
};

// 0: not at all.
static int64_t billboard_worth(const json_t *card, const json_t *seen)
{
    bool is_series = strcmp(json_str_or(card, "kind", ""), "series") == 0;
    int64_t us = json_i64_or(card, "duration_us", 0);
    if (us < BILLBOARD_LEAST && !is_series) {
        return 0;
    }
    int64_t width = json_i64_or(json_object_get(card, "poster"), "width", 0);
    int worth = WORTH_ANYTHING | WORTH_UNSEEN | (us >= BILLBOARD_LONG ? WORTH_LONG : 0) |
                (width >= BILLBOARD_WIDTH ? WORTH_PICTURE : 0);
    size_t i;
    json_t *id;
    json_array_foreach(seen, i, id)
    {
        worth &= json_equal(id, json_object_get(card, "id")) ? ~WORTH_UNSEEN : ~0;
    }
    return worth * (INT64_C(1) << 56) + MIN(us, (INT64_C(1) << 56) - 1);
}

// One of the newest titles.
static int pick_billboard(struct look *l, json_t **ret)
{
    const struct catalog_query newest = {.order = CATALOG_NEWEST,
                                         .limit = BILLBOARD_RECENT};
    AUTO(json_free) json_t *cards = NULL, *seen = NULL, *one = json_array();
    TRY(catalog_list(l->tx, &l->viewer, &newest, &cards));
    TRY(viewing_finished(l->tx, l->profile_id, 200, &seen));
    json_t *best = NULL;
    int64_t most = 0;
    size_t i;
    json_t *card;
    json_array_foreach(cards, i, card)
    {
        int64_t worth = billboard_worth(card, seen);
        if (worth > most) {
            best = card;
            most = worth;
        }
    }
    if (!best) {
        return json_made(json_null(), ret);
    }
    FAIL_IF(json_array_append(one, best) < 0, ERR_NOMEM, "the home page");
    TRY(set_why(one, "Recently added"));
    TRY(finish_cards(l, one));
    *ret = json_incref(best);
    return 0;
}

int api_home_get(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(look_end) struct look l = {0};
    TRY(look_begin(user, req, &l));
    AUTO(json_free)
    json_t *rows = json_array(), *shown = json_object(), *billboard = NULL;
    struct home h = {.look = &l, .rows = rows, .shown = shown};
    TRY(pick_billboard(&l, &billboard));
    TRY(add_rows(&h));
    return http_json(res, 200,
                     json_pack("{s:O, s:O}", "billboard", billboard, "rows", rows));
}

// --- titles ---------------------------------------------------------------------------------

int api_titles_list(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(look_end) struct look l = {0};
    TRY(look_begin(user, req, &l));
    l.viewer.sees_all = api_operates(req);
    struct catalog_query query = {.text = http_request_query(req, "query"),
                                  .tag = http_request_query(req, "tag"),
                                  .kind = http_request_query(req, "kind"),
                                  .after = http_request_query(req, "after")};
    const char *order = http_request_query(req, "order");
    query.order =
        order && strcmp(order, "newest") == 0 ? CATALOG_NEWEST : CATALOG_BY_NAME;
    TRY(api_limit(req, 100, &query.limit));
    AUTO(json_free) json_t *cards = NULL;
    TRY(catalog_list(l.tx, &l.viewer, &query, &cards));
    TRY(finish_cards(&l, cards));
    return api_wrap(res, "titles", TAKE(cards));
}

static int decorate_detail(struct look *l, json_t *detail)
{
    AUTO(json_free) json_t *self = json_pack("[O]", detail);
    TRY(finish_cards(l, self));
    TRY(finish_cards(l, json_object_get(detail, "more_like")));
    size_t i;
    json_t *season;
    json_array_foreach(json_object_get(detail, "seasons"), i, season)
    {
        TRY(finish_cards(l, json_object_get(season, "episodes")));
    }
    return 0;
}

int api_titles_get(struct http_request *req, struct http_response *res, void *user)
{
    const char *id = NULL;
    TRY(api_id(req, &id));
    AUTO(look_end) struct look l = {0};
    TRY(look_begin(user, req, &l));
    l.viewer.sees_all = api_operates(req);
    AUTO(json_free) json_t *detail = NULL;
    TRY(catalog_detail(l.tx, &l.viewer, id, &detail));
    TRY(decorate_detail(&l, detail));
    if (!api_operates(req)) {
        json_object_del(detail, "partner"); // the house's own business
        json_object_del(detail, "territories");
    }
    return http_json(res, 200, TAKE(detail));
}

int api_titles_edit(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(catalog_edit(tx, id, body, api_actor(req)));
    TRY(api_commit(api, &tx));
    return api_titles_get(req, res, user);
}

int api_titles_withdraw(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, catalog_withdraw);
}

int api_titles_restore(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, catalog_restore);
}

int api_search_get(struct http_request *req, struct http_response *res, void *user)
{
    const char *text = http_request_query(req, "q");
    int limit = 0;
    TRY(api_limit(req, 40, &limit));
    AUTO(look_end) struct look l = {0};
    TRY(look_begin(user, req, &l));
    AUTO(json_free) json_t *found = NULL;
    TRY(catalog_search(l.tx, &l.viewer, text ? text : "", limit, &found));
    TRY(finish_cards(&l, json_object_get(found, "titles")));
    return http_json(res, 200, TAKE(found));
}

// --- what a profile keeps -------------------------------------------------------------------

int api_list_get(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(look_end) struct look l = {0};
    TRY(look_begin(user, req, &l));
    AUTO(json_free) json_t *ids = NULL, *cards = NULL;
    TRY(viewing_listed(l.tx, l.profile_id, 1000, &ids));
    TRY(catalog_cards(l.tx, &l.viewer, ids, &cards));
    TRY(finish_cards(&l, cards));
    return api_wrap(res, "titles", TAKE(cards));
}

// The path's title, which must be there for this viewer, in a writing transaction.
static int begin_for_title(struct api *api, struct http_request *req,
                           struct store_tx **ret_tx, const char **ret_id)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct catalog_viewer viewer;
    TRY(api_id(req, ret_id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(api_viewer(req, tx, &viewer));
    AUTO(json_free) json_t *ids = json_pack("[s]", *ret_id);
    AUTO(json_free) json_t *cards = NULL;
    TRY(catalog_cards(tx, &viewer, ids, &cards));
    FAIL_IF(json_array_size(cards) == 0, ERR_NOT_FOUND, "there is no such title");
    *ret_tx = TAKE(tx);
    return 0;
}

int api_list_add(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(begin_for_title(user, req, &tx, &id));
    TRY(viewing_list_add(tx, api_caller(req)->who.profile_id, id));
    TRY(store_commit(&tx));
    return api_done(res);
}

int api_list_remove(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(viewing_list_remove(tx, api_caller(req)->who.profile_id, id));
    TRY(store_commit(&tx));
    return api_done(res);
}

int api_titles_rate(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    int value = 0;
    TRY(http_request_json(req, &body));
    TRY(json_get_int(body, "value", -1, 1, &value));
    TRY(begin_for_title(user, req, &tx, &id));
    TRY(viewing_rate(tx, api_caller(req)->who.profile_id, id, value));
    TRY(store_commit(&tx));
    return api_done(res);
}
