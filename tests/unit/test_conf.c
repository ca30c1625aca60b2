/* The configuration reader over a table that has every type: values, defaults,
 * continuations, files, and what it says about each kind of mistake. */
#include "common/conf.h"

#include "common/file.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- the table --- */

struct agent {
	char *host;
	uint64_t memory_limit;
	uint64_t max_open_files;
	int64_t interval_ns;
	bool remote;
	int type;
	struct conf_amount min_free;
	char *url;
	uint64_t max_rate;
};

struct input {
	struct conf_list path;
	struct conf_list keep;
	struct conf_list exclude;
	char *service;
};

struct retention {
	int64_t max_age_ns;
};

static int check_url(const char *value, const char **ret_why)
{
	*ret_why = "it does not begin with http:// or https://";
	return strncmp(value, "http", 4) == 0 ? 0 : -EINVAL;
}

static int check_absolute(const char *value, const char **ret_why)
{
	*ret_why = "it is not an absolute path";
	return value[0] == '/' ? 0 : -EINVAL;
}

static const char *const types[] = {"file", "docker", "cri", NULL};

static const struct conf_option agent_options[] = {
	{.key = "host", .type = CONF_STRING, .offset = offsetof(struct agent, host)},
	{.key = "memory_limit",
	 .type = CONF_SIZE,
	 .offset = offsetof(struct agent, memory_limit),
	 .default_text = "32M",
	 .min = 1 << 20,
	 .max = UINT64_C(1) << 40},
	{.key = "max_open_files",
	 .type = CONF_UINT,
	 .offset = offsetof(struct agent, max_open_files),
	 .default_text = "1024",
	 .min = 16,
	 .max = 100000},
	{.key = "interval",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct agent, interval_ns),
	 .default_text = "250ms",
	 .min = 1,
	 .max = INT64_MAX,
	 .help = "how often"},
	{.key = "remote", .type = CONF_BOOL, .offset = offsetof(struct agent, remote)},
	{.key = "type",
	 .type = CONF_ENUM,
	 .offset = offsetof(struct agent, type),
	 .default_text = "docker",
	 .words = types},
	{.key = "min_free",
	 .type = CONF_PERCENT_OR_SIZE,
	 .offset = offsetof(struct agent, min_free),
	 .default_text = "5%"},
	{.key = "url",
	 .type = CONF_STRING,
	 .offset = offsetof(struct agent, url),
	 .default_text = "http://none",
	 .check = check_url},
	{.key = "max_rate", .type = CONF_SIZE, .offset = offsetof(struct agent, max_rate)},
};

static const struct conf_option input_options[] = {
	{.key = "path",
	 .type = CONF_LIST,
	 .offset = offsetof(struct input, path),
	 .check = check_absolute},
	{.key = "keep", .type = CONF_STRINGS, .offset = offsetof(struct input, keep)},
	{.key = "exclude",
	 .type = CONF_LIST,
	 .offset = offsetof(struct input, exclude),
	 .default_text = "*.old *.bak"},
	{.key = "service",
	 .type = CONF_STRING,
	 .offset = offsetof(struct input, service),
	 .default_text = "{stem}"},
};

static const struct conf_option retention_options[] = {
	{.key = "max_age",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct retention, max_age_ns),
	 .default_text = "30d"},
};

static const struct conf_section sections[] = {
	{"agent", CONF_ONCE, agent_options, LEN(agent_options), sizeof(struct agent)},
	{"input", CONF_NAMED, input_options, LEN(input_options), sizeof(struct input)},
	{"retention", CONF_BOTH, retention_options, LEN(retention_options),
	 sizeof(struct retention)},
};

/* --- help --- */

static struct conf *read_span(struct span text)
{
	struct conf *c = NULL;
	struct conf_error err = {"no error"};
	int r = conf_read_text(sections, LEN(sections), "x.conf", text, &c, &err);
	ck_assert_msg(r == 0, "%s", err.text);
	return c;
}

static struct conf *read_text(const char *text)
{
	return read_span(span_of(text));
}

static const struct agent *agent_of(const struct conf *c)
{
	return conf_get(c, "agent", 0);
}

/* The items, parted by |. */
static const char *items(const struct conf_list *list)
{
	static char text[512];
	text[0] = '\0';
	for (size_t i = 0; i < list->n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			       i ? "|" : "", list->items[i]);
	return text;
}

static const char *inputs_path(const struct conf *c, size_t i)
{
	return items(&((const struct input *)conf_get(c, "input", i))->path);
}

static const char *inputs_keep(const struct conf *c, size_t i)
{
	return items(&((const struct input *)conf_get(c, "input", i))->keep);
}

static const char *inputs_exclude(const struct conf *c, size_t i)
{
	return items(&((const struct input *)conf_get(c, "input", i))->exclude);
}

/* Prints, reads that, prints again: the same. Returns what was printed; the caller frees.
 */
static struct buf check_prints_back(const struct conf *c)
{
	struct buf first = BUF_EMPTY, second = BUF_EMPTY;
	ck_assert_int_eq(conf_print(c, &first), 0);
	struct conf *again = read_span(buf_span(&first));
	ck_assert_int_eq(conf_print(again, &second), 0);
	ck_assert_str_eq(buf_cstr(&second), buf_cstr(&first));
	conf_free(again);
	buf_free(&second);
	return first;
}

/* --- tests --- */

START_TEST(nothing_written_gives_defaults)
{
	static const char *const texts[] = {
		"",          "\n",           "# only\n; comments",
		"[agent]\n", "\xef\xbb\xbf", "\xef\xbb\xbf[agent]\r\n\r\n"};
	for (size_t i = 0; i < LEN(texts); i++) {
		struct conf *c = read_text(texts[i]);
		ck_assert_uint_eq(conf_count(c, "agent"), 1);
		ck_assert_uint_eq(conf_count(c, "input"), 0);
		ck_assert_uint_eq(conf_count(c, "retention"), 1);
		const struct agent *a = agent_of(c);
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
		const struct retention *r = conf_get(c, "retention", 0);
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
	struct conf *c = read_text("# a comment\n"
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
	const struct agent *a = agent_of(c);
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
		struct conf *c = read_text(text);
		ck_assert(agent_of(c)->remote == table[i].value);
		conf_free(c);
	}
}
END_TEST

START_TEST(empty_amounts_are_zero)
{
	struct conf *c = read_text("[agent]\nmemory_limit =\ninterval =\nmin_free =\nurl =\n");
	const struct agent *a = agent_of(c);
	ck_assert_uint_eq(a->memory_limit, 0);
	ck_assert_int_eq(a->interval_ns, 0);
	ck_assert(!a->min_free.is_percent);
	ck_assert_uint_eq(a->min_free.value, 0);
	ck_assert_str_eq(a->url, "");
	struct buf b = check_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(lists)
{
	struct conf *c = read_text("[input one]\n"
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
	struct buf b = check_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(named_and_unnamed)
{
	struct conf *c = read_text("[retention audit-*]\n"
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
		const struct retention *r = conf_get(c, "retention", i);
		ck_assert_int_eq(r->max_age_ns, days[i] * NUM_DAY_SEC * NUM_SEC_NS);
	}
	ck_assert_str_eq(agent_of(c)->host, "a");
	ck_assert_str_eq(agent_of(c)->url, "http://b");
	ck_assert_str_eq(conf_where(c, "agent", 0), "x.conf:6");
	struct buf b = check_prints_back(c);
	buf_free(&b);
	conf_free(c);
}
END_TEST

START_TEST(prints_what_stands)
{
	struct conf *c = read_text("[input a b]\npath = /x /y\nkeep =\n"
				   "[agent]\ninterval = 90s\nmemory_limit = 1536K\n");
	struct buf b = check_prints_back(c);
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
		struct conf *c = read_text(text);
		struct buf b = check_prints_back(c);
		struct conf *again = read_span(buf_span(&b));
		const struct agent *x = agent_of(c), *y = agent_of(again);
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
	int r = conf_read_text(sections, LEN(sections), "x.conf", span_of(ERRORS[_i].text), &c,
			       &err);
	ck_assert_str_eq(err.text, ERRORS[_i].error);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	struct conf *c = NULL;
	struct conf_error err;
	ck_assert_int_eq(conf_read_text(sections, LEN(sections), "x.conf",
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
	struct conf *c = read_text(text);
	ck_assert_uint_eq(strlen(agent_of(c)->host), CONF_LINE_MAX - 5);
	struct buf b = check_prints_back(c);
	buf_free(&b);
	conf_free(c);
	memcpy(text + 8 + CONF_LINE_MAX, "x\n", 3);
	struct conf_error err;
	ck_assert_int_eq(conf_read_text(sections, LEN(sections), "x.conf", span_of(text), &c, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "x.conf:2: the line is longer than 4096 bytes");

	/* An item of a list that fits only without its key in front. */
	char list[17 + CONF_LINE_MAX + 1] = "[input i]\nkeep =\n ";
	memset(list + 18, 'y', CONF_LINE_MAX - 1);
	c = read_text(list);
	ck_assert_uint_eq(strlen(((const struct input *)conf_get(c, "input", 0))->keep.items[0]),
			  CONF_LINE_MAX - 1);
	b = check_prints_back(c);
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
	ck_assert_int_eq(conf_read_text(sections, LEN(sections), name,
					span_make(text, sizeof(text)), &c, &err),
			 -EINVAL);
	ck_assert(span_starts_with(span_of(err.text), span_of("nnnn")));
	ck_assert(span_ends_with(span_of(err.text),
				 span_of("xxx...\" is neither [section] nor key = value")));
	ck_assert_uint_lt(strlen(err.text), 3200);
}
END_TEST

/* --- files --- */

static char dir[] = "/tmp/haul-test-conf-XXXXXX";

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	ck_assert_int_eq(file_replace(AT_FDCWD, in_dir(name), span_of(text), 0644), 0);
}

static int read_files(const char *name, bool optional, struct conf **ret, struct conf_error *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return conf_read(sections, LEN(sections), path, optional, ret, err);
}

START_TEST(directory_is_read_after_the_file_in_c_order)
{
	struct conf *c = NULL;
	struct conf_error err = {"no error"};
	put("a.conf", "[agent]\nhost = main\n[input m]\npath = /m\n");
	ck_assert_int_eq(mkdir(in_dir("a.conf.d"), 0755), 0);
	put("a.conf.d/b.conf", "[input b]\n");
	put("a.conf.d/B.conf", "[input B]\n");
	put("a.conf.d/10.conf", "[agent]\nurl = http://ten\n[input ten]\n");
	put("a.conf.d/9.conf", "[input nine]\npath = /n\n");
	put("a.conf.d/.hidden.conf", "[nonsense\n");
	put("a.conf.d/x.conf~", "[nonsense\n");
	put("a.conf.d/README", "[nonsense\n");
	ck_assert_msg(read_files("a.conf", false, &c, &err) == 0, "%s", err.text);
	static const char *const order[] = {"m", "ten", "nine", "B", "b"};
	ck_assert_uint_eq(conf_count(c, "input"), LEN(order));
	for (size_t i = 0; i < LEN(order); i++)
		ck_assert_str_eq(conf_section_name(c, "input", i), order[i]);
	ck_assert_str_eq(agent_of(c)->host, "main");
	ck_assert_str_eq(agent_of(c)->url, "http://ten");
	ck_assert(
		span_ends_with(span_of(conf_where(c, "input", 1)), span_of("/a.conf.d/10.conf:3")));
	conf_free(c);
}
END_TEST

START_TEST(twice_is_an_error_across_files_too)
{
	struct conf *c = NULL;
	struct conf_error err;
	char want[2 * PATH_MAX];
	put("a.conf", "[agent]\nhost = main\n[input m]\n");
	ck_assert_int_eq(mkdir(in_dir("a.conf.d"), 0755), 0);
	put("a.conf.d/b.conf", "\n[agent]\nhost = again\n");
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -EINVAL);
	(void)snprintf(want, sizeof(want),
		       "%s/a.conf.d/b.conf:3: host is already given at %s/a.conf:2", dir, dir);
	ck_assert_str_eq(err.text, want);

	put("a.conf.d/b.conf", "[input m]\n");
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -EINVAL);
	(void)snprintf(want, sizeof(want),
		       "%s/a.conf.d/b.conf:1: [input m] is already at %s/a.conf:3", dir, dir);
	ck_assert_str_eq(err.text, want);

	/* A list does not go on in another file. */
	put("a.conf", "[input m]\npath = /m\n");
	put("a.conf.d/b.conf", "  /n\n");
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -EINVAL);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(missing_files)
{
	struct conf *c = NULL;
	struct conf_error err;
	char want[2 * PATH_MAX];
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -ENOENT);
	(void)snprintf(want, sizeof(want), "%s/a.conf: cannot be read: No such file or directory",
		       dir);
	ck_assert_str_eq(err.text, want);
	ck_assert_int_eq(read_files("a.conf", true, &c, &err), 0);
	ck_assert_uint_eq(conf_count(c, "agent"), 1);
	conf_free(c);

	/* The directory counts even when the main file is not there. */
	ck_assert_int_eq(mkdir(in_dir("a.conf.d"), 0755), 0);
	put("a.conf.d/x.conf", "[agent]\nhost = x\n");
	ck_assert_int_eq(read_files("a.conf", true, &c, &err), 0);
	ck_assert_str_eq(agent_of(c)->host, "x");
	conf_free(c);
}
END_TEST

START_TEST(files_that_are_none)
{
	struct conf *c = NULL;
	struct conf_error err;
	char want[2 * PATH_MAX];
	ck_assert_int_eq(mkdir(in_dir("a.conf"), 0755), 0);
	ck_assert_int_eq(read_files("a.conf", true, &c, &err), -EISDIR);
	(void)snprintf(want, sizeof(want), "%s/a.conf: cannot be read: Is a directory", dir);
	ck_assert_str_eq(err.text, want);

	put("b.conf", "");
	put("b.conf.d", "not a directory");
	ck_assert_int_eq(read_files("b.conf", false, &c, &err), -ENOTDIR);
	(void)snprintf(want, sizeof(want), "%s/b.conf.d: cannot be read: Not a directory", dir);
	ck_assert_str_eq(err.text, want);

	put("c.conf", "");
	ck_assert_int_eq(mkdir(in_dir("c.conf.d"), 0755), 0);
	ck_assert_int_eq(symlink("/none", in_dir("c.conf.d/gone.conf")), 0);
	ck_assert_int_eq(read_files("c.conf", true, &c, &err), -ENOENT);
	(void)snprintf(want, sizeof(want),
		       "%s/c.conf.d/gone.conf: cannot be read: No such file or directory", dir);
	ck_assert_str_eq(err.text, want);
	/* A link to /dev/null is how administrators switch one off. */
	ck_assert_int_eq(unlink(in_dir("c.conf.d/gone.conf")), 0);
	ck_assert_int_eq(symlink("/dev/null", in_dir("c.conf.d/off.conf")), 0);
	ck_assert_int_eq(read_files("c.conf", false, &c, &err), 0);
	conf_free(c);

	ck_assert_int_eq(symlink("/dev/zero", in_dir("d.conf")), 0);
	ck_assert_int_eq(read_files("d.conf", false, &c, &err), -EMSGSIZE);
	(void)snprintf(want, sizeof(want),
		       "%s/d.conf: cannot be read: larger than 4 MiB, is this a configuration?",
		       dir);
	ck_assert_str_eq(err.text, want);
}
END_TEST

START_TEST(other_names_have_no_directory)
{
	struct conf *c = NULL;
	struct conf_error err;
	put("plain", "[agent]\nhost = p\n");
	ck_assert_int_eq(mkdir(in_dir("plain.d"), 0755), 0);
	put("plain.d/x.conf", "[nonsense\n");
	ck_assert_int_eq(read_files("plain", false, &c, &err), 0);
	ck_assert_str_eq(agent_of(c)->host, "p");
	conf_free(c);
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
	tcase_add_loop_test(texts, mistakes_are_explained, 0, (int)LEN(ERRORS));
	tcase_add_test(texts, nul_bytes_are_refused);
	tcase_add_test(texts, line_length);
	tcase_add_test(texts, long_things_are_cut_in_messages);
	suite_add_tcase(suite, texts);
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, directory_is_read_after_the_file_in_c_order);
	tcase_add_test(files, twice_is_an_error_across_files_too);
	tcase_add_test(files, missing_files);
	tcase_add_test(files, files_that_are_none);
	tcase_add_test(files, other_names_have_no_directory);
	suite_add_tcase(suite, files);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
