/* Taking a line apart from left to right. A text is what is left of a line; functions that take
 * something move `at` behind it, and leave it when it is not there.
 *
 * All inline, so that a text stays in registers: this runs several times for every log line of the
 * host. For the same reason functions that are not inlined are passed `at` and `line_end` and make
 * a text of their own: a struct that is passed goes through memory, written in halves and read as a
 * whole, which costs more than the parsing. */
#ifndef HAUL_AGENT_TEXT_H
#define HAUL_AGENT_TEXT_H

#include "common/span.h"

#include <stdint.h>

struct text {
	const char *at;
	const char *end;
};

static inline struct text text_of(struct span s)
{
	return (struct text){s.ptr, s.ptr + s.len};
}

static inline size_t text_left(const struct text *t)
{
	return (size_t)(t->end - t->at);
}

static inline bool text_is_digit(char c)
{
	return (uint8_t)(c - '0') <= 9;
}

static inline bool text_is_letter(char c)
{
	return (uint8_t)((c | 0x20) - 'a') <= 'z' - 'a';
}

static inline bool text_is_upper(char c)
{
	return (uint8_t)(c - 'A') <= 'Z' - 'A';
}

/* The next byte, or NUL at the end. (A NUL in the line is treated alike: no form has one.) */
static inline char text_peek(const struct text *t)
{
	return t->at < t->end ? *t->at : '\0';
}

/* The byte `ahead` places behind the next. */
static inline char text_peek_at(const struct text *t, size_t ahead)
{
	return text_left(t) > ahead ? t->at[ahead] : '\0';
}

static inline bool text_take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static inline bool text_take_word(struct text *t, struct span word)
{
	if (!span_starts_with(span_make(t->at, text_left(t)), word))
		return false;
	t->at += word.len;
	return true;
}

/* What ends a number or a word: anything but a letter, a digit, `_` or a part of a UTF-8 letter. */
static inline bool text_is_boundary(const char *at, const char *end)
{
	return at == end ||
	       (!text_is_letter(*at) && !text_is_digit(*at) && *at != '_' && (uint8_t)*at < 0x80);
}

static inline bool text_at_boundary(const struct text *t)
{
	return text_is_boundary(t->at, t->end);
}

/* Two digits; 100 or more when they are none. `p` has two bytes. */
static inline unsigned text_pair(const char *p)
{
	unsigned tens = (uint8_t)(p[0] - '0');
	unsigned ones = (uint8_t)(p[1] - '0');
	return tens <= 9 && ones <= 9 ? 10 * tens + ones : 100;
}

static inline bool text_take_pair(struct text *t, unsigned *ret)
{
	if (text_left(t) < 2)
		return false;
	unsigned v = text_pair(t->at);
	if (v > 99)
		return false;
	t->at += 2;
	*ret = v;
	return true;
}

/* One or two digits, no more. */
static inline bool text_take_one_or_two(struct text *t, unsigned *ret)
{
	if (!text_is_digit(text_peek(t)))
		return false;
	if (!text_is_digit(text_peek_at(t, 1))) {
		*ret = (unsigned)(*t->at++ - '0');
		return true;
	}
	return !text_is_digit(text_peek_at(t, 2)) && text_take_pair(t, ret);
}

/* Four digits and no fifth. */
static inline bool text_take_year(struct text *t, int *ret)
{
	if (text_left(t) < 4 || text_is_digit(text_peek_at(t, 4)))
		return false;
	unsigned century = text_pair(t->at), year = text_pair(t->at + 2);
	if (century > 99 || year > 99)
		return false;
	t->at += 4;
	*ret = (int)(century * 100 + year);
	return true;
}

#endif
