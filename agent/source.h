/* A source: one incarnation of a log file on this host, what survives a rename. While it lives it is known
 * by (inode, birth time); the device number is only a hint. The table owns all sources.
 *
 *                        found                          its name is another file's now
 *     (registry) MISSING ------> FOLLOWING <-- NEW       or a rotated name
 *         |                         |  \________________________> ROTATED
 *         |                         | no name left                   |
 *         |                         v                                | no name left
 *         |                      UNLINKED <--------------------------+
 *         | given up                | read to the end, acknowledged,  | read to the end, acknowledged,
 *         v                         v idle                            v and surely not written any more
 *       ENDED <------------------ DRAINED <--------------------------+
 *
 * source_move is the only place where a state changes. */
#ifndef HAUL_AGENT_SOURCE_H
#define HAUL_AGENT_SOURCE_H

#include "agent/input.h"
#include "agent/position.h"
#include "common/list.h"
#include "common/log.h"
#include "common/stream_id.h"

#include <stdint.h>
#include <sys/types.h>

enum source_state {
	SOURCE_NEW,	  /* seen; not to be read before the collector's streams are known */
	SOURCE_MISSING,	  /* known from registry or collector; no file found for it (yet) */
	SOURCE_FOLLOWING, /* a followed name leads to it */
	SOURCE_ROTATED,	  /* its name was changed or taken; it may still be written */
	SOURCE_UNLINKED,  /* no name leads to it; the descriptor is all there is */
	SOURCE_DRAINED,	  /* read to the end and acknowledged; to be let go */
	SOURCE_ENDED,	  /* let go: kept in the registry only, to recognise copies of it */
};

const char *source_state_name(enum source_state s);

struct source {
	struct list_node node;	/* in the table, in order of age */
	struct list_node ready; /* linked: there may be bytes to read; sources take turns */
	enum source_state state;

	/* identity */
	struct stream_id id;
	char *path; /* the name it was last seen under; owned */
	uint64_t ino;
	int64_t btime_ns; /* 0: not known on this file system */
	dev_t dev;	  /* hint */

	/* where its lines go; valid names; owned */
	char *service;
	char *instance; /* "" none */
	struct input *input;

	/* how far */
	uint64_t start; /* where the stream begins */
	struct position committed; /* the collector's word */
	struct position cursor;	   /* lines are cut up to here; committed <= cursor */
	bool announced;		   /* the registry knows its id: chunks may leave */
	bool born;		   /* the collector knows the stream */
	uint64_t size;		   /* as last seen by statx */
	uint64_t tail_hash;	   /* CRC-64 of the up to 4 KiB before cursor.offset */

	/* reading */
	int fd;		   /* -1: closed while idle, reopened when it grows */
	struct buf replay; /* bytes from cursor.offset on that came back from a batch (rewind): read
			      before the file, which may not have them any more */
	uint64_t limit_bytes; /* read at most so much at a turn: after a refusal; 0: no limit */
	int64_t last_growth_ns, last_read_ns;
	struct stamp_memory stamp_memory;
	void *envelope; /* container decoder's memory (agent/envelope.h); NULL for plain files */

	/* what the collector is still to be told besides lines */
	uint64_t lost_from, lost_to; /* these bytes cannot be read any more; equal: nothing is lost. The
					pump tells when the cursor arrives at lost_from, and clears them;
					what stands in replay before it is shipped first. Set by follow and
					discover; a rewind sets them again. */
	const char *lost_cause; /* a static text: truncated, deleted, refused, limit ... */
	bool end_due;		/* DRAINED: an empty chunk with `ended` closes the stream; ENDED on its ack */

	/* what status shows */
	int64_t behind_since_ns; /* monotonic; since when there is something unacknowledged; 0: there is not.
				    Set by follow and discover when it grows, cleared by source_commit */
	double rate;		 /* acknowledged bytes a second, averaged over some 10 s by source_commit */
	int64_t rate_ns;
	uint64_t lines, dropped;
	int last_error; /* errno of the last failed access; 0: fine */
	struct log_gate error_gate;
};

struct source_table;

/* Everything in the table that follow, discover and the pump need to say to each other goes through
 * these; see the functions' files for who calls what. */
struct source_table *source_table_new(void);
void source_table_free(struct source_table *t);

/* The one place where a state changes; asserts that the step is one of the diagram's. */
void source_move(struct source_table *t, struct source *s, enum source_state to);

/* Marks that there may be bytes to read; the source queues up behind the others. */
void source_set_ready(struct source_table *t, struct source *s);
/* The source whose turn it is, taken off the queue; NULL: none is ready. Sources in state NEW and MISSING
 * are never given; DRAINED ones with end_due are. */
struct source *source_next_ready(struct source_table *t);
bool source_any_ready(const struct source_table *t);

/* Walks all. */
struct source *source_first(const struct source_table *t);
struct source *source_after(const struct source_table *t, const struct source *s);

/* --- the collector's word (by the uplink, through the agent) --- */

/* A chunk of it up to `to` is durable (also an earlier one than the cursor). Adds a rung to its ladder; the registry is told. */
void source_commit(struct source_table *t, struct source *s, const struct position *to);

/* The bytes between committed and cursor come back: `raw` (everything that batches hold of it from
 * committed.offset on, in order) is read again before the file; the cursor goes back to committed. */
int source_rewind(struct source_table *t, struct source *s, struct span raw) MUST_CHECK;

#endif
