/* What was given back last is lent first, and never without room for what is asked. */
#include "collector/ingest/scratch.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(the_last_one_is_lent_again)
{
	struct scratch *s = scratch_new();
	struct buf a, b;
	ck_assert_int_eq(scratch_take(s, 1000, &a), 0);
	ck_assert_int_eq(scratch_take(s, 1000, &b), 0);
	ck_assert_ptr_ne(a.ptr, b.ptr);
	char *last = b.ptr;
	a.len = b.len = 1000;
	scratch_give(s, &a);
	scratch_give(s, &b);
	ck_assert_ptr_null(b.ptr);
	ck_assert_int_eq(scratch_take(s, 900, &a), 0);
	ck_assert_ptr_eq(a.ptr, last);
	ck_assert_uint_eq(a.len, 0);
	ck_assert_uint_eq(a.max, 900);
	scratch_give(s, &a);
	scratch_free(s);
}
END_TEST

START_TEST(there_is_always_room)
{
	struct scratch *s = scratch_new();
	for (size_t bytes = 1; bytes < (size_t)64 << 20; bytes *= 3) {
		struct buf b;
		ck_assert_int_eq(scratch_take(s, bytes, &b), 0);
		ck_assert_uint_ge(b.cap, bytes);
		ck_assert_int_eq(buf_reserve(&b, bytes), 0);
		ck_assert_int_eq(buf_reserve(&b, bytes + 1), -EMSGSIZE);
		memset(b.ptr, 1, bytes);
		scratch_give(s, &b);
	}
	struct buf never = BUF_EMPTY;
	scratch_give(s, &never);
	scratch_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_scratch");
	TCase *tcase = tcase_create("scratch");
	tcase_add_test(tcase, the_last_one_is_lent_again);
	tcase_add_test(tcase, there_is_always_room);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
