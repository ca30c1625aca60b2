/* The janitor on a real store: what is closed becomes sealed, with its bytes; what is old goes. */
#include "collector/janitor.h"
#include "tests/lib/janitor_store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(what_is_closed_is_sealed)
{
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP, SEGMENT_CLOSED};
	fresh();
	settings.form = forms[_i];
	make_closed(today - 1, 1, 20000);
	make_closed(today - 1, 2, 5);
	make_closed(today - 2, 3, 0);
	pass();
	for (uint32_t n = 1; n <= 3; n++) {
		int32_t day = n == 3 ? today - 2 : today - 1;
		ck_assert_int_eq(state(n), SEGMENT_STATE_SEALED);
		for (int f = 0; f < 3; f++)
			ck_assert(there(day, n, forms[f]) == (f == _i));
	}
	check_bytes(today - 1, 1, forms[_i], 20000);
	check_bytes(today - 1, 2, forms[_i], 5);
	check_bytes(today - 2, 3, forms[_i], 0);
	ck_assert_uint_ge(indexed_blocks(), 3);
	ck_assert_uint_eq(atomic_load(&meters.archive_segments), 3);
	uint64_t blocks = indexed_blocks();
	pass();
	ck_assert_uint_eq(indexed_blocks(), blocks);
	done();
}
END_TEST

START_TEST(a_lost_index_is_made_again)
{
	fresh();
	make_closed(today - 1, 1, 20000);
	pass();
	uint64_t blocks = indexed_blocks();
	store_close(store);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -r %s/.haul/index", dir);
	ck_assert_int_eq(system(command), 0);
	open_store();
	ck_assert_uint_eq(indexed_blocks(), 0);
	pass();
	ck_assert_uint_eq(indexed_blocks(), blocks);
	done();
}
END_TEST

/* Cut: found when it is read for the index, counted once however often that is, and nobody else's
 * matter. */
START_TEST(a_damaged_file_is_counted)
{
	fresh();
	make_closed(today - 1, 1, 20000);
	pass();
	ck_assert_uint_eq(meters.damaged_segments, 0);
	for (int i = 0; i < 2; i++) {
		store_close(store);
		char command[256];
		(void)snprintf(command, sizeof(command),
			       "f=$(find %s -name '*.log.zst') && truncate -s -1 \"$f\"", dir);
		ck_assert_int_eq(system(command), 0);
		open_store();
		pass();
		ck_assert_uint_eq(meters.damaged_segments, 1);
		ck_assert_uint_eq(meters.errors, 0);
	}
	done();
}
END_TEST

START_TEST(a_segment_without_its_plain_file_is_adopted)
{
	fresh();
	make_closed(today - 1, 1, 2000);
	pass();
	/* The ledger as it was before: as after the loss of a newer one. */
	struct buf text = BUF_EMPTY;
	make_lines(2000, &text);
	struct segment_row row = row_of(today - 1, 1, &text, 2000);
	ck_assert_int_eq(store_put_segments(store, &row, 1), 0);
	buf_free(&text);
	pass();
	ck_assert_int_eq(state(1), SEGMENT_STATE_SEALED);
	check_bytes(today - 1, 1, SEGMENT_ZSTD, 2000);
	/* And one that somebody has removed is gone. */
	make_closed(today - 1, 2, 10);
	char path[SEGMENT_PATH_MAX];
	path_of(today - 1, 2, SEGMENT_CLOSED, path);
	ck_assert_int_eq(tree_remove(store_tree(store), path), 0);
	pass();
	ck_assert_int_eq(state(2), SEGMENT_STATE_GONE);
	done();
}
END_TEST

/* A file with the sealed name that holds other lines is never written over. */
START_TEST(what_is_in_the_way_stays)
{
	char path[SEGMENT_PATH_MAX], sealed[SEGMENT_PATH_MAX];
	fresh();
	make_closed(today - 1, 1, 2000);
	pass();
	path_of(today - 1, 1, SEGMENT_ZSTD, sealed);
	make_closed(today - 1, 2, 50);
	path_of(today - 1, 2, SEGMENT_ZSTD, path);
	ck_assert_int_eq(tree_rename(store_tree(store), sealed, path, false), 0);
	struct janitor_config c = config();
	ck_assert_int_eq(janitor_pass_once(&c, store), -EIO);
	check_bytes(today - 1, 2, SEGMENT_ZSTD, 2000);
	ck_assert(!there(today - 1, 2, SEGMENT_CLOSED));
	ck_assert_uint_eq(stray_files(), 0);
	pass();
	ck_assert_int_eq(state(2), SEGMENT_STATE_SEALED);
	check_bytes(today - 1, 2, SEGMENT_ZSTD, 2000);
	done();
}
END_TEST

START_TEST(what_is_old_goes_with_its_directories)
{
	struct stat st;
	char day[CIVIL_DAY_LEN + 1] = "";
	fresh();
	make_closed(today - 40, 1, 10);
	make_closed(today - 40, 2, 10);
	make_closed(today - 20, 3, 10);
	pass();
	ck_assert_int_eq(state(1), -1);
	ck_assert_int_eq(state(2), -1);
	ck_assert_int_eq(state(3), SEGMENT_STATE_SEALED);
	civil_format_day(day, today - 40);
	ck_assert_int_eq(tree_stat(store_tree(store), day, &st), -ENOENT);
	check_bytes(today - 20, 3, SEGMENT_ZSTD, 10);
	pass();
	ck_assert_uint_eq(atomic_load(&meters.deleted_segments), 2);
	done();
}
END_TEST

/* Only on_full = expire lets a disk that is low take what retention would keep. */
START_TEST(a_low_disk_takes_nothing_unasked)
{
	fresh();
	settings.min_free = (struct conf_amount){.value = 100, .is_percent = true};
	make_closed(today - 20, 1, 10);
	make_closed(today - 10, 2, 10);
	pass();
	pass();
	ck_assert_int_eq(state(1), SEGMENT_STATE_SEALED);
	ck_assert_int_eq(state(2), SEGMENT_STATE_SEALED);
	ck_assert_uint_eq(atomic_load(&meters.deleted_segments), 0);
	settings.expire = true;
	pass();
	ck_assert_int_eq(state(1), -1);
	ck_assert_int_eq(state(2), -1);
	done();
}
END_TEST

/* A file that cannot be deleted, and a directory that is a link by now, keep nothing else. */
START_TEST(what_cannot_go_keeps_nobody)
{
	char path[SEGMENT_PATH_MAX], day[CIVIL_DAY_LEN + 1] = "";
	struct stat st;
	fresh();
	int root = store_tree(store)->root;
	make_closed(today - 42, 1, 10);
	make_closed(today - 41, 2, 10);
	make_closed(today - 40, 3, 10);
	make_closed(today - 40, 4, 10);
	path_of(today - 41, 2, SEGMENT_GZIP, path);
	ck_assert_int_eq(mkdirat(root, path, 0700), 0);
	struct janitor_config c = config();
	ck_assert_int_eq(janitor_pass_once(&c, store), -EIO);
	ck_assert_int_eq(state(1), -1);
	ck_assert_int_eq(state(2), SEGMENT_STATE_DELETED);
	ck_assert_int_eq(state(3), -1);
	ck_assert_int_eq(state(4), -1);
	ck_assert_uint_eq(atomic_load(&meters.deleted_segments), 3);
	ck_assert_int_eq(unlinkat(root, path, AT_REMOVEDIR), 0);
	pass();
	ck_assert_int_eq(state(2), -1);
	civil_format_day(day, today - 41);
	ck_assert_int_eq(tree_stat(store_tree(store), day, &st), -ENOENT);

	make_closed(today - 2, 5, 10);
	pass();
	civil_format_day(day, today - 2);
	ck_assert_int_eq(renameat(root, day, root, "away"), 0);
	ck_assert_int_eq(symlinkat("away", root, day), 0);
	make_closed(today - 3, 6, 10);
	struct policy *usual = policy;
	policy = make_policy("[retention]\nmax_age = 1d\n");
	pass();
	policy_free(policy);
	policy = usual;
	ck_assert_int_eq(state(5), -1);
	ck_assert_int_eq(state(6), -1);
	/* What the link leads to is not haul's. */
	ck_assert_int_eq(fstatat(root, "away/checkout/web-01.0005.log.zst", &st, 0), 0);
	done();
}
END_TEST

START_TEST(a_thread_of_it_starts_and_stops)
{
	fresh();
	make_closed(today - 1, 1, 20000);
	struct janitor_config c = config();
	struct janitor *j;
	ck_assert_int_eq(janitor_start(&c, store, &j), 0);
	while (atomic_load(&meters.archive_segments) < 1)
		(void)usleep(1000); /* the test's own time limit ends it */
	janitor_stop(j);
	check_bytes(today - 1, 1, SEGMENT_ZSTD, 20000);
	ck_assert_int_eq(janitor_start(&c, store, &j), 0);
	janitor_stop(j);
	done();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("janitor");
	TCase *c = tcase_create("janitor");
	tcase_set_timeout(c, 300);
	tcase_add_loop_test(c, what_is_closed_is_sealed, 0, 3);
	tcase_add_test(c, a_lost_index_is_made_again);
	tcase_add_test(c, a_damaged_file_is_counted);
	tcase_add_test(c, a_segment_without_its_plain_file_is_adopted);
	tcase_add_test(c, what_is_in_the_way_stays);
	tcase_add_test(c, what_is_old_goes_with_its_directories);
	tcase_add_test(c, a_low_disk_takes_nothing_unasked);
	tcase_add_test(c, what_cannot_go_keeps_nobody);
	tcase_add_test(c, a_thread_of_it_starts_and_stops);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
