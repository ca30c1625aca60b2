/* Lines of one turn, cut and put as payload: see turn.h. Called by the pump with what was read.
 *
 *     frame (where a line ends) -> envelope (a container runtime's) -> stamp, classify, filter -> mask -> payload line
 *
 * A line that is longer than what was read at once comes in portions: what was decided of its first
 * one, which the frame state remembers, holds for all. */
#include "agent/ship/turn.h"

#include "agent/lines/classify.h"
#include "agent/lines/filter.h"
#include "agent/lines/frame.h"

/* A message that is known to be clean goes out without being looked at again. */
static int add_clean(struct buf *out, int64_t time_us, struct line_flags flags, struct span text)
{
	int r = buf_reserve(out, LINE_PREFIX_MAX + text.len + 1);
	if (r < 0)
		return r;
	char *p = out->ptr + out->len;
	civil_format_us(p, time_us);
	p += CIVIL_TIME_LEN;
	p += line_format_flags(p, flags);
	*p++ = ' ';
	if (text.len)
		memcpy(p, text.ptr, text.len);
	p += text.len;
	*p++ = '\n';
	out->len = (size_t)(p - out->ptr);
	return 0;
}

void turn_put(struct turn *t, struct message m)
{
	do {
		size_t n = frame_piece(m.text, t->s->input->max_line);
		bool last = n == m.text.len;
		struct line_flags flags = {
			.kind = last && m.ended ? m.kind : LINE_PIECE,
			.from_stderr = m.from_stderr,
			.read_time = m.read_time,
		};
		struct span piece = span_first(m.text, n);
		/* A piece of a clean message is clean: it is cut between characters. */
		int r = m.clean ? add_clean(&t->p->payload, m.time_us, flags, piece)
				: line_add_payload(&t->p->payload, m.time_us, flags, piece);
		if (r < 0) {
			t->error = r;
			return;
		}
		t->lines++;
		m.text = span_from(m.text, n);
	} while (m.text.len);
}

/* One message as one or more payload lines. */
static void put_message(struct turn *t, struct message m)
{
	struct filter *filter = t->s->input->filter;
	if (filter) {
		size_t places = filter_mask(filter, &m.text, m.whole);
		t->s->input->masked_total += places;
		m.clean = m.clean && !places;
	}
	turn_put(t, m);
}

/* A further portion of a line that began in an earlier one: what was decided then holds. */
static void take_portion(struct turn *t, const struct envelope_message *m)
{
	struct output_state *o = &t->at.frame.outputs[m->output];
	if (!o->in_line_dropped)
		put_message(t, (struct message){
				       .text = m->text,
				       .clean = m->clean,
				       .ended = m->ended,
				       .kind = o->in_line_kind,
				       .read_time = o->in_line_read_time,
				       .from_stderr = m->output == 1,
				       .time_us = o->in_line_us,
			       });
	o->in_line = !m->ended;
}

/* Is all of the line there, and as it was written? Docker's, when it is none of moby's, is in
 * JSON's escapes. */
static bool is_whole(const struct turn *t, const struct envelope_message *m)
{
	bool escaped = m->alone && t->s->input->type == INPUT_DOCKER &&
		       span_find(m->text, '\\') < m->text.len;
	return (m->ended || t->last) && !escaped;
}

/* What was written as one line, or as much of it as is there. */
static void take_message(struct turn *t, const struct envelope_message *m)
{
	struct output_state *o = &t->at.frame.outputs[m->output];
	struct input *input = t->s->input;
	if (o->in_line && !m->alone) {
		take_portion(t, m);
		return;
	}
	int64_t stamp_us;
	bool has_stamp = stamp_find(input->stamp, &t->s->stamp_memory[m->output], m->text,
				    t->read_us, &stamp_us) > 0;
	bool untimed = m->time_us == INT64_MIN;
	struct line_class class =
		classify(input->classifier, o, m->text, has_stamp ? &stamp_us : NULL,
			 (struct line_moment){untimed ? t->read_us : m->time_us, untimed});
	bool keep = !input->filter || filter_keeps(input->filter, m->text);
	if (keep)
		put_message(t, (struct message){
				       .text = m->text,
				       .clean = m->clean,
				       .ended = m->ended,
				       .whole = is_whole(t, m),
				       .kind = class.kind,
				       .read_time = class.read_time,
				       .from_stderr = m->output == 1,
				       .time_us = class.time_us,
			       });
	else
		t->dropped++;
	if (!m->ended) {
		o->in_line = true;
		o->in_line_dropped = !keep;
		o->in_line_kind = class.kind;
		o->in_line_us = class.time_us;
		o->in_line_read_time = class.read_time;
	}
}

/* A physical line that begins at offset `at`. */
static void take_line(struct turn *t, const struct frame_line *line, uint64_t at)
{
	struct envelope_message m = {
		.text = line->text,
		.time_us = INT64_MIN,
		.clean = line->clean,
		.ended = line->ended,
	};
	int r = 1;
	if (t->enveloped)
		r = envelope_take(t->s, &t->at.frame, line, at, &m);
	if (r > 0)
		take_message(t, &m);
	else if (r < 0)
		t->error = r;
}

void turn_flush(struct turn *t, bool last)
{
	struct envelope_message m;
	while (!t->error && envelope_flush(t->s, &t->at.frame, last, &m) > 0) {
		take_message(t, &m);
		t->at.frame.outputs[m.output].in_line =
			!t->last && filter_masks(t->s->input->filter);
	}
}

bool turn_full(const struct turn *t, uint64_t consumed)
{
	return (t->s->limit_bytes && consumed >= t->s->limit_bytes) ||
	       t->b->payload_bytes + t->p->payload.len >= t->b->payload_max;
}

size_t turn_cut_lines(struct turn *t, struct span in, bool all)
{
	struct frame_line line;
	struct span left = in;
	bool only_lf;
	do {
		uint64_t at = t->at.offset + (in.len - left.len);
		only_lf = t->at.frame.at_lf;
		if (!frame_next(&left, all, &line))
			break;
		take_line(t, &line, at);
		t->ends_in_lf = line.ended;
	} while (!t->error && (only_lf || !turn_full(t, in.len - left.len)));
	return in.len - left.len;
}

size_t turn_keep_lf(struct turn *t, size_t consumed)
{
	if (!t->ends_in_lf || !envelope_open(&t->at.frame) ||
	    (consumed == 1 && list_linked(&t->s->ready)))
		return consumed;
	t->at.frame.at_lf = true;
	return consumed - 1;
}
