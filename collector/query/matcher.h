/* The PATTERN: a PCRE2 expression or a fixed string, asked of whole stored lines.
 *
 * A matcher is immutable; each thread has a scratch of its own. */
#ifndef HAUL_COLLECTOR_QUERY_MATCHER_H
#define HAUL_COLLECTOR_QUERY_MATCHER_H

#include "collector/query/finder.h"
#include "common/buf.h"

struct matcher;
struct matcher_scratch;

struct matcher_error {
	size_t at; /* byte of the pattern */
	char text[256];
};

/* `fixed`: the pattern is a string, not an expression. Errors: -EINVAL with `err` a bad expression,
 * or one with a line feed; -ENOMEM. */
int matcher_new(struct span pattern, bool fixed, bool ignore_case, struct matcher **ret,
		struct matcher_error *err) MUST_CHECK;
void matcher_free(struct matcher *m);

/* NULL when memory is short. */
struct matcher_scratch *matcher_scratch_new(const struct matcher *m);
void matcher_scratch_free(struct matcher_scratch *s);

/* Does it match every line (an empty pattern)? */
bool matcher_all(const struct matcher *m);

/* Strings of which one stands in every line that matches (n = 0: not known). Owned by the
 * matcher. */
const struct finder *matcher_required(const struct matcher *m);

/* Begins a walk over whole lines, each with its LF. */
void matcher_start(struct matcher_scratch *s, struct span lines);

/* The next line that matches at or after `from`, the start of a line in what matcher_start was
 * given; without its LF. False: none. */
bool matcher_next(struct matcher_scratch *s, const char *from, struct span *ret_line);

/* One line or field. */
bool matcher_test(struct matcher_scratch *s, struct span text);

/* The first match in `text` at or after `from`, for highlighting; empty matches are passed over. */
bool matcher_find(struct matcher_scratch *s, struct span text, size_t from, struct span *ret_match);

#endif
