/* All streams, found by (host, id): two hosts may use the same id and never meet. Each
 * host has its own in two sets ordered by id, unfinished and ended, which is the order in
 * which they are listed.
 *
 * All are held in memory (some 300 bytes each with their path), also ended ones for as
 * long as they are remembered: an old chunk that is sent again must be known for what it
 * is.
 *
 * Guarded by the store's lock. */
#ifndef HAUL_COLLECTOR_STORE_STREAMS_H
#define HAUL_COLLECTOR_STORE_STREAMS_H

#include "collector/store/stream.h"
#include "common/list.h"
#include "common/map.h"

struct stream_set {
	struct stream **at;
	size_t n, capacity;
};

struct streams {
	struct map by_key;
	struct list dirty; /* in the order in which they first changed */
};

void streams_init(struct streams *t);
/* Frees the streams, too. The hosts' sets are freed by their hosts. */
void streams_free(struct streams *t);

struct stream *streams_find(const struct streams *t, const struct host *host,
			    const struct stream_id *id);

/* The stream becomes the table's, and stands in its host's set. -ENOMEM: nothing has
 * changed. */
int streams_add(struct streams *t, struct stream *s) MUST_CHECK;

/* Takes a stream out for good and frees it: after so long nobody asks for it any more. */
void streams_forget(struct streams *t, struct stream *s);

/* After anything changed in a stream of the table. `was_ended` is what `ended` was
 * before. */
void streams_changed(struct streams *t, struct stream *s, bool was_ended);

/* The host's streams behind `after` (NULL: from the beginning), unfinished ones first,
 * each group by id. An `after` that is not known counts as an unfinished one. Writes at
 * most `limit`, returns how many. */
size_t streams_page(const struct streams *t, const struct host *host, const struct stream_id *after,
		    size_t limit, struct stream **ret);

#endif
