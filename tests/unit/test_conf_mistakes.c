/* Mistakes in a configuration: each is explained, with its place. */
#include "tests/lib/sample_conf.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

#define AGENT "[agent]\n"

#define INPUT "[input i]\n"

static const struct {
	const char *text, *error;
} ERRORS[] = {
	{"[agnet]\n", "x.conf:1: unknown section \"agnet\"; did you mean [agent]?"},
	{"\n\n[inputs x]\n", "x.conf:3: unknown section \"inputs\"; did you mean [input]?"},
	{"[nothing like it]\n", "x.conf:1: unknown section \"nothing\""},
	{"[]\n", "x.conf:1: unknown section \"\""},
	{"[agent\n", "x.conf:1: the ] is missing; a section is a line [section] or [section name]"},
	{"[agent] # x\n", "x.conf:1: there is text behind the ]; a section is a line "
			  "[section] or [section name]"},
	{"[", "x.conf:1: the ] is missing; a section is a line [section] or [section name]"},
	{"[agent x]\n", "x.conf:1: [agent] takes no name"},
	{"[input]\n", "x.conf:1: [input] needs a name: [input NAME]"},
	{INPUT "[input j]\n[input  i ]\n", "x.conf:3: [input i] is already at x.conf:1"},
	{"[retention a]\n[retention a]\n", "x.conf:2: [retention a] is already at x.conf:1"},
	{"host = x\n", "x.conf:1: \"host\" stands before the first [section]"},
	{AGENT "hots = x\n", "x.conf:2: unknown key \"hots\" in [agent]; did you mean \"host\"?"},
	{AGENT "memorylimit = 1M\n", "x.conf:2: unknown key \"memorylimit\" in [agent]; "
				     "did you mean \"memory_limit\"?"},
	{AGENT "Host = x\n", "x.conf:2: unknown key \"Host\" in [agent]; did you mean \"host\"?"},
	{AGENT "colour = x\n", "x.conf:2: unknown key \"colour\" in [agent]"},
	{AGENT "path = /x\n", "x.conf:2: unknown key \"path\" in [agent]; it belongs in [input]"},
	{AGENT "host\n", "x.conf:2: \"host\" is neither [section] nor key = value"},
	{AGENT "= x\n", "x.conf:2: \"= x\" is neither [section] nor key = value"},
	{AGENT "host = a\nurl = http\nhost = a\n", "x.conf:4: host is already given at x.conf:2"},
	{AGENT "host = a\n[agent]\nhost = b\n", "x.conf:4: host is already given at x.conf:2"},
	{AGENT "host = a\n  b\n", "x.conf:3: a line that starts with white space goes on "
				  "with a list, and host takes one "
				  "value; remove the white space"},
	{AGENT "  host = a\n", "x.conf:2: a line that starts with white space goes on "
			       "with a list, and there is none "
			       "before it; remove the white space"},
	{" [agent]\n", "x.conf:1: a line that starts with white space goes on with a "
		       "list, and there is none "
		       "before it; remove the white space"},
	{INPUT "path = /a\n exclude = *.b\n",
	 "x.conf:3: a line that starts with white space would go on with path; remove "
	 "the white "
	 "space if it is meant as a line of its own"},
	{INPUT "keep = /a\n [agent]\n", "x.conf:3: a line that starts with white space "
					"would go on with keep; remove the white "
					"space if it is meant as a line of its own"},
	{AGENT "memory_limit = 12x\n", "x.conf:2: memory_limit: \"12x\" is not a size (a "
				       "number, with K, M, G or T behind it)"},
	{AGENT "memory_limit = 1 M\n", "x.conf:2: memory_limit: \"1 M\" is not a size (a "
				       "number, with K, M, G or T behind it)"},
	{AGENT "memory_limit = 99999999T\n", "x.conf:2: memory_limit: \"99999999T\" is too large"},
	{AGENT "memory_limit = 64K\n", "x.conf:2: memory_limit: 64K is less than the least, 1M"},
	{AGENT "memory_limit = 2T\n", "x.conf:2: memory_limit: 2T is more than the most, 1T"},
	{AGENT "memory_limit = 0\n", "x.conf:2: memory_limit: 0 is less than the least, 1M"},
	{AGENT "max_open_files =\n", "x.conf:2: max_open_files: \"\" is not a number"},
	{AGENT "max_open_files = 1K\n", "x.conf:2: max_open_files: \"1K\" is not a number"},
	{AGENT "max_open_files = -1\n", "x.conf:2: max_open_files: \"-1\" is not a number"},
	{AGENT "max_open_files = 8\n", "x.conf:2: max_open_files: 8 is less than the least, 16"},
	{AGENT "interval = 10\n", "x.conf:2: interval: \"10\" is not a duration (a number with ms, "
				  "s, m, h or d behind it)"},
	{AGENT "interval = 999999999d\n", "x.conf:2: interval: \"999999999d\" is too long"},
	{AGENT "interval = 0\n", "x.conf:2: interval: 0 is less than the least, 1ns"},
	{AGENT "remote = maybe\n", "x.conf:2: remote: \"maybe\" is neither yes nor no"},
	{AGENT "remote =\n", "x.conf:2: remote: \"\" is neither yes nor no"},
	{AGENT "type = dokcer\n", "x.conf:2: type: \"dokcer\" is none of file, docker, cri"},
	{AGENT "min_free = 101%\n", "x.conf:2: min_free: \"101%\" is too large"},
	{AGENT "min_free = %\n", "x.conf:2: min_free: \"%\" is neither a percentage nor a size (a "
				 "number with %, or with K, M, G or T behind it)"},
	{AGENT "url = ftp://x\n", "x.conf:2: url: \"ftp://x\": it does not begin with http:// or "
				  "https://"},
	{INPUT "path = /a b /c\n", "x.conf:2: path: \"b\": it is not an absolute path"},
	{INPUT "path = /a\n\tb\n", "x.conf:3: path: \"b\": it is not an absolute path"},
	{AGENT "host = a\x01\n", "x.conf:2: control character \\x01 at byte 9"},
	{AGENT "host = a\rb\n", "x.conf:2: control character \\x0d at byte 9"},
	{"\xef\xbb\xbf\xef\xbb\xbf[agent]\n",
	 "x.conf:1: \"\xef\xbb\xbf[agent]\" is neither [section] nor key = value"},
};

START_TEST(mistakes_are_explained)
{
	struct conf *c = NULL;
	struct conf_error err = {"no error"};
	int r = conf_read_text(sample_sections, SAMPLE_SECTIONS, "x.conf", span_of(ERRORS[_i].text),
			       &c, &err);
	ck_assert_str_eq(err.text, ERRORS[_i].error);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	struct conf *c = NULL;
	struct conf_error err;
	ck_assert_int_eq(conf_read_text(sample_sections, SAMPLE_SECTIONS, "x.conf",
					SPAN_LITERAL("[agent]\nhost = a\0b\n"), &c, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "x.conf:2: control character \\x00 at byte 9");
}
END_TEST

START_TEST(line_length)
{
	/* "[agent]\nhost=xxx...": as long as a line may be, then one more. */
	char text[8 + CONF_LINE_MAX + 3] = "[agent]\nhost=";
	memset(text + 13, 'x', CONF_LINE_MAX - 5);
	memcpy(text + 8 + CONF_LINE_MAX, "\r\n", 3);
	struct conf *c = sample_read(text);
	ck_assert_uint_eq(strlen(sample_agent_of(c)->host), CONF_LINE_MAX - 5);
	struct buf b = sample_prints_back(c);
	buf_free(&b);
	conf_free(c);
	memcpy(text + 8 + CONF_LINE_MAX, "x\n", 3);
	struct conf_error err;
	ck_assert_int_eq(
		conf_read_text(sample_sections, SAMPLE_SECTIONS, "x.conf", span_of(text), &c, &err),
		-EINVAL);
	ck_assert_str_eq(err.text, "x.conf:2: the line is longer than 4096 bytes");

	/* An item of a list that fits only without its key in front. */
	char list[17 + CONF_LINE_MAX + 1] = "[input i]\nkeep =\n ";
	memset(list + 18, 'y', CONF_LINE_MAX - 1);
	c = sample_read(list);
	ck_assert_uint_eq(
		strlen(((const struct sample_input *)conf_get(c, "input", 0))->keep.items[0]),
		CONF_LINE_MAX - 1);
	b = sample_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(long_things_are_cut_in_messages)
{
	char text[3000], name[3000];
	struct conf *c;
	struct conf_error err;
	memset(text, 'x', sizeof(text));
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memcpy(text, "[agent]\n", 8);
	ck_assert_int_eq(conf_read_text(sample_sections, SAMPLE_SECTIONS, name,
					span_make(text, sizeof(text)), &c, &err),
			 -EINVAL);
	ck_assert(span_starts_with(span_of(err.text), span_of("nnnn")));
	ck_assert(span_ends_with(span_of(err.text),
				 span_of("xxx...\" is neither [section] nor key = value")));
	ck_assert_uint_lt(strlen(err.text), 3200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf_mistakes");
	TCase *texts = tcase_create("texts");
	tcase_add_loop_test(texts, mistakes_are_explained, 0, (int)LEN(ERRORS));
	tcase_add_test(texts, nul_bytes_are_refused);
	tcase_add_test(texts, line_length);
	tcase_add_test(texts, long_things_are_cut_in_messages);
	suite_add_tcase(suite, texts);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
