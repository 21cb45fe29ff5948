// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the API's tests share: a folder with a published film and a person of each role, a service
// over it, and a client.
#ifndef APP_API_WORLD_H
#define APP_API_WORLD_H

#include "app/api.h"
#include "app/series_service.h"

#define PACKAGE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct person {
    char id[UUID_BYTES];
    char token[ACCOUNT_TOKEN_BYTES];
};

struct place {
    char dir[32];
    struct store *store;
    struct series_service *series;
    struct api api;
    struct http_server *server;
    struct person people[ACCOUNT_ROLE_COUNT];
    char partner_id[UUID_BYTES];
    char film[UUID_BYTES];
    char *ui;
};

int world_setup(void **state);
int world_teardown(void **state);
void world_open(struct place *);
void world_close(struct place *);
const char *token_of(const struct place *, enum account_role);

struct answer {
    long status;
    struct buf head, body;
    json_t *json;
};
void world_answer_clear(struct answer *);

struct question {
    const char *method, *path, *token;
    const char *json;    // body
    const char *bytes;   // body of another type, named in headers
    const char *headers; // "A: b\nC: d"
};
void world_ask(struct place *, struct question, struct answer *ret);
#define ASK(p, a, ...) world_ask((p), (struct question){__VA_ARGS__}, (a))
// What stands behind `name` ("Location: ") in the answer's head; NULL when it does not.
const char *header_of(const struct answer *, const char *name, char value[256]);

#endif
