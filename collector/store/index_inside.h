/* What index.c and index_search.c share. Nobody else includes this. */
#ifndef HAUL_COLLECTOR_STORE_INDEX_INSIDE_H
#define HAUL_COLLECTOR_STORE_INDEX_INSIDE_H

#include "collector/store/index.h"

#include "collector/store/index_format.h"

struct index_file {
	struct slab *slab; /* or: */
	char *map;
	size_t map_len;
	struct part *parts;
	size_t n_parts, parts_capacity;
	size_t n_blocks;
	int32_t first_day, last_day;
	uint64_t size;
};

struct index {
	struct index_file *files;
	size_t n, capacity;
	uint64_t damaged;
};

/* The segments that a file knows, whatever it is. */
size_t index_file_segments(const struct index_file *f);
const struct part_segment *index_file_segment(const struct index_file *f, size_t i);

#endif
