/* A batch under construction or in flight: the gzip body as it grows, its chunks, and the raw source bytes they
 * were cut from. The raw bytes are kept until the verdict: whatever the collector says, the flow can begin
 * again from them, also when the file is gone by then. All memory is taken once: this is the agent's arena. */
#ifndef HAUL_AGENT_BATCH_H
#define HAUL_AGENT_BATCH_H

#include "agent/source.h"
#include "common/chunk.h"
#include "common/gzip.h"

struct batch_chunk {
	struct source *source;
	struct position from, to;
	size_t raw_at, raw_len; /* in batch.raw */
	uint64_t lines, dropped;
};

struct batch {
	struct gzip_encoder *encoder;
	struct buf body; /* gzip */
	struct buf raw;	 /* capacity fixed */
	struct batch_chunk *chunks;
	size_t n_chunks, max_chunks;
	uint64_t payload_bytes;
	uint64_t payload_max; /* full at so many bytes; grows with a backlog up to what raw holds */
	int64_t opened_ns;    /* when its first line went in; 0: empty */
	bool finished;
};

int batch_init(struct batch *b, size_t raw_bytes) MUST_CHECK;
void batch_free(struct batch *b);
void batch_reset(struct batch *b);

static inline bool batch_empty(const struct batch *b)
{
	return b->n_chunks == 0;
}

/* Header and payload of one chunk go into the body. -ENOSPC: does not fit, the batch is as it was. */
int batch_add(struct batch *b, struct source *s, const struct position *to, const struct chunk *header,
	      struct span payload, size_t raw_at, size_t raw_len) MUST_CHECK;

/* Ends the gzip member: the body may be sent. */
int batch_finish(struct batch *b) MUST_CHECK;

#endif
