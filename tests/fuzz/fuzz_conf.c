/* The configuration reader: any bytes are either read or refused with an error that begins with the
 * file and a line; what is read prints as a text that reads and prints the same again. */
#include "common/conf.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct all {
	char *string;
	struct conf_list list, strings;
	uint64_t size, number;
	int64_t duration_ns;
	bool boolean;
	int word;
	struct conf_amount amount;
};

static const char *const words[] = {"one", "two", NULL};

#define OPTION(name, kind, field)                                                                  \
	.key = (name), .type = (kind), .offset = offsetof(struct all, field)

static const struct conf_option options[] = {
	{OPTION("string", CONF_STRING, string), .default_text = "a b"},
	{OPTION("list", CONF_LIST, list), .default_text = "a b"},
	{OPTION("strings", CONF_STRINGS, strings), .default_text = "a b", .help = "any text"},
	{OPTION("size", CONF_SIZE, size), .default_text = "1M", .min = 1024, .max = 1 << 30},
	{OPTION("number", CONF_UINT, number), .default_text = "7"},
	{OPTION("duration", CONF_DURATION, duration_ns), .default_text = "90s"},
	{OPTION("boolean", CONF_BOOL, boolean)},
	{OPTION("word", CONF_ENUM, word), .words = words},
	{OPTION("amount", CONF_PERCENT_OR_SIZE, amount), .default_text = "5%"},
};

enum { N_OPTIONS = sizeof(options) / sizeof(options[0]) };

static const struct conf_section sections[] = {
	{"once", CONF_ONCE, options, N_OPTIONS, sizeof(struct all)},
	{"named", CONF_NAMED, options, N_OPTIONS, sizeof(struct all)},
	{"both", CONF_BOTH, options, N_OPTIONS, sizeof(struct all)},
};

static int read_and_print(struct span text, struct buf *out)
{
	struct conf *c;
	struct conf_error err = {""};
	int r = conf_read_text(sections, 3, "f", text, &c, &err);
	if (r < 0) {
		assert(strncmp(err.text, "f:", 2) == 0 && err.text[2] >= '1' && err.text[2] <= '9');
		return r;
	}
	r = conf_print(c, out);
	assert(r == 0);
	conf_free(c);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first = BUF_EMPTY, second = BUF_EMPTY;
	if (read_and_print(span_make((const char *)data, size), &first) == 0) {
		int r = read_and_print(buf_span(&first), &second);
		assert(r == 0 && span_equal(buf_span(&first), buf_span(&second)));
	}
	buf_free(&first);
	buf_free(&second);
	return 0;
}
