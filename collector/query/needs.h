/* What a question demands of every line it selects: the words in which blocks are chosen. */
#ifndef HAUL_COLLECTOR_QUERY_NEEDS_H
#define HAUL_COLLECTOR_QUERY_NEEDS_H

#include "collector/query/finder.h"

#define NEEDS_MAX 16

/* One of these strings stands in the line. */
struct need {
	const struct finder *any_of; /* not owned; its literals say whether case matters */
	bool whole;                  /* what stands before and behind is no letter, digit or _ */
};

struct needs {
	int64_t since_us, until_us; /* since <= time < until */
	struct need items[NEEDS_MAX];
	size_t n; /* all of them */
};

#endif
