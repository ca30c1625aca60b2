/* A point in time as a line writes it, field by field, before it is known which instant is meant:
 * the year may be missing, the zone too. Forms fill one, moment_resolve makes an instant of it. */
#ifndef HAUL_AGENT_MOMENT_H
#define HAUL_AGENT_MOMENT_H

#include "agent/stamp/zone.h"
#include "common/span.h"

#include <stdint.h>

enum moment_kind {
	MOMENT_CALENDAR,
	MOMENT_EPOCH, /* epoch_us, where the line says that it is one */
	/* epoch_us, where only its size speaks for it: not beyond now + 1 day */
	MOMENT_EPOCH_BARE,
};

enum moment_year {
	MOMENT_YEAR_FULL,
	MOMENT_YEAR_SHORT, /* two digits */
	MOMENT_YEAR_OPEN,  /* none */
};

enum moment_zone {
	MOMENT_ZONE_OPEN,
	MOMENT_ZONE_OFFSET,
	MOMENT_ZONE_NAME, /* an abbreviation, which may turn out to be none */
};

struct moment {
	enum moment_kind kind;
	enum moment_year year_kind;
	enum moment_zone zone_kind;
	int year;
	unsigned month, day;
	unsigned hour, minute, second; /* second 60 is a leap second */
	unsigned us;
	int32_t offset_s; /* MOMENT_ZONE_OFFSET */
	union {
		struct span zone_name; /* MOMENT_ZONE_NAME; points into the line */
		int64_t epoch_us;      /* MOMENT_EPOCH and MOMENT_EPOCH_BARE */
	};
};

_Static_assert(sizeof(struct moment) <= 64, "it is cleared for each form that is tried");

/* The instant, in microseconds since 1970. False when there is none: a field out of its range, a
 * day that the month does not have, a year outside 1970 to 9999.
 *
 * An open year is the one that puts the moment nearest before now + 1 day; of two digits it is in
 * this century unless that lies beyond now + 1 day. An open zone is `zone`, by way of `cache`. */
bool moment_resolve(const struct moment *m, const struct zone *zone, struct zone_range *cache,
		    int64_t now_us, int64_t *ret_us);

/* A decimal number (digits, perhaps a point or comma and further digits, perhaps an exponent) as an
 * epoch. Its magnitude says the unit: 9 or 10 digits before the point are seconds, 12 or 13
 * milliseconds, 15 or 16 microseconds, 18 or 19 nanoseconds: 1973 to 2286 in each. Any other number
 * is no time, unless `any_size`: then it is what it is nearest to, small ones being seconds. All of
 * `number` or nothing. */
bool moment_epoch(struct span number, bool any_size, int64_t *ret_us);

#endif
