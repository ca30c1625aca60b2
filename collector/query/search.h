/* A question to the archive: what to look for, where, and the threads that do it. Each command asks
 * one and says what is done with the lines. */
#ifndef HAUL_COLLECTOR_QUERY_SEARCH_H
#define HAUL_COLLECTOR_QUERY_SEARCH_H

#include "collector/query/options.h"
#include "collector/query/scan.h"
#include "collector/query/scope.h"
#include "collector/query/sieve.h"

#include <stdatomic.h>

/* Exit codes of the commands. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_WRONG = 2, /* usage, or input that cannot be understood */
	EXIT_INTERRUPTED = 130,
	/* grep and trace, as grep has it */
	EXIT_FOUND = 0,
	EXIT_NOT_FOUND = 1,
	EXIT_TROUBLE = 2,
};

/* What sorters may hold in memory, all threads together. */
#define SEARCH_MEMORY (UINT64_C(24) << 20)

struct search {
	const struct options *options;
	const atomic_bool *stop; /* set by SIGINT: end with what was found */
	int archive_fd;
	struct segment_choice choice;
	struct matcher *matcher; /* NULL: every line */
	struct where *where;     /* NULL: no conditions */
	struct sieve sieve;
	int32_t *days;
	size_t n_days;
	unsigned threads;
	struct scan *scan;
	struct lookup *lookup; /* NULL: the index has nothing to say */
	struct scope scope;    /* what was listed so far */
	struct trouble trouble;
	struct progress progress;
};

/* Opens the archive, compiles pattern and conditions, starts the threads. `pattern` NULL: none;
 * `fixed` as with -F. Errors, which have been told: -EINVAL wrong input; -errno. The search is to
 * be closed in either case. */
int search_open(struct search *s, const struct options *options, const char *pattern, bool fixed,
		const atomic_bool *stop) MUST_CHECK;
void search_close(struct search *s);

/* Has the index opened also when it cannot choose: for what it counts. Errors, which have been
 * told. */
int search_want_index(struct search *s) MUST_CHECK;

/* The segments of one of the days, the caller's to be freed. Errors, which have been told:
 * -errno. */
int search_list(struct search *s, size_t day, struct segments **ret) MUST_CHECK;

/* Has the index turn to their day; search_scan does that by itself. Errors, which have been told:
 * -ENOMEM. */
int search_day(struct search *s, const struct segments *segments) MUST_CHECK;

/* Scans them. Errors, which have been told: -ENOMEM; what an operation returned. */
int search_scan(struct search *s, struct segments *segments, const struct scan_ops *ops,
		void *const *workers) MUST_CHECK;

bool search_stopped(const struct search *s);

/* An error of a stage, told: "what: why". Returns it. */
int search_tell(int error, const char *what);

/* Tells what is left to tell and gives the exit code. `result` is 0 or the error that ended the
 * command. */
int search_exit(struct search *s, int result);
/* The same for grep and trace. */
int search_exit_found(struct search *s, int result, bool found);

#endif
