/* When the disk will be full. */
#include "collector/ingest/forecast.h"

#include "common/num.h"

#include <check.h>
#include <stdlib.h>

#define GIB   (UINT64_C(1) << 30)
#define START (INT64_C(5) * NUM_DAY_SEC * NUM_SEC_NS)

/* Notes `minutes` samples, `per_minute` bytes less (or more, when negative) each. */
static struct forecast *filled(int minutes, uint64_t from, int64_t per_minute)
{
	struct forecast *f;
	ck_assert_int_eq(forecast_new(&f), 0);
	for (int i = 0; i < minutes; i++) {
		int64_t at_ns = START + (int64_t)i * 60 * NUM_SEC_NS;
		forecast_note(f, at_ns, from - (uint64_t)(per_minute * i));
		forecast_note(f, at_ns + NUM_SEC_NS, 1); /* too soon: not taken */
	}
	return f;
}

static const struct {
	int minutes;
	uint64_t from, now, reserve;
	int64_t per_minute, full_s;
} ROWS[] = {
	{60, 100 * GIB, 40 * GIB, 10 * GIB, (int64_t)GIB, 30 * 60},
	{3000, 4000 * GIB, 40 * GIB, 0, (int64_t)GIB, 40 * 60}, /* the ring has gone round twice */
	{60, 100 * GIB, 5 * GIB, 10 * GIB, (int64_t)GIB, 0},
	{5, 100 * GIB, 40 * GIB, 10 * GIB, (int64_t)GIB, FORECAST_NEVER}, /* too little is known */
	{0, 0, 40 * GIB, 10 * GIB, 0, FORECAST_NEVER},
	{60, 100 * GIB, 40 * GIB, 10 * GIB, 0, FORECAST_NEVER},
	{60, 100 * GIB, 40 * GIB, 10 * GIB, -(int64_t)GIB, FORECAST_NEVER},
	{60, 100 * GIB, 40 * GIB, 10 * GIB, 100, FORECAST_NEVER}, /* in six hundred years */
};

START_TEST(full)
{
	struct forecast *f = filled(ROWS[_i].minutes, ROWS[_i].from, ROWS[_i].per_minute);
	double rate;
	int64_t full_s = forecast_full_s(f, ROWS[_i].now, ROWS[_i].reserve, &rate);
	ck_assert_int_ge(full_s, ROWS[_i].full_s - 1);
	ck_assert_int_le(full_s - (full_s == FORECAST_NEVER ? 0 : 1), ROWS[_i].full_s);
	if (ROWS[_i].minutes >= 10)
		ck_assert_double_eq_tol(rate, (double)ROWS[_i].per_minute / 60, 1);
	forecast_free(f);
}
END_TEST

/* Sealing each ten minutes gives half of what came back: the line goes through the teeth of the
 * saw. */
START_TEST(saw)
{
	struct forecast *f;
	ck_assert_int_eq(forecast_new(&f), 0);
	uint64_t free_bytes = 1000 * GIB;
	for (int i = 0; i < 600; i++) {
		free_bytes -= 2 * GIB / 10;
		if (i % 10 == 9)
			free_bytes += GIB;
		forecast_note(f, START + (int64_t)i * 60 * NUM_SEC_NS, free_bytes);
	}
	double rate;
	int64_t full_s = forecast_full_s(f, 100 * GIB, 0, &rate);
	ck_assert_int_gt(full_s, 1000 * 60 * 9 / 10);
	ck_assert_int_lt(full_s, 1000 * 60 * 11 / 10);
	forecast_free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("forecast");
	TCase *c = tcase_create("forecast");
	tcase_add_loop_test(c, full, 0, (int)(sizeof(ROWS) / sizeof(*ROWS)));
	tcase_add_test(c, saw);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
