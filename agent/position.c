/* The frame state as text: see position.h. The pump encodes it for each chunk; registry
 * and collector keep it and give it back at a restart, when discover decodes it.
 *
 *     1[ h<us>][ r][ s][ c<n>][ l<kind><us>[ d][ t]][ o<offset>][ e<offset>]
 *
 * h time of the last head, r which was that of reading, s lines have stamps, c
 * continuations since, l inside a long line of that kind and time, d dropped, t its time
 * is that of reading, o and e the first open piece of stdout and stderr. A state as after
 * init is the empty text, so most chunks carry none.
 *
 * It comes back from outside, so decoding takes what encoding writes and nothing else; a
 * state that cannot be read costs a continuation its head's time, never a line. */
#include "agent/position.h"

#include "common/num.h"

#include <errno.h>
#include <inttypes.h>

void frame_state_init(struct frame_state *f)
{
	*f = (struct frame_state){
		.head_us = INT64_MIN,
		.in_line_kind = LINE_HEAD,
		.open_from = {UINT64_MAX, UINT64_MAX},
	};
}

void position_init(struct position *p, uint64_t start)
{
	*p = (struct position){.offset = start, .base = start, .crc = 0};
	frame_state_init(&p->frame);
}

static bool is_initial(const struct frame_state *f)
{
	return f->head_us == INT64_MIN && !f->head_read_time && !f->has_stamps && !f->conts &&
	       !f->in_line && f->open_from[0] == UINT64_MAX && f->open_from[1] == UINT64_MAX;
}

static int encode(const struct frame_state *f, struct buf *out)
{
	int r = buf_add_char(out, '1');
	if (r == 0 && f->head_us != INT64_MIN)
		r = buf_printf(out, " h%" PRId64, f->head_us);
	if (r == 0 && f->head_read_time)
		r = buf_add_str(out, " r");
	if (r == 0 && f->has_stamps)
		r = buf_add_str(out, " s");
	if (r == 0 && f->conts)
		r = buf_printf(out, " c%" PRIu32, f->conts);
	if (r == 0 && f->in_line)
		r = buf_printf(out, " l%c%" PRId64 "%s%s", (char)f->in_line_kind, f->in_line_us,
			       f->in_line_dropped ? " d" : "", f->in_line_read_time ? " t" : "");
	if (r == 0 && f->open_from[0] != UINT64_MAX)
		r = buf_printf(out, " o%" PRIu64, f->open_from[0]);
	if (r == 0 && f->open_from[1] != UINT64_MAX)
		r = buf_printf(out, " e%" PRIu64, f->open_from[1]);
	return r;
}

int frame_state_encode(const struct frame_state *f, struct buf *out)
{
	if (is_initial(f))
		return 0;
	size_t before = out->len;
	int r = encode(f, out);
	if (r < 0)
		out->len = before;
	return r;
}

static int decode_count(struct span value, uint32_t *ret)
{
	uint64_t v;
	int r = num_parse_u64(value, &v);
	if (r < 0 || v == 0 || v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

static int decode_in_line(struct span value, struct frame_state *f)
{
	if (!value.len)
		return -EINVAL;
	switch (value.ptr[0]) {
	case 'F': f->in_line_kind = LINE_HEAD; break;
	case '+': f->in_line_kind = LINE_CONT; break;
	default: return -EINVAL;
	}
	f->in_line = true;
	return num_parse_i64(span_from(value, 1), &f->in_line_us);
}

static int decode_open(struct span value, uint64_t *ret)
{
	int r = num_parse_u64(value, ret);
	return r == 0 && *ret == UINT64_MAX ? -EINVAL : r;
}

static int decode_flag(struct span value, bool *ret)
{
	*ret = true;
	return value.len ? -EINVAL : 0;
}

static int decode_field(char name, struct span value, struct frame_state *f)
{
	switch (name) {
	case 'h': return num_parse_i64(value, &f->head_us);
	case 'r': return decode_flag(value, &f->head_read_time);
	case 's': return decode_flag(value, &f->has_stamps);
	case 'c': return decode_count(value, &f->conts);
	case 'l': return decode_in_line(value, f);
	case 'd': return f->in_line ? decode_flag(value, &f->in_line_dropped) : -EINVAL;
	case 't': return f->in_line ? decode_flag(value, &f->in_line_read_time) : -EINVAL;
	case 'o': return decode_open(value, &f->open_from[0]);
	case 'e': return decode_open(value, &f->open_from[1]);
	default: return -EINVAL;
	}
}

int frame_state_decode(struct span s, struct frame_state *ret)
{
	static const char order[] = "hrscldtoe"; /* each once, in this order */
	struct frame_state f;
	const char *next = order;
	frame_state_init(&f);
	if (s.len) {
		if (s.ptr[0] != '1')
			return -EINVAL;
		s = span_from(s, 1);
		if (!s.len)
			return -EINVAL;
	}
	while (s.len) {
		if (s.len < 2 || s.ptr[0] != ' ')
			return -EINVAL;
		const char *at = s.ptr[1] ? strchr(next, s.ptr[1]) : NULL;
		s = span_from(s, 2);
		struct span value = span_first(s, span_find(s, ' '));
		if (!at || decode_field(*at, value, &f) < 0)
			return -EINVAL;
		next = at + 1;
		s = span_from(s, value.len);
	}
	*ret = f;
	return 0;
}
