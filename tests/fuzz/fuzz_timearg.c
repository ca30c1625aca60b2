/* Any text as a time, and as a length of time: taken with a time that can be written, or refused
 * with a place in the text; and a time that was written as haul's lines have it is read back. */
#include "collector/query/timearg.h"

#include "common/civil.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US INT64_C(1795327401225242) /* 2026-11-22 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	int64_t us, again, every_us;
	size_t at = SIZE_MAX;
	if (timearg_parse(text, NOW_US, &us, &at) < 0) {
		if (at > size)
			abort();
	} else if (us >= CIVIL_MIN_US && us <= CIVIL_MAX_US) {
		char stored[CIVIL_TIME_LEN];
		civil_format_us(stored, us);
		if (timearg_parse(span_make(stored, sizeof(stored)), NOW_US, &again, &at) < 0 ||
		    again != us)
			abort();
	}
	if (timearg_parse_every(text, &every_us) == 0 && every_us <= 0)
		abort();
	return 0;
}
