/* Vectors written whole: short writes and EINTR are dealt with here. */
#ifndef HAUL_COLLECTOR_STORE_IO_H
#define HAUL_COLLECTOR_STORE_IO_H

#include "common/buf.h"

#include <stdint.h>
#include <sys/uio.h>

/* Writes all of the vector at `offset`, or at the descriptor's end (append). The vector is used up:
 * on an error (-errno; -EIO for a write of 0 bytes) it holds what is left to write, from *n_iov on
 * down, so that the call can be made again. Advances *iov and *n_iov; adds what was written to
 * *written. */
int io_pwritev(int fd, struct iovec **iov, size_t *n_iov, uint64_t offset,
	       uint64_t *written) MUST_CHECK;
int io_appendv(int fd, struct iovec **iov, size_t *n_iov, uint64_t *written) MUST_CHECK;

#endif
