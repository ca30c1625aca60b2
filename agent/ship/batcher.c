/* The batcher: see batcher.h. Filled by the pump, sent by the agent, kept until the collector's
 * verdict.
 *
 * Invariants: the chunks are in the order in which they stand in the body; two chunks of one source
 * follow each other without a gap; body is a whole gzip member exactly when `finished`. */
#include "agent/ship/batcher.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	MAX_CHUNKS = 4000,       /* below CHUNK_BATCH_MAX, so that the table stays small */
	RAW_ROOM = 64 * 1024,    /* with less room than this in raw a batch is full */
	KEEP_BYTES = 256 * 1024, /* what a small batch uses stays */
};

int batcher_init(struct batcher *b, size_t raw_bytes)
{
	*b = (struct batcher){.max_chunks = MAX_CHUNKS, .payload_max = raw_bytes};
	b->raw.max = raw_bytes;
	b->encoder = gzip_encoder_new();
	b->chunks = calloc(b->max_chunks, sizeof(*b->chunks));
	if (!b->encoder || !b->chunks || buf_reserve(&b->raw, raw_bytes) < 0) {
		batcher_free(b);
		return -ENOMEM;
	}
	batcher_reset(b);
	return 0;
}

void batcher_free(struct batcher *b)
{
	gzip_encoder_free(b->encoder);
	free(b->chunks);
	buf_free(&b->body);
	buf_free(&b->header);
	buf_free(&b->raw);
	*b = (struct batcher){0};
}

/* The whole pages of [keep, size): they read as zeros when they are used again. */
static void give_back(void *memory, size_t keep, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)memory;
	uintptr_t from = (start + keep + page - 1) / page * page, to = (start + size) / page * page;
	if (from < to)
		(void)madvise((char *)memory + (from - start), to - from, MADV_DONTNEED);
}

bool batcher_rest(struct batcher *b)
{
	bool used = b->chunks_high != 0;
	if (!batcher_empty(b))
		return true;
	give_back(b->raw.ptr, used ? b->raw_high + KEEP_BYTES : 0, b->raw.cap);
	give_back(b->chunks, b->chunks_high * sizeof(*b->chunks),
		  b->max_chunks * sizeof(*b->chunks));
	if (b->body.cap > KEEP_BYTES && !used) {
		buf_free(&b->body);
		gzip_encoder_start(b->encoder, &b->body);
	}
	b->raw_high = b->chunks_high = 0;
	return used;
}

void batcher_reset(struct batcher *b)
{
	b->raw_high = b->raw.len > b->raw_high ? b->raw.len : b->raw_high;
	b->chunks_high = b->n_chunks > b->chunks_high ? b->n_chunks : b->chunks_high;
	buf_clear(&b->body);
	buf_clear(&b->raw);
	b->n_chunks = 0;
	b->payload_bytes = 0;
	b->opened_ns = 0;
	b->crowded = false;
	b->finished = false;
	gzip_encoder_start(b->encoder, &b->body);
}

int batcher_add(struct batcher *b, const struct batcher_chunk *c, const struct chunk *header,
		struct span payload, int64_t now_ns)
{
	buf_clear(&b->header);
	int r = chunk_encode(header, &b->header);
	if (r < 0)
		return r;
	/* What the encoder has taken cannot be taken back, so there must be room for all of it. */
	r = buf_reserve(&b->body, b->header.len + payload.len + payload.len / 8 + 4096);
	if (r < 0)
		return r;
	r = gzip_encoder_add(b->encoder, buf_span(&b->header));
	if (r == 0)
		r = gzip_encoder_add(b->encoder, payload);
	if (r < 0)
		return r;
	if (!b->n_chunks)
		b->opened_ns = now_ns;
	b->chunks[b->n_chunks++] = *c;
	b->payload_bytes += payload.len;
	return 0;
}

bool batcher_full(const struct batcher *b)
{
	return b->finished || b->crowded || b->n_chunks == b->max_chunks ||
	       b->payload_bytes >= b->payload_max || b->raw.cap - b->raw.len < RAW_ROOM;
}

int batcher_finish(struct batcher *b)
{
	int r = gzip_encoder_finish(b->encoder);
	if (r == 0)
		b->finished = true;
	return r;
}
