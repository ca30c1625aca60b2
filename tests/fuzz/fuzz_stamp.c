/* Lines of one file, through each mode. The first byte chooses mode and zone, the rest are the
 * lines.
 *
 * Holds: a time that is found lies in the years 1970 to 9999; the same line once more gives the
 * same. */
#include "agent/stamp/stamp.h"
#include "common/civil.h"

#include <stdlib.h>

#define NOW_US INT64_C(1795327200000000) /* 2026-11-22T06:00:00Z */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const specs[] = {
	"auto",
	"json:ts",
	"json:a.b",
	"strptime:%Y-%m-%d %H:%M:%S.%f%z",
	"strptime:%a %b %e %I:%M:%S %p %Z %y",
	"strptime:%s.%f",
	"strptime:%Y %j %D %r",
	"auto",
};

/* Rules instead of names: the machine may have no tz database. */
static const char *const zones[] = {"UTC", "+05:30", "-03", "+14:00"};

static void check(const struct stamp *s, struct stamp_memory *memory, struct span line)
{
	int64_t us = -1, again_us = -1;
	int found = stamp_find(s, memory, line, NOW_US, &us);
	if (found != 0 && (found != 1 || us < 0 || us > CIVIL_MAX_US))
		abort();
	if (found == 1 && (stamp_find(s, memory, line, NOW_US, &again_us) != 1 || us != again_us))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct stamp *s;
	const char *why;
	if (stamp_new(specs[data[0] % 8], zones[data[0] / 8 % 4], &s, &why) < 0)
		abort();
	struct stamp_memory memory = {0};
	struct span rest = span_make((const char *)data + 1, size - 1);
	while (rest.len > 0) {
		size_t len = span_find(rest, '\n');
		check(s, &memory, span_first(rest, len));
		rest = span_from(rest, len < rest.len ? len + 1 : len);
	}
	stamp_free(s);
	return 0;
}
