/* Time zones, held against the C library's: it turns instants into local times, zone.c must find
 * the way back, on both sides of every change of the clocks. */
#include "agent/stamp/zone.h"

#include "agent/stamp/zone_rule.h"
#include "common/civil.h"
#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ZONE_DIR "/usr/share/zoneinfo"
#define LONG_AGO (INT64_MIN / 4)
#define YEAR_S   INT64_C(31556952)

/* Europe's rules twice (files of the tz database and strings), half an hour's change, none at all,
 * zones far from UTC, one that changes its standard time, and rules of other kinds. */
static const char *const zones[] = {
	"Europe/Berlin",       "America/New_York",  "Asia/Kolkata",
	"Australia/Lord_Howe", "Europe/London",     "Europe/Dublin",
	"America/St_Johns",    "America/Sao_Paulo", "Africa/Casablanca",
	"Asia/Gaza",           "Asia/Tehran",       "Pacific/Apia",
	"Pacific/Kiritimati",  "Pacific/Chatham",   "America/Godthab",
	"Antarctica/Troll",    "Etc/GMT+12",        "UTC",
};

static const char *const rules[] = {
	"CET-1CEST,M3.5.0,M10.5.0/3",
	"EST5EDT",
	"EST5EDT,M3.2.0,M11.1.0",
	"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	"<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	"IST-2IDT,M3.4.4/26,M10.5.0",
	"AAA3BBB,J60/0,J300/2:30",
	"AAA-3BBB-5,59,299",
	"<+0330>-3:30",
	"UTC0",
};

#define N(array) (int)(sizeof(array) / sizeof(*(array)))

static bool have_database(void)
{
	return access(ZONE_DIR "/Europe/Berlin", R_OK) == 0;
}

static struct zone *zone_of(const char *name)
{
	struct zone *z = NULL;
	const char *why = "";
	int r = zone_new(name, &z, &why);
	ck_assert_msg(r == 0, "%s: %d %s", name, r, why);
	return z;
}

/* What a clock in the zone of TZ shows. */
static int64_t local_at(int64_t utc_s, long *ret_offset_s)
{
	time_t t = (time_t)utc_s;
	struct tm tm;
	ck_assert_ptr_nonnull(localtime_r(&t, &tm));
	*ret_offset_s = tm.tm_gmtoff;
	return utc_s + tm.tm_gmtoff;
}

static void set_tz(const char *tz)
{
	ck_assert_int_eq(setenv("TZ", tz, 1), 0);
	tzset();
}

/* Everything from a day before to a day after an instant, every five minutes: a local time that the
 * clock shows is the first instant at which it shows it; one that it skips is read by the offset
 * before. */
static void hold_around(const struct zone *z, struct zone_range *cache, int64_t around_s)
{
	enum { STEP = 300, STEPS = 2 * 86400 / STEP };
	int64_t begin_s = around_s - 86400;
	begin_s -= begin_s % STEP;
	long offset_s;
	int64_t shown_until = local_at(begin_s, &offset_s);
	for (int i = 0; i < STEPS; i++) {
		int64_t utc_s = begin_s + i * (int64_t)STEP;
		long before_s = offset_s;
		int64_t local_s = local_at(utc_s, &offset_s);
		for (int64_t skipped_s = shown_until; skipped_s < local_s; skipped_s += STEP)
			ck_assert_int_eq(zone_to_utc(z, cache, skipped_s, LONG_AGO),
					 skipped_s - before_s);
		if (local_s >= shown_until) {
			ck_assert_int_eq(zone_to_utc(z, cache, local_s, LONG_AGO), utc_s);
			shown_until = local_s + STEP;
		} else { /* the second pass, read as it is written and later */
			ck_assert_int_eq(zone_to_utc(z, cache, local_s, utc_s + 1), utc_s);
			ck_assert_int_lt(zone_to_utc(z, cache, local_s, utc_s + YEAR_S), utc_s);
			ck_assert_int_lt(zone_to_utc(z, cache, local_s, utc_s - 1), utc_s);
		}
	}
}

/* The changes of a year, found by asking the C library for each quarter of a day. */
static void hold_year(const struct zone *z, int year)
{
	struct zone_range cache = {0};
	int64_t begin_s = civil_days(year, 1, 1) * INT64_C(86400);
	long last_s, offset_s;
	int changes = 0;
	(void)local_at(begin_s - 21600, &last_s);
	for (int64_t utc_s = begin_s; utc_s < begin_s + 366 * INT64_C(86400); utc_s += 21600) {
		(void)local_at(utc_s, &offset_s);
		if (offset_s == last_s)
			continue;
		changes++;
		last_s = offset_s;
		hold_around(z, &cache, utc_s);
	}
	if (changes == 0)
		hold_around(z, &cache, begin_s);
	ck_assert_int_le(changes, 4);
}

static void hold_zone(const char *name)
{
	static const int years[] = {1975, 1990, 2007, 2024, 2025, 2026,
				    2027, 2037, 2038, 2100, 2400, 2401};
	set_tz(name);
	struct zone *z = zone_of("local");
	for (int i = 0; i < N(years); i++)
		hold_year(z, years[i]);
	/* All over the years, in no order, with one cache: there and back. */
	struct zone_range cache = {0};
	uint64_t seed = 88172645463325252u;
	for (int i = 0; i < 3000; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		int64_t utc_s = (int64_t)(seed % (uint64_t)(600 * YEAR_S));
		long offset_s, again_s;
		int64_t local_s = local_at(utc_s, &offset_s);
		int64_t back_s = zone_to_utc(z, &cache, local_s, LONG_AGO);
		ck_assert_int_eq(local_at(back_s, &again_s), local_s);
		ck_assert_int_le(back_s, utc_s);
	}
	zone_free(z);
}

START_TEST(database_as_in_the_c_library)
{
	if (have_database())
		hold_zone(zones[_i]);
}
END_TEST

START_TEST(rules_as_in_the_c_library)
{
	hold_zone(rules[_i]);
}
END_TEST

START_TEST(names)
{
	set_tz("Nowhere/Atall");
	struct zone *z = NULL;
	const char *why = NULL;
	ck_assert_int_eq(zone_new("local", &z, &why), -EINVAL);
	ck_assert_ptr_nonnull(why);
	ck_assert_int_eq(unsetenv("TZ"), 0);
	zone_free(zone_of("local")); /* of this machine, whatever that is */
	if (have_database()) {
		zone_free(zone_of("Europe/Berlin"));
		set_tz(":Europe/Berlin");
		zone_free(zone_of("local"));
		set_tz(ZONE_DIR "/Europe/Berlin");
		zone_free(zone_of("local"));
	} else {
		printf("skipped: names of the tz database, which is not installed\n");
	}
	static const char *const bad[] = {"",
					  "Nowhere",
					  "../../etc/passwd",
					  "/etc/localtime",
					  "Europe",
					  "Europe/",
					  "+2",
					  "+25:00",
					  "+02:60",
					  "+02:0",
					  "+02:00x",
					  "02:00",
					  "utc+1",
					  "+0200:",
					  "+:00",
					  "--01",
					  "zone.tab",
					  "+02::00",
					  "UTC ",
					  "posix/../x"};
	for (int i = 0; i < N(bad); i++) {
		why = NULL;
		ck_assert_msg(zone_new(bad[i], &z, &why) == -EINVAL, "%s", bad[i]);
		ck_assert_ptr_nonnull(why);
	}
	ck_assert_ptr_null(z);
	zone_free(NULL);
}
END_TEST

START_TEST(offsets)
{
	static const struct {
		const char *name;
		int32_t offset_s;
	} good[] = {{"UTC", 0},         {"+02:00", 7200},  {"+0200", 7200}, {"+02", 7200},
		    {"-05:30", -19800}, {"+14:00", 50400}, {"-00:00", 0},   {"+00:01", 60}};
	for (int i = 0; i < N(good); i++) {
		struct zone *z = zone_of(good[i].name);
		struct zone_range cache = {0};
		ck_assert_int_eq(zone_to_utc(z, &cache, 1000000, 0), 1000000 - good[i].offset_s);
		/* The cache is for ever. */
		ck_assert_int_lt(cache.from_s, -(INT64_C(1) << 40));
		ck_assert_int_gt(cache.until_s, INT64_C(1) << 40);
		zone_free(z);
	}
}
END_TEST

/* Nothing looked up between two changes more than once: the cache holds from one to the other. */
START_TEST(cache_reaches_from_change_to_change)
{
	set_tz("CET-1CEST,M3.5.0,M10.5.0/3");
	struct zone *z = zone_of("local");
	struct zone_range cache = {0};
	int64_t summer_s = civil_days(2026, 7, 1) * INT64_C(86400);
	(void)zone_to_utc(z, &cache, summer_s, 0);
	ck_assert_int_eq(cache.offset_s, 7200);
	/* From 03:00 of March 29 to 02:00 of October 25, local time. */
	ck_assert_int_eq(cache.from_s,
			 civil_days(2026, 3, 29) * INT64_C(86400) + 3 * INT64_C(3600));
	ck_assert_int_eq(cache.until_s,
			 civil_days(2026, 10, 25) * INT64_C(86400) + 2 * INT64_C(3600));
	zone_free(z);
}
END_TEST

/* The hour that comes twice, lines read as they are written, a little late, and much later. */
START_TEST(second_pass)
{
	set_tz("CET-1CEST,M3.5.0,M10.5.0/3");
	struct zone *z = zone_of("local");
	struct zone_range cache = {0};
	int64_t local_s =
		civil_days(2026, 10, 25) * INT64_C(86400) + 2 * INT64_C(3600) + 1800; /* 02:30 */
	int64_t first_s = local_s - 7200, second_s = local_s - 3600;
	ck_assert_int_eq(zone_to_utc(z, &cache, local_s, first_s), first_s);
	ck_assert_int_eq(zone_to_utc(z, &cache, local_s, first_s + 1), first_s);
	ck_assert_int_eq(zone_to_utc(z, &cache, local_s, second_s - 1), first_s);
	ck_assert_int_eq(zone_to_utc(z, &cache, local_s, second_s), second_s);
	ck_assert_int_eq(zone_to_utc(z, &cache, local_s, second_s + 1800), second_s);
	ck_assert_int_eq(zone_to_utc(z, &cache, local_s, second_s + 86400), first_s);
	zone_free(z);
}
END_TEST

START_TEST(abbreviations)
{
	set_tz("CET-1CEST,M3.5.0,M10.5.0/3");
	struct zone *z = zone_of("local");
	set_tz("IST-5:30");
	struct zone *india = zone_of("local");
	set_tz("CST-8");
	struct zone *china = zone_of("local");
	int64_t winter_s = civil_days(2026, 1, 1) * INT64_C(86400);
	int64_t twice_s = civil_days(2026, 10, 25) * INT64_C(86400) + 2 * INT64_C(3600) + 1800;
	struct {
		struct zone *zone;
		int64_t local_s;
		const char *name;
		int32_t offset_s; /* -1: not known */
	} all[] = {
		{z, winter_s, "CET", 3600},      {z, winter_s, "CEST", 7200},
		{z, twice_s, "CET", 3600},       {z, twice_s, "CEST", 7200},
		{z, winter_s, "EST", -5 * 3600}, {z, winter_s, "PDT", -7 * 3600},
		{z, winter_s, "JST", 9 * 3600},  {z, winter_s, "UTC", 0},
		{z, winter_s, "IST", -1},        {z, winter_s, "CST", -1},
		{z, winter_s, "BST", -1},        {z, winter_s, "INFO", -1},
		{z, winter_s, "", -1},           {india, winter_s, "IST", 19800},
		{china, winter_s, "CST", 28800}, {china, winter_s, "CET", 3600},
	};
	for (int i = 0; i < N(all); i++) {
		int32_t offset_s = -1;
		bool known = zone_abbreviation(all[i].zone, all[i].local_s, span_of(all[i].name),
					       &offset_s);
		ck_assert_msg(offset_s == all[i].offset_s, "%s: %d", all[i].name, offset_s);
		ck_assert(known == (all[i].offset_s != -1));
	}
	zone_free(z);
	zone_free(india);
	zone_free(china);
}
END_TEST

START_TEST(rules_that_are_none)
{
	static const char *const bad[] = {
		"",
		"CET",
		"CE-1",
		"-1",
		"<CET-1",
		"CET-25",
		"CET-1x",
		"CET-1CE",
		"CET-1CEST,",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/168",
		"CET-1CEST,J0,J1",
		"CET-1CEST,J1,J366",
		"CET-1CEST,366,1",
		"CET-1CEST,M3.5.0,M10.5.0/3 ",
		"CET-1:60",
		"AVERYLONGABBREVIATION-1",
		"CET-1CEST-1:00:60",
	};
	struct zone_rule rule = {.std_offset_s = 77};
	for (int i = 0; i < N(bad); i++)
		ck_assert_msg(zone_rule_parse(span_of(bad[i]), &rule) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(rule.std_offset_s, 77);
}
END_TEST

/* --- files --- */

/* A small file of the second version: two types, one change in 2000, and a rule. */
static size_t make_file(uint8_t out[256], const char *rule)
{
	static const uint8_t header[44] = "TZif2";
	static const uint8_t body[] = {
		0,   0,   0,    0,    0x38, 0x6d, 0x43, 0x80, /* 2000-01-01T00:00:00Z */
		1,                                            /* the second type from then on */
		0,   0,   0,    0,    0,    0,                /* UTC, no summer time, name 0 */
		0,   0,   0x0e, 0x10, 0,    4,                /* +3600, name 4 */
		'A', 'A', 'A',  0,    'B',  'B',  'B',  0,
	};
	uint8_t *p = out;
	memcpy(p, header, sizeof(header)); /* the first version's block: empty */
	p += sizeof(header);
	memcpy(p, header, sizeof(header));
	p[35] = 1; /* changes */
	p[39] = 2; /* types */
	p[43] = 8; /* bytes of names */
	p += sizeof(header);
	memcpy(p, body, sizeof(body));
	p += sizeof(body);
	p += sprintf((char *)p, "\n%s\n", rule);
	return (size_t)(p - out);
}

START_TEST(file_of_two_types)
{
	uint8_t file[256];
	size_t len = make_file(file, "BBB-1");
	struct zone *z = NULL;
	const char *why;
	ck_assert_int_eq(zone_from_file(span_make((char *)file, len), &z, &why), 0);
	struct zone_range cache = {0};
	ck_assert_int_eq(zone_to_utc(z, &cache, 946684799, 0), 946684799);
	ck_assert_int_eq(zone_to_utc(z, &cache, 946684799 + 3601, 0), 946684800);
	ck_assert_int_eq(zone_to_utc(z, &cache, 946684799 + 3601 + YEAR_S, 0), 946684800 + YEAR_S);
	zone_free(z);
}
END_TEST

/* Cut anywhere it is refused; with any byte changed it is refused or works. */
START_TEST(damaged_files)
{
	uint8_t file[256];
	size_t len = make_file(file, "BBB-1CCC,M3.5.0,M10.5.0/3");
	const char *why;
	struct zone *z = NULL;
	for (size_t n = 0; n < len; n++) {
		why = NULL;
		ck_assert_int_eq(zone_from_file(span_make((char *)file, n), &z, &why), -EINVAL);
		ck_assert_ptr_nonnull(why);
	}
	for (size_t at = 0; at < len; at++) {
		for (unsigned value = 0; value < 256; value += 5) {
			uint8_t was = file[at];
			file[at] = (uint8_t)value;
			if (zone_from_file(span_make((char *)file, len), &z, &why) == 0) {
				struct zone_range cache = {0};
				for (int year = 1970; year <= 9999; year += 311)
					(void)zone_to_utc(z, &cache,
							  civil_days(year, 3, 30) * INT64_C(86400),
							  0);
				zone_free(z);
				z = NULL;
			}
			file[at] = was;
		}
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("zone");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, database_as_in_the_c_library, 0, N(zones));
	tcase_add_loop_test(tc, rules_as_in_the_c_library, 0, N(rules));
	tcase_add_test(tc, names);
	tcase_add_test(tc, offsets);
	tcase_add_test(tc, cache_reaches_from_change_to_change);
	tcase_add_test(tc, second_pass);
	tcase_add_test(tc, abbreviations);
	tcase_add_test(tc, rules_that_are_none);
	tcase_add_test(tc, file_of_two_types);
	tcase_add_test(tc, damaged_files);
	Suite *s = suite_create("zone");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	if (!have_database())
		printf("skipped: zones of the tz database, which is not installed\n");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
