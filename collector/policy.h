/* Retention by service: which days are kept. [retention] is for all, [retention GLOB] for the
 * services that fit; the most specific wins: a name without wildcards, else the glob with the most
 * characters that are none, else the one that stands last. What a section does not say it has from
 * [retention].
 *
 * Immutable; any thread. */
#ifndef HAUL_COLLECTOR_POLICY_H
#define HAUL_COLLECTOR_POLICY_H

#include "common/conf.h"

struct policy;

struct policy_rule {
	const char *glob;   /* "" for all */
	int64_t max_age_ns; /* 0: for ever */
	uint64_t max_bytes; /* 0: no limit */
	bool hold;          /* nothing is deleted */
};

/* NULL: no memory. Copies what it needs. */
struct policy *policy_new(const struct conf *conf);
void policy_free(struct policy *p);

/* The rule of a service. */
const struct policy_rule *policy_find(const struct policy *p, struct span service);

/* The oldest day that is kept of it at `now_us`; INT32_MIN: all. */
int32_t policy_oldest_day(const struct policy *p, struct span service, int64_t now_us);

/* The longest that lines of any service are kept; 0: for ever. */
int64_t policy_keeps_ns(const struct policy *p);

#endif
