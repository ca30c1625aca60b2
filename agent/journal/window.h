/* What was read of a journal and is not acknowledged yet, in the order of reading. It is what a
 * batch that was not taken is made from again, and what keeps entries that journald has deleted
 * meanwhile. */
#ifndef HAUL_AGENT_WINDOW_H
#define HAUL_AGENT_WINDOW_H

#include "agent/journal/cursor.h"

/* An entry and its number in the order of reading, which goes on over restarts. Number 0: none. */
struct journal_point {
	uint64_t number;
	struct cursor cursor;
};

struct journal_entry {
	struct journal_entry *next; /* of its stream */
	struct journal_point point;
	uint64_t at;            /* in its stream: it covers [at, at + count) */
	uint64_t count;         /* 1; of what is lost as many as there were */
	int64_t time_us;        /* INT64_MIN: it has none that makes sense */
	const char *lost_cause; /* a static text; NULL: it is an entry */
	size_t len;             /* of the message in `text` */
	bool silent;            /* it has no message */
	bool from_stderr;       /* or of priority err and worse */
	bool cut;               /* the message was longer */
	bool partial;           /* its line goes on in the next entry of the same output */
	bool joined;            /* it went out with the one that it goes on */
	bool done;              /* acknowledged */
	char text[];
};

struct window_block;

struct window {
	struct window_block *first, *last;
	size_t head; /* of the oldest entry in the first block */
	size_t bytes;
	struct journal_point upto; /* everything up to here is acknowledged */
};

/* Makes an entry at the end, zeroed but for len and text, which are of `message`; valid until it is
 * trimmed or cleared. Errors: -ENOMEM. */
int window_add(struct window *w, struct span message, struct journal_entry **ret) MUST_CHECK;

/* Gives up the oldest entries as far as they are done, and moves `upto` on. */
void window_trim(struct window *w);

/* Gives up all; `upto` stays. Fine on a zeroed one. */
void window_clear(struct window *w);

static inline bool window_empty(const struct window *w)
{
	return w->bytes == 0;
}

#endif
