/* The header Haul-Report. */
#include "common/report.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text;
	int r;
	struct report want;
} ROWS[] = {
	{"time_us=1 lag_bytes=2 lag_ms=3 files=4 failing=5", 0, {1, 2, 3, 4, 5}},
	{"time_us=1", 0, {.time_us = 1}},
	{"  files=7   time_us=9 ", 0, {.time_us = 9, .files = 7}},
	{"time_us=1 spool=a,b lag_s=1.5", 0, {.time_us = 1}}, /* of another version */
	{"lag_bytes=18446744073709551615 time_us=9223372036854775807",
	 0,
	 {.time_us = INT64_MAX, .lag_bytes = UINT64_MAX}},
	{"", -EINVAL, {0}},
	{"lag_bytes=2", -EINVAL, {0}},
	{"time_us=0", -EINVAL, {0}},
	{"time_us=-1", -EINVAL, {0}},
	{"time_us=1 lag_bytes=-1", -EINVAL, {0}},
	{"time_us=1 lag_ms=1.5", -EINVAL, {0}},
	{"time_us=1 =3", -EINVAL, {0}},
	{"time_us=1 word", -EINVAL, {0}},
	{"time_us=9223372036854775808", -EINVAL, {0}},
};

static void expect_same(const struct report *a, const struct report *b)
{
	ck_assert_int_eq(a->time_us, b->time_us);
	ck_assert_uint_eq(a->lag_bytes, b->lag_bytes);
	ck_assert_uint_eq(a->lag_ms, b->lag_ms);
	ck_assert_uint_eq(a->files, b->files);
	ck_assert_uint_eq(a->failing, b->failing);
}

START_TEST(parse)
{
	struct report got = {0};
	ck_assert_int_eq(report_parse(span_of(ROWS[_i].text), &got), ROWS[_i].r);
	expect_same(&got, &ROWS[_i].want);
}
END_TEST

START_TEST(there_and_back)
{
	const struct report most = {INT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	char text[REPORT_MAX];
	struct report got;
	report_format(text, &most);
	ck_assert_uint_lt(strlen(text), REPORT_MAX - 1);
	ck_assert_int_eq(report_parse(span_of(text), &got), 0);
	expect_same(&got, &most);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("report");
	TCase *c = tcase_create("report");
	tcase_add_loop_test(c, parse, 0, LEN(ROWS));
	tcase_add_test(c, there_and_back);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
