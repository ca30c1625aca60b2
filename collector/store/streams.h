/* All streams, found by (host, id): two hosts may use the same id and never meet. Each host has its
 * own in two sets ordered by id, unfinished and ended, which is the order in which they are listed.
 *
 * All are held in memory (some 350 bytes each with their path), also ended ones for as long as they
 * are remembered (forget.h): an old chunk that is sent again must be known for what it is.
 *
 * Guarded by the store's lock. */
#ifndef HAUL_COLLECTOR_STORE_STREAMS_H
#define HAUL_COLLECTOR_STORE_STREAMS_H

#include "collector/store/stream.h"
#include "common/list.h"
#include "common/map.h"

struct streams {
	struct map by_key;
	struct list dirty;   /* in the order in which they first changed */
	uint64_t *forgotten; /* rows that are to go from the ledger */
	size_t n_forgotten, forgotten_capacity;
};

void streams_init(struct streams *t);
/* Frees the streams, too. The hosts' sets are freed by their hosts. */
void streams_free(struct streams *t);

struct stream *streams_find(const struct streams *t, const struct host *host,
			    const struct stream_id *id);

/* The stream becomes the table's, and stands in its host's set. -ENOMEM: nothing has changed. */
int streams_add(struct streams *t, struct stream *s) MUST_CHECK;

/* Takes a stream out for good and frees it: after so long nobody asks for it any more (forget.h).
 * -ENOMEM: nothing has changed. */
int streams_forget(struct streams *t, struct stream *s) MUST_CHECK;

/* Goes through the host's ended streams in the order in which they ended, from wherever it was;
 * NULL at the end, and then from the first again. */
struct stream *streams_next_ended(struct host *host);
void streams_first_ended(struct host *host);
/* After streams were added in any order: puts them in that of their last chunks. -ENOMEM. */
int streams_order_ended(struct host *host) MUST_CHECK;

/* After anything changed in a stream of the table. `was_ended` is what `ended` was before. */
void streams_changed(struct streams *t, struct stream *s, bool was_ended);

/* The host's streams behind `after` (NULL: from the beginning), unfinished ones first, each group
 * by id. An `after` that is not known counts as an unfinished one. Writes at most `limit`, returns
 * how many. */
size_t streams_page(const struct streams *t, const struct host *host, const struct stream_id *after,
		    size_t limit, struct stream **ret);

#endif
