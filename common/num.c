/* Numbers from outside: see num.h. Called by everything that reads configuration, wire or disk.
 *
 * Invariant: no value is ever computed that could wrap; digits are added under an overflow check.
 * Fails with -EINVAL (not of the form) before -ERANGE (of the form, too large): a caller may show
 * the difference. */
#include "common/num.h"

#include <errno.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int num_parse_u64(struct span s, uint64_t *ret)
{
	if (s.len == 0)
		return -EINVAL;
	uint64_t v = 0;
	bool fits = true;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.ptr[i]))
			return -EINVAL;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		fits = fits && !__builtin_mul_overflow(v, 10, &v) && num_add_u64(v, digit, &v);
	}
	if (!fits)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_parse_i64(struct span s, int64_t *ret)
{
	bool negative = s.len > 0 && s.ptr[0] == '-';
	uint64_t v;
	int r = num_parse_u64(negative ? span_from(s, 1) : s, &v);
	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return -ERANGE;
	/* Negated as unsigned: INT64_MIN has no positive counterpart. */
	*ret = (int64_t)(negative ? 0 - v : v);
	return 0;
}

int num_parse_hex64(struct span s, uint64_t *ret)
{
	if (s.len != 16)
		return -EINVAL;
	uint64_t v = 0;
	for (size_t i = 0; i < 16; i++) {
		char c = s.ptr[i];
		if (is_digit(c))
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

void num_format_hex64(char dst[16], uint64_t v)
{
	for (int i = 15; i >= 0; i--) {
		dst[i] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
}

/* The leading digits of a number with a unit; the unit stays. */
static struct span take_digits(struct span *s)
{
	size_t n = 0;
	while (n < s->len && is_digit(s->ptr[n]))
		n++;
	struct span digits = span_first(*s, n);
	*s = span_from(*s, n);
	return digits;
}

int num_parse_size(struct span s, uint64_t *ret_bytes)
{
	struct span digits = take_digits(&s);
	unsigned shift = 0;
	if (s.len > 1)
		return -EINVAL;
	if (s.len == 1) {
		switch (s.ptr[0]) {
		case 'k':
		case 'K': shift = 10; break;
		case 'm':
		case 'M': shift = 20; break;
		case 'g':
		case 'G': shift = 30; break;
		case 't':
		case 'T': shift = 40; break;
		default: return -EINVAL;
		}
	}
	uint64_t v;
	int r = num_parse_u64(digits, &v);
	if (r < 0)
		return r;
	if (v > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = v << shift;
	return 0;
}

int num_parse_duration(struct span s, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ms", NUM_MS_NS},
		{"s", NUM_SEC_NS},
		{"m", 60 * NUM_SEC_NS},
		{"h", 3600 * NUM_SEC_NS},
		{"d", NUM_DAY_SEC * NUM_SEC_NS},
	};
	struct span digits = take_digits(&s);
	int64_t unit = 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (span_is(s, units[i].name))
			unit = units[i].ns;
	if (!unit && s.len)
		return -EINVAL;
	uint64_t v;
	int r = num_parse_u64(digits, &v);
	if (r < 0)
		return r;
	if (!unit && v)
		return -EINVAL;
	int64_t ns;
	if (__builtin_mul_overflow(v, unit, &ns))
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}
