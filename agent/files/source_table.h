/* The inside of the source table, for source*.c, descriptor.c and elder.c. */
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
	struct list stirred; /* for discover, unless they are read before */
	struct list waiting; /* for an older file of the same log; elder.c */
	int64_t ask_due_ns;  /* when they are asked again */
	struct list open;    /* descriptors, least recently used first */
	struct map by_id;
	struct map by_ino;      /* heads of the chains by same_ino */
	struct map by_family;   /* heads of the chains by same_family */
	struct source *touched; /* by next_touched */
	size_t count;
	size_t n_open, max_open;
	struct past_list past; /* streams that ended */
};

void source_index_init(struct source_table *t);
void source_index_free(struct source_table *t);
/* Before a source is put there: room for it. Errors: -ENOMEM. */
int source_index_reserve(struct source_table *t) MUST_CHECK;
void source_index_ino(struct source_table *t, struct source *s);
void source_unindex_ino(struct source_table *t, struct source *s);
void source_index_family(struct source_table *t, struct source *s);
void source_unindex_family(struct source_table *t, struct source *s);

/* Is it in a state in which its bytes may be taken? */
bool source_may_be_read(const struct source *s);

#endif
