/* UTF-8, one character at a time: every code point, and what is none. */
#include "common/utf8.h"

#include <check.h>
#include <stdlib.h>

/* The textbook encoder. */
static size_t encode(uint32_t code, char dst[4])
{
	if (code < 0x80) {
		dst[0] = (char)code;
		return 1;
	}
	size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = len - 1; i > 0; i--, code >>= 6)
		dst[i] = (char)(0x80 | (code & 0x3f));
	dst[0] = (char)(lead[len] | code);
	return len;
}

START_TEST(every_code_point)
{
	for (uint32_t code = 0; code < 0x200000; code++) {
		char text[5] = "xxxx";
		uint32_t got = 0xffffffff;
		size_t len = encode(code, text);
		bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
		if (utf8_take(span_make(text, 4), &got) != (valid ? len : 0))
			ck_abort_msg("U+%x: wrong length", code);
		if (got != (valid ? code : 0xffffffff))
			ck_abort_msg("U+%x: read as %x", code, got);
		if (utf8_take(span_make(text, len - 1), &got) != 0)
			ck_abort_msg("U+%x: cut off, but taken", code);
	}
}
END_TEST

START_TEST(what_is_none)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc3",
		"\xc3(",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xe2\x82(",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe",
	};
	uint32_t code;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(utf8_take(span_of(bad[i]), &code) == 0, "number %zu", i);
	ck_assert_uint_eq(utf8_take(span_make(NULL, 0), &code), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tcase = tcase_create("utf8");
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_code_point);
	tcase_add_test(tcase, what_is_none);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
