/* Framing: bytes to lines. */
#include "agent/lines/frame.h"

#include <check.h>
#include <stdlib.h>

START_TEST(takes_lines_one_by_one)
{
	struct span in = SPAN_LITERAL("one\ntwo\n\nthree");
	struct frame_line line;

	ck_assert(frame_next(&in, false, &line));
	ck_assert(span_is(line.text, "one") && line.consumed == 4 && line.ended && line.clean);
	ck_assert(frame_next(&in, false, &line));
	ck_assert(span_is(line.text, "two"));
	ck_assert(frame_next(&in, false, &line));
	ck_assert(line.text.len == 0 && line.consumed == 1 && line.ended);
	ck_assert(!frame_next(&in, false, &line));
	ck_assert(span_is(in, "three"));
}
END_TEST

START_TEST(tells_clean_from_unclean)
{
	static const struct {
		const char *text;
		size_t len;
		bool clean;
	} cases[] = {
		{"plain\n", 6, true},
		{"tab\tinside\n", 11, true},
		{"cr at end\r\n", 11, true},
		{"cr\rinside\n", 10, false},
		{"bell\a\n", 6, false},
		{"nul\0\n", 5, false},
		{"gr\xc3\xbc\xc3\x9f\n", 7, true},
		{"\xff\n", 2, false},
		{"\xc2\x85\n", 3, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = span_make(cases[i].text, cases[i].len);
		struct frame_line line;
		ck_assert(frame_next(&in, false, &line));
		ck_assert_msg(line.clean == cases[i].clean, "case %zu", i);
	}
}
END_TEST

START_TEST(a_portion_ends_between_characters)
{
	struct span in = SPAN_LITERAL("abc\xe2\x82"); /* the euro sign without its last byte */
	struct frame_line line;

	ck_assert(frame_next(&in, true, &line));
	ck_assert(span_is(line.text, "abc") && !line.ended && line.consumed == 3);
	/* Alone at last, what is not whole goes out as it is. */
	ck_assert(frame_next(&in, true, &line));
	ck_assert_uint_eq(line.consumed, 2);
	ck_assert_uint_eq(in.len, 0);
	ck_assert(!frame_next(&in, true, &line));
}
END_TEST

START_TEST(a_portion_leaves_a_cr_that_may_stand_before_an_lf)
{
	struct span in = SPAN_LITERAL("abc\r");
	struct frame_line line;
	ck_assert(frame_next(&in, true, &line));
	ck_assert(span_is(line.text, "abc"));
	ck_assert(span_is(in, "\r"));
}
END_TEST

START_TEST(pieces_are_cut_between_characters)
{
	static const struct {
		const char *text;
		size_t max, want;
	} cases[] = {
		{"abcdef", 4, 4},
		{"abc", 4, 3},
		{"abc\xc3\xbc", 4, 3},
		{"ab\xe2\x82\xac!", 4, 2},
		{"\xf0\x9f\x98\x80x", 4, 4},
		{"a\xf0\x9f\x98\x80", 4, 1},
		{"\x80\x80\x80\x80\x80\x80", 4, 4}, /* not UTF-8: anywhere */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(frame_piece(span_of(cases[i].text), cases[i].max) == cases[i].want,
			      "case %zu: %zu", i,
			      frame_piece(span_of(cases[i].text), cases[i].max));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *t = tcase_create("frame");
	tcase_add_test(t, takes_lines_one_by_one);
	tcase_add_test(t, tells_clean_from_unclean);
	tcase_add_test(t, a_portion_ends_between_characters);
	tcase_add_test(t, a_portion_leaves_a_cr_that_may_stand_before_an_lf);
	tcase_add_test(t, pieces_are_cut_between_characters);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
