/* Spans: borrowed bytes compared, split and trimmed, NUL being a byte like any other. */
#include "common/span.h"

#include <check.h>
#include <stdlib.h>

START_TEST(equality_is_by_bytes)
{
	ck_assert(span_equal(span_of("abc"), span_make("abcd", 3)));
	ck_assert(!span_equal(span_of("abc"), span_of("abd")));
	ck_assert(!span_equal(span_of("abc"), span_of("ab")));
	ck_assert(span_equal(span_make(NULL, 0), span_of("")));
	ck_assert(span_equal(span_of(NULL), span_of("")));
	ck_assert(span_is(SPAN_LITERAL("abc"), "abc"));
	ck_assert(!span_is(SPAN_LITERAL("abc\0"), "abc"));
	ck_assert(!span_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c")));
}
END_TEST

START_TEST(ends_are_compared)
{
	struct span s = SPAN_LITERAL("agent.conf");
	ck_assert(span_starts_with(s, span_of("agent")));
	ck_assert(span_starts_with(s, span_of("")));
	ck_assert(span_starts_with(s, s));
	ck_assert(!span_starts_with(s, span_of("agent.conf.d")));
	ck_assert(!span_starts_with(s, span_of("gent")));
	ck_assert(span_ends_with(s, span_of(".conf")));
	ck_assert(span_ends_with(s, span_of("")));
	ck_assert(!span_ends_with(s, span_of(".con")));
	ck_assert(!span_ends_with(span_of("f"), span_of("conf")));
	ck_assert(span_starts_with(span_make(NULL, 0), span_make(NULL, 0)));
}
END_TEST

START_TEST(parts)
{
	struct span s = SPAN_LITERAL("key = value");
	size_t at = span_find(s, '=');
	ck_assert_uint_eq(at, 4);
	ck_assert(span_is(span_trim(span_first(s, at)), "key"));
	ck_assert(span_is(span_trim(span_from(s, at + 1)), "value"));
	ck_assert_uint_eq(span_find(s, '#'), s.len);
	ck_assert_uint_eq(span_find(span_make(NULL, 0), '#'), 0);
	ck_assert_uint_eq(span_find(SPAN_LITERAL("a\0b"), '\0'), 1);
	ck_assert_uint_eq(span_from(s, s.len).len, 0);
}
END_TEST

START_TEST(trim)
{
	ck_assert(span_is(span_trim(span_of(" \t a b\t ")), "a b"));
	ck_assert(span_is(span_trim(span_of("a")), "a"));
	ck_assert_uint_eq(span_trim(span_of(" \t ")).len, 0);
	ck_assert_uint_eq(span_trim(span_make(NULL, 0)).len, 0);
	ck_assert(span_is(span_trim(span_of("\r\n")), "\r\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("span");
	TCase *tcase = tcase_create("span");
	tcase_add_test(tcase, equality_is_by_bytes);
	tcase_add_test(tcase, ends_are_compared);
	tcase_add_test(tcase, parts);
	tcase_add_test(tcase, trim);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
