// SPDX-License-Identifier: GPL-3.0-or-later
//
// package.json from outside: what is read is written again the same, and makes manifests.
#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) json_t *value = NULL, *written = NULL, *rewritten = NULL;
    AUTO(media_package_free) struct media_package *package = NULL, *again = NULL;
    if (json_parse(&value, (struct str){(const char *)data, size}, 1u << 20) < 0 ||
        media_package_from_json(value, &package) < 0) {
        return 0;
    }
    ASSERT(media_package_to_json(package, &written) == 0);
    ASSERT(media_package_from_json(written, &again) == 0);
    ASSERT(media_package_to_json(again, &rewritten) == 0);
    ASSERT(json_equal(written, rewritten));
    const char *const codecs[] = {"h264", "aac"};
    struct media_filter filter = {
        .codecs = codecs, .codec_count = ARRAY_LEN(codecs), .max_height = 480};
    AUTO(buf_free) struct buf out = {0};
    (void)media_hls_master(package, NULL, &out);
    (void)media_hls_master(package, &filter, &out);
    (void)media_dash(package, NULL, &out);
    vec_for_each (track, &package->tracks) {
        ASSERT(media_hls_media(package, track, &out) == 0);
    }
    return 0;
}
