/* Formats in the manner of strptime. */
#include "agent/stamp/stamp_format.h"

#include "agent/stamp/stamp.h"
#include "common/civil.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_US INT64_C(1795327200000000) /* 2026-11-22T06:00:00Z */

#define N(array) (int)(sizeof(array) / sizeof(*(array)))

static const struct {
	const char *format;
	const char *line;
	const char *expected; /* NULL: no timestamp; the zone is +02:00 */
} examples[] = {
	{"%Y-%m-%d %H:%M:%S", "2026-11-22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%Y-%m-%d %H:%M:%S.%f", "2026-11-22 05:40:00.123 up", "2026-11-22T03:40:00.123000Z"},
	{"%Y-%m-%d %H:%M:%S.%L", "2026-11-22 05:40:00.123456789 up", "2026-11-22T03:40:00.123456Z"},
	{"%Y-%m-%d %H:%M:%S,%N", "2026-11-22 05:40:00,5 up", "2026-11-22T03:40:00.500000Z"},
	{"%Y-%m-%dT%H:%M:%S.%f%z", "2026-11-22T05:40:00.123Z up", "2026-11-22T05:40:00.123000Z"},
	{"%Y-%m-%dT%H:%M:%S%z", "2026-11-22T05:40:00+01:00 up", "2026-11-22T04:40:00.000000Z"},
	{"%Y-%m-%dT%H:%M:%S %z", "2026-11-22T05:40:00 -0330 up", "2026-11-22T09:10:00.000000Z"},
	{"%F %T", "2026-11-22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%F %R", "2026-11-22 05:40 up", "2026-11-22T03:40:00.000000Z"},
	{"%D %r", "11/22/26 05:40:00 PM up", "2026-11-22T15:40:00.000000Z"},
	{"%d.%m.%y %H:%M:%S", "22.11.26 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%d/%m/%Y %I:%M:%S %p", "22/11/2026 12:40:00 am up", "2026-11-21T22:40:00.000000Z"},
	{"%p %I:%M %d/%m/%Y", "PM 12:40 22/11/2026", "2026-11-22T10:40:00.000000Z"},
	{"%a %b %e %H:%M:%S %Y", "Sun Nov  2 05:40:00 2025 up", "2025-11-02T03:40:00.000000Z"},
	{"%A, %d %B %Y %H:%M:%S", "sunday, 22 november 2026 05:40:00",
	 "2026-11-22T03:40:00.000000Z"},
	{"%A, %d %B %Y %H:%M:%S", "Sun, 22 Nov 2026 05:40:00", "2026-11-22T03:40:00.000000Z"},
	{"%b %d %H:%M:%S", "Nov 22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%b %d %H:%M:%S", "Dec 22 05:40:00 up",
	 "2025-12-22T03:40:00.000000Z"}, /* the year is open */
	{"%d.%m. %H:%M", "22.11. 05:40 up", "2026-11-22T03:40:00.000000Z"},
	{"%Y %j %H:%M:%S", "2026 326 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%y%j", "24060", "2024-02-28T22:00:00.000000Z"},
	{"%Y%m%d%H%M%S", "20261122054000 up", "2026-11-22T03:40:00.000000Z"},
	{"%Y-%m-%d", "2026-11-22 up", "2026-11-21T22:00:00.000000Z"},
	{"%s", "1795326000 up", "2026-11-22T05:40:00.000000Z"},
	{"%s.%f", "1795326000.25 up", "2026-11-22T05:40:00.250000Z"},
	{"[%F %T]%%", "[2026-11-22 05:40:00]% up", "2026-11-22T03:40:00.000000Z"},
	{"%F%n%T", "2026-11-22 \t 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%F %T", "2026-11-22     05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%F %T", "2026-1-2 5:4:0 up", "2026-01-02T03:04:00.000000Z"},
	{"%F %T %Z", "2026-11-22 05:40:00 UTC up", "2026-11-22T05:40:00.000000Z"},
	{"%F %T %Z", "2026-11-22 05:40:00 CET up", "2026-11-22T04:40:00.000000Z"},
	{"%F %T %Z", "2026-11-22 05:40:00 XYZ up", "2026-11-22T03:40:00.000000Z"},
	{" %F %T", "  2026-11-22 05:40:00 up", "2026-11-22T03:40:00.000000Z"},
	{"%F %T", "2026-11-22 23:59:60 up", "2026-11-22T21:59:59.999999Z"},
	/* at the line's start, whole, and within the ranges */
	{"%F %T", "INFO 2026-11-22 05:40:00 up", NULL},
	{"%F %T", "2026-11-22T05:40:00 up", NULL},
	{"%F %T", "2026-11-22 05:40", NULL},
	{"%F %T.%f", "2026-11-22 05:40:00 up", NULL},
	{"%F %T.%f", "2026-11-22 05:40:00. up", NULL},
	{"%F %T", "2026-02-30 05:40:00 up", NULL},
	{"%F %T", "2026-11-22 24:00:00 up", NULL},
	{"%F %T", "0026-11-22 05:40:00 up", NULL},
	{"%F %I %p", "2026-11-22 13 PM", NULL},
	{"%F %I %p", "2026-11-22 00 AM", NULL},
	{"%F %I %p", "2026-11-22 12 XM", NULL},
	{"%F %T%z", "2026-11-22 05:40:00 CET", NULL},
	{"%b %d", "Nev 22", NULL},
	{"%a %F", "Foo 2026-11-22", NULL},
	{"%Y %j", "2026 366", NULL},
	{"%Y %j", "2026 0", NULL},
	{"%s", "17953260000000", NULL},
	{"%s", "x", NULL},
	{"%F%%", "2026-11-22 up", NULL},
	{"%F", "", NULL},
};

START_TEST(examples_hold)
{
	char spec[100];
	(void)snprintf(spec, sizeof(spec), "strptime:%s", examples[_i].format);
	struct stamp *s = NULL;
	const char *why = "";
	ck_assert_msg(stamp_new(spec, "+02:00", &s, &why) == 0, "%s: %s", spec, why);
	struct stamp_memory memory = {0};
	size_t len = strlen(examples[_i].line);
	char is[CIVIL_TIME_LEN + 1] = "none";
	int64_t us;
	for (size_t n = 0; n <= len; n++) { /* cut anywhere, too, for the sanitizers */
		char *exact = malloc(n ? n : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, examples[_i].line, n);
		if (stamp_find(s, &memory, span_make(exact, n), NOW_US, &us) && n == len)
			civil_format_us(is, us);
		free(exact);
	}
	const char *expected = examples[_i].expected ? examples[_i].expected : "none";
	ck_assert_msg(strcmp(is, expected) == 0, "%s of %s gives %s and not %s",
		      examples[_i].format, examples[_i].line, is, expected);
	stamp_free(s);
}
END_TEST

START_TEST(formats_that_give_no_time)
{
	static const char *const bad[] = {"",      "%",     "%F%",   "%Q",    "%F %q", "%H:%M:%S",
					  "%Y-%m", "%d",    "%m/%Y", "%j",    "%y",    "plain text",
					  "%Y",    "%a %T", "%z",    "%Ey%F", "%-d%m"};
	for (int i = 0; i < N(bad); i++) {
		const char *why = NULL;
		ck_assert_msg(stamp_format_check(bad[i], &why) == -EINVAL, "%s", bad[i]);
		ck_assert_ptr_nonnull(why);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("stamp_format");
	tcase_add_loop_test(tc, examples_hold, 0, N(examples));
	tcase_add_test(tc, formats_that_give_no_time);
	Suite *s = suite_create("stamp_format");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
