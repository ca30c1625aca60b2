/* Compare and append: see stream.h. Called by the store under its lock for each chunk that arrives,
 * and by recovery for each chunk that a WAL record says was taken.
 *
 * The rules, in the order in which they are asked:
 *
 *   no such stream        from == start                     birth
 *                         else                              conflict, at start: a later chunk that
 *                                                           overtook the first must not give birth
 *   repair                begins where a gap begins, with
 *                         the gap's checksum, ends in it    repair
 *   from and crc_from are the position                      append; from == to moves state only
 *   to <= offset                                            duplicate
 *   else                                                    conflict
 *
 * Offsets are never compared without the checksum: a replaced file that shares its first bytes with
 * the old one would skip lines that nobody has seen. A loss obeys the same rules; that it sets
 * `base` anew is the chunk's own word. A stream that has ended may go on: its remainder may be
 * found weeks later. */
#include "collector/store/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static const struct gap *fillable_gap(const struct stream *s, const struct chunk *c)
{
	for (size_t i = 0; i < s->n_gaps; i++) {
		const struct gap *g = &s->gaps[i];
		if (c->from != g->from)
			continue;
		bool begins = c->crc_from == g->crc_from && c->to > c->from;
		bool ends = c->to < g->to ||
			    (c->to == g->to && (!g->crc_to_known || c->crc == g->crc_to));
		return begins && ends ? g : NULL;
	}
	return NULL;
}

enum stream_judgement stream_judge(const struct stream *s, const struct chunk *c)
{
	if (!s)
		return c->from == c->start && !c->repair ? STREAM_BIRTH : STREAM_CONFLICT;
	if (c->repair && fillable_gap(s, c))
		return STREAM_REPAIR;
	if (!c->repair && c->from == s->offset && c->crc_from == s->crc)
		return STREAM_APPEND;
	return c->to <= s->offset ? STREAM_DUPLICATE : STREAM_CONFLICT;
}

/* --- identity --- */

struct span stream_service(const struct stream *s)
{
	return span_make(s->text, s->service_len);
}

struct span stream_instance(const struct stream *s)
{
	return span_make(s->text + s->service_len, s->instance_len);
}

struct span stream_path(const struct stream *s)
{
	return span_make(s->text + s->service_len + s->instance_len, s->path_len);
}

struct span stream_state(const struct stream *s)
{
	return span_make(s->state, s->state_len);
}

bool stream_identity_differs(const struct stream *s, const struct chunk *c)
{
	return s->ino != c->ino || s->btime_ns != c->btime_ns ||
	       !span_equal(stream_service(s), c->service) ||
	       !span_equal(stream_instance(s), c->instance) || !span_equal(stream_path(s), c->path);
}

size_t stream_weight(const struct stream *s)
{
	return sizeof(*s) + s->service_len + s->instance_len + s->path_len + s->state_capacity;
}

size_t stream_weight_with(const struct chunk *c)
{
	return sizeof(struct stream) + c->service.len + c->instance.len + c->path.len +
	       c->state.len;
}

static int take_identity(struct stream *s, const struct chunk *c)
{
	size_t len = c->service.len + c->instance.len + c->path.len;
	char *text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	char *at = text;
	const struct span parts[] = {c->service, c->instance, c->path};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].len)
			memcpy(at, parts[i].ptr, parts[i].len);
		at += parts[i].len;
	}
	*at = '\0';
	free(s->text);
	s->text = text;
	s->service_len = (uint16_t)c->service.len;
	s->instance_len = (uint16_t)c->instance.len;
	s->path_len = (uint16_t)c->path.len;
	s->ino = c->ino;
	s->btime_ns = c->btime_ns;
	return 0;
}

struct stream *stream_new(struct host *host, const struct chunk *c)
{
	struct stream *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->id = c->stream;
	s->host = host;
	s->start = s->base = s->offset = c->start;
	if (take_identity(s, c) < 0 || stream_prepare(s, c) < 0) {
		stream_free(s);
		return NULL;
	}
	return s;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	free(s->text);
	free(s->state);
	free(s->gaps);
	free(s);
}

/* --- taking --- */

int stream_prepare(struct stream *s, const struct chunk *c)
{
	assert(c->state.len <= CHUNK_STATE_MAX);
	if (c->state.len <= s->state_capacity)
		return 0;
	char *state = realloc(s->state, c->state.len);
	if (!state)
		return -ENOMEM;
	s->state = state;
	s->state_capacity = (uint16_t)c->state.len;
	return 0;
}

static void shrink_gap(struct stream *s, const struct chunk *c)
{
	struct gap *g = (struct gap *)fillable_gap(s, c);
	assert(g);
	s->gaps_changed = true;
	if (c->to < g->to) {
		g->from = c->to;
		g->crc_from = c->crc;
		return;
	}
	size_t at = (size_t)(g - s->gaps);
	s->n_gaps--;
	memmove(g, g + 1, (s->n_gaps - at) * sizeof(*g));
}

static void move(struct stream *s, const struct chunk *c)
{
	s->offset = c->to;
	s->base = c->base;
	s->crc = c->crc;
	s->ended = c->ended;
	if (c->state.len)
		memcpy(s->state, c->state.ptr, c->state.len);
	s->state_len = (uint16_t)c->state.len;
}

int stream_apply(struct stream *s, const struct chunk *c, enum stream_judgement how,
		 uint64_t stored, int64_t received_us, bool identity)
{
	assert(stream_taken(how));
	if (how == STREAM_REPAIR)
		shrink_gap(s, c);
	else
		move(s, c);
	if (how == STREAM_BIRTH)
		s->born_us = received_us;
	s->last_us = received_us;
	s->lines += c->lines;
	s->dropped += c->dropped;
	s->stored_bytes += stored;
	if (c->loss.len)
		s->lost_bytes += c->to - c->from;
	return identity ? take_identity(s, c) : 0;
}

/* --- gaps --- */

int stream_add_gap(struct stream *s, struct gap gap)
{
	struct gap *gaps = realloc(s->gaps, (s->n_gaps + 1) * sizeof(*gaps));
	if (!gaps)
		return -ENOMEM;
	s->gaps = gaps;
	s->gaps_changed = true;
	size_t at = s->n_gaps++;
	for (; at && gaps[at - 1].from > gap.from; at--)
		gaps[at] = gaps[at - 1];
	gaps[at] = gap;
	return 0;
}

int stream_jump(struct stream *s, const struct chunk *c)
{
	assert(c->from >= s->offset);
	if (c->from > s->offset) {
		int r = stream_add_gap(s, (struct gap){
						  .from = s->offset,
						  .to = c->from,
						  .base = s->base,
						  .crc_from = s->crc,
						  .crc_to = c->crc_from,
						  .crc_to_known = c->base == s->base,
					  });
		if (r < 0)
			return r;
	}
	s->offset = c->from;
	s->base = c->base;
	s->crc = c->crc_from;
	return 0;
}
