// SPDX-License-Identifier: GPL-3.0-or-later
//
// What findings are called where people read them. The desk says the same words (its text.ts): a lint
// compares the two.
#include "ingest/internal.h"

#include <string.h>

static const struct {
    const char *kind, *words;
} kinds[] = {
    {"audio_changes", "The sound changes its form"},
    {"audio_decode_error", "Damaged sound"},
    {"audio_gap", "Gap in the sound"},
    {"audio_no_frames", "Sound without content"},
    {"audio_overlap", "Overlap in the sound"},
    {"black", "Black picture"},
    {"box_size", "Damaged container: a box of the wrong size"},
    {"cardinality", "A name with too many series"},
    {"clipping", "Clipped sound"},
    {"container_damage", "Damaged container"},
    {"corrupt_frames", "Corrupt frames"},
    {"corrupt_packets", "Corrupt packets"},
    {"damaged_slices", "Damaged slices"},
    {"decode_error", "Damaged data"},
    {"decoder_crashed", "The decoder crashed on it"},
    {"decoding_stalled", "Decoding stands still"},
    {"duplicated_cadence", "Repeated in a rhythm (pulldown)"},
    {"duplicated_frames", "Repeated frames"},
    {"ebml_crc", "Damaged container: a checksum"},
    {"ebml_header", "Damaged container: its header"},
    {"ebml_start", "Damaged container: its start"},
    {"ebml_structure", "Damaged container: its structure"},
    {"ebml_text", "Damaged container: a text"},
    {"empty", "Empty file"},
    {"encrypted", "Encrypted"},
    {"field_order", "Fields in the wrong order"},
    {"flagged_interlaced", "Flagged interlaced, is not"},
    {"frames_missing", "Missing frames"},
    {"frozen", "Frozen picture"},
    {"hostile_container", "A container made to do harm"},
    {"illegal_levels", "Levels out of range"},
    {"interlaced", "Interlaced"},
    {"leading_frames", "Frames before the first key frame"},
    {"length_mismatch", "Sound and picture differ in length"},
    {"letterbox", "Black bars"},
    {"loudness", "Loudness off target"},
    {"matroska_mandatory", "A mandatory element is missing"},
    {"matroska_parent", "An element in the wrong place"},
    {"matroska_seek", "An index that points nowhere"},
    {"matroska_value", "A value that is not allowed"},
    {"missing_frames", "Missing frames"},
    {"missing_timestamps", "Time stamps are missing"},
    {"more_findings", "More of the same"},
    {"no_frames", "No frame"},
    {"no_video", "No picture"},
    {"non_monotonic", "Time runs backwards"},
    {"not_media", "No film"},
    {"other_picture", "Another picture stream"},
    {"over_limits", "Over the limits"},
    {"picture_changes", "The picture changes its form"},
    {"series_damaged", "Damaged series"},
    {"silence", "Silence"},
    {"silent_stream", "A silent stream"},
    {"stream_damage", "Damaged stream"},
    {"timestamp_gap", "Gap in time"},
    {"true_peak", "True peak too high"},
    {"truncated", "The file ends too early"},
    {"undecodable", "Cannot be decoded"},
    {"unsupported", "Not supported"},
    {"unsupported_captions", "Captions of a form not supported, left out"},
    {"unsupported_codec", "Codec not supported"},
    {"unsupported_hdr", "HDR of a form not supported"},
    {"unsupported_pixel_format", "Pixel format not supported"},
    {"unsupported_size", "Size not supported"},
    {"unsupported_transform", "Turned in a way not supported"},
    {"vfr", "Variable frame rate"},
    {"viewer_report", "Reported by a viewer"},
};

enum { KIND_MAX = 40 };

const char *ingest_kind_words(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) == 0) {
            return kinds[i].words;
        }
    }
    return kind; // of an older release
}

// How many letters are to be changed, added or left out (Levenshtein).
static size_t distance(const char *a, const char *b)
{
    size_t row[KIND_MAX + 1], len = MIN(strlen(b), (size_t)KIND_MAX);
    for (size_t k = 0; k <= len; k++) {
        row[k] = k;
    }
    for (size_t i = 0; a[i]; i++) {
        size_t before = row[0];
        row[0] = i + 1;
        for (size_t k = 1; k <= len; k++) {
            size_t changed = before + (a[i] != b[k - 1]);
            before = row[k];
            row[k] = MIN(changed, MIN(row[k], row[k - 1]) + 1);
        }
    }
    return row[len];
}

int ingest_kind_check(const char *pattern)
{
    size_t len = strlen(pattern), nearest = 0, best = SIZE_MAX;
    bool star = len > 0 && pattern[len - 1] == '*';
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (star ? strncmp(pattern, kinds[i].kind, len - 1) == 0
                 : strcmp(pattern, kinds[i].kind) == 0) {
            return 0;
        }
        size_t far = distance(pattern, kinds[i].kind);
        nearest = far < best ? i : nearest;
        best = MIN(best, far);
    }
    FAIL(ERR_INVALID, "nothing finds '%s'; is '%s' meant?", pattern, kinds[nearest].kind);
}
