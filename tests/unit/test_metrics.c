/* The exposition format, byte for byte. */
#include "common/metrics.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static struct buf page;

static void teardown(void)
{
	buf_free(&page);
	page = BUF_EMPTY;
}

static const struct span none;

START_TEST(a_page)
{
	ck_assert_int_eq(metrics_head(&page, "haul_agent_lines_total", METRIC_COUNTER,
				      "Lines read, all \\ inputs\n\"together\""),
			 0);
	ck_assert_int_eq(metrics_u64(&page, "haul_agent_lines_total", NULL, none, UINT64_MAX), 0);
	ck_assert_int_eq(metrics_head(&page, "haul_agent_lag_seconds", METRIC_GAUGE, "Lag"), 0);
	ck_assert_int_eq(
		metrics_double(&page, "haul_agent_lag_seconds", "input", span_of("nginx"), 0.25),
		0);
	ck_assert_int_eq(metrics_u64(&page, "haul_agent_lag_seconds", "input", span_of(""), 0), 0);
	ck_assert_str_eq(buf_cstr(&page), "# HELP haul_agent_lines_total Lines read, all "
					  "\\\\ inputs\\n\"together\"\n"
					  "# TYPE haul_agent_lines_total counter\n"
					  "haul_agent_lines_total 18446744073709551615\n"
					  "# HELP haul_agent_lag_seconds Lag\n"
					  "# TYPE haul_agent_lag_seconds gauge\n"
					  "haul_agent_lag_seconds{input=\"nginx\"} 0.25\n"
					  "haul_agent_lag_seconds{input=\"\"} 0\n");
}
END_TEST

START_TEST(label_values_may_be_any_bytes)
{
	static const struct {
		struct span value;
		const char *line;
	} table[] = {
		{{"a\"b\\c\nd", 7}, "x{l=\"a\\\"b\\\\c\\nd\"} 1\n"},
		{{"caf\xc3\xa9", 5}, "x{l=\"caf\xc3\xa9\"} 1\n"},
		{{"caf\xe9", 4}, "x{l=\"caf\\\\xe9\"} 1\n"},
		{{"\xc3", 1}, "x{l=\"\\\\xc3\"} 1\n"},
		{{"{},=", 4}, "x{l=\"{},=\"} 1\n"},
		{{NULL, 0}, "x{l=\"\"} 1\n"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		buf_clear(&page);
		ck_assert_int_eq(metrics_u64(&page, "x", "l", table[i].value, 1), 0);
		ck_assert_str_eq(buf_cstr(&page), table[i].line);
	}
}
END_TEST

START_TEST(doubles)
{
	static const struct {
		double v;
		const char *line;
	} table[] = {
		{0, "x 0\n"},
		{1, "x 1\n"},
		{-1.5, "x -1.5\n"},
		{0.1, "x 0.1\n"},
		{1.0 / 3, "x 0.3333333333333333\n"},
		{1795327401.225242, "x 1795327401.225242\n"},
		{1e300, "x 1e+300\n"},
		{9007199254740993.0, "x 9007199254740992\n"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		buf_clear(&page);
		ck_assert_int_eq(metrics_double(&page, "x", NULL, none, table[i].v), 0);
		ck_assert_str_eq(buf_cstr(&page), table[i].line);
	}
	buf_clear(&page);
	ck_assert_int_eq(metrics_double(&page, "x", NULL, none, (double)NAN), 0);
	ck_assert_int_eq(metrics_double(&page, "x", NULL, none, (double)INFINITY), 0);
	ck_assert_int_eq(metrics_double(&page, "x", NULL, none, -(double)INFINITY), 0);
	ck_assert_str_eq(buf_cstr(&page), "x NaN\nx +Inf\nx -Inf\n");
}
END_TEST

/* With every size of buffer: all or nothing. */
START_TEST(nothing_half_is_left)
{
	for (size_t max = 4; max < 200; max++) {
		struct buf b = {.max = max};
		ck_assert_int_eq(buf_add_str(&b, "head"), 0);
		int r = metrics_u64(&b, "name", "label", span_of("val\nue"), 7);
		ck_assert(r == 0 || r == -EMSGSIZE);
		ck_assert_uint_eq(b.len, r == 0 ? strlen("headname{label=\"val\\nue\"} 7\n") : 4);
		size_t before = b.len;
		r = metrics_head(&b, "name", METRIC_GAUGE, "help");
		ck_assert(r == 0 || r == -EMSGSIZE);
		ck_assert(r == 0 ? b.len > before : b.len == before);
		buf_free(&b);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("metrics");
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, a_page);
	tcase_add_test(tcase, label_values_may_be_any_bytes);
	tcase_add_test(tcase, doubles);
	tcase_add_test(tcase, nothing_half_is_left);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
