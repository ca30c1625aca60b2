/* Lines back to their places: the files of the archive as recovery finds and completes them.
 *
 *     restore_known      what the ledger says of segments
 *     restore_walk       what the directories say, where the ledger does not know enough
 *     restore_move       what WAL records say of moves
 *     restore_expect     where all lines of the log are to stand
 *     restore_begin      finds each segment's file, finishes renames that a crash cut short
 *     restore_write      writes lines at their place, or beside the log where it is blocked
 *     restore_waiting    what has waited there for a place that can be had again
 *     restore_finish     looks at what is there now; live segments become the appender's
 *
 * Nothing is ever cut, no byte that is not haul's is written over, nothing is put behind a hole.
 * Where a place cannot be had, the lines move to a new segment, said aloud, and durable in the WAL
 * before the first of them is written: so all of it can be begun again at any time, and gives the
 * same files. */
#ifndef HAUL_COLLECTOR_STORE_RESTORE_H
#define HAUL_COLLECTOR_STORE_RESTORE_H

#include "collector/store/core.h"
#include "collector/store/waiting.h"

struct restore {
	struct store *s;
	struct map files; /* struct restore_file */
	struct restore_file **sorted;
	size_t n_sorted;
	size_t n_open;
	uint64_t lines, bytes; /* written */
	struct waiting waiting;
};

void restore_init(struct restore *r, struct store *s);
void restore_free(struct restore *r);

/* All give -ENOMEM; those that touch files -errno. */
int restore_known(struct restore *r, const struct segment_row *row) MUST_CHECK;
int restore_move(struct restore *r, const struct walrecord_move *m) MUST_CHECK;
int restore_expect(struct restore *r, struct span service, struct span host,
		   const struct walrecord_lines *lines) MUST_CHECK;
/* Before any record is planned for: the segments of lines that wait. */
int restore_plan_waiting(struct restore *r) MUST_CHECK;
int restore_begin(struct restore *r) MUST_CHECK;

/* Segments that the ledger does not know, found by walking over all directories. */
int restore_walk(struct restore *r) MUST_CHECK;

/* Without any of the above: do the lines stand where the record says, under either name of the
 * segment? */
bool restore_stood(const struct store *s, struct span service, struct span host,
		   const struct walrecord_lines *lines);

/* Do the lines stand at their place? With `ret`, their bytes are appended to it. */
bool restore_stands(struct restore *r, struct span service, struct span host,
		    const struct walrecord_lines *lines, struct buf *ret);

int restore_write(struct restore *r, struct span service, struct span host,
		  const struct walrecord_lines *lines, struct span bytes) MUST_CHECK;
/* After all records: writes what waited to its place, where that is not blocked any more. */
int restore_waiting(struct restore *r) MUST_CHECK;
int restore_finish(struct restore *r) MUST_CHECK;

/* When a checkpoint went through: forgets the lines that wait no more. */
int restore_settle_waiting(struct store *s) MUST_CHECK;

/* A record of its own, durable when it returns. */
int restore_log_move(struct store *s, const struct walrecord_move *m) MUST_CHECK;

#endif
