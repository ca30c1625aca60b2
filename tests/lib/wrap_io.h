/* Stands between a test program and the kernel: every write, sync, truncation and change of names
 * of the program and its libraries (SQLite, too) passes `wrap_hook` first, which may let it pass,
 * make it fail, or end the process before, after or in the middle of it.
 *
 * Defines the functions of libc; included by one file of one test program, never part of the test
 * library, for it would be in every test then. */
#ifndef HAUL_TESTS_LIB_WRAP_IO_H
#define HAUL_TESTS_LIB_WRAP_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum wrap_kind {
	WRAP_WRITE, /* iov at `offset`; -1: at the end or the descriptor's position */
	WRAP_SYNC,
	WRAP_SYNC_ALL,
	WRAP_CUT, /* to `offset` bytes */
	WRAP_RENAME,
	WRAP_UNLINK,
	WRAP_LINK,
	WRAP_MKDIR,
};

struct wrap_call {
	enum wrap_kind kind;
	int fd; /* or directory */
	int to_dir;
	const struct iovec *iov;
	int n_iov;
	int64_t offset;
	const char *from, *to;
};

enum wrap_action {
	WRAP_PASS,
	WRAP_FAIL, /* with wrap_errno */
	WRAP_END_BEFORE,
	WRAP_END_AFTER,
	WRAP_END_HALF, /* of a write: half of its bytes; of anything else: before */
};

#define WRAP_EXIT_CODE 99

/* NULL: everything passes. Called by any thread. */
static enum wrap_action (*wrap_hook)(const struct wrap_call *c);
static int wrap_errno = EIO;

/* At once: not even a sanitizer may do anything any more. */
static void wrap_end(void)
{
	(void)syscall(SYS_exit_group, WRAP_EXIT_CODE);
}

static long wrap_done(enum wrap_action action, long result)
{
	if (action == WRAP_END_AFTER)
		wrap_end();
	return result;
}

static enum wrap_action wrap_ask(const struct wrap_call *c)
{
	int saved = errno;
	enum wrap_action action = wrap_hook ? wrap_hook(c) : WRAP_PASS;
	errno = saved;
	if (action == WRAP_END_BEFORE || (action == WRAP_END_HALF && c->kind != WRAP_WRITE))
		wrap_end();
	if (action == WRAP_FAIL)
		errno = wrap_errno;
	return action;
}

/* Half of the bytes of a vector, then the end. */
static void wrap_half(const struct wrap_call *c)
{
	size_t left = 0;
	for (int i = 0; i < c->n_iov; i++)
		left += c->iov[i].iov_len;
	left /= 2;
	int64_t at = c->offset;
	for (int i = 0; i < c->n_iov && left; i++) {
		size_t n = c->iov[i].iov_len < left ? c->iov[i].iov_len : left;
		if (at < 0)
			(void)syscall(SYS_write, c->fd, c->iov[i].iov_base, n);
		else
			(void)syscall(SYS_pwrite64, c->fd, c->iov[i].iov_base, n, at);
		at += at < 0 ? 0 : (int64_t)n;
		left -= n;
	}
	wrap_end();
}

static ssize_t wrap_write(struct wrap_call *c)
{
	enum wrap_action action = wrap_ask(c);
	if (action == WRAP_FAIL)
		return -1;
	if (action == WRAP_END_HALF)
		wrap_half(c);
	long r = c->offset < 0 ? syscall(SYS_writev, c->fd, c->iov, c->n_iov)
			       : syscall(SYS_pwritev, c->fd, c->iov, c->n_iov, c->offset, 0);
	return (ssize_t)wrap_done(action, r);
}

ssize_t write(int fd, const void *ptr, size_t len);
ssize_t write(int fd, const void *ptr, size_t len)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)ptr, .iov_len = len};
	return wrap_write(&(struct wrap_call){
		.kind = WRAP_WRITE, .fd = fd, .iov = &iov, .n_iov = 1, .offset = -1});
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	return wrap_write(&(struct wrap_call){
		.kind = WRAP_WRITE, .fd = fd, .iov = iov, .n_iov = n, .offset = -1});
}

ssize_t pwrite64(int fd, const void *ptr, size_t len, off64_t offset);
ssize_t pwrite64(int fd, const void *ptr, size_t len, off64_t offset)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)ptr, .iov_len = len};
	return wrap_write(&(struct wrap_call){
		.kind = WRAP_WRITE, .fd = fd, .iov = &iov, .n_iov = 1, .offset = offset});
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t offset);
ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t offset)
{
	return wrap_write(&(struct wrap_call){
		.kind = WRAP_WRITE, .fd = fd, .iov = iov, .n_iov = n, .offset = offset});
}

/* Everything else: asked, then done. */
#define WRAP_OTHER(call, ...)                                                                      \
	do {                                                                                       \
		enum wrap_action action_ = wrap_ask(&(struct wrap_call)call);                      \
		if (action_ == WRAP_FAIL)                                                          \
			return -1;                                                                 \
		return (int)wrap_done(action_, syscall(__VA_ARGS__));                              \
	} while (0)
#define WRAP_CALL(...)                                                                             \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

int fsync(int fd)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_SYNC, .fd = fd), SYS_fsync, fd);
}

int fdatasync(int fd)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_SYNC, .fd = fd), SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_SYNC_ALL, .fd = fd), SYS_syncfs, fd);
}

int ftruncate64(int fd, off64_t size);
int ftruncate64(int fd, off64_t size)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_CUT, .fd = fd, .offset = size), SYS_ftruncate, fd, size);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_RENAME, .fd = from_dir, .to_dir = to_dir, .from = from,
			     .to = to),
		   SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to);
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_UNLINK, .fd = dir, .from = name), SYS_unlinkat, dir, name,
		   flags);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_LINK, .fd = from_dir, .to_dir = to_dir, .from = from,
			     .to = to),
		   SYS_linkat, from_dir, from, to_dir, to, flags);
}

int mkdirat(int dir, const char *name, mode_t mode);
int mkdirat(int dir, const char *name, mode_t mode)
{
	WRAP_OTHER(WRAP_CALL(.kind = WRAP_MKDIR, .fd = dir, .from = name), SYS_mkdirat, dir, name,
		   mode);
}

#endif
