// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP Live Streaming playlists (RFC 8216, draft-pantos-hls-rfc8216bis) of a finished film.
//
// In HLS a picture names the sound that goes with it, so each codec's sounds of one rate are a
// group, and the rungs of the picture are spread over the groups: the lowest rung plays with the
// leanest sound, the highest with the richest. AV1 goes with Opus and H.264 with AAC where both
// are there.
#include "media/package.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

#define HLS_VERSION 7 // fragmented MP4 with EXT-X-MAP
#define SUBTITLES   "text"

// A quoted string cannot hold a quote or a line break (RFC 8216 section 4.2); nothing escapes them.
static void add_quoted(struct buf *out, const char *name, const char *value)
{
    buf_cstr(out, name);
    buf_cstr(out, "=\"");
    for (const char *p = value; *p != '\0'; p++) {
        bool is_forbidden = *p == '"' || (unsigned char)*p < 0x20 || *p == 0x7f;
        buf_char(out, is_forbidden ? '\'' : *p);
    }
    buf_char(out, '"');
}

static void add_header(struct buf *out)
{
    buf_printf(out, "#EXTM3U\n#EXT-X-VERSION:%d\n", HLS_VERSION);
}

// --- media playlists ----------------------------------------------------------------------

int media_hls_media(const struct media_package *p, const struct media_track *t,
                    struct buf *out)
{
    bool is_text = t->rendition.kind == MEDIA_RENDITION_TEXT;
    int64_t scale = t->rendition.timescale;
    int64_t target_s =
        is_text ? MAX((p->duration_us + 500000) / 1000000, 1) : package_target_s(p);
    add_header(out);
    buf_printf(out,
               "#EXT-X-TARGETDURATION:%lld\n#EXT-X-MEDIA-SEQUENCE:1\n"
               "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n",
               (long long)target_s);
    if (!is_text) {
        buf_cstr(out, "#EXT-X-MAP:URI=\"init.mp4\"\n");
    }
    vec_for_each (s, &t->segments) {
        // Rounded at both ends, so that the sum is exact to the microsecond anywhere.
        int64_t us =
            package_us(s->start + s->duration, scale) - package_us(s->start, scale);
        buf_printf(out, "#EXTINF:%lld.%06lld,\n", (long long)(us / 1000000),
                   (long long)(us % 1000000));
        if (is_text) {
            const char *slash = strrchr(t->path, '/');
            buf_cstr(out, slash != NULL ? slash + 1 : t->path);
            buf_char(out, '\n');
        } else {
            buf_printf(out, "%05lld.m4s\n", (long long)s->number);
        }
    }
    buf_cstr(out, "#EXT-X-ENDLIST\n");
    return out->err;
}

// --- master -------------------------------------------------------------------------------

// All sounds of one codec and rate.
struct sound_group {
    char name[40];
    const char *codec, *codecs;
    int64_t bps;
    int64_t peak_bps, average_bps;
};

struct sound_groups {
    VEC(struct sound_group) items;
};

static void sound_groups_clear(struct sound_groups *g)
{
    vec_free(&g->items);
}

static bool in_group(const struct sound_group *g, const struct media_track *t)
{
    return g->bps == t->rendition.bps && strcmp(g->codec, t->rendition.codec) == 0;
}

static int by_rate(const void *a, const void *b)
{
    const struct sound_group *x = a, *y = b;
    int order = strcmp(x->codec, y->codec);
    return order != 0 ? order : (x->bps > y->bps) - (x->bps < y->bps);
}

static int gather_sounds(const struct package_choice *c, struct sound_groups *ret)
{
    vec_for_each (it, &c->audio) {
        const struct media_track *t = *it;
        struct sound_group *group = NULL;
        vec_for_each (g, &ret->items) {
            group = in_group(g, t) ? g : group;
        }
        if (group == NULL) {
            struct sound_group fresh = {.codec = t->rendition.codec,
                                        .codecs = t->codecs,
                                        .bps = t->rendition.bps};
            snprintf(fresh.name, sizeof fresh.name, "%s-%lld", t->rendition.codec,
                     (long long)(t->rendition.bps / 1000));
            TRY(vec_push(&ret->items, fresh));
            group = &ret->items.data[ret->items.len - 1];
        }
        group->peak_bps = MAX(group->peak_bps, t->peak_bps);
        group->average_bps = MAX(group->average_bps, t->average_bps);
    }
    if (ret->items.len > 0) {
        qsort(ret->items.data, ret->items.len, sizeof *ret->items.data, by_rate);
    }
    return 0;
}

// What one group of EXT-X-MEDIA shows of a rendition.
struct member {
    const char *type, *group;
    const struct media_track *track;
    int same_name;      // members before it that are called the same
    bool same_language; // as one before it
    bool is_default;
};

static void add_member(const struct member *m, struct buf *out)
{
    const struct media_rendition *r = &m->track->rendition;
    buf_printf(out, "#EXT-X-MEDIA:TYPE=%s,", m->type);
    add_quoted(out, "GROUP-ID", m->group);
    AUTO(buf_free) struct buf name = {0};
    buf_cstr(&name, package_track_name(m->track));
    if (m->same_name > 0) {
        buf_printf(&name, " %d", m->same_name + 1);
    }
    add_quoted(out, ",NAME", name.data != NULL ? name.data : "und");
    if (r->language[0] != '\0' && strcmp(r->language, "und") != 0) {
        add_quoted(out, ",LANGUAGE", r->language);
    }
    // Only one of a group's members may be chosen by language (RFC 8216bis section 4.4.6.1.1).
    bool is_automatic = m->is_default || !m->same_language;
    buf_printf(out, ",DEFAULT=%s,AUTOSELECT=%s", m->is_default ? "YES" : "NO",
               is_automatic ? "YES" : "NO");
    if (r->kind == MEDIA_RENDITION_TEXT) {
        size_t stem = strlen(m->track->path) - strlen(".vtt");
        buf_printf(out, ",FORCED=NO,URI=\"%.*s.m3u8\"\n", (int)stem, m->track->path);
    } else {
        buf_printf(out, ",CHANNELS=\"%d\",URI=\"%s/index.m3u8\"\n", r->channels, r->id);
    }
}

// `all`: the members of one group. One sound of a group is the default; captions only if they say so.
static void add_members(const char *type, const char *group,
                        const struct media_track *const *all, size_t count,
                        struct buf *out)
{
    size_t chosen = SIZE_MAX;
    for (size_t i = 0; i < count && chosen == SIZE_MAX; i++) {
        chosen = all[i]->rendition.is_default ? i : SIZE_MAX;
    }
    if (chosen == SIZE_MAX && strcmp(type, "AUDIO") == 0) {
        chosen = 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct member m = {
            .type = type, .group = group, .track = all[i], .is_default = i == chosen};
        for (size_t k = 0; k < i; k++) {
            const char *name = package_track_name(all[k]);
            m.same_name += strcmp(name, package_track_name(all[i])) == 0 ? 1 : 0;
        }
        for (size_t k = 0; k < count; k++) {
            bool is_ahead = k < i || k == chosen;
            m.same_language |=
                k != i && is_ahead &&
                strcmp(all[k]->rendition.language, all[i]->rendition.language) == 0;
        }
        add_member(&m, out);
    }
}

static int add_media(const struct package_choice *c, const struct sound_groups *groups,
                     struct buf *out)
{
    vec_for_each (g, &groups->items) {
        VEC(const struct media_track *) members = {0};
        int err = 0;
        vec_for_each (t, &c->audio) {
            err = err < 0 || !in_group(g, *t) ? err : vec_push(&members, *t);
        }
        if (err >= 0) {
            add_members("AUDIO", g->name, members.data, members.len, out);
        }
        vec_free(&members);
        TRY(err);
    }
    add_members("SUBTITLES", SUBTITLES, c->text.data, c->text.len, out);
    return out->err;
}

// The codec of sound that goes with a picture: its own kin where it is there.
static const char *sound_codec_for(const struct media_track *video,
                                   const struct sound_groups *groups)
{
    const char *kin = strcmp(video->rendition.codec, "av1") == 0 ? "opus" : "aac";
    vec_for_each (g, &groups->items) {
        if (strcmp(g->codec, kin) == 0) {
            return kin;
        }
    }
    return groups->items.len > 0 ? groups->items.data[0].codec : NULL;
}

static int64_t by_peak_rank(const struct package_choice *c, const struct media_track *t,
                            int64_t *ret_count)
{
    int64_t rank = 0;
    *ret_count = 0;
    vec_for_each (it, &c->video) {
        const struct media_track *other = *it;
        if (strcmp(other->rendition.codec, t->rendition.codec) == 0) {
            (*ret_count)++;
            rank += other->peak_bps < t->peak_bps ? 1 : 0;
        }
    }
    return rank;
}

static const struct sound_group *sound_for(const struct package_choice *c,
                                           const struct media_track *video,
                                           const struct sound_groups *groups)
{
    const char *codec = sound_codec_for(video, groups);
    if (codec == NULL) {
        return NULL;
    }
    size_t first = 0, count = 0;
    for (size_t i = 0; i < groups->items.len; i++) {
        if (strcmp(groups->items.data[i].codec, codec) == 0) {
            first = count == 0 ? i : first;
            count++;
        }
    }
    int64_t rungs = 0, rank = by_peak_rank(c, video, &rungs);
    return &groups->items.data[first + (size_t)(rank * (int64_t)count / rungs)];
}

static const char *video_range(const struct media_rendition *r)
{
    return strcmp(r->hdr, "pq") == 0 || strcmp(r->hdr, "dovi") == 0 ? "PQ"
           : strcmp(r->hdr, "hlg") == 0                             ? "HLG"
                                                                    : "SDR";
}

static void add_variant(const struct media_package *p, const struct media_track *t,
                        const struct sound_group *sound, bool has_text, struct buf *out)
{
    const struct media_rendition *r = &t->rendition;
    int64_t peak = t->peak_bps + (sound != NULL ? sound->peak_bps : 0);
    int64_t average = t->average_bps + (sound != NULL ? sound->average_bps : 0);
    buf_printf(out, "#EXT-X-STREAM-INF:BANDWIDTH=%lld,AVERAGE-BANDWIDTH=%lld,CODECS=\"%s",
               (long long)peak, (long long)average, t->codecs);
    if (sound != NULL) {
        buf_printf(out, ",%s", sound->codecs);
    }
    buf_char(out, '"');
    if (r->kind == MEDIA_RENDITION_VIDEO) {
        buf_printf(out, ",RESOLUTION=%dx%d", package_shown_width(r), r->height);
        if (p->frame_rate.num > 0) {
            int64_t milli = av_rescale(p->frame_rate.num, 1000, p->frame_rate.den);
            buf_printf(out, ",FRAME-RATE=%lld.%03lld", (long long)(milli / 1000),
                       (long long)(milli % 1000));
        }
        buf_printf(out, ",VIDEO-RANGE=%s", video_range(r));
    }
    if (sound != NULL) {
        add_quoted(out, ",AUDIO", sound->name);
    }
    if (has_text) {
        buf_cstr(out, ",SUBTITLES=\"" SUBTITLES "\"");
    }
    buf_printf(out, ",CLOSED-CAPTIONS=NONE\n%s/index.m3u8\n", r->id);
}

int media_hls_master(const struct media_package *p, const struct media_filter *filter,
                     struct buf *out)
{
    AUTO(package_choice_clear) struct package_choice c = {0};
    AUTO(sound_groups_clear) struct sound_groups groups = {0};
    TRY(package_choose(p, filter, &c));
    bool has_text = c.text.len > 0;
    add_header(out);
    buf_cstr(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (c.video.len > 0) {
        TRY(gather_sounds(&c, &groups));
    }
    TRY(add_media(&c, &groups, out));
    vec_for_each (t, &c.video) {
        add_variant(p, *t, sound_for(&c, *t, &groups), has_text, out);
    }
    if (c.video.len == 0) { // a film for the ear: each sound is a variant
        vec_for_each (t, &c.audio) {
            add_variant(p, *t, NULL, has_text, out);
        }
    }
    return out->err;
}
