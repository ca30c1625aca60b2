/* gzip by ISA-L: see gzip.h. The agent's batcher owns an encoder for good and feeds it lines; the
 * collector inflates whole bodies before it looks at a byte of them.
 *
 * Encoder: each call of isal_deflate moves its window, which at a line a call costs half of the
 * speed (measured: 440 against 660 MB/s on JSON lines, 320 against 890 on mixed logs), so small
 * pieces gather in `stage` first. A level buffer of 84 KiB compresses as fast and as well as the
 * larger ones; the whole encoder is 196 KiB. A member whose output could not be stored is lost: its
 * error comes back from every further call until the next start.
 *
 * Decoder: nothing that the body says decides about memory. The most that may come out follows from
 * the body's length and the caller's limits before the first byte is inflated; the output grows by
 * GROWTH at most while it comes, and a byte more than the limit is an error. */
#include "common/gzip.h"

#include "common/isal.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	LEVEL = 1,
	LEVEL_BUF = ISAL_DEF_LVL1_SMALL,
	STAGE = 32 * 1024,
	GROWTH = 256 * 1024,            /* of the output, a step */
	RATIO_FREE = 64 * 1024,         /* bytes that may come out whatever their ratio */
	HEADER_FLAGS = 3,               /* where they stand */
	FLAGS_RESERVED = 0xe0,          /* RFC 1952: "must give an error indication" */
	INPUT_MAX = 1024 * 1024 * 1024, /* a call: ISA-L counts in 32 bits */
};

struct gzip_encoder {
	struct buf *out; /* NULL between members */
	int error;       /* of this member, 0 while all is well */
	size_t staged;
	struct isal_zstream stream;
	uint8_t level_buf[LEVEL_BUF];
	uint8_t stage[STAGE];
};

struct gzip_encoder *gzip_encoder_new(void)
{
	struct gzip_encoder *e = malloc(sizeof(*e));
	if (!e)
		return NULL;
	e->out = NULL;
	return e;
}

void gzip_encoder_free(struct gzip_encoder *e)
{
	free(e);
}

void gzip_encoder_start(struct gzip_encoder *e, struct buf *out)
{
	isal_deflate_init(&e->stream);
	e->stream.level = LEVEL;
	e->stream.level_buf = e->level_buf;
	e->stream.level_buf_size = sizeof(e->level_buf);
	e->stream.gzip_flag = IGZIP_GZIP;
	e->out = out;
	e->error = 0;
	e->staged = 0;
}

/* Makes room for up to `want` bytes, fewer where the limit is near. Returns how many there are. */
static ssize_t make_room(struct buf *b, size_t want)
{
	if (b->max) {
		assert(b->len <= b->max);
		if (b->len == b->max)
			return -EMSGSIZE;
		if (want > b->max - b->len)
			want = b->max - b->len;
	}
	int r = buf_reserve(b, want);
	return r < 0 ? r : (ssize_t)want;
}

/* Runs the compressor until it has taken all of its input and, at the end, given all out. */
static int deflate_pending(struct gzip_encoder *e)
{
	struct isal_zstream *z = &e->stream;
	do {
		ssize_t room = make_room(e->out, STAGE);
		if (room < 0)
			return (int)room;
		z->next_out = (uint8_t *)e->out->ptr + e->out->len;
		z->avail_out = (uint32_t)room;
		int r = isal_deflate_some(z);
		assert(r == COMP_OK);
		e->out->len += (size_t)room - z->avail_out;
	} while (z->avail_in || (z->end_of_stream && z->internal_state.state != ZSTATE_END));
	return 0;
}

/* `last` also when there are no bytes: it is what writes the trailer. */
static int deflate_bytes(struct gzip_encoder *e, const uint8_t *bytes, size_t len, bool last)
{
	do {
		size_t n = len < INPUT_MAX ? len : INPUT_MAX;
		/* ISA-L reads only, it lacks the const. */
		e->stream.next_in = (uint8_t *)(uintptr_t)bytes;
		e->stream.avail_in = (uint32_t)n;
		e->stream.end_of_stream = last && n == len;
		int r = deflate_pending(e);
		if (r < 0)
			return r;
		bytes += n;
		len -= n;
	} while (len);
	return 0;
}

static int flush_stage(struct gzip_encoder *e)
{
	size_t staged = e->staged;
	e->staged = 0;
	return staged ? deflate_bytes(e, e->stage, staged, false) : 0;
}

int gzip_encoder_add(struct gzip_encoder *e, struct span bytes)
{
	assert(e->out);
	if (e->error || bytes.len == 0)
		return e->error;
	if (bytes.len > sizeof(e->stage) - e->staged)
		e->error = flush_stage(e);
	if (e->error)
		return e->error;
	if (bytes.len >= sizeof(e->stage)) {
		e->error = deflate_bytes(e, (const uint8_t *)bytes.ptr, bytes.len, false);
		return e->error;
	}
	memcpy(e->stage + e->staged, bytes.ptr, bytes.len);
	e->staged += bytes.len;
	return 0;
}

int gzip_encoder_finish(struct gzip_encoder *e)
{
	assert(e->out);
	if (!e->error)
		e->error = deflate_bytes(e, e->stage, e->staged, true);
	e->out = NULL;
	return e->error;
}

/* The most that may come out of a body of this length. */
static size_t output_limit(size_t body_len, struct gzip_limits limits)
{
	if (!limits.ratio_max)
		return limits.inflated_max;
	size_t by_ratio;
	if (__builtin_mul_overflow(body_len, (size_t)limits.ratio_max, &by_ratio))
		by_ratio = SIZE_MAX;
	if (by_ratio < RATIO_FREE)
		by_ratio = RATIO_FREE;
	return by_ratio < limits.inflated_max ? by_ratio : limits.inflated_max;
}

/* Room for the next step: what is free already, else GROWTH, within the limit. At the limit a byte
 * of `spill`, so that a member that ends there can still end. */
static int offer_output(struct inflate_state *z, struct buf *out, size_t left, uint8_t *spill)
{
	if (!left) {
		z->next_out = spill;
		z->avail_out = 1;
		return 0;
	}
	size_t want = out->cap - out->len;
	if (want < GROWTH)
		want = GROWTH;
	if (want > left)
		want = left;
	if (want > INPUT_MAX)
		want = INPUT_MAX;
	ssize_t room = make_room(out, want);
	if (room == -EMSGSIZE)
		return offer_output(z, out, 0, spill);
	if (room < 0)
		return (int)room;
	z->next_out = (uint8_t *)out->ptr + out->len;
	z->avail_out = (uint32_t)room;
	return 0;
}

static int inflate_member(struct inflate_state *z, struct span body, size_t limit, struct buf *out)
{
	size_t begin = out->len;
	z->next_in = (uint8_t *)(uintptr_t)body.ptr;
	while (z->block_state != ISAL_BLOCK_FINISH) {
		uint8_t spill;
		int r = offer_output(z, out, limit - (out->len - begin), &spill);
		if (r < 0)
			return r;
		size_t unread = body.len - (size_t)(z->next_in - (const uint8_t *)body.ptr);
		uint32_t offered_in = (uint32_t)(unread < INPUT_MAX ? unread : INPUT_MAX);
		uint32_t offered_out = z->avail_out;
		bool spilling = z->next_out == &spill;
		z->avail_in = offered_in;
		/* A header that is not over yet, though all input was there, never will be; asked
		 * again, ISA-L would go on by flags that it did not keep. */
		if (isal_inflate_some(z) != ISAL_DECOMP_OK || !z->wrapper_flag)
			return -EBADMSG;
		size_t made = offered_out - z->avail_out;
		if (made && spilling)
			return -EMSGSIZE;
		out->len += made;
		/* All that is there has been taken, and nothing came of it: cut short. */
		if (!made && z->avail_in == offered_in && z->block_state != ISAL_BLOCK_FINISH)
			return -EBADMSG;
	}
	bool all_read = z->next_in == (const uint8_t *)body.ptr + body.len && z->read_in_length < 8;
	return all_read ? 0 : -EBADMSG;
}

int gzip_inflate(struct span body, struct gzip_limits limits, struct buf *out)
{
	if (body.len <= HEADER_FLAGS || (unsigned char)body.ptr[HEADER_FLAGS] & FLAGS_RESERVED)
		return -EBADMSG;
	struct inflate_state *z = malloc(sizeof(*z));
	if (!z)
		return -ENOMEM;
	isal_inflate_init(z);
	z->crc_flag = ISAL_GZIP;
	size_t before = out->len;
	int r = inflate_member(z, body, output_limit(body.len, limits), out);
	if (r < 0)
		out->len = before;
	free(z);
	return r;
}
