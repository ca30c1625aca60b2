/* Configuration: values of every type, defaults, what prints back. */
#include "common/num.h"
#include "tests/lib/sample_conf.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *inputs_path(const struct conf *c, size_t i)
{
	return sample_items(&((const struct sample_input *)conf_get(c, "input", i))->path);
}

static const char *inputs_keep(const struct conf *c, size_t i)
{
	return sample_items(&((const struct sample_input *)conf_get(c, "input", i))->keep);
}

static const char *inputs_exclude(const struct conf *c, size_t i)
{
	return sample_items(&((const struct sample_input *)conf_get(c, "input", i))->exclude);
}

START_TEST(nothing_written_gives_defaults)
{
	static const char *const texts[] = {
		"",          "\n",           "# only\n; comments",
		"[agent]\n", "\xef\xbb\xbf", "\xef\xbb\xbf[agent]\r\n\r\n"};
	for (size_t i = 0; i < LEN(texts); i++) {
		struct conf *c = sample_read(texts[i]);
		ck_assert_uint_eq(conf_count(c, "agent"), 1);
		ck_assert_uint_eq(conf_count(c, "input"), 0);
		ck_assert_uint_eq(conf_count(c, "retention"), 1);
		const struct sample_agent *a = sample_agent_of(c);
		ck_assert_str_eq(a->host, "");
		ck_assert_uint_eq(a->memory_limit, 32 << 20);
		ck_assert_uint_eq(a->max_open_files, 1024);
		ck_assert_int_eq(a->interval_ns, 250 * NUM_MS_NS);
		ck_assert(!a->remote);
		ck_assert_int_eq(a->type, 1);
		ck_assert(a->min_free.is_percent);
		ck_assert_uint_eq(a->min_free.value, 5);
		ck_assert_str_eq(a->url, "http://none");
		ck_assert_uint_eq(a->max_rate, 0);
		ck_assert(!conf_given(c, "agent", 0, "host"));
		ck_assert_ptr_null(conf_key_where(c, "agent", 0, "host"));
		const struct sample_retention *r = conf_get(c, "retention", 0);
		ck_assert_int_eq(r->max_age_ns, 30 * NUM_DAY_SEC * NUM_SEC_NS);
		ck_assert_str_eq(conf_section_name(c, "retention", 0), "");
		ck_assert_str_eq(conf_where(c, "retention", 0), "default");
		conf_free(c);
	}
	conf_free(NULL);
}
END_TEST

START_TEST(values_of_every_type)
{
	struct conf *c = sample_read("# a comment\n"
				     "[agent]\n"
				     "host = web-01 # not a comment ; nor this\n"
				     "memory_limit=64M\r\n"
				     "max_open_files \t = \t 16\t\n"
				     "interval = 2m\n"
				     "remote = Yes\n"
				     "   # an indented comment\n"
				     "type = cri\n"
				     "min_free = 10G\n"
				     "url = http://a = b\n"
				     "max_rate =\n"
				     "; the end");
	const struct sample_agent *a = sample_agent_of(c);
	ck_assert_str_eq(a->host, "web-01 # not a comment ; nor this");
	ck_assert_uint_eq(a->memory_limit, 64 << 20);
	ck_assert_uint_eq(a->max_open_files, 16);
	ck_assert_int_eq(a->interval_ns, 120 * NUM_SEC_NS);
	ck_assert(a->remote);
	ck_assert_int_eq(a->type, 2);
	ck_assert(!a->min_free.is_percent);
	ck_assert_uint_eq(a->min_free.value, UINT64_C(10) << 30);
	ck_assert_str_eq(a->url, "http://a = b");
	ck_assert_uint_eq(a->max_rate, 0);
	ck_assert(conf_given(c, "agent", 0, "max_rate"));
	ck_assert_str_eq(conf_where(c, "agent", 0), "x.conf:2");
	ck_assert_str_eq(conf_key_where(c, "agent", 0, "url"), "x.conf:11");
	conf_free(c);
}
END_TEST

START_TEST(booleans)
{
	static const struct {
		const char *text;
		bool value;
	} table[] = {{"yes", true},  {"no", false}, {"true", true}, {"false", false}, {"on", true},
		     {"OFF", false}, {"1", true},   {"0", false},   {"TRUE", true}};
	for (size_t i = 0; i < LEN(table); i++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "[agent]\nremote = %s\n", table[i].text);
		struct conf *c = sample_read(text);
		ck_assert(sample_agent_of(c)->remote == table[i].value);
		conf_free(c);
	}
}
END_TEST

START_TEST(empty_amounts_are_zero)
{
	struct conf *c = sample_read("[agent]\nmemory_limit =\ninterval =\nmin_free =\nurl =\n");
	const struct sample_agent *a = sample_agent_of(c);
	ck_assert_uint_eq(a->memory_limit, 0);
	ck_assert_int_eq(a->interval_ns, 0);
	ck_assert(!a->min_free.is_percent);
	ck_assert_uint_eq(a->min_free.value, 0);
	ck_assert_str_eq(a->url, "");
	struct buf b = sample_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(lists)
{
	struct conf *c = sample_read("[input one]\n"
				     "path = /a /b\t/c\n"
				     "       /d  /e#f\n"
				     "\n"
				     "  # not an item\n"
				     "# nor this\n"
				     "\t/g\n"
				     "keep = two words\n"
				     "  three more words  \n"
				     "keep = #x\n"
				     "  a = b\n"
				     "path = /h\n"
				     "[input two]\n"
				     "path =\n"
				     "  /x\n"
				     "exclude = *.gz\n"
				     "[input three]\n"
				     "path = /x\n"
				     "path =\n"
				     "exclude =\n"
				     "[input four]\n");
	ck_assert_uint_eq(conf_count(c, "input"), 4);
	ck_assert_str_eq(conf_section_name(c, "input", 0), "one");
	ck_assert_str_eq(conf_section_name(c, "input", 3), "four");
	ck_assert_str_eq(conf_where(c, "input", 1), "x.conf:13");
	ck_assert_str_eq(inputs_path(c, 0), "/a|/b|/c|/d|/e#f|/g|/h");
	ck_assert_str_eq(inputs_keep(c, 0), "two words|three more words|#x|a = b");
	ck_assert_str_eq(inputs_exclude(c, 0), "*.old|*.bak");
	ck_assert_str_eq(inputs_path(c, 1), "/x");
	ck_assert_str_eq(inputs_exclude(c, 1), "*.gz");
	ck_assert_str_eq(inputs_path(c, 2), "/x");
	ck_assert_str_eq(inputs_exclude(c, 2), "");
	ck_assert_str_eq(inputs_path(c, 3), "");
	ck_assert_str_eq(inputs_exclude(c, 3), "*.old|*.bak");
	ck_assert_str_eq(conf_key_where(c, "input", 0, "path"), "x.conf:2");
	struct buf b = sample_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(named_and_unnamed)
{
	struct conf *c = sample_read("[retention audit-*]\n"
				     "max_age = 365d\n"
				     "[retention]\n"
				     "max_age = 7d\n"
				     "[ retention\t a[bc] d ]\n"
				     "[agent]\n"
				     "host = a\n"
				     "[agent]\n"
				     "url = http://b\n");
	ck_assert_uint_eq(conf_count(c, "retention"), 3);
	ck_assert_str_eq(conf_section_name(c, "retention", 0), "");
	ck_assert_str_eq(conf_where(c, "retention", 0), "x.conf:3");
	ck_assert_str_eq(conf_section_name(c, "retention", 1), "audit-*");
	ck_assert_str_eq(conf_section_name(c, "retention", 2), "a[bc] d");
	static const int days[] = {7, 365, 30};
	for (size_t i = 0; i < LEN(days); i++) {
		const struct sample_retention *r = conf_get(c, "retention", i);
		ck_assert_int_eq(r->max_age_ns, days[i] * NUM_DAY_SEC * NUM_SEC_NS);
	}
	ck_assert_str_eq(sample_agent_of(c)->host, "a");
	ck_assert_str_eq(sample_agent_of(c)->url, "http://b");
	ck_assert_str_eq(conf_where(c, "agent", 0), "x.conf:6");
	struct buf b = sample_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(prints_what_stands)
{
	struct conf *c = sample_read("[input a b]\npath = /x /y\nkeep =\n"
				     "[agent]\ninterval = 90s\nmemory_limit = 1536K\n");
	struct buf b = sample_prints_back(c);
	ck_assert_str_eq(buf_cstr(&b), "[agent]\n"
				       "host =\n"
				       "memory_limit = 1536K\n"
				       "max_open_files = 1024\n"
				       "# how often\n"
				       "interval = 90s\n"
				       "remote = no\n"
				       "type = docker\n"
				       "min_free = 5%\n"
				       "url = http://none\n"
				       "max_rate = 0\n"
				       "\n"
				       "[input a b]\n"
				       "path = /x\n"
				       "path = /y\n"
				       "keep =\n"
				       "exclude = *.old\n"
				       "exclude = *.bak\n"
				       "service = {stem}\n"
				       "\n"
				       "[retention]\n"
				       "max_age = 30d\n");
	struct buf small = {.max = 100};
	ck_assert_int_eq(buf_add_str(&small, "before"), 0);
	ck_assert_int_eq(conf_print(c, &small), -EMSGSIZE);
	ck_assert(span_is(buf_span(&small), "before"));
	buf_free(&small);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(amounts_print_back)
{
	static const char *const values[] = {
		"memory_limit = 1048577", "memory_limit = 1T",   "max_rate = 0",
		"max_rate = 1023",        "max_rate = 1048576K", "interval = 1ms",
		"interval = 1001ms",      "interval = 3600s",    "interval = 36h",
		"interval = 106751d",     "min_free = 0%",       "min_free = 100%",
		"min_free = 0",           "min_free = 3G",
	};
	for (size_t i = 0; i < LEN(values); i++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "[agent]\n%s\n", values[i]);
		struct conf *c = sample_read(text);
		struct buf b = sample_prints_back(c);
		struct conf *again = sample_read_span(buf_span(&b));
		const struct sample_agent *x = sample_agent_of(c), *y = sample_agent_of(again);
		ck_assert_uint_eq(x->memory_limit, y->memory_limit);
		ck_assert_uint_eq(x->max_rate, y->max_rate);
		ck_assert_int_eq(x->interval_ns, y->interval_ns);
		ck_assert(x->min_free.is_percent == y->min_free.is_percent);
		ck_assert_uint_eq(x->min_free.value, y->min_free.value);
		conf_free(again);
		buf_free(&b);
		conf_free(c);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *texts = tcase_create("texts");
	tcase_add_test(texts, nothing_written_gives_defaults);
	tcase_add_test(texts, values_of_every_type);
	tcase_add_test(texts, booleans);
	tcase_add_test(texts, empty_amounts_are_zero);
	tcase_add_test(texts, lists);
	tcase_add_test(texts, named_and_unnamed);
	tcase_add_test(texts, prints_what_stands);
	tcase_add_test(texts, amounts_print_back);
	suite_add_tcase(suite, texts);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
