/* Chooses the parts of a segment that have to be read for a question, each to be read by
 * itself. */
#ifndef HAUL_COLLECTOR_QUERY_BLOCKS_H
#define HAUL_COLLECTOR_QUERY_BLOCKS_H

#include "collector/query/listing.h"
#include "collector/query/lookup.h"
#include "collector/query/place.h"

/* Zero it to begin; clearing keeps the memory. */
struct pieces {
	struct piece *items;
	size_t n, cap;
};

int pieces_add(struct pieces *p, struct piece piece) MUST_CHECK;
void pieces_free(struct pieces *p);

/* Appends the pieces of a segment that can hold lines that the question selects, as far as
 * `lookup` (may be NULL) knows, in file
 * order. Nothing that might match is left out. Errors: -ENOMEM; -errno of reading. */
int blocks_choose(const struct segment *segment, uint32_t ordinal, int fd,
		  const struct lookup *lookup, struct pieces *ret) MUST_CHECK;

#endif
