/* A shard is the lines of one day, service and host; they go to one file after another, its
 * segments, numbered from 1. Here is what judging needs of it: the segment and position that the
 * next lines will have. Places are given under the store's lock, in the order in which records get
 * their numbers, and lines are written in that order: so positions never have a hole.
 *
 * When a file turns out to be cut, renamed or longer than it should be, the lines whose places are
 * in it and not yet written *move* to a new segment. A move is a WAL record of its own, durable
 * before the first moved byte is written, so that recovery finds the lines where they are.
 *
 * Guarded by the store's lock. What the append thread knows of the file is `segment`, its own. */
#ifndef HAUL_COLLECTOR_STORE_SHARD_H
#define HAUL_COLLECTOR_STORE_SHARD_H

#include "collector/store/segment_name.h"
#include "common/list.h"
#include "common/map.h"
#include "common/span.h"

#include <stdint.h>

struct place {
	uint32_t number;
	uint64_t position;
};

/* What was to be written at (from.number, from.position + n) is written at (to.number, to.position
 * + n), for all n. `gone`: the old segment has no file any more. */
struct move {
	struct place from, to;
	bool gone;
};

struct segment;

struct shard {
	int32_t day;
	struct place next;    /* of the next lines */
	uint32_t last_number; /* the greatest that was ever given */
	/* where the segment before it was closed; number 0: unknown */
	struct place closed_end;
	int64_t last_mono_ns; /* of the last place given */
	struct move *moves;   /* oldest first; forgotten at a checkpoint */
	size_t n_moves;
	struct list_node live; /* linked: next.position > 0 */
	bool walked;           /* recovery has seen its live file */
	bool blocked; /* recovery could not write its files (blocked.h): nothing is taken for it */
	uint32_t unknown_from; /* recovery's: segments from here on the ledger does not have */
	struct segment *segment;
	uint8_t service_len, host_len;
	char names[];
};

struct shards {
	struct map by_key;
	struct list live; /* shards whose segment has lines and is not closed */
};

void shards_init(struct shards *t);
/* Frees the shards; their `segment` must be gone. */
void shards_free(struct shards *t);

struct shard *shards_find(const struct shards *t, int32_t day, struct span service,
			  struct span host);
/* Makes it, with segment 1 to come, when it is not there; NULL when memory is short. */
struct shard *shards_get(struct shards *t, int32_t day, struct span service, struct span host);

static inline struct span shard_service(const struct shard *s)
{
	return span_make(s->names, s->service_len);
}

static inline struct span shard_host(const struct shard *s)
{
	return span_make(s->names + s->service_len, s->host_len);
}

/* The name of a segment of the shard; number 0 is the live one. */
static inline struct segment_name shard_segment_name(const struct shard *s, uint32_t number)
{
	return (struct segment_name){
		.day = s->day,
		.service = shard_service(s),
		.host = shard_host(s),
		.number = number,
		.form = number ? SEGMENT_CLOSED : SEGMENT_LIVE,
	};
}

/* Gives `length` bytes their place. */
struct place shard_place(struct shards *t, struct shard *s, uint64_t length, int64_t mono_ns);

/* The segment is full or its day is over: the next place is in a new one. */
void shard_close(struct shard *s);

/* Recovery and the ledger: lines end here. */
void shard_set_next(struct shards *t, struct shard *s, struct place next);

/* All lines that are to be written at `from` and behind it move to a new segment. Appends to the
 * shard's moves the one or two that say so: a second one when a later segment was begun already,
 * whose lines then follow in the same new one. Returns how many, or -ENOMEM. */
int shard_move(struct shards *t, struct shard *s, struct place from, bool gone) MUST_CHECK;

/* A move that a WAL record tells. -ENOMEM. */
int shard_add_move(struct shard *s, struct move m) MUST_CHECK;

/* Where a place is after all moves. */
struct place shard_resolve(const struct shard *s, struct place p);

void shard_forget_moves(struct shard *s);

#endif
