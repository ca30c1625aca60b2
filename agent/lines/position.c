/* The frame state as text: see position.h. The pump encodes it for each chunk; registry and
 * collector keep it and give it back at a restart, when discover decodes it.
 *
 *     1[ k][ m][ f<us>][ b<stream>][ OUTPUT][ | OUTPUT]
 *     OUTPUT: [h<us>][ r][ s][ c<n>][ l<kind><us>[ d][ t]][ o<offset>][ n|i|j]
 *
 * k the LF of the line before is to come, m inside a physical line, f time of the file's first
 * line, b the stream of the file whose line it goes on; of an output: h time of the last head, r
 * which was that of reading, s lines have stamps, c continuations since, l inside a long line of
 * that kind and time, d dropped, t its time is that of reading, o the first open piece; it goes on
 * a line of the file before: n no, i yes, j yes and it is whole. Behind the bar is stderr. A state
 * as after init is the empty text, so most chunks carry none.
 *
 * It comes back from outside, so decoding takes what encoding writes and nothing else; a state that
 * cannot be read costs a continuation its head's time, never a line. */
#include "agent/lines/position.h"

#include "common/num.h"

#include <errno.h>
#include <inttypes.h>

static void output_init(struct output_state *o)
{
	*o = (struct output_state){
		.head_us = INT64_MIN,
		.in_line_kind = LINE_HEAD,
		.open_from = UINT64_MAX,
	};
}

void frame_state_init(struct frame_state *f)
{
	*f = (struct frame_state){.first_us = INT64_MIN};
	for (int i = 0; i < OUTPUTS; i++)
		output_init(&f->outputs[i]);
}

void position_init(struct position *p, uint64_t start)
{
	*p = (struct position){.offset = start, .base = start, .crc = 0};
	frame_state_init(&p->frame);
}

static bool is_initial(const struct output_state *o)
{
	return o->head_us == INT64_MIN && !o->head_read_time && !o->has_stamps && !o->conts &&
	       !o->in_line && o->open_from == UINT64_MAX && o->heir == HEIR_UNDECIDED;
}

static const char *const heirs[] = {
	[HEIR_NO] = " n",
	[HEIR_OPEN] = " i",
	[HEIR_DONE] = " j",
};

static int encode_output(const struct output_state *o, struct buf *out)
{
	int r = 0;
	if (o->head_us != INT64_MIN)
		r = buf_add_str(out, o->head_us < 0 ? " h-" : " h");
	if (r == 0 && o->head_us != INT64_MIN)
		r = buf_add_u64(out, o->head_us < 0 ? -(uint64_t)o->head_us : (uint64_t)o->head_us);
	if (r == 0 && o->head_read_time)
		r = buf_add_str(out, " r");
	if (r == 0 && o->has_stamps)
		r = buf_add_str(out, " s");
	if (r == 0 && o->conts)
		r = buf_printf(out, " c%" PRIu32, o->conts);
	if (r == 0 && o->in_line)
		r = buf_printf(out, " l%c%" PRId64 "%s%s", (char)o->in_line_kind, o->in_line_us,
			       o->in_line_dropped ? " d" : "", o->in_line_read_time ? " t" : "");
	if (r == 0 && o->open_from != UINT64_MAX)
		r = buf_printf(out, " o%" PRIu64, o->open_from);
	if (r == 0 && o->heir != HEIR_UNDECIDED)
		r = buf_add_str(out, heirs[o->heir]);
	return r;
}

static int encode_before(const struct stream_id *id, struct buf *out)
{
	char hex[STREAM_ID_HEX];
	stream_id_format(hex, id);
	int r = buf_add_str(out, " b");
	return r == 0 ? buf_add(out, hex, sizeof(hex)) : r;
}

static int encode(const struct frame_state *f, struct buf *out)
{
	int r = buf_add_char(out, '1');
	if (r == 0 && f->at_lf)
		r = buf_add_str(out, " k");
	if (r == 0 && f->in_part)
		r = buf_add_str(out, " m");
	if (r == 0 && f->first_us != INT64_MIN)
		r = buf_printf(out, " f%" PRId64, f->first_us);
	if (r == 0 && f->has_before)
		r = encode_before(&f->before, out);
	if (r == 0)
		r = encode_output(&f->outputs[0], out);
	if (r == 0 && !is_initial(&f->outputs[1])) {
		r = buf_add_str(out, " |");
		if (r == 0)
			r = encode_output(&f->outputs[1], out);
	}
	return r;
}

int frame_state_encode(const struct frame_state *f, struct buf *out)
{
	if (is_initial(&f->outputs[0]) && is_initial(&f->outputs[1]) && !f->at_lf && !f->in_part &&
	    f->first_us == INT64_MIN && !f->has_before)
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

static int decode_in_line(struct span value, struct output_state *o)
{
	if (!value.len)
		return -EINVAL;
	switch (value.ptr[0]) {
	case 'F': o->in_line_kind = LINE_HEAD; break;
	case '+': o->in_line_kind = LINE_CONT; break;
	default: return -EINVAL;
	}
	o->in_line = true;
	return num_parse_i64(span_from(value, 1), &o->in_line_us);
}

static int decode_open(struct span value, uint64_t *ret)
{
	int r = num_parse_u64(value, ret);
	return r == 0 && *ret == UINT64_MAX ? -EINVAL : r;
}

static int decode_first(struct span value, int64_t *ret)
{
	int r = num_parse_i64(value, ret);
	return r == 0 && *ret == INT64_MIN ? -EINVAL : r;
}

static int decode_flag(struct span value)
{
	return value.len ? -EINVAL : 0;
}

static int decode_heir(struct span value, enum output_heir heir, struct output_state *o)
{
	if (value.len || o->heir != HEIR_UNDECIDED)
		return -EINVAL;
	o->heir = heir;
	return 0;
}

static int decode_field(char name, struct span value, struct frame_state *f, struct output_state *o)
{
	switch (name) {
	case 'k': f->at_lf = true; return decode_flag(value);
	case 'm': f->in_part = true; return decode_flag(value);
	case 'f': return decode_first(value, &f->first_us);
	case 'b': f->has_before = true; return stream_id_parse(value, &f->before);
	case 'h': return num_parse_i64(value, &o->head_us);
	case 'r': o->head_read_time = true; return decode_flag(value);
	case 's': o->has_stamps = true; return decode_flag(value);
	case 'c': return decode_count(value, &o->conts);
	case 'l': return decode_in_line(value, o);
	case 'd': o->in_line_dropped = true; return o->in_line ? decode_flag(value) : -EINVAL;
	case 't': o->in_line_read_time = true; return o->in_line ? decode_flag(value) : -EINVAL;
	case 'o': return decode_open(value, &o->open_from);
	case 'n': return decode_heir(value, HEIR_NO, o);
	case 'i': return decode_heir(value, HEIR_OPEN, o);
	case 'j': return decode_heir(value, HEIR_DONE, o);
	default: return -EINVAL;
	}
}

/* Takes " x<value>" off the text. */
static int take_field(struct span *s, char *ret_name, struct span *ret_value)
{
	if (s->len < 2 || s->ptr[0] != ' ')
		return -EINVAL;
	*ret_name = s->ptr[1];
	*s = span_from(*s, 2);
	*ret_value = span_first(*s, span_find(*s, ' '));
	*s = span_from(*s, ret_value->len);
	return 0;
}

int frame_state_decode(struct span s, struct frame_state *ret)
{
	static const char order[] = "kmfbhrscldtonij"; /* each once, in this order */
	struct frame_state f;
	struct output_state *o = &f.outputs[0];
	const char *next = order;
	frame_state_init(&f);
	if (s.len && (s.len < 3 || s.ptr[0] != '1'))
		return -EINVAL;
	s = span_from(s, s.len ? 1 : 0);
	while (s.len) {
		char name;
		struct span value;
		if (take_field(&s, &name, &value) < 0)
			return -EINVAL;
		if (name == '|' && !value.len && s.len && o == &f.outputs[0]) {
			o = &f.outputs[1];
			next = strchr(order, 'h');
			continue;
		}
		const char *at = name ? strchr(next, name) : NULL;
		if (!at || decode_field(name, value, &f, o) < 0)
			return -EINVAL;
		next = at + 1;
	}
	*ret = f;
	return 0;
}
