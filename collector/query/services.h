/* The services of one day, listed by several threads: looking at a file costs a microsecond, and a
 * day may have tens of thousands. */
#ifndef HAUL_COLLECTOR_QUERY_SERVICES_H
#define HAUL_COLLECTOR_QUERY_SERVICES_H

#include "collector/query/listing.h"

/* Zero it to begin. */
struct services {
	char **names; /* owned; in the order of their paths */
	size_t n, capacity;
};

void services_free(struct services *s);

/* Appends the chosen files of all chosen services below `day_dir` to `list`, in the order of their
 * paths. `request` is without a service. What cannot be read is told and left out. Errors: -ENOMEM;
 * the list is then as it was. */
int services_list(struct services *s, DIR *day_dir, const struct listing_request *request,
		  unsigned threads, struct listing *list) MUST_CHECK;

#endif
