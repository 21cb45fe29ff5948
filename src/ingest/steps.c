// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of steps. A version is bumped whenever the same inputs would give other outputs.
#include "ingest/steps.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB (1024 * 1024)

const struct flow_step_type ingest_step_types[] = {
    {"probe", 3, 200LL * MIB, step_probe},
    {"inspect.range", 1, 400LL * MIB, step_inspect_range},
    {"inspect.audio", 1, 200LL * MIB, step_inspect_audio},
    {"inspect.merge", 2, 300LL * MIB, step_inspect_merge},
    {"plan", 1, 100LL * MIB, step_plan},
    {"encode.video", 3, 700LL * MIB, step_encode_video},
    {"encode.audio", 1, 200LL * MIB, step_encode_audio},
    {"assemble", 1, 100LL * MIB, step_assemble},
    {"captions", 1, 100LL * MIB, step_captions},
    {"stills", 2, 300LL * MIB, step_stills},
    {"package", 2, 300LL * MIB, step_package},
};
const size_t ingest_step_type_count = ARRAY_LEN(ingest_step_types);

static const struct {
    const char *type, *after[5];
} graph[] = {
    {"probe", {0}},
    {"inspect.range", {"probe"}},
    {"inspect.audio", {"probe"}},
    {"inspect.merge", {"inspect.range", "inspect.audio"}},
    {"plan", {"inspect.merge"}},
    {"encode.video", {"plan"}},
    {"encode.audio", {"plan"}},
    {"captions", {"plan"}},
    {"stills", {"plan"}},
    {"assemble", {"encode.video"}},
    {"package", {"assemble", "encode.audio", "captions", "stills"}},
};

int ingest_graph(json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(graph); i++) {
        AUTO(json_free) json_t *after = json_array();
        for (const char *const *type = graph[i].after; *type; type++) {
            FAIL_IF(json_array_append_new(after, json_string(*type)) != 0, ERR_NOMEM,
                    "a graph");
        }
        FAIL_IF(json_array_append_new(list, json_pack("{s:s, s:O}", "type", graph[i].type,
                                                      "after", after)) != 0,
                ERR_NOMEM, "a graph");
    }
    return json_made(TAKE(list), ret);
}

int step_write(struct flow_step *step, const char *part, const char *name,
               const void *bytes, size_t len)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(flow_step_output(step, part, name, &path));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("%s", path);
    }
    return fd_write_all(fd, bytes, len);
}

int step_write_json(struct flow_step *step, const char *part, const char *name,
                    const json_t *value)
{
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, value);
    TRY(text.err);
    return step_write(step, part, name, text.data, text.len);
}

int step_read(struct flow_step *step, const char *input, struct buf *out)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(step, input, &blob));
    return blob_whole(blob, 1 << 28, out);
}

int step_timeline(struct flow_step *step, const char *input, struct media_timeline **ret)
{
    AUTO(buf_free) struct buf bytes = {0};
    TRY(step_read(step, input, &bytes));
    return media_timeline_read(buf_view(&bytes), ret);
}

int step_report(struct flow_step *step, const char *input, struct media_report **ret)
{
    AUTO(json_free) json_t *json = NULL;
    TRY(flow_step_input_json(step, input, &json));
    return media_report_from_json(json, ret);
}

int step_source(struct flow_step *step, const char *input, struct media_source **ret)
{
    AUTO(json_free) json_t *json = NULL;
    TRY(flow_step_input_json(step, input, &json));
    return media_source_from_json(json, ret);
}

void step_progress(void *user, int64_t done, int64_t total)
{
    flow_step_progress(user, done, total);
}

void step_limit_cpu(int64_t seconds)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)seconds, .rlim_max = (rlim_t)seconds + 5};
    (void)setrlimit(RLIMIT_CPU, &limit);
}
