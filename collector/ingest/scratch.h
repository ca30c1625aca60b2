/* Memory for inflated bodies. A body is needed from inflating to rendering, for a few milliseconds,
 * by one thread; what the last one has left behind is still in the processor's cache, so the next
 * one gets it, and not memory that has been out of use for longest. Any thread. */
#ifndef HAUL_COLLECTOR_INGEST_SCRATCH_H
#define HAUL_COLLECTOR_INGEST_SCRATCH_H

#include "common/buf.h"

struct scratch;

struct scratch *scratch_new(void); /* NULL: no memory */
void scratch_free(struct scratch *s);

/* An empty buffer with room for `bytes`, that takes no more than them. -ENOMEM. */
int scratch_take(struct scratch *s, size_t bytes, struct buf *ret) MUST_CHECK;

/* The buffer is done with, and empty afterwards. It may be one that never was taken. */
void scratch_give(struct scratch *s, struct buf *b);

#endif
