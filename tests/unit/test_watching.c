/* What can be in the way of seeing files: links, directories that move, limits, permissions. */
#include "tests/lib/host.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct host h;

static void set_up(void)
{
	host_init(&h, "/tmp");
}

static void tear_down(void)
{
	host_free(&h);
}

#define LINES(text) ck_assert_str_eq(host_lines(&h), text)

/* --- links ------------------------------------------------------------------------------------------ */

START_TEST(link_retargeted)
{
	host_input(&h, "logs", "current.log", "");
	host_mkdir(&h, "data");
	host_write(&h, "data/a", "a1\n");
	host_write(&h, "data/b", "b1\n");
	host_shell(&h, "ln -s data/a current.log");
	host_start(&h);
	host_run(&h);
	LINES("a1");
	host_append(&h, "data/a", "a2\n");
	host_run(&h);
	LINES("a1|a2");
	host_append(&h, "data/a", "a3\n");
	host_shell(&h, "ln -sfn data/b new; mv -T new current.log");
	host_run(&h);
	LINES("a1|a2|a3|b1");
	host_append(&h, "data/b", "b2\n");
	host_append(&h, "data/a", "a4\n");
	host_run(&h);
	LINES("a1|a2|a3|a4|b1|b2");
	ck_assert_uint_eq(h.n_streams, 2);
	ck_assert_str_eq(host_stream(&h, "current.log")->service +
				 strlen(host_stream(&h, "current.log")->service) - 7,
			 "current");
}
END_TEST

START_TEST(chain_of_links)
{
	host_input(&h, "logs", "x/*.log", "");
	host_mkdir(&h, "x");
	host_mkdir(&h, "y");
	host_mkdir(&h, "z");
	host_start(&h);
	host_write(&h, "z/0", "one\n");
	host_shell(&h, "ln -s ../z/0 y/link; ln -s $PWD/y/link x/pod.log");
	host_run(&h);
	LINES("one");
	host_append(&h, "z/0", "two\n");
	host_run(&h);
	LINES("one|two");
	/* As kubelet rotates: the target goes away and comes anew. */
	host_rename(&h, "z/0", "z/0.20261122-054000");
	host_run(&h);
	host_append(&h, "z/0.20261122-054000", "three\n");
	host_write(&h, "z/0", "four\n");
	host_run(&h);
	LINES("four|one|three|two");
	/* A link in the middle. */
	host_write(&h, "z/1", "five\n");
	host_shell(&h, "ln -s ../z/1 y/new; mv -T y/new y/link");
	host_run(&h);
	LINES("five|four|one|three|two");
	host_append(&h, "z/1", "six\n");
	host_run(&h);
	LINES("five|four|one|six|three|two");
	ck_assert_uint_eq(h.n_streams, 3);
}
END_TEST

/* No time passes in which everything is looked at again. */
START_TEST(link_before_its_file)
{
	host_input(&h, "logs", "x/*.log", "");
	host_mkdir(&h, "x");
	host_mkdir(&h, "y");
	host_start(&h);
	struct discover_counters c;
	discover_counters(h.discover, &c);
	uint64_t watches = c.watches;
	host_shell(&h, "ln -s ../y/early x/early.log");
	host_run(&h);
	host_shell(&h,
		   "ln -s ../y/late x/late.log; ln -s ../y/middle x/chain.log; ln -s ../y/no x/no");
	host_run(&h);
	host_write(&h, "y/early", "early\n");
	host_write(&h, "y/late", "late\n");
	host_write(&h, "y/no", "not wanted\n");
	host_run(&h);
	LINES("early|late");
	host_shell(&h, "ln -s end y/middle");
	host_run(&h);
	host_write(&h, "y/end", "end\n");
	host_run(&h);
	LINES("early|end|late");
	/* And when the file goes and another one comes. */
	host_unlink(&h, "y/late");
	host_run(&h);
	host_write(&h, "y/late", "later\n");
	host_append(&h, "y/end", "end 2\n");
	host_run(&h);
	LINES("early|end|end 2|late|later");
	host_shell(&h, "rm x/* y/*");
	host_pass(&h, 125); /* the names go first, then their directory */
	ck_assert_uint_eq(source_count(h.table), 0);
	discover_counters(h.discover, &c);
	ck_assert_uint_eq(c.watches, watches);
}
END_TEST

START_TEST(one_file_two_names)
{
	host_input(&h, "first", "b*.log", "");
	host_input(&h, "second", "*.log", "");
	host_write(&h, "a.log", "one\n");
	host_shell(&h, "ln a.log b.log; ln -s a.log c.log");
	host_start(&h);
	host_run(&h);
	LINES("one");
	ck_assert_uint_eq(h.n_streams, 1);
	struct source *s = source_first(h.table);
	ck_assert_str_eq(s->input->name, "first");
	ck_assert_str_eq(s->path, host_path(&h, "b.log"));
	host_unlink(&h, "b.log");
	host_append(&h, "a.log", "two\n");
	host_run(&h);
	LINES("one|two");
	ck_assert_int_eq(s->state, SOURCE_FOLLOWING);
	ck_assert_str_ne(s->path, host_path(&h, "b.log"));
}
END_TEST

START_TEST(links_in_circles)
{
	host_input(&h, "logs", "**", "");
	host_mkdir(&h, "d/e");
	host_shell(&h, "ln -s .. d/up; ln -s loop loop; ln -s / d/e/root; ln -s $PWD d/e/top");
	host_write(&h, "d/e/f", "one\n");
	host_start(&h);
	host_run(&h);
	LINES("one");
	struct discover_counters c;
	discover_counters(h.discover, &c);
	ck_assert_uint_lt(c.watches, 10);
}
END_TEST

START_TEST(links_to_directories)
{
	host_input(&h, "logs", "app*/*.log", "");
	host_mkdir(&h, "real1");
	host_mkdir(&h, "real2");
	host_write(&h, "real1/a.log", "a1\n");
	host_write(&h, "real2/a.log", "b1\n");
	host_start(&h);
	host_shell(&h, "ln -s real1 app");
	host_run(&h);
	LINES("a1");
	host_append(&h, "real1/a.log", "a2\n");
	host_run(&h);
	LINES("a1|a2");
	host_shell(&h, "ln -sfn real2 new; mv -T new app");
	host_run(&h);
	LINES("a1|a2|b1");
	host_append(&h, "real2/a.log", "b2\n");
	host_run(&h);
	LINES("a1|a2|b1|b2");
}
END_TEST

/* --- directories ------------------------------------------------------------------------------------ */

START_TEST(directory_renamed)
{
	host_input(&h, "logs", "app*/*.log", "");
	host_mkdir(&h, "app");
	host_write(&h, "app/a.log", "one\n");
	host_start(&h);
	host_run(&h);
	int writer = open(host_path(&h, "app/a.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
	host_rename(&h, "app", "app-2");
	host_run(&h);
	ck_assert_int_eq(write(writer, "two\n", 4), 4);
	host_run(&h);
	LINES("one|two");
	ck_assert_str_eq(source_first(h.table)->path, host_path(&h, "app-2/a.log"));
	ck_assert_int_eq(source_first(h.table)->state, SOURCE_FOLLOWING);
	/* To where no glob leads; the writer goes on. */
	host_rename(&h, "app-2", "other");
	host_run(&h);
	ck_assert_int_eq(write(writer, "three\n", 6), 6);
	host_run(&h);
	LINES("one|three|two");
	/* The name comes again with another directory. */
	host_mkdir(&h, "app");
	host_write(&h, "app/a.log", "four\n");
	host_run(&h);
	ck_assert_int_eq(write(writer, "five\n", 5), 5);
	host_run(&h);
	host_pass(&h, 130);
	ck_assert_int_eq(write(writer, "six\n", 4), 4);
	host_run(&h);
	LINES("five|four|one|six|three|two");
	ck_assert_uint_eq(h.n_streams, 2);
	close(writer);
}
END_TEST

START_TEST(root_of_the_glob_comes_and_goes)
{
	host_input(&h, "logs", "a/b/c/*.log", "");
	host_start(&h);
	host_run(&h);
	host_mkdir(&h, "a/b/c");
	host_write(&h, "a/b/c/x.log", "one\n");
	host_run(&h);
	LINES("one");
	host_rename(&h, "a", "z");
	host_run(&h);
	host_append(&h, "z/b/c/x.log", "two\n");
	host_run(&h);
	LINES("one|two");
	host_mkdir(&h, "a/b/c");
	host_write(&h, "a/b/c/x.log", "three\n");
	host_run(&h);
	LINES("one|three|two");
	host_shell(&h, "rm -rf a z");
	host_run(&h);
	host_pass(&h, 61);
	ck_assert_uint_eq(source_count(h.table), 0);
	host_mkdir(&h, "a/b/c");
	host_write(&h, "a/b/c/y.log", "four\n");
	host_run(&h);
	LINES("four|one|three|two");
}
END_TEST

static bool events_wait(void)
{
	struct pollfd p = {.fd = discover_fd(h.discover), .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

/* What others do in a directory that is only on the way does not wake the agent; that the way ends or leads elsewhere
 * does. */
START_TEST(noise_on_the_way)
{
	host_input(&h, "logs", "a/b/*.log", "");
	host_mkdir(&h, "a/b");
	host_write(&h, "a/b/x.log", "one\n");
	host_start(&h);
	host_run(&h);
	host_shell(&h, "touch n1 n2 a/n3; mkdir d a/d; mv n1 n4; rm n2 n4 a/n3; rmdir d a/d");
	ck_assert(!events_wait());
	host_shell(&h, "mv a/b a/c");
	ck_assert(events_wait());
	host_run(&h);
	/* Now the name is waited for. */
	host_shell(&h, "mkdir a/b");
	ck_assert(events_wait());
	host_write(&h, "a/b/x.log", "two\n");
	host_run(&h);
	LINES("one|two");
	host_shell(&h, "touch a/n3 n1; rm a/n3 n1");
	ck_assert(!events_wait());
	host_shell(&h, "mv a old; mkdir -p a/b");
	host_write(&h, "a/b/x.log", "three\n");
	host_append(&h, "old/b/x.log", "four\n");
	host_run(&h);
	LINES("four|one|three|two");
	host_shell(&h, "rm -r a");
	host_run(&h);
	host_shell(&h, "mkdir -p new/b; echo five >new/b/x.log; mv new a");
	host_run(&h);
	LINES("five|four|one|three|two");
	host_shell(&h, "touch a/n3 n1");
	ck_assert(!events_wait());
}
END_TEST

START_TEST(link_on_the_way)
{
	host_input(&h, "logs", "current/log/*.log", "");
	host_mkdir(&h, "v1/log");
	host_mkdir(&h, "v2/log");
	host_write(&h, "v1/log/x.log", "one\n");
	host_shell(&h, "ln -s v1 current");
	host_start(&h);
	host_run(&h);
	LINES("one");
	host_write(&h, "v2/log/x.log", "two\n");
	host_shell(&h, "ln -s v2 next; mv -T next current");
	host_run(&h);
	LINES("one|two");
	host_shell(&h, "rm current; mkdir -p current/log; echo three >current/log/x.log");
	host_run(&h);
	LINES("one|three|two");
	host_shell(&h, "touch n1");
	ck_assert(!events_wait());
}
END_TEST

START_TEST(archive_made_on_the_way)
{
	host_input(&h, "logs", "a/b/*.log", "");
	host_mkdir(&h, "a/b");
	host_write(&h, "a/b/x.log", "one\n");
	host_start(&h);
	host_run(&h);
	host_mkdir(&h, "a/.haul");
	host_pass(&h, 61);
	host_write(&h, "a/b/y.log", "two\n");
	host_run(&h);
	LINES("one");
}
END_TEST

START_TEST(short_lived_directories)
{
	host_input(&h, "logs", "pods/*/*/*.log", "");
	host_mkdir(&h, "pods");
	host_start(&h);
	for (int i = 1; i <= 200; i++) {
		char name[64], text[64];
		(void)snprintf(name, sizeof(name), "pods/p%d/c", i);
		host_mkdir(&h, name);
		(void)snprintf(name, sizeof(name), "pods/p%d/c/0.log", i);
		(void)snprintf(text, sizeof(text), "n %d\n", i);
		host_write(&h, name, text);
		host_turn(&h);
		host_append(&h, name, "last\n");
		(void)snprintf(name, sizeof(name), "rm -r pods/p%d", i);
		host_shell(&h, name);
	}
	host_run(&h);
	host_expect_numbers(&h, "n", 200);
	host_pass(&h, 61);
	ck_assert_uint_eq(source_count(h.table), 0);
	ck_assert_uint_eq(host_open_files(&h), 0);
	ck_assert_uint_eq(strlen(host_lines(&h)), 200 * 5 + 9 * 4 + 90 * 5 + 101 * 6 - 1);
}
END_TEST

START_TEST(an_archive_is_left_alone)
{
	host_input(&h, "logs", "**/*.log", "");
	host_mkdir(&h, "haul/.haul");
	host_mkdir(&h, "haul/2026-11-22/app");
	host_write(&h, "haul/2026-11-22/app/web.log", "no\n");
	host_mkdir(&h, "late/2026-11-22");
	host_write(&h, "app.log", "yes\n");
	host_start(&h);
	host_run(&h);
	LINES("yes");
	host_mkdir(&h, "late/.haul");
	host_run(&h);
	host_write(&h, "late/2026-11-22/web.log", "no\n");
	host_write(&h, "haul/2026-11-22/app/web2.log", "no\n");
	host_run(&h);
	host_pass(&h, 61);
	LINES("yes");
	/* A day that begins in it is not watched: its collector writes there all the time. */
	host_mkdir(&h, "haul/2026-11-23");
	host_mkdir(&h, "late/2026-11-23");
	host_run(&h);
	host_mkdir(&h, "haul/2026-11-23/app");
	host_mkdir(&h, "late/2026-11-23/app");
	ck_assert(!events_wait());
}
END_TEST

START_TEST(own_messages_are_not_followed)
{
	host_input(&h, "logs", "*.log", "");
	int fd = open(host_path(&h, "agent.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int kept = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	dprintf(STDERR_FILENO, "a message\n");
	host_start(&h);
	host_run(&h);
	dup2(kept, STDERR_FILENO);
	LINES("");
	close(fd);
	close(kept);
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------------- */

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

/* In a user namespace of its own the limits of inotify may be lowered; false: that is not allowed here. */
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

/* --- what cannot be read ---------------------------------------------------------------------------- */

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

/* --- where to begin --------------------------------------------------------------------------------- */

START_TEST(from_the_end_at_the_very_first_start)
{
	struct input *in = host_input(&h, "logs", "*.log", "");
	in->from = INPUT_FROM_END;
	host_write(&h, "a.log", "old 1\nold 2\nunfin");
	host_start(&h);
	host_run(&h);
	LINES("");
	host_append(&h, "a.log", "ished\n");
	host_write(&h, "b.log", "new\n");
	host_run(&h);
	LINES("new|unfinished");
	ck_assert_uint_eq(host_stream(&h, "a.log")->start, 12);
	host_stop(&h);
	host_write(&h, "c.log", "while down\n");
	host_start(&h);
	host_run(&h);
	LINES("new|unfinished|while down");
}
END_TEST

START_TEST(from_the_end_while_the_collector_is_away)
{
	host_input(&h, "logs", "*.log", "")->from = INPUT_FROM_END;
	host_write(&h, "a.log", "old 1\nold 2\n");
	host_start_unlisted(&h);
	host_run(&h);
	host_append(&h, "a.log", "more\n");
	host_write(&h, "b.log", "new\n");
	host_run(&h);
	host_list(&h);
	host_run(&h);
	LINES("more|new");
}
END_TEST

/* The collector's oldest day is 30 days ago, whenever the test runs; the file was written so many hours after its
 * beginning. */
static void written_after_oldest_day(struct host *host, const char *name, int hours)
{
	const int64_t day_ns = 86400 * NUM_SEC_NS;
	char command[128];
	int64_t now_ns = clock_real_ns(), oldest_ns = now_ns - now_ns % day_ns - 30 * day_ns;
	host->keeps_ns = now_ns - oldest_ns - day_ns / 2;
	int64_t at_s = oldest_ns / NUM_SEC_NS + (int64_t)hours * 3600;
	(void)snprintf(command, sizeof(command), "touch -d @%" PRId64 " %s", at_s, name);
	host_shell(host, command);
}

START_TEST(old_files_at_the_very_first_start)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "old\n");
	written_after_oldest_day(&h, "a.log", -1);
	host_write(&h, "b.log", "young\n");
	host_write(&h, "c.log", "of a day that is kept\n");
	written_after_oldest_day(&h, "c.log", 1);
	host_write(&h, "still.log", "old, too\n");
	written_after_oldest_day(&h, "still.log", -1);
	host_write(&h, "empty.log", "");
	written_after_oldest_day(&h, "empty.log", -1);
	host_start(&h);
	host_run(&h);
	LINES("of a day that is kept|young");
	struct discover_counters c;
	discover_counters(h.discover, &c);
	ck_assert_uint_eq(c.skipped_old_files, 2);
	ck_assert_uint_eq(c.skipped_old_bytes, 13);
	host_append(&h, "a.log", "new\n");
	host_run(&h);
	LINES("new|of a day that is kept|young");
	host_stop(&h);
	host_start(&h);
	host_run(&h);
	LINES("new|of a day that is kept|young");
	/* Later it is not asked how old a file is. */
	host_write(&h, "d.log", "moved here\n");
	written_after_oldest_day(&h, "d.log", -1);
	host_run(&h);
	host_pass(&h, 61);
	LINES("moved here|new|of a day that is kept|young");
}
END_TEST

/* Nor at a first start, when the collector does not say how long it keeps lines, or knows the host already. */
START_TEST(old_files_that_are_not_skipped)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "old\n");
	written_after_oldest_day(&h, "a.log", -1);
	h.keeps_ns = 0;
	host_start(&h);
	host_run(&h);
	LINES("old");
	host_stop(&h);
	host_shell(&h, "rm -rf ../$(basename $PWD).state");
	host_write(&h, "b.log", "old too\n");
	written_after_oldest_day(&h, "b.log", -1);
	host_start(&h);
	host_run(&h);
	LINES("old|old too");
}
END_TEST

/* One that is written while the agent waits for the collector is not old any more. */
START_TEST(old_until_the_collector_came)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "old\n");
	host_write(&h, "b.log", "older\n");
	written_after_oldest_day(&h, "a.log", -1);
	written_after_oldest_day(&h, "b.log", -1);
	host_start_unlisted(&h);
	host_run(&h);
	host_append(&h, "a.log", "new\n");
	host_run(&h);
	host_list(&h);
	host_run(&h);
	LINES("new|old");
}
END_TEST

/* --- configuration ---------------------------------------------------------------------------------- */

START_TEST(reload)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "a1\n");
	host_write(&h, "b.txt", "b1\n");
	host_start(&h);
	host_run(&h);
	LINES("a1");
	struct input inputs[2] = {h.inputs[0], h.inputs[0]};
	char globs[2][100], *items[2] = {globs[0], globs[1]};
	(void)snprintf(globs[0], sizeof(globs[0]), "%s/*.txt", h.dir);
	inputs[0].name = "other";
	inputs[0].paths = (struct conf_list){items, 1};
	struct discover_config c = {.inputs = inputs, .n_inputs = 2, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	host_run(&h);
	LINES("a1|b1");
	host_append(&h, "a.log", "a2\n");
	host_run(&h);
	LINES("a1|a2|b1");
	/* Nobody wants *.log now. */
	struct input only[1] = {inputs[0]};
	c = (struct discover_config){.inputs = only, .n_inputs = 1, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	memset(inputs, 0x5a, sizeof(inputs));
	host_append(&h, "a.log", "a3\n");
	host_append(&h, "b.txt", "b2\n");
	host_run(&h);
	host_pass(&h, 65);
	LINES("a1|a2|b1|b2");
	ck_assert_int_eq(host_source(&h, "a.log")->state, SOURCE_MISSING);
	/* And again. */
	struct input all[2] = {only[0], h.inputs[0]};
	c = (struct discover_config){.inputs = all, .n_inputs = 2, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	host_run(&h);
	LINES("a1|a2|a3|b1|b2");
	ck_assert_uint_eq(h.n_streams, 2);
	host_stop(&h);
}
END_TEST

/* The pause between two readings of events is the configuration's. */
START_TEST(cadence)
{
	host_input(&h, "in", "*.log", "");
	host_start(&h);
	int64_t poll_ns = discover_poll_ns(h.discover);
	struct discover_config c = {.inputs = h.inputs,
				    .n_inputs = h.n_inputs,
				    .cadence_ns = DISCOVER_CADENCE_NS / 5,
				    .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	ck_assert_int_eq(poll_ns - discover_poll_ns(h.discover), DISCOVER_CADENCE_NS / 5 * 4);
	host_stop(&h);
}
END_TEST

static const char *explained(const char *path)
{
	static struct buf out;
	struct discover_config c = {.inputs = h.inputs, .n_inputs = h.n_inputs};
	buf_clear(&out);
	ck_assert_int_eq(discover_explain(&c, path, &out), 0);
	const char *text = buf_cstr(&out);
	ck_assert_msg(out.len && text[out.len - 1] == '\n', "%s", text);
	return text;
}

#define EXPLAINS(name, words)                                                                      \
	ck_assert_msg(strstr(explained(host_path(&h, name)), words) != NULL, "%s",                 \
		      explained(host_path(&h, name)))

START_TEST(explain)
{
	struct buf out = BUF_EMPTY;
	host_input(&h, "logs", "*.log d/*", "no*.log");
	host_input(&h, "more", "*.txt a.*", "");
	host_mkdir(&h, "d/.haul");
	host_write(&h, "a.log", "x\n");
	host_write(&h, "no.log", "x\n");
	host_write(&h, "c.err", "x\n");
	host_write(&h, "d/x", "x\n");
	host_shell(&h, "echo x | gzip >z.log; mkfifo p.log; ln a.log b.txt");
	EXPLAINS("a.log", "is followed by input logs as service haul-test.");
	EXPLAINS("no.log", "excludes no*.log");
	EXPLAINS("c.err", "no input names it");
	EXPLAINS("z.log", "compressed by gzip");
	EXPLAINS("p.log", "a FIFO");
	EXPLAINS("d/x", "archive");
	EXPLAINS("missing.log", "is not there; once it is, input logs follows it");
	EXPLAINS("missing", "no input names it, and it is not there");
	EXPLAINS("b.txt", "the same file is followed as");
	struct discover_config c = {.inputs = h.inputs, .n_inputs = h.n_inputs};
	ck_assert_int_eq(discover_list(&c, &out), 0);
	const char *text = buf_cstr(&out);
	ck_assert_ptr_nonnull(strstr(text, "a.log: service "));
	ck_assert_ptr_nonnull(strstr(text, "input logs, 2 bytes"));
	ck_assert_ptr_nonnull(strstr(text, "z.log: not followed: not text"));
	ck_assert_ptr_nonnull(
		strstr(text, "b.txt: not followed: it is a file that is followed already"));
	ck_assert_ptr_null(strstr(text, "c.err"));
	/* Other names of what is followed, and what only looks like it. */
	host_shell(&h, "ln a.log hard; ln -s a.log soft; ln -s nothing gone.log; echo y >a.log.1; "
		       "mkdir e.log");
	EXPLAINS("hard", "the same file is followed as");
	EXPLAINS("soft", "the same file is followed as");
	EXPLAINS("gone.log", "a link that leads nowhere");
	EXPLAINS("e.log", "a directory");
	EXPLAINS("d/../c.err", "no input names it");
	EXPLAINS("c.err", "input logs looks here, for");
	EXPLAINS("a.err.1", "not there");
	host_shell(&h, "mkdir r; echo z >r/x.log.1");
	host_input(&h, "rotated", "r/*.log", "");
	EXPLAINS("r/x.log.1", "a rotated version of");
	buf_free(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watching");
	TCase *tcase = tcase_create("watching");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, link_retargeted);
	tcase_add_test(tcase, chain_of_links);
	tcase_add_test(tcase, link_before_its_file);
	tcase_add_test(tcase, one_file_two_names);
	tcase_add_test(tcase, links_in_circles);
	tcase_add_test(tcase, links_to_directories);
	tcase_add_test(tcase, directory_renamed);
	tcase_add_test(tcase, root_of_the_glob_comes_and_goes);
	tcase_add_test(tcase, noise_on_the_way);
	tcase_add_test(tcase, link_on_the_way);
	tcase_add_test(tcase, archive_made_on_the_way);
	tcase_add_test(tcase, short_lived_directories);
	tcase_add_test(tcase, an_archive_is_left_alone);
	tcase_add_test(tcase, own_messages_are_not_followed);
	tcase_add_test(tcase, few_descriptors);
	tcase_add_test(tcase, few_watches);
	tcase_add_test(tcase, no_inotify);
	tcase_add_test(tcase, queue_overflows);
	tcase_add_test(tcase, not_allowed_then_allowed);
	tcase_add_test(tcase, only_regular_files);
	tcase_add_test(tcase, files_that_are_not_text);
	tcase_add_test(tcase, from_the_end_at_the_very_first_start);
	tcase_add_test(tcase, from_the_end_while_the_collector_is_away);
	tcase_add_test(tcase, old_files_at_the_very_first_start);
	tcase_add_test(tcase, old_files_that_are_not_skipped);
	tcase_add_test(tcase, old_until_the_collector_came);
	tcase_add_test(tcase, reload);
	tcase_add_test(tcase, cadence);
	tcase_add_test(tcase, explain);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
