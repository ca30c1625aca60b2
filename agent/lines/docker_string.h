/* The text in a string of Docker's logs: what Go's encoder escaped comes out as bytes again. */
#ifndef HAUL_AGENT_DOCKER_STRING_H
#define HAUL_AGENT_DOCKER_STRING_H

#include "common/buf.h"

struct docker_string {
	struct span text; /* without the \n at its end */
	bool ended;       /* it had one */
	bool odd;         /* something was escaped that line_clean has to look at */
	const char *next; /* behind its closing quote */
};

/* Reads the string whose first byte, behind the quote, is at `p`. The text points into the line
 * when nothing but the \n at its end was escaped, else into `scratch`, which is overwritten. A
 * surrogate that has no partner is U+FFFD, as moby has it. Errors: -EBADMSG, -ENOMEM. */
int docker_string_read(const char *p, const char *end, struct buf *scratch,
		       struct docker_string *ret) MUST_CHECK;

/* Takes the \n off the text's end: `text` is set, `ended` will be. */
void docker_string_take_lf(struct docker_string *s);

#endif
