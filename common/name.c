/* Names: see name.h. The agent makes them of host names, paths and container metadata; the
 * collector checks them before one becomes part of a path, and the reader when it splits a line. */
#include "common/name.h"

#include "common/crc64.h"
#include "common/num.h"

enum {
	HASH_LEN = 8,                           /* hex digits */
	KEPT_LEN = NAME_MAX_LEN - HASH_LEN - 1, /* of a name too long, then '-' and the hash */
	SEGMENT_DIGITS = 4,                     /* web-01.0001 */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
	char lower = (char)(c | 0x20);
	return is_digit(c) || (lower >= 'a' && lower <= 'z');
}

static bool is_allowed(char c)
{
	return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
}

bool name_valid(struct span s)
{
	if (s.len == 0 || s.len > NAME_MAX_LEN || !is_alphanumeric(s.ptr[0]))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!is_allowed(s.ptr[i]))
			return false;
	return true;
}

static bool looks_like_closed_segment(struct span s)
{
	size_t digits = 0;
	while (digits < s.len && is_digit(s.ptr[s.len - 1 - digits]))
		digits++;
	return digits >= SEGMENT_DIGITS && digits < s.len && s.ptr[s.len - 1 - digits] == '.';
}

bool name_valid_host(struct span s)
{
	return name_valid(s) && !looks_like_closed_segment(s);
}

/* Cuts what stands in `out` so that names that differ only behind the cut still differ. `whole` is
 * what the name was made of. */
static void shorten(struct span whole, struct buf *out)
{
	char digits[16];
	num_format_hex64(digits, crc64_add(CRC64_EMPTY, whole.ptr, whole.len));
	out->ptr[KEPT_LEN] = '-';
	memcpy(out->ptr + KEPT_LEN + 1, digits + sizeof(digits) - HASH_LEN, HASH_LEN);
	out->len = NAME_MAX_LEN;
}

int name_make(struct span s, struct buf *out)
{
	buf_clear(out);
	/* A name is no longer than it may be, but its source may be: only so much of it counts, but
	 * for the hash. */
	struct span used = span_first(s, s.len <= NAME_MAX_LEN ? s.len : NAME_MAX_LEN + 1);
	int r = buf_reserve(out, NAME_MAX_LEN + 2);
	if (r < 0)
		return r;
	if (used.len == 0)
		return buf_add_str(out, "unknown");
	if (!is_alphanumeric(used.ptr[0]))
		out->ptr[out->len++] = '0';
	for (size_t i = 0; i < used.len; i++)
		out->ptr[out->len++] = is_allowed(used.ptr[i]) ? used.ptr[i] : '_';
	if (out->len > NAME_MAX_LEN)
		shorten(s, out);
	return 0;
}

int name_make_host(struct span s, struct buf *out)
{
	int r = name_make(s, out);
	if (r < 0 || !looks_like_closed_segment(buf_span(out)))
		return r;
	r = buf_add_char(out, '_');
	if (r == 0 && out->len > NAME_MAX_LEN)
		shorten(s, out);
	return r;
}
