/* What somebody may have meant: the nearest word, and none when all are far. */
#include "collector/query/near.h"

#include <check.h>

#define LEN(a) ((int)(sizeof(a) / sizeof(*(a))))

static const struct {
	const char *typed, *words[5], *wanted;
} cases[] = {
	{"grpe", {"grep", "trace", "top"}, "grep"},
	{"chekout", {"cart", "checkout", "payment"}, "checkout"},
	{"checkout", {"shop.cart", "shop.checkout"}, "shop.checkout"},
	{"chekcout", {"shop.cart", "shop.checkout"}, "shop.checkout"},
	{"wbe-01", {"web-02", "web-01", "web-011"}, "web-01"},
	{"lvl", {"status", "level", "msg"}, "level"},
	{"--sicne", {"--until", "--since", "--service"}, "--since"},
	{"x", {"grep", "top"}, ""},
	{"zebra", {"cart", "checkout"}, ""},
	{"", {"cart"}, ""},
	{"cart", {""}, ""},
	{"0123456789012345678901234567890123456789012345678901234567890123456789", {"0"}, ""},
};

START_TEST(the_nearest)
{
	struct near n = {.distance = 0};
	char text[NEAR_TEXT_MAX];
	for (int i = 0; i < LEN(cases[_i].words) && cases[_i].words[i]; i++)
		near_offer(&n, span_of(cases[_i].typed), span_of(cases[_i].words[i]));
	ck_assert_str_eq(n.word, cases[_i].wanted);
	ck_assert_int_eq(*near_text(&n, text) != '\0', *n.word != '\0');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_near");
	TCase *c = tcase_create("near");
	tcase_add_loop_test(c, the_nearest, 0, LEN(cases));
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
