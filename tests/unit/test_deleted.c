/* Deleted files that are held open, and their bound. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void prepare(void)
{
	host_input(&h, "logs", "*.log", "");
}

/* So many bytes of whole lines. */
static void grow(const char *name, size_t bytes)
{
	char *text = malloc(bytes + 1);
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < bytes; i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + i % 26);
	text[bytes] = '\0';
	host_append(&h, name, text);
	free(text);
}

static uint64_t held(void)
{
	struct discover_counters c;
	discover_counters(h.discover, &c);
	return c.deleted_open_bytes;
}

static uint64_t lost(const char *name)
{
	const struct host_stream *s = host_stream(&h, name);
	return s ? s->lost : 0;
}

START_TEST(held_until_the_collector_has_it)
{
	h.max_deleted = 1024 * 1024;
	host_start(&h);
	h.down = true;
	h.arena_max = 0;
	grow("a.log", 640 * 1024);
	host_run(&h);
	ck_assert_uint_eq(held(), 0);
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_eq(held(), 640 * 1024);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_pass(&h, 61);
	ck_assert_uint_eq(held(), 0);
	ck_assert_uint_eq(lost("a.log"), 0);
	ck_assert_uint_eq(host_stream(&h, "a.log")->lines.len, 640 * 1024);
	ck_assert_uint_eq(source_count(h.table), 0);
}
END_TEST

/* One that is too large by itself goes first, and alone; then the oldest. */
START_TEST(who_is_given_up)
{
	h.max_deleted = 1024 * 1024;
	host_start(&h);
	h.down = true;
	h.arena_max = 0;
	grow("a.log", 320 * 1024);
	host_run(&h);
	grow("b.log", 2048 * 1024);
	grow("c.log", 512 * 1024);
	host_run(&h);
	host_unlink(&h, "c.log");
	host_unlink(&h, "a.log");
	host_unlink(&h, "b.log");
	host_run(&h);
	ck_assert_uint_eq(held(), 832 * 1024);
	grow("d.log", 640 * 1024);
	host_run(&h);
	host_unlink(&h, "d.log");
	host_run(&h);
	/* a and b are gone, and so is c, the next oldest: else it were 1152 KiB. */
	ck_assert_uint_eq(held(), 640 * 1024);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_pass(&h, 61);
	ck_assert_uint_eq(lost("a.log"), 320 * 1024);
	ck_assert_uint_eq(lost("b.log"), 2048 * 1024);
	ck_assert_uint_eq(lost("c.log"), 512 * 1024);
	ck_assert_uint_eq(lost("d.log"), 0);
	ck_assert_str_eq(host_stream(&h, "b.log")->cause, "limit");
	ck_assert_uint_eq(host_stream(&h, "d.log")->lines.len, 640 * 1024);
	ck_assert_uint_eq(source_count(h.table), 0);
}
END_TEST

/* What had been read goes to the collector all the same, and the loss begins behind it. */
START_TEST(what_was_read_is_kept)
{
	h.max_deleted = 64 * 1024;
	host_start(&h);
	grow("a.log", 64 * 1024);
	host_run(&h);
	h.down = true;
	h.arena_max = 32 * 1024;
	grow("a.log", 4032 * 1024);
	host_run(&h);
	ck_assert_uint_gt(host_source(&h, "a.log")->tail_at, 64 * 1024);
	uint64_t read_to = host_source(&h, "a.log")->tail_at;
	ck_assert_uint_lt(read_to, 4096 * 1024);
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_eq(held(), 0);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_pass(&h, 61);
	ck_assert_uint_eq(lost("a.log"), 4096 * 1024 - read_to);
	ck_assert_uint_eq(host_stream(&h, "a.log")->lines.len, read_to);
	ck_assert(host_stream(&h, "a.log")->ended);
}
END_TEST

/* No event tells of what is written to a file without a name. */
START_TEST(written_after_it_was_deleted)
{
	h.max_deleted = 1024 * 1024;
	host_start(&h);
	h.down = true;
	h.arena_max = 0;
	grow("a.log", 512 * 1024);
	host_run(&h);
	int fd = open(host_path(&h, "a.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_eq(held(), 512 * 1024);
	char *text = malloc(1024 * 1024);
	memset(text, 'x', 1024 * 1024);
	text[1024 * 1024 - 1] = '\n';
	ck_assert_int_eq(write(fd, text, 1024 * 1024), 1024 * 1024);
	free(text);
	host_pass(&h, 11);
	ck_assert_uint_eq(held(), 0);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	ck_assert_uint_eq(lost("a.log"), 1536 * 1024);
	close(fd);
}
END_TEST

/* Its size is not what a file with a hole takes of the disk. */
START_TEST(holes_take_nothing)
{
	h.max_deleted = 1024 * 1024;
	host_start(&h);
	h.down = true;
	h.arena_max = 0;
	grow("a.log", 64);
	host_truncate(&h, "a.log", UINT64_C(1) << 33);
	host_run(&h);
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_lt(held(), 64 * 1024);
	ck_assert_uint_gt(held(), 0);
}
END_TEST

/* What logrotate compresses it deletes: the lines are still to be had. */
START_TEST(a_compressed_version_has_it)
{
	h.max_deleted = 256 * 1024;
	host_start(&h);
	grow("a.log", 64 * 1024);
	host_run(&h);
	h.down = true;
	h.arena_max = 0;
	grow("a.log", 512 * 1024);
	host_run(&h);
	host_rename(&h, "a.log", "a.log.1");
	host_run(&h);
	host_shell(&h, "gzip a.log.1");
	host_run(&h);
	host_pass(&h, 12);
	ck_assert_uint_eq(held(), 0);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	host_pass(&h, 65);
	ck_assert_uint_eq(lost("a.log"), 0);
	ck_assert_uint_eq(host_stream(&h, "a.log")->lines.len, 576 * 1024);
}
END_TEST

/* A name elsewhere keeps the disk space whatever the agent does. */
START_TEST(other_names_count_for_nothing)
{
	h.max_deleted = 0;
	host_start(&h);
	h.down = true;
	h.arena_max = 0;
	host_mkdir(&h, "d");
	grow("a.log", 64 * 1024);
	host_shell(&h, "ln a.log d/kept");
	host_run(&h);
	host_unlink(&h, "a.log");
	host_run(&h);
	ck_assert_uint_eq(held(), 0);
	h.down = false;
	h.arena_max = UINT64_MAX;
	host_run(&h);
	ck_assert_uint_eq(lost("a.log"), 0);
	ck_assert_uint_eq(host_stream(&h, "a.log")->lines.len, 64 * 1024);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, held_until_the_collector_has_it);
	tcase_add_test(tcase, who_is_given_up);
	tcase_add_test(tcase, what_was_read_is_kept);
	tcase_add_test(tcase, written_after_it_was_deleted);
	tcase_add_test(tcase, holes_take_nothing);
	tcase_add_test(tcase, a_compressed_version_has_it);
	tcase_add_test(tcase, other_names_count_for_nothing);
}

int main(void)
{
	return one_host_run("deleted", prepare, add_tests);
}
