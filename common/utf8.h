/* UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), one character at a time.
 * For patterns and messages; what runs once a byte of every log line has its own fast form in
 * line.c. */
#ifndef HAUL_COMMON_UTF8_H
#define HAUL_COMMON_UTF8_H

#include "common/span.h"

#include <stdint.h>

/* The length in bytes (1 to 4) of the well-formed character that `s` begins with, written to
 * *ret_code; 0 when there is none (also when it is cut off by the end, or `s` is empty). */
static inline size_t utf8_take(struct span s, uint32_t *ret_code)
{
	static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
	if (s.len == 0)
		return 0;
	uint32_t lead = (uint8_t)s.ptr[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (len == 0 || lead > 0xf4 || s.len < len)
		return 0;
	uint32_t code = len == 1 ? lead : lead & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		uint32_t c = (uint8_t)s.ptr[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c & 0x3f);
	}
	if (code < smallest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

#endif
