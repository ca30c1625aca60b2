/* Lines counted by minute and level: what is coded is what is read, whatever the order of the
 * lines; what would be too much is not counted at all; and any bytes are refused or read without
 * harm. */
#include "collector/store/counts.h"

#include "common/civil.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE(n) ((n)*COUNTS_MINUTE_US + INT64_C(1795327200000000))

static void add(struct counts_block *b, int64_t us, const char *level)
{
	struct span text = span_of(level ? level : "");
	ck_assert_int_eq(counts_block_add(b, us, level ? &text : NULL), 0);
}

static uint32_t lines_of(const struct counts_reader *r, const struct counts_row *rows, int n,
			 int64_t us, const char *level)
{
	for (int i = 0; i < n; i++) {
		bool same =
			rows[i].level == 0
				? !level
				: level && span_is(counts_level(&r->levels, rows[i].level), level);
		if (same && rows[i].minute == us / COUNTS_MINUTE_US)
			return rows[i].lines;
	}
	return 0;
}

static struct counts_row rows[COUNTS_ROWS_MAX];

START_TEST(rows_come_back)
{
	struct counts_block b = {0};
	struct counts c = {0};
	struct buf out = BUF_EMPTY;
	struct counts_reader r;
	/* Late lines, a value seen first in the second block, none at all, an empty one. */
	static const char *const order[] = {"info", "error", NULL, "info", "", "info"};
	for (int i = 0; i < 6; i++)
		add(&b, MINUTE(i % 3) + i, order[i]);
	add(&b, MINUTE(0) - 1, "error");
	ck_assert_int_eq(counts_block_end(&b), 0);
	ck_assert(!b.unfit);
	ck_assert_int_eq(counts_add(&c, &b), 0);
	counts_block_clear(&b);
	for (int i = 0; i < 5000; i++)
		add(&b, MINUTE(7), i % 5 ? "warn" : "error");
	ck_assert_int_eq(counts_block_end(&b), 0);
	add(&b, MINUTE(7), "warn"); /* more after the end */
	ck_assert_int_eq(counts_block_end(&b), 0);
	ck_assert_int_eq(counts_add(&c, &b), 0);
	counts_block_clear(&b);
	add(&b, CIVIL_MIN_US, NULL);
	add(&b, CIVIL_MAX_US, "x");
	ck_assert_int_eq(counts_block_end(&b), 0);
	ck_assert_int_eq(counts_add(&c, &b), 0);
	ck_assert_int_eq(counts_encode(&c, &out), 0);

	ck_assert_int_eq(counts_open(buf_span(&out), 3, &r), 0);
	int n = counts_next(&r, rows);
	ck_assert_int_eq(n, 6);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(0), "info"), 2);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(1), "error"), 1);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(1), ""), 1);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(2), NULL), 1);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(2), "info"), 1);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(-1), "error"), 1);
	for (int i = 1; i < n; i++)
		ck_assert(rows[i - 1].minute < rows[i].minute ||
			  (rows[i - 1].minute == rows[i].minute &&
			   rows[i - 1].level < rows[i].level));
	n = counts_next(&r, rows);
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(7), "warn"), 4001);
	ck_assert_uint_eq(lines_of(&r, rows, n, MINUTE(7), "error"), 1000);
	n = counts_next(&r, rows);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(rows[0].minute, CIVIL_MIN_US / COUNTS_MINUTE_US);
	ck_assert_int_eq(counts_next(&r, rows), -ENODATA);

	/* Some 3 bytes a row. */
	ck_assert_uint_le(out.len, 6 + 20 + 11 * 4 + 10);
	buf_free(&out);
	counts_free(&c);
	counts_block_free(&b);
}
END_TEST

START_TEST(too_much_is_not_counted)
{
	struct counts_block b = {0}, few = {0};
	struct counts c = {0};
	struct buf out = BUF_EMPTY;
	struct counts_reader r;
	char text[64];
	for (int i = 0; i <= COUNTS_ROWS_MAX; i++)
		add(&b, MINUTE(i), "info");
	ck_assert_int_eq(counts_block_end(&b), 0);
	ck_assert(b.unfit);
	ck_assert_int_eq(counts_add(&c, &b), 0);
	/* Many minutes in turn are no more rows than they are minutes. */
	counts_block_clear(&b);
	for (int i = 0; i < 100 * COUNTS_ROWS_MAX; i++)
		add(&b, MINUTE(i * 7 % COUNTS_ROWS_MAX), "info");
	ck_assert_int_eq(counts_block_end(&b), 0);
	ck_assert(!b.unfit);
	ck_assert_uint_eq(b.n, COUNTS_ROWS_MAX);
	ck_assert_int_eq(counts_add(&c, &b), 0);
	/* A long value, and too many of them, in a block and in the part. */
	counts_block_clear(&b);
	memset(text, 'x', sizeof(text));
	text[COUNTS_LEVEL_LEN + 1] = '\0';
	add(&b, MINUTE(0), text);
	ck_assert(b.unfit);
	for (int k = 0; k < 2; k++) {
		counts_block_clear(&b);
		for (int i = 0; i < COUNTS_LEVELS_MAX - 1 + k; i++) {
			(void)snprintf(text, sizeof(text), "level %d", 100 * (1 - k) + i);
			add(&b, MINUTE(0), text);
		}
		ck_assert_int_eq(counts_block_end(&b), 0);
		ck_assert(!b.unfit);
		ck_assert_int_eq(counts_add(&c, &b), 0);
	}
	add(&b, MINUTE(0), "one more");
	ck_assert(b.unfit);
	add(&few, MINUTE(5), "info");
	ck_assert_int_eq(counts_block_end(&few), 0);
	ck_assert_int_eq(counts_add(&c, &few), 0);

	ck_assert_int_eq(counts_encode(&c, &out), 0);
	ck_assert_int_eq(counts_open(buf_span(&out), 5, &r), 0);
	ck_assert_int_eq(counts_next(&r, rows), 0);
	ck_assert_int_eq(counts_next(&r, rows), COUNTS_ROWS_MAX);
	ck_assert_int_eq(counts_next(&r, rows), COUNTS_LEVELS_MAX - 1);
	ck_assert_int_eq(counts_next(&r, rows), 0);
	ck_assert_int_eq(counts_next(&r, rows), 1);
	ck_assert_uint_eq(lines_of(&r, rows, 1, MINUTE(5), "info"), 1);
	buf_free(&out);
	counts_free(&c);
	counts_block_free(&b);
	counts_block_free(&few);
}
END_TEST

START_TEST(any_bytes_do_no_harm)
{
	struct counts_reader r;
	uint64_t random = UINT64_C(88172645463325252);
	char bytes[200];
	ck_assert_int_eq(counts_open(span_make(NULL, 0), 2, &r), 0);
	ck_assert_int_eq(counts_next(&r, rows), 0);
	ck_assert_int_eq(counts_next(&r, rows), 0);
	ck_assert_int_eq(counts_next(&r, rows), -ENODATA);
	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bytes[i] = (char)(random >> 40 & (round % 2 ? 0xff : 0x0f));
		}
		if (counts_open(span_make(bytes, (size_t)(round % 200)), 4, &r) < 0)
			continue;
		int n;
		while ((n = counts_next(&r, rows)) >= 0)
			for (int i = 0; i < n; i++)
				ck_assert_uint_le(rows[i].level, r.levels.n);
		ck_assert(n == -ENODATA || n == -EBADMSG);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("counts");
	TCase *c = tcase_create("counts");
	tcase_add_test(c, rows_come_back);
	tcase_add_test(c, too_much_is_not_counted);
	tcase_add_test(c, any_bytes_do_no_harm);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
