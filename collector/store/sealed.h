/* Reads a segment of any form block by block. Used to check what was sealed, to make its index
 * anew, and to seal.
 *
 *     zstd    a block is a frame
 *     gzip    a member
 *     closed  about 1 MiB of lines, cut at a line end; a longer line is one block
 *
 * Knows nothing of ledger and index; any thread. */
#ifndef HAUL_COLLECTOR_STORE_SEALED_H
#define HAUL_COLLECTOR_STORE_SEALED_H

#include "collector/store/segment_name.h"
#include "common/span.h"

#define SEALED_BLOCK_BYTES (UINT64_C(1) << 20)
/* A frame or member that inflates to more is not one of haul's. */
#define SEALED_INFLATED_MAX (UINT64_C(1) << 30)

struct sealed_block {
	uint64_t offset, length; /* in the file */
	struct span plain;       /* valid during the call */
};

/* Calls back for each block in file order; a negative result stops and is returned. Errors:
 * -EBADMSG damaged, or cut short; -EFBIG a block is too large; -errno. */
int sealed_walk(int fd, enum segment_form form, uint64_t size,
		int (*each)(void *user, const struct sealed_block *block), void *user) MUST_CHECK;

/* The same for lines of a plain file: from a line's beginning up to `to`. */
int sealed_walk_plain(int fd, uint64_t from, uint64_t to,
		      int (*each)(void *user, const struct sealed_block *block),
		      void *user) MUST_CHECK;

/* Reads the whole file: how many plain bytes it holds, and their checksum. Errors: as above; what
 * `stop` returns when it is negative (asked after each block; may be NULL). */
int sealed_sum(int fd, enum segment_form form, uint64_t size, int (*stop)(void *user), void *user,
	       uint64_t *ret_bytes, uint64_t *ret_crc) MUST_CHECK;

#endif
