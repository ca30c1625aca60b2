/* What is remembered of the bytes that a source has given: rungs, each an offset and the checksum
 * of [base, offset). By them a copy of the file is recognised when the file itself is truncated or
 * gone, also one that is shorter than what was read; and after a restart the bytes before the
 * cursor are compared from the nearest rung on, not from the start of the file.
 *
 * Plain data but for its one allocation. The rungs lie close together at the end and ever further
 * apart before it; at most LADDER_MAX of them. */
#ifndef HAUL_AGENT_LADDER_H
#define HAUL_AGENT_LADDER_H

#include "agent/lines/position.h"
#include "common/span.h"

#include <stdint.h>

#define LADDER_MAX 64

struct rung {
	uint64_t offset, crc;
};

struct ladder {
	struct rung *rungs; /* by offset, ascending */
	uint16_t n, capacity;
	uint64_t base; /* of all their checksums */
};

void ladder_free(struct ladder *l);

/* Adds a rung above all others; one that is not above is known already. Another base begins anew.
 * Short memory costs the rung: a ladder knows less then, it is never wrong. */
void ladder_add(struct ladder *l, uint64_t base, uint64_t offset, uint64_t crc);

/* `bytes` were read from `from` on and lead to `to`: adds its end, and powers of two on the way. */
void ladder_climb(struct ladder *l, const struct position *from, struct span bytes,
		  const struct position *to);

/* The greatest rung at or below `offset`; NULL: none. Valid until the ladder changes. */
const struct rung *ladder_find(const struct ladder *l, uint64_t offset);

#endif
