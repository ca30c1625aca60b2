/* What the index is to know of a block, taken from its lines: tokens, times, how many by minute and
 * level. Used at sealing and at reindexing, which must find the same. */
#ifndef HAUL_COLLECTOR_STORE_DIGEST_H
#define HAUL_COLLECTOR_STORE_DIGEST_H

#include "collector/store/counts.h"
#include "collector/store/tokens.h"
#include "common/field.h"

#include <stdint.h>

struct digest {
	struct token_set tokens;
	uint64_t lines;
	int64_t first_us, last_us; /* INT64_MAX, INT64_MIN: no line has a time */
	bool timeless;             /* a line is none of haul's: it has no time */
	struct counts_block counts;

	/* Of the segment, for the counts; the caller's, not owned. Empty: nothing is counted. */
	struct span service, host;

	struct tokenizer tokenizer;
	struct buf columns; /* host, service and flags of the line before */
	char hour[13];      /* the day and hour of the line before */
	struct field_scratch field;
};

/* Begins a block; keeps memory and names. Zero the struct before the first. */
void digest_clear(struct digest *d);
void digest_free(struct digest *d);

/* Takes whole lines (the last may lack its LF) off the front until all are taken or, when
 * `tokens_max` is not 0, the tokens pass it; at least one line. *ret_taken bytes. -ENOMEM. */
int digest_take(struct digest *d, struct span lines, size_t tokens_max,
		size_t *ret_taken) MUST_CHECK;

#endif
