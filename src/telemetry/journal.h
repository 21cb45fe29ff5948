// SPDX-License-Identifier: GPL-3.0-or-later
//
// The durable log: what was taken, in the order in which it was taken, until a block has it.
//
//   log-0000000000000007.journal    records, one behind the other
//
//   +--------+--------+--------+------+---------+
//   | "MQLR" |  len   | crc32c | type | payload |    len: bytes of the payload
//   +--------+--------+--------+------+---------+    crc32c: of len, type and payload
//       4        4        4       1      len
//
// A record that is damaged is reported and passed over: the next one is found by its mark and its checksum. What is
// torn at the end of the last file, by a crash, is cut off.
//
// Written when 256 KiB have gathered, when somebody syncs, and each second; synced each second and by
// journal_sync. So kill -9 loses less than the second that nobody had synced, and so does a loss of power on a
// disk that keeps what it said it has. Private to the room.
#ifndef TELEMETRY_JOURNAL_H
#define TELEMETRY_JOURNAL_H

#include "telemetry/pack.h"

struct journal;

#define JOURNAL_RECORD_MAX (16U << 20)

struct journal_config {
    const char *dir;
    // A record of an earlier process; <0 ends the opening.
    int (*on_record)(void *user, uint8_t type, struct str payload);
    void (*on_corrupt)(void *user, const char *path, const char *why);
    void *user;
};

// Reads all that is there, then goes on behind it.
int journal_open(struct journal **ret, const struct journal_config *);
void journal_close(struct journal **); // syncs

// Records of one thread keep their order, and so do those under one lock.
void journal_add(struct journal *, uint8_t type, struct str payload);
// ERR_IO, ERR_NO_SPACE: too much waits for a disk that does not take it.
int journal_check(struct journal *);
// Writes when enough has gathered.
int journal_flush_if_full(struct journal *);
int journal_sync(struct journal *);
// Goes on in a new file; all that was added before is in those before *ret_number.
int journal_rotate(struct journal *, uint64_t *ret_number);
// Removes the files before `number`.
int journal_drop(struct journal *, uint64_t number);
uint64_t journal_bytes(struct journal *);

// The next sound record of `text`; how many bytes before its end were damaged in *ret_damaged. False at the end.
struct journal_record {
    uint8_t type;
    struct str payload;
    size_t end; // in the text
};
bool journal_next(struct str text, size_t at, struct journal_record *ret,
                  size_t *ret_damaged);

#endif
