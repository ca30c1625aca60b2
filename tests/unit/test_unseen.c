/* Files that come and go between two looks: what can be read of them arrives, and the others are
 * counted and recorded. */
#include "tests/lib/one_host.h"

#include "common/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void prepare(void)
{
	host_input(&h, "logs", "*.log d/*.log z*", ""); /* of z* the copies as well */
	host_start(&h);
	host_run(&h);
}

static uint64_t counted(void)
{
	struct discover_counters c;
	discover_counters(h.discover, &c);
	return c.unseen_files;
}

/* So many files are recorded as lost, and nothing else is. */
static void expect_lost(uint64_t files)
{
	host_run(&h);
	ck_assert_uint_eq(counted(), files);
	ck_assert_uint_eq(host_lost(&h), files);
	for (size_t i = 0; i < h.n_streams; i++)
		if (h.streams[i].lost)
			ck_assert_str_eq(h.streams[i].cause, "unseen");
}

/* As a container engine does it: the oldest of `keep` files is deleted, the others go on by one. */
static void rotate(unsigned keep)
{
	char command[400];
	int n = snprintf(command, sizeof(command), "rm -f a.log.%u; ", keep - 1);
	for (unsigned i = keep - 1; i > 0; i--)
		n += snprintf(command + n, sizeof(command) - (size_t)n,
			      i > 1 ? "[ ! -e a.log.%u ] || mv a.log.%u a.log.%u; "
				    : "mv a.log a.log.1",
			      i - 1, i - 1, i);
	host_shell(&h, command);
}

START_TEST(written_and_deleted)
{
	host_append(&h, "a.log", "gone\n");
	host_unlink(&h, "a.log");
	expect_lost(1);
	ck_assert_uint_eq(h.n_streams, 1);
	ck_assert(h.streams[0].ended);
	host_append(&h, "a.log", "here\n");
	host_run(&h);
	ck_assert_str_eq(host_lines(&h), "here");
	host_pass(&h, 70);
	expect_lost(1);
	ck_assert_uint_eq(source_count(h.table), 1);
}
END_TEST

START_TEST(nothing_was_in_it)
{
	host_append(&h, "a.log", "");
	host_unlink(&h, "a.log");
	host_shell(&h, "touch b.log; mv b.log b.log.1; rm b.log.1");
	host_shell(&h, "touch c.log; rm c.log; touch c.log; rm c.log");
	expect_lost(0);
	ck_assert_uint_eq(h.n_streams, 0);
}
END_TEST

START_TEST(no_input_wants_it)
{
	host_shell(&h,
		   "for i in 1 2 3; do echo x >t$i; rm t$i; echo x >a.log.$i; rm a.log.$i; done");
	host_shell(&h,
		   "mkfifo f.log; rm f.log; mkdir x.log; rmdir x.log; ln -s no l.log; rm l.log");
	expect_lost(0);
}
END_TEST

/* A known file, then eight of which only the last two are left. */
START_TEST(rotated_too_often)
{
	host_append(&h, "a.log", "file 0\n");
	host_run(&h);
	for (unsigned i = 1; i <= 8; i++) {
		char text[16];
		rotate(2);
		(void)snprintf(text, sizeof(text), "file %u\n", i);
		host_append(&h, "a.log", text);
	}
	expect_lost(6);
	ck_assert_str_eq(host_lines(&h), "file 0|file 7|file 8");
	host_pass(&h, 70);
	expect_lost(6);
	ck_assert_str_eq(host_lines(&h), "file 0|file 7|file 8");
}
END_TEST

START_TEST(replaced_by_rename)
{
	host_append(&h, "a.log", "file 0\n");
	host_run(&h);
	host_shell(&h, "echo file 1 >tmp; mv tmp a.log; echo file 2 >tmp; mv tmp a.log");
	expect_lost(1);
	ck_assert_str_eq(host_lines(&h), "file 0|file 2");
}
END_TEST

START_TEST(moved_out_of_sight)
{
	host_shell(&h, "mkdir away; echo x >a.log; mv a.log away/b");
	expect_lost(1);
	host_shell(&h, "mkdir d");
	host_run(&h);
	host_shell(&h, "echo found >a.log; mv a.log d/a.log");
	expect_lost(1);
	ck_assert_str_eq(host_lines(&h), "found");
	host_shell(&h, "echo x >d/b.log; rm -r d");
	expect_lost(2);
}
END_TEST

START_TEST(further_names)
{
	host_append(&h, "a.log", "once\n");
	host_run(&h);
	host_shell(&h, "ln a.log b.log; echo twice >>b.log; ln -s a.log c.log; ln -s $PWD d");
	host_run(&h);
	host_shell(&h,
		   "rm b.log c.log d; mv a.log e.log; mv e.log a.log; ln a.log b.log; rm a.log");
	expect_lost(0);
	ck_assert_str_eq(host_lines(&h), "once|twice");
}
END_TEST

START_TEST(compressed_in_time)
{
	host_append(&h, "a.log", "file 0\n");
	host_run(&h);
	host_shell(&h,
		   "mv a.log a.log.1; echo file 1 >a.log; gzip a.log.1; mv a.log.1.gz a.log.2.gz;"
		   "mv a.log a.log.1; echo file 2 >a.log; gzip a.log.1");
	host_run(&h);
	host_pass(&h, 70);
	ck_assert_str_eq(host_lines(&h), "file 0|file 1|file 2");
	expect_lost(0);
}
END_TEST

/* The copy came and was compressed before anybody saw it: the compressed file has what was not
 * read. */
START_TEST(copied_and_compressed)
{
	host_append(&h, "z.log", "file 0\n");
	host_run(&h);
	host_shell(&h, "echo file 1 >>z.log; cp z.log z.log.1; : >z.log; echo file 2 >>z.log; gzip "
		       "z.log.1");
	host_run(&h);
	host_pass(&h, 70);
	ck_assert_str_eq(host_lines(&h), "file 0|file 1|file 2");
	expect_lost(0);
}
END_TEST

/* What a compressed file has of one that nobody saw is found with it; another one that went is lost
 * all the same. */
START_TEST(compressed_beside_one_that_went)
{
	host_append(&h, "z.log", "file 0\n");
	host_run(&h);
	host_shell(&h, "mv z.log z.log.1; rm z.log.1; echo lost >z.log; rm z.log;"
		       "echo file 2 >z.log; mv z.log z.log.1; gzip z.log.1");
	host_run(&h);
	host_pass(&h, 70);
	ck_assert_str_eq(host_lines(&h), "file 0|file 2");
	expect_lost(1);
}
END_TEST

START_TEST(compressed_and_gone)
{
	host_append(&h, "z.log", "file 0\n");
	host_run(&h);
	host_shell(&h, "mv z.log z.log.1; echo file 1 >z.log; cp z.log z.log.2; gzip z.log.2; rm "
		       "z.log.2.gz");
	expect_lost(1);
	ck_assert_str_eq(host_lines(&h), "file 0|file 1");
}
END_TEST

START_TEST(told_before_the_streams_are_known)
{
	host_stop(&h);
	host_start_unlisted(&h);
	host_append(&h, "a.log", "gone\n");
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_eq(host_lost(&h), 0);
	host_list(&h);
	host_run(&h);
	ck_assert_uint_eq(host_lost(&h), 1);
}
END_TEST

START_TEST(known_after_kill)
{
	h.down = true;
	host_append(&h, "a.log", "gone\n");
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_eq(counted(), 1);
	host_pass(&h, 2); /* the registry has it */
	host_kill(&h);
	h.down = false;
	host_start(&h);
	host_pass(&h, 70);
	ck_assert_uint_eq(host_lost(&h), 1);
}
END_TEST

/* Whoever renames files may soon delete them. */
START_TEST(in_a_hurry)
{
	host_append(&h, "a.log", "one\n");
	host_run(&h);
	host_pass(&h, 2);
	host_append(&h, "a.log", "two\n");
	host_turn(&h);
	int64_t now_ns = clock_mono_ns();
	ck_assert_int_gt(discover_poll_ns(h.discover), now_ns + DISCOVER_HURRY_NS);
	rotate(2);
	host_turn(&h);
	ck_assert_int_le(discover_poll_ns(h.discover), clock_mono_ns() + DISCOVER_HURRY_NS);
	host_pass(&h, 2);
	host_append(&h, "a.log.1", "three\n");
	host_turn(&h);
	ck_assert_int_gt(discover_poll_ns(h.discover), clock_mono_ns() + DISCOVER_HURRY_NS);
}
END_TEST

/* Random lives: each file has one line, and is either there or counted. */
START_TEST(random_lives)
{
	unsigned files = 0, keep = 2 + (unsigned)_i % 3;
	srandom((unsigned)_i + 1);
	for (unsigned step = 0; step < 60; step++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "file %u\n", files++);
		host_append(&h, "a.log", text);
		if (random() % 4 == 0)
			host_turn(&h);
		if (random() % 8 == 0)
			host_unlink(&h, "a.log");
		else if (random() % 8 == 0)
			host_shell(&h, "mv a.log tmp; mv tmp a.log; rm a.log");
		else
			rotate(keep);
		if (random() % 4 == 0)
			host_turn(&h);
		if (random() % 16 == 0)
			host_run(&h);
	}
	host_run(&h);
	host_pass(&h, 70);
	unsigned lines = *host_lines(&h) ? 1 : 0;
	for (const char *at = host_lines(&h); *at; at++)
		lines += *at == '|';
	ck_assert_uint_eq(lines + counted(), files);
	expect_lost(counted());
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, written_and_deleted);
	tcase_add_test(tcase, nothing_was_in_it);
	tcase_add_test(tcase, no_input_wants_it);
	tcase_add_test(tcase, rotated_too_often);
	tcase_add_test(tcase, replaced_by_rename);
	tcase_add_test(tcase, moved_out_of_sight);
	tcase_add_test(tcase, further_names);
	tcase_add_test(tcase, compressed_in_time);
	tcase_add_test(tcase, copied_and_compressed);
	tcase_add_test(tcase, compressed_beside_one_that_went);
	tcase_add_test(tcase, compressed_and_gone);
	tcase_add_test(tcase, told_before_the_streams_are_known);
	tcase_add_test(tcase, known_after_kill);
	tcase_add_test(tcase, in_a_hurry);
	tcase_add_loop_test(tcase, random_lives, 0, 8);
}

int main(void)
{
	return one_host_run("unseen", prepare, add_tests);
}
