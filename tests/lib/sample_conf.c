/* See sample_conf.h. */
#include "tests/lib/sample_conf.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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
	{.key = "host", .type = CONF_STRING, .offset = offsetof(struct sample_agent, host)},
	{.key = "memory_limit",
	 .type = CONF_SIZE,
	 .offset = offsetof(struct sample_agent, memory_limit),
	 .default_text = "32M",
	 .min = 1 << 20,
	 .max = UINT64_C(1) << 40},
	{.key = "max_open_files",
	 .type = CONF_UINT,
	 .offset = offsetof(struct sample_agent, max_open_files),
	 .default_text = "1024",
	 .min = 16,
	 .max = 100000},
	{.key = "interval",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct sample_agent, interval_ns),
	 .default_text = "250ms",
	 .min = 1,
	 .max = INT64_MAX,
	 .help = "how often"},
	{.key = "remote", .type = CONF_BOOL, .offset = offsetof(struct sample_agent, remote)},
	{.key = "type",
	 .type = CONF_ENUM,
	 .offset = offsetof(struct sample_agent, type),
	 .default_text = "docker",
	 .words = types},
	{.key = "min_free",
	 .type = CONF_PERCENT_OR_SIZE,
	 .offset = offsetof(struct sample_agent, min_free),
	 .default_text = "5%"},
	{.key = "url",
	 .type = CONF_STRING,
	 .offset = offsetof(struct sample_agent, url),
	 .default_text = "http://none",
	 .check = check_url},
	{.key = "max_rate", .type = CONF_SIZE, .offset = offsetof(struct sample_agent, max_rate)},
};

static const struct conf_option input_options[] = {
	{.key = "path",
	 .type = CONF_LIST,
	 .offset = offsetof(struct sample_input, path),
	 .check = check_absolute},
	{.key = "keep", .type = CONF_STRINGS, .offset = offsetof(struct sample_input, keep)},
	{.key = "exclude",
	 .type = CONF_LIST,
	 .offset = offsetof(struct sample_input, exclude),
	 .default_text = "*.old *.bak"},
	{.key = "service",
	 .type = CONF_STRING,
	 .offset = offsetof(struct sample_input, service),
	 .default_text = "{stem}"},
};

static const struct conf_option retention_options[] = {
	{.key = "max_age",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct sample_retention, max_age_ns),
	 .default_text = "30d"},
};

const struct conf_section sample_sections[SAMPLE_SECTIONS] = {
	{"agent", CONF_ONCE, agent_options, COUNT(agent_options), sizeof(struct sample_agent)},
	{"input", CONF_NAMED, input_options, COUNT(input_options), sizeof(struct sample_input)},
	{"retention", CONF_BOTH, retention_options, COUNT(retention_options),
	 sizeof(struct sample_retention)},
};

struct conf *sample_read_span(struct span text)
{
	struct conf *c = NULL;
	struct conf_error err = {"no error"};
	int r = conf_read_text(sample_sections, SAMPLE_SECTIONS, "x.conf", text, &c, &err);
	ck_assert_msg(r == 0, "%s", err.text);
	return c;
}

struct conf *sample_read(const char *text)
{
	return sample_read_span(span_of(text));
}

const struct sample_agent *sample_agent_of(const struct conf *c)
{
	return conf_get(c, "agent", 0);
}

const char *sample_items(const struct conf_list *list)
{
	static char text[512];
	text[0] = '\0';
	for (size_t i = 0; i < list->n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			       i ? "|" : "", list->items[i]);
	return text;
}

struct buf sample_prints_back(const struct conf *c)
{
	struct buf first = BUF_EMPTY, second = BUF_EMPTY;
	ck_assert_int_eq(conf_print(c, &first), 0);
	struct conf *again = sample_read_span(buf_span(&first));
	ck_assert_int_eq(conf_print(again, &second), 0);
	ck_assert_str_eq(buf_cstr(&second), buf_cstr(&first));
	conf_free(again);
	buf_free(&second);
	return first;
}
