/* Files: see file.h. Called by both daemons for everything small that must survive a crash
 * (registries, tokens, identities) and for whole reads and writes.
 *
 * file_replace, step by step, and what a crash between the steps leaves:
 *
 *     1. PATH.tmp is opened and locked      the old file; PATH.tmp may stay behind, is used again
 *     2. written, synced                    the same
 *     3. renamed over PATH                  the old or the new file, never a mixture
 *     4. the directory is synced            the new file
 *
 * An error before the rename removes PATH.tmp and leaves the old file; an error of the last step is
 * reported although the new file is in place, for it may not stay. The lock keeps two writers of
 * one path from writing into each other's temporary file; the last one wins, whole. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 16384 };

int file_write_all(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes = span_from(bytes, (size_t)n);
	}
	return 0;
}

/* off_t is signed: what lies beyond is not a place in a file. */
static bool range_fits(uint64_t offset, size_t size)
{
	return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

int file_pwrite_all(int fd, struct span bytes, uint64_t offset)
{
	if (!range_fits(offset, bytes.len))
		return -EFBIG;
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes = span_from(bytes, (size_t)n);
		offset += (size_t)n;
	}
	return 0;
}

ssize_t file_pread_full(int fd, void *dst, size_t size, uint64_t offset)
{
	return file_pread_past(fd, dst, size, offset, UINT64_MAX);
}

ssize_t file_pread_past(int fd, void *dst, size_t size, uint64_t offset, uint64_t known_end)
{
	if (!range_fits(offset, size))
		return -EOVERFLOW;
	size_t done = 0;
	while (done < size && (!done || offset + done < known_end)) {
		ssize_t n = pread(fd, (char *)dst + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Reads to the end by read, not by the size: what /proc and pipes hold has none. */
static int read_to_end(int fd, size_t max, struct buf *out)
{
	size_t start = out->len;
	for (;;) {
		/* One byte beyond `max` tells "longer" from "just so long". */
		size_t left = max - (out->len - start);
		size_t want = left < READ_STEP ? left + 1 : READ_STEP;
		char step[READ_STEP];
		ssize_t n = read(fd, step, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if ((size_t)n > left)
			return -EMSGSIZE;
		int r = buf_add(out, step, (size_t)n);
		if (r < 0)
			return r;
	}
}

int file_read(int dirfd, const char *path, size_t max, struct buf *out)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	size_t before = out->len;
	int r = read_to_end(fd, max, out);
	if (r < 0)
		out->len = before;
	file_close(&fd);
	return r;
}

static int flock_eintr(int fd, int operation)
{
	while (flock(fd, operation) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Is `path` (still) the name of the open file? */
static bool is_name_of(int dirfd, const char *path, int fd)
{
	struct stat by_fd, by_name;
	return fstat(fd, &by_fd) == 0 && fstatat(dirfd, path, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
	       by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino;
}

/* Opens and locks the temporary file. Who waited for the lock may then hold what the other writer
 * has renamed meanwhile: then once more. */
static int open_temporary(int dirfd, const char *path, mode_t mode)
{
	for (;;) {
		int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
				mode);
		if (fd < 0)
			return -errno;
		int r = flock_eintr(fd, LOCK_EX);
		if (r == 0 && is_name_of(dirfd, path, fd))
			return fd;
		file_close(&fd);
		if (r < 0)
			return r;
	}
}

/* The directory that `path` lies in: "" -> ".", "/" stays. */
static int parent_of(const char *path, char dst[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!slash)
		strcpy(dst, ".");
	else if (len == 0)
		strcpy(dst, "/");
	else {
		memcpy(dst, path, len);
		dst[len] = '\0';
	}
	return 0;
}

/* Owner and group of `like`, where we are root and it is there. */
static int give(int fd, const char *like)
{
	struct stat st;
	if (!like || geteuid() != 0 || stat(like, &st) < 0)
		return 0;
	return fchown(fd, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

static int fill(int fd, struct span bytes, mode_t mode, const char *like)
{
	if (ftruncate(fd, 0) < 0 || fchmod(fd, mode) < 0)
		return -errno;
	int g = give(fd, like);
	if (g < 0)
		return g;
	int r = file_write_all(fd, bytes);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_replace(int dirfd, const char *path, struct span bytes, mode_t mode)
{
	return file_replace_like(dirfd, path, bytes, mode, NULL);
}

int file_replace_like(int dirfd, const char *path, struct span bytes, mode_t mode, const char *like)
{
	char temporary[PATH_MAX], parent[PATH_MAX];
	int len = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	if (len < 0 || (size_t)len >= sizeof(temporary))
		return -ENAMETOOLONG;
	int r = parent_of(path, parent);
	if (r < 0)
		return r;
	int fd = open_temporary(dirfd, temporary, mode);
	if (fd < 0)
		return fd;
	r = fill(fd, bytes, mode, like);
	if (r == 0 && renameat(dirfd, temporary, dirfd, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, temporary, 0);
	file_close(&fd);
	return r < 0 ? r : file_sync_dir(dirfd, parent);
}

static int make_dir(const char *path, mode_t mode)
{
	struct stat st;
	if (mkdir(path, mode) == 0)
		return 0;
	int r = -errno;
	/* Also when the error is another one: a parent may be read-only, or hidden from us, and the
	 * directory there all the same. */
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	return r;
}

int file_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (size_t i = 1; i < len; i++) {
		if (part[i] != '/' || part[i - 1] == '/')
			continue;
		part[i] = '\0';
		int r = make_dir(part, mode);
		if (r < 0)
			return r;
		part[i] = '/';
	}
	return make_dir(part, mode);
}

int file_sync_dir(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fsync(fd) < 0 ? -errno : 0;
	file_close(&fd);
	return r;
}

int file_lock(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0)
		return -errno;
	int r = flock_eintr(fd, LOCK_EX | LOCK_NB);
	if (r < 0) {
		file_close(&fd);
		return r;
	}
	return fd;
}

void file_close(int *fd)
{
	/* No second try after EINTR: on Linux the descriptor is gone by then. */
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}
