/* Finds the first place where any of several strings stands. */
#ifndef HAUL_COLLECTOR_QUERY_FINDER_H
#define HAUL_COLLECTOR_QUERY_FINDER_H

#include "collector/query/literal.h"

#define FINDER_MAX 16 /* strings */

struct finder {
	struct literal literals[FINDER_MAX];
	size_t n; /* 0: nothing to look for */
};

/* A walk over one stretch of memory: remembers for each string where it stands next, so that a rare
 * string is not looked for again after each occurrence of a frequent one. */
struct finder_walk {
	const struct finder *finder;
	const char *end;
	const char *next[FINDER_MAX]; /* at or after where the walk is; end: none */
};

/* The strings are copied; `n` is at most FINDER_MAX. Errors: -ENOMEM. */
int finder_init(struct finder *f, const struct span *strings, size_t n,
		bool ignore_case) MUST_CHECK;
void finder_clear(struct finder *f);

void finder_walk_start(struct finder_walk *w, const struct finder *f, struct span hay);

/* The first place at or after `from`, which never goes back; NULL when there is none. */
const char *finder_walk_next(struct finder_walk *w, const char *from);

/* Is one of them there? True when there is nothing to look for. */
bool finder_in(const struct finder *f, struct span hay);

#endif
