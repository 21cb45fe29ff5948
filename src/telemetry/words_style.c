// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words that say how lines are drawn and called.
#include "telemetry/stack.h"

#include <string.h>

static int hex_value(struct str s, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        FAIL_IF(d < 0 || i == 8, ERR_INVALID, "'" STR_FMT "' is not hexadecimal",
                STR_ARG(s));
        v = v << 4 | (uint32_t)d;
    }
    *ret = v;
    return 0;
}

// Colours with names, one set that is seen on light and on dark grounds.
static const struct {
    const char *name;
    uint32_t argb;
} colors[] = {
    {"blue1", 0xff6baed6},   {"blue2", 0xff3182bd},   {"blue3", 0xff08519c},
    {"gray1", 0xff969696},   {"gray2", 0xff737373},   {"gray3", 0xff525252},
    {"green1", 0xff74c476},  {"green2", 0xff31a354},  {"green3", 0xff006d2c},
    {"orange1", 0xfffd8d3c}, {"orange2", 0xffe6550d}, {"orange3", 0xffa63603},
    {"purple1", 0xff9e9ac8}, {"purple2", 0xff756bb1}, {"purple3", 0xff54278f},
    {"red1", 0xfffb6a4a},    {"red2", 0xffde2d26},    {"red3", 0xffa50f15},
};

int plan_color(struct str s, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t i = 0; i < ARRAY_LEN(colors); i++) {
        if (str_eq_c(s, colors[i].name)) {
            *ret = colors[i].argb;
            return 0;
        }
    }
    FAIL_IF(s.len != 3 && s.len != 6 && s.len != 8, ERR_INVALID,
            "'" STR_FMT "' is no colour", STR_ARG(s));
    TRY(hex_value(s, &v));
    if (s.len == 3) {
        v = (v >> 8 & 15) * 0x110000 | (v >> 4 & 15) * 0x1100 | (v & 15) * 0x11;
    }
    *ret = s.len == 8 ? v : v | 0xff000000;
    return 0;
}

static int setting_run(struct stack *s, const struct word *w)
{
    struct styled styled;
    struct str value;
    TRY(stack_pop_text(s, &value));
    TRY(stack_pop_styled(s, &styled));
    styled.settings[w->op] = value;
    TRY(styled_resolve(&styled));
    return stack_push_style(s, &styled);
}

static int color_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct styled styled;
    struct str value;
    uint32_t argb = 0;
    TRY(stack_pop_text(s, &value));
    TRY(stack_pop_styled(s, &styled));
    TRY(plan_color(value, &argb));
    styled.settings[SETTING_COLOR] = value;
    styled.settings[SETTING_ALPHA] = (struct str){0};
    styled.settings[SETTING_PALETTE] = (struct str){0};
    return stack_push_style(s, &styled);
}

// Of a colour that was said before it changes that; else that of the palette's.
static int alpha_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct styled styled;
    struct str value;
    uint32_t alpha = 0, argb = 0;
    TRY(stack_pop_text(s, &value));
    TRY(stack_pop_styled(s, &styled));
    FAIL_IF(value.len != 2, ERR_INVALID, "'" STR_FMT "' is no alpha: 00 to ff are",
            STR_ARG(value));
    TRY(hex_value(value, &alpha));
    if (styled.settings[SETTING_COLOR].data) {
        TRY(plan_color(styled.settings[SETTING_COLOR], &argb));
        char *text = arena_printf(s->maker.arena, "%08x",
                                  (unsigned)((argb & 0xffffff) | alpha << 24));
        FAIL_IF(!text, ERR_NOMEM, "a colour");
        styled.settings[SETTING_COLOR] = str_of(text);
    } else {
        styled.settings[SETTING_ALPHA] = value;
    }
    return stack_push_style(s, &styled);
}

static int palette_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct styled styled;
    struct str value;
    if (stack_has(s, 0, ITEM_LIST)) {
        struct names list;
        uint32_t argb = 0;
        TRY(stack_pop_texts(s, &list));
        AUTO(buf_free) struct buf text = {0};
        buf_cstr(&text, "(,");
        for (size_t i = 0; i < list.count; i++) {
            TRY(plan_color(list.list[i], &argb));
            buf_str(&text, list.list[i]);
            buf_char(&text, ',');
        }
        buf_char(&text, ')');
        TRY(text.err);
        char *copy = arena_dup(s->maker.arena, buf_view(&text));
        FAIL_IF(!copy, ERR_NOMEM, "a palette");
        value = str_of(copy);
    } else {
        TRY(stack_pop_text(s, &value));
    }
    TRY(stack_pop_styled(s, &styled));
    styled.settings[SETTING_PALETTE] = value;
    styled.settings[SETTING_COLOR] = (struct str){0};
    styled.settings[SETTING_ALPHA] = (struct str){0};
    return stack_push_style(s, &styled);
}

// :decode (one text) and :s (two).
static int sed_run(struct stack *s, const struct word *w)
{
    struct styled styled;
    struct sed *sed = arena_alloc(s->maker.arena, 1, sizeof *sed);
    FAIL_IF(!sed, ERR_NOMEM, "a legend");
    if (w->op) {
        TRY(stack_pop_text(s, &sed->replace));
    }
    TRY(stack_pop_text(s, &sed->search));
    TRY(stack_pop_styled(s, &styled));
    FAIL_IF(!w->op && !str_eq_c(sed->search, "hex") && !str_eq_c(sed->search, "none"),
            ERR_INVALID, "'" STR_FMT "' is no code: hex and none are",
            STR_ARG(sed->search));
    size_t count = 0;
    for (const struct sed *p = styled.sed; p; p = p->before) {
        count++;
    }
    FAIL_IF(count == 32, ERR_LIMIT, "more than 32 changes of a legend");
    sed->before = styled.sed;
    styled.sed = sed;
    return stack_push_style(s, &styled);
}

static int strip_run(struct stack *s, const struct word *w)
{
    (void)w;
    const struct node *n = NULL;
    const struct styled *style = NULL;
    TRY(stack_pop_lines(s, &n, &style));
    return stack_push_node(s, n);
}

// --- settings as numbers ----------------------------------------------------------------------

static int line_style(struct str s, enum telemetry_line_style *ret)
{
    static const char *const names[] = {
        [TELEMETRY_LINE] = "line",       [TELEMETRY_AREA] = "area",
        [TELEMETRY_STACK] = "stack",     [TELEMETRY_VSPAN] = "vspan",
        [TELEMETRY_HEATMAP] = "heatmap",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_c(s, names[i])) {
            *ret = (enum telemetry_line_style)i;
            return 0;
        }
    }
    FAIL(ERR_INVALID,
         "'" STR_FMT "' is no style of lines: line, area, stack, vspan and heatmap are",
         STR_ARG(s));
}

static int resolve_order(struct styled *s)
{
    struct str sort = s->settings[SETTING_SORT], order = s->settings[SETTING_ORDER];
    int64_t limit = -1;
    s->sort_by = SORT_LEGEND;
    if (sort.data && !str_eq_c(sort, "legend")) {
        TRY(plan_stat_find(sort, &s->sort_stat));
        s->sort_by = SORT_STAT;
    }
    FAIL_IF(order.data && !str_eq_c(order, "asc") && !str_eq_c(order, "desc"),
            ERR_INVALID, "'" STR_FMT "' is no order: asc and desc are", STR_ARG(order));
    s->is_descending = str_eq_c(order, "desc");
    if (s->settings[SETTING_LIMIT].data) {
        TRY(str_to_i64(s->settings[SETTING_LIMIT], 0, 1000000, &limit));
    }
    s->limit = limit;
    return 0;
}

int styled_resolve(struct styled *s)
{
    const struct str *v = s->settings;
    struct telemetry_style style = {.alpha = -1, .palette = v[SETTING_PALETTE]};
    int64_t axis = 0;
    uint32_t alpha = 0;
    if (v[SETTING_LS].data) {
        TRY(line_style(v[SETTING_LS], &style.style));
        style.has_style = true;
    }
    if (v[SETTING_AXIS].data) {
        TRY(str_to_i64(v[SETTING_AXIS], 0, 4, &axis));
        style.axis = (int)axis;
    }
    if (v[SETTING_COLOR].data) {
        TRY(plan_color(v[SETTING_COLOR], &style.color));
    }
    if (v[SETTING_ALPHA].data) {
        TRY(hex_value(v[SETTING_ALPHA], &alpha));
        style.alpha = (int)alpha;
    }
    if (v[SETTING_LW].data) {
        TRY(str_to_double(v[SETTING_LW], 0, 100, &style.width));
    }
    TRY(resolve_order(s));
    s->style = style;
    return 0;
}

static const struct word list[] = {
    {"legend", setting_run, SETTING_LEGEND, NULL},
    {"axis", setting_run, SETTING_AXIS, NULL},
    {"ls", setting_run, SETTING_LS, NULL},
    {"lw", setting_run, SETTING_LW, NULL},
    {"sort", setting_run, SETTING_SORT, NULL},
    {"order", setting_run, SETTING_ORDER, NULL},
    {"limit", setting_run, SETTING_LIMIT, NULL},
    {"head", NULL, 0, ":limit"},
    {"alpha", alpha_run, 0, NULL},
    {"color", color_run, 0, NULL},
    {"palette", palette_run, 0, NULL},
    {"decode", sed_run, 0, NULL},
    {"s", sed_run, 1, NULL},
    {"line", NULL, 0, "line,:ls"},
    {"area", NULL, 0, "area,:ls"},
    {"stack", NULL, 0, "stack,:ls"},
    {"vspan", NULL, 0, "vspan,:ls"},
    {"heatmap", NULL, 0, "heatmap,:ls"},
    {"percentiles-heatmap", NULL, 0, "(,percentile,),:cg,:heatmap"},
    {"strip-style", strip_run, 0, NULL},
    // What the signal has put under names, each with its name; the signal itself as spans.
    {"des-epic-viz", NULL, 0,
     ":des-epic-signal,:vspan,40,:alpha,triggered,:legend,"
     "line,:get,line,:legend,"
     "minPredNoiseBound,:get,minPredNoiseBound,:legend,"
     "minPredPercentBound,:get,minPredPercentBound,:legend,"
     "maxPredNoiseBound,:get,maxPredNoiseBound,:legend,"
     "maxPredPercentBound,:get,maxPredPercentBound,:legend"},
};
const struct words words_style = {list, ARRAY_LEN(list)};
