/* What must stand in every line that a regular expression matches: strings of which at least one is
 * there. They lead the search (a literal is found at memory speed) and choose blocks by the
 * index. */
#ifndef HAUL_COLLECTOR_QUERY_REQUIRED_H
#define HAUL_COLLECTOR_QUERY_REQUIRED_H

#include "common/buf.h"
#include "common/span.h"

#define REQUIRED_MAX     16  /* strings */
#define REQUIRED_LEN_MAX 128 /* bytes of each */

struct required {
	char text[REQUIRED_MAX][REQUIRED_LEN_MAX];
	size_t len[REQUIRED_MAX];
	size_t n; /* 0: nothing is known */
};

/* `pattern` is a PCRE2 expression that compiles. With `ignore_case` the strings stand for either
 * case of their ASCII letters and hold no other letters. Never wrong, sometimes empty: what is not
 * understood gives nothing. */
void required_of(struct span pattern, bool ignore_case, struct required *ret);

#endif
