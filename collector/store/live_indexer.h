/* Writes the index of live files (live_index.h): of those that have grown large, the whole blocks
 * that are behind a checkpoint. What it has written stays until the segment is sealed or gone.
 *
 * By one thread. An error costs speed only: what a file of parts says is forgotten, and made
 * anew. */
#ifndef HAUL_COLLECTOR_STORE_LIVE_INDEXER_H
#define HAUL_COLLECTOR_STORE_LIVE_INDEXER_H

#include "collector/store/live_index.h"
#include "collector/store/segment.h"
#include "collector/store/tree.h"

/* So much is gathered before a part is written. */
#define LIVE_INDEX_STEP (UINT64_C(4) << 20)

struct live_indexer;

struct live_indexer_config {
	const struct tree *tree;  /* outlives it */
	bool (*stop)(void *user); /* asked between blocks; true: break off */
	/* Called before each step that changes a file, with its name; may be NULL. */
	void (*step)(void *user, const char *what);
	void *user;
};

/* NULL: no memory. */
struct live_indexer *live_indexer_new(const struct live_indexer_config *config);
void live_indexer_free(struct live_indexer *x);

/* The segments as the ledger has them: what live ones have gained is added (unless `keep`: then
 * nothing is written), and what belongs to none of them that is live or closed is removed. Errors:
 * -ECANCELED; -ENOSPC, -errno: of the worst, others went on. */
int live_indexer_pass(struct live_indexer *x, const struct segment_row *rows, size_t n,
		      bool keep) MUST_CHECK;

/* Removes all of it. -errno. */
int live_indexer_reset(struct live_indexer *x) MUST_CHECK;

/* Bytes of live files that it speaks of, as of the last pass. */
uint64_t live_indexer_covered(const struct live_indexer *x);

#endif
