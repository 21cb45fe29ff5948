// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/dashboards.h"
#include "telemetry/telemetry.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static const char built_in[] =
#include "dashboard_text.h"
    ;

enum { DASHBOARD_BYTES_MAX = 1 << 20, ROWS_MAX = 100, GRAPHS_MAX = 100, ID_MAX = 64 };
#define BUILT_IN_ID "service"

struct graph_yaml {
    char *title, *q, *unit;
    bool stack;
};
struct row_yaml {
    char *title;
    struct graph_yaml *graphs;
    uint32_t graphs_count;
};
struct dashboard_yaml {
    char *title, *about;
    struct row_yaml *rows;
    uint32_t rows_count;
};

static const cyaml_schema_field_t graph_fields[] = {
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER, struct graph_yaml, title, 1, 200),
    CYAML_FIELD_STRING_PTR("q", CYAML_FLAG_POINTER, struct graph_yaml, q, 1, 8000),
    CYAML_FIELD_STRING_PTR("unit", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct graph_yaml, unit, 0, 20),
    CYAML_FIELD_BOOL("stack", CYAML_FLAG_OPTIONAL, struct graph_yaml, stack),
    CYAML_FIELD_END};
static const cyaml_schema_value_t graph_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct graph_yaml, graph_fields)};
static const cyaml_schema_field_t row_fields[] = {
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER, struct row_yaml, title, 1, 200),
    CYAML_FIELD_SEQUENCE("graphs", CYAML_FLAG_POINTER, struct row_yaml, graphs,
                         &graph_schema, 0, GRAPHS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t row_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct row_yaml, row_fields)};
static const cyaml_schema_field_t dashboard_fields[] = {
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER, struct dashboard_yaml, title, 1,
                           200),
    CYAML_FIELD_STRING_PTR("about", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct dashboard_yaml, about, 0, 2000),
    CYAML_FIELD_SEQUENCE("rows", CYAML_FLAG_POINTER, struct dashboard_yaml, rows,
                         &row_schema, 0, ROWS_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t dashboard_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct dashboard_yaml, dashboard_fields)};

// --- one file -----------------------------------------------------------------------------------

static void check_question(const struct graph_yaml *g, struct str yaml, const char *file,
                           uint32_t row, uint32_t graph, struct diag *diag)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(cstr_free) char *path = NULL;
    const struct telemetry_expr *expr;
    if (arena_new(&arena) < 0 || telemetry_stack_parse(str_of(g->q), arena, &expr) == 0) {
        return;
    }
    AUTO(cstr_free) char *why = NULL;
    if (cstr_dup(&why, err_reason()) == 0 &&
        cstr_printf(&path, "rows/%u/graphs/%u/q", row, graph) == 0) {
        diag_add(diag, file, yaml_line_of(yaml, path), "%s: %s", g->title, why);
    }
}

static int row_json(const struct row_yaml *row, json_t **ret)
{
    AUTO(json_free) json_t *graphs = json_array();
    for (uint32_t i = 0; i < row->graphs_count; i++) {
        const struct graph_yaml *g = &row->graphs[i];
        FAIL_IF(
            json_array_append_new(graphs, json_pack("{s:s, s:s, s:s?, s:b}", "title",
                                                    g->title, "q", g->q, "unit", g->unit,
                                                    "stack", (int)g->stack)) != 0,
            ERR_NOMEM, "a graph");
    }
    return json_made(json_pack("{s:s, s:O}", "title", row->title, "graphs", graphs), ret);
}

static int board_json(const char *id, const struct dashboard_yaml *board, json_t **ret)
{
    AUTO(json_free) json_t *rows = json_array();
    json_int_t graphs = 0;
    for (uint32_t i = 0; i < board->rows_count; i++) {
        json_t *row = NULL;
        TRY(row_json(&board->rows[i], &row));
        FAIL_IF(json_array_append_new(rows, row) != 0, ERR_NOMEM, "a row of graphs");
        graphs += board->rows[i].graphs_count;
    }
    return json_made(json_pack("{s:s, s:s, s:s?, s:I, s:n, s:O}", "id", id, "title",
                               board->title, "about", board->about, "graphs", graphs,
                               "error", "rows", rows),
                     ret);
}

int dashboard_parse(const char *id, struct str yaml, const char *file, json_t **ret,
                    struct diag *diag)
{
    FAIL_IF(yaml.len > DASHBOARD_BYTES_MAX, ERR_LIMIT, "%s: a dashboard over %d bytes",
            file, DASHBOARD_BYTES_MAX);
    void *loaded = NULL;
    TRY(yaml_load(yaml, file, &dashboard_schema, &loaded, NULL, diag));
    const struct dashboard_yaml *board = loaded;
    for (uint32_t r = 0; r < board->rows_count; r++) {
        for (uint32_t g = 0; g < board->rows[r].graphs_count; g++) {
            check_question(&board->rows[r].graphs[g], yaml, file, r, g, diag);
        }
    }
    int err =
        diag->items.len > 0 ? diag_fail(diag, ERR_INVALID) : board_json(id, board, ret);
    yaml_data_free(&dashboard_schema, loaded, 0);
    return err;
}

// --- the folder ---------------------------------------------------------------------------------

// An id is a file's name without its ending, and a part of an address.
static bool id_of(const char *file_name, char ret[ID_MAX])
{
    size_t len = strlen(file_name);
    bool good = len > 5 && len - 5 < ID_MAX && strcmp(file_name + len - 5, ".yaml") == 0;
    for (size_t i = 0; good && i < len - 5; i++) {
        good = isalnum((unsigned char)file_name[i]) || strchr("-_", file_name[i]);
        ret[i] = file_name[i];
        ret[i + 1] = '\0';
    }
    return good;
}

static int read_file(const char *data_dir, const char *id, json_t **ret)
{
    AUTO(cstr_free) char *path = NULL, *file = NULL;
    AUTO(buf_free) struct buf yaml = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(cstr_printf(&file, "dashboards/%s.yaml", id));
    TRY(cstr_printf(&path, "%s/%s", data_dir, file));
    TRY(fs_read_file(path, DASHBOARD_BYTES_MAX, &yaml));
    return dashboard_parse(id, buf_view(&yaml), file, ret, &diag);
}

int dashboard_read(const char *data_dir, const char *id, json_t **ret)
{
    char checked[ID_MAX];
    AUTO(cstr_free) char *name = NULL;
    AUTO(diag_free) struct diag diag = {0};
    TRY(cstr_printf(&name, "%s.yaml", id));
    FAIL_IF(!id_of(name, checked), ERR_NOT_FOUND, "there is no such dashboard");
    int err = read_file(data_dir, id, ret);
    if (err == ERR_NOT_FOUND && strcmp(id, BUILT_IN_ID) == 0) {
        return dashboard_parse(id, str_of(built_in), "conf/dashboard.yaml", ret, &diag);
    }
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "there is no such dashboard");
    return err;
}

static int add_head(const char *data_dir, const char *id, json_t *list)
{
    AUTO(json_free) json_t *board = NULL;
    int err = dashboard_read(data_dir, id, &board);
    if (err == 0) {
        json_object_del(board, "rows");
    } else {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_dup(&why, err_reason()));
        TRY(json_made(json_pack("{s:s, s:s, s:n, s:i, s:s}", "id", id, "title", id,
                                "about", "graphs", 0, "error", why),
                      &board));
    }
    FAIL_IF(json_array_append(list, board) != 0, ERR_NOMEM, "dashboards");
    return 0;
}

struct board_ids {
    VEC(struct board_id { char text[ID_MAX]; })
    list;
};

static void board_ids_free(struct board_ids *ids)
{
    vec_free(&ids->list);
}

static int compare_ids(const void *a, const void *b)
{
    const struct board_id *left = a, *right = b;
    return strcmp(left->text, right->text);
}

static int read_ids(const char *data_dir, struct board_ids *ids)
{
    AUTO(cstr_free) char *folder = NULL;
    struct board_id id;
    bool has_own = false;
    int err = 0;
    TRY(cstr_printf(&folder, "%s/dashboards", data_dir));
    DIR *dir = opendir(folder); // there need be none
    for (struct dirent *e; dir && err == 0 && (e = readdir(dir));) {
        if (id_of(e->d_name, id.text)) {
            has_own = has_own || strcmp(id.text, BUILT_IN_ID) == 0;
            err = vec_push(&ids->list, id);
        }
    }
    if (dir) {
        closedir(dir);
    }
    if (err == 0 && !has_own) {
        err = vec_push(&ids->list, (struct board_id){BUILT_IN_ID});
    }
    return err;
}

int dashboards_list(const char *data_dir, json_t **ret)
{
    AUTO(board_ids_free) struct board_ids ids = {0};
    AUTO(json_free) json_t *list = json_array();
    TRY(read_ids(data_dir, &ids));
    qsort(ids.list.data, ids.list.len, sizeof *ids.list.data, compare_ids);
    vec_for_each (id, &ids.list) {
        TRY(add_head(data_dir, id->text, list));
    }
    *ret = TAKE(list);
    return 0;
}
