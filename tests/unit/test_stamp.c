/* The dispatcher: modes and their errors, what is remembered from line to line, and what is not.
 * Forms and JSON have tests of their own. */
#include "agent/stamp/stamp.h"

#include "agent/stamp/moment.h"
#include "common/civil.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define NOW_US INT64_C(1795327200000000) /* 2026-11-22T06:00:00Z */
#define T      "2026-11-22T05:40:00.000000Z"

#define N(array) (int)(sizeof(array) / sizeof(*(array)))

static struct stamp *stamp_of(const char *spec, const char *zone)
{
	struct stamp *s = NULL;
	const char *why = "";
	ck_assert_msg(stamp_new(spec, zone, &s, &why) == 0, "%s: %s", spec, why);
	return s;
}

static const char *found(const struct stamp *s, struct stamp_memory *memory, const char *line)
{
	static char text[CIVIL_TIME_LEN + 1];
	int64_t us = 77;
	if (!stamp_find(s, memory, span_of(line), NOW_US, &us)) {
		ck_assert_int_eq(us, 77);
		return "none";
	}
	civil_format_us(text, us);
	text[CIVIL_TIME_LEN] = '\0';
	return text;
}

static void hold(const struct stamp *s, struct stamp_memory *memory, const char *line,
		 const char *expected)
{
	const char *is = found(s, memory, line);
	ck_assert_msg(strcmp(is, expected) == 0, "%s\n  gives   %s\n  and not %s", line, is,
		      expected);
}

/* --- options --- */

START_TEST(bad_options)
{
	static const struct {
		const char *spec, *zone;
	} bad[] = {
		{"", "UTC"},
		{"Auto", "UTC"},
		{"json", "UTC"},
		{"json:", "UTC"},
		{"strptime", "UTC"},
		{"strptime:", "UTC"},
		{"strptime:%H:%M", "UTC"},
		{"strptime:%Q", "UTC"},
		{"strptime:%", "UTC"},
		{"auto", "Nowhere"},
		{"auto", ""},
		{"none", "+99:00"},
	};
	for (int i = 0; i < N(bad); i++) {
		struct stamp *s = NULL;
		const char *why = NULL;
		ck_assert_msg(stamp_new(bad[i].spec, bad[i].zone, &s, &why) == -EINVAL, "%s %s",
			      bad[i].spec, bad[i].zone);
		ck_assert_ptr_null(s);
		ck_assert_msg(why && *why, "%s %s says nothing", bad[i].spec, bad[i].zone);
	}
	char long_path[300] = "json:";
	memset(long_path + 5, 'a', sizeof(long_path) - 6);
	struct stamp *s = NULL;
	const char *why = NULL;
	ck_assert_int_eq(stamp_new(long_path, "UTC", &s, &why), -EINVAL);
	stamp_free(NULL);
}
END_TEST

START_TEST(mode_none_finds_nothing)
{
	struct stamp *s = stamp_of("none", "UTC");
	struct stamp_memory memory = {0};
	hold(s, &memory, "2026-11-22T05:40:00Z up", "none");
	hold(s, &memory, "{\"ts\":1795326000}", "none");
	stamp_free(s);
}
END_TEST

/* --- memory --- */

/* Each of these as a source of its own, with others' lines between: every line gives what it gives
 * alone. */
START_TEST(forms_change_from_line_to_line)
{
	static const char *const lines[] = {
		"2026-11-22T05:40:00Z up",
		"[2026-11-22 05:40:00] up",
		"INFO 2026-11-22 05:40:00 up",
		"{\"ts\":1795326000}",
		"Nov 22 05:40:00 web-1 up",
		"10.0.0.1 - - [22/Nov/2026:05:40:00 +0000] \"GET / HTTP/1.1\" 200 5",
		"10.0.0.100 - frank [22/Nov/2026:05:40:00 +0000] \"GET /\" 200 5",
		"I1122 05:40:00.000000 1234 f.cc:1] up",
		"level=info ts=2026-11-22T05:40:00Z msg=up",
		"level=error ts=2026-11-22T05:40:00Z msg=up",
		"1795326000 up",
		"{\"level\":\"info\",\"time\":\"2026-11-22T05:40:00Z\"}",
		"<34>1 2026-11-22T05:40:00Z web-1 up",
		"<165>1 2026-11-22T05:40:00Z web-1 up",
		"type=PATH msg=audit(1795326000.000:456): item=0",
	};
	struct stamp *s = stamp_of("auto", "UTC");
	struct stamp_memory memory = {0};
	for (int i = 0; i < N(lines); i++) {
		for (int k = 0; k < N(lines); k++) {
			hold(s, &memory, lines[i], T);
			hold(s, &memory, "    at com.acme.Foo.bar(Foo.java:12)", "none");
			hold(s, &memory, "java.lang.IllegalStateException: oh no", "none");
			hold(s, &memory, lines[k], T);
		}
	}
	stamp_free(s);
}
END_TEST

/* Once it is known where the time stands, one word before a date makes a text of it. */
START_TEST(settled_sources_are_strict)
{
	static const char *const texts[] = {
		"Date: Sun, 22 Nov 2025 05:40:00 GMT",
		"Last-Modified: Sun, 22 Nov 2025 05:40:00 GMT",
		"java.sql.SQLException: 2025-11-22 05:40:00 is no time",
		"Until 2025-11-22 05:40:00",
	};
	struct stamp *s = stamp_of("auto", "UTC");
	struct stamp_memory memory = {0};
	hold(s, &memory, "2026-11-22T05:40:00Z up", T);
	for (int i = 0; i < N(texts); i++)
		hold(s, &memory, texts[i], "none");
	hold(s, &memory, "INFO 2026-11-22T05:40:00Z up", T);
	hold(s, &memory, "[INFO] 2026-11-22T05:40:00Z up", T);
	/* A source that has a word there keeps it, whatever its length. */
	struct stamp_memory named = {0};
	hold(s, &named, "alice 2026-11-22T05:40:00Z up", T);
	hold(s, &named, "bob 2026-11-22T05:40:00Z up", T);
	/* When the times stop, the source is looked at with fresh eyes. */
	for (int i = 0; i < 16; i++)
		hold(s, &memory, "another kind of line", "none");
	hold(s, &memory, "alice 2026-11-22T05:40:00Z up", T);
	stamp_free(s);
}
END_TEST

/* What is no time must not become what is looked for. */
START_TEST(impossible_times_are_not_remembered)
{
	struct stamp *s = stamp_of("auto", "UTC");
	struct stamp_memory memory = {0};
	hold(s, &memory, "INFO 2026-11-22T05:40:00Z up", T);
	struct stamp_memory before = memory;
	hold(s, &memory, "2026-02-30T05:40:00Z up", "none");
	hold(s, &memory, "4915112345678 called", "none");
	ck_assert_int_eq(memory.format, before.format);
	ck_assert_int_eq(memory.at, before.at);
	ck_assert_int_eq(memory.misses, 2);
	hold(s, &memory, "INFO 2026-11-22T05:40:00Z up", T);
	ck_assert_int_eq(memory.misses, 0);
	stamp_free(s);
}
END_TEST

/* However many lines had none, a time at the start is found at once, one behind a prefix within 16
 * lines. */
START_TEST(found_again_after_many_without)
{
	struct stamp *s = stamp_of("auto", "UTC");
	for (int misses = 0; misses < 600; misses += 7) {
		struct stamp_memory memory = {0};
		for (int i = 0; i < misses; i++)
			hold(s, &memory, "no time here", "none");
		struct stamp_memory prefixed = memory;
		hold(s, &memory, "2026-11-22T05:40:00Z up", T);
		int tries = 1;
		while (strcmp(found(s, &prefixed, "INFO 2026-11-22T05:40:00Z up"), T) != 0)
			ck_assert_int_le(++tries, 16);
		hold(s, &prefixed, "INFO 2026-11-22T05:40:00Z up", T);
	}
	stamp_free(s);
}
END_TEST

/* Where another source had its time, or nobody, does no harm. */
START_TEST(any_memory_is_harmless)
{
	static const char *const lines[] = {
		"2026-11-22T05:40:00Z up", "{\"ts\":1795326000}",         "x", "{", "[",
		"1795326000 up",           "[22/Nov/2026:05:40:00 +0000]"};
	struct stamp *s = stamp_of("auto", "UTC");
	for (int from = 0; from < N(lines); from++) {
		for (int i = 0; i < N(lines); i++) {
			for (unsigned at = 0; at < 4 * 40; at++) {
				struct stamp_memory memory = {0};
				(void)found(s, &memory, lines[from]);
				memory.bracket = at & 1;
				memory.from_end = at & 2;
				memory.at = (uint16_t)(at / 4);
				memory.misses = (uint8_t)(at * 7);
				const char *is = found(s, &memory, lines[i]);
				ck_assert_msg(strcmp(is, T) == 0 || strcmp(is, "none") == 0,
					      "%s: %s", lines[i], is);
			}
		}
	}
	stamp_free(s);
}
END_TEST

/* Local times over the change of the clocks, in the order of a file, each as it is written. */
START_TEST(local_times_over_a_change)
{
	static const struct {
		const char *line, *expected;
	} night[] = {
		{"2026-10-25 01:59:59 a", "2026-10-24T23:59:59.000000Z"},
		{"2026-10-25 02:00:00 b", "2026-10-25T00:00:00.000000Z"},
		{"2026-10-25 02:59:59 c", "2026-10-25T00:59:59.000000Z"},
		{"2026-10-25 02:00:00 d", "2026-10-25T01:00:00.000000Z"},
		{"2026-10-25 02:59:59 e", "2026-10-25T01:59:59.000000Z"},
		{"2026-10-25 03:00:00 f", "2026-10-25T02:00:00.000000Z"},
		{"2026-10-25 02:30:00 CEST g", "2026-10-25T00:30:00.000000Z"},
		{"2026-10-25 02:30:00 CET h", "2026-10-25T01:30:00.000000Z"},
	};
	ck_assert_int_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
	struct stamp *s = stamp_of("auto", "local");
	struct stamp_memory memory = {0};
	for (int i = 0; i < N(night); i++) {
		int64_t written_us, us = -1;
		ck_assert_int_eq(civil_parse_us(span_of(night[i].expected), &written_us), 0);
		ck_assert_int_eq(
			stamp_find(s, &memory, span_of(night[i].line), written_us + 50000, &us), 1);
		ck_assert_msg(us == written_us, "%s", night[i].line);
	}
	stamp_free(s);
}
END_TEST

/* --- numbers as epochs --- */

START_TEST(epochs)
{
	static const struct {
		const char *number;
		bool any_size;
		int64_t us; /* -1: none */
	} all[] = {
		{"1795326000", false, 1795326000000000},
		{"1795326000.5", false, 1795326000500000},
		{"1795326000,5", false, 1795326000500000},
		{"1795326000.1234567", false, 1795326000123456},
		{"1795326000123", false, 1795326000123000},
		{"1795326000123.4567", false, 1795326000123456},
		{"1795326000123456", false, 1795326000123456},
		{"1795326000123456.9", false, 1795326000123456},
		{"1795326000123456789", false, 1795326000123456},
		{"9999999999999999999", false, 9999999999999999},
		{"179532600", false, 179532600000000},
		{"001795326000", false, 1795326000000000},
		{"1.795326e9", false, 1795326000000000},
		{"17953260000e-1", false, 1795326000000000},
		{"1e9", false, 1000000000000000},
		{"1e18", false, 1000000000000000},
		{"17953260", false, -1},
		{"17953260001", false, -1},
		{"17953260001234", false, -1},
		{"17953260001234567", false, -1},
		{"17953260001234567890", false, -1},
		{"0", false, -1},
		{"0", true, 0},
		{"0.0", true, 0},
		{"00000000000000000000000000000", true, 0},
		{"12", true, 12000000},
		{"0.5", true, 500000},
		{"0.0000000000000000000000000000000005", true, 0},
		{"17953260001", true, 17953260001000000},
		{"17953260001234", true, 17953260001234000},
		{"17953260001234567", true, 17953260001234567},
		{"99999999999999999999", true, -1},
		{"1e99", true, -1},
		{"1e999999999999", true, -1},
		{"1e-99", true, 0},
		{"", true, -1},
		{".5", true, -1},
		{"5.", true, -1},
		{"5.x", true, -1},
		{"5e", true, -1},
		{"5e+", true, -1},
		{"5e1x", true, -1},
		{"-5", true, -1},
		{"+5", true, -1},
		{"0x5", true, -1},
		{"5 ", true, -1},
	};
	for (int i = 0; i < N(all); i++) {
		int64_t us = -1;
		bool good = moment_epoch(span_of(all[i].number), all[i].any_size, &us);
		ck_assert_msg(good == (all[i].us != -1), "%s", all[i].number);
		ck_assert_msg(!good || us == all[i].us, "%s: %lld", all[i].number, (long long)us);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("stamp");
	tcase_add_test(tc, bad_options);
	tcase_add_test(tc, mode_none_finds_nothing);
	tcase_add_test(tc, forms_change_from_line_to_line);
	tcase_add_test(tc, settled_sources_are_strict);
	tcase_add_test(tc, impossible_times_are_not_remembered);
	tcase_add_test(tc, found_again_after_many_without);
	tcase_add_test(tc, any_memory_is_harmless);
	tcase_add_test(tc, local_times_over_a_change);
	tcase_add_test(tc, epochs);
	Suite *s = suite_create("stamp");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
