/* Files are found and read within what the host allows: descriptors, watches, events,
 * permissions. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- limits --- */

START_TEST(few_descriptors)
{
	struct rlimit limit = {64, 64};
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	for (unsigned i = 1; i <= 200; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "f%u.log", i);
		host_numbers(&h, name, "n", i, 1);
	}
	host_stop(&h);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 200);
	ck_assert_uint_le(host_open_files(&h), 32);
	/* Written and rotated while closed. */
	for (unsigned i = 1; i <= 200; i++) {
		char name[32], rotated[32];
		(void)snprintf(name, sizeof(name), "f%u.log", i);
		(void)snprintf(rotated, sizeof(rotated), "f%u.log.1", i);
		host_numbers(&h, name, "n", 200 + i, 1);
		host_rename(&h, name, rotated);
		host_numbers(&h, name, "n", 400 + i, 1);
	}
	host_run(&h);
	host_expect_numbers(&h, "n", 600);
	ck_assert_uint_le(host_open_files(&h), 32);
}
END_TEST

/* In a user namespace of its own the limits of inotify may be lowered; false: that is not allowed
 * here. */
static bool lower(const char *limit, const char *value)
{
	char path[128];
	if (unshare(CLONE_NEWUSER) < 0)
		return false;
	int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, "0 0 1\n", 6) == 6;
	close(fd);
	(void)snprintf(path, sizeof(path), "/proc/sys/user/%s", limit);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok = ok && fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	if (!ok)
		printf("test_watching: skipped: %s cannot be lowered here\n", limit);
	return ok;
}

static void with_limited_watches(void)
{
	for (unsigned i = 1; i <= 20; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "d%u", i);
		host_mkdir(&h, name);
		(void)snprintf(name, sizeof(name), "d%u/a.log", i);
		host_numbers(&h, name, "n", i, 1);
	}
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 20);
	struct discover_counters c;
	discover_counters(h.discover, &c);
	ck_assert_uint_gt(c.polled_dirs, 10);
	for (unsigned i = 1; i <= 20; i++) {
		char name[32], rotated[32];
		(void)snprintf(name, sizeof(name), "d%u/a.log", i);
		(void)snprintf(rotated, sizeof(rotated), "d%u/a.log.1", i);
		host_numbers(&h, name, "n", 20 + i, 1);
		if (i % 2)
			host_rename(&h, name, rotated);
		host_numbers(&h, name, "n", 40 + i, 1);
	}
	host_pass(&h, 2);
	host_expect_numbers(&h, "n", 60);
	/* Twice between two polls. */
	host_numbers(&h, "d2/a.log", "n", 61, 1);
	host_shell(&h, "mv d2/a.log d2/a.log.1; echo n 62 >d2/a.log; mv d2/a.log.1 d2/a.log.2; "
		       "mv d2/a.log d2/a.log.1; echo n 63 >d2/a.log");
	host_pass(&h, 2);
	host_expect_numbers(&h, "n", 63);
}

START_TEST(few_watches)
{
	host_input(&h, "logs", "*/*.log", "");
	if (lower("max_inotify_watches", "6"))
		with_limited_watches();
}
END_TEST

START_TEST(no_inotify)
{
	host_input(&h, "logs", "*/*.log", "");
	if (lower("max_inotify_instances", "0"))
		with_limited_watches();
}
END_TEST

START_TEST(queue_overflows)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_shell(&h, "for i in $(seq 9000); do echo x >t$i; done; rm t*");
	host_numbers(&h, "f.log", "n", 11, 10);
	host_shell(&h, "mv f.log f.log.1");
	host_numbers(&h, "f.log", "n", 21, 10);
	host_shell(&h, "mv f.log.1 f.log.2; mv f.log f.log.1");
	host_numbers(&h, "f.log", "n", 31, 10);
	host_shell(&h, "mkdir d; rmdir d");
	host_run(&h);
	host_expect_numbers(&h, "n", 40);
	struct discover_counters c;
	discover_counters(h.discover, &c);
	ck_assert_uint_eq(c.overflows, 1);
}
END_TEST

/* --- what cannot be read --- */

START_TEST(not_allowed_then_allowed)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "one\n");
	host_write(&h, "b.log", "other\n");
	ck_assert_int_eq(chmod(host_path(&h, "a.log"), 0), 0);
	if (geteuid() == 0) {
		host_shell(&h, "chown 65534:65534 .. . a.log b.log 2>/dev/null; chmod 755 .");
		ck_assert_int_eq(seteuid(65534), 0);
		(void)snprintf(h.state, sizeof(h.state), "%s/.state", h.dir);
	}
	host_start(&h);
	host_run(&h);
	LINES("other");
	struct source *s = host_source(&h, "a.log");
	ck_assert_int_eq(s->last_error, EACCES);
	ck_assert_int_eq(chmod(host_path(&h, "a.log"), 0644), 0);
	host_run(&h);
	LINES("one|other");
	ck_assert_int_eq(s->last_error, 0);
	ck_assert_int_eq(seteuid(getuid()), 0);
}
END_TEST

START_TEST(only_regular_files)
{
	host_input(&h, "logs", "*", "");
	host_mkdir(&h, "dir");
	host_shell(&h, "mkfifo fifo; ln -s /dev/null null; ln -s nowhere dangling");
	host_write(&h, "a", "one\n");
	host_start(&h);
	host_run(&h);
	LINES("one");
	host_shell(&h, "rm dangling; echo two >dangling");
	host_run(&h);
	LINES("one|two");
}
END_TEST

START_TEST(files_that_are_not_text)
{
	host_input(&h, "logs", "*", "");
	host_shell(&h, "head -c 384 /dev/zero >wtmp; printf '\\1\\2' | dd of=wtmp conv=notrunc "
		       "2>/dev/null; "
		       "echo x | gzip >a.gz; printf 'LPKSHHRH\\0\\0' >j.journal; "
		       "printf 'a line with a \\0 in it\\n' >text; printf '\\377\\376 latin "
		       "\\344\\n' >text2");
	host_start(&h);
	host_run(&h);
	ck_assert_uint_eq(h.n_streams, 2);
	struct discover_counters c;
	discover_counters(h.discover, &c);
	ck_assert_uint_eq(c.skipped_binary_files, 3);
	ck_assert_ptr_nonnull(host_source(&h, "wtmp")->refusal);
	ck_assert_uint_eq(host_open_files(&h), 2);
	/* And not after a restart either. */
	host_stop(&h);
	host_start(&h);
	host_run(&h);
	ck_assert_uint_eq(h.n_streams, 2);
	host_unlink(&h, "wtmp");
	host_run(&h);
	host_pass(&h, 61);
	ck_assert_ptr_null(host_source(&h, "wtmp"));
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, few_descriptors);
	tcase_add_test(tcase, few_watches);
	tcase_add_test(tcase, no_inotify);
	tcase_add_test(tcase, queue_overflows);
	tcase_add_test(tcase, not_allowed_then_allowed);
	tcase_add_test(tcase, only_regular_files);
	tcase_add_test(tcase, files_that_are_not_text);
}

int main(void)
{
	return one_host_run("watching_limits", NULL, add_tests);
}
