/* The header Haul-Agent: see agent_header.h. */
#include "collector/ingest/agent_header.h"

#include "common/num.h"

#include <errno.h>

static struct span take_word(struct span *rest)
{
	*rest = span_trim(*rest);
	struct span word = span_first(*rest, span_find(*rest, ' '));
	*rest = span_from(*rest, word.len);
	return word;
}

static bool is_id(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '-'))
			return false;
	}
	return s.len > 0 && s.len <= AGENT_HEADER_ID_MAX;
}

static bool is_program(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
			return false;
	return s.len > 0 && s.len <= AGENT_HEADER_ID_MAX;
}

int agent_header_parse(struct span value, struct agent_header *ret, const char **ret_why)
{
	struct span uuid = take_word(&value), session = take_word(&value),
		    program = take_word(&value);
	struct agent_header h = {.uuid = uuid, .program = program};
	*ret_why = "it must be UUID SESSION haul-agent/VERSION";
	if (uuid.len == 0 || span_trim(value).len)
		return -EINVAL;
	if (!is_id(uuid)) {
		*ret_why = "the first word must be a UUID";
		return -EINVAL;
	}
	if (num_parse_u64(session, &h.session) < 0) {
		*ret_why = "the second word must be the session's number";
		return -EINVAL;
	}
	if (!is_program(program)) {
		*ret_why = "the third word must be the program and its version";
		return -EINVAL;
	}
	*ret = h;
	return 0;
}
