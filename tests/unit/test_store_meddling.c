/* What somebody does to the archive's files, while the collector is down, runs, or dies: the store
 * says it, and loses nothing that is still anywhere. */
#include "tests/lib/damaged_store.h"

#include "collector/store/store.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* --- files, while the collector is down --- */

START_TEST(segment_cut_before_it_was_in_the_ledger)
{
	in_child(ten_records);
	/* All of it is still in the WAL. */
	shell("truncate -s -500 $D/20*/checkout/web-01.log");
	all_is_well();
}
END_TEST

START_TEST(segment_deleted_before_it_was_in_the_ledger)
{
	in_child(ten_records);
	shell("rm $D/20*/checkout/web-01.log");
	all_is_well();
}
END_TEST

START_TEST(note_with_lf_appended)
{
	in_child(ten_records);
	shell("echo 'checked by ops' >>$(ls $D/20*/checkout/web-01.log)");
	all_is_well();
	shell("grep -rqx 'checked by ops' $D/20*");
}
END_TEST

START_TEST(note_without_lf_appended)
{
	in_child(ten_records);
	shell("printf 'checked by ops' >>$(ls $D/20*/checkout/web-01.log)");
	open_again();
	resend(a);
	send(a, 1);
	close_it();
	/* The note's file was closed as it is; our lines are in the next one. */
	shell("tail -c 14 $D/20*/checkout/web-01.0001.log | grep -qx 'checked by ops'");
	shell("test -s $D/20*/checkout/web-01.log");
	shell("echo >>$(ls $D/20*/checkout/web-01.0001.log)");
	expect(a);
}
END_TEST

static void die_before_an_append(void)
{
	send(a, 10);
	wait_for_appends();
	appends_left = 0;
	wrap_hook = end_before_append;
	send(a, 10);
	wait_for_appends();
}

START_TEST(note_appended_where_lines_were_to_stand)
{
	in_child(die_before_an_append);
	shell("echo 'checked by ops' >>$(ls $D/20*/checkout/web-01.log)");
	struct buf ignored = BUF_EMPTY;
	struct make_source again = *a;
	again.offset = again.crc = again.lines = 0;
	make_chunk(&ignored, &again, HOST, 20);
	buf_free(&ignored);
	*a = again;
	all_is_well();
	shell("grep -rqx 'checked by ops' $D/20*");
}
END_TEST

START_TEST(segment_cut_that_only_the_ledger_knows)
{
	in_child(ten_records_and_a_checkpoint);
	open_again();
	close_it(); /* now nothing of it is in the WAL */
	shell("truncate -s 100 $D/20*/checkout/web-01.log");
	open_again();
	send(a, 5);
	send(b, 5);
	close_it();
	/* What was cut is gone; what came since stands in the next segment, and nothing is there
	 * twice. */
	shell("test $(stat -c %s $D/20*/checkout/web-01.0001.log) = 100");
	shell("test $(wc -l <$(ls $D/20*/checkout/web-01.log)) = 10");
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/.haul/ledger.db", dir);
	sqlite3 *db;
	sqlite3_stmt *s;
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_prepare_v2(db, "SELECT what, from_byte FROM archive_note", -1, &s, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(s, 0), "cut");
	ck_assert_int_eq(sqlite3_column_int(s, 1), 100);
	sqlite3_finalize(s);
	sqlite3_close(db);
}
END_TEST

START_TEST(tree_copied_elsewhere)
{
	in_child(ten_records_and_a_checkpoint);
	/* Other inodes everywhere. */
	shell("cp -a $D $D.copy && rm -rf $D");
	shell("mv $D.copy $D");
	all_is_well();
	shell("test ! -e $D/.haul/quarantine");
}
END_TEST

/* --- files, while the collector runs --- */

static const char *const deeds[] = {
	": >$(ls $D/20*/checkout/web-01.log)",                        /* > file */
	"truncate -s 100 $D/20*/checkout/web-01.log",                 /* cut */
	"rm $D/20*/checkout/web-01.log",                              /* find -delete */
	"rm -r $D/20*",                                               /* the whole day */
	"f=$(ls $D/20*/checkout/web-01.log); mv $f $f.1",             /* logrotate, no create */
	"f=$(ls $D/20*/checkout/web-01.log); mv $f $f.1; : >$f",      /* create */
	"f=$(ls $D/20*/checkout/web-01.log); mv $f $f.1; echo x >$f", /* somebody's own */
	"f=$(ls $D/20*/checkout/web-01.log); cp $f $f.1; : >$f",      /* copytruncate */
	"echo note >>$(ls $D/20*/checkout/web-01.log)",
	"printf note >>$(ls $D/20*/checkout/web-01.log)",
};

START_TEST(while_it_runs)
{
	open_again();
	send(a, 10);
	wait_for_appends();
	shell(deeds[_i]);
	for (int i = 0; i < 3; i++) {
		send(a, 10);
		wait_for_appends();
	}
	close_it();
	/* What came after the deed is there, whole, in one live file. */
	shell("test $(grep -c ' a [0-9]*$' $(ls $D/20*/checkout/web-01.log)) = 30");
	open_again();
	send(a, 10);
	close_it();
	shell("test $(grep -c ' a [0-9]*$' $(ls $D/20*/checkout/web-01.log)) = 40");
}
END_TEST

/* The same, and it dies right behind the move: recovery puts the lines where they belong. */
static unsigned calls_left;

static enum wrap_action end_after_calls(const struct wrap_call *c)
{
	if (c->kind == WRAP_WRITE && c->fd == STDERR_FILENO)
		return WRAP_PASS;
	return __atomic_fetch_sub(&calls_left, 1, __ATOMIC_RELAXED) == 1 ? WRAP_END_BEFORE
									 : WRAP_PASS;
}

static const char *deed;

static void do_deed_and_die(void)
{
	send(a, 10);
	wait_for_appends();
	shell(deed);
	wrap_hook = end_after_calls;
	for (int i = 0; i < 3; i++)
		send(a, 10);
	store_close(store);
}

/* The file that was taken away had the first ten lines. What of it is still in the WAL comes
 * back. */
static void expect_from_1_or_11(const struct make_source *s)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	ck_assert_uint_gt(l.n, 0);
	ck_assert(l.numbers[0] == 1 || l.numbers[0] == 11);
	for (size_t i = 0; i < l.n; i++)
		ck_assert_uint_eq(l.numbers[i], l.numbers[0] + i);
	ck_assert_uint_eq(l.numbers[l.n - 1], s->lines);
	make_lines_free(&l);
}

START_TEST(while_it_runs_and_dies)
{
	static const int kind[] = {4, 5, 6, 7, 8};
	for (unsigned n = 1; n < 40; n++) {
		deed = deeds[kind[_i]];
		calls_left = n;
		in_child(do_deed_and_die);
		shell("rm -f $D/20*/checkout/web-01.log.1");
		open_again();
		*a = at_the_collector(a);
		ck_assert_uint_gt(a->offset, 0);
		send(a, 1);
		close_it();
		expect_from_1_or_11(a);
		shell("rm -rf $D/* $D/.haul");
		make_source(a, "checkout", "a");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_meddling");
	TCase *tcase = tcase_create("damage");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, segment_cut_before_it_was_in_the_ledger);
	tcase_add_test(tcase, segment_deleted_before_it_was_in_the_ledger);
	tcase_add_test(tcase, note_with_lf_appended);
	tcase_add_test(tcase, note_without_lf_appended);
	tcase_add_test(tcase, note_appended_where_lines_were_to_stand);
	tcase_add_test(tcase, segment_cut_that_only_the_ledger_knows);
	tcase_add_test(tcase, tree_copied_elsewhere);
	tcase_add_loop_test(tcase, while_it_runs, 0, (int)(sizeof(deeds) / sizeof(deeds[0])));
	tcase_add_loop_test(tcase, while_it_runs_and_dies, 0, 5);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
