// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/draw.h"
#include "telemetry/palette.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS INT64_C(1325375760000) // 2011-12-31T23:56:00Z
#define COUNT    4u

// Four minutes of two lines, one with a gap.
struct example {
    struct telemetry_tag tags[2];
    struct telemetry_line lines[2];
    double values[2][COUNT];
    const char *zones[2];
    struct telemetry_answer answer;
    struct telemetry_graph graph;
};

static void make(struct example *e)
{
    static const double values[2][COUNT] = {{1, 2.5, NAN, 1e6}, {0.1, 0.1, 0.1, 0.1}};
    *e = (struct example){
        .tags = {{STR("name"), STR("sps")}, {STR("nf.app"), STR("\"www\"")}},
        .zones = {"UTC", NULL}};
    memcpy(e->values, values, sizeof values);
    e->lines[0] = (struct telemetry_line){
        .tags = {e->tags, 2}, .label = STR("first, \"quoted\""), .style = {.alpha = -1}};
    e->lines[1] = (struct telemetry_line){
        .tags = {e->tags, 1}, .label = STR("second"), .style = {.alpha = -1}};
    e->lines[0].values = e->values[0];
    e->lines[1].values = e->values[1];
    e->answer = (struct telemetry_answer){
        e->lines, 2, {.start_ms = START_MS, .step_ms = 60000, .count = COUNT}};
    e->graph = (struct telemetry_graph){.span = e->answer.span,
                                        .end_ms = START_MS + 60000 * COUNT,
                                        .zones = e->zones,
                                        .width = 300,
                                        .height = 100,
                                        .zoom = 1};
}

static void writes(struct example *e, enum telemetry_format format, const char *expected)
{
    AUTO(buf_free) struct buf out = {0};
    e->graph.format = format;
    assert_int_equal(graph_write(&e->graph, &e->answer, &out), 0);
    assert_string_equal(out.data, expected);
}

static void texts_have_the_shapes_of_atlas(void **state)
{
    (void)state;
    struct example e;
    make(&e);
    writes(&e, TELEMETRY_CSV,
           "\"timestamp\",\"first, \"\"quoted\"\"\",\"second\"\n"
           "2011-12-31T23:56:00Z,1.000000,0.100000\n"
           "2011-12-31T23:57:00Z,2.500000,0.100000\n"
           "2011-12-31T23:58:00Z,NaN,0.100000\n"
           "2011-12-31T23:59:00Z,1000000.000000,0.100000\n");
    e.zones[0] = "Asia/Kolkata";
    e.answer.span.count = 1;
    writes(&e, TELEMETRY_TXT,
           "\"timestamp\"\t\"first, \"\"quoted\"\"\"\t\"second\"\n"
           "2012-01-01T05:26:00+05:30\t1.000000\t0.100000\n");
    make(&e);
    writes(
        &e, TELEMETRY_JSON,
        "{\"start\":1325375760000,\"step\":60000,\"legend\":[\"first, "
        "\\\"quoted\\\"\",\"second\"],"
        "\"metrics\":[{\"name\":\"sps\",\"nf.app\":\"\\\"www\\\"\"},{\"name\":\"sps\"}],"
        "\"values\":[[1.0,0.1],[2.5,0.1],[NaN,0.1],[1000000.0,0.1]],\"notices\":[]}");
    e.graph.callback = "f";
    e.answer.count = 0;
    e.answer.span.count = 1;
    writes(&e, TELEMETRY_STD_JSON,
           "f({\"start\":1325375760000,\"step\":60000,\"legend\":[],\"metrics\":[],"
           "\"values\":[[]],"
           "\"notices\":[]})");
}

static void standard_json_is_read_and_stats_skip_gaps(void **state)
{
    (void)state;
    struct example e;
    AUTO(buf_free) struct buf out = {0};
    AUTO(json_free) json_t *read = NULL;
    make(&e);
    e.graph.format = TELEMETRY_STD_JSON;
    assert_int_equal(graph_write(&e.graph, &e.answer, &out), 0);
    assert_int_equal(json_parse(&read, buf_view(&out), 4096), 0);
    json_t *row = json_array_get(json_object_get(read, "values"), 2);
    assert_string_equal(json_string_value(json_array_get(row, 0)), "NaN");

    struct graph_stats s = graph_stats(&e.lines[0], COUNT);
    assert_int_equal(s.count, 3);
    assert_true(s.total == 1000003.5 && s.min == 1 && s.max == 1e6 && s.last == 1e6);
    static const double nothing[] = {NAN, NAN};
    e.lines[0].values = nothing;
    s = graph_stats(&e.lines[0], 2);
    assert_true(s.count == 0 && isnan(s.avg) && isnan(s.max) && s.total == 0);
}

static void lines_are_sorted_as_asked(void **state)
{
    (void)state;
    struct example e;
    AUTO(arena_free) struct arena *arena = NULL;
    struct telemetry_answer sorted;
    make(&e);
    assert_int_equal(arena_new(&arena), 0);
    e.graph.order_by = "max";
    assert_int_equal(graph_sort(&e.graph, &e.answer, arena, &sorted), 0);
    assert_true(str_eq_c(sorted.lines[0].label, "second"));
    e.graph.is_descending = true;
    assert_int_equal(graph_sort(&e.graph, &e.answer, arena, &sorted), 0);
    assert_true(str_eq_c(sorted.lines[1].label, "second"));
    e.graph.order_by = "legend";
    e.graph.is_descending = false;
    assert_int_equal(graph_sort(&e.graph, &e.answer, arena, &sorted), 0);
    assert_true(str_eq_c(sorted.lines[1].label, "second"));
}

// --- pictures -------------------------------------------------------------------------------------

struct reader {
    struct str left;
};

static cairo_status_t read_png(void *user, unsigned char *bytes, unsigned len)
{
    struct reader *r = user;
    if (len > r->left.len) {
        return CAIRO_STATUS_READ_ERROR;
    }
    memcpy(bytes, r->left.data, len);
    r->left = (struct str){r->left.data + len, r->left.len - len};
    return CAIRO_STATUS_SUCCESS;
}

static void surface_free(cairo_surface_t **s)
{
    cairo_surface_destroy(*s);
}

static cairo_surface_t *picture(const struct example *e)
{
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(graph_write_png(&e->graph, &e->answer, &out), 0);
    struct reader r = {buf_view(&out)};
    cairo_surface_t *s = cairo_image_surface_create_from_png_stream(read_png, &r);
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    return s;
}

// How many pixels of a column have that colour.
static size_t pixels_in_column(cairo_surface_t *s, int x, uint32_t color)
{
    size_t n = 0;
    int stride = cairo_image_surface_get_stride(s);
    for (int y = 0; y < cairo_image_surface_get_height(s); y++) {
        uint32_t pixel;
        memcpy(&pixel, cairo_image_surface_get_data(s) + y * stride + x * 4,
               sizeof pixel);
        n += (pixel & 0xffffff) == (color & 0xffffff);
    }
    return n;
}

static void a_picture_shows_areas_and_leaves_gaps(void **state)
{
    (void)state;
    struct example e;
    make(&e);
    e.graph.only_graph = true;
    e.answer.count = 1;
    e.values[0][3] = 2.5;
    e.lines[0].style = (struct telemetry_style){
        .style = TELEMETRY_AREA, .color = 0xff3366cc, .alpha = -1};
    AUTO(surface_free) cairo_surface_t *s = picture(&e);
    assert_int_equal(cairo_image_surface_get_width(s), 300);
    assert_int_equal(cairo_image_surface_get_height(s), 100);
    size_t low = pixels_in_column(s, 37, 0x3366cc),
           high = pixels_in_column(s, 112, 0x3366cc);
    assert_in_range(low, 30, 45); // 1 of 2.5, with a little room above
    assert_in_range(high, 90, 99);
    assert_int_equal(pixels_in_column(s, 187, 0x3366cc), 0); // the gap
}

static void stacks_add_up_and_spans_fill(void **state)
{
    (void)state;
    struct example e;
    make(&e);
    for (size_t i = 0; i < COUNT; i++) {
        e.values[0][i] = e.values[1][i] = 2;
    }
    e.graph.only_graph = true;
    e.graph.axes[0] = (struct graph_axis){
        .is_stacked = true, .upper_bound = GRAPH_EXPLICIT, .upper = 8};
    e.lines[0].style.color = 0xffaa0000;
    e.lines[1].style.color = 0xff00aa00;
    AUTO(surface_free) cairo_surface_t *s = picture(&e);
    assert_in_range(pixels_in_column(s, 50, 0xaa0000), 24, 26); // 2 of 8
    assert_in_range(pixels_in_column(s, 50, 0x00aa00), 24, 26);
    e.graph.axes[0] = (struct graph_axis){0};
    e.values[1][1] = 0;
    e.lines[1].style.style = TELEMETRY_VSPAN;
    e.lines[1].style.alpha = 255;
    AUTO(surface_free) cairo_surface_t *spans = picture(&e);
    assert_int_equal(pixels_in_column(spans, 37, 0x00aa00), 100);
    assert_int_equal(pixels_in_column(spans, 112, 0x00aa00), 0);
}

static void sizes_are_as_asked(void **state)
{
    (void)state;
    struct example e;
    make(&e);
    AUTO(surface_free) cairo_surface_t *canvas = picture(&e);
    assert_true(cairo_image_surface_get_width(canvas) > 300);
    e.graph.layout = GRAPH_IMAGE;
    e.graph.height = 300;
    AUTO(surface_free) cairo_surface_t *image = picture(&e);
    assert_int_equal(cairo_image_surface_get_width(image), 300);
    assert_int_equal(cairo_image_surface_get_height(image), 300);
    e.graph.zoom = 0.5;
    AUTO(surface_free) cairo_surface_t *half = picture(&e);
    assert_int_equal(cairo_image_surface_get_width(half), 150);
    e.graph.zoom = 100;
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(graph_write_png(&e.graph, &e.answer, &out), ERR_LIMIT);
    e.graph.zoom = 1;
    assert_int_equal(graph_write_complaint(&e.graph, "because it is so, at length", &out),
                     0);
    assert_memory_equal(out.data, "\x89PNG", 4);
}

static void whatever_the_values_there_is_a_picture(void **state)
{
    (void)state;
    static const double odd[] = {NAN,   INFINITY, -INFINITY, 0, -0.0,
                                 1e308, -1e308,   5e-324,    1, -7e15};
    static const enum graph_scale scales[] = {GRAPH_LINEAR, GRAPH_LOG, GRAPH_LOG_LINEAR,
                                              GRAPH_POWER_2, GRAPH_SQRT};
    uint64_t seed = 3;
    for (int round = 0; round < 200; round++) {
        struct example e;
        make(&e);
        for (size_t i = 0; i < 2 * COUNT; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            e.values[i / COUNT][i % COUNT] = odd[(seed >> 33) % ARRAY_LEN(odd)];
        }
        e.graph.axes[0].scale = scales[(seed >> 40) % ARRAY_LEN(scales)];
        e.graph.axes[0].ticks = (enum graph_ticks)((seed >> 45) % 4);
        e.graph.axes[0].is_stacked = (seed >> 50) & 1;
        e.graph.axis_per_line = (seed >> 51) & 1;
        AUTO(surface_free) cairo_surface_t *s = picture(&e);
        assert_true(cairo_image_surface_get_width(s) > 300);
    }
}

// --- marks and colours ------------------------------------------------------------------------------

static void marks_are_few_and_round(void **state)
{
    (void)state;
    uint64_t seed = 5;
    const struct graph_axis axis = {0};
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double low =
            ((double)(seed >> 40) / 0x1p24 - 0.5) * pow(10, (double)(seed % 19) - 9);
        double high = low + fabs(low) * (double)(1 + (seed >> 20) % 1000) / 300 + 1e-9;
        struct ticks t;
        ticks_of_values(low, high, 6, &axis, &t);
        assert_in_range(t.count, 1, 8);
        for (size_t k = 0; k < t.count; k++) {
            double margin = (high - low) * 1e-6;
            assert_true(t.list[k].at >= low - margin && t.list[k].at <= high + margin);
            assert_true(k == 0 || t.list[k].at > t.list[k - 1].at);
            assert_true(k == 0 || strcmp(t.list[k].text, t.list[k - 1].text) != 0);
        }
    }
}

static void times_stand_on_round_hours_of_their_zone(void **state)
{
    (void)state;
    AUTO(zone_free) struct zone *z = NULL;
    struct ticks t;
    assert_int_equal(zone_open(&z, "Asia/Kolkata"), 0);
    ticks_of_time(START_MS, START_MS + 6 * 3600000, 8, z, &t);
    assert_in_range(t.count, 5, 9);
    assert_string_equal(t.list[0].text, "06:00"); // 05:26 there
    ticks_of_time(START_MS, START_MS + 86400000, 3, z, &t);
    assert_in_range(t.count, 1, 4);
    assert_string_equal(t.list[t.count - 1].text, "Jan 02");
    assert_true(t.list[t.count - 1].is_major);
}

static void values_read_as_people_say_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        enum graph_ticks ticks;
        const char *text;
    } cases[] = {
        {1234567, GRAPH_TICKS_DECIMAL, "1.235M"}, {0.0021, GRAPH_TICKS_DECIMAL, "2.100m"},
        {0, GRAPH_TICKS_DECIMAL, "0.000"},        {-1500, GRAPH_TICKS_DECIMAL, "-1.500k"},
        {1536, GRAPH_TICKS_BINARY, "1.500Ki"},    {5400, GRAPH_TICKS_DURATION, "1.500h"},
        {NAN, GRAPH_TICKS_DECIMAL, "NaN"},        {42, GRAPH_TICKS_DECIMAL, "42.000"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[TICKS_TEXT_BYTES];
        ticks_text(cases[i].value, cases[i].ticks, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void palettes_are_known_by_name(void **state)
{
    (void)state;
    static const char *const good[] = {"armytage", "hash:epic", "colors:f00,00ff00",
                                       "(,f00,0f0,)", "reds"};
    static const char *const bad[] = {
        "", "pinkish", "colors:", "colors:zzz", "(,)", "hash:hash:reds"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(palette_check(good[i]), 0);
        palette_color(good[i], 1000, STR("label"));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(palette_check(bad[i]), ERR_INVALID);
    }
    assert_int_equal(palette_color("colors:f00,00ff00", 3, STR("")), 0xff00ff00u);
    assert_int_equal(palette_color("hash:armytage", 1, STR("a")),
                     palette_color("hash:armytage", 7, STR("a")));
    assert_int_equal(palette_as_seen("normal", 0xff123456u), 0xff123456u);
    uint32_t grey = palette_as_seen("achromatopsia", 0xff00ff00u);
    assert_true((grey & 0xff) == (grey >> 8 & 0xff) &&
                (grey & 0xff) == (grey >> 16 & 0xff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_the_shapes_of_atlas),
        cmocka_unit_test(standard_json_is_read_and_stats_skip_gaps),
        cmocka_unit_test(lines_are_sorted_as_asked),
        cmocka_unit_test(a_picture_shows_areas_and_leaves_gaps),
        cmocka_unit_test(stacks_add_up_and_spans_fill),
        cmocka_unit_test(sizes_are_as_asked),
        cmocka_unit_test(whatever_the_values_there_is_a_picture),
        cmocka_unit_test(marks_are_few_and_round),
        cmocka_unit_test(times_stand_on_round_hours_of_their_zone),
        cmocka_unit_test(values_read_as_people_say_them),
        cmocka_unit_test(palettes_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
