// SPDX-License-Identifier: GPL-3.0-or-later
//
// The hash of an upload runs beside it: each piece is read while it is still in memory, so that a
// delivery of any size finds its hash made. What runs is kept in memory only. After a restart, or
// where too many uploads run at once, it begins again at the first byte, for as long at a time as a
// request may take. Nothing trusts it further than that: a file that is read whole has the hash.
//
// Whoever reads takes an upload's entry out of the table and puts it back: two requests about one
// upload never share a hasher, the slower one's work is dropped.
#include "app/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT        64
#define BLOCK_BYTES (1u << 20)

struct running {
    char id[UUID_BYTES];   // "": free
    struct hasher *hasher; // NULL once whole
    struct hash hash;      // then
    int64_t offset;
    uint64_t used;
};

struct upload_hashes {
    pthread_mutex_t lock; // guards all below
    struct running kept[KEPT];
    uint64_t clock;
};

int upload_hashes_open(struct upload_hashes **ret)
{
    struct upload_hashes *h = calloc(1, sizeof *h);
    FAIL_IF(!h, ERR_NOMEM, "hashes of uploads");
    pthread_mutex_init(&h->lock, NULL);
    *ret = h;
    return 0;
}

static void running_clear(struct running *r)
{
    hasher_free(&r->hasher);
    *r = (struct running){0};
}

void upload_hashes_close(struct upload_hashes **hashes)
{
    struct upload_hashes *h = TAKE(*hashes);
    if (!h) {
        return;
    }
    for (size_t i = 0; i < KEPT; i++) {
        running_clear(&h->kept[i]);
    }
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static struct running *find_locked(struct upload_hashes *h, const char *id)
{
    for (size_t i = 0; i < KEPT; i++) {
        if (strcmp(h->kept[i].id, id) == 0) {
            return &h->kept[i];
        }
    }
    return NULL;
}

static int take(struct upload_hashes *h, const char *id, struct running *ret)
{
    pthread_mutex_lock(&h->lock);
    struct running *kept = find_locked(h, id), r = {0};
    if (kept) {
        r = *kept;
        *kept = (struct running){0};
    }
    pthread_mutex_unlock(&h->lock);
    if (!r.id[0]) {
        TRY(str_copy(r.id, sizeof r.id, str_of(id)));
        TRY(hasher_new(&r.hasher));
    }
    *ret = r;
    return 0;
}

// In the place of the one that waits longest; of two about one upload the further one stays.
static void put_back(struct upload_hashes *h, struct running *r)
{
    pthread_mutex_lock(&h->lock);
    struct running *place = find_locked(h, r->id), *oldest = &h->kept[0];
    bool behind = place && place->offset >= r->offset;
    for (size_t i = 0; !place && i < KEPT; i++) {
        oldest = h->kept[i].used < oldest->used ? &h->kept[i] : oldest; // 0: free
    }
    if (!behind) {
        place = place ? place : oldest;
        running_clear(place);
        *place = *r;
        place->used = ++h->clock;
        *r = (struct running){0};
    }
    pthread_mutex_unlock(&h->lock);
}

void upload_hash_forget(struct upload_hashes *h, const char *id)
{
    pthread_mutex_lock(&h->lock);
    struct running *kept = find_locked(h, id);
    if (kept) {
        running_clear(kept);
    }
    pthread_mutex_unlock(&h->lock);
}

static int read_on(struct running *r, const struct upload *u, int64_t until_us)
{
    AUTO(fd_close) int fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_fail_errno("the upload");
    }
    AUTO(buf_free) struct buf block = {0};
    buf_reserve(&block, BLOCK_BYTES);
    TRY(block.err);
    while (r->offset < u->bytes) {
        size_t most = (size_t)MIN(u->bytes - r->offset, (int64_t)BLOCK_BYTES);
        ssize_t n = pread(fd, block.data, most, r->offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("reading the upload");
        }
        if (n == 0) {
            return 0; // no more has come
        }
        hasher_add(r->hasher, block.data, (size_t)n);
        r->offset += n;
        if (clock_mono_us() >= until_us) {
            break;
        }
    }
    if (r->offset == u->bytes) {
        hasher_finish(r->hasher, &r->hash);
        hasher_free(&r->hasher);
    }
    return 0;
}

int upload_hash_advance(struct upload_hashes *h, const struct upload *u, int64_t most_us,
                        int64_t *ret_offset, struct hash *ret)
{
    AUTO(running_clear) struct running r = {0};
    TRY(take(h, u->id, &r));
    // After an error the hasher may have had bytes that the offset does not know of: it is dropped.
    TRY(r.hasher ? read_on(&r, u, clock_mono_us() + most_us) : 0);
    *ret_offset = r.offset;
    if (!r.hasher) {
        *ret = r.hash;
    }
    put_back(h, &r);
    return 0;
}
