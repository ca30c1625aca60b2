/* Substring search at memory speed. A literal is immutable and may be used by many threads. */
#ifndef HAUL_COLLECTOR_QUERY_LITERAL_H
#define HAUL_COLLECTOR_QUERY_LITERAL_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define LITERAL_PROBES 2 /* places of the needle that are compared first */

struct literal {
	struct span needle; /* owned; lower case when ignore_case */
	bool ignore_case;   /* of ASCII letters */
	size_t probe_at[LITERAL_PROBES];
	const char *(*find)(const struct literal *l, const char *hay, size_t len);
};

/* Copies the needle, which is not empty. Errors: -ENOMEM. */
int literal_init(struct literal *l, struct span needle, bool ignore_case) MUST_CHECK;
void literal_clear(struct literal *l);

/* The first occurrence in `hay`, NULL when there is none. */
static inline const char *literal_find(const struct literal *l, const char *hay, size_t len)
{
	return len < l->needle.len ? NULL : l->find(l, hay, len);
}

#endif
