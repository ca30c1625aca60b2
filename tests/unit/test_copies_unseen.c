/* Rotations that go faster than anybody looks, and old archives: each line once. */
#include "tests/lib/one_host.h"

#include <check.h>

static const char *const globs[] = {"*.log", "*"}; /* the second names the copies, too */

START_TEST(copied_and_truncated_before_it_was_seen)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 11, 3);
	host_run(&h);
	host_pass(&h, 3);
	host_expect_numbers(&h, "n", 13);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* What comes to the new name of a file that is known need not be that file: here it is a copy of
 * the next one. */
START_TEST(renamed_and_then_copied_to_the_same_name)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_take(&h);
	host_rename(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 11, 10);
	host_rename(&h, "f.log.1", "f.log.2");
	host_copy(&h, "f.log", "f.log.1");
	host_run(&h);
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 21, 3);
	host_run(&h);
	host_pass(&h, 3);
	host_expect_numbers(&h, "n", 23);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* Two files of one size, of which the second could not be opened before it was gone: what was made
 * of the first is not its rest. */
START_TEST(not_opened_and_as_long_as_another)
{
	bool deleted = _i;
	host_input(&h, "logs", "*.log", "");
	h.max_open_files = 1;
	host_start(&h);
	h.arena_max = 0;
	host_numbers(&h, "f.log", "n", 101, 100);
	host_run(&h);
	host_rename(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 201, 100);
	host_run(&h);
	host_shell(
		&h,
		deleted ? "gzip f.log.1; mv f.log.1.gz f.log.2.gz; rm f.log"
			: "gzip f.log.1; mv f.log.1.gz f.log.2.gz; mv f.log f.log.1; gzip f.log.1");
	host_run(&h);
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_pass(&h, 130);
	host_numbers(&h, "f.log", "n", 1, 100);
	if (deleted)
		host_numbers(&h, "f.log", "n", 201, 100);
	host_run(&h);
	host_expect_numbers(&h, "n", 300);
	ck_assert_uint_eq(host_lost(&h), deleted ? 600 : 0);
}
END_TEST

START_TEST(rotated_and_compressed_before_it_was_seen)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_run(&h);
	host_numbers(&h, "f.log", "n", 1, 1000);
	host_shell(&h, "mv f.log f.log.1; gzip f.log.1");
	host_numbers(&h, "f.log", "n", 1001, 3);
	host_run(&h);
	host_pass(&h, 3);
	host_expect_numbers(&h, "n", 1003);
	/* And all of it, with nothing left under the name that is followed. */
	host_numbers(&h, "g.log", "m", 1, 10);
	host_shell(&h, "mv g.log g.log.1; gzip g.log.1");
	host_run(&h);
	host_pass(&h, 3);
	host_expect_numbers(&h, "m", 10);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

START_TEST(rotated_away_while_down_with_nothing_left)
{
	struct input *in = host_input(&h, "logs", "*.log", "");
	in->rotated_dir = _i ? "old" : "";
	host_mkdir(&h, "old");
	host_start(&h);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_shell(&h, _i ? "mv f.log old/f.log.1" : "mv f.log f.log.1; gzip f.log.1");
	host_start(&h);
	host_run(&h);
	host_pass(&h, 3);
	host_expect_numbers(&h, "n", 10);
}
END_TEST

/* An old archive that somebody copies, unpacks or compresses again does not ship. */
START_TEST(old_archives_are_left_alone)
{
	host_input(&h, "logs", "*.log", "");
	host_numbers(&h, "f.log", "n", 1, 5);
	host_shell(&h, "seq 100 >f.log.3; seq 200 >f.log.4; gzip f.log.4;"
		       "touch -d 2020-01-01 f.log.3 f.log.4.gz");
	host_start(&h);
	host_run(&h);
	host_pass(&h, 3);
	host_shell(&h, "gzip f.log.3; gunzip -k f.log.4.gz; cp -p f.log.4 f.log.bak;"
		       "touch -d 2020-01-01 f.log.3.gz f.log.4");
	host_run(&h);
	host_pass(&h, 3);
	ck_assert_uint_eq(h.n_streams, 1);
	host_stop(&h);
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	ck_assert_uint_eq(h.n_streams, 1);
	host_expect_numbers(&h, "n", 5);
}
END_TEST

/* What was not wanted at the first start is not wanted in a copy either. */
START_TEST(copies_of_what_was_skipped_are_skipped)
{
	host_input(&h, "logs", "*.log", "")->from = INPUT_FROM_END;
	host_numbers(&h, "f.log", "old", 1, 500);
	host_start(&h);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 1, 3);
	host_run(&h);
	host_pass(&h, 3);
	LINES("n 1|n 2|n 3");
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* A plain file that is deleted as soon as it is compressed is open here; both have the same
 * bytes. */
START_TEST(copied_and_compressed_while_nobody_reads)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	h.arena_max = 0;
	host_numbers(&h, "f.log", "n", 1, 100);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_run(&h);
	host_shell(&h, "gzip f.log.1");
	host_run(&h);
	host_truncate(&h, "f.log", 0);
	host_run(&h);
	host_stop(&h);
	host_start(&h);
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_pass(&h, 130);
	host_expect_numbers(&h, "n", 100);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* All files of the log begin with the same line; the one that has ended was first seen with nothing
 * else. */
START_TEST(like_one_that_ended_but_for_its_banner)
{
	static const char banner[] =
		"---------------- the program has been started ----------------\n";
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_append(&h, "f.log", banner);
	host_run(&h);
	host_numbers(&h, "f.log", "n", 1, 300);
	host_run(&h);
	host_unlink(&h, "f.log");
	host_run(&h);
	ck_assert(host_stream(&h, "f.log")->ended);
	host_append(&h, "f.log.1", banner);
	host_append(&h, "f.log.1", "short\n");
	host_append(&h, "f.log", "another\n");
	host_run(&h);
	ck_assert_ptr_nonnull(strstr(host_lines(&h), "short"));
}
END_TEST

/* Many logs begin with the same line: the copy that has the most of what was read is the rest. */
START_TEST(of_two_that_begin_alike_the_nearer_one)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_append(&h, "f.log", "banner\n");
	host_run(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 11, 10);
	host_shell(&h, "cp f.log f.log.2; echo banner >f.log; seq -f 'm %g' 40 >>f.log;"
		       "cp f.log f.log.1; : >f.log");
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 20);
	host_expect_numbers(&h, "m", 40);
	ck_assert_ptr_nonnull(strstr(host_lines(&h), "banner|banner"));
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, copied_and_truncated_before_it_was_seen, 0, 2);
	tcase_add_loop_test(tcase, rotated_and_compressed_before_it_was_seen, 0, 2);
	tcase_add_loop_test(tcase, rotated_away_while_down_with_nothing_left, 0, 2);
	tcase_add_test(tcase, renamed_and_then_copied_to_the_same_name);
	tcase_add_loop_test(tcase, not_opened_and_as_long_as_another, 0, 2);
	tcase_add_test(tcase, old_archives_are_left_alone);
	tcase_add_test(tcase, copies_of_what_was_skipped_are_skipped);
	tcase_add_loop_test(tcase, copied_and_compressed_while_nobody_reads, 0, 2);
	tcase_add_loop_test(tcase, like_one_that_ended_but_for_its_banner, 0, 2);
	tcase_add_test(tcase, of_two_that_begin_alike_the_nearer_one);
}

int main(void)
{
	return one_host_run("copies_unseen", NULL, add_tests);
}
