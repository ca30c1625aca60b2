/* Time zones: from what a clock on the wall says to UTC, without localtime_r and mktime, which lock
 * and look at files. The tz database's file is read once; after that a zone is immutable and may be
 * shared by threads.
 *
 * Clocks are changed, so a local time may exist twice or never.
 *
 * Twice (autumn): it is the first of the two, which is still summer time; so has mktime it for a
 * program that has come there in order. But lines that are read as they are written are right in
 * the second pass, too: while that goes on, and for an hour more, a time that lies in it and not in
 * the future is taken to be of the second pass.
 *
 * Never (spring): it is read by the clock that was in force before the change, so 02:30 is 03:30
 * summer time; mktime has it so, too. */
#ifndef HAUL_AGENT_ZONE_H
#define HAUL_AGENT_ZONE_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

struct zone;

/* A cache for one user of a zone: local times in [from_s, until_s) are offset_s east of UTC. Local
 * times are seconds since 1970 as though the clock showed UTC. Zero it to begin. */
struct zone_range {
	int64_t from_s, until_s;
	int32_t offset_s;
};

/* `name` is local (the variable TZ, else /etc/localtime, else UTC), UTC, an offset (+02:00, -0330,
 * +02), or a name of the tz database, which is looked for in TZDIR, else /usr/share/zoneinfo.
 * Errors: -EINVAL with *ret_why a static text; -ENOMEM. */
int zone_new(const char *name, struct zone **ret, const char **ret_why) MUST_CHECK;

/* From the bytes of a file of the tz database (RFC 8536). Errors as above. */
int zone_from_file(struct span tzif, struct zone **ret, const char **ret_why) MUST_CHECK;

void zone_free(struct zone *z);

/* What zone_to_utc does when the cache does not know: looks, and fills it (but not with the hours
 * around a change, which are looked up each time). */
int64_t zone_look_up(const struct zone *z, struct zone_range *cache, int64_t local_s,
		     int64_t now_s);

/* Seconds since 1970, UTC, of a local time. */
static inline int64_t zone_to_utc(const struct zone *z, struct zone_range *cache, int64_t local_s,
				  int64_t now_s)
{
	if (local_s >= cache->from_s && local_s < cache->until_s)
		return local_s - cache->offset_s;
	return zone_look_up(z, cache, local_s, now_s);
}

/* The offset of an abbreviation that a line has behind its local time (CEST, EST): as the zone
 * itself uses it around then, else by a table of abbreviations that mean one thing only. False: not
 * known. */
bool zone_abbreviation(const struct zone *z, int64_t local_s, struct span abbreviation,
		       int32_t *ret_offset_s);

#endif
