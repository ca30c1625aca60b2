/* The files of the write-ahead log, .haul/wal/SEQUENCE.wal and .meta: made before they are needed,
 * used again when they are needed no more.
 *
 * A sync waits for the file system's journal whenever the file has grown, and the journal waits for
 * the data of all other files that have grown (measured beside appends to 200 shards: 50 to 200
 * ms); a sync of bytes that are written over waits for the disk alone (0.4 ms, 14 ms for the
 * slowest in a hundred). So the next files lie ready with all their room written, and files whose
 * records nobody needs become next ones, with all their old bytes. What such bytes say is of no
 * meaning: their sequence number is another. */
#ifndef HAUL_COLLECTOR_STORE_WAL_FILES_H
#define HAUL_COLLECTOR_STORE_WAL_FILES_H

#include "collector/store/room.h"
#include "common/buf.h"

#include <stdint.h>

enum { WAL_BLOCK = 4096 }; /* room is counted in these */

struct wal_file {
	int fd;     /* -1: none */
	int mirror; /* -1: it could not be written */
	uint64_t sequence;
	uint64_t end;  /* of what is written; 0: not even the head is */
	uint64_t room; /* so many bytes it has, whatever stands in them */
	uint64_t mirror_end;
};

void wal_file_close(struct wal_file *f);

/* Adds zeros to the file, `bytes` at least, as far as the disk has room: then it has more
 * `room`. */
void wal_file_grow(struct wal_file *f, uint64_t bytes);

struct wal_files;

/* `dir` and `room` stay the caller's. `file_bytes`: how large a file is made when much comes in.
 * Files are numbered from `sequence` on; none is made yet. -ENOMEM. */
int wal_files_open(int dir, struct room *room, uint64_t file_bytes, uint64_t sequence,
		   struct wal_files **ret) MUST_CHECK;
/* Removes what was made ready. */
void wal_files_close(struct wal_files *f);

/* Makes the next file ready, if none is and nobody else does. Any thread. -errno. */
int wal_files_prepare(struct wal_files *f) MUST_CHECK;

/* Puts the next file in the place of *file (whose last record has `last_lsn`), if one is ready that
 * has `need` bytes of room. The writer's. */
bool wal_files_next(struct wal_files *f, uint64_t need, uint64_t last_lsn, struct wal_file *file);

/* So much is written to the current file. From some 64 KiB on others are made ready by a thread.
 * The writer's. */
void wal_files_note(struct wal_files *f, uint64_t size);

/* A file that recovery found and that is still needed. */
int wal_files_keep(struct wal_files *f, uint64_t sequence, uint64_t last_lsn,
		   uint64_t size) MUST_CHECK;

/* Files whose records all have LSNs up to `lsn` are needed no more, but for the one that is written
 * to: some of them are kept for their room when `reuse`, the others are removed, the oldest first.
 * Any thread. -errno of the first that could not be removed. */
int wal_files_drop(struct wal_files *f, uint64_t lsn, bool reuse) MUST_CHECK;

/* Of those that are needed. Any thread. */
uint64_t wal_files_count(struct wal_files *f);
uint64_t wal_files_bytes(struct wal_files *f);

#endif
