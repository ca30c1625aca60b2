/* A turn of a journal's stream: its entries become lines. Called by the pump.
 *
 * An entry is one event: the first line of its message is a head (or goes on the entry before it,
 * as `multiline` says), the further ones are continuations. keep, drop and mask see the whole
 * message. Its time is what the entry says; whether its text has a timestamp only decides what is a
 * head.
 *
 * Container runtimes cut long lines into entries: these are joined, with other entries of the
 * stream between them or not, and a chunk never ends inside of such a line. What is not complete
 * waits for its end for ten seconds. */
#include "agent/ship/turn.h"

#include "agent/journal/stream.h"
#include "agent/lines/classify.h"
#include "agent/lines/filter.h"
#include "common/clock.h"
#include "common/crc64.h"

#include <assert.h>

enum { LINES_MAX = 10000 }; /* of one message; what is behind stands in the last one */

/* --- lines --- */

/* A line of a message: up to its LF, or all that is left. */
static struct span next_line(struct span *text, bool all, bool *ret_more)
{
	size_t n = all ? text->len : span_find(*text, '\n');
	struct span line = span_first(*text, n);
	*ret_more = n < text->len;
	*text = span_from(*text, *ret_more ? n + 1 : n);
	return line;
}

static void put_lines(struct turn *t, struct span text, struct message m)
{
	struct filter *filter = t->s->input->filter;
	bool ended = m.ended, more = true;
	if (filter)
		t->s->input->masked_total += filter_mask(filter, &text, m.whole);
	for (int i = 1; more && !t->error; i++) {
		m.text = next_line(&text, i == LINES_MAX, &more);
		m.ended = ended || more;
		turn_put(t, m);
		m.kind = LINE_CONT;
	}
}

static void take_message(struct turn *t, const struct journal_entry *e, struct span text,
			 bool ended)
{
	struct input *input = t->s->input;
	struct output_state *o = &t->at.frame.outputs[e->from_stderr ? 1 : 0];
	bool whole = ended && !o->in_line;
	/* Its rest may come, and may have the other half of what is to be hidden. */
	o->in_line = !ended && !e->cut && filter_masks(input->filter);
	bool untimed = e->time_us == INT64_MIN;
	int64_t time_us = untimed ? t->read_us : e->time_us, stamp_us;
	if (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (input->filter && !filter_keeps(input->filter, text)) {
		t->dropped++;
		return;
	}
	struct span first = span_first(text, span_find(text, '\n'));
	bool has_stamp = stamp_find(input->stamp, &t->s->stamp_memory[e->from_stderr ? 1 : 0],
				    first, t->read_us, &stamp_us) > 0;
	struct line_class class = classify(input->classifier, o, first, has_stamp ? &time_us : NULL,
					   (struct line_moment){time_us, untimed});
	put_lines(t, text,
		  (struct message){
			  .ended = ended,
			  .whole = whole,
			  .kind = class.kind,
			  .read_time = class.read_time,
			  .from_stderr = e->from_stderr,
			  .time_us = class.time_us,
		  });
}

/* --- pieces --- */

/* Joins what the entry begins: *ret_end is where the last of its pieces ends. False: that is still
 * to come. */
static bool join(struct turn *t, struct journal_entry *e, bool may_wait, bool *ret_ended,
		 uint64_t *ret_end)
{
	struct buf *joined = &t->p->joined;
	struct journal_entry *piece = e;
	if (clock_mono_ns() - t->s->journal->added_ns >= STREAM_WAIT_NS)
		may_wait = false;
	buf_clear(joined);
	*ret_ended = false;
	for (; piece && !*ret_ended && joined->len < ENVELOPE_LINE_MAX; piece = piece->next) {
		if (piece->lost_cause)
			break;
		if (piece->from_stderr != e->from_stderr)
			continue;
		t->error = buf_add(joined, piece->text, piece->len);
		if (t->error < 0)
			return false;
		*ret_end = piece->at + piece->count;
		*ret_ended = !piece->partial;
	}
	t->s->journal->waits = !*ret_ended && !piece && may_wait;
	if (t->s->journal->waits)
		return false;
	for (piece = e->next; piece && piece->at < *ret_end; piece = piece->next)
		piece->joined = piece->joined || piece->from_stderr == e->from_stderr;
	return true;
}

/* One entry; false: nothing can be taken now. *until moves to where its last piece ends. */
static bool take_entry(struct turn *t, struct journal_entry *e, uint64_t *until)
{
	struct span text = span_make(e->text, e->len);
	bool ended = !e->cut;
	if (e->silent) {
		t->dropped++;
	} else if (e->partial && !e->joined) {
		uint64_t end = 0;
		if (!join(t, e, e->at >= *until, &ended, &end))
			return false;
		*until = end > *until ? end : *until;
		take_message(t, e, buf_span(&t->p->joined), ended);
	} else if (!e->joined) {
		take_message(t, e, text, ended);
	}
	t->at.offset += e->count;
	t->at.crc = crc64_add(t->at.crc, e->text, e->len);
	t->at.crc = crc64_add(t->at.crc, "\n", 1);
	return true;
}

/* --- chunks --- */

/* The chunk up to t->at, whose last entry is `last` (NULL: it has none). */
static enum turn_outcome tell(struct turn *t, const struct journal_entry *last,
			      struct batcher_chunk c)
{
	struct source *s = t->s;
	struct journal_stream *stream = s->journal;
	struct journal_place place = stream->committed;
	if (stream->window)
		place.upto = stream->window->upto;
	if (last)
		place.last = last->point;
	else if (stream->last)
		place.last = stream->last->point; /* the end comes behind all of them */
	buf_clear(&t->p->state);
	c.raw_at = t->b->raw.len;
	if (stream_state_encode(&place, &t->at.frame, &t->p->state) < 0 || turn_put_chunk(t, c) < 0)
		return TURN_LATER;
	s->cursor = t->at;
	stream->told = place.upto.number;
	if (c.ended)
		source_move(t->p->table, s, SOURCE_ENDING);
	return c.ended ? TURN_DONE : TURN_AGAIN;
}

static enum turn_outcome tell_loss(struct turn *t, const struct journal_entry *last, uint64_t to,
				   const char *cause)
{
	t->at.offset = t->at.base = to;
	t->at.crc = CRC64_EMPTY;
	return tell(t, last, (struct batcher_chunk){.lost_cause = cause});
}

/* Entries that the collector refuses: the cursor stands where they begin. */
static enum turn_outcome tell_refused(struct turn *t, struct journal_entry *e)
{
	struct source *s = t->s;
	while (e->next && e->at + e->count < s->lost_to)
		e = e->next;
	enum turn_outcome o = tell_loss(t, e, e->at + e->count, s->lost_cause);
	if (o != TURN_LATER)
		s->lost_from = s->lost_to = 0;
	return o;
}

enum turn_outcome journal_turn(struct turn *t)
{
	struct source *s = t->s;
	struct journal_entry *e = stream_at(s->journal, s->cursor.offset), *last = NULL;
	uint64_t until = 0;
	size_t bytes = 0;
	if (!e)
		return s->state == SOURCE_DRAINED
			       ? tell(t, NULL, (struct batcher_chunk){.ended = true})
			       : TURN_DONE;
	assert(e->at == s->cursor.offset);
	if (s->lost_to > s->lost_from && s->lost_from == e->at)
		return tell_refused(t, e);
	if (e->lost_cause)
		return tell_loss(t, e, e->at + e->count, e->lost_cause);
	for (; e && !e->lost_cause; last = e, e = e->next) {
		if (last && e->at >= until && turn_full(t, e->at - s->cursor.offset))
			break;
		if (!take_entry(t, e, &until))
			break;
		bytes += e->len;
	}
	if (t->error)
		return TURN_LATER;
	if (!last)
		return TURN_DONE;
	enum turn_outcome o = tell(t, last, (struct batcher_chunk){0});
	if (o != TURN_LATER)
		turn_count(t, bytes);
	return o == TURN_AGAIN && !e ? TURN_DONE : o;
}
