/* The five columns of a stored line, found without checking them: for the loops that look at every
 * line. Where a line must be known to be one of haul's, line_parse_stored says. */
#ifndef HAUL_COMMON_COLUMNS_H
#define HAUL_COMMON_COLUMNS_H

#include "common/civil.h"
#include "common/span.h"

struct columns {
	struct span host;
	struct span stream; /* service or service/instance */
	struct span flags;
	struct span message;
};

/* False: not five columns, or the first is not 27 bytes long; the line then has only a message. */
static inline bool columns_split(struct span line, struct columns *ret)
{
	struct span *const fields[] = {&ret->host, &ret->stream, &ret->flags};
	if (line.len > CIVIL_TIME_LEN && line.ptr[CIVIL_TIME_LEN] == ' ') {
		struct span rest = span_from(line, CIVIL_TIME_LEN + 1);
		size_t i = 0;
		for (; i < 3; i++) {
			size_t len = span_find(rest, ' ');
			if (len == rest.len)
				break;
			*fields[i] = span_first(rest, len);
			rest = span_from(rest, len + 1);
		}
		if (i == 3) {
			ret->message = rest;
			return true;
		}
	}
	*ret = (struct columns){.message = line};
	return false;
}

static inline struct span columns_service(const struct columns *c)
{
	return span_first(c->stream, span_find(c->stream, '/'));
}

/* Empty when there is none. */
static inline struct span columns_instance(const struct columns *c)
{
	size_t slash = span_find(c->stream, '/');
	return slash < c->stream.len ? span_from(c->stream, slash + 1) : span_make(NULL, 0);
}

static inline bool columns_flag(const struct columns *c, char flag)
{
	return span_find(c->flags, flag) < c->flags.len;
}

#endif
