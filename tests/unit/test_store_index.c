/* The index, written and read: every token that a block has finds it, in a file of parts as in a
 * slab; few that it has not do; what is gone, damaged or half written costs speed and never a
 * line. */
#include "collector/store/filter.h"
#include "collector/store/index.h"
#include "collector/store/index_format.h"
#include "collector/store/indexer.h"
#include "collector/store/slab.h"
#include "common/file.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAY 20000

static char dir[] = "/tmp/haul-test-index-XXXXXX";
static struct tree tree;
static struct tokenizer tokenizer;

static void setup(void)
{
	temp_dir_make(dir);
	ck_assert_int_eq(tree_open(dir, &tree), 0);
}

static void teardown(void)
{
	tree_close(&tree);
	temp_dir_remove(dir);
}

/* Which segments live: all, or those with an even number. */
static bool only_even;

static bool alive(void *user, const struct part_segment *s)
{
	(void)user;
	return !only_even || s->number % 2 == 0;
}

static struct indexer *open_indexer(void)
{
	struct indexer_config config = {.tree = &tree, .alive = alive};
	struct indexer *x;
	ck_assert_int_eq(indexer_open(&config, &x), 0);
	return x;
}

/* Segment n has `blocks` blocks; block b holds "segNxB", "common" and some more of its own. */
static void make_part(struct part *p, uint32_t n, uint32_t first, uint32_t blocks, uint32_t all)
{
	struct digest d = {.service = SPAN_LITERAL("checkout"), .host = SPAN_LITERAL("web-01")};
	char text[256];
	part_clear(p);
	p->segment = (struct part_segment){.day = DAY + (int32_t)(n % 3),
					   .service = SPAN_LITERAL("checkout"),
					   .host = SPAN_LITERAL("web-01"),
					   .number = n,
					   .form = SEGMENT_ZSTD,
					   .size = 1000 * (uint64_t)all + n,
					   .blocks = all,
					   .first_block = first};
	for (uint32_t b = first; b < first + blocks; b++) {
		size_t taken;
		digest_clear(&d);
		/* Filters of several sizes. */
		for (uint32_t i = 0; i < 3 + (n * 7 + b) % 5 * 20; i++) {
			(void)snprintf(
				text, sizeof(text),
				"2026-11-22T05:%02u:00.000000Z web-01 checkout F seg%ux%u common "
				"level=%s other%u",
				b % 60, n, b, i % 3 ? "info" : "error", (n * 1000 + b * 10 + i));
			ck_assert_int_eq(digest_take(&d, span_of(text), 0, &taken), 0);
		}
		ck_assert_int_eq(part_add(p, (uint64_t)b * 1000, 1000, 5000, &d), 0);
	}
	digest_free(&d);
}

static void add(struct indexer *x, uint32_t n, uint32_t first, uint32_t blocks, uint32_t all)
{
	struct part p = {0};
	make_part(&p, n, first, blocks, all);
	ck_assert_int_eq(indexer_add(x, "30d", &p), 0);
	part_free(&p);
}

/* The blocks of a segment that are to be read for a word; -1: not covered. */
static int ask(const char *word, uint32_t n, uint32_t all, struct index_blocks *ret)
{
	static struct index *index;
	static struct index_search *search;
	struct token_terms terms;
	struct slab_need need = {&terms, 1};
	struct slab_query query = {&need, 1, INT64_MIN, INT64_MAX};
	index_search_free(search);
	index_free(index);
	ck_assert_int_eq(token_terms_of(&tokenizer, span_of(word), true, &terms), 0);
	ck_assert_int_eq(index_open(tree.root, &index), 0);
	search = index_search_new(index, &query);
	ck_assert_int_eq(index_search_day(search, DAY + (int32_t)(n % 3)), 0);
	struct segment_name name = {.service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = n,
				    .form = SEGMENT_ZSTD};
	struct index_blocks blocks;
	int r = index_search_find(search, &name, 1000 * (uint64_t)all + n, &blocks) ? (int)blocks.n
										    : -1;
	if (ret)
		*ret = blocks;
	name.number += 100000;
	ck_assert(!index_search_find(search, &name, 1000 * (uint64_t)all + n, &blocks));
	name.number -= 100000;
	ck_assert(!index_search_find(search, &name, 1, &blocks));
	return r;
}

START_TEST(filters_have_few_sizes_and_few_errors)
{
	uint32_t last = 0, sizes = 0;
	for (size_t n = 0; n < 30000; n++) {
		uint32_t bits = filter_bits(n);
		ck_assert(filter_valid_bits(bits));
		ck_assert_uint_ge(bits, last);
		ck_assert(n >= FILTER_TOKENS_MAX || bits >= n * 53 / 4);
		ck_assert(n < 100 || n >= FILTER_TOKENS_MAX || bits <= n * 53 / 4 * 9 / 8 + 128);
		sizes += bits != last;
		last = bits;
	}
	ck_assert_uint_le(sizes, 90);
	struct token_set set = {0};
	char word[32];
	for (int i = 0; i < 8000; i++) {
		(void)snprintf(word, sizeof(word), "word%dx", i);
		ck_assert_int_eq(token_set_add(&set, &tokenizer, span_of(word)), 0);
	}
	uint32_t bits = 8000 * 53 / 4 / 64 * 64;
	while (!filter_valid_bits(bits))
		bits -= 64; /* at most as many as a filter may have */
	uint8_t *filter = malloc(bits / 8);
	filter_make(&set, bits, filter);
	int wrong = 0;
	for (int i = 0; i < 200000; i++) {
		(void)snprintf(word, sizeof(word), "word%dx", i);
		bool has = filter_has(filter, bits, token_hash(span_of(word)));
		ck_assert(i >= 8000 || has);
		wrong += i >= 8000 && has;
	}
	/* The smallest filter a set may have is just as large as 0.2 % takes. */
	ck_assert_int_lt(wrong, 192000 * 3 / 1000);
	free(filter);
	token_set_free(&set);
}
END_TEST

START_TEST(parts_are_found)
{
	struct indexer *x = open_indexer();
	struct index_blocks blocks;
	ck_assert_int_eq(ask("seg1x0", 1, 3, NULL), -1);
	for (uint32_t n = 1; n <= 30; n++)
		add(x, n, 0, n % 5, n % 5);
	indexer_free(x);
	for (uint32_t n = 1; n <= 30; n++) {
		char word[32];
		ck_assert_int_eq(ask("common", n, n % 5, NULL), (int)(n % 5));
		if (n % 5 == 0)
			continue;
		(void)snprintf(word, sizeof(word), "seg%ux%u", n, n % 5 - 1);
		ck_assert_int_eq(ask(word, n, n % 5, &blocks), 1);
		ck_assert_uint_eq(blocks.items[0].offset, UINT64_C(1000) * (n % 5 - 1));
		ck_assert_uint_eq(blocks.items[0].length, 1000);
	}
}
END_TEST

START_TEST(parts_become_slabs)
{
	struct indexer *x = open_indexer();
	struct index *index;
	struct index_blocks blocks;
	const uint32_t n_all = 600;
	for (uint32_t n = 1; n <= n_all; n++)
		add(x, n, 0, 10, 10);
	indexer_free(x);
	ck_assert_int_eq(index_open(tree.root, &index), 0);
	struct index_sums sums = index_sums(index);
	ck_assert_uint_eq(sums.files, 2);
	ck_assert_uint_eq(sums.segments, n_all);
	ck_assert_uint_eq(sums.blocks, UINT64_C(10) * n_all);
	ck_assert_uint_eq(sums.damaged, 0);
	index_free(index);
	char path[64];
	(void)snprintf(path, sizeof(path), INDEX_DIR "/30d/00000001.slab");
	struct slab *slab;
	ck_assert_int_eq(slab_open(tree_open_file(&tree, path, O_RDONLY), &slab), 0);
	ck_assert_int_eq(slab_verify(slab), 0);
	slab_free(slab);
	int more = 0;
	for (uint32_t n = 1; n <= n_all; n += 7) {
		char word[32];
		(void)snprintf(word, sizeof(word), "seg%ux%u", n, n % 10);
		int found = ask(word, n, 10, &blocks);
		ck_assert_int_ge(found, 1);
		more += found - 1;
		bool there = false;
		for (size_t i = 0; i < blocks.n; i++)
			there |= blocks.items[i].offset == UINT64_C(1000) * (n % 10);
		ck_assert(there);
		more += ask(word, n == 1 ? 4 : 1, 10, NULL);
	}
	ck_assert_int_le(more, 10); /* of 1,700 that have not what is asked */
	ck_assert_int_eq(ask("common", 3, 10, NULL), 10);
	ck_assert_int_eq(ask("nowhere17", 3, 10, NULL), 0);
}
END_TEST

/* Lines of a level in all counted blocks of a segment; the blocks are seen in order, each once. */
static uint32_t counted(uint32_t n, uint32_t all, const char *level, uint32_t *ret_blocks)
{
	struct index *index;
	static struct index_counts c;
	static const struct slab_query query = {.since_us = INT64_MIN, .until_us = INT64_MAX};
	uint32_t lines = 0, blocks = 0;
	int r;
	ck_assert_int_eq(index_open(tree.root, &index), 0);
	struct index_search *search = index_search_new(index, &query);
	ck_assert_int_eq(index_search_day(search, DAY + (int32_t)(n % 3)), 0);
	struct segment_name name = {.service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = n,
				    .form = SEGMENT_ZSTD};
	ck_assert(!index_counts_start(&c, search, &name, 17));
	bool covered = index_counts_start(&c, search, &name, 1000 * (uint64_t)all + n);
	while (covered && (r = index_counts_next(&c)) > 0) {
		ck_assert(ret_blocks || c.block == blocks);
		for (int i = 0; i < r; i++) {
			struct span text = counts_level(&c.reader.levels, c.rows[i].level);
			ck_assert_int_eq(c.rows[i].minute % 60, c.block % 60);
			lines += span_is(text, level) ? c.rows[i].lines : 0;
		}
		blocks++;
	}
	if (ret_blocks)
		*ret_blocks = blocks;
	index_counts_free(&c);
	index_search_free(search);
	index_free(index);
	return lines;
}

static uint32_t errors_of(uint32_t n, uint32_t blocks)
{
	uint32_t lines = 0;
	for (uint32_t b = 0; b < blocks; b++)
		lines += (3 + (n * 7 + b) % 5 * 20 + 2) / 3;
	return lines;
}

START_TEST(lines_are_counted)
{
	struct indexer *x = open_indexer();
	for (uint32_t n = 1; n <= 45; n++)
		add(x, n, 0, 100, 100);
	ck_assert_uint_eq(counted(3, 100, "error", NULL), errors_of(3, 100));   /* in the slab */
	ck_assert_uint_eq(counted(44, 100, "error", NULL), errors_of(44, 100)); /* in parts */
	ck_assert_uint_eq(counted(44, 100, "no", NULL), 0);
	/* Rewritten parts still have theirs. */
	only_even = true;
	for (uint32_t n = 47; n <= 53; n += 2)
		add(x, n, 0, 100, 100);
	ck_assert_int_eq(indexer_sweep(x, DAY + 10), 0);
	ck_assert_uint_eq(counted(44, 100, "error", NULL), errors_of(44, 100));
	only_even = false;
	/* Several parts in any order. */
	uint32_t blocks;
	add(x, 1000, PART_BLOCKS_MAX, 76, 1100);
	ck_assert_uint_eq(counted(1000, 1100, "error", &blocks), 0);
	add(x, 1000, 0, PART_BLOCKS_MAX, 1100);
	ck_assert_uint_eq(counted(1000, 1100, "error", &blocks), errors_of(1000, 1100));
	ck_assert_uint_eq(blocks, 1100);
	indexer_free(x);
}
END_TEST

START_TEST(a_large_segment_has_several_parts)
{
	struct indexer *x = open_indexer();
	struct index_blocks blocks;
	add(x, 1, 0, PART_BLOCKS_MAX, 2100);
	ck_assert_int_eq(ask("common", 1, 2100, NULL), -1);
	add(x, 1, PART_BLOCKS_MAX, PART_BLOCKS_MAX, 2100);
	add(x, 1, PART_BLOCKS_MAX, PART_BLOCKS_MAX, 2100); /* again: it says nothing new */
	ck_assert_int_eq(ask("common", 1, 2100, NULL), -1);
	add(x, 1, 2 * PART_BLOCKS_MAX, 2100 - 2 * PART_BLOCKS_MAX, 2100);
	ck_assert_int_eq(ask("common", 1, 2100, &blocks), 2100);
	for (size_t i = 0; i < blocks.n; i++)
		ck_assert_uint_eq(blocks.items[i].offset, i * 1000);
	ck_assert_int_ge(ask("seg1x2099", 1, 2100, NULL), 1);
	indexer_free(x);
}
END_TEST

START_TEST(what_is_gone_is_swept)
{
	struct indexer *x = open_indexer();
	struct index *index;
	for (uint32_t n = 1; n <= 900; n++)
		add(x, n, 0, 10, 10);
	only_even = true;
	ck_assert_int_eq(indexer_sweep(x, DAY + 10), 0);
	ck_assert_int_eq(ask("common", 2, 10, NULL), 10);
	ck_assert_int_eq(ask("common", 900, 10, NULL), 10);
	for (uint32_t n = 902; n <= 1500; n += 2)
		add(x, n, 0, 10, 10);
	only_even = false;
	ck_assert_int_eq(ask("common", 1000, 10, NULL), 10);
	ck_assert_int_eq(indexer_reset(x), 0);
	ck_assert_int_eq(index_open(tree.root, &index), 0);
	ck_assert_uint_eq(index_sums(index).files, 0);
	index_free(index);
	add(x, 7, 0, 1, 1);
	ck_assert_int_eq(ask("common", 7, 1, NULL), 1);
	indexer_free(x);
}
END_TEST

/* The child is killed at the n-th step, whatever it is; then an indexer opens what is there and
 * goes on. */
static int steps_left;
static struct part crash_parts[6];

static void break_off(void *user, const char *what)
{
	(void)user;
	(void)what;
	if (steps_left-- == 0)
		_exit(9);
}

static int crash_child(int at)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct indexer_config config = {.tree = &tree, .alive = alive, .step = break_off};
		struct indexer *x;
		steps_left = at;
		if (indexer_open(&config, &x) < 0)
			_exit(1);
		for (uint32_t n = 0; n < 6; n++)
			if (indexer_add(x, "30d", &crash_parts[n]) < 0)
				_exit(2);
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(it_is_broken_off_anywhere)
{
	int code = 9, at = 0;
	for (uint32_t n = 0; n < 6; n++)
		make_part(&crash_parts[n], n + 1, 0, 1000, 1000);
	for (; code == 9; at++) {
		code = crash_child(at);
		ck_assert(code == 9 || code == 0);
		struct indexer *x = open_indexer();
		struct index *index;
		ck_assert_int_eq(index_open(tree.root, &index), 0);
		ck_assert_uint_eq(index_sums(index).damaged, 0);
		uint64_t before = index_sums(index).blocks;
		index_free(index);
		add(x, 2000, 0, 3, 3);
		ck_assert_int_eq(ask("seg2000x1", 2000, 3, NULL), 1);
		ck_assert_int_eq(index_open(tree.root, &index), 0);
		ck_assert_uint_eq(index_sums(index).blocks, before + 3);
		index_free(index);
		ck_assert_int_eq(indexer_reset(x), 0);
		indexer_free(x);
	}
	ck_assert_int_gt(at, 12);
	for (uint32_t n = 0; n < 6; n++)
		part_free(&crash_parts[n]);
}
END_TEST

START_TEST(damage_costs_speed_only)
{
	struct indexer *x = open_indexer();
	for (uint32_t n = 1; n <= 420; n++)
		add(x, n, 0, 10, 10);
	indexer_free(x);
	const char *const names[] = {INDEX_DIR "/30d/00000001.slab",
				     INDEX_DIR "/30d/00000002.parts"};
	uint64_t random = UINT64_C(88172645463325252);
	for (int round = 0; round < 100; round++) {
		int fd = tree_open_file(&tree, names[round % 2], O_RDWR);
		struct stat st;
		char before, after;
		ck_assert_int_eq(fstat(fd, &st), 0);
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		uint64_t at = random % (round % 2 || round % 4 ? (uint64_t)st.st_size : 4096);
		ck_assert_int_eq(file_pread_full(fd, &before, 1, at), 1);
		after = (char)(before ^ (1 << (random >> 40) % 8));
		ck_assert_int_eq(file_pwrite_all(fd, span_make(&after, 1), at), 0);
		/* A filter in a file of parts is young and checked when it becomes a slab. */
		uint32_t n = round % 2 ? 415 : 3;
		uint32_t blocks;
		uint32_t errors = counted(n, 10, "error", &blocks);
		ck_assert(errors == errors_of(n, 10) || blocks == 0);
		int found = ask("common", n, 10, NULL);
		ck_assert(found == 10 || found == -1 || round % 2);
		ck_assert_int_eq(file_pwrite_all(fd, span_make(&before, 1), at), 0);
		close(fd);
	}
	int fd = tree_open_file(&tree, names[1], O_RDWR);
	ck_assert_int_eq(ftruncate(fd, 5000), 0);
	close(fd);
	ck_assert_int_eq(ask("common", 415, 10, NULL), -1);
	ck_assert_int_eq(ask("common", 3, 10, NULL), 10);
	x = open_indexer();
	add(x, 415, 0, 10, 10);
	ck_assert_int_eq(ask("common", 415, 10, NULL), 10);
	indexer_free(x);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("index");
	TCase *c = tcase_create("index");
	tcase_set_timeout(c, 300);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, filters_have_few_sizes_and_few_errors);
	tcase_add_test(c, parts_are_found);
	tcase_add_test(c, parts_become_slabs);
	tcase_add_test(c, lines_are_counted);
	tcase_add_test(c, a_large_segment_has_several_parts);
	tcase_add_test(c, what_is_gone_is_swept);
	tcase_add_test(c, it_is_broken_off_anywhere);
	tcase_add_test(c, damage_costs_speed_only);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
