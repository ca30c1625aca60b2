/* How many lines the blocks of a segment have by minute and level: kept beside the index when a
 * block is sealed, so that `haul count` needs to read no lines for it.
 *
 * Level is the field `level` of a message as the reader finds it (common/field.h). A block is
 * counted when every line of it is one of haul's, with a time, of the segment's own host and
 * service, and the rows are few; of any other nothing is known, and who wants to know reads its
 * lines.
 *
 * haul-index(5) has the format. All functions are pure. */
#ifndef HAUL_COLLECTOR_STORE_COUNTS_H
#define HAUL_COLLECTOR_STORE_COUNTS_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define COUNTS_LEVELS_MAX 31 /* different ones of a part */
#define COUNTS_LEVEL_LEN  32
#define COUNTS_ROWS_MAX   1024 /* of a block */
#define COUNTS_MINUTE_US  INT64_C(60000000)

struct counts_row {
	int64_t minute; /* since 1970 */
	uint32_t level; /* 0: the lines have none; else its place among the levels, from 1 on */
	uint32_t lines;
};

struct counts_levels {
	struct {
		char text[COUNTS_LEVEL_LEN];
		uint8_t len;
	} items[COUNTS_LEVELS_MAX];
	uint32_t n;
};

static inline struct span counts_level(const struct counts_levels *l, uint32_t level)
{
	return span_make(l->items[level - 1].text, l->items[level - 1].len);
}

/* --- one block, as its lines are read --- */

/* Zero it to begin. */
struct counts_block {
	struct counts_levels levels;
	struct counts_row *rows; /* after counts_block_end in order of minute and level */
	size_t n, capacity;
	bool unfit; /* the block is not counted */

	bool disordered;
	int64_t minute; /* of the lines in `current`, by level */
	uint32_t current[COUNTS_LEVELS_MAX + 1];
	uint32_t last_level;
};

/* Begins a block; keeps memory. */
void counts_block_clear(struct counts_block *b);
void counts_block_free(struct counts_block *b);

/* One line. `level` may be NULL: it has none. -ENOMEM. */
int counts_block_add(struct counts_block *b, int64_t time_us, const struct span *level) MUST_CHECK;

/* After the last line (more may follow; then it is called again). -ENOMEM. */
int counts_block_end(struct counts_block *b) MUST_CHECK;

/* --- the blocks of a part --- */

/* Zero it to begin. */
struct counts {
	struct counts_levels levels;
	struct counts_row *rows; /* of all blocks, one after another */
	size_t n, capacity;
	uint32_t *blocks; /* how many rows each has; 0: it is not counted */
	size_t n_blocks, blocks_capacity;
};

void counts_clear(struct counts *c); /* keeps memory */
void counts_free(struct counts *c);

/* Adds the next block. -ENOMEM. */
int counts_add(struct counts *c, const struct counts_block *b) MUST_CHECK;

int counts_encode(const struct counts *c, struct buf *out) MUST_CHECK;

/* --- read --- */

struct counts_reader {
	struct counts_levels levels;
	struct span rest;
	uint32_t blocks_left;
};

/* `bytes` outlive the reader; empty: nothing is counted. -EBADMSG. */
int counts_open(struct span bytes, uint32_t n_blocks, struct counts_reader *ret) MUST_CHECK;

/* The rows of the next block, in order of minute and level; 0: it is not counted. -ENODATA behind
 * the last block. -EBADMSG: nothing more can be read. */
int counts_next(struct counts_reader *r, struct counts_row rows[COUNTS_ROWS_MAX]) MUST_CHECK;

#endif
