/* Where a line stands: the words that readers, search and sorter share. */
#ifndef HAUL_COLLECTOR_QUERY_PLACE_H
#define HAUL_COLLECTOR_QUERY_PLACE_H

#include "common/span.h"

#include <stdint.h>

/* The first byte of a line. Ordered as the lines stand in the files, in path order. */
struct place {
	uint32_t segment; /* its ordinal in the list */
	uint32_t rank;    /* of its segment, in order of shards */
	uint64_t block;   /* where in the file its frame or member begins; 0 in plain files
			  */
	uint64_t offset;  /* of uncompressed bytes behind that */
};

/* The files in path order; ranks are the same thing in another order. */
static inline int place_compare(const struct place *a, const struct place *b)
{
	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	if (a->block != b->block)
		return a->block < b->block ? -1 : 1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

/* A part of one segment that is read by itself: of a plain file the lines that begin in [from, to),
 * of a sealed one the frames or members that begin there. */
struct piece {
	uint32_t segment;
	uint64_t from, to;
};

/* Whole lines, each with its LF, in the reader's memory. */
struct window {
	struct span lines;
	struct place at; /* of the first */
};

static inline struct place window_place(const struct window *w, const char *line)
{
	struct place p = w->at;
	p.offset += (uint64_t)(line - w->lines.ptr);
	return p;
}

#endif
