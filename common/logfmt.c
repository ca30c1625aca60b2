/* key=value pairs: see logfmt.h. Used by field.c where a message is not JSON.
 *
 * A key is a run of letters, digits, '_', '-', '.', '/' and '@' that begins with a letter or '_',
 * stands at the start or behind a blank, a comma, a semicolon, a bar or an opening bracket, and is
 * followed by '='. A value is quoted, or goes on to the next blank; a comma, a semicolon or a
 * closing bracket at its end belong to the sentence around it. What stands in a quoted value is not
 * looked into. */
#include "common/logfmt.h"

static bool is_key_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@';
}

static bool is_key(char c)
{
	return is_key_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/';
}

static bool is_before_key(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '|' || c == '[' || c == '(' ||
	       c == '{';
}

/* Where the key that ends before the '=' at `equals` begins; `equals` itself when there is none. */
static size_t key_start(struct span text, size_t from, size_t equals)
{
	size_t at = equals;
	while (at > from && is_key(text.ptr[at - 1]))
		at--;
	while (at < equals && !is_key_start(text.ptr[at]))
		at++;
	if (at > 0 && !is_before_key(text.ptr[at - 1]))
		return equals;
	return at;
}

static size_t quoted_end(struct span text, size_t at)
{
	for (at++; at < text.len; at++) {
		if (text.ptr[at] == '\\')
			at++;
		else if (text.ptr[at] == '"')
			return at + 1;
	}
	return text.len;
}

static bool is_behind_value(char c)
{
	return c == ',' || c == ';' || c == '|' || c == ')' || c == ']' || c == '}';
}

static size_t bare_end(struct span text, size_t at)
{
	size_t start = at;
	while (at < text.len && text.ptr[at] != ' ' && text.ptr[at] != '\t' && text.ptr[at] != '\r')
		at++;
	/* A full stop ends the sentence only behind a bracket: 1. and a.b. may be values. */
	if (at > start + 1 && text.ptr[at - 1] == '.' && is_behind_value(text.ptr[at - 2]))
		at--;
	while (at > start && is_behind_value(text.ptr[at - 1]))
		at--;
	return at;
}

bool logfmt_next(struct span text, size_t *at, struct span *ret_key, struct span *ret_value)
{
	for (size_t from = *at;;) {
		size_t equals = from + span_find(span_from(text, from), '=');
		if (equals >= text.len)
			return false;
		size_t key = key_start(text, from, equals);
		if (key == equals) {
			from = equals + 1;
			continue;
		}
		size_t value = equals + 1;
		bool quoted = value < text.len && text.ptr[value] == '"';
		size_t end = quoted ? quoted_end(text, value) : bare_end(text, value);
		*ret_key = span_make(text.ptr + key, equals - key);
		*ret_value = span_make(text.ptr + value, end - value);
		*at = end;
		return true;
	}
}

/* What a backslash and `c` stand for. False: for themselves, as in C:\Users. */
static bool unescape(char c, char *ret)
{
	switch (c) {
	case 'n': *ret = '\n'; return true;
	case 't': *ret = '\t'; return true;
	case 'r': *ret = '\r'; return true;
	case '"':
	case '\'':
	case '\\':
	case '/': *ret = c; return true;
	default: return false;
	}
}

int logfmt_unquote(struct span value, struct buf *scratch, struct span *ret)
{
	if (value.len == 0 || value.ptr[0] != '"') {
		*ret = value;
		return 0;
	}
	size_t end = value.len;
	if (end > 1 && value.ptr[end - 1] == '"')
		end--;
	value = span_make(value.ptr + 1, end - 1);
	if (!memchr(value.ptr, '\\', value.len)) {
		*ret = value;
		return 0;
	}
	size_t start = scratch->len;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (c == '\\' && i + 1 < value.len && unescape(value.ptr[i + 1], &c))
			i++;
		int r = buf_add_char(scratch, c);
		if (r < 0)
			return r;
	}
	*ret = span_from(buf_span(scratch), start);
	return 0;
}

int logfmt_find(struct span text, struct span key, struct buf *scratch, struct span *ret)
{
	struct span found, value;
	/* Most lines do not have it. */
	if (key.len == 0 || text.len < key.len || !memmem(text.ptr, text.len, key.ptr, key.len))
		return 0;
	for (size_t at = 0; logfmt_next(text, &at, &found, &value);) {
		if (!span_equal(found, key))
			continue;
		buf_clear(scratch);
		int r = logfmt_unquote(value, scratch, ret);
		return r < 0 ? r : 1;
	}
	return 0;
}
