/* Messages of one kind do not flood. */
#include "common/flood.h"

#include <check.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000000)

START_TEST(a_burst_and_then_silence)
{
	struct flood f = {0};
	static const char one, other;
	uint64_t left_out = 99;
	for (int i = 1; i < FLOOD_BURST; i++) {
		ck_assert_int_eq(flood_take(&f, &one, SECOND, &left_out), FLOOD_TELL);
		ck_assert_uint_eq(left_out, 0);
	}
	ck_assert_int_eq(flood_take(&f, &one, SECOND, &left_out), FLOOD_TELL_LAST);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(flood_take(&f, &one, 2 * SECOND, &left_out), FLOOD_SILENT);
	/* Other kinds are told all the same. */
	ck_assert_int_eq(flood_take(&f, &other, 3 * SECOND, &left_out), FLOOD_TELL);
	/* The next minute tells how many there were, once. */
	ck_assert_int_eq(flood_take(&f, &one, 61 * SECOND, &left_out), FLOOD_TELL);
	ck_assert_uint_eq(left_out, 5000);
	ck_assert_int_eq(flood_take(&f, &one, 61 * SECOND, &left_out), FLOOD_TELL);
	ck_assert_uint_eq(left_out, 0);
}
END_TEST

START_TEST(more_kinds_than_there_is_room_for)
{
	struct flood f = {0};
	static const char kinds[16 * FLOOD_KINDS];
	uint64_t left_out;
	for (size_t i = 0; i < sizeof(kinds); i += 8)
		ck_assert_int_eq(flood_take(&f, &kinds[i], (int64_t)i, &left_out), FLOOD_TELL);
	/* The last ones are still known. */
	for (int i = 2; i < FLOOD_BURST; i++)
		ck_assert_int_eq(flood_take(&f, &kinds[sizeof(kinds) - 8], SECOND, &left_out),
				 FLOOD_TELL);
	ck_assert_int_eq(flood_take(&f, &kinds[sizeof(kinds) - 8], SECOND, &left_out),
			 FLOOD_TELL_LAST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flood");
	TCase *tcase = tcase_create("flood");
	tcase_add_test(tcase, a_burst_and_then_silence);
	tcase_add_test(tcase, more_kinds_than_there_is_room_for);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
