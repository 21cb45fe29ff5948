// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/vec.h"

#include <stdlib.h>

int vec_grow_(void **data, size_t *cap, size_t need, size_t item_bytes)
{
    if (need <= *cap) {
        return 0;
    }
    size_t grown = MAX(MAX(*cap * 2, need), (size_t)8);
    size_t bytes;
    FAIL_IF(MUL_OVERFLOWS(grown, item_bytes, &bytes), ERR_LIMIT, "an array of %zu items",
            need);
    void *moved = realloc(*data, bytes);
    FAIL_IF(!moved, ERR_NOMEM, "an array of %zu items", need);
    *data = moved;
    *cap = grown;
    return 0;
}
