/* The header Haul-Agent: UUID SESSION haul-agent/VERSION. Pure. */
#ifndef HAUL_COLLECTOR_INGEST_AGENT_HEADER_H
#define HAUL_COLLECTOR_INGEST_AGENT_HEADER_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define AGENT_HEADER        "Haul-Agent"
#define AGENT_HEADER_ID_MAX 64 /* bytes of the UUID and of the program's name */

struct agent_header {
	struct span uuid; /* [0-9A-Za-z-]+ */
	uint64_t session; /* 0: none yet */
	struct span program;
};

/* Spans point into `value`. -EINVAL with a static text. */
int agent_header_parse(struct span value, struct agent_header *ret,
		       const char **ret_why) MUST_CHECK;

#endif
