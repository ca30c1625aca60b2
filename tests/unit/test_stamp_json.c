/* JSON lines: which key is the time, which values are, and that only the outermost object counts.
 * Where a table says so the line is read with and without the memory of another. */
#include "agent/stamp/stamp.h"

#include "agent/stamp/stamp_key.h"
#include "common/civil.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_US INT64_C(1795327200000000) /* 2026-11-22T06:00:00Z */
#define T      "2026-11-22T05:40:00.000000Z"
#define T_MS   "2026-11-22T05:40:00.123000Z"
#define T_US   "2026-11-22T05:40:00.123456Z"

#define N(array) (int)(sizeof(array) / sizeof(*(array)))

static struct stamp *stamp_of(const char *spec)
{
	struct stamp *s = NULL;
	const char *why = "";
	ck_assert_msg(stamp_new(spec, "+02:00", &s, &why) == 0, "%s: %s", spec, why);
	return s;
}

static const char *found(const struct stamp *s, struct stamp_memory *memory, const char *line)
{
	static char text[CIVIL_TIME_LEN + 1];
	int64_t us;
	if (!stamp_find(s, memory, span_of(line), NOW_US, &us))
		return "none";
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

struct example {
	const char *line;
	const char *expected;
};

static const struct example objects[] = {
	/* keys */
	{"{\"ts\":\"2026-11-22T05:40:00Z\"}", T},
	{"{\"time\":\"2026-11-22T05:40:00Z\"}", T},
	{"{\"timestamp\":\"2026-11-22T05:40:00Z\"}", T},
	{"{\"@timestamp\":\"2026-11-22T05:40:00Z\"}", T},
	{"{\"level\":30,\"time\":1795326000123,\"pid\":657,\"msg\":\"pino\"}", T_MS},
	{"{\"level\":\"info\",\"ts\":1795326000.123456,\"caller\":\"x.go:1\",\"msg\":"
	 "\"zap\"}",
	 T_US},
	{"{\"L\":\"INFO\",\"T\":\"2026-11-22T05:40:00.123+0000\",\"M\":\"zap\"}", T_MS},
	{"{\"fields\":1,\"level\":\"info\",\"msg\":\"logrus\",\"time\":\"2026-11-22T05:"
	 "40:00Z\"}",
	 T},
	{"{\"name\":\"bunyan\",\"pid\":4,\"level\":30,\"msg\":\"\",\"time\":\"2026-11-"
	 "22T05:40:00.123Z\",\"v\":0}",
	 T_MS},
	{"{\"@t\":\"2026-11-22T05:40:00.123456Z\",\"@mt\":\"Serilog\"}", T_US},
	{"{\"Timestamp\":\"2026-11-22T06:40:00.1234560+01:00\",\"Level\":"
	 "\"Information\"}",
	 T_US},
	{"{\"t\":{\"$date\":\"2026-11-22T05:40:00.123+00:00\"},\"s\":\"I\",\"msg\":"
	 "\"mongod\"}",
	 T_MS},
	{"{\"t\":{\"$date\":1795326000123},\"msg\":\"mongod\"}", T_MS},
	{"{\"t\":{\"$date\":{\"$numberLong\":\"1795326000123\"}},\"msg\":\"mongod\"}", T_MS},
	{"{\"instant\":{\"epochSecond\":1795326000,\"nanoOfSecond\":123456789},\"level\":"
	 "\"INFO\"}",
	 T_US},
	{"{\"timeMillis\":1795326000123,\"thread\":\"main\"}", T_MS},
	{"{\"timestamp\":{\"nanos\":123456789,\"seconds\":1795326000},\"severity\":"
	 "\"INFO\"}",
	 T_US},
	{"{\"timestamp\":{\"seconds\":\"1795326000\"},\"severity\":\"INFO\"}", T},
	{"{\"asctime\":\"2026-11-22 07:40:00,123\",\"levelname\":\"INFO\"}", T_MS},
	{"{\"log\":\"up\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T05:40:00."
	 "123456789Z\"}",
	 T_US},
	{"{\"time_iso8601\":\"2026-11-22T05:40:00+00:00\",\"status\":200}", T},
	{"{\"time_local\":\"22/Nov/2026:05:40:00 +0000\",\"status\":200}", T},
	{"{\"__REALTIME_TIMESTAMP\":\"1795326000123456\",\"MESSAGE\":\"journal\"}", T_US},
	/* values */
	{"{\"ts\":1795326000}", T},
	{"{\"ts\":1795326000.123}", T_MS},
	{"{\"ts\":1795326000.123456789012345678901234567890}", T_US},
	{"{\"ts\":1.795326000123e9}", T_MS},
	{"{\"ts\":1.795326000123456E+09}", T_US},
	{"{\"ts\":1795326000123.456}", T_US},
	{"{\"ts\":1795326000123456}", T_US},
	{"{\"ts\":1795326000123456789}", T_US},
	{"{\"ts\":\"1795326000\"}", T},
	{"{\"ts\":\"1795326000.123\"}", T_MS},
	{"{\"ts\":\"2026-11-22 07:40:00\"}", T},
	{"{\"ts\":\"2026-11-22 07:40:00,123\"}", T_MS},
	{"{\"ts\":\"2026-11-22 01:40:00.123456 -0400 EDT m=+0.5\"}", T_US},
	{"{\"ts\":\"2026-11-22T06:40:00+01:00[Europe/Berlin]\"}", T},
	{"{\"ts\":\"Sun, 22 Nov 2026 05:40:00 GMT\"}", T},
	{"{\"ts\":\"2026-11-22T06:40:00.123\\u002B01:00\"}", T_MS}, /* .NET escapes + */
	{"{\"ts\":\"2026\\/11\\/22 07:40:00\"}", T},                /* PHP escapes / */
	{"{\"t\\u0073\":\"2026-11-22T05:40:00Z\"}", T},
	/* layout */
	{"{ \"level\": \"info\", \"ts\": \"2026-11-22T05:40:00Z\", \"msg\": \"up\" }", T},
	{"{\t\"ts\"\t:\t\"2026-11-22T05:40:00Z\"\t}", T},
	{"{\"ts\":\"2026-11-22T05:40:00Z\"}\r", T},
	{"{\"ts\":1795326000}\r", T},
	{"{\"a\":null,\"b\":true,\"c\":-1.5e3,\"d\":[1,[2],{\"ts\":3}],\"e\":{},\"ts\":"
	 "1795326000}",
	 T},
	{"{\"msg\":\"a \\\"quoted\\\" \\\\\",\"ts\":1795326000}", T},
	{"{\"msg\":\",\\\"ts\\\":1\",\"ts\":1795326000}", T},
	{"{\"msg\":\"}{][\",\"ts\":1795326000}", T},
	{"{\"\":0,\"ts\":1795326000}", T},
	{"{\"ts\":1795326000,\"cut off\":\"her", T},
	/* the outermost object only */
	{"{\"a\":{\"ts\":1795326000}}", "none"},
	{"{\"a\":[{\"ts\":1795326000}]}", "none"},
	{"{\"a\":{\"ts\":1},\"b\":{\"time\":\"2025-11-22T05:40:00Z\"},\"ts\":1795326000}", T},
	{"{\"a\":{\"b\":{\"c\":\"}\"}},\"ts\":1795326000,\"z\":{\"ts\":5}}", T},
	/* preference: ts, time, timestamp, @timestamp, others; what is no time does not
	   count */
	{"{\"@timestamp\":\"2025-01-01T00:00:00Z\",\"ts\":1795326000}", T},
	{"{\"@timestamp\":\"2025-01-01T00:00:00Z\",\"time\":1795326000}", T},
	{"{\"@timestamp\":\"2025-01-01T00:00:00Z\",\"timestamp\":1795326000}", T},
	{"{\"date\":\"2025-01-01T00:00:00Z\",\"@timestamp\":1795326000}", T},
	{"{\"time\":0.35,\"@timestamp\":1795326000}", T},
	{"{\"ts\":\"soon\",\"time\":12,\"timestamp\":null,\"@timestamp\":1795326000}", T},
	{"{\"ts\":{\"a\":1},\"time\":[1],\"@timestamp\":1795326000}", T},
	/* none */
	{"{\"msg\":\"up\"}", "none"},
	{"{\"time\":0.35}", "none"},
	{"{\"time\":35}", "none"},
	{"{\"ts\":-1795326000}", "none"},
	{"{\"ts\":true}", "none"},
	{"{\"ts\":\"\"}", "none"},
	{"{\"ts\":\"2026-11-22\"}", "none"},
	{"{\"ts\":\"2026-02-30T05:40:00Z\"}", "none"},
	{"{\"ts\":\"05:40:00\"}", "none"},
	{"{\"ts\":17953260001}", "none"},    /* 11 digits: neither s nor ms */
	{"{\"ts\":17953260001234}", "none"}, /* 14 */
	{"{\"date\":20261122}", "none"},
	{"{\"TS\":1795326000}", "none"},
	{"{\"tsx\":1795326000}", "none"},
	{"{\"xts\":1795326000}", "none"},
	{"{\"created_at\":\"2026-11-22T05:40:00Z\"}", "none"},
};

/* What is no JSON may give anything, but alone it gives nothing, and reading stays within the
 * line. */
static const struct example broken[] = {
	{"{\"ts\"}", "none"},
	{"{\"ts\":}", "none"},
	{"{ts:1795326000}", "none"},
	{"{\"ts\" 1795326000}", "none"},
	{"{\"a\":\"open,\"ts\":1795326000", "none"},
	{"{\"ts\":\"2026-11-22T05:40:00\\u00", "none"},
	{"{\"ts\":\"2026-11-22T05:40:00\\", "none"},
	{"{\"a\":{{{{[[[[", "none"},
	{"{}", "none"},
	{"{,\"ts\":1795326000}", "none"},
	{"[{\"ts\":1795326000}]", "none"},
};

START_TEST(objects_hold)
{
	struct stamp *s = stamp_of("auto");
	struct stamp_memory memory = {0};
	hold(s, &memory, objects[_i].line, objects[_i].expected);
	/* Once more, with what was learnt from itself. */
	hold(s, &memory, objects[_i].line, objects[_i].expected);
	stamp_free(s);
}
END_TEST

/* After each of these, lines of a source that has its time elsewhere give the same as they do
 * alone; but a key that the source has had goes before a more preferred one. */
START_TEST(objects_hold_with_any_memory)
{
	struct stamp *s = stamp_of("auto");
	for (int i = 0; i < N(objects); i++) {
		struct stamp_memory memory = {0};
		(void)found(s, &memory, objects[_i].line);
		struct stamp_memory alone = {0};
		const char *is = found(s, &memory, objects[i].line);
		char with[CIVIL_TIME_LEN + 1];
		(void)snprintf(with, sizeof(with), "%s", is);
		bool several = strstr(objects[i].line, "2025-01-01") != NULL;
		if (!several)
			hold(s, &alone, objects[i].line, with);
	}
	stamp_free(s);
}
END_TEST

START_TEST(broken_ones_give_nothing)
{
	struct stamp *s = stamp_of("auto");
	struct stamp_memory memory = {0};
	hold(s, &memory, broken[_i].line, broken[_i].expected);
	stamp_free(s);
}
END_TEST

static void cut_at_every_length(const char *line, const char *learnt_from)
{
	struct stamp *s = stamp_of("auto");
	size_t len = strlen(line);
	struct stamp_memory learnt = {0};
	(void)found(s, &learnt, learnt_from);
	for (size_t n = 0; n <= len; n++) {
		char *exact = malloc(n ? n : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, line, n);
		struct stamp_memory memory = learnt, none = {0};
		int64_t us;
		(void)stamp_find(s, &memory, span_make(exact, n), NOW_US, &us);
		(void)stamp_find(s, &none, span_make(exact, n), NOW_US, &us);
		free(exact);
	}
	stamp_free(s);
}

START_TEST(cut_lines)
{
	cut_at_every_length(objects[_i].line, objects[_i].line);
}
END_TEST

START_TEST(cut_broken_lines)
{
	cut_at_every_length(broken[_i].line, "{\"ts\":1795326000}");
}
END_TEST

/* --- what is remembered --- */

/* A key at the remembered place that belongs to an inner object is not taken. */
START_TEST(remembered_place_is_the_outermost_object)
{
	struct stamp *s = stamp_of("auto");
	struct stamp_memory memory = {0};
	hold(s, &memory, "{\"abcdef\":1,\"ts\":1795326000,\"msg\":\"what follows\"}", T);
	ck_assert(!memory.from_end);
	ck_assert_uint_eq(memory.at, 12);
	struct stamp_memory inner = memory;
	hold(s, &inner, "{\"a\":{\"b\":5,\"ts\":1795326009},\"msg\":\"what follows\"}", "none");
	inner = memory;
	hold(s, &inner, "{\"a\":[{\"b\":\"ts\",\"ts\":1795326009}],\"ts\":1795326000}", T);
	inner = memory;
	hold(s, &inner, "{\"a\":{\"b\":5,\"ts\":1795326009},\"ts\":1795326000}", T);
	inner = memory; /* a key that ends in "ts, quote and all */
	hold(s, &inner, "{\"123456789\\\"ts\":1795326009,\"ts\":1795326000}", T);
	/* A bracket in a string is none. */
	hold(s, &memory, "{\"abcd\":\"{\",\"ts\":1795326000,\"msg\":\"what follows\"}", T);
	stamp_free(s);
}
END_TEST

/* The same, counted from the end. */
START_TEST(remembered_place_from_the_end)
{
	struct stamp *s = stamp_of("auto");
	struct stamp_memory memory = {0};
	hold(s, &memory, "{\"msg\":\"some words before it\",\"ts\":1795326000}", T);
	ck_assert(memory.from_end);
	ck_assert_uint_eq(memory.at, 16);
	struct stamp_memory inner = memory;
	hold(s, &inner, "{\"msg\":{\"an inner object\":5,\"ts\":179532600}}", "none");
	inner = memory;
	hold(s, &inner, "{\"msg\":[{\"in a list\":5,\"ts\":17953260}]}", "none");
	inner = memory;
	hold(s, &inner, "{\"ts\":1795326000,\"msg\":{\"x\":5,\"ts\":179532609}}", T);
	hold(s, &memory, "{\"msg\":\"some more words before it\",\"ts\":1795326000}", T);
	hold(s, &memory, "{\"msg\":\"}\",\"ts\":1795326000}\r", T);
	hold(s, &memory, "{\"msg\":\"}\",\"ts\":1795326000}\r", T);
	hold(s, &memory, "\"", "none");
	hold(s, &memory, "{", "none");
	hold(s, &memory, "{}", "none");
	stamp_free(s);
}
END_TEST

/* The text of a string that looks like the key at the remembered place. */
START_TEST(remembered_place_inside_a_string)
{
	struct stamp *s = stamp_of("auto");
	struct stamp_memory memory = {0};
	hold(s, &memory, "{\"msg\":\"a\",\"ts\":1795326000}", T);
	hold(s, &memory, "{\"msg\":\"\\\"ts\\\":179532600\",\"ts\":1795326000}", T);
	hold(s, &memory, "{\"msg\":\"a\" ,\"ts\":1795326000}", T);
	hold(s, &memory, "{\"msg\":\"abc,\\\"ts\\\":1795326009\"}", "none");
	stamp_free(s);
}
END_TEST

/* The key wanders; another one takes over; a line without a time in between. */
START_TEST(keys_change)
{
	struct stamp *s = stamp_of("auto");
	struct stamp_memory memory = {0};
	for (int i = 0; i < 3; i++) {
		hold(s, &memory, "{\"level\":\"info\",\"time\":1795326000}", T);
		hold(s, &memory, "{\"level\":\"error\",\"time\":1795326000}", T);
		hold(s, &memory, "{\"level\":\"info\"}", "none");
		hold(s, &memory, "{\"time\":1795326000.123,\"level\":\"info\"}", T_MS);
	}
	hold(s, &memory, "{\"@timestamp\":\"2026-11-22T05:40:00Z\"}", T);
	/* The source's key goes before the preferred one ... */
	hold(s, &memory, "{\"ts\":1795326009,\"@timestamp\":\"2026-11-22T05:40:00Z\"}", T);
	/* ... and text lines are found between. */
	hold(s, &memory, "2026-11-22T05:40:00Z plain", T);
	hold(s, &memory, "{\"ts\":1795326000,\"@timestamp\":\"2025-11-22T05:40:00Z\"}", T);
	stamp_free(s);
}
END_TEST

/* A source without times is looked at in full now and then: late keys are found within 16 lines. */
START_TEST(found_again_after_many_without)
{
	struct stamp *s = stamp_of("auto");
	static const char late[] =
		"{\"msg\":\"a text that is long enough to put what follows it beyond the "
		"bytes "
		"that are looked at when there was nothing before, a hundred of them\","
		"\"ts\":1795326000}";
	for (int misses = 0; misses < 600; misses += 7) {
		struct stamp_memory memory = {0};
		for (int i = 0; i < misses; i++)
			hold(s, &memory, "{\"msg\":\"no time here\"}", "none");
		int tries = 1;
		while (strcmp(found(s, &memory, late), T) != 0)
			ck_assert_int_le(++tries, 16);
		hold(s, &memory, late, T);
		/* What stands early is found at once. */
		struct stamp_memory other = {.misses = 99};
		hold(s, &other, "{\"ts\":1795326000}", T);
	}
	stamp_free(s);
}
END_TEST

/* A number that goes on behind the bytes that are looked at is not cut, nor is one taken at a
 * line's end. */
START_TEST(numbers_are_whole)
{
	struct stamp *s = stamp_of("auto");
	char line[200];
	for (int pad = 0; pad < 90; pad++) {
		struct stamp_memory memory = {.misses = 99};
		(void)snprintf(line, sizeof(line), "{\"pad\":\"%*s\",\"ts\":1795326000}", pad, "");
		const char *is = found(s, &memory, line);
		ck_assert_msg(strcmp(is, T) == 0 || strcmp(is, "none") == 0, "%s: %s", line, is);
	}
	struct stamp_memory memory = {0};
	hold(s, &memory, "{\"ts\":1795326000}", T);
	hold(s, &memory, "{\"ts\":1795326000", "none");
	hold(s, &memory, "{\"ts\":179532600", "none");
	stamp_free(s);
}
END_TEST

/* --- json:KEY --- */

static const struct {
	const char *spec;
	const char *line;
	const char *expected;
} given[] = {
	{"json:when", "{\"ts\":5,\"when\":1795326000}", T},
	{"json:when", "{\"ts\":1795326000}", "none"},
	{"json:when", "{\"when\":1795326000123}", T_MS},
	{"json:when", "{\"when\":\"2026-11-22T05:40:00Z\"}", T},
	{"json:when", "{\"when\":\"2026-11-22 07:40:00\"}", T},
	{"json:when", "{\"when\":0}", "1970-01-01T00:00:00.000000Z"},
	{"json:when", "{\"when\":86400.5}", "1970-01-02T00:00:00.500000Z"},
	{"json:when", "{\"when\":32503680000}", "3000-01-01T00:00:00.000000Z"},
	{"json:when", "{\"when\":\"never\"}", "none"},
	{"json:when", "{\"a\":{\"when\":1795326000}}", "none"},
	{"json:when", "{\"wh\\u0065n\":1795326000}", T},
	{"json:when", "2026-11-22T05:40:00Z when", "none"},
	{"json:when", " {\"when\":1795326000}", "none"},
	{"json:when", "", "none"},
	{"json:a.b", "{\"a\":{\"b\":1795326000}}", T},
	{"json:a.b", "{\"a\":{\"x\":{\"b\":5},\"b\":1795326000}}", T},
	{"json:a.b", "{\"a.b\":1795326000}", T},
	{"json:a.b", "{\"a\":{\"c\":1},\"a.b\":1795326000}", T},
	{"json:a.b", "{\"a\":5,\"b\":1795326000}", "none"},
	{"json:a.b", "{\"b\":1795326000}", "none"},
	{"json:a.b", "{\"x\":{\"a\":{\"b\":1795326000}}}", "none"},
	{"json:a.b.c", "{\"a\":{\"b\":{\"c\":1795326000}}}", T},
	{"json:a.b.c", "{\"a\":{\"b.c\":1795326000}}", T},
	{"json:a.b.c", "{\"a.b\":{\"c\":1795326000}}", T},
	{"json:t", "{\"t\":{\"$date\":\"2026-11-22T05:40:00Z\"}}", T},
	{"json:t.$date", "{\"t\":{\"$date\":\"2026-11-22T05:40:00Z\"}}", T},
};

START_TEST(given_keys_hold)
{
	struct stamp *s = stamp_of(given[_i].spec);
	struct stamp_memory memory = {0};
	hold(s, &memory, given[_i].line, given[_i].expected);
	hold(s, &memory, given[_i].line, given[_i].expected);
	hold(s, &memory, "{\"other\":{\"when\":1,\"b\":2,\"a\":3}}", "none");
	hold(s, &memory, given[_i].line, given[_i].expected);
	stamp_free(s);
}
END_TEST

/* Every key of the table is found by its name (the shortcuts in stamp_key_find fit the table). */
START_TEST(all_keys_are_found)
{
	for (int n = 0; n < STAMP_KEYS; n++)
		ck_assert_int_eq(stamp_key_find(stamp_key_name(n)), n);
	static const char *const not_keys[] = {"",
					       "x",
					       "level",
					       "msg",
					       "times",
					       "request_id",
					       "a key that is longer than all of them"};
	for (int i = 0; i < N(not_keys); i++)
		ck_assert_int_eq(stamp_key_find(span_of(not_keys[i])), -1);
	ck_assert_int_eq(stamp_key_find(SPAN_LITERAL("ts")), 0);
	ck_assert_int_eq(stamp_key_find(SPAN_LITERAL("time")), 1);
	ck_assert_int_eq(stamp_key_find(SPAN_LITERAL("timestamp")), 2);
	ck_assert_int_eq(stamp_key_find(SPAN_LITERAL("@timestamp")), 3);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("stamp_json");
	tcase_add_loop_test(tc, objects_hold, 0, N(objects));
	tcase_add_loop_test(tc, objects_hold_with_any_memory, 0, N(objects));
	tcase_add_loop_test(tc, broken_ones_give_nothing, 0, N(broken));
	tcase_add_loop_test(tc, cut_lines, 0, N(objects));
	tcase_add_loop_test(tc, cut_broken_lines, 0, N(broken));
	tcase_add_test(tc, remembered_place_is_the_outermost_object);
	tcase_add_test(tc, remembered_place_from_the_end);
	tcase_add_test(tc, remembered_place_inside_a_string);
	tcase_add_test(tc, keys_change);
	tcase_add_test(tc, found_again_after_many_without);
	tcase_add_test(tc, numbers_are_whole);
	tcase_add_loop_test(tc, given_keys_hold, 0, N(given));
	tcase_add_test(tc, all_keys_are_found);
	Suite *s = suite_create("stamp_json");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
