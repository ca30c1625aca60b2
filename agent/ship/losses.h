/* What was lost, as the collector was told: sums by cause, and the last records, for status and
 * metrics. */
#ifndef HAUL_AGENT_LOSSES_H
#define HAUL_AGENT_LOSSES_H

#include "common/buf.h"

#include <stdint.h>

enum { LOSSES_CAUSES = 8, LOSSES_LAST = 32 };

struct loss_sum {
	const char *cause; /* a static text */
	uint64_t records, bytes;
};

struct loss_record {
	char *path; /* owned; NULL: memory was short */
	const char *cause;
	uint64_t from, to;
	int64_t real_ns; /* when the collector had it */
};

struct losses {
	struct loss_sum sums[LOSSES_CAUSES]; /* the last one takes all further causes */
	size_t n_sums;
	struct loss_record last[LOSSES_LAST]; /* a ring: record i stands at i % LOSSES_LAST */
	uint64_t n;                           /* of records ever */
};

void losses_add(struct losses *l, const char *path, const char *cause, uint64_t from, uint64_t to);
void losses_free(struct losses *l);

#endif
