/* The line format: flags, escapes, payload lines as they are written and as they are checked,
 * stored lines as they are split. */
#include "common/line.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define TEXT(s)                                                                                    \
	{                                                                                          \
		(s), sizeof(s) - 1                                                                 \
	}

static const int64_t TIME_US = INT64_C(1795326000123456);
#define TIME_TEXT "2026-11-22T05:40:00.123456Z"

static const struct {
	const char *text;
	struct line_flags flags;
} FLAGS[] = {
	{"F", {LINE_HEAD, false, false, false}},  {"+", {LINE_CONT, false, false, false}},
	{"P", {LINE_PIECE, false, false, false}}, {"Fe", {LINE_HEAD, true, false, false}},
	{"+r", {LINE_CONT, false, true, false}},  {"Px", {LINE_PIECE, false, false, true}},
	{"+er", {LINE_CONT, true, true, false}},  {"Frx", {LINE_HEAD, false, true, true}},
	{"Pex", {LINE_PIECE, true, false, true}}, {"Ferx", {LINE_HEAD, true, true, true}},
};

START_TEST(flags_both_ways)
{
	char text[LINE_FLAGS_MAX];
	size_t n = line_format_flags(text, FLAGS[_i].flags);
	ck_assert(span_is(span_make(text, n), FLAGS[_i].text));
	struct line_flags back;
	ck_assert_int_eq(line_parse_flags(span_of(FLAGS[_i].text), &back), 0);
	ck_assert_int_eq(back.kind, FLAGS[_i].flags.kind);
	ck_assert(back.from_stderr == FLAGS[_i].flags.from_stderr);
	ck_assert(back.read_time == FLAGS[_i].flags.read_time);
	ck_assert(back.escaped == FLAGS[_i].flags.escaped);
}
END_TEST

static const char *const BAD_FLAGS[] = {"",    "e",   "f",  "FF", "F+",    "Fre", "Fxe",
					"Fxr", "Fee", "F ", " F", "Ferxx", "FX",  "-"};

START_TEST(other_flags_are_refused)
{
	struct line_flags flags = {.kind = LINE_PIECE};
	ck_assert_int_eq(line_parse_flags(span_of(BAD_FLAGS[_i]), &flags), -EINVAL);
	ck_assert_int_eq(flags.kind, LINE_PIECE);
}
END_TEST

/* `escaped` NULL: the message is clean. */
static const struct {
	struct span message;
	const char *escaped;
} MESSAGES[] = {
	{TEXT(""), NULL},
	{TEXT("plain text, {\"json\":1} and \\ a backslash \\x00"), NULL},
	{TEXT("a\tb"), NULL},
	{TEXT("windows\r"), NULL},
	{TEXT("\r"), NULL},
	{TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xaa \xc2\xa0"), NULL},
	{TEXT("\xef\xbf\xbf\xf4\x8f\xbf\xbf"), NULL},
	{TEXT("\r\r"), "\\x0d\r"},
	{TEXT("a\rb"), "a\\x0db"},
	{TEXT("a\rb\r"), "a\\x0db\r"},
	{TEXT("\0"), "\\x00"},
	{TEXT("\0\r"), "\\x00\r"},
	{TEXT("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m"},
	{TEXT("bell\a\x7f"), "bell\\x07\\x7f"},
	{TEXT("\\n is no\nLF"), "\\\\n is no\\x0aLF"},
	{TEXT("\\x00\0"), "\\\\x00\\x00"},
	{TEXT("\x01\\"), "\\x01\\\\"},
	{TEXT("next\xc2\x85line"), "next\\xc2\\x85line"},
	{TEXT("\xc2\x9f\xc2\xa0"), "\\xc2\\x9f\xc2\xa0"},
	{TEXT("latin1 caf\xe9"), "latin1 caf\\xe9"},
	{TEXT("\xe9\r"), "\\xe9\r"},
	{TEXT("cut \xe2\x82"), "cut \\xe2\\x82"},
	{TEXT("cut \xe2\x82\r"), "cut \\xe2\\x82\r"},
	{TEXT("\xe2\x82\xe2\x82\xac"), "\\xe2\\x82\xe2\x82\xac"},
	{TEXT("overlong \xc0\xaf"), "overlong \\xc0\\xaf"},
	{TEXT("\xe0\x80\xaf"), "\\xe0\\x80\\xaf"},
	{TEXT("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf"},
	{TEXT("surrogate \xed\xa0\x80"), "surrogate \\xed\\xa0\\x80"},
	{TEXT("beyond \xf4\x90\x80\x80"), "beyond \\xf4\\x90\\x80\\x80"},
	{TEXT("\xf5\xff\xfe"), "\\xf5\\xff\\xfe"},
	{TEXT("\x80\xbf"), "\\x80\\xbf"},
	{TEXT("\x1b caf\xc3\xa9"), "\\x1b caf\xc3\xa9"},
};

START_TEST(escapes_both_ways)
{
	struct span message = MESSAGES[_i].message;
	const char *escaped = MESSAGES[_i].escaped;
	ck_assert(line_clean(message) == !escaped);
	if (!escaped)
		return;
	struct buf out = BUF_EMPTY, back = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&out, "before"), 0);
	ck_assert_int_eq(line_escape(message, &out), 0);
	ck_assert(span_is(span_from(buf_span(&out), 6), escaped));
	ck_assert(line_clean(buf_span(&out)));
	ck_assert_int_eq(buf_add_str(&back, "kept"), 0);
	ck_assert_int_eq(line_unescape(span_of(escaped), &back), 0);
	ck_assert(span_equal(span_from(buf_span(&back), 4), message));
	buf_free(&out);
	buf_free(&back);
}
END_TEST

static const char *const BAD_ESCAPES[] = {"\\",     "a\\",   "\\x",   "\\x0",
					  "\\x0g",  "\\xAB", "\\xaB", "\\n",
					  "\\\\\\", "\\X00", "\\x 0", "ok \\\\ \\x1"};

START_TEST(bad_escapes_are_refused)
{
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&out, "kept"), 0);
	ck_assert_int_eq(line_unescape(span_of(BAD_ESCAPES[_i]), &out), -EINVAL);
	ck_assert(span_is(buf_span(&out), "kept"));
	buf_free(&out);
}
END_TEST

START_TEST(nothing_is_nothing)
{
	struct buf out = BUF_EMPTY;
	struct span none = {0};
	ck_assert(line_clean(none));
	ck_assert_int_eq(line_escape(none, &out), 0);
	ck_assert_int_eq(line_unescape(none, &out), 0);
	ck_assert_uint_eq(out.len, 0);
	struct line_flags flags = {.kind = LINE_HEAD};
	ck_assert_int_eq(line_add_payload(&out, TIME_US, flags, none), 0);
	ck_assert(span_is(buf_span(&out), TIME_TEXT "F \n"));
	buf_free(&out);
}
END_TEST

START_TEST(payload_lines_both_ways)
{
	struct span message = MESSAGES[_i].message;
	const char *escaped = MESSAGES[_i].escaped;
	struct line_flags flags = {LINE_CONT, .from_stderr = true, .escaped = _i % 2};
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(line_add_payload(&out, TIME_US, flags, message), 0);
	struct buf expected = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&expected, escaped ? TIME_TEXT "+ex " : TIME_TEXT "+e "), 0);
	ck_assert_int_eq(buf_add_span(&expected, escaped ? span_of(escaped) : message), 0);
	ck_assert_int_eq(buf_add_char(&expected, '\n'), 0);
	ck_assert(span_equal(buf_span(&out), buf_span(&expected)));

	ck_assert_int_eq(buf_add_str(&out, "the next line"), 0);
	struct span in = buf_span(&out);
	struct payload_line line;
	const char *why;
	ck_assert_int_eq(line_next_payload(&in, &line, &why), 0);
	ck_assert_int_eq(line.time_us, TIME_US);
	ck_assert_int_eq(line.flags.kind, LINE_CONT);
	ck_assert(line.flags.from_stderr && !line.flags.read_time);
	ck_assert(line.flags.escaped == (escaped != NULL));
	ck_assert(span_equal(line.message, escaped ? span_of(escaped) : message));
	ck_assert(span_equal(line.flags_to_end, span_from(buf_span(&expected), CIVIL_TIME_LEN)));
	ck_assert(span_is(in, "the next line"));
	buf_free(&out);
	buf_free(&expected);
}
END_TEST

START_TEST(a_prefix_and_a_clean_message_are_a_payload_line)
{
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	struct line_flags flags = {.kind = LINE_HEAD, .read_time = true};
	ck_assert_int_eq(line_add_payload(&a, TIME_US, flags, SPAN_LITERAL("text")), 0);
	ck_assert_int_eq(line_add_prefix(&b, TIME_US, flags), 0);
	ck_assert_int_eq(buf_add_str(&b, "text\n"), 0);
	ck_assert(span_equal(buf_span(&a), buf_span(&b)));
	buf_free(&a);
	buf_free(&b);
}
END_TEST

START_TEST(a_full_buffer_stays_as_it_was)
{
	struct line_flags flags = {.kind = LINE_HEAD};
	struct span dirty = SPAN_LITERAL("\x1b[1m");
	size_t whole = CIVIL_TIME_LEN + strlen("Fx \\x1b[1m\n");
	for (size_t room = 0; room <= whole; room++) {
		struct buf out = {.max = 3 + room};
		ck_assert_int_eq(buf_add_str(&out, "old"), 0);
		int r = line_add_payload(&out, TIME_US, flags, dirty);
		ck_assert_int_eq(r, room < whole ? -EMSGSIZE : 0);
		ck_assert_uint_eq(out.len, room < whole ? 3 : 3 + whole);
		buf_free(&out);
	}
	struct buf out = {.max = 6};
	ck_assert_int_eq(line_escape(dirty, &out), -EMSGSIZE);
	ck_assert_uint_eq(out.len, 0);
	buf_free(&out);
}
END_TEST

static const struct {
	struct span text;
	const char *why; /* part of it; NULL: it is fine */
} PAYLOADS[] = {
	{TEXT(TIME_TEXT "F \n"), NULL},
	{TEXT(TIME_TEXT "F  two blanks\n"), NULL},
	{TEXT(TIME_TEXT "Ferx \\x00\\\\\n"), NULL},
	{TEXT(TIME_TEXT "Fx needless x\n"), NULL},
	{TEXT(TIME_TEXT "Fx \\x41 needless escape\n"), NULL},
	{TEXT(TIME_TEXT "F \r\n"), NULL},
	{TEXT(TIME_TEXT "F lone \\ without x\n"), NULL},
	{TEXT("0001-01-01T00:00:00.000000ZF first\n"), NULL},
	{TEXT("9999-12-31T23:59:59.999999ZF last\n"), NULL},
	{TEXT(TIME_TEXT), "short"},
	{TEXT(TIME_TEXT "F "), "short"},
	{TEXT("\n"), "short"},
	{TEXT(TIME_TEXT "F text"), "no LF"},
	{TEXT(TIME_TEXT "F\ntext\n"), "flags"},
	{TEXT(TIME_TEXT "F\n\n"), "flags"},
	{TEXT(TIME_TEXT " F text\n"), "flags"},
	{TEXT(TIME_TEXT "Q text\n"), "flags"},
	{TEXT(TIME_TEXT "Fre text\n"), "flags"},
	{TEXT(TIME_TEXT "Ferxx text\n"), "flags"},
	{TEXT(TIME_TEXT "Ftext\n"), "flags"},
	{TEXT(TIME_TEXT "F\ttext\n"), "flags"},
	{TEXT("2026-02-29T05:40:00.123456ZF text\n"), "time"},
	{TEXT("2026-11-22T05:40:60.000000ZF text\n"), "time"},
	{TEXT("2026-11-22T24:00:00.000000ZF text\n"), "time"},
	{TEXT("2026-11-22 05:40:00.123456ZF text\n"), "time"},
	{TEXT("2026-11-22T05:40:00,123456ZF text\n"), "time"},
	{TEXT("2026-11-22T05:40:00.123456zF text\n"), "time"},
	{TEXT("0000-11-22T05:40:00.123456ZF text\n"), "time"},
	{TEXT("+026-11-22T05:40:00.123456ZF text\n"), "time"},
	{TEXT("2026-11-22T05:40:00.12345 ZF text\n"), "time"},
	{TEXT(TIME_TEXT "F a\x1b[31m\n"), "clean"},
	{TEXT(TIME_TEXT "F a\0b\n"), "clean"},
	{TEXT(TIME_TEXT "F a\r\r\n"), "clean"},
	{TEXT(TIME_TEXT "F a\rb\n"), "clean"},
	{TEXT(TIME_TEXT "F caf\xe9\n"), "clean"},
	{TEXT(TIME_TEXT "F \xc2\x85\n"), "clean"},
	{TEXT(TIME_TEXT "F \xed\xa0\x80\n"), "clean"},
	{TEXT(TIME_TEXT "Fx a\x1b\\x1b\n"), "clean"},
	{TEXT(TIME_TEXT "Fx \\\n"), "escape"},
	{TEXT(TIME_TEXT "Fx \\x1B\n"), "escape"},
	{TEXT(TIME_TEXT "Fx \\x1\n"), "escape"},
	{TEXT(TIME_TEXT "Fx \\\\\\\n"), "escape"},
	{TEXT(TIME_TEXT "Fx \\x\r\n"), "escape"},
};

START_TEST(payload_lines_are_checked_whole)
{
	struct span text = PAYLOADS[_i].text;
	/* Of its own length, so that the sanitizer sees a byte read too many. */
	char *exact = malloc(text.len);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text.ptr, text.len);
	struct span in = span_make(exact, text.len);
	struct payload_line line;
	const char *why = "";
	int r = line_next_payload(&in, &line, &why);
	if (PAYLOADS[_i].why) {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_msg(strstr(why, PAYLOADS[_i].why) != NULL, "%s", why);
		ck_assert_uint_eq(in.len, text.len);
	} else {
		ck_assert_msg(r == 0, "%s", why);
		ck_assert_uint_eq(in.len, 0);
	}
	free(exact);
}
END_TEST

START_TEST(the_end_of_payload)
{
	struct span in = span_make(NULL, 0);
	struct payload_line line;
	const char *why = NULL;
	ck_assert_int_eq(line_next_payload(&in, &line, &why), -ENODATA);
	in = SPAN_LITERAL(TIME_TEXT "F one\n" TIME_TEXT "+ two\n");
	ck_assert_int_eq(line_next_payload(&in, &line, &why), 0);
	ck_assert(span_is(line.message, "one"));
	ck_assert_int_eq(line_next_payload(&in, &line, &why), 0);
	ck_assert(span_is(line.message, "two"));
	ck_assert_int_eq(line_next_payload(&in, &line, &why), -ENODATA);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Any bytes without an LF make a payload line that is accepted and gives them back. */
START_TEST(any_message_survives)
{
	static const char often[] =
		"\\\\xx00ab \t\r\x1b\xc3\xa9\xe2\x82\xac\xc2\x85\xf0\x9f\x90\xaa";
	uint64_t seed = 88172645463325252u;
	struct buf out = BUF_EMPTY, back = BUF_EMPTY;
	for (int round = 0; round < 20000; round++) {
		char message[120];
		size_t len = next_random(&seed) % sizeof(message);
		for (size_t i = 0; i < len; i++) {
			uint64_t r = next_random(&seed);
			message[i] =
				r % 8 ? often[(r >> 8) % (sizeof(often) - 1)] : (char)(r >> 40);
			if (message[i] == '\n')
				message[i] = '\r';
		}
		buf_clear(&out);
		buf_clear(&back);
		struct span original = span_make(message, len);
		struct line_flags flags = {.kind = LINE_HEAD};
		struct payload_line line;
		const char *why = "";
		int r = line_add_payload(&out, TIME_US, flags, original);
		struct span in = buf_span(&out);
		if (r == 0)
			r = line_next_payload(&in, &line, &why);
		if (r == 0 && line.flags.escaped)
			r = line_unescape(line.message, &back);
		else if (r == 0)
			r = buf_add_span(&back, line.message);
		if (r != 0 || in.len || !span_equal(buf_span(&back), original) ||
		    line.flags.escaped == line_clean(original))
			ck_abort_msg("round %d: %d %s", round, r, why);
	}
	buf_free(&out);
	buf_free(&back);
}
END_TEST

static const struct {
	struct span text;
	const char *host, *service, *instance, *column, *message; /* host NULL: refused */
} STORED[] = {
	{TEXT(TIME_TEXT " web-01 checkout F {\"level\":\"error\"}"), "web-01", "checkout", "",
	 "checkout", "{\"level\":\"error\"}"},
	{TEXT(TIME_TEXT " web-01 prod.cart/cart-7d9f4-x2 +e     at "
			"com.acme.Cart.add(Cart.java:12)"),
	 "web-01", "prod.cart", "cart-7d9f4-x2", "prod.cart/cart-7d9f4-x2",
	 "    at com.acme.Cart.add(Cart.java:12)"},
	{TEXT(TIME_TEXT " h s F "), "h", "s", "", "s", ""},
	{TEXT(TIME_TEXT " h s Ferx \\x00\r"), "h", "s", "", "s", "\\x00\r"},
	{TEXT(""), .host = NULL},
	{TEXT(TIME_TEXT), .host = NULL},
	{TEXT(TIME_TEXT " h s F"), .host = NULL},
	{TEXT(TIME_TEXT " h s text"), .host = NULL},
	{TEXT(TIME_TEXT " h  F text"), .host = NULL},
	{TEXT(TIME_TEXT "  s F text"), .host = NULL},
	{TEXT(TIME_TEXT "  h s F text"), .host = NULL},
	{TEXT(TIME_TEXT " h s/ F text"), .host = NULL},
	{TEXT(TIME_TEXT " h /i F text"), .host = NULL},
	{TEXT(TIME_TEXT " h s/i/j F text"), .host = NULL},
	{TEXT(TIME_TEXT " h/i s F text"), .host = NULL},
	{TEXT(TIME_TEXT " .h s F text"), .host = NULL},
	{TEXT(TIME_TEXT " h s Fre text"), .host = NULL},
	{TEXT(TIME_TEXT " h s  text"), .host = NULL},
	{TEXT("2026-11-22T05:40:00.123456 h s F text"), .host = NULL},
	{TEXT("2026-13-22T05:40:00.123456Z h s F text"), .host = NULL},
	{TEXT(TIME_TEXT "\th s F text"), .host = NULL},
};

START_TEST(stored_lines_are_split)
{
	struct stored_line line;
	int r = line_parse_stored(STORED[_i].text, &line);
	if (!STORED[_i].host) {
		ck_assert_int_eq(r, -EINVAL);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(line.time_us, TIME_US);
	ck_assert(span_is(line.time, TIME_TEXT));
	ck_assert(span_is(line.host, STORED[_i].host));
	ck_assert(span_is(line.service, STORED[_i].service));
	ck_assert(span_is(line.instance, STORED[_i].instance));
	ck_assert(span_is(line.service_column, STORED[_i].column));
	ck_assert(span_is(line.message, STORED[_i].message));
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(*(table))))

int main(void)
{
	TCase *tc = tcase_create("line");
	tcase_add_loop_test(tc, flags_both_ways, 0, COUNT(FLAGS));
	tcase_add_loop_test(tc, other_flags_are_refused, 0, COUNT(BAD_FLAGS));
	tcase_add_loop_test(tc, escapes_both_ways, 0, COUNT(MESSAGES));
	tcase_add_loop_test(tc, bad_escapes_are_refused, 0, COUNT(BAD_ESCAPES));
	tcase_add_test(tc, nothing_is_nothing);
	tcase_add_loop_test(tc, payload_lines_both_ways, 0, COUNT(MESSAGES));
	tcase_add_test(tc, a_prefix_and_a_clean_message_are_a_payload_line);
	tcase_add_test(tc, a_full_buffer_stays_as_it_was);
	tcase_add_loop_test(tc, payload_lines_are_checked_whole, 0, COUNT(PAYLOADS));
	tcase_add_test(tc, the_end_of_payload);
	tcase_add_test(tc, any_message_survives);
	tcase_add_loop_test(tc, stored_lines_are_split, 0, COUNT(STORED));
	Suite *s = suite_create("line");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
