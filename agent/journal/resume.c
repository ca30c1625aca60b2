/* Where a journal is read from: see journal_inside.h. At a start, and whenever the collector has
 * listed its streams, each stream has a place: the entry that it has sent last, and one up to which
 * all entries of all streams were acknowledged by then. The newest of the latter is where reading
 * begins; newer is what has the greater number in the order of reading, for neither clocks nor
 * names of entries order them all. What was sent behind it, and acknowledged while others were
 * still on their way, is passed over stream by stream: those entries come again in the same order,
 * so everything up to the one that was sent last was sent.
 *
 *     the entry is there               reading goes on behind it
 *     it is not, others of its series  it was vacuumed: reading goes on with what follows; the gap in the
 *     are                              numbers is the loss
 *     nothing of its series is there   the journal is another one (journald began a new one, or it was removed):
 *                                      it is read from its beginning */
#include "agent/journal/journal_inside.h"

bool resume_was_sent(struct journal *j, struct journal_stream *s, const struct cursor *c)
{
	bool same = cursor_same_series(c, &s->sent.cursor);
	if (!s->sent.number)
		return false;
	if (same && c->seqnum < s->sent.cursor.seqnum)
		return true;
	if (!same && !cursor_equal(c, &s->sent.cursor))
		return s->sent_is_there;
	bool sent = cursor_equal(c, &s->sent.cursor);
	/* It is passed. Numbers go on from there, whatever has been vacuumed meanwhile. */
	if (j->read.number < s->sent.number)
		j->read.number = s->sent.number;
	s->sent.number = 0;
	return sent;
}

void resume_journal(struct journal *j, const struct journal_point *from, bool from_head)
{
	window_clear(&j->window);
	j->window.upto = *from;
	if (from_head)
		j->window.upto = (struct journal_point){0};
	j->read = j->window.upto;
	j->n_series = 0;
	j->too_many_series = false;
	j->again = false;
	for (size_t at = 0;;) {
		struct source *s = map_next(&j->by_name, &at);
		if (!s)
			break;
		struct journal_stream *stream = s->journal;
		stream_reset(stream, s->cursor.offset);
		stream->sent = stream->committed.last;
		if (stream->sent.number <= j->read.number)
			stream->sent.number = 0;
		s->size = s->cursor.offset;
		s->behind_since_ns = 0;
	}
	j->settled = true;
	j->at_end = false;
	journal_close(j, 0);
}

/* Is there an entry of that series at either end? */
static int series_is_there(struct journal *j, const struct cursor *c, bool *ret)
{
	int e = reader_to_head(j->reader);
	if (e == 0)
		e = reader_next(j->reader, &j->record);
	*ret = e > 0 && cursor_same_series(&j->record.cursor, c);
	if (e <= 0 || *ret)
		return e < 0 ? e : 0;
	e = reader_to_tail(j->reader, &j->record);
	*ret = e > 0 && cursor_same_series(&j->record.cursor, c);
	return e < 0 ? e : 0;
}

static int find_what_was_sent(struct journal *j)
{
	for (size_t at = 0;;) {
		struct source *s = map_next(&j->by_name, &at);
		if (!s)
			return 0;
		if (!s->journal->sent.number)
			continue;
		int e = reader_to(j->reader, &s->journal->sent.cursor, &s->journal->sent_is_there);
		if (e < 0)
			return e;
	}
}

static int begin(struct journal *j)
{
	if (!j->to_tail)
		return reader_to_head(j->reader);
	return 0; /* the journal does that: what is there already is an entry that it passes over */
}

static void remember_point(struct journal *j, const struct journal_point *p)
{
	if (!p->number || p->number > j->read.number)
		return;
	for (size_t i = 0; i < j->n_series; i++) {
		struct cursor *last = &j->series[i].last;
		if (!cursor_same_series(last, &p->cursor))
			continue;
		if (p->cursor.seqnum > last->seqnum)
			*last = p->cursor;
		return;
	}
	journal_remember(j, &p->cursor, 0);
}

/* The series that streams have had entries of. Everything up to where it goes on was read,
 * whichever of them had the numbers. */
static void remember_what_was_read(struct journal *j)
{
	const struct cursor *from = &j->read.cursor;
	struct source *s;
	remember_point(j, &j->read);
	for (size_t at = 0; (s = map_next(&j->by_name, &at)) != NULL;) {
		remember_point(j, &s->journal->committed.last);
		remember_point(j, &s->journal->committed.upto);
	}
	for (size_t i = 0; i < j->n_series; i++) {
		struct series *known = &j->series[i];
		bool same_boot =
			memcmp(known->last.boot_id, from->boot_id, sizeof(from->boot_id)) == 0;
		known->others = 0;
		known->base = known->last.seqnum;
		if (same_boot && known->base < from->seqnum)
			known->base = from->seqnum;
	}
}

int resume_place(struct journal *j)
{
	const struct cursor *c = &j->read.cursor;
	bool found, there = true;
	int e = find_what_was_sent(j);
	if (e < 0)
		return e;
	if (!j->read.number)
		return begin(j);
	e = reader_to(j->reader, c, &found);
	if (e == 0 && !found)
		e = series_is_there(j, c, &there);
	if (e < 0)
		return e;
	if (!there) {
		log_notice("%s: it is another journal than the one that was read before: it is "
			   "read from its beginning",
			   j->path);
		return reader_to_head(j->reader);
	}
	if (!j->n_series)
		remember_what_was_read(j);
	return found ? 0 : reader_to(j->reader, c, &found);
}
