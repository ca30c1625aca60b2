/* Streams in the order of their ids: the links are in the streams themselves, so that nothing here
 * takes memory or can fail, and a birth among a million costs what one among a hundred does.
 *
 * Guarded by the store's lock. */
#ifndef HAUL_COLLECTOR_STORE_STREAM_SET_H
#define HAUL_COLLECTOR_STORE_STREAM_SET_H

#include "common/stream_id.h"

#include <stddef.h>
#include <stdint.h>

struct stream;

struct stream_set {
	struct stream *root;
	size_t n;
};

/* A stream's place in the one set that it is in. */
struct stream_node {
	struct stream *left, *right;
	/* Random, and not to be known by who chooses the ids. */
	uint32_t priority;
};

/* The stream is in no set, and none with its id is in this one; `node.priority` is set. */
void stream_set_add(struct stream_set *set, struct stream *s);
/* It is in the set. */
void stream_set_remove(struct stream_set *set, struct stream *s);
/* The first one behind the id; NULL as id: of all. NULL: there is none. */
struct stream *stream_set_after(const struct stream_set *set, const struct stream_id *id);

#endif
