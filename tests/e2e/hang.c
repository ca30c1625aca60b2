/* Preloaded into the agent by a scenario: whatever looks at, opens or reads a file below HANG_BELOW
 * waits for as long as the file HANG_WHILE is there, as it would on a network file system whose
 * server is away. */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static void hang(const char *path)
{
	const char *below = getenv("HANG_BELOW"), *flag = getenv("HANG_WHILE");
	if (!below || !flag || !path || strncmp(path, below, strlen(below)) != 0)
		return;
	while (syscall(SYS_access, flag, F_OK) == 0)
		(void)usleep(20000);
}

static void hang_fd(int fd)
{
	char link[64], path[PATH_MAX];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	hang(path);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	hang(path);
	return NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	hang(path);
	return NEXT(open)(path, flags, mode);
}

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret)
{
	if (*path)
		hang(path);
	else
		hang_fd(dir);
	return NEXT(statx)(dir, path, flags, mask, ret);
}

int statfs(const char *path, struct statfs *ret)
{
	hang(path);
	return NEXT(statfs)(path, ret);
}

int statfs64(const char *path, struct statfs64 *ret)
{
	hang(path);
	return NEXT(statfs64)(path, ret);
}

DIR *opendir(const char *path)
{
	hang(path);
	return NEXT(opendir)(path);
}

ssize_t pread(int fd, void *dst, size_t n, off_t at)
{
	hang_fd(fd);
	return NEXT(pread)(fd, dst, n, at);
}

ssize_t pread64(int fd, void *dst, size_t n, off64_t at)
{
	hang_fd(fd);
	return NEXT(pread)(fd, dst, n, at);
}

int close(int fd)
{
	hang_fd(fd);
	return NEXT(close)(fd);
}
