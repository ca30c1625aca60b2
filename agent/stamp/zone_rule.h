/* A POSIX TZ string: `CET-1CEST,M3.5.0,M10.5.0/3`. It stands at the end of every file of the tz
 * database and says what goes on behind the file's own table; and it may be the value of TZ.
 *
 * Pure functions, thread-safe. Offsets are seconds east of UTC (the string counts west). */
#ifndef HAUL_AGENT_ZONE_RULE_H
#define HAUL_AGENT_ZONE_RULE_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define ZONE_NAME_MAX 15 /* bytes of an abbreviation; the longest in use have 6 */

enum zone_day_kind {
	ZONE_DAY_JULIAN,   /* J1 to J365: February 29 is never counted */
	ZONE_DAY_OF_YEAR,  /* 0 to 365 */
	ZONE_DAY_OF_MONTH, /* M month . week . weekday: week 5 is the last */
};

/* When the clock is changed, by the clock that is in force until then. */
struct zone_day {
	enum zone_day_kind kind;
	int day; /* of the year; or the weekday, 0 Sunday */
	int month, week;
	int32_t at_s; /* from midnight; may be negative or beyond a day */
};

struct zone_rule {
	char std_name[ZONE_NAME_MAX + 1];
	char dst_name[ZONE_NAME_MAX + 1];
	int32_t std_offset_s;
	int32_t dst_offset_s;
	bool has_dst;
	struct zone_day dst_begins, dst_ends;
};

/* Takes all of `text` or nothing: -EINVAL. A summer time without dates has those of the United
 * States, as in glibc. */
int zone_rule_parse(struct span text, struct zone_rule *ret) MUST_CHECK;

/* The instants (seconds since 1970, UTC) of the two changes that the rule (one with summer time)
 * puts into a year. */
void zone_rule_changes(const struct zone_rule *rule, int year, int64_t *ret_begins_s,
		       int64_t *ret_ends_s);

#endif
