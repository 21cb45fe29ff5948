// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dashboards: files that a person writes, <data>/dashboards/<id>.yaml, and one that is built in.
//
//     title: The service
//     about: What viewers feel.            # may be missing, as all below but `q` and the titles
//     rows:
//       - title: Requests
//         graphs:
//           - title: By status
//             q: name,marquee.http.requests,:eq,:sum,(,status,),:by
//             unit: /s
//             stack: true
#ifndef APP_DASHBOARDS_H
#define APP_DASHBOARDS_H

#include "base/base.h"

// {"id","title","about","graphs":count,"error":null,"rows":[{"title","graphs":[{"title","q","unit","stack"}]}]}.
// ERR_INVALID with diagnostics: file:line, also for a question that cannot be read.
int dashboard_parse(const char *id, struct str yaml, const char *file, json_t **ret,
                    struct diag *);

// By id, the built-in "service" among them unless a file has its name; without their rows. A file with
// a mistake is there, too: its id as its title, and what is wrong in "error".
int dashboards_list(const char *data_dir, json_t **ret_array);
// ERR_NOT_FOUND; ERR_INVALID for one with a mistake.
int dashboard_read(const char *data_dir, const char *id, json_t **ret);

#endif
