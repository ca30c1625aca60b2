/* Members of a .gz file. Used by the reader alone. */
#ifndef HAUL_COLLECTOR_QUERY_GZIPFILE_H
#define HAUL_COLLECTOR_QUERY_GZIPFILE_H

#include "collector/query/linebuf.h"
#include "collector/query/place.h"

struct gzipfile;

/* NULL when memory is short. */
struct gzipfile *gzipfile_new(void);
void gzipfile_free(struct gzipfile *f);

void gzipfile_start(struct gzipfile *f, int fd, uint64_t size, uint64_t from, uint64_t to);
/* As reader_next. */
int gzipfile_next(struct gzipfile *f, struct window *ret) MUST_CHECK;
/* What the last call found damaged; NULL: nothing. */
const char *gzipfile_error(const struct gzipfile *f, uint64_t *ret_at);

#endif
