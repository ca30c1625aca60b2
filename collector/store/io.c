/* Whole vectors: see io.h. The WAL writes its groups so, the append thread its lines. */
#include "collector/store/io.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* Forgets the first `n` bytes of the vector. */
static void advance(struct iovec **iov, size_t *n_iov, size_t n)
{
	while (*n_iov && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*n_iov)--;
	}
	if (n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

static int write_vector(int fd, struct iovec **iov, size_t *n_iov, bool append, uint64_t offset,
			uint64_t *written)
{
	advance(iov, n_iov, 0); /* empty ones at the front */
	while (*n_iov) {
		int count = *n_iov < IOV_MAX ? (int)*n_iov : IOV_MAX;
		ssize_t n =
			append ? writev(fd, *iov, count) : pwritev(fd, *iov, count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		advance(iov, n_iov, (size_t)n);
		offset += (uint64_t)n;
		*written += (uint64_t)n;
	}
	return 0;
}

int io_pwritev(int fd, struct iovec **iov, size_t *n_iov, uint64_t offset, uint64_t *written)
{
	return write_vector(fd, iov, n_iov, false, offset, written);
}

int io_appendv(int fd, struct iovec **iov, size_t *n_iov, uint64_t *written)
{
	return write_vector(fd, iov, n_iov, true, 0, written);
}
