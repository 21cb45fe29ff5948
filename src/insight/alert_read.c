// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an alert's expression gives now, out of the store: of each line its newest value among the last steps
// that are over.
#include "insight/alert_rules.h"
#include "telemetry/telemetry.h"

#include <math.h>

// A sender flushes every some seconds, so that the newest step may still be without its value.
enum { STEPS = 3 };

static int tags_json(const struct telemetry_tags *tags, json_t **ret)
{
    AUTO(json_free) json_t *object = json_object();
    FAIL_IF(!object, ERR_NOMEM, "tags");
    for (size_t i = 0; i < tags->count; i++) {
        const struct telemetry_tag *t = &tags->list[i];
        FAIL_IF(json_object_setn_new(object, t->key.data, t->key.len,
                                     json_stringn(t->value.data, t->value.len)) != 0,
                ERR_NOMEM, "tags");
    }
    *ret = TAKE(object);
    return 0;
}

static double newest(const struct telemetry_line *line, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        if (!isnan(line->values[i - 1])) {
            return line->values[i - 1];
        }
    }
    return NAN;
}

static int take(const struct telemetry_answer *answer, struct arena *arena,
                struct insight_reading *ret)
{
    AUTO(json_free) json_t *owner = json_array();
    struct insight_line *lines = arena_alloc(arena, answer->count + 1, sizeof *lines);
    FAIL_IF(!owner || !lines, ERR_NOMEM, "an alert's lines");
    for (size_t i = 0; i < answer->count; i++) {
        json_t *tags = NULL;
        TRY(tags_json(&answer->lines[i].tags, &tags));
        FAIL_IF(json_array_append_new(owner, tags) != 0, ERR_NOMEM, "an alert's lines");
        lines[i] = (struct insight_line){
            .tags = tags, .value = newest(&answer->lines[i], answer->span.count)};
    }
    *ret = (struct insight_reading){
        .lines = lines, .count = answer->count, .owner = TAKE(owner)};
    return 0;
}

int insight_alerts_read(void *series, const char *expr, int64_t now_us,
                        struct arena *arena, struct insight_reading *ret)
{
    struct telemetry *store = series;
    const struct telemetry_expr *parsed = NULL;
    struct telemetry_answer answer = {0};
    int64_t step_ms = telemetry_step_ms(store);
    int64_t end_ms = now_us / 1000 / step_ms * step_ms;
    const struct telemetry_span span = {.start_ms = end_ms - (STEPS - 1) * step_ms,
                                        .step_ms = step_ms,
                                        .count = STEPS,
                                        .cf = TELEMETRY_CF_AVG};
    TRY(telemetry_stack_parse(str_of(expr), arena, &parsed));
    TRY(telemetry_evaluate(store, parsed, &span, arena, &answer));
    return take(&answer, arena, ret);
}

int insight_alert_rules_check(const struct insight_alert_rules *rules, struct str yaml,
                              const char *file, struct diag *diag)
{
    for (size_t i = 0; i < rules->rules_count; i++) {
        AUTO(arena_free) struct arena *arena = NULL;
        AUTO(cstr_free) char *path = NULL;
        const struct telemetry_expr *parsed = NULL;
        TRY(arena_new(&arena));
        TRY(cstr_printf(&path, "rules/%zu/expr", i));
        if (telemetry_stack_parse(str_of(rules->rules[i].expr), arena, &parsed) < 0) {
            diag_add(diag, file, yaml_line_of(yaml, path), "rule %s: %s",
                     rules->rules[i].name, err_reason());
        }
    }
    return diag->items.len ? diag_fail(diag, ERR_INVALID) : 0;
}
