/* Power cuts of the collector: see power_cut.h. The store works in a child that ends at some I/O
 * call; then what was not synced is taken back, and the store must open on what is left: whatever
 * was acknowledged is there, once. */
#include "tests/lib/power_cut.h"

#include "tests/lib/make_agents.h"

static struct make_agents *agents;

static void work(void)
{
	(void)make_agents_work(agents, false);
}

static bool work_until(unsigned n)
{
	return power_work(n, work);
}

static void setup(void)
{
	agents = mmap(NULL, sizeof(*agents), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(agents, MAP_FAILED);
	power_set_up();
}

static unsigned calls_of_a_run(void)
{
	make_agents_begin(agents);
	ck_assert(!work_until(UINT32_MAX));
	make_agents_check(agents);
	make_agents_end(agents);
	return power->calls;
}

/* So many images of each moment, and how many moments are left out between two. */
static void how_hard(unsigned *ret_images, unsigned *ret_step)
{
	const char *torture = getenv("HAUL_TORTURE");
	*ret_images = torture ? (unsigned)strtoul(torture, NULL, 10) : 1;
	*ret_step = torture ? 1 : 4;
}

START_TEST(cut_once)
{
	unsigned calls = calls_of_a_run(), images, step, made = 0;
	how_hard(&images, &step);
	srand((unsigned)_i + 1);
	for (unsigned n = 2 + (unsigned)_i; n < calls; n += step) {
		for (unsigned i = 0; i < images; i++, made++) {
			make_agents_begin(agents);
			(void)work_until(n);
			power_cut(agents->dir, (enum cut)_i);
			ck_assert(!work_until(UINT32_MAX));
			make_agents_check(agents);
			make_agents_end(agents);
		}
	}
	printf("%u images\n", made);
}
END_TEST

START_TEST(cut_again_and_again)
{
	unsigned calls = calls_of_a_run();
	srand((unsigned)_i + 1);
	make_agents_begin(agents);
	for (int i = 0; i < 30; i++) {
		(void)work_until(2 + (unsigned)rand() % (i % 3 ? 60 : calls));
		power_cut(agents->dir, (enum cut)(rand() % CUTS));
	}
	ck_assert(!work_until(UINT32_MAX));
	make_agents_check(agents);
	make_agents_end(agents);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_power");
	TCase *tcase = tcase_create("power");
	tcase_add_checked_fixture(tcase, setup, power_tear_down);
	tcase_set_timeout(tcase, 280);
	tcase_add_loop_test(tcase, cut_once, 0, CUTS);
	tcase_add_loop_test(tcase, cut_again_and_again, 0, 3);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
