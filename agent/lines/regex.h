/* Regular expressions of the configuration, by PCRE2 with JIT.
 *
 * Patterns work on bytes, so that lines that are not UTF-8 match like any other; only a pattern
 * that has bytes beyond ASCII itself, or asks for Unicode properties, is compiled in UTF mode. A
 * compiled regex has its own match memory: one thread at a time. */
#ifndef HAUL_AGENT_REGEX_H
#define HAUL_AGENT_REGEX_H

#include "common/buf.h"
#include "common/span.h"

struct regex;

/* Errors: -EINVAL with `ret_why` saying what is wrong and at which offset; -ENOMEM. */
int regex_new(const char *pattern, struct regex **ret, char *ret_why, size_t why_size) MUST_CHECK;
void regex_free(struct regex *r);

/* 1 it matches, 0 it does not, -EOVERFLOW the match limits were reached (a pattern that explodes on
 * this line). */
int regex_match(struct regex *r, struct span text) MUST_CHECK;

struct regex_range {
	size_t from, to;
};

/* Appends to `out` the ranges (struct regex_range) of every match; when the pattern has groups, of
 * those that took part in it, if any did. They come in no order, and may overlap. Errors:
 * -EOVERFLOW as above; -ENOMEM, -EMSGSIZE (out). */
int regex_find_all(struct regex *r, struct span text, struct buf *out) MUST_CHECK;

#endif
