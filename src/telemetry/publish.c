// SPDX-License-Identifier: GPL-3.0-or-later
//
// Atlas' publish: {"tags":{common},"metrics":[{"tags":{},"timestamp":ms,"value":x}]}. The tag atlas.dstype says
// how a value comes onto the grid: gauge where there is none.
// https://github.com/Netflix/atlas/wiki/Publish-API
#include "telemetry/intake.h"

#define TAGS_USER_MAX 20

static int add_tags(const json_t *object, struct tag_list *tags)
{
    const char *key = NULL;
    json_t *value = NULL;
    FAIL_IF(object && !json_is_object(object), ERR_INVALID, "tags are an object");
    json_object_foreach((json_t *)object, key, value)
    {
        FAIL_IF(!json_is_string(value), ERR_INVALID, "the tag '%.60s' is no text", key);
        tag_list_set(tags, str_of(key),
                     (struct str){json_string_value(value), json_string_length(value)});
    }
    return 0;
}

static int dstype_of(struct tag_list *tags, enum telemetry_dstype *ret)
{
    static const char *const names[] = {"gauge", "rate", "counter", "sum"};
    *ret = TELEMETRY_GAUGE;
    for (size_t i = 0; i < tags->count; i++) {
        if (!str_eq_c(tags->list[i].key, "atlas.dstype")) {
            continue;
        }
        for (size_t t = 0; t < ARRAY_LEN(names); t++) {
            if (str_eq_c(tags->list[i].value, names[t])) {
                *ret = (enum telemetry_dstype)t;
                return 0;
            }
        }
        FAIL(ERR_INVALID, "atlas.dstype is gauge, rate, counter or sum");
    }
    return 0;
}

// Atlas' limits, in words; the store holds them too.
static int check_tags(const struct tag_list *tags)
{
    size_t own = 0;
    FAIL_IF(!tag_list_has(tags, "name"), ERR_INVALID, "missing key 'name'");
    for (size_t i = 0; i < tags->count; i++) {
        const struct telemetry_tag *tag = &tags->list[i];
        own += !str_starts(tag->key, "atlas.") && !str_starts(tag->key, "nf.");
        FAIL_IF(tag->key.len < 2 || tag->key.len > 60, ERR_LIMIT,
                "key length is not within [2, 60]: '%.60s'", tag->key.data);
        FAIL_IF(tag->value.len < 1 || tag->value.len > 120, ERR_LIMIT,
                "value length is not within [1, 120] for '%.60s'", tag->key.data);
        FAIL_IF(!str_is_line(tag->key) || !str_is_line(tag->value), ERR_INVALID,
                "'%.60s' is no plain text", tag->key.data);
    }
    FAIL_IF(tags->over || own > TAGS_USER_MAX, ERR_LIMIT, "too many user tags: %zu > %d",
            own, TAGS_USER_MAX);
    return 0;
}

static int read_metric(struct telemetry_intake *in, const json_t *common,
                       const json_t *metric, struct telemetry_sample *ret)
{
    struct tag_list tags = {0};
    enum telemetry_dstype dstype = TELEMETRY_GAUGE;
    const json_t *value = json_object_get(metric, "value");
    FAIL_IF(!json_is_object(metric), ERR_INVALID, "a metric is an object");
    TRY(add_tags(common, &tags));
    TRY(add_tags(json_object_get(metric, "tags"), &tags));
    TRY(check_tags(&tags));
    TRY(dstype_of(&tags, &dstype));
    TRY(json_get_i64(metric, "timestamp", 0, INT64_MAX, &ret->at_ms));
    FAIL_IF(!json_is_number(value), ERR_INVALID, "'value' is no number");
    ret->value = json_number_value(value);
    struct telemetry_tags sorted = tag_list_tags(&tags);
    return telemetry_series_of(in->store, &sorted, dstype, &ret->series);
}

// Each is given to the store by itself, so that each that is refused is named.
static int take_metric(struct telemetry_intake *in, const json_t *common,
                       const json_t *metric, struct telemetry_taken *taken)
{
    struct telemetry_sample sample = {0};
    size_t refused = 0;
    int err = read_metric(in, common, metric, &sample);
    if (err == ERR_INVALID || err == ERR_LIMIT) {
        intake_count(in, malformed, err == ERR_INVALID);
        intake_count(in, over_limit, err == ERR_LIMIT);
        taken_drop(taken, 1, "%s", err_reason());
        return 0;
    }
    TRY(err);
    TRY(telemetry_append(in->store, &sample, 1, &refused));
    intake_count(in, samples, 1 - refused);
    intake_count(in, refused, refused);
    taken->stored += 1 - refused;
    taken_drop(taken, refused, "timestamp %lld is too old or too new",
               (long long)sample.at_ms);
    return 0;
}

int telemetry_take_publish(struct telemetry_intake *in, const json_t *body,
                           struct telemetry_taken *ret)
{
    const json_t *common = json_object_get(body, "tags");
    const json_t *metrics = json_object_get(body, "metrics");
    *ret = (struct telemetry_taken){0};
    if (!json_is_array(metrics) || (common && !json_is_object(common))) {
        intake_count(in, malformed, 1);
        FAIL(ERR_INVALID, "a publish is {\"tags\":{…},\"metrics\":[…]}");
    }
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        TRY(take_metric(in, common, json_array_get(metrics, i), ret));
    }
    return 0;
}
