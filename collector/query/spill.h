/* A temporary file without a name: runs of records that found no room in memory. */
#ifndef HAUL_COLLECTOR_QUERY_SPILL_H
#define HAUL_COLLECTOR_QUERY_SPILL_H

#include "collector/query/record.h"
#include "common/buf.h"

struct spill_run {
	uint64_t from, to; /* bytes of the file */
};

/* Zero it, with fd -1, to begin. */
struct spill {
	int fd;
	uint64_t end;
	struct buf pending; /* written behind `end` when it is full */
};

/* Appends a record. The file is made in TMPDIR, /var/tmp or /tmp when first needed. Errors: -errno;
 * -ENOMEM. */
int spill_add(struct spill *s, const struct record *r) MUST_CHECK;
/* Everything is in the file, ret_end behind it. */
int spill_flush(struct spill *s, uint64_t *ret_end) MUST_CHECK;
/* Gives the room of a run back that will not be read again. */
void spill_drop(struct spill *s, struct spill_run run);
void spill_free(struct spill *s);

/* Reads a run. Zero it but for these to begin: */
struct spill_reader {
	const struct spill *spill; /* not owned */
	struct spill_run run;      /* what is left */
	size_t read_bytes;         /* at a time */
	struct buf bytes;
	size_t at; /* in bytes */
};

/* 1 and the next record, valid until the next call; 0 at the end; -errno. */
int spill_read(struct spill_reader *r, struct record *ret) MUST_CHECK;
void spill_reader_free(struct spill_reader *r);

#endif
