// SPDX-License-Identifier: GPL-3.0-or-later
//
// A block: the values of many series over one stretch of time, in a file that is never changed.
//
//   +--------+------+------+-- … --+-----------+--------+
//   | header | page | page |       | directory | footer |
//   +--------+------+------+-- … --+-----------+--------+
//
//   header     "MQSERBL1", its length, columns, number, step_ms, first slot, slots, the numbers of the blocks that this
//              one replaces, crc32c
//   page       "MQPG", length and crc32c of its head; head: count, and for each series its number and the lengths
//              of its columns; then the columns, each with its crc32c, which is of its series too
//   directory  first series, place and length of each page
//   footer     place, length and crc32c of the directory, one more than the last series, "MQSEREND"
//
// A page has up to 64 series, ascending. Where the directory is damaged the pages are found by their marks; where a
// page's head is, its series are lost; where a column is, only that. Each is reported.
//
// A block of the finest tier has one column, the values; a coarser one has four: sum, least, greatest and how
// many values there were in each slot. Private to the room.
#ifndef TELEMETRY_BLOCK_H
#define TELEMETRY_BLOCK_H

#include "telemetry/codec.h"
#include "telemetry/pack.h"

#define BLOCK_PAGE_SERIES 64
#define BLOCK_COLUMNS_MAX 4
#define BLOCK_NONE        UINT32_MAX

typedef void block_corrupt_f(void *user, const char *path, const char *why);

struct block_shape {
    uint64_t number; // grows: what is said by a later block stands
    uint32_t tier;   // in the file's name only
    uint32_t columns;
    int64_t step_ms;
    int64_t first; // slot
    uint32_t slots;
};

struct block;

// A file that is no block gives ERR_CORRUPT.
int block_open(struct block **ret, const char *path, block_corrupt_f *, void *user);
struct block *block_ref(struct block *);
void block_unref(struct block **);
const struct block_shape *block_shape(const struct block *);
bool block_replaces(const struct block *, uint64_t number);
// One more than the greatest of its series.
uint32_t block_series_end(const struct block *);
int64_t block_bytes(const struct block *);
// Something of it could not be read: it stays as it is, for whoever can repair it.
bool block_is_damaged(const struct block *);
// The file goes; who reads it reads on.
void block_remove(struct block *);

// --- reading --------------------------------------------------------------------------------------

// Goes through a block forward: series in ascending order cost least.
struct block_cursor;
int block_cursor_new(struct block_cursor **ret, struct block *);
void block_cursor_free(struct block_cursor **);
// The least series at or behind `series`; BLOCK_NONE: none.
uint32_t block_cursor_seek(struct block_cursor *, uint32_t series);
// Of the series that seek gave. False: it has no such column, or a damaged one.
bool block_cursor_read(struct block_cursor *, uint32_t column,
                       double ret[CODEC_VALUES_MAX]);

// --- writing --------------------------------------------------------------------------------------

struct block_writer;
struct block_writer_config {
    const char *dir;
    struct block_shape shape;
    const uint64_t *replaces;
    size_t replace_count;
    unsigned precision;
};
int block_writer_new(struct block_writer **ret, const struct block_writer_config *);
void block_writer_free(struct block_writer **); // what is not published goes
// Ascending. columns[c] has shape.slots values, NULL or all NaN: it has none.
int block_writer_add(struct block_writer *, uint32_t series,
                     const double *const *columns);
// All that was added is on disk, under its name. *ret_path is the caller's; NULL when there was nothing.
int block_writer_publish(struct block_writer *, char **ret_path);

#endif
