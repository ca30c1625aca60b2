/* Takes an inflated body apart: see batch.h. Called by ingest on what came over the wire, before
 * any lock, and by recovery on what stands in the WAL.
 *
 * Two kinds of wrong are kept apart. Framing that does not hold (a header that is none, bytes that
 * run past the end) leaves no trust in where the next chunk begins: the whole batch is malformed. A
 * chunk whose frame holds but whose names or lines are not acceptable is marked `refused` and the
 * others go on: else one bad line would stop every file of its host.
 *
 * Nothing here depends on time, configuration or what came before. */
#include "collector/store/batch.h"

#include "common/line.h"
#include "common/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNKS_FIRST = 16 };

struct parser {
	struct batch *batch;
	size_t capacity;
	struct buf decoded; /* strings of the header at hand */
	char *why;
	size_t why_size;
};

static int malformed(const struct parser *p, const char *what)
{
	if (p->why_size)
		(void)snprintf(p->why, p->why_size, "chunk %zu: %s", p->batch->n_chunks, what);
	return -EBADMSG;
}

/* What the collector does not take from anyone, whatever the lines are. */
static const char *refuse_header(const struct chunk *c)
{
	if (!name_valid_host(c->host))
		return "host is not a valid name";
	if (!name_valid(c->service))
		return "service is not a valid name";
	if (c->instance.len && !name_valid(c->instance))
		return "instance is not a valid name";
	if (c->to > INT64_MAX)
		return "offset beyond 2^63 - 1";
	return NULL;
}

static const char *refuse_lines(struct batch_chunk *c)
{
	struct span rest = c->payload;
	uint64_t lines = 0;
	int64_t first = INT64_MAX, last = INT64_MIN;
	while (rest.len) {
		struct payload_line line;
		const char *why = NULL;
		if (line_next_payload(&rest, &line, &why) < 0)
			return why;
		lines++;
		first = line.time_us < first ? line.time_us : first;
		last = line.time_us > last ? line.time_us : last;
	}
	if (lines != c->header.lines)
		return "the number of lines is not what the header says";
	if (lines) {
		c->first_us = first;
		c->last_us = last;
	}
	return NULL;
}

static int add_chunk(struct parser *p, struct batch_chunk **ret)
{
	struct batch *b = p->batch;
	if (b->n_chunks == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : CHUNKS_FIRST;
		struct batch_chunk *chunks = realloc(b->chunks, capacity * sizeof(*chunks));
		if (!chunks)
			return -ENOMEM;
		b->chunks = chunks;
		p->capacity = capacity;
	}
	*ret = &b->chunks[b->n_chunks];
	**ret = (struct batch_chunk){0};
	return 0;
}

/* The decoded strings of a header, in a fixed order. */
#define CHUNK_STRINGS 6
static void chunk_strings(struct chunk *c, struct span *ret[CHUNK_STRINGS])
{
	ret[0] = &c->host;
	ret[1] = &c->service;
	ret[2] = &c->instance;
	ret[3] = &c->path;
	ret[4] = &c->state;
	ret[5] = &c->loss;
}

/* Moves the header's strings to the batch's scratch. Their addresses are set when all chunks are
 * there and scratch moves no more (place_strings). */
static int keep_strings(struct batch *b, struct chunk *c)
{
	struct span *strings[CHUNK_STRINGS];
	chunk_strings(c, strings);
	for (size_t i = 0; i < CHUNK_STRINGS; i++) {
		int r = buf_add_span(&b->scratch, *strings[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static void place_strings(struct batch *b)
{
	const char *at = b->scratch.ptr;
	for (size_t i = 0; i < b->n_chunks; i++) {
		struct span *strings[CHUNK_STRINGS];
		chunk_strings(&b->chunks[i].header, strings);
		for (size_t k = 0; k < CHUNK_STRINGS; k++) {
			strings[k]->ptr = at;
			at += strings[k]->len;
		}
	}
}

static int decode_header(struct parser *p, struct span *rest, struct chunk *ret)
{
	size_t end = span_find(
		span_first(*rest, rest->len < CHUNK_HEADER_MAX ? rest->len : CHUNK_HEADER_MAX),
		'\n');
	if (end == rest->len)
		return malformed(p, "the header has no end");
	if (end == CHUNK_HEADER_MAX)
		return malformed(p, "the header is longer than 8 KiB");
	const char *why = NULL;
	buf_clear(&p->decoded);
	int r = chunk_decode(span_first(*rest, end), &p->decoded, ret, &why);
	if (r == -EBADMSG)
		return malformed(p, why ? why : "the header is not one");
	if (r < 0)
		return r;
	*rest = span_from(*rest, end + 1);
	return 0;
}

static int next_chunk(struct parser *p, struct span *rest)
{
	if (p->batch->n_chunks == CHUNK_BATCH_MAX)
		return malformed(p, "more chunks than a batch may have");
	struct batch_chunk *c;
	int r = add_chunk(p, &c);
	if (r < 0)
		return r;
	r = decode_header(p, rest, &c->header);
	if (r < 0)
		return r;
	if (c->header.bytes > rest->len)
		return malformed(p, "its bytes run past the end of the body");
	c->payload = span_first(*rest, (size_t)c->header.bytes);
	*rest = span_from(*rest, (size_t)c->header.bytes);

	r = keep_strings(p->batch, &c->header);
	if (r < 0)
		return r;
	c->refused = refuse_header(&c->header);
	if (!c->refused)
		c->refused = refuse_lines(c);
	p->batch->payload_bytes += c->header.bytes;
	p->batch->n_chunks++;
	return 0;
}

int batch_parse(struct span body, struct batch *ret, char *ret_why, size_t why_size)
{
	struct batch b = {.body_bytes = body.len};
	struct parser p = {.batch = &b, .why = ret_why, .why_size = why_size};
	int r = 0;
	while (body.len && r == 0)
		r = next_chunk(&p, &body);
	buf_free(&p.decoded);
	if (r < 0) {
		batch_free(&b);
		return r;
	}
	place_strings(&b);
	*ret = b;
	return 0;
}

void batch_free(struct batch *b)
{
	free(b->chunks);
	buf_free(&b->scratch);
	*b = (struct batch){0};
}
