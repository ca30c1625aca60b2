/* A slab: the index of some thousand blocks, immutable. Their filters stand in it bit by bit: row i
 * of a group holds bit i of all its blocks (those whose filters have the same size), so that the
 * blocks that may hold a token are found by reading 7 rows, whatever the filters weigh.
 * haul-index(5) has the format.
 *
 * Reading: a slab may be used by one thread at a time. */
#ifndef HAUL_COLLECTOR_STORE_SLAB_H
#define HAUL_COLLECTOR_STORE_SLAB_H

#include "collector/store/part.h"

#include <stdint.h>

#define SLAB_BLOCKS_MAX   4096
#define SLAB_SEGMENTS_MAX 65536

/* --- what is asked --- */

/* One of these words stands in the line: words without terms say nothing, and then neither does the
 * need. */
struct slab_need {
	const struct token_terms *words;
	size_t n;
};

/* All of these. */
struct slab_query {
	const struct slab_need *needs;
	size_t n_needs;
	int64_t since_us, until_us; /* since <= time < until */
};

/* A block that has to be read. */
struct slab_hit {
	uint32_t segment; /* ordinal in the slab (or among the parts) */
	uint32_t length;
	uint64_t offset;
	uint32_t plain_length;
	uint32_t block;   /* ordinal in its segment */
	int64_t first_us; /* the least time of its lines; INT64_MIN: one has none */
};

struct slab_hits {
	struct slab_hit *items; /* ascending by segment and offset */
	size_t n, capacity;
};

int slab_hits_add(struct slab_hits *h, struct slab_hit hit) MUST_CHECK;
void slab_hits_sort(struct slab_hits *h);
void slab_hits_free(struct slab_hits *h);

/* Does a block of a part have to be read for the query? */
bool slab_asks_block(const struct slab_query *q, const struct part_block *b);

/* --- a slab --- */

struct slab;

/* Takes the descriptor, also on error. -EBADMSG: damaged; -EPROTONOSUPPORT: of another haul;
 * -errno. */
int slab_open(int fd, struct slab **ret) MUST_CHECK;
void slab_free(struct slab *s);

size_t slab_segments(const struct slab *s);
/* Spans are valid as long as the slab. */
const struct part_segment *slab_segment(const struct slab *s, size_t i);
/* What is counted of a segment's blocks, coded (counts.h), into `ret`, which is emptied before. Any
 * thread. -EBADMSG, -errno: nothing is known. */
int slab_counts(const struct slab *s, size_t i, struct buf *ret) MUST_CHECK;
int32_t slab_first_day(const struct slab *s);
int32_t slab_last_day(const struct slab *s);
size_t slab_blocks(const struct slab *s); /* all there are */

/* The blocks that have to be read, appended. -EBADMSG, -errno of reading, -ENOMEM: then nothing is
 * known of any of them. */
int slab_search(struct slab *s, const struct slab_query *q, struct slab_hits *ret) MUST_CHECK;

/* Checks all of it: -EBADMSG when a bit has changed. */
int slab_verify(struct slab *s) MUST_CHECK;

/* Writes a slab of these parts, which have their filters, to an empty file. */
int slab_write(int fd, const struct part *parts, size_t n) MUST_CHECK;

#endif
