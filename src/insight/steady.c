// SPDX-License-Identifier: GPL-3.0-or-later
//
// A clock in a row. Cooldowns and caps per hour would mean nothing if setting the wall clock ended them:
// the clock goes by the kernel's time since boot alone, which nobody sets. How long a machine was off is not
// counted, since only the wall clock could tell: a cooldown then lasts longer, and no cap is broken.
#include "insight/treatment.h"

#include <time.h>

int insight_now_read(void *unused, struct insight_now *ret)
{
    (void)unused;
    AUTO(buf_free) struct buf id = {0};
    struct insight_now now = {.wall_us = clock_wall_us()};
    struct timespec boot;
    if (clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
        return err_fail_errno("the time since boot");
    }
    now.boot_us = (int64_t)boot.tv_sec * 1000000 + boot.tv_nsec / 1000;
    TRY(fs_read_file("/proc/sys/kernel/random/boot_id", 4096, &id));
    TRY(str_copy(now.boot, sizeof now.boot, str_trim(buf_view(&id))));
    *ret = now;
    return 0;
}

int steady_last(struct store_tx *tx, int64_t *ret_at)
{
    int err = store_get_i64(tx, ret_at, "SELECT at FROM insight_clock WHERE id = 1", "");
    if (err == ERR_NOT_FOUND) {
        *ret_at = 0;
        return 0;
    }
    return err;
}

static int elapsed(struct store_tx *tx, const struct insight_now *now, int64_t *ret_at)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT at, CASE WHEN boot = ? THEN ? - boot_us ELSE ? END"
                    " FROM insight_clock WHERE id = 1",
                    "sii", now->boot, now->boot_us, now->boot_us));
    int found = store_next(r);
    TRY(found);
    *ret_at = found ? store_i64(r, 0) + MAX(store_i64(r, 1), INT64_C(0)) : 0;
    return 0;
}

int steady_move(struct store_tx *tx, const struct insight_now *now, struct moment *ret)
{
    int64_t at = 0;
    TRY(elapsed(tx, now, &at));
    TRY(store_exec(tx,
                   "INSERT INTO insight_clock (id, at, wall_us, boot_us, boot)"
                   " VALUES (1, ?, ?, ?, ?)"
                   " ON CONFLICT (id) DO UPDATE SET at = excluded.at,"
                   " wall_us = excluded.wall_us, boot_us = excluded.boot_us,"
                   " boot = excluded.boot",
                   "iiis", at, now->wall_us, now->boot_us, now->boot));
    *ret = (struct moment){.wall_us = now->wall_us, .at = at};
    return 0;
}
