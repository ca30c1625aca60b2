/* keep, drop, mask. */
#include "agent/lines/filter.h"

#include <check.h>
#include <stdlib.h>

static struct filter *make(const char *keep, const char *drop, const char *mask, const char *mask2)
{
	char *texts[4] = {(char *)keep, (char *)drop, (char *)mask, (char *)mask2};
	struct conf_list k = {&texts[0], keep != NULL}, d = {&texts[1], drop != NULL};
	struct conf_list m = {&texts[2], (size_t)(mask != NULL) + (mask2 != NULL)};
	struct filter *f = NULL;
	char why[256] = "";
	ck_assert_msg(filter_new(&k, &d, &m, &f, why, sizeof(why)) == 0, "%s", why);
	return f;
}

START_TEST(nothing_configured_is_no_filter)
{
	ck_assert_ptr_null(make(NULL, NULL, NULL, NULL));
}
END_TEST

START_TEST(keep_and_drop_decide)
{
	struct filter *f = make("error|warn", "noise", NULL, NULL);
	ck_assert(filter_keeps(f, SPAN_LITERAL("an error")));
	ck_assert(!filter_keeps(f, SPAN_LITERAL("an info")));
	ck_assert(!filter_keeps(f, SPAN_LITERAL("error noise")));
	filter_free(f);
}
END_TEST

START_TEST(mask_hides_matches_or_groups)
{
	static const struct {
		const char *mask, *mask2, *in, *out;
		size_t places;
	} cases[] = {
		{"[0-9]{4}", NULL, "card 1234 5678", "card *** ***", 2},
		{"password=(\\S+)", NULL, "user=a password=hunter2 x", "user=a password=*** x", 1},
		{"(a)(b)?", NULL, "ab a", "****** ***", 3},
		{"x*", NULL, "axxb", "a***b", 1}, /* empty matches are nothing to hide */
		{"secret", "token", "secret token", "*** ***", 2},
		/* What one pattern hides does not hide it from the next. */
		{"user=(\\w+)", "user=\\w+ token=(\\w+)", "user=bob token=abc",
		 "user=*** token=***", 2},
		{"b+", "abc", "xabbcabcx", "xa***c***x", 2},
		{"bcd", "abc|efg", "abcdefg", "******", 2},
		/* Groups in any order, nested, behind the match and before it. */
		{"(?=.*token=(\\w+)).*user=(\\w+)", NULL, "user=bob token=abc",
		 "user=*** token=***", 2},
		{"((a)b)", NULL, "abab", "******", 2},
		{"(?<=(k\\d)=)v", NULL, "k1=v", "***=v", 1},
		{"v(\\d)|(?<=(k=v1))x", NULL, "k=v1x", "***x", 1},
		/* A group that took no part hides nothing, but then all of the match is. */
		{"secret|token=(\\w+)", NULL, "secret token=x", "*** token=***", 2},
		{"password=(\\S*)", NULL, "password= x", "password= x", 0},
		/* An empty match is no reason to pass over one that is not. */
		{"|secret", NULL, "a secret", "a ***", 1},
		{"(?=s)|secret", NULL, "secret", "***", 1},
		{"(?:)\\Ksecret", NULL, "a secret", "a ***", 1},
		{"\\xc3\\xa4", NULL, "k\xc3\xa4se", "k***se", 1},
		{"\xc3\xa4|(?=\\p{L})", NULL, "\xc3\xb6\xc3\xa4", "\xc3\xb6***", 1},
		{"secret", NULL, "nothing here", "nothing here", 0},
		{"pw=\\S+", NULL, "pw=\xff\xfe! end", "*** end",
		 1}, /* bytes that are not UTF-8 too */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct filter *f = make(NULL, NULL, cases[i].mask, cases[i].mask2);
		struct span line = span_of(cases[i].in);
		size_t places = filter_mask(f, &line, true);
		ck_assert_msg(span_is(line, cases[i].out), "case %zu: %.*s", i, (int)line.len,
			      line.ptr);
		ck_assert_msg(places == cases[i].places, "case %zu: %zu places", i, places);
		filter_free(f);
	}
}
END_TEST

/* Of a line that cannot be seen as a whole nothing is shown, where something may be to hide. */
START_TEST(mask_hides_what_it_cannot_see)
{
	struct filter *mask = make(NULL, NULL, "secret", NULL), *none = make("x", NULL, NULL, NULL);
	struct span line = SPAN_LITERAL("half a line"), other = line;
	ck_assert(filter_masks(mask) && !filter_masks(none) && !filter_masks(NULL));
	ck_assert_uint_eq(filter_mask(mask, &line, false), 1);
	ck_assert(span_is(line, "***"));
	ck_assert_uint_eq(filter_mask(none, &other, false), 0);
	ck_assert(span_is(other, "half a line"));
	filter_free(mask);
	filter_free(none);
}
END_TEST

/* More places than there is memory for. */
START_TEST(mask_of_a_line_with_too_many_places)
{
	static char text[300000];
	memset(text, '7', sizeof(text));
	struct filter *f = make(NULL, NULL, "7", NULL);
	struct span line = span_make(text, sizeof(text));
	ck_assert_uint_eq(filter_mask(f, &line, true), 1);
	ck_assert(span_is(line, "***"));
	filter_free(f);
}
END_TEST

START_TEST(a_pattern_that_explodes_fails_to_its_safe_side)
{
	/* Quadratic or worse backtracking over many bytes runs into PCRE2's match limit. */
	static char text[65536];
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 'b';
	struct span line = span_make(text, sizeof(text));
	static const char bad[] = "(?:a+)+(?:a+)+(?:a+)+c";
	struct filter *keep = make(bad, NULL, NULL, NULL), *drop = make(NULL, bad, NULL, NULL);
	struct filter *mask = make(NULL, NULL, bad, NULL);
	ck_assert(filter_keeps(keep, line) || !filter_keeps(keep, SPAN_LITERAL("b")));
	ck_assert(filter_keeps(drop, line));
	struct span masked = line;
	size_t places = filter_mask(mask, &masked, true);
	ck_assert(places == 0 ? span_equal(masked, line) : span_is(masked, "***"));
	filter_free(keep);
	filter_free(drop);
	filter_free(mask);
}
END_TEST

START_TEST(wrong_patterns_are_said_with_their_option)
{
	char *bad[] = {"("};
	struct conf_list list = {bad, 1}, none = {NULL, 0};
	struct filter *f;
	char why[256] = "";
	ck_assert_int_lt(filter_new(&none, &list, &none, &f, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(strstr(why, "drop = ("));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("filter");
	TCase *t = tcase_create("filter");
	tcase_add_test(t, nothing_configured_is_no_filter);
	tcase_add_test(t, keep_and_drop_decide);
	tcase_add_test(t, mask_hides_matches_or_groups);
	tcase_add_test(t, mask_hides_what_it_cannot_see);
	tcase_add_test(t, mask_of_a_line_with_too_many_places);
	tcase_add_test(t, a_pattern_that_explodes_fails_to_its_safe_side);
	tcase_add_test(t, wrong_patterns_are_said_with_their_option);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
