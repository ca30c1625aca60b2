/* The janitor on a real store, broken off anywhere: the next start finishes it; no line is lost,
 * none stands twice, nothing is left over. */
#include "collector/janitor.h"
#include "collector/store/index.h"
#include "tests/lib/janitor_store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lines that the index counts of a segment. */
static uint64_t counted_lines(int32_t day, uint32_t number, enum segment_form form)
{
	static const struct slab_query all = {.since_us = INT64_MIN, .until_us = INT64_MAX};
	static struct index_counts c;
	char path[SEGMENT_PATH_MAX];
	struct index *index;
	struct stat st;
	uint64_t lines = 0;
	int n;
	path_of(day, number, form, path);
	ck_assert_int_eq(tree_stat(store_tree(store), path, &st), 0);
	ck_assert_int_eq(index_open(store_tree(store)->root, &index), 0);
	struct index_search *s = index_search_new(index, &all);
	struct segment_name name = {.service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = number,
				    .form = form};
	ck_assert_int_eq(index_search_day(s, day), 0);
	ck_assert(index_counts_start(&c, s, &name, (uint64_t)st.st_size));
	while ((n = index_counts_next(&c)) > 0)
		for (int i = 0; i < n; i++)
			lines += c.rows[i].lines;
	index_counts_free(&c);
	index_search_free(s);
	index_free(index);
	return lines;
}

/* A child opens the store and is gone at the n-th step; 0: it came to its end. */
static int crash_child(int at)
{
	store_close(store);
	store = NULL;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct janitor_config c = config();
		open_store();
		steps_left = at;
		int r = janitor_pass_once(&c, store);
		steps_left = -1;
		store_close(store);
		_exit(r == 0 ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	open_store();
	return WEXITSTATUS(status);
}

START_TEST(sealing_is_broken_off_anywhere)
{
	const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP, SEGMENT_CLOSED};
	const enum segment_form form = forms[_i];
	int code = 9, at = 0;
	for (; code == 9; at++) {
		fresh();
		settings.form = form;
		make_closed(today - 1, 1, 20000);
		make_closed(today - 1, 2, 7);
		code = crash_child(at);
		ck_assert(code == 9 || code == 0);
		/* The plain file goes last: what the ledger does not know as sealed still has
		 * it. */
		for (uint32_t n = 1; n <= 2; n++) {
			bool sealed = state(n) == SEGMENT_STATE_SEALED;
			ck_assert(there(today - 1, n, SEGMENT_CLOSED) || sealed);
			ck_assert(!sealed || there(today - 1, n, form));
		}
		pass();
		for (uint32_t n = 1; n <= 2; n++) {
			ck_assert_int_eq(state(n), SEGMENT_STATE_SEALED);
			ck_assert(form == SEGMENT_CLOSED || !there(today - 1, n, SEGMENT_CLOSED));
			check_bytes(today - 1, n, form, n == 1 ? 20000 : 7);
			ck_assert_uint_eq(counted_lines(today - 1, n, form), n == 1 ? 20000 : 7);
		}
		ck_assert_uint_eq(stray_files(), 0);
		ck_assert_uint_ge(indexed_blocks(), 2);
		done();
	}
	ck_assert_int_gt(at, form == SEGMENT_CLOSED ? 6 : 10);
}
END_TEST

START_TEST(deleting_is_broken_off_anywhere)
{
	int code = 9, at = 0;
	for (; code == 9; at++) {
		fresh();
		make_closed(today - 1, 1, 7);
		pass();
		/* Sealed by hand, so that every step of the child is one of deleting. */
		make_closed(today - 40, 2, 7);
		make_closed(today - 40, 3, 7);
		code = crash_child(at);
		ck_assert(code == 9 || code == 0);
		/* The ledger says it first and forgets it last: no file is missed, none is
		 * unknown. */
		for (uint32_t n = 2; n <= 3; n++) {
			bool file = there(today - 40, n, SEGMENT_CLOSED) ||
				    there(today - 40, n, SEGMENT_ZSTD);
			ck_assert(file ? state(n) != -1
				       : state(n) == SEGMENT_STATE_DELETED || state(n) == -1);
		}
		pass();
		for (uint32_t n = 2; n <= 3; n++) {
			ck_assert_int_eq(state(n), -1);
			ck_assert(!there(today - 40, n, SEGMENT_CLOSED));
			ck_assert(!there(today - 40, n, SEGMENT_ZSTD));
		}
		check_bytes(today - 1, 1, SEGMENT_ZSTD, 7);
		ck_assert_uint_eq(stray_files(), 0);
		done();
	}
	ck_assert_int_gt(at, 12);
}
END_TEST

/* Its files are gone first, and are made again from all that is sealed. */
START_TEST(making_the_index_anew_is_broken_off_anywhere)
{
	int code = 9, at = 0;
	for (; code == 9; at++) {
		fresh();
		make_closed(today - 1, 1, 2000);
		make_closed(today - 2, 2, 7);
		pass();
		int fd =
			tree_open_file(store_tree(store), TREE_HAUL "/reindex", O_WRONLY | O_CREAT);
		ck_assert_int_ge(fd, 0);
		close(fd);
		code = crash_child(at);
		ck_assert(code == 9 || code == 0);
		pass();
		ck_assert_uint_eq(counted_lines(today - 1, 1, SEGMENT_ZSTD), 2000);
		ck_assert_uint_eq(counted_lines(today - 2, 2, SEGMENT_ZSTD), 7);
		struct stat st;
		ck_assert_int_eq(tree_stat(store_tree(store), TREE_HAUL "/reindex", &st), -ENOENT);
		ck_assert_uint_eq(stray_files(), 0);
		done();
	}
	ck_assert_int_gt(at, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("janitor_crash");
	TCase *c = tcase_create("janitor_crash");
	tcase_set_timeout(c, 300);
	tcase_add_loop_test(c, sealing_is_broken_off_anywhere, 0, 3);
	tcase_add_test(c, deleting_is_broken_off_anywhere);
	tcase_add_test(c, making_the_index_anew_is_broken_off_anywhere);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
