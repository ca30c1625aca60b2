/* Growable bytes: see buf.h. Capacity doubles, so that n appended bytes cost O(n) in all; the limit
 * is checked before any arithmetic that could wrap. */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256 };

int buf_grow(struct buf *b, size_t more)
{
	if (more > SIZE_MAX / 2 - b->len)
		return -ENOMEM;
	size_t need = b->len + more;
	if (b->max && need > b->max)
		return -EMSGSIZE;
	if (need <= b->cap)
		return 0;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	while (cap < need)
		cap *= 2;
	if (b->max && cap > b->max)
		cap = b->max;
	char *ptr = realloc(b->ptr, cap);
	if (!ptr)
		return -ENOMEM;
	b->ptr = ptr;
	b->cap = cap;
	return 0;
}

int buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return buf_add(b, digits + at, sizeof(digits) - at);
}

/* Into the room that there is; what does not fit is formatted once more. */
int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	size_t room = b->cap - b->len;
	va_start(args, fmt);
	int len = vsnprintf(room ? b->ptr + b->len : NULL, room, fmt, args);
	va_end(args);
	if (len < 0)
		return -EINVAL;
	if ((size_t)len >= room) {
		int r = buf_reserve(b, (size_t)len + 1);
		if (r < 0)
			return r;
		va_start(args, fmt);
		(void)vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, args);
		va_end(args);
	}
	b->len += (size_t)len;
	return 0;
}

const char *buf_cstr(struct buf *b)
{
	if (buf_reserve(b, 1) < 0)
		return NULL;
	b->ptr[b->len] = '\0';
	return b->ptr;
}

void buf_consume(struct buf *b, size_t len)
{
	b->len -= len;
	if (b->len)
		memmove(b->ptr, b->ptr + len, b->len);
}

void buf_free(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){.max = b->max};
}
