/* Power cuts: what was written and not synced may be gone, all of it or in part, and so may renames
 * and removals that no sync of their directory followed. A child process works and ends at some I/O
 * call; every change since the last sync of its file is known, with what stood there before.
 * power_cut then takes back all of them, or some, or parts of some.
 *
 * Names are taken back from the last one on: a journal keeps their order. Files that were made stay
 * (they may be empty then); directories too.
 *
 * Included by one file of one test program, behind wrap_io.h. */
#ifndef HAUL_TESTS_LIB_POWER_CUT_H
#define HAUL_TESTS_LIB_POWER_CUT_H

#include "tests/lib/wrap_io.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { UNDO_MAX = 20000, NAMES_MAX = 4000, BYTES_MAX = 64 << 20, SECTOR = 512 };

/* A change of a file that is not durable yet. */
struct undo {
	ino_t inode;
	uint64_t at, len; /* what was written, or cut off */
	uint64_t old_size;
	size_t old_at, old_len; /* the bytes that stood there, in `bytes` */
	bool synced;
};

enum { PATH_LEN = 512 };

/* A change of names that is not durable yet. */
struct unname {
	enum wrap_kind kind; /* WRAP_RENAME, WRAP_UNLINK, WRAP_LINK */
	ino_t in, to_in;     /* the directories */
	char path[PATH_LEN], to[PATH_LEN];
	/* what stood at `to`, or was removed, is kept under this number; 0: nothing */
	unsigned spare;
	bool synced;
};

/* What outlives the child. */
struct power {
	char spare[64]; /* a directory for what was removed */
	unsigned calls, end_at, spares;
	size_t n_undo, n_names, n_bytes;
	struct undo undo[UNDO_MAX];
	struct unname names[NAMES_MAX];
	char bytes[BYTES_MAX];
};

static struct power *power;

/* --- in the child --- */

static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

static void remember(int fd, uint64_t at, uint64_t len, const struct stat *st)
{
	ck_assert_uint_lt(power->n_undo, UNDO_MAX);
	struct undo *u = &power->undo[power->n_undo++];
	*u = (struct undo){.inode = st->st_ino,
			   .at = at,
			   .len = len,
			   .old_size = (uint64_t)st->st_size,
			   .old_at = power->n_bytes};
	if (at < u->old_size) {
		uint64_t want = u->old_size - at < len ? u->old_size - at : len;
		ck_assert_uint_lt(power->n_bytes + want, BYTES_MAX);
		/* The descriptor may be for writing only. */
		char path[64];
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int in = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = pread(in, power->bytes + power->n_bytes, want, (off_t)at);
		(void)close(in);
		u->old_len = n > 0 ? (size_t)n : 0;
		power->n_bytes += u->old_len;
	}
}

static void note_write(const struct wrap_call *c, const struct stat *st)
{
	uint64_t len = 0;
	for (int i = 0; i < c->n_iov; i++)
		len += c->iov[i].iov_len;
	remember(c->fd, c->offset < 0 ? (uint64_t)st->st_size : (uint64_t)c->offset, len, st);
}

static bool path_in(int dir, const char *name, char dst[PATH_LEN])
{
	char by_fd[64], at[PATH_LEN];
	(void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", dir);
	ssize_t n = readlink(by_fd, at, sizeof(at) - 1);
	if (n <= 0)
		return false;
	at[n] = '\0';
	return snprintf(dst, PATH_LEN, "%s/%s", at, name) < PATH_LEN;
}

static void spare_path(unsigned n, char dst[PATH_LEN])
{
	(void)snprintf(dst, PATH_LEN, "%s/%u", power->spare, n);
}

/* Keeps what is about to lose this name. */
static unsigned keep_spare(const char *path)
{
	char spare[PATH_LEN];
	spare_path(power->spares + 1, spare);
	return syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, spare, 0) == 0 ? ++power->spares : 0;
}

static void note_name(const struct wrap_call *c, const struct stat *st)
{
	struct unname u = {.kind = c->kind, .in = st->st_ino, .to_in = st->st_ino};
	struct stat to;
	if (!path_in(c->fd, c->from, u.path))
		return;
	if (c->kind == WRAP_UNLINK) {
		u.spare = keep_spare(u.path);
		if (!u.spare)
			return; /* there is none, or it is a directory */
	} else {
		if (fstat(c->to_dir, &to) < 0 || !path_in(c->to_dir, c->to, u.to))
			return;
		u.to_in = to.st_ino;
		u.spare = c->kind == WRAP_RENAME ? keep_spare(u.to) : 0;
	}
	ck_assert_uint_lt(power->n_names, NAMES_MAX);
	power->names[power->n_names++] = u;
}

static void note_sync(const struct stat *st, bool all)
{
	for (size_t i = 0; i < power->n_undo; i++)
		if (all || power->undo[i].inode == st->st_ino)
			power->undo[i].synced = true;
	for (size_t i = 0; i < power->n_names; i++)
		if (all || power->names[i].in == st->st_ino || power->names[i].to_in == st->st_ino)
			power->names[i].synced = true;
}

/* A sync counts as done when it begins: what is written while it runs is noted behind it. That is
 * kinder than a disk for the call at which the child ends, so such a call does not count. */
static enum wrap_action watch(const struct wrap_call *c)
{
	struct stat st;
	if (fstat(c->fd, &st) < 0 || (c->kind == WRAP_WRITE && !S_ISREG(st.st_mode)))
		return WRAP_PASS;
	pthread_mutex_lock(&undo_lock);
	if (++power->calls >= power->end_at)
		wrap_end();
	if (c->kind == WRAP_WRITE)
		note_write(c, &st);
	else if (c->kind == WRAP_CUT && c->offset < st.st_size)
		remember(c->fd, (uint64_t)c->offset, (uint64_t)(st.st_size - c->offset), &st);
	else if (c->kind == WRAP_SYNC || c->kind == WRAP_SYNC_ALL)
		note_sync(&st, c->kind == WRAP_SYNC_ALL);
	else if (c->kind == WRAP_RENAME || c->kind == WRAP_UNLINK || c->kind == WRAP_LINK)
		note_name(c, &st);
	pthread_mutex_unlock(&undo_lock);
	return WRAP_PASS;
}

/* --- around it --- */

static void power_set_up(void)
{
	power = mmap(NULL, sizeof(*power), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(power, MAP_FAILED);
	/* On the file system of what is watched: names are kept by links. */
	(void)snprintf(power->spare, sizeof(power->spare), "%s/haul-test-spare-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(power->spare));
}

static void drop_spares(void)
{
	char path[PATH_LEN];
	for (; power->spares; power->spares--) {
		spare_path(power->spares, path);
		(void)unlink(path);
	}
}

static void power_tear_down(void)
{
	drop_spares();
	(void)rmdir(power->spare);
}

/* Runs `work` in a child that ends at its n-th call. True: it did end there. */
static bool power_work(unsigned n, void (*work)(void))
{
	drop_spares();
	power->calls = 0;
	power->end_at = n;
	power->n_undo = power->n_names = power->n_bytes = 0;
	pid_t pid = fork();
	if (pid == 0) {
		wrap_hook = watch;
		work();
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0 || status == WRAP_EXIT_CODE << 8, "status %x at call %u",
		      (unsigned)status, n);
	return status != 0;
}

/* --- the cut --- */

enum cut { CUT_ALL, CUT_LATEST, CUT_SECTORS, CUTS };

static bool is_database(const char *name)
{
	return strstr(name, ".db") != NULL;
}

/* Takes back one change, whole. */
static void take_back(int fd, const struct undo *u)
{
	if (u->old_len)
		ck_assert_int_eq(pwrite(fd, power->bytes + u->old_at, u->old_len, (off_t)u->at),
				 (ssize_t)u->old_len);
	ck_assert_int_eq(ftruncate(fd, (off_t)u->old_size), 0);
}

/* Takes sectors of a change back: they are as they were, or zeros where the file had ended. */
static void tear(int fd, const struct undo *u)
{
	static const char zeros[SECTOR];
	struct stat st;
	ck_assert_int_eq(fstat(fd, &st), 0);
	for (uint64_t at = u->at / SECTOR * SECTOR; at < u->at + u->len; at += SECTOR) {
		uint64_t from = at < u->at ? u->at : at, to = at + SECTOR;
		to = to < u->at + u->len ? to : u->at + u->len;
		to = to < (uint64_t)st.st_size ? to : (uint64_t)st.st_size;
		if (from >= to || rand() % 2)
			continue;
		uint64_t old_end = u->at + u->old_len;
		const char *old =
			from < old_end ? power->bytes + u->old_at + (from - u->at) : zeros;
		if (from < old_end && to > old_end)
			to = old_end;
		ck_assert_int_eq(pwrite(fd, old, to - from, (off_t)from), (ssize_t)(to - from));
	}
}

static void cut_file(const char *path, ino_t inode, enum cut cut)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	/* A page of a database that is torn is SQLite's business, and has its journal: whole
	 * changes, in order. */
	bool sectors = cut == CUT_SECTORS && !is_database(path);
	size_t keep = cut == CUT_ALL ? 0 : (size_t)rand() % (power->n_undo + 1);
	for (size_t i = power->n_undo; i > 0; i--) {
		const struct undo *u = &power->undo[i - 1];
		if (u->inode != inode || u->synced)
			continue;
		if (sectors)
			tear(fd, u);
		else if (i > keep)
			take_back(fd, u);
	}
	(void)close(fd);
}

static void cut_tree(const char *dir, enum cut cut)
{
	DIR *d = opendir(dir);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d));) {
		char path[512];
		struct stat st;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			cut_tree(path, cut);
		else if (S_ISREG(st.st_mode))
			cut_file(path, st.st_ino, cut);
	}
	(void)closedir(d);
}

static ino_t inode_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

/* One change of names. The child may have ended before it was made: then there is nothing to take
 * back. */
static void unname(const struct unname *u)
{
	char spare[PATH_LEN] = "";
	if (u->spare)
		spare_path(u->spare, spare);
	if (u->kind == WRAP_LINK) {
		(void)unlink(u->to);
		return;
	}
	if (u->kind == WRAP_RENAME) {
		if (inode_of(u->path) || !inode_of(u->to) ||
		    (u->spare && inode_of(u->to) == inode_of(spare)))
			return;
		ck_assert_int_eq(rename(u->to, u->path), 0);
	}
	if (u->spare && link(spare, u->kind == WRAP_RENAME ? u->to : u->path) < 0)
		ck_assert(errno == EEXIST ||
			  errno == ENOENT); /* the directory has been removed, too */
}

static void cut_names(enum cut cut)
{
	size_t durable = power->n_names;
	while (durable > 0 && !power->names[durable - 1].synced)
		durable--;
	size_t keep = durable;
	if (cut != CUT_ALL)
		keep += (size_t)rand() % (power->n_names - durable + 1);
	for (size_t i = power->n_names; i > keep; i--)
		unname(&power->names[i - 1]);
}

/* The power goes: what a disk may then have of the directory. */
static void power_cut(const char *dir, enum cut cut)
{
	cut_names(cut);
	cut_tree(dir, cut);
}

#endif
