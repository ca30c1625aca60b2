/* What may be deleted: a pure function of the segments, the rules and the clock.
 *
 *     age      whole days whose end is max_age ago
 *     bytes    of a rule's services the oldest days, until they fit into max_bytes
 *     room     with on_full = expire the oldest days of all, the largest service of a day
 *              first, until so much room is made
 *
 * Never anything that is not sealed, on hold, or of today; nothing at all while the clock is not
 * plausible: a start in 2099 must not erase the archive. */
#ifndef HAUL_COLLECTOR_RETENTION_H
#define HAUL_COLLECTOR_RETENTION_H

#include "collector/policy.h"
#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The clock may be so far from the last checkpoint. */
#define RETENTION_CLOCK_US (48 * INT64_C(3600000000))

enum retention_reason { RETENTION_KEPT, RETENTION_AGE, RETENTION_BYTES, RETENTION_ROOM };

struct retention_segment {
	struct span service;
	uint64_t bytes; /* of its file */
	const struct policy_rule *rule;
	size_t row; /* the caller's */
	int32_t day;
	bool sealed;

	enum retention_reason reason; /* what is found */
};

struct retention_request {
	int64_t now_us;
	int64_t last_checkpoint_us; /* 0: there was none */
	uint64_t room_bytes;        /* to be made; 0: there is enough */
};

/* How much room is to be made where so much is free: a little more than the least, or each batch
 * would be one too many again. */
uint64_t retention_room(const struct conf_amount *min_free, uint64_t total_bytes,
			uint64_t free_bytes);

const char *retention_reason_text(enum retention_reason reason);

bool retention_clock_plausible(int64_t now_us, int64_t last_checkpoint_us);

/* Sorts the segments by day and service and sets their reasons. How many bytes go. */
uint64_t retention_decide(struct retention_segment *segments, size_t n,
			  const struct retention_request *request);

#endif
