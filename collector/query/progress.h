/* How far a long search is: counters that its threads feed, and a line on the terminal. */
#ifndef HAUL_COLLECTOR_QUERY_PROGRESS_H
#define HAUL_COLLECTOR_QUERY_PROGRESS_H

#include "collector/query/trouble.h"

#include <stdatomic.h>
#include <stdint.h>

struct progress {
	bool on;            /* stderr is a terminal, and stdout no pipe */
	bool shown;         /* guarded by the trouble's lock */
	int64_t started_ns; /* monotonic */
	struct trouble *trouble;
	size_t day, days; /* 1 of 3 */
	char day_text[16];
	uint64_t total_bytes;       /* of the day */
	atomic_uint_fast64_t bytes; /* read of the day */
	atomic_uint_fast64_t found; /* lines, in all */
};

/* Shown after 300 ms, only when stderr is a terminal and stdout no pipe. Messages of `trouble`
 * clear it first. */
void progress_start(struct progress *p, struct trouble *trouble);

/* A day begins. */
void progress_day(struct progress *p, size_t day, size_t days, int32_t number,
		  uint64_t total_bytes);

/* Shows where things stand; called by the waiting thread some ten times a second. */
void progress_show(struct progress *p);

/* The same with another text, for what is no search. */
void progress_text(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Takes the line away, before output and at the end. */
void progress_clear(struct progress *p);

#endif
