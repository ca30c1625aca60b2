/* A file of the tz database, or (behind a byte that is not T) a POSIX TZ string.
 *
 * Holds: what is accepted answers for every year, local times do not leave the neighbourhood of
 * UTC, and the cache gives what the look-up gave. */
#include "agent/stamp/zone.h"
#include "agent/stamp/zone_rule.h"
#include "common/civil.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DAY_S INT64_C(86400)
#define FAR_S (8 * DAY_S) /* rules may say -24 hours, and change a week from midnight */
#define NOW_S INT64_C(1795327200)

static void ask(const struct zone *z)
{
	struct zone_range cache = {0};
	for (int year = 1970; year <= 9999; year += year < 2040 ? 1 : 397) {
		for (unsigned month = 1; month <= 12; month++) {
			int64_t local_s = civil_days(year, month, 28) * DAY_S + 9000;
			int64_t utc_s = zone_to_utc(z, &cache, local_s, NOW_S);
			struct zone_range fresh = {0};
			if (utc_s < local_s - FAR_S || utc_s > local_s + FAR_S ||
			    utc_s != zone_look_up(z, &fresh, local_s, NOW_S))
				abort();
			int32_t offset_s;
			(void)zone_abbreviation(z, local_s, SPAN_LITERAL("CET"), &offset_s);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size);
	struct zone *z;
	const char *why;
	struct zone_rule rule;
	if (size > 0 && data[0] != 'T') {
		if (zone_rule_parse(span_from(in, 1), &rule) == 0) {
			int64_t begins_s, ends_s;
			for (int year = 1970; rule.has_dst && year < 10000; year += 99)
				zone_rule_changes(&rule, year, &begins_s, &ends_s);
		}
	} else if (zone_from_file(in, &z, &why) == 0) {
		ask(z);
		zone_free(z);
	}
	return 0;
}
