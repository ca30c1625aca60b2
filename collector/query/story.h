/* What a trace is about, beside its lines: when it began and ended, the services it crossed in
 * order of first appearance, the slowest gap. Made in a first pass over the lines, told in and
 * after the second. */
#ifndef HAUL_COLLECTOR_QUERY_STORY_H
#define HAUL_COLLECTOR_QUERY_STORY_H

#include "collector/query/printer.h"
#include "common/buf.h"
#include "common/name.h"

struct story_service {
	char name[NAME_MAX_LEN + 1];
	int64_t first_us;
	uint64_t lines, errors;
	struct buf hosts; /* their names, ", " between */
};

struct story {
	int64_t first_us, last_us; /* of the lines that have a time */
	bool timed;
	uint64_t lines, errors;
	int64_t slowest_us;  /* between two lines; 0: none */
	uint64_t slowest_at; /* the number of the line that ends it, from 1 */
	int64_t printed_us;  /* the time of the line that was printed last */
	struct story_service *services;
	size_t n_services;
	size_t n_hosts;
	struct buf hosts; /* all, with a LF behind each */
};

/* The first pass: a line in time order. Errors: -ENOMEM. */
int story_add(struct story *s, struct span line, struct field_scratch *scratch) MUST_CHECK;

/* The second pass: what stands before and around line number `number`: in text, the time since the
 * start and since the line before. Errors as of the printer. */
int story_print_line(struct story *s, struct printer *p, struct span line,
		     uint64_t number) MUST_CHECK;

/* The table of services. In text only. */
int story_print_sum(const struct story *s, struct printer *p) MUST_CHECK;

void story_free(struct story *s);

#endif
