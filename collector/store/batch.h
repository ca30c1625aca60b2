/* A batch as it is taken apart: the inflated body is cut into chunks and every line is checked,
 * before any lock is taken. Used by ingest on what came over the wire and by recovery on what
 * stands in the WAL: the same bytes give the same result.
 *
 * Payloads point into the body, which the caller keeps until they are rendered; all else is the
 * batch's own. */
#ifndef HAUL_COLLECTOR_STORE_BATCH_H
#define HAUL_COLLECTOR_STORE_BATCH_H

#include "common/chunk.h"

struct batch_chunk {
	struct chunk header;
	struct span payload; /* header.bytes bytes of lines, in the body */
	/* why these bytes will never be taken as they are (an unclean line, a bad name, lines that
	 * do not add up); NULL: fine. Owned by the batch. */
	const char *refused;
	int64_t first_us, last_us; /* least and greatest time of its lines; 0 without lines */
};

struct batch {
	struct batch_chunk *chunks;
	size_t n_chunks;
	uint64_t payload_bytes;
	uint64_t body_bytes; /* of all of it */
	struct buf scratch;  /* decoded strings */
};

/* Malformed framing (a header that is not one, bytes that run past the end, more than
 * CHUNK_BATCH_MAX chunks): -EBADMSG and nothing of it may be taken; ret_why says what and at which
 * chunk. A chunk whose lines or names are not acceptable does not spoil the batch: it is marked
 * `refused`. -ENOMEM. On success the batch is the caller's, to be given to batch_free. */
int batch_parse(struct span body, struct batch *ret, char *ret_why, size_t why_size) MUST_CHECK;
void batch_free(struct batch *b);

#endif
