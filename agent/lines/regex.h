/* Regular expressions of the configuration, by PCRE2 with JIT.
 *
 * Patterns work on bytes, so that lines that are not UTF-8 match like any other; only a
 * pattern that has bytes beyond ASCII itself, or asks for Unicode properties, is compiled
 * in UTF mode. A compiled regex has its own match memory: one thread at a time. */
#ifndef HAUL_AGENT_REGEX_H
#define HAUL_AGENT_REGEX_H

#include "common/buf.h"
#include "common/span.h"

struct regex;

/* Errors: -EINVAL with `ret_why` saying what is wrong and at which offset; -ENOMEM. */
int regex_new(const char *pattern, struct regex **ret, char *ret_why, size_t why_size) MUST_CHECK;
void regex_free(struct regex *r);

/* 1 it matches, 0 it does not, -EOVERFLOW the match limits were reached (a pattern that
 * explodes on this line). */
int regex_match(struct regex *r, struct span text) MUST_CHECK;

/* Appends `text` to `out` with every match replaced by ***; when the pattern has groups
 * only what they matched is. Returns how many places were replaced, -EOVERFLOW as above
 * (out is then incomplete), -ENOMEM. */
int regex_mask(struct regex *r, struct span text, struct buf *out) MUST_CHECK;

#endif
