/* The event that a shard's stream is in the middle of, for who follows it: a match in a later line
 * brings the lines before it, and those that come after. */
#ifndef HAUL_COLLECTOR_QUERY_RECENT_H
#define HAUL_COLLECTOR_QUERY_RECENT_H

#include "common/buf.h"
#include "common/span.h"

#define RECENT_BYTES ((size_t)256 * 1024) /* of an event that has not matched yet */

struct recent;

/* NULL when memory is short. */
struct recent *recent_new(void);
void recent_free(struct recent *r);

/* The shard's next line. 1: show it (and, before it, the lines in recent_before, each with its LF,
 * which are forgotten by the next call); 0: do not, or not yet. -ENOMEM. */
int recent_add(struct recent *r, struct span line, bool matched) MUST_CHECK;
struct span recent_before(const struct recent *r);

#endif
