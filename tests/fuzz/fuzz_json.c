/* Any bytes as JSON: no crash, no read outside; what is read is UTF-8, and written again it reads
 * the same. */
#include "common/json.h"

#include "common/utf8.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_utf8(struct span s)
{
	while (s.len) {
		uint32_t code;
		size_t n = utf8_take(s, &code);
		check(n > 0);
		s = span_from(s, n);
	}
}

/* Writes the values as an object again. */
static int write_again(void *user, struct span key, struct json_value v)
{
	struct buf *out = user;
	check_utf8(key);
	check_utf8(v.text);
	check(buf_add_char(out, out->len > 1 ? ',' : ' ') == 0);
	check(json_add_string(out, key) == 0);
	check(buf_add_char(out, ':') == 0);
	if (v.type == JSON_STRING)
		return json_add_string(out, v.text);
	return buf_add_span(out, v.text);
}

static void check_nested(struct span text)
{
	struct buf out = BUF_EMPTY;
	check(buf_add_char(&out, '{') == 0);
	(void)!json_read_array(text, write_again, &out);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
	check(buf_add_char(&once, '{') == 0 && buf_add_char(&twice, '{') == 0);
	if (json_read_object(text, write_again, &once) == 0) {
		check(buf_add_char(&once, '}') == 0);
		check(json_read_object(buf_span(&once), write_again, &twice) == 0);
		check(buf_add_char(&twice, '}') == 0);
		check(span_equal(buf_span(&once), buf_span(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
	check_nested(text);

	/* As a string's text. */
	struct buf out = BUF_EMPTY;
	check(json_add_string(&out, text) == 0);
	check_utf8(buf_span(&out));
	size_t room = size / 2;
	check(json_fit_string(text, SIZE_MAX) == size);
	buf_clear(&out);
	check(json_add_string(&out, span_first(text, json_fit_string(text, room))) == 0);
	check(out.len <= room + 2);
	buf_free(&out);
	return 0;
}
