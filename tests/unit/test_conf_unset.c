/* Keys taken out of a configuration: they and what goes on with them, in their section, and nothing
 * else. */
#include "common/conf_unset.h"

#include <check.h>
#include <stdlib.h>

static const char *const keys[] = {"url", "pin"};

static const struct {
	const char *before, *after;
	size_t lines;
} cases[] = {
	{"", "", 0},
	{"[collector]\nurl = a\n", "[collector]\n# url = a\n", 1},
	{"[collector]\nurl=a", "[collector]\n# url=a", 1},
	{"[collector]\r\nurl = a\r\nx = 1\r\n", "[collector]\r\n# url = a\r\nx = 1\r\n", 1},
	{"\xef\xbb\xbf[collector]\npin = a\n", "\xef\xbb\xbf[collector]\n# pin = a\n", 1},
	{"[ collector ]\nurl = a\n  b\n\n# note\n\tc\nbatch = 1\n",
	 "[ collector ]\n# url = a\n#   b\n\n# note\n# \tc\nbatch = 1\n", 3},
	{"[collector]\nurl = a\nurl = b\n[agent]\nurl = c\n[collector]\npin = d\n",
	 "[collector]\n# url = a\n# url = b\n[agent]\nurl = c\n[collector]\n# pin = d\n", 3},
	{"url = a\n[collector x]\nurl = b\n[collectors]\nurl = c\n",
	 "url = a\n[collector x]\nurl = b\n[collectors]\nurl = c\n", 0},
	{"[collector]\n#url = a\n;pin = b\nurls = c\nmask = url = d\n  url = e\n",
	 "[collector]\n#url = a\n;pin = b\nurls = c\nmask = url = d\n  url = e\n", 0},
	{"[", "[", 0},
	{"[]\n[collector\nurl = a\n", "[]\n[collector\nurl = a\n", 0},
};

START_TEST(only_what_is_meant)
{
	struct buf out = BUF_EMPTY, again = BUF_EMPTY;
	size_t lines = 99;
	ck_assert_int_eq(conf_unset(span_of(cases[_i].before), "collector", keys, 2, &out, &lines),
			 0);
	ck_assert_uint_eq(lines, cases[_i].lines);
	ck_assert_str_eq(buf_cstr(&out), cases[_i].after);
	ck_assert_int_eq(conf_unset(buf_span(&out), "collector", keys, 2, &again, &lines), 0);
	ck_assert_uint_eq(lines, 0);
	ck_assert_str_eq(buf_cstr(&again), cases[_i].after);
	buf_free(&out);
	buf_free(&again);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_unset");
	TCase *c = tcase_create("conf_unset");
	tcase_add_loop_test(c, only_what_is_meant, 0, (int)(sizeof(cases) / sizeof(*cases)));
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
