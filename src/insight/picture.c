// SPDX-License-Identifier: GPL-3.0-or-later
//
// A related signal beside its target, drawn from what was kept when the alert fired: an axis each, the change marked.
#include "insight/incident.h"
#include "telemetry/telemetry.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 900, HEIGHT = 320, LINES = 3, STEPS_MAX = 40000 };

static int values_of(const json_t *list, struct arena *arena, size_t count,
                     const double **ret)
{
    double *values = arena_alloc(arena, count, sizeof *values);
    FAIL_IF(!values, ERR_NOMEM, "a picture");
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, i);
        values[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    *ret = values;
    return 0;
}

// "disk.queue server=s07", or the text that it is.
static int label_of(const json_t *name, struct arena *arena, struct str *ret)
{
    AUTO(buf_free) struct buf text = {0};
    const char *key;
    json_t *value;
    buf_cstr(&text, json_is_string(name) ? json_string_value(name)
                                         : json_str_or(name, "name", "?"));
    json_object_foreach((json_t *)(uintptr_t)name, key, value)
    {
        if (strcmp(key, "name") != 0 && strcmp(key, "atlas.dstype") != 0 &&
            json_is_string(value)) {
            buf_char(&text, ' ');
            buf_cstr(&text, key);
            buf_char(&text, '=');
            buf_cstr(&text, json_string_value(value));
        }
    }
    TRY(text.err);
    char *kept = arena_dup(arena, buf_view(&text));
    FAIL_IF(!kept, ERR_NOMEM, "a picture");
    *ret = str_of(kept);
    return 0;
}

// A bar over the step of the change.
static int mark_of(const struct telemetry_span *span, int64_t changed_ms,
                   struct arena *arena, const double **ret)
{
    double *values = arena_alloc(arena, span->count, sizeof *values);
    FAIL_IF(!values, ERR_NOMEM, "a picture");
    for (size_t i = 0; i < span->count; i++) {
        values[i] = span->start_ms + (int64_t)i * span->step_ms == changed_ms;
    }
    *ret = values;
    return 0;
}

static int span_of(const json_t *found, struct telemetry_span *ret)
{
    int64_t start = 0, end = 0, step = 0;
    TRY(json_get_i64(found, "start", 0, INT64_MAX / 2, &start));
    TRY(json_get_i64(found, "end", start, INT64_MAX / 2, &end));
    TRY(json_get_i64(found, "step", 1, INT64_MAX, &step));
    FAIL_IF((end - start) / step < 1 || (end - start) / step > STEPS_MAX, ERR_INVALID,
            "a picture of no or too many values");
    *ret = (struct telemetry_span){
        .start_ms = start, .step_ms = step, .count = (size_t)((end - start) / step)};
    return 0;
}

int insight_related_picture(const json_t *related, const struct insight_picture *wish,
                            struct buf *out)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const json_t *found = json_object_get(related, "found");
    FAIL_IF(!json_is_object(found), ERR_NOT_FOUND, "no related signal was found");
    const json_t *one = json_array_get(json_object_get(found, "related"), wish->place);
    FAIL_IF(!one, ERR_NOT_FOUND, "there is no such related signal");
    struct telemetry_line lines[LINES] = {
        {.label = STR("the change"),
         .style = {.style = TELEMETRY_VSPAN, .has_style = true, .alpha = 90}},
        {.label = STR("the alert's series"), .style = {.alpha = -1, .width = 2}},
        {.style = {.alpha = -1, .axis = 1, .width = 2}},
    };
    struct telemetry_answer answer = {.lines = lines, .count = LINES};
    TRY(arena_new(&arena));
    TRY(span_of(found, &answer.span));
    TRY(mark_of(&answer.span, json_i64_or(found, "changed", 0), arena, &lines[0].values));
    TRY(values_of(json_object_get(json_object_get(found, "target"), "values"), arena,
                  answer.span.count, &lines[1].values));
    TRY(label_of(json_object_get(one, "name"), arena, &lines[2].label));
    TRY(values_of(json_object_get(one, "values"), arena, answer.span.count,
                  &lines[2].values));
    const struct telemetry_picture picture = {
        .width = WIDTH, .height = HEIGHT, .is_dark = wish->is_dark};
    return telemetry_picture_write(&picture, &answer, out);
}
