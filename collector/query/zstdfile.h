/* Frames of a .zst file. Used by the reader and by the choice of blocks. */
#ifndef HAUL_COLLECTOR_QUERY_ZSTDFILE_H
#define HAUL_COLLECTOR_QUERY_ZSTDFILE_H

#include "collector/query/linebuf.h"
#include "collector/query/place.h"

/* Compressed bytes of a file, from a position on. */
struct zstd_input {
	int fd;
	struct buf bytes;
	size_t given;      /* of bytes, at the front */
	uint64_t at, size; /* the file position of bytes[given]; the end of the file */
};

struct zstdfile;

/* NULL when memory is short. */
struct zstdfile *zstdfile_new(void);
void zstdfile_free(struct zstdfile *f);

void zstdfile_start(struct zstdfile *f, int fd, uint64_t size, uint64_t from, uint64_t to);
/* As reader_next. */
int zstdfile_next(struct zstdfile *f, struct window *ret) MUST_CHECK;
/* What the last call found damaged; NULL: nothing. */
const char *zstdfile_error(const struct zstdfile *f, uint64_t *ret_at);

/* Walks the frames from 0 on without inflating: `each` gets a frame's place and length; skippable
 * frames are not told. A frame that is damaged, cut short or very large ends the walk and is told
 * with its length up to the end of the file. Errors: -errno; what `each` returns, when negative. */
int zstdfile_walk(int fd, uint64_t size, int (*each)(void *user, uint64_t at, uint64_t length),
		  void *user) MUST_CHECK;

#endif
