/* The CRI log format, on lines as containerd, CRI-O and conmon write them. */
#include "agent/lines/cri.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define T0 INT64_C(1795326000123456) /* 2026-11-22T05:40:00.123456Z */

static const struct {
	const char *line, *text; /* text NULL: refused */
	int64_t time_us;
	uint8_t output;
	bool partial;
} lines[] = {
	{"2026-11-22T05:40:00.123456789Z stdout F hello", "hello", T0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stderr P hello ", "hello ", T0, 1, true},
	{"2026-11-22T07:40:00.123456789+02:00 stdout F a  b", "a  b", T0, 0, false},
	{"2026-11-22T00:10:00.123456789-05:30 stdout F  x", " x", T0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout F ", "", T0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout F", "", T0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout P:extra:tags x", "x", T0, 0, true},
	{"2026-11-22T05:40:00.123456789Z stdout F: x", "x", T0, 0, false},
	{"", NULL, 0, 0, false},
	{"hello", NULL, 0, 0, false},
	{" stdout F x", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout ", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdin F x", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z std F x", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout  F x", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout Q x", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789Z stdout FP x", NULL, 0, 0, false},
	{"2026-11-22T05:40:00.123456789 stdout F x", NULL, 0, 0, false},
};

START_TEST(table)
{
	struct container_line l;
	int r = cri_decode(span_of(lines[_i].line), true, &l);
	if (!lines[_i].text) {
		ck_assert_msg(r == -EBADMSG, "%s", lines[_i].line);
		return;
	}
	ck_assert_msg(r == 0, "%s", lines[_i].line);
	ck_assert_msg(span_is(l.text, lines[_i].text), "%s", lines[_i].line);
	ck_assert_int_eq(l.time_us, lines[_i].time_us);
	ck_assert_uint_eq(l.output, lines[_i].output);
	ck_assert(l.partial == lines[_i].partial && l.clean);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cri");
	TCase *t = tcase_create("cri");
	tcase_add_loop_test(t, table, 0, sizeof(lines) / sizeof(lines[0]));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
