/* The CRI decoder: what it takes lies within the line, and is what stands behind the tags. */
#include "agent/lines/cri.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = span_make((const char *)data, size);
	struct container_line l;
	if (cri_decode(line, false, &l) < 0)
		return 0;
	assert(l.output <= 1 && !l.clean);
	assert(l.text.ptr >= line.ptr && l.text.ptr + l.text.len == line.ptr + line.len);
	return 0;
}
