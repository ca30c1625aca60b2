/* A store with closed segments for the janitor to pass over: what the tests of it have in common.
 *
 * Included by one file of a test program. */
#ifndef HAUL_TESTS_LIB_JANITOR_STORE_H
#define HAUL_TESTS_LIB_JANITOR_STORE_H

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
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

#endif
