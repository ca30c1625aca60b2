/* The shards of a service's directory, as they are followed. Used by follow.c alone. */
#ifndef HAUL_COLLECTOR_QUERY_SHARDS_H
#define HAUL_COLLECTOR_QUERY_SHARDS_H

#include "collector/query/follow.h"
#include "collector/query/listing.h"
#include "collector/query/reader.h"

struct shard;

/* What all shards have in common. */
struct shard_common {
	int archive_fd;
	struct trouble *trouble;
	struct follow_ops ops;
	struct reader *reader;
	uint64_t n_shards; /* so many have a number */
};

/* Zero it to begin. */
struct shards {
	struct shard *first;
};

void shards_free(const struct shard_common *c, struct shards *all);

/* The segment is known: what is behind it will be given out. Errors: -ENOMEM; -errno. */
int shards_adopt(struct shard_common *c, struct shards *all, const struct segment *seg) MUST_CHECK;

/* Gives out what is new, as the listing of `directory` (below the archive) has it, which is put in
 * order for that. `ret_again` is set when a segment has another name by now. Errors: of ops.lines;
 * -ENOMEM. */
int shards_update(struct shard_common *c, struct shards *all, const char *directory,
		  struct listing *list, bool *ret_again) MUST_CHECK;

/* There may be more to read: in all live files, or in one whose name this may be. */
void shards_mark(struct shards *all);
void shards_mark_file(struct shards *all, struct span name);

/* Gives out what the live files have that were marked. With `end` nothing more will come: last
 * lines end with their files. Errors: of ops.lines; -ENOMEM. */
int shards_read(const struct shard_common *c, struct shards *all, bool end) MUST_CHECK;

#endif
