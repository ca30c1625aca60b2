/* What the index has of one segment, or of 1,024 blocks of a large one: where each block stands,
 * its times, its filter. Parts are gathered in a file as they are sealed, and later turned into
 * slabs (slab.h).
 *
 * haul-index(5) has the format. All functions are pure. */
#ifndef HAUL_COLLECTOR_STORE_PART_H
#define HAUL_COLLECTOR_STORE_PART_H

#include "collector/store/digest.h"
#include "collector/store/segment_name.h"
#include "common/buf.h"

#include <stdint.h>

#define PART_BLOCKS_MAX 1024
#define PART_HEADER_LEN 32 /* before the payload */
#define PART_BYTES_MAX  (UINT32_C(1) << 26)

struct part_segment {
	int32_t day;
	struct span service, host; /* not owned */
	uint32_t number;
	enum segment_form form;
	uint64_t size;        /* of the file: another size is another file */
	uint64_t plain_bytes; /* of its lines */
	uint64_t plain_crc;
	uint64_t lines;
	uint32_t blocks; /* of the whole segment */
	/* Of these the part has [first_block, first_block + n_blocks). */
	uint32_t first_block, n_blocks;
};

struct part_block {
	uint64_t offset; /* in the file */
	uint32_t length;
	uint32_t plain_length;
	uint32_t lines;
	int64_t first_us, last_us; /* INT64_MIN, INT64_MAX: a line has no time */
	uint32_t bits;             /* of its filter */
	uint64_t id_lengths;       /* as in struct token_set */
	bool has_uuid;
	const uint8_t *filter; /* bits / 8 bytes; not owned */
};

/* One part: in memory while its segment is sealed, or a view of a record. */
struct part {
	struct part_segment segment;
	struct part_block *blocks; /* segment.n_blocks of them */
	size_t capacity;
	struct buf filters; /* theirs, one after another; empty in a view */
	struct counts counts;
	struct span counts_bytes; /* in a view: coded, and not yet checked (part_counts) */
	uint32_t counts_sum;
};

/* Forgets the blocks, keeps memory and segment. */
void part_clear(struct part *p);
void part_free(struct part *p);

/* Adds a block with filter and counts of its digest. -ENOSPC: the part is full. -ENOMEM. */
int part_add(struct part *p, uint64_t offset, uint32_t length, uint32_t plain_length,
	     const struct digest *digest) MUST_CHECK;

/* Appends the record: header and payload. */
int part_encode(struct part *p, struct buf *out) MUST_CHECK;

/* How long the record is that begins so. -EBADMSG. */
int part_record_length(const char header[PART_HEADER_LEN], size_t *ret) MUST_CHECK;

/* Takes one record off the front. The view points into `in`. With `whole` the filters are checked,
 * too. -ENODATA: `in` is empty. -EBADMSG. -ENOMEM. Free with part_free. */
int part_decode(struct span *in, bool whole, struct part *ret) MUST_CHECK;

/* The coded counts of a view, if they are whole; else empty: then nothing is counted. */
struct span part_counts(const struct part *p);
/* Appends the coded counts of any part. -ENOMEM. */
int part_counts_encode(const struct part *p, struct buf *out) MUST_CHECK;

bool part_block_trait(const struct part_block *b, unsigned trait);

/* --- of segments, for slabs as well --- */

int part_segment_encode(const struct part_segment *s, struct buf *out) MUST_CHECK;
/* -EBADMSG. The names are valid ones, the form is a closed one, the blocks are in range. */
int part_segment_decode(struct span *in, struct part_segment *ret) MUST_CHECK;

#endif
