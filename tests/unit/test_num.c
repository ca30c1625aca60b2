/* Numbers from outside: whole or not at all, never wrapped. */
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text;
	int r;
	uint64_t v;
} U64[] = {
	{"0", 0, 0},
	{"7", 0, 7},
	{"007", 0, 7},
	{"18446744073709551615", 0, UINT64_MAX},
	{"00000000000000000000018446744073709551615", 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0},
	{"18446744073709551620", -ERANGE, 0},
	{"99999999999999999999999999", -ERANGE, 0},
	{"99999999999999999999999999x", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"-", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"1\n", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"1.0", -EINVAL, 0},
	{"1e3", -EINVAL, 0},
	{"/", -EINVAL, 0},
	{":", -EINVAL, 0},
	{"\xd9\xa1", -EINVAL, 0}, /* ARABIC-INDIC DIGIT ONE */
};

START_TEST(u64)
{
	uint64_t v = 4711;
	ck_assert_int_eq(num_parse_u64(span_of(U64[_i].text), &v), U64[_i].r);
	ck_assert_uint_eq(v, U64[_i].r == 0 ? U64[_i].v : 4711);
}
END_TEST

START_TEST(u64_takes_all_of_the_span)
{
	uint64_t v = 4711;
	ck_assert_int_eq(num_parse_u64(SPAN_LITERAL("12\0"), &v), -EINVAL);
	ck_assert_int_eq(num_parse_u64(span_make("123", 2), &v), 0);
	ck_assert_uint_eq(v, 12);
	ck_assert_int_eq(num_parse_u64(span_make(NULL, 0), &v), -EINVAL);
}
END_TEST

static const struct {
	const char *text;
	int r;
	int64_t v;
} I64[] = {
	{"0", 0, 0},
	{"-0", 0, 0},
	{"-1", 0, -1},
	{"9223372036854775807", 0, INT64_MAX},
	{"-9223372036854775808", 0, INT64_MIN},
	{"9223372036854775808", -ERANGE, 0},
	{"-9223372036854775809", -ERANGE, 0},
	{"-18446744073709551616", -ERANGE, 0},
	{"--1", -EINVAL, 0},
	{"-", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"- 1", -EINVAL, 0},
	{"1-", -EINVAL, 0},
};

START_TEST(i64)
{
	int64_t v = 4711;
	ck_assert_int_eq(num_parse_i64(span_of(I64[_i].text), &v), I64[_i].r);
	ck_assert_int_eq(v, I64[_i].r == 0 ? I64[_i].v : 4711);
}
END_TEST

START_TEST(hex64)
{
	static const char *const bad[] = {"",
					  "0",
					  "995dc9bbdf1939f",
					  "995dc9bbdf1939fa0",
					  "995DC9BBDF1939FA",
					  "995dc9bbdf1939fg",
					  "0x5dc9bbdf1939fa",
					  " 95dc9bbdf1939fa"};
	uint64_t v = 4711;
	for (int i = 0; i < LEN(bad); i++)
		ck_assert_int_eq(num_parse_hex64(span_of(bad[i]), &v), -EINVAL);
	ck_assert_uint_eq(v, 4711);
	static const uint64_t values[] = {0, 1, 0x995dc9bbdf1939fa, UINT64_MAX, UINT64_C(1) << 63};
	for (int i = 0; i < LEN(values); i++) {
		char text[17] = "................", want[17];
		num_format_hex64(text, values[i]);
		(void)snprintf(want, sizeof(want), "%016" PRIx64, values[i]);
		ck_assert_str_eq(text, want);
		ck_assert_int_eq(num_parse_hex64(span_of(text), &v), 0);
		ck_assert_uint_eq(v, values[i]);
	}
}
END_TEST

static const struct {
	const char *text;
	int r;
	uint64_t v;
} SIZES[] = {
	{"0", 0, 0},
	{"4096", 0, 4096},
	{"1K", 0, 1024},
	{"1k", 0, 1024},
	{"32M", 0, UINT64_C(32) << 20},
	{"3g", 0, UINT64_C(3) << 30},
	{"2T", 0, UINT64_C(2) << 40},
	{"0T", 0, 0},
	{"18014398509481983K", 0, UINT64_C(18014398509481983) << 10},
	{"18014398509481984K", -ERANGE, 0},
	{"16777216T", -ERANGE, 0},
	{"99999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"K", -EINVAL, 0},
	{"1KB", -EINVAL, 0},
	{"1 K", -EINVAL, 0},
	{"1B", -EINVAL, 0},
	{"1P", -EINVAL, 0},
	{"-1K", -EINVAL, 0},
	{"1.5M", -EINVAL, 0},
	{"5%", -EINVAL, 0},
};

START_TEST(size)
{
	uint64_t v = 4711;
	ck_assert_int_eq(num_parse_size(span_of(SIZES[_i].text), &v), SIZES[_i].r);
	ck_assert_uint_eq(v, SIZES[_i].r == 0 ? SIZES[_i].v : 4711);
}
END_TEST

static const struct {
	const char *text;
	int r;
	int64_t v;
} DURATIONS[] = {
	{"0", 0, 0},
	{"000", 0, 0},
	{"0s", 0, 0},
	{"250ms", 0, 250 * NUM_MS_NS},
	{"60s", 0, 60 * NUM_SEC_NS},
	{"2m", 0, 120 * NUM_SEC_NS},
	{"1h", 0, 3600 * NUM_SEC_NS},
	{"30d", 0, 30 * NUM_DAY_SEC *NUM_SEC_NS},
	{"106751d", 0, 106751 * NUM_DAY_SEC *NUM_SEC_NS},
	{"106752d", -ERANGE, 0},
	{"9223372037s", -ERANGE, 0},
	{"18446744073709551615ms", -ERANGE, 0},
	{"99999999999999999999s", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"1", -EINVAL, 0},
	{"60", -EINVAL, 0},
	{"1M", -EINVAL, 0},
	{"1us", -EINVAL, 0},
	{"1 s", -EINVAL, 0},
	{"1h30m", -EINVAL, 0},
	{"-1s", -EINVAL, 0},
	{"1.5s", -EINVAL, 0},
	{"1w", -EINVAL, 0},
	{"1sec", -EINVAL, 0},
};

START_TEST(duration)
{
	int64_t v = 4711;
	ck_assert_int_eq(num_parse_duration(span_of(DURATIONS[_i].text), &v), DURATIONS[_i].r);
	ck_assert_int_eq(v, DURATIONS[_i].r == 0 ? DURATIONS[_i].v : 4711);
}
END_TEST

START_TEST(sum)
{
	uint64_t v = 4711;
	ck_assert(num_add_u64(UINT64_MAX - 1, 1, &v));
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert(!num_add_u64(UINT64_MAX, 1, &v));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("num");
	TCase *tcase = tcase_create("num");
	tcase_add_loop_test(tcase, u64, 0, LEN(U64));
	tcase_add_test(tcase, u64_takes_all_of_the_span);
	tcase_add_loop_test(tcase, i64, 0, LEN(I64));
	tcase_add_test(tcase, hex64);
	tcase_add_loop_test(tcase, size, 0, LEN(SIZES));
	tcase_add_loop_test(tcase, duration, 0, LEN(DURATIONS));
	tcase_add_test(tcase, sum);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
