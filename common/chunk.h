/* The wire contract: a batch's body, inflated, is chunks one after another; a chunk is a header
 * (one line of flat JSON, at most 8 KiB with its LF) and then exactly `bytes` bytes of payload
 * lines. The answer names a verdict for each. haul-protocol(7) describes both for users.
 *
 * A decoder replaces what stands in its scratch buffer. Spans in what was decoded point into the
 * scratch or into the input: valid as long as both are, and until the scratch is used again. */
#ifndef HAUL_COMMON_CHUNK_H
#define HAUL_COMMON_CHUNK_H

#include "common/buf.h"
#include "common/span.h"
#include "common/stream_id.h"

#include <stdint.h>

#define CHUNK_HEADER_MAX 8192
#define CHUNK_BATCH_MAX  10000 /* chunks a batch */
#define CHUNK_STATE_MAX  1024  /* bytes of the opaque `state` */
#define CHUNK_LOSS_MAX   64    /* bytes of a loss cause: [a-z_]+ */
#define CHUNK_PATH_MAX   4096
#define CHUNK_PROTOCOL   "1"
#define CHUNK_MEDIA_TYPE "application/vnd.haul.batch"

struct chunk {
	struct stream_id stream;
	struct span host;
	struct span service;
	struct span instance; /* may be empty */
	struct span path;     /* UTF-8; other bytes as \xNN */
	uint64_t ino;
	int64_t btime_ns;  /* 0: not known */
	uint64_t start;    /* where the stream begins */
	uint64_t from, to; /* source bytes [from, to) */
	uint64_t base;     /* checksums cover [base, ...) */
	uint64_t crc_from, crc;
	uint64_t lines;   /* payload lines */
	uint64_t dropped; /* lines that the agent's filters left out */
	struct span state;
	struct span loss; /* cause; empty: no loss */
	bool repair;
	bool ended;     /* the source is gone for good: this is its last chunk */
	uint64_t bytes; /* of payload behind the header */
};

/* Appends the header line with its LF. A path that takes more than CHUNK_PATH_MAX bytes in JSON, or
 * more than the header has room for, is cut between characters: it says where lines come from and
 * decides nothing. Errors: -ENOMEM, -EMSGSIZE (longer than 8 KiB even so). */
int chunk_encode(const struct chunk *c, struct buf *out) MUST_CHECK;

/* Decodes one header line (without its LF). Checks shape and ranges that need no knowledge of the
 * stream: start <= from <= to, base <= from unless it is a loss (base may then be up to to), lines
 * and bytes 0 with a loss, lengths of path and state. Unknown keys are ignored; repeated ones,
 * missing required ones (all of the example in haul-protocol(7) but base, which is then start,
 * dropped and state; loss, repair and ended are optional too) and wrong types are -EBADMSG. Whether
 * names are valid, and not too long, is the caller's to check. Errors: -EBADMSG with *ret_why set
 * to a text in `scratch`; -ENOMEM, -EMSGSIZE (scratch). */
int chunk_decode(struct span header, struct buf *scratch, struct chunk *ret,
		 const char **ret_why) MUST_CHECK;

enum chunk_status {
	CHUNK_COMMITTED,
	CHUNK_DUPLICATE,
	CHUNK_CONFLICT,
	CHUNK_REFUSED,
};

const char *chunk_status_name(enum chunk_status status);

struct chunk_verdict {
	struct stream_id stream;
	enum chunk_status status;
	uint64_t offset; /* the durable ones, whatever the status */
	uint64_t crc;
	const char *error; /* refused: why; NULL otherwise. Not owned. */
};

/* Appends {"chunks":[...]} and LF. */
int chunk_encode_answer(const struct chunk_verdict *v, size_t n, struct buf *out) MUST_CHECK;

/* Decodes an answer; calls `each` per chunk in order, stops on its negative result and returns it.
 * `v` is valid during the call. Malformed: -EBADMSG, perhaps after some calls. -ENOMEM. */
int chunk_decode_answer(struct span body,
			int (*each)(void *user, size_t index, const struct chunk_verdict *v),
			void *user) MUST_CHECK;

/* A row of GET /v1/streams: all of its keys are required, unknown ones ignored. Errors as for
 * headers. */
struct stream_row {
	struct stream_id stream;
	struct span service, instance, path;
	uint64_t ino;
	int64_t btime_ns;
	uint64_t start, base, offset, crc;
	struct span state;
	bool ended;
};

int stream_row_encode(const struct stream_row *row, struct buf *out) MUST_CHECK; /* with LF */
int stream_row_decode(struct span line, struct buf *scratch, struct stream_row *ret,
		      const char **ret_why) MUST_CHECK;

#endif
