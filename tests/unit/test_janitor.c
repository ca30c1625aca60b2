/* The janitor on a real store: what is closed becomes sealed, with its bytes; what is old goes; and
 * wherever it is broken off, the next start finishes it: no line is lost, none stands twice, nothing is
 * left over. */
#include "collector/janitor.h"
#include "collector/options.h"
#include "collector/store/index.h"
#include "collector/store/sealed.h"
#include "collector/store/segment.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/haul-test-janitor-XXXXXX";
static struct store *store;
static struct archive_meters meters;
static struct janitor_settings settings;
static struct policy *policy;
static int steps_left = -1;
static int32_t today;

static void open_store(void)
{
	struct store_config config = {.data_dir = dir, .segment_bytes = 1 << 20};
	struct conf_error err = {""};
	int r = store_open(&config, &store, &err);
	ck_assert_msg(r == 0, "%s", err.text);
}

static struct policy *make_policy(const char *text)
{
	struct conf *conf;
	struct conf_error err;
	ck_assert_int_eq(conf_read_text(options_sections, options_n_sections, "test", span_of(text),
					&conf, &err),
			 0);
	struct policy *p = policy_new(conf);
	ck_assert_ptr_nonnull(p);
	conf_free(conf);
	return p;
}

static void fresh(void)
{
	policy = make_policy("[retention]\nmax_age = 30d\n");
	temp_dir_make(dir);
	today = civil_day_of_us(clock_real_ns() / NUM_US_NS);
	settings = (struct janitor_settings){.form = SEGMENT_ZSTD};
	open_store();
}

static void done(void)
{
	policy_free(policy);
	store_close(store);
	store = NULL;
	temp_dir_remove(dir);
}

static void get_settings(void *user, struct janitor_settings *ret)
{
	(void)user;
	*ret = settings;
}

static const struct policy *get_policy(void *user)
{
	(void)user;
	return policy;
}

static void put_policy(void *user)
{
	(void)user;
}

static void break_off(void *user, const char *what)
{
	(void)user;
	(void)what;
	if (steps_left >= 0 && steps_left-- == 0)
		_exit(9);
}

static struct janitor_config config(void)
{
	return (struct janitor_config){.settings = get_settings,
				       .policy_get = get_policy,
				       .policy_put = put_policy,
				       .step = break_off,
				       .meters = &meters};
}

static void pass(void)
{
	struct janitor_config c = config();
	ck_assert_int_eq(janitor_pass_once(&c, store), 0);
}

static void make_lines(unsigned n, struct buf *out)
{
	char time[CIVIL_TIME_LEN];
	for (unsigned i = 0; i < n; i++) {
		civil_format_us(time, (int64_t)today * NUM_DAY_US + i);
		ck_assert_int_eq(buf_printf(out, "%.*s web-01 checkout F id%ux of many lines\n",
					    CIVIL_TIME_LEN, time, i),
				 0);
	}
}

static struct segment_row row_of(int32_t day, uint32_t number, const struct buf *text,
				 unsigned lines)
{
	return (struct segment_row){.day = day,
				    .service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = number,
				    .state = SEGMENT_STATE_CLOSED,
				    .length = text->len,
				    .lines = lines,
				    .crc = crc64_add(CRC64_EMPTY, text->ptr, text->len),
				    .crc_known = true};
}

static void path_of(int32_t day, uint32_t number, enum segment_form form,
		    char ret[SEGMENT_PATH_MAX])
{
	struct segment_name name = {.day = day,
				    .service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = number,
				    .form = form};
	(void)segment_name_path(ret, &name);
}

/* A closed segment as a checkpoint leaves it. */
static void make_closed(int32_t day, uint32_t number, unsigned lines)
{
	char path[SEGMENT_PATH_MAX];
	struct buf text = BUF_EMPTY;
	make_lines(lines, &text);
	path_of(day, number, SEGMENT_CLOSED, path);
	int fd = tree_open_file(store_tree(store), path, O_WRONLY | O_CREAT | O_EXCL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_write_all(fd, buf_span(&text)), 0);
	close(fd);
	struct segment_row row = row_of(day, number, &text, lines);
	ck_assert_int_eq(store_put_segments(store, &row, 1), 0);
	buf_free(&text);
}

static bool there(int32_t day, uint32_t number, enum segment_form form)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	path_of(day, number, form, path);
	return tree_stat(store_tree(store), path, &st) == 0;
}

/* The file has exactly these lines. */
static void check_bytes(int32_t day, uint32_t number, enum segment_form form, unsigned lines)
{
	char path[SEGMENT_PATH_MAX];
	struct buf text = BUF_EMPTY;
	struct stat st;
	uint64_t bytes, crc;
	make_lines(lines, &text);
	path_of(day, number, form, path);
	int fd = tree_open_file(store_tree(store), path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(sealed_sum(fd, form, (uint64_t)st.st_size, NULL, NULL, &bytes, &crc), 0);
	ck_assert_uint_eq(bytes, text.len);
	ck_assert_uint_eq(crc, crc64_add(CRC64_EMPTY, text.ptr, text.len));
	close(fd);
	buf_free(&text);
}

static int state_of;
static int find_state(void *user, const struct segment_row *row)
{
	if (row->number == *(uint32_t *)user)
		state_of = (int)row->state;
	return 0;
}

static int state(uint32_t number)
{
	state_of = -1;
	ck_assert_int_eq(store_segments(store, find_state, &number), 0);
	return state_of;
}

static uint64_t indexed_blocks(void)
{
	struct index *index;
	ck_assert_int_eq(index_open(store_tree(store)->root, &index), 0);
	struct index_sums sums = index_sums(index);
	ck_assert_uint_eq(sums.damaged, 0);
	index_free(index);
	return sums.blocks;
}

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

static unsigned strays;

static int look_for_strays(const char *path, const struct stat *st, int type, struct FTW *at)
{
	struct segment_name name;
	(void)st;
	(void)at;
	const char *end = strrchr(path, '.');
	bool ours = strstr(path, "/.haul/")
			    ? !end || strcmp(end, ".tmp") != 0
			    : segment_name_parse_file(span_of(strrchr(path, '/') + 1), &name) == 0;
	strays += type == FTW_F && !ours;
	return 0;
}

/* Files that nobody will ask for. */
static unsigned stray_files(void)
{
	strays = 0;
	ck_assert_int_eq(nftw(dir, look_for_strays, 16, FTW_PHYS), 0);
	return strays;
}

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
		/* The plain file goes last: what the ledger does not know as sealed still has it. */
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
		/* The ledger says it first and forgets it last: no file is missed, none is unknown. */
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
	tcase_add_test(c, a_segment_without_its_plain_file_is_adopted);
	tcase_add_test(c, what_is_in_the_way_stays);
	tcase_add_test(c, what_is_old_goes_with_its_directories);
	tcase_add_test(c, a_low_disk_takes_nothing_unasked);
	tcase_add_test(c, what_cannot_go_keeps_nobody);
	tcase_add_loop_test(c, sealing_is_broken_off_anywhere, 0, 3);
	tcase_add_test(c, deleting_is_broken_off_anywhere);
	tcase_add_test(c, making_the_index_anew_is_broken_off_anywhere);
	tcase_add_test(c, a_thread_of_it_starts_and_stops);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
