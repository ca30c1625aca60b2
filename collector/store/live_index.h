/* What is known of the whole blocks of a large live file: .haul/live/INODE.parts, a file of parts
 * (part.h) that grows as the live file does. haul-index(5) has the format.
 *
 * Derived, never synced and never on the way of an answer: whatever is missing, torn, damaged or of
 * another file is not covered and read as a whole. A part counts when all before it do, when it is
 * whole to the last bit, and when the live file still has, before the end of its last block, the
 * bytes that it had. */
#ifndef HAUL_COLLECTOR_STORE_LIVE_INDEX_H
#define HAUL_COLLECTOR_STORE_LIVE_INDEX_H

#include "collector/store/slab.h"

#include <stdint.h>

/* A live file that is smaller is read in no time. */
#define LIVE_INDEX_MIN (UINT64_C(8) << 20)

#define LIVE_INDEX_DIR      ".haul/live"
#define LIVE_INDEX_NAME_MAX 28 /* "18446744073709551615.parts" and NUL */

void live_index_name(char dst[LIVE_INDEX_NAME_MAX], uint64_t inode);
/* -EINVAL: no such name. */
int live_index_parse_name(struct span name, uint64_t *ret_inode) MUST_CHECK;

/* The checksum of the last bytes of the file before `end`, at most 4 KiB. -EBADMSG: it ends before;
 * -errno. */
int live_index_seam(int fd, uint64_t end, uint64_t *ret) MUST_CHECK;

/* Whose blocks these are. */
struct live_file {
	int32_t day;
	struct span service, host;
	uint32_t number; /* 0: not known */
	uint64_t inode;
};

/* How far the parts reach. */
struct live_reach {
	uint64_t covered; /* bytes of the live file, from its beginning */
	uint32_t blocks;
	uint64_t length; /* of the file of parts */
	uint64_t seam;
};

/* Reads the parts that count, one after another, calls back for each (NULL: for none), and says how
 * far they reach; what stands behind them is left out. `fd` is the file of parts; `scratch` is the
 * caller's to keep. Whether the live file still has the seam is for the caller to ask. Errors: what
 * `each` returned; -EBADMSG: it is no file of parts; -ENOMEM; -errno. */
int live_index_walk(int fd, const struct live_file *file, struct buf *scratch,
		    int (*each)(void *user, const struct part *p), void *user,
		    struct live_reach *ret) MUST_CHECK;

/* The blocks of the live file (or the closed one that it has become) that have to be read for the
 * query, appended to `ret` in file order; *ret_covered: how many bytes from its beginning this
 * speaks of, 0 when nothing is known. `dir` is that of LIVE_INDEX_DIR. Any thread. Errors:
 * -ENOMEM. */
int live_index_search(int dir, const struct live_file *file, int fd, const struct slab_query *query,
		      struct slab_hits *ret, uint64_t *ret_covered) MUST_CHECK;

#endif
