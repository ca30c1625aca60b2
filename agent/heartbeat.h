/* What the agent tells its service manager while it runs (common/notify.h): that it lives, as often
 * as is wanted, and how it is, in a line. The line is told again with each sign of life and when
 * the collector begins or ceases to take batches, so it costs no wake-up of its own. Used by the
 * loop's thread. */
#ifndef HAUL_AGENT_HEARTBEAT_H
#define HAUL_AGENT_HEARTBEAT_H

#include "agent/status.h"

struct heartbeat {
	int64_t every_ns; /* 0: no sign of life is wanted */
	int64_t next_ns;  /* CLOCK_MONOTONIC; INT64_MAX: never */
	bool told, taken; /* was a line told; did the collector take batches then? */
};

void heartbeat_start(struct heartbeat *h, int64_t now_ns);
/* Tells what is due; each turn of the loop. */
void heartbeat_tick(struct heartbeat *h, const struct status_view *v, int64_t now_ns);

#endif
