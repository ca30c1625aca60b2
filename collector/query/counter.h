/* What the threads of count and top collect: tallies of lines by time and by the values of
 * fields. */
#ifndef HAUL_COLLECTOR_QUERY_COUNTER_H
#define HAUL_COLLECTOR_QUERY_COUNTER_H

#include "collector/query/search.h"
#include "collector/query/tally.h"
#include "common/field.h"

#define COUNTER_FIELDS_MAX 8
#define COUNTER_NO_TIME    INT64_MIN

struct counter_worker;

struct counter {
	struct search *search;
	struct field fields[COUNTER_FIELDS_MAX];
	size_t n_fields;
	int64_t every_us; /* 0: not by time */
	struct counter_worker *workers[SCAN_THREADS_MAX];
	struct tally *tallies[SCAN_THREADS_MAX]; /* the workers' */
	unsigned n;
	uint64_t lines;   /* that were selected */
	bool from_counts; /* what the index counts answers it */
};

/* A key of the tallies, taken apart. */
struct counter_key {
	/* of the span's beginning; COUNTER_NO_TIME: the line has none, or not by time */
	int64_t time_us;
	struct span values[COUNTER_FIELDS_MAX];
	bool has[COUNTER_FIELDS_MAX]; /* false: the line does not have the field */
};

/* Errors, which have been told: -EINVAL a field's name; -ENOMEM. counter_close in either case. */
int counter_open(struct counter *c, struct search *search, const char *const *fields,
		 size_t n_fields, int64_t every_us) MUST_CHECK;
void counter_close(struct counter *c);

/* Scans all days. Errors, which have been told. -EINVAL: there are lines, and none has one of the
 * fields; `option` says where the field was given. */
int counter_run(struct counter *c, const char *option) MUST_CHECK;

void counter_split(const struct counter *c, struct span key, struct counter_key *ret);

#endif
