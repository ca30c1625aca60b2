/* Streams of a journal: see stream.h. Entries belong to the window; a stream only chains its own.
 * Called by the journal that adds, by the pump that sends, and by the table of sources when the
 * collector has acknowledged. */
#include "agent/journal/stream.h"

#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct journal_stream *stream_new(void)
{
	return calloc(1, sizeof(struct journal_stream));
}

void stream_free(struct journal_stream *s)
{
	free(s);
}

void stream_add(struct journal_stream *s, struct journal_entry *e)
{
	e->at = s->next_at;
	s->next_at += e->count;
	if (s->last)
		s->last->next = e;
	else
		s->first = e;
	s->last = e;
}

struct journal_entry *stream_at(struct journal_stream *s, uint64_t offset)
{
	struct journal_entry *e = s->near && s->near->at <= offset ? s->near : s->first;
	while (e && e->at < offset) {
		s->near = e;
		e = e->next;
	}
	return e;
}

void stream_committed(struct journal_stream *s, uint64_t offset)
{
	for (struct journal_entry *e; (e = s->first) && e->at + e->count <= offset;) {
		s->committed.last = e->point;
		s->first = e->next;
		e->done = true;
	}
	if (!s->first)
		s->last = NULL;
	s->near = NULL;
	if (!s->window)
		return;
	window_trim(s->window);
	s->committed.upto = s->window->upto;
}

void stream_reset(struct journal_stream *s, uint64_t offset)
{
	s->first = s->last = s->near = NULL;
	s->next_at = offset;
}

/* --- state --- */

static int add_point(const struct journal_point *p, struct buf *out)
{
	if (!p->number)
		return buf_add_str(out, " -");
	int r = buf_printf(out, " %" PRIu64 ":", p->number);
	return r == 0 ? cursor_format(&p->cursor, out) : r;
}

int stream_state_encode(const struct journal_place *p, const struct frame_state *f, struct buf *out)
{
	size_t before = out->len, frame_at = 0;
	int r = buf_add_str(out, "j1");
	if (r == 0)
		r = add_point(&p->upto, out);
	if (r == 0)
		r = add_point(&p->last, out);
	if (r == 0)
		r = buf_add_char(out, ' ');
	frame_at = out->len;
	if (r == 0)
		r = frame_state_encode(f, out);
	if (r < 0)
		out->len = before;
	else if (out->len == frame_at)
		out->len--; /* a frame state that says nothing is not there */
	return r;
}

static struct span next_word(struct span *text)
{
	size_t n = span_find(*text, ' ');
	struct span word = span_first(*text, n);
	*text = span_from(*text, n < text->len ? n + 1 : n);
	return word;
}

static int take_point(struct span *text, struct journal_point *ret)
{
	struct span word = next_word(text);
	struct journal_point p = {0};
	if (!span_is(word, "-")) {
		size_t n = span_find(word, ':');
		if (n == word.len || num_parse_u64(span_first(word, n), &p.number) < 0 ||
		    !p.number || cursor_parse(span_from(word, n + 1), &p.cursor) < 0)
			return -EINVAL;
	}
	*ret = p;
	return 0;
}

int stream_state_decode(struct span text, struct journal_place *ret_place,
			struct frame_state *ret_frame)
{
	struct journal_place p;
	if (!span_is(next_word(&text), "j1") || take_point(&text, &p.upto) < 0 ||
	    take_point(&text, &p.last) < 0 || frame_state_decode(text, ret_frame) < 0)
		return -EINVAL;
	*ret_place = p;
	return 0;
}
