/* Calendar time against the C library, at every boundary and at random instants. */
#include "common/civil.h"

#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static uint64_t random_state;

static uint64_t next_random(void) /* splitmix64 */
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void expected(char dst[64], int64_t us)
{
	int64_t micro = ((us % NUM_SEC_US) + NUM_SEC_US) % NUM_SEC_US;
	time_t seconds = (time_t)((us - micro) / NUM_SEC_US);
	struct tm tm;
	ck_assert_ptr_nonnull(gmtime_r(&seconds, &tm));
	(void)snprintf(dst, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
		       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)micro);
}

/* Plain ifs: an assertion of check costs a system call, and there are millions of instants. */
static void check_instant(int64_t us)
{
	char want[64], text[CIVIL_TIME_LEN + 1] = {0}, day[CIVIL_DAY_LEN + 1] = {0};
	int64_t back = 0;
	int32_t day_back = 0;
	expected(want, us);
	civil_format_us(text, us);
	if (strcmp(text, want) != 0)
		ck_abort_msg("%s is written %s", want, text);
	if (civil_parse_us(span_of(text), &back) < 0 || back != us)
		ck_abort_msg("%s is read as %lld", text, (long long)back);

	int32_t days = civil_day_of_us(us);
	civil_format_day(day, days);
	if (strncmp(day, want, CIVIL_DAY_LEN) != 0 || day[CIVIL_DAY_LEN])
		ck_abort_msg("the day of %s is written %s", want, day);
	if (civil_parse_day(span_of(day), &day_back) < 0 || day_back != days)
		ck_abort_msg("%s is read as %d", day, day_back);
}

START_TEST(named_instants)
{
	static const struct {
		int64_t us;
		const char *text;
	} table[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{-1, "1969-12-31T23:59:59.999999Z"},
		{1, "1970-01-01T00:00:00.000001Z"},
		{CIVIL_MIN_US, "0001-01-01T00:00:00.000000Z"},
		{CIVIL_MAX_US, "9999-12-31T23:59:59.999999Z"},
		{INT64_C(1795326000123456), "2026-11-22T05:40:00.123456Z"},
		{INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
	};
	for (int i = 0; i < LEN(table); i++) {
		char text[CIVIL_TIME_LEN + 1] = {0};
		civil_format_us(text, table[i].us);
		ck_assert_str_eq(text, table[i].text);
		check_instant(table[i].us);
	}
}
END_TEST

START_TEST(every_day_of_the_range)
{
	int32_t day = CIVIL_MIN_DAY;
	for (int year = 1; year <= 9999; year++)
		for (unsigned month = 1; month <= 12; month++)
			for (unsigned d = 1; civil_valid_date(year, month, d); d++, day++) {
				int y;
				unsigned m, dd;
				civil_from_days(day, &y, &m, &dd);
				if (y != year || m != month || dd != d ||
				    civil_days(year, month, d) != day)
					ck_abort_msg("day %d is %d-%u-%u", day, y, m, dd);
			}
	ck_assert_int_eq(day - 1, CIVIL_MAX_DAY);
}
END_TEST

START_TEST(around_every_month)
{
	for (int year = 1; year <= 9999; year++)
		for (unsigned month = 1; month <= 12; month++) {
			int64_t us = civil_days(year, month, 1) * NUM_DAY_US;
			check_instant(us);
			if (us > CIVIL_MIN_US)
				check_instant(us - 1);
		}
}
END_TEST

START_TEST(random_instants)
{
	random_state = 1;
	uint64_t width = (uint64_t)(CIVIL_MAX_US - CIVIL_MIN_US) + 1;
	for (int i = 0; i < 100000; i++)
		check_instant(CIVIL_MIN_US + (int64_t)(next_random() % width));
	/* And where logs are: 1970 to 2100. */
	for (int i = 0; i < 100000; i++)
		check_instant((int64_t)(next_random() % UINT64_C(4102444800000000)));
}
END_TEST

START_TEST(every_second_of_a_day)
{
	for (int64_t s = 0; s < NUM_DAY_SEC; s++)
		check_instant(NUM_DAY_US * 20000 + s * NUM_SEC_US + 999999);
}
END_TEST

START_TEST(day_of_an_instant_is_its_floor)
{
	ck_assert_int_eq(civil_day_of_us(0), 0);
	ck_assert_int_eq(civil_day_of_us(-1), -1);
	ck_assert_int_eq(civil_day_of_us(NUM_DAY_US - 1), 0);
	ck_assert_int_eq(civil_day_of_us(NUM_DAY_US), 1);
	ck_assert_int_eq(civil_day_of_us(-NUM_DAY_US), -1);
	ck_assert_int_eq(civil_day_of_us(-NUM_DAY_US - 1), -2);
	ck_assert_int_eq(civil_day_of_us(INT64_MAX), (int32_t)(INT64_MAX / NUM_DAY_US));
	ck_assert_int_eq(civil_day_of_us(INT64_MIN), (int32_t)(INT64_MIN / NUM_DAY_US) - 1);
}
END_TEST

START_TEST(valid_dates)
{
	ck_assert(civil_valid_date(2000, 2, 29));
	ck_assert(civil_valid_date(2024, 2, 29));
	ck_assert(!civil_valid_date(1900, 2, 29));
	ck_assert(!civil_valid_date(2023, 2, 29));
	ck_assert(!civil_valid_date(2024, 2, 30));
	ck_assert(!civil_valid_date(2024, 4, 31));
	ck_assert(civil_valid_date(2024, 12, 31));
	ck_assert(!civil_valid_date(2024, 12, 32));
	ck_assert(!civil_valid_date(2024, 0, 1));
	ck_assert(!civil_valid_date(2024, 13, 1));
	ck_assert(!civil_valid_date(2024, 1, 0));
	ck_assert(!civil_valid_date(0, 1, 1));
	ck_assert(!civil_valid_date(-1, 1, 1));
	ck_assert(!civil_valid_date(10000, 1, 1));
	ck_assert(!civil_valid_date(2024, UINT32_MAX, UINT32_MAX));
}
END_TEST

START_TEST(days_beyond_four_digits)
{
	ck_assert_int_eq(civil_days(0, 12, 31), CIVIL_MIN_DAY - 1);
	ck_assert_int_eq(civil_days(10000, 1, 1), CIVIL_MAX_DAY + 1);
	ck_assert_int_eq(civil_days(-400, 1, 1), civil_days(0, 1, 1) - 146097);
	ck_assert_int_eq(civil_days(2026, 1, 32), civil_days(2026, 2, 1));
	random_state = 2;
	for (int i = 0; i < 100000; i++) {
		int32_t day = (int32_t)(next_random() % 290000000) - 145000000;
		int year;
		unsigned month, d;
		civil_from_days(day, &year, &month, &d);
		if (civil_days(year, month, d) != day)
			ck_abort_msg("day %d is not %d-%u-%u", day, year, month, d);
		/* Dates that differ by an era differ by its days. */
		ck_assert_int_eq(civil_days(year % 400 + 2000, month, d) - civil_days(2000, 1, 1),
				 day - civil_days(year - year % 400, 1, 1));
	}
}
END_TEST

static const char GOOD[] = "2026-11-22T05:40:00.123456Z";

START_TEST(other_forms_are_refused)
{
	static const char *const bad[] = {
		"",
		"2026-11-22T05:40:00.123456",
		"2026-11-22T05:40:00.123456Z ",
		"2026-11-22T05:40:00.1234567Z",
		"2026-11-22T05:40:00,123456Z",
		"2026-11-22 05:40:00.123456Z",
		"2026-11-22t05:40:00.123456z",
		"2026/11/22T05:40:00.123456Z",
		"2026-11-22T05-40-00.123456Z",
		"2026-11-22T05:40:60.123456Z",
		"2026-11-22T05:60:00.123456Z",
		"2026-11-22T24:00:00.000000Z",
		"2026-02-29T05:40:00.123456Z",
		"2026-00-22T05:40:00.123456Z",
		"2026-13-22T05:40:00.123456Z",
		"2026-11-00T05:40:00.123456Z",
		"2026-11-31T05:40:00.123456Z",
		"0000-11-22T05:40:00.123456Z",
		"-026-11-22T05:40:00.123456Z",
		"+026-11-22T05:40:00.123456Z",
		"2026-11-22T05:40:00.12345 Z",
	};
	int64_t us = 4711;
	for (int i = 0; i < LEN(bad); i++)
		ck_assert_msg(civil_parse_us(span_of(bad[i]), &us) == -EINVAL, "%s", bad[i]);
	/* No byte but a digit passes where a digit stands, none but itself elsewhere. */
	for (size_t at = 0; at < CIVIL_TIME_LEN; at++)
		for (int c = 0; c < 256; c++) {
			char text[sizeof(GOOD)];
			memcpy(text, GOOD, sizeof(GOOD));
			text[at] = (char)c;
			bool digit = GOOD[at] >= '0' && GOOD[at] <= '9';
			if (c == GOOD[at] || (digit && c >= '0' && c <= '9'))
				continue;
			if (civil_parse_us(span_make(text, CIVIL_TIME_LEN), &us) != -EINVAL)
				ck_abort_msg("byte %d at %zu passes", c, at);
		}
	ck_assert_int_eq(us, 4711);
}
END_TEST

START_TEST(other_forms_of_days_are_refused)
{
	static const char *const bad[] = {
		"",           "2026-11-2",  "2026-11-222", "2026-1-22",
		"2026-11-31", "0000-01-01", "2026_11_22",  "2026-11-22Z",
		" 026-11-22", "2026-11-2x", "today",
	};
	int32_t day = 4711;
	for (int i = 0; i < LEN(bad); i++)
		ck_assert_msg(civil_parse_day(span_of(bad[i]), &day) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(day, 4711);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("civil");
	TCase *tcase = tcase_create("civil");
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, named_instants);
	tcase_add_test(tcase, every_day_of_the_range);
	tcase_add_test(tcase, around_every_month);
	tcase_add_test(tcase, random_instants);
	tcase_add_test(tcase, every_second_of_a_day);
	tcase_add_test(tcase, day_of_an_instant_is_its_floor);
	tcase_add_test(tcase, valid_dates);
	tcase_add_test(tcase, days_beyond_four_digits);
	tcase_add_test(tcase, other_forms_are_refused);
	tcase_add_test(tcase, other_forms_of_days_are_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
