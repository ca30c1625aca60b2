/* Cursors: see cursor.h. The text is
 *
 *     s=SEQNUM_ID;i=SEQNUM;b=BOOT_ID;m=MONOTONIC;t=REALTIME;x=XOR_HASH
 *
 * with ids of 32 hex digits and numbers in hex. It comes from libsystemd, and back from registry
 * and collector with a stream's state. */
#include "agent/journal/cursor.h"

#include <errno.h>
#include <inttypes.h>

enum { ID_DIGITS = 32, NUMBER_DIGITS = 16 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_number(struct span s, uint64_t *ret)
{
	uint64_t v = 0;
	if (!s.len || s.len > NUMBER_DIGITS)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.ptr[i]);
		if (digit < 0)
			return -EINVAL;
		v = v << 4 | (unsigned)digit;
	}
	*ret = v;
	return 0;
}

static int parse_id(struct span s, uint8_t ret[16])
{
	uint64_t high, low;
	if (s.len != ID_DIGITS || parse_number(span_first(s, NUMBER_DIGITS), &high) < 0 ||
	    parse_number(span_from(s, NUMBER_DIGITS), &low) < 0)
		return -EINVAL;
	for (int i = 0; i < 8; i++) {
		ret[i] = (uint8_t)(high >> (56 - 8 * i));
		ret[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	return 0;
}

static int parse_field(char name, struct span value, struct cursor *c)
{
	switch (name) {
	case 's': return parse_id(value, c->seqnum_id);
	case 'i': return parse_number(value, &c->seqnum);
	case 'b': return parse_id(value, c->boot_id);
	case 'm': return parse_number(value, &c->monotonic_us);
	case 't': return parse_number(value, &c->realtime_us);
	case 'x': return parse_number(value, &c->xor_hash);
	default: return -EINVAL;
	}
}

int cursor_parse(struct span text, struct cursor *ret)
{
	static const char names[] = "sibmtx";
	struct cursor c = {0};
	unsigned seen = 0, all = (1u << (sizeof(names) - 1)) - 1;
	while (text.len) {
		size_t n = span_find(text, ';');
		struct span field = span_first(text, n);
		const char *name = field.len > 2 && field.ptr[1] == '=' && field.ptr[0]
					   ? strchr(names, field.ptr[0])
					   : NULL;
		unsigned bit = name ? 1u << (name - names) : 0;
		if (!name || (seen & bit) || n + 1 == text.len ||
		    parse_field(*name, span_from(field, 2), &c) < 0)
			return -EINVAL;
		seen |= bit;
		text = span_from(text, n < text.len ? n + 1 : n);
	}
	if (seen != all)
		return -EINVAL;
	*ret = c;
	return 0;
}

static void format_id(char dst[ID_DIGITS + 1], const uint8_t id[16])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < 16; i++) {
		dst[2 * i] = digits[id[i] >> 4];
		dst[2 * i + 1] = digits[id[i] & 15];
	}
	dst[ID_DIGITS] = '\0';
}

int cursor_format(const struct cursor *c, struct buf *out)
{
	char series[ID_DIGITS + 1], boot[ID_DIGITS + 1];
	format_id(series, c->seqnum_id);
	format_id(boot, c->boot_id);
	return buf_printf(out, "s=%s;i=%" PRIx64 ";b=%s;m=%" PRIx64 ";t=%" PRIx64 ";x=%" PRIx64,
			  series, c->seqnum, boot, c->monotonic_us, c->realtime_us, c->xor_hash);
}

bool cursor_same_series(const struct cursor *a, const struct cursor *b)
{
	return memcmp(a->seqnum_id, b->seqnum_id, sizeof(a->seqnum_id)) == 0;
}

bool cursor_equal(const struct cursor *a, const struct cursor *b)
{
	if (cursor_same_series(a, b))
		return a->seqnum == b->seqnum;
	return memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0 &&
	       a->monotonic_us == b->monotonic_us && a->realtime_us == b->realtime_us &&
	       a->xor_hash == b->xor_hash;
}
