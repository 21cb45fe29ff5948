// SPDX-License-Identifier: GPL-3.0-or-later
//
// Joins the table of commands; its rows stand with what they do, in cmd_*.c.
#include "app/commands.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>

const struct args_option command_data_alone[1] = {COMMAND_DATA};
const struct args_option command_data_json[2] = {COMMAND_DATA, COMMAND_JSON};

#define FAMILY(name) &name##_commands,
static const struct command_family *const families[] = {COMMAND_FAMILIES(FAMILY)};

static int joined(struct args_command **ret, size_t *ret_count)
{
    VEC(struct args_command) all = {0};
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        for (size_t j = 0; err == 0 && j < families[i]->count; j++) {
            err = vec_push(&all, families[i]->rows[j]);
        }
    }
    *ret = all.data;
    *ret_count = all.len;
    return err;
}

int main(int argc, char **argv)
{
    // Numbers are written with a point whatever the machine's language; only text is the person's.
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    struct args_command *all = NULL;
    size_t count = 0;
    int code = joined(&all, &count) < 0 ? ARGS_FAILED : args_main(all, count, argc, argv);
    free(all);
    return code;
}
