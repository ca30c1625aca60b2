/* What the threads of a search for lines collect: hits and their events, in sorters. grep and trace
 * ask for it. */
#ifndef HAUL_COLLECTOR_QUERY_HITS_H
#define HAUL_COLLECTOR_QUERY_HITS_H

#include "collector/query/events.h"
#include "collector/query/rounds.h"
#include "collector/query/search.h"
#include "collector/query/sorter.h"

enum hits_mode {
	HITS_LINES, /* the lines, sorted */
	HITS_COUNT, /* only how many */
	HITS_FILES, /* only in which segments */
};

struct hits_worker;

struct hits {
	struct search *search;
	enum hits_mode mode;
	struct hits_worker *workers[SCAN_THREADS_MAX];
	struct sorter *sorters[SCAN_THREADS_MAX]; /* the workers', for a merge */
	unsigned n;
	atomic_bool *in_segment; /* HITS_FILES: of the day, by ordinal */
	uint64_t lines;          /* that matched, in all */
	bool may_crowd;          /* set by who calls hits_rounds: hits by time */
	atomic_bool crowded;     /* the day is for hits_rounds: nothing of it is kept */
	bool times;              /* with the times of its plain files */
	struct rounds *rounds;   /* during hits_rounds */
};

/* Errors: -ENOMEM. `limit` as of sorter_new. hits_close in either case. */
int hits_open(struct hits *h, struct search *search, enum hits_mode mode, bool events,
	      enum record_order order, uint64_t limit) MUST_CHECK;
void hits_close(struct hits *h);

/* Scans a day anew: what the day before left is forgotten. The list is the caller's, to be freed.
 * Errors, which have been told: -errno. */
int hits_day(struct hits *h, size_t day, struct segments **ret) MUST_CHECK;

/* The same of a list that is there already. */
int hits_list(struct hits *h, struct segments *segments) MUST_CHECK;

/* The day is crowded: it is scanned in rounds, and what was found is given as soon as no earlier
 * line can come any more, in order: `each` is called for each record, `ready` after each round.
 * When `each` returns 1 that was enough. Errors of the two; all others have been told: -errno. */
int hits_rounds(struct hits *h, struct segments *segments,
		int (*each)(void *user, const struct record *record), int (*ready)(void *user),
		void *user) MUST_CHECK;

/* Was the field of condition `i` seen in some line? */
bool hits_saw_field(const struct hits *h, size_t i);

#endif
