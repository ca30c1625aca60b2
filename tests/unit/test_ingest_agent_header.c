/* The header Haul-Agent. */
#include "collector/ingest/agent_header.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

#define LETTERS_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text;
	int r;
	uint64_t session;
} ROWS[] = {
	{"9f2c0000-0000-4000-8000-000000000001 17 haul-agent/0.1.0", 0, 17},
	{"  a   0   x  ", 0, 0},
	{LETTERS_64 " 18446744073709551615 haul-agent/1", 0, UINT64_MAX},
	{"", -EINVAL, 0},
	{"a", -EINVAL, 0},
	{"a 1", -EINVAL, 0},
	{"a 1 b c", -EINVAL, 0},
	{"a x haul-agent/1", -EINVAL, 0},
	{"a -1 haul-agent/1", -EINVAL, 0},
	{"a 18446744073709551616 haul-agent/1", -EINVAL, 0},
	{"a/../b 1 haul-agent/1", -EINVAL, 0},
	{"a_b 1 haul-agent/1", -EINVAL, 0},
	{LETTERS_64 "0 1 haul-agent/1", -EINVAL, 0},
	{"a 1 haul\x01"
	 "agent",
	 -EINVAL, 0},
};

START_TEST(header)
{
	struct agent_header h = {0};
	const char *why = NULL;
	ck_assert_int_eq(agent_header_parse(span_of(ROWS[_i].text), &h, &why), ROWS[_i].r);
	ck_assert_uint_eq(h.session, ROWS[_i].session);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(words)
{
	struct agent_header h;
	const char *why;
	ck_assert_int_eq(agent_header_parse(SPAN_LITERAL("9f2c-1 3 haul-agent/0.1"), &h, &why), 0);
	ck_assert(span_is(h.uuid, "9f2c-1"));
	ck_assert(span_is(h.program, "haul-agent/0.1"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_agent_header");
	TCase *tcase = tcase_create("ingest_agent_header");
	tcase_add_loop_test(tcase, header, 0, LEN(ROWS));
	tcase_add_test(tcase, words);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
