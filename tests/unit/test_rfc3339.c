/* The time before each container line. */
#include "agent/lines/rfc3339.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static const struct {
	const char *text;
	int64_t us; /* -1: refused */
} times[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1970-01-01T00:00:00.000001Z", 1},
	{"1970-01-01T00:00:00.1Z", 100000},
	{"1970-01-01T00:00:00.123456789Z", 123456},
	{"1970-01-01T02:00:00.5+02:00", 500000},
	{"1969-12-31T18:30:00-05:30", 0},
	{"1970-01-02T00:00:00+23:59", 60000000},
	{"2026-11-22T05:40:00.123456Z", INT64_C(1795326000123456)},
	{"2016-12-31T23:59:60.25Z", INT64_C(1483228799999999)},
	{"2000-02-29t12:00:00z", INT64_C(951825600000000)},
	{"", -1},
	{"1970-01-01T00:00:00", -1},
	{"1970-01-01 00:00:00Z", -1},
	{"1970-13-01T00:00:00Z", -1},
	{"1970-02-29T00:00:00Z", -1},
	{"1970-01-01T24:00:00Z", -1},
	{"1970-01-01T00:60:00Z", -1},
	{"1970-01-01T00:00:61Z", -1},
	{"1970-01-01T00:00:00.Z", -1},
	{"1970-01-01T00:00:00.1234567890Z", -1},
	{"1970-01-01T00:00:00.1", -1},
	{"1970-01-01T00:00:00ZZ", -1},
	{"1970-01-01T00:00:00+0200", -1},
	{"1970-01-01T00:00:00+24:00", -1},
	{"1970-01-01T00:00:00 02:00", -1},
	{"0000-01-01T00:00:00Z", -1},
	{"0001-01-01T00:00:00+01:00", -1},
	{"9999-12-31T23:59:59-01:00", -1},
	{"19x0-01-01T00:00:00Z", -1},
	{"1970-01-01T00:00:0:Z", -1},
};

START_TEST(table)
{
	int64_t us = -7;
	int r = rfc3339_parse_us(span_of(times[_i].text), &us);
	if (times[_i].us < 0) {
		ck_assert_msg(r == -EINVAL && us == -7, "%s", times[_i].text);
	} else {
		ck_assert_msg(r == 0, "%s", times[_i].text);
		ck_assert_int_eq(us, times[_i].us);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rfc3339");
	TCase *t = tcase_create("rfc3339");
	tcase_add_loop_test(t, table, 0, sizeof(times) / sizeof(times[0]));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
