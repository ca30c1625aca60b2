/* Substring search: every implementation finds what memmem finds. */
#include "collector/query/finder.h"

#include <check.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t random_state = 1;

static unsigned below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned)(random_state >> 33) % n;
}

/* The first occurrence, the slow way. */
static const char *find_slowly(struct span needle, bool ignore_case, const char *hay, size_t len)
{
	for (size_t i = 0; i + needle.len <= len; i++) {
		size_t k = 0;
		while (k < needle.len &&
		       (ignore_case ? tolower((unsigned char)hay[i + k]) ==
					      tolower((unsigned char)needle.ptr[k])
				    : hay[i + k] == needle.ptr[k]))
			k++;
		if (k == needle.len)
			return hay + i;
	}
	return NULL;
}

/* Texts of few different bytes, so that there are many near misses; at the end of a mapping of
 * their own size, so that a byte read too far is seen by the sanitizer. */
START_TEST(finds_what_is_there)
{
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = below(300), needle_len = 1 + below(round % 3 ? 8 : 70);
		unsigned letters = 2 + below(4);
		char *hay = malloc(len ? len : 1), needle[80];
		for (size_t i = 0; i < len; i++)
			hay[i] = "abAB\xc3"[below(letters)];
		for (size_t i = 0; i < needle_len; i++)
			needle[i] = "abAB\xc3"[below(letters)];
		if (needle_len <= len && below(2))
			memcpy(hay + below((unsigned)(len - needle_len + 1)), needle, needle_len);
		for (int ignore_case = 0; ignore_case < 2; ignore_case++) {
			struct literal l;
			struct span n = span_make(needle, needle_len);
			ck_assert_int_eq(literal_init(&l, n, ignore_case), 0);
			ck_assert_ptr_eq(literal_find(&l, hay, len),
					 find_slowly(n, ignore_case, hay, len));
			literal_clear(&l);
		}
		free(hay);
	}
}
END_TEST

START_TEST(letters_only_are_folded)
{
	struct literal l;
	ck_assert_int_eq(literal_init(&l, SPAN_LITERAL("a[1"), true), 0);
	ck_assert_ptr_null(literal_find(&l, "a{1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40));
	ck_assert_ptr_nonnull(literal_find(&l, "A[1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40));
	literal_clear(&l);
}
END_TEST

START_TEST(the_first_of_several)
{
	const struct span strings[] = {SPAN_LITERAL("error"), SPAN_LITERAL("fatal"),
				       SPAN_LITERAL("err")};
	struct span hay = SPAN_LITERAL("info err warn fatal error fatal end");
	static const size_t places[] = {5, 14, 20, 26};
	struct finder f;
	struct finder_walk w;
	const char *at = hay.ptr;
	ck_assert_int_eq(finder_init(&f, strings, 3, false), 0);
	finder_walk_start(&w, &f, hay);
	for (size_t i = 0; i < 4; i++) {
		at = finder_walk_next(&w, at);
		ck_assert_ptr_eq(at, hay.ptr + places[i]);
		at++;
	}
	ck_assert_ptr_null(finder_walk_next(&w, at));
	ck_assert(finder_in(&f, SPAN_LITERAL("an error")));
	ck_assert(!finder_in(&f, SPAN_LITERAL("an er ror")));
	finder_clear(&f);
	ck_assert(finder_in(&f, SPAN_LITERAL("nothing to look for")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_literal");
	TCase *c = tcase_create("literal");
	tcase_add_test(c, finds_what_is_there);
	tcase_add_test(c, letters_only_are_folded);
	tcase_add_test(c, the_first_of_several);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
