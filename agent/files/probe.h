/* Is a file a copy of a stream: does it begin with the bytes that the stream's ladder remembers?
 * Answered a piece at a time, for plain files and for gzip. */
#ifndef HAUL_AGENT_PROBE_H
#define HAUL_AGENT_PROBE_H

#include "agent/files/ladder.h"
#include "agent/files/zreader.h"

struct probe;

enum probe_result {
	PROBE_MORE, /* the budget is used up: go on later */
	PROBE_NO,   /* it is another file, or too short to be told */
	PROBE_COPY, /* every rung that lies within it is right, and there is one */
	/* right so far, but the gzip file ends in the middle: it is being written */
	PROBE_UNFINISHED,
};

/* `fd` is open for reading and stays the caller's until probe_free; `size` is that of the file. The
 * rungs are copied. Errors: -ENOMEM; -errno of the first read. */
int probe_new(int fd, uint64_t size, uint64_t base, const struct rung *rungs, size_t n,
	      struct probe **ret) MUST_CHECK;
void probe_free(struct probe *p);

/* Compares on while there is budget (bytes), which it takes from. -errno: the file cannot be
 * read. */
int probe_step(struct probe *p, size_t *budget) MUST_CHECK;

/* After PROBE_COPY: the greatest rung within the copy. */
struct rung probe_matched(const struct probe *p);
bool probe_is_compressed(const struct probe *p);
/* Hands over the reader inside a gzip file; NULL: the file is plain, or it was taken. */
struct zreader *probe_take_reader(struct probe *p);
/* Makes another one. Errors: -ENOMEM. */
int probe_open_reader(struct probe *p) MUST_CHECK;

#endif
