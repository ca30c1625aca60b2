/* Growable bytes with a hard limit. The owner of the struct owns the memory; buf_free gives it
 * back.
 *
 * Appending never leaves a half-written piece: on error nothing has changed. Errors: -ENOMEM when
 * memory is short, -EMSGSIZE when the limit would be passed. */
#ifndef HAUL_COMMON_BUF_H
#define HAUL_COMMON_BUF_H

#include "common/span.h"

#include <stdint.h>

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max; /* 0: no limit but memory */
};

#define BUF_EMPTY ((struct buf){0})

#define MUST_CHECK __attribute__((warn_unused_result))

/* Makes room for `more` further bytes; the bytes at ptr + len may then be written directly. */
int buf_reserve(struct buf *b, size_t more) MUST_CHECK;

int buf_add(struct buf *b, const void *bytes, size_t len) MUST_CHECK;
int buf_add_span(struct buf *b, struct span s) MUST_CHECK;
int buf_add_str(struct buf *b, const char *s) MUST_CHECK;
int buf_add_char(struct buf *b, char c) MUST_CHECK;
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
