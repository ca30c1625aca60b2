/* What is left of a rotated file after a while: compressed, deleted, or with another's inode. Each
 * line once. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *const globs[] = {"*.log", "*"}; /* the second names the copies, too */

START_TEST(gzipped_while_down)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 5000);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 5001, 5000);
	host_shell(&h, "mv f.log f.log.1; gzip f.log.1");
	host_numbers(&h, "f.log", "n", 10001, 10);
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 10010);
	ck_assert_uint_eq(host_lost(&h), 0);
	ck_assert_uint_eq(h.n_streams, 2);
	ck_assert(h.streams[0].ended);
}
END_TEST

/* f -> f.1 -> f.2.gz, with a whole generation in between that was never seen. */
START_TEST(gzipped_with_generations_between)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 500);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 501, 500);
	host_shell(&h, "mv f.log f.log.1");
	host_numbers(&h, "f.log", "n", 1001, 500);
	host_shell(&h, "mv f.log.1 f.log.2; mv f.log f.log.1; gzip f.log.2");
	host_numbers(&h, "f.log", "n", 1501, 500);
	host_shell(&h, "mv f.log.2.gz f.log.3.gz; gzip f.log.1; mv f.log.1.gz f.log.2.gz; mv f.log "
		       "f.log.1");
	host_numbers(&h, "f.log", "n", 2001, 10);
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 2010);
	ck_assert_uint_eq(host_lost(&h), 0);
	ck_assert_uint_eq(h.n_streams, 4);
}
END_TEST

/* Docker writes the .gz in place while the plain file is there, then unlinks that. */
START_TEST(gzip_written_slowly)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 5000);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 5001, 5000);
	host_shell(&h, "mv f.log f.log.1; gzip -c f.log.1 >../$(basename $PWD).gz");
	host_numbers(&h, "f.log", "n", 10001, 10);
	host_shell(&h, "rm f.log.1; head -c 5000 ../$(basename $PWD).gz >f.log.1.gz");
	host_start(&h);
	host_run(&h);
	host_pass(&h, 10);
	host_shell(&h,
		   "tail -c +5001 ../$(basename $PWD).gz >>f.log.1.gz; rm ../$(basename $PWD).gz");
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 10010);
	ck_assert_uint_eq(host_lost(&h), 0);
}
END_TEST

START_TEST(compressed_later_is_not_shipped_again)
{
	host_input(&h, "logs", globs[_i], "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 500);
	host_run(&h);
	host_rename(&h, "f.log", "f.log.1");
	host_numbers(&h, "f.log", "n", 501, 10);
	host_run(&h);
	host_shell(&h, "gzip f.log.1");
	host_run(&h);
	host_pass(&h, 70);
	host_stop(&h);
	host_start(&h);
	host_run(&h);
	host_shell(&h, "gunzip f.log.1.gz"); /* an operator looks at it */
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 510);
	ck_assert_uint_eq(h.n_streams, 2);
}
END_TEST

START_TEST(deleted_while_down)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	h.arena_max = 0;
	host_append(&h, "f.log", "0123456789\n");
	host_run(&h);
	/* It is known that there is more. */
	source_touch(h.table, host_source(&h, "f.log"));
	host_pass(&h, 3);
	h.arena_max = UINT64_MAX;
	host_stop(&h);
	host_unlink(&h, "f.log");
	host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	ck_assert_uint_eq(host_lost(&h), 11);
	ck_assert_str_eq(h.streams[0].cause, "deleted");
	ck_assert(h.streams[0].ended);
	ck_assert_uint_eq(source_count(h.table), 0);
}
END_TEST

/* Made anew until the inode is the old one's; the new file is longer than what was read. */
static void reuse_inode(const char *where, bool down)
{
	struct stat st;
	host_free(&h);
	host_init(&h, where);
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	ck_assert_int_eq(stat(host_path(&h, "f.log"), &st), 0);
	ino_t ino = st.st_ino;
	h.max_open_files = 1;
	if (down)
		host_stop(&h);
	else
		host_pass(&h, 1);
	host_unlink(&h, "f.log");
	for (int i = 0; i < 50; i++) {
		host_write(&h, "f.log", "");
		ck_assert_int_eq(stat(host_path(&h, "f.log"), &st), 0);
		if (st.st_ino == ino || i == 49)
			break;
		host_rename(&h, "f.log", "other");
		host_unlink(&h, "other");
	}
	host_numbers(&h, "f.log", "n", 11, 1000);
	if (down)
		host_start(&h);
	host_run(&h);
	host_pass(&h, 70);
	host_expect_numbers(&h, "n", 1010);
	ck_assert_uint_eq(host_lost(&h), 0);
}

START_TEST(inode_used_again)
{
	reuse_inode(_i & 1 ? "/dev/shm" : "/tmp", _i & 2);
}
END_TEST

START_TEST(remounted)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 10);
	host_run(&h);
	host_stop(&h);
	/* Another device number in the registry stands for a remount. */
	host_start_unlisted(&h);
	for (struct source *s = source_first(h.table); s; s = source_after(h.table, s))
		source_set_file(h.table, s, s->ino, s->btime_ns, s->dev + 1);
	host_list(&h);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "f.log", "n", 11, 10);
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, "n", 20);
	ck_assert_uint_eq(h.n_streams, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, gzipped_while_down, 0, 2);
	tcase_add_loop_test(tcase, gzipped_with_generations_between, 0, 2);
	tcase_add_loop_test(tcase, gzip_written_slowly, 0, 2);
	tcase_add_loop_test(tcase, compressed_later_is_not_shipped_again, 0, 2);
	tcase_add_test(tcase, deleted_while_down);
	tcase_add_loop_test(tcase, inode_used_again, 0, 4);
	tcase_add_test(tcase, remounted);
}

int main(void)
{
	return one_host_run("copies_rest", NULL, add_tests);
}
