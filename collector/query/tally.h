/* Counts by key, in bounded memory: each thread fills one, and they are read together in order of
 * the keys. */
#ifndef HAUL_COLLECTOR_QUERY_TALLY_H
#define HAUL_COLLECTOR_QUERY_TALLY_H

#include "collector/query/sorter.h"
#include "common/buf.h"

struct tally;

/* What is known of a key. */
struct tally_value {
	uint64_t count;
	int64_t first_us, last_us; /* of the lines, where they are asked for */
};

/* Holds some `memory` bytes before it writes to a temporary file. NULL when memory is short. */
struct tally *tally_new(size_t memory);
void tally_free(struct tally *t);

/* Adds to a key; at most TALLY_KEY_MAX bytes of it count. Errors: -ENOMEM; -errno of the temporary
 * file. */
int tally_add(struct tally *t, struct span key, const struct tally_value *value) MUST_CHECK;
/* One more line of that key. */
int tally_count(struct tally *t, struct span key) MUST_CHECK;

#define TALLY_KEY_MAX ((size_t)4096)

/* Reads several together: every key once, in order of its bytes. The tallies may be read again. */
struct tally_reader {
	struct merge *merge;
	struct record waiting; /* the first of the next key */
	bool has_waiting;
	struct buf key;
};

int tally_open(struct tally *const *tallies, size_t n, struct tally_reader *ret) MUST_CHECK;
/* 1, 0 at the end, -errno. The key is valid until the next call. */
int tally_next(struct tally_reader *r, struct span *ret_key, struct tally_value *ret) MUST_CHECK;
void tally_close(struct tally_reader *r);

#endif
