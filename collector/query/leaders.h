/* The most frequent keys of tallies, so many of them in memory. */
#ifndef HAUL_COLLECTOR_QUERY_LEADERS_H
#define HAUL_COLLECTOR_QUERY_LEADERS_H

#include "collector/query/tally.h"

struct leader {
	struct buf text; /* owned */
	struct tally_value value;
};

struct leaders {
	struct leader *items;
	size_t n, max;
};

/* Errors: -ENOMEM. leaders_free in either case. */
int leaders_init(struct leaders *l, size_t max) MUST_CHECK;
void leaders_free(struct leaders *l);

/* A key, offered once. Of equal counts the one that was offered first stays. -ENOMEM. */
int leaders_offer(struct leaders *l, struct span text, const struct tally_value *value) MUST_CHECK;

/* After the last: the greatest count first, equal ones in order of their bytes. */
void leaders_sort(struct leaders *l);

#endif
