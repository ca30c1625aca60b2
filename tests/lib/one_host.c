/* See one_host.h. */
#include "tests/lib/one_host.h"

#include <stdlib.h>

enum { TIME_LIMIT_SEC = 120 };

struct host h;

static void (*prepare_host)(void);

static void set_up(void)
{
	host_init(&h, "/tmp");
	if (prepare_host)
		prepare_host();
}

static void tear_down(void)
{
	host_free(&h);
}

int one_host_run(const char *name, void (*prepare)(void), void (*add)(TCase *tcase))
{
	prepare_host = prepare;
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, TIME_LIMIT_SEC);
	add(tcase);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
