/* Files that are found, followed, rotated and let go, on real directories. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <unistd.h>

static void prepare(void)
{
	host_input(&h, "logs", "*.log sub/**/*.log", "no*.log");
}

START_TEST(what_is_there_and_what_comes)
{
	host_write(&h, "a.log", "a1\na2\n");
	host_write(&h, "other.txt", "x\n");
	host_write(&h, "not.log", "x\n");
	host_start(&h);
	host_run(&h);
	LINES("a1|a2");
	host_append(&h, "a.log", "a3\nun");
	host_write(&h, "b.log", "b1\n");
	host_run(&h);
	LINES("a1|a2|a3|b1");
	host_append(&h, "a.log", "finished\n");
	host_run(&h);
	LINES("a1|a2|a3|b1|unfinished");
	host_mkdir(&h, "sub/x/y");
	host_write(&h, "sub/x/y/c.log", "c1\n");
	host_run(&h);
	LINES("a1|a2|a3|b1|c1|unfinished");
}
END_TEST

START_TEST(rename_rotation)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 100);
	host_run(&h);
	host_rename(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 101, 100);
	host_run(&h);
	host_pass(&h, 60);
	host_numbers(&h, "f.log.1", "late", 1, 10);
	host_run(&h);
	host_rename(&h, "f.log.1", "f.log.2");
	host_rename(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 201, 100);
	host_run(&h);
	host_expect_numbers(&h, "n", 300);
	host_expect_numbers(&h, "late", 10);
	ck_assert_uint_eq(h.n_streams, 3);
	ck_assert_int_eq(host_source(&h, "f.log.1")->state, SOURCE_ROTATED);
	ck_assert_int_eq(host_source(&h, "f.log.2")->state, SOURCE_ROTATED);
}
END_TEST

START_TEST(rotated_three_times_unseen)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_numbers(&h, "f.log", "n", 11, 10);
	for (unsigned i = 0; i < 3; i++) {
		if (i > 1)
			host_rename(&h, "f.log.2", "f.log.3");
		if (i > 0)
			host_rename(&h, "f.log.1", "f.log.2");
		host_rename(&h, "f.log", "f.log.1");
		host_numbers(&h, "f.log", "n", 21 + 10 * i, 10);
	}
	host_run(&h);
	host_expect_numbers(&h, "n", 50);
	ck_assert_uint_eq(h.n_streams, 4);
}
END_TEST

START_TEST(unlinked_while_unread)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	h.down = true;
	h.arena_max = 0;
	host_numbers(&h, "f.log", "n", 11, 1000);
	host_run(&h);
	host_unlink(&h, "f.log");
	host_run(&h);
	ck_assert_uint_eq(host_open_files(&h), 1);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_expect_numbers(&h, "n", 1010);
	host_pass(&h, 61);
	ck_assert_uint_eq(host_open_files(&h), 0);
	ck_assert(h.streams[0].ended);
	ck_assert_uint_eq(source_count(h.table), 0);
}
END_TEST

START_TEST(restart_goes_on)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_append(&h, "f.log", "ab");
	host_run(&h);
	host_stop(&h);
	host_start(&h);
	host_append(&h, "f.log", "c\n");
	host_numbers(&h, "f.log", "n", 11, 10);
	host_run(&h);
	host_kill(&h);
	host_numbers(&h, "f.log", "n", 21, 10);
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 30);
	ck_assert_uint_eq(h.n_streams, 1);
	ck_assert_ptr_nonnull(strstr(host_lines(&h), "abc|"));
}
END_TEST

START_TEST(rotated_while_down)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 11, 10);
	host_rename(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 21, 10);
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 30);
	ck_assert_uint_eq(h.n_streams, 2);
}
END_TEST

START_TEST(registry_lost)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_numbers(&h, "g.log", "m", 1, 10);
	host_run(&h);
	host_stop(&h);
	host_shell(&h, "rm -rf ../$(basename $PWD).state");
	host_numbers(&h, "f.log", "n", 11, 10);
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 20);
	host_expect_numbers(&h, "m", 10);
	ck_assert_uint_eq(h.n_streams, 2);
}
END_TEST

/* The agent is there before its collector is, and is restarted: what it had seen is no old archive,
 * whatever it is called now. */
START_TEST(rotated_before_the_collector_was_there)
{
	bool down = _i & 1, killed = _i & 2, compressed = _i & 4, after = _i & 8;
	unsigned n = _i & 16 ? 2000 : 20;
	host_write(&h, "f.log.2", "an archive\n");
	host_shell(&h, "touch -d 2020-01-01 f.log.2");
	if (!after)
		host_numbers(&h, "f.log", "n", 1, n);
	host_start_unlisted(&h);
	if (after)
		host_numbers(&h, "f.log", "n", 1, n);
	host_run(&h);
	host_pass(&h, 10);
	for (unsigned i = 0; i < 2; i++) {
		if (down)
			killed ? host_kill(&h) : host_stop(&h);
		host_rename(&h, "f.log", i ? "f.log.3" : "f.log.4");
		if (!down)
			host_run(&h);
		if (compressed)
			host_shell(&h, i ? "gzip f.log.3" : "gzip f.log.4");
		host_numbers(&h, "f.log", "n", n + 1 + i, 1);
		if (!down) {
			host_run(&h);
			killed ? host_kill(&h) : host_stop(&h);
		}
		host_start_unlisted(&h);
		host_run(&h);
	}
	host_list(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", n + 2);
	ck_assert_ptr_null(strstr(host_lines(&h), "archive"));
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* ... nor is it something else than what was there first. */
START_TEST(from_its_end_before_the_collector_was_there)
{
	h.inputs[0].from = INPUT_FROM_END;
	host_numbers(&h, "f.log", "old", 1, 20);
	host_start_unlisted(&h);
	host_run(&h);
	host_pass(&h, 10);
	host_numbers(&h, "f.log", "n", 1, 3);
	host_numbers(&h, "g.log", "n", 4, 3);
	host_run(&h);
	host_stop(&h);
	host_start_unlisted(&h);
	host_run(&h);
	host_numbers(&h, "f.log", "n", 7, 3);
	host_list(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 9);
	ck_assert_ptr_null(strstr(host_lines(&h), "old"));
}
END_TEST

START_TEST(truncated)
{
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 11, 100);
	host_run(&h);
	host_expect_numbers(&h, "n", 110);
	ck_assert_uint_eq(h.n_streams, 2);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

START_TEST(no_lf_at_the_end)
{
	host_start(&h);
	host_append(&h, "f.log", "one\nabc");
	host_run(&h);
	LINES("one");
	host_unlink(&h, "f.log");
	host_pass(&h, 61);
	LINES("abc<P>|one");
	ck_assert_uint_eq(source_count(h.table), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, what_is_there_and_what_comes);
	tcase_add_test(tcase, rename_rotation);
	tcase_add_test(tcase, rotated_three_times_unseen);
	tcase_add_test(tcase, unlinked_while_unread);
	tcase_add_test(tcase, restart_goes_on);
	tcase_add_test(tcase, rotated_while_down);
	tcase_add_test(tcase, registry_lost);
	tcase_add_loop_test(tcase, rotated_before_the_collector_was_there, 0, 32);
	tcase_add_test(tcase, from_its_end_before_the_collector_was_there);
	tcase_add_test(tcase, truncated);
	tcase_add_test(tcase, no_lf_at_the_end);
}

int main(void)
{
	return one_host_run("discover", prepare, add_tests);
}
