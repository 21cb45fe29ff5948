// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series that others send, in the forms of Atlas and Prometheus. Bodies wait in memory only behind the check
// of who sends them, so that strangers cost nothing.
#include "app/api.h"

#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#define BODY_MAX (16 << 20)

int api_series_open(struct http_request *req, void *user, int *ret_fd,
                    int64_t *ret_max_bytes)
{
    (void)req, (void)user;
    int fd = memfd_create("series", MFD_CLOEXEC);
    if (fd < 0) {
        return err_fail_errno("memory for a body");
    }
    *ret_fd = fd;
    *ret_max_bytes = BODY_MAX;
    return 0;
}

// A body as it came, and its text: the same, or what was packed in it.
struct body {
    struct str mapped, text;
    struct buf plain;
    bool gzip;
};

static void body_free(struct body *b)
{
    buf_free(&b->plain);
    if (b->mapped.len) {
        munmap((void *)b->mapped.data, b->mapped.len);
    }
}

static int map_body(struct http_request *req, struct str *ret)
{
    int64_t bytes = http_request_body_bytes(req);
    if (bytes > 0) {
        void *at = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE,
                        http_request_body_fd(req), 0);
        if (at == MAP_FAILED) {
            return err_fail_errno("a body of %lld bytes", (long long)bytes);
        }
        *ret = (struct str){at, (size_t)bytes};
    }
    return 0;
}

// ERR_UNSUPPORTED: it is packed otherwise than by gzip or `coding`, which the reader of the text unpacks (NULL: none).
static int read_body(struct http_request *req, struct telemetry_intake *in,
                     const char *coding, struct body *ret)
{
    const char *packed = http_request_header(req, "Content-Encoding");
    bool plain = !packed || strcasecmp(packed, "identity") == 0 ||
                 (coding && strcasecmp(packed, coding) == 0);
    ret->gzip =
        packed && (strcasecmp(packed, "gzip") == 0 || strcasecmp(packed, "x-gzip") == 0);
    FAIL_IF(!plain && !ret->gzip, ERR_UNSUPPORTED,
            "Content-Encoding %.40s is not read here", packed);
    ret->mapped = STR("");
    TRY(map_body(req, &ret->mapped));
    ret->text = ret->mapped;
    if (ret->gzip) {
        TRY(telemetry_unpack_gzip(in, ret->mapped, &ret->plain));
        ret->text = buf_view(&ret->plain);
    }
    return 0;
}

static int intake_of(struct api *api, struct telemetry_intake **ret)
{
    FAIL_IF(!api->intake, ERR_BUSY, "no series are kept here");
    *ret = api->intake;
    return 0;
}

// {"type":"partial"|"error","errorCount":n,"message":[…]}
static int answer_atlas(struct http_response *res, int status, const char *type,
                        const struct telemetry_taken *taken)
{
    AUTO(json_free) json_t *messages = json_array();
    for (size_t i = 0; i < taken->reason_count; i++) {
        FAIL_IF(json_array_append_new(messages, json_string(taken->reasons[i])) < 0,
                ERR_NOMEM, "messages");
    }
    return http_json(res, status,
                     json_pack("{s:s, s:I, s:O}", "type", type, "errorCount",
                               (json_int_t)taken->dropped, "message", messages));
}

static int refuse_atlas(struct http_response *res, const char *why)
{
    struct telemetry_taken taken = {.dropped = 1, .reason_count = 1};
    str_copy(taken.reasons[0], sizeof taken.reasons[0],
             (struct str){why, strnlen(why, sizeof taken.reasons[0] - 1)});
    return answer_atlas(res, 400, "error", &taken);
}

int api_series_publish(struct http_request *req, struct http_response *res, void *user)
{
    struct telemetry_intake *intake = NULL;
    AUTO(body_free) struct body text = {0};
    AUTO(json_free) json_t *body = NULL;
    struct telemetry_taken taken = {0};
    TRY(intake_of(user, &intake));
    int err = read_body(req, intake, NULL, &text);
    err = err < 0 ? err : json_parse(&body, text.text, BODY_MAX);
    err = err < 0 ? err : telemetry_take_publish(intake, body, &taken);
    if (err == ERR_INVALID || err == ERR_LIMIT) {
        return refuse_atlas(res, err_reason());
    }
    TRY(err);
    if (taken.dropped) {
        return answer_atlas(res, taken.stored ? 202 : 400,
                            taken.stored ? "partial" : "error", &taken);
    }
    return taken.stored ? 0 : refuse_atlas(res, "empty payload");
}

// Senders repeat what was answered with 5xx and forget what was answered with 4xx: that nothing could be
// stored will be so the next time.
static int answer_prometheus(struct http_response *res,
                             const struct telemetry_taken *taken)
{
    FAIL_IF(taken->dropped && !taken->stored, ERR_INVALID, "%s", taken->reasons[0]);
    return api_done(res);
}

int api_series_write(struct http_request *req, struct http_response *res, void *user)
{
    struct telemetry_intake *intake = NULL;
    AUTO(body_free) struct body body = {0};
    struct telemetry_taken taken;
    const char *type = http_request_header(req, "Content-Type");
    FAIL_IF(type && strstr(type, "io.prometheus.write.v2"), ERR_UNSUPPORTED,
            "remote write 1.0 is spoken here"); // senders of 2.0 then fall back to it
    TRY(intake_of(user, &intake));
    TRY(read_body(req, intake, "snappy", &body));
    TRY(body.gzip ? telemetry_take_write_request(intake, body.text, &taken)
                  : telemetry_take_remote_write(intake, body.text, &taken));
    return answer_prometheus(res, &taken);
}

// ExportMetricsServiceResponse {} where all is stored; where not, { partial_success 1 { rejected 1, why 2 } }.
int api_series_otlp(struct http_request *req, struct http_response *res, void *user)
{
    struct telemetry_intake *intake = NULL;
    AUTO(body_free) struct body body = {0};
    AUTO(buf_free) struct buf answer = {0};
    struct telemetry_taken taken;
    TRY(intake_of(user, &intake));
    TRY(read_body(req, intake, NULL, &body));
    TRY(telemetry_take_otlp(intake, body.text, &taken));
    if (taken.dropped) {
        TRY(telemetry_otlp_partial(&taken, &answer));
    }
    http_body(res, "application/x-protobuf", buf_view(&answer));
    return 0;
}

int api_series_exposition(struct http_request *req, struct http_response *res, void *user)
{
    struct telemetry_intake *intake = NULL;
    AUTO(body_free) struct body body = {0};
    struct telemetry_taken taken;
    TRY(intake_of(user, &intake));
    TRY(read_body(req, intake, NULL, &body));
    TRY(telemetry_take_exposition(intake, body.text, NULL, clock_wall_us() / 1000,
                                  &taken));
    return answer_prometheus(res, &taken);
}

int api_series_counts(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    struct telemetry_intake *intake = NULL;
    (void)req;
    TRY(intake_of(api, &intake));
    struct telemetry_intake_counts counts = telemetry_intake_counts(intake);
    struct telemetry_stats stats = telemetry_stats(api->series);
    AUTO(json_free) json_t *came = json_object();
#define X(name, text) \
    json_object_set_new(came, #name, json_integer((json_int_t)counts.name));
    TELEMETRY_INTAKE_COUNTS(X)
#undef X
    return http_json(res, 200,
                     json_pack("{s:O, s:{s:I, s:I, s:I, s:I, s:I}}", "intake", came,
                               "store", "series", (json_int_t)stats.series, "samples",
                               (json_int_t)stats.samples, "disk_bytes",
                               (json_int_t)stats.disk_bytes, "log_bytes",
                               (json_int_t)stats.log_bytes, "memory_bytes",
                               (json_int_t)stats.memory_bytes));
}
