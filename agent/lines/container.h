/* What the envelope of one physical line of a container log says. */
#ifndef HAUL_AGENT_CONTAINER_H
#define HAUL_AGENT_CONTAINER_H

#include "common/span.h"

#include <stdint.h>

struct container_line {
	struct span text; /* what the container wrote, without its LF */
	int64_t time_us;  /* when the runtime took it; INT64_MIN: it does not say, or nonsense */
	uint8_t output;   /* 0 stdout, 1 stderr */
	bool partial;     /* the container's line goes on in a later one of the same output */
	bool clean;       /* line_clean(text) is known to be true */
};

#endif
