/* The index of live files, written and read: what a live file has is found in it, wherever it
 * stands; only few blocks are to be read for it; whatever is torn, damaged or of another file costs
 * speed and never a line. */
#include "collector/store/index_format.h"
#include "collector/store/live_indexer.h"
#include "common/file.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY   20779
#define MIB   (UINT64_C(1) << 20)
#define LIVE  "2026-11-22/checkout/web-01.log"
#define EVERY 6007 /* lines of which each that many is asked for */
#define ID_AT 53   /* in a line */

static char dir[] = "/tmp/haul-test-live-XXXXXX";
static struct tree tree;
static struct tokenizer tokenizer;
static struct segment_row row;
static bool stopping;

static void setup(void)
{
	temp_dir_make(dir);
	ck_assert_int_eq(tree_open(dir, &tree), 0);
	row = (struct segment_row){.day = DAY,
				   .service = SPAN_LITERAL("checkout"),
				   .host = SPAN_LITERAL("web-01"),
				   .number = 3,
				   .state = SEGMENT_STATE_LIVE};
	stopping = false;
}

static void teardown(void)
{
	tokenizer_free(&tokenizer);
	tree_close(&tree);
	temp_dir_remove(dir);
}

static bool is_stopping(void *user)
{
	(void)user;
	return stopping;
}

static struct live_indexer *new_indexer(void)
{
	struct live_indexer_config config = {.tree = &tree, .stop = is_stopping};
	struct live_indexer *x = live_indexer_new(&config);
	ck_assert_ptr_nonnull(x);
	return x;
}

static int live_fd(int flags)
{
	int fd = tree_open_file(&tree, LIVE, flags);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void id_of(unsigned seed, unsigned i, char ret[33])
{
	uint64_t x = (uint64_t)seed << 32 | i;
	x = (x ^ 0x5bd1e995) * UINT64_C(0x9e3779b97f4a7c15);
	(void)snprintf(ret, 33, "%016" PRIx64 "%016" PRIx64, x, x * 31 + i);
}

/* Appends lines until the file is `size` long, and the row says so. */
static void grow(unsigned seed, uint64_t size)
{
	struct stat st;
	struct buf lines = BUF_EMPTY;
	int fd = live_fd(O_RDWR | O_CREAT | O_APPEND);
	ck_assert_int_eq(fstat(fd, &st), 0);
	uint64_t at = (uint64_t)st.st_size;
	for (unsigned i = 0; at + lines.len < size; i++) {
		char line[256], id[33];
		id_of(seed, (unsigned)(at + lines.len), id);
		(void)snprintf(line, sizeof(line),
			       "2026-11-22T05:%02u:00.000000Z web-01 checkout F {\"id\":\"%s\","
			       "\"level\":\"info\",\"message\":\"one of many lines\",\"n\":%u}\n",
			       i / 1000 % 60, id, i);
		ck_assert_int_eq(buf_add(&lines, line, strlen(line)), 0);
	}
	ck_assert_int_eq(file_write_all(fd, buf_span(&lines)), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	row.length = (uint64_t)st.st_size;
	row.inode = st.st_ino;
	buf_free(&lines);
	file_close(&fd);
}

static void pass(struct live_indexer *x)
{
	ck_assert_int_eq(live_indexer_pass(x, &row, 1, false), 0);
}

static void once(void)
{
	struct live_indexer *x = new_indexer();
	pass(x);
	live_indexer_free(x);
}

static uint64_t ask(const char *word, struct slab_hits *ret)
{
	struct token_terms terms;
	struct slab_need need = {&terms, 1};
	struct slab_query query = {&need, 1, INT64_MIN, INT64_MAX};
	struct live_file file = {
		.day = DAY, .service = row.service, .host = row.host, .inode = row.inode};
	uint64_t covered = 1;
	ck_assert_int_eq(token_terms_of(&tokenizer, span_of(word), true, &terms), 0);
	int live = tree_open_dir(&tree, LIVE_INDEX_DIR), fd = live_fd(O_RDONLY);
	ret->n = 0;
	ck_assert_int_eq(live_index_search(live, &file, fd, &query, ret, &covered), 0);
	file_close(&live);
	file_close(&fd);
	return covered;
}

static bool hit(const struct slab_hits *hits, uint64_t at)
{
	for (size_t i = 0; i < hits->n; i++)
		if (at >= hits->items[i].offset &&
		    at - hits->items[i].offset < hits->items[i].length)
			return true;
	return false;
}

/* Some of the file's lines, from `from` on. */
static struct sample {
	uint64_t at;
	char id[33];
} samples[64];
static size_t n_samples;

static void take_samples(uint64_t from)
{
	struct buf bytes = BUF_EMPTY;
	ck_assert_int_eq(file_read(tree.root, LIVE, 1 << 30, &bytes), 0);
	n_samples = 0;
	for (uint64_t at = from, i = 0; at < bytes.len; i++) {
		struct span line = span_from(buf_span(&bytes), at);
		line.len = span_find(line, '\n');
		if (i % EVERY == 0 && line.len > ID_AT + 32) {
			struct sample *s = &samples[n_samples++ % 64];
			s->at = at;
			memcpy(s->id, line.ptr + ID_AT, 32);
		}
		at += line.len + 1;
	}
	n_samples = n_samples < 64 ? n_samples : 64;
	buf_free(&bytes);
}

/* Every id that stands in what is covered is found where it stands. How much is covered. */
static uint64_t ask_all(size_t *ret_hits)
{
	struct slab_hits hits = {0};
	uint64_t covered = 0;
	size_t n = 0;
	for (size_t i = 0; i < n_samples; i++) {
		covered = ask(samples[i].id, &hits);
		ck_assert(samples[i].at >= covered || hit(&hits, samples[i].at));
		n += hits.n;
	}
	if (ret_hits)
		*ret_hits = n / n_samples;
	slab_hits_free(&hits);
	return covered;
}

static uint64_t check_found(uint64_t from, size_t *ret_hits)
{
	take_samples(from);
	return ask_all(ret_hits);
}

static void parts_path(char ret[96])
{
	char name[LIVE_INDEX_NAME_MAX];
	live_index_name(name, row.inode);
	(void)snprintf(ret, 96, LIVE_INDEX_DIR "/%s", name);
}

static bool has_parts(void)
{
	char path[96];
	struct stat st;
	parts_path(path);
	return tree_stat(&tree, path, &st) == 0;
}

START_TEST(what_is_there_is_found_in_few_blocks)
{
	size_t hits;
	struct live_indexer *x = new_indexer();
	grow(1, 20 * MIB);
	pass(x);
	uint64_t covered = check_found(0, &hits);
	ck_assert_uint_gt(covered, row.length - LIVE_INDEX_STEP);
	ck_assert_uint_le(hits, 2);
	ck_assert_uint_eq(live_indexer_covered(x), covered);
	/* It goes on where it was, and says nothing of what is behind. */
	uint64_t first = row.length;
	grow(2, 22 * MIB);
	pass(x);
	ck_assert_uint_eq(check_found(0, NULL), covered);
	grow(2, 60 * MIB);
	pass(x);
	ck_assert_uint_gt(check_found(first, &hits), row.length - LIVE_INDEX_STEP);
	ck_assert_uint_le(hits, 2);
	live_indexer_free(x);
}
END_TEST

START_TEST(small_files_have_none)
{
	grow(1, LIVE_INDEX_MIN - MIB);
	once();
	ck_assert(!has_parts());
	ck_assert_uint_eq(check_found(0, NULL), 0);
}
END_TEST

START_TEST(nothing_is_written_while_others_wait)
{
	struct live_indexer *x = new_indexer();
	grow(1, 12 * MIB);
	ck_assert_int_eq(live_indexer_pass(x, &row, 1, true), 0);
	ck_assert(!has_parts());
	pass(x);
	ck_assert_int_eq(live_indexer_pass(x, &row, 1, true), 0);
	ck_assert(has_parts());
	stopping = true;
	grow(1, 24 * MIB);
	ck_assert_int_eq(live_indexer_pass(x, &row, 1, false), -ECANCELED);
	ck_assert_uint_gt(check_found(0, NULL), 0);
	live_indexer_free(x);
}
END_TEST

START_TEST(a_start_goes_on_where_the_last_one_ended)
{
	struct buf before = BUF_EMPTY, after = BUF_EMPTY;
	char path[96];
	grow(1, 16 * MIB);
	once();
	parts_path(path);
	ck_assert_int_eq(file_read(tree.root, path, 1 << 30, &before), 0);
	grow(1, 40 * MIB);
	once();
	ck_assert_int_eq(file_read(tree.root, path, 1 << 30, &after), 0);
	ck_assert_uint_gt(after.len, before.len);
	ck_assert_mem_eq(before.ptr + INDEX_PARTS_HEADER, after.ptr + INDEX_PARTS_HEADER,
			 before.len - INDEX_PARTS_HEADER);
	ck_assert_uint_gt(check_found(0, NULL), row.length - LIVE_INDEX_STEP);
	buf_free(&before);
	buf_free(&after);
}
END_TEST

/* A closed segment keeps it; one that is sealed, or that nobody knows, does not. */
START_TEST(it_goes_with_its_segment)
{
	struct live_indexer *x = new_indexer();
	grow(1, 12 * MIB);
	pass(x);
	row.state = SEGMENT_STATE_CLOSED;
	pass(x);
	ck_assert(has_parts());
	ck_assert_uint_gt(check_found(0, NULL), 0);
	row.state = SEGMENT_STATE_SEALED;
	pass(x);
	ck_assert(!has_parts());
	row.state = SEGMENT_STATE_LIVE;
	pass(x);
	ck_assert(has_parts());
	live_indexer_free(x);
	x = new_indexer(); /* which has never heard of it */
	ck_assert_int_eq(live_indexer_pass(x, NULL, 0, false), 0);
	ck_assert(!has_parts());
	pass(x);
	ck_assert_int_eq(live_indexer_reset(x), 0);
	ck_assert(!has_parts());
	pass(x);
	ck_assert_uint_gt(check_found(0, NULL), 0);
	live_indexer_free(x);
}
END_TEST

static void cut_to(uint64_t size)
{
	int fd = live_fd(O_RDWR);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	file_close(&fd);
}

START_TEST(a_file_that_was_cut_is_not_covered)
{
	struct live_indexer *x = new_indexer();
	grow(1, 16 * MIB);
	pass(x);
	ck_assert_uint_gt(check_found(0, NULL), 0);
	cut_to(5 * MIB);
	ck_assert_uint_eq(check_found(0, NULL), 0);
	grow(2, 30 * MIB); /* longer than ever, of other lines */
	ck_assert_uint_eq(check_found(0, NULL), 0);
	pass(x); /* is made anew */
	ck_assert_uint_gt(check_found(0, NULL), 20 * MIB);
	live_indexer_free(x);
}
END_TEST

START_TEST(the_ledger_may_say_more_than_there_is)
{
	struct live_indexer *x = new_indexer();
	grow(1, 16 * MIB);
	cut_to(9 * MIB);
	pass(x);
	ck_assert(!has_parts());
	row.inode++;
	pass(x);
	row.host = SPAN_LITERAL("web-02");
	pass(x);
	ck_assert(!has_parts());
	live_indexer_free(x);
}
END_TEST

START_TEST(another_segment_with_the_inode_begins_anew)
{
	struct slab_hits hits = {0};
	struct live_indexer *x = new_indexer();
	grow(1, 16 * MIB);
	pass(x);
	row.number++;
	ck_assert_uint_gt(ask("nothing", &hits), 0);
	row.host = SPAN_LITERAL("web-02");
	ck_assert_uint_eq(ask("nothing", &hits), 0);
	row.host = SPAN_LITERAL("web-01");
	cut_to(0);
	grow(2, 12 * MIB);
	pass(x);
	ck_assert_uint_gt(check_found(0, NULL), 0);
	live_indexer_free(x);
	slab_hits_free(&hits);
}
END_TEST

/* Whatever bit of it has changed, and wherever it ends. */
START_TEST(damage_hides_no_line)
{
	char path[96];
	struct buf good = BUF_EMPTY;
	size_t whole = 0;
	grow(1, 12 * MIB);
	once();
	grow(1, 20 * MIB);
	once();
	parts_path(path);
	ck_assert_int_eq(file_read(tree.root, path, 1 << 30, &good), 0);
	take_samples(0);
	for (size_t i = 0; i < good.len; i += i < 400 ? 7 : good.len / 20) {
		int fd = tree_open_file(&tree, path, O_RDWR);
		char bad = (char)(good.ptr[i] ^ 4);
		ck_assert_int_eq(pwrite(fd, &bad, 1, (off_t)i), 1);
		ck_assert_uint_lt(ask_all(NULL), row.length - LIVE_INDEX_STEP);
		ck_assert_int_eq(pwrite(fd, good.ptr + i, 1, (off_t)i), 1);
		whole += ask_all(NULL) > row.length - LIVE_INDEX_STEP;
		file_close(&fd);
	}
	ck_assert_uint_gt(whole, 50);
	for (size_t len = good.len; len; len = len > good.len / 16 ? len - good.len / 16 : 0) {
		int fd = tree_open_file(&tree, path, O_RDWR);
		ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
		file_close(&fd);
		(void)ask_all(NULL);
	}
	once(); /* makes up for it */
	ck_assert_uint_gt(ask_all(NULL), row.length - LIVE_INDEX_STEP);
	buf_free(&good);
}
END_TEST

START_TEST(names)
{
	char name[LIVE_INDEX_NAME_MAX];
	uint64_t inode;
	live_index_name(name, UINT64_MAX);
	ck_assert_str_eq(name, "18446744073709551615.parts");
	ck_assert_int_eq(live_index_parse_name(span_of(name), &inode), 0);
	ck_assert_uint_eq(inode, UINT64_MAX);
	static const char *const bad[] = {
		"", ".parts", "1", "1.part", "x.parts", "-1.parts", "18446744073709551616.parts"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(live_index_parse_name(span_of(bad[i]), &inode), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_index");
	TCase *tc = tcase_create("core");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_there_is_found_in_few_blocks);
	tcase_add_test(tc, small_files_have_none);
	tcase_add_test(tc, nothing_is_written_while_others_wait);
	tcase_add_test(tc, a_start_goes_on_where_the_last_one_ended);
	tcase_add_test(tc, it_goes_with_its_segment);
	tcase_add_test(tc, a_file_that_was_cut_is_not_covered);
	tcase_add_test(tc, the_ledger_may_say_more_than_there_is);
	tcase_add_test(tc, another_segment_with_the_inode_begins_anew);
	tcase_add_test(tc, damage_hides_no_line);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
