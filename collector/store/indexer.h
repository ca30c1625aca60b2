/* Writes the index: adds the parts of segments as they are sealed, turns full files of parts into
 * slabs, lets go what belongs to segments that are gone. The index is derived: it may be deleted at
 * any time, and an error here costs speed only.
 *
 * By one thread. */
#ifndef HAUL_COLLECTOR_STORE_INDEXER_H
#define HAUL_COLLECTOR_STORE_INDEXER_H

#include "collector/store/part.h"
#include "collector/store/tree.h"

struct indexer;

struct indexer_config {
	const struct tree *tree; /* outlives the indexer */
	/* Is there a sealed segment of that name and size? What belongs to none is left out when
	 * files are written anew. */
	bool (*alive)(void *user, const struct part_segment *segment);
	/* Called before each step that changes a file, with its name: tests break off here. May be
	 * NULL. */
	void (*step)(void *user, const char *what);
	void *user;
};

/* Looks through what is there, finishes what a crash left half done, removes what is damaged (said
 * aloud). Errors: -errno of reading the directory, -ENOMEM. */
int indexer_open(const struct indexer_config *config, struct indexer **ret) MUST_CHECK;
void indexer_free(struct indexer *x);

/* Adds a part to a class (index_class_valid), durable on return. -errno. */
int indexer_add(struct indexer *x, const char *class, struct part *p) MUST_CHECK;

/* Removes files whose segments are all gone, and writes those anew most of whose segments are,
 * among the files that have segments of days up to `last_day`. -errno. */
int indexer_sweep(struct indexer *x, int32_t last_day) MUST_CHECK;

/* Removes the whole index. -errno. */
int indexer_reset(struct indexer *x) MUST_CHECK;

#endif
