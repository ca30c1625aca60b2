/* Any bytes as a message, as payload of a batch and as a stored line: the fast scanners agree with
 * the rules written down plainly, escapes are undone exactly, and what one side writes the other
 * takes. */
#include "common/line.h"

#include "common/line_scan.h"
#include "common/utf8.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool clean_by_definition(struct span s)
{
	while (s.len) {
		uint32_t code;
		size_t n = utf8_take(s, &code);
		if (n == 0)
			return false;
		bool last_cr = s.len == 1 && code == '\r';
		if ((code < 0x20 && code != '\t' && !last_cr) || (code >= 0x7f && code < 0xa0))
			return false;
		s = span_from(s, n);
	}
	return true;
}

static void check_message(struct span message)
{
	struct buf out = BUF_EMPTY, back = BUF_EMPTY;
	bool clean = clean_by_definition(message);
	check(line_clean(message) == clean);
	check(line_clean_portable(message) == clean);
	check(line_scan_plain(message) == line_scan_plain_portable(message));
	struct line_flags flags = {.kind = LINE_PIECE, .read_time = true};
	check(line_add_payload(&out, 0, flags, message) == 0);
	struct span in = buf_span(&out);
	struct payload_line line;
	const char *why;
	check(line_next_payload(&in, &line, &why) == 0 && in.len == 0);
	check(line.flags.escaped == !clean);
	if (clean)
		check(span_equal(line.message, message));
	else
		check(line_unescape(line.message, &back) == 0 &&
		      span_equal(buf_span(&back), message));
	buf_free(&out);
	buf_free(&back);
}

static void check_lines(struct span text)
{
	while (text.len) {
		bool clean;
		size_t n = line_scan(text.ptr, text.len, &clean);
		struct span line = span_first(text, n);
		check(n == span_find(text, '\n') && clean == clean_by_definition(line));
		check_message(line);
		struct stored_line stored;
		if (line_parse_stored(line, &stored) == 0)
			check(stored.message.ptr + stored.message.len == line.ptr + line.len);
		text = span_from(text, n + (n < text.len));
	}
}

static void check_payload(struct span in)
{
	struct buf out = BUF_EMPTY;
	struct payload_line line;
	const char *why = NULL;
	struct span before = in;
	while (line_next_payload(&in, &line, &why) == 0) {
		check(in.len < before.len && clean_by_definition(line.message));
		if (line.flags.escaped)
			check(line_unescape(line.message, &out) == 0);
		char time[CIVIL_TIME_LEN], flags[LINE_FLAGS_MAX];
		civil_format_us(time, line.time_us);
		size_t n = line_format_flags(flags, line.flags);
		check(span_equal(span_first(before, CIVIL_TIME_LEN),
				 span_make(time, sizeof(time))));
		check(span_equal(span_first(line.flags_to_end, n), span_make(flags, n)));
		before = in;
	}
	check(in.len == before.len);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct buf out = BUF_EMPTY;
	check_payload(text);
	check_lines(text);
	(void)!line_unescape(text, &out);
	buf_free(&out);
	return 0;
}
