// SPDX-License-Identifier: GPL-3.0-or-later
//
// A policy that a person wrote: refused with mistakes, or read, written and read again the same; and it decides.
#include "ingest/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decide(const struct ingest_policy *policy)
{
    AUTO(findings_free) struct findings found = {0};
    struct finding f = finding_about_file("black", FINDING_WARNING);
    ASSERT(findings_add(&found, &f) == 0);
    enum ingest_verdict verdict;
    AUTO(json_free) json_t *why = NULL;
    ASSERT(ingest_policy_decide(policy, &found, 1000000, NULL, 0, 0, &verdict, &why) ==
           0);
    ASSERT(verdict >= INGEST_ACCEPT && verdict <= INGEST_REFUSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL, *again = NULL;
    AUTO(json_free) json_t *written = NULL, *rewritten = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    struct str text = {(const char *)data, size};
    if (ingest_policy_parse(text, "policy.yaml", &policy, &mistakes) < 0) {
        ASSERT(mistakes.items.len > 0);
        return 0;
    }
    ASSERT(ingest_policy_to_json(policy, &written) == 0);
    ASSERT(ingest_policy_from_json(written, &again) == 0);
    ASSERT(ingest_policy_to_json(again, &rewritten) == 0);
    ASSERT(json_equal(written, rewritten));
    decide(again);
    return 0;
}
