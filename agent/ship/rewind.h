/* The one motion for whatever goes wrong with a batch: the bytes of both batches go back to their
 * sources, whose cursors go back to what is committed. */
#ifndef HAUL_AGENT_REWIND_H
#define HAUL_AGENT_REWIND_H

#include "agent/files/source.h"
#include "agent/ship/batcher.h"

/* Rewinds each source that has a chunk in one of the two. For each of them the chunks of `first`
 * (NULL: it has none) and then those of `second` follow each other without a gap from what is
 * committed. The batches are as they were: the caller resets them. */
void rewind_batches(struct source_table *t, const struct batcher *first,
		    const struct batcher *second);

#endif
