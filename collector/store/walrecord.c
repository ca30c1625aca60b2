/* WAL records' contents: see walrecord.h. The WAL thread codes, recovery decodes. haul-archive(5)
 * has an overview; the exact fields stand in the functions below, writer and reader side by side,
 * little-endian.
 *
 * A decoder trusts nothing: counts are checked against the bytes that are there before memory is
 * taken. */
#include "collector/store/walrecord.h"

#include "collector/store/le.h"

#include <errno.h>
#include <stdlib.h>

/* Bits of a chunk's flags. */
enum { FLAG_IDENTITY = 1, FLAG_REPAIR = 2, FLAG_ENDED = 4 };

/* Least bytes of a chunk and of lines: what a count must be backed by. */
enum { CHUNK_MIN = 100, LINES_MIN = 56 };

/* --- lines --- */

static void write_lines(struct le_writer *w, const struct walrecord_lines *l)
{
	le_write_i32(w, l->day);
	le_write_u32(w, l->place.number);
	le_write_u64(w, l->place.position);
	le_write_u64(w, l->length);
	le_write_u64(w, l->crc);
	le_write_u64(w, l->lines);
	le_write_i64(w, l->first_us);
	le_write_i64(w, l->last_us);
}

/* False when it names no place that was ever given. */
static bool read_lines(struct le_reader *r, struct walrecord_lines *l)
{
	l->day = le_read_i32(r);
	l->place.number = le_read_u32(r);
	l->place.position = le_read_u64(r);
	l->length = le_read_u64(r);
	l->crc = le_read_u64(r);
	l->lines = le_read_u64(r);
	l->first_us = le_read_i64(r);
	l->last_us = le_read_i64(r);
	return l->day >= civil_day_of_us(CIVIL_MIN_US) && l->day <= civil_day_of_us(CIVIL_MAX_US) &&
	       l->place.number > 0 && l->place.position <= INT64_MAX &&
	       l->length <= INT64_MAX - l->place.position;
}

/* --- chunks --- */

int walrecord_add_chunk(const struct walrecord_chunk *c, struct buf *out)
{
	struct le_writer w = {.out = out};
	const struct chunk *h = &c->header;
	le_write_u32(&w, c->index);
	le_write_u8(&w, (uint8_t)c->how);
	le_write_u8(&w, (uint8_t)((c->identity ? FLAG_IDENTITY : 0) |
				  (h->repair ? FLAG_REPAIR : 0) | (h->ended ? FLAG_ENDED : 0)));
	le_write_bytes(&w, span_make((const char *)h->stream.bytes, sizeof(h->stream.bytes)));
	le_write_u64(&w, h->start);
	le_write_u64(&w, h->from);
	le_write_u64(&w, h->to);
	le_write_u64(&w, h->base);
	le_write_u64(&w, h->crc_from);
	le_write_u64(&w, h->crc);
	le_write_u64(&w, h->lines);
	le_write_u64(&w, h->dropped);
	le_write_i64(&w, c->terms.received_us);
	le_write_i32(&w, c->terms.oldest_day);
	le_write_i64(&w, c->terms.newest_us);
	le_write_text(&w, h->service);
	le_write_text(&w, h->state);
	le_write_text(&w, h->loss);
	if (c->identity) {
		le_write_text(&w, h->instance);
		le_write_text(&w, h->path);
		le_write_u64(&w, h->ino);
		le_write_i64(&w, h->btime_ns);
	}
	le_write_u32(&w, (uint32_t)c->n_lines);
	for (size_t i = 0; i < c->n_lines; i++)
		write_lines(&w, &c->lines[i]);
	return w.error;
}

/* Names become paths, texts are copied into fixed limits: what could not have been taken is
 * damage. */
static bool plausible(const struct walrecord_chunk *c)
{
	const struct chunk *h = &c->header;
	return stream_taken(c->how) && name_valid(h->service) &&
	       (h->instance.len == 0 || name_valid(h->instance)) && h->path.len <= CHUNK_PATH_MAX &&
	       h->state.len <= CHUNK_STATE_MAX && h->loss.len <= CHUNK_LOSS_MAX &&
	       h->start <= h->from && h->from <= h->to;
}

static void read_chunk(struct le_reader *r, struct walrecord_chunk *c)
{
	struct chunk *h = &c->header;
	c->index = le_read_u32(r);
	c->how = (enum stream_judgement)le_read_u8(r);
	uint8_t flags = le_read_u8(r);
	c->identity = flags & FLAG_IDENTITY;
	h->repair = flags & FLAG_REPAIR;
	h->ended = flags & FLAG_ENDED;
	struct span id = le_read_bytes(r, sizeof(h->stream.bytes));
	if (id.len)
		memcpy(h->stream.bytes, id.ptr, id.len);
	h->start = le_read_u64(r);
	h->from = le_read_u64(r);
	h->to = le_read_u64(r);
	h->base = le_read_u64(r);
	h->crc_from = le_read_u64(r);
	h->crc = le_read_u64(r);
	h->lines = le_read_u64(r);
	h->dropped = le_read_u64(r);
	c->terms.received_us = le_read_i64(r);
	c->terms.oldest_day = le_read_i32(r);
	c->terms.newest_us = le_read_i64(r);
	h->service = le_read_text(r);
	h->state = le_read_text(r);
	h->loss = le_read_text(r);
	if (c->identity) {
		h->instance = le_read_text(r);
		h->path = le_read_text(r);
		h->ino = le_read_u64(r);
		h->btime_ns = le_read_i64(r);
	}
	c->n_lines = le_read_u32(r);
}

/* --- batches --- */

int walrecord_begin_batch(const struct walrecord_batch *head, size_t n_lines, struct buf *out)
{
	struct le_writer w = {.out = out};
	le_write_text(&w, head->host);
	le_write_u64(&w, head->session);
	le_write_u64(&w, head->inflated);
	le_write_u32(&w, (uint32_t)head->n_chunks);
	le_write_u32(&w, (uint32_t)n_lines);
	return w.error;
}

static int read_chunks(struct le_reader *r, struct walrecord_batch *b, size_t n_all_lines)
{
	size_t used = 0;
	for (size_t i = 0; i < b->n_chunks; i++) {
		struct walrecord_chunk *c = &b->chunks[i];
		read_chunk(r, c);
		if (r->bad || !plausible(c) || c->n_lines > n_all_lines - used)
			return -EBADMSG;
		c->lines = &b->all_lines[used];
		used += c->n_lines;
		for (size_t k = 0; k < c->n_lines; k++)
			if (!read_lines(r, &c->lines[k]))
				return -EBADMSG;
	}
	return r->bad || r->rest.len || used != n_all_lines ? -EBADMSG : 0;
}

int walrecord_decode_batch(struct span meta, struct walrecord_batch *ret)
{
	struct le_reader r = {.rest = meta};
	struct walrecord_batch b = {0};
	b.host = le_read_text(&r);
	b.session = le_read_u64(&r);
	b.inflated = le_read_u64(&r);
	b.n_chunks = le_read_u32(&r);
	size_t n_lines = le_read_u32(&r);
	if (r.bad || !name_valid_host(b.host) || b.n_chunks > r.rest.len / CHUNK_MIN ||
	    n_lines > r.rest.len / LINES_MIN)
		return -EBADMSG;
	/* One more of each: no calloc of nothing. */
	b.chunks = calloc(b.n_chunks + 1, sizeof(*b.chunks));
	b.all_lines = calloc(n_lines + 1, sizeof(*b.all_lines));
	int e = b.chunks && b.all_lines ? read_chunks(&r, &b, n_lines) : -ENOMEM;
	if (e < 0) {
		walrecord_batch_free(&b);
		return e;
	}
	*ret = b;
	return 0;
}

void walrecord_batch_free(struct walrecord_batch *b)
{
	free(b->chunks);
	free(b->all_lines);
	*b = (struct walrecord_batch){0};
}

/* --- sessions --- */

int walrecord_encode_session(const struct session *s, struct buf *out)
{
	struct le_writer w = {.out = out};
	le_write_u64(&w, s->number);
	le_write_i64(&w, s->received_us);
	le_write_text(&w, s->host);
	le_write_text(&w, s->machine);
	le_write_text(&w, s->agent);
	return w.error;
}

int walrecord_decode_session(struct span meta, struct session *ret)
{
	struct le_reader r = {.rest = meta};
	struct session s;
	s.number = le_read_u64(&r);
	s.received_us = le_read_i64(&r);
	s.host = le_read_text(&r);
	s.machine = le_read_text(&r);
	s.agent = le_read_text(&r);
	if (r.bad || r.rest.len || !name_valid_host(s.host) ||
	    s.machine.len > SESSION_MACHINE_MAX || s.agent.len > SESSION_AGENT_MAX)
		return -EBADMSG;
	*ret = s;
	return 0;
}

/* --- moves --- */

int walrecord_encode_move(const struct walrecord_move *m, struct buf *out)
{
	struct le_writer w = {.out = out};
	le_write_i32(&w, m->day);
	le_write_text(&w, m->service);
	le_write_text(&w, m->host);
	le_write_u32(&w, m->move.from.number);
	le_write_u64(&w, m->move.from.position);
	le_write_u32(&w, m->move.to.number);
	le_write_u64(&w, m->move.to.position);
	le_write_u8(&w, m->move.gone);
	return w.error;
}

int walrecord_decode_move(struct span meta, struct walrecord_move *ret)
{
	struct le_reader r = {.rest = meta};
	struct walrecord_move m;
	m.day = le_read_i32(&r);
	m.service = le_read_text(&r);
	m.host = le_read_text(&r);
	m.move.from.number = le_read_u32(&r);
	m.move.from.position = le_read_u64(&r);
	m.move.to.number = le_read_u32(&r);
	m.move.to.position = le_read_u64(&r);
	m.move.gone = le_read_u8(&r);
	if (r.bad || r.rest.len || !name_valid(m.service) || !name_valid_host(m.host))
		return -EBADMSG;
	*ret = m;
	return 0;
}
