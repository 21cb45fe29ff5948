// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plans and results of encoding, as steps hand them on: what is read is written again the same.
#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plan(const json_t *value)
{
    AUTO(media_plan_free) struct media_plan *p = NULL, *again = NULL;
    AUTO(json_free) json_t *written = NULL, *rewritten = NULL;
    if (media_plan_from_json(value, &p) < 0) {
        return;
    }
    // What encoders index without asking again.
    vec_for_each (c, &p->chunks) {
        ASSERT(p->segments.data[c->first_segment] == c->start_frame);
        ASSERT(p->segments.data[c->end_segment] == c->end_frame);
    }
    ASSERT(media_plan_to_json(p, &written) == 0);
    ASSERT(media_plan_from_json(written, &again) == 0);
    ASSERT(media_plan_to_json(again, &rewritten) == 0);
    ASSERT(json_equal(written, rewritten));
}

static void encoded(const json_t *value)
{
    struct media_encoded e = {0};
    AUTO(json_free) json_t *written = NULL, *rewritten = NULL;
    if (media_encoded_from_json(value, &e) < 0) {
        return;
    }
    ASSERT(media_encoded_to_json(&e, &written) == 0);
    media_encoded_clear(&e);
    ASSERT(media_encoded_from_json(written, &e) == 0);
    ASSERT(media_encoded_to_json(&e, &rewritten) == 0);
    media_encoded_clear(&e);
    ASSERT(json_equal(written, rewritten));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) json_t *value = NULL;
    if (json_parse(&value, (struct str){(const char *)data, size}, 1u << 20) == 0) {
        plan(value);
        encoded(value);
    }
    return 0;
}
