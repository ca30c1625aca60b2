/* Chooses the parts of a segment that have to be read for a question, each to be read by itself. */
#ifndef HAUL_COLLECTOR_QUERY_BLOCKS_H
#define HAUL_COLLECTOR_QUERY_BLOCKS_H

#include "collector/query/listing.h"
#include "collector/query/lookup.h"
#include "collector/query/place.h"

/* Blocks of a segment that need not be read, by their ordinals. Zero it to begin. */
struct block_set {
	uint64_t *bits;
	size_t words;
	uint32_t n; /* how many there are */
};

void block_set_clear(struct block_set *s); /* keeps the memory */
void block_set_free(struct block_set *s);
int block_set_add(struct block_set *s, uint32_t block) MUST_CHECK;

/* Zero it to begin; clearing keeps the memory. */
struct pieces {
	struct piece *items;
	size_t n, cap;
};

int pieces_add(struct pieces *p, struct piece piece) MUST_CHECK;
/* Appends it, or lengthens the last one of those from `first` on when it goes on where that ends
 * and that is shorter than what is worth a piece. */
int pieces_join(struct pieces *p, size_t first, struct piece piece, bool plain) MUST_CHECK;
void pieces_free(struct pieces *p);

/* Appends the pieces of a segment that can hold lines that the question selects, as far as `lookup`
 * (may be NULL) knows, in file order, without the blocks in `done`. Nothing else that might match
 * is left out. Errors: -ENOMEM; -errno of reading. */
int blocks_choose(const struct segment *segment, uint32_t ordinal, int fd,
		  const struct lookup *lookup, const struct block_set *done,
		  struct pieces *ret) MUST_CHECK;
/* Would any block be chosen, as far as `lookup` knows? */
bool blocks_any(const struct segment *segment, const struct lookup *lookup,
		const struct block_set *done);

#endif
