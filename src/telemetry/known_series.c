// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/intake.h"

int known_series_open(struct known_series *k)
{
    pthread_rwlock_init(&k->lock, NULL);
    return id_table_new(&k->ids);
}

void known_series_close(struct known_series *k)
{
    id_table_free(&k->ids);
    pthread_rwlock_destroy(&k->lock);
}

static int remember(struct known_series *k, struct str labels, uint32_t series)
{
    uint64_t hash = id_hash(&k->ids, 0, labels);
    pthread_rwlock_wrlock(&k->lock);
    if (k->ids.count >= KNOWN_MAX || k->ids.bytes >= KNOWN_MAX_BYTES) {
        id_table_clear(&k->ids);
    }
    int err = id_table_find(&k->ids, hash, labels) == ID_NONE
                  ? id_table_add(&k->ids, hash, labels, series)
                  : 0;
    pthread_rwlock_unlock(&k->lock);
    return err;
}

int known_series_learn(struct known_series *k, struct telemetry *store, struct str labels,
                       struct tag_list *tags, uint32_t *ret)
{
    struct telemetry_tags sorted = tag_list_tags(tags);
    uint32_t series = KNOWN_REFUSED;
    int err = tags->over ? ERR_LIMIT
                         : telemetry_series_of(store, &sorted, TELEMETRY_GAUGE, &series);
    if (err < 0 && err != ERR_LIMIT) {
        return err;
    }
    series = err < 0 ? KNOWN_REFUSED : series;
    TRY(remember(k, labels, series));
    *ret = series;
    return 0;
}

static bool is_taken(void *user, uint32_t series)
{
    (void)user;
    return series != KNOWN_REFUSED;
}

int known_series_retry(struct known_series *k)
{
    pthread_rwlock_wrlock(&k->lock);
    int err = id_table_sweep(&k->ids, is_taken, NULL);
    pthread_rwlock_unlock(&k->lock);
    return err;
}
