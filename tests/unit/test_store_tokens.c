/* Tokens: what a line gives, what a needle demands, and that the two never contradict: a line that
 * holds the needle has all that the needle demands. */
#include "collector/store/tokens.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static struct tokenizer tokenizer;

static void scan(struct token_set *s, const char *text)
{
	ck_assert_int_eq(token_set_add(s, &tokenizer, span_of(text)), 0);
}

static bool has(const struct token_set *s, const char *token)
{
	size_t cursor = 0;
	uint64_t wanted = token_hash(span_of(token)), h;
	while ((h = token_set_next(s, &cursor)))
		if (h == wanted)
			return true;
	return false;
}

#define UUID "5d9d1234-aaaa-4bbb-8ccc-1234567890ab"

static const struct {
	const char *text;
	const char *tokens[8];
} lines[] = {
	{"Hello, World_1 a bc", {"hello", "world_1"}},
	{"status=503 port=8080 EOF 12", {"status", "port", "8080", "eof"}},
	{"at 123456Z 123Z abcZ 12Z1", {"abcz", "12z1"}},
	{"id=" UUID ".", {UUID}},
	{"id="
	 "x" UUID "y",
	 {UUID, "x5d9d1234", "1234567890aby"}},
	{UUID "-1111-4222-8333-abcdefabcdef", {UUID, "567890ab-1111-4222-8333-abcdefabcdef"}},
	{"5D9D1234-AAAA-4BBB-8CCC-1234567890AB", {UUID}},
	{"5d9d1234-aaaa-4bbb-8ccc-1234567890a",
	 {"5d9d1234", "aaaa", "4bbb", "8ccc", "1234567890a"}},
	{"req_01ARZ3NDEKTSV4RRFFQ69G5FAV",
	 {"req_01arz3ndektsv4rrffq69g5fav", "01arz3ndektsv4rrffq69g5fav"}},
	{"gr\xc3\xbc\xc3\x9f"
	 "e42 z",
	 {"gr\xc3\xbc\xc3\x9f"
	  "e42",
	  "e42"}},
	{"", {NULL}},
	{"a_very_long_name_of_a_function_that_does_not_end",
	 {"a_very_long_name_of_a_function_that_does_not_end"}},
};

START_TEST(a_line_gives_its_tokens)
{
	struct token_set s = {0};
	size_t n = 0;
	scan(&s, lines[_i].text);
	for (; n < 8 && lines[_i].tokens[n]; n++)
		ck_assert_msg(has(&s, lines[_i].tokens[n]), "%s lacks %s", lines[_i].text,
			      lines[_i].tokens[n]);
	/* "gr" is too short, and of the needle's forms nothing else counts. */
	ck_assert_uint_eq(s.count, n);
	token_set_free(&s);
}
END_TEST

START_TEST(hashes_are_those_of_the_format)
{
	/* A change of these numbers is a change of the format. */
	ck_assert_uint_eq(token_hash(SPAN_LITERAL("error")), UINT64_C(357909139335904113));
	ck_assert_uint_eq(token_hash(SPAN_LITERAL(UUID)), UINT64_C(550916084471241047));
}
END_TEST

static bool satisfied(const struct token_set *s, const struct token_terms *t)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t cursor = 0;
		uint64_t h;
		while ((h = token_set_next(s, &cursor)))
			if (h == t->items[i].hash)
				break;
		if (!h && !token_set_trait(s, t->items[i].trait))
			return false;
	}
	return true;
}

static const struct {
	const char *needle;
	bool whole;
	size_t terms;
	const char *without; /* a line that a block need not be read for */
	const char *with;    /* one that it must be */
} needles[] = {
	{UUID, false, 1, "5d9d1234-aaaa-4bbb-8ccc-1234567890ac", "xx" UUID "ff"},
	{"4bf92f3577b34da6a3ce929d0e0e4736", false, 1, "4bf92f3577b34da6a3ce929d0e0e4737",
	 "00-4bf92f3577b34da6a3ce929d0e0e4736-01"},
	{"4bf92f3577b34da6", false, 1, "trace 4bf92f3577b34da7 and u1",
	 "in 4bf92f3577b34da6a3ce929d0e0e4736"},
	{"4bf92f3577b34da6", true, 1, "4bf92f3577b34da6a3ce929d0e0e4736", "=4bf92f3577b34da6;"},
	{"error", false, 0, NULL, "myerrors"},
	{"error", true, 1, "errors", "an ERROR!"},
	{"\"level\":\"error\"", false, 2, "level=error2", "{\"level\":\"error\"}"},
	{"5d9d1234", true, 1, "5d9d12345", UUID},
	{"05:40:00.123456Z", false, 0, NULL, "2026-11-22T05:40:00.123456Z x"},
	{"503", true, 0, NULL, "503"},
	{"e42", true, 1, "e43",
	 "gr\xc3\xbc"
	 "e42"},
	{"\xc3\xbc"
	 "ber",
	 true, 1, "uber",
	 "gr\xc3\xbc"
	 "ber"},
	{"payment declined by issuer", false, 1, "payment accepted",
	 "xpayment declined by issuerx"},
	{"req_01ARZ3NDEKTSV4RRFFQ69G5FAV", false, 1, "req_01ARZ3NDEKTSV4RRFFQ69G5FAW",
	 "my_req_01ARZ3NDEKTSV4RRFFQ69G5FAV_9"},
};

START_TEST(a_needle_demands)
{
	struct token_terms t;
	struct token_set s = {0};
	ck_assert_int_eq(
		token_terms_of(&tokenizer, span_of(needles[_i].needle), needles[_i].whole, &t), 0);
	if (needles[_i].without) {
		scan(&s, needles[_i].without);
		ck_assert(!satisfied(&s, &t));
		token_set_clear(&s);
	}
	scan(&s, needles[_i].with);
	ck_assert(satisfied(&s, &t));
	ck_assert_uint_ge(t.n, needles[_i].terms);
	if (!needles[_i].terms)
		ck_assert_uint_eq(t.n, 0);
	token_set_free(&s);
}
END_TEST

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Lines made of what matters to the rules, cut anywhere: each part of a line is a needle that the
 * line satisfies. */
START_TEST(a_line_satisfies_every_part_of_it)
{
	static const char *const pieces[] = {
		"-",
		"_",
		" ",
		"a",
		"1234",
		"5d9d1234",
		"beef",
		"Z",
		"\xc3\xbc",
		"\"",
		UUID,
		"123456Z",
		"0123456789abcdef",
		"word",
		"ab12cd34ef56gh78",
	};
	uint64_t random = UINT64_C(88172645463325252);
	for (int round = 0; round < 20000; round++) {
		char line[512] = "";
		size_t n = 1 + random_next(&random) % 9;
		for (size_t i = 0; i < n; i++)
			strcat(line,
			       pieces[random_next(&random) % (sizeof(pieces) / sizeof(*pieces))]);
		size_t len = strlen(line), from = random_next(&random) % len;
		size_t to = from + 1 + random_next(&random) % (len - from);
		struct span needle = span_make(line + from, to - from);
		char before = from ? line[from - 1] : ' ', after = to < len ? line[to] : ' ';
		bool whole = before != '_' && after != '_' &&
			     !((unsigned char)before < 0x80 && isalnum((unsigned char)before)) &&
			     !((unsigned char)after < 0x80 && isalnum((unsigned char)after));
		struct token_set s = {0};
		struct token_terms t;
		scan(&s, line);
		ck_assert_int_eq(token_terms_of(&tokenizer, needle, whole, &t), 0);
		ck_assert_msg(satisfied(&s, &t), "'%s' has '%.*s' (whole: %d)", line,
			      (int)needle.len, needle.ptr, whole);
		token_set_free(&s);
	}
}
END_TEST

START_TEST(places_in_the_text_make_no_difference)
{
	char text[4096];
	for (size_t at = 0; at < 300; at++) {
		struct token_set s = {0};
		memset(text, ' ', sizeof(text));
		memcpy(text + at, "some_token", 10);
		ck_assert_int_eq(token_set_add(&s, &tokenizer, span_make(text, at + 10)), 0);
		ck_assert_uint_eq(s.count, 1);
		ck_assert(has(&s, "some_token"));
		ck_assert_int_eq(token_set_add(&s, &tokenizer, span_make(text, at + 11)), 0);
		ck_assert_uint_eq(s.count, 1);
		token_set_free(&s);
	}
}
END_TEST

START_TEST(a_set_grows_and_is_cleared)
{
	struct token_set s = {0};
	char word[32];
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(word, sizeof(word), "word%d", i % 2500);
		scan(&s, word);
	}
	ck_assert_uint_eq(s.count, 2500);
	ck_assert(has(&s, "word2499"));
	token_set_clear(&s);
	ck_assert_uint_eq(s.count, 0);
	ck_assert(!has(&s, "word2499"));
	token_set_free(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tokens");
	TCase *c = tcase_create("tokens");
	tcase_add_loop_test(c, a_line_gives_its_tokens, 0, (int)(sizeof(lines) / sizeof(*lines)));
	tcase_add_test(c, hashes_are_those_of_the_format);
	tcase_add_loop_test(c, a_needle_demands, 0, (int)(sizeof(needles) / sizeof(*needles)));
	tcase_add_test(c, a_line_satisfies_every_part_of_it);
	tcase_add_test(c, places_in_the_text_make_no_difference);
	tcase_add_test(c, a_set_grows_and_is_cleared);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
