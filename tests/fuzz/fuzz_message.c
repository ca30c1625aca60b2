/* Any bytes as a stored line: fields, members, pairs and templates lie in it, walks over it end,
 * and the same line gives the same template. */
#include "collector/query/template.h"
#include "common/columns.h"
#include "common/field.h"
#include "common/logfmt.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct span part, struct span whole)
{
	return part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void walk_members(struct span message)
{
	struct buf scratch = BUF_EMPTY;
	struct span key, text;
	struct json_found value;
	size_t at = 0, last = 0;
	while (jsonscan_member(message, &at, &key, &value) > 0) {
		if (at <= last || at > message.len || !lies_in(key, message) ||
		    !lies_in(value.text, message))
			abort();
		last = at;
		buf_clear(&scratch);
		if (value.kind == JSONSCAN_STRING &&
		    jsonscan_decode(value.text, &scratch, &text) < 0)
			abort();
		buf_clear(&scratch);
		if (key.len && jsonscan_find(message, key, &scratch, &value) < 0)
			abort();
	}
	(void)jsonscan_valid_object(message);
	buf_free(&scratch);
}

static void walk_pairs(struct span message)
{
	struct buf scratch = BUF_EMPTY;
	struct span key, value, found;
	size_t last = 0;
	for (size_t at = 0; logfmt_next(message, &at, &key, &value); last = at) {
		if (at <= last || at > message.len || key.len == 0 || !lies_in(key, message) ||
		    !lies_in(value, message))
			abort();
		buf_clear(&scratch);
		if (logfmt_find(message, key, &scratch, &found) != 1)
			abort();
	}
	buf_free(&scratch);
}

static void get_fields(struct span line)
{
	static const char *const names[] = {"level", "host", "service", "instance", ".host",
					    "a.b.0", "msg",  "0",       "a."};
	struct field_scratch scratch = {.value = BUF_EMPTY};
	struct json_found found;
	struct span message;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct field f;
		if (field_init(&f, span_of(names[i])) < 0 ||
		    field_get(&f, line, &scratch, &found) < 0)
			abort();
	}
	if (field_message(line, &scratch, &message) < 0)
		abort();
	walk_members(message);
	walk_pairs(message);
	field_scratch_free(&scratch);
}

static void get_template(struct span line)
{
	struct field_scratch scratch = {.value = BUF_EMPTY};
	struct buf one = BUF_EMPTY, two = BUF_EMPTY;
	if (template_of_line(line, &scratch, &one) < 0 ||
	    template_of_line(line, &scratch, &two) < 0 ||
	    !span_equal(buf_span(&one), buf_span(&two)))
		abort();
	buf_free(&one);
	buf_free(&two);
	field_scratch_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = span_make(size ? (const char *)data : "", size);
	struct columns c;
	line.len = span_find(line, '\n');
	if (columns_split(line, &c) && !(lies_in(c.host, line) && lies_in(c.message, line)))
		abort();
	get_fields(line);
	get_template(line);
	return 0;
}
