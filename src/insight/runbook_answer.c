// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a runbook's program answered, before anything is believed of it.
#include "insight/runbook_parts.h"

#include <string.h>

enum { SUMMARY_BYTES = 500, FINDINGS_MAX = 100, EVIDENCE_BYTES = 8192 };

static bool is_kind(const char *text)
{
    return *text && strlen(text) < sizeof((struct finding *)NULL)->kind &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static int check_finding(const json_t *item, size_t i)
{
    enum finding_severity severity;
    const char *kind = json_str_or(item, "kind", "");
    const json_t *evidence = json_object_get(item, "evidence");
    AUTO(buf_free) struct buf text = {0};
    FAIL_IF(!is_kind(kind), ERR_INVALID, "finding %zu: a kind is snake_case", i);
    FAIL_IF(finding_severity_parse(str_of(json_str_or(item, "severity", "")), &severity) <
                0,
            ERR_INVALID, "finding %zu: its severity is info, warning or error", i);
    FAIL_IF(evidence && !json_is_object(evidence), ERR_INVALID,
            "finding %zu: evidence is an object", i);
    if (evidence) {
        json_write_canonical(&text, evidence);
        TRY(text.err);
    }
    FAIL_IF(text.len > EVIDENCE_BYTES, ERR_INVALID, "finding %zu: over %d bytes", i,
            EVIDENCE_BYTES);
    return 0;
}

static int check_findings(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "findings");
    FAIL_IF(list && !json_is_array(list), ERR_INVALID, "findings is an array");
    FAIL_IF(json_array_size(list) > FINDINGS_MAX, ERR_INVALID, "over %d findings",
            FINDINGS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        TRY(check_finding(json_array_get(list, i), i));
    }
    return 0;
}

static bool is_status(const char *text)
{
    return strcmp(text, "ok") == 0 || strcmp(text, "attention") == 0 ||
           strcmp(text, "failed") == 0;
}

// What is too long to stand in a row stands in what is kept of stdout.
static int shorten(json_t *answer)
{
    AUTO(buf_free) struct buf text = {0};
    const char *key = NULL;
    json_t *value = NULL;
    void *next = NULL;
    json_write_canonical(&text, answer);
    TRY(text.err);
    if (text.len <= ANSWER_KEPT_MAX) {
        return 0;
    }
    json_object_foreach_safe(answer, next, key, value)
    {
        if (strcmp(key, "schema") != 0 && strcmp(key, "status") != 0 &&
            strcmp(key, "summary") != 0) {
            json_object_del(answer, key);
        }
    }
    return json_object_set_new(answer, "shortened", json_true()) == 0
               ? 0
               : err_fail(ERR_NOMEM, "an answer");
}

int insight_answer_parse(struct str text, size_t max_bytes, json_t **ret)
{
    AUTO(json_free) json_t *answer = NULL;
    const char *status = NULL, *summary = NULL;
    int64_t schema = 0;
    FAIL_IF(!str_trim(text).len, ERR_INVALID, "nothing came");
    TRY(json_parse(&answer, text, max_bytes));
    FAIL_IF(!json_is_object(answer), ERR_INVALID, "it is no JSON object");
    TRY(json_get_i64(answer, "schema", 1, 1, &schema));
    TRY(json_get_str(answer, "status", &status));
    TRY(json_get_str(answer, "summary", &summary));
    FAIL_IF(!is_status(status), ERR_INVALID, "status is ok, attention or failed");
    FAIL_IF(!*summary || strlen(summary) > SUMMARY_BYTES || !str_is_line(str_of(summary)),
            ERR_INVALID, "summary is one line of at most %d bytes", SUMMARY_BYTES);
    TRY(check_findings(answer));
    TRY(shorten(answer));
    *ret = TAKE(answer);
    return 0;
}
