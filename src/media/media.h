// SPDX-License-Identifier: GPL-3.0-or-later
//
// A pure library over libav*: probe, inspect, plan, encode, verify, package, stills. It reads
// through an input that the caller gives and writes where the caller says; it never opens a
// database, a socket or a path. Its results are plain structs with JSON forms, so that each part
// can run in a step's process of its own.
//
//     probe ─▶ inspect (ranges + audio) ─▶ merge ─▶ report + timeline ─▶ plan
//                                                        │                 │
//                                     stills, captions ◀─┴─▶ encode ◀──────┘ ─▶ package
//
// Conventions. Frames count from 0 in presentation order, ends are exclusive. `pts` are in the
// stream's time base. Whatever inspection measured is in the report and the timeline: plan and
// encode never probe again.
#ifndef MEDIA_MEDIA_H
#define MEDIA_MEDIA_H

#include "base/base.h"

// --- input --------------------------------------------------------------------------------

struct media_input {
    void *opaque;
    int64_t size; // bytes
    // pread: up to `len` bytes at `offset`, 0 at the end, <0 an error. Called by one thread at a
    // time for each decoder opened on it.
    int64_t (*read)(void *opaque, int64_t offset, void *ret, size_t len);
};

typedef void media_progress_f(void *user, int64_t done, int64_t total);

// --- probe --------------------------------------------------------------------------------

enum media_kind { MEDIA_VIDEO, MEDIA_AUDIO, MEDIA_TEXT, MEDIA_OTHER };

struct media_stream {
    int index; // in the file
    enum media_kind kind;
    char codec[32];    // libavcodec's name: "h264"
    char profile[32];  // "High", "" unknown
    char language[16]; // BCP 47, "und" unknown
    char title[128];
    bool is_default;
    bool is_attached_picture;
    struct rational time_base;
    int64_t start_pts;    // FINDING_NONE unknown
    int64_t duration_pts; // FINDING_NONE unknown
    // video
    int width, height;   // coded picture, before rotation
    struct rational sar; // 1/1 when not stated
    int rotation;        // clockwise degrees to show it: 0, 90, 180, 270
    char pixel_format[32];
    int bit_depth;
    char primaries[24], transfer[24], matrix[24],
        range[8];               // libavutil's names, "unknown"
    char field_order[16];       // "progressive", "tt", "bb", "tb", "bt", "unknown"
    struct rational frame_rate; // average; 0/1 unknown
    char hdr[16];               // "sdr", "pq", "hlg", "dovi"
    // audio
    int sample_rate, channels;
    char layout[32];
};

struct media_source {
    char container[64];
    int64_t bytes;
    int64_t duration_us;
    VEC(struct media_stream) streams;
    int video; // position in `streams` of the picture that is published; -1 none
};

void media_source_free(struct media_source **);
int media_source_to_json(const struct media_source *, json_t **ret);
int media_source_from_json(const json_t *, struct media_source **ret);

// A trusted random-access point: nothing before it is needed, nothing after it precedes it in
// presentation.
struct media_rap {
    int64_t frame;
    int64_t pts;
    int64_t dts;
};

// When each frame of the picture is shown, and where decoding may begin.
struct media_timeline {
    struct rational time_base;
    int64_t count; // frames
    int64_t *pts;  // count + 1: the last is the end of the last frame
    // Ascending; empty when none can be trusted: decode from the start.
    VEC(struct media_rap) raps;
};

void media_timeline_free(struct media_timeline **);
// A little-endian blob with magic, version, counts and a checksum. Reading trusts nothing.
int media_timeline_write(const struct media_timeline *, struct buf *out);
int media_timeline_read(struct str bytes, struct media_timeline **ret);

// Reads the headers and every packet (no decoding): streams, duration, time stamps, random-access
// points. What cannot be encoded correctly yet gets a finding of severity error whose kind says
// so ("unsupported_hdr", "encrypted", "no_video", …); damage gets one as well. *ret_timeline is what the
// packets promise; inspection replaces it by what was decoded. Fails (ERR_UNSUPPORTED,
// ERR_CORRUPT) only where not even a container can be read; findings then say why.
int media_probe(const struct media_input *, struct media_source **ret,
                struct media_timeline **ret_timeline, struct findings *);

// --- inspect ------------------------------------------------------------------------------

// Splits the timeline in at most `ranges` pieces (0: by length, four or more over a minute) that
// begin at random-access points. Fewer where there are fewer points.
struct media_range {
    int64_t start_rap; // index into raps; -1: from the start of the file
    int64_t end_rap;   // exclusive; -1: to the end
};
struct media_ranges {
    VEC(struct media_range) items;
};
int media_ranges_plan(const struct media_source *, const struct media_timeline *,
                      int ranges, struct media_ranges *ret);

// Decodes one range once, with all detectors in that pass; the result carries their edge state.
// `out` gets a blob for media_inspect_merge. Thumbnails: a JPEG of each still frame on the grid
// (below), through `still`.
struct media_inspect_config {
    const struct media_source *source;
    const struct media_timeline *timeline;
    struct media_range range;
    // Grid of trick-play pictures: the first frame at or after k × this
    int64_t still_every_us;
    int still_width; // 160 × pixels, height from the aspect; rotation applied
    int (*still)(void *user, int64_t grid_index, int64_t frame, const void *jpeg,
                 size_t len);
    media_progress_f *progress;
    void *user;
};
int media_inspect_video(const struct media_input *, const struct media_inspect_config *,
                        struct buf *out);
// All audio streams, in one pass over the file: loudness, true peak, silence, clipping, gaps,
// decode errors, a waveform for people.
int media_inspect_audio(const struct media_input *, const struct media_source *,
                        media_progress_f *, void *user, struct buf *out);

struct media_loudness {
    int stream;
    bool measured; // false: absent or silent, the numbers are null in JSON
    double integrated_lufs, true_peak_dbtp, range_lu; // EBU R128, ITU-R BS.1770-4
};

struct media_shot {
    int64_t start_frame, end_frame;
};

// Active picture, in coded pixels; the whole picture where there are no bars
struct media_crop {
    int left, top, width, height;
};

struct media_report {
    struct media_source *source;
    int64_t frames;
    char scan[16]; // decided on the pictures: "progressive", "tff", "bff", "mixed"
    bool vfr;
    int64_t start_pts, end_pts;   // of the picture
    VEC(struct media_shot) shots; // cover [0, frames)
    VEC(struct media_loudness) loudness;
    struct media_crop crop;
    struct findings findings; // at most 1,000, runs coalesced
    // For people: {"luma":[…],"motion":[…],"step_frames":n,"audio":[{"stream","peaks":[…],"step_us":n}]}, ≤ 4,000 points each
    json_t *series;
    int64_t poster_frame; // a bright, sharp, steady frame, not at the edges
};

void media_report_free(struct media_report **);
// Merges exactly: the same report whatever the ranges were. `ranges` in order.
int media_inspect_merge(const struct media_source *,
                        const struct media_timeline *promised, const struct str *ranges,
                        size_t range_count, struct str audio,
                        const struct findings *probe_findings, struct media_report **ret,
                        struct media_timeline **ret_timeline);
// The object that `marquee inspect --json` prints but for "verdict".
int media_report_to_json(const struct media_report *, json_t **ret);
int media_report_from_json(const json_t *, struct media_report **ret);

// --- plan ---------------------------------------------------------------------------------

struct media_video_rung {
    char codec[8]; // "h264", "av1"
    int height;    // of the picture as shown, at most; never upscaled
    char preset[16];
    double crf;
    int64_t max_bps;   // VBV peak
    int64_t buffer_ms; // VBV size
};

struct media_audio_rung {
    char codec[8]; // "aac", "opus"
    int64_t bps;
};

struct media_ladder {
    VEC(struct media_video_rung) video;
    VEC(struct media_audio_rung) audio;
    int64_t segment_us;   // target length of a segment: 4 s
    int64_t chunk_us;     // target length of a chunk: 24 s
    double psnr_floor_db; // every verified frame is above it
};

void media_ladder_free(struct media_ladder **);
int media_ladder_default(struct media_ladder **ret);
int media_ladder_parse(struct str yaml, const char *file, struct media_ladder **ret,
                       struct diag *);
int media_ladder_to_json(const struct media_ladder *, json_t **ret);
int media_ladder_from_json(const json_t *, struct media_ladder **ret);

enum media_rendition_kind {
    MEDIA_RENDITION_VIDEO,
    MEDIA_RENDITION_AUDIO,
    MEDIA_RENDITION_TEXT
};

// What is to be made, decided before anything is encoded.
struct media_rendition {
    char id[24]; // stable name in paths: "h264-720", "av1-360", "aac-128-s1"
    enum media_rendition_kind kind;
    char codec[8];
    int stream; // of the source
    char language[16];
    char title[128];
    bool is_default;
    int64_t timescale; // ticks a second of the published track
    // video
    int width, height;
    struct rational sar;
    char preset[16];
    double crf;
    int64_t max_bps, buffer_bits;
    char hdr[16];
    // audio
    int64_t bps;
    int sample_rate, channels;
};

// What a rung is named by and what counts against a cap: the height of the smallest 16:9 box around the
// picture as shown (an upright one for an upright picture). 0 for what is no picture.
int media_rendition_class(const struct media_rendition *);

struct media_chunk {
    int64_t first_segment, end_segment;
    int64_t start_frame, end_frame;
    int64_t start_rap; // index into raps to decode from; -1: the start of the file
};

// Renditions encoded together in one step: one decode, each size scaled once.
struct media_group {
    char name[24];       // "h264", "av1-0"
    VEC(int) renditions; // indices; at most two AV1
};

struct media_plan {
    int64_t frames;
    VEC(struct media_rendition) renditions;
    VEC(int64_t) segments; // start frame of each segment, and `frames` at the end
    VEC(struct media_chunk) chunks;
    VEC(struct media_group) groups; // video
    int64_t origin_pts;             // first picture's pts: time 0 of all renditions
    double psnr_floor_db;
};

void media_plan_free(struct media_plan **);
// Chunks at shot boundaries, near random-access points; segments inside them; no runt at the end.
int media_plan_make(const struct media_report *, const struct media_timeline *,
                    const struct media_ladder *, struct media_plan **ret);
int media_plan_to_json(const struct media_plan *, json_t **ret);
int media_plan_from_json(const json_t *, struct media_plan **ret);

// --- encode and verify --------------------------------------------------------------------

// Where an encoder's result goes: bytes of one file of a rendition, whole. Paths are relative to
// the package: "h264-720/init.mp4", "h264-720/00001.m4s" (segments count from 1).
typedef int media_write_f(void *user, const char *rendition, const char *path,
                          const void *bytes, size_t len);

struct media_segment {
    int64_t number; // from 1
    int64_t start;  // in the rendition's timescale
    int64_t duration;
    int64_t bytes;
    int64_t frames; // or audio packets
};

// What one step made of one rendition: a chunk of picture, or the whole of a sound.
struct media_encoded {
    char rendition[24];
    char codecs[64];  // RFC 6381, exact: "avc1.64001f"
    struct hash init; // of the initialisation segment: equal in all chunks
    VEC(struct media_segment) segments;
    VEC(int32_t) frame_bytes; // in decoding order, for the VBV proof
    double psnr_min_db, psnr_mean_db;
    int64_t frames;
    double vbv_init; // what it was encoded with
};

void media_encoded_clear(struct media_encoded *);
int media_encoded_to_json(const struct media_encoded *, json_t **ret);
int media_encoded_from_json(const json_t *, struct media_encoded *ret);

#define MEDIA_VBV_INIT 0.6

struct media_encode_config {
    const struct media_report *report;
    const struct media_timeline *timeline;
    const struct media_plan *plan;
    struct media_chunk chunk;
    const int *renditions; // indices into the plan
    size_t rendition_count;
    double
        vbv_init; // occupancy at the start, 0..1: MEDIA_VBV_INIT unless media_vbv_check says
    media_write_f *write;
    media_progress_f *progress;
    void *user;
};
// Decodes and scales once, encodes all renditions of a chunk, verifies each frame behind the
// encoder (count, times, IDR first, PSNR-Y above the floor). ret: one for each rendition.
// ERR_CORRUPT names the rendition and frame that did not verify.
int media_encode_video(const struct media_input *, const struct media_encode_config *,
                       struct media_encoded *ret);
// One stream of sound, continuously, all given renditions of it at once.
int media_encode_audio(const struct media_input *, const struct media_encode_config *,
                       struct media_encoded *ret);

// The leaky bucket of ITU-T H.264 Annex C over all chunks of a rendition. *ret_bad_chunk is the
// first chunk that must be encoded again with vbv_init = *ret_init, -1 when proved. Ask again
// afterwards; ERR_LIMIT when a chunk does not fit even so.
int media_vbv_check(const struct media_rendition *, const struct media_timeline *,
                    const struct media_encoded *chunks, size_t chunk_count,
                    int64_t *ret_bad_chunk, double *ret_init);

// --- captions, stills ----------------------------------------------------------------------

// A text stream of the film, or a side-loaded file (SubRip, WebVTT, ASS), as WebVTT with times from the
// picture's origin. ERR_NOT_FOUND when it holds no cue.
int media_captions_extract(const struct media_input *, const struct media_source *,
                           int stream, int64_t origin_pts,
                           struct rational origin_time_base, struct buf *out);
int media_captions_convert(struct str file, const char *name, struct buf *out,
                           struct diag *);

// One frame as JPEG, at most `width` wide, SAR and rotation applied.
int media_still(const struct media_input *, const struct media_report *,
                const struct media_timeline *, int64_t frame, int width,
                struct buf *out_jpeg);
// "#rrggbb": what may stand in a JPEG's place until it has come; dark enough for white words.
#define MEDIA_TINT_BYTES 8
int media_tint(struct str jpeg, char ret[MEDIA_TINT_BYTES]);
// Sprite sheets (columns × rows of equal tiles) out of the grid's JPEGs, and a WebVTT that points
// into them (`sprite-0.jpg#xywh=…`). write's rendition is "thumbs".
struct media_sprites_config {
    const struct str *jpegs; // by grid index; empty where there was no frame
    size_t count;
    int64_t every_us;
    int64_t duration_us;
    int columns, rows;
    media_write_f *write;
    void *user;
};
struct media_sprites { // for the manifests' image tracks
    int sheets, columns, rows, tile_width, tile_height;
    int64_t every_us;
    int64_t bytes;
};
int media_sprites_make(const struct media_sprites_config *, struct media_sprites *ret);

// --- package ------------------------------------------------------------------------------

// A published track: what was planned and what became of it.
struct media_track {
    struct media_rendition rendition;
    char codecs[64];
    int64_t frames; // video
    int64_t average_bps, peak_bps;
    VEC(struct media_segment) segments;
    char path[64]; // of text: "captions/en.vtt"
};

struct media_package {
    int64_t duration_us;
    struct rational frame_rate;
    VEC(struct media_track) tracks;
    struct media_sprites sprites; // sheets 0: none
};

void media_package_free(struct media_package **);
int media_package_to_json(const struct media_package *, json_t **ret);
int media_package_from_json(const json_t *, struct media_package **ret);

// Joins the chunks of each rendition: same initialisation, no gap, all frames, VBV proved.
// `encoded` holds plan order × chunk order for video, one each for audio, none for text.
int media_package_join(const struct media_plan *, const struct media_timeline *,
                       const struct media_encoded *encoded, size_t encoded_count,
                       struct media_package **ret);

// Adds captions: a WebVTT file of the package ("captions/en.vtt") of so many bytes. Of the
// rendition, id, language, title and is_default are looked at.
int media_package_add_text(struct media_package *, const struct media_rendition *,
                           const char *path, int64_t bytes);

// Which tracks a device may have: what it declared, capped by the member's plan.
struct media_filter {
    const char *const *codecs; // e.g. {"h264","aac"}; NULL: all
    size_t codec_count;
    int max_height; // 0: any
    bool hdr;
};
// Is a rendition among those that the filter leaves? For whoever serves its files.
bool media_package_allows(const struct media_package *, const struct media_filter *,
                          const char *rendition_id);
// "master.m3u8", and "<rendition>/index.m3u8" for each track (of text: its path with .m3u8 in
// place of .vtt); RFC 8216bis. What no filter can relax gives ERR_NOT_FOUND: no codec fits.
int media_hls_master(const struct media_package *, const struct media_filter *,
                     struct buf *out);
int media_hls_media(const struct media_package *, const struct media_track *,
                    struct buf *out);
// "manifest.mpd"; ISO/IEC 23009-1, live profile addressing with SegmentTimeline.
int media_dash(const struct media_package *, const struct media_filter *,
               struct buf *out);

// --- toolchain --------------------------------------------------------------------------------

// One line that names the builds of the codec libraries in this process and the CPU's instructions
// that they take: part of the key of every step (flow_executor_config.toolchain).
int media_toolchain(struct buf *out);

#endif
