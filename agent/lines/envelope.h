/* The container envelope: from physical lines of a container log to what the container wrote.
 *
 * Runtimes cut long lines into pieces (CRI's tag P, Docker's 16 KiB), and pieces of stdout and
 * stderr may alternate. The pieces of a line are held, per source and output, until it is whole,
 * too long or too old; lines that are finished meanwhile are not held up by them. So the cursor
 * passes pieces that have not been sent, and the frame state says where the first of them begins
 * (open_from): a restart or a rewind reads them there again.
 *
 * Pieces that have to go out at last without any new byte (too old, or the file is at its end) need
 * a range of bytes to go out under, or a repeat could not be told. That is why a chunk behind which
 * a line is open ends before its last LF (frame_state.at_lf): that byte is what such pieces go out
 * under.
 *
 * A rotation may come between two pieces. The file that begins then goes the line on (heir): before
 * its first line it takes the pieces of the one before it and names that one's stream in its state;
 * the one before drops them when that is committed, and the heir does not end before. Which file is
 * the one before: agent/files/elder.h. */
#ifndef HAUL_AGENT_ENVELOPE_H
#define HAUL_AGENT_ENVELOPE_H

#include "agent/files/source.h"
#include "agent/lines/frame.h"

/* A line that is longer than this goes out in portions, as does one that grows while all together
 * hold more than that. keep and drop then see the portions, and mask hides them. */
#define ENVELOPE_LINE_MAX (2 * 1024 * 1024)
#define ENVELOPE_ALL_MAX  (4 * 1024 * 1024)

/* No further piece for so long: what is there goes out as it is (flag P). */
#define ENVELOPE_AGE_NS (10 * INT64_C(1000000000))

struct envelopes; /* what those of all sources share */

/* The table outlives it. Errors: -ENOMEM. */
int envelopes_new(struct source_table *t, struct envelopes **ret) MUST_CHECK;
/* With the envelopes of all sources. */
void envelopes_free(struct envelopes *all);

/* Of a source that is dropped (s->envelope); fine on NULL. */
void envelope_free(struct envelope *e);

/* Has this type of input an envelope? */
static inline bool envelope_wanted(const struct source *s)
{
	return s->input && s->input->type != INPUT_FILE && s->input->type != INPUT_JOURNAL;
}

/* What a container wrote. The text is valid until the next call for any source. */
struct envelope_message {
	struct span text;
	int64_t time_us; /* when the runtime took it; INT64_MIN: not known */
	uint8_t output;
	bool clean; /* line_clean(text) is known to be true */
	bool ended; /* its end is in text; else more of it follows */
	bool alone; /* a line that the runtime did not write: as it stands, and part of no other */
};

/* At the begin of a turn: the pieces that the cursor's state tells of are in memory. Those that
 * cannot be read again are said aloud, and the state forgets them. Errors: -EAGAIN, the file before
 * this one is to be read first (both are ready); others: try again later. */
int envelope_begin(struct envelopes *all, struct source *s) MUST_CHECK;

/* Takes a physical line that begins at offset `at` and moves `f` on: 1 with a message, 0 when there
 * is none (now). Errors: -ENOMEM. */
int envelope_take(struct source *s, struct frame_state *f, const struct frame_line *line,
		  uint64_t at, struct envelope_message *ret) MUST_CHECK;

/* Pieces that go out as they are now, one message a call, until it returns 0. `last`: the file is
 * at its end; else only those that are too old. */
int envelope_flush(struct source *s, struct frame_state *f, bool last,
		   struct envelope_message *ret) MUST_CHECK;

/* Is a line open behind this state? */
bool envelope_open(const struct frame_state *f);

/* The pieces are given up: they were lost with what follows them. */
void envelope_drop(struct source *s, struct frame_state *f);

/* The turn's chunk was made, up to `to`. When a turn has changed something and ends without this
 * call, the memory is taken for wrong, and the next turn begins with reading the pieces again. */
void envelope_end(struct source *s, const struct position *to);

/* Sources with pieces that may be too old become ready. */
void envelopes_tick(struct envelopes *all, int64_t now_ns);
/* When envelopes_tick wants to be called next (monotonic); INT64_MAX: nothing is open. */
int64_t envelopes_next_ns(const struct envelopes *all);

struct envelopes_counters {
	uint64_t held_bytes;
	uint64_t malformed_lines; /* not the runtime's: sent as they stand */
	uint64_t lost_pieces;     /* lines whose first pieces could not be read again */
};
void envelopes_counters(const struct envelopes *all, struct envelopes_counters *ret);

#endif
