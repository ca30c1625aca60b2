/* The batcher: a batch under construction or in flight. It has the gzip body as it grows, its
 * chunks, and the raw source bytes that they were cut from. The raw bytes are kept until the
 * verdict: whatever the collector says, the flow can begin again from them, also when the file is
 * gone by then. The memory for them is taken once: two batchers are the agent's arena. */
#ifndef HAUL_AGENT_BATCHER_H
#define HAUL_AGENT_BATCHER_H

#include "agent/files/source.h"
#include "common/chunk.h"
#include "common/gzip.h"

struct batcher_chunk {
	struct source *source;
	struct position from, to;
	size_t raw_at, raw_len; /* in batcher.raw */
	uint64_t lines, dropped;
	const char *lost_cause; /* NULL: no loss */
	bool ended;
};

struct batcher {
	struct gzip_encoder *encoder;
	struct buf body;   /* gzip */
	struct buf header; /* scratch for chunk headers */
	struct buf raw;    /* capacity fixed */
	struct batcher_chunk *chunks;
	size_t n_chunks, max_chunks;
	uint64_t payload_bytes;
	/* full at so many bytes; grows with a backlog up to what raw holds */
	uint64_t payload_max;
	int64_t opened_ns; /* when its first line went in; 0: empty */
	bool crowded;      /* what comes next does not fit: send it as it is */
	bool finished;
	size_t raw_high, chunks_high; /* the most that was used since batcher_rest */
};

int batcher_init(struct batcher *b, size_t raw_bytes) MUST_CHECK;
void batcher_free(struct batcher *b);
void batcher_reset(struct batcher *b);

/* An empty batch gives memory back to the kernel that was not needed since the last call: what a
 * backlog took is not kept for ever. Whether any was used. */
bool batcher_rest(struct batcher *b);

static inline bool batcher_empty(const struct batcher *b)
{
	return b->n_chunks == 0;
}

/* Header and payload of one chunk go into the body; `c` is remembered. The chunk has to be one that
 * may be added (batcher_full is false). Errors: -ENOMEM, -EMSGSIZE (a header beyond its limit): the
 * batch is as it was. */
int batcher_add(struct batcher *b, const struct batcher_chunk *c, const struct chunk *header,
		struct span payload, int64_t now_ns) MUST_CHECK;

/* No further chunk should go in. */
bool batcher_full(const struct batcher *b);

/* Ends the gzip member: the body may be sent. */
int batcher_finish(struct batcher *b) MUST_CHECK;

#endif
