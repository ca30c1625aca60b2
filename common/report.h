/* What an agent says of itself with its requests, in the header Haul-Report: how far behind it is,
 * and what its clock says. Blank-separated key=number; unknown keys are ignored, so that versions
 * may differ. Pure. */
#ifndef HAUL_COMMON_REPORT_H
#define HAUL_COMMON_REPORT_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define REPORT_HEADER "Haul-Report"
#define REPORT_MAX    256 /* bytes of its value, with NUL */

struct report {
	int64_t time_us;         /* the agent's clock as the request leaves */
	uint64_t lag_bytes;      /* not yet acknowledged, over all files */
	uint64_t lag_ms;         /* age of the oldest of them */
	uint64_t files, failing; /* that are followed; that cannot be read */
};

void report_format(char dst[REPORT_MAX], const struct report *r);

/* -EINVAL: it is none, and is as good as none. The time must be there. */
int report_parse(struct span value, struct report *ret) MUST_CHECK;

#endif
