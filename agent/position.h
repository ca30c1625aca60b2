/* A place in a source, with all that is needed to go on exactly there. Plain data: copied
 * freely. */
#ifndef HAUL_AGENT_POSITION_H
#define HAUL_AGENT_POSITION_H

#include "common/buf.h"
#include "common/line.h"
#include "common/span.h"

#include <stdint.h>

/* What the framer, the container envelope and the classifier carry from line to line. It
 * travels in a chunk's `state`, and registry and collector keep it with the offset. */
struct frame_state {
	int64_t head_us;     /* time of the last head, for its continuations; INT64_MIN: none
			    yet */
	bool head_read_time; /* ... which was that of reading */
	bool has_stamps;     /* lines of this stream have timestamps of their own */
	uint32_t conts;      /* continuations since that head */
	/* The place is inside a line of which pieces have gone out already (longer than
	 * max_line). */
	bool in_line;
	bool in_line_dropped;        /* keep and drop had decided against it */
	enum line_kind in_line_kind; /* of its last piece: F or + */
	int64_t in_line_us;          /* the time of all its pieces */
	bool in_line_read_time;
	/* Container lines in pieces that are not whole yet, by output (0 stdout, 1
	 * stderr): the source offset where the first piece begins; UINT64_MAX: none. A
	 * restart reads from there again. */
	uint64_t open_from[2];
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
 * frame_state_decode: -EINVAL on anything else (the caller then goes on with a fresh
 * state). */
int frame_state_encode(const struct frame_state *f, struct buf *out) MUST_CHECK;
int frame_state_decode(struct span s, struct frame_state *ret) MUST_CHECK;

#endif
