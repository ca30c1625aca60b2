/* The clocks: what they read, and that another one can be put in their place. */
#include "common/clock.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;
	ck_assert_int_eq(clock_gettime(id, &ts), 0);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

START_TEST(real_clocks)
{
	int64_t before = now_ns(CLOCK_MONOTONIC);
	int64_t read = clock_mono_ns();
	ck_assert_int_ge(read, before);
	ck_assert_int_le(read, now_ns(CLOCK_MONOTONIC));
	/* Real time may be set back between two readings, but not by a day here. */
	int64_t apart = clock_real_ns() - now_ns(CLOCK_REALTIME);
	ck_assert_int_lt(llabs(apart), INT64_C(86400000000000));
}
END_TEST

static int64_t fake_mono(void)
{
	return 42;
}

static int64_t fake_real(void)
{
	return -43;
}

START_TEST(replaced_clocks)
{
	clock_replace(fake_mono, fake_real);
	ck_assert_int_eq(clock_mono_ns(), 42);
	ck_assert_int_eq(clock_real_ns(), -43);
	clock_replace(NULL, fake_real);
	ck_assert_int_ne(clock_mono_ns(), 42);
	ck_assert_int_eq(clock_real_ns(), -43);
	clock_replace(NULL, NULL);
	ck_assert_int_gt(clock_real_ns(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");
	tcase_add_test(tcase, real_clocks);
	tcase_add_test(tcase, replaced_clocks);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
