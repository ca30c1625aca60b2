/* Patterns: which strings an expression demands, and which lines it finds. */
#include "collector/query/matcher.h"
#include "collector/query/required.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

/* What is demanded, "|" between alternatives; "" nothing. */
static const struct {
	const char *pattern, *required;
} REQUIRED[] = {
	{"error", "error"},
	{"error.*timeout", "timeout"},
	{"^2026-11-22", "2026-11-22"},
	{"status\":50[12]", "status\":501|status\":502"},
	{"https?://x", "https://x|http://x"},
	{"(error|fatal) in", "error in|fatal in"},
	{"error|fatal", "error|fatal"},
	{"error|.*", ""},
	{"error|", ""},
	{"(foo)?bar", "foobar|bar"},
	{"(foo)*bar", "bar"},
	{"(foo)+bar", "foo"},
	{"a{2}", "a"},
	{"ab{0}c", "a"},
	{"ab{,3}c", "ab{,3}c"},
	{"a{x}", "a{x}"},
	{"\\bfoo\\b", "foo"},
	{"foo\\.bar\\/", "foo.bar/"},
	{"\\d+ms", "ms"},
	{"\\Qa.b*c\\E", "a.b*c"},
	{"\\Qab\\E+", ""},
	{"(?:abc)(?=def)ghi", "abcghi"},
	{"(?<name>abc)d", "abcd"},
	{"(?!abc)xyz", "xyz"},
	{"(?#comment)xyz", "xyz"},
	{"(?i)abc", ""},
	{"(?i:abc)", ""},
	{"(a)\\1b", "a"},
	{"(*UTF)abc", ""},
	{"(?R)?abc", ""},
	{"[^a]bc", "bc"},
	{"[]a]bc", "]bc|abc"},
	{"[a-c]xyz", "xyz"},
	{"[[:digit:]]xyz", "xyz"},
	{"x\xc3\xa9?y", "x\xc3\xa9y|xy"},
	{"a\\x41b", ""},
	{".", ""},
	{"\\t\\tab", "\t\tab"},
	{"a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q", ""},
	{"\\p{L}abc\\pLd", "abc"},
};

START_TEST(required)
{
	struct required found;
	char text[4096] = "";
	required_of(span_of(REQUIRED[_i].pattern), false, &found);
	for (size_t i = 0; i < found.n; i++) {
		strcat(text, i ? "|" : "");
		strncat(text, found.text[i], found.len[i]);
	}
	ck_assert_str_eq(text, REQUIRED[_i].required);
}
END_TEST

START_TEST(required_without_case)
{
	struct required found;
	required_of(SPAN_LITERAL("ErrOR [Aa]b"), true, &found);
	ck_assert_uint_eq(found.n, 1);
	ck_assert_mem_eq(found.text[0], "error ab", 8);
	/* Other alphabets fold in ways that a search for bytes does not know. */
	required_of(SPAN_LITERAL("\xc3\x89"
				 "coute"),
		    true, &found);
	ck_assert_uint_eq(found.n, 1);
	ck_assert_mem_eq(found.text[0], "coute", 5);
}
END_TEST

static const char *const LINES = "one error here\n"
				 "two\n"
				 "\n"
				 "ERROR three, status=503\n"
				 "caf\xc3\xa9 four error error\n"
				 "last timeout after error\n";

/* The numbers of the lines that match. */
static const struct {
	const char *pattern;
	bool fixed, ignore_case;
	const char *lines;
} FOUND[] = {
	{"error", true, false, "1 5 6 "},
	{"error", true, true, "1 4 5 6 "},
	{"error", false, false, "1 5 6 "},
	{"ERROR|timeout", false, false, "4 6 "},
	{"error|three", false, true, "1 4 5 6 "},
	{"^two$", false, false, "2 "},
	{"^$", false, false, "3 "},
	{"^.{4} four", false, false, "5 "}, /* characters, not bytes */
	{"caf[^x] four", false, false, "5 "},
	{"CAF\xc3\x89", true, true, "5 "},
	{"CAF\xc3\x89", false, true, "5 "},
	{"error\\s+two", false, false, ""}, /* nothing matches across lines */
	{"here\\s", false, false, ""},
	{"(?<!one )error", false, false, "5 6 "},
	{"a.b", true, false, ""},
	{"", false, false, "1 2 3 4 5 6 "},
	{"", true, false, "1 2 3 4 5 6 "},
	{"\\d{3}", false, false, "4 "},
	{"x*", false, false, "1 2 3 4 5 6 "},
};

static struct matcher *compile(const char *pattern, bool fixed, bool ignore_case)
{
	struct matcher *m;
	struct matcher_error err;
	ck_assert_int_eq(matcher_new(span_of(pattern), fixed, ignore_case, &m, &err), 0);
	return m;
}

START_TEST(lines)
{
	struct matcher *m = compile(FOUND[_i].pattern, FOUND[_i].fixed, FOUND[_i].ignore_case);
	struct matcher_scratch *s = matcher_scratch_new(m);
	char text[64] = "";
	const char *at = LINES;
	struct span line;
	matcher_start(s, span_of(LINES));
	while (matcher_next(s, at, &line)) {
		unsigned number = 1;
		for (const char *p = LINES; p < line.ptr; p++)
			number += *p == '\n';
		ck_assert(line.ptr == LINES || line.ptr[-1] == '\n');
		ck_assert_int_eq(line.ptr[line.len], '\n');
		ck_assert(matcher_test(s, line));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", number);
		at = line.ptr + line.len + 1;
	}
	ck_assert_str_eq(text, FOUND[_i].lines);
	matcher_scratch_free(s);
	matcher_free(m);
}
END_TEST

START_TEST(bad_patterns)
{
	static const struct {
		const char *pattern;
		size_t at;
	} bad[] = {{"a(b", 3}, {"a[b", 3}, {"*a", 0}, {"ab)c", 2}, {"a\nb", 1}};
	for (int i = 0; i < LEN(bad); i++) {
		struct matcher *m;
		struct matcher_error err = {.at = 99};
		ck_assert_int_eq(matcher_new(span_of(bad[i].pattern), false, false, &m, &err),
				 -EINVAL);
		ck_assert_uint_eq(err.at, bad[i].at);
		ck_assert_uint_gt(strlen(err.text), 0);
	}
}
END_TEST

START_TEST(matches_to_mark)
{
	static const struct {
		const char *pattern;
		bool fixed;
	} how[] = {{"ab", true}, {"a.", false}};
	for (int i = 0; i < LEN(how); i++) {
		struct matcher *m = compile(how[i].pattern, how[i].fixed, false);
		struct matcher_scratch *s = matcher_scratch_new(m);
		struct span text = SPAN_LITERAL("xabxxab"), match;
		ck_assert(matcher_find(s, text, 0, &match));
		ck_assert_ptr_eq(match.ptr, text.ptr + 1);
		ck_assert_uint_eq(match.len, 2);
		ck_assert(matcher_find(s, text, 3, &match));
		ck_assert_ptr_eq(match.ptr, text.ptr + 5);
		ck_assert(!matcher_find(s, text, 7, &match));
		matcher_scratch_free(s);
		matcher_free(m);
	}
}
END_TEST

/* An empty match is no place to mark, and no reason to look for ever. */
START_TEST(empty_matches)
{
	struct matcher *m = compile("x*", false, false);
	struct matcher_scratch *s = matcher_scratch_new(m);
	struct span text = SPAN_LITERAL("aaxxa"), match;
	ck_assert(matcher_find(s, text, 0, &match));
	ck_assert_ptr_eq(match.ptr, text.ptr + 2);
	ck_assert_uint_eq(match.len, 2);
	ck_assert(!matcher_find(s, text, 4, &match));
	matcher_scratch_free(s);
	matcher_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_matcher");
	TCase *c = tcase_create("matcher");
	tcase_add_loop_test(c, required, 0, LEN(REQUIRED));
	tcase_add_test(c, required_without_case);
	tcase_add_loop_test(c, lines, 0, LEN(FOUND));
	tcase_add_test(c, bad_patterns);
	tcase_add_test(c, matches_to_mark);
	tcase_add_test(c, empty_matches);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
