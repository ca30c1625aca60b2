/* Retention, table by table: what goes for its age, for its bytes, for room, and what stays
 * whatever the limits say. */
#include "collector/retention.h"
#include "common/num.h"

#include <check.h>
#include <stdlib.h>

#define TODAY  20000
#define NOW_US (TODAY * NUM_DAY_US + NUM_DAY_US / 2)

static const struct policy_rule none = {.glob = ""},
				month = {.glob = "",
					 .max_age_ns = 30 * INT64_C(86400) * NUM_SEC_NS},
				held = {.glob = "audit",
					.max_age_ns = NUM_SEC_NS,
					.max_bytes = 1,
					.hold = true},
				small = {.glob = "web-*", .max_bytes = 250},
				other = {.glob = "db-*", .max_bytes = 150};

static struct retention_segment segment(int32_t day, const char *service, uint64_t bytes,
					const struct policy_rule *rule)
{
	return (struct retention_segment){.day = day,
					  .service = span_of(service),
					  .bytes = bytes,
					  .sealed = true,
					  .rule = rule};
}

static uint64_t decide(struct retention_segment *s, size_t n, uint64_t room)
{
	struct retention_request q = {
		.now_us = NOW_US, .last_checkpoint_us = NOW_US - NUM_SEC_US, .room_bytes = room};
	return retention_decide(s, n, &q);
}

START_TEST(room_to_be_made)
{
	const struct conf_amount percent = {.value = 5, .is_percent = true},
				 bytes = {.value = 1000};
	ck_assert_uint_eq(retention_room(&bytes, 0, 1100), 0);
	ck_assert_uint_eq(retention_room(&bytes, 0, 1099), 1);
	ck_assert_uint_eq(retention_room(&bytes, 0, 0), 1100);
	ck_assert_uint_eq(retention_room(&percent, 10000, 550), 0);
	ck_assert_uint_eq(retention_room(&percent, 10000, 549), 1);
}
END_TEST

START_TEST(days_go_when_they_are_over_for_max_age)
{
	static const struct {
		int32_t day;
		bool goes;
	} cases[] = {{TODAY - 31, true}, {TODAY - 30, false}, {TODAY - 29, false},
		     {TODAY, false},     {TODAY + 1, false},  {0, true}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct retention_segment s = segment(cases[i].day, "web", 100, &month);
		ck_assert_uint_eq(decide(&s, 1, 0), cases[i].goes ? 100 : 0);
		ck_assert_int_eq(s.reason, cases[i].goes ? RETENTION_AGE : RETENTION_KEPT);
		s.rule = &none;
		ck_assert_uint_eq(decide(&s, 1, 0), 0);
	}
}
END_TEST

START_TEST(what_is_not_sealed_or_on_hold_stays)
{
	struct retention_segment s[] = {segment(1, "web", 100, &month),
					segment(1, "audit", 100, &held)};
	s[0].sealed = false;
	ck_assert_uint_eq(decide(s, 2, 1000), 0);
}
END_TEST

START_TEST(a_clock_that_is_not_plausible_deletes_nothing)
{
	static const int64_t apart_us[] = {RETENTION_CLOCK_US + 1, -RETENTION_CLOCK_US - 1,
					   INT64_C(73) * 365 * NUM_DAY_US};
	struct retention_segment s = segment(1, "web", 100, &month);
	for (size_t i = 0; i < sizeof(apart_us) / sizeof(*apart_us); i++) {
		struct retention_request q = {.now_us = NOW_US,
					      .last_checkpoint_us = NOW_US - apart_us[i],
					      .room_bytes = 10};
		ck_assert_uint_eq(retention_decide(&s, 1, &q), 0);
	}
	struct retention_request never = {.now_us = NOW_US};
	ck_assert_uint_eq(retention_decide(&s, 1, &never), 0);
	struct retention_request wrapped = {.now_us = INT64_MAX, .last_checkpoint_us = INT64_MIN};
	ck_assert_uint_eq(retention_decide(&s, 1, &wrapped), 0);
	struct retention_request fine = {.now_us = NOW_US,
					 .last_checkpoint_us = NOW_US - RETENTION_CLOCK_US};
	ck_assert_uint_eq(retention_decide(&s, 1, &fine), 100);
}
END_TEST

START_TEST(whole_days_go_until_a_rule_s_services_fit)
{
	struct retention_segment s[] = {
		segment(TODAY, "web-a", 100, &small),     segment(TODAY - 1, "web-a", 100, &small),
		segment(TODAY - 2, "web-a", 60, &small),  segment(TODAY - 2, "web-b", 60, &small),
		segment(TODAY - 3, "web-b", 100, &small), segment(TODAY - 9, "db-1", 100, &other),
		segment(TODAY - 1, "db-1", 100, &other),  segment(TODAY - 50, "free", 1000, &none),
	};
	/* web-*: 420 bytes; the day of 100 goes, then that of 120, both of its services. */
	ck_assert_uint_eq(decide(s, 8, 0), 320);
	for (size_t i = 0; i < 8; i++) {
		bool goes = s[i].rule == &small ? s[i].day <= TODAY - 2 : s[i].day == TODAY - 9;
		ck_assert_int_eq(s[i].reason, goes ? RETENTION_BYTES : RETENTION_KEPT);
	}
	/* Today alone may be too large: it stays. */
	struct retention_segment large = segment(TODAY, "web-a", 1000, &small);
	ck_assert_uint_eq(decide(&large, 1, 0), 0);
}
END_TEST

START_TEST(room_is_made_of_the_oldest_days_and_the_largest_services)
{
	struct retention_segment s[] = {
		segment(TODAY - 3, "a", 10, &none),      segment(TODAY - 3, "b", 90, &none),
		segment(TODAY - 3, "b", 10, &none),      segment(TODAY - 2, "c", 500, &none),
		segment(TODAY - 4, "audit", 900, &held),
	};
	ck_assert_uint_eq(decide(s, 5, 50), 100);
	ck_assert_uint_eq(decide(s, 5, 105), 110);
	ck_assert_uint_eq(decide(s, 5, 111), 610);
	ck_assert_uint_eq(decide(s, 5, 5000), 610);
	/* What goes anyway counts. */
	s[0].rule = &month;
	struct retention_segment old = segment(TODAY - 90, "z", 70, &month);
	struct retention_segment two[] = {old, s[1]};
	ck_assert_uint_eq(decide(two, 2, 60), 70);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retention");
	TCase *c = tcase_create("retention");
	tcase_add_test(c, room_to_be_made);
	tcase_add_test(c, days_go_when_they_are_over_for_max_age);
	tcase_add_test(c, what_is_not_sealed_or_on_hold_stays);
	tcase_add_test(c, a_clock_that_is_not_plausible_deletes_nothing);
	tcase_add_test(c, whole_days_go_until_a_rule_s_services_fit);
	tcase_add_test(c, room_is_made_of_the_oldest_days_and_the_largest_services);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
