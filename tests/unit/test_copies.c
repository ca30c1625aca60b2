/* Copies, truncations, compressed rests and files that got another's inode: each line once. */
#include "tests/lib/host.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
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

static void with(const char *globs)
{
	host_input(&h, "logs", globs, "");
}

#define LINES(text) ck_assert_str_eq(host_lines(&h), text)

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

/* cp has stopped at 900 lines, the writer went on to 1,000, all of which were read, then the truncation came. */
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

/* The collector knows two streams of its inode. The file is one of them, and is cut while the other is still looked for. */
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

/* The registry is lost, and the file is cut after it was seen, before the collector's streams have come: what was seen is
 * the stream that the collector has. */
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

START_TEST(gzipped_while_down)
{
	with(globs[_i]);
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
	with(globs[_i]);
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
	with(globs[_i]);
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
	with(globs[_i]);
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
	with("*.log");
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
	with("*.log");
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
	with("*.log");
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

/* --- faster than anybody looks ---------------------------------------------------------------------- */

START_TEST(copied_and_truncated_before_it_was_seen)
{
	with(globs[_i]);
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

START_TEST(rotated_and_compressed_before_it_was_seen)
{
	with(globs[_i]);
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
	with("*.log");
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

/* A plain file that is deleted as soon as it is compressed is open here; both have the same bytes. */
START_TEST(copied_and_compressed_while_nobody_reads)
{
	with(globs[_i]);
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

/* All files of the log begin with the same line; the one that has ended was first seen with nothing else. */
START_TEST(like_one_that_ended_but_for_its_banner)
{
	static const char banner[] =
		"---------------- the program has been started ----------------\n";
	with(globs[_i]);
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
	with("*.log");
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

int main(void)
{
	Suite *suite = suite_create("copies");
	TCase *tcase = tcase_create("copies");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, copytruncate_then_grown_beyond, 0, 2);
	tcase_add_loop_test(tcase, copytruncate_copy_seen_first, 0, 2);
	tcase_add_loop_test(tcase, copy_shorter_than_what_was_read, 0, 2);
	tcase_add_loop_test(tcase, copytruncate_while_down, 0, 2);
	tcase_add_loop_test(tcase, copytruncate_twice_while_down, 0, 2);
	tcase_add_loop_test(tcase, copytruncated_after_the_registry_was_lost, 0, 2);
	tcase_add_loop_test(tcase, copytruncated_before_the_streams_came, 0, 32);
	tcase_add_loop_test(tcase, rotated_twice_with_the_same_first_line, 0, 2);
	tcase_add_loop_test(tcase, truncated_with_unread_bytes_and_no_copy, 0, 2);
	tcase_add_test(tcase, twins_both_ship);
	tcase_add_test(tcase, same_first_4_kib);
	tcase_add_test(tcase, a_twin_with_a_rotated_name_ships_in_the_end);
	tcase_add_test(tcase, rotated_names_that_are_no_copies_ship_at_once);
	tcase_add_loop_test(tcase, gzipped_while_down, 0, 2);
	tcase_add_loop_test(tcase, gzipped_with_generations_between, 0, 2);
	tcase_add_loop_test(tcase, gzip_written_slowly, 0, 2);
	tcase_add_loop_test(tcase, compressed_later_is_not_shipped_again, 0, 2);
	tcase_add_test(tcase, deleted_while_down);
	tcase_add_loop_test(tcase, inode_used_again, 0, 4);
	tcase_add_test(tcase, remounted);
	tcase_add_test(tcase, holes);
	tcase_add_test(tcase, room_for_what_comes_is_no_hole);
	tcase_add_test(tcase, olddir);
	tcase_add_loop_test(tcase, copied_and_truncated_before_it_was_seen, 0, 2);
	tcase_add_loop_test(tcase, rotated_and_compressed_before_it_was_seen, 0, 2);
	tcase_add_loop_test(tcase, rotated_away_while_down_with_nothing_left, 0, 2);
	tcase_add_test(tcase, old_archives_are_left_alone);
	tcase_add_test(tcase, copies_of_what_was_skipped_are_skipped);
	tcase_add_loop_test(tcase, copied_and_compressed_while_nobody_reads, 0, 2);
	tcase_add_loop_test(tcase, like_one_that_ended_but_for_its_banner, 0, 2);
	tcase_add_test(tcase, of_two_that_begin_alike_the_nearer_one);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
