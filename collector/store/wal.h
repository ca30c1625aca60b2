/* The write-ahead log as it is written: files .haul/wal/SEQUENCE.wal, one after another.
 *
 * One thread writes and syncs (the WAL thread; recovery before it runs). Another one may
 * meanwhile prepare the next file and drop old ones (the checkpoint). A file is made, and
 * its directory synced, before the writer needs it: so that a change of files costs no
 * answer any time. */
#ifndef HAUL_COLLECTOR_STORE_WAL_H
#define HAUL_COLLECTOR_STORE_WAL_H

#include "collector/store/wal_format.h"
#include "common/buf.h"

#include <stdint.h>

/* Records that go out with one write. Zero it to begin with. */
struct wal_group {
	struct buf bytes; /* of each record: room for its head, then its meta */
	struct wal_piece *pieces;
	size_t n_pieces, capacity;
	uint64_t size; /* all of it, as it will stand in the file */
};

/* A record: wal_group_begin, append its meta to group->bytes, wal_group_end. The body
 * stays the caller's until the group is written. -ENOMEM: the group is as it was before
 * the record began. */
int wal_group_begin(struct wal_group *g) MUST_CHECK;
int wal_group_end(struct wal_group *g, uint8_t type, uint64_t lsn, struct span body,
		  uint64_t body_crc) MUST_CHECK;
void wal_group_abort(struct wal_group *g); /* the record that was begun */
void wal_group_clear(struct wal_group *g);
void wal_group_free(struct wal_group *g);

struct wal;

/* `dir` stays the caller's, and open. Files are numbered from `sequence` on. No file is
 * made yet. */
int wal_open(int dir, const char uuid[STORE_UUID_LEN], uint64_t sequence,
	     struct wal **ret) MUST_CHECK;
void wal_close(struct wal *w);

/* Makes the next file ready, if none is. Any thread. -errno. */
int wal_prepare(struct wal *w) MUST_CHECK;

/* Goes over to the prepared file, whose first record will have this LSN; without one
 * nothing changes. */
void wal_switch(struct wal *w, uint64_t first_lsn);

/* Writes a group; nothing is durable before wal_sync. After an error (-errno) the same
 * call may be made again: it writes to the same place. */
int wal_write(struct wal *w, struct wal_group *g) MUST_CHECK;

/* Everything written is durable. After an error nothing may be written any more: what the
 * kernel still holds of it is not known. */
int wal_sync(struct wal *w, uint64_t durable_lsn) MUST_CHECK;

/* A file that recovery found and that is still needed. */
int wal_keep(struct wal *w, uint64_t sequence, uint64_t last_lsn, uint64_t size) MUST_CHECK;

/* Removes the files whose records all have LSNs up to `lsn`, the oldest first; never the
 * one that is written to. Any thread. -errno of the first that could not be removed. */
int wal_drop(struct wal *w, uint64_t lsn) MUST_CHECK;

/* Any thread. */
uint64_t wal_files(struct wal *w);
uint64_t wal_bytes(struct wal *w);

#endif
