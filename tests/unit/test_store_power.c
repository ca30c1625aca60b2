/* Power cuts: what was written and not synced may be gone, all of it or in part. A child process works and ends at
 * some I/O call; every write since the last sync of its file is known, with what stood there before. The test then
 * takes back all of them, or some, or parts of some, and the store must open on what is left: whatever was
 * acknowledged is there, once.
 *
 * Names (files made, renamed, removed) stay as they are: a journal keeps their order. What is taken back is data. */
#include "tests/lib/wrap_io.h"

#include "tests/lib/make_agents.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { UNDO_MAX = 20000, BYTES_MAX = 64 << 20, SECTOR = 512 };

/* A change of a file that is not durable yet. */
struct undo {
	ino_t inode;
	uint64_t at, len; /* what was written, or cut off */
	uint64_t old_size;
	size_t old_at, old_len; /* the bytes that stood there, in `bytes` */
	bool synced;
};

struct shared {
	struct make_agents agents;
	unsigned calls, end_at;
	size_t n_undo, n_bytes;
	struct undo undo[UNDO_MAX];
	char bytes[BYTES_MAX];
};

static struct shared *shared;

/* --- in the child --- */

static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

static void remember(int fd, uint64_t at, uint64_t len, const struct stat *st)
{
	ck_assert_uint_lt(shared->n_undo, UNDO_MAX);
	struct undo *u = &shared->undo[shared->n_undo++];
	*u = (struct undo){.inode = st->st_ino,
			   .at = at,
			   .len = len,
			   .old_size = (uint64_t)st->st_size,
			   .old_at = shared->n_bytes};
	if (at < u->old_size) {
		uint64_t want = u->old_size - at < len ? u->old_size - at : len;
		ck_assert_uint_lt(shared->n_bytes + want, BYTES_MAX);
		/* The descriptor may be for writing only. */
		char path[64];
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int in = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = pread(in, shared->bytes + shared->n_bytes, want, (off_t)at);
		(void)close(in);
		u->old_len = n > 0 ? (size_t)n : 0;
		shared->n_bytes += u->old_len;
	}
}

static void note_write(const struct wrap_call *c, const struct stat *st)
{
	uint64_t len = 0;
	for (int i = 0; i < c->n_iov; i++)
		len += c->iov[i].iov_len;
	remember(c->fd, c->offset < 0 ? (uint64_t)st->st_size : (uint64_t)c->offset, len, st);
}

static void note_sync(const struct stat *st, bool all)
{
	for (size_t i = 0; i < shared->n_undo; i++)
		if (all || shared->undo[i].inode == st->st_ino)
			shared->undo[i].synced = true;
}

/* A sync counts as done when it begins: what is written while it runs is noted behind it. That is kinder than a disk
 * for the call at which the child ends, so such a call does not count. */
static enum wrap_action watch(const struct wrap_call *c)
{
	struct stat st;
	if (fstat(c->fd, &st) < 0 || (c->kind == WRAP_WRITE && !S_ISREG(st.st_mode)))
		return WRAP_PASS;
	pthread_mutex_lock(&undo_lock);
	if (++shared->calls >= shared->end_at)
		wrap_end();
	if (c->kind == WRAP_WRITE)
		note_write(c, &st);
	else if (c->kind == WRAP_CUT && c->offset < st.st_size)
		remember(c->fd, (uint64_t)c->offset, (uint64_t)(st.st_size - c->offset), &st);
	else if (c->kind == WRAP_SYNC || c->kind == WRAP_SYNC_ALL)
		note_sync(&st, c->kind == WRAP_SYNC_ALL);
	pthread_mutex_unlock(&undo_lock);
	return WRAP_PASS;
}

static bool work_until(unsigned n)
{
	shared->calls = 0;
	shared->end_at = n;
	shared->n_undo = shared->n_bytes = 0;
	pid_t pid = fork();
	if (pid == 0) {
		wrap_hook = watch;
		(void)make_agents_work(&shared->agents, false);
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
		ck_assert_int_eq(pwrite(fd, shared->bytes + u->old_at, u->old_len, (off_t)u->at),
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
			from < old_end ? shared->bytes + u->old_at + (from - u->at) : zeros;
		if (from < old_end && to > old_end)
			to = old_end;
		ck_assert_int_eq(pwrite(fd, old, to - from, (off_t)from), (ssize_t)(to - from));
	}
}

static void cut_file(const char *path, ino_t inode, enum cut cut)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	/* A page of a database that is torn is SQLite's business, and has its journal: whole changes, in order. */
	bool sectors = cut == CUT_SECTORS && !is_database(path);
	size_t keep = cut == CUT_ALL ? 0 : (size_t)rand() % (shared->n_undo + 1);
	for (size_t i = shared->n_undo; i > 0; i--) {
		const struct undo *u = &shared->undo[i - 1];
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

static void setup(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
}

static unsigned calls_of_a_run(void)
{
	make_agents_begin(&shared->agents);
	ck_assert(!work_until(UINT32_MAX));
	make_agents_check(&shared->agents);
	make_agents_end(&shared->agents);
	return shared->calls;
}

START_TEST(cut_once)
{
	unsigned calls = calls_of_a_run(), step = getenv("HAUL_TORTURE") ? 1 : 4;
	srand((unsigned)_i + 1);
	for (unsigned n = 2 + (unsigned)_i; n < calls; n += step) {
		make_agents_begin(&shared->agents);
		(void)work_until(n);
		cut_tree(shared->agents.dir, (enum cut)_i);
		ck_assert(!work_until(UINT32_MAX));
		make_agents_check(&shared->agents);
		make_agents_end(&shared->agents);
	}
}
END_TEST

START_TEST(cut_again_and_again)
{
	unsigned calls = calls_of_a_run();
	srand((unsigned)_i + 1);
	make_agents_begin(&shared->agents);
	for (int i = 0; i < 30; i++) {
		(void)work_until(2 + (unsigned)rand() % (i % 3 ? 60 : calls));
		cut_tree(shared->agents.dir, (enum cut)(rand() % CUTS));
	}
	ck_assert(!work_until(UINT32_MAX));
	make_agents_check(&shared->agents);
	make_agents_end(&shared->agents);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_power");
	TCase *tcase = tcase_create("power");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, 280);
	tcase_add_loop_test(tcase, cut_once, 0, CUTS);
	tcase_add_loop_test(tcase, cut_again_and_again, 0, 3);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
