/* Borrowed bytes. A span owns nothing: it is valid as long as the memory it points into. NUL is
 * data like any other byte; a span is not terminated. */
#ifndef HAUL_COMMON_SPAN_H
#define HAUL_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *ptr;
	size_t len;
};

#define SPAN_LITERAL(s) ((struct span){(s), sizeof(s) - 1})

static inline struct span span_make(const char *ptr, size_t len)
{
	return (struct span){ptr, len};
}

/* The bytes of a C string; NULL gives an empty span. */
static inline struct span span_of(const char *s)
{
	return (struct span){s, s ? strlen(s) : 0};
}

/* The part from `at` on; `at` is at most s.len. */
static inline struct span span_from(struct span s, size_t at)
{
	/* Nothing may be added to NULL, not even 0. */
	return (struct span){at ? s.ptr + at : s.ptr, s.len - at};
}

/* The first `len` bytes; `len` is at most s.len. */
static inline struct span span_first(struct span s, size_t len)
{
	return (struct span){s.ptr, len};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_of(s));
}

static inline bool span_starts_with(struct span a, struct span prefix)
{
	return a.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool span_ends_with(struct span a, struct span suffix)
{
	return a.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(a.ptr + a.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* Index of the first `c`, or s.len when there is none. */
static inline size_t span_find(struct span s, char c)
{
	const char *hit = s.len ? memchr(s.ptr, c, s.len) : NULL;
	return hit ? (size_t)(hit - s.ptr) : s.len;
}

/* Without blanks and tabs at both ends. */
static inline struct span span_trim(struct span s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = span_from(s, 1);
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

#endif
