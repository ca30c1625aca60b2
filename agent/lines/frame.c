/* Framing: bytes to lines, see frame.h. Called by the pump on what follow_read gave; stateless, so
 * a restart or a rewind begins anywhere a line or a portion of one began. */
#include "agent/lines/frame.h"

#include "common/line_scan.h"

#include <stdint.h>

/* How many bytes at the end of `s` begin a UTF-8 sequence that is not whole; 0 when it ends well,
 * or is not UTF-8 at all. */
static size_t unfinished_utf8(struct span s)
{
	for (size_t back = 1; back <= 3 && back <= s.len; back++) {
		unsigned char c = (unsigned char)s.ptr[s.len - back];
		if (c < 0x80)
			return 0;
		if (c < 0xc0)
			continue;
		size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		return length > back ? back : 0;
	}
	return 0;
}

size_t frame_piece(struct span text, size_t max)
{
	if (text.len <= max)
		return text.len;
	size_t cut = max - unfinished_utf8(span_first(text, max));
	return cut ? cut : max;
}

bool frame_next(struct span *in, bool all, struct frame_line *ret)
{
	bool clean;
	size_t n = line_scan(in->ptr, in->len, &clean);
	if (n < in->len) {
		*ret = (struct frame_line){span_first(*in, n), n + 1, clean, true};
		*in = span_from(*in, n + 1);
		return true;
	}
	if (!all || in->len == 0)
		return false;
	size_t take = in->len - unfinished_utf8(*in);
	if (take > 1 && in->ptr[take - 1] == '\r')
		take--;
	if (take == 0)
		take = in->len;
	*ret = (struct frame_line){span_first(*in, take), take, clean && take == in->len, false};
	*in = span_from(*in, take);
	return true;
}
