/* The inside of the source table, for source.c and descriptor.c. */
#ifndef HAUL_AGENT_SOURCE_TABLE_H
#define HAUL_AGENT_SOURCE_TABLE_H

#include "agent/files/past.h"
#include "agent/files/source.h"
#include "common/list.h"
#include "common/map.h"

struct source_table {
	struct list all;     /* files, by age */
	struct list streams; /* of journals, by age */
	struct list ready;   /* whose turn it is */
	struct list noticed; /* for discover */
	struct list open;    /* descriptors, least recently used first */
	struct map by_id;
	struct map by_ino;      /* heads of the chains by same_ino */
	struct source *touched; /* by next_touched */
	size_t count;
	size_t n_open, max_open;
	struct past_list past; /* streams that ended */
};

#endif
