// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { COLUMNS_MAX = 20000, CELLS_MAX = 50000000, FIELD_MAX = 4096 };

struct reading {
    struct str rest;
    size_t line;
    VEC(double) cells; // row by row
    VEC(int64_t) times;
    VEC(char *) names;
    VEC(struct str) fields; // of the present line; views into the text
    bool timed, known;      // known: whether there are times has been decided
};

static void reading_free(struct reading *r)
{
    for (size_t i = 0; i < r->names.len; i++) {
        free(r->names.data[i]);
    }
    vec_free(&r->names);
    vec_free(&r->cells);
    vec_free(&r->times);
    vec_free(&r->fields);
}

void insight_sheet_free(struct insight_sheet *t)
{
    for (size_t i = 0; t->names && i < t->columns; i++) {
        free(t->names[i]);
    }
    free(t->names);
    free(t->values);
    free(t->times_ms);
    *t = (struct insight_sheet){0};
}

// --- fields -------------------------------------------------------------------------------------

// In quotes a comma is none. What is between them is taken as it is: names and numbers need no more.
static int line_split(struct reading *r, struct str line)
{
    r->fields.len = 0;
    size_t at = 0;
    for (;;) {
        size_t start = at, end;
        if (at < line.len && line.data[at] == '"') {
            start = ++at;
            while (at < line.len && line.data[at] != '"') {
                at++;
            }
            FAIL_IF(at == line.len, ERR_INVALID, "line %zu: a quote is open", r->line);
            end = at++;
            FAIL_IF(at < line.len && line.data[at] != ',', ERR_INVALID,
                    "line %zu: text behind a quote", r->line);
        } else {
            while (at < line.len && line.data[at] != ',') {
                at++;
            }
            end = at;
        }
        FAIL_IF(r->fields.len > COLUMNS_MAX, ERR_LIMIT, "line %zu: over %d columns",
                r->line, COLUMNS_MAX);
        FAIL_IF(end - start > FIELD_MAX, ERR_LIMIT, "line %zu: a field of over %d bytes",
                r->line, FIELD_MAX);
        struct str field = {line.data + start, end - start};
        TRY(vec_push(&r->fields, str_trim(field)));
        if (at >= line.len) {
            return 0;
        }
        at++;
    }
}

static bool no_value(struct str s)
{
    static const char *const words[] = {"nan", "na", "null"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (s.len == strlen(words[i]) && strncasecmp(s.data, words[i], s.len) == 0) {
            return true;
        }
    }
    return s.len == 0;
}

static bool number_of(struct str s, double *ret)
{
    if (no_value(s)) {
        *ret = NAN;
        return true;
    }
    return str_to_double(s, -1.7e308, 1.7e308, ret) == 0;
}

static bool digits(struct str *s, size_t count, int *ret)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (i >= s->len || s->data[i] < '0' || s->data[i] > '9') {
            return false;
        }
        value = value * 10 + (s->data[i] - '0');
    }
    s->data += count;
    s->len -= count;
    *ret = value;
    return true;
}

static bool sign(struct str *s, const char *either)
{
    if (s->len == 0 || !strchr(either, s->data[0]) || s->data[0] == 0) {
        return false;
    }
    s->data++;
    s->len--;
    return true;
}

// What is left behind hours and minutes: seconds, their parts, a zone.
static bool time_rest(struct str s, struct tm *tm, int *ret_ms, int *ret_zone_min)
{
    int part = 0, scale = 100, hours = 0, minutes = 0;
    if (sign(&s, ":") && !digits(&s, 2, &tm->tm_sec)) {
        return false;
    }
    if (sign(&s, ".,")) {
        for (; digits(&s, 1, &part); scale /= 10) {
            *ret_ms += part * scale;
        }
    }
    if (s.len == 0 || str_eq_c(s, "Z")) {
        return true;
    }
    int turn = s.data[0] == '-' ? -1 : 1;
    bool said = sign(&s, "+-") && digits(&s, 2, &hours);
    sign(&s, ":");
    said = said && digits(&s, 2, &minutes) && s.len == 0 && hours < 24 && minutes < 60;
    *ret_zone_min = turn * (hours * 60 + minutes);
    return said;
}

int insight_time_parse(struct str text, int64_t *ret_ms)
{
    struct tm tm = {0};
    int ms = 0, zone_min = 0;
    struct str s = text;
    double number;
    if (str_to_double(s, -9e15, 9e15, &number) == 0) {
        *ret_ms = (int64_t)number;
        return 0;
    }
    bool good = digits(&s, 4, &tm.tm_year) && sign(&s, "-/") &&
                digits(&s, 2, &tm.tm_mon) && sign(&s, "-/") && digits(&s, 2, &tm.tm_mday);
    if (good && s.len > 0) {
        good = sign(&s, "T ") && digits(&s, 2, &tm.tm_hour) && sign(&s, ":") &&
               digits(&s, 2, &tm.tm_min) && time_rest(s, &tm, &ms, &zone_min);
    }
    good = good && tm.tm_year >= 1900 && tm.tm_mon >= 1 && tm.tm_mon <= 12 &&
           tm.tm_mday >= 1 && tm.tm_mday <= 31 && tm.tm_hour < 25 && tm.tm_min < 60 &&
           tm.tm_sec < 61;
    FAIL_IF(!good, ERR_INVALID, "'%.*s' is no time", (int)MIN(text.len, 60), text.data);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_ms = ((int64_t)timegm(&tm) - zone_min * 60) * 1000 + ms;
    return 0;
}

// --- lines ---------------------------------------------------------------------------------------

static bool time_named(struct str s)
{
    static const char *const words[] = {"time", "timestamp", "date", "ts", "t"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (s.len == strlen(words[i]) && strncasecmp(s.data, words[i], s.len) == 0) {
            return true;
        }
    }
    return false;
}

// True where the line names columns.
static int header_take(struct reading *r, bool *ret)
{
    double ignored;
    struct str *f = r->fields.data;
    *ret = !number_of(f[r->fields.len - 1], &ignored);
    if (!*ret) {
        return 0;
    }
    r->timed = r->known = r->fields.len > 1 && time_named(f[0]);
    for (size_t i = 0; i < r->fields.len; i++) {
        char *name = NULL;
        FAIL_IF(!str_is_line(f[i]), ERR_INVALID,
                "line 1: a name that is no line of text");
        TRY(cstr_printf(&name, STR_FMT, STR_ARG(f[i])));
        if (vec_push(&r->names, name) < 0) {
            free(name);
            return ERR_NOMEM;
        }
    }
    return 0;
}

static int row_take(struct reading *r, size_t width)
{
    struct str *f = r->fields.data;
    double value;
    FAIL_IF(r->fields.len != width, ERR_INVALID,
            "line %zu: %zu fields, the first has %zu", r->line, r->fields.len, width);
    if (!r->known) {
        r->known = true;
        r->timed =
            width > 1 && (!number_of(f[0], &value) || (width == 2 && !r->names.len));
    }
    if (r->timed) {
        int64_t at = 0;
        if (insight_time_parse(f[0], &at) < 0) {
            FAIL(ERR_INVALID, "line %zu: no time in the first field", r->line);
        }
        TRY(vec_push(&r->times, at));
    }
    for (size_t i = r->timed; i < width; i++) {
        FAIL_IF(!number_of(f[i], &value), ERR_INVALID, "line %zu: field %zu is no number",
                r->line, i + 1);
        TRY(vec_push(&r->cells, value));
    }
    FAIL_IF(r->cells.len > CELLS_MAX, ERR_LIMIT, "over %d values", CELLS_MAX);
    return 0;
}

static int lines_take(struct reading *r, size_t *ret_width)
{
    struct str line;
    size_t width = 0;
    while (str_next(&r->rest, '\n', &line)) {
        r->line++;
        line = str_trim(line);
        if (line.len == 0) {
            continue;
        }
        TRY(line_split(r, line));
        bool header = false;
        if (width == 0) {
            width = r->fields.len;
            TRY(header_take(r, &header));
        }
        if (!header) {
            TRY(row_take(r, width));
        }
    }
    *ret_width = width;
    return 0;
}

int insight_sheet_parse(struct str text, struct insight_sheet *ret)
{
    AUTO(reading_free) struct reading r = {.rest = text};
    AUTO(insight_sheet_free) struct insight_sheet t = {0};
    size_t width = 0;
    TRY(lines_take(&r, &width));
    t.columns = width - (width > 0 && r.timed);
    FAIL_IF(t.columns == 0 || r.cells.len == 0, ERR_INVALID, "there are no numbers");
    t.rows = r.cells.len / t.columns;
    t.values = calloc(r.cells.len, sizeof *t.values);
    FAIL_IF(!t.values, ERR_NOMEM, "a sheet");
    for (size_t i = 0; i < r.cells.len; i++) {
        t.values[i % t.columns * t.rows + i / t.columns] = r.cells.data[i];
    }
    if (r.names.len) {
        t.names = calloc(t.columns, sizeof *t.names);
        FAIL_IF(!t.names, ERR_NOMEM, "a sheet");
        for (size_t i = 0; i < t.columns; i++) {
            t.names[i] = TAKE(r.names.data[i + r.timed]);
        }
    }
    t.times_ms = r.timed ? TAKE(r.times.data) : NULL;
    *ret = t;
    t = (struct insight_sheet){0};
    return 0;
}

const double *insight_sheet_column(const struct insight_sheet *t, size_t column)
{
    return t->values + column * t->rows;
}

int insight_sheet_find(const struct insight_sheet *t, const char *name,
                       size_t *ret_column)
{
    for (size_t i = 0; t->names && i < t->columns; i++) {
        if (strcmp(t->names[i], name) == 0) {
            *ret_column = i;
            return 0;
        }
    }
    FAIL(ERR_NOT_FOUND, "there is no column '%s'", name);
}
