// SPDX-License-Identifier: GPL-3.0-or-later
//
// PromQL against Prometheus itself: the same samples in both, the same questions, the same answers. Where
// there is no Prometheus on this machine that part is skipped; what must not be read is tested anyway.
#include "telemetry/telemetry.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STEP   INT64_C(60000)
#define POINTS 240
#define SERIES 64
#define TAGS   5

// --- a store ----------------------------------------------------------------------------------

struct series {
    struct telemetry_tag tags[TAGS];
    size_t tag_count;
    char values[TAGS][16];
    double v[POINTS];
};

static struct series all[SERIES];
static size_t series_count;
static int64_t base_ms; // of the first value
static uint64_t state = 0x9e3779b97f4a7c15;

static double draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

int64_t telemetry_step_ms(const struct telemetry *t)
{
    (void)t;
    return STEP;
}

// The few conditions that the questions below come to; regular expressions are all of one value or another.
static bool fits(const struct telemetry_match *m, const struct series *s)
{
    struct str v = {0};
    for (size_t i = 0; i < s->tag_count; i++) {
        v = str_eq(s->tags[i].key, m->key) ? s->tags[i].value : v;
    }
    switch ((int)m->op) {
    case TELEMETRY_MATCH_ALL:
        return true;
    case TELEMETRY_MATCH_HAS:
        return v.data != NULL;
    case TELEMETRY_MATCH_IN:
        return v.data && str_eq(v, m->values[0]);
    case TELEMETRY_MATCH_RE: // ^(?:a|c)$
        return v.data && v.len == 1 &&
               memchr(m->values[0].data + 4, v.data[0], m->values[0].len - 6);
    case TELEMETRY_MATCH_AND:
        return fits(m->left, s) && fits(m->right, s);
    case TELEMETRY_MATCH_OR:
        return fits(m->left, s) || fits(m->right, s);
    case TELEMETRY_MATCH_NOT:
        return !fits(m->left, s);
    default:
        fail_msg("a condition that the test does not know");
        return false;
    }
}

int telemetry_scan(struct telemetry *t, const struct telemetry_match *m,
                   const struct telemetry_span *span, telemetry_visit_f *visit,
                   void *user)
{
    (void)t;
    double *v = calloc(span->count, sizeof *v);
    int err = 0;
    assert_non_null(v);
    for (size_t i = 0; err == 0 && i < series_count; i++) {
        if (!fits(m, &all[i])) {
            continue;
        }
        for (size_t k = 0; k < span->count; k++) {
            int64_t at = (span->start_ms - base_ms) / STEP + (int64_t)k;
            v[k] = at >= 0 && at < POINTS ? all[i].v[at] : (double)NAN;
        }
        struct telemetry_view view = {.tags = {all[i].tags, all[i].tag_count},
                                      .values = v};
        err = visit(user, &view);
    }
    free(v);
    return err;
}

static struct series *add(const char *name, const char *job, int instance,
                          const char *key, const char *value)
{
    struct series *s = &all[series_count++];
    size_t n = 0;
    assert_true(series_count <= SERIES);
    const char *keys[] = {key, "instance", "job", "name"};
    snprintf(s->values[0], sizeof s->values[0], "%s", value);
    snprintf(s->values[1], sizeof s->values[1], "%d", instance);
    snprintf(s->values[2], sizeof s->values[2], "%s", job);
    snprintf(s->values[3], sizeof s->values[3], "%s", name);
    for (size_t i = key ? 0 : 1; i < ARRAY_LEN(keys); i++) {
        if (i != 1 || instance >= 0) {
            s->tags[n++] = (struct telemetry_tag){str_of(keys[i]), str_of(s->values[i])};
        }
    }
    // "le" comes behind "job".
    if (key && strcmp(key, "instance") > 0) {
        struct telemetry_tag first = s->tags[0];
        size_t i = 0;
        for (; i + 1 < n && strncmp(s->tags[i + 1].key.data, key, 2) < 0; i++) {
            s->tags[i] = s->tags[i + 1];
        }
        s->tags[i] = first;
    }
    s->tag_count = n;
    return s;
}

static void count_up(struct series *s, double most)
{
    double total = floor(draw() * 1000);
    for (int t = 0; t < POINTS; t++) {
        total = draw() < 0.01 ? 0 : total + floor(draw() * most);
        s->v[t] = draw() < 0.04 ? (double)NAN : total;
    }
}

static void wander(struct series *s, int until)
{
    double v = draw() * 40 - 10;
    for (int t = 0; t < POINTS; t++) {
        v += draw() * 4 - 2;
        s->v[t] = t >= until || draw() < 0.05 ? (double)NAN : floor(v * 8) / 8;
    }
}

static void buckets(const char *job, int instance)
{
    static const char *const le[] = {"0.1", "0.5", "1", "+Inf"};
    double counts[4] = {0};
    struct series *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = add("lat_bucket", job, instance, "le", le[i]);
    }
    for (int t = 0; t < POINTS; t++) {
        double more = 0;
        for (int i = 0; i < 4; i++) {
            more += floor(draw() * 9);
            counts[i] += more;
            s[i]->v[t] = counts[i];
        }
    }
}

static void fill(int64_t now_ms)
{
    static const char *const jobs[] = {"a", "b", "c"};
    base_ms = now_ms / STEP * STEP - (POINTS + 5) * STEP;
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 3; i++) {
            count_up(add("requests_total", jobs[j], i, "code", "200"), 50);
            count_up(add("requests_total", jobs[j], i, "code", "500"), 3);
            wander(add("temp", jobs[j], i, NULL, ""), i == 2 ? POINTS / 2 : POINTS);
        }
        wander(add("size", jobs[j], -1, "team", j == 1 ? "x" : "y"), POINTS);
        buckets(jobs[j], 0);
    }
}

// --- Prometheus ---------------------------------------------------------------------------------

struct peer {
    char dir[64];
    pid_t pid;
    int port;
};

static void write_samples(const char *path)
{
    AUTO(buf_free) struct buf out = {0};
    for (size_t i = 0; i < series_count; i++) {
        const struct series *s = &all[i];
        for (int t = 0; t < POINTS; t++) {
            if (isnan(s->v[t])) {
                continue;
            }
            for (size_t k = 0; k < s->tag_count; k++) {
                if (str_eq_c(s->tags[k].key, "name")) {
                    buf_str(&out, s->tags[k].value);
                }
            }
            bool any = false;
            for (size_t k = 0; k < s->tag_count; k++) {
                if (!str_eq_c(s->tags[k].key, "name")) {
                    buf_char(&out, any ? ',' : '{');
                    buf_str(&out, s->tags[k].key);
                    buf_cstr(&out, "=\"");
                    buf_str(&out, s->tags[k].value);
                    buf_char(&out, '"');
                    any = true;
                }
            }
            // In the middle of the step that the value stands for.
            buf_printf(&out, "} %.17g %lld.000\n", s->v[t],
                       (long long)(base_ms + t * STEP - STEP / 2) / 1000);
        }
    }
    buf_cstr(&out, "# EOF\n");
    assert_int_equal(out.err, 0);
    assert_int_equal(fs_write_file(path, out.data, out.len), 0);
}

static bool is_installed(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/usr/bin/%s", name);
    return access(path, X_OK) == 0;
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    AUTO(fd_close) int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static void run_promtool(const struct peer *p, const char *samples)
{
    pid_t pid = 0;
    struct proc_exit done = {0};
    AUTO(fd_close) int null = open("/dev/null", O_WRONLY);
    const char *const argv[] = {
        "promtool", "tsdb", "create-blocks-from", "openmetrics", samples, p->dir, NULL};
    const struct proc_config c = {
        .argv = argv, .in_fd = -1, .out_fd = null, .err_fd = null};
    assert_int_equal(proc_spawn(&c, &pid), 0);
    assert_int_equal(proc_wait(pid, true, &done), 0);
    assert_int_equal(done.code, 0);
}

// It says on stderr when it can be asked.
static void wait_ready(int fd)
{
    AUTO(buf_free) struct buf said = {0};
    char part[4096];
    ssize_t n;
    while ((n = read(fd, part, sizeof part)) > 0) {
        buf_add(&said, part, (size_t)n);
        if (strstr(said.data, "Server is ready to receive web requests")) {
            return;
        }
    }
    fail_msg("prometheus did not start: %s", said.data);
}

static void peer_start(struct peer *p)
{
    char samples[96], config[96], listen[64], storage[96];
    int fds[2];
    snprintf(p->dir, sizeof p->dir, "/tmp/marquee-promql-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(samples, sizeof samples, "%s/samples", p->dir);
    snprintf(config, sizeof config, "%s/config.yml", p->dir);
    snprintf(storage, sizeof storage, "--storage.tsdb.path=%s", p->dir);
    write_samples(samples);
    assert_int_equal(fs_write_file(config, "global: {}\n", 11), 0);
    run_promtool(p, samples);
    p->port = free_port();
    snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%d", p->port);
    char config_option[128];
    snprintf(config_option, sizeof config_option, "--config.file=%s", config);
    const char *const argv[] = {
        "prometheus", config_option, storage, listen, "--storage.tsdb.retention.time=10y",
        NULL};
    assert_int_equal(pipe(fds), 0);
    const struct proc_config c = {
        .argv = argv, .in_fd = -1, .out_fd = fds[1], .err_fd = fds[1]};
    assert_int_equal(proc_spawn(&c, &p->pid), 0);
    close(fds[1]);
    wait_ready(fds[0]);
    // What it goes on to say fills no pipe: it is little.
    close(fds[0]);
}

static void peer_stop(struct peer *p)
{
    struct proc_exit done;
    kill(p->pid, SIGKILL);
    proc_wait(p->pid, true, &done);
    fs_remove_tree(p->dir);
}

static size_t on_bytes(char *data, size_t size, size_t count, void *user)
{
    buf_add(user, data, size * count);
    return size * count;
}

static json_t *peer_ask(const struct peer *p, const char *query,
                        const struct telemetry_span *span)
{
    AUTO(buf_free) struct buf url = {0}, body = {0};
    json_t *answer = NULL;
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    char *escaped = curl_easy_escape(curl, query, 0);
    buf_printf(
        &url,
        "http://127.0.0.1:%d/api/v1/query_range?query=%s&start=%lld&end=%lld&step=%lld",
        p->port, escaped, (long long)span->start_ms / 1000,
        (long long)(span->start_ms + (int64_t)(span->count - 1) * span->step_ms) / 1000,
        (long long)span->step_ms / 1000);
    curl_free(escaped);
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_cleanup(curl);
    assert_int_equal(json_parse(&answer, buf_view(&body), 64u << 20), 0);
    if (strcmp(json_str_or(answer, "status", ""), "success") != 0) {
        fail_msg("%s\nprometheus says %s", query, body.data);
    }
    return answer;
}

// --- both -------------------------------------------------------------------------------------

static void label_of(json_t *metric, struct buf *out)
{
    const char *key;
    json_t *value;
    bool any = false;
    buf_cstr(out, json_str_or(metric, "__name__", ""));
    json_object_foreach(metric, key, value)
    {
        if (strcmp(key, "__name__") != 0) {
            buf_printf(out, "%s%s=\"%s\"", any ? "," : "{", key,
                       json_string_value(value));
            any = true;
        }
    }
    buf_cstr(out, any ? "}" : out->len ? "" : "{}");
}

static bool near(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b ||
           fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b)) + 1e-9;
}

static double there_at(json_t *values, const struct telemetry_span *span, size_t i)
{
    double want = (double)(span->start_ms + (int64_t)i * span->step_ms) / 1000;
    size_t k;
    json_t *pair;
    json_array_foreach(values, k, pair)
    {
        if (fabs(json_number_value(json_array_get(pair, 0)) - want) < 0.0005) {
            const char *text = json_string_value(json_array_get(pair, 1));
            return strtod(text, NULL);
        }
    }
    return (double)NAN;
}

static bool is_there(json_t *values)
{
    size_t k;
    json_t *pair;
    json_array_foreach(values, k, pair)
    {
        if (strcmp(json_string_value(json_array_get(pair, 1)), "NaN") != 0) {
            return true;
        }
    }
    return false;
}

static void compare(const struct peer *p, const char *query,
                    const struct telemetry_span *span)
{
    AUTO(arena_free) struct arena *a = NULL;
    AUTO(json_free) json_t *answer = peer_ask(p, query, span);
    const struct telemetry_expr *e;
    struct telemetry_answer ours;
    size_t i, theirs = 0;
    json_t *one, *result = json_object_get(json_object_get(answer, "data"), "result");
    assert_int_equal(arena_new(&a), 0);
    if (telemetry_promql_parse(str_of(query), a, &e) < 0 ||
        telemetry_evaluate(NULL, e, span, a, &ours) < 0) {
        fail_msg("%s\n%s", query, err_reason());
    }
    json_array_foreach(result, i, one)
    {
        AUTO(buf_free) struct buf label = {0};
        json_t *values = json_object_get(one, "values");
        const struct telemetry_line *l = NULL;
        if (!is_there(values)) {
            continue;
        }
        theirs++;
        label_of(json_object_get(one, "metric"), &label);
        for (size_t k = 0; k < ours.count; k++) {
            l = str_eq_c(ours.lines[k].label, label.data) ? &ours.lines[k] : l;
        }
        if (!l) {
            fail_msg("%s\nno %s among %zu, the first %.*s", query, label.data, ours.count,
                     STR_ARG(ours.count ? ours.lines[0].label : STR("none")));
        }
        for (size_t t = 0; l && t < span->count; t++) {
            double want = there_at(values, span, t);
            if (!near(l->values[t], want)) {
                fail_msg("%s\n%s at %zu: %.17g, not %.17g", query, label.data, t,
                         l->values[t], want);
            }
        }
    }
    if (ours.count != theirs) {
        fail_msg("%s\n%zu series, not %zu", query, ours.count, theirs);
    }
}

static const char *const questions[] = {
    "temp",
    "temp{job=\"a\"}",
    "temp{job!=\"a\",instance=\"1\"}",
    "temp{job=~\"a|c\"}",
    "temp{job!~\"a|c\"}",
    "temp{nothing=\"\"}",
    "{__name__=\"temp\",job=\"b\"}",
    "temp offset 10m",
    "rate(requests_total[5m])",
    "rate(requests_total[10m] offset 7m)",
    "increase(requests_total[30m])",
    "irate(requests_total[5m])",
    "delta(temp[15m])",
    "idelta(temp[5m])",
    "deriv(temp[20m])",
    "changes(temp[30m])",
    "resets(requests_total[1h])",
    "avg_over_time(temp[15m])",
    "min_over_time(temp[15m])",
    "max_over_time(temp[15m])",
    "sum_over_time(temp[15m])",
    "count_over_time(temp[15m])",
    "last_over_time(temp[15m])",
    "present_over_time(temp[15m])",
    "stddev_over_time(temp[15m])",
    "stdvar_over_time(temp[15m])",
    "quantile_over_time(0.9, temp[15m])",
    "sum(rate(requests_total[5m]))",
    "sum by (job) (rate(requests_total[5m]))",
    "sum(rate(requests_total[5m])) by (job, code)",
    "sum without (instance) (rate(requests_total[5m]))",
    "avg by (job) (temp)",
    "min without (job) (temp)",
    "max(temp)",
    "count by (job) (temp)",
    "group by (job) (temp)",
    "stddev by (job) (temp)",
    "stdvar(temp)",
    "topk(2, temp)",
    "bottomk by (job) (1, temp)",
    "quantile by (job) (0.25, temp)",
    "sum by (job) (rate(requests_total{code=\"500\"}[5m])) / sum by (job) "
    "(rate(requests_total[5m]))",
    "temp + 1",
    "2 * temp - -3",
    "temp % 7",
    "temp ^ 2 ^ 0.5",
    "-temp",
    "temp > 5",
    "temp > bool 5",
    "5 > temp",
    "temp == temp",
    "rate(requests_total{code=\"500\"}[5m]) / ignoring(code) "
    "rate(requests_total{code=\"200\"}[5m])",
    "requests_total{code=\"500\"} / on(job, instance) requests_total{code=\"200\"}",
    "temp * on(job) group_left(team) size",
    "temp - on(job) group_left size",
    "size * on(job) group_right temp",
    "temp > on(job) group_left size",
    "temp and on(job) size{team=\"x\"}",
    "temp unless on(job) size{team=\"x\"}",
    "temp{job=\"a\"} or temp{instance=\"0\"}",
    "temp or on(job) size",
    "temp > 0 and temp < 10 or temp{job=\"c\"}",
    "histogram_quantile(0.9, sum by (le, job) (rate(lat_bucket[10m])))",
    "histogram_quantile(0.5, rate(lat_bucket[5m]))",
    "histogram_quantile(0.99, lat_bucket)",
    "abs(temp)",
    "ceil(temp)",
    "floor(temp)",
    "round(temp)",
    "round(temp, 5)",
    "clamp(temp, 0, 10)",
    "clamp_min(temp, 0)",
    "clamp_max(temp, 0)",
    "exp(temp / 10)",
    "ln(abs(temp) + 1)",
    "log2(abs(temp) + 1)",
    "log10(abs(temp) + 1)",
    "sqrt(abs(temp))",
    "sgn(temp)",
    "label_replace(temp, \"x\", \"$1-y\", \"job\", \"(.*)\")",
    "label_replace(temp, \"job\", \"\", \"job\", \"a\")",
    "label_join(temp, \"x\", \"/\", \"job\", \"instance\")",
    "absent(temp{job=\"z\"})",
    "absent(temp)",
    "vector(3)",
    "vector(time())",
    "time() - 5",
    "scalar(size{job=\"a\"}) + 1",
    "scalar(temp)",
    "sum(temp) + scalar(sum(size))",
    "hour(vector(time()))",
    "hour()",
    "minute() + day_of_week() * 100 + day_of_month() * 1000",
    "days_in_month() + month() * 100 + year() * 10000",
    "1 + 2 * 3 ^ 2",
    "1 > bool 2",
    "(temp > 0) * 2",
    "sum by (job) (temp > 0) or vector(0)",
    "sum(increase(requests_total[1h])) by (code) > 100",
    "max_over_time(temp[1h]) - min_over_time(temp[1h])",
    "count(temp > 0) / count(temp)",
};

static void answers_as_prometheus(void **unused)
{
    (void)unused;
    if (!is_installed("prometheus") || !is_installed("promtool")) {
        print_message("SKIPPED: no prometheus\n");
        skip();
    }
    struct peer p = {0};
    fill(clock_wall_us() / 1000);
    peer_start(&p);
    const struct telemetry_span spans[] = {
        {.start_ms = base_ms + 100 * STEP, .step_ms = STEP, .count = 100},
        {.start_ms = base_ms + 90 * STEP, .step_ms = 5 * STEP, .count = 29},
    };
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        compare(&p, questions[i], &spans[i % 2]);
        compare(&p, questions[i], &spans[(i + 1) % 2]);
    }
    peer_stop(&p);
}

static void refuses_what_it_cannot(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "too early"},
        {"sum(", "too early"},
        {"sum(x", "')' is missing"},
        {"x{a=}", "a text is missing"},
        {"x{a}", "one of ="},
        {"{}", "selects nothing"},
        {"x[5m]", "a range is no answer"},
        {"rate(x)", "a range is missing"},
        {"rate(x[5m:1m])", "subqueries"},
        {"max_over_time(rate(x[5m])[1h:5m])", "subqueries"},
        {"rate(sum(x)[5m])", "subqueries"},
        {"x @ 5", "modifier @"},
        {"nosuch(x)", "not supported"},
        {"sum(1)", "a number stands"},
        {"1 > 2", "needs bool"},
        {"1 and x", "of series"},
        {"x + on(a) 1", "between series only"},
        {"x + bool y", "comparisons only"},
        {"x and on(a) group_left y", "not grouped"},
        {"topk(x, y)", "a number is wanted"},
        {"x y", "more than one"},
        {"x{a=~\"(\"}", "no regular expression"},
        {"\"abc", "does not end"},
        {"x[5]", "a length of time"},
        {"x[0s]", "a length of time"},
        {"x + ", "too early"},
        {"$x", "not understood"},
        {"1..2", "no number"},
        {"clamp(x, 1)", "',' is missing"},
        {"label_join(x, \"a\")", "',' is missing"},
        {"abs(x[5m])", "a range stands"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_free) struct arena *a = NULL;
        const struct telemetry_expr *e;
        assert_int_equal(arena_new(&a), 0);
        if (telemetry_promql_parse(str_of(cases[i].text), a, &e) >= 0) {
            fail_msg("it was read: %s", cases[i].text);
        }
        if (!strstr(err_reason(), cases[i].reason)) {
            fail_msg("%s\n%s\nnot: %s", cases[i].text, err_reason(), cases[i].reason);
        }
    }
}

// Each call may say its label several times: without an end, a short question has long labels.
static void labels_have_an_end(void **unused)
{
    (void)unused;
    AUTO(arena_free) struct arena *a = NULL;
    AUTO(buf_free) struct buf text = {0};
    const struct telemetry_expr *e;
    struct telemetry_answer answer;
    const struct telemetry_span span = {
        .start_ms = 100 * STEP, .step_ms = STEP, .count = 1};
    assert_int_equal(arena_new(&a), 0);
    for (int i = 0; i < 40; i++) {
        buf_cstr(&text, "label_join(");
    }
    buf_cstr(&text, "label_replace(vector(1), \"x\", \"abc\", \"\", \"\")");
    for (int i = 0; i < 40; i++) {
        buf_cstr(&text, ", \"x\", \"\", \"x\", \"x\")");
    }
    assert_int_equal(text.err, 0);
    assert_int_equal(telemetry_promql_parse(buf_view(&text), a, &e), 0);
    assert_int_equal(telemetry_evaluate(NULL, e, &span, a, &answer), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_it_cannot),
        cmocka_unit_test(labels_have_an_end),
        cmocka_unit_test(answers_as_prometheus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
