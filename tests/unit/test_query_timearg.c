/* Times as people type them. */
#include "collector/query/timearg.h"
#include "common/civil.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static const char *const NOW = "2026-11-22T14:30:15.500000Z";

static const struct {
	const char *text, *time;
} GOOD[] = {
	{"now", "2026-11-22T14:30:15.500000Z"},
	{"today", "2026-11-22T00:00:00.000000Z"},
	{"yesterday", "2026-11-21T00:00:00.000000Z"},
	{"1h", "2026-11-22T13:30:15.500000Z"},
	{"30m", "2026-11-22T14:00:15.500000Z"},
	{"90s", "2026-11-22T14:28:45.500000Z"},
	{"1h30m", "2026-11-22T13:00:15.500000Z"},
	{"2d", "2026-11-20T14:30:15.500000Z"},
	{"1w", "2026-11-15T14:30:15.500000Z"},
	{"05:00", "2026-11-22T05:00:00.000000Z"},
	{"05:00:01.5", "2026-11-22T05:00:01.500000Z"},
	{"2026-11-20", "2026-11-20T00:00:00.000000Z"},
	{"2026-11-22T05:00", "2026-11-22T05:00:00.000000Z"},
	{"2026-11-22 05:00", "2026-11-22T05:00:00.000000Z"},
	{"2026-11-22T05:00:30", "2026-11-22T05:00:30.000000Z"},
	{"2026-11-22T05:00:30.123456Z", "2026-11-22T05:00:30.123456Z"},
	{"2026-11-22T05:00:30Z", "2026-11-22T05:00:30.000000Z"},
	{"2026-11-22t05:00:30z", "2026-11-22T05:00:30.000000Z"},
	{"2026-11-22T05:00:30+02:00", "2026-11-22T03:00:30.000000Z"},
	{"2026-11-22T05:00:30-0130", "2026-11-22T06:30:30.000000Z"},
	{"2026-11-22T01:00+02", "2026-11-21T23:00:00.000000Z"},
	{"2026-12-31T23:59:60Z", "2027-01-01T00:00:00.000000Z"},
	/* A bound is never earlier than what was asked for. */
	{"2026-11-22T05:00:30.1234560Z", "2026-11-22T05:00:30.123456Z"},
	{"2026-11-22T05:00:30.1234561Z", "2026-11-22T05:00:30.123457Z"},
	{"2024-02-29", "2024-02-29T00:00:00.000000Z"},
};

static const struct {
	const char *text;
	size_t at;
} BAD[] = {
	{"", 0},
	{"yesterdy", 0},
	{"1", 1},
	{"1x", 1},
	{"-1h", 0},
	{"1h ", 2},
	{"h", 0},
	{"2026-13-01", 5},
	{"2026-02-30", 0},
	{"2026-11-22T", 11},
	{"2026-11-22T25:00", 11},
	{"2026-11-22T05:60", 14},
	{"2026-11-22T05:00:30.", 20},
	{"2026-11-22T05:00X", 16},
	{"2026-11-22T05:00+2", 18},
	{"2026-11-22x05:00", 10},
	{"2026-1-2", 6},
	{"9999999999s", 6},
	{"5:00", 1},
};

static int64_t now_us(void)
{
	int64_t us;
	ck_assert_int_eq(civil_parse_us(span_of(NOW), &us), 0);
	return us;
}

START_TEST(good)
{
	char text[CIVIL_TIME_LEN + 1] = "";
	int64_t us;
	size_t at;
	ck_assert_int_eq(timearg_parse(span_of(GOOD[_i].text), now_us(), &us, &at), 0);
	civil_format_us(text, us);
	ck_assert_str_eq(text, GOOD[_i].time);
}
END_TEST

START_TEST(bad)
{
	int64_t us = 4711;
	size_t at = 99;
	ck_assert_int_eq(timearg_parse(span_of(BAD[_i].text), now_us(), &us, &at), -EINVAL);
	ck_assert_uint_eq(at, BAD[_i].at);
	ck_assert_int_eq(us, 4711);
}
END_TEST

START_TEST(every)
{
	int64_t us;
	ck_assert_int_eq(timearg_parse_every(SPAN_LITERAL("10s"), &us), 0);
	ck_assert_int_eq(us, 10000000);
	ck_assert_int_eq(timearg_parse_every(SPAN_LITERAL("1h30m"), &us), 0);
	ck_assert_int_eq(us, INT64_C(5400000000));
	ck_assert_int_eq(timearg_parse_every(SPAN_LITERAL("0s"), &us), -EINVAL);
	ck_assert_int_eq(timearg_parse_every(SPAN_LITERAL("10"), &us), -EINVAL);
	ck_assert_int_eq(timearg_parse_every(SPAN_LITERAL(""), &us), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_timearg");
	TCase *c = tcase_create("timearg");
	tcase_add_loop_test(c, good, 0, LEN(GOOD));
	tcase_add_loop_test(c, bad, 0, LEN(BAD));
	tcase_add_test(c, every);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
