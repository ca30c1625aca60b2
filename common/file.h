/* Files written so that a crash leaves the old or the new, and short writes and EINTR are dealt
 * with in one place. All descriptors are close-on-exec. Errors: -errno. */
#ifndef HAUL_COMMON_FILE_H
#define HAUL_COMMON_FILE_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>
#include <sys/types.h>

/* Writes all of it, at the descriptor's position or at `offset`. A write of 0 bytes is -EIO; a
 * place beyond what off_t can say is -EFBIG. On error part of it may be written. */
int file_write_all(int fd, struct span bytes) MUST_CHECK;
int file_pwrite_all(int fd, struct span bytes, uint64_t offset) MUST_CHECK;

/* Reads up to `size` bytes at `offset`, as many as there are. Returns the count (0 at the end). */
ssize_t file_pread_full(int fd, void *dst, size_t size, uint64_t offset) MUST_CHECK;
/* The same, but a read that came to `known_end` or beyond is not followed by one that only finds
 * the end. */
ssize_t file_pread_past(int fd, void *dst, size_t size, uint64_t offset,
			uint64_t known_end) MUST_CHECK;

/* The whole file, appended to `out`; -EMSGSIZE when it is longer than `max`. On error `out` is as
 * it was. */
int file_read(int dirfd, const char *path, size_t max, struct buf *out) MUST_CHECK;

/* Puts a file in place for good: temporary file beside it (PATH.tmp), write, fsync, rename, fsync
 * of the directory (without the last the rename itself could be lost). `mode` is exact, whatever
 * the umask. On error the temporary file is removed; the old file stands, except when only the last
 * step failed: then the new one does, for now. */
int file_replace(int dirfd, const char *path, struct span bytes, mode_t mode) MUST_CHECK;

/* The same; when we are root it gets owner and group of the path `like` (a daemon's directory), if
 * that is there. */
int file_replace_like(int dirfd, const char *path, struct span bytes, mode_t mode,
		      const char *like) MUST_CHECK;

/* Makes a directory and its missing parents; `mode` is subject to the umask. One that is there
 * already is fine. Nothing is synced. */
int file_make_dirs(const char *path, mode_t mode) MUST_CHECK;

/* Makes what happened in the directory `path` (files made, renamed, removed) durable. */
int file_sync_dir(int dirfd, const char *path) MUST_CHECK;

/* Makes the file when it is missing and takes an exclusive lock that lasts as long as the returned
 * descriptor (and its copies in child processes); -EWOULDBLOCK when another one holds it. */
int file_lock(int dirfd, const char *path) MUST_CHECK;

/* Closes and sets to -1; fine on -1. */
void file_close(int *fd);

#endif
