/* Growable bytes with a hard limit. The owner of the struct owns the memory; buf_free gives it
 * back.
 *
 * Appending never leaves a half-written piece: on error nothing has changed. Errors: -ENOMEM when
 * memory is short, -EMSGSIZE when the limit would be passed. */
#ifndef HAUL_COMMON_BUF_H
#define HAUL_COMMON_BUF_H

#include "common/span.h"

#include <stdint.h>
#include <string.h>

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max; /* 0: no limit but memory */
};

#define BUF_EMPTY ((struct buf){0})

#define MUST_CHECK __attribute__((warn_unused_result))

/* The slow half of buf_reserve. */
int buf_grow(struct buf *b, size_t more) MUST_CHECK;

/* Makes room for `more` further bytes; the bytes at ptr + len may then be written directly. */
static inline MUST_CHECK int buf_reserve(struct buf *b, size_t more)
{
	bool fits = b->ptr && more <= b->cap - b->len && (!b->max || b->len + more <= b->max);
	return fits ? 0 : buf_grow(b, more);
}

static inline MUST_CHECK int buf_add(struct buf *b, const void *bytes, size_t len)
{
	int r = buf_reserve(b, len);
	if (r < 0)
		return r;
	if (len)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
	return 0;
}

static inline MUST_CHECK int buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.ptr, s.len);
}

static inline MUST_CHECK int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

static inline MUST_CHECK int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_add_u64(struct buf *b, uint64_t v) MUST_CHECK;
int buf_printf(struct buf *b, const char *fmt, ...) MUST_CHECK
	__attribute__((format(printf, 2, 3)));

/* Puts a NUL behind the bytes (not counted in len) and returns them; NULL when memory is short. */
const char *buf_cstr(struct buf *b) MUST_CHECK;

/* Forgets the first `len` bytes, moving the rest to the front. */
void buf_consume(struct buf *b, size_t len);

/* Keeps the memory, forgets the bytes. */
static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}

/* Gives the memory back and leaves an empty buf with the same limit. Fine on an empty one. */
void buf_free(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return span_make(b->ptr, b->len);
}

#endif
