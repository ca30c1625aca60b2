/* Growing arrays. */
#include "common/array.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

START_TEST(elements_stay_as_it_grows)
{
	uint32_t *items = NULL;
	size_t n = 0, capacity = 0;
	while (n < 1000) {
		ck_assert_int_eq(array_room(&items, n, &capacity, sizeof(*items)), 0);
		ck_assert_uint_gt(capacity, n);
		items[n] = (uint32_t)n;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(items[i], i);
	ck_assert_uint_lt(capacity, 2 * n + 8);
	free(items);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array");
	TCase *tcase = tcase_create("array");
	tcase_add_test(tcase, elements_stay_as_it_grows);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
