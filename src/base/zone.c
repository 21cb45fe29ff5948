// SPDX-License-Identifier: GPL-3.0-or-later
//
// TZif files, RFC 8536. The second, 64-bit block is read where there is one; behind its last
// transition the footer holds (section 3.3), a rule as POSIX writes TZ, which is all that most zones
// need today.
//
// Days are counted in the proleptic Gregorian calendar, by cycles of 400 years that begin on 1 March,
// so that the leap day is the last of its year.
#include "base/zone.h"

#include "base/fs.h"
#include "base/macro.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_FILE_MAX    (256u << 10)
#define ZONE_NAME_MAX    64
#define ZONE_TIMES_MAX   4096u
#define ZONE_TYPES_MAX   256u
#define ZONE_LETTERS_MAX 256u
#define DAY_S            86400

struct zone_type {
    int32_t offset_s;
    uint8_t letters; // where its abbreviation begins
};

// When the clocks change, of a POSIX rule: "M3.5.0/2", "J60", "59".
struct zone_change {
    enum { CHANGE_MONTH, CHANGE_JULIAN, CHANGE_DAY } how;
    int month, week, weekday; // of CHANGE_MONTH; week 5 is the last
    int day;
    int32_t at_s; // local time of that day
};

struct zone_rule {
    bool is_there, has_summer;
    int32_t winter_s, summer_s; // east of Greenwich
    char winter[16], summer[16];
    struct zone_change to_summer, to_winter;
};

struct zone {
    char name[ZONE_NAME_MAX];
    size_t time_count, type_count;
    int64_t *times; // ascending
    uint8_t *kinds; // of `types`, from that time on
    struct zone_type types[ZONE_TYPES_MAX];
    char letters[ZONE_LETTERS_MAX + 1];
    struct zone_rule rule; // behind the last of `times`
};

void zone_free(struct zone **zone)
{
    struct zone *z = TAKE(*zone);
    if (z) {
        free(z->times);
        free(z->kinds);
        free(z);
    }
}

const char *zone_name(const struct zone *z)
{
    return z->name;
}

// --- the calendar -------------------------------------------------------------------------------

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct zone_date zone_date(int64_t local_s)
{
    int64_t days = floor_div(local_s, DAY_S), rest = local_s - days * DAY_S;
    int64_t shifted = days + 719468, era = floor_div(shifted, 146097);
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t part = (5 * of_year + 2) / 153;
    struct zone_date d = {.day = (int)(of_year - (153 * part + 2) / 5 + 1),
                          .month = (int)(part < 10 ? part + 3 : part - 9),
                          .hour = (int)(rest / 3600),
                          .minute = (int)(rest / 60 % 60),
                          .second = (int)(rest % 60)};
    d.year = year + era * 400 + (d.month <= 2);
    d.weekday =
        (int)(days + 3 - floor_div(days + 3, 7) * 7) + 1; // 1970 began on a Thursday
    d.year_day = (int)(days - days_of(d.year, 1, 1)) + 1;
    return d;
}

int64_t zone_seconds(const struct zone_date *d)
{
    return days_of(d->year, d->month, d->day) * DAY_S + d->hour * 3600 + d->minute * 60 +
           d->second;
}

// --- the rule behind the last transition --------------------------------------------------------

static bool take_char(struct str *s, char c)
{
    if (s->len == 0 || s->data[0] != c) {
        return false;
    }
    *s = (struct str){s->data + 1, s->len - 1};
    return true;
}

static bool take_number(struct str *s, int max, int *ret)
{
    int n = 0;
    size_t digits = 0;
    while (s->len > 0 && isdigit((unsigned char)s->data[0]) && n <= max) {
        n = n * 10 + (s->data[0] - '0');
        *s = (struct str){s->data + 1, s->len - 1};
        digits++;
    }
    *ret = n;
    return digits > 0 && n <= max;
}

// "[+-]hh[:mm[:ss]]"; RFC 8536 section 3.3.1 lets hours reach 167.
static bool take_time(struct str *s, int32_t *ret)
{
    int sign = take_char(s, '-') ? -1 : 1, h = 0, m = 0, sec = 0;
    take_char(s, '+');
    if (!take_number(s, 167, &h)) {
        return false;
    }
    if (take_char(s, ':') &&
        (!take_number(s, 59, &m) || (take_char(s, ':') && !take_number(s, 59, &sec)))) {
        return false;
    }
    *ret = sign * (h * 3600 + m * 60 + sec);
    return true;
}

static bool take_letters(struct str *s, char ret[16])
{
    bool quoted = take_char(s, '<');
    size_t n = 0;
    while (s->len > 0 && n < 15 &&
           (quoted ? s->data[0] != '>' : isalpha((unsigned char)s->data[0]) != 0)) {
        ret[n++] = s->data[0];
        *s = (struct str){s->data + 1, s->len - 1};
    }
    ret[n] = '\0';
    return n >= 3 && (!quoted || take_char(s, '>'));
}

static bool take_change(struct str *s, struct zone_change *ret)
{
    *ret = (struct zone_change){.at_s = 2 * 3600};
    bool good;
    if (take_char(s, 'M')) {
        ret->how = CHANGE_MONTH;
        good = take_number(s, 12, &ret->month) && ret->month > 0 && take_char(s, '.') &&
               take_number(s, 5, &ret->week) && ret->week > 0 && take_char(s, '.') &&
               take_number(s, 6, &ret->weekday);
    } else {
        ret->how = take_char(s, 'J') ? CHANGE_JULIAN : CHANGE_DAY;
        good = take_number(s, 365, &ret->day) && (ret->how == CHANGE_DAY || ret->day > 0);
    }
    return good && (!take_char(s, '/') || take_time(s, &ret->at_s));
}

static int parse_rule(struct str text, struct zone_rule *ret)
{
    struct zone_rule r = {.is_there = text.len > 0};
    int32_t west = 0;
    if (r.is_there) {
        FAIL_IF(!take_letters(&text, r.winter) || !take_time(&text, &west), ERR_CORRUPT,
                "a time zone's rule");
        r.winter_s = -west;
        r.has_summer = text.len > 0;
    }
    if (r.has_summer) {
        FAIL_IF(!take_letters(&text, r.summer), ERR_CORRUPT, "a time zone's summer");
        west = -(r.winter_s + 3600);
        FAIL_IF((text.len > 0 && text.data[0] != ',' && !take_time(&text, &west)) ||
                    !take_char(&text, ',') || !take_change(&text, &r.to_summer) ||
                    !take_char(&text, ',') || !take_change(&text, &r.to_winter) ||
                    text.len > 0,
                ERR_CORRUPT, "a time zone's changes");
        r.summer_s = -west;
    }
    *ret = r;
    return 0;
}

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

// Local seconds at which that change is in `year`.
static int64_t change_in(const struct zone_change *c, int64_t year)
{
    int64_t day = days_of(year, 1, 1);
    switch (c->how) {
    case CHANGE_DAY:
        day += c->day;
        break;
    case CHANGE_JULIAN: // 29 February is never counted
        day += c->day - 1 + (is_leap(year) && c->day >= 60);
        break;
    case CHANGE_MONTH: {
        int64_t first = days_of(year, c->month, 1);
        int64_t next =
            c->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, c->month + 1, 1);
        int64_t weekday = first + 4 - floor_div(first + 4, 7) * 7; // 0: Sunday
        day = first + (c->weekday - weekday + 7) % 7 + (c->week - 1) * 7;
        day -= day >= next ? 7 : 0;
        break;
    }
    }
    return day * DAY_S + c->at_s;
}

static int32_t rule_offset(const struct zone_rule *r, int64_t utc_s, const char **ret)
{
    bool summer = false;
    if (r->has_summer) {
        int64_t year = zone_date(utc_s + r->winter_s).year;
        int64_t begin = change_in(&r->to_summer, year) - r->winter_s;
        int64_t end = change_in(&r->to_winter, year) - r->summer_s;
        summer =
            begin < end ? utc_s >= begin && utc_s < end : utc_s >= begin || utc_s < end;
    }
    *ret = summer ? r->summer : r->winter;
    return summer ? r->summer_s : r->winter_s;
}

// --- the file -----------------------------------------------------------------------------------

struct tzif {
    uint64_t isut, isstd, leap, times, types, letters;
    uint8_t version;
};

static uint64_t big_endian(const char *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) {
        v = v << 8 | (uint8_t)p[i];
    }
    return v;
}

static int read_header(struct str *s, struct tzif *ret)
{
    FAIL_IF(s->len < 44 || memcmp(s->data, "TZif", 4) != 0, ERR_CORRUPT, "no zone file");
    const char *p = s->data;
    *ret = (struct tzif){.version = (uint8_t)p[4],
                         .isut = big_endian(p + 20, 4),
                         .isstd = big_endian(p + 24, 4),
                         .leap = big_endian(p + 28, 4),
                         .times = big_endian(p + 32, 4),
                         .types = big_endian(p + 36, 4),
                         .letters = big_endian(p + 40, 4)};
    FAIL_IF(ret->times > ZONE_TIMES_MAX || ret->types == 0 ||
                ret->types > ZONE_TYPES_MAX || ret->letters == 0 ||
                ret->letters > ZONE_LETTERS_MAX || ret->leap > 1000 ||
                ret->isut > ZONE_TYPES_MAX || ret->isstd > ZONE_TYPES_MAX,
            ERR_CORRUPT, "a zone file with too much in it");
    *s = (struct str){p + 44, s->len - 44};
    return 0;
}

static uint64_t body_bytes(const struct tzif *h, uint64_t time_bytes)
{
    return h->times * (time_bytes + 1) + h->types * 6 + h->letters +
           h->leap * (time_bytes + 4) + h->isstd + h->isut;
}

static int read_body(struct zone *z, const struct tzif *h, struct str s,
                     uint64_t time_bytes)
{
    z->time_count = h->times;
    z->type_count = h->types;
    z->times = calloc(h->times + 1, sizeof *z->times);
    z->kinds = calloc(h->times + 1, 1);
    FAIL_IF(!z->times || !z->kinds, ERR_NOMEM, "a time zone");
    const char *kinds = s.data + h->times * time_bytes, *types = kinds + h->times;
    for (size_t i = 0; i < h->times; i++) {
        uint64_t raw = big_endian(s.data + i * time_bytes, time_bytes);
        z->times[i] = time_bytes == 8 ? (int64_t)raw : (int64_t)(int32_t)(uint32_t)raw;
        z->kinds[i] = (uint8_t)kinds[i];
        FAIL_IF(z->kinds[i] >= h->types || (i > 0 && z->times[i] <= z->times[i - 1]),
                ERR_CORRUPT, "transition %zu of a zone file", i);
    }
    for (size_t i = 0; i < h->types; i++) {
        int32_t offset = (int32_t)(uint32_t)big_endian(types + i * 6, 4);
        z->types[i] = (struct zone_type){offset, (uint8_t)types[i * 6 + 5]};
        FAIL_IF(z->types[i].letters >= h->letters || offset < -DAY_S * 2 ||
                    offset > DAY_S * 2,
                ERR_CORRUPT, "type %zu of a zone file", i);
    }
    memcpy(z->letters, types + h->types * 6, h->letters);
    return 0;
}

int zone_parse(struct zone **ret, const char *name, struct str s)
{
    struct tzif h;
    uint64_t time_bytes = 4;
    TRY(read_header(&s, &h));
    if (h.version >= '2') {
        FAIL_IF(body_bytes(&h, 4) > s.len, ERR_CORRUPT, "a zone file ends early");
        s = (struct str){s.data + body_bytes(&h, 4), s.len - body_bytes(&h, 4)};
        TRY(read_header(&s, &h));
        time_bytes = 8;
    }
    uint64_t bytes = body_bytes(&h, time_bytes);
    FAIL_IF(bytes > s.len, ERR_CORRUPT, "a zone file ends early");
    AUTO(zone_free) struct zone *z = calloc(1, sizeof *z);
    FAIL_IF(!z, ERR_NOMEM, "a time zone");
    TRY(str_copy(z->name, sizeof z->name, str_of(name)));
    TRY(read_body(z, &h, s, time_bytes));
    struct str footer = {s.data + bytes, s.len - bytes}, rule;
    if (time_bytes == 8 && take_char(&footer, '\n') && str_next(&footer, '\n', &rule)) {
        TRY(parse_rule(rule, &z->rule));
    }
    *ret = TAKE(z);
    return 0;
}

// Names are folders and files below the system's: letters, digits, _ + - and single slashes.
static bool is_zone_name(const char *name)
{
    size_t len = strlen(name);
    bool good = len > 0 && len < ZONE_NAME_MAX && isalpha((unsigned char)name[0]);
    for (size_t i = 0; i < len; i++) {
        bool slash = name[i] == '/' && name[i + 1] != '/' && name[i + 1] != '\0';
        good =
            good && (isalnum((unsigned char)name[i]) || strchr("_+-", name[i]) || slash);
    }
    return good;
}

int zone_open(struct zone **ret, const char *name)
{
    AUTO(buf_free) struct buf bytes = {0};
    AUTO(cstr_free) char *path = NULL;
    FAIL_IF(!is_zone_name(name), ERR_NOT_FOUND, "no time zone is named '%.64s'", name);
    if (strcmp(name, "UTC") == 0 || strcmp(name, "GMT") == 0 || strcmp(name, "Z") == 0) {
        // Needs no file, which small systems lack: one type of offset 0.
        char utc[44 + 6 + sizeof "UTC"] = "TZif";
        utc[39] = 1;
        utc[43] = sizeof "UTC";
        memcpy(utc + 44 + 6, "UTC", sizeof "UTC");
        return zone_parse(ret, name, (struct str){utc, sizeof utc});
    }
    TRY(cstr_printf(&path, "/usr/share/zoneinfo/%s", name));
    int err = fs_read_file(path, ZONE_FILE_MAX, &bytes);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "no time zone is named '%s'", name);
    TRY(err);
    return zone_parse(ret, name, buf_view(&bytes));
}

int32_t zone_offset(const struct zone *z, int64_t utc_s, const char **ret)
{
    const char *unwanted;
    const char **letters = ret ? ret : &unwanted;
    size_t low = 0, high = z->time_count; // the first transition behind utc_s
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->times[middle] <= utc_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == z->time_count && z->rule.is_there) {
        return rule_offset(&z->rule, utc_s, letters);
    }
    const struct zone_type *t = &z->types[low == 0 ? 0 : z->kinds[low - 1]];
    *letters = z->letters + t->letters;
    return t->offset_s;
}

int64_t zone_to_utc(const struct zone *z, int64_t local_s)
{
    // No clock is more than a day from Greenwich, and none changes twice within two days.
    int32_t before = zone_offset(z, local_s - DAY_S, NULL);
    int32_t behind = zone_offset(z, local_s + DAY_S, NULL);
    int64_t early = local_s - before, late = local_s - behind;
    if (zone_offset(z, early, NULL) == before) {
        return early;
    }
    if (zone_offset(z, late, NULL) == behind) {
        return late;
    }
    // Skipped: the change lies between the two readings.
    int64_t low = MIN(early, late), high = MAX(early, late);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (zone_offset(z, middle, NULL) == before) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}
