/* The join string: there and back, and everything that is not quite one. */
#include "common/join.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TOKEN "haul_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PIN   "-_vYeCJnnLgvcyUNDsNGT2J5m6brPLsHZF9w8q6Zxx0"
#define TAIL  "?host=web-01&token=" TOKEN "&pin=" PIN

static struct join parse_good(const char *text)
{
	struct join j;
	const char *why = "";
	int r = join_parse(span_of(text), &j, &why);
	ck_assert_msg(r == 0, "%s: %s", text, why);
	return j;
}

START_TEST(a_whole_one)
{
	struct join j = parse_good("haul://logs.example.org:9000" TAIL);
	ck_assert_str_eq(j.address, "logs.example.org:9000");
	ck_assert_str_eq(j.hosts, "web-01");
	ck_assert_str_eq(j.token, TOKEN);
	ck_assert_str_eq(j.pin, "sha256//+/vYeCJnnLgvcyUNDsNGT2J5m6brPLsHZF9w8q6Zxx0=");
	ck_assert(j.tls);
}
END_TEST

START_TEST(what_may_be_left_out)
{
	ck_assert_str_eq(parse_good("haul://logs" TAIL).address, "logs:8514");
	ck_assert_str_eq(parse_good("haul://logs/" TAIL).address, "logs:8514");
	ck_assert_str_eq(parse_good("haul://[::1]" TAIL).address, "[::1]:8514");
	ck_assert_str_eq(parse_good("haul://[fe80::1:2]:65535" TAIL).address, "[fe80::1:2]:65535");
	ck_assert_str_eq(parse_good("haul://192.0.2.1:1" TAIL).address, "192.0.2.1:1");
	struct join j = parse_good("haul://logs?token=t&host=db-*");
	ck_assert_str_eq(j.hosts, "db-*");
	ck_assert_str_eq(j.pin, "");
	ck_assert(j.tls);
	ck_assert(!parse_good("haul://logs?host=a&token=t&tls=no").tls);
	ck_assert_str_eq(parse_good(" \t\r\nhaul://logs" TAIL "\r\n").token, TOKEN);
}
END_TEST

static const char *const good_texts[] = {
	"haul://logs.example.org:8514" TAIL,
	"haul://[2001:db8::1]:1?host=db-*&token=t",
	"haul://127.0.0.1:8514?host=[a-c]?!&token=t&tls=no",
};

START_TEST(there_and_back)
{
	struct buf out = BUF_EMPTY;
	struct join j = parse_good(good_texts[_i]);
	ck_assert_int_eq(join_format(&j, &out), 0);
	ck_assert_str_eq(buf_cstr(&out), good_texts[_i]);
	buf_free(&out);
}
END_TEST

static const char *const bad_texts[] = {
	"",
	"haul:",
	"haul://",
	"http://logs" TAIL,
	"haul://logs",
	"haul://logs?",
	"haul://logs?host=web-01",
	"haul://logs?token=t",
	"haul://logs?host=&token=t",
	"haul://logs?host=a&token=",
	"haul://logs?host=a&token=t&",
	"haul://logs?host=a&&token=t",
	"haul://logs?host=a&token=t&token=t",
	"haul://logs?host=a&token=t&other=1",
	"haul://logs?host=a&token",
	"haul://logs?host=a/b&token=t",
	"haul://logs?host=a%2A&token=t",
	"haul://logs?host=a&token=t u",
	"haul://logs?host=a&token=t\"u",
	"haul://logs?host=a&token=t\nu",
	"haul://logs?host=a&token=t&tls=yes",
	"haul://logs?host=a&token=t&tls=",
	"haul://logs?host=a&token=t&pin=",
	"haul://logs?host=a&token=t&pin=" PIN "=",
	"haul://logs?host=a&token=t&pin=" PIN "A",
	"haul://logs?host=a&token=t&pin=+/vYeCJnnLgvcyUNDsNGT2J5m6brPLsHZF9w8q6Zxx0",
	"haul://logs?host=a&token=t&pin=-_vYeCJnnLgvcyUNDsNGT2J5m6brPLsHZF9w8q6Zxx1",
	"haul://logs?host=a&token=t&tls=no&pin=" PIN,
	"haul://:8514" TAIL,
	"haul://logs:" TAIL,
	"haul://logs:0" TAIL,
	"haul://logs:65536" TAIL,
	"haul://logs:08514x" TAIL,
	"haul://user@logs" TAIL,
	"haul://logs/path" TAIL,
	"haul://lo gs" TAIL,
	"haul://-logs" TAIL,
	"haul://[]" TAIL,
	"haul://[::1" TAIL,
	"haul://[::1%eth0]" TAIL,
	"haul://[::1]8514" TAIL,
	"haul://l\xc3\xb6gs" TAIL,
};

START_TEST(anything_else_is_refused)
{
	struct join j = {.address = "as before"};
	const char *why = NULL;
	ck_assert_msg(join_parse(span_of(bad_texts[_i]), &j, &why) == -EINVAL, "taken: %s",
		      bad_texts[_i]);
	ck_assert_ptr_nonnull(why);
	ck_assert_str_eq(j.address, "as before");
}
END_TEST

START_TEST(lengths_have_limits)
{
	struct join j;
	const char *why;
	char text[2 * JOIN_TEXT_MAX];
	static const char *const forms[] = {"haul://%0*d?host=a&token=t",
					    "haul://a?host=%0*d&token=t",
					    "haul://a?host=a&token=%0*d"};
	static const int longest[] = {253, NAME_MAX_LEN, JOIN_TOKEN_MAX};
	for (int i = 0; i < 3; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof(text), forms[i], longest[i], 0);
		ck_assert_int_eq(join_parse(span_of(text), &j, &why), 0);
		(void)snprintf(text, sizeof(text), forms[i], longest[i] + 1, 0);
		ck_assert_int_eq(join_parse(span_of(text), &j, &why), -EINVAL);
		(void)snprintf(text, sizeof(text), forms[i], JOIN_TEXT_MAX, 0);
		ck_assert_int_eq(join_parse(span_of(text), &j, &why), -EINVAL);
#pragma GCC diagnostic pop
	}
	struct span nul = SPAN_LITERAL("haul://logs?host=a\0b&token=t");
	ck_assert_int_eq(join_parse(nul, &j, &why), -EINVAL);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

int main(void)
{
	Suite *s = suite_create("join");
	TCase *c = tcase_create("join");
	tcase_add_test(c, a_whole_one);
	tcase_add_test(c, what_may_be_left_out);
	tcase_add_loop_test(c, there_and_back, 0, COUNT(good_texts));
	tcase_add_loop_test(c, anything_else_is_refused, 0, COUNT(bad_texts));
	tcase_add_test(c, lengths_have_limits);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
