/* A preloaded library that makes one call of a program fail, or all from one on:
 * build/preload/faults.so.
 *
 *     HAUL_FAULT=CALLS:HOW:FIRST:COUNT:FILE
 *
 *     CALLS  which calls count, parted by commas: open, read, write, sync (fsync, fdatasync, syncfs,
 *            sync_file_range), rename, cut (ftruncate, fallocate), name (unlink, mkdir, link, symlink),
 *            malloc (calloc, realloc, strdup), mmap
 *     HOW    the name of an error (EIO ENOSPC EINTR ENOMEM EMFILE EROFS), or SHORT: half of what was
 *            asked for
 *     FIRST  the call that fails first, counted from 1; COUNT: so many fail, one after another
 *     FILE   `struct state`: how many calls there were, how many failed, how many of each kind there
 *            were, and which failed first. It goes on counting from one process to the next, so that a
 *            fault may fall into the restart of a run.
 *
 * Counted are calls on files and directories behind the first three descriptors, and memory that
 * the program itself asks for: a library's own memory is the library's business. The calls are done
 * by system call, so that nothing here depends on what libc has ready; malloc is reached by its
 * names inside glibc. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum call {
	CALL_OPEN,
	CALL_READ,
	CALL_WRITE,
	CALL_SYNC,
	CALL_RENAME,
	CALL_CUT,
	CALL_NAME,
	CALL_MALLOC,
	CALL_MMAP,
	CALLS
};

static const char *const call_names[CALLS] = {
	[CALL_OPEN] = "open", [CALL_READ] = "read",     [CALL_WRITE] = "write",
	[CALL_SYNC] = "sync", [CALL_RENAME] = "rename", [CALL_CUT] = "cut",
	[CALL_NAME] = "name", [CALL_MALLOC] = "malloc", [CALL_MMAP] = "mmap",
};

static const struct {
	const char *name;
	int number;
} errors[] = {
	{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"ENOMEM", ENOMEM},
	{"EMFILE", EMFILE}, {"EROFS", EROFS},   {"SHORT", 0},
};

enum { TEXT_MAX = 4000 };

/* In the file. */
struct state {
	uint64_t calls, failed;
	uint64_t all[CALLS];
	char text[TEXT_MAX];
};

static struct state *state; /* NULL: everything passes */
static bool counts[CALLS];
static int error;
static uint64_t first, last;
static uintptr_t program_at, program_from, program_to; /* where it is loaded; its code */

/* --- setting up --- */

static _Noreturn void refuse(const char *why)
{
	(void)fprintf(stderr, "haul-faults: %s\n", why);
	_exit(2);
}

static int find_program(struct dl_phdr_info *info, size_t size, void *user)
{
	(void)size;
	(void)user;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		program_at = info->dlpi_addr;
		program_from = program_at + p->p_vaddr;
		program_to = program_from + p->p_memsz;
	}
	return 1; /* the program comes first */
}

static void take_calls(char *names)
{
	for (char *rest, *name = strtok_r(names, ",", &rest); name;
	     name = strtok_r(NULL, ",", &rest)) {
		int i = 0;
		while (i < CALLS && strcmp(call_names[i], name) != 0)
			i++;
		if (i == CALLS)
			refuse("no such call");
		counts[i] = true;
	}
}

static void take_how(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].name, name) == 0) {
			error = errors[i].number;
			return;
		}
	}
	refuse("no such error");
}

static struct state *map_state(const char *path)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(struct state)) < 0)
		refuse("its file cannot be used");
	long at = syscall(SYS_mmap, NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);
	(void)syscall(SYS_close, fd);
	if (at == -1)
		refuse("its file cannot be mapped");
	return (struct state *)at;
}

__attribute__((constructor)) static void set_up(void)
{
	static char text[TEXT_MAX];
	const char *given = getenv("HAUL_FAULT");
	if (!given)
		return;
	(void)snprintf(text, sizeof(text), "%s", given);
	char *field[5], *rest = text;
	for (int i = 0; i < 5; i++) {
		field[i] = i < 4 ? strsep(&rest, ":") : rest;
		if (!field[i])
			refuse("HAUL_FAULT=CALLS:HOW:FIRST:COUNT:FILE");
	}
	take_calls(field[0]);
	take_how(field[1]);
	first = strtoull(field[2], NULL, 10);
	uint64_t n = strtoull(field[3], NULL, 10);
	last = n < UINT64_MAX - first ? first + n : UINT64_MAX;
	(void)dl_iterate_phdr(find_program, NULL);
	state = map_state(field[4]);
}

/* --- counting --- */

/* What is a file or directory, and not one of the three that every process is given. */
static bool is_file(int fd)
{
	struct stat st;
	return fd > STDERR_FILENO && syscall(SYS_fstat, fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static void say(const char *function, uint64_t n, int fd, const char *path, const void *caller)
{
	char by_fd[64], target[512] = "";
	(void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	if (fd >= 0 && syscall(SYS_readlink, by_fd, target, sizeof(target) - 1) < 0)
		target[0] = '\0';
	(void)snprintf(state->text, sizeof(state->text), "%s, call %llu, %s%s%s, from +%#llx",
		       function, (unsigned long long)n, target, path && *target ? " " : "",
		       path ? path : "", (unsigned long long)((uintptr_t)caller - program_at));
}

/* Is it this one's turn to fail? */
static bool turn(enum call call, const char *function, int fd, const char *path, const void *caller)
{
	if (!state)
		return false;
	(void)__atomic_add_fetch(&state->all[call], 1, __ATOMIC_RELAXED);
	if (!counts[call])
		return false;
	uint64_t n = __atomic_add_fetch(&state->calls, 1, __ATOMIC_RELAXED);
	if (n < first || n >= last)
		return false;
	if (__atomic_fetch_add(&state->failed, 1, __ATOMIC_RELAXED) == 0)
		say(function, n, fd, path, caller);
	return true;
}

static bool file_turn(enum call call, const char *function, int fd, const void *caller)
{
	return state && is_file(fd) && turn(call, function, fd, NULL, caller);
}

static int fail(void)
{
	errno = error;
	return -1;
}

/* --- the calls: C names of our own, with the names that programs are linked to --- */

#define NAMED(name) __asm__(name)
#define CALLER      __builtin_return_address(0)

static int open_at(int dir, const char *path, int flags, mode_t mode, const void *caller)
{
	if (error && turn(CALL_OPEN, "open", dir, path, caller))
		return fail();
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list *ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(*ap, mode_t) : 0;
}

int fault_open(const char *path, int flags, ...) NAMED("open64");
int fault_open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, &ap);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode, CALLER);
}

int fault_openat(int dir, const char *path, int flags, ...) NAMED("openat64");
int fault_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, &ap);
	va_end(ap);
	return open_at(dir, path, flags, mode, CALLER);
}

int fault_open_2(const char *path, int flags) NAMED("__open64_2");
int fault_open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0, CALLER);
}

int fault_openat_2(int dir, const char *path, int flags) NAMED("__openat64_2");
int fault_openat_2(int dir, const char *path, int flags)
{
	return open_at(dir, path, flags, 0, CALLER);
}

/* The length that a read or write of `len` bytes is given; SIZE_MAX: it fails. */
static size_t length(enum call call, const char *function, int fd, size_t len, const void *caller)
{
	if ((!error && len < 2) || !file_turn(call, function, fd, caller))
		return len;
	return error ? SIZE_MAX : len / 2;
}

#define ONE_BUFFER(call, function, fd, len, done)                                                  \
	do {                                                                                       \
		size_t n_ = length(call, function, fd, len, CALLER);                               \
		if (n_ == SIZE_MAX)                                                                \
			return fail();                                                             \
		(len) = n_;                                                                        \
		return done;                                                                       \
	} while (0)

ssize_t fault_read(int fd, void *ptr, size_t len) NAMED("read");
ssize_t fault_read(int fd, void *ptr, size_t len)
{
	ONE_BUFFER(CALL_READ, "read", fd, len, syscall(SYS_read, fd, ptr, len));
}

ssize_t fault_read_chk(int fd, void *ptr, size_t len, size_t room) NAMED("__read_chk");
ssize_t fault_read_chk(int fd, void *ptr, size_t len, size_t room)
{
	if (len > room)
		abort();
	ONE_BUFFER(CALL_READ, "read", fd, len, syscall(SYS_read, fd, ptr, len));
}

ssize_t fault_pread(int fd, void *ptr, size_t len, off_t at) NAMED("pread64");
ssize_t fault_pread(int fd, void *ptr, size_t len, off_t at)
{
	ONE_BUFFER(CALL_READ, "pread", fd, len, syscall(SYS_pread64, fd, ptr, len, at));
}

ssize_t fault_pread_chk(int fd, void *ptr, size_t len, off_t at, size_t room)
	NAMED("__pread64_chk");
ssize_t fault_pread_chk(int fd, void *ptr, size_t len, off_t at, size_t room)
{
	if (len > room)
		abort();
	ONE_BUFFER(CALL_READ, "pread", fd, len, syscall(SYS_pread64, fd, ptr, len, at));
}

ssize_t fault_write(int fd, const void *ptr, size_t len) NAMED("write");
ssize_t fault_write(int fd, const void *ptr, size_t len)
{
	ONE_BUFFER(CALL_WRITE, "write", fd, len, syscall(SYS_write, fd, ptr, len));
}

ssize_t fault_pwrite(int fd, const void *ptr, size_t len, off_t at) NAMED("pwrite64");
ssize_t fault_pwrite(int fd, const void *ptr, size_t len, off_t at)
{
	ONE_BUFFER(CALL_WRITE, "pwrite", fd, len, syscall(SYS_pwrite64, fd, ptr, len, at));
}

/* A short vector is its first buffer, by half. */
static ssize_t write_vector(const char *function, int fd, const struct iovec *iov, int n, off_t at,
			    const void *caller)
{
	struct iovec half = n > 0 ? iov[0] : (struct iovec){NULL, 0};
	if (file_turn(CALL_WRITE, function, fd, caller)) {
		if (error)
			return fail();
		half.iov_len =
			half.iov_len / 2 + 1 < half.iov_len ? half.iov_len / 2 + 1 : half.iov_len;
		iov = &half;
		n = 1;
	}
	return at < 0 ? syscall(SYS_writev, fd, iov, n) : syscall(SYS_pwritev, fd, iov, n, at, 0);
}

ssize_t fault_writev(int fd, const struct iovec *iov, int n) NAMED("writev");
ssize_t fault_writev(int fd, const struct iovec *iov, int n)
{
	return write_vector("writev", fd, iov, n, -1, CALLER);
}

ssize_t fault_pwritev(int fd, const struct iovec *iov, int n, off_t at) NAMED("pwritev64");
ssize_t fault_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	return write_vector("pwritev", fd, iov, n, at, CALLER);
}

/* Those that either work or fail: a short one does not exist. */
#define WHOLE(call, function, fd, ...)                                                             \
	do {                                                                                       \
		if (error && file_turn(call, function, fd, CALLER))                                \
			return fail();                                                             \
		return (int)syscall(__VA_ARGS__);                                                  \
	} while (0)
#define NAMING(call, function, dir, path, ...)                                                     \
	do {                                                                                       \
		if (error && turn(call, function, dir, path, CALLER))                              \
			return fail();                                                             \
		return (int)syscall(__VA_ARGS__);                                                  \
	} while (0)

int fault_fsync(int fd) NAMED("fsync");
int fault_fsync(int fd)
{
	WHOLE(CALL_SYNC, "fsync", fd, SYS_fsync, fd);
}

int fault_fdatasync(int fd) NAMED("fdatasync");
int fault_fdatasync(int fd)
{
	WHOLE(CALL_SYNC, "fdatasync", fd, SYS_fdatasync, fd);
}

int fault_syncfs(int fd) NAMED("syncfs");
int fault_syncfs(int fd)
{
	WHOLE(CALL_SYNC, "syncfs", fd, SYS_syncfs, fd);
}

int fault_sync_file_range(int fd, off_t at, off_t len, unsigned flags) NAMED("sync_file_range");
int fault_sync_file_range(int fd, off_t at, off_t len, unsigned flags)
{
	WHOLE(CALL_SYNC, "sync_file_range", fd, SYS_sync_file_range, fd, at, len, flags);
}

int fault_ftruncate(int fd, off_t size) NAMED("ftruncate64");
int fault_ftruncate(int fd, off_t size)
{
	WHOLE(CALL_CUT, "ftruncate", fd, SYS_ftruncate, fd, size);
}

int fault_fallocate(int fd, int mode, off_t at, off_t len) NAMED("fallocate64");
int fault_fallocate(int fd, int mode, off_t at, off_t len)
{
	WHOLE(CALL_CUT, "fallocate", fd, SYS_fallocate, fd, mode, at, len);
}

int fault_rename(const char *from, const char *to) NAMED("rename");
int fault_rename(const char *from, const char *to)
{
	NAMING(CALL_RENAME, "rename", -1, from, SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int fault_renameat(int dir, const char *from, int to_dir, const char *to) NAMED("renameat");
int fault_renameat(int dir, const char *from, int to_dir, const char *to)
{
	NAMING(CALL_RENAME, "renameat", dir, from, SYS_renameat2, dir, from, to_dir, to, 0);
}

int fault_renameat2(int dir, const char *from, int to_dir, const char *to, unsigned flags)
	NAMED("renameat2");
int fault_renameat2(int dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	NAMING(CALL_RENAME, "renameat2", dir, from, SYS_renameat2, dir, from, to_dir, to, flags);
}

int fault_unlink(const char *path) NAMED("unlink");
int fault_unlink(const char *path)
{
	NAMING(CALL_NAME, "unlink", -1, path, SYS_unlinkat, AT_FDCWD, path, 0);
}

int fault_unlinkat(int dir, const char *path, int flags) NAMED("unlinkat");
int fault_unlinkat(int dir, const char *path, int flags)
{
	NAMING(CALL_NAME, "unlinkat", dir, path, SYS_unlinkat, dir, path, flags);
}

int fault_mkdir(const char *path, mode_t mode) NAMED("mkdir");
int fault_mkdir(const char *path, mode_t mode)
{
	NAMING(CALL_NAME, "mkdir", -1, path, SYS_mkdirat, AT_FDCWD, path, mode);
}

int fault_mkdirat(int dir, const char *path, mode_t mode) NAMED("mkdirat");
int fault_mkdirat(int dir, const char *path, mode_t mode)
{
	NAMING(CALL_NAME, "mkdirat", dir, path, SYS_mkdirat, dir, path, mode);
}

int fault_linkat(int dir, const char *from, int to_dir, const char *to, int flags) NAMED("linkat");
int fault_linkat(int dir, const char *from, int to_dir, const char *to, int flags)
{
	NAMING(CALL_NAME, "linkat", dir, from, SYS_linkat, dir, from, to_dir, to, flags);
}

int fault_symlinkat(const char *target, int dir, const char *path) NAMED("symlinkat");
int fault_symlinkat(const char *target, int dir, const char *path)
{
	NAMING(CALL_NAME, "symlinkat", dir, path, SYS_symlinkat, target, dir, path);
}

void *fault_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
	NAMED("mmap64");
void *fault_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (error && turn(CALL_MMAP, "mmap", fd, NULL, CALLER)) {
		errno = error;
		return MAP_FAILED;
	}
	long r = syscall(SYS_mmap, at, len, protection, flags, fd, offset);
	return r == -1 ? MAP_FAILED : (void *)r; /* syscall() has set errno */
}

/* --- memory --- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static bool memory_fails(const char *function, const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	if (!state || at < program_from || at >= program_to ||
	    !turn(CALL_MALLOC, function, -1, NULL, caller))
		return false;
	errno = ENOMEM;
	return true;
}

void *fault_malloc(size_t size) NAMED("malloc");
void *fault_malloc(size_t size)
{
	return memory_fails("malloc", CALLER) ? NULL : __libc_malloc(size);
}

void *fault_calloc(size_t n, size_t size) NAMED("calloc");
void *fault_calloc(size_t n, size_t size)
{
	return memory_fails("calloc", CALLER) ? NULL : __libc_calloc(n, size);
}

void *fault_realloc(void *old, size_t size) NAMED("realloc");
void *fault_realloc(void *old, size_t size)
{
	return memory_fails("realloc", CALLER) ? NULL : __libc_realloc(old, size);
}

static char *copy_text(const char *text, size_t len, const char *function, const void *caller)
{
	char *copy = memory_fails(function, caller) ? NULL : __libc_malloc(len + 1);
	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

char *fault_strdup(const char *text) NAMED("strdup");
char *fault_strdup(const char *text)
{
	return copy_text(text, strlen(text), "strdup", CALLER);
}

char *fault_strndup(const char *text, size_t max) NAMED("strndup");
char *fault_strndup(const char *text, size_t max)
{
	return copy_text(text, strnlen(text, max), "strndup", CALLER);
}
