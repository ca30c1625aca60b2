/* Docker's json-file format, on lines as moby writes them and on others that mean the same. */
#include "agent/lines/docker.h"

#include "common/line.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define T0        INT64_C(1795326000123456) /* 2026-11-22T05:40:00.123456Z */
#define TIME      "\"time\":\"2026-11-22T05:40:00.123456789Z\"}"
#define OUT       ",\"stream\":\"stdout\"," TIME
#define LOG(text) "{\"log\":\"" text "\"" OUT

struct line {
	const char *line, *text; /* text NULL: refused */
	uint8_t output;
	bool partial;
};

/* Whole and in pieces, escapes, and what moby may put between. */
static const struct line lines[] = {
	{LOG("hello\\n"), "hello", 0, false},
	{LOG("hello"), "hello", 0, true},
	{LOG("\\n"), "", 0, false},
	{LOG(""), "", 0, true},
	{LOG("a\\nb\\n"), "a\nb", 0, false},
	{LOG("tty\\r\\n"), "tty\r", 0, false},
	{LOG("tty\\r"), "tty\r", 0, true},
	{LOG("a\\rb\\r\\n"), "a\rb\r", 0, false},
	{LOG("{\\\"level\\\":\\\"error\\\",\\\"msg\\\":\\\"a\\\\\\\\b\\\"}\\n"),
	 "{\"level\":\"error\",\"msg\":\"a\\\\b\"}", 0, false},
	{LOG("\\u003ca\\u003e \\u0026 \\u0009\\t\\/\\b\\f\\n"), "<a> & \t\t/\b\f", 0, false},
	{LOG("\\u001b[31mred\\u001B[0m\\n"), "\033[31mred\033[0m", 0, false},
	{LOG("\\u00e4\\u20ac\\n"), "\xc3\xa4\xe2\x82\xac", 0, false},
	{LOG("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\\n"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0,
	 false},
	{LOG("\\ud83d\\ude00\\n"), "\xf0\x9f\x98\x80", 0, false},
	{LOG("\\ud83d\\n"), "\xef\xbf\xbd", 0, false},
	{LOG("\\ude00\\ud83d\\n"), "\xef\xbf\xbd\xef\xbf\xbd", 0, false},
	{LOG("\\ud83d\\ud83d\\ude00\\n"), "\xef\xbf\xbd\xf0\x9f\x98\x80", 0, false},
	{LOG("\\ufffd\\u2028\\n"), "\xef\xbf\xbd\xe2\x80\xa8", 0, false},
	{LOG("\\u0080\\u009f\\u007f\\n"), "\xc2\x80\xc2\x9f\x7f", 0, false},
	{LOG("a long run of plain text before one escape \\\" and a long one behind it\\n"),
	 "a long run of plain text before one escape \" and a long one behind it", 0, false},
	{LOG(",\\\"time\\\":\\\"2026-11-22T05:40:00Z\\\"}\\n"),
	 ",\"time\":\"2026-11-22T05:40:00Z\"}", 0, false},
	{"{\"log\":\"e\\n\",\"stream\":\"stderr\"," TIME, "e", 1, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"web\",\"a\":\"}\"}," TIME,
	 "x", 0, false},
	/* Somebody else's JSON. */
	{"{\"stream\":\"stdout\"," TIME, "", 0, true},
	{"{ \"log\": \"hello\\n\", \"stream\": \"stderr\", " TIME, "hello", 1, false},
	{"{\"stream\":\"stderr\",\"log\":\"\\ud83d\\n\"," TIME, "\xef\xbf\xbd", 1, false},
	{"{\"log\":\"hello\\n\",\"attrs\":[1,{}],\"stream\":\"stdout\"," TIME, "hello", 0, false},
	{"{\"time\":\"2026-11-22T07:40:00.123456789+02:00\",\"log\":\"x\",\"stream\":\"stdout\"}",
	 "x", 0, true},
	/* No line of Docker's. */
	{"", NULL, 0, false},
	{"hello", NULL, 0, false},
	{"{}", NULL, 0, false},
	{"{\"log\":\"hello", NULL, 0, false},
	{LOG("\\x"), NULL, 0, false},
	{LOG("\\u12g4"), NULL, 0, false},
	{LOG("\\"), NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"}", NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"}", NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\",\"t", NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdin\"," TIME, NULL, 0, false},
	{"{\"log\":\"x\\n\"," TIME, NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\"}", NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"yesterday\"}", NULL, 0, false},
	{"{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T05:40:00Z\"} x", NULL, 0,
	 false},
};

static int decode(struct span line, struct buf *scratch, struct container_line *ret)
{
	return docker_decode(line, line_clean(line), scratch, ret);
}

START_TEST(table)
{
	const struct line *want = &lines[_i];
	struct container_line l;
	struct buf scratch = BUF_EMPTY;
	/* Exactly as long as it is, so that the sanitizer sees a read behind its end. */
	size_t len = strlen(want->line);
	char *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, want->line, len);
	int r = decode(span_make(copy, len), &scratch, &l);
	if (!want->text) {
		ck_assert_msg(r == -EBADMSG, "%s", want->line);
	} else {
		ck_assert_msg(r == 0, "%s", want->line);
		ck_assert_msg(span_is(l.text, want->text), "%s: %.*s", want->line, (int)l.text.len,
			      l.text.ptr);
		ck_assert_int_eq(l.time_us, T0);
		ck_assert_uint_eq(l.output, want->output);
		ck_assert_msg(l.partial == want->partial, "%s", want->line);
		ck_assert_msg(!l.clean || line_clean(l.text), "%s", want->line);
	}
	buf_free(&scratch);
	free(copy);
}
END_TEST

/* A plain line stays where it is and clean. */
START_TEST(nothing_is_copied_without_need)
{
	const char *text = LOG("a line of text that nothing in is escaped\\n");
	struct buf scratch = BUF_EMPTY;
	struct container_line l;
	ck_assert_int_eq(decode(span_of(text), &scratch, &l), 0);
	ck_assert(l.clean && l.text.ptr == text + 8 && !scratch.cap);
}
END_TEST

/* Every byte that a container may write, at every place in a register, as moby escapes it. */
START_TEST(all_bytes_at_all_places)
{
	struct buf line = BUF_EMPTY, want = BUF_EMPTY, scratch = BUF_EMPTY;
	for (int c = 0; c < 0x80; c++) {
		for (size_t at = 0; at < 40; at++) {
			buf_clear(&line);
			buf_clear(&want);
			ck_assert_int_eq(buf_add_str(&line, "{\"log\":\""), 0);
			for (size_t i = 0; i < 40; i++) {
				int r = i == at ? buf_printf(&line, "\\u%04x", c)
						: buf_add_char(&line, 'x');
				ck_assert_int_eq(r, 0);
				ck_assert_int_eq(buf_add_char(&want, i == at ? (char)c : 'x'), 0);
			}
			ck_assert_int_eq(buf_add_str(&line, "\\n\"" OUT), 0);
			struct container_line l;
			ck_assert_int_eq(decode(buf_span(&line), &scratch, &l), 0);
			ck_assert(span_equal(l.text, buf_span(&want)));
			ck_assert(l.clean == line_clean(buf_span(&want)) || !l.clean);
		}
	}
	buf_free(&line);
	buf_free(&want);
	buf_free(&scratch);
}
END_TEST

/* Escapes in any order and at any distance: what is read at once means what yajl reads one by
 * one. */
START_TEST(any_mixture_of_escapes)
{
	static const char *const parts[] = {
		"\\\"", "\\\"",    "\\\"", "\\\\", "\\n",
		"\\t",  "\\u0041", "x",    "yy",   "a longer run of text"};
	struct buf line = BUF_EMPTY, laid_out = BUF_EMPTY, scratch = BUF_EMPTY, other = BUF_EMPTY;
	unsigned seed = 1;
	for (int round = 0; round < 20000; round++) {
		buf_clear(&line);
		ck_assert_int_eq(buf_add_str(&line, "{\"log\":\""), 0);
		for (int n = rand_r(&seed) % 24; n > 0; n--) {
			size_t i = (size_t)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]));
			ck_assert_int_eq(buf_add_str(&line, parts[i]), 0);
		}
		ck_assert_int_eq(buf_add_str(&line, "\"" OUT), 0);
		buf_clear(&laid_out);
		ck_assert_int_eq(buf_add_char(&laid_out, ' '), 0);
		ck_assert_int_eq(buf_add_span(&laid_out, buf_span(&line)), 0);
		struct container_line l, want;
		ck_assert_int_eq(decode(buf_span(&line), &scratch, &l), 0);
		ck_assert_int_eq(decode(buf_span(&laid_out), &other, &want), 0);
		ck_assert_msg(span_equal(l.text, want.text), "%.*s", (int)line.len, line.ptr);
		ck_assert(l.partial == want.partial && l.time_us == want.time_us);
		ck_assert(!l.clean || line_clean(l.text));
	}
	buf_free(&line);
	buf_free(&laid_out);
	buf_free(&scratch);
	buf_free(&other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("docker");
	TCase *t = tcase_create("docker");
	tcase_add_loop_test(t, table, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(t, nothing_is_copied_without_need);
	tcase_add_test(t, all_bytes_at_all_places);
	tcase_add_test(t, any_mixture_of_escapes);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
