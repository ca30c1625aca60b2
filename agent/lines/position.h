/* A place in a source, with all that is needed to go on exactly there. Plain data: copied
 * freely. */
#ifndef HAUL_AGENT_POSITION_H
#define HAUL_AGENT_POSITION_H

#include "common/buf.h"
#include "common/line.h"
#include "common/span.h"
#include "common/stream_id.h"

#include <stdint.h>

enum { OUTPUTS = 2 }; /* of a container: 0 stdout, 1 stderr; a plain file has only the first */

/* Does the file go on a line of an output that the file before it had begun? */
enum output_heir {
	HEIR_UNDECIDED, /* nothing of it was read yet */
	HEIR_NO,
	HEIR_OPEN, /* yes, and that line is not whole yet */
	HEIR_DONE, /* yes, and it is whole */
};

/* What framer, container envelope and classifier carry from line to line of one output. Packed, for
 * each source has four of them. */
struct output_state {
	int64_t head_us; /* time of the last head, for its continuations; INT64_MIN: none yet */
	/* The place is inside a line of which pieces have gone out already (longer than may be
	 * held; in_line): the time of all its pieces. */
	int64_t in_line_us;
	/* A container's line in pieces that is not whole yet: the source offset where the first
	 * piece begins; UINT64_MAX: none. A restart reads from there again. */
	uint64_t open_from;
	uint32_t conts;          /* continuations since the last head */
	bool head_read_time : 1; /* the time of the last head was that of reading */
	bool has_stamps : 1;     /* its lines have timestamps of their own */
	bool in_line : 1;
	bool in_line_dropped : 1; /* keep and drop had decided against it */
	bool in_line_read_time : 1;
	enum line_kind in_line_kind : 8; /* of its last piece: F or + */
	enum output_heir heir : 8;
};

/* Travels in a chunk's `state`; registry and collector keep it with the offset. */
struct frame_state {
	struct output_state outputs[OUTPUTS];
	/* a container's: when its first line was written; INT64_MIN: not known. It tells the order
	 * of files, whatever their names say by now. */
	int64_t first_us;
	struct stream_id before; /* whose lines it goes on; has_before */
	bool has_before;
	/* the line before the place is dealt with but for its LF: agent/lines/envelope.h */
	bool at_lf;
	/* the place is inside a physical line, of which a part went out as it stood */
	bool in_part;
};

struct position {
	uint64_t offset; /* bytes of the source */
	uint64_t base;   /* where the checksum begins: the stream's start, or the end of the
			  last loss */
	uint64_t crc;    /* CRC-64/XZ of [base, offset) */
	struct frame_state frame;
};

void frame_state_init(struct frame_state *f);

/* Where a stream that begins at `start` stands before its first byte. */
void position_init(struct position *p, uint64_t start);

/* The wire form: a short text, "1" and fields; empty for a state that is as after init.
 * frame_state_decode: -EINVAL on anything else (the caller then goes on with a fresh state). */
int frame_state_encode(const struct frame_state *f, struct buf *out) MUST_CHECK;
int frame_state_decode(struct span s, struct frame_state *ret) MUST_CHECK;

#endif
