/* Sorting and counting in bounded memory: however small it is, the result is the same. */
#include "collector/query/tally.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state = 1;

static unsigned below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned)(random_state >> 33) % n;
}

enum { LINES = 5000, SORTERS = 3 };

struct line {
	char text[80];
	struct place at;
	bool matched;
};

/* What `LC_ALL=C sort -s -k1,1` compares, then the place. */
static int compare(const void *pa, const void *pb)
{
	const struct line *a = pa, *b = pb;
	char x[80], y[80];
	sscanf(a->text, "%79s", x);
	sscanf(b->text, "%79s", y);
	int r = strcmp(x, y);
	return r ? r : place_compare(&a->at, &b->at);
}

static void make_lines(struct line *lines, bool foreign)
{
	for (unsigned i = 0; i < LINES; i++) {
		struct line *l = &lines[i];
		l->at = (struct place){
			.segment = i % 5, .block = i % 3, .offset = UINT64_C(90) * i};
		l->matched = below(3) > 0;
		if (foreign && below(4) == 0)
			snprintf(l->text, sizeof(l->text), "%c%u no time of haul's",
				 "0129a"[below(5)], below(50));
		else
			snprintf(l->text, sizeof(l->text),
				 "2026-11-22T05:40:%02u.%06uZ h s F line %u", below(3), below(200),
				 i);
	}
}

static void check_merge(struct sorter *const *sorters, const struct line *lines)
{
	struct merge *m;
	struct record r;
	int result, n = 0;
	ck_assert_int_eq(merge_open(sorters, SORTERS, &m), 0);
	while ((result = merge_next(m, &r)) > 0) {
		struct span line;
		bool matched;
		size_t at = 0;
		ck_assert_int_lt(n, LINES);
		ck_assert(record_next_line(&r, &at, &line, &matched));
		ck_assert_uint_eq(line.len, strlen(lines[n].text));
		ck_assert_mem_eq(line.ptr, lines[n].text, line.len);
		ck_assert_int_eq(matched, lines[n].matched);
		ck_assert_int_eq(place_compare(&r.at, &lines[n].at), 0);
		n++;
	}
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(n, LINES);
	merge_close(m);
}

START_TEST(sorted_whatever_the_memory)
{
	static const size_t memories[] = {1, 2000, 20000, 10 << 20};
	struct line *lines = calloc(LINES, sizeof(*lines));
	struct sorter *sorters[SORTERS];
	make_lines(lines, _i & 1);
	for (int i = 0; i < SORTERS; i++)
		sorters[i] = sorter_new(RECORD_BY_TIME, memories[_i / 2], 0);
	for (int i = 0; i < LINES; i++) {
		int to = (int)below(SORTERS);
		ck_assert_int_eq(sorter_add_line(sorters[to], span_of(lines[i].text), lines[i].at,
						 lines[i].matched),
				 0);
		/* Found a second time, by a neighbour, for the sake of its event. */
		if (below(10) == 0)
			ck_assert_int_eq(sorter_add_line(sorters[(to + 1) % SORTERS],
							 span_of(lines[i].text), lines[i].at,
							 false),
					 0);
	}
	qsort(lines, LINES, sizeof(*lines), compare);
	check_merge(sorters, lines);
	check_merge(sorters, lines); /* it may be read again */
	for (int i = 0; i < SORTERS; i++)
		sorter_free(sorters[i]);
	free(lines);
}
END_TEST

/* With a limit the first ones are all there. */
START_TEST(limited)
{
	enum { LIMIT = 50 };
	struct line *lines = calloc(LINES, sizeof(*lines));
	struct sorter *s = sorter_new(RECORD_BY_TIME, 40000, LIMIT);
	struct merge *m;
	struct record r;
	make_lines(lines, false);
	for (int i = 0; i < LINES; i++) {
		lines[i].matched = true;
		ck_assert_int_eq(sorter_add_line(s, span_of(lines[i].text), lines[i].at, true), 0);
	}
	qsort(lines, LINES, sizeof(*lines), compare);
	ck_assert_int_eq(merge_open(&s, 1, &m), 0);
	for (int i = 0; i < LIMIT; i++) {
		ck_assert_int_eq(merge_next(m, &r), 1);
		ck_assert_int_eq(place_compare(&r.at, &lines[i].at), 0);
	}
	int more = 0;
	while (merge_next(m, &r) > 0)
		more++;
	ck_assert_int_lt(more, LINES / 2);
	merge_close(m);
	sorter_free(s);
	free(lines);
}
END_TEST

START_TEST(cleared)
{
	struct sorter *s = sorter_new(RECORD_BY_TIME, 10, 0);
	struct merge *m;
	struct record r;
	for (unsigned round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 5; i++)
			ck_assert_int_eq(sorter_add_line(s, SPAN_LITERAL("x y"),
							 (struct place){.offset = i}, true),
					 0);
		int n = 0;
		ck_assert_int_eq(merge_open(&s, 1, &m), 0);
		while (merge_next(m, &r) > 0)
			n++;
		ck_assert_int_eq(n, 5);
		merge_close(m);
		sorter_clear(s);
	}
	sorter_free(s);
}
END_TEST

/* --- tallies --- */

enum { KEYS = 700, COUNTS = 20000 };

START_TEST(tallied_whatever_the_memory)
{
	static const size_t memories[] = {1, 100000, 10 << 20};
	struct tally *tallies[SORTERS];
	struct tally_reader reader;
	struct tally_value value, expected[KEYS] = {{0}};
	struct span key;
	char text[32], last[32] = "";
	unsigned keys = 0;
	int r;
	for (int i = 0; i < SORTERS; i++)
		tallies[i] = tally_new(memories[_i]);
	for (int i = 0; i < COUNTS; i++) {
		unsigned k = below(KEYS);
		struct tally_value v = {.count = 1 + below(3), .first_us = i, .last_us = i};
		snprintf(text, sizeof(text), "key %u", k);
		ck_assert_int_eq(tally_add(tallies[below(SORTERS)], span_of(text), &v), 0);
		if (expected[k].count == 0)
			expected[k].first_us = i;
		expected[k].last_us = i;
		expected[k].count += v.count;
	}
	for (int again = 0; again < 2; again++) {
		keys = 0;
		last[0] = '\0';
		ck_assert_int_eq(tally_open(tallies, SORTERS, &reader), 0);
		while ((r = tally_next(&reader, &key, &value)) > 0) {
			snprintf(text, sizeof(text), "%.*s", (int)key.len, key.ptr);
			ck_assert_str_gt(text, last);
			strcpy(last, text);
			unsigned k = (unsigned)atoi(text + 4);
			ck_assert_uint_eq(value.count, expected[k].count);
			ck_assert_int_eq(value.first_us, expected[k].first_us);
			ck_assert_int_eq(value.last_us, expected[k].last_us);
			keys++;
		}
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(keys, KEYS);
		tally_close(&reader);
	}
	for (int i = 0; i < SORTERS; i++)
		tally_free(tallies[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_sorter");
	TCase *c = tcase_create("sorter");
	tcase_add_loop_test(c, sorted_whatever_the_memory, 0, 8);
	tcase_add_test(c, limited);
	tcase_add_test(c, cleared);
	tcase_add_loop_test(c, tallied_whatever_the_memory, 0, 3);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
