/* A pattern and lines: the first byte has the flags, the first line of the rest is the pattern.
 * Whatever compiles finds in a walk over all lines those that it finds in each by itself, and each
 * of them holds one of the strings that the pattern is said to require: else the index would hide a
 * line. */
#include "collector/query/matcher.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool holds(struct span line, struct span what, bool ignore_case)
{
	for (size_t i = 0; what.len <= line.len && i <= line.len - what.len; i++) {
		size_t k = 0;
		while (k < what.len && (ignore_case ? fold(line.ptr[i + k]) == fold(what.ptr[k])
						    : line.ptr[i + k] == what.ptr[k]))
			k++;
		if (k == what.len)
			return true;
	}
	return false;
}

static bool holds_required(const struct matcher *m, struct span line, bool ignore_case)
{
	const struct finder *f = matcher_required(m);
	bool any = f->n == 0;
	for (size_t i = 0; i < f->n && !any; i++)
		any = holds(line, f->literals[i].needle, ignore_case);
	return any;
}

static void walk(const struct matcher *m, struct span lines, bool ignore_case)
{
	struct matcher_scratch *all = matcher_scratch_new(m), *one = matcher_scratch_new(m);
	struct span hit, match;
	if (!all || !one)
		abort();
	matcher_start(all, lines);
	bool more = lines.len && matcher_next(all, lines.ptr, &hit);
	while (lines.len) {
		struct span line = span_first(lines, span_find(lines, '\n'));
		lines = span_from(lines, line.len + 1);
		bool found = more && hit.ptr == line.ptr && hit.len == line.len;
		if (matcher_test(one, line) != found)
			abort();
		if (!found)
			continue;
		if (!holds_required(m, line, ignore_case))
			abort();
		if (matcher_find(one, line, 0, &match) &&
		    (match.len == 0 || match.ptr < line.ptr ||
		     match.ptr + match.len > line.ptr + line.len))
			abort();
		more = lines.len && matcher_next(all, lines.ptr, &hit);
	}
	if (more)
		abort();
	matcher_scratch_free(all);
	matcher_scratch_free(one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct matcher *m;
	struct matcher_error err;
	if (size == 0)
		return 0;
	struct span text = span_make((const char *)data + 1, size - 1);
	struct span pattern = span_first(text, span_find(text, '\n'));
	bool fixed = data[0] & 1, ignore_case = data[0] & 2;
	int r = matcher_new(pattern, fixed, ignore_case, &m, &err);
	if (r < 0) {
		if (err.at > pattern.len || !*err.text)
			abort();
		return 0;
	}
	struct span lines = span_from(text, pattern.len < text.len ? pattern.len + 1 : pattern.len);
	while (lines.len && lines.ptr[lines.len - 1] != '\n')
		lines.len--;
	walk(m, lines, ignore_case);
	matcher_free(m);
	return 0;
}
