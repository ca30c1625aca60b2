/* Any bytes as the header Haul-Agent: what is taken are words of it, within their limits. */
#include "collector/ingest/agent_header.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct span part, struct span whole)
{
	return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_make((const char *)data, size);
	struct agent_header h;
	const char *why = NULL;
	if (agent_header_parse(value, &h, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	if (!lies_in(h.uuid, value) || !lies_in(h.program, value) || h.uuid.len == 0 ||
	    h.uuid.len > AGENT_HEADER_ID_MAX || h.program.len > AGENT_HEADER_ID_MAX)
		abort();
	return 0;
}
