/* A first look at a plain file where it lies in the page cache, without copying it: which of its
 * lines need not be read, for none of some strings stands in them. Belongs to one thread. */
#ifndef HAUL_COLLECTOR_QUERY_GLANCE_H
#define HAUL_COLLECTOR_QUERY_GLANCE_H

#include "collector/query/finder.h"

#include <signal.h>

/* How much of a file is mapped at a time. */
#define GLANCE_MAP (UINT64_C(5) << 20)

/* Zero it to begin. */
struct glance {
	uint64_t at, end;          /* the part of the file that was tried last */
	char *map;                 /* NULL: it is not mapped, and is to be read */
	volatile sig_atomic_t cut; /* the file is shorter than it was, or cannot be read */
};

/* Before another file, or another part of this one, is looked at; and at last. */
void glance_end(struct glance *g);

/* The start of a line at or behind `from`, such that no whole line between the two has any of the
 * strings; `from` itself when that is not known. `from` is the start of a line, or stands in one
 * that is of no interest. Nothing at or behind `to` is looked at. */
uint64_t glance_pass(struct glance *g, int fd, const struct finder *strings, uint64_t from,
		     uint64_t to);

#endif
