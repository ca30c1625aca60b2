/* Where files begin that have no stream yet, at the very first start and later. */
#include "common/clock.h"
#include "common/num.h"
#include "tests/lib/one_host.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

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

/* The collector's oldest day is 30 days ago, whenever the test runs; the file was written so many
 * hours after its beginning. */
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

/* Nor at a first start, when the collector does not say how long it keeps lines, or knows the host
 * already. */
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

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, from_the_end_at_the_very_first_start);
	tcase_add_test(tcase, from_the_end_while_the_collector_is_away);
	tcase_add_test(tcase, old_files_at_the_very_first_start);
	tcase_add_test(tcase, old_files_that_are_not_skipped);
	tcase_add_test(tcase, old_until_the_collector_came);
}

int main(void)
{
	return one_host_run("begin", NULL, add_tests);
}
