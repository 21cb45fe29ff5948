// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whose fault a failure is: the film's becomes a finding, the machine's stays an error.
#include "ingest/internal.h"

#include <string.h>

static const struct {
    int err;
    const char *kind;
} faults[] = {
    {ERR_CRASHED, "decoder_crashed"}, {ERR_TIMEOUT, "over_limits"},
    {ERR_LIMIT, "over_limits"},       {ERR_CORRUPT, "undecodable"},
    {ERR_INVALID, "undecodable"},     {ERR_UNSUPPORTED, "unsupported"},
};

static const char *kind_of(int err)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        if (faults[i].err == err) {
            return faults[i].kind;
        }
    }
    return NULL;
}

bool fault_is_films(int err)
{
    return kind_of(err) != NULL;
}

static bool has_error(const struct findings *findings)
{
    for (size_t i = 0; i < findings->items.len; i++) {
        if (findings->items.data[i].severity == FINDING_ERROR) {
            return true;
        }
    }
    return false;
}

int ingest_fault(struct findings *findings, const char *stage, int err,
                 const char *reason)
{
    const char *kind = kind_of(err);
    FAIL_IF(!kind, err, "%s: %s", stage, reason); // the reason may be another process's
    if (err == ERR_UNSUPPORTED && strcmp(stage, "encode") != 0 && has_error(findings)) {
        return 0; // what is not supported has been named already
    }
    struct finding finding = finding_about_file(kind, FINDING_ERROR);
    TRY(json_made(json_pack("{s:s, s:s}", "stage", stage, "reason", reason),
                  &finding.evidence));
    return findings_add(findings, &finding);
}

int ingest_report_partial(const struct media_source *source,
                          const struct findings *findings, json_t **ret)
{
    struct media_source none = {.video = -1};
    AUTO(json_free) json_t *series = json_object(), *list = NULL, *json = NULL;
    struct media_report report = {.source = (struct media_source *)(uintptr_t)source,
                                  .series = series};
    report.source = source ? report.source : &none;
    TRY(findings_to_json(findings, &list));
    TRY(media_report_to_json(&report, &json));
    FAIL_IF(json_object_set(json, "findings", list) != 0, ERR_NOMEM, "a report");
    *ret = TAKE(json);
    return 0;
}
