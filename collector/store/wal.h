/* The write-ahead log as it is written: records in groups, behind one another, in one file after
 * another (wal_files.h). What was written last is followed by zeros, a record head's worth at
 * least; what comes behind is of no meaning.
 *
 * One thread's: the WAL thread's, and recovery's before it runs. */
#ifndef HAUL_COLLECTOR_STORE_WAL_H
#define HAUL_COLLECTOR_STORE_WAL_H

#include "collector/store/wal_files.h"
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

/* A record: wal_group_begin, append its meta to group->bytes, wal_group_end. The body stays the
 * caller's until the group is written. -ENOMEM: the group is as it was before the record began. */
int wal_group_begin(struct wal_group *g) MUST_CHECK;
int wal_group_end(struct wal_group *g, uint8_t type, uint64_t lsn, struct span body,
		  uint64_t body_crc) MUST_CHECK;
void wal_group_abort(struct wal_group *g); /* the record that was begun */
void wal_group_clear(struct wal_group *g);
void wal_group_free(struct wal_group *g);

struct wal;

/* `files` stays the caller's. -ENOMEM. */
int wal_open(struct wal_files *files, const char uuid[UUID_LEN], struct wal **ret) MUST_CHECK;
void wal_close(struct wal *w);

/* Goes over to the next file if one is ready; its first record will have this LSN. Nothing changes
 * without one, or while nothing is written to this one. */
void wal_switch(struct wal *w, uint64_t first_lsn);

/* Writes a group; nothing is durable before wal_sync. After an error (-errno) the same call may be
 * made again: it writes to the same place. */
int wal_write(struct wal *w, struct wal_group *g) MUST_CHECK;

/* Everything written is durable. After an error nothing may be written any more: what the kernel
 * still holds of it is not known. */
int wal_sync(struct wal *w, uint64_t durable_lsn) MUST_CHECK;

#endif
