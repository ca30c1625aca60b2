/* JSON: what is read and how it is decoded, what is refused, what is written. */
#include "common/json.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define TEXT(s)                                                                                    \
	{                                                                                          \
		(s), sizeof(s) - 1                                                                 \
	}

/* Writes what was read as KEY=TYPE:TEXT; for each value. */
static int record(void *user, struct span key, struct json_value v)
{
	struct buf *out = user;
	int r = buf_add_span(out, key);
	if (r == 0)
		r = buf_add_char(out, '=');
	if (r == 0)
		r = buf_add_char(out, "snbxo"[v.type]);
	if (r == 0)
		r = buf_add_char(out, ':');
	if (r == 0)
		r = buf_add_span(out, v.text);
	return r == 0 ? buf_add_char(out, ';') : r;
}

typedef int read_function(struct span text,
			  int (*each)(void *user, struct span key, struct json_value v),
			  void *user);

static int read_exact(read_function *read, struct span text, struct buf *out)
{
	/* Of its own length, so that the sanitizer sees a byte read too many. */
	char *exact = malloc(text.len ? text.len : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text.ptr, text.len);
	int r = read(span_make(exact, text.len), record, out);
	free(exact);
	return r;
}

static const struct {
	struct span text, values;
} OBJECTS[] = {
	{TEXT("{}"), TEXT("")},
	{TEXT(" \t\r\n{ } \n\t\r "), TEXT("")},
	{TEXT("{\"a\":1}"), TEXT("a=n:1;")},
	{TEXT("{ \"a\" : 1 , \"b\" : 2 }"), TEXT("a=n:1;b=n:2;")},
	{TEXT("{\"a\":\"\",\"\":\"x\"}"), TEXT("a=s:;=s:x;")},
	{TEXT("{\"a\":true,\"b\":false,\"c\":null}"), TEXT("a=b:true;b=b:false;c=x:null;")},
	{TEXT("{\"a\":-0,\"b\":1.50e+3,\"c\":0.0,\"d\":1E-9}"),
	 TEXT("a=n:-0;b=n:1.50e+3;c=n:0.0;d=n:1E-9;")},
	{TEXT("{\"a\":18446744073709551616,\"b\":123456789012345678901234567890}"),
	 TEXT("a=n:18446744073709551616;b=n:123456789012345678901234567890;")},
	{TEXT("{\"a\":1,\"a\":2,\"a\":3}"), TEXT("a=n:1;a=n:2;a=n:3;")},
	/* Nested values come as they are written, and do not disturb the key. */
	{TEXT("{\"a\":[],\"b\":{}}"), TEXT("a=o:[];b=o:{};")},
	{TEXT("{\"a\": [1, {\"b\":[2]}, \"]\"] ,\"c\":{\"d\":{\"e\":\"}\"}}}"),
	 TEXT("a=o:[1, {\"b\":[2]}, \"]\"];c=o:{\"d\":{\"e\":\"}\"}};")},
	{TEXT("{\"\\u0061\":{\"\\u0062\":\"\\u0063\"}}"), TEXT("a=o:{\"\\u0062\":\"\\u0063\"};")},
	/* Escapes in keys and values. */
	{TEXT("{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
	 TEXT("\"\\/\b\f\n\r\t=s:\"\\/\b\f\n\r\t;")},
	{TEXT("{\"\\u0061\":\"\\u0062\",\"\\u0063\":1}"), TEXT("a=s:b;c=n:1;")},
	{TEXT("{\"a\":\"\\u0000\\u00e9\\u20AC\\ud83d\\uDC2a!\"}"),
	 TEXT("a=s:\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xaa!;")},
	{TEXT("{\"a\":\"\\ud800\\udc00\\udbff\\udfff\"}"),
	 TEXT("a=s:\xf0\x90\x80\x80\xf4\x8f\xbf\xbf;")},
	{TEXT("{\"a\":\"\\ud7ff\\ue000\"}"), TEXT("a=s:\xed\x9f\xbf\xee\x80\x80;")},
	{TEXT("{\"a\":\"\\\\ud800 \\\\\\\\udc00\"}"), TEXT("a=s:\\ud800 \\\\udc00;")},
	/* Half a pair. */
	{TEXT("{\"a\":\"\\ud800x\"}"), TEXT("a=s:\xef\xbf\xbdx;")},
	{TEXT("{\"a\":\"\\ud800\",\"b\":\"x\\udc00\"}"),
	 TEXT("a=s:\xef\xbf\xbd;b=s:x\xef\xbf\xbd;")},
	{TEXT("{\"a\":\"\\ud83d\\u0041\"}"), TEXT("a=s:\xef\xbf\xbd"
						  "A;")},
	{TEXT("{\"a\":\"\\ud83d\\n\"}"), TEXT("a=s:\xef\xbf\xbd\n;")},
	{TEXT("{\"a\":\"\\ud83d\\ud83d\\udc2a\"}"), TEXT("a=s:\xef\xbf\xbd\xf0\x9f\x90\xaa;")},
	{TEXT("{\"a\":\"\\udc2a\\ud83d\"}"), TEXT("a=s:\xef\xbf\xbd\xef\xbf\xbd;")},
	{TEXT("{\"\\uDFFF\":[\"\\uDFFF\"]}"), TEXT("\xef\xbf\xbd=o:[\"\\uDFFF\"];")},
	/* UTF-8 as it is, DEL and U+0085 too. */
	{TEXT("{\"caf\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x90\xaa\xc2\x85\x7f\"}"),
	 TEXT("caf\xc3\xa9=s:\xe2\x82\xac\xf0\x9f\x90\xaa\xc2\x85\x7f;")},
};

START_TEST(objects_are_read)
{
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(read_exact(json_read_object, OBJECTS[_i].text, &out), 0);
	ck_assert(span_equal(buf_span(&out), OBJECTS[_i].values));
	buf_free(&out);
}
END_TEST

static const struct span NO_OBJECTS[] = {
	TEXT(""),
	TEXT(" "),
	TEXT("{"),
	TEXT("}"),
	TEXT("["),
	TEXT("[]"),
	TEXT("[{}]"),
	TEXT("1"),
	TEXT("\"a\""),
	TEXT("null"),
	TEXT("true"),
	TEXT("{}{}"),
	TEXT("{} {}"),
	TEXT("{}x"),
	TEXT("{} t"),
	TEXT("{} \"open"),
	TEXT("{},"),
	TEXT("{}\0"),
	TEXT("{}\v"),
	TEXT("\f{}"),
	TEXT("\xef\xbb\xbf{}"),
	TEXT("{\"a\":1,}"),
	TEXT("{,\"a\":1}"),
	TEXT("{\"a\"}"),
	TEXT("{\"a\":}"),
	TEXT("{\"a\" 1}"),
	TEXT("{\"a\":1 \"b\":2}"),
	TEXT("{\"a\":1"),
	TEXT("{\"a\":\"x"),
	TEXT("{\"a\":\"x\\"),
	TEXT("{\"a\":\"x\\u"),
	TEXT("{\"a\":\"\\ud83d\\"),
	TEXT("{\"a\":[1}"),
	TEXT("{\"a\":[1,]}"),
	TEXT("{\"a\":[}"),
	TEXT("{\"a\":{]}"),
	TEXT("{a:1}"),
	TEXT("{'a':1}"),
	TEXT("{1:1}"),
	TEXT("{null:1}"),
	TEXT("{\"a\":01}"),
	TEXT("{\"a\":1.}"),
	TEXT("{\"a\":.5}"),
	TEXT("{\"a\":+1}"),
	TEXT("{\"a\":-}"),
	TEXT("{\"a\":1e}"),
	TEXT("{\"a\":1e+}"),
	TEXT("{\"a\":0x10}"),
	TEXT("{\"a\":NaN}"),
	TEXT("{\"a\":-Infinity}"),
	TEXT("{\"a\":True}"),
	TEXT("{\"a\":nul}"),
	TEXT("{\"a\":truex}"),
	TEXT("{\"a\":1/**/}"),
	TEXT("{\"a\":1}//"),
	TEXT("#\n{\"a\":1}"),
	TEXT("{\"a\":\"\\x41\"}"),
	TEXT("{\"a\":\"\\'\"}"),
	TEXT("{\"a\":\"\\u12\"}"),
	TEXT("{\"a\":\"\\u12g4\"}"),
	TEXT("{\"a\":\"\\ud8\"}"),
	TEXT("{\"a\":\"tab\there\"}"),
	TEXT("{\"a\":\"line\nbreak\"}"),
	TEXT("{\"a\":\"nul\0\"}"),
	TEXT("{\"a\":\"\x1f\"}"),
	TEXT("{\"a\":\"caf\xe9\"}"),
	TEXT("{\"a\":\"\xc0\xaf\"}"),
	TEXT("{\"a\":\"\xe0\x80\xaf\"}"),
	TEXT("{\"a\":\"\xed\xa0\x80\"}"),
	TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"),
	TEXT("{\"a\":\"\xe2\x82\"}"),
	TEXT("{\"\xff\":1}"),
	TEXT("\xff{}"),
	TEXT("{\"a\":[\"\\q\"]}"),
	TEXT("{\"a\":{\"b\":1,}}"),
};

START_TEST(anything_else_is_refused)
{
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(read_exact(json_read_object, NO_OBJECTS[_i], &out), -EBADMSG);
	buf_free(&out);
}
END_TEST

static const struct {
	struct span text, values;
} ARRAYS[] = {
	{TEXT("[]"), TEXT("")},
	{TEXT(" [ 1 , \"a\" , null ] "), TEXT("=n:1;=s:a;=x:null;")},
	{TEXT("[{\"a\":1},[2],{}]"), TEXT("=o:{\"a\":1};=o:[2];=o:{};")},
};

START_TEST(arrays_are_read)
{
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(read_exact(json_read_array, ARRAYS[_i].text, &out), 0);
	ck_assert(span_equal(buf_span(&out), ARRAYS[_i].values));
	buf_free(&out);
}
END_TEST

static const char *const NO_ARRAYS[] = {"", "{}", "[", "]", "[1", "[1,]", "[1 2]", "[1]]", "[] 1"};

START_TEST(other_values_are_no_arrays)
{
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(read_exact(json_read_array, span_of(NO_ARRAYS[_i]), &out), -EBADMSG);
	buf_free(&out);
}
END_TEST

START_TEST(depth_is_limited)
{
	for (size_t depth = 1; depth < 200; depth++) {
		struct buf text = BUF_EMPTY, out = BUF_EMPTY;
		ck_assert_int_eq(buf_add_str(&text, "{\"a\":"), 0);
		for (size_t i = 1; i < depth; i++)
			ck_assert_int_eq(buf_add_str(&text, i % 2 ? "[" : "{\"b\":"), 0);
		ck_assert_int_eq(buf_add_char(&text, '1'), 0);
		for (size_t i = depth - 1; i >= 1; i--)
			ck_assert_int_eq(buf_add_char(&text, i % 2 ? ']' : '}'), 0);
		ck_assert_int_eq(buf_add_char(&text, '}'), 0);
		ck_assert_int_eq(read_exact(json_read_object, buf_span(&text), &out),
				 depth <= JSON_DEPTH_MAX ? 0 : -EBADMSG);
		buf_free(&text);
		buf_free(&out);
	}
}
END_TEST

static int count_to_two(void *user, struct span key, struct json_value v)
{
	(void)key;
	(void)v;
	return ++*(int *)user == 2 ? -ENOTUNIQ : 0;
}

START_TEST(a_negative_result_stops)
{
	static const char *const texts[] = {"{\"a\":1,\"b\":2,\"c\":3}",
					    "{\"a\":\"\",\"b\":[[1]],\"c\":oops",
					    "{\"a\":null,\"b\":{}"};
	for (size_t i = 0; i < 3; i++) {
		int calls = 0;
		ck_assert_int_eq(json_read_object(span_of(texts[i]), count_to_two, &calls),
				 -ENOTUNIQ);
		ck_assert_int_eq(calls, 2);
	}
}
END_TEST

static int check_length(void *user, struct span key, struct json_value v)
{
	size_t *expected = user;
	return v.type == JSON_STRING && key.len == *expected && v.text.len == *expected ? 0
											: -EINVAL;
}

/* Long strings with and without escapes: the arena holds all that yajl asks for. */
START_TEST(long_strings)
{
	static const struct {
		const char *unit;
		size_t decoded;
	} units[] = {{"x", 1},
		     {"\\n", 1},
		     {"\\u0001", 1},
		     {"\\u20ac", 3},
		     {"\\ud83d\\udc2a", 4},
		     {"\\ud83d", 3},
		     {"\xe2\x82\xac", 3}};
	static const size_t counts[] = {1,    100,  341,  342,  682,  683,
					1023, 2047, 2048, 2049, 4096, 65536};
	for (size_t u = 0; u < sizeof(units) / sizeof(*units); u++) {
		for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
			struct buf text = BUF_EMPTY;
			int r = buf_add_str(&text, "{\"");
			for (size_t i = 0; i < counts[c] && r == 0; i++)
				r = buf_add_str(&text, units[u].unit);
			if (r == 0)
				r = buf_add_str(&text, "\":\"");
			for (size_t i = 0; i < counts[c] && r == 0; i++)
				r = buf_add_str(&text, units[u].unit);
			if (r == 0)
				r = buf_add_str(&text, "\"}");
			size_t expected = counts[c] * units[u].decoded;
			if (r == 0)
				r = json_read_object(buf_span(&text), check_length, &expected);
			ck_assert_msg(r == 0, "%s, %zu times: %d", units[u].unit, counts[c], r);
			/* Cut short anywhere near its ends. */
			for (size_t cut = 1; cut < 20 && counts[c] <= 4096; cut++) {
				struct span part = span_first(buf_span(&text), text.len - cut);
				r = json_read_object(part, check_length, &expected);
				if (r != -EBADMSG)
					ck_abort_msg("cut by %zu: %d", cut, r);
			}
			buf_free(&text);
		}
	}
}
END_TEST

static int accept(void *user, struct span key, struct json_value v)
{
	(void)key;
	(void)v;
	++*(int *)user;
	return 0;
}

/* What takes most memory: half a pair, an escaped key, a string whose escapes make yajl's buffer
 * grow step by step until the string is just longer, and then one that the text's end cuts off. */
START_TEST(memory_at_its_limits)
{
	for (size_t power = 512; power <= 1 << 17; power *= 2) {
		for (size_t share = 0; share <= 4; share++) {
			size_t whole = power * share / 2 + power / 256 + 8,
			       cut = power * (4 - share) / 2 + 2;
			struct buf text = BUF_EMPTY;
			ck_assert_int_eq(buf_reserve(&text, whole + cut + 100), 0);
			ck_assert_int_eq(buf_add_str(&text, "{\"\\u0061\":\"\\ud800"), 0);
			memset(text.ptr + text.len, 'x', whole);
			for (size_t i = 0; i + 2 <= whole; i += 1024)
				memcpy(text.ptr + text.len + i, "\\n", 2);
			text.len += whole;
			ck_assert_int_eq(buf_add_str(&text, "\",\"b\":\"\\n"), 0);
			memset(text.ptr + text.len, 'x', cut);
			text.len += cut;
			int calls = 0;
			ck_assert_int_eq(json_read_object(buf_span(&text), accept, &calls),
					 -EBADMSG);
			ck_assert_int_eq(calls, 1);
			ck_assert_int_eq(buf_add_str(&text, "\"}"), 0);
			ck_assert_int_eq(json_read_object(buf_span(&text), accept, &calls), 0);
			ck_assert_int_eq(calls, 3);
			buf_free(&text);
		}
	}
}
END_TEST

START_TEST(too_long_a_text_is_refused)
{
	char *text = malloc(JSON_TEXT_MAX + 1);
	ck_assert_ptr_nonnull(text);
	memset(text, ' ', JSON_TEXT_MAX + 1);
	text[0] = '{';
	text[1] = '}';
	int calls = 0;
	ck_assert_int_eq(json_read_object(span_make(text, JSON_TEXT_MAX + 1), count_to_two, &calls),
			 -EBADMSG);
	free(text);
}
END_TEST

static const struct {
	struct span text;
	const char *json;
	bool survives; /* reads back as it was */
} STRINGS[] = {
	{TEXT(""), "\"\"", true},
	{TEXT("plain /text/ with 'quotes'"), "\"plain /text/ with 'quotes'\"", true},
	{TEXT("a\"b\\c"), "\"a\\\"b\\\\c\"", true},
	{TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"", true},
	{TEXT("\0\x01\x1f"), "\"\\u0000\\u0001\\u001f\"", true},
	{TEXT("\x7f"), "\"\x7f\"", true},
	{TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xaa"),
	 "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xaa\"", true},
	{TEXT("caf\xe9"), "\"caf\\\\xe9\"", false},
	{TEXT("\xff\xfe"), "\"\\\\xff\\\\xfe\"", false},
	{TEXT("\xe2\x82"), "\"\\\\xe2\\\\x82\"", false},
	{TEXT("\xed\xa0\x80"), "\"\\\\xed\\\\xa0\\\\x80\"", false},
	{TEXT("\xe2\x82\xe2\x82\xac"), "\"\\\\xe2\\\\x82\xe2\x82\xac\"", false},
};

START_TEST(strings_are_written)
{
	struct buf out = BUF_EMPTY, back = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&out, "{\"k\":"), 0);
	ck_assert_int_eq(json_add_string(&out, STRINGS[_i].text), 0);
	ck_assert(span_is(span_from(buf_span(&out), 5), STRINGS[_i].json));
	ck_assert_int_eq(buf_add_char(&out, '}'), 0);
	ck_assert_int_eq(json_read_object(buf_span(&out), record, &back), 0);
	struct span read = span_first(span_from(buf_span(&back), 4), back.len - 5);
	ck_assert(span_equal(read, STRINGS[_i].text) == STRINGS[_i].survives);
	buf_free(&out);
	buf_free(&back);
}
END_TEST

START_TEST(a_full_buffer_stays_as_it_was)
{
	struct span text = SPAN_LITERAL("a\"\xff\x01");
	size_t whole = strlen("\"a\\\"\\\\xff\\u0001\"");
	for (size_t room = 0; room <= whole; room++) {
		struct buf out = {.max = 3 + room};
		ck_assert_int_eq(buf_add_str(&out, "old"), 0);
		ck_assert_int_eq(json_add_string(&out, text), room < whole ? -EMSGSIZE : 0);
		ck_assert_uint_eq(out.len, room < whole ? 3 : 3 + whole);
		buf_free(&out);
	}
}
END_TEST

START_TEST(strings_are_cut_between_characters)
{
	struct span text = SPAN_LITERAL("a\"\xe2\x82\xac\xff\x01z");
	static const size_t taken[] = {0, 1, 1, 2, 2, 2, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 8, 8};
	for (size_t room = 0; room < sizeof(taken) / sizeof(*taken); room++) {
		ck_assert_uint_eq(json_fit_string(text, room), taken[room]);
		struct buf out = BUF_EMPTY;
		ck_assert_int_eq(json_add_string(&out, span_first(text, taken[room])), 0);
		ck_assert_uint_le(out.len, room + 2);
		buf_free(&out);
	}
	ck_assert_uint_eq(json_fit_string(span_make(NULL, 0), 10), 0);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(*(table))))

int main(void)
{
	TCase *tc = tcase_create("json");
	tcase_add_loop_test(tc, objects_are_read, 0, COUNT(OBJECTS));
	tcase_add_loop_test(tc, anything_else_is_refused, 0, COUNT(NO_OBJECTS));
	tcase_add_loop_test(tc, arrays_are_read, 0, COUNT(ARRAYS));
	tcase_add_loop_test(tc, other_values_are_no_arrays, 0, COUNT(NO_ARRAYS));
	tcase_add_test(tc, depth_is_limited);
	tcase_add_test(tc, a_negative_result_stops);
	tcase_add_test(tc, long_strings);
	tcase_add_test(tc, memory_at_its_limits);
	tcase_add_test(tc, too_long_a_text_is_refused);
	tcase_add_loop_test(tc, strings_are_written, 0, COUNT(STRINGS));
	tcase_add_test(tc, a_full_buffer_stays_as_it_was);
	tcase_add_test(tc, strings_are_cut_between_characters);
	Suite *s = suite_create("json");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
