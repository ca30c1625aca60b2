/* Growable bytes: growth, the limit, and that an error leaves what was there. */
#include "common/buf.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

START_TEST(appending_grows)
{
	struct buf b = BUF_EMPTY;
	for (unsigned i = 0; i < 100000; i++)
		if (buf_add_char(&b, (char)('a' + i % 26)) < 0)
			ck_abort_msg("byte %u", i);
	ck_assert_uint_eq(b.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		if (b.ptr[i] != (char)('a' + i % 26))
			ck_abort_msg("byte %u", i);
	ck_assert_uint_le(b.cap, 262144);
	buf_free(&b);
	ck_assert_ptr_null(b.ptr);
	buf_free(&b);
}
END_TEST

START_TEST(pieces)
{
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	ck_assert_int_eq(buf_add_span(&b, span_make(NULL, 0)), 0);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_int_eq(buf_add_span(&b, SPAN_LITERAL("a\0b")), 0);
	ck_assert_int_eq(buf_add_str(&b, " "), 0);
	ck_assert_int_eq(buf_add_u64(&b, 0), 0);
	ck_assert_int_eq(buf_add_char(&b, ' '), 0);
	ck_assert_int_eq(buf_add_u64(&b, UINT64_MAX), 0);
	ck_assert_int_eq(buf_printf(&b, " %s=%d", "x", -7), 0);
	ck_assert(span_equal(buf_span(&b), SPAN_LITERAL("a\0b 0 18446744073709551615 x=-7")));
	buf_consume(&b, 4);
	ck_assert(span_is(buf_span(&b), "0 18446744073709551615 x=-7"));
	buf_consume(&b, b.len);
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(the_limit_holds_and_nothing_half_is_left)
{
	struct buf b = {.max = 10};
	ck_assert_int_eq(buf_add_str(&b, "01234567"), 0);
	ck_assert_int_eq(buf_add_str(&b, "abc"), -EMSGSIZE);
	ck_assert_int_eq(buf_printf(&b, "%s", "abc"), -EMSGSIZE);
	ck_assert_int_eq(buf_add_u64(&b, 123), -EMSGSIZE);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX - 8), -ENOMEM);
	ck_assert(span_is(buf_span(&b), "01234567"));
	ck_assert_int_eq(buf_add_str(&b, "89"), 0);
	ck_assert_int_eq(buf_add_char(&b, 'x'), -EMSGSIZE);
	ck_assert_uint_le(b.cap, 10);
	buf_free(&b);
	ck_assert_uint_eq(b.max, 10);
}
END_TEST

START_TEST(c_string_is_not_counted)
{
	struct buf b = BUF_EMPTY;
	ck_assert_str_eq(buf_cstr(&b), "");
	ck_assert_int_eq(buf_add_str(&b, "abc"), 0);
	ck_assert_str_eq(buf_cstr(&b), "abc");
	ck_assert_uint_eq(b.len, 3);
	buf_clear(&b);
	ck_assert_str_eq(buf_cstr(&b), "");
	buf_free(&b);
	struct buf full = {.max = 3};
	ck_assert_int_eq(buf_add_str(&full, "abc"), 0);
	ck_assert_ptr_null(buf_cstr(&full));
	buf_free(&full);
}
END_TEST

START_TEST(reserved_room_may_be_written)
{
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&b, "head"), 0);
	ck_assert_int_eq(buf_reserve(&b, 5000), 0);
	memset(b.ptr + b.len, 'x', 5000);
	b.len += 5000;
	ck_assert_uint_eq(b.len, 5004);
	ck_assert(span_starts_with(buf_span(&b), span_of("headxxx")));
	buf_free(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tcase = tcase_create("buf");
	tcase_add_test(tcase, appending_grows);
	tcase_add_test(tcase, pieces);
	tcase_add_test(tcase, the_limit_holds_and_nothing_half_is_left);
	tcase_add_test(tcase, c_string_is_not_counted);
	tcase_add_test(tcase, reserved_room_may_be_written);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
