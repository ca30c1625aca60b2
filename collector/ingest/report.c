/* The header Haul-Report: see report.h. Called by the routes that know for which host a request
 * speaks. */
#include "collector/ingest/report.h"

#include "common/clock.h"
#include "common/num.h"

void report_take(struct request *r, struct store *s, struct span host, uint64_t session)
{
	struct report report;
	struct span header = http_header(r->x, REPORT_HEADER);
	if (header.len && report_parse(header, &report) == 0)
		store_report(s, host, session, &report, clock_real_ns() / NUM_US_NS);
}
