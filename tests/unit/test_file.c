/* Files: whole reads and writes, replacement that leaves nothing behind, locks. */
#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/haul-test-file-XXXXXX";
static int dirfd_;

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd_, 0);
}

static void teardown(void)
{
	char command[128];
	file_close(&dirfd_);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* Absolute path of a name in the test's directory; one at a time. */
static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void expect_content(const char *name, struct span want)
{
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(file_read(dirfd_, name, 1 << 24, &b), 0);
	ck_assert(span_equal(buf_span(&b), want));
	buf_free(&b);
}

static bool exists(const char *name)
{
	struct stat st;
	return fstatat(dirfd_, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static mode_t mode_of(const char *name)
{
	struct stat st;
	ck_assert_int_eq(fstatat(dirfd_, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

START_TEST(replace_makes_and_replaces)
{
	umask(077);
	ck_assert_int_eq(file_replace(dirfd_, "a", SPAN_LITERAL("first, longer"), 0640), 0);
	expect_content("a", SPAN_LITERAL("first, longer"));
	ck_assert_int_eq(mode_of("a"), 0640);
	ck_assert_int_eq(file_replace(dirfd_, "a", SPAN_LITERAL("2nd\0"), 0600), 0);
	expect_content("a", SPAN_LITERAL("2nd\0"));
	ck_assert_int_eq(mode_of("a"), 0600);
	ck_assert_int_eq(file_replace(dirfd_, "a", span_make(NULL, 0), 0600), 0);
	expect_content("a", span_of(""));
	ck_assert_int_eq(file_replace(AT_FDCWD, in_dir("b"), SPAN_LITERAL("abs"), 0644), 0);
	expect_content("b", SPAN_LITERAL("abs"));
	ck_assert(!exists("a.tmp") && !exists("b.tmp"));
}
END_TEST

START_TEST(replace_takes_over_what_a_crash_left)
{
	ck_assert_int_eq(file_replace(dirfd_, "a.tmp", SPAN_LITERAL("half a fi"), 0666), 0);
	ck_assert_int_eq(file_replace(dirfd_, "a", SPAN_LITERAL("whole"), 0600), 0);
	expect_content("a", SPAN_LITERAL("whole"));
	ck_assert_int_eq(mode_of("a"), 0600);
	ck_assert(!exists("a.tmp"));
}
END_TEST

START_TEST(replace_cleans_up_on_error)
{
	/* The rename fails: a directory is in the way. */
	ck_assert_int_eq(mkdirat(dirfd_, "d", 0755), 0);
	ck_assert_int_eq(file_replace(dirfd_, "d", SPAN_LITERAL("x"), 0600), -EISDIR);
	ck_assert(!exists("d.tmp"));

	/* The write fails: no more than 4 KiB may be written to a file. */
	ck_assert_int_eq(file_replace(dirfd_, "a", SPAN_LITERAL("old"), 0600), 0);
	static char big[100000];
	struct rlimit old, small;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){4096, old.rlim_max};
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	int r = file_replace(dirfd_, "a", span_make(big, sizeof(big)), 0600);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(r, -EFBIG);
	expect_content("a", SPAN_LITERAL("old"));
	ck_assert(!exists("a.tmp"));

	ck_assert_int_eq(file_replace(dirfd_, "no/such", SPAN_LITERAL("x"), 0600), -ENOENT);
	char longest[PATH_MAX + 1];
	memset(longest, 'x', PATH_MAX);
	longest[PATH_MAX] = '\0';
	ck_assert_int_eq(file_replace(dirfd_, longest, SPAN_LITERAL("x"), 0600), -ENAMETOOLONG);
	/* A planted link is not followed. */
	ck_assert_int_eq(symlinkat("a", dirfd_, "l.tmp"), 0);
	ck_assert_int_eq(file_replace(dirfd_, "l", SPAN_LITERAL("x"), 0600), -ELOOP);
	expect_content("a", SPAN_LITERAL("old"));
}
END_TEST

enum { WRITERS = 4, ROUNDS = 50, LENGTH = 20000 };

static void *write_rounds(void *arg)
{
	char text[LENGTH];
	memset(text, 'a' + *(int *)arg, sizeof(text));
	for (int i = 0; i < ROUNDS; i++)
		if (file_replace(dirfd_, "shared", span_make(text, sizeof(text)), 0600) < 0)
			return arg;
	return NULL;
}

START_TEST(replacers_do_not_mix)
{
	pthread_t threads[WRITERS];
	int ids[WRITERS];
	for (int i = 0; i < WRITERS; i++) {
		ids[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_rounds, &ids[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		void *failed;
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(file_read(dirfd_, "shared", LENGTH, &b), 0);
	ck_assert_uint_eq(b.len, LENGTH);
	for (size_t i = 1; i < b.len; i++)
		if (b.ptr[i] != b.ptr[0])
			ck_abort_msg("two writers in one file");
	buf_free(&b);
	ck_assert(!exists("shared.tmp"));
}
END_TEST

START_TEST(read_keeps_to_its_limit)
{
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&b, "before "), 0);
	ck_assert_int_eq(file_replace(dirfd_, "a", SPAN_LITERAL("12345"), 0600), 0);
	ck_assert_int_eq(file_read(dirfd_, "a", 4, &b), -EMSGSIZE);
	ck_assert(span_is(buf_span(&b), "before "));
	ck_assert_int_eq(file_read(dirfd_, "a", 0, &b), -EMSGSIZE);
	ck_assert_int_eq(file_read(dirfd_, "a", 5, &b), 0);
	ck_assert(span_is(buf_span(&b), "before 12345"));
	ck_assert_int_eq(file_read(dirfd_, "a", SIZE_MAX, &b), 0);
	ck_assert(span_is(buf_span(&b), "before 1234512345"));
	ck_assert_int_eq(file_read(dirfd_, "none", 5, &b), -ENOENT);
	ck_assert_int_eq(file_read(AT_FDCWD, dir, 5, &b), -EISDIR);
	ck_assert(span_is(buf_span(&b), "before 1234512345"));
	b.max = b.len + 2;
	ck_assert_int_eq(file_read(dirfd_, "a", 5, &b), -EMSGSIZE);
	ck_assert(span_is(buf_span(&b), "before 1234512345"));
	buf_free(&b);
}
END_TEST

START_TEST(read_goes_by_reads_not_by_size)
{
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(file_read(AT_FDCWD, "/proc/self/stat", 65536, &b), 0);
	ck_assert_uint_gt(b.len, 0);
	buf_free(&b);

	static char big[300000];
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 256);
	ck_assert_int_eq(file_replace(dirfd_, "big", span_make(big, sizeof(big)), 0600), 0);
	expect_content("big", span_make(big, sizeof(big)));
	ck_assert_int_eq(file_read(dirfd_, "big", sizeof(big) - 1, &b), -EMSGSIZE);
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(positioned)
{
	char got[16];
	int fd = openat(dirfd_, "p", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_write_all(fd, SPAN_LITERAL("0123456789")), 0);
	ck_assert_int_eq(file_pwrite_all(fd, SPAN_LITERAL("xy"), 8), 0);
	ck_assert_int_eq(file_write_all(fd, SPAN_LITERAL("ab")), 0);
	expect_content("p", SPAN_LITERAL("01234567xyab"));
	ck_assert_int_eq(file_pread_full(fd, got, 4, 6), 4);
	ck_assert_mem_eq(got, "67xy", 4);
	ck_assert_int_eq(file_pread_full(fd, got, sizeof(got), 10), 2);
	ck_assert_int_eq(file_pread_full(fd, got, sizeof(got), 12), 0);
	ck_assert_int_eq(file_pread_full(fd, got, sizeof(got), UINT64_C(1) << 40), 0);
	ck_assert_int_eq(file_pread_full(fd, got, 0, 0), 0);
	ck_assert_int_eq(file_pread_full(fd, got, 1, UINT64_MAX), -EOVERFLOW);
	ck_assert_int_eq(file_pread_full(fd, got, 2, INT64_MAX - 1), -EOVERFLOW);
	ck_assert_int_eq(file_pwrite_all(fd, SPAN_LITERAL("x"), UINT64_MAX), -EFBIG);
	ck_assert_int_eq(file_pwrite_all(fd, span_make(NULL, 0), 0), 0);
	file_close(&fd);
	ck_assert_int_eq(fd, -1);
	file_close(&fd);
	ck_assert_int_eq(file_write_all(-1, SPAN_LITERAL("x")), -EBADF);
	ck_assert_int_eq(file_pwrite_all(-1, SPAN_LITERAL("x"), 0), -EBADF);
	ck_assert_int_eq(file_pread_full(-1, got, 1, 0), -EBADF);
}
END_TEST

/* A pipe takes what fits and the rest later: write_all must come back for it. */
START_TEST(short_writes_are_continued)
{
	enum { SIZE = 1000000 };
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		static char bytes[SIZE];
		close(ends[0]);
		_exit(file_write_all(ends[1], span_make(bytes, SIZE)) == 0 ? 0 : 1);
	}
	close(ends[1]);
	size_t total = 0;
	char chunk[777];
	ssize_t n;
	while ((n = read(ends[0], chunk, sizeof(chunk))) > 0)
		total += (size_t)n;
	ck_assert_uint_eq(total, SIZE);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(ends[0]);
}
END_TEST

START_TEST(make_dirs)
{
	umask(022);
	ck_assert_int_eq(file_make_dirs(in_dir("a/b/c"), 0750), 0);
	ck_assert_int_eq(mode_of("a/b/c"), 0750);
	ck_assert_int_eq(mode_of("a"), 0750);
	ck_assert_int_eq(file_make_dirs(in_dir("a/b/c"), 0700), 0);
	ck_assert_int_eq(mode_of("a/b/c"), 0750);
	ck_assert_int_eq(file_make_dirs(in_dir("a//d///e/"), 0750), 0);
	ck_assert_int_eq(mode_of("a/d/e"), 0750);
	ck_assert_int_eq(file_replace(dirfd_, "f", SPAN_LITERAL("x"), 0600), 0);
	ck_assert_int_eq(file_make_dirs(in_dir("f"), 0750), -ENOTDIR);
	ck_assert_int_eq(file_make_dirs(in_dir("f/g"), 0750), -ENOTDIR);
	ck_assert_int_eq(file_make_dirs("", 0750), -ENOENT);
	ck_assert_int_eq(file_make_dirs("/", 0750), 0);
	ck_assert_int_eq(file_make_dirs("/proc/none", 0750), -ENOENT);
	ck_assert_int_eq(symlinkat("a", dirfd_, "l"), 0);
	ck_assert_int_eq(file_make_dirs(in_dir("l/z"), 0750), 0);
	ck_assert(exists("a/z"));
}
END_TEST

START_TEST(sync_dir)
{
	ck_assert_int_eq(file_sync_dir(dirfd_, "."), 0);
	ck_assert_int_eq(file_sync_dir(AT_FDCWD, dir), 0);
	ck_assert_int_eq(file_sync_dir(dirfd_, "none"), -ENOENT);
	ck_assert_int_eq(file_replace(dirfd_, "f", SPAN_LITERAL("x"), 0600), 0);
	ck_assert_int_eq(file_sync_dir(dirfd_, "f"), -ENOTDIR);
}
END_TEST

START_TEST(lock_is_exclusive_and_ends_with_its_descriptor)
{
	int fd = file_lock(dirfd_, "lock");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(file_lock(dirfd_, "lock"), -EWOULDBLOCK);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(file_lock(dirfd_, "lock") == -EWOULDBLOCK ? 0 : 1);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	file_close(&fd);
	fd = file_lock(dirfd_, "lock");
	ck_assert_int_ge(fd, 0);
	file_close(&fd);
	ck_assert_int_eq(file_lock(dirfd_, "none/lock"), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file");
	TCase *tcase = tcase_create("file");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, replace_makes_and_replaces);
	tcase_add_test(tcase, replace_takes_over_what_a_crash_left);
	tcase_add_test(tcase, replace_cleans_up_on_error);
	tcase_add_test(tcase, replacers_do_not_mix);
	tcase_add_test(tcase, read_keeps_to_its_limit);
	tcase_add_test(tcase, read_goes_by_reads_not_by_size);
	tcase_add_test(tcase, positioned);
	tcase_add_test(tcase, short_writes_are_continued);
	tcase_add_test(tcase, make_dirs);
	tcase_add_test(tcase, sync_dir);
	tcase_add_test(tcase, lock_is_exclusive_and_ends_with_its_descriptor);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
