/* What can be in the way of seeing files: links and directories that come, go and move. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* --- links --- */

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

/* --- directories --- */

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

/* What others do in a directory that is only on the way does not wake the agent; that the way ends
 * or leads elsewhere does. */
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

static void add_tests(TCase *tcase)
{
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
}

int main(void)
{
	return one_host_run("watching", NULL, add_tests);
}
