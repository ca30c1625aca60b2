/* Values in messages: the JSON scanner, key=value pairs, fields by name, conditions, and the sieve
 * that puts them together. */
#include "collector/query/sieve.h"
#include "collector/query/where.h"
#include "common/field.h"
#include "common/jsonscan.h"
#include "common/logfmt.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text, *path;
	int found;
	enum json_kind kind;
	const char *value;
} JSON[] = {
	{"{\"a\":1}", "a", 1, JSONSCAN_NUMBER, "1"},
	{"{\"a\":\"x\",\"b\":\"y\"}", "b", 1, JSONSCAN_STRING, "y"},
	{" { \"a\" : -1.5e3 , \"b\" : true } ", "a", 1, JSONSCAN_NUMBER, "-1.5e3"},
	{" { \"a\" : -1.5e3 , \"b\" : true } ", "b", 1, JSONSCAN_WORD, "true"},
	{"{\"a\":null}", "a", 1, JSONSCAN_WORD, "null"},
	{"{\"a\":\"\"}", "a", 1, JSONSCAN_STRING, ""},
	{"{\"a\":\"x\\\"y\",\"b\":2}", "b", 1, JSONSCAN_NUMBER, "2"},
	{"{\"a\":\"x\\\"y\"}", "a", 1, JSONSCAN_STRING, "x\"y"},
	{"{\"a\":\"\\u00e9\\n\"}", "a", 1, JSONSCAN_STRING, "\xc3\xa9\n"},
	{"{\"a\":\"ends in \\\\\",\"b\":3}", "b", 1, JSONSCAN_NUMBER, "3"},
	{"{\"\\u0061\":1}", "a", 1, JSONSCAN_NUMBER, "1"},
	{"{\"x\":{\"a\":1},\"a\":2}", "a", 1, JSONSCAN_NUMBER, "2"},
	{"{\"x\":\"\\\"a\\\":9\",\"a\":2}", "a", 1, JSONSCAN_NUMBER, "2"},
	{"{\"http\":{\"status\":500}}", "http.status", 1, JSONSCAN_NUMBER, "500"},
	{"{\"http.status\":500}", "http.status", 1, JSONSCAN_NUMBER, "500"},
	{"{\"a\":{\"b.c\":7}}", "a.b.c", 1, JSONSCAN_NUMBER, "7"},
	{"{\"a\":{\"x\":1},\"a.b\":2}", "a.b", 1, JSONSCAN_NUMBER, "2"},
	{"{\"a\":[10,\"x\",{\"b\":5}]}", "a.0", 1, JSONSCAN_NUMBER, "10"},
	{"{\"a\":[10,\"x\",{\"b\":5}]}", "a.1", 1, JSONSCAN_STRING, "x"},
	{"{\"a\":[10,\"x\",{\"b\":5}]}", "a.2.b", 1, JSONSCAN_NUMBER, "5"},
	{"{\"a\":[10]}", "a.1", 0, 0, ""},
	{"{\"a\":[]}", "a.0", 0, 0, ""},
	{"{\"a\":{\"b\":1}}", "a", 1, JSONSCAN_NESTED, "{\"b\":1}"},
	{"{\"a\":[1,\"]\"]}", "a", 1, JSONSCAN_NESTED, "[1,\"]\"]"},
	{"{\"a\":1}", "b", 0, 0, ""},
	{"{\"ab\":1}", "a", 0, 0, ""},
	{"{\"a\":1}", "a.b", 0, 0, ""},
	{"{}", "a", 0, 0, ""},
	{"", "a", 0, 0, ""},
	{"{\"a\":\"cut sho", "a", 0, 0, ""},
	{"{\"a\":1,\"b\":\"cut sho", "a", 1, JSONSCAN_NUMBER, "1"},
	{"{\"a\":{\"b\":1,\"c\":\"cut", "a.b", 1, JSONSCAN_NUMBER, "1"},
	{"{\"a\":12", "a", 0, 0, ""},
	{"{\"a\" 1}", "a", 0, 0, ""},
	{"{a:1}", "a", 0, 0, ""},
	{"[1]", "a", 0, 0, ""},
	{"{\"a\":1\r}", "a", 1, JSONSCAN_NUMBER, "1"},
};

START_TEST(json)
{
	struct buf scratch = BUF_EMPTY;
	struct json_found found;
	/* Exactly as large as it is: nothing behind it is looked at. */
	size_t len = strlen(JSON[_i].text);
	char *text = malloc(len ? len : 1);
	memcpy(text, JSON[_i].text, len);
	int r = jsonscan_find(span_make(text, len), span_of(JSON[_i].path), &scratch, &found);
	ck_assert_int_eq(r, JSON[_i].found);
	if (r) {
		ck_assert_int_eq(found.kind, JSON[_i].kind);
		ck_assert_uint_eq(found.text.len, strlen(JSON[_i].value));
		ck_assert_mem_eq(found.text.ptr, JSON[_i].value, found.text.len);
	}
	free(text);
	buf_free(&scratch);
}
END_TEST

static const struct {
	const char *text, *key, *value; /* NULL: not there */
} LOGFMT[] = {
	{"level=info msg=\"hello there\" n=3", "level", "info"},
	{"level=info msg=\"hello there\" n=3", "msg", "hello there"},
	{"level=info msg=\"hello there\" n=3", "n", "3"},
	{"level=info msg=\"say \\\"x\\\"\" n=3", "msg", "say \"x\""},
	{"dir=\"C:\\Users\\new one\" n=3", "dir", "C:\\Users\new one"},
	{"level=info msg=\"level=error\" n=3", "level", "info"},
	{"msg=\"level=error\" level=info", "level", "info"},
	{"took 5 ms (status=200, user=anna).", "status", "200"},
	{"took 5 ms (status=200, user=anna).", "user", "anna"},
	{"[id=7] x", "id", "7"},
	{"a== b=1", "b", "1"},
	{"xlevel=1", "level", NULL},
	{"a.level=1", "level", NULL},
	{"a.level=1", "a.level", "1"},
	{"level = 1", "level", NULL},
	{"9a=1", "9a", NULL},
	{"url=http://x/?a=1&b=2 c=3", "b", NULL},
	{"url=http://x/?a=1&b=2 c=3", "c", "3"},
	{"empty= b=1", "empty", ""},
	{"empty=\"\" b=1", "empty", ""},
	{"open=\"never closed", "open", "never closed"},
	{"", "a", NULL},
	{"=", "a", NULL},
};

START_TEST(logfmt)
{
	struct buf scratch = BUF_EMPTY;
	struct span value;
	int r = logfmt_find(span_of(LOGFMT[_i].text), span_of(LOGFMT[_i].key), &scratch, &value);
	ck_assert_int_eq(r, LOGFMT[_i].value != NULL);
	if (r) {
		ck_assert_uint_eq(value.len, strlen(LOGFMT[_i].value));
		ck_assert_mem_eq(value.ptr, LOGFMT[_i].value, value.len);
	}
	buf_free(&scratch);
}
END_TEST

#define LINE(stream, flags, message)                                                               \
	"2026-11-22T05:40:00.123456Z web-01 " stream " " flags " " message

static const struct {
	const char *line, *name, *value;
} FIELDS[] = {
	{LINE("cart", "F", "{\"host\":\"inner\",\"level\":\"info\"}"), "host", "web-01"},
	{LINE("cart", "F", "{\"host\":\"inner\",\"level\":\"info\"}"), ".host", "inner"},
	{LINE("cart", "F", "{\"host\":\"inner\",\"level\":\"info\"}"), "level", "info"},
	{LINE("cart/pod-1", "F", "x"), "service", "cart"},
	{LINE("cart/pod-1", "F", "x"), "instance", "pod-1"},
	{LINE("cart", "F", "x"), "instance", NULL},
	{LINE("cart", "F", "a=1 b=2"), "b", "2"},
	/* An escaped message is looked into as it was. */
	{LINE("cart", "Fx", "\\x1b[1m{\"a\":1}"), "a", NULL},
	{LINE("cart", "Fx", "{\"a\":\"\\\\u0041\\x01\"}"), "a", NULL},
	{LINE("cart", "Fx", "a=\\x1b[1m b=2"), "b", "2"},
	{LINE("cart", "F", "  {\"a\":1}"), "a", "1"},
	{"no line of haul's a=1", "a", "1"},
	{"no line of haul's a=1", "host", NULL},
};

START_TEST(fields)
{
	struct field f;
	struct field_scratch s = {.value = BUF_EMPTY};
	struct json_found found;
	ck_assert_int_eq(field_init(&f, span_of(FIELDS[_i].name)), 0);
	int r = field_get(&f, span_of(FIELDS[_i].line), &s, &found);
	if (_i != 8) {
		ck_assert_int_eq(r, FIELDS[_i].value != NULL);
		if (r) {
			ck_assert_uint_eq(found.text.len, strlen(FIELDS[_i].value));
			ck_assert_mem_eq(found.text.ptr, FIELDS[_i].value, found.text.len);
		}
	}
	field_scratch_free(&s);
}
END_TEST

START_TEST(field_names)
{
	struct field f;
	ck_assert_int_eq(field_init(&f, SPAN_LITERAL("")), -EINVAL);
	ck_assert_int_eq(field_init(&f, SPAN_LITERAL(".")), -EINVAL);
	ck_assert_int_eq(field_init(&f, SPAN_LITERAL("http.request.id")), 0);
	ck_assert(span_is(field_literal(&f), "id"));
	ck_assert_int_eq(field_init(&f, SPAN_LITERAL("host")), 0);
	ck_assert_uint_eq(field_literal(&f).len, 0);
}
END_TEST

static const char *const MESSAGE =
	LINE("cart/p1", "F",
	     "{\"level\":\"error\",\"status\":503,\"ms\":12.5,\"path\":\"/api/v1\",\"n\":\"9\"}");

static const struct {
	const char *condition;
	int holds;
} WHERE[] = {
	{"level=error", 1},
	{"level=info", 0},
	{"level!=info", 1},
	{"level!=error", 0},
	{"level=err", 0},
	{"level~err", 1},
	{"level~^warn|^err", 1},
	{"level!~err", 0},
	{"level!~warn", 1},
	{"status=503", 1},
	{"status>=500", 1},
	{"status>503", 0},
	{"status<1000", 1},
	{"status<=503", 1},
	{"status>60", 1}, /* as numbers, not as text */
	{"ms>12", 1},
	{"ms<12.6", 1},
	{"n>10", 0},
	{"n<10", 1},
	{"level>debug", 1},
	{"level>10", 0},
	{"path=/api/v1", 1},
	{"path~^/api", 1},
	{"missing=1", 0},
	{"missing!=1", 0},
	{"missing!~x", 0},
	{"host=web-01", 1},
	{"service=cart", 1},
	{"instance=p1", 1},
	{"host~^web", 1},
	{"level==error", 0},
	{" level =error", 1},
	{"level= error", 0},
	{"level=", 0},
};

static struct where *where_of(const char *const *texts, size_t n)
{
	struct where *w;
	char why[600];
	ck_assert_int_eq(where_new(texts, n, &w, why, sizeof(why)), 0);
	return w;
}

START_TEST(where)
{
	struct where *w = where_of(&WHERE[_i].condition, 1);
	struct where_scratch *s = where_scratch_new(w);
	ck_assert_int_eq(where_test(s, span_of(MESSAGE)), WHERE[_i].holds);
	/* What it says a line must hold, the line holds. */
	struct needs needs = {.n = 0};
	where_needs(w, &needs);
	for (size_t i = 0; WHERE[_i].holds && i < needs.n; i++)
		ck_assert(finder_in(needs.items[i].any_of, span_of(MESSAGE)));
	where_scratch_free(s);
	where_free(w);
}
END_TEST

START_TEST(bad_conditions)
{
	static const char *const bad[] = {"level", "=x", "", "level~a(b", " =x"};
	for (int i = 0; i < LEN(bad); i++) {
		struct where *w;
		char why[600] = "";
		ck_assert_int_eq(where_new(&bad[i], 1, &w, why, sizeof(why)), -EINVAL);
		ck_assert_ptr_nonnull(strstr(why, bad[i]));
	}
}
END_TEST

START_TEST(seen_fields)
{
	static const char *const texts[] = {"level=info", "missing=1"};
	struct where *w = where_of(texts, 2);
	struct where_scratch *s = where_scratch_new(w);
	ck_assert_int_eq(where_test(s, span_of(MESSAGE)), 0);
	ck_assert(where_seen(s, 0));
	ck_assert(!where_seen(s, 1));
	ck_assert_int_eq(where_has_field(s, 0, span_of(MESSAGE)), 1);
	ck_assert_int_eq(where_has_field(s, 1, span_of(MESSAGE)), 0);
	where_scratch_free(s);
	where_free(w);
}
END_TEST

/* --- the sieve: against asking every test of every line --- */

#define AT(time, message) "2026-11-22T" time "Z h s F " message "\n"

static const char *const LINES = AT("05:00:00.000000", "{\"level\":\"info\",\"n\":1}")
	AT("05:00:01.000000", "{\"level\":\"error\",\"n\":2}")
		AT("05:00:01.000000", "error in text") AT("05:00:00.500000", "late level=error n=4")
			AT("05:00:02.000000", "")
				AT("05:00:03.000000", "{\"level\":\"error\",\"n\":6}");

static const struct {
	const char *pattern; /* NULL: none */
	bool fixed, invert;
	const char *condition;
	const char *since, *until;
	const char *lines;
} SIEVE[] = {
	{NULL, false, false, NULL, NULL, NULL, "123456"},
	{"", false, false, NULL, NULL, NULL, "123456"},
	{"", false, true, NULL, NULL, NULL, ""},
	{"error", true, false, NULL, NULL, NULL, "2346"},
	{"error", true, true, NULL, NULL, NULL, "15"},
	{"e.ror", false, true, NULL, NULL, NULL, "15"},
	{"[Ee]rr[o]r", false, false, NULL, NULL, NULL, "2346"},
	{"nothing", true, true, NULL, NULL, NULL, "123456"},
	{NULL, false, false, "level=error", NULL, NULL, "246"},
	{NULL, false, false, "n>1", NULL, NULL, "246"},
	{"late", true, false, "level=error", NULL, NULL, "4"},
	{"late", true, true, "level=error", NULL, NULL, "26"},
	{"\\d$", false, false, "level=error", NULL, NULL, "4"},
	{"", false, true, "level=error", NULL, NULL, ""},
	{NULL, false, false, NULL, "05:00:01.000000", NULL, "2356"},
	{NULL, false, false, NULL, NULL, "05:00:01.000000", "14"},
	{NULL, false, false, NULL, "05:00:01.000000", "05:00:03.000000", "235"},
	{"error", true, false, NULL, "05:00:00.500000", "05:00:01.000001", "234"},
	{"error", true, false, "level=error", "05:00:01.000000", NULL, "26"},
};

static int64_t time_of(const char *clock, int64_t otherwise)
{
	char text[64];
	int64_t us;
	if (!clock)
		return otherwise;
	snprintf(text, sizeof(text), "2026-11-22T%sZ", clock);
	ck_assert_int_eq(civil_parse_us(span_of(text), &us), 0);
	return us;
}

START_TEST(sieve)
{
	struct matcher *m = NULL;
	struct where *w = NULL;
	struct matcher_error err;
	struct sieve s;
	struct span line;
	char found[32] = "";
	size_t n = 0;
	int r;
	if (SIEVE[_i].pattern)
		ck_assert_int_eq(
			matcher_new(span_of(SIEVE[_i].pattern), SIEVE[_i].fixed, false, &m, &err),
			0);
	if (SIEVE[_i].condition)
		w = where_of(&SIEVE[_i].condition, 1);
	sieve_init(&s, m, SIEVE[_i].invert, w, time_of(SIEVE[_i].since, INT64_MIN),
		   time_of(SIEVE[_i].until, INT64_MAX));
	struct sieve_scratch *x = sieve_scratch_new(&s);
	sieve_start(x, span_of(LINES));
	while ((r = sieve_next(x, &line)) > 0) {
		char number = '1';
		for (const char *p = LINES; p < line.ptr; p++)
			number = (char)(number + (*p == '\n'));
		ck_assert_int_eq(line.ptr[line.len], '\n');
		found[n++] = number;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(found, SIEVE[_i].lines);
	ck_assert_int_eq(sieve_all(&s), _i < 2);
	sieve_scratch_free(x);
	where_free(w);
	matcher_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_fields");
	TCase *c = tcase_create("fields");
	tcase_add_loop_test(c, json, 0, LEN(JSON));
	tcase_add_loop_test(c, logfmt, 0, LEN(LOGFMT));
	tcase_add_loop_test(c, fields, 0, LEN(FIELDS));
	tcase_add_test(c, field_names);
	tcase_add_loop_test(c, where, 0, LEN(WHERE));
	tcase_add_test(c, bad_conditions);
	tcase_add_test(c, seen_fields);
	tcase_add_loop_test(c, sieve, 0, LEN(SIEVE));
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
