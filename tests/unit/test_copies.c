/* Copies and truncations of a file: each line once. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <stdio.h>

static void with(const char *globs)
{
	host_input(&h, "logs", globs, "");
}

static const char *const globs[] = {"*.log", "*"}; /* the second names the copies, too */

START_TEST(copytruncate_then_grown_beyond)
{
	with(globs[_i]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_numbers(&h, "f.log", "n", 11, 10);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 21, 100);
	host_run(&h);
	host_pass(&h, 3);
	host_expect_numbers(&h, "n", 120);
	ck_assert_uint_eq(host_lost(&h), 0);
	ck_assert_uint_eq(h.n_streams, 2);
}
END_TEST

START_TEST(copytruncate_copy_seen_first)
{
	with(globs[_i]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_run(&h);
	host_pass(&h, 5);
	host_expect_numbers(&h, "n", 10);
	host_truncate(&h, "f.log", 0);
	host_run(&h);
	host_numbers(&h, "f.log", "n", 11, 3);
	host_run(&h);
	host_pass(&h, 65);
	host_expect_numbers(&h, "n", 13);
	host_numbers(&h, "f.log", "n", 14, 30);
	host_copy(&h, "f.log", "f.log.2");
	host_truncate(&h, "f.log", 0);
	host_run(&h);
	host_pass(&h, 65);
	host_expect_numbers(&h, "n", 43);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* cp has stopped at 900 lines, the writer went on to 1,000, all of which were read, then the
 * truncation came. */
START_TEST(copy_shorter_than_what_was_read)
{
	with(globs[_i]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 900);
	host_run(&h);
	h.arena_max = 0;
	host_copy(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 901, 100);
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 1001, 5);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 1005);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

START_TEST(copytruncate_while_down)
{
	with(globs[_i]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 100);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 101, 50);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 151, 500);
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 650);
	ck_assert_uint_eq(host_lost(&h), 0);
	ck_assert_uint_eq(h.n_streams, 2);
}
END_TEST

START_TEST(copytruncate_twice_while_down)
{
	with(globs[_i]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 100);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 101, 50);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 151, 50);
	host_rename(&h, "f.log.1", "f.log.2");
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 201, 500);
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 700);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* The collector knows two streams of its inode. The file is one of them, and is cut while the other
 * is still looked for. */
START_TEST(copytruncated_after_the_registry_was_lost)
{
	with(globs[_i]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 100);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 101, 50);
	host_run(&h);
	host_kill(&h);
	host_unlink(&h, "f.log.1");
	host_shell(&h, "rm -rf ../$(basename $PWD).state");
	host_start(&h);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_numbers(&h, "f.log", "n", 151, 5);
	host_run(&h);
	host_expect_numbers(&h, "n", 155);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* The registry is lost, and the file is cut after it was seen, before the collector's streams have
 * come: what was seen is the stream that the collector has. */
START_TEST(copytruncated_before_the_streams_came)
{
	bool unread = _i & 2, compressed = _i & 4, noticed = _i & 8;
	unsigned n = _i & 16 ? 2000 : 50, more = unread ? 20 : 0;
	with(globs[_i & 1]);
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, n);
	host_run(&h);
	host_kill(&h);
	host_shell(&h, "rm -rf ../$(basename $PWD).state");
	if (unread)
		host_numbers(&h, "f.log", "n", n + 1, more);
	host_start_unlisted(&h);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_turn(&h);
	if (compressed)
		host_shell(&h, "gzip f.log.1");
	if (noticed)
		host_run(&h);
	host_numbers(&h, "f.log", "n", n + more + 1, 5);
	host_list(&h);
	host_run(&h);
	host_pass(&h, 30);
	host_expect_numbers(&h, "n", n + more + 5);
	ck_assert_uint_eq(host_lost(&h), 0);
	host_pass(&h, 100);
	ck_assert_uint_eq(source_count(h.table), compressed ? 1 : 2);
}
END_TEST

/* An old registry has a file that nothing had been shipped of; since then it has been, as another
 * stream, and is a copy. */
START_TEST(shipped_as_another_since_the_registry)
{
	bool compressed = _i & 2, ended = _i & 4, unread = _i & 8;
	unsigned n = _i & 16 ? 2000 : 50;
	with(globs[_i & 1]);
	host_start(&h);
	h.down = true;
	host_numbers(&h, "f.log", "n", 1, n);
	host_run(&h);
	host_kill(&h);
	host_shell(&h, "cp -a ../$(basename $PWD).state ../$(basename $PWD).old; "
		       "rm ../$(basename $PWD).state/registry");
	h.down = false;
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", n);
	if (unread)
		h.down = true;
	host_numbers(&h, "f.log", "n", n + 1, 20);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_truncate(&h, "f.log", 0);
	host_run(&h);
	if (compressed)
		host_shell(&h, "gzip f.log.1");
	host_numbers(&h, "f.log", "n", n + 21, 20);
	host_run(&h);
	if (ended)
		host_pass(&h, 200);
	host_kill(&h);
	host_shell(&h, "rm -r ../$(basename $PWD).state; "
		       "mv ../$(basename $PWD).old ../$(basename $PWD).state");
	h.down = false;
	host_start(&h);
	host_run(&h);
	host_pass(&h, 100);
	host_expect_numbers(&h, "n", n + 40);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

/* All that was read of it is a line that every file of the log begins with. */
START_TEST(rotated_twice_with_the_same_first_line)
{
	with("*.log");
	host_start(&h);
	host_append(&h, "f.log", "banner\n");
	host_run(&h);
	host_kill(&h);
	host_numbers(&h, "f.log", "n", 1, _i ? 2000 : 50);
	host_shell(&h, "gzip f.log && mv f.log.gz f.log.2.gz");
	host_append(&h, "f.log", "banner\n");
	host_numbers(&h, "f.log", "m", 1, _i ? 50 : 2000);
	host_shell(&h, "gzip f.log && mv f.log.gz f.log.1.gz");
	host_append(&h, "f.log", "banner\n");
	host_numbers(&h, "f.log", "k", 1, 10);
	host_start(&h);
	host_run(&h);
	host_pass(&h, 30);
	host_expect_numbers(&h, "n", _i ? 2000 : 50);
	host_expect_numbers(&h, "m", _i ? 50 : 2000);
	host_expect_numbers(&h, "k", 10);
}
END_TEST

START_TEST(truncated_with_unread_bytes_and_no_copy)
{
	with("*.log");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	h.arena_max = 0;
	host_append(&h, "f.log", "0123456789\n");
	/* One turn in which it is not read must be enough to know what stood there. */
	if (_i)
		host_turn(&h);
	else
		host_run(&h);
	host_truncate(&h, "f.log", 0);
	host_run(&h);
	h.arena_max = UINT64_MAX;
	host_append(&h, "f.log", "anew\n");
	host_run(&h);
	host_expect_numbers(&h, "n", 10);
	ck_assert_uint_eq(host_lost(&h), 11);
	ck_assert_str_eq(h.streams[0].cause, "truncated");
	ck_assert_ptr_nonnull(strstr(host_lines(&h), "anew"));
	ck_assert_ptr_null(strstr(host_lines(&h), "0123456789"));
}
END_TEST

START_TEST(twins_both_ship)
{
	with("*");
	host_start(&h);
	host_write(&h, "a", "same\nsame 2\n");
	host_write(&h, "b", "same\nsame 2\n");
	host_run(&h);
	LINES("same|same|same 2|same 2");
}
END_TEST

START_TEST(same_first_4_kib)
{
	with("*.log");
	host_start(&h);
	host_shell(&h,
		   "seq -f 'head %g' 1000 >a.log; cp a.log b.log; echo a >>a.log; echo b >>b.log");
	host_run(&h);
	ck_assert_uint_eq(h.n_streams, 2);
	ck_assert_uint_eq(host_stream(&h, "a.log")->offset, host_stream(&h, "b.log")->offset);
	/* Replaced by one that shares the first bytes, longer than what was read. */
	host_shell(
		&h,
		"seq -f 'head %g' 1000 >c.log; echo c >>c.log; seq 2000 >>c.log; mv c.log a.log");
	host_run(&h);
	ck_assert_uint_eq(h.n_streams, 3);
}
END_TEST

START_TEST(a_twin_with_a_rotated_name_ships_in_the_end)
{
	with("*");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_run(&h);
	ck_assert_uint_eq(h.n_streams, 1);
	host_pass(&h, 660);
	ck_assert_uint_eq(h.n_streams, 2);
}
END_TEST

START_TEST(rotated_names_that_are_no_copies_ship_at_once)
{
	with("*");
	host_write(&h, "f.log", "today\n");
	host_write(&h, "f.log.1", "yesterday\n");
	host_start(&h);
	host_run(&h);
	LINES("today|yesterday");
	host_write(&h, "f.log.2", "the day before\n");
	host_run(&h);
	LINES("the day before|today|yesterday");
}
END_TEST

START_TEST(holes)
{
	with("*.log");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 300);
	host_run(&h);
	/* A writer without O_APPEND goes on where it was. */
	host_shell(&h, "size=$(stat -c %s f.log); truncate -s0 f.log; "
		       "echo 'n 301' | dd of=f.log bs=1 seek=$size conv=notrunc 2>/dev/null");
	host_run(&h);
	host_expect_numbers(&h, "n", 301);
	ck_assert_uint_eq(h.n_streams, 2);
	ck_assert_uint_eq(h.streams[1].holes, 1692);
	host_shell(&h, "truncate -s0 f.log; truncate -s1G f.log; echo 'n 302' >>f.log");
	host_run(&h);
	host_numbers(&h, "f.log", "n", 303, 8);
	host_run(&h);
	host_expect_numbers(&h, "n", 310);
	ck_assert_uint_eq(h.streams[2].holes, 1024 * 1024 * 1024);
}
END_TEST

START_TEST(room_for_what_comes_is_no_hole)
{
	with("*.log");
	host_start(&h);
	host_shell(
		&h,
		"truncate -s100000 f.log; printf 'one\\n' | dd of=f.log conv=notrunc 2>/dev/null");
	host_run(&h);
	LINES("one");
	host_shell(&h, "printf 'one\\ntwo\\n' | dd of=f.log conv=notrunc 2>/dev/null");
	host_run(&h);
	LINES("one|two");
	ck_assert_uint_eq(h.n_streams, 1);
}
END_TEST

START_TEST(olddir)
{
	struct input *in = host_input(&h, "logs", "*.log", "");
	in->rotated_dir = "old";
	host_mkdir(&h, "old");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_rename(&h, "f.log", "old/f.log.1");
	host_numbers(&h, "f.log", "n", 11, 10);
	host_run(&h);
	host_numbers(&h, "old/f.log.1", "late", 1, 5);
	host_run(&h);
	host_expect_numbers(&h, "late", 5);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 21, 10);
	host_shell(&h, "mv old/f.log.1 old/f.log.2; mv f.log old/f.log.1");
	host_numbers(&h, "f.log", "n", 31, 10);
	host_shell(&h, "gzip old/f.log.1");
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 40);
	host_expect_numbers(&h, "late", 5);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, copytruncate_then_grown_beyond, 0, 2);
	tcase_add_loop_test(tcase, copytruncate_copy_seen_first, 0, 2);
	tcase_add_loop_test(tcase, copy_shorter_than_what_was_read, 0, 2);
	tcase_add_loop_test(tcase, copytruncate_while_down, 0, 2);
	tcase_add_loop_test(tcase, copytruncate_twice_while_down, 0, 2);
	tcase_add_loop_test(tcase, copytruncated_after_the_registry_was_lost, 0, 2);
	tcase_add_loop_test(tcase, copytruncated_before_the_streams_came, 0, 32);
	tcase_add_loop_test(tcase, shipped_as_another_since_the_registry, 0, 32);
	tcase_add_loop_test(tcase, rotated_twice_with_the_same_first_line, 0, 2);
	tcase_add_loop_test(tcase, truncated_with_unread_bytes_and_no_copy, 0, 2);
	tcase_add_test(tcase, twins_both_ship);
	tcase_add_test(tcase, same_first_4_kib);
	tcase_add_test(tcase, a_twin_with_a_rotated_name_ships_in_the_end);
	tcase_add_test(tcase, rotated_names_that_are_no_copies_ship_at_once);
	tcase_add_test(tcase, holes);
	tcase_add_test(tcase, room_for_what_comes_is_no_hole);
	tcase_add_test(tcase, olddir);
}

int main(void)
{
	return one_host_run("copies", NULL, add_tests);
}
