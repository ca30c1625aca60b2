/* One source's turn at the batch, for pump.c and what it delegates to. */
#ifndef HAUL_AGENT_TURN_H
#define HAUL_AGENT_TURN_H

#include "agent/lines/envelope.h"
#include "agent/ship/batcher.h"

struct pump {
	struct source_table *table;
	const char *host;
	struct envelopes *envelopes;
	struct buf payload; /* lines of the chunk that is being cut */
	struct buf state;   /* its frame state, encoded */
	struct buf joined;  /* pieces of a journal's message */
};

struct turn {
	struct pump *p;
	struct batcher *b;
	struct source *s;
	struct position at; /* moves from the source's cursor to the end of the chunk */
	uint64_t lines, dropped;
	int64_t read_us; /* the time of reading, for lines that have none */
	bool enveloped;  /* its lines are a container runtime's */
	int error;       /* memory was short in the middle: the chunk must not be made */
	bool ends_in_lf; /* what was cut does */
	bool last;       /* a line without an end will never have one: the file ends there */
};

enum turn_outcome {
	TURN_DONE,
	TURN_AGAIN, /* there is more to read: the source queues up again */
	/* a line does not fit into what is left of the batch, or memory is short: send first */
	TURN_LATER,
};

struct message {
	struct span text;
	bool clean;
	bool ended; /* its end is in text: the last piece is `kind`, else all are P */
	bool whole; /* text has all of the line, as it was written: mask can judge it */
	enum line_kind kind;
	bool read_time;
	bool from_stderr;
	int64_t time_us;
};

/* --- turn_lines.c --- */

/* One line, masked already, as one or more payload lines, cut at max_line. */
void turn_put(struct turn *t, struct message m);

/* Cuts lines off `in`; returns how many of its bytes they cover. `all`: also what has no LF. */
size_t turn_cut_lines(struct turn *t, struct span in, bool all);
/* Pieces of lines that will not become whole, or not soon: each is a line that has no end. Where
 * something may be to hide, what comes later is still taken for its rest. */
void turn_flush(struct turn *t, bool last);
/* Behind a chunk with an open line its last LF stays for the next one: see agent/lines/envelope.h.
 * Not when that is all there is and something else than a line follows: a hole. */
size_t turn_keep_lf(struct turn *t, size_t consumed);

/* Has the chunk as much as it should, having consumed so much? */
bool turn_full(const struct turn *t, uint64_t consumed);

/* --- pump.c --- */

/* Puts the chunk from the cursor to t->at into the batch; `c` says what is special about it. */
int turn_put_chunk(struct turn *t, struct batcher_chunk c) MUST_CHECK;

/* What was put is counted; it covered so many bytes. */
void turn_count(struct turn *t, size_t bytes);

/* --- journal_turn.c --- */

/* A turn of a journal's stream. */
enum turn_outcome journal_turn(struct turn *t);

#endif
