/* The batcher: a batch under construction or in flight: the gzip body as it grows, its chunks, and the raw source bytes they
 * were cut from. The raw bytes are kept until the verdict: whatever the collector says, the flow can begin
 * again from them, also when the file is gone by then. All memory is taken once: this is the agent's arena. */
#ifndef HAUL_AGENT_BATCHER_H
#define HAUL_AGENT_BATCHER_H

#include "agent/source.h"
#include "common/chunk.h"
#include "common/gzip.h"

struct batcher_chunk {
	struct source *source;
	struct position from, to;
	size_t raw_at, raw_len; /* in batcher.raw */
	uint64_t lines, dropped;
};

struct batcher {
	struct gzip_encoder *encoder;
	struct buf body; /* gzip */
	struct buf raw;	 /* capacity fixed */
	struct batcher_chunk *chunks;
	size_t n_chunks, max_chunks;
	uint64_t payload_bytes;
	uint64_t payload_max; /* full at so many bytes; grows with a backlog up to what raw holds */
	int64_t opened_ns;    /* when its first line went in; 0: empty */
	bool finished;
};

int batcher_init(struct batcher *b, size_t raw_bytes) MUST_CHECK;
void batcher_free(struct batcher *b);
void batcher_reset(struct batcher *b);

static inline bool batcher_empty(const struct batcher *b)
{
	return b->n_chunks == 0;
}

/* Header and payload of one chunk go into the body. -ENOSPC: does not fit, the batch is as it was. */
int batcher_add(struct batcher *b, struct source *s, const struct position *to, const struct chunk *header,
	      struct span payload, size_t raw_at, size_t raw_len) MUST_CHECK;

/* Ends the gzip member: the body may be sent. */
int batcher_finish(struct batcher *b) MUST_CHECK;

#endif
