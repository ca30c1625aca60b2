/* Which lines a question selects: pattern, conditions and time together. Immutable; each thread has
 * a scratch of its own. */
#ifndef HAUL_COLLECTOR_QUERY_SIEVE_H
#define HAUL_COLLECTOR_QUERY_SIEVE_H

#include "collector/query/matcher.h"
#include "collector/query/needs.h"
#include "collector/query/where.h"
#include "common/civil.h"

struct sieve {
	const struct matcher *matcher; /* not owned; NULL: every line */
	bool invert;                   /* lines that do not match */
	const struct where *where;     /* not owned; NULL: no conditions */
	bool has_since, has_until;
	char since[CIVIL_TIME_LEN], until[CIVIL_TIME_LEN];
	struct needs needs;
	const struct finder *lead; /* of the conditions, when it leads the search */
};

struct sieve_scratch;

/* since <= time < until; INT64_MIN and INT64_MAX are no bounds. matcher and where outlive it. */
void sieve_init(struct sieve *s, const struct matcher *matcher, bool invert,
		const struct where *where, int64_t since_us, int64_t until_us);

/* NULL when memory is short. */
struct sieve_scratch *sieve_scratch_new(const struct sieve *s);
void sieve_scratch_free(struct sieve_scratch *x);
struct where_scratch *sieve_where(struct sieve_scratch *x); /* NULL without conditions */

/* Begins with whole lines, each with its LF. */
void sieve_start(struct sieve_scratch *x, struct span lines);

/* 1 and the next selected line, without its LF; 0: no more; -ENOMEM. */
int sieve_next(struct sieve_scratch *x, struct span *ret_line) MUST_CHECK;

/* Strings of which one stands in every line that is selected; NULL: not known. */
const struct finder *sieve_lead(const struct sieve *s);

/* Does the sieve select every line? */
bool sieve_all(const struct sieve *s);

#endif
