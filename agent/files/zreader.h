/* Reads inside a gzip file by offsets of its content: the rest of a log that was compressed before
 * it was read. Also while it is still being written: then it ends where it ends for now. */
#ifndef HAUL_AGENT_ZREADER_H
#define HAUL_AGENT_ZREADER_H

#include "common/buf.h"

#include <stdint.h>
#include <sys/types.h>

struct zreader;

/* `fd` stays the caller's and outlives the reader. Errors: -ENOMEM. */
int zreader_new(int fd, struct zreader **ret) MUST_CHECK;
void zreader_free(struct zreader *z);

/* Up to `len` bytes of content from `at` on. Returns the count, short at the end. To go back is
 * dear beyond the last ZREADER_HISTORY bytes: it begins anew. Errors: -errno of reading, -EBADMSG
 * damaged, -ENOMEM. */
#define ZREADER_HISTORY (512 * 1024)
ssize_t zreader_read(struct zreader *z, void *dst, size_t len, uint64_t at) MUST_CHECK;

/* Has the end of the last read been the content's end (its trailer was there and right)? */
bool zreader_complete(const struct zreader *z);

#endif
