// SPDX-License-Identifier: GPL-3.0-or-later
//
// Titles: what there is to watch, in words. It does not rank and does not know who watches.
//
// A series has seasons, seasons have episodes; an episode is a title of its own. What is watched
// is a package: films and episodes have one once published, a series shows when one of its episodes
// does. A title outlives its packages and its withdrawal.
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "account/account.h"
#include "bus/bus.h"
#include "store/store.h"

extern const struct store_migration catalog_migrations[];
extern const size_t catalog_migration_count;

// --- writing --------------------------------------------------------------------------------

// What a person says about a title, as an entry of demo/catalog.yaml says it. All but name is
// optional; an absent member keeps what is known, null forgets it.
//   {"slug":"sintel-trailer",     unique; an entry with a known slug edits that title
//    "kind":"film|series|episode","name","year","synopsis","language":BCP 47 of these texts,
//    "series":slug of a series (kind episode), "season","episode":from 1,
//    "seasons":[{"number","name"}] (kind series),
//    "tags":[text],"people":[{"name","role"}],"maturity":age 0..18 (none: unrated, for 18 alone; of an episode: as its series),
//    "credit","licence":SPDX or name,"licence_url","source_url",
//    "texts":[{"language","name","synopsis"}],
//    "territories":[{"territory":ISO 3166-1 or "*","from":date,"until":date}] (none: everywhere),
//    "partner":id or name}
// ERR_INVALID names the member. ERR_NOT_FOUND: series or partner.
int catalog_upsert(struct store_tx *, const json_t *metadata, const char *actor,
                   char ret_id[UUID_BYTES]);
int catalog_edit(struct store_tx *, const char *id, const json_t *metadata,
                 const char *actor);

struct catalog_publication {
    const char *package; // hash as hex
    int64_t duration_us;
    int max_height; // class of the best picture: height of the smallest 16:9 box around it
    int poster_width, poster_height; // of poster.jpg; 0: there is none
    const char *poster_color;        // "#rrggbb", shown before the poster has come; NULL
    const json_t *audio, *captions;  // arrays of {"language","title"}; NULL
};
// The package that is played from now on. Emits nothing: its caller knows the delivery.
int catalog_publish(struct store_tx *, const char *title_id,
                    const struct catalog_publication *);
// 1 where some title plays this package, or would once restored; 0 where none does.
int catalog_package_is_played(struct store_tx *, const char *package);
int catalog_withdraw(struct store_tx *, const char *id, const char *actor);
int catalog_restore(struct store_tx *, const char *id, const char *actor);

// --- reading ----------------------------------------------------------------------------------

struct catalog_title {
    char id[UUID_BYTES];
    char kind[8];
    char name[256];
    char partner_id[UUID_BYTES];  // "" for the house itself
    char package[HASH_HEX_BYTES]; // "" before publication
    char series_id[UUID_BYTES];   // "" where none
    int64_t duration_us;
    bool withdrawn;
};
int catalog_title(struct store_tx *, const char *id, struct catalog_title *ret);
// Which title has this slug. ERR_NOT_FOUND.
int catalog_title_by_slug(struct store_tx *, const char *slug, char ret_id[UUID_BYTES]);

// For whom. Titles over the maturity, outside the territory or its window, unpublished or
// withdrawn are not there for viewers.
struct catalog_viewer {
    int maturity;         // age; 18: all
    const char *language; // BCP 47, for texts; NULL: the title's own
    // ISO 3166-1; NULL: unknown, sees what has no territories or "*"
    const char *territory;
    bool sees_all; // operators
};

// card: {"id","kind","name","year","duration_us","poster":{"url","width","height","color"}|null,
// "thumbnails":url|null,"maturity":age|null (unrated),"tags","season","episode","series_id","quality":"1080p"|null,
// "synopsis","withdrawn":time|null,"published":time|null}
enum catalog_order { CATALOG_BY_NAME, CATALOG_NEWEST };
struct catalog_query {
    const char *text;      // words of a search; NULL
    const char *tag;       // NULL: any
    const char *kind;      // NULL: films and series
    const char *series_id; // its episodes, in order; NULL
    enum catalog_order order;
    int limit;         // 1..1000
    const char *after; // id for the next page; NULL
};
int catalog_list(struct store_tx *, const struct catalog_viewer *,
                 const struct catalog_query *, json_t **ret_cards);
// The cards of these that the viewer may see, in the given order.
int catalog_cards(struct store_tx *, const struct catalog_viewer *,
                  const json_t *id_array, json_t **ret_cards);
// card + {"credit","licence","licence_url","source_url","people","seasons","more_like","audio",
// "captions","partner","texts","territories","slug","language","package"}. ERR_NOT_FOUND when it
// is not there for the viewer.
int catalog_detail(struct store_tx *, const struct catalog_viewer *, const char *id,
                   json_t **ret);
// {"titles":[card],"people":[{"name"}],"tags":[text]}; words match by prefix, without accents, and
// where no title does, with one slip a word.
int catalog_search(struct store_tx *, const struct catalog_viewer *, const char *text,
                   int limit, json_t **ret);
// Array of {"tag","count"}, most used first.
int catalog_tags(struct store_tx *, const struct catalog_viewer *, int limit,
                 json_t **ret);
// The episode that follows; ERR_NOT_FOUND when none does.
int catalog_next(struct store_tx *, const struct catalog_viewer *, const char *id,
                 char ret_id[UUID_BYTES]);

#endif
