/* A range of a plain file. Used by the reader alone. */
#ifndef HAUL_COLLECTOR_QUERY_PLAINFILE_H
#define HAUL_COLLECTOR_QUERY_PLAINFILE_H

#include "collector/query/glance.h"
#include "collector/query/linebuf.h"
#include "collector/query/place.h"

/* Zero it to begin. */
struct plainfile {
	struct linebuf lines;
	struct glance glance;
	int fd;
	/* bytes of the file: read so far, end of the range, end of the file */
	uint64_t at, to, size;
	uint64_t place; /* of what linebuf gives next */
	bool skip;      /* the range begins inside a line that is the one's before */
	bool live;
	bool ended;
};

/* `live`: it is still appended to. */
void plainfile_start(struct plainfile *f, int fd, uint64_t size, uint64_t from, uint64_t to,
		     bool live);
/* Passes over lines in which none of the strings stands, as many as can be seen at a glance. */
void plainfile_pass(struct plainfile *f, const struct finder *strings);
/* 1, 0 or -errno; `at.segment` is left alone. */
int plainfile_next(struct plainfile *f, struct window *ret) MUST_CHECK;
void plainfile_free(struct plainfile *f);

#endif
