/* Ids of one request: the one that was asked for and, with --follow-ids, others that stand beside
 * it. */
#ifndef HAUL_COLLECTOR_QUERY_IDS_H
#define HAUL_COLLECTOR_QUERY_IDS_H

#include "common/buf.h"
#include "common/field.h"

#define IDS_MAX     16
#define IDS_LEN_MAX 128 /* bytes of one that was found */

struct ids {
	struct buf texts[IDS_MAX]; /* owned */
	size_t n;
	bool full; /* there were more */
};

/* -ENOMEM. Nothing happens when it is there; `full` is set when there is no room. */
int ids_add(struct ids *ids, struct span id) MUST_CHECK;

/* Adds the request, trace and correlation ids that the line's message names. -ENOMEM. */
int ids_add_from(struct ids *ids, struct span line, struct field_scratch *scratch) MUST_CHECK;

/* An expression that matches any of them; with a NUL behind it. -ENOMEM. */
int ids_pattern(const struct ids *ids, struct buf *ret) MUST_CHECK;

void ids_free(struct ids *ids);

#endif
