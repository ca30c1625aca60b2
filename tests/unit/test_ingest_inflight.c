/* Batches under way: each host has its own number, and what has left has room again. */
#include "collector/ingest/inflight.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct inflight *f;

static void setup(void)
{
	f = inflight_new();
	ck_assert_ptr_nonnull(f);
}

static void teardown(void)
{
	inflight_free(f);
}

START_TEST(a_host_has_so_many)
{
	for (int i = 0; i < INFLIGHT_PER_HOST; i++)
		ck_assert(inflight_enter(f, "web-01"));
	ck_assert(!inflight_enter(f, "web-01"));
	ck_assert(inflight_enter(f, "web-02"));
	inflight_leave(f, "web-01");
	ck_assert(inflight_enter(f, "web-01"));
	ck_assert(!inflight_enter(f, "web-01"));
	for (int i = 0; i < INFLIGHT_PER_HOST; i++)
		inflight_leave(f, "web-01");
	inflight_leave(f, "web-02");
}
END_TEST

START_TEST(many_hosts_come_and_go)
{
	char host[32];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2000; i++) {
			(void)snprintf(host, sizeof(host), "host-%d", i);
			ck_assert(inflight_enter(f, host));
		}
		for (int i = 1999; i >= 0; i--) {
			(void)snprintf(host, sizeof(host), "host-%d", i);
			inflight_leave(f, host);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_inflight");
	TCase *tcase = tcase_create("ingest_inflight");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_host_has_so_many);
	tcase_add_test(tcase, many_hosts_come_and_go);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
