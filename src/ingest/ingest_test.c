// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who may deliver what, and what is the same delivery: over real rows, without a step being run.
#include "account/account.h"
#include "catalog/catalog.h"
#include "ingest/ingest.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

struct house {
    char dir[64];
    struct store *store;
    char archive[UUID_BYTES], other[UUID_BYTES]; // partners
};

static int set_up(void **state)
{
    struct house *h = calloc(1, sizeof *h);
    assert_non_null(h);
    strncpy(h->dir, "/tmp/marquee-ingest-XXXXXX", sizeof h->dir - 1);
    assert_non_null(mkdtemp(h->dir));
    assert_int_equal(store_open(&h->store, h->dir), 0);
    assert_int_equal(store_migrate(h->store, bus_migrations, bus_migration_count), 0);
    assert_int_equal(store_migrate(h->store, flow_migrations, flow_migration_count), 0);
    assert_int_equal(store_migrate(h->store, account_migrations, account_migration_count),
                     0);
    assert_int_equal(store_migrate(h->store, catalog_migrations, catalog_migration_count),
                     0);
    assert_int_equal(store_migrate(h->store, ingest_migrations, ingest_migration_count),
                     0);
    struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    assert_int_equal(account_partner_add(tx, "Archive", "a@archive.example", h->archive),
                     0);
    assert_int_equal(account_partner_add(tx, "Other", "o@other.example", h->other), 0);
    assert_int_equal(store_commit(&tx), 0);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct house *h = *state;
    store_close(&h->store);
    assert_int_equal(fs_remove_tree(h->dir), 0);
    free(h);
    return 0;
}

static struct ingest_spec spec_of(const char *bytes, struct house *h)
{
    struct ingest_spec spec = {
        .bytes = (int64_t)strlen(bytes), .file_name = "A_film.mp4", .actor = "system"};
    assert_int_equal(
        store_blob_put(store_blobs_of(h->store), bytes, strlen(bytes), &spec.source), 0);
    return spec;
}

static int submit(struct house *h, const struct ingest_spec *spec,
                  struct ingest_ticket *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    TRY(ingest_submit(tx, spec, ret));
    return store_commit(&tx);
}

static void the_same_bytes_and_wish_are_the_same_job(void **state)
{
    struct house *h = *state;
    struct ingest_spec spec = spec_of("film", h);
    struct ingest_ticket first = {0}, second = {0}, waived = {0};
    assert_int_equal(submit(h, &spec, &first), 0);
    assert_false(first.reused);
    assert_int_equal(submit(h, &spec, &second), 0);
    assert_true(second.reused);
    assert_string_equal(second.delivery_id, first.delivery_id);
    assert_string_equal(second.job_id, first.job_id);

    struct ingest_waiver waiver = {
        .kind = "black", .why = "Night", .until_wall_us = clock_wall_us() + 1000000000};
    spec.waivers = &waiver;
    spec.waiver_count = 1;
    assert_int_equal(submit(h, &spec, &waived), 0);
    assert_false(waived.reused);
    assert_string_equal(waived.delivery_id, first.delivery_id);
    assert_string_equal(waived.title_id, first.title_id);
    assert_string_not_equal(waived.job_id, first.job_id);

    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *job = NULL;
    assert_int_equal(store_begin(h->store, STORE_READ, &tx), 0);
    assert_int_equal(flow_job(tx, first.job_id, &job), 0);
    assert_string_equal(json_str_or(job, "state", ""), "cancelled");
}

static void a_waiver_needs_a_reason_and_an_end(void **state)
{
    struct house *h = *state;
    struct ingest_spec spec = spec_of("film", h);
    struct ingest_ticket ticket = {0};
    struct ingest_waiver waiver = {.kind = "black", .why = "", .until_wall_us = 1};
    spec.waivers = &waiver;
    spec.waiver_count = 1;
    assert_int_equal(submit(h, &spec, &ticket), ERR_CONFLICT);
    waiver = (struct ingest_waiver){.kind = "black", .why = "Night"};
    assert_int_equal(submit(h, &spec, &ticket), ERR_CONFLICT);
}

static void captions_say_their_language(void **state)
{
    struct house *h = *state;
    static const char *const bad[] = {"en\"", "../en",  "e n",
                                      "x\n",  "\u00E9", "a-language-without-end"};
    struct ingest_spec spec = spec_of("film", h);
    struct ingest_ticket ticket = {0};
    struct ingest_caption caption = {.blob = spec.source, .file_name = "a.srt"};
    spec.captions = &caption;
    spec.caption_count = 1;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        caption.language = bad[i];
        assert_int_equal(submit(h, &spec, &ticket), ERR_INVALID);
    }
    caption.language = "pt-BR";
    assert_int_equal(submit(h, &spec, &ticket), 0);
}

static void partners_keep_to_their_own(void **state)
{
    struct house *h = *state;
    struct ingest_ticket mine = {0}, theirs = {0}, ticket = {0};
    struct ingest_spec spec = spec_of("film", h);
    spec.partner = h->archive;
    assert_int_equal(submit(h, &spec, &mine), 0);

    // the same bytes of another partner are another delivery, of another title
    struct ingest_spec other = spec_of("film", h);
    other.partner = h->other;
    assert_int_equal(submit(h, &other, &theirs), 0);
    assert_string_not_equal(theirs.delivery_id, mine.delivery_id);
    assert_string_not_equal(theirs.title_id, mine.title_id);

    struct ingest_spec foreign = spec_of("another film", h);
    foreign.partner = h->other;
    foreign.title_id = mine.title_id;
    foreign.title = "Theirs now";
    assert_int_equal(submit(h, &foreign, &ticket), ERR_NOT_FOUND);
    assert_null(strstr(err_reason(), "film")); // not its name
    foreign.title = NULL;
    foreign.title_id = NULL;
    foreign.answers = mine.title_id; // no request has this id
    assert_int_equal(submit(h, &foreign, &ticket), ERR_NOT_FOUND);

    // known bytes cannot be moved to another title
    spec.title_id = theirs.title_id;
    assert_int_equal(submit(h, &spec, &ticket), ERR_CONFLICT);
}

// A file may be called anything; what is kept is what rows, mails and pages can hold.
static void names_of_files_become_lines(void **state)
{
    struct house *h = *state;
    static const struct {
        const char *file, *kept, *title;
    } cases[] = {
        {"a\r\nBcc: b.mp4", "a  Bcc: b.mp4", "a  Bcc: b"},
        {"\xE9t\xE9_1906.mp4", "\uFFFDt\uFFFD_1906.mp4", "\uFFFDt\uFFFD 1906"},
        {"_.mp4", "_.mp4", "Untitled"},
        {"\x1b[2J.mp4", " [2J.mp4", "[2J"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ingest_ticket ticket = {0};
        struct ingest_spec spec = spec_of(cases[i].file, h);
        spec.file_name = cases[i].file;
        assert_int_equal(submit(h, &spec, &ticket), 0);
        AUTO(store_rollback) struct store_tx *tx = NULL;
        AUTO(json_free) json_t *delivery = NULL;
        assert_int_equal(store_begin(h->store, STORE_READ, &tx), 0);
        assert_int_equal(ingest_delivery(tx, ticket.delivery_id, &delivery), 0);
        assert_string_equal(json_str_or(delivery, "file_name", ""), cases[i].kept);
        assert_string_equal(json_str_or(delivery, "title", ""), cases[i].title);
    }
}

static void deliveries_are_listed_for_whom_they_are(void **state)
{
    struct house *h = *state;
    struct ingest_ticket ticket = {0};
    struct ingest_spec spec = spec_of("film", h);
    spec.partner = h->archive;
    assert_int_equal(submit(h, &spec, &ticket), 0);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *all = NULL, *none = NULL, *one = NULL, *report = NULL;
    assert_int_equal(store_begin(h->store, STORE_READ, &tx), 0);
    struct ingest_query query = {.limit = 10};
    assert_int_equal(ingest_deliveries(tx, &query, &all), 0);
    assert_int_equal(json_array_size(all), 1);
    query.partner = h->other;
    assert_int_equal(ingest_deliveries(tx, &query, &none), 0);
    assert_int_equal(json_array_size(none), 0);
    assert_int_equal(ingest_delivery(tx, ticket.delivery_id, &one), 0);
    assert_string_equal(json_str_or(one, "title", ""), "A film");
    assert_string_equal(json_str_or(one, "partner", ""), h->archive);
    assert_int_equal(ingest_report(h->store, ticket.delivery_id, &report), ERR_NOT_FOUND);
    query.limit = 0;
    assert_int_equal(ingest_deliveries(tx, &query, &report), ERR_INVALID);
}

static void recovery_removes_what_no_row_names(void **state)
{
    struct house *h = *state;
    static const char hex[] =
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char kept[] =
        "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    AUTO(cstr_free) char *stray = NULL, *half = NULL, *published = NULL, *foreign = NULL;
    assert_int_equal(cstr_printf(&stray, "%s/media/%s", h->dir, hex), 0);
    assert_int_equal(cstr_printf(&half, "%s/media/.%s.new", h->dir, kept), 0);
    assert_int_equal(cstr_printf(&published, "%s/media/%s", h->dir, kept), 0);
    assert_int_equal(cstr_printf(&foreign, "%s/media/notes", h->dir), 0);
    assert_int_equal(fs_make_dirs(stray), 0);
    assert_int_equal(fs_make_dirs(half), 0);
    assert_int_equal(fs_make_dirs(published), 0);
    assert_int_equal(fs_make_dirs(foreign), 0);
    struct store_tx *tx = NULL;
    assert_int_equal(store_begin(h->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx,
                                "INSERT INTO ingest_package (hash, delivery_id,"
                                " published_us) VALUES (?,?,?)",
                                "ssi", kept, "a delivery", (int64_t)1),
                     0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(ingest_recover(h->store), 0);
    assert_false(fs_exists(stray));
    assert_false(fs_exists(half));
    assert_true(fs_exists(published));
    assert_true(fs_exists(foreign));
}

static void only_the_films_faults_become_findings(void **state)
{
    (void)state;
    AUTO(findings_free) struct findings list = {0};
    assert_int_equal(ingest_fault(&list, "sound", ERR_NO_SPACE, "full"), ERR_NO_SPACE);
    assert_int_equal(ingest_fault(&list, "sound", ERR_CANCELLED, "stop"), ERR_CANCELLED);
    assert_int_equal(list.items.len, 0);
    assert_int_equal(ingest_fault(&list, "sound", ERR_CRASHED, "signal 11"), 0);
    assert_string_equal(list.items.data[0].kind, "decoder_crashed");
    assert_int_equal(list.items.data[0].severity, FINDING_ERROR);
    AUTO(json_free) json_t *report = NULL;
    assert_int_equal(ingest_report_partial(NULL, &list, &report), 0);
    assert_int_equal(json_array_size(json_object_get(report, "findings")), 1);
    assert_int_equal(json_array_size(json_object_get(report, "streams")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_bytes_and_wish_are_the_same_job, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_waiver_needs_a_reason_and_an_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(captions_say_their_language, set_up, tear_down),
        cmocka_unit_test_setup_teardown(partners_keep_to_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_files_become_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deliveries_are_listed_for_whom_they_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(recovery_removes_what_no_row_names, set_up,
                                        tear_down),
        cmocka_unit_test(only_the_films_faults_become_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
