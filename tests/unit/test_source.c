/* What a source can be: the steps that there are, and what becomes of one that there is not. */
#include "agent/files/source.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

static struct source_table *table;
static struct source *source;

static void set_up(void)
{
	struct source_config c = {.path = "/a.log", .service = "a", .instance = ""};
	table = source_table_new();
	ck_assert_ptr_nonnull(table);
	ck_assert_int_eq(source_add(table, &c, &source), 0);
}

static void tear_down(void)
{
	source_table_free(table);
}

START_TEST(every_state_has_a_name_and_can_end)
{
	for (int s = SOURCE_NEW; s <= SOURCE_ENDED; s++) {
		bool reached[SOURCE_ENDED + 1] = {false};
		reached[s] = true;
		for (int round = SOURCE_NEW; round <= SOURCE_ENDED; round++)
			for (int from = SOURCE_NEW; from <= SOURCE_ENDED; from++)
				for (int to = SOURCE_NEW; reached[from] && to <= SOURCE_ENDED; to++)
					if (source_may_move((enum source_state)from,
							    (enum source_state)to))
						reached[to] = true;
		ck_assert(reached[SOURCE_ENDED]);
		ck_assert_str_ne(source_state_name((enum source_state)s), "?");
	}
}
END_TEST

START_TEST(the_end_is_the_end)
{
	for (int to = SOURCE_NEW; to <= SOURCE_ENDED; to++)
		ck_assert(!source_may_move(SOURCE_ENDED, (enum source_state)to));
}
END_TEST

/* Its end is told once; when the word is lost, it is told again. */
START_TEST(an_end_is_told_once)
{
	source_move(table, source, SOURCE_FOLLOWING);
	source_move(table, source, SOURCE_DRAINED);
	source_set_ready(table, source);
	ck_assert_ptr_eq(source_next_ready(table), source);
	source_move(table, source, SOURCE_ENDING);
	source_set_ready(table, source);
	ck_assert_ptr_null(source_next_ready(table));
	source_move(table, source, SOURCE_DRAINED);
	source_set_ready(table, source);
	ck_assert_ptr_eq(source_next_ready(table), source);
}
END_TEST

START_TEST(no_other_step)
{
	source_move(table, source, SOURCE_STRAY);
	source_move(table, source, SOURCE_FOLLOWING);
	ck_assert_int_eq(source->state, SOURCE_STRAY);
}
END_TEST

int main(void)
{
#ifdef HAUL_STRICT
	const int fault = SIGABRT;
#else
	const int fault = 0;
#endif
	Suite *s = suite_create("source");
	TCase *t = tcase_create("source");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, every_state_has_a_name_and_can_end);
	tcase_add_test(t, the_end_is_the_end);
	tcase_add_test(t, an_end_is_told_once);
	tcase_add_test_raise_signal(t, no_other_step, fault);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
