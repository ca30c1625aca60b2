/* A shipper's way to the collector: the uplink itself, or a ferry to the thread that has it. */
#ifndef HAUL_AGENT_WAY_H
#define HAUL_AGENT_WAY_H

#include "agent/ship/uplink.h"

struct way {
	/* As uplink.h has them. */
	enum uplink_state (*state)(const void *self);
	const char *(*problem)(const void *self);
	void (*send)(void *self, struct span body);
	void (*resync)(void *self);
	void (*tick)(void *self, int64_t now_ns);
	int64_t (*next_ns)(const void *self);
	void *self; /* borrowed */
};

#endif
