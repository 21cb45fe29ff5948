// SPDX-License-Identifier: GPL-3.0-or-later
//
// From recordings whose truth is known to suspects: who is found, and who must not be.
#include "insight/insight.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static const char usual_text[] =
    "schema: 1\n"
    "clusters:\n"
    "  - name: api\n"
    "    server: node\n"
    "    warm_up_s: 600\n"
    "    metrics:\n"
    "      - {name: latency, query: 'x,:true', compare: ratio,"
    " least: 0.05}\n"
    "      - {name: errors, query: 'y,:true', statistic: mean,"
    " side: above, least: 0.001}\n"
    "      - {name: memory, query: 'z,:true', least: 1}\n";

#define SERVERS 40

static struct insight_peers_config *config_of(const char *text,
                                              struct insight_peers_file *file)
{
    AUTO(diag_free) struct diag diag = {0};
    if (insight_peers_parse(str_of(text), "peers.yaml", file, &diag) < 0) {
        diag_print(&diag, stderr);
        fail();
    }
    return file->clusters.data[0];
}

static uint64_t seed = 42;

static double fraction(void)
{
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static struct insight_recording *healthy(const struct insight_peers_config *c)
{
    struct insight_recording *r = NULL;
    assert_int_equal(
        insight_recording_new(&r, c->metric_count, SERVERS, insight_peers_steps(c)), 0);
    r->start_ms = 1000 * 60000, r->step_ms = 60000;
    for (size_t s = 0; s < SERVERS; s++) {
        assert_int_equal(cstr_printf(&r->names[s], "web-%02zu", s), 0);
        double factor = 0.95 + 0.1 * fraction(), base = 40 + 4 * fraction();
        for (size_t t = 0; t < r->steps; t++) {
            insight_recording_at(r, 0, s)[t] =
                80 * factor * (0.9 + 0.2 * fraction()) * (1 + 0.3 * sin((double)t / 20));
            insight_recording_at(r, 1, s)[t] = fraction() < 0.1 ? 0.002 : 0;
            insight_recording_at(r, 2, s)[t] = base + fraction();
        }
    }
    return r;
}

// A value of the last `minutes` becomes value * factor + more.
static void change(struct insight_recording *r, size_t metric, size_t server,
                   size_t minutes, double factor, double more)
{
    double *values = insight_recording_at(r, metric, server);
    for (size_t t = r->steps - minutes; t < r->steps; t++) {
        values[t] = values[t] * factor + more;
    }
}

static void blank(struct insight_recording *r, size_t server, size_t from, size_t to)
{
    for (size_t m = 0; m < r->metrics; m++) {
        for (size_t t = from; t < to; t++) {
            insight_recording_at(r, m, server)[t] = NAN;
        }
    }
}

struct world {
    struct insight_peers_file file;
    struct insight_peers_config *config;
    struct insight_recording *recording;
    struct insight_suspects *found;
};

static struct world world_of(const char *text)
{
    struct world w = {0};
    w.config = config_of(text, &w.file);
    w.recording = healthy(w.config);
    return w;
}

static void look(struct world *w)
{
    insight_suspects_free(&w->found);
    assert_int_equal(insight_peers_suspect(w->config, w->recording, &w->found), 0);
}

static void end_world(struct world *w)
{
    insight_suspects_free(&w->found);
    insight_recording_free(&w->recording);
    insight_peers_file_free(&w->file);
}

// Suspects by name, "web-03 web-17".
static void assert_suspects(struct world *w, const char *names)
{
    look(w);
    AUTO(buf_free) struct buf text = {0};
    vec_for_each (one, &w->found->list) {
        buf_cstr(&text, text.len ? " " : "");
        buf_cstr(&text, one->server);
    }
    assert_string_equal(text.data ? text.data : "", names);
}

static void a_sick_server_is_found_with_its_reason(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    assert_suspects(&w, "");
    assert_int_equal(w.found->verdict, INSIGHT_VERDICT_JUDGED);
    change(w.recording, 1, 17, 20, 1, 0.02); // one request in fifty
    assert_suspects(&w, "web-17");
    const json_t *metrics = json_object_get(w.found->list.data[0].evidence, "metrics");
    const json_t *first = json_array_get(metrics, 0);
    double value, peers, away;
    assert_string_equal(json_str_or(first, "metric", ""), "errors");
    assert_int_equal(json_get_double(first, "value", &value), 0);
    assert_int_equal(json_get_double(first, "peers", &peers), 0);
    assert_int_equal(json_get_double(first, "away", &away), 0);
    assert_true(value > 0.019 && value < 0.023 && peers < 0.001 && away > 5);
    assert_int_equal(json_array_size(metrics), 3);
    // Where and when, and by what it was judged.
    const struct insight_suspicion *s = &w.found->suspicion;
    assert_string_equal(s->cluster, "api");
    assert_string_equal(s->rule, "dbscan@1");
    assert_int_equal(s->members, SERVERS);
    assert_int_equal(s->reporting, SERVERS);
    int64_t end_us =
        (w.recording->start_ms + (int64_t)(w.recording->steps - 1) * 60000) * 1000;
    assert_int_equal(s->window_end_us, end_us);
    assert_int_equal(s->data_us, end_us);
    assert_int_equal(s->window_start_us, end_us - 5 * INT64_C(60000000));
    assert_int_equal(w.found->list.data[0].since_us, end_us - 20 * INT64_C(60000000));
    assert_true(json_real_value(json_object_get(s->parameters, "eps")) > 0);
    end_world(&w);
}

static const json_t *point_named(const json_t *points, const char *server)
{
    for (size_t i = 0; i < json_array_size(points); i++) {
        if (strcmp(json_str_or(json_array_get(points, i), "server", ""), server) == 0) {
            return json_array_get(points, i);
        }
    }
    return NULL;
}

// Kept with a suspect: all its peers, by the two metrics in which it stands out most; drawn alike each time.
static void a_suspect_among_its_peers(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    change(w.recording, 1, 17, 20, 1, 0.02);
    assert_suspects(&w, "web-17");
    const json_t *plot = w.found->list.data[0].plot;
    const json_t *points = json_object_get(plot, "points");
    const json_t *axes = json_object_get(plot, "axes");
    assert_int_equal(json_array_size(points), SERVERS);
    assert_int_equal(json_array_size(axes), 2);
    assert_string_equal(json_str_or(json_array_get(axes, 0), "metric", ""), "errors");
    size_t peers = 0;
    for (size_t i = 0; i < SERVERS; i++) {
        const json_t *one = json_array_get(points, i);
        double across = json_number_value(json_array_get(json_object_get(one, "at"), 0));
        bool is_peer = strcmp(json_str_or(one, "state", ""), "peer") == 0;
        peers += is_peer;
        assert_true(is_peer ? fabs(across) < 5 : across > 5);
    }
    assert_int_equal(peers, SERVERS - 1);
    const json_t *own = point_named(points, "web-17");
    assert_string_equal(json_str_or(own, "state", ""), "suspect");
    assert_true(json_number_value(json_array_get(json_object_get(own, "values"), 0)) >
                0.019);
    // Of more peers than fit, some; of the suspects, each.
    struct insight_look look;
    bool is_suspect[SERVERS] = {[17] = true};
    const struct insight_plot_wish wish = {17, is_suspect, 10};
    assert_int_equal(insight_peers_look(w.config, w.recording, w.recording->steps, &look),
                     0);
    for (int again = 0; again < 2; again++) {
        AUTO(json_free) json_t *few = NULL;
        assert_int_equal(insight_plot_make(w.config, w.recording, &look, &wish, &few), 0);
        const json_t *list = json_object_get(few, "points");
        assert_int_equal(json_array_size(list), 10);
        assert_non_null(point_named(list, "web-17"));
        assert_true(json_i64_or(few, "judged", 0) == SERVERS);
    }
    insight_look_free(&look);
    end_world(&w);
}

static void each_metric_and_direction(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    change(w.recording, 0, 3, 20, 2.2, 0);
    change(w.recording, 2, 29, 20, 1, -20);
    assert_suspects(&w, "web-03 web-29");
    // Errors are looked at above only: none at all is no sickness.
    change(w.recording, 1, 8, 20, 0, -1);
    assert_suspects(&w, "web-03 web-29");
    end_world(&w);
}

static void what_passes_is_no_suspect(void **state)
{
    (void)state;
    struct world w = world_of(usual_text); // 3 of 4 windows of five minutes
    change(w.recording, 0, 3, 10, 3, 0);
    assert_suspects(&w, "");
    change(w.recording, 0, 4, 15, 3, 0);
    assert_suspects(&w, "web-04");
    // It was sick, and is not any more.
    change(w.recording, 0, 5, 20, 3, 0);
    change(w.recording, 0, 5, 5, 1 / 3.0, 0);
    assert_suspects(&w, "web-04");
    // It paused for a window.
    change(w.recording, 0, 6, 20, 3, 0);
    change(w.recording, 0, 6, 15, 1 / 3.0, 0);
    change(w.recording, 0, 6, 10, 3, 0);
    assert_suspects(&w, "web-04 web-06");
    end_world(&w);
}

// Ten minutes, looked at every two: who is out for the last 18 was out in all five.
static void windows_may_overlap(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    w.config->window = 10, w.config->every = 2, w.config->of = w.config->enough = 5;
    assert_int_equal(insight_peers_steps(w.config), 10 + 4 * 2 + w.config->warm_up);
    change(w.recording, 0, 3, 18, 3, 0);
    change(w.recording, 0, 4, 9, 3, 0); // at the oldest window's end it was well
    assert_suspects(&w, "web-03");
    int64_t end_us =
        (w.recording->start_ms + (int64_t)(w.recording->steps - 1) * 60000) * 1000;
    assert_int_equal(w.found->list.data[0].since_us, end_us - 18 * INT64_C(60000000));
    const json_t *parameters = w.found->suspicion.parameters;
    assert_int_equal(json_i64_or(parameters, "every_ms", 0), 120000);
    end_world(&w);
}

static void who_starts_stops_or_is_not_seen(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    size_t steps = w.recording->steps;
    for (size_t s = 1; s <= 7; s++) {
        change(w.recording, 0, s, steps, 4, 0); // all of them would be suspects
    }
    w.config->most_percent = 50;
    w.config->group_percent = 50;
    w.config->coverage_percent = 70;
    assert_suspects(&w, "web-01 web-02 web-03 web-04 web-05 web-06 web-07");
    blank(w.recording, 1, 0, steps - 8);         // new
    blank(w.recording, 2, steps - 9, steps - 5); // restarted
    blank(w.recording, 3, steps - 2, steps);     // stops
    for (size_t k = 1; k <= 3; k++) { // two of five values: too few to judge by
        blank(w.recording, 4, steps - 2 * k, steps - 2 * k + 1);
    }
    blank(w.recording, 5, steps - 3, steps - 2); // one value is lost: it is judged
    assert_suspects(&w, "web-05 web-06 web-07");
    struct insight_look one;
    assert_int_equal(insight_peers_look(w.config, w.recording, steps, &one), 0);
    assert_int_equal(one.states[1], INSIGHT_YOUNG);
    assert_int_equal(one.states[2], INSIGHT_YOUNG);
    assert_int_equal(one.states[3], INSIGHT_SILENT);
    assert_int_equal(one.states[4], INSIGHT_SPARSE);
    assert_int_equal(one.states[5], INSIGHT_OUTLIER);
    assert_true(isnan(one.scores[1]) && isnan(one.away[3 * 3]));
    assert_int_equal(one.judged, SERVERS - 4);
    insight_look_free(&one);
    end_world(&w);
}

static void when_nobody_is_judged(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    for (size_t s = 0; s < 5; s++) {
        change(w.recording, 0, s * 7, 20, 2.0 + (double)s, 0);
    }
    // More than a tenth: whatever it is, it is not a server.
    assert_suspects(&w, "");
    assert_int_equal(w.found->verdict, INSIGHT_VERDICT_TOO_MANY);
    w.config->most_percent = 20;
    assert_suspects(&w, "web-00 web-07 web-14 web-21 web-28");
    // Telemetry is out.
    for (size_t s = 0; s < SERVERS * 3 / 4; s++) {
        blank(w.recording, s, w.recording->steps - 3, w.recording->steps);
    }
    assert_suspects(&w, "");
    assert_int_equal(w.found->verdict, INSIGHT_VERDICT_STALE);
    w.config->min_peers = SERVERS;
    blank(w.recording, 39, w.recording->steps - 3, w.recording->steps);
    insight_recording_free(&w.recording);
    w.recording = healthy(w.config);
    blank(w.recording, 39, w.recording->steps - 3, w.recording->steps);
    assert_suspects(&w, "");
    assert_int_equal(w.found->verdict, INSIGHT_VERDICT_TOO_FEW);
    end_world(&w);
}

// What many had in common is over; who still has it is sick.
static void the_last_of_many(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    for (size_t s = 0; s < 8; s++) {
        change(w.recording, 0, s, 20, 2.0 + (double)s, 0);
        change(w.recording, 0, s, 5, s == 3 ? 1 : 1 / (2.0 + (double)s), 0);
    }
    assert_suspects(&w, "web-03");
    end_world(&w);
}

static void a_second_kind_of_machine_is_no_outlier(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    for (size_t s = 0; s < SERVERS / 4; s++) {
        change(w.recording, 2, s, w.recording->steps, 1, 30);
    }
    w.config->eps = 4;
    assert_suspects(&w, "");
    change(w.recording, 0, 2, 20, 2, 0); // one of them is sick
    assert_suspects(&w, "web-02");
    // Three alike are no kind of their own.
    insight_recording_free(&w.recording);
    w.recording = healthy(w.config);
    for (size_t s = 10; s < 13; s++) {
        change(w.recording, 2, s, w.recording->steps, 1, 30);
    }
    w.config->min_points = 3;
    assert_suspects(&w, "web-10 web-11 web-12");
    end_world(&w);
}

static void constant_metrics(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0};
    struct str all = str_of(usual_text);
    buf_str(&text, all);
    buf_cstr(&text, "      - {name: constant, query: 'q,:true'}\n");
    struct world w = world_of(text.data);
    for (size_t s = 0; s < SERVERS; s++) {
        for (size_t t = 0; t < w.recording->steps; t++) {
            insight_recording_at(w.recording, 3, s)[t] = 7;
        }
    }
    assert_suspects(&w, "");
    change(w.recording, 3, 30, 20, 1, 1);
    assert_suspects(&w, "web-30");
    end_world(&w);
}

// Other units, another order of servers: the same suspects. The same recording: the same words.
static void what_must_not_matter(void **state)
{
    (void)state;
    struct world w = world_of(usual_text);
    change(w.recording, 0, 3, 20, 2.2, 0);
    change(w.recording, 1, 21, 20, 1, 0.02);
    assert_suspects(&w, "web-03 web-21");
    AUTO(json_free) json_t *first = NULL, *second = NULL;
    assert_int_equal(insight_suspects_to_json(w.found, &first), 0);
    look(&w);
    assert_int_equal(insight_suspects_to_json(w.found, &second), 0);
    assert_true(json_equal(first, second));
    for (size_t s = 0; s < SERVERS; s++) {
        change(w.recording, 0, s, w.recording->steps, 0.001, 0); // seconds
        change(w.recording, 1, s, w.recording->steps, 100, 0);   // percent
    }
    w.config->metrics[1].least *= 100;
    assert_suspects(&w, "web-03 web-21");
    struct insight_recording *r = w.recording;
    for (size_t s = 0; s < SERVERS / 2; s++) {
        size_t other = SERVERS - 1 - s;
        char *name = r->names[s];
        r->names[s] = r->names[other];
        r->names[other] = name;
        for (size_t m = 0; m < r->metrics; m++) {
            double *a = insight_recording_at(r, m, s),
                   *b = insight_recording_at(r, m, other);
            for (size_t t = 0; t < r->steps; t++) {
                double v = a[t];
                a[t] = b[t];
                b[t] = v;
            }
        }
    }
    assert_suspects(&w, "web-21 web-03");
    end_world(&w);
}

static void slopes_find_a_leak_before_its_level(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0};
    buf_cstr(&text, usual_text);
    buf_cstr(&text,
             "      - {name: growth, query: 'g,:true', statistic: slope, side: above, "
             "least: 0.5}\n");
    struct world w = world_of(text.data);
    for (size_t s = 0; s < SERVERS; s++) {
        for (size_t t = 0; t < w.recording->steps; t++) {
            insight_recording_at(w.recording, 3, s)[t] =
                30 * (double)(s % 2) + fraction() + (s == 12 ? 1.5 * (double)t : 0);
        }
    }
    assert_suspects(&w, "web-12");
    end_world(&w);
}

// --- the methods beside ------------------------------------------------------------------------------

static void methods_have_one_face(void **state)
{
    (void)state;
    for (size_t m = 0; m < INSIGHT_METHODS; m++) {
        struct world w = world_of(usual_text);
        w.config->method = (enum insight_method)m;
        change(w.recording, 0, 9, 20, 4, 0);
        assert_suspects(&w, "web-09");
        AUTO(cstr_free) char *rule = NULL;
        assert_int_equal(
            cstr_printf(&rule, "%s@1", insight_method_name(w.config->method)), 0);
        assert_string_equal(w.found->suspicion.rule, rule);
        end_world(&w);
    }
}

// Five points on a line, worked by hand (k = 2): the fifth is far from its neighbours, which are near theirs.
static void lof_as_its_paper_has_it(void **state)
{
    (void)state;
    const double values[] = {0, 1, 2, 3, 10};
    struct insight_points p = {values, 5, 1};
    double scores[5];
    assert_int_equal(insight_outlier_scores(&p, INSIGHT_LOF, 1, 2, 1, scores), 0);
    // reach 2 1 1 2 8; density 2/3 2/3 2/3 2/3 2/15 of the points
    assert_true(fabs(scores[4] - (2 / 3.0) / (2 / 15.0)) < 1e-12);
    for (int i = 0; i < 4; i++) {
        assert_true(fabs(scores[i] - 1) < 0.35);
    }
}

static void the_knee_parts_noise_from_the_rest(void **state)
{
    (void)state;
    double values[2 * 103];
    for (size_t i = 0; i < 100; i++) {
        values[2 * i] = (double)(i % 10) * 0.8;
        values[2 * i + 1] = (double)(i / 10) * 0.8;
    }
    const double far[] = {40, 40, -50, 10, 30, -60};
    memcpy(values + 200, far, sizeof far);
    struct insight_points p = {values, 103, 2};
    double eps = 0, scores[103];
    size_t min_points = 0;
    assert_int_equal(insight_outlier_parameters(&p, INSIGHT_DBSCAN, &eps, &min_points),
                     0);
    assert_true(eps >= sqrt(2) && eps < 20);
    assert_int_equal(
        insight_outlier_scores(&p, INSIGHT_DBSCAN, eps, min_points, 10, scores), 0);
    for (size_t i = 0; i < 103; i++) {
        assert_int_equal(scores[i] > 1, i >= 100);
    }
}

// --- configuration ----------------------------------------------------------------------------------------

static void mistakes_have_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *with, *why;
    } wrong[] = {
        {"    server: node\n", "    server: node\n    windows: 2\n    enough: 3\n",
         "peers.yaml:6: enough: 3 is not within 1 to 2"},
        {"    server: node\n", "    server: node\n    window_s: 90\n",
         "peers.yaml:5: window_s: is no multiple of step_s"},
        {"    server: node\n", "    server: node\n    every_s: 90\n",
         "peers.yaml:5: every_s: is no multiple of step_s"},
        {"    server: node\n", "    server: node\n    every_s: 30\n",
         "peers.yaml:5: every_s: 30 is not within 60 to 86400"},
        {"    server: node\n", "    server: node\n    eps: -1\n",
         "peers.yaml:5: eps: is not a number of at least 0"},
        {"    server: node\n", "    server: node\n    most_percent: 80\n",
         "peers.yaml:5: most_percent: 80 is not within 1 to 50"},
        {"schema: 1\n", "schema: 2\n", "peers.yaml:1: schema: is not 1"},
        {"    server: node\n", "    server: node\n    colour: red\n",
         "peers.yaml:4: Unexpected key: colour"},
        {"    server: node\n", "",
         "peers.yaml:6: Missing required mapping field: server"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO(buf_free) struct buf text = {0};
        AUTO(diag_free) struct diag diag = {0};
        AUTO(insight_peers_file_free) struct insight_peers_file file = {0};
        const char *at = strstr(usual_text, wrong[i].line);
        assert_non_null(at);
        buf_add(&text, usual_text, (size_t)(at - usual_text));
        buf_cstr(&text, wrong[i].with);
        buf_cstr(&text, at + strlen(wrong[i].line));
        assert_int_equal(insight_peers_parse(buf_view(&text), "peers.yaml", &file, &diag),
                         ERR_INVALID);
        if (strncmp(err_reason(), wrong[i].why, strlen(wrong[i].why)) != 0) {
            fail_msg("'%s', not '%s'", err_reason(), wrong[i].why);
        }
        assert_int_equal(file.clusters.len, 0);
    }
}

// --- made fleets -----------------------------------------------------------------------------------------

static void a_seed_is_a_fleet(void **state)
{
    (void)state;
    struct insight_simulation s = {.seed = 5,
                                   .servers = 30,
                                   .steps = 80,
                                   .faults = insight_faults_test,
                                   .sick = 0.2,
                                   .onset_first = 10,
                                   .onset_last = 20};
    struct insight_simulated_cluster a, b, c;
    assert_int_equal(insight_simulate(&s, &a), 0);
    assert_int_equal(insight_simulate(&s, &b), 0);
    s.seed = 6;
    assert_int_equal(insight_simulate(&s, &c), 0);
    size_t bytes = a.recording->metrics * a.recording->servers * 80 * sizeof(double);
    assert_memory_equal(a.recording->values, b.recording->values, bytes);
    assert_memory_not_equal(a.recording->values, c.recording->values, bytes);
    size_t sick = 0;
    for (size_t i = 0; i < a.recording->servers; i++) {
        sick += a.faults[i] != INSIGHT_HEALTHY;
        assert_true(a.faults[i] == INSIGHT_HEALTHY ||
                    (insight_faults_test & 1u << a.faults[i]));
    }
    assert_true(sick > 0 && sick < 20);
    assert_int_equal(insight_faults_test & insight_faults_tuning, 0);
    insight_simulated_cluster_free(&a);
    insight_simulated_cluster_free(&b);
    insight_simulated_cluster_free(&c);
}

static void make_cases(const struct insight_peers_config *config,
                       const struct insight_simulation *first, struct insight_case *ret,
                       size_t count)
{
    for (size_t k = 0; k < count; k++) {
        struct insight_simulation s = *first;
        struct insight_simulated_cluster made;
        AUTO(insight_recording_free) struct insight_recording *r = NULL;
        s.seed += k;
        assert_int_equal(insight_simulate(&s, &made), 0);
        assert_int_equal(insight_simulated_pick(&made, config, &r), 0);
        assert_int_equal(insight_case_of(config, r, &ret[k]), 0);
        ret[k].sick = calloc(r->servers, 1);
        assert_non_null(ret[k].sick);
        for (size_t i = 0; i < r->servers; i++) {
            ret[k].sick[i] = made.faults[i] != INSIGHT_HEALTHY;
        }
        insight_simulated_cluster_free(&made);
    }
}

#define CASES 12

// Quality as a test: tuned on some faults, judged on others that it never saw.
static void found_among_made_fleets(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0};
    AUTO(insight_peers_file_free) struct insight_peers_file file = {0};
    assert_int_equal(fs_read_file(MARQUEE_SOURCE "/conf/peers.yaml", 1 << 20, &text), 0);
    struct insight_peers_config *c = config_of(text.data, &file);
    struct insight_simulation s = {.seed = 700,
                                   .servers = 60,
                                   .steps = 150,
                                   .faults = insight_faults_tuning,
                                   .sick = 0.04,
                                   .onset_first = 30,
                                   .onset_last = 90};
    struct insight_case cases[CASES] = {0};
    struct insight_tally tallies[CASES];
    make_cases(c, &s, cases, CASES);
    struct insight_annealed annealed;
    assert_int_equal(insight_anneal(c, cases, CASES, 1, &annealed), 0);
    assert_true(annealed.energy < 0.1);
    insight_cases_free(cases, CASES);
    s.seed = 9000;
    s.faults = insight_faults_test;
    make_cases(c, &s, cases, CASES);
    for (size_t k = 0; k < CASES; k++) {
        for (size_t i = 0; i < cases[k].count; i++) {
            assert_int_equal(insight_look_score(c, &cases[k].looks[i]), 0);
        }
        tallies[k] = insight_case_tally(c, &cases[k]);
    }
    struct insight_quality q;
    assert_int_equal(insight_quality_of(tallies, CASES, 1, &q), 0);
    assert_true(q.sum.right + q.sum.missed > 15);
    assert_true(q.f.value >= 0.9);
    assert_true(q.f.low <= q.f.value && q.f.value <= q.f.high);
    insight_cases_free(cases, CASES);
}

// Without labels: as many outliers as the owner expects.
static void annealing_towards_what_is_expected(void **state)
{
    (void)state;
    AUTO(insight_peers_file_free) struct insight_peers_file file = {0};
    struct insight_peers_config *c = config_of(
        "schema: 1\nclusters:\n  - name: a\n    server: s\n    expected_percent: 5\n"
        "    metrics:\n      - {name: latency, query: q, compare: ratio}\n"
        "      - {name: cpu, query: q}\n",
        &file);
    struct insight_simulation s = {.seed = 1, .servers = 100, .steps = 150};
    struct insight_case cases[8] = {0};
    make_cases(c, &s, cases, 8);
    size_t judged = 0, outliers = 0;
    for (size_t k = 0; k < 8; k++) {
        free(cases[k].sick);
        cases[k].sick = NULL;
    }
    struct insight_annealed annealed;
    assert_int_equal(insight_anneal(c, cases, 8, 3, &annealed), 0);
    for (size_t k = 0; k < 8; k++) {
        const struct insight_look *newest = &cases[k].looks[cases[k].count - 1];
        judged += newest->judged;
        outliers += newest->outliers;
    }
    double share = 100 * (double)outliers / (double)judged;
    assert_true(share > 3 && share < 7);
    insight_cases_free(cases, 8);
}

// Where few are sick a false alarm weighs more, and the search heeds it.
static void annealing_for_a_fleet_with_few_sick(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = {0};
    AUTO(insight_peers_file_free) struct insight_peers_file file = {0};
    assert_int_equal(fs_read_file(MARQUEE_SOURCE "/conf/peers.yaml", 1 << 20, &text), 0);
    struct insight_peers_config *c = config_of(text.data, &file);
    struct insight_simulation s = {.seed = 300,
                                   .servers = 60,
                                   .steps = 150,
                                   .faults = insight_faults_tuning,
                                   .sick = 0.04,
                                   .onset_first = 30,
                                   .onset_last = 90};
    struct insight_case cases[CASES] = {0};
    size_t wrong[2] = {0};
    for (size_t k = 0; k < 2; k++) {
        struct insight_annealed annealed;
        make_cases(c, &s, cases, CASES);
        c->method = INSIGHT_MAD; // one number to choose: the answer is plain
        c->eps = 2;
        c->expected_percent = k ? 0.1 : 0;
        assert_int_equal(insight_anneal(c, cases, CASES, 1, &annealed), 0);
        for (size_t i = 0; i < CASES; i++) {
            wrong[k] += insight_case_tally(c, &cases[i]).wrong;
        }
        insight_cases_free(cases, CASES);
    }
    assert_true(wrong[1] <= wrong[0]);
    assert_int_equal(wrong[1], 0);
}

static void intervals_of_wilson(void **state)
{
    (void)state;
    // From Newcombe (1998), table I: 81/263, 15/148, 0/20, 1/29.
    static const struct {
        size_t part, whole;
        double low, high;
    } known[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0, 0.1611},
                 {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct insight_share s = insight_share_of(known[i].part, known[i].whole);
        assert_true(fabs(s.low - known[i].low) < 5e-5);
        assert_true(fabs(s.high - known[i].high) < 5e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sick_server_is_found_with_its_reason),
        cmocka_unit_test(a_suspect_among_its_peers),
        cmocka_unit_test(each_metric_and_direction),
        cmocka_unit_test(what_passes_is_no_suspect),
        cmocka_unit_test(windows_may_overlap),
        cmocka_unit_test(who_starts_stops_or_is_not_seen),
        cmocka_unit_test(when_nobody_is_judged),
        cmocka_unit_test(the_last_of_many),
        cmocka_unit_test(a_second_kind_of_machine_is_no_outlier),
        cmocka_unit_test(constant_metrics),
        cmocka_unit_test(what_must_not_matter),
        cmocka_unit_test(slopes_find_a_leak_before_its_level),
        cmocka_unit_test(methods_have_one_face),
        cmocka_unit_test(lof_as_its_paper_has_it),
        cmocka_unit_test(the_knee_parts_noise_from_the_rest),
        cmocka_unit_test(mistakes_have_lines),
        cmocka_unit_test(a_seed_is_a_fleet),
        cmocka_unit_test(found_among_made_fleets),
        cmocka_unit_test(annealing_towards_what_is_expected),
        cmocka_unit_test(annealing_for_a_fleet_with_few_sick),
        cmocka_unit_test(intervals_of_wilson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
