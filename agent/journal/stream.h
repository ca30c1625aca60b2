/* A stream of a journal: the entries of one service, in the order in which they were read. Its
 * source (agent/files/source.h) counts entries where that of a file counts bytes; its checksum is
 * that of the messages, each with an LF behind it.
 *
 * Where it stands in the journal is a place: the entry that it has sent last, and the one up to
 * which everything of all streams was acknowledged by then. A restart reads from the newest of the
 * latter on and passes over what a stream has sent already. */
#ifndef HAUL_AGENT_STREAM_H
#define HAUL_AGENT_STREAM_H

#include "agent/journal/window.h"
#include "agent/lines/position.h"

/* A line in pieces waits so long for its rest. */
#define STREAM_WAIT_NS (10 * INT64_C(1000000000))

struct journal_place {
	struct journal_point upto; /* of all streams of the journal */
	struct journal_point last; /* of this one */
};

struct journal_stream {
	struct window *window;              /* its journal's; NULL: no journal reads for it */
	struct journal_entry *first, *last; /* what is not acknowledged, oldest first */
	struct journal_entry *near;         /* where the cursor was; NULL: begin with the first */
	uint64_t next_at;                   /* offset of what is added next */
	struct journal_place committed;
	uint64_t told; /* number of the newest `upto` that a chunk has carried; 0: none */
	/* by then; a restart has to pass over entries up to here; number 0: no */
	struct journal_point sent;
	bool sent_is_there; /* the journal has that entry still */
	int64_t added_ns;   /* monotonic: it got an entry last */
	bool waits;         /* for the rest of a line in pieces */
};

struct journal_stream *stream_new(void); /* NULL: memory is short */
void stream_free(struct journal_stream *s);

/* Puts an entry of its journal's window behind the others. */
void stream_add(struct journal_stream *s, struct journal_entry *e);

/* The entry that begins at that offset; NULL: it has not been read yet. */
struct journal_entry *stream_at(struct journal_stream *s, uint64_t offset);

/* Everything up to `offset` is acknowledged. */
void stream_committed(struct journal_stream *s, uint64_t offset);

/* Forgets what it has of the window, which is cleared, and stands at `offset` from now on. */
void stream_reset(struct journal_stream *s, uint64_t offset);

/* A chunk's `state` for registry and collector: place and frame state as text.
 *
 *     j1 UPTO LAST[ FRAME]
 *     UPTO, LAST: NUMBER:CURSOR, or - for none
 *
 * stream_state_decode: -EINVAL on anything else. */
int stream_state_encode(const struct journal_place *p, const struct frame_state *f,
			struct buf *out) MUST_CHECK;
int stream_state_decode(struct span text, struct journal_place *ret_place,
			struct frame_state *ret_frame) MUST_CHECK;

#endif
