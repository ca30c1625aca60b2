/* A scanner for JSON objects: see jsonscan.h. Used for fields of lines (field.c) and in the
 * reader's output.
 *
 * It steps from key to key and from value to value, looking only for quotes and brackets: some 2
 * GB/s, where a parser makes 220 MB/s. What it finds in well-formed JSON is what a parser would
 * find; it does not judge what it steps over. Strings with escapes, and the question whether a text
 * is JSON at all, go to yajl. Depth is bounded by counting, not by recursion. */
#include "common/jsonscan.h"

#include "common/json.h"

#include <yajl/yajl_parse.h>

#include <errno.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The first quote or backslash at or after p; end when there is none. */
static const char *quote_or_escape(const char *p, const char *end)
{
#if defined(__SSE2__)
	const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\');
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		int mask = _mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, escape)));
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* p stands behind the opening quote. The closing quote, or NULL. */
static const char *string_end(const char *p, const char *end)
{
	for (;;) {
		p = quote_or_escape(p, end);
		if (p >= end)
			return NULL;
		if (*p == '"')
			return p;
		p += 2;
		if (p > end)
			return NULL;
	}
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* p stands at { or [. Behind the bracket that closes it, or NULL. */
static const char *nested_end(const char *p, const char *end)
{
	size_t depth = 0;
	for (; p < end; p++) {
		switch (*p) {
		case '{':
		case '[': depth++; break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		case '"':
			p = string_end(p + 1, end);
			if (!p)
				return NULL;
			break;
		}
	}
	return NULL;
}

/* The value at p. Behind it, or NULL when it is cut short or none. A string's text is what stands
 * between its quotes. */
static const char *take_value(const char *p, const char *end, struct json_found *ret)
{
	const char *start = p;
	*ret = (struct json_found){.kind = JSONSCAN_WORD};
	if (p >= end)
		return NULL;
	switch (*p) {
	case '"':
		p = string_end(p + 1, end);
		if (!p)
			return NULL;
		ret->kind = JSONSCAN_STRING;
		ret->text = span_make(start + 1, (size_t)(p - start - 1));
		return p + 1;
	case '{':
	case '[':
		p = nested_end(p, end);
		ret->kind = JSONSCAN_NESTED;
		ret->text = span_make(start, (size_t)((p ? p : end) - start));
		return p;
	default:
		while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\t' &&
		       *p != '\r')
			p++;
		if (p == start || p == end)
			return NULL;
		ret->kind = *start == '-' || (*start >= '0' && *start <= '9') ? JSONSCAN_NUMBER
									      : JSONSCAN_WORD;
		ret->text = span_make(start, (size_t)(p - start));
		return p;
	}
}

int jsonscan_member(struct span text, size_t *at, struct span *ret_key,
		    struct json_found *ret_value)
{
	const char *end = text.ptr + text.len;
	const char *p = skip_space(text.ptr + *at, end);
	if (p >= end || *p != (*at == 0 ? '{' : ','))
		return 0;
	p = skip_space(p + 1, end);
	if (p >= end || *p != '"')
		return 0;
	const char *key = p + 1;
	p = string_end(key, end);
	if (!p)
		return 0;
	*ret_key = span_make(key, (size_t)(p - key));
	p = skip_space(p + 1, end);
	if (p >= end || *p != ':')
		return 0;
	p = take_value(skip_space(p + 1, end), end, ret_value);
	if (!p) {
		/* An object that is cut short may still be looked into. */
		*at = text.len;
		return ret_value->kind == JSONSCAN_NESTED && ret_value->text.len;
	}
	*at = (size_t)(p - text.ptr);
	return 1;
}

/* Element `index` of the array, which is a nested value. */
static bool take_element(struct span array, uint64_t index, struct json_found *ret)
{
	const char *end = array.ptr + array.len, *p = array.ptr + 1;
	for (;; index--) {
		p = take_value(skip_space(p, end), end, ret);
		if (!p)
			return false;
		if (index == 0)
			return true;
		p = skip_space(p, end);
		if (p >= end || *p != ',')
			return false;
		p++;
	}
}

static bool take_index(struct span *path, uint64_t *ret)
{
	size_t len = 0;
	uint64_t v = 0;
	for (; len < path->len && path->ptr[len] >= '0' && path->ptr[len] <= '9' && len < 9; len++)
		v = v * 10 + (uint64_t)(path->ptr[len] - '0');
	if (len == 0 || (len < path->len && path->ptr[len] != '.'))
		return false;
	*path = span_from(*path, len < path->len ? len + 1 : len);
	*ret = v;
	return true;
}

/* Does the key lead to the path: as a whole (*ret_rest empty), or as its beginning up to a dot? */
static bool key_leads(struct span key, struct span path, struct span *ret_rest)
{
	if (!span_starts_with(path, key))
		return false;
	if (key.len == path.len) {
		*ret_rest = span_make(NULL, 0);
		return true;
	}
	if (path.ptr[key.len] != '.' || key.len == 0)
		return false;
	*ret_rest = span_from(path, key.len + 1);
	return true;
}

/* Down the path from a value. The path gets shorter with every step. */
static int descend(struct span text, struct span path, struct buf *scratch, struct json_found *ret)
{
	if (text.len && text.ptr[0] == '[') {
		uint64_t index;
		if (!take_index(&path, &index) || !take_element(text, index, ret))
			return 0;
		if (path.len == 0)
			return 1;
		return ret->kind == JSONSCAN_NESTED ? descend(ret->text, path, scratch, ret) : 0;
	}
	size_t at = 0;
	struct span key, rest;
	while (jsonscan_member(text, &at, &key, ret) == 1) {
		if (memchr(key.ptr, '\\', key.len)) {
			buf_clear(scratch);
			int r = jsonscan_decode(key, scratch, &key);
			if (r < 0)
				return r;
		}
		if (!key_leads(key, path, &rest))
			continue;
		if (rest.len == 0)
			return 1;
		if (ret->kind != JSONSCAN_NESTED)
			continue;
		struct json_found inner;
		int r = descend(ret->text, rest, scratch, &inner);
		if (r != 0) {
			*ret = inner;
			return r;
		}
	}
	return 0;
}

int jsonscan_find(struct span text, struct span path, struct buf *scratch, struct json_found *ret)
{
	const char *start = skip_space(text.ptr, text.ptr + text.len);
	text = span_from(text, (size_t)(start - text.ptr));
	int r = descend(text, path, scratch, ret);
	if (r != 1 || ret->kind != JSONSCAN_STRING)
		return r;
	buf_clear(scratch);
	int decoded = jsonscan_decode(ret->text, scratch, &ret->text);
	return decoded < 0 ? decoded : 1;
}

/* --- yajl --- */

static int keep_string(void *user, const unsigned char *text, size_t len)
{
	return buf_add(user, text, len) == 0;
}

int jsonscan_decode(struct span raw, struct buf *scratch, struct span *ret)
{
	static const yajl_callbacks callbacks = {.yajl_string = keep_string};
	if (raw.len == 0 || !memchr(raw.ptr, '\\', raw.len)) {
		*ret = raw;
		return 0;
	}
	size_t at = scratch->len;
	yajl_handle h = yajl_alloc(&callbacks, NULL, scratch);
	if (!h)
		return -ENOMEM;
	/* The quotes stand around it, for it was found between them; yajl wants them too. */
	yajl_status status = yajl_parse(h, (const unsigned char *)raw.ptr - 1, raw.len + 2);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(h);
	yajl_free(h);
	*ret = status == yajl_status_ok ? span_from(buf_span(scratch), at) : raw;
	return 0;
}

static int accept(void *user, struct span key, struct json_value v)
{
	(void)user, (void)key, (void)v;
	return 0;
}

bool jsonscan_valid_object(struct span text)
{
	return json_read_object(text, accept, NULL) == 0;
}
