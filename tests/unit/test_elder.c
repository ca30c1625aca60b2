/* Files of one log go in order: what a rotated file has left comes before the first line of the
 * file behind it, and nobody waits for ever. Lines that go on from file to file: test_pieces.c. */
#include "agent/files/elder.h"

#include "common/clock.h"
#include "tests/lib/one_host.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>

enum { MANY = 7000 }; /* lines: more than a piece of reading */

/* Of each line. */
#define LONG                                                                                       \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnn"                                                                                 \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnn"

static void prepare(void)
{
	host_input(&h, "logs", "*.log", "");
	h.arena_max = 1; /* one piece at a turn */
}

/* All of the older file came before anything of the younger one. */
static void expect_order(const char *older, const char *younger)
{
	const struct host_stream *a = host_stream(&h, older), *b = host_stream(&h, younger);
	ck_assert(a && b);
	ck_assert_uint_gt(a->last_at, a->first_at);
	ck_assert_uint_lt(a->last_at, b->first_at);
}

START_TEST(rest_of_a_renamed_file_comes_first)
{
	host_start(&h);
	host_run(&h);
	h.arena_max = 0;
	host_numbers(&h, "a.log", LONG, 1, MANY);
	host_run(&h);
	host_rename(&h, "a.log", "a.log.1");
	host_numbers(&h, "a.log", LONG, MANY + 1, 5);
	host_run(&h);
	h.arena_max = 1;
	host_run(&h);
	host_expect_numbers(&h, LONG, MANY + 5);
	expect_order("a.log.1", "a.log");
}
END_TEST

START_TEST(rotated_while_down)
{
	host_numbers(&h, "a.log", LONG, 1, 10);
	host_start(&h);
	host_run(&h);
	host_stop(&h);
	struct stream_id id = h.streams[0].id;
	host_numbers(&h, "a.log", LONG, 11, MANY);
	host_rename(&h, "a.log", "a.log.1");
	host_numbers(&h, "a.log", LONG, MANY + 11, 5);
	host_start(&h);
	host_run(&h);
	host_expect_numbers(&h, LONG, MANY + 15);
	ck_assert(stream_id_equal(&h.streams[0].id, &id));
	ck_assert_uint_eq(h.n_streams, 2);
	ck_assert_uint_lt(h.streams[0].last_at, h.streams[1].first_at);
}
END_TEST

/* Of three that came while nobody looked, the oldest goes first. */
START_TEST(several_while_down)
{
	host_numbers(&h, "b.log", "other", 1, 1);
	host_start(&h);
	host_run(&h);
	host_stop(&h);
	host_numbers(&h, "a.log.2", LONG, 1, MANY);
	host_numbers(&h, "a.log.1", LONG, MANY + 1, MANY);
	host_numbers(&h, "a.log", LONG, 2 * MANY + 1, 5);
	host_start(&h);
	host_pass(&h, 30);
	host_expect_numbers(&h, LONG, 2 * MANY + 5);
	expect_order("a.log.2", "a.log.1");
	expect_order("a.log.1", "a.log");
}
END_TEST

/* So it does when they were compressed, which takes longer to compare. */
START_TEST(several_compressed_while_down)
{
	host_numbers(&h, "a.log", LONG, 1, MANY);
	host_start(&h);
	h.arena_max = UINT64_MAX;
	host_run(&h);
	h.arena_max = 1;
	host_stop(&h);
	host_rename(&h, "a.log", "a.log.4");
	host_numbers(&h, "a.log.3", LONG, MANY + 1, MANY);
	host_numbers(&h, "a.log.2", LONG, 2 * MANY + 1, 4 * MANY);
	host_numbers(&h, "a.log.1", LONG, 6 * MANY + 1, MANY);
	host_numbers(&h, "a.log", LONG, 7 * MANY + 1, 5);
	host_shell(&h, _i ? "gzip a.log.*" : "gzip a.log.1 a.log.2 a.log.3");
	host_start(&h);
	host_pass(&h, 30);
	host_expect_numbers(&h, LONG, 7 * MANY + 5);
	expect_order("a.log.3.gz", "a.log.2.gz");
	expect_order("a.log.2.gz", "a.log.1.gz");
	ck_assert_uint_lt(host_stream(&h, "a.log.1.gz")->last_at,
			  h.streams[h.n_streams - 1].first_at);
}
END_TEST

/* ... and when they had been seen, but not read. */
START_TEST(several_unread_compressed_while_down)
{
	char first[256];
	host_start(&h);
	host_run(&h);
	h.arena_max = 0;
	for (unsigned i = 0; i < 4; i++) {
		host_shell(&h, "[ ! -e a.log.2 ] || mv a.log.2 a.log.3");
		host_shell(&h, "[ ! -e a.log.1 ] || mv a.log.1 a.log.2");
		host_shell(&h, "[ ! -e a.log ] || mv a.log a.log.1");
		host_numbers(&h, "a.log", LONG, i * MANY + 1, MANY);
		host_run(&h);
	}
	if (_i % 2)
		host_stop(&h);
	if (_i == 1)
		host_shell(&h, "gzip a.log.3 a.log.2 a.log.1");
	else
		host_shell(&h, "gzip a.log.1 && gzip a.log.2 && gzip a.log.3");
	if (_i % 2)
		host_start(&h);
	h.arena_max = 1;
	host_pass(&h, 30);
	host_expect_numbers(&h, LONG, 4 * MANY);
	for (size_t i = 0; i + 1 < h.n_streams; i++)
		ck_assert_uint_lt(h.streams[i].last_at, h.streams[i + 1].first_at);
	for (size_t i = 0; i < h.n_streams; i++) {
		(void)snprintf(first, sizeof(first), LONG " %zu\n", i * MANY + 1);
		ck_assert(span_starts_with(buf_span(&h.streams[i].lines), span_of(first)));
	}
}
END_TEST

/* A writer who stays with the renamed file does not hold up the new one. */
START_TEST(no_more_than_there_was)
{
	host_start(&h);
	host_run(&h);
	h.arena_max = 0;
	host_numbers(&h, "a.log", LONG, 1, MANY);
	host_run(&h);
	host_rename(&h, "a.log", "a.log.1");
	host_append(&h, "a.log", "new\n");
	host_run(&h);
	ck_assert(elder_goes_first(h.table, host_source(&h, "a.log"), clock_mono_ns()));
	host_numbers(&h, "a.log.1", LONG, MANY + 1, 4 * MANY);
	h.arena_max = 1;
	host_run(&h);
	const struct host_stream *a = host_stream(&h, "a.log.1"), *b = host_stream(&h, "a.log");
	ck_assert_uint_gt(b->first_at, a->first_at);
	ck_assert_uint_lt(b->first_at, a->last_at);
	host_expect_numbers(&h, LONG, 5 * MANY);
}
END_TEST

static bool waits(int64_t now_ns)
{
	return elder_goes_first(h.table, host_source(&h, "a.log"), now_ns);
}

/* For one that cannot be read just now, patience has an end. */
START_TEST(who_does_not_get_on)
{
	host_start(&h);
	host_run(&h);
	h.arena_max = 0;
	host_append(&h, "a.log", "old\n");
	host_run(&h);
	host_rename(&h, "a.log", "a.log.1");
	host_append(&h, "a.log", "new\n");
	host_run(&h);
	struct source *older = host_source(&h, "a.log.1");
	int64_t now_ns = clock_mono_ns();
	if (_i == 0)
		older->last_error = EIO;
	else if (_i == 1)
		older->held = true;
	else
		elder_wait(h.table, older, now_ns); /* a circle, should there ever be one */
	ck_assert(waits(now_ns));
	ck_assert(waits(now_ns + ELDER_PATIENCE_NS - 1));
	ck_assert(!waits(now_ns + ELDER_PATIENCE_NS));
	elder_wait_over(older);
	older->held = false;
	older->last_error = 0;
	ck_assert(waits(now_ns + ELDER_PATIENCE_NS));
	older->refusal = "not text";
	ck_assert(!waits(now_ns + ELDER_PATIENCE_NS));
	older->refusal = NULL;
	h.arena_max = 1;
	host_pass(&h, 2);
	ck_assert_str_eq(host_lines(&h), "new|old");
}
END_TEST

/* The file behind one whose last line has no end waits for no more than that. */
START_TEST(unfinished_line)
{
	host_start(&h);
	host_append(&h, "a.log", "old\nhalf");
	host_run(&h);
	host_rename(&h, "a.log", "a.log.1");
	host_append(&h, "a.log", "new\n");
	host_run(&h);
	ck_assert_str_eq(host_lines(&h), "new|old");
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, rest_of_a_renamed_file_comes_first);
	tcase_add_test(tcase, rotated_while_down);
	tcase_add_test(tcase, several_while_down);
	tcase_add_loop_test(tcase, several_compressed_while_down, 0, 2);
	tcase_add_loop_test(tcase, several_unread_compressed_while_down, 0, 4);
	tcase_add_test(tcase, no_more_than_there_was);
	tcase_add_loop_test(tcase, who_does_not_get_on, 0, 3);
	tcase_add_test(tcase, unfinished_line);
}

int main(void)
{
	return one_host_run("elder", prepare, add_tests);
}
