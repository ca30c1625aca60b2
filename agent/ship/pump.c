/* The pump: see pump.h. Called by the agent's loop when a batch may grow.
 *
 * A turn reads up to a quantum of one source straight into the batch's raw buffer, cuts whole
 * lines, and puts them as one chunk into the batch; the bytes of a line that is not whole yet stay
 * unread for the next turn. A line longer than a quantum is read with ever larger steps up to what
 * the raw buffer holds; only a line longer than that goes out in portions before its end has been
 * seen, and then the frame state remembers what had been decided about it.
 *
 * When memory is short or a file cannot be read, the turn ends without a chunk and the cursor
 * stays: nothing is lost, it is tried again. */
#include "agent/ship/pump.h"

#include "agent/files/elder.h"
#include "agent/files/follow.h"
#include "agent/lines/envelope.h"
#include "agent/ship/turn.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	COMPACT_BELOW =
		64 * 1024, /* a chunk smaller than this does not keep its check bytes in raw */
	PAYLOAD_KEEP = 1024 * 1024, /* memory that the payload buffer may hold on to */
};

int pump_new(struct source_table *t, const char *host, struct pump **ret)
{
	struct pump *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	int r = envelopes_new(t, &p->envelopes);
	if (r < 0) {
		free(p);
		return r;
	}
	p->table = t;
	p->host = host;
	*ret = p;
	return 0;
}

void pump_free(struct pump *p)
{
	if (!p)
		return;
	envelopes_free(p->envelopes);
	buf_free(&p->payload);
	buf_free(&p->state);
	buf_free(&p->joined);
	free(p);
}

/* --- chunks --- */

int turn_put_chunk(struct turn *t, struct batcher_chunk c)
{
	struct source *s = t->s;
	int r = 0;
	if (!s->journal) { /* whose turn has made it */
		buf_clear(&t->p->state);
		r = frame_state_encode(&t->at.frame, &t->p->state);
	}
	if (r < 0)
		return r;
	struct chunk header = {
		.stream = s->id,
		.host = span_of(t->p->host),
		.service = span_of(s->service),
		.instance = span_of(s->instance),
		.path = span_of(s->path),
		.ino = s->ino,
		.btime_ns = s->btime_ns,
		.start = s->start,
		.from = s->cursor.offset,
		.to = t->at.offset,
		.base = t->at.base,
		.crc_from = s->cursor.crc,
		.crc = t->at.crc,
		.lines = t->lines,
		.dropped = t->dropped,
		.state = buf_span(&t->p->state),
		.loss = span_of(c.lost_cause),
		.ended = c.ended,
		.bytes = t->p->payload.len,
	};
	c.source = s;
	c.from = s->cursor;
	c.to = t->at;
	c.lines = t->lines;
	c.dropped = t->dropped;
	return batcher_add(t->b, &c, &header, buf_span(&t->p->payload), clock_mono_ns());
}

/* Chunks without lines: a hole (carried in the checksum by zero extension), a loss (a new base), an
 * end. */
static enum turn_outcome tell(struct turn *t, uint64_t to, const char *lost_cause, bool ended)
{
	struct source *s = t->s;
	if (lost_cause && t->enveloped)
		envelope_drop(s, &t->at.frame);
	if (lost_cause) {
		t->at.base = to;
		t->at.crc = CRC64_EMPTY;
	} else {
		t->at.crc = crc64_add_zeros(t->at.crc, to - t->at.offset);
	}
	t->at.offset = to;
	int r = turn_put_chunk(t, (struct batcher_chunk){.lost_cause = lost_cause,
							 .ended = ended,
							 .raw_at = t->b->raw.len});
	if (r < 0)
		return TURN_LATER;
	if (t->enveloped)
		envelope_end(s, &t->at);
	if (lost_cause)
		s->lost_from = s->lost_to = 0;
	if (ended) {
		source_move(t->p->table, s, SOURCE_ENDING);
		return TURN_DONE;
	}
	follow_skip(s, &t->at);
	return TURN_AGAIN;
}

void turn_count(struct turn *t, size_t bytes)
{
	t->s->lines += t->lines;
	t->s->dropped += t->dropped;
	t->s->input->lines_total += t->lines;
	t->s->input->dropped_total += t->dropped;
	t->s->input->bytes_total += bytes;
}

/* The bytes `lines` in raw were cut into the payload: makes the chunk and moves the cursor. */
static int tell_lines(struct turn *t, struct span lines)
{
	struct buf *raw = &t->b->raw;
	t->at.offset += lines.len;
	t->at.crc = crc64_add(t->at.crc, lines.ptr, lines.len);
	struct batcher_chunk c = {.raw_at = (size_t)(lines.ptr - raw->ptr), .raw_len = lines.len};
	if (lines.len < COMPACT_BELOW)
		c.raw_at = raw->len;
	int r = turn_put_chunk(t, c);
	if (r < 0)
		return r;
	follow_advance(t->s, lines, &t->at);
	if (c.raw_at == raw->len)
		memmove(raw->ptr + raw->len, lines.ptr, lines.len);
	raw->len = c.raw_at + lines.len;
	if (t->enveloped)
		envelope_end(t->s, &t->at);
	turn_count(t, lines.len);
	return 0;
}

/* The file is at its end or was cut, and lines are open: their pieces go out under the LF that was
 * kept for them. */
static enum turn_outcome tell_open(struct turn *t)
{
	struct source *s = t->s;
	struct buf *raw = &t->b->raw;
	t->last = s->lost_to == s->lost_from;
	turn_flush(t, true);
	if (t->error)
		return TURN_LATER;
	if (envelope_open(&t->at.frame))
		return TURN_DONE;
	size_t at = raw->len;
	t->at.frame.at_lf = false;
	t->at.offset++;
	t->at.crc = crc64_add(t->at.crc, "\n", 1);
	if (buf_add_char(raw, '\n') < 0 ||
	    turn_put_chunk(t, (struct batcher_chunk){.raw_at = at, .raw_len = 1}) < 0) {
		raw->len = at;
		return TURN_LATER;
	}
	follow_skip(s, &t->at);
	envelope_end(s, &t->at);
	turn_count(t, 1);
	if (s->lost_to > s->lost_from && ++s->lost_from == s->lost_to)
		s->lost_from = s->lost_to = 0;
	return TURN_AGAIN;
}

/* --- turns --- */

/* Do the bytes that were read end where a loss begins? */
static bool before_loss(const struct source *s, size_t len)
{
	return s->lost_to > s->lost_from && s->cursor.offset + len == s->lost_from;
}

/* Reads with steps of growing size until a line is whole, and makes the chunk. */
static enum turn_outcome read_lines(struct turn *t)
{
	struct buf *raw = &t->b->raw;
	size_t room = raw->cap - raw->len;
	size_t size = FOLLOW_CHECK_BYTES + FOLLOW_QUANTUM;
	for (;; size *= 4) {
		struct span in;
		uint64_t hole = 0;
		if (size > room)
			size = room;
		int r = follow_read(t->p->table, t->s, raw->ptr + raw->len, size, &in, &hole);
		if (r < 0 || r == FOLLOW_END || r == FOLLOW_GONE)
			return TURN_DONE;
		if (r == FOLLOW_HOLE) {
			log_notice("%s: a hole of %" PRIu64 " bytes at offset %" PRIu64
				   ": it is passed over",
				   t->s->path, hole, t->at.offset);
			return tell(t, t->at.offset + hole, NULL, false);
		}
		bool last = r == FOLLOW_LAST;
		bool more = in.len + FOLLOW_CHECK_BYTES >= size;
		t->last = last;
		size_t consumed = turn_cut_lines(t, in, last);
		if (t->enveloped) {
			if (!more && consumed == in.len)
				turn_flush(t, last || before_loss(t->s, in.len));
			consumed = turn_keep_lf(t, consumed);
		}
		if (!consumed && !last && more) {
			if (size < room)
				continue;
			if (!batcher_empty(t->b))
				return TURN_LATER;
			consumed = turn_cut_lines(t, in, true);
			if (t->enveloped)
				consumed = turn_keep_lf(t, consumed);
		}
		if (!consumed)
			return TURN_DONE;
		if (t->error || tell_lines(t, span_first(in, consumed)) < 0)
			return TURN_LATER;
		return more || last || consumed < in.len ? TURN_AGAIN : TURN_DONE;
	}
}

/* Is something to be told before anything is read? */
static bool is_to_tell(const struct source *s)
{
	return (s->lost_to > s->lost_from && s->cursor.offset == s->lost_from) ||
	       s->state == SOURCE_DRAINED;
}

static enum turn_outcome tell_first(struct turn *t)
{
	struct source *s = t->s;
	bool loss = s->lost_to > s->lost_from;
	/* What was refused may be the pieces themselves. */
	if (t->enveloped && s->cursor.frame.at_lf && envelope_open(&s->cursor.frame) &&
	    (!loss || strcmp(s->lost_cause, "refused") != 0))
		return tell_open(t);
	if (loss)
		return tell(t, s->lost_to, s->lost_cause, false);
	return tell(t, t->at.offset, NULL, true);
}

/* Is its turn now? An older file of the same log may go first. Errors: of reading what that has
 * left to it. */
static int may_begin(struct pump *p, struct source *s)
{
	bool begins = !s->journal && s->cursor.offset == s->start && s->state != SOURCE_DRAINED;
	if (begins && elder_goes_first(p->table, s, clock_mono_ns()))
		return -EAGAIN;
	int r = envelope_wanted(s) ? envelope_begin(p->envelopes, s) : 0;
	if (r == 0)
		elder_wait_over(s);
	return r;
}

static enum turn_outcome take_turn(struct pump *p, struct batcher *b, struct source *s)
{
	bool enveloped = envelope_wanted(s);
	int r = may_begin(p, s);
	if (r == -EAGAIN)
		elder_wait(p->table, s, clock_mono_ns());
	if (r < 0)
		return r == -ENOMEM ? TURN_LATER : TURN_DONE;
	struct turn t = {
		.p = p,
		.b = b,
		.s = s,
		.at = s->cursor,
		.read_us = clock_real_ns() / NUM_US_NS,
		.enveloped = enveloped,
	};
	buf_clear(&p->payload);
	enum turn_outcome o = s->journal      ? journal_turn(&t)
			      : is_to_tell(s) ? tell_first(&t)
					      : read_lines(&t);
	if (p->payload.cap > PAYLOAD_KEEP)
		buf_free(&p->payload);
	if (p->joined.cap > PAYLOAD_KEEP)
		buf_free(&p->joined);
	return o;
}

int64_t pump_next_ns(const struct pump *p)
{
	int64_t open_ns = envelopes_next_ns(p->envelopes);
	int64_t wait_ns = elder_next_ns(p->table);
	return open_ns < wait_ns ? open_ns : wait_ns;
}

void pump_counters(const struct pump *p, struct envelopes_counters *ret)
{
	envelopes_counters(p->envelopes, ret);
}

bool pump_turn(struct pump *p, struct batcher *b)
{
	int64_t now_ns = clock_mono_ns();
	envelopes_tick(p->envelopes, now_ns);
	elder_tick(p->table, now_ns);
	struct source *s = batcher_full(b) ? NULL : source_next_ready(p->table);
	if (!s)
		return false;
	uint64_t from = s->cursor.offset;
	enum turn_outcome outcome = take_turn(p, b, s);
	if (!s->journal)
		elder_had_turn(p->table, s, outcome != TURN_LATER && s->cursor.offset == from);
	switch (outcome) {
	case TURN_DONE: return true;
	case TURN_AGAIN: source_set_ready(p->table, s); return true;
	case TURN_LATER:
		source_set_ready(p->table, s);
		b->crowded = true;
		break;
	}
	return false;
}
