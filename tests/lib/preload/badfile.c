/* A preloaded library for a file on a bad disk: reading it fails with EIO as long as HAUL_BAD_FLAG
 * is there.
 *
 *     HAUL_BAD_FILE   path of the file (as the kernel has it: no links, no dots)
 *     HAUL_BAD_FLAG   path of a file that says that the disk is bad
 *
 * The file is told by its descriptor, so renames of others and a file that takes its name do not
 * matter. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t bad_pread(int fd, void *dst, size_t len, off_t at) __asm__("pread64");
ssize_t bad_pread_chk(int fd, void *dst, size_t len, off_t at,
		      size_t room) __asm__("__pread64_chk");

static int is_bad(int fd)
{
	const char *path = getenv("HAUL_BAD_FILE"), *flag = getenv("HAUL_BAD_FLAG");
	char link[64], target[4096];
	if (!path || !flag || access(flag, F_OK) < 0)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return 0;
	target[n] = '\0';
	return strcmp(target, path) == 0;
}

ssize_t bad_pread(int fd, void *dst, size_t len, off_t at)
{
	if (is_bad(fd)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, dst, len, at);
}

ssize_t bad_pread_chk(int fd, void *dst, size_t len, off_t at, size_t room)
{
	if (len > room)
		abort();
	return bad_pread(fd, dst, len, at);
}
