/* A file of parts (haul-index(5)) in memory, as the indexer reads it before it becomes a slab. */
#ifndef HAUL_COLLECTOR_STORE_PARTS_H
#define HAUL_COLLECTOR_STORE_PARTS_H

#include "collector/store/part.h"
#include "collector/store/tree.h"

struct parts {
	struct buf bytes;   /* of the whole file; the parts are views of it */
	struct part *items; /* n of them */
	size_t n, blocks;   /* blocks: of all parts */
	bool damaged;       /* what comes behind the parts that are here cannot be read */
};

/* All parts that are whole, checked to the last bit; what is damaged ends them. Errors: -errno of
 * opening and reading, -EPROTONOSUPPORT another haul's, -ENOMEM. Free with parts_free. */
int parts_read(const struct tree *tree, const char *path, struct parts *ret) MUST_CHECK;
void parts_free(struct parts *p);

/* Drops those whose segment is not alive. */
void parts_keep(struct parts *p, bool (*alive)(void *user, const struct part_segment *segment),
		void *user);

#endif
