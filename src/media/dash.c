// SPDX-License-Identifier: GPL-3.0-or-later
//
// The DASH manifest (ISO/IEC 23009-1) of a finished film: one Period, live profile addressing by
// $Number$ with a SegmentTimeline. All renditions of one codec and source stream are an
// AdaptationSet; they share segment boundaries, so that their timeline stands once.
#include "media/package.h"
#include "media/xml.h"

#include <libavutil/mathematics.h>
#include <string.h>

static void add_duration(struct xml *x, const char *name, int64_t us)
{
    xml_attr_printf(x, name, "PT%lld.%06lldS", (long long)(us / 1000000),
                    (long long)(us % 1000000));
}

static void add_descriptor(struct xml *x, const char *element, const char *scheme,
                           const char *value)
{
    xml_start(x, element);
    xml_attr(x, "schemeIdUri", scheme);
    xml_attr(x, "value", value);
    xml_end(x);
}

static void add_language(struct xml *x, const struct media_rendition *r)
{
    if (r->language[0] != '\0' && r->kind != MEDIA_RENDITION_VIDEO) {
        xml_attr(x, "lang", r->language);
    }
}

static void add_label(struct xml *x, const struct media_rendition *r)
{
    if (r->title[0] != '\0') {
        xml_start(x, "Label");
        xml_text(x, r->title);
        xml_end(x);
    }
}

static void add_timeline(struct xml *x, const struct media_track *t)
{
    xml_start(x, "SegmentTimeline");
    for (size_t i = 0; i < t->segments.len;) {
        const struct media_segment *s = &t->segments.data[i];
        size_t same = 1;
        while (i + same < t->segments.len && s[same].duration == s->duration) {
            same++;
        }
        xml_start(x, "S");
        if (i == 0) {
            xml_attr_i64(x, "t", s->start);
        }
        xml_attr_i64(x, "d", s->duration);
        if (same > 1) {
            xml_attr_i64(x, "r", (int64_t)same - 1);
        }
        xml_end(x);
        i += same;
    }
    xml_end(x);
}

static void add_template(struct xml *x, const struct media_track *t)
{
    xml_start(x, "SegmentTemplate");
    xml_attr_i64(x, "timescale", t->rendition.timescale);
    xml_attr(x, "initialization", "$RepresentationID$/init.mp4");
    xml_attr(x, "media", "$RepresentationID$/$Number%05d$.m4s");
    xml_attr_i64(x, "startNumber", 1);
    add_timeline(x, t);
    xml_end(x);
}

static bool same_timeline(const struct media_track *a, const struct media_track *b)
{
    if (a->rendition.timescale != b->rendition.timescale ||
        a->segments.len != b->segments.len) {
        return false;
    }
    for (size_t i = 0; i < a->segments.len; i++) {
        if (a->segments.data[i].duration != b->segments.data[i].duration) {
            return false;
        }
    }
    return true;
}

// --- picture and sound --------------------------------------------------------------------

static bool same_set(const struct media_track *a, const struct media_track *b)
{
    return strcmp(a->rendition.codec, b->rendition.codec) == 0 &&
           a->rendition.stream == b->rendition.stream &&
           strcmp(a->rendition.hdr, b->rendition.hdr) == 0;
}

static void add_representation(struct xml *x, const struct media_package *p,
                               const struct media_track *t, bool has_own_timeline)
{
    const struct media_rendition *r = &t->rendition;
    xml_start(x, "Representation");
    xml_attr(x, "id", r->id);
    xml_attr(x, "codecs", t->codecs);
    xml_attr_i64(x, "bandwidth", t->peak_bps);
    if (r->kind == MEDIA_RENDITION_VIDEO) {
        xml_attr_i64(x, "width", r->width);
        xml_attr_i64(x, "height", r->height);
        bool has_sar = r->sar.num > 0 && r->sar.den > 0;
        xml_attr_printf(x, "sar", "%d:%d", has_sar ? r->sar.num : 1,
                        has_sar ? r->sar.den : 1);
        if (p->frame_rate.num > 0 && p->frame_rate.den == 1) {
            xml_attr_i64(x, "frameRate", p->frame_rate.num);
        } else if (p->frame_rate.num > 0) {
            xml_attr_printf(x, "frameRate", "%d/%d", p->frame_rate.num,
                            p->frame_rate.den);
        }
    } else {
        xml_attr_i64(x, "audioSamplingRate", r->sample_rate);
    }
    if (has_own_timeline) {
        add_template(x, t);
    }
    xml_end(x);
}

static void add_transfer(struct xml *x, const struct media_rendition *r)
{
    bool is_pq = strcmp(r->hdr, "pq") == 0 || strcmp(r->hdr, "dovi") == 0;
    if (is_pq || strcmp(r->hdr, "hlg") == 0) {
        add_descriptor(x, "EssentialProperty",
                       "urn:mpeg:mpegB:cicp:TransferCharacteristics",
                       is_pq ? "16" : "18");
    }
}

// The set that begins with all[first].
static void add_set(struct xml *x, const struct media_package *p,
                    const struct media_track *const *all, size_t count, size_t first)
{
    const struct media_track *head = all[first];
    const struct media_rendition *r = &head->rendition;
    bool is_video = r->kind == MEDIA_RENDITION_VIDEO, is_shared = true;
    for (size_t i = first + 1; i < count; i++) {
        is_shared &= !same_set(head, all[i]) || same_timeline(head, all[i]);
    }
    xml_start(x, "AdaptationSet");
    xml_attr(x, "contentType", is_video ? "video" : "audio");
    xml_attr(x, "mimeType", is_video ? "video/mp4" : "audio/mp4");
    add_language(x, r);
    xml_attr(x, "segmentAlignment", is_shared ? "true" : "false");
    xml_attr_i64(x, "startWithSAP", 1);
    if (!is_video) {
        AUTO(cstr_free) char *channels = NULL;
        if (cstr_printf(&channels, "%d", r->channels) == 0) {
            add_descriptor(x, "AudioChannelConfiguration",
                           "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
                           channels);
        }
    }
    add_transfer(x, r);
    add_label(x, r);
    add_descriptor(x, "Role", "urn:mpeg:dash:role:2011",
                   is_video || r->is_default ? "main" : "alternate");
    if (is_shared) {
        add_template(x, head);
    }
    for (size_t i = first; i < count; i++) {
        if (same_set(head, all[i])) {
            add_representation(x, p, all[i], !is_shared);
        }
    }
    xml_end(x);
}

static void add_sets(struct xml *x, const struct media_package *p,
                     const struct media_track *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_first = true;
        for (size_t k = 0; k < i; k++) {
            is_first &= !same_set(all[k], all[i]);
        }
        if (is_first) {
            add_set(x, p, all, count, i);
        }
    }
}

// --- captions and thumbnails --------------------------------------------------------------

static void add_text(struct xml *x, const struct media_track *t)
{
    xml_start(x, "AdaptationSet");
    xml_attr(x, "contentType", "text");
    xml_attr(x, "mimeType", "text/vtt");
    add_language(x, &t->rendition);
    add_label(x, &t->rendition);
    add_descriptor(x, "Role", "urn:mpeg:dash:role:2011", "subtitle");
    if (t->rendition.is_default) {
        add_descriptor(x, "Role", "urn:mpeg:dash:role:2011", "main");
    }
    xml_start(x, "Representation");
    xml_attr(x, "id", t->rendition.id);
    xml_attr_i64(x, "bandwidth", t->peak_bps);
    xml_start(x, "BaseURL");
    xml_text(x, t->path);
    xml_end(x);
    xml_end(x);
    xml_end(x);
}

// DASH-IF IOP section 6.2.6: each image is a sheet of tiles.
static void add_sprites(struct xml *x, const struct media_package *p)
{
    const struct media_sprites *s = &p->sprites;
    if (s->sheets == 0) {
        return;
    }
    int64_t sheet_us = s->every_us * s->columns * s->rows;
    xml_start(x, "AdaptationSet");
    xml_attr(x, "contentType", "image");
    xml_attr(x, "mimeType", "image/jpeg");
    xml_start(x, "SegmentTemplate");
    xml_attr_i64(x, "timescale", 1000000);
    xml_attr(x, "media", "$RepresentationID$/sprite-$Number$.jpg");
    xml_attr_i64(x, "startNumber", 0);
    // Sound may outlast the picture: with a @duration players would ask for sheets up to its end.
    xml_start(x, "SegmentTimeline");
    xml_start(x, "S");
    xml_attr_i64(x, "t", 0);
    xml_attr_i64(x, "d", sheet_us);
    if (s->sheets > 1) {
        xml_attr_i64(x, "r", s->sheets - 1);
    }
    xml_end(x);
    xml_end(x);
    xml_end(x);
    xml_start(x, "Representation");
    xml_attr(x, "id", "thumbs");
    int64_t us = MIN(p->duration_us, sheet_us * s->sheets);
    xml_attr_i64(x, "bandwidth", MAX(av_rescale(s->bytes * 8, 1000000, MAX(us, 1)), 1));
    xml_attr_i64(x, "width", (int64_t)s->tile_width * s->columns);
    xml_attr_i64(x, "height", (int64_t)s->tile_height * s->rows);
    AUTO(cstr_free) char *tiles = NULL;
    if (cstr_printf(&tiles, "%dx%d", s->columns, s->rows) == 0) {
        add_descriptor(x, "EssentialProperty", "http://dashif.org/thumbnail_tile", tiles);
    }
    xml_end(x);
    xml_end(x);
}

int media_dash(const struct media_package *p, const struct media_filter *filter,
               struct buf *out)
{
    AUTO(package_choice_clear) struct package_choice c = {0};
    TRY(package_choose(p, filter, &c));
    struct xml x = xml_begin(out);
    int64_t target_us = package_target_s(p) * 1000000;
    xml_start(&x, "MPD");
    xml_attr(&x, "xmlns", "urn:mpeg:dash:schema:mpd:2011");
    xml_attr(&x, "profiles", "urn:mpeg:dash:profile:isoff-live:2011");
    xml_attr(&x, "type", "static");
    add_duration(&x, "mediaPresentationDuration", p->duration_us);
    add_duration(&x, "minBufferTime", target_us);
    xml_start(&x, "Period");
    xml_attr(&x, "id", "film");
    add_duration(&x, "start", 0);
    add_duration(&x, "duration", p->duration_us);
    add_sets(&x, p, c.video.data, c.video.len);
    add_sets(&x, p, c.audio.data, c.audio.len);
    vec_for_each (t, &c.text) {
        add_text(&x, *t);
    }
    add_sprites(&x, p);
    xml_end(&x);
    xml_end(&x);
    return out->err;
}
